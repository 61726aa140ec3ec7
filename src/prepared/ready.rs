//! A load, ready to run: what was decided and opened before the first row.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::input::{Access, Ahead, Input, OpenSource, SourceError};
use crate::ledger::{Checkpoint, LedgerRef, rejects_query};
use crate::map::Mapping;
use crate::pg::Lease;
use crate::pg::server_info::ServerInfo;
use crate::plan::Plan;
use crate::report::Guarantee;
use crate::schema::Mode;
use crate::write::WritePlan;

use super::act::Act;
use super::unledgered::Unledgered;

/// A run that is ours.
#[derive(Debug, Clone)]
pub struct RunInHand {
    /// Its id and our epoch.
    pub ledger: LedgerRef,
    /// How often this run was started so far.
    pub attempts: u32,
}

/// A load, ready to run.
pub struct Prepared {
    /// The pool that connections are leased from.
    pub pool: Lease,
    /// What was decided about a load before its first row.
    pub plan: Plan,
    /// Which field goes to which column.
    pub mapping: Arc<Mapping>,
    /// How batches are written to the target.
    pub write: Arc<WritePlan>,
    /// The run, unless there is no ledger.
    pub run: Option<RunInHand>,
    /// The sources, in the order given.
    pub inputs: Vec<Input>,
    /// Sources that the sample has opened and that are not opened again, or why they could not be.
    pub kept: HashMap<usize, Result<OpenSource, SourceError>>,
    /// What the sources are opened with.
    pub access: Access,
    /// Sources that are being fetched.
    pub ahead: Option<Ahead>,
    /// An earlier start has read what may be different when it is read again.
    pub inexact_before: bool,
    /// The checkpoints, one for each partition.
    pub checkpoints: Vec<Checkpoint>,
    /// How often a record may be applied.
    pub guarantee: Guarantee,
    /// Sources that earlier appends have put into the table.
    pub skipped: Vec<String>,
    /// The statement that creates the table, if it does not exist yet.
    pub ddl: Option<String>,
    /// Rejects that no ledger keeps.
    pub(crate) unledgered: Option<Mutex<Unledgered>>,
    /// What it is prepared for.
    pub(crate) act: Act,
    pub(crate) facts: ServerInfo,
}

impl Prepared {
    /// Every source can be read again.
    #[must_use]
    pub fn is_replayable(&self) -> bool {
        are_replayable(&self.inputs)
    }

    /// Every source gives the same records when it is read again, as far as is known.
    #[must_use]
    pub(crate) fn is_exact(&self) -> bool {
        are_exact(&self.inputs, &self.kept)
    }

    /// How often a record may have been applied, if all that was read is exact.
    #[must_use]
    pub(crate) fn guarantee_if(&self, exact: bool) -> Guarantee {
        guarantee(
            exact && !self.inexact_before && self.is_logged(),
            self.run.is_some(),
            self.plan.mode_of_repeats(),
        )
    }

    /// No crash of the server empties the target, or a part of it.
    fn is_logged(&self) -> bool {
        self.plan.table.tree.unlogged().is_none()
    }

    /// The same, now that the sources were read.
    #[must_use]
    pub(crate) fn guarantee_after(&self, read: Option<bool>) -> Guarantee {
        if !self.access.asks() { self.guarantee } else { self.guarantee_if(read.unwrap_or(false)) }
    }

    /// What is known of the files that this process has read whole, where a later load asks for it: an append
    /// does. Of each its digest, and that of its content where it is another.
    pub(crate) fn digests(&self) -> Vec<(u32, serde_json::Value)> {
        if !self.plan.appends() {
            return Vec::new();
        }
        let known = |input: &Input| {
            if let (None, Some(content)) = (input.digest.get(), input.content.get()) {
                return Some((input.begin.source, serde_json::json!({ "content": content })));
            }
            let whole = input.digest.get()?;
            let content = input.content.get().filter(|(_, digest)| digest != whole);
            let known = match content {
                Some(content) => serde_json::json!({ "whole": whole, "content": content }),
                None => serde_json::json!({ "whole": whole }),
            };
            Some((input.begin.source, known))
        };
        self.inputs.iter().filter_map(known).collect()
    }

    /// The server, in words for a hint with SQL to read the rejects.
    #[must_use]
    pub fn rejects_query(&self) -> Option<String> {
        let run = self.run.as_ref()?;
        Some(rejects_query(&run.ledger.run))
    }

    /// Name of a source, for people.
    pub(crate) fn source_name(&self, source: u32) -> String {
        let input = usize::try_from(source).ok().and_then(|ordinal| self.inputs.get(ordinal));
        input.map_or_else(|| format!("source {source}"), |input| input.name.clone())
    }

    /// Type of a column of the target.
    pub(crate) fn type_name(&self, column: &str) -> Option<String> {
        let table = &self.plan.table;
        Some(table.columns[table.column(column)?].type_name.clone())
    }
}

pub(crate) fn are_replayable(inputs: &[Input]) -> bool {
    inputs.iter().all(|input| input.class().reads_again())
}

/// Every source gives the same records when it is read again, as far as is known.
pub(crate) fn are_exact(inputs: &[Input], kept: &HashMap<usize, Result<OpenSource, SourceError>>) -> bool {
    let opened = |ordinal| matches!(kept.get(&ordinal), Some(Ok(opened)) if opened.class().is_exact());
    let mut inputs = inputs.iter().enumerate();
    inputs.all(|(ordinal, input)| input.class().is_exact() || opened(ordinal))
}

pub(crate) const fn guarantee(replayable: bool, ledger: bool, mode: Mode) -> Guarantee {
    match (replayable && ledger, mode) {
        (true, _) => Guarantee::ExactlyOnce,
        (false, Mode::Append) => Guarantee::AtLeastOnce,
        (false, _) => Guarantee::EffectivelyOnce,
    }
}

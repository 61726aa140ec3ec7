//! What is known at the start of a load, before there is a plan.

use std::sync::Arc;

use crate::engine::Share;
use crate::event::{Event, Listener, Totals};
use crate::input::{Access, Ahead, Begin, Bounds, Input, SAMPLED_SOURCES, Sampled, SampledFields};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::map::{AskedExpressions, Extra, listed, names_like_values};
use crate::pg::server_info::ServerInfo;
use crate::pg::{Ident, TableName};
use crate::plan::{Refusal, Sample, SampledSource, TableWishes, Wishes, new_table};
use crate::prepared::{Act, LoadError, are_replayable};
use crate::schema::{Mode, Table};

use super::once::Earlier;

/// A table that is to be created.
pub(super) struct ToCreate {
    pub(super) name: TableName,
    pub(super) ddl: String,
    /// What was unsure of it, in words.
    pub(super) doubts: Vec<String>,
}

/// What is known at the start.
pub(super) struct Start<'a> {
    pub(super) share: &'a Share,
    pub(super) job: &'a Job,
    pub(super) act: Act,
    pub(super) earlier: &'a Earlier<'a>,
    pub(super) listener: Listener<'a>,
    pub(super) facts: ServerInfo,
    pub(super) inputs: Vec<Input>,
    pub(super) access: Access,
    pub(super) begun: Begun,
    /// What the server is asked of records first.
    pub(super) asked: Option<Arc<AskedExpressions>>,
    /// Opened beside the first look at the table, if that could be.
    pub(super) ledger: Option<Ledger>,
}

/// What was begun of the sources.
pub(super) struct Begun {
    pub(super) sampled: Sampled,
    pub(super) ahead: Option<Ahead>,
    /// The sample is an earlier start's: there must be an unfinished run.
    pub(super) resumes: bool,
    /// When the run was begun that is gone on with, where that is of use.
    pub(super) at: Option<i128>,
}

impl Start<'_> {
    pub(super) fn tell(&self, event: &Event) {
        (self.listener)(event, &Totals::default());
    }

    pub(super) fn wishes(&self) -> Wishes<'_> {
        Wishes {
            key: self.job.key.as_deref(),
            mode: self.job.mode,
            rest: self.job.rest,
            shaping: &self.job.reading.shaping,
            asked: self.asked.as_ref(),
            policies: &self.job.policies,
            extra: &self.job.extra,
            newer_by: self.job.newer_by.as_deref(),
            watermark: self.job.named.as_ref().and_then(|named| named.watermark.as_deref()),
            // Without a key, equal records must be counted in one place.
            pool_size: match self.act {
                Act::Verify if self.job.key.is_none() => 1,
                // Each keeps its session to the end.
                Act::Verify => {
                    let sessions = self.share.sessions(self.job.resources.pool_size);
                    // And who asks about records needs one.
                    sessions.saturating_sub(usize::from(self.asked.is_some())).max(1)
                }
                Act::Load | Act::Plan => self.job.resources.pool_size,
            },
            role: &self.facts.role,
            may_select: self.facts.may_select,
            has_pipe: self.has_pipe(),
        }
    }

    /// What the sample has shown, for the plan.
    pub(super) fn sample(&self) -> Sample {
        let fields = |source: &SampledFields| SampledSource {
            name: source.name.clone(),
            fields: source.fields.clone(),
        };
        Sample { sources: self.begun.sampled.sources.iter().map(fields).collect() }
    }

    /// What was unsure of a table that is to be made, in words.
    fn doubts(&self) -> Vec<String> {
        let sampled = &self.begun.sampled;
        let headed = || sampled.sources.iter().filter(|source| source.has_header);
        let mut doubts = Vec::new();
        if let Some(source) = headed().next()
            && !sampled.has_records()
        {
            doubts.push(format!(
                "{} has a header and no records: each column of the table is text",
                source.name
            ));
        }
        for SampledFields { name, fields, .. } in headed() {
            if fields.first().is_some_and(|first| first.trim_start().starts_with('#')) {
                doubts.push(format!(
                    "the header of {name} begins with #: if that is a comment, --comment '#' passes over such lines"
                ));
            }
            if let [only] = fields.as_slice()
                && only.contains(divides)
            {
                doubts.push(format!(
                    "the header of {name} is one name, {only:?}: if a character divides it, --delimiter says which"
                ));
            }
            let values = names_like_values(fields);
            if !values.is_empty() {
                doubts.push(format!(
                    "names of columns in {name} look like values ({}): if its first line is a record, --columns A,B names them",
                    listed(&values)
                ));
            }
        }
        doubts.extend(sampled.inference.doubts());
        doubts
    }

    pub(super) fn has_pipe(&self) -> bool {
        !are_replayable(&self.inputs)
    }

    pub(super) fn new_table(&self, name: &TableName) -> Result<ToCreate, LoadError> {
        let schema = match (&name.schema, &self.facts.schema) {
            (Some(schema), _) => schema.clone(),
            (None, Some(schema)) => {
                Ident::new(schema.as_str()).map_err(|e| Refusal { message: e.to_string(), hint: None })?
            }
            (None, None) => {
                return Err(
                    Refusal::new("no schema to create the table in", "say --table SCHEMA.NAME").into()
                );
            }
        };
        let name = TableName { schema: Some(schema), name: name.name.clone() };
        if matches!(self.job.mode, Some(Mode::Update)) {
            return Err(missing(&name).into());
        }
        let extra = match &self.job.extra {
            Extra::Jsonb(column) => Some(column.as_str()),
            Extra::Refuse | Extra::Ignore | Extra::Add => None,
        };
        let shaping = &self.job.reading.shaping;
        let mut columns = self.begun.sampled.inference.shaped_columns(shaping);
        if let Some(asked) = &self.asked {
            asked.define(&mut columns);
        }
        let is_json = self.begun.sampled.beginnings.iter().all(|first| first.layout.format.is_json());
        let defined = &self.job.column_definitions;
        let wishes = TableWishes { key: self.job.key.as_deref(), extra, defined };
        let new = new_table(name, &columns, &wishes, is_json)?;
        Ok(ToCreate { name: new.name, ddl: new.ddl, doubts: self.doubts() })
    }
}

/// A character that is rather between names than in one.
const fn divides(c: char) -> bool {
    matches!(c, '^' | '~' | ':' | '!' | '*' | '&' | '=' | '@' | '\t' | ';' | '|' | '\u{1}'..='\u{1f}')
}

pub(super) fn missing(name: &TableName) -> Refusal {
    Refusal { message: format!("table {} does not exist", name.plain()), hint: None }
}

/// What is said of a table that a crash of the server empties.
pub(super) fn unlogged_words(table: &Table) -> Option<String> {
    let name = &table.tree.unlogged()?.name;
    Some(format!(
        "{name} is unlogged: a crash of the server empties it, and a load that meets one ends there"
    ))
}

/// Begins to fetch those of the sources that are asked for.
pub(super) fn fetch_ahead<'a>(
    share: &Share,
    job: &Job,
    access: &Access,
    sources: impl Iterator<Item = (&'a Input, Begin)>,
) -> Ahead {
    let bounds = Bounds {
        sources: job.web.http.concurrency,
        memory_bytes: share.bytes_ahead(&job.resources),
        spool_bytes: job.web.http.limits.spool_bytes,
        sampled: SAMPLED_SOURCES,
    };
    Ahead::start(access.clone(), job.reading.clone(), sources, bounds)
}

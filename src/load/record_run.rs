//! Recording a run: what makes this start its owner.

use crate::fault::{self, Point};
use crate::input::Input;
use crate::ledger::{
    ACCUMULATES, AppendMarks, BEGIN_RECORDING, Ledger, LedgerError, LedgerRef, MADE, NewRun, Owner,
    RunSettings, SHARED_FETCH, appends_before, one_append_at_once, record_run,
};
use crate::pg::sqlstate::is_lock_timeout;
use crate::pg::{Session, StatementResult};
use crate::plan::Plan;
use crate::prepared::{LoadError, RunInHand, are_exact, guarantee};
use crate::schema::Table;

use super::columns;
use super::marks::{BACKFILL, BEGUN_AT, reopen};
use super::resume::stored_target;
use super::settings::settings;
use super::start::Start;
use super::stored::store;

/// The transaction that a run is recorded in.
#[derive(Clone, Copy)]
pub(super) enum Recording<'a> {
    /// The one that has made the table.
    Begun,
    /// The one that has made a table beside the target; perhaps the target too.
    Beside { is_made: bool },
    /// Its own. For an append, the others that were looked at.
    Own { appends: Option<&'a AppendsBefore> },
}

/// The appends that there were when a start looked for what they have in common with its own: where there are
/// others when it is recorded, it has to look again.
pub(super) struct AppendsBefore {
    /// Of what is to be appended.
    marks: AppendMarks,
    number: u64,
}

impl AppendsBefore {
    /// Counts them.
    pub(super) async fn count(
        ledger: &mut Ledger,
        table: &Table,
        inputs: &[Input],
    ) -> Result<Self, LedgerError> {
        // Nothing in common is to be had of empty ones.
        let sizes: Vec<u64> = inputs
            .iter()
            .filter_map(|input| Some(input.on_disk()?.print.size))
            .filter(|size| *size > 0)
            .collect();
        let is_object = |input: &&Input| input.location().object().is_some();
        let objects = inputs.iter().filter(is_object).map(|input| input.name.clone()).collect();
        let marks = AppendMarks { sizes, objects };
        let number = ledger.appends_before(table.oid, &table.name, &marks).await?;
        Ok(Self { marks, number })
    }
}

/// The id of a new run.
pub(super) fn new_run() -> String {
    let id = uuid::Uuid::now_v7().simple().to_string();
    // The tail of a version 7 UUID is random; its head is the time, and alike for runs of one moment.
    id[id.len() - 12..].to_owned()
}

impl Start<'_> {
    fn settings_to_store(&self, plan: &Plan, recording: Recording<'_>) -> RunSettings {
        let mut settings = settings(self.job, plan, plan.partitioner.count);
        columns::store(plan, &mut settings);
        if matches!(recording, Recording::Begun | Recording::Beside { is_made: true }) {
            settings.insert(MADE.to_owned(), true.into());
        }
        if plan.accumulates() {
            settings.insert(ACCUMULATES.to_owned(), true.into());
        }
        if let Some(named) = self.job.named.as_ref().filter(|named| named.watermark.is_some()) {
            settings.insert(BEGUN_AT.to_owned(), named.now.to_string().into());
        }
        let window = self.job.named.as_ref().and_then(|named| named.window.as_ref());
        if let Some(backfill) = window.and_then(|window| window.backfill.as_ref()) {
            settings.insert(BACKFILL.to_owned(), backfill.clone().into());
        }
        if let Some(shared) = &self.job.web.http.shared_answers {
            settings.insert(SHARED_FETCH.to_owned(), shared.folder().to_string_lossy().into());
        }
        settings
    }

    /// Records a new run and commits.
    pub(super) async fn record(
        &self,
        session: &Session,
        plan: &Plan,
        identity: &str,
        owner: &Owner,
        recording: Recording<'_>,
    ) -> Result<RunInHand, LoadError> {
        let id = plan.replacing.as_ref().map_or_else(new_run, |replacing| replacing.run.clone());
        let exact = are_exact(&self.inputs, &self.begun.sampled.kept) && plan.table.tree.unlogged().is_none();
        let new = NewRun {
            identity: identity.to_owned(),
            target: plan.target().name.to_string(),
            mode: plan.mode_name().to_owned(),
            key: plan.key_names(),
            partitions: plan.partitioner.count,
            settings: self.settings_to_store(plan, recording),
            guarantee: guarantee(exact, true, plan.mode_of_repeats()).name().to_owned(),
            sources: self.inputs.iter().map(store).collect(),
        };
        let statements = record_run(&id, &new, &stored_target(&plan.table), owner);
        let (begin, appends) = match recording {
            Recording::Begun | Recording::Beside { .. } => (String::new(), None),
            Recording::Own { appends: None } => (format!("{BEGIN_RECORDING};\n"), None),
            Recording::Own { appends } => {
                (format!("{BEGIN_RECORDING};\n{};\n", one_append_at_once(plan.table.oid)), appends)
            }
        };
        let reopened = reopen(self.job);
        let counted = appends.map_or_else(String::new, |before| {
            appends_before(&id, plan.table.oid, &plan.table.name, &before.marks)
        });
        let sql = format!("{begin}{statements};\n{reopened}{counted}");
        let recorded = match session.begin(&sql).await {
            Ok(outcomes) => {
                let now = outcomes.last().and_then(StatementResult::value).and_then(|n| n.parse().ok());
                if appends.is_some_and(|before| Some(before.number) != now) {
                    session.roll_back().await;
                    return Err(LedgerError::Raced.into());
                }
                fault::point(Point::Recording);
                session.run("COMMIT").await
            }
            Err(error) => Err(error),
        };
        if let Err(source) = recorded {
            session.roll_back().await;
            // Somebody recorded the same run at the same moment, or is at it for longer than that should
            // take.
            if is_lock_timeout(&source) || source.constraint() == Some("run_one_unfinished") {
                return Err(LedgerError::Raced.into());
            }
            return Err(LoadError::Prepare { doing: "record the run", source });
        }
        session.transaction_ended();
        fault::point(Point::Recorded);
        Ok(RunInHand { ledger: LedgerRef { run: id, epoch: 1 }, attempts: 1 })
    }
}

//! The watermark of a load: what it is taken from, whether the stored one is of this table, and what becomes
//! of it when the run completes.

use std::time::Duration;

use crate::engine::Engine;
use crate::event::{Event, Totals};
use crate::job::Job;
use crate::ledger::{
    Ledger, LedgerError, Opened, Owner, RunSettings, StoredMark, StoredWindow, identity_of_named,
    reopen_window, watermarks, windows,
};
use crate::map::Target;
use crate::pg::ConnInfo;
use crate::pipeline::Ran;
use crate::plan::{Plan, Refusal};
use crate::prepared::{LoadError, RunInHand};
use crate::schedule::MarkOrder;
use crate::schema::{Mode, Table};
use crate::write::{MarkColumn, Marked};

use super::outcome::Watch;
use super::slots::open;
use super::start::Start;

/// A clock may be so much ahead of this one's.
const SKEW: Duration = Duration::from_secs(300);

/// The watermarks of a job's loads, as stored.
///
/// # Errors
/// When the database cannot be asked.
pub async fn stored_marks(engine: &Engine, dsn: &ConnInfo, job: &str) -> Result<Vec<StoredMark>, LoadError> {
    let share = engine.enter();
    let lease = share.lease(dsn, 1).await?;
    Ok(watermarks(&open(&lease).await?, job).await?)
}

/// Sets a watermark by hand; false if there is none to be set.
///
/// # Errors
/// When the database cannot be asked.
pub async fn set_mark(
    engine: &Engine,
    dsn: &ConnInfo,
    job: &str,
    load: &str,
    value: &str,
) -> Result<bool, LoadError> {
    let order = MarkOrder::guess(value).and_then(|kind| kind.order_of(value));
    let message = || format!("`{value}` is no integer, instant or date");
    let order = order.ok_or_else(|| Refusal { message: message(), hint: None })?;
    let share = engine.enter();
    let lease = share.lease(dsn, 1).await?;
    Ok(crate::ledger::set_watermark(&open(&lease).await?, job, load, value, order).await?)
}

/// What the watermark of a load is taken from; nothing without one.
///
/// # Errors
/// When the table has no such column, or one whose values have no order that is known, or the mode is append.
pub(super) fn column(job: &Job, plan: &Plan) -> Result<Option<MarkColumn>, Refusal> {
    let Some(field) = job.named.as_ref().and_then(|named| named.watermark.as_ref()) else {
        return Ok(None);
    };
    if plan.mode_of_repeats() == Mode::Append {
        if plan.accumulates() {
            let hint = "what is asked for again would count once more: use another policy";
            return Err(Refusal::new(
                "a watermark asks for some records again, and --merge adds them up",
                hint,
            ));
        }
        let hint = "what is asked for again would be appended again: give the table a key";
        return Err(Refusal::new("a watermark is of loads with a key, and this one appends", hint));
    }
    let column = plan.table.columns.iter().find(|column| column.name.raw() == field);
    let (Some(column), Target::Slot(slot)) = (column, plan.mapping().column_target(field)) else {
        let message =
            format!("table {} has no column {field:?}, which the watermark is of", plan.table.name.plain());
        return Err(Refusal::new(message, "the field needs a column of its own name"));
    };
    let type_name = column.domain_base.as_deref().unwrap_or(&column.type_name);
    let order = match type_name {
        "bigint" | "integer" | "smallint" => MarkOrder::Integer,
        "date" => MarkOrder::Moment,
        name if name.starts_with("timestamp") => MarkOrder::Moment,
        name => {
            let message = format!("column {field:?} is of type {name}, whose values are no watermark");
            return Err(Refusal::new(message, "a watermark is an integer, an instant or a date"));
        }
    };
    let now = job.named.as_ref().map(|named| named.now).filter(|_| order == MarkOrder::Moment);
    let skew = i128::try_from(SKEW.as_nanos()).unwrap_or_default();
    Ok(Some(MarkColumn { slot, order, until: now, latest: now.map(|now| now + skew) }))
}

impl Start<'_> {
    /// What the watermark is taken from: up to when the run was begun, which a resume has stored.
    pub(super) fn mark(&self, plan: &Plan) -> Result<Option<MarkColumn>, Refusal> {
        let column = column(self.job, plan)?;
        Ok(column
            .map(|column| MarkColumn { until: column.until.and(self.begun.at.or(column.until)), ..column }))
    }

    /// A watermark says of one table how far it is loaded: another one, or an empty one, has to be loaded
    /// whole.
    pub(super) async fn check_mark(
        &self,
        ledger: &mut Ledger,
        table: Option<&Table>,
    ) -> Result<(), LoadError> {
        let Some(named) = &self.job.named else { return Ok(()) };
        if let (Some(window), None) = (&named.window, &named.watermark)
            && !window.is_again
            && ledger.has_window(&named.job, &named.load, &window.starts_at, &window.ends_at).await?
        {
            // Between two looks, by another process.
            return Err(LedgerError::CompletedMeanwhile { run: String::new() }.into());
        }
        let Some(of_table) = named.of_table else { return Ok(()) };
        let what = match table {
            None => "is gone",
            Some(table) if table.oid != of_table => {
                "was dropped and created again, or another one has its name"
            }
            Some(table) if ledger.target_is_empty(&table.name).await? => "is empty",
            Some(_) => return Ok(()),
        };
        Err(LedgerError::MarkOfAnother { what: what.to_owned() }.into())
    }

    /// A full load gives the unfinished incremental one up.
    pub(super) async fn give_up_incremental(
        &self,
        ledger: &mut Ledger,
        owner: &Owner,
    ) -> Result<(), LoadError> {
        let Some(named) = self.job.named.as_ref().filter(|named| named.is_full) else { return Ok(()) };
        match ledger.find(&identity_of_named(&named.job, &named.load, ""), owner).await? {
            Opened::Nothing => Ok(()),
            Opened::Owned(other) => Err(other.running().into()),
            Opened::Free(unfinished) => {
                ledger.abandon(&unfinished.run).await?;
                let text = format!("the unfinished run {} is given up: --full", unfinished.run);
                self.tell(&Event::Note { text });
                Ok(())
            }
        }
    }
}

/// All records of a first start lack the field: there is nothing to go on from.
pub(super) fn lacks_all(job: &Job, run: &RunInHand, ran: &Ran) -> Option<LoadError> {
    let field = job.named.as_ref()?.watermark.as_ref()?;
    let Marked { with, without, .. } = ran.marked;
    (run.attempts == 1 && with == 0 && without > 0)
        .then(|| LoadError::NoMark { field: field.clone(), records: without })
}

/// Says which records did not move the watermark.
pub(super) fn tell(job: &Job, ran: &Ran, watch: &Watch<'_>) {
    let Some(field) = job.named.as_ref().and_then(|named| named.watermark.as_ref()) else { return };
    let Marked { without, ahead, .. } = ran.marked;
    let counts = [(without, "have none that can be read"), (ahead, "have one in the future")];
    for (records, what) in counts.into_iter().filter(|(records, _)| *records > 0) {
        let text = format!("records that {what} of {:?}, and do not move the watermark: {records}", field);
        (watch.listener)(&Event::Note { text }, &Totals::default());
    }
}

/// The setting of a run that says when its first start was.
pub(super) const BEGUN_AT: &str = "begun-at";

/// When the first start of a run was, as it was stored.
pub(super) fn begun_at(settings: &RunSettings) -> Option<i128> {
    settings.get(BEGUN_AT)?.as_str()?.parse().ok()
}

/// What is kept of the watermark, or of the window, with the completion.
pub(super) fn keep(job: &Job, run: &RunInHand) -> String {
    let Some(named) = &job.named else { return String::new() };
    match &named.window {
        Some(window) => run.ledger.keep_window(&named.job, &named.load, &window.starts_at, &window.ends_at),
        None if named.watermark.is_some() => run.ledger.keep_mark(&named.job, &named.load, named.is_full),
        None => String::new(),
    }
}

/// The setting of a run that says which backfill it is a part of.
pub(super) const BACKFILL: &str = "backfill";

/// What becomes of a window that is complete, and is loaded again, when that begins.
pub(super) fn reopen(job: &Job) -> String {
    let Some(named) = &job.named else { return String::new() };
    match &named.window {
        Some(window) if window.is_again => {
            reopen_window(&named.job, &named.load, &window.starts_at, &window.ends_at)
        }
        _ => String::new(),
    }
}

/// A window that is complete is not appended once more.
pub(super) fn refuse_again(job: &Job, plan: &Plan) -> Result<(), Refusal> {
    let window = job.named.as_ref().and_then(|named| named.window.as_ref());
    if plan.mode_of_repeats() != Mode::Append || !window.is_some_and(|window| window.is_again) {
        return Ok(());
    }
    let hint = "a load that appends has no lookback, and loads no window twice: give the table a key";
    let message = "this window, or a part of it, is complete, and an append would put that there once more";
    Err(Refusal::new(message, hint))
}

/// The windows that a job's loads have completed.
///
/// # Errors
/// When the database cannot be asked.
pub async fn stored_windows(
    engine: &Engine,
    dsn: &ConnInfo,
    job: &str,
) -> Result<Vec<StoredWindow>, LoadError> {
    let share = engine.enter();
    let lease = share.lease(dsn, 1).await?;
    Ok(windows(&open(&lease).await?, job).await?)
}

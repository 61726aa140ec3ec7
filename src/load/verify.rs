//! `verify`: the same plan and the same pipeline as a load, with a comparison where the writers would be.

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::event::Listener;
use crate::input::{Access, Begin, Reach};
use crate::job::Job;
use crate::pipeline::{self, PipelineEnd, Ran};
use crate::plan::Refusal;
use crate::prepared::{Act, LoadError, Prepared};
use crate::record::Position;
use crate::report::REPORT_VERSION;

use super::once::Earlier;
use super::preflight::LoadRequest;
use super::share::enter;
use super::start_retry::prepare;

/// What a comparison found. Fields are added, never changed.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// Version of this form.
    pub version: u32,
    /// The table, as `schema.table` for people.
    pub table: String,
    /// The database, as `host:port/name` for people.
    pub database: String,
    /// Records found in the sources.
    pub read: u64,
    /// The table holds what they say.
    pub equal: u64,
    /// The table holds something else under their key.
    pub different: u64,
    /// The table has no row for them.
    pub missing: u64,
    /// A later record of the same key has the last word.
    pub superseded: u64,
    /// They cannot be decoded, mapped or converted.
    pub rejected: u64,
    /// `--where` leaves them out.
    pub skipped: u64,
    /// Columns whose values the sources alone do not say: those with a merge policy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
    /// The first that differ: where, and in which columns.
    pub examples: Vec<Example>,
    /// Sources that could not be read to their end: what they hold beyond is not compared.
    pub failed: Vec<FailedSource>,
}

/// A source that could not be read to its end.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct FailedSource {
    /// Name of the source, for people.
    pub name: String,
    /// The error, in words for people.
    pub error: String,
}

/// A record that differs.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Example {
    /// Name of the source that the record is in.
    pub source: String,
    /// The line on which it begins.
    pub line: u64,
    /// `missing`, or the columns that differ.
    pub what: String,
}

impl Verification {
    /// All sources were read, and the table holds what they say, record by record, but for records that
    /// cannot be compared.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.different == 0 && self.missing == 0 && self.failed.is_empty()
    }
}

/// The line of a record, found by reading its block once more.
async fn place(
    job: &Job,
    prepared: &Prepared,
    blocks: &[(Position, u64)],
    seq: u64,
) -> Option<(String, u64)> {
    let (start, first) = *blocks.get(blocks.partition_point(|(_, first)| *first <= seq).checked_sub(1)?)?;
    let input = prepared.inputs.get(usize::try_from(start.source).ok()?)?;
    if input.reach() == Reach::Asked {
        // Nobody is asked twice for that: the record's number has to do.
        return Some((input.name.clone(), start.record + (seq - first) + 1));
    }
    let mut opened = input.open(&job.reading, &Access::default(), &Begin::at(start)).await.ok()?;
    let mut next_seq = first;
    let (block, _) = opened.next(&mut next_seq).await.ok()??;
    let i = usize::try_from(seq - first).ok().filter(|i| *i < block.len())?;
    Some((input.name.clone(), block.line_of(i)))
}

/// Compares the sources with the table, and writes nothing.
///
/// # Errors
///
/// Whatever would keep a load from beginning or its pipeline from ending, and [`LoadError::Stopped`]: what
/// was compared up to then says nothing about the rest.
pub async fn verify(
    engine: Option<&Engine>,
    job: &Job,
    listener: Listener<'_>,
    stop: &CancellationToken,
) -> Result<Verification, LoadError> {
    let share = enter(engine, job);
    let earlier = Earlier::AsTold(&job.runs);
    let request = LoadRequest { share: &share, job, act: Act::Verify, earlier: &earlier, listener };
    let mut prepared = tokio::select! {
        prepared = prepare(request) => prepared?,
        () = stop.cancelled() => return Err(LoadError::Stopped),
    };
    let plan = &prepared.plan;
    if let Some(key) = plan.key.index.map(|key| &plan.table.unique[key]).filter(|key| key.is_opaque()) {
        return Err(Refusal::new(
            format!(
                "the key's index {:?} of table {} has an operator class with an equality of its own: records cannot be gathered by it, \
                 to be compared",
                key.name, plan.table.name
            ),
            "compare by queries, or by a key whose index has its type's own operator class",
        )
        .into());
    }
    let ran = Box::pin(pipeline::run(&share, job, &mut prepared, listener, stop)).await?;
    if ran.end != PipelineEnd::Finished {
        return Err(LoadError::Stopped);
    }
    let mut examples = Vec::new();
    for (seq, what) in &ran.verdict.examples {
        if let Some((source, line)) = place(job, &prepared, &ran.block_starts, *seq).await {
            examples.push(Example { source, line, what: what.clone() });
        }
    }
    let plan = &prepared.plan;
    let column = |(column, _): &(usize, _)| plan.table.columns[*column].name.raw().to_owned();
    let not_compared = plan.policies.iter().map(column).collect();
    let name = &plan.table.name;
    let schema = name.schema.as_ref().map_or(String::new(), |schema| format!("{}.", schema.raw()));
    Ok(Verification {
        version: REPORT_VERSION,
        table: format!("{schema}{}", name.name.raw()),
        database: prepared.pool.place(),
        read: ran.verdict.read,
        equal: ran.verdict.equal,
        different: ran.verdict.different,
        missing: ran.verdict.missing,
        superseded: ran.verdict.superseded,
        rejected: ran.verdict.rejected,
        skipped: ran.verdict.skipped,
        not_compared,
        examples,
        failed: failed_sources(&prepared, &ran),
    })
}

/// In the order of the sources.
fn failed_sources(prepared: &Prepared, ran: &Ran) -> Vec<FailedSource> {
    let mut failed: Vec<_> = ran.failed.iter().collect();
    failed.sort();
    let named = |(&ordinal, error): (&u32, &String)| FailedSource {
        name: prepared.source_name(ordinal),
        error: error.clone(),
    };
    failed.into_iter().map(named).collect()
}

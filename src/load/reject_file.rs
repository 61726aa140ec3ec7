//! The rejects of a run as a reject file, written from the ledger at the end and at every clean stop.

use std::path::PathBuf;

use crate::job::Job;
use crate::ledger::{LedgerError, StoredOriginal, each_reject_after};
use crate::pg::Session;
use crate::prepared::Prepared;
use crate::record::Position;
use crate::reject::Reject;
use crate::rejects::{Line, RejectFile, RejectFileError, Rights, WrittenFile};

/// Why there is no reject file.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRejectFile {
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] RejectFileError),
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What the file is called: as asked for, or after table and run.
pub(super) fn wanted(job: &Job, prepared: &Prepared) -> PathBuf {
    job.rejects_file.clone().unwrap_or_else(|| {
        let table: String = prepared
            .plan
            .target()
            .name
            .name
            .raw()
            .chars()
            .map(|c| if c == '/' || c.is_control() { '_' } else { c })
            .collect();
        let run = prepared.run.as_ref().map_or("run", |run| run.ledger.run.as_str());
        PathBuf::from(format!("{table}.{run}.rejects.jsonl"))
    })
}

/// Who may read it: who may read the sources that the run still has files of.
pub(super) fn rights(prepared: &Prepared) -> Rights {
    Rights::of(prepared.inputs.iter().map(|input| input.location().on_disk()))
}

/// Writes the rejects of a run, one by one: however many there are, few are in memory.
pub(super) async fn from_ledger(
    job: &Job,
    prepared: &Prepared,
    session: &Session,
    run: &str,
    names: &(dyn Fn(u32) -> String + Sync),
) -> Result<WrittenFile, NoRejectFile> {
    let mut file = RejectFile::begin(wanted(job, prepared), &rights(prepared))?;
    let mut next = Some(Position::default());
    while let Some(after) = next {
        let mut pushed = Ok(());
        let mut push = |row: Reject<StoredOriginal>| {
            if pushed.is_ok() {
                pushed = file.push(&line_of_row(&row, &names(row.place.source)));
            }
        };
        next = each_reject_after(session, run, after, &mut push).await?;
        pushed?;
    }
    Ok(file.finish()?)
}

fn line_of_row<'a>(row: &'a Reject<StoredOriginal>, source: &'a str) -> Line<'a> {
    let StoredOriginal { record, raw, raw_base64, is_text } = &row.original;
    Line {
        values: if *is_text { Line::TEXT } else { None },
        record: record.as_deref().and_then(|text| serde_json::from_str(text).ok()),
        raw: raw.as_deref(),
        raw_base64: raw_base64.as_deref(),
        ..Line::of(source, row)
    }
}

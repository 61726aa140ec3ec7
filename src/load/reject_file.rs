//! The reject file: one JSON object a line, written from the ledger at the end and at every clean stop.
//!
//! To a temporary name first, then linked under its own, which fails where something is: it never replaces a file.
//! Where the name is taken, a number is added.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::fault::{self, Point};
use crate::job::Job;
use crate::ledger::{LedgerError, RejectRow, rejects_after};
use crate::map::Original;
use crate::pg::Session;
use crate::write::StoredReject;

use super::prepare::Prepared;

/// Names tried before giving up.
const NUMBERS_MAX: u32 = 1_000;

/// Why there is no reject file.
#[derive(Debug, thiserror::Error)]
pub(super) enum RejectFileError {
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'a> {
    dbload_reject: u32,
    source: &'a str,
    line: u64,
    offset: u64,
    column: Option<&'a str>,
    sqlstate: &'a str,
    constraint: Option<&'a str>,
    reason: &'a str,
    record: Option<&'a RawValue>,
    raw: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<&'a str>,
}

/// A file that is being written under a temporary name.
struct Writing {
    temporary: PathBuf,
    wanted: PathBuf,
    file: std::io::BufWriter<std::fs::File>,
}

impl Writing {
    fn begin(wanted: PathBuf) -> Result<Self, RejectFileError> {
        let name = wanted.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let temporary = wanted.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let file = std::fs::File::create_new(&temporary).map_err(io_error(&temporary))?;
        Ok(Self { temporary, wanted, file: std::io::BufWriter::new(file) })
    }

    fn push(&mut self, line: &Line<'_>) -> Result<(), RejectFileError> {
        let failed = io_error(&self.temporary);
        serde_json::to_writer(&mut self.file, line).map_err(|error| failed(error.into()))?;
        self.file.write_all(b"\n").map_err(failed)
    }

    /// Complete or absent: links the file under its name, or under the next free one.
    fn finish(mut self) -> Result<PathBuf, RejectFileError> {
        let failed = io_error(&self.temporary);
        self.file.flush().map_err(&failed)?;
        self.file.get_ref().sync_all().map_err(&failed)?;
        fault::point(Point::RejectsWritten);
        for number in 1..=NUMBERS_MAX {
            let path = numbered(&self.wanted, number);
            match std::fs::hard_link(&self.temporary, &path) {
                Ok(()) => {
                    fault::point(Point::RejectsNamed);
                    return Ok(path);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error(&path)(error)),
            }
        }
        Err(io_error(&self.wanted)(std::io::ErrorKind::AlreadyExists.into()))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Linked under its name, or useless.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

fn io_error(path: &Path) -> impl Fn(std::io::Error) -> RejectFileError + use<> {
    let path = path.display().to_string();
    move |source| RejectFileError::Io { path: path.clone(), source }
}

/// `events.8f3a.rejects.jsonl`, then `events.8f3a-2.rejects.jsonl`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = match name.strip_suffix(".rejects.jsonl") {
        Some(stem) => format!("{stem}-{number}.rejects.jsonl"),
        None => match name.rsplit_once('.') {
            Some((stem, extension)) => format!("{stem}-{number}.{extension}"),
            None => format!("{name}-{number}"),
        },
    };
    path.with_file_name(name)
}

fn wanted(job: &Job, prepared: &Prepared) -> PathBuf {
    job.rejects_file.clone().unwrap_or_else(|| {
        let table: String = prepared
            .plan
            .table
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

/// Writes the rejects of a run, page by page: however many there are, few are in memory.
pub(super) async fn from_ledger(
    job: &Job,
    prepared: &Prepared,
    session: &Session,
    run: &str,
    names: &dyn Fn(u32) -> String,
) -> Result<PathBuf, RejectFileError> {
    let mut writing = Writing::begin(wanted(job, prepared))?;
    let mut after = (0, 0);
    loop {
        let page = rejects_after(session, run, after).await?;
        let Some(last) = page.last() else { return writing.finish() };
        after = (last.source, last.record);
        for row in &page {
            writing.push(&line_of_row(row, &names(row.source)))?;
        }
    }
}

fn line_of_row<'a>(row: &'a RejectRow, source: &'a str) -> Line<'a> {
    Line {
        dbload_reject: 1,
        source,
        line: row.line,
        offset: row.offset,
        column: row.column.as_deref(),
        sqlstate: &row.sqlstate,
        constraint: row.constraint.as_deref(),
        reason: &row.reason,
        record: row.original.as_deref().and_then(|text| serde_json::from_str(text).ok()),
        raw: row.raw.as_deref(),
        raw_base64: row.raw_base64.as_deref(),
    }
}

/// Writes rejects that only this process knows.
pub(super) async fn from_memory(
    job: &Job,
    prepared: &Prepared,
    rejects: &[StoredReject],
    names: &dyn Fn(u32) -> String,
) -> Result<PathBuf, RejectFileError> {
    let mut sorted: Vec<&StoredReject> = rejects.iter().collect();
    sorted.sort_by_key(|reject| (reject.source, reject.record));
    let mut writing = Writing::begin(wanted(job, prepared))?;
    for reject in sorted {
        let (record, raw, bytes) = match &reject.original {
            Original::Record(record) => (serde_json::from_str(record).ok(), None, None),
            Original::Raw(raw) => (None, Some(raw.as_str()), None),
            Original::Bytes(bytes) => (None, None, Some(STANDARD.encode(bytes))),
        };
        writing.push(&Line {
            dbload_reject: 1,
            source: &names(reject.source),
            line: reject.line,
            offset: reject.offset,
            column: reject.column.as_deref(),
            sqlstate: &reject.sqlstate,
            constraint: reject.constraint.as_deref(),
            reason: &reject.reason,
            record,
            raw,
            raw_base64: bytes.as_deref(),
        })?;
    }
    writing.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_a_number() {
        let path = Path::new("/x/events.8f3a.rejects.jsonl");
        assert_eq!(numbered(path, 1), path);
        assert_eq!(numbered(path, 2), Path::new("/x/events.8f3a-2.rejects.jsonl"));
        assert_eq!(numbered(Path::new("bad.jsonl"), 3), Path::new("bad-3.jsonl"));
    }
}

//! Rejects of a load without a ledger: only this process knows them, so they go to the reject file as their
//! batches commit, and nothing of them stays in memory but the kinds that the report names.
//!
//! In the order in which they were committed. Where the file cannot be written the load ends: a reject that
//! nobody keeps would be a record lost in silence.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::reject::{Kept, Reject};
use crate::rejects::{Line, RejectFile, RejectFileError, Rights, WrittenFile};
use crate::report::Reason;

/// Kinds of rejects that the report names: as many as with a ledger.
const REASONS_MAX: usize = 20;

/// What is kept of the rejects so far.
#[derive(Debug)]
pub(crate) struct Unledgered {
    wanted: PathBuf,
    rights: Rights,
    file: Option<RejectFile>,
    reasons: Vec<Reason>,
    failure: Option<Lost>,
}

/// The reject file could not be written.
#[derive(Debug)]
pub(crate) struct Lost {
    /// The error, in words for people.
    pub(crate) error: RejectFileError,
    /// Rejects that are in no file.
    pub(crate) rejects: u64,
    /// Where the ones before them are.
    pub(crate) left: Option<PathBuf>,
}

/// A reject with what the wiring knows of it.
pub(crate) struct NamedReject<'a> {
    /// The reject that the name belongs to.
    pub(crate) reject: &'a Reject,
    /// Name of its source.
    pub(crate) source: &'a str,
    /// Type of its column.
    pub(crate) type_name: Option<String>,
}

impl Unledgered {
    /// Nothing yet; the file will have this name.
    pub(crate) const fn new(wanted: PathBuf, rights: Rights) -> Self {
        Self { wanted, rights, file: None, reasons: Vec::new(), failure: None }
    }

    /// Keeps the rejects of a batch. False once that does not work: the load should end.
    pub(crate) fn keep(&mut self, rejects: &[NamedReject<'_>]) -> bool {
        if rejects.is_empty() {
            return self.failure.is_none();
        }
        rejects.iter().for_each(|told| note(&mut self.reasons, told));
        let many = rejects.len() as u64;
        if let Some(lost) = &mut self.failure {
            lost.rejects += many;
            return false;
        }
        if let Err(error) = self.write(rejects) {
            let left = self.file.take().and_then(RejectFile::leave);
            self.failure = Some(Lost { error, rejects: many, left });
        }
        self.failure.is_none()
    }

    fn write(&mut self, rejects: &[NamedReject<'_>]) -> Result<(), RejectFileError> {
        if self.file.is_none() {
            self.file = Some(RejectFile::begin(self.wanted.clone(), &self.rights)?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        rejects.iter().try_for_each(|told| push(file, told))?;
        file.settle()
    }

    /// The file under its name, if there is one, and the kinds of rejects.
    pub(crate) fn finish(self) -> (Result<Option<WrittenFile>, Lost>, Vec<Reason>) {
        let file = match (self.failure, self.file) {
            (Some(lost), _) => Err(lost),
            (None, None) => Ok(None),
            (None, Some(mut file)) => match file.finish() {
                Ok(written) => Ok(Some(written)),
                Err(error) => Err(Lost { error, rejects: 0, left: file.leave() }),
            },
        };
        (file, self.reasons)
    }
}

fn push(file: &mut RejectFile, told: &NamedReject<'_>) -> Result<(), RejectFileError> {
    let reject = told.reject;
    let mut line = Line {
        values: if reject.original.is_text() { Line::TEXT } else { None },
        ..Line::of(told.source, reject)
    };
    let base64;
    match &reject.original.kept {
        Kept::Record(record) => line.record = serde_json::from_str(record).ok(),
        Kept::Raw(raw) => line.raw = Some(raw),
        Kept::Bytes(bytes) => {
            base64 = STANDARD.encode(bytes);
            line.raw_base64 = Some(&base64);
        }
        Kept::NotKept => {}
    }
    file.push(&line)
}

fn note(reasons: &mut Vec<Reason>, told: &NamedReject<'_>) {
    let reject = told.reject;
    let same = |reason: &&mut Reason| {
        reason.sqlstate == reject.sqlstate
            && reason.column == reject.column
            && reason.constraint == reject.constraint
    };
    let has_room = reasons.len() < REASONS_MAX;
    match reasons.iter_mut().find(same) {
        Some(reason) => reason.count += 1,
        // Of outside data: there may be any number of kinds.
        None if !has_room => {}
        None => reasons.push(Reason {
            sqlstate: reject.sqlstate.clone(),
            column: reject.column.clone(),
            constraint: reject.constraint.clone(),
            count: 1,
            type_name: told.type_name.clone(),
            first: format!("{}:{}", told.source, reject.place.line),
            example: reject.reason.clone(),
        }),
    }
}

//! The reject file, a dead-letter file: one JSON object a line, complete under its name or not there.
//!
//! Written under a temporary name beside it, then linked under its own, which fails where something is: it
//! never replaces a file. Where the name is taken, a number is added. What is no file (a pipe, a device,
//! `/dev/stderr`) is written to as it is. Knows nothing of where rejects come from: the wiring hands it
//! lines, however many, and no more than one is in memory.

mod rights;
mod special;

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::fault::{self, Point};
use crate::reject::Reject;

pub use rights::Rights;

/// Names tried before giving up.
const NUMBERS_MAX: u32 = 1_000;

/// What could not be done with which file.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct RejectFileError {
    /// The path of the reject file.
    pub path: String,
    /// The error that lies behind it.
    #[source]
    pub source: io::Error,
}

/// A line of the file: a reject.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// The version of this form.
    pub dbload_reject: u32,
    /// Name of its source.
    pub source: &'a str,
    /// Line on which the record begins.
    pub line: u64,
    /// Byte of the decoded stream at which it begins.
    pub offset: u64,
    /// The column to blame.
    pub column: Option<&'a str>,
    /// The SQLSTATE that these rejects have.
    pub sqlstate: &'a str,
    /// The constraint to blame.
    pub constraint: Option<&'a str>,
    /// The reason, in words for people.
    pub reason: &'a str,
    /// `text`: strings of the record are text of delimited fields, no JSON strings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<&'static str>,
    /// The record by field.
    pub record: Option<&'a RawValue>,
    /// Its text, where it could not be split.
    pub raw: Option<&'a str>,
    /// Its bytes in base64, where they are no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_base64: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// In `values`: the source was delimited text.
    pub const TEXT: Option<&'static str> = Some("text");

    /// A reject of the source of this name, without its record.
    #[must_use]
    pub fn of<O>(source: &'a str, reject: &'a Reject<O>) -> Self {
        Self {
            dbload_reject: 1,
            source,
            line: reject.place.line,
            offset: reject.place.offset,
            column: reject.column.as_deref(),
            sqlstate: &reject.sqlstate,
            constraint: reject.constraint.as_deref(),
            reason: &reject.reason,
            values: None,
            record: None,
            raw: None,
            raw_base64: None,
        }
    }
}

/// The file, until it is given up: what is still buffered then goes nowhere.
#[derive(Debug)]
struct Output {
    to: File,
    is_given_up: bool,
    /// Bytes that were written.
    bytes: u64,
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_given_up {
            return Ok(bytes.len());
        }
        let written = special::write(&mut self.to, bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What became of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// The path of the file that has them.
    pub path: PathBuf,
    /// It is a file of their own, which can be mended and loaded.
    pub is_file: bool,
    /// Bytes of the longest line.
    pub longest_bytes: u64,
}

/// A reject file that is being written under a temporary name. Dropped, it is gone.
#[derive(Debug)]
#[must_use = "it is removed unless it is finished"]
pub struct RejectFile {
    /// Where it is written to; `None`: right into what is there.
    temporary: Option<PathBuf>,
    wanted: PathBuf,
    file: BufWriter<Output>,
    /// Bytes of whole lines that were handed to the system.
    whole_bytes: u64,
    longest_bytes: u64,
    keep: bool,
}

impl RejectFile {
    /// Begins a file that will have this name, and is for nobody who may not read the sources.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn begin(wanted: PathBuf, rights: &Rights) -> Result<Self, RejectFileError> {
        let begun = |temporary, wanted, to| Self {
            temporary,
            wanted,
            file: BufWriter::new(Output { to, is_given_up: false, bytes: 0 }),
            whole_bytes: 0,
            longest_bytes: 0,
            keep: false,
        };
        if let Some(opened) = special::open(&wanted) {
            let to = opened.map_err(failed(&wanted))?;
            return Ok(begun(None, wanted, to));
        }
        let name = wanted.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut number = 1;
        loop {
            let temporary = wanted.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).mode(rights.mode()).open(&temporary) {
                Ok(to) => {
                    let narrowed = rights.narrow(&to);
                    let file = begun(Some(temporary.clone()), wanted, to);
                    narrowed.map_err(failed(&temporary))?;
                    return Ok(file);
                }
                // Of a process that was killed and had our number: in containers all have the same.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < NUMBERS_MAX => {
                    number += 1;
                }
                Err(source) => return Err(failed(&temporary)(source)),
            }
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// When the disk is full, for one.
    pub fn push(&mut self, line: &Line<'_>) -> Result<(), RejectFileError> {
        let failed = failed(self.path());
        let before = self.bytes();
        serde_json::to_writer(&mut self.file, line).map_err(|error| failed(error.into()))?;
        self.file.write_all(b"\n").map_err(failed)?;
        self.longest_bytes = self.longest_bytes.max(self.bytes() - before);
        Ok(())
    }

    /// What is written to.
    fn path(&self) -> &Path {
        self.temporary.as_deref().unwrap_or(&self.wanted)
    }

    /// Bytes so far, those that wait included.
    fn bytes(&self) -> u64 {
        self.file.get_ref().bytes + self.file.buffer().len() as u64
    }

    /// Hands the lines so far to the system: from now on a failure does not lose them.
    ///
    /// # Errors
    /// When the disk is full, for one.
    pub fn settle(&mut self) -> Result<(), RejectFileError> {
        let failed = failed(self.path());
        self.file.flush().map_err(&failed)?;
        self.whole_bytes = self.file.get_ref().bytes;
        Ok(())
    }

    /// Gives the file up, but leaves what was settled under the temporary name; which that is, if there is
    /// any.
    pub fn leave(mut self) -> Option<PathBuf> {
        self.keep = self.whole_bytes > 0;
        let output = self.file.get_mut();
        output.is_given_up = true;
        if self.temporary.is_some() {
            // What cannot be cut off is half a line, which a load of the file rejects.
            let _ = output.to.set_len(self.whole_bytes);
        }
        self.keep.then(|| self.path().to_owned())
    }

    /// Complete or absent: links the file under its name, or under the next free one.
    ///
    /// # Errors
    /// When it cannot be written to its end, or no name is free.
    pub fn finish(&mut self) -> Result<WrittenFile, RejectFileError> {
        self.settle()?;
        let written = |path: &Path, is_file| WrittenFile {
            path: path.to_owned(),
            is_file,
            longest_bytes: self.longest_bytes,
        };
        let Some(temporary) = &self.temporary else { return Ok(written(&self.wanted, false)) };
        self.file.get_ref().to.sync_all().map_err(failed(temporary))?;
        fault::point(Point::RejectsWritten);
        for number in 1..=NUMBERS_MAX {
            let path = numbered(&self.wanted, number);
            match name_it(temporary, &path) {
                Ok(()) => {
                    fault::point(Point::RejectsNamed);
                    return Ok(written(&path, true));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(failed(&path)(source)),
            }
        }
        Err(failed(&self.wanted)(io::ErrorKind::AlreadyExists.into()))
    }
}

/// Gives a file its name, unless the name is taken.
fn name_it(temporary: &Path, path: &Path) -> io::Result<()> {
    match std::fs::hard_link(temporary, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // Not every file system has links. A file that was just made here is nobody else's.
            drop(File::create_new(path)?);
            std::fs::rename(temporary, path).inspect_err(|_| _ = std::fs::remove_file(path))
        }
        linked => linked,
    }
}

impl Drop for RejectFile {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.as_ref().filter(|_| !self.keep) {
            // Linked under its name, or useless.
            let _ = std::fs::remove_file(temporary);
        }
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> RejectFileError + use<> {
    let path = path.display().to_string();
    move |source| RejectFileError { path: path.clone(), source }
}

/// The path with a number, as in `events.8f3a-2.rejects.jsonl`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Position;

    #[test]
    fn a_taken_name_gets_a_number() {
        let path = Path::new("/x/events.8f3a.rejects.jsonl");
        assert_eq!(numbered(path, 1), path);
        assert_eq!(numbered(path, 2), Path::new("/x/events.8f3a-2.rejects.jsonl"));
        assert_eq!(numbered(Path::new("bad.jsonl"), 3), Path::new("bad-3.jsonl"));
    }

    #[test]
    fn a_file_that_is_given_up_keeps_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let begin = |name: &str| RejectFile::begin(folder.path().join(name), &Rights::of([])).unwrap();
        let reject = Reject {
            place: Position { source: 0, offset: 0, record: 1, line: 1 },
            column: None,
            sqlstate: "22P02".to_owned(),
            constraint: None,
            reason: "because".to_owned(),
            original: (),
        };
        let line = Line::of("a.csv", &reject);
        let mut file = begin("left.jsonl");
        file.push(&line).unwrap();
        file.settle().unwrap();
        file.file.write_all(b"{\"half").unwrap();
        file.file.flush().unwrap();
        let text = std::fs::read_to_string(file.leave().unwrap()).unwrap();
        assert_eq!(text, serde_json::to_string(&line).unwrap() + "\n");
        let mut file = begin("dropped.jsonl");
        file.push(&line).unwrap();
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

//! The file of events: appended to, one write a line; several loads of a process share it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// An open file of events.
pub(crate) struct EventsFile {
    path: PathBuf,
    state: Mutex<AppendState>,
}

struct AppendState {
    file: File,
    /// Why it takes no lines any more.
    failed: Option<io::Error>,
    /// What stands in it ends in the middle of a line.
    is_half: bool,
}

impl EventsFile {
    /// Opens it for appending.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let is_half = file.metadata()?.is_file() && ends_in_a_line(path)?;
        let state = Mutex::new(AppendState { file, failed: None, is_half });
        Ok(Self { path: path.to_owned(), state })
    }

    /// Appends lines, each with its end. What cannot be written is given up, for good: a record with a hole
    /// would not say so.
    pub(super) fn append(&self, lines: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_some() {
            return;
        }
        let ended = [b"\n", lines].concat();
        let all = if std::mem::take(&mut state.is_half) { &ended } else { lines };
        if let Err(error) = state.file.write_all(all) {
            state.failed = Some(error);
        }
    }

    /// Why it is not whole, if it is not.
    pub(crate) fn trouble(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let error = state.failed.as_ref()?;
        Some(format!("note: the events in {} are not all: {error}", self.path.display()))
    }
}

/// A process that was killed may have left half a line.
fn ends_in_a_line(path: &Path) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        // It may be written, and not read: then nothing is known.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        Err(error) => return Err(error),
    };
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

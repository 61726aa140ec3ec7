//! Bytes of something that is read at any place: all that a reader of Parquet needs of where it lies.
//!
//! Called on a thread that may wait.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::input::stream::RawProgress;

/// Something that is read at any place.
pub(in crate::input) trait Ranges: Send + Sync {
    /// Bytes that it has.
    fn size(&self) -> u64;

    /// So many parts of it are read side by side.
    fn expect(&self, _parts: usize) {}

    /// So many bytes from this one on: all of them, or an error.
    fn read(&self, from: u64, bytes: usize) -> io::Result<Bytes>;
}

/// A file, as far as it was recorded.
pub(in crate::input) struct FileRanges {
    file: File,
    size: u64,
    progress: RawProgress,
}

impl FileRanges {
    pub(in crate::input) fn open(path: &Path, size: u64, progress: RawProgress) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, size, progress })
    }
}

impl Ranges for FileRanges {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, from: u64, bytes: usize) -> io::Result<Bytes> {
        within(self.size, from, bytes)?;
        let mut read = vec![0; bytes];
        self.file.read_exact_at(&mut read, from)?;
        // What lies behind the records is read first.
        if from < self.size / 2 || self.progress.load(Ordering::Relaxed) > 0 {
            self.progress.fetch_max(from + bytes as u64, Ordering::Relaxed);
        }
        Ok(read.into())
    }
}

/// Refuses what goes beyond the end, before room is made for it.
pub(in crate::input) fn within(size: u64, from: u64, bytes: usize) -> io::Result<()> {
    match from.checked_add(bytes as u64) {
        Some(to) if to <= size => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it points behind its own end")),
    }
}

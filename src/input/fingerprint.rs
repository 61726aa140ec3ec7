//! Whether a file is still the one that was recorded: its size, its time of change, and digests of its first
//! and last bytes. Cheap enough to take at every start; the running digest (`seen`) covers the middle.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::digest::{blocking, digest_now, digest_of, hexadecimal};

/// Bytes of each end that are digested: one read each, and a replaced file nearly always differs there.
const END_BYTES: u64 = 64 * 1024;
/// A file that is as short is read at once: the digest of its first bytes is of all of it.
pub(super) const SMALL_BYTES: u64 = END_BYTES;
/// Bytes in which a file says how it is compressed.
const BEGINNING_BYTES: usize = 32;

/// What a file was like when it was recorded. Stored in the ledger as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Its size: no more is read, however it grows.
    pub size: u64,
    /// Time of its last change in nanoseconds since 1970 (0 where the system does not say).
    pub mtime_ns: i64,
    /// xxh3-64 of the first 64 KiB of the recorded size, in hexadecimal.
    pub head: String,
    /// xxh3-64 of the last 64 KiB of the recorded size, in hexadecimal.
    pub tail: String,
    /// Device and inode: what a file is, however its path is spelt (0 in what was recorded before these
    /// were).
    #[serde(default)]
    pub device: u64,
    /// The file's number on its `device`.
    #[serde(default)]
    pub inode: u64,
    /// xxh3-64 of the recorded size, in hexadecimal, once all of it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// The same of its content, with its length, where that is not what is stored: it is compressed, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<(u64, String)>,
}

/// How a file differs from what was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The file is as it was recorded.
    Same,
    /// Same size and same ends, but written to or touched since.
    Touched {
        /// Time of the last change as recorded, in nanoseconds since 1970.
        recorded_ns: i64,
        /// Time of the last change as found, in nanoseconds since 1970.
        found_ns: i64,
    },
    /// Longer, with the recorded part unchanged at its ends.
    Grew {
        /// Its length in bytes, as recorded.
        recorded: u64,
        /// Its length in bytes, as found.
        found: u64,
    },
    /// The file is shorter than it was.
    Shrunk {
        /// Its length in bytes, as recorded.
        recorded: u64,
        /// Its length in bytes, as found.
        found: u64,
    },
    /// One end of the file has another content.
    Replaced {
        /// Which end of the file differs.
        end: FileEnd,
        /// Digest of that end, as recorded.
        recorded: String,
        /// Digest of that end, as found.
        found: String,
    },
    /// Same size and same ends, but not what was read.
    Content {
        /// So many bytes from the start.
        bytes: u64,
        /// Digest of those bytes, as recorded.
        recorded: String,
        /// Digest of that end, as found.
        found: String,
    },
    /// The file is no longer there.
    Gone,
}

/// An end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileEnd {
    /// The first bytes of the file.
    First,
    /// The last bytes of the recorded size.
    Last,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => write!(f, "nothing differs"),
            Self::Touched { recorded_ns, found_ns } => {
                write!(f, "its time of change was {recorded_ns} ns, now {found_ns} ns")
            }
            Self::Grew { recorded, found } => write!(f, "it had {recorded} bytes, now {found}: it grew"),
            Self::Shrunk { recorded, found } => write!(f, "it had {recorded} bytes, now {found}: it shrank"),
            Self::Replaced { end, recorded, found } => {
                let end = if *end == FileEnd::First { "first" } else { "last" };
                write!(f, "the digest of its {end} bytes was {recorded}, now {found}: it was replaced")
            }
            Self::Content { bytes, recorded, found } => {
                write!(
                    f,
                    "the digest of its first {bytes} bytes was {recorded}, now {found}: its content changed"
                )
            }
            Self::Gone => write!(f, "it is gone"),
        }
    }
}

impl Change {
    pub(super) fn content(bytes: u64, recorded: u64, found: u64) -> Self {
        Self::Content { bytes, recorded: hexadecimal(recorded), found: hexadecimal(found) }
    }

    /// Whether the recorded part can still be read as it was (as far as the ends tell).
    #[must_use]
    pub const fn keeps_recorded_part(&self) -> bool {
        matches!(self, Self::Same | Self::Touched { .. } | Self::Grew { .. })
    }
}

/// A file where it lies, and what it was like when it was recorded.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'f> {
    /// Where the file lies on disk.
    pub path: &'f Path,
    /// What it was like.
    pub print: &'f Fingerprint,
}

impl Recorded<'_> {
    /// The length of its content and the digest of that, once all of it was read.
    pub(super) fn content(&self) -> Option<(u64, &str)> {
        self.print.known_content()
    }

    /// Whether this is the file of `other`, whatever their paths are called: links, other spellings, another
    /// name since.
    pub async fn is_same_file(self, other: Recorded<'_>) -> bool {
        let [recorded, now] = [self.print, other.print].map(|print| (print.device, print.inode));
        if self.path == other.path || (recorded != (0, 0) && recorded == now) {
            return true;
        }
        // What was recorded without device and inode is asked for by its path.
        let path = self.path.to_owned();
        let looked = blocking(move || std::fs::metadata(&path).map(|found| (found.dev(), found.ino()))).await;
        looked.is_ok_and(|found| found == now)
    }

    /// Whether both have the same content, as far as can be told: files of which the ends say nothing about
    /// the middle are read whole, where both are there.
    pub async fn has_content_of(self, other: Recorded<'_>) -> bool {
        let (recorded, now) = (self.print, other.print);
        if (recorded.size, &recorded.head, &recorded.tail) != (now.size, &now.head, &now.tail) {
            return false;
        }
        if let Some(whole) = &recorded.whole {
            let found = digest_of(other.path, recorded.size).await;
            return found.is_ok_and(|found| hexadecimal(found) == *whole);
        }
        if recorded.is_told_by_its_ends()
            || !matches!(recorded.compare(self.path).await, Ok(Change::Same | Change::Touched { .. }))
        {
            return true;
        }
        let digest = async |path: &Path| digest_of(path, recorded.size).await.ok();
        digest(self.path).await == digest(other.path).await
    }
}

impl Fingerprint {
    /// Records a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn of(path: &Path) -> io::Result<Self> {
        let path = path.to_owned();
        blocking(move || take(&path, None).map(|(print, _)| print)).await
    }

    /// The same, with how it begins.
    pub(super) async fn with_beginning(path: &Path) -> io::Result<(Self, Vec<u8>)> {
        let path = path.to_owned();
        blocking(move || take(&path, None)).await
    }

    /// Records files, with how each begins: many at once, as to hand one to a thread that may wait costs more
    /// than to look at it.
    pub(super) async fn of_each(paths: Vec<PathBuf>) -> Vec<io::Result<(Self, Vec<u8>)>> {
        if paths.is_empty() {
            return Vec::new();
        }
        let many = paths.len();
        let looked = blocking(move || Ok(paths.iter().map(|path| take(path, None)).collect::<Vec<_>>()));
        looked.await.unwrap_or_else(|error| {
            let kind = error.kind();
            (0..many).map(|_| Err(kind.into())).collect()
        })
    }

    /// The length of the content and the digest of that, once all of it was read.
    pub(super) fn known_content(&self) -> Option<(u64, &str)> {
        let stored = self.whole.as_deref().map(|whole| (self.size, whole));
        self.content.as_ref().map(|(bytes, digest)| (*bytes, digest.as_str())).or(stored)
    }

    /// Reads a file that is no longer than [`SMALL_BYTES`], as far as it was recorded; and whether that is
    /// what was recorded.
    pub(super) async fn read_small(&self, path: &Path) -> io::Result<(Vec<u8>, bool)> {
        let (recorded, path) = (self.clone(), path.to_owned());
        blocking(move || {
            let mut content = Vec::with_capacity(usize::try_from(recorded.size).unwrap_or(0));
            File::open(&path)?.take(recorded.size).read_to_end(&mut content)?;
            let is_same =
                content.len() as u64 == recorded.size && hexadecimal(xxh3_64(&content)) == recorded.head;
            Ok((content, is_same))
        })
        .await
    }

    /// Compares the file at `path` with what was recorded.
    ///
    /// # Errors
    /// When it cannot be read, other than because it is gone.
    pub async fn compare(&self, path: &Path) -> io::Result<Change> {
        let (recorded, path): (Self, PathBuf) = (self.clone(), path.to_owned());
        blocking(move || recorded.compare_now(&path)).await
    }

    /// How a file that was written to since, and is as long and has the same ends, differs between them,
    /// where that is known.
    fn differs_inside(&self, path: &Path) -> io::Result<Option<Change>> {
        let Some(whole) = self.whole.as_ref().filter(|_| !self.is_told_by_its_ends()) else {
            return Ok(None);
        };
        let found = hexadecimal(digest_now(path, self.size)?);
        let (bytes, recorded) = (self.size, whole.clone());
        Ok((found != *whole).then_some(Change::Content { bytes, recorded, found }))
    }

    /// The digests of its ends are of all of it.
    #[must_use]
    pub const fn is_told_by_its_ends(&self) -> bool {
        self.size <= 2 * END_BYTES
    }

    fn compare_now(&self, path: &Path) -> io::Result<Change> {
        let size = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Change::Gone),
            Err(error) => return Err(error),
        };
        if size < self.size {
            return Ok(Change::Shrunk { recorded: self.size, found: size });
        }
        let found = match take(path, Some(self.size)) {
            // It shrank between the two looks at it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Change::Shrunk { recorded: self.size, found: std::fs::metadata(path)?.len() });
            }
            other => other?.0,
        };
        let ends = [(FileEnd::First, &self.head, found.head), (FileEnd::Last, &self.tail, found.tail)];
        for (end, recorded, found) in ends {
            if *recorded != found {
                return Ok(Change::Replaced { end, recorded: recorded.clone(), found });
            }
        }
        Ok(if size > self.size {
            Change::Grew { recorded: self.size, found: size }
        } else if self.mtime_ns != found.mtime_ns {
            if let Some(change) = self.differs_inside(path)? {
                return Ok(change);
            }
            Change::Touched { recorded_ns: self.mtime_ns, found_ns: found.mtime_ns }
        } else {
            Change::Same
        })
    }
}

/// The fingerprint of the first `size` bytes of a file, or of all; and how it begins.
fn take(path: &Path, size: Option<u64>) -> io::Result<(Fingerprint, Vec<u8>)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let size = size.unwrap_or(metadata.len());
    let mtime = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut head = part(&mut file, 0, size.min(END_BYTES))?;
    let digest = |part: &[u8]| hexadecimal(xxh3_64(part));
    let first = digest(&head);
    let tail = match size > END_BYTES {
        true => digest(&part(&mut file, size - END_BYTES, END_BYTES)?),
        false => first.clone(),
    };
    head.truncate(BEGINNING_BYTES);
    let print = Fingerprint {
        size,
        mtime_ns: mtime.map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)),
        head: first,
        tail,
        device: metadata.dev(),
        inode: metadata.ino(),
        whole: None,
        content: None,
    };
    Ok((print, head))
}

fn part(file: &mut File, from: u64, bytes: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut part = Vec::new();
    file.take(bytes).read_to_end(&mut part)?;
    if (part.len() as u64) < bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(part)
}

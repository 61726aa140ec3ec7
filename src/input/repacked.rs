//! The same content, stored otherwise: a file that was compressed since, or by another program, or is plain
//! again. Its stored bytes say nothing of that; it is decoded to know where name or length hint at it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::digest::{blocking, digest_of, hexadecimal};
use super::entry::Input;
use super::fingerprint::Recorded;
use crate::format::Compression;
use crate::job::Reading;

impl Input {
    /// Whether its content is that of another file, as far as that can be told without reading what is not
    /// likely to be it. One that cannot be read is not: whoever loads it says why.
    pub async fn is_repacked(&self, other: Recorded<'_>, reading: &Reading) -> bool {
        let (Some((bytes, digest)), Some(now)) = (other.content(), self.file()) else { return false };
        if other.print.content.is_some() && now.print.size == bytes {
            let stored = digest_of(now.path, bytes).await;
            if stored.is_ok_and(|stored| hexadecimal(stored) == digest) {
                return true;
            }
        }
        if self.looks_plain || !(is_named_alike(other.path, now.path) || ends_with(now.path, bytes).await) {
            return false;
        }
        if self.content.get().is_none()
            && let Ok(Some((bytes, digest))) = self.decoded(reading).await
        {
            self.content.get_or_init(|| (bytes, hexadecimal(digest)));
            self.whole.get_or_init(|| true);
        }
        self.content.get().is_some_and(|found| (found.0, found.1.as_str()) == (bytes, digest))
    }
}

/// The same name but for what says how they are compressed. Every night's file may have one name: it is no
/// hint where both are compressed alike.
fn is_named_alike(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Compression::by_name(name).map_or((None, name), |(compression, stem)| (Some(compression), stem))
    });
    one.1 == other.1 && one.0 != other.0
}

/// Gzip says the length of its content in its last bytes.
async fn ends_with(path: &Path, bytes: u64) -> bool {
    let path = path.to_owned();
    let last = blocking(move || {
        let mut last = [0; 4];
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-4))?;
        file.read_exact(&mut last)?;
        Ok(last)
    });
    last.await.is_ok_and(|last| u64::from(u32::from_le_bytes(last)) == bytes & u64::from(u32::MAX))
}

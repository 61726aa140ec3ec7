//! A member of an archive: what it is called, and how it lies there. Its name is a text and never a path:
//! nothing is written or opened by it.

mod copy;
mod error;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::format::Compression;

pub(super) use copy::DiskCopy;
pub use error::{MemberError, MemberNames};

/// A member of an archive, as it was listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArchiveMember {
    /// The archive: a regular file, by absolute path; one that lies elsewhere by its URL, or its word.
    pub archive: PathBuf,
    /// Its name in there.
    pub name: String,
    /// How it lies there.
    pub place: MemberPlace,
    /// Of an archive that lies elsewhere, the copy that this process has of it.
    #[serde(skip)]
    pub copy: Option<Arc<DiskCopy>>,
}

/// How a member lies in its archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberPlace {
    /// Where its own header begins: in the archive, of a tar as it is when it is unpacked.
    pub offset: u64,
    /// Bytes that it takes there.
    pub packed: u64,
    /// Bytes of its content.
    pub size: u64,
    /// CRC-32: of the content, of a tar of the header, which has none of the content.
    pub crc: u32,
    /// What makes its content of these bytes.
    pub packing: Packing,
}

/// What makes the content of a member of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// In a zip, as it is.
    Stored,
    /// In a zip, by Deflate.
    Deflated,
    /// In a zip, compressed like a file.
    Compressed(Compression),
    /// In a tar, as it is; the tar as a whole is compressed so.
    Tar(Compression),
}

/// What kind of archive a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArchiveKind {
    Zip,
    Tar,
}

impl ArchiveKind {
    /// By the end of a name.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        const SHORT: [&str; 6] = [".tgz", ".tzst", ".tbz", ".tbz2", ".txz", ".tar"];
        let name = name.to_ascii_lowercase();
        let is_tar = || {
            let stem = Compression::by_name(&name).map_or(name.as_str(), |(_, stem)| stem);
            SHORT.iter().any(|end| name.ends_with(end)) || stem.ends_with(".tar")
        };
        if name.ends_with(".zip") { Some(Self::Zip) } else { is_tar().then_some(Self::Tar) }
    }
}

impl ArchiveMember {
    /// The last part of its name.
    pub(super) fn file_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    /// The file that the archive is read of.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.copy.as_deref().map_or(&*self.archive, DiskCopy::path)
    }

    /// The archive lies elsewhere: it is read of a copy.
    #[must_use]
    pub fn is_from_elsewhere(&self) -> bool {
        !self.archive.is_absolute()
    }

    /// It has this name in this archive.
    #[must_use]
    pub fn is_at(&self, other: &Self) -> bool {
        self.archive == other.archive && self.name == other.name
    }

    /// Its name as it is shown.
    pub(super) fn label(&self) -> String {
        label(&self.name)
    }
}

/// A name as it is shown: what a terminal would take for a command is spelt.
pub(super) fn label(name: &str) -> String {
    if name.chars().any(char::is_control) { name.escape_debug().to_string() } else { name.to_owned() }
}

impl MemberPlace {
    /// Its content is made of fewer bytes: it may be a bomb.
    pub(super) fn is_packed(&self) -> bool {
        !matches!(self.packing, Packing::Stored | Packing::Tar(Compression::None))
    }

    /// The archive has a checksum of its content.
    pub(super) const fn has_checksum(&self) -> bool {
        !matches!(self.packing, Packing::Tar(_))
    }

    /// It can be read by itself, without what lies before it.
    pub(super) fn is_apart(&self) -> bool {
        !matches!(self.packing, Packing::Tar(compression) if compression != Compression::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_an_archive_is() {
        for (name, kind) in [
            ("a.zip", Some(ArchiveKind::Zip)),
            ("A.ZIP", Some(ArchiveKind::Zip)),
            ("a.tar", Some(ArchiveKind::Tar)),
            ("a.tar.gz", Some(ArchiveKind::Tar)),
            ("a.tar.zst", Some(ArchiveKind::Tar)),
            ("a.TGZ", Some(ArchiveKind::Tar)),
            ("a.csv.gz", None),
            ("a.zip.csv", None),
            ("zip", None),
        ] {
            assert_eq!(ArchiveKind::by_name(name), kind, "{name}");
        }
    }

    #[test]
    fn places_that_were_stored_are_read() {
        let zip = r#"{"archive":"/x/a.zip","name":"b.csv","place":{"offset":0,"packed":9,"size":20,"crc":7,"packing":"deflated"}}"#;
        let tar = r#"{"archive":"/x/a.tgz","name":"b.csv","place":{"offset":512,"packed":9,"size":9,"crc":7,"packing":{"tar":"gzip"}}}"#;
        for (stored, packing) in [(zip, Packing::Deflated), (tar, Packing::Tar(Compression::Gzip))] {
            let member: ArchiveMember = serde_json::from_str(stored).unwrap();
            assert_eq!(member.place.packing, packing);
            assert_eq!(serde_json::to_string(&member).unwrap(), stored);
        }
    }
}

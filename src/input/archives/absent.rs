//! Archives, in a build without the feature `archives`: a file that is one is refused by its name, before it
//! is looked at.

use std::io;

use crate::feature;
use crate::format::{ColumnFile, Format, Inflation, detect};
use crate::input::error::SourceError;
use crate::input::member::{ArchiveKind, ArchiveMember, DiskCopy};
use crate::input::spec::SourceSpec;
use crate::input::stream::stored::{ByteReader, RawProgress};

/// Where the reading of a tar stands: there is none.
#[derive(Clone, Default)]
pub(in crate::input) struct Tars;

/// Puts a file into the list, if it is no archive.
pub(in crate::input) async fn expand(
    spec: SourceSpec,
    _copy: Option<DiskCopy>,
    _inflation: Inflation,
    sources: &mut Vec<SourceSpec>,
    _notes: &mut Vec<String>,
) -> Result<(), SourceError> {
    let path = spec.location.file();
    let name = path.and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let is_sheet = matches!(detect::by_name(&name), Some(Format::Columns { file: ColumnFile::Sheet }));
    if path.is_some() && !is_sheet && (spec.part.is_some() || ArchiveKind::by_name(&name).is_some()) {
        feature::ARCHIVES.needed_for(|| format!("{}, which is an archive,", spec.name))?;
    }
    sources.push(spec);
    Ok(())
}

pub(in crate::input) async fn find_again(_member: &ArchiveMember) -> io::Result<ArchiveMember> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(in crate::input) async fn open(
    _member: &ArchiveMember,
    _bytes: u64,
    _tars: &Tars,
    _progress: &RawProgress,
) -> io::Result<ByteReader> {
    Err(io::ErrorKind::Unsupported.into())
}

//! From a file to its parts: the members of an archive, each a source, or the sheet of a workbook. What is no
//! archive by its name, and has no part chosen, is not looked at.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::choose::{Choice, ChosenMembers};
use super::{tar, zip};
use crate::feature;
use crate::format::{ColumnFile, Compression, Format, Inflation, detect};
use crate::input::digest::blocking;
use crate::input::error::SourceError;
use crate::input::member::{ArchiveKind, ArchiveMember, DiskCopy, MemberError, label};
use crate::input::spec::{Location, MAX_SOURCES, SourceSpec};

/// Bytes that tell an archive: a tar says it behind its first header.
const HEAD_BYTES: u64 = 512;
/// Where a tar says that it is one.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// How a file is read.
enum FileKind {
    Zip,
    Tar(Compression),
    Workbook,
    /// A file like any other.
    Whole,
}

/// What kind of archive it is by its name: its own, where it is read of a copy.
fn named(spec: &SourceSpec, path: &Path) -> Option<ArchiveKind> {
    match spec.location.file() {
        Some(_) => ArchiveKind::by_name(&path.to_string_lossy()),
        None => ArchiveKind::by_name(spec.file_name()),
    }
}

/// What a file is by name and first bytes. `named`: what its name says, which is not always that of `path`.
/// `has_part`: a part of it was chosen, so it has some.
fn kind_of(path: &Path, named: Option<ArchiveKind>, has_part: bool) -> Result<FileKind, MemberError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if named.is_none() && !has_part {
        return Ok(FileKind::Whole);
    }
    if matches!(detect::by_name(&name), Some(Format::Columns { file: ColumnFile::Sheet })) {
        return Ok(FileKind::Workbook);
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.map_err(MemberError::Read)?;
    Ok(match named {
        Some(ArchiveKind::Zip) if !has_part && zip::is_workbook(path)? => FileKind::Workbook,
        Some(ArchiveKind::Zip) => FileKind::Zip,
        Some(ArchiveKind::Tar) => FileKind::Tar(Compression::by_magic(&head)),
        None if head.starts_with(b"PK") => {
            if zip::is_workbook(path)? {
                FileKind::Workbook
            } else {
                FileKind::Zip
            }
        }
        None if head.starts_with(b"\xd0\xcf\x11\xe0") => FileKind::Workbook,
        None if head.get(TAR.0..).is_some_and(|behind| behind.starts_with(TAR.1)) => {
            FileKind::Tar(Compression::None)
        }
        None => match Compression::by_magic(&head) {
            Compression::None => FileKind::Whole,
            compression => FileKind::Tar(compression),
        },
    })
}

/// Puts the parts of a file that are meant into the list, or the file itself where it has none. `copy`: where
/// an archive that lies elsewhere is read.
pub(in crate::input) async fn expand(
    spec: SourceSpec,
    copy: Option<DiskCopy>,
    inflation: Inflation,
    sources: &mut Vec<SourceSpec>,
    notes: &mut Vec<String>,
) -> Result<(), SourceError> {
    let here = copy.as_ref().map(DiskCopy::path).or_else(|| spec.location.file());
    let Some(path) = here.map(Path::to_owned) else {
        if let Some(part) = spec.part {
            let source = MemberError::NoParts(part);
            return Err(SourceError::Archive { name: spec.name, source });
        }
        sources.push(spec);
        return Ok(());
    };
    let named = named(&spec, &path);
    if spec.part.is_none() && named.is_none() {
        sources.push(spec);
        return Ok(());
    }
    let failed = |source| SourceError::Archive { name: spec.name.clone(), source };
    let (looked, has_part) = (path.clone(), spec.part.is_some());
    let kind = blocking(move || Ok(kind_of(&looked, named, has_part))).await;
    let kind = kind.map_err(|source| failed(MemberError::Read(source)))?.map_err(failed)?;
    match (&kind, &spec.part) {
        (FileKind::Workbook, _) | (FileKind::Whole, None) => {
            sources.push(spec);
            return Ok(());
        }
        (FileKind::Whole, Some(part)) => {
            let name = spec.name.strip_suffix(part.as_str()).unwrap_or(&spec.name).trim_end_matches('#');
            let source = MemberError::NoParts(part.clone());
            return Err(SourceError::Archive { name: name.to_owned(), source });
        }
        (FileKind::Zip | FileKind::Tar(_), _) => {}
    }
    feature::ARCHIVES.needed_for(|| format!("{}, which is an archive,", spec.name))?;
    let choice = Choice::new(spec.part.as_deref()).map_err(failed)?;
    let chosen = chosen(&path, &kind, inflation, choice).await.map_err(failed)?;
    if sources.len() + chosen.entries.len() > MAX_SOURCES {
        return Err(SourceError::TooMany { pattern: spec.name, limit: MAX_SOURCES });
    }
    // The word without what was chosen.
    let archive = spec.part.as_ref().map_or(spec.name.as_str(), |part| {
        spec.name.strip_suffix(part.as_str()).and_then(|name| name.strip_suffix('#')).unwrap_or(&spec.name)
    });
    if chosen.replaced > 0 {
        notes.push(format!(
            "{archive} has {} of its members twice: the later one counts, as when they are taken out",
            chosen.replaced
        ));
    }
    let place = match (&copy, &spec.location) {
        (Some(_), Location::Http(request)) => request.place().as_str().into(),
        (Some(_), _) => spec.name.clone().into(),
        (None, _) => path,
    };
    let copy = copy.map(Arc::new);
    for entry in chosen.entries {
        let name = format!("{archive}#{}", label(&entry.name));
        let member = ArchiveMember {
            archive: place.clone(),
            name: entry.name,
            place: entry.place,
            copy: copy.clone(),
        };
        let location = Location::Member(Box::new(member));
        sources.push(SourceSpec { fields: spec.fields.clone(), ..SourceSpec::new(name, location) });
    }
    Ok(())
}

async fn chosen(
    path: &Path,
    kind: &FileKind,
    inflation: Inflation,
    choice: Choice,
) -> Result<ChosenMembers, MemberError> {
    match kind {
        FileKind::Tar(compression) => Box::pin(tar::choose(path, *compression, inflation, choice)).await,
        FileKind::Zip | FileKind::Workbook | FileKind::Whole => {
            let path = path.to_owned();
            let chosen = blocking(move || Ok(zip::choose(&path, choice))).await;
            chosen.map_err(MemberError::Read)?
        }
    }
}

/// Looks for a member again, in an archive that was written anew.
pub(in crate::input) async fn find_again(member: &ArchiveMember) -> io::Result<ArchiveMember> {
    let path = member.path().to_owned();
    let named = ArchiveKind::by_name(&member.archive.to_string_lossy());
    let kind = blocking(move || kind_of(&path, named, true).map_err(io::Error::other)).await?;
    let choice = Choice::named(&member.name);
    let found = chosen(member.path(), &kind, Inflation::default(), choice).await;
    let found = found.map_err(io::Error::other)?.entries.into_iter().next();
    let place = found.map(|entry| entry.place).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    Ok(ArchiveMember { place, ..member.clone() })
}

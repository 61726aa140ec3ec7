//! Archives and workbooks that lie behind a URL or in a store, and the parts of them that are meant.
//!
//! An archive is fetched whole into a file without a name: its directory is at its end, and its members are
//! read one by one. That is so at each start, also at a resume; what was read before is compared as of any
//! archive that was written anew. Nothing is kept of it.

use std::io;
use std::sync::Arc;

use futures::stream::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::access::Access;
use super::archives;
use super::error::SourceError;
use super::folders::folders;
use super::lists::Lists;
use super::member::{ArchiveKind, DiskCopy, MemberError};
use super::spec::{Location, SourceSpec};
use super::web::{self, BodySource, ReadCause, UnprovenEnd};
use crate::feature;
use crate::format::{ColumnFile, Format, detect};
use crate::http::{Client, Encodings, HttpError, Request};
use crate::store::Stores;

/// Archives of one word that are copied: each is an open file as long as the load lasts.
const COPIES_MAX: usize = 256;

/// A word, and the part that is chosen of what it names: behind a `#`, where a name stands before it that is
/// one of an archive or a workbook.
pub(super) fn word_and_part(word: &str) -> (&str, Option<&str>) {
    let parted = word.split_once('#').filter(|(before, _)| {
        let place = before.split_once('?').map_or(*before, |(place, _)| place);
        ArchiveKind::by_name(place).is_some() || is_workbook(place)
    });
    parted.map_or((word, None), |(before, part)| (before, Some(part).filter(|part| !part.is_empty())))
}

fn is_workbook(name: &str) -> bool {
    matches!(detect::by_name(name), Some(Format::Columns { file: ColumnFile::Sheet }))
}

/// Puts what was found into the list, of archives the members that are meant.
pub(super) async fn expand(
    found: Vec<SourceSpec>,
    part: Option<&str>,
    lists: &Lists,
    stores: Option<&Stores>,
    sources: &mut Vec<SourceSpec>,
    notes: &mut Vec<String>,
) -> Result<(), SourceError> {
    let mut copies = 0;
    for mut spec in found {
        let kind = ArchiveKind::by_name(spec.file_name());
        if let Some(part) = part {
            spec.part = Some(part.to_owned());
        }
        let Some(kind) = kind else {
            if let Some(part) = part {
                spec.name = format!("{}#{part}", spec.name);
            }
            sources.push(spec);
            continue;
        };
        feature::ARCHIVES.needed_for(|| format!("{}, which is an archive,", spec.name))?;
        copies += 1;
        if copies > COPIES_MAX {
            let source = MemberError::Copies(COPIES_MAX);
            return Err(SourceError::Archive { name: spec.name, source });
        }
        let copy = fetch(&spec, kind, lists, stores).await?;
        archives::expand(spec, Some(copy), lists.inflation, sources, notes).await?;
    }
    Ok(())
}

/// Fetches an archive.
async fn fetch(
    spec: &SourceSpec,
    kind: ArchiveKind,
    lists: &Lists,
    stores: Option<&Stores>,
) -> Result<DiskCopy, SourceError> {
    let failed = |source: HttpError| match (stores, spec.location.object()) {
        (Some(stores), Some(object)) => SourceError::Store { source: stores.refused(&object.word, source) },
        _ => SourceError::Http { source },
    };
    let of_copy =
        |source| SourceError::Archive { name: spec.name.clone(), source: MemberError::Copy(source) };
    let (client, request) = asked(spec, lists, stores)?;
    let unproven_end = UnprovenEnd::default();
    match kind {
        ArchiveKind::Zip => unproven_end.set_shown(),
        // A tar that is cut behind a member may look whole.
        ArchiveKind::Tar => drop(unproven_end.needs_proof()),
    }
    let origin = Arc::new(BodySource { client, request, unproven_end, encodings: Encodings::Identity });
    let body = origin.open(0, None).await.map_err(failed)?;
    let (copy, writer) = DiskCopy::new(&folders()).map_err(of_copy)?;
    let mut writer = tokio::fs::File::from_std(writer);
    let mut chunks = web::chunks(origin, body, 0);
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| match web::cause(error) {
            ReadCause::Http(source) => failed(source),
            ReadCause::Changed(source) => SourceError::BodyChanged { name: spec.name.clone(), source },
            ReadCause::Other(source) => SourceError::Open { name: spec.name.clone(), source },
        })?;
        bytes += chunk.len();
        writer.write_all(&chunk).await.map_err(of_copy)?;
    }
    writer.flush().await.map_err(of_copy)?;
    tracing::info!(name = spec.name, bytes, "fetched the archive");
    Ok(copy)
}

/// Who asks for it, and how.
fn asked(
    spec: &SourceSpec,
    lists: &Lists,
    stores: Option<&Stores>,
) -> Result<(Client, Request), SourceError> {
    let unsupported =
        || SourceError::Open { name: spec.name.clone(), source: io::ErrorKind::Unsupported.into() };
    match (&spec.location, stores) {
        (Location::Http(request), _) => {
            let access = Access::of_list(request, lists)?;
            let client = access.client().cloned().ok_or_else(unsupported)?;
            Ok((client, request.as_ref().clone()))
        }
        (Location::Object(object), Some(stores)) => {
            let request = stores.request(&object.word, None);
            let request = request.map_err(|source| SourceError::Store { source })?;
            Ok((stores.client().clone(), request))
        }
        _ => Err(unsupported()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_stands_behind_the_name_of_what_has_some() {
        for (word, expected) in [
            ("https://h/a.zip#b.csv", ("https://h/a.zip", Some("b.csv"))),
            ("https://h/a.zip?t=1#2026/*.csv", ("https://h/a.zip?t=1", Some("2026/*.csv"))),
            ("https://h/a.zip#", ("https://h/a.zip", None)),
            ("https://h/b.xlsx#Sheet 2", ("https://h/b.xlsx", Some("Sheet 2"))),
            ("s3://b/*.tar.zst#*.jsonl", ("s3://b/*.tar.zst", Some("*.jsonl"))),
            ("https://h/a.csv#top", ("https://h/a.csv#top", None)),
            ("https://h/a#b.zip", ("https://h/a#b.zip", None)),
            ("s3://b/a#b", ("s3://b/a#b", None)),
        ] {
            assert_eq!(word_and_part(word), expected, "{word}");
        }
    }
}

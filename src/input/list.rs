//! From the words of the command line to the ordered list of sources. Each kind of word has a list of its
//! own: what is on disk, what a server is asked for. Opens no source, but the list that sources are made of.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;

use super::archives;
use super::elsewhere;
use super::endpoints;
use super::error::SourceError;
use super::files;
use super::lists::Lists;
use super::objects;
use super::partitions;
use super::rows;
use super::spec::{Location, MAX_SOURCES, SourceSpec, Word};
use crate::feature;
use crate::store;

/// The sources of a load, in order.
#[derive(Debug)]
pub struct SourceList {
    /// The sources.
    pub sources: Vec<SourceSpec>,
    /// What is worth saying about the lists that they are from.
    pub notes: Vec<String>,
}

/// Expands the words into sources, in order; those of the lists come behind them.
///
/// A folder stands for the files in it (not below it) that have a data file's name, without dotfiles.
/// Neither folders nor patterns yield `*.rejects.jsonl`, unless the pattern says so: those are dbload's own.
///
/// # Errors
/// When a word names nothing, twice the same, or what cannot be read; when a list cannot be used.
pub async fn list<W: AsRef<OsStr>>(words: &[W], lists: Lists) -> Result<SourceList, SourceError> {
    let each = rows::rows(&lists).await?;
    let words: Vec<&OsStr> = words.iter().map(AsRef::as_ref).collect();
    let (mut sources, mut notes) = (Vec::new(), Vec::new());
    let mut stores = None;
    // Words that are paths mostly come together, thousands of them where the shell has expanded a pattern.
    for together in words.chunk_by(|a, b| is_path(a) && is_path(b)) {
        let together: Vec<String> = together.iter().map(|word| utf8(word)).collect::<Result<_, _>>()?;
        let Some(last) = together.last().cloned() else { continue };
        match Word::parse(&last)? {
            Word::Stdin => sources.push(SourceSpec::new("stdin".into(), Location::Stdin)),
            Word::Url(word) => {
                feature::HTTP.needed_for(|| "a source that is a URL".to_owned())?;
                let (template, part) = elsewhere::word_and_part(word);
                let mut found = Vec::new();
                endpoints::expand(template, &lists, each.as_ref(), &mut found)?;
                elsewhere::expand(found, part, &lists, None, &mut sources, &mut notes).await?;
            }
            Word::Object(word) => {
                feature::OBJECT_STORE.needed_for(|| "an object of a store".to_owned())?;
                if stores.is_none() {
                    let all = words.iter().filter_map(|word| word.to_str());
                    let all = all.filter(|word| store::is_object(word));
                    let all = all.map(|word| elsewhere::word_and_part(word).0);
                    stores = Some(objects::stores(all, &lists)?);
                }
                if let Some(stores) = &stores {
                    let (word, part) = elsewhere::word_and_part(word);
                    let mut found = Vec::new();
                    objects::expand(word, stores, &mut found).await?;
                    elsewhere::expand(found, part, &lists, Some(stores), &mut sources, &mut notes).await?;
                }
            }
            Word::Table(word) => {
                let word = word.to_owned();
                sources.push(blocking(move || files::table(word)).await?);
            }
            Word::Path(_) => {
                let room = MAX_SOURCES.saturating_sub(sources.len());
                let (listed, said) = blocking(move || files::list(&together, room)).await?;
                notes.extend(said);
                for spec in listed {
                    archives::expand(spec, None, lists.inflation, &mut sources, &mut notes).await?;
                }
            }
        }
        if sources.len() > MAX_SOURCES {
            return Err(SourceError::TooMany { pattern: last, limit: MAX_SOURCES });
        }
    }
    let partition_columns = lists.partition_columns;
    let (lists, found) = blocking(move || endpoints::listed(&lists).map(|found| (lists, found))).await?;
    elsewhere::expand(found, None, &lists, None, &mut sources, &mut notes).await?;
    if sources.len() > MAX_SOURCES {
        return Err(SourceError::TooMany { pattern: "the lists".to_owned(), limit: MAX_SOURCES });
    }
    if partition_columns {
        for source in &mut sources {
            if source.location.on_disk().is_some() || source.location.object().is_some() {
                let fields = partitions::fields(&source.folders());
                source.fields.extend(fields);
            }
        }
    }
    let mut seen = HashSet::new();
    match sources.iter().find(|source| !seen.insert(source.key())) {
        Some(twice) => Err(SourceError::NamedTwice { name: twice.name.clone() }),
        None => {
            notes.extend(each.map(|rows| rows.notes).unwrap_or_default());
            Ok(SourceList { sources, notes })
        }
    }
}

fn is_path(word: &OsStr) -> bool {
    word.to_str().is_some_and(|word| matches!(Word::parse(word), Ok(Word::Path(_))))
}

fn utf8(word: &OsStr) -> Result<String, SourceError> {
    let text = word.to_str().map(ToOwned::to_owned);
    text.ok_or_else(|| SourceError::NameNotUtf8 { shown: word.to_string_lossy().into_owned() })
}

/// Looks at files on a thread that may wait for them.
async fn blocking<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let looked = tokio::task::spawn_blocking(look).await;
    looked.map_err(|error| SourceError::Open { name: "sources".into(), source: io::Error::other(error) })?
}

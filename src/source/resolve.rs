//! From the words of the command line to the ordered list of sources: files, patterns (expanded here, so
//! that quoting does not matter), folders, standard input, pipes.
//!
//! Order: as named; within a pattern or folder by the bytes of the path. Opens nothing.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io;
use std::path::{Component, Path, PathBuf};

use globset::{Glob, GlobMatcher};
use serde::{Deserialize, Serialize};

use super::endpoints::{self, Lists, MAX_SOURCES};
use super::error::SourceError;
use crate::feed::Feed;
use crate::format::detect;
use crate::http::{Request, urls};

/// Names that an error suggests.
const SUGGESTIONS: usize = 3;

/// One source: what the user calls it, and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceSpec {
    /// For messages and reports: the path as given, or as found by a pattern.
    pub name: String,
    /// Where it is.
    pub location: Location,
    /// Fields that each of its records gets: names, and JSON texts. Stored as texts, since a JSON number on its way
    /// through a parser loses digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
}

/// Where a source is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "at", content = "path")]
pub enum Location {
    /// A regular file, by absolute path: can be read again.
    File(PathBuf),
    /// A pipe or device, by absolute path: read once.
    Pipe(PathBuf),
    /// Standard input: read once.
    Stdin,
    /// A URL; what is stored of its request has no secrets.
    Http(Box<Request>),
    /// Records that the caller of the library hands over: read once.
    Caller(Feed),
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(a), Self::File(b)) | (Self::Pipe(a), Self::Pipe(b)) => a == b,
            (Self::Stdin, Self::Stdin) => true,
            (Self::Caller(a), Self::Caller(b)) => a == b,
            (Self::Http(a), Self::Http(b)) => a.url == b.url && a.method == b.method && a.body == b.body,
            _ => false,
        }
    }
}

impl Location {
    /// Whether it can be read again from the start.
    #[must_use]
    pub const fn is_replayable(&self) -> bool {
        matches!(self, Self::File(_) | Self::Http(_))
    }

    /// Whether it is a regular file: at hand, and the same when it is read again.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

impl SourceSpec {
    pub(super) const fn new(name: String, location: Location) -> Self {
        Self { name, location, fields: Vec::new() }
    }

    /// Whether its records are handed over by the caller: text in UTF-8 from the first byte on.
    pub(super) const fn is_caller(&self) -> bool {
        matches!(self.location, Location::Caller(_))
    }

    /// What the caller hands over.
    #[must_use]
    pub fn of_caller(feed: Feed) -> Self {
        Self::new("records".to_owned(), Location::Caller(feed))
    }

    /// The name of the file: of a URL, the last part of its path.
    #[must_use]
    pub fn file_name(&self) -> &str {
        match &self.location {
            Location::Http(request) => {
                request.url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default()
            }
            _ => &self.name,
        }
    }

    /// What a table that gets it would be called: the file's name without its endings; of a URL, the last part of the path
    /// that is no number.
    #[must_use]
    pub fn stem(&self) -> Option<String> {
        let of = |name: &str| name.split('.').find(|part| !part.is_empty()).map(str::to_owned);
        match &self.location {
            Location::File(path) => of(path.file_name()?.to_str()?),
            Location::Http(request) => {
                let parts: Vec<&str> = request.url.path_segments()?.collect();
                let starts_name = |part: &str| part.starts_with(|c: char| c.is_alphabetic() || c == '_');
                parts.into_iter().rev().find(|part| starts_name(part)).and_then(of)
            }
            Location::Pipe(_) | Location::Stdin | Location::Caller(_) => None,
        }
    }
}

/// Expands the words into sources, in order.
///
/// A folder stands for the files in it (not below it) that have a data file's name, without dotfiles.
/// Neither folders nor patterns yield `*.rejects.jsonl`, unless the pattern says so: those are dbload's own.
///
/// # Errors
/// When a word names nothing, twice the same, or what cannot be read.
pub async fn resolve<W: AsRef<OsStr>>(words: &[W]) -> Result<Vec<SourceSpec>, SourceError> {
    resolve_with(words, Lists::default()).await
}

/// The same, with the sources of these lists behind those of the words.
///
/// # Errors
/// As above, or when a list cannot be used.
pub async fn resolve_with<W: AsRef<OsStr>>(
    words: &[W],
    lists: Lists,
) -> Result<Vec<SourceSpec>, SourceError> {
    let words: Vec<_> = words.iter().map(|word| word.as_ref().to_owned()).collect();
    let task = tokio::task::spawn_blocking(move || resolve_now(&words, &lists));
    task.await
        .map_err(|error| SourceError::Open { name: "sources".into(), source: io::Error::other(error) })?
}

fn resolve_now(words: &[std::ffi::OsString], lists: &Lists) -> Result<Vec<SourceSpec>, SourceError> {
    let mut sources = Vec::new();
    let each = endpoints::rows(lists)?;
    for word in words {
        let word = word
            .to_str()
            .ok_or_else(|| SourceError::NameNotUtf8 { shown: word.to_string_lossy().into_owned() })?;
        if urls::is_http(word) {
            endpoints::expand(word, lists, each.as_ref(), &mut sources)?;
        } else {
            expand(word, &mut sources)?;
        }
        if sources.len() > MAX_SOURCES {
            return Err(SourceError::TooMany { pattern: word.to_owned(), limit: MAX_SOURCES });
        }
    }
    endpoints::listed(lists, &mut sources)?;
    let mut seen = HashSet::new();
    for source in &sources {
        let place = match &source.location {
            Location::File(path) | Location::Pipe(path) => path.to_string_lossy(),
            // Named by no word.
            Location::Stdin | Location::Caller(_) => "-".into(),
            Location::Http(request) => request.url.as_str().into(),
        };
        if !seen.insert(place) {
            return Err(SourceError::NamedTwice { name: source.name.clone() });
        }
    }
    Ok(sources)
}

fn expand(word: &str, sources: &mut Vec<SourceSpec>) -> Result<(), SourceError> {
    if word == "-" {
        sources.push(SourceSpec::new("stdin".into(), Location::Stdin));
        return Ok(());
    }
    if let Some((scheme, _)) = word.split_once("://")
        && !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    {
        return Err(SourceError::Unsupported { scheme: scheme.to_owned() });
    }
    let path = Path::new(word);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => expand_folder(path, sources),
        Ok(metadata) => {
            sources.push(spec_of(path, metadata.file_type())?);
            Ok(())
        }
        // A file of that very name wins over the pattern.
        Err(_) if word.contains(['*', '?', '[', '{']) => expand_pattern(word, sources),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(SourceError::NotFound { name: word.to_owned(), near: names_like(path) })
        }
        Err(source) => Err(SourceError::Open { name: word.to_owned(), source }),
    }
}

fn spec_of(path: &Path, kind: FileType) -> Result<SourceSpec, SourceError> {
    use std::os::unix::fs::FileTypeExt as _;
    let name = utf8(path)?.to_owned();
    let absolute =
        std::path::absolute(path).map_err(|source| SourceError::Open { name: name.clone(), source })?;
    utf8(&absolute)?;
    let location = if kind.is_file() {
        Location::File(absolute)
    } else if kind.is_fifo() || kind.is_char_device() {
        Location::Pipe(absolute)
    } else {
        return Err(SourceError::NotAFile { name });
    };
    Ok(SourceSpec::new(name, location))
}

fn utf8(path: &Path) -> Result<&str, SourceError> {
    path.to_str().ok_or_else(|| SourceError::NameNotUtf8 { shown: path.to_string_lossy().into_owned() })
}

fn expand_folder(folder: &Path, sources: &mut Vec<SourceSpec>) -> Result<(), SourceError> {
    let mut files = Vec::new();
    for (path, name) in entries(folder)? {
        let is_data = name.to_str().and_then(detect::by_name).is_some() && !is_own_or_hidden(&name);
        if is_data && !path.is_dir() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(SourceError::EmptyFolder { name: utf8(folder)?.to_owned() });
    }
    push_sorted(files, sources)
}

fn is_own_or_hidden(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || detect::is_reject_file(&name)
}

fn push_sorted(mut files: Vec<PathBuf>, sources: &mut Vec<SourceSpec>) -> Result<(), SourceError> {
    use std::os::unix::ffi::OsStrExt as _;
    files.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    for file in files {
        let metadata = fs::metadata(&file).map_err(|source| open_error(&file, source))?;
        sources.push(spec_of(&file, metadata.file_type())?);
    }
    Ok(())
}

fn open_error(path: &Path, source: io::Error) -> SourceError {
    SourceError::Open { name: path.display().to_string(), source }
}

/// The entries of a folder: path and name.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, std::ffi::OsString)>, SourceError> {
    // A pattern without folders is matched against the current one, and its files keep their bare names.
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut found = Vec::new();
    for entry in fs::read_dir(listed).map_err(|source| open_error(listed, source))? {
        let entry = entry.map_err(|source| open_error(listed, source))?;
        found.push((folder.join(entry.file_name()), entry.file_name()));
        if found.len() > MAX_SOURCES {
            return Err(SourceError::TooMany { pattern: listed.display().to_string(), limit: MAX_SOURCES });
        }
    }
    Ok(found)
}

/// One part of a pattern between slashes.
enum Part {
    /// `..`, the root, or a plain name.
    Plain(PathBuf),
    Match {
        matcher: GlobMatcher,
        hidden: bool,
    },
    /// `**`: any folders, none too.
    AnyFolders,
}

fn expand_pattern(pattern: &str, sources: &mut Vec<SourceSpec>) -> Result<(), SourceError> {
    let mut reached = vec![PathBuf::new()];
    for component in Path::new(pattern).components() {
        let part = part_of(pattern, component)?;
        let mut next = Vec::new();
        for path in reached {
            follow(&path, &part, &mut next)?;
            if next.len() > MAX_SOURCES {
                return Err(SourceError::TooMany { pattern: pattern.to_owned(), limit: MAX_SOURCES });
            }
        }
        // `**/x/**` reaches a folder by several ways.
        next.sort();
        next.dedup();
        reached = next;
    }
    let own = pattern.contains("rejects");
    reached.retain(|path| {
        let name = path.file_name().map(OsStr::to_string_lossy);
        // A link that leads nowhere is kept: to open it is an error, to pass it over would be silence.
        path.symlink_metadata().is_ok()
            && !path.is_dir()
            && (own || !name.is_some_and(|name| detect::is_reject_file(&name)))
    });
    if reached.is_empty() {
        return Err(SourceError::NoMatch { pattern: pattern.to_owned() });
    }
    push_sorted(reached, sources)
}

fn part_of(pattern: &str, component: Component<'_>) -> Result<Part, SourceError> {
    let text = component.as_os_str().to_str().unwrap_or_default();
    if text == "**" {
        return Ok(Part::AnyFolders);
    }
    if !text.contains(['*', '?', '[', '{']) {
        return Ok(Part::Plain(PathBuf::from(component.as_os_str())));
    }
    let glob =
        Glob::new(text).map_err(|source| SourceError::BadPattern { pattern: pattern.to_owned(), source })?;
    Ok(Part::Match { matcher: glob.compile_matcher(), hidden: text.starts_with('.') })
}

/// Where one part leads from `path`.
fn follow(path: &Path, part: &Part, next: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    match part {
        Part::Plain(name) => next.push(path.join(name)),
        Part::Match { matcher, hidden } => {
            if path.as_os_str().is_empty() || path.is_dir() {
                for (entry, name) in entries(path)? {
                    if matcher.is_match(&name) && (*hidden || !name.to_string_lossy().starts_with('.')) {
                        next.push(entry);
                    }
                }
            }
        }
        Part::AnyFolders => {
            let mut folders = vec![path.to_owned()];
            while let Some(folder) = folders.pop() {
                for (entry, name) in entries(&folder)? {
                    // Links to folders are not followed: they may lead in circles.
                    let is_folder = entry.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
                    if is_folder && !name.to_string_lossy().starts_with('.') {
                        folders.push(entry);
                    }
                }
                next.push(folder);
            }
        }
    }
    Ok(())
}

/// Names in the same folder that may have been meant.
fn names_like(path: &Path) -> Vec<String> {
    let wanted = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut near: Vec<(usize, String)> = entries(folder)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(path, name)| {
            let distance = distance(&wanted, &name.to_string_lossy().to_lowercase());
            (distance <= 1 + wanted.chars().count() / 4).then(|| (distance, path.display().to_string()))
        })
        .collect();
    near.sort();
    near.into_iter().map(|(_, name)| name).take(SUGGESTIONS).collect()
}

/// Edit distance: how many characters must be changed, added or removed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

//! Files, pipes, folders and patterns (expanded here, so that quoting does not matter), as sources. Opens
//! nothing.

use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io;
use std::path::{Component, Path, PathBuf};

use globset::{Glob, GlobMatcher};

use super::error::SourceError;
use super::spec::{Location, MAX_SOURCES, SourceSpec};
use super::tables::{absolute, file_of, is_mysql};
use crate::feature;
use crate::format::{Format, detect};

/// Names that an error suggests.
const SUGGESTIONS: usize = 3;

/// The files of these words, in order; notes on those that a folder has beside them. `room`: so many sources
/// there may still be.
pub(super) fn list(words: &[String], room: usize) -> Result<(Vec<SourceSpec>, Vec<String>), SourceError> {
    let (mut sources, mut notes) = (Vec::new(), Vec::new());
    for word in words {
        expand(word, &mut sources, &mut notes)?;
        if sources.len() > room {
            return Err(SourceError::TooMany { pattern: word.clone(), limit: MAX_SOURCES });
        }
    }
    Ok((sources, notes))
}

/// A table of a database; the file that one is must be there.
pub(super) fn table(word: String) -> Result<SourceSpec, SourceError> {
    if let Some(file) = file_of(&word) {
        feature::SQLITE.needed_for(|| "a table of an SQLite database".to_owned())?;
        let name = file.display().to_string();
        match fs::metadata(&file) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(SourceError::Open { name, source: io::ErrorKind::IsADirectory.into() });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SourceError::NotFound { name, near: names_like(&file) });
            }
            Err(source) => return Err(SourceError::Open { name, source }),
        }
    }
    if is_mysql(&word) {
        feature::MYSQL.needed_for(|| "a table of MySQL".to_owned())?;
    }
    let everywhere = absolute(&word).map_err(|source| SourceError::Open { name: word.clone(), source })?;
    Ok(SourceSpec::new(word, Location::Table(everywhere)))
}

/// The files of one word.
fn expand(word: &str, sources: &mut Vec<SourceSpec>, notes: &mut Vec<String>) -> Result<(), SourceError> {
    let path = Path::new(word);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            notes.extend(expand_folder(path, sources)?);
            Ok(())
        }
        Ok(metadata) => {
            sources.push(spec_of(path, metadata.file_type())?);
            Ok(())
        }
        // A file of that very name wins over the pattern, and over what chooses a part.
        Err(_) if word.contains(['*', '?', '[', '{']) => match expand_pattern(word, sources) {
            Err(error) => expand_part(word, sources).unwrap_or(Err(error)),
            Ok(()) => Ok(()),
        },
        Err(error) => expand_part(word, sources).unwrap_or_else(|| match error.kind() {
            io::ErrorKind::NotFound => {
                Err(SourceError::NotFound { name: word.to_owned(), near: names_like(path) })
            }
            _ => Err(SourceError::Open { name: word.to_owned(), source: error }),
        }),
    }
}

/// The files of a word of which a part is chosen, `data.zip#2026/*.csv`; `None`: of no part of the word
/// before a `#` there is a file.
fn expand_part(word: &str, sources: &mut Vec<SourceSpec>) -> Option<Result<(), SourceError>> {
    let splits = word.match_indices('#').map(|(at, _)| (&word[..at], &word[at + 1..]));
    for (file, part) in splits.filter(|(file, part)| !file.is_empty() && !part.is_empty()) {
        let mut files = Vec::new();
        let found = match fs::metadata(file) {
            Ok(metadata) if metadata.is_dir() => continue,
            Ok(metadata) => spec_of(Path::new(file), metadata.file_type()).map(|spec| files.push(spec)),
            Err(_) if file.contains(['*', '?', '[', '{']) => expand_pattern(file, &mut files),
            Err(_) => continue,
        };
        if let Err(SourceError::NoMatch { .. } | SourceError::BadPattern { .. }) = found {
            continue;
        }
        sources.extend(files.into_iter().map(|spec| SourceSpec {
            name: format!("{}#{part}", spec.name),
            part: Some(part.to_owned()),
            ..spec
        }));
        return Some(found);
    }
    None
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

/// What is worth saying: files that are left out, as their names do not say that they are data.
fn expand_folder(folder: &Path, sources: &mut Vec<SourceSpec>) -> Result<Option<String>, SourceError> {
    let (mut files, mut left_out) = (Vec::new(), Vec::new());
    for (path, name) in entries(folder)? {
        if is_own_or_hidden(&name) || path.is_dir() {
            continue;
        }
        // One whose name is no text is not passed over: it is refused, by its name.
        match detect::by_name(&name.to_string_lossy()) {
            // Beside data, XML is mostly about it.
            Some(Format::Xml { .. }) | None => left_out.push(name),
            Some(_) => files.push(path),
        }
    }
    if files.is_empty() {
        return Err(SourceError::EmptyFolder { name: utf8(folder)?.to_owned() });
    }
    push_sorted(files, sources)?;
    Ok(left_out_words(folder, &left_out))
}

fn left_out_words(folder: &Path, left_out: &[std::ffi::OsString]) -> Option<String> {
    let first = left_out.iter().min()?.to_string_lossy();
    let (files, them) = match left_out.len() {
        1 => (format!("{first:?} of {} is left out, as its name does", folder.display()), "it"),
        n => {
            let folder = folder.display();
            (
                format!("{n} files of {folder}, the first is {first:?}, are left out, as their names do"),
                "them",
            )
        }
    };
    Some(format!(
        "{files} not end in .csv, .jsonl or the like: a pattern such as '{}/*' loads {them} too",
        folder.display()
    ))
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
enum PatternPart {
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

fn part_of(pattern: &str, component: Component<'_>) -> Result<PatternPart, SourceError> {
    let text = component.as_os_str().to_str().unwrap_or_default();
    if text == "**" {
        return Ok(PatternPart::AnyFolders);
    }
    if !text.contains(['*', '?', '[', '{']) {
        return Ok(PatternPart::Plain(PathBuf::from(component.as_os_str())));
    }
    let glob =
        Glob::new(text).map_err(|source| SourceError::BadPattern { pattern: pattern.to_owned(), source })?;
    Ok(PatternPart::Match { matcher: glob.compile_matcher(), hidden: text.starts_with('.') })
}

/// Where one part leads from `path`.
fn follow(path: &Path, part: &PatternPart, next: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    match part {
        PatternPart::Plain(name) => next.push(path.join(name)),
        PatternPart::Match { matcher, hidden } => {
            if path.as_os_str().is_empty() || path.is_dir() {
                for (entry, name) in entries(path)? {
                    if matcher.is_match(&name) && (*hidden || !name.to_string_lossy().starts_with('.')) {
                        next.push(entry);
                    }
                }
            }
        }
        PatternPart::AnyFolders => {
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

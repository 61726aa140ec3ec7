//! What a source is called and where it is: as the user says it in a word, and as the ledger stores it.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::SourceError;
use super::member::ArchiveMember;
use super::source::{Class, Reach};
use super::tables::{TableWord, absolute, is_database};
use crate::http::{Request, urls};
use crate::store;

/// Most sources of a run: the list is stored in the ledger and kept in memory.
pub(super) const MAX_SOURCES: usize = 100_000;

/// What a word of the command line is. A word is read here alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'w> {
    /// The word `-`, which is standard input.
    Stdin,
    /// A URL, or a template of URLs.
    Url(&'w str),
    /// Objects in a store: one, a folder or a pattern.
    Object(&'w str),
    /// A table of a database, or a query to it.
    Table(&'w str),
    /// A file, a pipe, a folder, or a pattern: of any other word.
    Path(&'w Path),
}

impl<'w> Word<'w> {
    /// Reads a word.
    ///
    /// # Errors
    /// When it is of a kind that dbload does not know.
    pub fn parse(word: &'w str) -> Result<Self, SourceError> {
        if word == "-" {
            return Ok(Self::Stdin);
        }
        if urls::is_http(word) {
            return Ok(Self::Url(word));
        }
        if store::is_object(word) {
            return Ok(Self::Object(word));
        }
        if is_database(word) {
            let table = TableWord::parse(word);
            return table.map(|_| Self::Table(word)).map_err(|source| SourceError::TableWord { source });
        }
        match word.split_once("://") {
            Some((scheme, _)) if is_scheme(scheme) => {
                Err(SourceError::Unsupported { scheme: scheme.to_owned() })
            }
            _ => Ok(Self::Path(Path::new(word))),
        }
    }

    /// The same from everywhere on this machine: what makes two starts the same load. `of_url`: what of a URL
    /// counts.
    ///
    /// # Errors
    /// When nobody knows where a path begins.
    pub fn identity(&self, of_url: fn(&str) -> String) -> io::Result<String> {
        Ok(match self {
            Self::Stdin => "-".to_owned(),
            Self::Url(url) => of_url(url),
            Self::Object(word) => (*word).to_owned(),
            Self::Table(word) => absolute(word)?,
            Self::Path(path) => std::path::absolute(path)?.to_string_lossy().into_owned(),
        })
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// One source: what the user calls it, and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceSpec {
    /// For messages and reports: the path as given, or as found by a pattern.
    pub name: String,
    /// Where the source is: file, pipe or URL.
    pub location: Location,
    /// Fields that each of its records gets: names, and JSON texts. Stored as texts, since a JSON number on
    /// its way through a parser loses digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
    /// The part of the file that it is: a sheet. Of an archive, what was chosen, until its members are
    /// listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

/// Where a source is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "at", content = "path")]
pub enum Location {
    /// A regular file, by absolute path: can be read again.
    File(PathBuf),
    /// A file in an archive, which is a regular file.
    Member(Box<ArchiveMember>),
    /// A pipe or device, by absolute path: read once.
    Pipe(PathBuf),
    /// Standard input: read once.
    Stdin,
    /// A URL; what is stored of its request has no secrets.
    Http(Box<Request>),
    /// An object in a store.
    Object(StoreObject),
    /// A table of a database, or a query to it: its word, without a password.
    Table(String),
    /// Records that the caller of the library hands over: read once.
    Caller,
}

/// An object in a store, as it was listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoreObject {
    /// Scheme, bucket and key.
    pub word: String,
    /// The server, if it is another than the scheme says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Its version, where the store may be asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Its bytes, as they are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The source's place in the order, from 0.
    #[serde(skip)]
    pub ordinal: u64,
}

impl StoreObject {
    /// The last part of its key.
    fn file_name(&self) -> &str {
        self.word.rsplit('/').next().unwrap_or_default()
    }

    /// It is in the same place.
    #[must_use]
    pub fn is_at(&self, other: &Self) -> bool {
        self.word == other.word && self.endpoint == other.endpoint
    }
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(a), Self::File(b)) | (Self::Pipe(a), Self::Pipe(b)) => a == b,
            (Self::Member(a), Self::Member(b)) => a.is_at(b),
            (Self::Stdin, Self::Stdin) | (Self::Caller, Self::Caller) => true,
            (Self::Http(a), Self::Http(b)) => a.url == b.url && a.method == b.method && a.body == b.body,
            (Self::Object(a), Self::Object(b)) => a.is_at(b),
            (Self::Table(a), Self::Table(b)) => a == b,
            _ => false,
        }
    }
}

impl Location {
    /// What may be promised of it before it is opened. An open source may be of a better one: a body proves
    /// its version.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::File(_) | Self::Member(_) | Self::Object(_) => Class::Fixed,
            Self::Http(_) | Self::Table(_) => Class::Query,
            Self::Pipe(_) | Self::Stdin | Self::Caller => Class::Once,
        }
    }

    /// What it takes to open it.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        match self {
            Self::File(_) | Self::Member(_) => Reach::AtHand,
            Self::Http(_) | Self::Object(_) | Self::Table(_) => Reach::Asked,
            Self::Pipe(_) | Self::Stdin | Self::Caller => Reach::Awaited,
        }
    }

    /// Read once, from another process.
    pub(super) const fn is_pipe(&self) -> bool {
        matches!(self, Self::Pipe(_) | Self::Stdin)
    }

    /// The path of a regular file, which a fingerprint knows again.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Member(_)
            | Self::Pipe(_)
            | Self::Stdin
            | Self::Http(_)
            | Self::Object(_)
            | Self::Table(_)
            | Self::Caller => None,
        }
    }

    /// The member of an archive that it is.
    #[must_use]
    pub const fn member(&self) -> Option<&ArchiveMember> {
        match self {
            Self::Member(member) => Some(member),
            Self::File(_)
            | Self::Pipe(_)
            | Self::Stdin
            | Self::Http(_)
            | Self::Object(_)
            | Self::Table(_)
            | Self::Caller => None,
        }
    }

    /// The path of the regular file that it lies in: its own, or that of its archive.
    #[must_use]
    pub fn on_disk(&self) -> Option<&Path> {
        self.file().or_else(|| self.member().map(ArchiveMember::path))
    }

    /// The object of a store that it is.
    #[must_use]
    pub const fn object(&self) -> Option<&StoreObject> {
        match self {
            Self::Object(object) => Some(object),
            Self::File(_)
            | Self::Member(_)
            | Self::Pipe(_)
            | Self::Stdin
            | Self::Http(_)
            | Self::Table(_)
            | Self::Caller => None,
        }
    }
}

impl SourceSpec {
    pub(super) const fn new(name: String, location: Location) -> Self {
        Self { name, location, fields: Vec::new(), part: None }
    }

    /// What the caller hands over.
    #[must_use]
    pub fn of_caller() -> Self {
        Self::new("records".to_owned(), Location::Caller)
    }

    /// What makes two specs of one list the same source.
    pub(super) fn key(&self) -> Cow<'_, str> {
        match &self.location {
            Location::File(path) | Location::Pipe(path) => match &self.part {
                Some(part) => format!("{}#{part}", path.display()).into(),
                None => path.to_string_lossy(),
            },
            Location::Member(member) => format!("{}#{}", member.archive.display(), member.name).into(),
            // Named by no word.
            Location::Stdin | Location::Caller => "-".into(),
            Location::Http(request) => self.with_part(request.url.as_str()),
            Location::Object(object) => self.with_part(&object.word),
            Location::Table(word) => word.as_str().into(),
        }
    }

    fn with_part<'s>(&'s self, whole: &'s str) -> Cow<'s, str> {
        match &self.part {
            Some(part) => format!("{whole}#{part}").into(),
            None => whole.into(),
        }
    }

    /// What makes it the same source in another run, or another process: a URL that is signed anew is the
    /// same one.
    #[must_use]
    pub fn place(&self) -> Cow<'_, str> {
        match &self.location {
            Location::Http(request) => self.with_part(request.place().as_str()).into_owned().into(),
            Location::Table(word) => word.as_str().into(),
            Location::File(_)
            | Location::Member(_)
            | Location::Pipe(_)
            | Location::Stdin
            | Location::Object(_)
            | Location::Caller => self.name.as_str().into(),
        }
    }

    /// Some of it may be what is not stored.
    #[must_use]
    pub const fn has_unstored(&self) -> bool {
        match &self.location {
            Location::Http(_) => true,
            Location::Member(member) => member.copy.is_some(),
            Location::File(_)
            | Location::Pipe(_)
            | Location::Stdin
            | Location::Object(_)
            | Location::Table(_)
            | Location::Caller => false,
        }
    }

    /// Takes of the same source what is not stored: secrets, and the copy of an archive from elsewhere, with
    /// where its members lie there.
    pub fn take_unstored_of(&mut self, named: &Self) {
        match (&mut self.location, &named.location) {
            (Location::Http(stored), Location::Http(request)) => {
                **stored = stored.as_ref().clone().with_secrets(request);
            }
            (Location::Member(stored), Location::Member(member)) if member.copy.is_some() => {
                stored.copy.clone_from(&member.copy);
            }
            _ => {}
        }
    }

    /// The name of the file: of a URL, the last part of its path.
    #[must_use]
    pub fn file_name(&self) -> &str {
        match &self.location {
            Location::Http(request) => {
                request.url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default()
            }
            Location::Object(object) => object.file_name(),
            Location::Member(member) => member.file_name(),
            _ => &self.name,
        }
    }

    /// The folders that it lies in, with its name: those in an archive too.
    pub(super) fn folders(&self) -> Cow<'_, str> {
        match &self.location {
            Location::Member(member) => {
                let archive = self.name.strip_suffix(&member.label()).unwrap_or(&self.name);
                format!("{}/{}", archive.trim_end_matches('#'), member.name).into()
            }
            _ => self.name.as_str().into(),
        }
    }

    /// What a table that gets it would be called: the file's name without its endings; of a URL, the last
    /// part of the path that is no number.
    #[must_use]
    pub fn stem(&self) -> Option<String> {
        let of = |name: &str| name.split('.').find(|part| !part.is_empty()).map(str::to_owned);
        match &self.location {
            Location::File(path) => of(path.file_name()?.to_str()?),
            Location::Object(object) => of(object.file_name()),
            Location::Member(member) => of(member.file_name()),
            Location::Http(request) => {
                let parts: Vec<&str> = request.url.path_segments()?.collect();
                let starts_name = |part: &str| part.starts_with(|c: char| c.is_alphabetic() || c == '_');
                parts.into_iter().rev().find(|part| starts_name(part)).and_then(of)
            }
            Location::Table(word) => TableWord::parse(word).ok()?.stem(),
            Location::Pipe(_) | Location::Stdin | Location::Caller => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_in_one_way() {
        for (word, expected) in [
            ("-", Some(Word::Stdin)),
            ("./-", Some(Word::Path(Path::new("./-")))),
            ("a.csv", Some(Word::Path(Path::new("a.csv")))),
            ("https://host/a{1..3}", Some(Word::Url("https://host/a{1..3}"))),
            ("HTTP://host", Some(Word::Url("HTTP://host"))),
            ("s3://bucket/a*.csv", Some(Word::Object("s3://bucket/a*.csv"))),
            ("S3://bucket/key", Some(Word::Object("S3://bucket/key"))),
            ("ftp://bucket/key", None),
            ("postgres://user:secret@host/db", None),
            ("postgres://host/db?table=t", Some(Word::Table("postgres://host/db?table=t"))),
            ("sqlite://shop.db?table=t", Some(Word::Table("sqlite://shop.db?table=t"))),
            ("mysql://host/db?table=t", Some(Word::Table("mysql://host/db?table=t"))),
            ("mongodb://host/db?table=t", None),
            ("://x", Some(Word::Path(Path::new("://x")))),
        ] {
            assert_eq!(Word::parse(word).ok(), expected, "{word}");
        }
    }

    #[test]
    fn specs_that_earlier_builds_stored_are_read() {
        for (stored, location) in [
            (r#"{"name":"a","location":{"at":"file","path":"/x/a"}}"#, Location::File("/x/a".into())),
            (r#"{"name":"a","location":{"at":"pipe","path":"/x/a"}}"#, Location::Pipe("/x/a".into())),
            (r#"{"name":"a","location":{"at":"stdin"}}"#, Location::Stdin),
            (r#"{"name":"a","location":{"at":"caller","path":null}}"#, Location::Caller),
            (r#"{"name":"a","location":{"at":"caller"},"fields":[["f","1.50"]]}"#, Location::Caller),
        ] {
            let spec: SourceSpec = serde_json::from_str(stored).unwrap();
            assert_eq!(spec.location, location, "{stored}");
            let again: SourceSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
            assert_eq!(again, spec);
        }
        let request = r#"{"url":"https://host/a"}"#;
        let stored = format!(r#"{{"name":"a","location":{{"at":"http","path":{request}}}}}"#);
        let spec: Result<SourceSpec, _> = serde_json::from_str(&stored);
        assert!(spec.is_ok_and(|spec| matches!(spec.location, Location::Http(_))), "{stored}");
    }
}

//! What can go wrong with a source, in the user's terms: its name, the place, what to do.

use std::io;

use super::columns::ColumnsError;
use super::end_mark::EndMarkError;
use super::fingerprint::Change;
use super::member::MemberError;
use super::tables::{TableWordError, commands_of, tables_words};
use super::web::BodyChanged;
use super::words::{line_words, other_words, row_words};
use crate::feature::Missing;
use crate::format::{
    Compression, DecodeErrorKind, DetectError, DialectError, HeaderError, Inflated, SplitError,
};
use crate::http::HttpError;
use crate::store::StoreError;

/// Why a source cannot be read (on).
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no file of that name.
    #[error("found no file {name}")]
    NotFound {
        /// As the user named it.
        name: String,
        /// Names like it in the same folder.
        near: Vec<String>,
    },
    /// A pattern without a file.
    #[error("no file matches {pattern}")]
    NoMatch {
        /// As the user wrote it.
        pattern: String,
    },
    /// The word is no pattern for names of files.
    #[error("cannot read {pattern} as a pattern")]
    BadPattern {
        /// As the user wrote it.
        pattern: String,
        /// The error that lies behind it.
        source: globset::Error,
    },
    /// A folder without data files.
    #[error("found no data files in the folder {name}")]
    EmptyFolder {
        /// As the user named it.
        name: String,
    },
    /// A source of a kind that this version does not read.
    #[error("sources of the kind {scheme}:// are not supported yet")]
    Unsupported {
        /// The scheme of the URL, such as `s3`.
        scheme: String,
    },
    /// What this build cannot read.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A name that the ledger cannot store.
    #[error("the file name {shown:?} is not UTF-8")]
    NameNotUtf8 {
        /// With the broken bytes replaced.
        shown: String,
    },
    /// The same file twice.
    #[error("{name} is named twice")]
    NamedTwice {
        /// The file that the error is about.
        name: String,
    },
    /// The same file by two names, in an append.
    #[error("{name} and {other} are the same file")]
    SameFile {
        /// One of the two sources.
        name: String,
        /// The other of the two sources.
        other: String,
    },
    /// More files than the limit.
    #[error("{pattern} names more than {limit} files")]
    TooMany {
        /// As the user wrote it.
        pattern: String,
        /// The limit that was passed.
        limit: usize,
    },
    /// A socket or the like.
    #[error("{name} is neither a file, a folder nor a pipe")]
    NotAFile {
        /// As the user named it.
        name: String,
    },
    /// The operating system refuses.
    #[error("cannot open {name}")]
    Open {
        /// Name of the source, for people.
        name: String,
        /// The error that lies behind it.
        source: io::Error,
    },
    /// The operating system fails in the middle.
    #[error("cannot read {name} behind byte {offset}")]
    Read {
        /// Name of the source, for people.
        name: String,
        /// Bytes of the decoded stream that were read.
        offset: u64,
        /// The error that lies behind it.
        source: io::Error,
    },
    /// A pipe that does not end as was agreed.
    #[error("{name} is not whole: {source}")]
    EndMark {
        /// Name of the source, for people.
        name: String,
        /// What is wrong with its end.
        source: EndMarkError,
    },
    /// What is no pipe shows its end by itself.
    #[error("{name} is no pipe, and has no end mark")]
    NoPipe {
        /// Name of the source, for people.
        name: String,
    },
    /// The compressed content is truncated or damaged.
    #[error("cannot decompress {name} ({compression:?}) behind byte {offset} of its content")]
    Decompress {
        /// Name of the source, for people.
        name: String,
        /// What it was taken for.
        compression: Compression,
        /// Bytes of the decoded stream that were read.
        offset: u64,
        /// The error that lies behind it.
        source: io::Error,
    },
    /// A bomb, or like one.
    #[error("{name} is given up: {source}")]
    Inflated {
        /// Name of the source, for people.
        name: String,
        /// The limit that was passed.
        source: Inflated,
    },
    /// Not the file that was recorded.
    #[error("{name} was changed since this load began: {change}")]
    Changed {
        /// Name of the source, for people.
        name: String,
        /// In which way it has changed.
        change: Change,
    },
    /// A resume point behind the end.
    #[error("cannot go on behind byte {offset} of {name}: it has only {length}")]
    BehindEnd {
        /// Name of the source, for people.
        name: String,
        /// Offset that the load should go on at.
        offset: u64,
        /// Bytes of its content.
        length: u64,
    },
    /// A pipe cannot be read again.
    #[error("cannot go on in the middle of {name}: a pipe is read only once")]
    NotReplayable {
        /// Name of the source, for people.
        name: String,
    },
    /// The format of the content cannot be told.
    #[error("cannot tell the format of {name}")]
    Detect {
        /// Name of the source, for people.
        name: String,
        /// The error that lies behind it.
        source: DetectError,
    },
    /// What separates fields cannot be told from what encloses them.
    #[error("cannot read {name} so")]
    Dialect {
        /// Name of the source, for people.
        name: String,
        /// The error that lies behind it.
        source: DialectError,
    },
    /// The source has no header that could be used.
    #[error("cannot use the header of {name}")]
    Header {
        /// Name of the source, for people.
        name: String,
        /// The error that lies behind it.
        source: HeaderError,
    },
    /// The word is no URL that could be asked.
    #[error(transparent)]
    Url {
        /// The error that lies behind it.
        source: HttpError,
    },
    /// A list of sources that cannot be used.
    #[error("cannot use the list {name}{}: {reason}", line_words(*.line))]
    List {
        /// The file that the error is about.
        name: String,
        /// The line; 0 for the whole.
        line: usize,
        /// The error, in words for people.
        reason: String,
    },
    /// The network, the server or its answer.
    #[error(transparent)]
    Http {
        /// Why; it names the request.
        source: HttpError,
    },
    /// A store, its answer, or who asks it.
    #[error(transparent)]
    Store {
        /// Why; it names the objects.
        source: StoreError,
    },
    /// A database is no source by itself.
    #[error(transparent)]
    TableWord {
        /// What its word lacks.
        source: TableWordError,
    },
    /// A table of a database that gives no (further) rows.
    #[error("cannot read {name}")]
    Table {
        /// Name of the source, for people.
        name: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A database, of which no table is named.
    #[error("{name} is an SQLite database{}", tables_words(.tables))]
    IsDatabase {
        /// Name of the source, for people.
        name: String,
        /// The tables that it has.
        tables: Vec<String>,
    },
    /// Rows of a table that have no order.
    #[error("cannot go on in the middle of {name}: without a primary key nothing tells which rows were read")]
    NoKey {
        /// Name of the source, for people.
        name: String,
    },
    /// An object whose bytes might be others the next time.
    #[error(
        "{name} cannot be read: the store says no strong ETag of it, so nothing shows that two answers are one version"
    )]
    NoVersion {
        /// Name of the source, for people.
        name: String,
    },
    /// Nothing where records should be.
    #[error("the answer of {name} is empty")]
    EmptyBody {
        /// Name of the source, for people.
        name: String,
    },
    /// Something that is not read, or that nothing but its look calls delimited text.
    #[error("the answer of {name} is {}", other_words(*.what, .content_type))]
    OtherContent {
        /// Name of the source, for people.
        name: String,
        /// What the server calls it.
        content_type: String,
        /// What it is, where that is known.
        what: Option<&'static str>,
    },
    /// A file that is something else, and would be read as delimited text.
    #[error("{name} is {what}: that is not read")]
    OtherFile {
        /// Name of the source, for people.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// A line of text where records should be.
    #[error("the answer of {name} is a line of text, not records")]
    Words {
        /// Name of the source, for people.
        name: String,
    },
    /// An answer that says what went wrong, and has no records.
    #[error("{name} answers with an error: {words:?}")]
    Said {
        /// Name of the source, for people.
        name: String,
        /// The server's words, without secrets.
        words: String,
    },
    /// Another version of the body.
    #[error("{name} was changed since this load began")]
    BodyChanged {
        /// Name of the source, for people.
        name: String,
        /// In which way it has changed.
        source: BodyChanged,
    },
    /// A page of CSV with other columns than those before.
    #[error("a page of {name} has another header than the pages before")]
    OtherHeader {
        /// Name of the source, for people.
        name: String,
    },
    /// Rows whose values have no names.
    #[error("cannot name the values of the rows of {name}: {reason}")]
    Rows {
        /// Name of the source, for people.
        name: String,
        /// Why, in words for people.
        reason: String,
    },
    /// `--unnest` of records that have none within.
    #[error("--unnest: {name} is no JSON, and its records have no others within")]
    NotNested {
        /// Name of the source, for people.
        name: String,
    },
    /// No table can be made from what cannot be read.
    #[error(
        "no table can be made from {name}: none of its first records can be read (line {line}: {reason})"
    )]
    NoneReadable {
        /// Name of the source, for people.
        name: String,
        /// Line of the first of them.
        line: u64,
        /// Why that one cannot be read.
        reason: DecodeErrorKind,
    },
    /// No table can be made from what stands under lines of another kind.
    #[error(
        "no table can be made from {name}: its lines from line {} on have {fields} fields each, and the header above them has \
         {header}", .lines + 1
    )]
    Titled {
        /// Name of the source, for people.
        name: String,
        /// Lines that stand before them.
        lines: u64,
        /// Fields of each line behind those.
        fields: usize,
        /// Fields of the header.
        header: usize,
    },
    /// A file of columns that cannot be read.
    #[error("cannot read {name}{}: {source}", row_words(*.row))]
    Columns {
        /// Name of the source, for people.
        name: String,
        /// Rows that were read.
        row: u64,
        /// Why.
        source: ColumnsError,
    },
    /// An archive, or a member of one, that cannot be read.
    #[error("cannot read {name}: {source}")]
    Archive {
        /// Name of the source, for people.
        name: String,
        /// Why.
        source: MemberError,
    },
    /// No further records can be found.
    #[error("cannot find the records of {name}")]
    Split {
        /// Name of the source, for people.
        name: String,
        /// Why it cannot be split, and where.
        source: SplitError,
    },
}

impl SourceError {
    /// What was read of the source may be wrong too: it is damaged, or was changed meanwhile.
    #[must_use]
    pub const fn is_about_content(&self) -> bool {
        match self {
            Self::Decompress { .. } | Self::Changed { .. } | Self::BodyChanged { .. } => true,
            Self::Columns { source, .. } => source.is_about_content(),
            Self::Archive { source, .. } => source.is_about_content(),
            _ => false,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let words = match self {
            Self::NotFound { near, .. } if near.is_empty() => return None,
            Self::NotFound { near, .. } => return Some(format!("did you mean {}?", near.join(" or "))),
            Self::NoMatch { .. } => "dbload expands patterns itself: * ? [0-9] {a,b} and ** for folders",
            Self::BadPattern { .. } => {
                "in a pattern each [ and { is closed; [[] and [{] stand for those characters themselves"
            }
            Self::EmptyFolder { .. } => {
                "it looks for .jsonl .ndjson .json .csv .tsv .tab, also compressed, and .parquet .arrow .avro .xlsx .ods, not in folders \
                 below; name other files by a pattern"
            }
            Self::Unsupported { scheme } => match scheme.as_str() {
                "file" => "say its path alone",
                "ftp" | "ftps" | "sftp" | "scp" => "pipe it in: curl -fsS URL | dbload - --table NAME",
                _ => "pipe it in from a program that reads it: PROGRAM | dbload - --table NAME",
            },
            Self::Missing(missing) => missing.hint(),
            Self::NameNotUtf8 { .. } => "rename it, or pipe it in: dbload - --table NAME < FILE",
            Self::NamedTwice { .. } => "name each file once; patterns and folders count too",
            Self::SameFile { .. } => "name it once: an append would load it twice",
            Self::TooMany { .. } => "load them in several runs",
            Self::Open { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "you have no right to read it"
            }
            Self::Open { .. } | Self::NotAFile { .. } => return None,
            Self::Read { .. } => "the same command goes on where the last batch was committed",
            Self::EndMark { source, .. } => source.hint(),
            Self::NoPipe { .. } => "load it without --end-mark, or pipe it in: dbload - --end-mark MARK",
            Self::Decompress { .. } => {
                "it is damaged, cut off, or not of this compression; --compression says which it is"
            }
            Self::Inflated { source, .. } => source.hint(),
            Self::Changed { .. } => "whoever writes it should be done before it is loaded",
            Self::BehindEnd { .. } => "the file was cut since; begin anew with --restart",
            Self::NotReplayable { .. } => "store it in a file first, or skip what is loaded: --skip-records",
            Self::List { .. } => {
                "a list has a URL a line, or a JSON object with url and fields to add; --each takes CSV or JSON"
            }
            Self::Http { source, .. } | Self::Url { source } => return source.hint(),
            Self::Store { source } => return source.hint(),
            Self::TableWord { .. } | Self::Table { .. } | Self::NoKey { .. } => return self.hint_of_table(),
            Self::IsDatabase { name, tables } => return commands_of(name, tables),
            Self::NoVersion { .. } => "read it by its URL, or copy it to a file first",
            Self::EmptyBody { .. } => {
                "an endpoint without records should say so, such as [] or a header line"
            }
            Self::OtherContent { what: Some(_), .. } => {
                "ask for JSON or CSV: --header 'Accept: application/json', or a parameter of the API"
            }
            Self::OtherFile { .. } => {
                "make JSON lines or CSV of it first; if it is CSV after all, say --format csv"
            }
            Self::OtherContent { .. } => "say what it is: --format csv, json or jsonl",
            Self::Words { .. } => "look at it: curl -i URL; if it is CSV, say --format csv",
            Self::Said { .. } => {
                "its status was a success, the words are its own; when that is mended, the same command goes on there"
            }
            Self::BodyChanged { .. } => {
                "begin anew with --restart (what an append has inserted is deleted first): two versions are never mixed"
            }
            Self::OtherHeader { .. } => return None,
            Self::NotNested { .. } => "leave --unnest out, or load it by a command of its own",
            Self::Rows { .. } => {
                "--columns names the values of rows: A,B,.. or /POINTER to the list of names, or first-row"
            }
            Self::Dialect { .. } => "say another --delimiter, --quote, --escape or --comment",
            Self::NoneReadable { reason, .. } => reason.hint_of_all(),
            Self::Titled { lines, .. } => {
                return Some(format!(
                    "--skip-lines {lines} passes over a title; if they are texts of one column, --delimiter says what is in none of them"
                ));
            }
            Self::Detect { source, .. } => source.hint(),
            Self::Header { source, .. } => return source.hint(),
            Self::Columns { source, .. } => return source.hint(),
            Self::Split { source, .. } => return source.hint(),
            Self::Archive { name, source } => return source.hint(name),
        };
        Some(words.to_owned())
    }

    fn hint_of_table(&self) -> Option<String> {
        let words = match self {
            Self::TableWord { .. } => {
                "postgres://USER@HOST/DATABASE?table=SCHEMA.NAME, mysql://USER@HOST/DATABASE?table=NAME, sqlite://FILE?table=NAME, or \
                 ?query=SELECT.. (%20 is a space)"
            }
            Self::Table { hint, .. } => return hint.clone(),
            Self::NoKey { .. } => {
                "begin anew with --restart (what an append has inserted is deleted first), or give the table a primary key"
            }
            _ => return None,
        };
        Some(words.to_owned())
    }
}

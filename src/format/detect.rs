//! What format a source has: by its name, else by its first bytes. Guesses once, before the first record;
//! says what was guessed, so that the plan can show it.

use super::decode::is_reject;
use super::magic::{self, has_nul, is_page, no_text};
use super::sniff::{count_unquoted, sniff_delimiter};
use super::split::{Limits, Splitter};
use super::{ColumnFile, Compression, Dialect, Format, json};
use super::{bulk, columnar};
use crate::record::{Position, Span};

pub use super::magic::DetectError;
pub use super::sniff::HEAD_BYTES;

/// Lines that are looked at, at most: enough to tell.
const LINES_SNIFFED: usize = 20;

/// What precedes each JSON text of a sequence (RFC 7464).
const RECORD_SEPARATOR: u8 = 0x1e;

/// A format, and why it was taken to be that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The format of the source.
    pub format: Format,
    /// For the plan: `by name`, or what was found.
    pub because: &'static str,
}

impl Detected {
    /// What is worth saying of it: what is no list of records was taken for something by its content.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let what = match &self.format {
            Format::Bulk => "bulk lines",
            Format::JsonColumns { .. } => "columns",
            Format::Json { .. } if self.because == CONCATENATED => "JSON texts",
            _ => return None,
        };
        Some(format!("it is read as {what}, {}", self.because))
    }
}

/// By the name of a source, a compression's ending aside. `.txt` and the like say nothing.
#[must_use]
pub fn by_name(name: &str) -> Option<Format> {
    let name = Compression::by_name(name).map_or(name, |(_, stem)| stem).to_ascii_lowercase();
    if is_reject_file(&name) {
        return Some(Format::Rejects);
    }
    let columns = |file| Some(Format::Columns { file });
    match name.rsplit_once('.')?.1 {
        "parquet" | "pq" | "parq" => columns(ColumnFile::Parquet),
        "arrow" | "arrows" | "feather" | "ipc" => columns(ColumnFile::Arrow),
        "avro" => columns(ColumnFile::Avro),
        "xlsx" | "xlsm" | "xlsb" | "xls" | "ods" => columns(ColumnFile::Sheet),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        "json" => Some(Format::Json { records: None }),
        "xml" => Some(Format::Xml { records: None }),
        "csv" => Some(Format::Csv(Dialect::delimited_by(b','))),
        "tsv" | "tab" => Some(Format::Csv(Dialect::delimited_by(b'\t'))),
        _ => None,
    }
}

/// Whether this is the name of a reject file as dbload writes it.
#[must_use]
pub fn is_reject_file(name: &str) -> bool {
    let name = Compression::by_name(name).map_or(name, |(_, stem)| stem);
    name.to_ascii_lowercase().ends_with(".rejects.jsonl")
}

/// By name, then by content. `head`: the first bytes of the decoded stream, [`HEAD_BYTES`] if it has them.
///
/// # Errors
/// When the content is nothing that dbload reads.
pub fn detect(name: &str, head: &[u8]) -> Result<Detected, DetectError> {
    detect_beside(name, head, None)
}

/// The same, where lines that begin with this character say nothing.
///
/// # Errors
/// As [`detect`].
pub fn detect_beside(name: &str, head: &[u8], comment: Option<u8>) -> Result<Detected, DetectError> {
    if let Some(file) = magic::columns(head) {
        return Ok(Detected { format: Format::Columns { file }, because: "by its first bytes" });
    }
    let named = by_name(name);
    match no_text(head) {
        // What it is called it is.
        Some(DetectError::Markup) if matches!(named, Some(Format::Xml { .. })) && !is_page(head) => {}
        Some(error) => return Err(error),
        None => {}
    }
    if head.first() == Some(&RECORD_SEPARATOR) && named.as_ref().is_none_or(Format::is_json) {
        return Ok(Detected { format: Format::of_texts(), because: "a sequence of JSON texts (RFC 7464)" });
    }
    if named.as_ref().is_none_or(Format::is_json) && bulk::begins(head) {
        return Ok(Detected { format: Format::Bulk, because: BULK });
    }
    match named {
        // Of JSON lines that are none: objects over several lines, or several on one.
        Some(Format::Jsonl) if stands_in_one_line(head) => {
            Ok(Detected { format: Format::of_texts(), because: CONCATENATED })
        }
        Some(Format::Json { .. }) if columnar::looks_so(head) => {
            Ok(Detected { format: Format::JsonColumns { records: None }, because: COLUMNS })
        }
        // Reject files are renamed; a JSONL that begins with a reject is one.
        Some(Format::Jsonl) if first_is_reject(head) => {
            Ok(Detected { format: Format::Rejects, because: "by name and its first line, a reject" })
        }
        // Many exports call JSON lines `.json`. Read as lines, a broken one costs one record, not the rest.
        Some(Format::Json { .. }) if lines_are_objects(head) => {
            Ok(Detected { format: Format::Jsonl, because: LINES })
        }
        Some(Format::Csv(dialect)) if dialect.delimiter == b',' => Ok(csv_by_name(dialect, head, comment)),
        Some(format) => Ok(Detected { format, because: "by name" }),
        None => by_content(head, comment),
    }
}

/// The delimiter of a first line such as `sep=;`, which spreadsheets write and read.
fn announced_delimiter(text: &[u8]) -> Option<Dialect> {
    let line = text.split(|&byte| matches!(byte, b'\n' | b'\r')).next()?;
    let [delimiter] = line.strip_prefix(b"sep=")? else { return None };
    let dialect = Dialect { skip_lines: 1, ..Dialect::delimited_by(*delimiter) };
    dialect.check().is_ok().then_some(dialect)
}

const LINES: &str = "by its first lines, each a JSON object";
const BULK: &str = "by its first lines, an action of Elasticsearch and its document";
const COLUMNS: &str = "by its members, lists of one length: columns (--format json reads it as a record)";
const CONCATENATED: &str = "by its first objects, which are not one a line";
const ANNOUNCED: &str = "by its first line, which says the delimiter";

/// Many exports call text delimited by `;` or tabs `.csv`: the delimiter is the one that divides all lines
/// alike. Where none does, it is a comma, if the first line has one.
fn csv_by_name(dialect: Dialect, head: &[u8], comment: Option<u8>) -> Detected {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    if let Some(dialect) = announced_delimiter(text) {
        return Detected { format: Format::Csv(dialect), because: ANNOUNCED };
    }
    // No header is a JSON object: it is JSON lines under another name.
    if first_line_is_object(text) {
        let format = if first_is_reject(text) { Format::Rejects } else { Format::Jsonl };
        return Detected { format, because: LINES };
    }
    let found = sniff_delimiter(text, comment);
    let first_line = text.split(|&byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    if found.delimiter != b',' && (found.alike || count_unquoted(first_line, b',') == 0) {
        let dialect = Dialect { delimiter: found.delimiter, ..dialect };
        return Detected { format: Format::Csv(dialect), because: found.because };
    }
    Detected { format: Format::Csv(dialect), because: "by name" }
}

fn by_content(head: &[u8], comment: Option<u8>) -> Result<Detected, DetectError> {
    let found = |format, because| Ok(Detected { format, because });
    if has_nul(head) {
        return Err(DetectError::NotText);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    match text.first() {
        Some(b'{') if columnar::looks_so(text) => found(Format::JsonColumns { records: None }, COLUMNS),
        Some(b'{') if first_is_reject(text) => found(Format::Rejects, "by its first line, a reject"),
        Some(b'{') if first_line_is_object(text) => found(Format::Jsonl, "by its first line, a JSON object"),
        Some(b'{') if lines_are_objects(text) => found(Format::Jsonl, LINES),
        Some(b'{') => found(Format::Json { records: None }, "by its first byte, `{`"),
        Some(b'[') => found(Format::Json { records: None }, "by its first byte, `[`"),
        Some(b'<') => Err(DetectError::Markup),
        _ => {
            if let Some(dialect) = announced_delimiter(text) {
                return found(Format::Csv(dialect), ANNOUNCED);
            }
            let divides = sniff_delimiter(text, comment);
            found(Format::Csv(Dialect::delimited_by(divides.delimiter)), divides.because)
        }
    }
}

/// Whether two lines that follow each other, among the first ones, are each a whole object: within one JSON
/// text there would be a comma between them. The first line may be broken.
fn lines_are_objects(head: &[u8]) -> bool {
    let mut splitter = Splitter::new(&Format::Jsonl, Limits::default(), Position::start_of(0));
    let mut spans = Vec::new();
    let _ = splitter.split(head, head.len() < HEAD_BYTES, &mut spans);
    spans.truncate(LINES_SNIFFED);
    let is_object = |span: &Span| first_line_is_object(&head[span.start as usize..span.end as usize]);
    spans.windows(2).any(|two| two.iter().all(is_object))
}

/// Whether the first objects do not stand one a line: the first goes over several, or another one follows on
/// its line.
fn stands_in_one_line(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if !text.starts_with(b"{") {
        return false;
    }
    let mut objects = serde_json::Deserializer::from_slice(text).into_iter::<serde::de::IgnoredAny>();
    let Some(Ok(_)) = objects.next() else { return false };
    let end = objects.byte_offset();
    let behind = &text[end..];
    let blank = behind.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    text[..end].contains(&b'\n') || behind.get(blank) == Some(&b'{')
}

fn first_line(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    text[..end].trim_ascii_end()
}

/// How a line of a reject file begins as dbload writes it.
const REJECT_BEGINS: &[u8] = b"{\"dbload_reject\":1,";

fn first_is_reject(head: &[u8]) -> bool {
    // The first one may be longer than what is looked at.
    if first_line(head).starts_with(REJECT_BEGINS) {
        return true;
    }
    let line = std::str::from_utf8(first_line(head)).unwrap_or("");
    let members: Result<Vec<_>, _> = json::members(line).collect();
    members.is_ok_and(|members| is_reject(&members))
}

fn first_line_is_object(head: &[u8]) -> bool {
    let line = first_line(head);
    line.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, head: &str, expected: &str) {
        let shown = match detect(name, head.as_bytes()) {
            Err(error) => error.to_string(),
            Ok(Detected { format: Format::Csv(dialect), .. }) => {
                format!("csv {:?}", dialect.delimiter as char)
            }
            Ok(Detected { format: Format::Jsonl, .. }) => "jsonl".into(),
            Ok(Detected { format: Format::Rejects, .. }) => "rejects".into(),
            Ok(Detected { format: Format::Columns { file }, .. }) => file.name().into(),
            Ok(Detected { format: Format::Json { .. }, .. }) => "json".into(),
            Ok(Detected { format: Format::JsonColumns { .. }, .. }) => "json by columns".into(),
            Ok(Detected { format: Format::Bulk, .. }) => "bulk".into(),
            Ok(Detected { format: Format::Xml { .. }, .. }) => "xml".into(),
            Ok(Detected { format: Format::Fixed(_), .. }) => "fixed".into(),
        };
        assert_eq!(shown, expected, "{name} {head:?}");
    }

    #[test]
    fn names() {
        for (name, expected) in [
            ("a.jsonl", "jsonl"),
            ("a.NDJSON.gz", "jsonl"),
            ("x/a.json.zst", "json"),
            ("a.csv.bz2", "csv ','"),
            ("a.tsv.xz", "csv '\\t'"),
            ("a.tab", "csv '\\t'"),
            ("a.parquet", "Parquet"),
            ("a.feather", "Arrow"),
            ("a.avro", "Avro"),
            ("t.8f3a.rejects.jsonl", "rejects"),
            ("t.rejects.jsonl.gz", "rejects"),
        ] {
            check(name, "", expected);
        }
        assert_eq!((by_name("a.txt"), by_name("csv"), by_name(".gz")), (None, None, None));
    }

    #[test]
    fn contents() {
        for (head, expected) in [
            ("{\"a\":1}\n{", "jsonl"),
            ("\u{feff}\n{\"a\":1}\r\n", "jsonl"),
            ("{\n\"a\":1}", "json"),
            ("{\"a\":[\n1]}", "json"),
            ("{\"a\":\n{\"a\":1}\n{\"a\":2}\n", "jsonl"),
            ("{\"a\":[\n{\"b\":1},\n{\"b\":2}\n]}", "json"),
            (" [1]", "json"),
            ("{\"dbload_reject\":1,\"record\":{}}\n", "rejects"),
            ("a,b\n1,2\n", "csv ','"),
            ("a;b\n1,5;2\n", "csv ';'"),
            ("a\tb\n1\t\"x\ty\"\n", "csv '\\t'"),
            ("a|b|c\n1|2|3", "csv '|'"),
            ("name\nx", "csv ','"),
            ("a;b\r1,5;2\r", "csv ';'"),
            ("", "csv ','"),
            ("<!DOCTYPE html>", "the content is an HTML or XML page, not records"),
            ("PAR1\u{1}", "Parquet"),
            ("ARROW1\0\0", "Arrow"),
            ("Obj\u{1}", "Avro"),
            ("ORC\n", "the content is ORC, which is not supported"),
            ("a\0b\0", "the content is UTF-16 without a byte order mark"),
            ("\0\u{1}\0\0", "the content is neither text nor a known compression"),
        ] {
            check("stdin", head, expected);
        }
        check("a.csv", "id;price (EUR, net);name\n1;10;Anna\n2;20;Bert\n", "csv ';'");
        check("a.csv", "id;name;amount\r1;Anna;1,5\r2;Bert;2,5\r", "csv ';'");
        check("a.csv", "a;b,c\n", "csv ','");
        check("a.csv", "a,b\n1,x;y\n2,z;u\n", "csv ','");
        check("a.csv", "{\"id\":1,\"a\":\"x, y\"}\n{\"id\":2}\n", "jsonl");
        check("a.csv", "\"{\"\"id\"\":1}\",b\n", "csv ','");
        check("a.jsonl", "{\"dbload_reject\":1}", "rejects");
        check("a.json", "{\"a\":1}\n\n{\"a\":2}", "jsonl");
        check("a.json", "{\"a\":1}\n{\"a\":", "json");
        check("a.json", "{\"a\":1}", "json");
        check("a.json", "{\n\"a\":1}\n{\"a\":2}\n", "json");
        check("a.json", "[{\"a\":1},\n{\"a\":2}]\n", "json");
    }

    #[test]
    fn compressions() {
        assert_eq!(Compression::by_name("a.csv.GZ"), Some((Compression::Gzip, "a.csv")));
        assert_eq!(Compression::by_name("a.csv"), None);
        assert_eq!(Compression::by_name("é"), None);
        assert_eq!(Compression::by_magic(&[0x1f, 0x8b, 8, 0]), Compression::Gzip);
        assert_eq!(Compression::by_magic(b"BZ"), Compression::None);
    }

    #[test]
    fn json_as_it_is_published_is_told_by_its_beginning() {
        let bulk = "{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\n";
        for name in ["a", "a.json", "a.jsonl"] {
            check(name, bulk, "bulk");
        }
        check("a.csv", bulk, "jsonl");
        for name in ["a", "a.json"] {
            check(name, r#"{"t":[1,2],"v":["a","b"]}"#, "json by columns");
        }
        check("a.json", r#"{"t":[1,2],"v":["a"]}"#, "json");
        check("a.jsonl", r#"{"t":[1,2],"v":["a","b"]}"#, "jsonl");
        check("a.jsonl", r#"{"a":1}{"a":2}"#, "json");
        check("a.jsonl", "{\n \"a\":1\n}\n{\"a\":2}", "json");
        check("a.jsonl", "{\"a\":1}\n{\"a\":2}\n", "jsonl");
        check("a.jsonl", "{\"a\":1} x\n{\"a\":2}\n", "jsonl");
    }
}

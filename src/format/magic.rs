//! What the first bytes say that is no text: named before anything is guessed from text, whatever the name of
//! the source says.

use super::{ColumnFile, Compression};

/// Why a source has no format that dbload knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// An HTML page, often a login or error page saved as data.
    #[error("the content is an HTML or XML page, not records")]
    Markup,
    /// Known binary formats by name.
    #[error("the content is {0}, which is not supported")]
    Binary(&'static str),
    /// A database in a file.
    #[error("the content is an SQLite database")]
    Sqlite,
    /// Files in one: of a file that is named so they are sources.
    #[error("the content is a tar archive")]
    Tar,
    /// A compression within the one that was taken off.
    #[error("the content is compressed once more ({0:?})")]
    CompressedTwice(Compression),
    /// UTF-16 that does not say so.
    #[error("the content is UTF-16 without a byte order mark")]
    Utf16 {
        /// Its first bytes are the low ones.
        little_endian: bool,
    },
    /// UTF-32, with its mark.
    #[error("the content is UTF-32, which is not supported")]
    Utf32,
    /// Statements, of a dump for instance.
    #[error("the content is SQL, not records")]
    Sql,
    /// Neither text nor compressed.
    #[error("the content is neither text nor a known compression")]
    NotText,
}

impl DetectError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Markup => {
                "look at the first lines: was a login or error page saved as data? XML of records: --format xml --records //NAME"
            }
            Self::Binary(_) => "export it as CSV or JSON lines first",
            Self::Sqlite => {
                "as a file of this machine, not compressed, its tables are sources: sqlite://FILE?table=NAME"
            }
            Self::Tar => {
                "its files are sources, once it is a file: FILE.tar#NAME is one of them, FILE.tar#* all"
            }
            Self::CompressedTwice(_) => "decompress it once, and pipe it in: zcat FILE | dbload - --table T",
            Self::Utf16 { little_endian: true } => "say so: --encoding utf-16le",
            Self::Utf16 { little_endian: false } => "say so: --encoding utf-16be",
            Self::Utf32 => "pipe it in as UTF-8: iconv -f UTF-32 -t UTF-8 FILE | dbload - --table T",
            Self::Sql => {
                "psql -f FILE runs it; one block of rows in it is read with --format copy --skip-lines N --columns A,B, up to its `\\.`"
            }
            Self::NotText => {
                "if it is text in another encoding, say which, as in --encoding windows-1252; else say --format"
            }
        }
    }
}

/// Bytes of the longest mark of an encoding that a source can have which begins so.
#[must_use]
pub const fn mark_bytes(head: &[u8]) -> usize {
    if matches!(head, [0xff, 0xfe, ..]) { 4 } else { 3 }
}

/// Whether a source has the mark of UTF-32.
#[must_use]
pub fn is_utf_32(head: &[u8]) -> bool {
    UTF_32.iter().any(|mark| head.starts_with(mark))
}

/// How a database of SQLite begins.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// How formats begin that are no text.
const MAGIC: [(&[u8], &str); 9] = [
    (b"ORC\n", "ORC"),
    (b"ORC\x08", "ORC"),
    (b"%PDF-", "a PDF"),
    (b"PGDMP", "a dump of pg_dump (pg_restore reads it)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x89PNG\r\n", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x89HDF\r\n", "HDF5"),
];

/// How files of columns begin.
const COLUMNS: [(&[u8], ColumnFile); 7] = [
    (b"PAR1", ColumnFile::Parquet),
    (b"PARE", ColumnFile::Parquet),
    (b"ARROW1", ColumnFile::Arrow),
    // A stream: what goes on, and the length of what its schema takes.
    (b"\xff\xff\xff\xff", ColumnFile::Arrow),
    (b"Obj\x01", ColumnFile::Avro),
    // Workbooks, and whatever else lies in an archive or a document of an older Office.
    (b"PK\x03\x04", ColumnFile::Sheet),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ColumnFile::Sheet),
];

/// Whether the first bytes are those of a file of columns.
pub(super) fn columns(head: &[u8]) -> Option<ColumnFile> {
    COLUMNS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, file)| *file)
}

/// How pages for people begin, whatever letters they have.
const MARKUP: [&[u8]; 3] = [b"<!doctype html", b"<html", b"<?xml"];

/// Whether it is a page for people rather than any other markup.
pub(super) fn is_page(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let start: Vec<u8> = text.iter().take(1024).map(u8::to_ascii_lowercase).collect();
    [b"<!doctype html".as_slice(), b"<html"].iter().any(|page| memchr::memmem::find(&start, page).is_some())
}

/// How statements begin, whatever letters they have.
const SQL: [&[u8]; 4] =
    [b"insert into ", b"create table ", b"-- postgresql database dump", b"--\n-- postgresql database dump"];

/// The marks of UTF-32, of which one begins like that of UTF-16.
const UTF_32: [&[u8]; 2] = [b"\xff\xfe\0\0", b"\0\0\xfe\xff"];

/// Where a tar archive says that it is one.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// What the first bytes are, if that is no text. `head`: behind what was decompressed.
pub(super) fn no_text(head: &[u8]) -> Option<DetectError> {
    if let Some((_, name)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(DetectError::Binary(name));
    }
    if head.starts_with(SQLITE) {
        return Some(DetectError::Sqlite);
    }
    if head.get(TAR.0..).is_some_and(|behind| behind.starts_with(TAR.1)) {
        return Some(DetectError::Tar);
    }
    if is_utf_32(head) {
        return Some(DetectError::Utf32);
    }
    match Compression::by_magic(head) {
        Compression::None => {}
        compression => return Some(DetectError::CompressedTwice(compression)),
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |with: &&[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if MARKUP.iter().any(begins) {
        return Some(DetectError::Markup);
    }
    if SQL.iter().any(begins) || is_copy(text) {
        return Some(DetectError::Sql);
    }
    utf16(head)
}

/// `COPY t (a, b) FROM stdin;`
fn is_copy(text: &[u8]) -> bool {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().to_ascii_lowercase();
    line.starts_with(b"copy ") && line.trim_ascii_end().ends_with(b" from stdin;")
}

/// UTF-16 of a script that is mostly Latin has NULs in every other place, and in no other.
fn utf16(head: &[u8]) -> Option<DetectError> {
    const LOOKED_AT: usize = 1024;
    let head = &head[..head.len().min(LOOKED_AT) & !1];
    if !has_nul(head) {
        return None;
    }
    let nuls = |from: usize| head.iter().skip(from).step_by(2).filter(|&&byte| byte == 0).count();
    let many = (head.len() * 3 / 8).max(2);
    match (nuls(0), nuls(1)) {
        (0, high) if high >= many => Some(DetectError::Utf16 { little_endian: true }),
        (high, 0) if high >= many => Some(DetectError::Utf16 { little_endian: false }),
        _ => None,
    }
}

/// Binaries have NULs nearly always; text never.
pub(super) fn has_nul(head: &[u8]) -> bool {
    head.iter().take(1024).any(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_named() {
        let mut tar = vec![b'a'; 512];
        tar[TAR.0..TAR.0 + 5].copy_from_slice(TAR.1);
        let utf16: Vec<u8> = "id,n\u{e4}me\n1,x\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf16be: Vec<u8> = "id,name\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let cases: [(&[u8], Option<DetectError>); 16] = [
            (b"SQLite format 3\0\x10\0", Some(DetectError::Sqlite)),
            (b"%PDF-1.7", Some(DetectError::Binary("a PDF"))),
            (&tar, Some(DetectError::Tar)),
            (b"\x1f\x8b\x08\0", Some(DetectError::CompressedTwice(Compression::Gzip))),
            (&utf16, Some(DetectError::Utf16 { little_endian: true })),
            (&utf16be, Some(DetectError::Utf16 { little_endian: false })),
            (b"\n <HTML>", Some(DetectError::Markup)),
            (b"\xff\xfe\0\0i\0\0\0", Some(DetectError::Utf32)),
            (b"COPY public.t (id, a) FROM stdin;\n1\tx\n", Some(DetectError::Sql)),
            (b"--\n-- PostgreSQL database dump\n--\n", Some(DetectError::Sql)),
            (b"copy from,stdin\n1,2\n", None),
            (b"create table,n\n", None),
            (b"id,name\n1,a\0b\n", None),
            (b"ORCHID,n\n", None),
            (b"BZ,n\n", None),
            (b"", None),
        ];
        for (head, expected) in cases {
            assert_eq!(no_text(head), expected, "{}", head.escape_ascii());
        }
    }
}

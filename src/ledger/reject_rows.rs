//! Rejects on their way into the ledger, in the form of COPY: committed with their batch, so that none is
//! lost or doubled.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::pg::{DbError, Session};
use crate::reject::{Kept, Original, Reject};

/// Rejects go to the ledger in pieces of this many bytes: an original may have megabytes, which are not held
/// twice.
const PIECE_BYTES: usize = 64 * 1024;

/// Writes rejects of a run, in the transaction of their batch.
pub async fn store_rejects<'r>(
    session: &Session,
    run: &str,
    rejects: impl Iterator<Item = &'r Reject>,
) -> Result<(), DbError> {
    const COPY: &str = "COPY _dbload.reject (run, source, record, line, byte_offset, column_name, sqlstate, \
                        constraint_name, reason, is_text, original, raw, raw_bytes) FROM STDIN";
    let chunks = rejects.flat_map(|reject| {
        let (before, mut original, after) = match &reject.original.kept {
            Kept::Record(record) => ("", OriginalPart::Text(record), "\t\\N\t\\N\n"),
            Kept::Raw(raw) => ("\\N\t", OriginalPart::Text(raw), "\t\\N\n"),
            // The hex form of bytea, its backslash escaped.
            Kept::Bytes(bytes) => ("\\N\t\\N\t\\\\x", OriginalPart::Bytes(bytes), "\n"),
            Kept::NotKept => ("\\N\t\\N\t\\N", OriginalPart::Text(""), "\n"),
        };
        let mut row = head_of_row(run, reject) + before;
        original.push_piece(&mut row);
        let rest = std::iter::from_fn(move || {
            let mut piece = String::new();
            original.push_piece(&mut piece).then(|| Bytes::from(piece))
        });
        std::iter::once(Bytes::from(row))
            .chain(rest)
            .chain(std::iter::once(Bytes::from_static(after.as_bytes())))
    });
    session.copy_in(COPY, chunks).await.map(|_| ())
}

/// A row of the ledger up to the original, in the form of COPY.
fn head_of_row(run: &str, reject: &Reject) -> String {
    let at = &reject.place;
    let mut row = format!("{run}\t{}\t{}\t{}\t{}", at.source, at.record, at.line, at.offset);
    let (column, constraint) = (reject.column.as_ref(), reject.constraint.as_ref());
    for value in [column, Some(&reject.sqlstate), constraint, Some(&reject.reason)] {
        row.push('\t');
        match value {
            None => row.push_str("\\N"),
            Some(text) => push_escaped(&mut row, text),
        }
    }
    row.push_str(if reject.original.is_text() { "\tt\t" } else { "\tf\t" });
    row
}

/// What is left to send of an original.
enum OriginalPart<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl OriginalPart<'_> {
    /// Takes the next piece, if there is one.
    fn push_piece(&mut self, out: &mut String) -> bool {
        match self {
            Self::Text("") | Self::Bytes([]) => return false,
            Self::Text(text) => {
                let (now, rest) = text.split_at(text.floor_char_boundary(PIECE_BYTES));
                push_escaped(out, now);
                *text = rest;
            }
            Self::Bytes(bytes) => {
                let (now, rest) = bytes.split_at(bytes.len().min(PIECE_BYTES));
                for byte in now {
                    let _ = write!(out, "{byte:02x}");
                }
                *bytes = rest;
            }
        }
        true
    }
}

fn push_escaped(line: &mut String, text: &str) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            // Text of PostgreSQL holds no NUL: an original with one is kept as bytes.
            0 => "\u{fffd}",
            _ => continue,
        };
        line.push_str(&text[from..at]);
        line.push_str(escape);
        from = at + 1;
    }
    line.push_str(&text[from..]);
}

/// The same in ASCII: a record as JSON that means the same, other originals as their bytes, words with
/// escapes.
#[must_use]
pub fn in_ascii(reject: &Reject) -> Reject {
    let words = |text: &String| {
        text.chars().fold(String::new(), |mut out, c| {
            if c.is_ascii() {
                out.push(c)
            } else {
                out.extend(c.escape_unicode())
            }
            out
        })
    };
    let kept = match &reject.original.kept {
        Kept::Record(record) => Kept::Record(json_in_ascii(record)),
        Kept::Raw(raw) if !raw.is_ascii() => Kept::Bytes(raw.as_bytes().to_vec()),
        other => other.clone(),
    };
    let original = Original { kept, ..reject.original.clone() };
    Reject {
        column: reject.column.as_ref().map(words),
        constraint: reject.constraint.as_ref().map(words),
        reason: words(&reject.reason),
        original,
        ..reject.clone()
    }
}

/// JSON has characters beyond ASCII in its strings only, where each has an escape.
fn json_in_ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

//! Bytes that are no record's: a byte order mark before the first, white space of JSON between them, and the
//! separator of JSON text sequences (RFC 7464).

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Bytes of a byte order mark at the start of a stream, or `None` if more bytes must come to tell.
pub(super) fn bom_length(offset: u64, buf: &[u8], last: bool) -> Option<usize> {
    if offset > 0 || !buf.starts_with(&BOM[..BOM.len().min(buf.len())]) {
        return Some(0);
    }
    if buf.len() >= BOM.len() {
        return Some(BOM.len());
    }
    if last { Some(0) } else { None }
}

/// Stands before each text of a sequence; no JSON text has it outside of strings, nor within.
const RECORD_SEPARATOR: u8 = 0x1e;

/// White space of JSON, or the separator of a sequence.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | RECORD_SEPARATOR)
}

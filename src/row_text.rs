//! The values of a row of another database, as fields of a line in the text format of COPY.
//!
//! What stands for NULL, what ends a line or a field, and the digits of bytes: which value is written how is
//! the business of the rooms that read databases.

/// NULL.
pub(crate) const NULL: &[u8] = b"\\N";

/// Appends a text, escaped.
pub(crate) fn push_escaped(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(at) = text.iter().position(|byte| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t')) {
        out.extend_from_slice(&text[..at]);
        let letter = match text[at] {
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            other => other,
        };
        out.extend_from_slice(&[b'\\', letter]);
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

/// Appends bytes as a `bytea` is written.
pub(crate) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b"\\\\x");
    push_digits(out, bytes);
}

/// Appends two hexadecimal digits for each byte.
pub(crate) fn push_digits(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(
        bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_field_is_escaped_and_bytes_are_digits() {
        let mut out = Vec::new();
        push_escaped(&mut out, b"a\tb\\N\r\n");
        push_hex(&mut out, &[0, 255]);
        assert_eq!(out, b"a\\tb\\\\N\\r\\n\\\\x00ff");
    }
}

//! Text in other encodings than UTF-8, decoded as it streams by. Says by which encoding a source is read: its
//! byte order mark, else what the user said, else UTF-8, which goes through untouched.
//!
//! Never replaces a character: where bytes are none in their encoding, a byte goes out that no UTF-8 has, so
//! that the decoder rejects that one record and names the place. Places behind it are those of the decoded
//! stream.

use encoding_rs::{Decoder, DecoderResult, Encoding as Table};

/// Stands for bytes that are no character: never part of UTF-8.
const INVALID: u8 = 0xff;

/// Decoded bytes that one call makes room for, at least: a character and what may be pending before it.
const ROOM_BYTES: usize = 64;

/// An encoding that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    table: &'static Table,
    /// Many say it who do not mean it: its first character that is not ASCII tells whether it is UTF-8.
    is_unsure: bool,
}

/// A name that is no encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no encoding that dbload knows; some are utf-16le, windows-1252, iso-8859-15, shift_jis, gb18030"
)]
pub struct UnknownEncoding(pub String);

impl Encoding {
    /// By one of the names in the Encoding Standard (`latin1`, `cp1252`, `sjis`, ..). `None` is UTF-8.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn named(name: &str) -> Result<Option<Self>, UnknownEncoding> {
        match Table::for_label_no_replacement(name.as_bytes()) {
            None => Err(UnknownEncoding(name.to_owned())),
            Some(table) if table == encoding_rs::UTF_8 => Ok(None),
            Some(table) => Ok(Some(Self::of_table(table))),
        }
    }

    /// By the first bytes of a source: a byte order mark tells more than a flag.
    #[must_use]
    pub fn of(head: &[u8], said: Option<Self>) -> Option<Self> {
        match Table::for_bom(head) {
            Some((table, _)) => (table != encoding_rs::UTF_8).then_some(Self::of_table(table)),
            None => said,
        }
    }

    /// As a content type says it: `text/csv; charset=ISO-8859-1`. What is no name of an encoding says
    /// nothing.
    ///
    /// ISO-8859-1 is what servlets and some file servers say of any text, whatever is in it. Two of its
    /// characters in a row that make one of UTF-8 are as good as never meant, so the content tells.
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
        let charset = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset")).last()?.1;
        let charset = charset.trim().trim_matches(['"', '\'']);
        let said = Self::named(charset).ok()??;
        let is_default = ["iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "us-ascii", "ascii"];
        let is_unsure = is_default.iter().any(|name| charset.eq_ignore_ascii_case(name));
        Some(Self { is_unsure, ..said })
    }

    const fn of_table(table: &'static Table) -> Self {
        Self { table, is_unsure: false }
    }

    /// Its name in the Encoding Standard.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.table.name()
    }

    /// A decoder for a stream from its start; it takes a byte order mark away.
    #[must_use]
    pub fn decoder(self) -> TextDecoder {
        let begun = StreamDecoder(self.table.new_decoder_with_bom_removal());
        if self.is_unsure {
            TextDecoder::Unsure { held: Vec::new(), otherwise: begun }
        } else {
            TextDecoder::Sure(begun)
        }
    }
}

/// Decodes the text of one stream, piece by piece.
pub enum TextDecoder {
    /// By the encoding that was said.
    Sure(StreamDecoder),
    /// ASCII so far.
    Unsure {
        /// The beginning of a character that may be one of UTF-8.
        held: Vec<u8>,
        /// Where it is not.
        otherwise: StreamDecoder,
    },
    /// It is UTF-8, whatever was said.
    Utf8,
}

/// A decoder in the middle of its stream.
pub struct StreamDecoder(Decoder);

impl TextDecoder {
    /// Appends the text of `bytes`, the next of the stream, to `out`. `last`: none follow.
    pub fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        match self {
            Self::Sure(begun) => begun.decode(bytes, last, out),
            Self::Utf8 => out.extend_from_slice(bytes),
            Self::Unsure { held, .. } => {
                held.extend_from_slice(bytes);
                let bytes = std::mem::take(held);
                self.find_out(&bytes, last, out);
            }
        }
    }

    /// Decodes up to the first character that is not ASCII, and by what that is.
    fn find_out(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        let (ascii, rest) =
            bytes.split_at(bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(bytes.len()));
        out.extend_from_slice(ascii);
        let is_utf8 = match std::str::from_utf8(rest) {
            Ok("") => return,
            Ok(_) => true,
            Err(error) if error.valid_up_to() > 0 => true,
            // It may still become one.
            Err(error) if error.error_len().is_none() && !last => {
                if let Self::Unsure { held, .. } = self {
                    held.extend_from_slice(rest);
                }
                return;
            }
            Err(_) => false,
        };
        *self = match std::mem::replace(self, Self::Utf8) {
            Self::Unsure { otherwise, .. } if !is_utf8 => Self::Sure(otherwise),
            _ => Self::Utf8,
        };
        self.decode(rest, last, out);
    }
}

impl StreamDecoder {
    fn decode(&mut self, mut bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        loop {
            let needed = self.0.max_utf8_buffer_length_without_replacement(bytes.len());
            let start = out.len();
            out.resize(start + needed.unwrap_or(bytes.len()).max(ROOM_BYTES), 0);
            let (result, read, written) =
                self.0.decode_to_utf8_without_replacement(bytes, &mut out[start..], last);
            out.truncate(start + written);
            bytes = &bytes[read..];
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => out.push(INVALID),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(name: &str, bytes: &[u8], step: usize) -> Vec<u8> {
        let mut decoder = Encoding::named(name).unwrap().unwrap().decoder();
        let mut out = Vec::new();
        for part in bytes.chunks(step.max(1)) {
            decoder.decode(part, false, &mut out);
        }
        decoder.decode(&[], true, &mut out);
        out
    }

    #[test]
    fn text_is_the_same_however_the_bytes_are_cut() {
        let utf16: Vec<u8> = "\u{feff}a,é😀\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for step in 1..9 {
            assert_eq!(decoded("utf-16le", &utf16, step), "a,é😀\n".as_bytes());
            assert_eq!(decoded("latin1", b"caf\xe9\x80", step), "café€".as_bytes());
            assert_eq!(decoded("shift_jis", b"\x93\xfa\x96\x7b", step), "日本".as_bytes());
            assert_eq!(decoded("iso-2022-jp", b"\x1b$BF|K\\\x1b(B.", step), "日本.".as_bytes());
        }
    }

    #[test]
    fn bytes_that_are_no_character_become_one_that_no_text_has() {
        assert_eq!(decoded("utf-16le", b"a\0\x00\xd8b\0", 1), b"a\xffb");
        assert_eq!(decoded("utf-16le", b"a\0b", 3), b"a\xff");
        assert_eq!(decoded("shift_jis", b"a\x81\n", 1), b"a\xff\n");
    }

    #[test]
    fn a_content_type_is_heard_and_the_default_of_servers_is_doubted() {
        let named = |text: &str| Encoding::of_content_type(text).map(Encoding::name);
        for (text, expected) in [
            ("text/csv; charset=windows-1251", Some("windows-1251")),
            ("text/csv;header=present; Charset=\"Shift_JIS\"", Some("Shift_JIS")),
            ("text/csv; charset=ISO-8859-1", Some("windows-1252")),
            ("text/csv; charset=utf-8", None),
            ("text/csv; charset=UTF8", None),
            ("text/csv; charset=x-what", None),
            ("text/csv", None),
        ] {
            assert_eq!(named(text), expected, "{text}");
        }
        let decoded = |content_type: &str, bytes: &[u8], step: usize| {
            let mut decoder = Encoding::of_content_type(content_type).unwrap().decoder();
            let mut out = Vec::new();
            for part in bytes.chunks(step) {
                decoder.decode(part, false, &mut out);
            }
            decoder.decode(&[], true, &mut out);
            String::from_utf8(out).unwrap()
        };
        let latin = "text/csv; charset=ISO-8859-1";
        for step in 1..12 {
            assert_eq!(decoded(latin, b"id\ncaf\xe9,\xfc\xe4\n", step), "id\ncafé,üä\n");
            assert_eq!(
                decoded(latin, "id\ncafé,日本,\u{1f600}\n".as_bytes(), step),
                "id\ncafé,日本,\u{1f600}\n"
            );
            assert_eq!(decoded(latin, b"plain\n", step), "plain\n");
            // The beginning of a character of UTF-8 at the very end is none.
            assert_eq!(decoded(latin, b"x\xe9", step), "xé");
            // Who says something unusual means it.
            assert_eq!(decoded("text/csv; charset=windows-1252", "é".as_bytes(), step), "Ã©");
        }
    }

    #[test]
    fn a_byte_order_mark_tells_more_than_a_name() {
        let latin = Encoding::named("windows-1252").unwrap();
        assert_eq!(Encoding::of(b"\xff\xfea\0", None).map(Encoding::name), Some("UTF-16LE"));
        assert_eq!(Encoding::of(b"\xfe\xff\0a", latin).map(Encoding::name), Some("UTF-16BE"));
        assert_eq!(Encoding::of(b"\xef\xbb\xbfa", latin), None);
        assert_eq!(Encoding::of(b"abc", latin), latin);
        assert_eq!((Encoding::of(b"abc", None), Encoding::named("UTF8")), (None, Ok(None)));
        assert!(Encoding::named("ebcdic").is_err() && Encoding::named("replacement").is_err());
    }
}

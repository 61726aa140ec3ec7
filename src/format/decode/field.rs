//! A field as it stands in its record, and what keeps text from being fields.

use super::DecodeErrorKind;

/// How a field stands in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Quoting {
    None,
    Quoted,
    /// With quotes in it, which are doubled.
    Doubled,
    /// Not quoted, with escapes in it.
    Escaped,
    /// Quoted, with escapes (and perhaps doubled quotes) in it.
    QuotedEscaped,
}

impl Quoting {
    /// It is the text of the field as it stands.
    pub(super) const fn is_plain(self) -> bool {
        matches!(self, Self::None | Self::Quoted)
    }

    pub(in crate::format) const fn has_quotes(self) -> bool {
        matches!(self, Self::Quoted | Self::Doubled | Self::QuotedEscaped)
    }
}

/// Why a record cannot be cut, and where in it.
pub(super) type Misfit = (DecodeErrorKind, usize);

/// What is wrong where a quoted field does not end with its quote. A record always ends outside of quotes,
/// unless the splitter were to say otherwise.
pub(super) fn behind_quote(raw: &[u8], end: usize) -> Misfit {
    if end < raw.len() {
        let lines = memchr::memchr_iter(b'\n', raw).count() + 1;
        (DecodeErrorKind::TextBehindQuote { lines }, end)
    } else {
        (DecodeErrorKind::NotOneRecord, 0)
    }
}

pub(super) fn stray_line_end(byte: u8) -> DecodeErrorKind {
    DecodeErrorKind::StrayLineEnd(if byte == b'\r' { "carriage return" } else { "line feed" })
}

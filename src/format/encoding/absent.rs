//! Encodings, in a build without the feature `encodings`: a byte order mark of UTF-16 is known, so that the
//! source can be refused by it.

/// Never part of UTF-8.
const INVALID: u8 = 0xff;

/// An encoding that is not UTF-8, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding(&'static str);

/// A name that is not UTF-8's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not utf-8, and other encodings need the feature `encodings`, which this build of dbload lacks"
)]
pub struct UnknownEncoding(pub String);

impl Encoding {
    /// `None` is UTF-8.
    ///
    /// # Errors
    /// When it is another one.
    pub fn named(name: &str) -> Result<Option<Self>, UnknownEncoding> {
        let is_utf8 = ["utf-8", "utf8"].iter().any(|label| name.trim().eq_ignore_ascii_case(label));
        if is_utf8 { Ok(None) } else { Err(UnknownEncoding(name.to_owned())) }
    }

    /// By the first bytes of a source.
    #[must_use]
    pub fn of(head: &[u8], said: Option<Self>) -> Option<Self> {
        match head {
            [0xef, 0xbb, 0xbf, ..] => None,
            [0xff, 0xfe, ..] => Some(Self("UTF-16LE")),
            [0xfe, 0xff, ..] => Some(Self("UTF-16BE")),
            _ => said,
        }
    }

    /// No content type is heard in this build.
    #[must_use]
    pub const fn of_content_type(_content_type: &str) -> Option<Self> {
        None
    }

    /// Its name in the Encoding Standard.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Stands for a decoder.
    #[must_use]
    pub const fn decoder(self) -> TextDecoder {
        TextDecoder(())
    }
}

/// A decoder that cannot be made in this build.
pub struct TextDecoder(());

impl TextDecoder {
    /// Bytes are no characters: none of them counts as text.
    pub fn decode(&mut self, bytes: &[u8], _last: bool, out: &mut Vec<u8>) {
        out.extend(bytes.iter().map(|_| INVALID));
    }
}

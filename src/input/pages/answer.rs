//! What an answer is, whoever has sent it: an empty list by another name, and the digest of its records.

use xxhash_rust::xxh3::Xxh3;

use crate::format::{Encoding, SplitError, SplitErrorKind};
use crate::http::Page;
use crate::record::Span;

/// A page in UTF-8: its byte order mark says what it is in, else the user, else its content type.
pub(super) fn to_utf8(page: &mut Page, said: Option<Encoding>) {
    let said = said.or_else(|| Encoding::of_content_type(page.content_type()?));
    if let Some(encoding) = Encoding::of(&page.bytes, said) {
        let mut text = Vec::with_capacity(page.bytes.len());
        encoding.decoder().decode(&page.bytes, true, &mut text);
        page.bytes = text.into();
    }
}

/// Whether null stands where the list of records should.
pub(super) fn is_null(error: &SplitError) -> bool {
    matches!(
        &error.kind,
        SplitErrorKind::PathNotRecords { expected: "an array of records", found: "null", .. }
    )
}

/// The text of the last record.
pub(super) fn last_of<'b>(bytes: &'b [u8], spans: &[Span]) -> Option<&'b str> {
    let last = spans.last()?;
    std::str::from_utf8(bytes.get(last.start as usize..last.end as usize)?).ok()
}

/// Of the records alone: what stands around them, such as the time of the answer, does not make another page.
pub(super) fn digest_of(bytes: &[u8], spans: &[Span]) -> u64 {
    let mut digest = Xxh3::new();
    for span in spans {
        digest.update(&bytes[span.start as usize..span.end as usize]);
        digest.update(b"\n");
    }
    digest.digest()
}

//! The records of a block as they are decoded: whole, and as text; and who takes their fields.

use super::error::{DecodeError, DecodeErrorKind};
use crate::format::Fields;
use crate::record::{SpanKind, Text};

/// Receives the fields of the `i`th record of a block.
pub type Each<'e> = dyn FnMut(usize, Result<Fields<'_, '_>, DecodeError>) + 'e;

/// The bytes of a record, if they are the whole of it.
pub(super) fn whole(records: &Text, i: usize) -> Result<&[u8], DecodeError> {
    let raw = records.raw(i);
    match records.spans[i].kind {
        SpanKind::Whole | SpanKind::Made { .. } => Ok(raw),
        SpanKind::TooLong { record_bytes } => Err(DecodeErrorKind::TooLong { record_bytes }.at(raw, 0)),
        SpanKind::Truncated => {
            let lines = memchr::memchr_iter(b'\n', raw).count() + 1;
            Err(DecodeErrorKind::Truncated { lines }.at(raw, 0))
        }
        SpanKind::Missing => Err(DecodeErrorKind::Missing.at(raw, 0)),
        SpanKind::Ragged { expected, found } => {
            let (expected, found) = (expected as usize, found as usize);
            Err(DecodeErrorKind::Ragged { expected, found }.at(raw, 0))
        }
    }
}

/// A block's records as text. Mostly all of it is text, and then no record is looked at by itself.
pub(super) struct BlockText<'b> {
    records: &'b Text,
    text: Option<&'b str>,
}

impl<'b> BlockText<'b> {
    pub(super) fn new(records: &'b Text) -> Self {
        Self { records, text: std::str::from_utf8(&records.bytes).ok() }
    }

    pub(super) fn of(&self, i: usize) -> Result<&'b str, DecodeError> {
        let span = &self.records.spans[i];
        match self.text.and_then(|text| text.get(span.start as usize..span.end as usize)) {
            Some(text) => Ok(text),
            None => text_of(self.records.raw(i)),
        }
    }
}

/// A record as text.
pub(super) fn text_of(raw: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(raw).map_err(|error| DecodeErrorKind::InvalidUtf8.at(raw, error.valid_up_to()))
}

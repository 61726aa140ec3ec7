//! A run of records of one source, and what may be asked about each of them.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;

use super::place::{PageToken, Position};
use super::text::{Span, SpanKind, Text};

/// A run of records of one source, in source order.
#[derive(Debug, Clone)]
pub struct Block {
    /// Ordinal of the source.
    pub source: u32,
    /// Resume point before the first record.
    pub start: Position,
    /// The resume point at the end of this block (behind trailing blank lines too).
    pub end: Position,
    /// Running number of the first record in this process, over all sources: unique and ascending.
    pub first_seq: u64,
    /// How a resume finds its places again, where a position alone does not tell: of a source from the
    /// network.
    pub page: Option<PageToken>,
    /// The records. Read by who reads, cuts and decodes alone.
    pub content: Content,
}

/// What a block holds. An arm for columns belongs here: the methods of [`Block`] answer for it, decoding is
/// `format`'s, and nobody else looks inside.
#[derive(Debug, Clone)]
pub enum Content {
    /// Bytes as they stand in the source.
    Text(Text),
}

/// What is to become of the row of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It is there afterwards, with these values.
    Upsert,
}

impl Block {
    /// What the place of one record takes.
    pub const PLACE_BYTES: usize = size_of::<Span>();

    /// A block of text that is not numbered yet.
    #[must_use]
    pub const fn of_text(start: Position, end: Position, text: Text) -> Self {
        let source = start.source;
        Self { source, start, end, first_seq: 0, page: None, content: Content::Text(text) }
    }

    /// The number of records in the block.
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.spans.len(),
        }
    }

    /// It has no records.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the block takes in memory: with very short records the spans weigh more than the bytes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.bytes.len() + text.spans.capacity() * size_of::<Span>(),
        }
    }

    /// All its bytes, as they stand in the source: a handle to them keeps them in memory, and counted.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        match &self.content {
            Content::Text(text) => &text.bytes,
        }
    }

    /// The bytes of the `i`th record, as they stand in the source.
    #[must_use]
    pub fn raw(&self, i: usize) -> &[u8] {
        match &self.content {
            Content::Text(text) => text.raw(i),
        }
    }

    /// What the `i`th record takes of the block's memory.
    #[must_use]
    pub fn record_bytes(&self, i: usize) -> usize {
        match &self.content {
            Content::Text(text) => (text.spans[i].end - text.spans[i].start) as usize,
        }
    }

    /// Whether all of the `i`th record is there.
    #[must_use]
    pub fn kind(&self, i: usize) -> SpanKind {
        match &self.content {
            Content::Text(text) => text.spans[i].kind,
        }
    }

    /// What is to become of the row of the `i`th record.
    #[must_use]
    pub const fn operation(&self, _i: usize) -> Operation {
        match &self.content {
            // Text says nothing of it.
            Content::Text(_) => Operation::Upsert,
        }
    }

    /// The line (1-based, in the source) on which the `i`th record begins.
    #[must_use]
    pub fn line_of(&self, i: usize) -> u64 {
        match &self.content {
            Content::Text(text) => text.spans[i].line,
        }
    }

    /// The `i`th record has no line end within.
    #[must_use]
    pub fn is_on_one_line(&self, i: usize) -> bool {
        match &self.content {
            Content::Text(text) => text.spans[i].line == text.spans[i].end_line,
        }
    }

    /// Bytes of the decoded stream before the `i`th record.
    #[must_use]
    pub fn offset_of(&self, i: usize) -> u64 {
        match &self.content {
            Content::Text(text) => text.offset_of(i),
        }
    }

    /// The resume point behind the `i`th record.
    #[must_use]
    pub fn after(&self, i: usize) -> Position {
        match &self.content {
            Content::Text(text) => Position {
                source: self.source,
                offset: text.spans[i].end_offset,
                record: self.start.record + i as u64 + 1,
                line: text.spans[i].end_line,
            },
        }
    }

    /// A block of the `i`th record alone. Its places are not those of the whole.
    #[must_use]
    pub fn alone(&self, i: usize) -> Self {
        let content = match &self.content {
            Content::Text(text) => Content::Text(text.alone(i)),
        };
        Self { content, page: None, ..*self }
    }

    /// A block of its first records, so many at most; no byte is copied.
    #[must_use]
    pub fn beginning(&self, records: usize) -> Self {
        let content = match &self.content {
            Content::Text(text) => {
                let spans = text.spans[..records.min(text.spans.len())].to_vec();
                Content::Text(Text { bytes: text.bytes.clone(), spans })
            }
        };
        Self { content, page: None, ..*self }
    }

    /// Leaves out the first `records`, which were dealt with.
    pub fn pass_over(&mut self, records: usize) {
        let Some(last) = records.min(self.len()).checked_sub(1) else { return };
        self.start = self.after(last);
        match &mut self.content {
            Content::Text(text) => drop(text.spans.drain(..=last)),
        }
    }

    /// Leaves out the records behind a place.
    pub fn cut_off(&mut self, until: Position) {
        if self.end <= until {
            return;
        }
        let kept = (0..self.len()).take_while(|&i| self.after(i).offset <= until.offset).count();
        match &mut self.content {
            Content::Text(text) => text.spans.truncate(kept),
        }
        self.end = until.max(self.start);
    }

    /// The guard is dropped when nobody holds the content any more.
    pub fn hold(&mut self, guard: Arc<dyn Any + Send + Sync>) {
        match &mut self.content {
            Content::Text(text) => text.hold(guard),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(records: u32) -> Block {
        let span = |i: u32| Span {
            start: i * 10,
            end: i * 10 + 9,
            line: u64::from(i) + 1,
            end_line: u64::from(i) + 1,
            end_offset: u64::from(i) * 10 + 9,
            kind: SpanKind::Whole,
        };
        let bytes = Bytes::from(vec![b'x'; records as usize * 10]);
        let text = Text { bytes, spans: (0..records).map(span).collect() };
        let end = Position {
            offset: u64::from(records) * 10,
            record: u64::from(records),
            line: u64::from(records) + 1,
            ..Position::start_of(2)
        };
        Block::of_text(Position::start_of(2), end, text)
    }

    #[test]
    fn records_that_were_dealt_with_are_passed_over_and_the_others_keep_their_places() {
        let whole = block(4);
        for passed in 0..=4_usize {
            let mut rest = whole.clone();
            rest.pass_over(passed);
            assert_eq!(rest.len(), 4 - passed);
            assert_eq!(rest.end, whole.end);
            let start = passed.checked_sub(1).map_or(whole.start, |last| whole.after(last));
            assert_eq!(rest.start, start);
            for i in 0..rest.len() {
                assert_eq!(rest.after(i), whole.after(i + passed));
                assert_eq!(rest.line_of(i), whole.line_of(i + passed));
            }
        }
    }

    #[test]
    fn what_lies_behind_a_place_is_left_out() {
        let whole = block(4);
        for kept in 0..4_usize {
            let until = kept.checked_sub(1).map_or(whole.start, |last| whole.after(last));
            let mut first = whole.clone();
            first.cut_off(until);
            assert_eq!((first.len(), first.start, first.end), (kept, whole.start, until));
        }
        let mut all = whole.clone();
        all.cut_off(whole.end);
        assert_eq!((all.len(), all.end), (4, whole.end));
    }

    #[test]
    fn a_record_alone_is_the_same_record() {
        let whole = block(3);
        let alone = whole.alone(1);
        assert_eq!((alone.len(), alone.raw(0), alone.line_of(0)), (1, whole.raw(1), 2));
        assert_eq!(alone.offset_of(0), whole.offset_of(1));
        let beginning = whole.beginning(2);
        assert_eq!((beginning.len(), beginning.raw(1), whole.beginning(9).len()), (2, whole.raw(1), 3));
    }
}

//! A run of records of one source, and what may be asked about each of them.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;

use super::columns::Columns;
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

/// What a block holds. The methods of [`Block`] answer for it, decoding is `format`'s, and nobody else looks
/// inside.
#[derive(Debug, Clone)]
pub enum Content {
    /// Bytes as they stand in the source.
    Text(Text),
    /// Rows of columns, of which no bytes stand in the source.
    Columns(Columns),
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

    /// A block of rows that are not numbered yet. A place in them is the number of a row, an offset too.
    #[must_use]
    pub const fn of_columns(source: u32, columns: Columns) -> Self {
        let (start, end) = (row_place(source, columns.row(0)), row_place(source, columns.row(columns.count)));
        Self { source, start, end, first_seq: 0, page: None, content: Content::Columns(columns) }
    }

    /// The number of records in the block.
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.spans.len(),
            Content::Columns(columns) => columns.count,
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
            Content::Columns(columns) => columns.batch_bytes,
        }
    }

    /// All its bytes, as they stand in the source (of columns none): a handle to them keeps its content in
    /// memory, and counted.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        match &self.content {
            Content::Text(text) => &text.bytes,
            Content::Columns(columns) => columns.bytes(),
        }
    }

    /// What its content takes in memory.
    #[must_use]
    pub const fn content_bytes(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.bytes.len(),
            Content::Columns(columns) => columns.batch_bytes,
        }
    }

    /// Whether any value needs an escape in COPY text, where that is known of all of them.
    #[must_use]
    pub const fn is_verbatim(&self) -> Option<bool> {
        match &self.content {
            Content::Text(_) => None,
            Content::Columns(columns) => Some(columns.is_verbatim),
        }
    }

    /// The bytes of the `i`th record, as they stand in the source.
    #[must_use]
    pub fn raw(&self, i: usize) -> &[u8] {
        match &self.content {
            Content::Text(text) => text.raw(i),
            Content::Columns(_) => &[],
        }
    }

    /// What the `i`th record takes of the block's memory.
    #[must_use]
    pub fn record_bytes(&self, i: usize) -> usize {
        match &self.content {
            Content::Text(text) => (text.spans[i].end - text.spans[i].start) as usize,
            Content::Columns(columns) => columns.row_bytes(),
        }
    }

    /// Whether all of the `i`th record is there.
    #[must_use]
    pub fn kind(&self, i: usize) -> SpanKind {
        match &self.content {
            Content::Text(text) => text.spans[i].kind,
            Content::Columns(_) => SpanKind::Whole,
        }
    }

    /// What is to become of the row of the `i`th record.
    #[must_use]
    pub const fn operation(&self, _i: usize) -> Operation {
        match &self.content {
            // Neither says anything of it.
            Content::Text(_) | Content::Columns(_) => Operation::Upsert,
        }
    }

    /// The line (1-based, in the source) on which the `i`th record begins; of columns, the number of its row.
    #[must_use]
    pub fn line_of(&self, i: usize) -> u64 {
        match &self.content {
            Content::Text(text) => text.spans[i].line,
            Content::Columns(columns) => columns.row(i) + 1,
        }
    }

    /// The `i`th record has no line end within.
    #[must_use]
    pub fn is_on_one_line(&self, i: usize) -> bool {
        match &self.content {
            Content::Text(text) => text.spans[i].line == text.spans[i].end_line,
            Content::Columns(_) => true,
        }
    }

    /// Bytes of the decoded stream before the `i`th record.
    #[must_use]
    pub fn offset_of(&self, i: usize) -> u64 {
        match &self.content {
            Content::Text(text) => text.offset_of(i),
            Content::Columns(columns) => columns.row(i),
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
            Content::Columns(columns) => row_place(self.source, columns.row(i + 1)),
        }
    }

    /// A block of the `i`th record alone. Its places are not those of the whole.
    #[must_use]
    pub fn alone(&self, i: usize) -> Self {
        let content = match &self.content {
            Content::Text(text) => Content::Text(text.alone(i)),
            Content::Columns(columns) => Content::Columns(columns.alone(i)),
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
            Content::Columns(columns) => Content::Columns(columns.beginning(records)),
        };
        Self { content, page: None, ..*self }
    }

    /// Leaves out the first `records`, which were dealt with.
    pub fn pass_over(&mut self, records: usize) {
        let Some(last) = records.min(self.len()).checked_sub(1) else { return };
        self.start = self.after(last);
        match &mut self.content {
            Content::Text(text) => drop(text.spans.drain(..=last)),
            Content::Columns(columns) => columns.pass_over(last + 1),
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
            Content::Columns(columns) => columns.count = kept,
        }
        self.end = until.max(self.start);
    }

    /// The guard is dropped when nobody holds the content any more.
    pub fn hold(&mut self, guard: Arc<dyn Any + Send + Sync>) {
        match &mut self.content {
            Content::Text(text) => text.hold(guard),
            Content::Columns(columns) => columns.hold(guard),
        }
    }
}

/// The place before a row, by its number from 0 on.
const fn row_place(source: u32, row: u64) -> Position {
    Position { source, offset: row, record: row, line: row + 1 }
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
    fn rows_of_columns_have_their_numbers_as_places_however_they_are_cut() {
        let columns = Columns::new(Arc::new(()), 5, 100, 50, true);
        let whole = Block::of_columns(2, columns);
        assert_eq!((whole.len(), whole.start.record, whole.end.offset), (5, 100, 105));
        assert_eq!((whole.line_of(4), whole.offset_of(4), whole.after(4)), (105, 104, whole.end));
        let mut rest = whole.clone();
        rest.pass_over(2);
        assert_eq!((rest.len(), rest.start, rest.end), (3, whole.after(1), whole.end));
        assert_eq!((rest.line_of(0), rest.alone(1).line_of(0)), (103, 104));
        rest.cut_off(whole.after(3));
        assert_eq!((rest.len(), rest.end, rest.record_bytes(0)), (2, whole.after(3), 10));
        assert_eq!((whole.beginning(9).len(), whole.beginning(2).len()), (5, 2));
        let guard = Arc::new(());
        rest.hold(Arc::<()>::clone(&guard));
        let handle = rest.bytes().clone();
        drop(rest);
        assert_eq!((Arc::strong_count(&guard), handle.len()), (2, 0));
        drop(handle);
        assert_eq!(Arc::strong_count(&guard), 1);
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

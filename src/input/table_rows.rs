//! The rows of a table of a database, in blocks.
//!
//! A position counts the bytes of the rows as COPY writes them, and the rows. Rows come in the order of the
//! table's key, so a place in them is a key, and the ledger keeps that beside each checkpoint with a digest
//! of the rows. A resume sees a later state of the table. It reads the rows between the earliest and the
//! latest checkpoint twice: first to see whether they are what they were. If so, each partition goes on
//! exactly where it was; if not, they are applied once more, at places behind all checkpoints.

use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::begin::Begin;
use super::blocks::{BLOCK_BYTES, ReaderOptions};
use super::error::SourceError;
use super::spec::SourceSpec;
use super::stream::RawProgress;
use super::tables::{KeyText, RowsBetween, TableError, TableReader, value_of};
use crate::record::{Block, Digest, PageToken, Position, Span, SpanKind, Text};

/// What a checkpoint in a block says of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RowsToken {
    /// The key of the last row before the block; none: it is the first one.
    behind: Option<KeyText>,
    /// Where the block begins: offset, record, line.
    start: (u64, u64, u64),
    /// The sum of the digests of all rows before it, in hexadecimal.
    before: String,
    /// The key of its last row; nothing, where there is no key.
    last: KeyText,
    /// Its rows.
    rows: u64,
    /// The sum of the digests of all rows up to its end, in hexadecimal.
    after: String,
}

/// How a table is opened as a source.
pub(super) struct TableOpening {
    pub(super) spec: SourceSpec,
    pub(super) reader: Box<dyn TableReader>,
    pub(super) reading: ReaderOptions,
    pub(super) progress: RawProgress,
}

/// The rows of a table, from a place on.
pub(super) struct TableRows {
    spec: SourceSpec,
    reader: Box<dyn TableReader>,
    reading: ReaderOptions,
    header: Vec<String>,
    progress: RawProgress,
    /// Rows that were not handed out yet, whole and begun.
    text: BytesMut,
    /// So much of them was looked through for line ends.
    scanned: usize,
    /// The beginning of the last of them.
    row: usize,
    spans: Vec<Span>,
    /// Where the first of them begins, and where the next one does.
    start: Position,
    at: Position,
    /// The sums of the digests there.
    before: u64,
    after: u64,
    /// The key of the last row that was handed out.
    behind: Option<KeyText>,
    /// Rows up to this one were dealt with before, and are passed over.
    resumed_record: u64,
    is_over: bool,
    failed: Option<SourceError>,
    note: Option<String>,
}

/// Why a table of this name is not read (on).
pub(super) fn failed(name: &str, error: TableError) -> SourceError {
    SourceError::Table { name: name.to_owned(), source: error.source, hint: error.hint }
}

impl TableRows {
    /// Reads on from a resume point.
    ///
    /// # Errors
    /// When the database gives no rows, or nothing tells where to go on.
    pub(super) async fn new(opening: TableOpening, begin: &Begin) -> Result<Self, SourceError> {
        let TableOpening { spec, reader, reading, progress } = opening;
        let header = reader.columns().iter().map(|(name, _)| name.clone()).collect();
        let start = Position::start_of(begin.at.source);
        let mut rows = Self {
            spec,
            reader,
            reading,
            header,
            progress,
            text: BytesMut::new(),
            scanned: 0,
            row: 0,
            spans: Vec::new(),
            start,
            at: start,
            before: 0,
            after: 0,
            behind: None,
            resumed_record: begin.at.record,
            is_over: false,
            failed: None,
            note: None,
        };
        // A partition that has stored nothing stands at the first row, and others may be further on.
        if begin.at.record > 0 || !begin.pages.is_empty() {
            rows.resume(begin).await?;
        }
        rows.begin(None).await?;
        Ok(rows)
    }

    async fn begin(&mut self, up_to: Option<KeyText>) -> Result<(), SourceError> {
        let range = RowsBetween { behind: self.behind.clone(), up_to };
        self.reader.begin(range).await.map_err(|error| failed(&self.spec.name, error))
    }

    /// Finds the place of a resume again.
    async fn resume(&mut self, begin: &Begin) -> Result<(), SourceError> {
        let read = |(at, token): &(Position, PageToken)| Some((*at, serde_json::from_str(token).ok()?));
        let mut tokens: Vec<(Position, RowsToken)> = begin.pages.iter().filter_map(read).collect();
        tokens.sort_by_key(|(at, _)| *at);
        let first = tokens.first().filter(|(at, _)| *at <= begin.at).map(|(_, token)| token.clone());
        let without_key = || SourceError::NoKey { name: self.spec.name.clone() };
        let (latest, last) =
            tokens.pop().filter(|(_, token)| !token.last.is_empty()).ok_or_else(without_key)?;
        let sum = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
        let (behind, begins, before) = match first {
            Some(first) => {
                let (offset, record, line) = first.start;
                let begins = Position { source: begin.at.source, offset, record, line };
                (first.behind, begins, sum(&first.before))
            }
            None if begin.at.record == 0 => (None, Position::start_of(begin.at.source), 0),
            None => return Err(without_key()),
        };
        self.behind = behind;
        self.begin(Some(last.last)).await?;
        let (rows, digests) = self.sum_up().await?;
        let is_same = last.start.1 + last.rows == begins.record + rows
            && sum(&last.after) == before.wrapping_add(digests);
        if is_same {
            (self.start, self.at) = (begins, begins);
            (self.before, self.after) = (before, before);
            return Ok(());
        }
        (self.start, self.at, self.resumed_record) = (latest, latest, latest.record);
        self.note = Some(format!(
            "rows of {} that were read before are not what they were: they are applied again from the place where this load \
             stopped",
            self.spec.name
        ));
        Ok(())
    }

    /// The number of the rows that were begun to be read, and the sum of their digests.
    async fn sum_up(&mut self) -> Result<(u64, u64), SourceError> {
        let (mut rows, mut digests, mut text) = (0, 0_u64, BytesMut::new());
        while let Some(more) = self.reader.next().await.map_err(|error| failed(&self.spec.name, error))? {
            text.extend_from_slice(&more);
            while let Some(end) = memchr::memchr(b'\n', &text) {
                digests = digests.wrapping_add(xxh3_64(&text[..end]));
                rows += 1;
                let _ = text.split_to(end + 1);
            }
        }
        Ok((rows, digests))
    }

    /// The next block. Cancelling loses nothing: what has come waits here.
    pub(super) async fn next(&mut self) -> Result<Option<(Block, Digest)>, SourceError> {
        loop {
            while !self.is_over && self.failed.is_none() && self.row < BLOCK_BYTES {
                match self.reader.next().await {
                    Ok(Some(rows)) => self.take(&rows),
                    Ok(None) => self.is_over = true,
                    Err(error) => self.failed = Some(failed(&self.spec.name, error)),
                }
            }
            if !self.spans.is_empty() {
                let (mut block, digest) = self.cut();
                let again = self.resumed_record.saturating_sub(block.start.record);
                block.pass_over(usize::try_from(again).unwrap_or(usize::MAX));
                if block.is_empty() {
                    continue;
                }
                return Ok(Some((block, digest)));
            }
            return match self.failed.take() {
                Some(error) => Err(error),
                None => Ok(None),
            };
        }
    }

    /// Takes what came, and finds the rows in it.
    fn take(&mut self, rows: &[u8]) {
        self.text.extend_from_slice(rows);
        while let Some(end) = memchr::memchr(b'\n', &self.text[self.scanned..]) {
            let end = self.scanned + end;
            let bytes = (end - self.row) as u64;
            self.after = self.after.wrapping_add(xxh3_64(&self.text[self.row..end]));
            self.at.offset += bytes + 1;
            let limit = self.reading.limits.record_bytes;
            let (shown, kind) = match end - self.row > limit {
                true => (self.row + limit, SpanKind::TooLong { record_bytes: bytes }),
                false => (end, SpanKind::Whole),
            };
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            self.spans.push(Span {
                start: place(self.row),
                end: place(shown),
                line: self.at.line,
                end_line: self.at.line,
                end_offset: self.at.offset,
                kind,
            });
            self.at.record += 1;
            self.at.line += 1;
            self.row = end + 1;
            self.scanned = end + 1;
        }
        self.scanned = self.text.len();
    }

    /// Makes a block of the whole rows.
    fn cut(&mut self) -> (Block, Digest) {
        let bytes = self.text.split_to(self.row).freeze();
        self.scanned -= self.row;
        self.row = 0;
        let spans = std::mem::take(&mut self.spans);
        let (start, end) = (self.start, self.at);
        let last = spans.last().map(|span| &bytes[span.start as usize..span.end as usize]);
        let last = last.and_then(|row| self.key_of(row));
        let hash = xxh3_64(&bytes);
        let rows = spans.len() as u64;
        let mut block = Block::of_text(start, end, Text { bytes, spans });
        // Without a key it says no more than that something of these rows is stored.
        let token = RowsToken {
            behind: self.behind.clone(),
            start: (start.offset, start.record, start.line),
            before: format!("{:016x}", self.before),
            last: last.clone().unwrap_or_default(),
            rows,
            after: format!("{:016x}", self.after),
        };
        block.page = serde_json::to_string(&token).ok().map(PageToken::from);
        self.behind = last.or(self.behind.take());
        self.start = end;
        self.before = self.after;
        self.progress.fetch_max(end.offset, std::sync::atomic::Ordering::Relaxed);
        (block, Digest { from: start.offset, to: end.offset, hash })
    }

    /// The values of the key in a row; none: there is no key.
    fn key_of(&self, row: &[u8]) -> Option<KeyText> {
        let key = self.reader.key();
        if key.is_empty() {
            return None;
        }
        let fields: Vec<&[u8]> = row.split(|byte| *byte == b'\t').collect();
        key.iter().map(|place| value_of(fields.get(*place)?)).collect()
    }

    /// How it is read.
    #[must_use]
    pub(super) const fn reading(&self) -> &ReaderOptions {
        &self.reading
    }

    /// Names of the columns.
    #[must_use]
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// Names and types of the columns.
    pub(super) fn types(&self) -> Vec<(String, String)> {
        self.reader.columns().iter().filter(|(_, type_name)| !type_name.is_empty()).cloned().collect()
    }

    /// What is worth saying about a resume.
    pub(super) const fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }
}

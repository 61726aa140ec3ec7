//! The records of one source, in blocks: the only thing the rest of the program sees of it.
//!
//! Reads a block's worth of bytes, lets the splitter find the records, and hands both on without copying more
//! than the record that the cut went through. Reads from a resume point as from the start, and at the end
//! looks whether the file is still the one that was recorded.

use bytes::{Bytes, BytesMut};

use super::aborted::{self, Aborted};
use super::envelope::{Around, ListInside, Said, beside, list_inside};
use super::error::SourceError;
use super::shape::Shape;
use super::stream::Stream;
use crate::format::{Format, Header, HeaderLimits, Limits, SplitError, Splitter, Unnest};
use crate::record::{Block, Digest, Position, Span, SpanKind, Text};

/// Bytes that are read for one block: some thousand records, so that handing a block on costs nothing beside
/// decoding it, and small enough to keep dozens in memory.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// Most bytes by which the buffer grows at once for a record that is longer than a block.
const GROWTH_BYTES: usize = 4 * 1024 * 1024;

/// How a source is read.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// Ordinal of the source in the run's list.
    pub source: u32,
    /// The format that records are split by.
    pub format: Format,
    /// What its records are held to.
    pub limits: Limits,
    /// What its header is held to.
    pub header: HeaderLimits,
    /// Bytes read for one block: [`BLOCK_BYTES`].
    pub block_bytes: usize,
    /// Names of the values of rows in JSON, or where they are, as the user said it.
    pub columns: Option<Vec<String>>,
    /// Where the records are in those that it has.
    pub unnest: Option<Unnest>,
}

/// The blocks of one source from a resume point on.
pub struct Blocks {
    stream: Stream,
    reading: ReaderOptions,
    splitter: Splitter,
    header: Vec<String>,
    /// What is worth saying of how it is read.
    notes: Vec<String>,
    /// Records up to this one were dealt with before and are passed over.
    resumed_record: u64,
    done: bool,
    /// What stands around the records, of a JSON answer.
    around: Option<Around>,
    /// The answer is one object, which was taken for a record.
    alone: Option<ListInside>,
    /// What makes records of its pieces, where those are none.
    shape: Option<Shape>,
    /// Records beyond the pieces that they were made of, or short of them.
    grown: i64,
    /// The answer ends with an exception in the place of its last records.
    aborted: Option<Aborted>,
}

impl Blocks {
    /// Reads `stream`, which was just opened, on from `at`. `at`: the start of the source, or a resume point
    /// of an earlier reading.
    ///
    /// # Errors
    /// When it cannot be read, has no usable header, or is a pipe and `at` not its start.
    pub async fn new(mut stream: Stream, reading: ReaderOptions, at: Position) -> Result<Self, SourceError> {
        let at = Position { source: reading.source, ..at };
        let Header { names: header, fixed, end: records } = read_names(&mut stream, &reading).await?;
        let notes = fixed_words(&stream.spec().name, &fixed).into_iter().collect();
        let shape = Shape::of(&reading.format, reading.columns.as_deref(), reading.unnest.as_ref());
        let mut start = records.max(at);
        if at.offset > records.offset {
            let needs_start = shape.as_ref().is_some_and(Shape::needs_start);
            let from_the_start = reading.format.resumes_from_start() || needs_start;
            if !from_the_start || stream.origin().is_some() {
                // There it is known whether a body is what it was.
                stream.go_to(at.offset).await?;
            }
            if from_the_start {
                // Only what stands before tells which brackets are open; a text that is broken there would be
                // read on as something else than it was the first time. Finding records again costs little
                // beside loading them.
                stream.reopen_at(0).await?;
                start = Position::start_of(reading.source);
            }
        } else if records.offset > stream.offset() {
            let bytes = usize::try_from(records.offset - stream.offset()).unwrap_or(usize::MAX);
            stream.take(bytes);
        }
        let splitter = Splitter::new(&reading.format, reading.limits, start).of_one_field(header.len() == 1);
        let around = (reading.format.is_json() && stream.origin().is_some()).then(Around::default);
        let (resumed_record, done, alone, aborted) = (at.record, false, None, None);
        Ok(Self {
            stream,
            reading,
            splitter,
            header,
            notes,
            resumed_record,
            done,
            around,
            alone,
            shape,
            grown: 0,
            aborted,
        })
    }

    /// The next block with records; `None` behind the last. `next_seq` is the number of its first record and
    /// is moved on. Cancelling loses nothing: what was read is kept for the next call.
    ///
    /// # Errors
    /// When the source cannot be read, its records cannot be found, or it was changed meanwhile. What was
    /// handed out before stands.
    pub async fn next(&mut self, next_seq: &mut u64) -> Result<Option<Block>, SourceError> {
        while !self.done {
            let start = self.splitter.position();
            let mut spans = Vec::new();
            self.look_for_exception().await?;
            let buffer = &self.stream.buffer;
            let (offered, last) = match &self.aborted {
                Some(aborted) => (&buffer[..aborted.at], true),
                None => (&buffer[..], self.stream.at_end()),
            };
            let consumed = match self.splitter.split(offered, last, &mut spans) {
                Ok(consumed) => consumed,
                Err(source) => return Err(Box::pin(self.instead_of(source)).await),
            };
            let bytes = self.stream.take(consumed);
            if let Some(aborted) = &mut self.aborted {
                aborted.at -= consumed;
            }
            if let Some(said) = self.listen(&bytes, &spans) {
                // Boxed, as it is rare.
                Box::pin(self.say(said)).await?;
            }
            self.stream.unchanged()?;
            if let Some(block) = self.block(start, bytes, spans, next_seq)? {
                return Ok(Some(block));
            }
            if consumed == 0
                && let Some(Aborted { words, .. }) = self.aborted.clone()
            {
                Box::pin(self.say(Said { words, instead: true })).await?;
            }
            if !self.stream.at_end() {
                let held = self.stream.buffer.len();
                let more = held.min(GROWTH_BYTES).max(self.reading.block_bytes);
                self.stream.fill(held + more).await?;
            } else if consumed == 0 {
                self.stream.ended()?;
                self.stream.verify().await?;
                let around = self.around.take().unwrap_or_default();
                if let Some(said) = around.said() {
                    Box::pin(self.say(said)).await?;
                }
                let records = self.splitter.position().record;
                match &self.alone {
                    Some(list) => self.stream.expect_all(&list.text, list.records, Some(&list.member))?,
                    None => self.stream.expect_all(&around.envelope(), records, None)?,
                }
                self.done = true;
            }
        }
        Ok(None)
    }

    /// Looks whether an answer ends with an exception: of lines nothing else tells that they are not whole.
    async fn look_for_exception(&mut self) -> Result<(), SourceError> {
        if self.aborted.is_some() || self.stream.origin().is_none() {
            return Ok(());
        }
        // What a document is alone is heard as a whole.
        let is_whole = |found: &Aborted| found.at == 0 && self.stream.offset() == 0;
        let counts = |found: &Aborted| {
            !found.words.starts_with('{') || !self.reading.format.is_document() || !is_whole(found)
        };
        let Some(found) = aborted::find(&self.stream.buffer).filter(counts) else { return Ok(()) };
        while !self.stream.at_end() && self.stream.buffer.len() - found.at <= aborted::LENGTH_MAX {
            let held = self.stream.buffer.len();
            self.stream.fill(held + aborted::LENGTH_MAX).await?;
        }
        if self.stream.at_end() && self.stream.buffer.len() - found.at <= aborted::LENGTH_MAX {
            self.aborted = Some(found);
        }
        Ok(())
    }

    /// Passes on what stands around records. An answer that is a single object may be an error as a whole.
    fn listen(&mut self, bytes: &[u8], spans: &[Span]) -> Option<Said> {
        let around = self.around.as_mut()?;
        around.pass(bytes, spans);
        let ends = self.stream.at_end() && self.stream.buffer.trim_ascii().is_empty();
        match spans {
            [only] if ends && around.is_blank() && around.records() == 1 => {
                let document = &bytes[only.start as usize..only.end as usize];
                self.alone = list_inside(document);
                Around::said_by(document)
            }
            _ => None,
        }
    }

    /// Says what an answer has said: beside its records it is a note, instead of them a failure.
    async fn say(&mut self, said: Said) -> Result<(), SourceError> {
        let Some(origin) = self.stream.origin() else { return Ok(()) };
        let name = self.stream.spec().name.clone();
        let words = origin.client.redacted(&said.words, &origin.request).await;
        if said.instead {
            return Err(SourceError::Said { name, words });
        }
        origin.client.note(beside(&name, &words));
        Ok(())
    }

    /// What is wrong with an answer that has no records where they should be: what it says, if it says
    /// anything.
    async fn instead_of(&mut self, source: SplitError) -> SourceError {
        let name = self.stream.spec().name.clone();
        if let (Some(around), Some(origin)) = (&self.around, self.stream.origin()) {
            let exception = || self.aborted.as_ref().map(|aborted| aborted.words.clone());
            if let Some(words) = around.words_before(&self.stream.buffer).or_else(exception) {
                let words = origin.client.redacted(&words, &origin.request).await;
                return SourceError::Said { name, words };
            }
        }
        SourceError::Split { name, source }
    }

    /// Makes a block of what the splitter found, if that is anything.
    fn block(
        &mut self,
        start: Position,
        bytes: BytesMut,
        mut spans: Vec<Span>,
        next_seq: &mut u64,
    ) -> Result<Option<Block>, SourceError> {
        let bytes = match self.splitter.take_head() {
            Some(head) => with_head(&bytes, &head, &mut spans),
            None => bytes.freeze(),
        };
        // Kept until the last batch with a record of this block has committed.
        spans.shrink_to_fit();
        let mut text = Text { bytes, spans };
        let pieces = text.spans.len();
        let start = self.counted(start);
        let again = self.resumed_record.saturating_sub(start.record);
        let again = usize::try_from(again).unwrap_or(usize::MAX);
        let mut names = 0;
        if let Some(shape) = &mut self.shape {
            let shaped = shape.apply(&mut text, false);
            let failed = |reason| SourceError::Rows { name: self.stream.spec().name.clone(), reason };
            names = usize::from(shaped.map_err(failed)?);
            if shape.unnests() {
                text.spans.drain(..std::mem::take(&mut names));
                shape.unnest(&mut text);
            }
        }
        let count = |records: usize| i64::try_from(records).unwrap_or(i64::MAX);
        self.grown += count(text.spans.len()) - count(pieces);
        let mut block = Block::of_text(start, self.position(), text);
        block.pass_over(again.max(names));
        if block.is_empty() {
            return Ok(None);
        }
        block.first_seq = *next_seq;
        *next_seq += block.len() as u64;
        block.page = self.stream.token();
        Ok(Some(block))
    }

    /// Names of the columns, for delimiter-separated values.
    #[must_use]
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Keeps what is worth saying of how it is read.
    pub(super) fn note(&mut self, note: Option<String>) {
        self.notes.extend(note);
    }

    /// What is worth saying of how it is read.
    pub(super) fn take_note(&mut self) -> Option<String> {
        let notes = std::mem::take(&mut self.notes);
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    /// The source that the blocks are read from.
    #[must_use]
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// How it is read.
    #[must_use]
    pub const fn reading(&self) -> &ReaderOptions {
        &self.reading
    }

    /// The resume point behind all blocks so far.
    #[must_use]
    pub fn position(&self) -> Position {
        self.counted(self.splitter.position())
    }

    /// A place by the number of its record, where the splitter has counted pieces.
    const fn counted(&self, at: Position) -> Position {
        Position { record: at.record.saturating_add_signed(self.grown), ..at }
    }

    /// The digest of the decoded bytes that went into blocks (or between them): from the start of the source,
    /// wherever this reading began, but for a body that a range was asked of.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.stream.digest()
    }
}

/// The header, if the format has one, and where the records begin.
async fn read_names(stream: &mut Stream, reading: &ReaderOptions) -> Result<Header, SourceError> {
    loop {
        let bytes = &stream.buffer;
        let header = reading
            .format
            .read_header(reading.source, bytes, stream.at_end(), &reading.header)
            .map_err(|source| SourceError::Header { name: stream.spec().name.clone(), source })?;
        if let Some(header) = header {
            return Ok(header);
        }
        stream.fill(stream.buffer.len() + reading.block_bytes).await?;
    }
}

/// What was done about the names of a header, in a line.
pub(super) fn fixed_words(name: &str, fixed: &[String]) -> Option<String> {
    /// Changes that are named: a hostile header has thousands.
    const SHOWN: usize = 5;
    let shown = fixed.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match fixed.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!(" and {more} more"),
        _ => String::new(),
    };
    (!fixed.is_empty()).then(|| format!("the header of {name} is fixed: {shown}{more}"))
}

/// Puts the head of a record that was too long behind the bytes, where its empty span can show it.
pub(super) fn with_head(bytes: &[u8], head: &[u8], spans: &mut [Span]) -> Bytes {
    let mut all = BytesMut::with_capacity(bytes.len() + head.len());
    all.extend_from_slice(bytes);
    let start = all.len();
    all.extend_from_slice(head);
    let empty =
        spans.iter_mut().find(|span| matches!(span.kind, SpanKind::TooLong { .. }) && span.start == span.end);
    if let (Some(span), Ok(from), Ok(to)) = (empty, u32::try_from(start), u32::try_from(all.len())) {
        (span.start, span.end) = (from, to);
    }
    all.freeze()
}

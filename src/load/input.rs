//! A source of a run: how it is opened, at any of its resume points, the same way every time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};

use crate::format::{Format, HeaderLimits, Limits};
use crate::job::{self, FormatName};
use crate::ledger::StoredSource;
use crate::map::Target;
use crate::record::{Block, Digest, Position};
use crate::source::{
    BLOCK_BYTES, Blocks, Fingerprint, Location, RawProgress, Reading, SourceError, SourceSpec, Stream,
};

/// A source of a run.
#[derive(Debug, Clone)]
pub struct Input {
    /// Name for people.
    pub name: String,
    /// Where it is, and what it was like when it was recorded.
    pub description: Description,
    /// Where this entry begins.
    pub begin: Position,
    /// Where it failed for good.
    pub set_aside: Option<Position>,
    /// Its rest is another entry.
    pub moved_to: Option<u32>,
    /// How far it was read, as stored.
    pub progress: RawProgress,
}

/// What the ledger keeps of a source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// Where it is.
    pub spec: SourceSpec,
    /// What it was like; none for a pipe.
    pub fingerprint: Option<Fingerprint>,
}

/// Format, header and targets of an opened source: what its records are decoded by.
#[derive(Debug)]
pub struct SourceFacts {
    /// The format.
    pub format: Format,
    /// Names of positional fields.
    pub header: Vec<String>,
    /// Where they go.
    pub targets: Vec<Target>,
}

impl Input {
    /// A source as it is now.
    pub async fn new(spec: SourceSpec, ordinal: usize) -> Result<Self, SourceError> {
        let fingerprint = match &spec.location {
            Location::File(path) => Some(
                Fingerprint::of(path)
                    .await
                    .map_err(|source| SourceError::Open { name: spec.name.clone(), source })?,
            ),
            _ => None,
        };
        Ok(Self {
            name: spec.name.clone(),
            description: Description { spec, fingerprint },
            begin: Position::start_of(u32::try_from(ordinal).unwrap_or(u32::MAX)),
            set_aside: None,
            moved_to: None,
            progress: Arc::new(AtomicU64::new(0)),
        })
    }

    /// Takes the fingerprint of a source that failed again, if the file is what it was as far as it went: a download that
    /// was cut off is fetched once more, and is longer then.
    pub async fn record_anew(&mut self) {
        let (Location::File(path), Some(print)) =
            (&self.description.spec.location, &self.description.fingerprint)
        else {
            return;
        };
        if let Ok(change) = print.compare(path).await
            && change.keeps_recorded_part()
            && let Ok(now) = Fingerprint::of(path).await
        {
            self.description.fingerprint = Some(now);
        }
    }

    /// As the ledger stores it.
    #[must_use]
    pub fn store(&self) -> StoredSource {
        let place = |at: Position| (at.offset, at.record, at.line);
        let starts = self.begin.offset == 0 && self.begin.record == 0;
        StoredSource {
            name: self.name.clone(),
            description: serde_json::to_value(&self.description).unwrap_or_default(),
            begin_at: (!starts).then(|| place(self.begin)),
            set_aside: self.set_aside.map(place),
            moved_to: self.moved_to,
        }
    }

    /// As the ledger has it; `None`: not in a form that this dbload knows.
    #[must_use]
    pub fn read(stored: &StoredSource, ordinal: usize) -> Option<Self> {
        let source = u32::try_from(ordinal).ok()?;
        let place = |(offset, record, line)| Position { source, offset, record, line };
        Some(Self {
            name: stored.name.clone(),
            description: serde_json::from_value(stored.description.clone()).ok()?,
            begin: stored.begin_at.map_or(Position::start_of(source), place),
            set_aside: stored.set_aside.map(place),
            moved_to: stored.moved_to,
            progress: Arc::new(AtomicU64::new(0)),
        })
    }

    /// Size as stored, where known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.description.fingerprint.as_ref().map(|print| print.size)
    }

    /// Opens it at a resume point.
    pub async fn open(&self, reading: &job::Reading, at: Position) -> Result<Opened, SourceError> {
        let stream = Stream::open(
            self.description.spec.clone(),
            reading.compression,
            self.description.fingerprint.clone(),
            Arc::clone(&self.progress),
        )
        .await?;
        let mut stream = stream.held_to(reading.inflation).in_encoding(reading.encoding).await?;
        let format = format_of(&mut stream, reading).await?;
        let limits =
            reading.record_bytes.map_or_else(Limits::default, |record_bytes| Limits { record_bytes });
        let mut header = HeaderLimits {
            fields: reading.decode.fields,
            on_nul: reading.decode.on_nul,
            ..HeaderLimits::default()
        };
        header.bytes = reading.header_bytes.unwrap_or(header.bytes);
        let reading = Reading { source: at.source, format, limits, header, block_bytes: BLOCK_BYTES };
        let blocks = Blocks::new(stream, reading, at).await?;
        Ok(Opened { blocks, peeked: VecDeque::new(), skip: 0 })
    }
}

/// The format: as the user said, else by name and content, with the user's dialect.
async fn format_of(stream: &mut Stream, reading: &job::Reading) -> Result<Format, SourceError> {
    let mut format = match (reading.format, &reading.records) {
        (Some(FormatName::Jsonl), _) => Format::Jsonl,
        (Some(FormatName::Json), _) | (None, Some(_)) => Format::Json { records: None },
        (Some(FormatName::Csv), _) => Format::Csv(crate::format::Dialect::delimited_by(b',')),
        (Some(FormatName::Tsv), _) => Format::Csv(crate::format::Dialect::delimited_by(b'\t')),
        (None, None) => stream.detect().await?.format,
    };
    match &mut format {
        Format::Csv(dialect) => {
            dialect.delimiter = reading.delimiter.unwrap_or(dialect.delimiter);
            dialect.quote = reading.quote.unwrap_or(dialect.quote);
            dialect.columns.clone_from(&reading.columns);
            dialect.null_as.clone_from(&reading.null_as);
        }
        Format::Json { records } => records.clone_from(&reading.records),
        Format::Jsonl | Format::Rejects => {}
    }
    Ok(format)
}

/// A source that is being read.
pub struct Opened {
    blocks: Blocks,
    peeked: VecDeque<(Block, Digest)>,
    /// Records still to be passed over (`--skip-records`).
    skip: u64,
}

impl Opened {
    /// Passes over so many records at its beginning.
    pub const fn skip(&mut self, records: u64) {
        self.skip = records;
    }

    /// Format and names of its fields.
    #[must_use]
    pub fn format(&self) -> (&Format, &[String]) {
        (&self.blocks.reading().format, self.blocks.header())
    }

    /// Reads a block ahead without taking it.
    pub async fn peek(&mut self) -> Result<Option<&Block>, SourceError> {
        let mut seq = 0;
        match self.blocks.next(&mut seq).await? {
            Some(block) => {
                let digest = self.blocks.digest();
                self.peeked.push_back((block, digest));
                Ok(self.peeked.back().map(|(block, _)| block))
            }
            None => Ok(None),
        }
    }

    /// The next block; its records are numbered from `seq` on.
    pub async fn next(&mut self, seq: &mut u64) -> Result<Option<(Block, Digest)>, SourceError> {
        loop {
            let (mut block, digest) = match self.peeked.pop_front() {
                Some(peeked) => peeked,
                None => {
                    let mut ignored = 0;
                    match self.blocks.next(&mut ignored).await? {
                        Some(block) => {
                            let digest = self.blocks.digest();
                            (block, digest)
                        }
                        None => return Ok(None),
                    }
                }
            };
            let records = block.spans.len() as u64;
            let passed = self.skip.min(records);
            self.skip -= passed;
            if passed > 0 {
                pass_over(&mut block, usize::try_from(passed).unwrap_or(usize::MAX));
            }
            if !block.spans.is_empty() {
                block.first_seq = *seq;
                *seq += block.spans.len() as u64;
                return Ok(Some((block, digest)));
            }
        }
    }

    /// The resume point behind everything handed out.
    #[must_use]
    pub fn position(&self) -> Position {
        self.blocks.position()
    }
}

fn pass_over(block: &mut Block, records: usize) {
    if let Some(last) = block.spans.drain(..records).next_back() {
        block.start.offset = last.end_offset;
        block.start.line = last.end_line;
        block.start.record += records as u64;
    }
}

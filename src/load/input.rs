//! A source of a run: how it is opened, at any of its resume points, the same way every time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::format::{Constant, Detected, Format, HeaderLimits, Layout, Limits};
use crate::http::{Client, Paginate};
use crate::job::{self, FormatName};
use crate::ledger::{Checkpoint, Place, StoredSource};
use crate::record::{PageToken, Position};
use crate::source::{
    BLOCK_BYTES, Blocks, Fingerprint, Location, Opening, Pages, Passed, RawProgress, Reading, Records,
    SourceError, SourceSpec, Stream,
};

use super::opened::{Opened, Origin};

/// A source of a run.
#[derive(Debug, Clone)]
pub struct Input {
    /// Name for people.
    pub name: String,
    /// Where it is, and what it was like when it was recorded.
    pub description: Description,
    /// Where this entry begins.
    pub begin: Position,
    /// How that is found again in a source from the network.
    pub begin_page: Option<PageToken>,
    /// Where it failed for good.
    pub set_aside: Option<Place>,
    /// Its rest is another entry.
    pub moved_to: Option<u32>,
    /// How far it was read, as stored.
    pub progress: RawProgress,
    /// What a resume has read of it to look whether it is what it was.
    pub passed: Vec<Passed>,
    /// Whether it is whole, once that was looked for.
    pub whole: Arc<OnceLock<bool>>,
    /// The digest of all that is stored of it, in hexadecimal, once it was read to its end.
    pub digest: Arc<OnceLock<String>>,
}

/// What the ledger keeps of a source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// Where it is.
    pub spec: SourceSpec,
    /// What it was like; none for a pipe.
    pub fingerprint: Option<Fingerprint>,
    /// Names of the fields of the sample, if it is from the network: a resume plans with them and fetches nothing for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<Vec<String>>,
}

/// What sources from the network are read with.
#[derive(Clone)]
pub struct Web {
    /// The client of this process.
    pub client: Client,
    /// How pages lead to each other; a body is a whole source otherwise.
    pub paginate: Option<Paginate>,
    /// Pages of one endpoint; more are a failure.
    pub pages_max: u64,
    /// An endpoint without a second page was spoken of: once is enough for a thousand of them.
    pub lonely_said: Arc<AtomicBool>,
}

/// Where the reading of a source begins, and what finds that again in a source from the network.
#[derive(Debug, Clone)]
pub struct Begin {
    /// The place.
    pub at: Position,
    /// Checkpoints in this source with what they say.
    pub pages: Vec<(Position, PageToken)>,
}

impl Begin {
    /// As the ledger stores it, for a source that cannot be opened.
    #[must_use]
    pub fn place(&self) -> Place {
        let page = self.pages.iter().rev().find(|(at, _)| *at <= self.at).map(|(_, page)| page.clone());
        Place::new(self.at, page)
    }

    /// Where nothing more is needed.
    #[must_use]
    pub const fn at(at: Position) -> Self {
        Self { at, pages: Vec::new() }
    }
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
            description: Description { spec, fingerprint, sampled: None },
            begin: Position::start_of(u32::try_from(ordinal).unwrap_or(u32::MAX)),
            begin_page: None,
            set_aside: None,
            moved_to: None,
            progress: Arc::new(AtomicU64::new(0)),
            passed: Vec::new(),
            whole: Arc::default(),
            digest: Arc::default(),
        })
    }

    /// Takes the fingerprint of a source that failed again. Of one that nothing was read of it does not matter what it was; any
    /// other was compared before, and may have grown: a download that was cut off is fetched once more.
    pub async fn record_anew(&mut self) {
        let (Location::File(path), Some(print)) =
            (&self.description.spec.location, &self.description.fingerprint)
        else {
            return;
        };
        let unread = self.begin.offset == 0;
        let keeps = match print.compare(path).await {
            Ok(change) => change.keeps_recorded_part(),
            Err(_) => false,
        };
        if (unread || keeps)
            && let Ok(now) = Fingerprint::of(path).await
        {
            self.description.fingerprint = Some(now);
        }
    }

    /// As the ledger stores it.
    #[must_use]
    pub fn store(&self) -> StoredSource {
        let starts = self.begin.offset == 0 && self.begin.record == 0;
        StoredSource {
            name: self.name.clone(),
            description: serde_json::to_value(&self.description).unwrap_or_default(),
            begin_at: (!starts).then(|| Place::new(self.begin, self.begin_page.clone())),
            set_aside: self.set_aside.clone(),
            moved_to: self.moved_to,
        }
    }

    /// As the ledger has it; `None`: not in a form that this dbload knows.
    #[must_use]
    pub fn read(stored: &StoredSource, ordinal: usize) -> Option<Self> {
        let source = u32::try_from(ordinal).ok()?;
        let begin = stored.begin_at.as_ref();
        Some(Self {
            name: stored.name.clone(),
            description: serde_json::from_value(stored.description.clone()).ok()?,
            begin: begin.map_or(Position::start_of(source), |begin| begin.position(source)),
            begin_page: begin.and_then(|begin| begin.page.clone()),
            set_aside: stored.set_aside.clone(),
            moved_to: stored.moved_to,
            progress: Arc::new(AtomicU64::new(0)),
            passed: Vec::new(),
            whole: Arc::default(),
            digest: Arc::default(),
        })
    }

    /// It failed before a record of it was read: whatever it is next time, nothing of it is in the table.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.begin.offset == 0 && self.set_aside.as_ref().is_some_and(|place| place.offset == 0)
    }

    /// Size as stored, where known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.description.fingerprint.as_ref().map(|print| print.size)
    }

    /// It comes from the network.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        matches!(self.description.spec.location, Location::Http(_))
    }

    /// Where it ends, if its rest is an entry of its own.
    #[must_use]
    pub fn end(&self) -> Option<Position> {
        self.moved_to.and(self.set_aside.as_ref()).map(|place| place.position(self.begin.source))
    }

    /// Where a run whose earliest checkpoint is `from` reads it from; `None`: all of it is dealt with.
    #[must_use]
    pub fn begin_from(&self, from: Position, checkpoints: &[Checkpoint]) -> Option<Begin> {
        let source = self.begin.source;
        if source < from.source {
            return None;
        }
        let at = if source == from.source { from.max(self.begin) } else { self.begin };
        if self.end().is_some_and(|end| end <= at) {
            return None;
        }
        let here = checkpoints.iter().filter(|c| !c.done && c.at.source == source && c.at > self.begin);
        let tokens = here.filter_map(|c| Some((c.at, c.page.clone()?)));
        let begin = self.begin_page.clone().map(|page| (self.begin, page));
        Some(Begin { at, pages: begin.into_iter().chain(tokens).collect() })
    }

    /// Opens it at a resume point.
    pub async fn open(
        &self,
        reading: &job::Reading,
        web: Option<&Web>,
        begin: &Begin,
    ) -> Result<Opened, SourceError> {
        // Boxed: what it takes to open any kind of source is much, and needed for a moment.
        let records = Box::pin(self.records(reading, web, begin)).await?;
        let layout = Layout {
            format: records.reading().format.clone(),
            header: records.header().to_vec(),
            constants: self.constants(),
        };
        let lonely = records.lonely();
        let mut opened = Opened::new(Origin::Here(records), layout, begin.at);
        if let (Some(lonely), Some(web)) = (lonely, web)
            && !web.lonely_said.swap(true, Ordering::Relaxed)
        {
            opened.note.get_or_insert(lonely);
        }
        Ok(opened)
    }

    fn constants(&self) -> Vec<Constant> {
        let fields = &self.description.spec.fields;
        fields.iter().map(|(name, value)| Constant::new(name.as_str(), value)).collect()
    }

    async fn records(
        &self,
        reading: &job::Reading,
        web: Option<&Web>,
        begin: &Begin,
    ) -> Result<Records, SourceError> {
        let spec = self.description.spec.clone();
        let progress = Arc::clone(&self.progress);
        let limits =
            reading.record_bytes.map_or_else(Limits::default, |record_bytes| Limits { record_bytes });
        let mut header = HeaderLimits {
            fields: reading.decode.fields,
            on_nul: reading.decode.on_nul,
            ..HeaderLimits::default()
        };
        header.bytes = reading.header_bytes.unwrap_or(header.bytes);
        let source = begin.at.source;
        let held_to = |format| Reading { source, format, limits, header, block_bytes: BLOCK_BYTES };
        let mut location = self.description.spec.location.clone();
        if let Location::Http(request) = &mut location {
            request.ordinal = u64::from(begin.at.source);
        }
        let stream = match (location, web) {
            (Location::Http(request), Some(Web { client, paginate: Some(paginate), pages_max, .. })) => {
                let from = (begin.at, begin.pages.as_slice());
                let web = (client.clone(), paginate, *pages_max);
                let opening = Opening::fetch((spec, *request), web, from, progress).await?;
                let format = format_of(reading, async { opening.detect() }).await?;
                let pages = Pages::new(opening, held_to(format), begin.at).await?;
                return Ok(Records::Pages(Box::new(pages)));
            }
            (Location::Http(request), Some(Web { client, paginate: None, .. })) => {
                let recorded: Vec<&PageToken> = begin.pages.iter().map(|(_, token)| token).collect();
                let (client, spec) = (client.clone(), (spec, *request));
                Stream::fetch(spec, reading.compression, client, &recorded, progress).await?
            }
            _ => {
                let print = self.description.fingerprint.clone();
                let recorded: Vec<&PageToken> = begin.pages.iter().map(|(_, token)| token).collect();
                let stream = Stream::open(spec, reading.compression, print, &recorded, progress).await?;
                stream.behind(self.passed.clone())
            }
        };
        let mut stream = stream.held_to(reading.inflation).in_encoding(reading.encoding).await?;
        stream.refuse_page().await?;
        let format = format_of(reading, stream.detect(reading.skip_lines.unwrap_or_default())).await?;
        if format.shows_its_end() {
            stream.end_shows();
        }
        let blocks = Blocks::new(stream, held_to(format), begin.at).await?;
        Ok(Records::Body(Box::new(blocks)))
    }
}

/// The format: as the user said, else as detected, with the user's dialect.
async fn format_of(
    reading: &job::Reading,
    detect: impl Future<Output = Result<Detected, SourceError>>,
) -> Result<Format, SourceError> {
    let mut format = match (reading.format, &reading.records) {
        (Some(FormatName::Jsonl), _) => Format::Jsonl,
        (Some(FormatName::Json), _) | (None, Some(_)) => Format::Json { records: None },
        (Some(FormatName::Csv), _) => Format::Csv(crate::format::Dialect::delimited_by(b',')),
        (Some(FormatName::Tsv), _) => Format::Csv(crate::format::Dialect::delimited_by(b'\t')),
        (None, None) => detect.await?.format,
    };
    match &mut format {
        Format::Csv(dialect) => {
            dialect.delimiter = reading.delimiter.unwrap_or(dialect.delimiter);
            dialect.quote = reading.quote.unwrap_or(dialect.quote);
            dialect.columns.clone_from(&reading.columns);
            dialect.null_as.clone_from(&reading.null_as);
            dialect.skip_lines = reading.skip_lines.unwrap_or(dialect.skip_lines);
        }
        Format::Json { records } => records.clone_from(&reading.records),
        Format::Jsonl | Format::Rejects => {}
    }
    Ok(format)
}

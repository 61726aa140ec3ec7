//! The rows of one file, in blocks.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::error::{self, ColumnsError};
use super::ranges::Ranges;
use super::sheets::{self, SheetChoice, SheetRows};
use super::slices::{slices, text_bytes};
use super::{parquet, streamed};
use crate::format::{ColumnFile, columns};
use crate::input::blocks::ReaderOptions;
use crate::input::digest::hexadecimal;
use crate::input::error::SourceError;
use crate::input::fingerprint::{Change, Fingerprint};
use crate::input::source::Class;
use crate::input::spec::{Location, SourceSpec};
use crate::input::stream::{RawProgress, Stream};
use crate::input::web::BodyChanged;
use crate::record::{Block, Columns, Digest, PageToken};

/// Batches that are decoded ahead.
const BATCHES_AHEAD: usize = 1;
/// Bytes that are handed to a decoder at once.
const PUMPED_BYTES: usize = 256 * 1024;

/// What a checkpoint in a file of Parquet says of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FooterToken {
    /// Its size.
    size: u64,
    /// The digest of its footer.
    footer: String,
}

/// What a decoder's thread says.
enum Told {
    Schema(SchemaRef),
    Batch(RecordBatch),
    /// The next batch begins at this row.
    At(u64),
    Failed(ColumnsError),
}

/// Where bytes come from that are decoded as they come.
struct Pump {
    stream: Stream,
    /// `None`: all were handed over.
    chunks: Option<mpsc::Sender<bytes::Bytes>>,
    /// Bytes since the last batch.
    unanswered: u64,
}

/// The rows of a file of columns, from a place on.
pub(in crate::input) struct ColumnRows {
    spec: SourceSpec,
    reading: ReaderOptions,
    schema: SchemaRef,
    header: Vec<String>,
    told: mpsc::Receiver<Told>,
    pump: Option<Pump>,
    /// Slices of the batch in hand.
    slices: VecDeque<RecordBatch>,
    /// The number of the next row.
    row: u64,
    /// Rows before this one were dealt with.
    resumed: u64,
    /// Rows that there must be.
    expected: Option<u64>,
    class: Class,
    token: Option<PageToken>,
    page_bytes: u64,
    limit_bytes: u64,
    note: Option<String>,
    progress: RawProgress,
    size: Option<u64>,
    /// The file as it was recorded.
    recorded: Option<Fingerprint>,
    is_over: bool,
}

/// How a file of columns is opened.
pub(in crate::input) struct ColumnsOpening {
    pub(in crate::input) spec: SourceSpec,
    pub(in crate::input) reading: ReaderOptions,
    /// Rows that were dealt with.
    pub(in crate::input) resumed: u64,
    /// What checkpoints in it say.
    pub(in crate::input) tokens: Vec<PageToken>,
    /// Bytes that may be held at once.
    pub(in crate::input) memory_bytes: u64,
    pub(in crate::input) progress: RawProgress,
}

impl ColumnsOpening {
    fn limit_bytes(&self) -> u64 {
        self.memory_bytes / error::PARTS_OF_MEMORY
    }
}

impl ColumnsOpening {
    /// What checkpoints in the file say of it, if they have said the same: its size and the digest of its
    /// end.
    fn held_to(&self, size: u64, digest: u64) -> Result<PageToken, SourceError> {
        let token = FooterToken { size, footer: hexadecimal(digest) };
        let mut recorded = self.tokens.iter().filter_map(|token| serde_json::from_str(token).ok());
        if recorded.any(|recorded: FooterToken| recorded != token) {
            let (name, source) = (self.spec.name.clone(), BodyChanged("its end is another one".to_owned()));
            return Err(SourceError::BodyChanged { name, source });
        }
        Ok(serde_json::to_string(&token).map(PageToken::from).unwrap_or_default())
    }
}

fn failed(spec: &SourceSpec, row: u64) -> impl Fn(ColumnsError) -> SourceError + use<> {
    let name = spec.name.clone();
    move |source| SourceError::Columns { name: name.clone(), row, source }
}

impl ColumnRows {
    /// Opens a file of Parquet.
    pub(in crate::input) async fn of_parquet(
        opening: ColumnsOpening,
        ranges: Arc<dyn Ranges>,
        class: Class,
        recorded: Option<Fingerprint>,
    ) -> Result<Self, SourceError> {
        let limit_bytes = opening.limit_bytes();
        let error = failed(&opening.spec, opening.resumed);
        let size = ranges.size();
        let opened = tokio::task::spawn_blocking(move || parquet::open(ranges, limit_bytes)).await;
        let parquet = opened.map_err(|_| error(gave_up()))?.map_err(&error)?;
        let token = Some(opening.held_to(parquet.identity.0, parquet.identity.1)?);
        let (schema, rows, page_bytes) = (parquet.schema(), parquet.rows, parquet.page_bytes);
        let note = Some(format!("{}: {}", opening.spec.name, parquet.words()));
        let (tells, told) = mpsc::channel(BATCHES_AHEAD);
        let from = opening.resumed;
        spawn(tells, move |tells| {
            parquet.read(from, &mut |batch| tells.blocking_send(Told::Batch(batch)).is_ok())
        });
        let header = header(&schema);
        Ok(Self {
            row: opening.resumed.min(rows),
            resumed: opening.resumed,
            spec: opening.spec,
            reading: opening.reading,
            schema,
            header,
            told,
            pump: None,
            slices: VecDeque::new(),
            expected: Some(rows),
            class,
            token,
            page_bytes,
            limit_bytes,
            note,
            progress: opening.progress,
            size: Some(size),
            recorded,
            is_over: false,
        })
    }

    /// Opens a sheet of a workbook.
    pub(in crate::input) async fn of_sheet(
        opening: ColumnsOpening,
        choice: SheetChoice,
        ranges: Arc<dyn Ranges>,
        class: Class,
        recorded: Option<Fingerprint>,
    ) -> Result<Self, SourceError> {
        let limit_bytes = opening.limit_bytes();
        let error = failed(&opening.spec, opening.resumed);
        let opened = tokio::task::spawn_blocking(move || {
            let open = || sheets::open(ranges, &choice, limit_bytes);
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(open)).unwrap_or_else(|_| Err(gave_up()))
        });
        let sheet = opened.await.map_err(|_| error(gave_up()))?.map_err(&error)?;
        let token = opening.held_to(sheet.identity.0, sheet.identity.1)?;
        let (schema, held_bytes) = (Arc::clone(&sheet.schema), sheet.held_bytes);
        let note = Some(format!("{}: {}", opening.spec.name, sheet.note));
        let (tells, told) = mpsc::channel(BATCHES_AHEAD);
        let from = opening.resumed;
        spawn(tells, move |tells| {
            sheet.read(from, &mut |rows| {
                let told = match rows {
                    SheetRows::At(row) => Told::At(row),
                    SheetRows::Rows(batch) => Told::Batch(batch),
                };
                tells.blocking_send(told).is_ok()
            })
        });
        let header = header(&schema);
        Ok(Self {
            row: opening.resumed,
            resumed: opening.resumed,
            spec: opening.spec,
            reading: opening.reading,
            schema,
            header,
            told,
            pump: None,
            slices: VecDeque::new(),
            expected: None,
            class,
            token: Some(token),
            page_bytes: held_bytes,
            limit_bytes,
            note,
            progress: opening.progress,
            size: None,
            recorded,
            is_over: false,
        })
    }

    /// Opens what is read from its beginning.
    pub(in crate::input) async fn of_stream(
        opening: ColumnsOpening,
        file: ColumnFile,
        mut stream: Stream,
    ) -> Result<Self, SourceError> {
        if opening.resumed > 0 && stream.origin().is_some() {
            // Whether a body is what it was is known behind what was read of it.
            stream.go_to(stream.compared_to()).await?;
            stream.reopen_at(0).await?;
        }
        let error = failed(&opening.spec, opening.resumed);
        let limit_bytes = opening.limit_bytes();
        let (tells, mut told) = mpsc::channel(BATCHES_AHEAD);
        let (chunks, pumped) = mpsc::channel(1);
        spawn(tells, move |tells| {
            let mut tells = tells.clone();
            streamed::read(file, streamed::Pumped::new(pumped), limit_bytes, &mut tells)
        });
        let mut pump = Pump { stream, chunks: Some(chunks), unanswered: 0 };
        let schema = match pump.next(&mut told, limit_bytes, &error).await? {
            Some(Told::Schema(schema)) => schema,
            Some(Told::Failed(reason)) => return Err(error(reason)),
            Some(Told::Batch(_) | Told::At(_)) | None => return Err(error(gave_up())),
        };
        let header = header(&schema);
        Ok(Self {
            row: 0,
            resumed: opening.resumed,
            spec: opening.spec,
            reading: opening.reading,
            schema,
            header,
            told,
            class: pump.stream.class(),
            pump: Some(pump),
            slices: VecDeque::new(),
            expected: None,
            token: None,
            page_bytes: 0,
            limit_bytes,
            note: None,
            progress: opening.progress,
            size: None,
            recorded: None,
            is_over: false,
        })
    }

    /// The next block. Cancelling loses nothing: what was decoded waits.
    pub(in crate::input) async fn next(&mut self) -> Result<Option<(Block, Digest)>, SourceError> {
        while !self.is_over {
            if let Some(slice) = self.slices.pop_front() {
                if let Some(read) = self.block(slice) {
                    return Ok(Some(read));
                }
                continue;
            }
            let error = failed(&self.spec, self.row);
            let told = match &mut self.pump {
                Some(pump) => pump.next(&mut self.told, self.limit_bytes, &error).await?,
                None => self.told.recv().await,
            };
            match told {
                Some(Told::Batch(batch)) => self.slices = slices(batch),
                Some(Told::At(row)) => self.row = row,
                Some(Told::Schema(_)) => {}
                Some(Told::Failed(reason)) => return Err(error(reason)),
                None => {
                    self.verify().await?;
                    self.is_over = true;
                }
            }
        }
        Ok(None)
    }

    fn block(&mut self, slice: RecordBatch) -> Option<(Block, Digest)> {
        let (rows, first) = (slice.num_rows(), self.row);
        self.row += rows as u64;
        let (bytes, is_verbatim) = (text_bytes(&slice), columns::is_verbatim(&slice));
        let rows_of = Columns::new(Arc::new(slice), rows, first, bytes, is_verbatim);
        let mut block = Block::of_columns(self.reading.source, rows_of);
        let passed = usize::try_from(self.resumed.saturating_sub(first)).unwrap_or(usize::MAX);
        block.pass_over(passed);
        if let (Some(size), Some(all)) = (self.size, self.expected.filter(|all| *all > 0)) {
            let part = u128::from(size) * u128::from(self.row) / u128::from(all);
            let part = u64::try_from(part).unwrap_or(size);
            self.progress.fetch_max(part.min(size), std::sync::atomic::Ordering::Relaxed);
        }
        if block.is_empty() {
            return None;
        }
        block.page = match &self.pump {
            Some(pump) => pump.stream.token(),
            None => self.token.clone(),
        };
        let digest = match &self.pump {
            Some(pump) => pump.stream.digest(),
            None => Digest { from: first, to: self.row, hash: self.row },
        };
        Some((block, digest))
    }

    /// All rows were there, and the file is the one that was begun.
    async fn verify(&mut self) -> Result<(), SourceError> {
        let error = failed(&self.spec, self.row);
        if let Some(footer) = self.expected.filter(|footer| *footer != self.row) {
            return Err(error(ColumnsError::Rows { footer, read: self.row }));
        }
        if let Some(pump) = &mut self.pump {
            pump.stream.verify().await?;
        }
        if let (Location::File(path), Some(recorded)) = (&self.spec.location, &self.recorded) {
            let compared = recorded.compare(path).await;
            let open = |source| SourceError::Open { name: self.spec.name.clone(), source };
            match compared.map_err(open)? {
                Change::Same | Change::Touched { .. } => {}
                change => return Err(SourceError::Changed { name: self.spec.name.clone(), change }),
            }
        }
        Ok(())
    }

    pub(in crate::input) const fn reading(&self) -> &ReaderOptions {
        &self.reading
    }

    pub(in crate::input) fn header(&self) -> &[String] {
        &self.header
    }

    /// Names and types of the columns that a new table has for it.
    pub(in crate::input) fn types(&self) -> Vec<(String, String)> {
        // Cells are texts that show what they are.
        if self.schema.metadata().contains_key(columns::SHEET) {
            return Vec::new();
        }
        columns::sql_types(&self.schema)
    }

    pub(in crate::input) const fn class(&self) -> Class {
        self.class
    }

    pub(in crate::input) fn in_file(&self) -> Option<(u64, u64)> {
        self.pump.as_ref().and_then(|pump| pump.stream.in_file())
    }

    pub(in crate::input) fn decoder_bytes(&self) -> u64 {
        self.page_bytes + self.pump.as_ref().map_or(0, |pump| pump.stream.decoder_bytes())
    }

    pub(in crate::input) const fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    /// A body that is read as it comes.
    pub(in crate::input) fn stream(&self) -> Option<&Stream> {
        self.pump.as_ref().map(|pump| &pump.stream)
    }
}

/// Names of positional values; none where some are nested, which have names of their own.
fn header(schema: &SchemaRef) -> Vec<String> {
    match columns::is_flat(schema) {
        true => schema.fields().iter().map(|field| field.name().clone()).collect(),
        false => Vec::new(),
    }
}

fn gave_up() -> ColumnsError {
    ColumnsError::Damaged("its decoder gave up".to_owned())
}

/// Runs a decoder on a thread of its own; what it fails with is the last thing that it says.
fn spawn(
    tells: mpsc::Sender<Told>,
    decode: impl FnOnce(&mpsc::Sender<Told>) -> Result<(), ColumnsError> + Send + 'static,
) {
    tokio::task::spawn_blocking(move || {
        // What bytes from outside make of a decoder is an error of theirs.
        let decoded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| decode(&tells)));
        if let Err(error) = decoded.unwrap_or_else(|_| Err(gave_up())) {
            let _ = tells.blocking_send(Told::Failed(error));
        }
    });
}

impl streamed::Takes for mpsc::Sender<Told> {
    fn schema(&mut self, schema: SchemaRef) -> bool {
        self.blocking_send(Told::Schema(schema)).is_ok()
    }

    fn batch(&mut self, batch: RecordBatch) -> bool {
        self.blocking_send(Told::Batch(batch)).is_ok()
    }
}

impl Pump {
    /// What the decoder says next; meanwhile it gets bytes.
    async fn next(
        &mut self,
        told: &mut mpsc::Receiver<Told>,
        limit_bytes: u64,
        error: &impl Fn(ColumnsError) -> SourceError,
    ) -> Result<Option<Told>, SourceError> {
        loop {
            let Some(chunks) = self.chunks.clone() else { return Ok(told.recv().await) };
            if self.stream.buffer.is_empty() {
                if self.stream.at_end() {
                    self.chunks = None;
                    continue;
                }
                // Given up, no byte is lost: it is in the stream's buffer.
                tokio::select! {
                    biased;
                    told = told.recv() => {
                        self.unanswered = 0;
                        return Ok(told);
                    }
                    filled = self.stream.fill(PUMPED_BYTES) => filled?,
                }
                continue;
            }
            let permit = tokio::select! {
                biased;
                told = told.recv() => {
                    self.unanswered = 0;
                    return Ok(told);
                }
                permit = chunks.reserve() => permit,
            };
            let Ok(permit) = permit else {
                // It takes no more, and says why.
                self.chunks = None;
                continue;
            };
            let bytes = self.stream.buffer.len().min(PUMPED_BYTES);
            let taken = self.stream.take(bytes).freeze();
            self.stream.unchanged()?;
            permit.send(taken);
            self.unanswered += bytes as u64;
            if self.unanswered > limit_bytes {
                let needed = self.unanswered;
                return Err(error(ColumnsError::TooMuchMemory { needed, limit: limit_bytes }));
            }
        }
    }
}

//! A source of a run: how it is opened, at any of its resume points, the same way every time.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::format::sniff::{SaidOfDialect, SourceHead};
use crate::format::{Compression, Constant, Format, HeaderLimits, Layout, Limits, Sniffed};
use crate::job::{self, VerifySource};
use crate::record::{PageToken, Place, Position};

use super::access::Access;
use super::archives;
use super::begin::Begin;
use super::blocks::{BLOCK_BYTES, Blocks, ReaderOptions};
use super::columns::ColumnsOpening;
use super::columns_of::{rows_of, sheet_of};
use super::digest::hexadecimal;
use super::error::SourceError;
use super::fingerprint::{Change, Fingerprint, Recorded};
use super::format::{format_of, is_xml_said, may_unnest};
use super::opened::{BlockSource, OpenSource};
use super::pages::{OpenedPages, Pages};
use super::records::Records;
use super::seen::{Passed, Readings};
use super::source::{Class, Reach};
use super::spec::{Location, SourceSpec};
use super::stream::{OpenHints, RawProgress, Stream};
use super::table_rows::{self, TableOpening, TableRows};
use super::tables::TableReader;

/// Files that are looked at by one call, behind which a start can be stopped.
const FILES_AT_ONCE: usize = 256;

/// A source of a run.
#[derive(Debug, Clone)]
pub struct Input {
    /// The source's name for people, without secrets.
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
    /// It does not begin as anything compressed does, as far as that was looked for.
    pub looks_plain: bool,
    /// Whether it is whole, once that was looked for.
    pub whole: Arc<OnceLock<bool>>,
    /// The digest of all that is stored of it, in hexadecimal, once it was read to its end.
    pub digest: Arc<OnceLock<String>>,
    /// The length of its content and the digest of that, once it was read to its end.
    pub content: Arc<OnceLock<(u64, String)>>,
}

/// What the ledger keeps of a source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// Where the source is: file, pipe or URL.
    pub spec: SourceSpec,
    /// What it was like; none for a pipe.
    pub fingerprint: Option<Fingerprint>,
    /// Names of the fields of the sample, if it is from the network: a resume plans with them and fetches
    /// nothing for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<Vec<String>>,
    /// What its beginning has shown of its dialect: a resume is held to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sniffed: Option<Sniffed>,
}

impl Description {
    /// The file that it is, as it was recorded.
    #[must_use]
    pub fn file(&self) -> Option<Recorded<'_>> {
        Some(Recorded { path: self.spec.location.file()?, print: self.fingerprint.as_ref()? })
    }

    /// The file that it lies in, as it was recorded: its own, or that of its archive.
    #[must_use]
    pub fn on_disk(&self) -> Option<Recorded<'_>> {
        Some(Recorded { path: self.spec.location.on_disk()?, print: self.fingerprint.as_ref()? })
    }
}

impl Input {
    /// A source as it is now.
    pub async fn new(spec: SourceSpec, ordinal: usize) -> Result<Self, SourceError> {
        let found = match spec.location.on_disk() {
            Some(path) => Some(Fingerprint::with_beginning(path).await),
            None => None,
        };
        Self::found(spec, ordinal, found)
    }

    /// Sources as they are now, in order.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub async fn all(specs: Vec<SourceSpec>) -> Result<Vec<Self>, SourceError> {
        let mut inputs = Vec::with_capacity(specs.len());
        // Of an archive there are many members.
        let mut archive: Option<(PathBuf, Fingerprint)> = None;
        for some in specs.chunks(FILES_AT_ONCE) {
            let paths = some.iter().filter_map(|spec| spec.location.file()).map(Into::into).collect();
            let mut found = Fingerprint::of_each(paths).await.into_iter();
            for spec in some {
                let found = match (spec.location.member(), &archive) {
                    (None, _) => spec.location.file().and_then(|_| found.next()),
                    (Some(member), Some((path, print))) if path == member.path() => {
                        Some(Ok((print.clone(), Vec::new())))
                    }
                    (Some(member), _) => Some(Fingerprint::with_beginning(member.path()).await),
                };
                if let (Some(member), Some(Ok((print, _)))) = (spec.location.member(), &found) {
                    archive = Some((member.path().to_owned(), print.clone()));
                }
                inputs.push(Self::found(spec.clone(), inputs.len(), found)?);
            }
        }
        Ok(inputs)
    }

    /// A source, and what its file was found to be.
    fn found(
        spec: SourceSpec,
        ordinal: usize,
        found: Option<io::Result<(Fingerprint, Vec<u8>)>>,
    ) -> Result<Self, SourceError> {
        let (fingerprint, beginning) = match found.transpose() {
            Ok(found) => found.unzip(),
            Err(source) => return Err(SourceError::Open { name: spec.name, source }),
        };
        let begin = Position::start_of(u32::try_from(ordinal).unwrap_or(u32::MAX));
        let name = spec.name.clone();
        let looks_plain = spec.location.file().is_some()
            && Compression::by_name(&name).is_none()
            && beginning.is_some_and(|bytes| Compression::by_magic(&bytes) == Compression::None);
        let description = Description { spec, fingerprint, sampled: None, sniffed: None };
        Ok(Self { looks_plain, ..Self::described(name, description, begin) })
    }

    /// A source as it was described.
    #[must_use]
    pub fn described(name: String, description: Description, begin: Position) -> Self {
        Self {
            name,
            description,
            begin,
            begin_page: None,
            set_aside: None,
            moved_to: None,
            progress: Arc::new(AtomicU64::new(0)),
            passed: Vec::new(),
            looks_plain: false,
            whole: Arc::default(),
            digest: Arc::default(),
            content: Arc::default(),
        }
    }

    /// Where the source is: file, pipe or URL.
    #[must_use]
    pub const fn location(&self) -> &Location {
        &self.description.spec.location
    }

    /// What may be promised of it before it is opened.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.location().class()
    }

    /// What it takes to open it.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        self.location().reach()
    }

    /// The file that it is, as it was recorded.
    #[must_use]
    pub fn file(&self) -> Option<Recorded<'_>> {
        self.description.file()
    }

    /// The file that it lies in, as it was recorded: its own, or that of its archive.
    #[must_use]
    pub fn on_disk(&self) -> Option<Recorded<'_>> {
        self.description.on_disk()
    }

    /// Looks at its file anew: what that is like, and where in it the source lies.
    ///
    /// # Errors
    /// When it is not there, or what it was in it is not.
    pub async fn describe_anew(&mut self) -> io::Result<()> {
        let Some(path) = self.location().on_disk() else { return Ok(()) };
        let now = Fingerprint::of(path).await?;
        if let Location::Member(member) = &mut self.description.spec.location {
            **member = archives::find_again(member).await?;
        }
        self.description.fingerprint = Some(now);
        Ok(())
    }

    /// Takes the fingerprint of a source that failed again. Of one that nothing was read of it does not
    /// matter what it was; any other was compared before, and may have grown: a download that was cut off is
    /// fetched once more.
    pub async fn record_anew(&mut self) {
        let Some(Recorded { path, print }) = self.on_disk() else { return };
        let unread = self.begin.offset == 0 && self.begin_page.is_none();
        let keeps = match print.compare(path).await {
            Ok(change) => change.keeps_recorded_part(),
            Err(_) => false,
        };
        if !unread && !keeps {
            return;
        }
        // One that is not there says so when it is opened.
        let _ = self.describe_anew().await;
        if unread {
            self.description.sniffed = None;
        }
    }

    /// It failed before a record of it was read: whatever it is next time, nothing of it is in the table.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        let unread = |place: &Place| place.offset == 0 && place.page.is_none();
        self.begin.offset == 0 && self.begin_page.is_none() && self.set_aside.as_ref().is_some_and(unread)
    }

    /// Size as stored, where known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match self.location().member() {
            Some(member) => Some(member.place.packed),
            None => self.description.fingerprint.as_ref().map(|print| print.size),
        }
    }

    /// Where it ends, if its rest is an entry of its own.
    #[must_use]
    pub fn end(&self) -> Option<Position> {
        self.moved_to.and(self.set_aside.as_ref()).map(|place| place.position(self.begin.source))
    }

    /// Where a run whose earliest checkpoint is `from` reads it from; `None`: all of it is dealt with.
    /// `tokens`: what the checkpoints of the run say, and where they are.
    #[must_use]
    pub fn begin_from(&self, from: Position, tokens: &[(Position, PageToken)]) -> Option<Begin> {
        let source = self.begin.source;
        if source < from.source {
            return None;
        }
        let at = if source == from.source { from.max(self.begin) } else { self.begin };
        if self.end().is_some_and(|end| end <= at) {
            return None;
        }
        let here = tokens.iter().filter(|(at, _)| at.source == source && *at > self.begin).cloned();
        let begin = self.begin_page.iter().flat_map(Readings::each).map(|page| (self.begin, page));
        Some(Begin { at, pages: begin.into_iter().chain(here).collect() })
    }

    /// Opens it at a resume point.
    ///
    /// # Errors
    /// When it cannot be opened, or is not what it was.
    pub async fn open(
        &self,
        reading: &job::Reading,
        access: &Access,
        begin: &Begin,
    ) -> Result<OpenSource, SourceError> {
        // Boxed: what it takes to open any kind of source is much, and needed for a moment.
        let records = Box::pin(self.records(reading, access, begin)).await?;
        let layout = Layout {
            format: records.reading().format.clone(),
            header: records.header().to_vec(),
            constants: self.constants(),
        };
        let lonely = records.lonely();
        let mut opened = OpenSource::new(BlockSource::Here(records), layout, begin.at);
        if let Some(lonely) = lonely
            && access.may_say_lonely()
        {
            opened.note.get_or_insert(lonely);
        }
        Ok(opened)
    }

    /// It was read to its end: what is stored of it is known whole.
    pub fn ended(&self, opened: &OpenSource) {
        if let (Some(_), None, Some((bytes, digest))) =
            (self.location().member(), self.end(), opened.content())
        {
            self.content.get_or_init(|| (bytes, hexadecimal(digest)));
        }
        let all = self.file().map(|file| file.print.size).filter(|_| self.end().is_none());
        if let Some((_, digest)) = opened.in_file().filter(|(bytes, _)| Some(*bytes) == all) {
            self.digest.get_or_init(|| hexadecimal(digest));
            if let Some((bytes, digest)) = opened.content() {
                self.content.get_or_init(|| (bytes, hexadecimal(digest)));
            }
        }
    }

    /// Looks through a compressed file before the first record of it is stored, where that is wanted: a
    /// checksum comes behind what it is of, and a decoder has handed out everything by then.
    ///
    /// # Errors
    /// When it is damaged.
    pub async fn check_whole(&self, reading: &job::Reading, begin: &Begin) -> Result<(), SourceError> {
        let Some(Recorded { path, print }) = self.on_disk() else { return Ok(()) };
        if self.looks_plain && reading.compression.is_none_or(|said| said == Compression::None) {
            return Ok(());
        }
        // An earlier start has looked, unless the file was written to since.
        let is_known = begin.at.offset > 0 && matches!(print.compare(path).await, Ok(Change::Same));
        if reading.verify_source == VerifySource::Never || is_known || self.whole.get() == Some(&true) {
            return Ok(());
        }
        let known = OpenHints {
            compression: reading.compression,
            fingerprint: Some(print.clone()),
            ..OpenHints::default()
        };
        let always = reading.verify_source == VerifySource::Always;
        let member = self.location().member();
        if member.is_some_and(|member| !member.place.is_apart()) && !always {
            // What is before it would be read once more for each; all of it was, to find it.
            return Ok(());
        }
        let stream = Stream::open(self.description.spec.clone(), &Access::default(), known).await?;
        let compression = match member {
            // As cheap as gzip, whatever it is, and it has a checksum.
            Some(member) if member.place.is_packed() || member.place.has_checksum() => Compression::Gzip,
            _ => stream.compression(),
        };
        let stored_bytes = member.map_or(print.size, |member| member.place.packed);
        let is_wanted = always || stored_bytes <= compression.cheap_check_bytes();
        if compression == Compression::None || !is_wanted {
            return Ok(());
        }
        let looked = stream.held_to(reading.inflation).look_through().await;
        self.whole.get_or_init(|| looked.is_ok());
        looked.map(drop)
    }

    fn constants(&self) -> Vec<Constant> {
        let fields = &self.description.spec.fields;
        fields.iter().map(|(name, value)| Constant::new(name.as_str(), value)).collect()
    }

    async fn records(
        &self,
        reading: &job::Reading,
        access: &Access,
        begin: &Begin,
    ) -> Result<Records, SourceError> {
        let mut spec = self.description.spec.clone();
        let progress = Arc::clone(&self.progress);
        let limits =
            reading.record_bytes.map_or_else(Limits::default, |record_bytes| Limits { record_bytes });
        let header = header_limits(reading);
        let source = begin.at.source;
        let (columns, unnest) = (reading.columns.clone(), reading.shaping.unnest_of().cloned());
        let block_bytes = BLOCK_BYTES;
        let held_to = |format| ReaderOptions { source, format, limits, header, block_bytes, columns, unnest };
        match &mut spec.location {
            Location::Http(request) => request.ordinal = u64::from(begin.at.source),
            Location::Object(object) => object.ordinal = u64::from(begin.at.source),
            Location::Table(word) => {
                let opening = TableOpening {
                    reader: self.table(word, access, reading).await?,
                    spec,
                    reading: held_to(Format::of_copy()),
                    progress,
                };
                return Ok(Records::Table(Box::new(TableRows::new(opening, begin).await?)));
            }
            Location::File(_)
            | Location::Member(_)
            | Location::Pipe(_)
            | Location::Stdin
            | Location::Caller => {}
        }
        if let (Location::Http(request), Some(paging)) = (&spec.location, access.paging()) {
            let request = request.as_ref().clone();
            let opening = OpenedPages::fetch(spec, &request, paging, begin, progress)
                .await?
                .in_encoding(reading.encoding);
            let (mut format, _) =
                format_of(&self.name, reading, async { opening.detect(reading.comment) }).await?;
            let note = self.settle(&mut format, reading, opening.beginning());
            let mut pages = Pages::new(opening, held_to(format), begin.at).await?;
            pages.note(note);
            return Ok(Records::Pages(Box::new(pages)));
        }
        let known = OpenHints {
            compression: reading.compression,
            fingerprint: self.description.fingerprint.clone(),
            recorded: begin.tokens().collect(),
            progress,
        };
        let stream = Stream::open(spec, access, known).await?.behind(self.passed.clone());
        let encoding = reading.encoding.or_else(|| stream.said_encoding());
        let mut stream = stream.held_to(reading.inflation).in_encoding(encoding).await?;
        if let Some(mark) = &reading.end_mark {
            stream = stream.up_to_mark(mark);
        }
        stream.refuse_page(is_xml_said(reading)).await?;
        let detected = stream.detect(reading.skip_lines.unwrap_or_default(), reading.comment);
        let found = format_of(&self.name, reading, detected).await;
        let (mut format, said) = access.or_with_tables(found, self.location().file()).await?;
        if let Some(file) = format.columns() {
            let opening = self.columns(held_to(format), access, begin);
            let sheet = sheet_of(reading, &self.description.spec);
            let mut rows = Box::pin(rows_of(opening, file, sheet, stream)).await?;
            if !access.may_say_columns() {
                rows.take_note();
            }
            return Ok(Records::Columns(Box::new(rows)));
        }
        // Of the others it shows nothing, and nobody waits for it.
        let note = match format.has_header() {
            true => self.settle(&mut format, reading, stream.beginning().await?),
            false => None,
        };
        if format.shows_its_end() {
            stream.end_shows();
        } else {
            stream.end_needs_proof();
        }
        let mut blocks = Blocks::new(stream, held_to(format), begin.at).await?;
        blocks.note(note);
        blocks.note(said.filter(|_| access.may_say_format()));
        Ok(Records::Body(Box::new(blocks)))
    }
}

impl Input {
    /// How it is opened as a file of columns.
    fn columns(&self, reading: ReaderOptions, access: &Access, begin: &Begin) -> ColumnsOpening {
        ColumnsOpening {
            spec: self.description.spec.clone(),
            reading,
            resumed: begin.at.record,
            tokens: begin.tokens().cloned().collect(),
            memory_bytes: access.memory_bytes(),
            progress: Arc::clone(&self.progress),
        }
    }

    /// Opens it as a table of a database.
    async fn table(
        &self,
        word: &str,
        access: &Access,
        reading: &job::Reading,
    ) -> Result<Box<dyn TableReader>, SourceError> {
        Format::of_copy().decodable(&self.name)?;
        may_unnest(&self.name, &Format::of_copy(), reading)?;
        access.database(word)?.open(word).await.map_err(|error| table_rows::failed(&self.name, error))
    }
}

fn header_limits(reading: &job::Reading) -> HeaderLimits {
    let bytes = reading.header_bytes.unwrap_or(HeaderLimits::default().bytes);
    HeaderLimits { fields: reading.decode.fields, on_nul: reading.decode.on_nul, bytes }
}

impl Input {
    /// Completes a format by what the beginning of the source shows, or has shown; what is worth saying.
    fn settle(
        &self,
        format: &mut Format,
        reading: &job::Reading,
        beginning: SourceHead<'_>,
    ) -> Option<String> {
        let said = SaidOfDialect { quote: reading.quote.is_some(), delimiter: reading.delimiter.is_some() };
        let note = format.settle(said, beginning, self.description.sniffed)?;
        Some(format!("{}: {note}", self.name))
    }
}

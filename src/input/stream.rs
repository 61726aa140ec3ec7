//! The decoded bytes of one source, from a given offset on: opened, decompressed, read into one buffer.
//!
//! A plain file is read from the offset; one that is compressed, or in another encoding than UTF-8, from its
//! start, and what is before the offset is thrown away. Never reads past the recorded size, finds no records.

#[cfg_attr(not(feature = "compression"), path = "stream/decompress/absent.rs")]
pub(super) mod decompress;
mod failed;
mod head;
mod network;
mod of_member;
mod remote;
pub(super) mod stored;
mod verify;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::access::Access;
use super::archives::{self, Tars};
use super::end_mark::UpToMark;
use super::error::SourceError;
use super::fingerprint::{Fingerprint, SMALL_BYTES};
use super::seen::{Passed, ReadSoFar, RollingDigest};
use super::source::Reach;
use super::spec::{Location, SourceSpec};
use super::transcode::Transcode;
use super::web::{self, BodyChanged, BodyReader, BodySource};
use crate::feature;
use crate::format::{
    Compression, Encoding, Inflation, MAGIC_BYTES, decoder_bytes, is_utf_32, mark_bytes, zstd_window,
};
use crate::record::{Digest, PageToken};
use decompress::decompress;
use network::Network;
use of_member::of_member;
use stored::{ByteReader, Counted, RawDigest, seek_to};

pub use stored::RawProgress;

/// Bytes before a resume point that are rather asked for by range than read over: a request costs as much.
const RANGE_BYTES: u64 = 256 * 1024;

/// Bytes that are thrown away at once on the way to a resume point.
const SKIPPED_BYTES: usize = 256 * 1024;

/// A slow body from the network hands on what is there after this long; a fast one fills its blocks.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is known of a source before it is opened, beside its spec.
#[derive(Default)]
pub struct OpenHints<'a> {
    /// How it is compressed; by name, then by its first bytes, if not given.
    pub compression: Option<Compression>,
    /// As recorded, if it was; a regular file's is taken now otherwise.
    pub fingerprint: Option<Fingerprint>,
    /// What checkpoints in it say.
    pub recorded: Vec<&'a PageToken>,
    /// Where it is said how far it was read.
    pub progress: RawProgress,
}

/// A source that has been opened, read from its start or its checkpoint.
pub struct Stream {
    spec: SourceSpec,
    compression: Compression,
    fingerprint: Option<Fingerprint>,
    progress: RawProgress,
    /// Of a body from the network: where it comes from, and which version of it this is.
    network: Option<Network>,
    /// Where archives are read that are read from their start.
    tars: Tars,
    reader: ByteReader,
    /// Bytes of the decoded stream before the buffer.
    offset: u64,
    /// What was read and not yet taken.
    pub(super) buffer: BytesMut,
    at_end: bool,
    /// How a body has ended while its format was looked for, if nothing shows that this is its end.
    unproven: Option<io::Error>,
    /// What was taken, compared with what was read before.
    running: RollingDigest,
    /// The same of the bytes as they are stored, where those are not the content.
    stored: RawDigest,
    /// What was read of it before it was opened.
    passed: Vec<Passed>,
    /// The encoding of its text, if that is not UTF-8.
    encoding: Option<Encoding>,
    inflation: Inflation,
    /// Of its first frame, where that is Zstandard.
    window: Option<u64>,
    /// Memory that its decoder holds.
    decoder_bytes: u64,
    /// What is read was compared with what was recorded, all of it.
    is_verified: bool,
}

/// Bytes in which a compressed file says what its decoder needs.
const HEAD_BYTES: usize = 32;

/// What a pipe gives at a time. More is not worth a copy, and a record of megabytes would be there twice.
const COPIED_BYTES: usize = 64 * 1024;

impl Stream {
    /// Opens a source at its start.
    ///
    /// # Errors
    /// When it cannot be opened, or is another version than the recorded one.
    pub async fn open(spec: SourceSpec, access: &Access, known: OpenHints<'_>) -> Result<Self, SourceError> {
        match (&spec.location, access.client()) {
            (Location::Http(request), Some(client)) => {
                let request = request.as_ref().clone();
                Self::fetch(spec, request, client.clone(), known).await
            }
            (Location::Object(_), Some(_)) => Self::fetch_object(spec, access, known).await,
            _ => Self::open_here(spec, access, known).await,
        }
    }

    /// Opens what no server is asked for.
    async fn open_here(spec: SourceSpec, access: &Access, known: OpenHints<'_>) -> Result<Self, SourceError> {
        let open_error = |source| SourceError::Open { name: spec.name.clone(), source };
        let OpenHints { compression, fingerprint, recorded, progress } = known;
        let fingerprint = match (&spec.location, fingerprint) {
            (_, Some(recorded)) => Some(recorded),
            (location, None) => match location.on_disk() {
                Some(path) => Some(Fingerprint::of(path).await.map_err(open_error)?),
                None => None,
            },
        };
        let tars = access.tars.clone();
        let (mut raw, is_verified) = stored_bytes(&spec, fingerprint.as_ref(), access, &progress).await?;
        let is_member = spec.location.member().is_some();
        let recorded_size = fingerprint.as_ref().filter(|_| !is_member).map(|recorded| recorded.size);
        let size = recorded_size.unwrap_or(u64::MAX);
        let mut magic = Vec::with_capacity(MAGIC_BYTES);
        // A pipe may give no more for now; a caller's first record may be shorter, and is never compressed.
        let head = match (&spec.location, spec.location.reach()) {
            (Location::Caller, _) => 0,
            (_, Reach::AtHand) => HEAD_BYTES,
            (_, Reach::Asked | Reach::Awaited) => MAGIC_BYTES,
        };
        let wanted = size.min(head as u64);
        let read = (&mut raw).take(wanted).read_to_end(&mut magic).await;
        read.map_err(|source| match is_member {
            true => of_member(source, &spec.name, 0),
            false => open_error(source),
        })?;
        let compression = compression
            .or_else(|| Compression::by_name(&spec.name).map(|(compression, _)| compression))
            .unwrap_or_else(|| Compression::by_magic(&magic));
        compression.decodable(&spec.name)?;
        let rest = size - magic.len() as u64;
        let (window, decoder_bytes) = (zstd_window(&magic), decoder_bytes(compression, &magic));
        let raw = io::Cursor::new(magic).chain(raw.take(rest));
        // Of a member it is counted where it lies in the archive.
        let stored = if is_member { RawDigest::default() } else { RawDigest::of(compression) };
        let reader = match is_member {
            true => decompress(compression, raw),
            false => decompress(compression, Counted::new(raw, Arc::clone(&progress), 0).digested(&stored)),
        };
        let buffer = BytesMut::new();
        let (encoding, inflation) = (None, Inflation::default());
        let recorded: Vec<ReadSoFar> = recorded.iter().filter_map(|token| ReadSoFar::read(token)).collect();
        let running = RollingDigest::new(recorded.iter().map(|seen| &seen.content));
        Ok(Self {
            spec,
            compression,
            fingerprint,
            progress,
            network: None,
            tars,
            reader,
            offset: 0,
            buffer,
            at_end: false,
            unproven: None,
            running,
            stored,
            passed: Vec::new(),
            encoding,
            inflation,
            window,
            decoder_bytes,
            is_verified,
        })
    }

    /// What was read of it before, up to places where it may be gone on with.
    #[must_use]
    pub fn behind(mut self, passed: Vec<Passed>) -> Self {
        self.passed = passed;
        self
    }

    /// Holds decompression to these limits.
    #[must_use]
    pub const fn held_to(mut self, inflation: Inflation) -> Self {
        self.inflation = inflation;
        self
    }

    /// Reads its text, of which nothing was read yet, in its encoding: as its byte order mark says, else as
    /// the user did.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn in_encoding(mut self, said: Option<Encoding>) -> Result<Self, SourceError> {
        if self.spec.location == Location::Caller {
            return Ok(self);
        }
        while self.buffer.len() < mark_bytes(&self.buffer)
            && self.read_more(mark_bytes(&self.buffer) - self.buffer.len()).await?
        {}
        let said = match said {
            None if self.buffer.starts_with(b"<?x") => self.said_in_xml().await?,
            said => said,
        };
        self.encoding = Encoding::of(&self.buffer, said).filter(|_| !is_utf_32(&self.buffer));
        if let Some(encoding) = self.encoding {
            let what = || format!("{}, which is in {},", self.spec.name, encoding.name());
            feature::ENCODINGS.needed_for(what)?;
            let head = self.buffer.split().freeze();
            if self.compression == Compression::None && self.spec.location.file().is_some() {
                self.stored.begin(&head);
            }
            let head = io::Cursor::new(head);
            let rest = std::mem::replace(&mut self.reader, Box::new(io::Cursor::new([])));
            self.reader = Box::new(Transcode::new(head.chain(rest), encoding));
            self.at_end = false;
        }
        Ok(self)
    }

    /// Reads it, of which nothing was taken yet, up to the mark that must be its last line.
    #[must_use]
    pub fn up_to_mark(mut self, mark: &str) -> Self {
        let head = io::Cursor::new(self.buffer.split().freeze());
        let rest = std::mem::replace(&mut self.reader, Box::new(io::Cursor::new([])));
        self.reader = Box::new(UpToMark::new(head.chain(rest), mark));
        self.at_end = false;
        self
    }

    /// Its bytes are those of the decoded stream.
    const fn is_plain(&self) -> bool {
        matches!(self.compression, Compression::None)
            && self.encoding.is_none()
            && self.spec.location.member().is_none()
    }

    /// Its content is made of fewer bytes: it may be a bomb.
    fn is_packed(&self) -> bool {
        let member = self.spec.location.member();
        self.compression != Compression::None || member.is_some_and(|member| member.place.is_packed())
    }

    /// Of a body from the network, where it comes from.
    pub(super) fn origin(&self) -> Option<&BodySource> {
        self.network.as_ref().map(|network| network.origin.as_ref())
    }

    /// Begins anew at `offset` of the decoded stream.
    pub(super) async fn reopen_at(&mut self, offset: u64) -> Result<(), SourceError> {
        let seek = if self.is_plain() && self.class().is_exact() { offset } else { 0 };
        self.reader = self.reader_at(seek, offset).await?;
        self.is_verified = false;
        if let Some(encoding) = self.encoding {
            let bytes = std::mem::replace(&mut self.reader, Box::new(io::Cursor::new([])));
            self.reader = Box::new(Transcode::new(bytes, encoding));
        }
        self.buffer.clear();
        self.at_end = false;
        self.offset = seek;
        self.begin_digest(seek);
        while self.offset < offset {
            let wanted = usize::try_from(offset - self.offset).unwrap_or(usize::MAX).min(SKIPPED_BYTES);
            if !self.read_more(wanted).await? {
                return Err(self.behind_end(offset, self.offset));
            }
            self.take(self.buffer.len());
        }
        self.compare_ahead(offset).await
    }

    /// From byte `seek` on. Of a file it is known what comes; a body is compared on the way to its place.
    fn begin_digest(&mut self, seek: u64) {
        let begun = std::mem::replace(&mut self.running, RollingDigest::starting_at(seek));
        if self.network.is_some() {
            return;
        }
        match self.passed.iter().find(|passed| passed.offset == seek) {
            Some(passed) if seek > 0 => self.running = begun.behind(passed),
            _ if seek == 0 && begun.digest().to == 0 => self.running = begun,
            _ => {}
        }
    }

    /// The decoded bytes from byte `seek` of what is stored, on the way to `offset`.
    async fn reader_at(&mut self, seek: u64, offset: u64) -> Result<ByteReader, SourceError> {
        let name = || self.spec.name.clone();
        let progress = Arc::clone(&self.progress);
        if let Some(Network { origin, version, chunks, .. }) = &mut self.network {
            let body = origin.open(seek, Some(version)).await;
            let body = body.map_err(|source| SourceError::Http { source })?;
            if let Some(why) = web::difference(version, body.identity()) {
                return Err(SourceError::BodyChanged { name: name(), source: BodyChanged(why) });
            }
            *chunks = web::chunks(Arc::clone(origin), body, seek);
            let raw = BodyReader::new(chunks.clone());
            return Ok(decompress(self.compression, Counted::new(raw, progress, seek)));
        }
        if let Location::Member(member) = &self.spec.location {
            let bytes = self.fingerprint.as_ref().map_or(u64::MAX, |recorded| recorded.size);
            let raw = archives::open(member, bytes, &self.tars, &self.progress).await;
            return Ok(decompress(self.compression, raw.map_err(|source| of_member(source, &name(), 0))?));
        }
        let Location::File(path) = &self.spec.location else {
            return Err(SourceError::NotReplayable { name: name() });
        };
        let size = self.fingerprint.as_ref().map_or(u64::MAX, |recorded| recorded.size);
        if seek > size {
            return Err(self.behind_end(offset, size));
        }
        let raw = seek_to(path, seek).await.map_err(|source| SourceError::Open { name: name(), source })?;
        self.stored.begin_anew();
        let counted = Counted::new(raw.take(size - seek), progress, seek).digested(&self.stored);
        Ok(decompress(self.compression, counted))
    }

    /// Decodes it to its end and keeps nothing: whether it is whole, the length of its content and the digest
    /// of that.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub async fn look_through(mut self) -> Result<Option<(u64, u64)>, SourceError> {
        while self.read_more(SKIPPED_BYTES).await? {
            self.take(self.buffer.len());
        }
        Ok(self.content())
    }

    /// The length of the content that was taken and the digest of that, if it was taken from the start.
    pub(super) fn content(&self) -> Option<(u64, u64)> {
        self.running.since_start()
    }

    /// Reads until the buffer holds `wanted` bytes or the source ends; from a pipe, what is there.
    pub(super) async fn fill(&mut self, wanted: usize) -> Result<(), SourceError> {
        let held = self.buffer.len();
        while self.buffer.len() < wanted {
            let network = self.network.is_some() && self.buffer.len() > held;
            let more = self.read_more(wanted - self.buffer.len());
            if network {
                // Given up, it loses nothing: bytes are in the buffer as soon as they are read.
                match tokio::time::timeout(PATIENCE, more).await {
                    Ok(more) => {
                        if !more? {
                            break;
                        }
                    }
                    Err(_) => break,
                }
            } else if !more.await? || self.spec.location.reach() == Reach::Awaited {
                break;
            }
        }
        Ok(())
    }

    /// Reads at most `bytes` more. False: the source has ended.
    async fn read_more(&mut self, bytes: usize) -> Result<bool, SourceError> {
        if let Some(error) = self.unproven.take() {
            return Err(self.read_error(error));
        }
        self.buffer.reserve(bytes);
        let mut limited = (&mut self.reader).take(bytes as u64);
        let count = limited.read_buf(&mut self.buffer).await.map_err(|error| self.read_error(error))?;
        self.at_end = count == 0;
        if self.is_packed() {
            let content = self.offset + self.buffer.len() as u64;
            self.inflation
                .check(self.progress.load(Ordering::Relaxed), content)
                .map_err(|source| SourceError::Inflated { name: self.spec.name.clone(), source })?;
        }
        Ok(count > 0)
    }

    /// Takes the first `bytes` of the buffer.
    pub(super) fn take(&mut self, bytes: usize) -> BytesMut {
        self.offset += bytes as u64;
        // A pipe gives little at a time: split off, it would hold the whole room that was made for more.
        let taken = if bytes <= COPIED_BYTES && bytes < self.buffer.capacity() / 2 {
            let taken = BytesMut::from(&self.buffer[..bytes]);
            bytes::Buf::advance(&mut self.buffer, bytes);
            taken
        } else {
            self.buffer.split_to(bytes)
        };
        self.running.pass(&taken);
        taken
    }

    /// Whether the buffer holds the last bytes.
    pub(super) const fn at_end(&self) -> bool {
        self.at_end
    }

    /// Bytes of the decoded stream before the buffer.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the source is, as it was named.
    #[must_use]
    pub const fn spec(&self) -> &SourceSpec {
        &self.spec
    }

    /// The encoding of its text, if that is not UTF-8.
    #[must_use]
    pub const fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// How it is compressed.
    #[must_use]
    pub const fn compression(&self) -> Compression {
        self.compression
    }

    /// What the file was like before the first byte was read; none for pipes.
    #[must_use]
    pub const fn fingerprint(&self) -> Option<&Fingerprint> {
        self.fingerprint.as_ref()
    }

    /// Memory that its decoder holds.
    #[must_use]
    pub const fn decoder_bytes(&self) -> u64 {
        self.decoder_bytes
    }

    /// The digest of what was taken.
    pub(super) fn digest(&self) -> Digest {
        self.running.digest()
    }
}

/// The bytes of a source as they are stored, and whether those are known to be what was recorded.
async fn stored_bytes(
    spec: &SourceSpec,
    print: Option<&Fingerprint>,
    access: &Access,
    progress: &RawProgress,
) -> Result<(ByteReader, bool), SourceError> {
    let open_error = |source| SourceError::Open { name: spec.name.clone(), source };
    let raw: ByteReader = match (&spec.location, print) {
        (Location::File(path), Some(print)) if print.size <= SMALL_BYTES => {
            let (content, is_same) = print.read_small(path).await.map_err(open_error)?;
            return Ok((Box::new(io::Cursor::new(content)), is_same));
        }
        (Location::Stdin, _) => Box::new(tokio::io::stdin()),
        (Location::File(path) | Location::Pipe(path), _) => {
            Box::new(File::open(path).await.map_err(open_error)?)
        }
        (Location::Caller, _) => {
            // One that was stored is gone with its process.
            let feed = access.feed.as_ref().ok_or_else(|| open_error(io::ErrorKind::NotFound.into()))?;
            Box::new(feed.open().map_err(open_error)?)
        }
        (Location::Member(member), print) => {
            let bytes = print.map_or(u64::MAX, |print| print.size);
            let opened = archives::open(member, bytes, &access.tars, progress).await;
            opened.map_err(|source| of_member(source, &spec.name, 0))?
        }
        (Location::Http(_) | Location::Object(_) | Location::Table(_), _) => {
            return Err(open_error(io::ErrorKind::Unsupported.into()));
        }
    };
    Ok((raw, false))
}

//! A stream whose bytes come from the network: opened by a request, taken up again where it was left, and
//! compared with what was read before where no version tells whether it is the same. How requests are made is
//! `http`'s.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;

use super::super::seen::{ReadSoFar, RollingDigest};
use super::super::spool::{SourceTurn, SpoolSpace};
use super::super::web::{self, BodyChanged, BodyReader, BodySource, BodyToken, UnprovenEnd};
use super::decompress::decompress;
use super::network::Network;
use super::stored::{Counted, RawDigest};
use super::{OpenHints, RANGE_BYTES, SKIPPED_BYTES, Stream};
use crate::format::{Compression, Encoding, Inflation, MAGIC_BYTES, decoder_bytes, detect, zstd_window};
use crate::http::{Client, Clues, Encodings, HeaderMap, Request, Version};
use crate::input::access::Access;
use crate::input::archives::Tars;
use crate::input::error::SourceError;
use crate::input::source::Class;
use crate::input::spec::SourceSpec;
use crate::record::PageToken;

impl Stream {
    /// Opens a body from the network at its start.
    pub(super) async fn fetch(
        spec: SourceSpec,
        request: Request,
        client: Client,
        known: OpenHints<'_>,
    ) -> Result<Self, SourceError> {
        let OpenHints { compression, recorded, progress, .. } = known;
        let tokens: Vec<BodyToken> = recorded.iter().filter_map(|token| BodyToken::read(token)).collect();
        let encodings = encodings(&spec, compression, &tokens);
        let origin =
            Arc::new(BodySource { client, request, unproven_end: UnprovenEnd::default(), encodings });
        let body = origin.open(0, None).await.map_err(|source| SourceError::Http { source })?;
        let version = body.identity().clone();
        let recorded = tokens;
        // A strong ETag tells as much as a digest would.
        let known = recorded.iter().filter(|_| version.etag.is_none());
        let running = RollingDigest::new(known.filter_map(|token| token.content.as_ref()));
        if let Some(why) = recorded.iter().find_map(|recorded| web::difference(&recorded.version, &version)) {
            return Err(SourceError::BodyChanged { name: spec.name, source: BodyChanged(why) });
        }
        let content_type = body.content_type().map(ToOwned::to_owned);
        let headers = body.headers().clone();
        let chunks = web::chunks(Arc::clone(&origin), body, 0);
        let mut raw = BodyReader::new(chunks.clone());
        let network = Some(Network { origin, version, content_type, headers, chunks });
        let mut stream = Self {
            spec,
            compression: Compression::None,
            fingerprint: None,
            progress,
            network,
            tars: Tars::default(),
            reader: Box::new(tokio::io::empty()),
            offset: 0,
            buffer: BytesMut::new(),
            at_end: false,
            unproven: None,
            running,
            stored: RawDigest::default(),
            passed: Vec::new(),
            encoding: None,
            inflation: Inflation::default(),
            window: None,
            decoder_bytes: 0,
            is_verified: false,
        };
        let mut magic = Vec::with_capacity(MAGIC_BYTES);
        let read = (&mut raw).take(MAGIC_BYTES as u64).read_to_end(&mut magic).await;
        read.map_err(|error| stream.read_error(error))?;
        // A server may have decompressed what its name says is compressed: the bytes know.
        stream.compression = compression.unwrap_or_else(|| Compression::by_magic(&magic));
        stream.window = zstd_window(&magic);
        stream.decoder_bytes = decoder_bytes(stream.compression, &magic);
        if stream.compression != Compression::None {
            stream.end_shows();
        }
        let raw = io::Cursor::new(magic).chain(raw);
        stream.reader = decompress(stream.compression, Counted::new(raw, Arc::clone(&stream.progress), 0));
        Ok(stream)
    }

    /// Opens an object of a store at its start: the version that was read before, where the store has it
    /// still.
    pub(super) async fn fetch_object(
        spec: SourceSpec,
        access: &Access,
        known: OpenHints<'_>,
    ) -> Result<Self, SourceError> {
        let name = spec.name.clone();
        let (Some(object), Some(client), Some(stores)) =
            (spec.location.object().cloned(), access.client().cloned(), access.stores())
        else {
            return Err(SourceError::Open { name, source: io::ErrorKind::Unsupported.into() });
        };
        let recorded = known.recorded.last().and_then(|token| BodyToken::read(token));
        let version = recorded.as_ref().map(|token| &token.version);
        let is_kept = version.is_some_and(|version| version.id.is_some());
        let request = stores.request(&object.word, version);
        let mut request = request.map_err(|source| SourceError::Store { source })?;
        request.ordinal = object.ordinal;
        let opened = Self::fetch(spec, request, client, known).await.map_err(|error| match error {
            SourceError::Http { source } => {
                SourceError::Store { source: stores.refused(&object.word, source) }
            }
            error => error,
        })?;
        let etag = opened.network.as_ref().and_then(|network| network.version.etag.as_deref());
        let Some(etag) = etag else { return Err(SourceError::NoVersion { name }) };
        match &object.etag {
            Some(listed) if !is_kept && listed != etag.trim_matches('"') => {
                let how = format!("it was listed with the ETag \"{listed}\", now it is {etag}");
                Err(SourceError::BodyChanged { name, source: BodyChanged(how) })
            }
            _ => Ok(opened),
        }
    }

    /// The encoding that a server says its text has.
    #[must_use]
    pub(in crate::input) fn said_encoding(&self) -> Option<Encoding> {
        Encoding::of_content_type(self.network.as_ref()?.content_type.as_deref()?)
    }

    /// Of a body from the network: looks whether it is all there is. `text`: what stands around its records.
    /// `list`: where they are rather.
    pub(in crate::input) fn expect_all(
        &self,
        text: &str,
        records: u64,
        list: Option<&str>,
    ) -> Result<(), SourceError> {
        let Some(Network { origin, headers, .. }) = &self.network else { return Ok(()) };
        let all = origin.client.expect_all(&origin.request, &Clues { headers, text, records, list });
        all.map_err(|source| SourceError::Http { source })
    }

    /// Of a body from the network: where it comes from, which version it is, and what its answer said.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "files of columns ask"))]
    pub(in crate::input) fn body(&self) -> Option<(&Arc<BodySource>, &Version, &HeaderMap)> {
        self.network.as_ref().map(|network| (&network.origin, &network.version, &network.headers))
    }

    /// As far as an earlier reading has seen it.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "files of columns ask"))]
    pub(in crate::input) fn compared_to(&self) -> u64 {
        self.running.last_expected().unwrap_or_default()
    }

    /// Goes to a resume point.
    pub(in crate::input) async fn go_to(&mut self, offset: u64) -> Result<(), SourceError> {
        let by_range =
            self.is_plain() && self.class().is_exact() && offset.saturating_sub(self.offset) > RANGE_BYTES;
        if self.network.is_none() || by_range {
            self.reopen_at(offset).await
        } else {
            self.pass(offset).await
        }
    }

    /// Reads up to `offset`, and as far as was read before: only then it is known whether it is what was read
    /// then.
    async fn pass(&mut self, offset: u64) -> Result<(), SourceError> {
        while self.offset < offset {
            if self.buffer.is_empty() && !self.read_more(SKIPPED_BYTES).await? {
                return Err(self.behind_end(offset, self.offset));
            }
            let left = usize::try_from(offset - self.offset).unwrap_or(usize::MAX);
            self.take(left.min(self.buffer.len()));
        }
        self.compare_ahead(offset).await
    }

    /// What a checkpoint says covers more than what lies before it: all of that is compared before anything
    /// behind `offset` is handed on.
    pub(super) async fn compare_ahead(&mut self, offset: u64) -> Result<(), SourceError> {
        let seen = self.running.first_expected().unwrap_or(offset);
        let ahead = usize::try_from(seen.saturating_sub(offset)).unwrap_or(usize::MAX);
        while self.buffer.len() < ahead {
            if !self.read_more(ahead - self.buffer.len()).await? {
                return Err(self.changed("it ends earlier"));
            }
        }
        self.running.compare(&self.buffer);
        self.unchanged()
    }

    /// What was read is what was read then.
    pub(in crate::input) fn unchanged(&self) -> Result<(), SourceError> {
        match self.running.difference() {
            Some(change) => Err(self.changed(&format!("what was loaded of it differs: {change}"))),
            None => Ok(()),
        }
    }

    /// It has ended, and not before what an earlier reading had seen of it.
    pub(in crate::input) fn ended(&self) -> Result<(), SourceError> {
        let end = self.offset + self.buffer.len() as u64;
        match self.running.last_expected().is_some_and(|seen| seen > end) {
            true => Err(self.changed("it ends earlier")),
            false => self.unchanged(),
        }
    }

    fn changed(&self, how: &str) -> SourceError {
        SourceError::BodyChanged { name: self.spec.name.clone(), source: BodyChanged(how.to_owned()) }
    }

    /// Reads a body from the network as it comes, until its turn.
    pub(in crate::input) fn spool(&self, space: &SpoolSpace, turn: SourceTurn) {
        if let Some(network) = &self.network {
            network.chunks.begin(space, turn);
        }
    }

    /// Its content says itself where it ends: nothing more is needed of the connection.
    pub fn end_shows(&self) {
        if let Some(network) = &self.network {
            network.origin.unproven_end.set_shown();
        }
    }

    /// Its content does not say where it ends: the connection must have proven it. What it was is told where
    /// the content ends, behind its records.
    pub fn end_needs_proof(&mut self) {
        let Some(network) = &self.network else { return };
        if let Some(error) = network.origin.unproven_end.needs_proof() {
            network.origin.client.ended_unproven();
            (self.unproven, self.at_end) = (Some(error), false);
        }
    }

    /// What may be promised of it now that it is open: a body with a strong `ETag` is fixed.
    #[must_use]
    pub fn class(&self) -> Class {
        match &self.network {
            Some(network) if network.version.etag.is_some() => Class::Fixed,
            _ => self.spec.location.class(),
        }
    }

    /// What checkpoints in it say.
    pub(in crate::input) fn token(&self) -> Option<PageToken> {
        let Some(network) = &self.network else {
            let stored = self.stored.so_far().map(|digest| {
                let bytes = self.progress.load(Ordering::Relaxed);
                (bytes, crate::input::digest::hexadecimal(digest))
            });
            // Where nothing is known of its start, a digest says nothing either.
            self.running.since_start()?;
            let seen = ReadSoFar { content: self.running.content(), stored };
            return self.spec.location.on_disk().map(|_| seen.store());
        };
        let content = network.version.etag.is_none().then(|| self.running.content());
        let for_the_way = network.origin.encodings == Encodings::Compressed;
        Some(BodyToken { version: network.version.clone(), content, for_the_way }.store())
    }
}

/// Whether a server may compress a body for the way: then a resume reads it from its start. Of files that it
/// goes on in by range (lines, CSV) the bytes are wanted as they are, and likewise where an earlier start has
/// had them so. What is compressed already gains nothing.
fn encodings(spec: &SourceSpec, compression: Option<Compression>, recorded: &[BodyToken]) -> Encodings {
    let name = spec.file_name();
    let is_file = Compression::by_name(name).is_some()
        || detect::by_name(name).is_some_and(|format| !format.is_document());
    let was_plain = recorded.iter().any(|token| !token.for_the_way);
    match compression.is_some() || is_file || was_plain {
        true => Encodings::Identity,
        false => Encodings::Compressed,
    }
}

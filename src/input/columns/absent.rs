//! Files of columns, in a build without the feature `parquet`: a source that is one is refused before it is
//! opened.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::blocks::ReaderOptions;
use super::error::SourceError;
use super::fingerprint::Fingerprint;
use super::source::Class;
use super::spec::SourceSpec;
use super::stream::{RawProgress, Stream};
use crate::feature;
use crate::format::ColumnFile;
use crate::record::{Block, Digest, PageToken};

/// Why a file of columns cannot be read (on).
#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {}

impl ColumnsError {
    pub(in crate::input) const fn is_about_content(&self) -> bool {
        match *self {}
    }

    pub(in crate::input) const fn hint(&self) -> Option<String> {
        match *self {}
    }
}

/// Something that is read at any place.
pub(super) trait Ranges: Send + Sync {}

impl Ranges for FileRanges {}

impl Ranges for bytes::Bytes {}

impl Ranges for BodyRanges {}

/// Bytes that are read at any place.
pub(super) struct FileRanges;

impl FileRanges {
    pub(super) fn open(_path: &Path, _size: u64, _progress: RawProgress) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Likewise of a body from the network.
pub(super) struct BodyRanges;

impl BodyRanges {
    pub(super) fn of(_stream: &Stream, _progress: RawProgress) -> Option<Self> {
        None
    }
}

/// What is read of a workbook.
#[derive(Debug, Clone, Default)]
#[expect(dead_code, reason = "none is")]
pub(super) struct SheetChoice {
    pub(super) sheet: Option<String>,
    pub(super) range: Option<String>,
    pub(super) skip_rows: u32,
    pub(super) columns: Option<Vec<String>>,
}

/// How a file of columns is opened.
#[expect(dead_code, reason = "none is")]
pub(super) struct ColumnsOpening {
    pub(super) spec: SourceSpec,
    pub(super) reading: ReaderOptions,
    pub(super) resumed: u64,
    pub(super) tokens: Vec<PageToken>,
    pub(super) memory_bytes: u64,
    pub(super) progress: RawProgress,
}

/// The rows of a file of columns: there are none.
pub(super) enum ColumnRows {}

impl ColumnRows {
    fn refuse(what: &str) -> SourceError {
        match feature::PARQUET.needed_for(|| what.to_owned()) {
            Err(missing) => missing.into(),
            Ok(()) => SourceError::NotAFile { name: what.to_owned() },
        }
    }

    pub(super) async fn of_parquet(
        _opening: ColumnsOpening,
        _ranges: Arc<dyn Ranges>,
        _class: Class,
        _recorded: Option<Fingerprint>,
    ) -> Result<Self, SourceError> {
        Err(Self::refuse("Parquet"))
    }

    pub(super) async fn of_sheet(
        _opening: ColumnsOpening,
        _choice: SheetChoice,
        _ranges: Arc<dyn Ranges>,
        _class: Class,
        _recorded: Option<Fingerprint>,
    ) -> Result<Self, SourceError> {
        Err(Self::refuse("a workbook"))
    }

    pub(super) async fn of_stream(
        _opening: ColumnsOpening,
        file: ColumnFile,
        _stream: Stream,
    ) -> Result<Self, SourceError> {
        Err(Self::refuse(file.name()))
    }

    pub(super) async fn next(&mut self) -> Result<Option<(Block, Digest)>, SourceError> {
        match *self {}
    }

    pub(super) const fn reading(&self) -> &ReaderOptions {
        match *self {}
    }

    pub(super) const fn header(&self) -> &[String] {
        match *self {}
    }

    pub(super) const fn types(&self) -> Vec<(String, String)> {
        match *self {}
    }

    pub(super) const fn class(&self) -> Class {
        match *self {}
    }

    pub(super) const fn in_file(&self) -> Option<(u64, u64)> {
        match *self {}
    }

    pub(super) const fn decoder_bytes(&self) -> u64 {
        match *self {}
    }

    pub(super) const fn take_note(&mut self) -> Option<String> {
        match *self {}
    }

    pub(super) const fn stream(&self) -> Option<&Stream> {
        match *self {}
    }
}

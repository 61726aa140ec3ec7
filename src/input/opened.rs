//! A source that is being read: its blocks in order, looked ahead at without being taken, cut where its rest
//! is another entry, and the place behind what was handed out.

use std::collections::VecDeque;

use crate::format::Layout;
use crate::record::{Block, Digest, PageToken, Place, Position};

use super::begin::Begin;
use super::error::SourceError;
use super::fetched::Fetched;
use super::records::Records;
use super::source::Class;
use super::spool::{SourceTurn, SpoolSpace};

/// Where blocks come from.
pub(super) enum BlockSource {
    /// Read here and now.
    Here(Records),
    /// Fetched before their turn.
    Ahead(Fetched),
}

/// A source that is being read.
pub struct OpenSource {
    origin: BlockSource,
    layout: Layout,
    types: Vec<(String, String)>,
    class: Class,
    pub(super) note: Option<String>,
    peeked: VecDeque<(Block, Digest)>,
    /// Records still to be passed over (`--skip-records`).
    skip: u64,
    /// The rest is another entry of the order.
    until: Option<Position>,
    /// Behind everything handed out.
    position: Position,
    page: Option<PageToken>,
    /// Met by looking ahead.
    failed: Option<SourceError>,
}

impl OpenSource {
    pub(super) fn new(mut origin: BlockSource, layout: Layout, position: Position) -> Self {
        let (class, note) = match &mut origin {
            BlockSource::Here(records) => (records.class(), records.take_note()),
            BlockSource::Ahead(fetched) => (fetched.class, fetched.note.take()),
        };
        let types = match &mut origin {
            BlockSource::Here(records) => records.types(),
            BlockSource::Ahead(fetched) => std::mem::take(&mut fetched.types),
        };
        let (peeked, skip, until, page, failed) = (VecDeque::new(), 0, None, None, None);
        Self { origin, layout, types, class, note, peeked, skip, until, position, page, failed }
    }

    /// Reads a body from the network as it comes, until its turn; false: it is none.
    pub(super) fn spool(&self, space: &SpoolSpace, turn: SourceTurn) -> bool {
        match &self.origin {
            BlockSource::Here(records) => records.spool(space, turn),
            BlockSource::Ahead(_) => false,
        }
    }

    /// Passes over so many records at its beginning.
    pub const fn skip(&mut self, records: u64) {
        self.skip = records;
    }

    /// Ends it here: its rest is read elsewhere in the order.
    pub const fn end_at(&mut self, until: Position) {
        self.until = Some(until);
    }

    /// Format and names of its fields.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Names and types of its fields, where it says them itself.
    pub(super) fn types(&self) -> &[(String, String)] {
        &self.types
    }

    /// What may be promised of it now that it is open.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// So many bytes in its file, and their digest, as far as they were read.
    #[must_use]
    pub fn in_file(&self) -> Option<(u64, u64)> {
        match &self.origin {
            BlockSource::Here(records) => records.in_file(),
            BlockSource::Ahead(_) => None,
        }
    }

    /// The length of its content as far as it was read, and the digest of that.
    #[must_use]
    pub fn content(&self) -> Option<(u64, u64)> {
        match &self.origin {
            BlockSource::Here(records) => records.content(),
            BlockSource::Ahead(_) => None,
        }
    }

    /// Memory that its decoder holds.
    #[must_use]
    pub fn decoder_bytes(&self) -> u64 {
        match &self.origin {
            BlockSource::Here(records) => records.decoder_bytes(),
            BlockSource::Ahead(_) => 0,
        }
    }

    /// What is worth saying about how it was opened.
    pub const fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    async fn read(&mut self) -> Result<Option<(Block, Digest)>, SourceError> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        match &mut self.origin {
            BlockSource::Here(records) => records.next().await,
            BlockSource::Ahead(fetched) => fetched.next().await,
        }
    }

    /// Reads a block ahead without taking it. What goes wrong is said behind the last block.
    pub async fn peek(&mut self) -> Option<&Block> {
        match self.read().await {
            Ok(Some(read)) => {
                self.peeked.push_back(read);
                self.peeked.back().map(|(block, _)| block)
            }
            Ok(None) => None,
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }

    /// What was met by looking ahead, where nothing was found before it.
    pub(super) fn take_failure(&mut self) -> Option<SourceError> {
        if self.peeked.is_empty() { self.failed.take() } else { None }
    }

    /// The next block; its records are numbered from `seq` on.
    pub async fn next(&mut self, seq: &mut u64) -> Result<Option<(Block, Digest)>, SourceError> {
        loop {
            let (mut block, digest) = match self.peeked.pop_front() {
                Some(peeked) => peeked,
                None => match self.read().await? {
                    Some(read) => read,
                    None => return Ok(None),
                },
            };
            if let Some(until) = self.until {
                block.cut_off(until);
                if block.is_empty() {
                    return Ok(None);
                }
            }
            let records = block.len() as u64;
            let passed = self.skip.min(records);
            self.skip -= passed;
            if passed > 0 {
                block.pass_over(usize::try_from(passed).unwrap_or(usize::MAX));
            }
            self.position = block.end;
            self.page.clone_from(&block.page);
            if !block.is_empty() {
                block.first_seq = *seq;
                *seq += block.len() as u64;
                return Ok(Some((block, digest)));
            }
        }
    }

    /// The resume point behind everything handed out.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The same, as the ledger stores it. Before its first block that is where it has begun, with all that is
    /// known of what an earlier start has read up to there.
    #[must_use]
    pub fn place(&self, begin: &Begin) -> Place {
        if self.position == begin.at {
            begin.place()
        } else {
            begin.place_at(self.position, self.page.clone())
        }
    }
}

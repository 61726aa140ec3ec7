//! The records of one source, in one body or page by page: a closed set with one reader each.

use super::blocks::{Blocks, ReaderOptions};
use super::columns::ColumnRows;
use super::error::SourceError;
use super::pages::Pages;
use super::source::Class;
use super::spool::{SourceTurn, SpoolSpace};
use super::table_rows::TableRows;
use crate::record::{Block, Digest};

/// What reads the records of a source.
pub(super) enum Records {
    /// A file, a pipe, or a body from the network.
    Body(Box<Blocks>),
    /// The pages of a paginated endpoint.
    Pages(Box<Pages>),
    /// A file of columns.
    Columns(Box<ColumnRows>),
    /// A table of a database.
    Table(Box<TableRows>),
}

impl Records {
    /// The next block with records, its records not numbered yet, and a digest of what it was read from.
    ///
    /// # Errors
    /// When the source cannot be read, its records cannot be found, or it was changed meanwhile. What was
    /// handed out before stands.
    pub(super) async fn next(&mut self) -> Result<Option<(Block, Digest)>, SourceError> {
        match self {
            Self::Body(blocks) => {
                let mut unnumbered = 0;
                let block = blocks.next(&mut unnumbered).await?;
                Ok(block.map(|block| (block, blocks.digest())))
            }
            Self::Pages(pages) => pages.next().await,
            Self::Columns(rows) => rows.next().await,
            Self::Table(rows) => rows.next().await,
        }
    }

    /// How it is read.
    #[must_use]
    pub(super) fn reading(&self) -> &ReaderOptions {
        match self {
            Self::Body(blocks) => blocks.reading(),
            Self::Pages(pages) => pages.reading(),
            Self::Columns(rows) => rows.reading(),
            Self::Table(rows) => rows.reading(),
        }
    }

    /// Names of the columns, for delimiter-separated values.
    #[must_use]
    pub(super) fn header(&self) -> &[String] {
        match self {
            Self::Body(blocks) => blocks.header(),
            Self::Pages(pages) => pages.header(),
            Self::Columns(rows) => rows.header(),
            Self::Table(rows) => rows.header(),
        }
    }

    /// Names and types of its fields, where it says them itself.
    pub(super) fn types(&self) -> Vec<(String, String)> {
        match self {
            Self::Body(_) | Self::Pages(_) => Vec::new(),
            Self::Columns(rows) => rows.types(),
            Self::Table(rows) => rows.types(),
        }
    }

    /// What may be promised of it, however it ends: the guarantee follows from that.
    #[must_use]
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Body(blocks) => blocks.stream().class(),
            Self::Pages(_) | Self::Table(_) => Class::Query,
            Self::Columns(rows) => rows.class(),
        }
    }

    /// So many bytes in its file, and their digest, as far as they were read.
    #[must_use]
    pub(super) fn in_file(&self) -> Option<(u64, u64)> {
        match self {
            Self::Body(blocks) => blocks.stream().in_file(),
            Self::Pages(_) | Self::Table(_) => None,
            Self::Columns(rows) => rows.in_file(),
        }
    }

    /// The length of its content as far as it was read, and the digest of that.
    pub(super) fn content(&self) -> Option<(u64, u64)> {
        match self {
            Self::Body(blocks) => blocks.stream().content(),
            // Of columns it is compressed within, and nobody packs it once more.
            Self::Pages(_) | Self::Columns(_) | Self::Table(_) => None,
        }
    }

    /// Memory that its decoder holds.
    #[must_use]
    pub(super) fn decoder_bytes(&self) -> u64 {
        match self {
            Self::Body(blocks) => blocks.stream().decoder_bytes(),
            Self::Pages(_) | Self::Table(_) => 0,
            Self::Columns(rows) => rows.decoder_bytes(),
        }
    }

    /// Reads a body from the network as it comes, until its turn; false: it is none.
    pub(super) fn spool(&self, space: &SpoolSpace, turn: SourceTurn) -> bool {
        match self {
            Self::Body(blocks) => {
                blocks.stream().spool(space, turn);
                true
            }
            Self::Columns(rows) => match rows.stream() {
                Some(stream) => {
                    stream.spool(space, turn);
                    true
                }
                None => false,
            },
            Self::Pages(_) | Self::Table(_) => false,
        }
    }

    /// Why an endpoint that was to have pages has one, if that is rather a mistake.
    #[must_use]
    pub(super) fn lonely(&self) -> Option<String> {
        match self {
            Self::Body(_) | Self::Columns(_) | Self::Table(_) => None,
            Self::Pages(pages) => pages.lonely(),
        }
    }

    /// What is worth saying about a resume.
    pub(super) fn take_note(&mut self) -> Option<String> {
        match self {
            Self::Body(blocks) => blocks.take_note(),
            Self::Pages(pages) => pages.take_note(),
            Self::Columns(rows) => rows.take_note(),
            Self::Table(rows) => rows.take_note(),
        }
    }
}

//! The records of one source, in one body or page by page: a closed set with one reader each.

use super::blocks::{Blocks, ReaderOptions};
use super::error::SourceError;
use super::pages::Pages;
use super::source::Class;
use crate::record::{Block, Digest};

/// What reads the records of a source.
pub(super) enum Records {
    /// A file, a pipe, or a body from the network.
    Body(Box<Blocks>),
    /// The pages of a paginated endpoint.
    Pages(Box<Pages>),
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
        }
    }

    /// How it is read.
    #[must_use]
    pub(super) fn reading(&self) -> &ReaderOptions {
        match self {
            Self::Body(blocks) => blocks.reading(),
            Self::Pages(pages) => pages.reading(),
        }
    }

    /// Names of the columns, for delimiter-separated values.
    #[must_use]
    pub(super) fn header(&self) -> &[String] {
        match self {
            Self::Body(blocks) => blocks.header(),
            Self::Pages(pages) => pages.header(),
        }
    }

    /// What may be promised of it, however it ends: the guarantee follows from that.
    #[must_use]
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Body(blocks) => blocks.stream().class(),
            Self::Pages(_) => Class::Query,
        }
    }

    /// So many bytes in its file, and their digest, as far as they were read.
    #[must_use]
    pub(super) fn in_file(&self) -> Option<(u64, u64)> {
        match self {
            Self::Body(blocks) => blocks.stream().in_file(),
            Self::Pages(_) => None,
        }
    }

    /// Memory that its decoder holds.
    #[must_use]
    pub(super) fn decoder_bytes(&self) -> u64 {
        match self {
            Self::Body(blocks) => blocks.stream().decoder_bytes(),
            Self::Pages(_) => 0,
        }
    }

    /// Why an endpoint that was to have pages has one, if that is rather a mistake.
    #[must_use]
    pub(super) fn lonely(&self) -> Option<String> {
        match self {
            Self::Body(_) => None,
            Self::Pages(pages) => pages.lonely(),
        }
    }

    /// What is worth saying about a resume.
    pub(super) fn take_note(&mut self) -> Option<String> {
        match self {
            Self::Body(blocks) => blocks.take_note(),
            Self::Pages(pages) => pages.take_note(),
        }
    }
}

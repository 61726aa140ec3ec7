//! A source that was opened before its turn, as who reads it sees it.

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::error::SourceError;
use super::source::Class;
use crate::format::Layout;
use crate::record::{Block, Digest, Position};

/// A block on its way, or how it ended; with the memory that it takes.
pub(super) type Item = (Result<(Block, Digest), SourceError>, Vec<OwnedSemaphorePermit>);

/// A source that was opened before its turn.
pub(super) struct Fetched {
    pub(super) class: Class,
    pub(super) note: Option<String>,
    pub(super) layout: Layout,
    pub(super) types: Vec<(String, String)>,
    pub(super) at: Position,
    pub(super) blocks: mpsc::UnboundedReceiver<Item>,
}

impl Fetched {
    pub(super) async fn next(&mut self) -> Result<Option<(Block, Digest)>, SourceError> {
        match self.blocks.recv().await {
            Some((item, _)) => item.map(Some),
            None => Ok(None),
        }
    }
}

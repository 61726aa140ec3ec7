//! Where the reading of a source begins.

use crate::record::{PageToken, Place, Position};

/// Where the reading of a source begins, and what finds that again in a source from the network.
#[derive(Debug, Clone)]
pub struct Begin {
    /// Where in the source it begins.
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

    /// The page tokens of the checkpoints.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &PageToken> {
        self.pages.iter().map(|(_, token)| token)
    }
}

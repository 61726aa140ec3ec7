//! Where the reading of a source begins.

use super::seen::Readings;
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
        self.place_at(self.at, page)
    }

    /// The same, for one that was read up to here. Whoever had read further has stored rows of what lies
    /// behind it: that stays known too.
    pub(super) fn place_at(&self, at: Position, page: Option<PageToken>) -> Place {
        Place::new(at, Readings::with_furthest(page, self.tokens()))
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

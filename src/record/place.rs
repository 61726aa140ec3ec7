//! Places in a source: what a resume goes on from.

use std::sync::Arc;

/// A resume point: everything before it has been dealt with, nothing behind it has.
///
/// `offset` counts bytes of the *decoded* stream (after decompression), `record` the records found
/// before it in this source, `line` the line (1-based) on which the offset lies. Positions are
/// totally ordered: by source, in the order given, then by offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Ordinal of the source in the run's stored list, 0-based.
    pub source: u32,
    /// Bytes of the decoded stream before this point.
    pub offset: u64,
    /// Records of this source before this point.
    pub record: u64,
    /// Line (1-based) on which `offset` lies.
    pub line: u64,
}

impl Position {
    /// The very beginning of a source.
    #[must_use]
    pub const fn start_of(source: u32) -> Self {
        Self { source, offset: 0, record: 0, line: 1 }
    }

    /// To be compared where lines are not known: the place itself is told by the others.
    #[must_use]
    pub const fn without_line(self) -> Self {
        Self { line: 0, ..self }
    }
}

/// What a resume needs beside a position: the request of a page (without secrets), the version of a body, a
/// digest; or, of a source that has several offsets at once, all of them. JSON text, written and read by the
/// source alone; travels with the block into the checkpoint, and is committed with it.
pub type PageToken = Arc<str>;

/// Digest of a part of the decoded stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// Bytes of the stream before the part.
    pub from: u64,
    /// Bytes of the stream before its end.
    pub to: u64,
    /// xxh3-64 of the part.
    pub hash: u64,
}

/// A place in a source, as stored: `[offset, record, line]`, and behind it what finds it again in a source
/// from the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Bytes of the decoded stream before it.
    pub offset: u64,
    /// The number of records before it.
    pub record: u64,
    /// Line on which it lies.
    pub line: u64,
    /// What finds it again in a source of pages, as JSON text.
    pub page: Option<PageToken>,
}

impl Place {
    /// A place without its source.
    #[must_use]
    pub const fn new(at: Position, page: Option<PageToken>) -> Self {
        Self { offset: at.offset, record: at.record, line: at.line, page }
    }

    /// The place in this source.
    #[must_use]
    pub const fn position(&self, source: u32) -> Position {
        Position { source, offset: self.offset, record: self.record, line: self.line }
    }

    /// The place as JSON, as the ledger stores it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let page = self.page.as_ref().map_or_else(String::new, |page| format!(",{page}"));
        format!("[{},{},{}{page}]", self.offset, self.record, self.line)
    }

    /// From what was stored.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        let members: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).ok()?;
        let number = |i: usize| members.get(i)?.get().parse().ok();
        let page = members.get(3).map(|page| PageToken::from(page.get()));
        Some(Self { offset: number(0)?, record: number(1)?, line: number(2)?, page })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_stored_with_or_without_a_page() {
        for page in [None, Some(PageToken::from(r#"{"next":["a",1]}"#))] {
            let place = Place { offset: 7, record: 2, line: 3, page };
            assert_eq!(Place::from_json(&place.to_json()), Some(place));
        }
        assert_eq!(Place::from_json("[1,2]"), None);
    }
}

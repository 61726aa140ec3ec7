//! The pages of a row group, looked at before they are read: a header may claim any size, and the decoder
//! would make room for it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::error::ColumnsError;
use super::ranges::Ranges;

/// Bytes that are read for a header at first: most have fewer.
const HEADER_BYTES: usize = 256;
/// No header is longer: its longest parts are the least and the greatest value.
const HEADER_BYTES_MAX: usize = 1 << 20;
/// The type of a page that is a dictionary, in its header.
const DICTIONARY: i64 = 2;

/// The chunks of a row group, and what their pages take.
#[derive(Clone)]
pub(super) struct ChunkPages {
    ranges: Arc<dyn Ranges>,
    room: Arc<PageRoom>,
}

/// What the pages in hand may take, and take.
struct PageRoom {
    limit_bytes: u64,
    /// By the first byte of each chunk: its dictionary, and the page in hand.
    chunks: Mutex<BTreeMap<u64, (u64, u64)>>,
    /// What they would have needed, once that was too much: a decoder keeps of an error its words alone.
    refused: Mutex<Option<u64>>,
}

impl ChunkPages {
    /// `chunks`: where each begins.
    pub(super) fn new(ranges: Arc<dyn Ranges>, chunks: impl Iterator<Item = u64>, limit_bytes: u64) -> Self {
        let chunks = Mutex::new(chunks.map(|start| (start, (0, 0))).collect());
        Self { ranges, room: Arc::new(PageRoom { limit_bytes, chunks, refused: Mutex::default() }) }
    }

    /// Why a page was refused, once one was.
    pub(super) fn refusal(&self) -> impl Fn() -> Option<ColumnsError> + use<> {
        let room = Arc::clone(&self.room);
        move || {
            let needed = (*room.refused.lock().unwrap_or_else(PoisonError::into_inner))?;
            Some(ColumnsError::TooMuchMemory { needed, limit: room.limit_bytes })
        }
    }
}

impl PageRoom {
    /// Takes note of a page, whose header is here.
    fn note(&self, at: u64, header: &PageHeader) -> Result<(), ColumnsError> {
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, chunk)) = chunks.range_mut(..=at).next_back() else { return Ok(()) };
        match header.kind {
            DICTIONARY => chunk.0 = header.content_bytes,
            _ => chunk.1 = header.content_bytes,
        }
        let held: u64 = chunks.values().map(|(dictionary, page)| dictionary.saturating_add(*page)).sum();
        let needed = held.saturating_add(header.stored_bytes);
        if needed > self.limit_bytes {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(needed);
            return Err(ColumnsError::TooMuchMemory { needed, limit: self.limit_bytes });
        }
        Ok(())
    }
}

impl Length for ChunkPages {
    fn len(&self) -> u64 {
        self.ranges.size()
    }
}

impl ChunkReader for ChunkPages {
    type T = HeaderReader;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let (ranges, room) = (Arc::clone(&self.ranges), Arc::clone(&self.room));
        Ok(HeaderReader { ranges, room, at: start, read: Bytes::new(), is_noted: false })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        Ok(self.ranges.read(start, length)?)
    }
}

/// Reads the header of a page, and takes note of it before anybody acts on it.
pub(super) struct HeaderReader {
    ranges: Arc<dyn Ranges>,
    room: Arc<PageRoom>,
    /// The place behind what was read.
    at: u64,
    read: Bytes,
    is_noted: bool,
}

impl HeaderReader {
    fn more(&mut self, bytes: usize) -> io::Result<Bytes> {
        let left = usize::try_from(self.ranges.size().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let read = self.ranges.read(self.at, bytes.min(left))?;
        self.at += read.len() as u64;
        Ok(read)
    }

    fn note(&mut self) -> io::Result<()> {
        let (start, mut wanted) = (self.at, HEADER_BYTES);
        loop {
            self.at = start;
            self.read = self.more(wanted)?;
            if let Some(header) = page_header(&self.read) {
                self.is_noted = true;
                return self.room.note(start, &header).map_err(io::Error::other);
            }
            if self.read.len() < wanted || wanted >= HEADER_BYTES_MAX {
                return Err(io::Error::other(ColumnsError::Damaged(
                    "a page has no proper header".to_owned(),
                )));
            }
            wanted *= 8;
        }
    }
}

impl Read for HeaderReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if !self.is_noted {
            self.note()?;
        } else if self.read.is_empty() {
            self.read = self.more(HEADER_BYTES * 8)?;
        }
        let count = out.len().min(self.read.len());
        self.read.copy_to_slice(&mut out[..count]);
        Ok(count)
    }
}

/// What the header of a page says of it.
struct PageHeader {
    kind: i64,
    content_bytes: u64,
    stored_bytes: u64,
}

/// Reads as much of a header as is needed (a struct of Thrift's compact protocol); `None`: it is not all
/// here, or none.
fn page_header(bytes: &[u8]) -> Option<PageHeader> {
    let mut at = Compact(bytes);
    let (mut field, mut values) = (0_i64, [None; 3]);
    while values.iter().any(Option::is_none) {
        let head = at.byte()?;
        let kind = head & 0x0f;
        if kind == 0 {
            return None;
        }
        field = match head >> 4 {
            0 => at.zigzag()?,
            delta => field + i64::from(delta),
        };
        match (field, kind) {
            (1..=3, 4..=6) => values[usize::try_from(field).ok()? - 1] = Some(at.zigzag()?),
            _ => at.skip(kind, 0)?,
        }
    }
    let [kind, content, stored] = values;
    let (content_bytes, stored_bytes) = (u64::try_from(content?).ok()?, u64::try_from(stored?).ok()?);
    Some(PageHeader { kind: kind?, content_bytes, stored_bytes })
}

/// Thrift's compact protocol, as far as it is to be passed over.
struct Compact<'b>(&'b [u8]);

impl Compact<'_> {
    const DEPTH_MAX: u32 = 16;

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some(i64::try_from(value >> 1).ok()? ^ -i64::from(value & 1 == 1))
    }

    fn pass(&mut self, bytes: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        if depth > Self::DEPTH_MAX {
            return None;
        }
        match kind {
            1 | 2 => {}
            3 => self.pass(1)?,
            4..=6 => drop(self.varint()?),
            7 => self.pass(8)?,
            8 => {
                let length = self.varint()?;
                self.pass(length)?;
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                for _ in 0..count {
                    // In a list a boolean has a byte.
                    match head & 0x0f {
                        1 | 2 => self.pass(1)?,
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
            }
            12 => loop {
                let head = self.byte()?;
                if head & 0x0f == 0 {
                    break;
                }
                if head >> 4 == 0 {
                    self.zigzag()?;
                }
                self.skip(head & 0x0f, depth + 1)?;
            },
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_its_page_takes() {
        // Of a data page: type 0, 2^31 - 1 bytes of content, 10 stored, a struct behind them.
        let header = [0x15, 0, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x15, 20, 0x2c, 0x15, 2, 0, 0];
        let read = page_header(&header).unwrap();
        assert_eq!((read.kind, read.content_bytes, read.stored_bytes), (0, 0x7fff_ffff, 10));
        for cut in 0..10 {
            assert!(page_header(&header[..cut]).is_none(), "{cut}");
        }
        // The struct first: by numbers of fields that are written out.
        let turned = [0x0c, 10, 0x15, 2, 0x18, 2, b'a', b'b', 0, 0x05, 2, 4, 0x05, 4, 40, 0x15, 60];
        let read = page_header(&turned).unwrap();
        assert_eq!((read.kind, read.content_bytes, read.stored_bytes), (2, 20, 30));
        // Below 0, too deep, none.
        assert!(page_header(&[0x15, 0, 0x15, 1, 0x15, 20]).is_none());
        assert!(page_header(&[0x1c; 64]).is_none());
        assert!(page_header(&[]).is_none());
    }

    #[test]
    fn pages_in_hand_are_counted_together() {
        let chunks = Mutex::new([(4, (0, 0)), (50, (0, 0))].into());
        let room = PageRoom { limit_bytes: 100, chunks, refused: Mutex::default() };
        let page = |kind, content_bytes| PageHeader { kind, content_bytes, stored_bytes: 10 };
        assert!(room.note(4, &page(DICTIONARY, 20)).is_ok());
        assert!(room.note(30, &page(0, 20)).is_ok());
        assert!(room.note(60, &page(0, 50)).is_ok());
        // The next page of a chunk takes the place of the one before.
        assert!(room.note(40, &page(0, 20)).is_ok());
        let refused = room.note(70, &page(0, 51)).unwrap_err();
        assert!(matches!(refused, ColumnsError::TooMuchMemory { needed: 101, limit: 100 }));
    }
}

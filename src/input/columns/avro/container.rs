//! A container: its header, then blocks of rows, each with the mark of the file behind it.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use bytes::{Buf as _, Bytes};

use super::codec::Codec;
use super::schema::AvroType;
use super::walk::{pass, signed};
use crate::input::columns::error::ColumnsError;

const MAGIC: &[u8; 4] = b"Obj\x01";
const SYNC_BYTES: usize = 16;
/// Bytes that are made room for before they are there.
const BELIEVED_BYTES: u64 = 1 << 20;
/// Parts of the memory of which the rows of a batch have one: the rest is for the block that they are in.
const PARTS_OF_LIMIT: u64 = 2;

/// A block, unpacked: what is left of it.
struct Unpacked {
    rows: u64,
    data: Bytes,
}

pub(in crate::input::columns) struct AvroContainer<R> {
    bytes: R,
    limit_bytes: u64,
    codec: Codec,
    sync: [u8; SYNC_BYTES],
    /// What the decoder reads before its first block.
    head: Bytes,
    row: AvroType,
    /// Rows that make a batch.
    batch_rows: usize,
    /// A block that was said to come: its rows, its bytes.
    announced: Option<(u64, u64)>,
    block: Option<Unpacked>,
    /// Rows that the decoder has for its next batch, and what they take.
    held_rows: usize,
    held_bytes: u64,
    /// The decoder must hand them on before it gets more.
    is_full: bool,
    is_over: bool,
}

impl<R: Read> AvroContainer<R> {
    /// Reads the header. `batch_rows`: rows of a batch, or fewer if they take much memory.
    pub(in crate::input::columns) fn open(
        mut bytes: R,
        limit_bytes: u64,
        batch_rows: usize,
    ) -> Result<Self, ColumnsError> {
        let AvroHeader { schema, codec } = header(&mut bytes, limit_bytes)?;
        let mut sync = [0; SYNC_BYTES];
        sync.copy_from_slice(&exactly(&mut bytes, SYNC_BYTES as u64, limit_bytes)?);
        let codec = codec.map_or(Ok(Codec::Null), |name| Codec::named(&name))?;
        let schema = schema.ok_or_else(|| damaged("its header has no schema"))?;
        let row = AvroType::of_row(&schema, limit_bytes)?;
        // Text comes on top of what each row takes: it gets as much again.
        let at_once = limit_bytes / PARTS_OF_LIMIT / 2 / row.width.max(1);
        let batch_rows = usize::try_from(at_once).unwrap_or(usize::MAX).clamp(1, batch_rows);
        Ok(Self {
            bytes,
            limit_bytes,
            codec,
            sync,
            head: plain_header(&schema, &sync),
            row,
            batch_rows,
            announced: None,
            block: None,
            held_rows: 0,
            held_bytes: 0,
            is_full: false,
            is_over: false,
        })
    }

    pub(in crate::input::columns) const fn batch_rows(&self) -> usize {
        self.batch_rows
    }

    /// Nothing is left of it.
    pub(in crate::input::columns) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// A file by itself, of as many rows as there is memory for.
    pub(in crate::input::columns) fn segment(&mut self) -> Segment<'_, R> {
        (self.is_full, self.held_rows, self.held_bytes) = (false, 0, 0);
        let parts = VecDeque::from([self.head.clone()]);
        Segment { file: self, parts }
    }

    /// The next rows, as a block that is not compressed; `None`: the segment ends.
    fn next(&mut self) -> Result<Option<[Bytes; 3]>, ColumnsError> {
        while !self.is_full && !self.is_over {
            if let Some(block) = self.block.take() {
                return self.rows(block).map(Some);
            }
            let Some((rows, size)) =
                self.announced.take().map_or_else(|| self.announce(), |block| Ok(Some(block)))?
            else {
                self.is_over = true;
                break;
            };
            if self.held_rows > 0 && self.held_bytes.saturating_add(size) > self.limit_bytes / PARTS_OF_LIMIT
            {
                self.announced = Some((rows, size));
                self.is_full = true;
                break;
            }
            let block = self.unpack(rows, size)?;
            self.block = Some(block).filter(|block| block.rows > 0);
        }
        Ok(None)
    }

    /// Rows and bytes of the next block; `None`: there is none.
    fn announce(&mut self) -> Result<Option<(u64, u64)>, ColumnsError> {
        let Some(rows) = number(&mut self.bytes)? else { return Ok(None) };
        let size = certain(&mut self.bytes)?;
        let below = |_| damaged("a block has a length below 0");
        Ok(Some((u64::try_from(rows).map_err(below)?, u64::try_from(size).map_err(below)?)))
    }

    fn unpack(&mut self, rows: u64, size: u64) -> Result<Unpacked, ColumnsError> {
        let data = exactly(&mut self.bytes, size, self.limit_bytes)?;
        let sync = exactly(&mut self.bytes, SYNC_BYTES as u64, self.limit_bytes)?;
        if sync != self.sync {
            return Err(damaged("a block does not end with the mark of the file"));
        }
        // One of no rows may have no bytes at all, whatever packs them.
        let data = if size == 0 { data } else { self.codec.unpack(data, self.limit_bytes)? };
        if rows > 0 && self.row.is_empty {
            return Err(damaged(&format!("a block has {rows} rows that take no bytes")));
        }
        if rows > data.len() as u64 {
            return Err(damaged(&format!("a block says that it has {rows} rows, in {} bytes", data.len())));
        }
        if rows == 0 {
            surplus(&data)?;
        }
        Ok(Unpacked { rows, data: data.into() })
    }

    /// As many rows of a block as may be held.
    fn rows(&mut self, mut block: Unpacked) -> Result<[Bytes; 3], ColumnsError> {
        let mut rest = &block.data[..];
        let mut rows = 0;
        while rows < block.rows && !self.is_full {
            let before = rest.len();
            let mut claimed = self.row.width;
            pass(&self.row, &mut rest, &mut claimed, self.limit_bytes)
                .map_err(|fault| fault.error(self.limit_bytes))?;
            claimed = claimed.saturating_add((before - rest.len()) as u64);
            may_be(claimed, self.limit_bytes)?;
            rows += 1;
            self.held_rows += 1;
            self.held_bytes = self.held_bytes.saturating_add(claimed);
            if self.held_rows == self.batch_rows {
                (self.held_rows, self.held_bytes) = (0, 0);
            }
            self.is_full = self.held_bytes >= self.limit_bytes / PARTS_OF_LIMIT;
        }
        let bytes = block.data.len() - rest.len();
        block.rows -= rows;
        if block.rows == 0 {
            surplus(rest)?;
        }
        let data = block.data.split_to(bytes);
        self.block = Some(block).filter(|block| block.rows > 0);
        let mut head = Vec::new();
        write_number(rows, &mut head);
        write_number(bytes as u64, &mut head);
        Ok([head.into(), data, Bytes::copy_from_slice(&self.sync)])
    }
}

/// What the decoder reads as a file.
pub(in crate::input::columns) struct Segment<'a, R> {
    file: &'a mut AvroContainer<R>,
    parts: VecDeque<Bytes>,
}

impl<R: Read> BufRead for Segment<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.parts.front().is_some_and(Bytes::is_empty) {
            self.parts.pop_front();
        }
        if self.parts.is_empty() {
            self.parts.extend(self.file.next().map_err(io::Error::other)?.into_iter().flatten());
        }
        Ok(self.parts.front().map_or(&[], |part| &part[..]))
    }

    fn consume(&mut self, count: usize) {
        if let Some(part) = self.parts.front_mut() {
            part.advance(count.min(part.len()));
        }
    }
}

impl<R: Read> Read for Segment<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

fn damaged(how: &str) -> ColumnsError {
    ColumnsError::Damaged(how.to_owned())
}

fn surplus(rest: &[u8]) -> Result<(), ColumnsError> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(damaged(&format!("a block has {} bytes behind its last row", rest.len())))
}

fn may_be(needed: u64, limit: u64) -> Result<(), ColumnsError> {
    if needed <= limit {
        return Ok(());
    }
    Err(ColumnsError::TooMuchMemory { needed, limit })
}

/// So many bytes, which are read before they are believed to be there.
fn exactly(bytes: &mut impl Read, count: u64, limit: u64) -> Result<Vec<u8>, ColumnsError> {
    may_be(count, limit)?;
    let mut out = Vec::with_capacity(usize::try_from(count.min(BELIEVED_BYTES)).unwrap_or(0));
    bytes.take(count).read_to_end(&mut out).map_err(ColumnsError::Read)?;
    match out.len() as u64 == count {
        true => Ok(out),
        false => Err(ColumnsError::Incomplete("Avro")),
    }
}

/// A number; `None`: the end is here.
fn number(bytes: &mut impl Read) -> Result<Option<i64>, ColumnsError> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let mut byte = [0];
        match bytes.read(&mut byte).map_err(ColumnsError::Read)? {
            0 if shift == 0 => return Ok(None),
            0 => return Err(ColumnsError::Incomplete("Avro")),
            _ if shift == 63 && byte[0] > 1 => break,
            _ => value |= u64::from(byte[0] & 0x7f) << shift,
        }
        if byte[0] < 0x80 {
            return Ok(Some(signed(value)));
        }
    }
    Err(damaged("a number has too many bytes"))
}

fn write_number(value: u64, out: &mut Vec<u8>) {
    let mut left = value << 1;
    loop {
        let [low, ..] = left.to_le_bytes();
        left >>= 7;
        if left == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// What a header says.
#[derive(Default)]
struct AvroHeader {
    schema: Option<Vec<u8>>,
    codec: Option<Vec<u8>>,
}

fn header(bytes: &mut impl Read, limit: u64) -> Result<AvroHeader, ColumnsError> {
    let mut magic = Vec::new();
    bytes.take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(ColumnsError::Read)?;
    if !MAGIC.starts_with(&magic) {
        return Err(ColumnsError::Other("Avro"));
    }
    let mut header = AvroHeader::default();
    let mut held = 0;
    loop {
        let count = certain(bytes)?;
        if count == 0 {
            return Ok(header);
        }
        if count < 0 {
            // The bytes that they take.
            certain(bytes)?;
        }
        for _ in 0..count.unsigned_abs() {
            let (key, value) = (text(bytes, &mut held, limit)?, text(bytes, &mut held, limit)?);
            match &key[..] {
                b"avro.schema" => header.schema = Some(value),
                b"avro.codec" => header.codec = Some(value),
                _ => {}
            }
        }
    }
}

/// A number that must be there.
fn certain(bytes: &mut impl Read) -> Result<i64, ColumnsError> {
    number(bytes)?.ok_or(ColumnsError::Incomplete("Avro"))
}

/// Text of the header, of which `held` bytes were read.
fn text(bytes: &mut impl Read, held: &mut u64, limit: u64) -> Result<Vec<u8>, ColumnsError> {
    let length = u64::try_from(certain(bytes)?).map_err(|_| damaged("its header has a length below 0"))?;
    *held = held.saturating_add(length);
    may_be(*held, limit)?;
    exactly(bytes, length, limit)
}

fn plain_header(schema: &[u8], sync: &[u8; SYNC_BYTES]) -> Bytes {
    const KEY: &[u8] = b"avro.schema";
    let mut out = MAGIC.to_vec();
    write_number(1, &mut out);
    for text in [KEY, schema] {
        write_number(text.len() as u64, &mut out);
        out.extend_from_slice(text);
    }
    write_number(0, &mut out);
    out.extend_from_slice(sync);
    out.into()
}

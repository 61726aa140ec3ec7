//! Messages of Arrow, looked at before they are decoded: the decoder makes room for whatever length they say,
//! and a process without that much memory ends.

use std::io::{self, Read};

use arrow_ipc::{Message, RecordBatch, root_as_message};
use bytes::{Buf as _, Bytes};

use super::error::ColumnsError;

/// Stands before the length of a message; in streams of old, nothing does.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Before the bytes of a buffer that is compressed: how many they were.
const CLAIM_BYTES: usize = 8;

/// The bytes of messages, each handed on once what it says of its lengths may be.
pub(super) struct IpcMessages<R> {
    bytes: R,
    limit_bytes: u64,
    /// What is left of the one that is read.
    message: Bytes,
    /// Behind the last one, or where nobody knows how long the next is: the decoder says so.
    is_over: bool,
}

impl<R: Read> IpcMessages<R> {
    pub(super) const fn new(bytes: R, limit_bytes: u64) -> Self {
        Self { bytes, limit_bytes, message: Bytes::new(), is_over: false }
    }

    pub(super) fn into_inner(self) -> R {
        self.bytes
    }

    /// Adds so many bytes; false: there are fewer.
    fn add(&mut self, count: u64, message: &mut Vec<u8>) -> io::Result<bool> {
        let read = (&mut self.bytes).take(count).read_to_end(message)?;
        Ok(read as u64 == count)
    }

    fn may_be(&self, needed: u64) -> io::Result<()> {
        if needed <= self.limit_bytes {
            return Ok(());
        }
        Err(io::Error::other(ColumnsError::TooMuchMemory { needed, limit: self.limit_bytes }))
    }

    /// Reads the next one; false: it is not whole, or it is the end.
    fn next(&mut self, message: &mut Vec<u8>) -> io::Result<bool> {
        if !self.add(4, message)? || message[..] == CONTINUATION && !self.add(4, message)? {
            return Ok(false);
        }
        let start = message.len();
        let length = i32::from_le_bytes([0, 1, 2, 3].map(|i| message[start - 4 + i]));
        let length = u64::try_from(length).map_err(|_| damaged("a message has a length below 0"))?;
        self.may_be(length)?;
        if length == 0 || !self.add(length, message)? {
            return Ok(false);
        }
        let body = {
            let head = root_as_message(&message[start..]).map_err(|error| damaged(&error.to_string()))?;
            u64::try_from(head.bodyLength())
                .map_err(|_| damaged("a message has a body of less than 0 bytes"))?
        };
        self.may_be(length.saturating_add(body))?;
        let behind = message.len();
        if !self.add(body, message)? {
            return Ok(false);
        }
        let head = root_as_message(&message[start..behind]).map_err(|error| damaged(&error.to_string()))?;
        self.may_be(claimed(&head, &message[behind..]))?;
        Ok(true)
    }
}

impl<R: Read> Read for IpcMessages<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.message.is_empty() && !self.is_over {
            let mut message = Vec::new();
            self.is_over = !self.next(&mut message)?;
            self.message = message.into();
        }
        if self.message.is_empty() {
            return self.bytes.read(out);
        }
        let count = out.len().min(self.message.len());
        self.message.copy_to_slice(&mut out[..count]);
        Ok(count)
    }
}

fn damaged(how: &str) -> io::Error {
    io::Error::other(ColumnsError::Damaged(how.lines().next().unwrap_or_default().to_owned()))
}

/// How many bytes the compressed buffers of a message say that they were.
fn claimed(message: &Message<'_>, body: &[u8]) -> u64 {
    let dictionary = || message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let batch: Option<RecordBatch<'_>> = message.header_as_record_batch().or_else(dictionary);
    let Some(batch) = batch.filter(|batch| batch.compression().is_some()) else { return 0 };
    let claim = |offset: i64| {
        let from = usize::try_from(offset).ok()?;
        let bytes = body.get(from..from.checked_add(CLAIM_BYTES)?)?;
        u64::try_from(i64::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let buffers = batch.buffers().into_iter().flatten();
    buffers.filter_map(|buffer| claim(buffer.offset())).fold(0, u64::saturating_add)
}

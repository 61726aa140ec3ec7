//! What was stored, decompressed.

use std::io;

use async_compression::tokio::bufread::{BzDecoder, GzipDecoder, XzDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use tokio::io::{AsyncRead, BufReader};

use super::stored::{Alone, ByteReader};
use crate::format::{Compression, Inflated, XZ_MEMORY_BYTES, ZSTD_WINDOW_LOG};

/// Bytes of the compressed file that are read at once.
const COMPRESSED_BYTES: usize = 128 * 1024;

/// All members, frames or streams, one behind the other; anything else behind them is an error. So are zeros,
/// which cannot be told from a damaged end, but for xz, whose format allows them as padding.
pub(in crate::input) fn decompress<R: AsyncRead + Send + Unpin + 'static>(
    compression: Compression,
    raw: R,
) -> ByteReader {
    let raw = Alone::new(raw);
    if compression == Compression::None {
        return Box::new(raw);
    }
    let raw = BufReader::with_capacity(COMPRESSED_BYTES, raw);
    macro_rules! all_members {
        ($decoder:expr) => {{
            let mut decoder = $decoder;
            decoder.multiple_members(true);
            Box::new(decoder)
        }};
    }
    match compression {
        Compression::None => Box::new(raw),
        Compression::Gzip => all_members!(GzipDecoder::new(raw)),
        Compression::Zstd => {
            all_members!(ZstdDecoder::with_params(raw, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]))
        }
        Compression::Bzip2 => all_members!(BzDecoder::new(raw)),
        Compression::Xz => all_members!(XzDecoder::with_mem_limit(raw, XZ_MEMORY_BYTES)),
    }
}

/// What a member of a zip is mostly compressed by.
#[cfg(feature = "archives")]
pub(in crate::input) fn inflate<R: tokio::io::AsyncBufRead + Send + Sync + Unpin + 'static>(
    raw: R,
) -> ByteReader {
    Box::new(async_compression::tokio::bufread::DeflateDecoder::new(raw))
}

/// Zstandard's own name of an error that its library hands out as nothing else.
const ZSTD_WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// What a decoder was refused for, if that is the memory that it wanted.
pub(super) fn too_much_memory(error: &io::Error, window: Option<u64>) -> Option<Inflated> {
    let inner = error.get_ref()?;
    if matches!(inner.downcast_ref(), Some(liblzma::stream::Error::MemLimit)) {
        return Some(Inflated::Dictionary(XZ_MEMORY_BYTES >> 20));
    }
    let limit = (1 << ZSTD_WINDOW_LOG) >> 20;
    (inner.to_string() == ZSTD_WINDOW_TOO_LARGE).then_some(Inflated::Window { window, limit })
}

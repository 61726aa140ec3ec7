//! Decompression, in a build without the feature `compression`: a compressed source is refused when it is
//! opened.

use std::io;

use tokio::io::AsyncRead;

use super::stored::{Alone, ByteReader};
use crate::format::{Compression, Inflated};

/// The bytes as they are.
pub(in crate::input) fn decompress<R: AsyncRead + Send + Unpin + 'static>(
    compression: Compression,
    raw: R,
) -> ByteReader {
    debug_assert!(compression == Compression::None, "refused when it was opened");
    Box::new(Alone::new(raw))
}

/// No decoder was refused anything.
pub(super) const fn too_much_memory(_error: &io::Error, _window: Option<u64>) -> Option<Inflated> {
    None
}

//! Compressions, known by the name of a source or by its first bytes.

use crate::feature::{self, Missing};

/// How the bytes of a source are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Compression {
    /// The source is not compressed.
    None,
    /// gzip, of one member or many.
    Gzip,
    /// Zstandard, of one frame or many.
    Zstd,
    /// bzip2, of one stream or many.
    Bzip2,
    /// xz, of one stream or many.
    Xz,
}

/// Most bytes of a source's content, decompressed: what PostgreSQL's largest table holds.
const CONTENT_BYTES: u64 = 32 << 40;
/// Most that compression may have saved: gzip ends near 1,030 to 1, records seldom reach 100.
const RATIO: u64 = 1_000;
/// A ratio says nothing about the first bytes: a few lines of blanks are no bomb.
const RATIO_FROM_BYTES: u64 = 64 << 20;

const MIB: u64 = 1 << 20;

/// Most memory of an xz decoder: its dictionary, which a file may wish to have of gigabytes. `xz -9` makes
/// ones of 64 MiB.
pub const XZ_MEMORY_BYTES: u64 = 128 << 20;
/// Largest window of Zstandard, as a power of two: `zstd -19` makes ones of 8 MiB, `--long` of 128 MiB.
pub const ZSTD_WINDOW_LOG: u32 = 27;

/// What decompression is held to, so that a small file cannot keep a load busy for days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inflation {
    /// Most bytes of a source's content.
    pub bytes: u64,
    /// Most bytes of content for one of the file, judged behind the first megabytes.
    pub ratio: u64,
}

impl Default for Inflation {
    fn default() -> Self {
        Self { bytes: CONTENT_BYTES, ratio: RATIO }
    }
}

/// A source whose content is larger than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Inflated {
    /// Longest content that is allowed, in bytes.
    #[error("its content is longer than {0} bytes")]
    Bytes(u64),
    /// In proportion to the file.
    #[error("its content is more than {0} times as long as the file")]
    Ratio(u64),
    /// Its decoder would need too much memory.
    #[error("xz needs more than {0} MiB of memory to decode it: its dictionary is larger")]
    Dictionary(u64),
    /// Likewise of Zstandard; the window where its first frame says it.
    #[error("zstd needs a window of {}{limit} MiB", window_words(*.window))]
    Window {
        /// Memory that its window takes, in bytes.
        window: Option<u64>,
        /// The limit on memory, in MiB.
        limit: u64,
    },
}

fn window_words(window: Option<u64>) -> String {
    match window {
        Some(bytes) => format!("{} MiB, more than the allowed ", bytes.div_ceil(1 << 20)),
        None => "more than the allowed ".to_owned(),
    }
}

/// Memory that a decoder of a file that begins like this holds: its window or dictionary, as far as the head
/// says it.
#[must_use]
pub fn decoder_bytes(compression: Compression, head: &[u8]) -> u64 {
    match compression {
        Compression::None => 0,
        // A window of 32 KiB.
        Compression::Gzip => MIB / 16,
        // Of `zstd -19`, where it says none.
        Compression::Zstd => zstd_window(head).unwrap_or(8 * MIB).min(1 << ZSTD_WINDOW_LOG),
        // A block of 900 kB, and where each of its bytes goes.
        Compression::Bzip2 => 4 * MIB,
        // Of `xz -6`, where it does not say it at once.
        Compression::Xz => xz_dictionary(head).unwrap_or(8 * MIB).min(XZ_MEMORY_BYTES),
    }
}

/// Dictionary of the first block of xz in these bytes (The .xz File Format, 3.1): mostly its one filter is
/// LZMA2.
fn xz_dictionary(head: &[u8]) -> Option<u64> {
    let block = head.get(12..)?;
    let (flags, filter) = (block.get(1)?, block.get(2..5)?);
    if flags & 0xc3 != 0 || filter.get(..2)? != [0x21, 1] {
        return None;
    }
    let bits = u32::from(*filter.get(2)? & 0x3f);
    (2 | u64::from(bits & 1)).checked_shl(bits / 2 + 11)
}

/// Window of the first frame of Zstandard in these bytes, as its header (RFC 8878) says.
#[must_use]
pub fn zstd_window(head: &[u8]) -> Option<u64> {
    let (magic, rest) = head.split_at_checked(4)?;
    let (&descriptor, rest) = rest.split_first()?;
    if magic != KNOWN[1].1 || descriptor & 0x20 != 0 {
        // Of a single segment the window is the content.
        return None;
    }
    let window = u64::from(*rest.first()?);
    let base = 1_u64.checked_shl(10 + u32::try_from(window >> 3).ok()?)?;
    Some(base + base / 8 * (window & 7))
}

impl Inflated {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Bytes(_) => {
                "if this is meant to be, --max-decompressed-bytes allows more; the same command goes on"
            }
            Self::Dictionary(_) | Self::Window { .. } => {
                "decompress it with its own tool and pipe it in, or compress it anew with a smaller dictionary or window"
            }
            Self::Ratio(_) => {
                "it may be made to do harm; if not, --max-ratio allows more, and the same command goes on"
            }
        }
    }
}

impl Inflation {
    /// Whether so much content of so many bytes of a compressed file is bearable.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(self, file_bytes: u64, content_bytes: u64) -> Result<(), Inflated> {
        if content_bytes > self.bytes {
            return Err(Inflated::Bytes(self.bytes));
        }
        if content_bytes > RATIO_FROM_BYTES && content_bytes / self.ratio.max(1) > file_bytes {
            return Err(Inflated::Ratio(self.ratio));
        }
        Ok(())
    }
}

/// Endings of names, magic bytes, compression. `zlib` streams have no magic worth the name.
const KNOWN: [(&str, &[u8], Compression); 4] = [
    (".gz", &[0x1f, 0x8b, 0x08], Compression::Gzip),
    (".zst", &[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
    (".bz2", b"BZh", Compression::Bzip2),
    (".xz", &[0xfd, b'7', b'z', b'X', b'Z', 0x00], Compression::Xz),
];

/// Bytes that [`Compression::by_magic`] wants to see.
pub const MAGIC_BYTES: usize = 6;

impl Compression {
    /// Bytes of a file that are cheap to decode once more, only to see whether they are whole, before the
    /// first record of them is stored: beside loading the content gzip takes a tenth, Zstandard a twentieth,
    /// xz a quarter; bzip2 takes as long as the load itself. Of larger ones it costs minutes, and the disk
    /// twice.
    #[must_use]
    pub const fn cheap_check_bytes(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Gzip | Self::Zstd => 1024 * MIB,
            Self::Xz => 256 * MIB,
            Self::Bzip2 => 16 * MIB,
        }
    }

    /// Refuses what this build cannot decompress. `name`: of the source.
    ///
    /// # Errors
    /// When the feature is missing.
    pub fn decodable(self, name: &str) -> Result<(), Missing> {
        match self {
            Self::None => Ok(()),
            _ => feature::COMPRESSION.needed_for(|| format!("{name}, which is compressed,")),
        }
    }

    /// By the end of a name, with the name before it: `events.csv.gz` is gzip of `events.csv`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<(Self, &str)> {
        KNOWN.iter().find_map(|(ending, _, compression)| {
            let split = name.len().checked_sub(ending.len())?;
            let (stem, end) = (name.get(..split)?, name.get(split..)?);
            end.eq_ignore_ascii_case(ending).then_some((*compression, stem))
        })
    }

    /// By the first bytes of a source. No text format begins with any of these.
    #[must_use]
    pub fn by_magic(head: &[u8]) -> Self {
        let known = KNOWN.iter().find(|(_, magic, _)| head.starts_with(magic));
        known.map_or(Self::None, |(_, _, compression)| *compression)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_decoder_holds_is_read_from_the_head() {
        let zstd = |window: u8| [0x28, 0xb5, 0x2f, 0xfd, 0x04, window, 0, 0];
        let mut xz = [0; 32];
        xz[..6].copy_from_slice(KNOWN[3].1);
        xz[12..17].copy_from_slice(&[2, 0, 0x21, 1, 0x16]);
        for (compression, head, expected) in [
            (Compression::None, &b"{}"[..], 0),
            (Compression::Zstd, &zstd((21 - 10) << 3), 2 * MIB),
            (Compression::Zstd, &zstd((28 - 10) << 3), 128 * MIB),
            (Compression::Zstd, &[], 8 * MIB),
            (Compression::Xz, &xz, 8 * MIB),
            (Compression::Xz, &xz[..13], 8 * MIB),
        ] {
            assert_eq!(decoder_bytes(compression, head), expected, "{compression:?} {head:?}");
        }
        assert_eq!(zstd_window(&zstd((28 - 10) << 3 | 1)), Some((256 + 32) * MIB));
        assert_eq!(zstd_window(&[0x28, 0xb5, 0x2f, 0xfd, 0x24, 1]), None);
        xz[16] = 28;
        assert_eq!(xz_dictionary(&xz), Some(64 * MIB));
        xz[16] = 34;
        assert_eq!(xz_dictionary(&xz), Some(512 * MIB));
    }
}

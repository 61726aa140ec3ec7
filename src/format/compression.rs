//! Compressions, known by the name of a source or by its first bytes.

/// How the bytes of a source are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
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

//! How a block is compressed.

use std::io::{self, BufReader, Read};

use crate::input::columns::error::ColumnsError;

/// Behind a block of Snappy: the checksum of what it was.
const CHECKSUM_BYTES: usize = 4;
/// Memory that xz may ask for: what is not written to takes none.
const DICTIONARY_BYTES: u64 = 128 << 20;
/// How many times the limit is unpacked, to no place, to say what would be enough.
const TIMES_COUNTED: u64 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
    Bzip2,
    Xz,
}

impl Codec {
    /// As a header names it.
    pub(super) fn named(name: &[u8]) -> Result<Self, ColumnsError> {
        Ok(match name {
            b"null" => Self::Null,
            b"deflate" => Self::Deflate,
            b"snappy" => Self::Snappy,
            b"zstandard" => Self::Zstandard,
            b"bzip2" => Self::Bzip2,
            b"xz" => Self::Xz,
            other => {
                let name: String = String::from_utf8_lossy(other).chars().take(40).collect();
                return Err(ColumnsError::Damaged(format!("its blocks are compressed by {name:?}")));
            }
        })
    }

    /// What a block was, if it takes no more than this. Bytes behind it are passed over: a writer that many
    /// use leaves some there (fastavro, of zlib's checksum).
    pub(super) fn unpack(self, block: Vec<u8>, limit: u64) -> Result<Vec<u8>, ColumnsError> {
        let packed = &block[..];
        match self {
            Self::Null => Ok(block),
            Self::Deflate => read(flate2::bufread::DeflateDecoder::new(packed), limit),
            Self::Snappy => snappy(packed, limit),
            Self::Zstandard => read(
                zstd::stream::read::Decoder::with_buffer(packed).map_err(|error| damaged(&error))?,
                limit,
            ),
            Self::Bzip2 => read(bzip2::bufread::BzDecoder::new(packed), limit),
            Self::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(limit.max(DICTIONARY_BYTES), 0);
                let stream = stream.map_err(|error| damaged(&error))?;
                read(liblzma::bufread::XzDecoder::new_stream(BufReader::new(packed), stream), limit)
            }
        }
    }
}

fn damaged(error: &dyn std::error::Error) -> ColumnsError {
    ColumnsError::Damaged(format!("a block cannot be unpacked: {error}"))
}

fn may_be(needed: u64, limit: u64) -> Result<(), ColumnsError> {
    if needed <= limit {
        return Ok(());
    }
    Err(ColumnsError::TooMuchMemory { needed, limit })
}

fn read(mut unpacked: impl Read, limit: u64) -> Result<Vec<u8>, ColumnsError> {
    let mut out = Vec::new();
    let wanted = limit.saturating_add(1);
    (&mut unpacked).take(wanted).read_to_end(&mut out).map_err(|error| damaged(&error))?;
    if out.len() as u64 > limit {
        let mut more = unpacked.take(limit.saturating_mul(TIMES_COUNTED));
        let more = io::copy(&mut more, &mut io::sink()).map_err(|error| damaged(&error))?;
        may_be(more.saturating_add(out.len() as u64), limit)?;
    }
    Ok(out)
}

fn snappy(packed: &[u8], limit: u64) -> Result<Vec<u8>, ColumnsError> {
    let cut = || ColumnsError::Damaged("a block cannot be unpacked: its checksum is not there".to_owned());
    let (packed, checksum) = packed.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(cut)?;
    may_be(snap::raw::decompress_len(packed).map_err(|error| damaged(&error))? as u64, limit)?;
    let out = snap::raw::Decoder::new().decompress_vec(packed).map_err(|error| damaged(&error))?;
    let mut crc = flate2::Crc::new();
    crc.update(&out);
    if crc.sum() != u32::from_be_bytes(*checksum) {
        return Err(ColumnsError::Damaged("the checksum of a block is another".to_owned()));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn pack(codec: Codec, data: &[u8]) -> Vec<u8> {
        match codec {
            Codec::Null => data.to_vec(),
            Codec::Deflate => {
                let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                out.write_all(data).unwrap();
                out.finish().unwrap()
            }
            Codec::Snappy => {
                let mut out = snap::raw::Encoder::new().compress_vec(data).unwrap();
                let mut crc = flate2::Crc::new();
                crc.update(data);
                out.extend_from_slice(&crc.sum().to_be_bytes());
                out
            }
            Codec::Zstandard => zstd::encode_all(data, 3).unwrap(),
            Codec::Bzip2 => {
                let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
                out.write_all(data).unwrap();
                out.finish().unwrap()
            }
            Codec::Xz => {
                let mut out = liblzma::write::XzEncoder::new(Vec::new(), 6);
                out.write_all(data).unwrap();
                out.finish().unwrap()
            }
        }
    }

    const PACKING: [Codec; 5] = [Codec::Deflate, Codec::Snappy, Codec::Zstandard, Codec::Bzip2, Codec::Xz];

    #[test]
    fn what_was_packed_comes_out_up_to_the_limit_and_a_bomb_does_not() {
        let data: Vec<u8> = (0_u32..30_000).flat_map(u32::to_le_bytes).collect();
        let bomb = vec![0; 8 << 20];
        for codec in PACKING {
            let packed = pack(codec, &data);
            assert_eq!(codec.unpack(packed.clone(), data.len() as u64).unwrap(), data, "{codec:?}");
            let refused = codec.unpack(packed, data.len() as u64 - 1).unwrap_err();
            let ColumnsError::TooMuchMemory { needed, .. } = refused else { panic!("{codec:?}: {refused}") };
            assert_eq!(needed, data.len() as u64, "{codec:?}: what it says is enough");
            let refused = codec.unpack(pack(codec, &bomb), 1 << 16).unwrap_err();
            assert!(matches!(refused, ColumnsError::TooMuchMemory { .. }), "{codec:?}: {refused}");
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_damaged_and_bytes_behind_it_are_passed_over() {
        let data: Vec<u8> = (0_u32..30_000).flat_map(u32::to_le_bytes).collect();
        for codec in PACKING {
            let packed = pack(codec, &data);
            for kept in [0, 1, 3, packed.len() / 2] {
                let read = codec.unpack(packed[..kept].to_vec(), 1 << 20);
                // Some say nothing of it: then the rows are too few.
                assert!(read.is_err() || read.is_ok_and(|read| read != data), "{codec:?} cut at {kept}");
            }
        }
        let mut behind = pack(Codec::Deflate, &data);
        behind.extend_from_slice(&[1, 2, 3]);
        assert_eq!(Codec::Deflate.unpack(behind, 1 << 20).unwrap(), data);
        let mut other = pack(Codec::Snappy, &data);
        *other.last_mut().unwrap() ^= 1;
        let refused = Codec::Snappy.unpack(other, 1 << 20).unwrap_err();
        assert!(refused.to_string().contains("checksum"), "{refused}");
        let refused = Codec::named(b"lzo").unwrap_err();
        assert!(refused.to_string().contains("compressed by \"lzo\""), "{refused}");
    }
}

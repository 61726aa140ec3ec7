//! The headers of a tar (POSIX ustar and pax, GNU), one behind the other. What is compressed as a whole is
//! unpacked on the way, within the limits that hold for any content.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, BufReader};

use super::choose::{ArchiveEntry, Choice, ChosenMembers};
use super::zip::of_bytes;
use crate::format::{Compression, Inflation};
use crate::input::member::{MemberError, MemberPlace, Packing, label};
use crate::input::stream::decompress::decompress;
use crate::input::stream::stored::{ByteReader, Counted};

/// Headers and contents begin at multiples of this.
pub(super) const BLOCK_BYTES: usize = 512;
/// Longest name, and longest fields of pax, that are looked at.
const EXTENDED_BYTES: u64 = 1 << 20;
/// TarBytes that are passed over at once.
const PASSED_BYTES: usize = 64 << 10;

/// Chooses members of a tar; they come as they lie in it.
pub(super) async fn choose(
    path: &Path,
    compression: Compression,
    inflation: Inflation,
    mut choice: Choice,
) -> Result<ChosenMembers, MemberError> {
    let mut walk = TarWalk::begin(path, compression, inflation).await?;
    let mut ahead = Extended::default();
    while let Some(header) = walk.header().await? {
        match header[156] {
            b'L' => ahead.name = Some(trimmed(&walk.extended(&header).await?).to_vec()),
            b'x' => ahead.take(&walk.extended(&header).await?)?,
            b'K' | b'g' => walk.pass(padded(size_of(&header)?)).await?,
            kind => {
                let ahead = std::mem::take(&mut ahead);
                let (entry, content) = entry(&header, kind, ahead, walk.at, compression)?;
                walk.pass(padded(content)).await?;
                if let Some(entry) = entry {
                    choice.offer(entry)?;
                }
            }
        }
    }
    walk.end().await?;
    let mut chosen = choice.end()?;
    chosen.entries.sort_by_key(|entry| entry.place.offset);
    Ok(chosen)
}

/// What stands before a header and is of it.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

impl Extended {
    /// Reads the fields of pax: `LENGTH KEY=VALUE\n` each.
    fn take(&mut self, mut fields: &[u8]) -> Result<(), MemberError> {
        let wrong = || MemberError::Damaged("an extended header cannot be read".to_owned());
        while !fields.is_empty() {
            let blank = fields.iter().position(|byte| *byte == b' ').ok_or_else(wrong)?;
            let length: usize = text(&fields[..blank])?.parse().map_err(|_| wrong())?;
            let field = fields.get(blank + 1..length).and_then(|field| field.strip_suffix(b"\n"));
            let field = field.ok_or_else(wrong)?;
            let equals = field.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
            let (key, value) = (&field[..equals], &field[equals + 1..]);
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"size" => self.size = Some(text(value)?.parse().map_err(|_| wrong())?),
                key => self.is_sparse |= key.starts_with(b"GNU.sparse."),
            }
            fields = &fields[length..];
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, MemberError> {
    std::str::from_utf8(bytes).map_err(|_| MemberError::Damaged("a header is no text".to_owned()))
}

/// The file that a header is of, whose content begins behind `at`; and the bytes of that.
fn entry(
    header: &[u8; BLOCK_BYTES],
    kind: u8,
    ahead: Extended,
    at: u64,
    compression: Compression,
) -> Result<(Option<ArchiveEntry>, u64), MemberError> {
    let size = match ahead.size {
        Some(size) => size,
        None => size_of(header)?,
    };
    let name = of_bytes(&ahead.name.unwrap_or_else(|| name_of(header)));
    let is_folder = name.ends_with('/');
    let (is_file, what, content) = match kind {
        b'0' | b'7' | 0 => (!is_folder, None, size),
        b'S' => (true, Some("a file with holes"), size),
        // Names of what is elsewhere.
        b'1' => (true, Some("a link to another member"), 0),
        b'2'..=b'6' => (false, None, 0),
        _ => (false, None, size),
    };
    if !is_file {
        return Ok((None, content));
    }
    let what = if ahead.is_sparse { Some("a file with holes") } else { what };
    let refused = what.map(|what| MemberError::NoContent { member: label(&name), what });
    let offset = at - BLOCK_BYTES as u64;
    let (crc, packing) = (crc32fast::hash(header), Packing::Tar(compression));
    let place = MemberPlace { offset, packed: content, size: content, crc, packing };
    Ok((Some(ArchiveEntry { name, place, refused }), content))
}

/// The name in a header, with what POSIX has put before it.
fn name_of(header: &[u8; BLOCK_BYTES]) -> Vec<u8> {
    let name = trimmed(&header[..100]);
    let prefix = if &header[257..263] == b"ustar\0" { trimmed(&header[345..500]) } else { &[] };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

fn trimmed(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn size_of(header: &[u8; BLOCK_BYTES]) -> Result<u64, MemberError> {
    number(&header[124..136]).ok_or_else(|| MemberError::Damaged("a header has no length".to_owned()))
}

/// A number in octal digits, or, as GNU has it, in bytes.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((first @ 0x80.., bytes)) = field.split_first() {
        let more = |number: u64, byte: &u8| number.checked_mul(256)?.checked_add(u64::from(*byte));
        return if *first == 0x80 { bytes.iter().try_fold(0, more) } else { None };
    }
    let digits = field.split(|byte| *byte == 0).next()?.trim_ascii();
    match digits.is_empty() {
        true => Some(0),
        false => u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok(),
    }
}

/// The sum that a header says of itself, whose own bytes count as blanks: of signed bytes in some.
fn is_header(block: &[u8; BLOCK_BYTES]) -> bool {
    let byte = |i: usize| if (148..156).contains(&i) { b' ' } else { block[i] };
    let unsigned: u64 = (0..BLOCK_BYTES).map(|i| u64::from(byte(i))).sum();
    let signed: i64 = (0..BLOCK_BYTES).map(|i| i64::from(byte(i).cast_signed())).sum();
    number(&block[148..156]).is_some_and(|said| said == unsigned || i64::try_from(said) == Ok(signed))
}

const fn padded(bytes: u64) -> u64 {
    bytes.saturating_add(BLOCK_BYTES as u64 - 1) / BLOCK_BYTES as u64 * BLOCK_BYTES as u64
}

/// Where the bytes come from.
enum TarBytes {
    Plain(BufReader<File>, u64),
    Packed(ByteReader),
}

/// A tar that is read from its start.
struct TarWalk {
    bytes: TarBytes,
    /// TarBytes that were read of it, as it is when it is unpacked; and of the file.
    at: u64,
    raw: Arc<AtomicU64>,
    inflation: Inflation,
    compression: Compression,
}

impl TarWalk {
    async fn begin(path: &Path, compression: Compression, inflation: Inflation) -> Result<Self, MemberError> {
        let file = File::open(path).await.map_err(MemberError::Read)?;
        let size = file.metadata().await.map_err(MemberError::Read)?.len();
        let raw = Arc::new(AtomicU64::new(0));
        let bytes = match compression {
            Compression::None => TarBytes::Plain(BufReader::new(file), size),
            compression => TarBytes::Packed(decompress(compression, Counted::new(file, Arc::clone(&raw), 0))),
        };
        Ok(Self { bytes, at: 0, raw, inflation, compression })
    }

    /// The next header; `None`: the mark of the end.
    async fn header(&mut self) -> Result<Option<[u8; BLOCK_BYTES]>, MemberError> {
        let mut block = [0; BLOCK_BYTES];
        let begins = self.at == 0;
        self.exact(&mut block).await?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        match (is_header(&block), begins) {
            (true, _) => Ok(Some(block)),
            (false, true) => Err(MemberError::Other("tar")),
            (false, false) => {
                let at = self.at - BLOCK_BYTES as u64;
                Err(MemberError::Damaged(format!("no header stands at byte {at} of the tar")))
            }
        }
    }

    /// What a header has instead of a file: a name, or fields.
    async fn extended(&mut self, header: &[u8; BLOCK_BYTES]) -> Result<Vec<u8>, MemberError> {
        let size = size_of(header)?;
        if size > EXTENDED_BYTES {
            return Err(MemberError::Damaged("an extended header is longer than 1 MiB".to_owned()));
        }
        let mut content = vec![0; usize::try_from(size).unwrap_or_default()];
        self.exact(&mut content).await?;
        self.pass(padded(size) - size).await?;
        Ok(content)
    }

    async fn exact(&mut self, out: &mut [u8]) -> Result<(), MemberError> {
        let read = match &mut self.bytes {
            TarBytes::Plain(file, _) => file.read_exact(out).await,
            TarBytes::Packed(reader) => reader.read_exact(out).await,
        };
        read.map_err(|error| self.failed(error))?;
        self.at += out.len() as u64;
        self.bearable()
    }

    async fn pass(&mut self, bytes: u64) -> Result<(), MemberError> {
        let to = self.at.checked_add(bytes).ok_or(MemberError::Incomplete("it is cut off in a member"))?;
        if let TarBytes::Plain(file, size) = &mut self.bytes {
            if to > *size {
                return Err(MemberError::Incomplete("it is cut off in a member"));
            }
            let by = i64::try_from(bytes).unwrap_or(i64::MAX);
            file.seek(io::SeekFrom::Current(by)).await.map_err(MemberError::Read)?;
            self.at = to;
            return Ok(());
        }
        let mut passed = vec![0; PASSED_BYTES.min(usize::try_from(bytes).unwrap_or(PASSED_BYTES))];
        while self.at < to {
            let most = usize::try_from(to - self.at).unwrap_or(usize::MAX).min(passed.len());
            self.exact(&mut passed[..most]).await?;
        }
        Ok(())
    }

    /// Reads to the end of the file: that it is whole, and nothing else stands behind the mark.
    async fn end(&mut self) -> Result<(), MemberError> {
        let mut rest = vec![0; PASSED_BYTES];
        loop {
            let read = match &mut self.bytes {
                TarBytes::Plain(file, _) => file.read(&mut rest).await,
                TarBytes::Packed(reader) => reader.read(&mut rest).await,
            };
            let count = read.map_err(|error| self.failed(error))?;
            if count == 0 {
                return Ok(());
            }
            if rest[..count].iter().any(|byte| *byte != 0) {
                let how = "it goes on behind the mark of its end: are these several, one behind the other?";
                return Err(MemberError::Damaged(how.to_owned()));
            }
            self.at += count as u64;
            self.bearable()?;
        }
    }

    fn failed(&self, error: io::Error) -> MemberError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof if self.at == 0 => MemberError::Other("tar"),
            io::ErrorKind::UnexpectedEof => MemberError::Incomplete("the mark of its end is not there"),
            _ if error.raw_os_error().is_some() || self.compression == Compression::None => {
                MemberError::Read(error)
            }
            _ => MemberError::Damaged(error.to_string()),
        }
    }

    fn bearable(&self) -> Result<(), MemberError> {
        match self.compression {
            Compression::None => Ok(()),
            _ => {
                self.inflation.check(self.raw.load(Ordering::Relaxed), self.at).map_err(MemberError::Inflated)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_of_bytes() {
        assert_eq!(number(b"00000000017\0"), Some(15));
        assert_eq!(number(b"      17 \0\0\0"), Some(15));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(2 << 32));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(number(b"\x80\x01\0\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(number(b"\x80\0\0\0\0\0\x01\x02"), Some(258));
        assert_eq!(number(b""), Some(0));
        assert_eq!(number(b"9\0\0\0\0\0\0\0\0\0\0\0"), None);
    }

    #[test]
    fn fields_of_pax_are_read_by_their_lengths() {
        let mut ahead = Extended::default();
        ahead.take(b"18 path=a=b\nc.csv\n12 size=123\n").unwrap();
        assert_eq!((ahead.name.as_deref(), ahead.size), (Some(b"a=b\nc.csv".as_slice()), Some(123)));
        for wrong in [&b"5 a=b"[..], b"x", b"99999 a=b\n", b"1 a\n", b"0 a=b\n", b"8 size=x\n"] {
            assert!(Extended::default().take(wrong).is_err(), "{wrong:?}");
        }
    }
}

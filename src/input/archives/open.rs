//! The content of a member as a stream of bytes, held to what the archive says of it.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _, BufReader, ReadBuf, Take};

use super::tar::BLOCK_BYTES;
use super::zip::{LOCAL, LOCAL_BYTES};
use crate::format::Compression;
use crate::input::member::{ArchiveMember, MemberError, MemberPlace, Packing};
use crate::input::stream::decompress::{decompress, inflate};
use crate::input::stream::stored::{Alone, ByteReader, Counted, RawProgress, seek_to};

/// Bytes of a member that are read at once.
const PACKED_BYTES: usize = 128 * 1024;
/// Bytes that are passed over at once.
const PASSED_BYTES: usize = 64 * 1024;

/// Where the reading of a tar that is compressed as a whole stands: the next member is mostly the one behind
/// it.
#[derive(Clone, Default)]
pub(in crate::input) struct Tars(Arc<Mutex<Option<OpenTar>>>);

struct OpenTar {
    archive: PathBuf,
    /// Bytes of the file that there are.
    bytes: u64,
    reader: ByteReader,
    at: u64,
}

fn error(error: MemberError) -> io::Error {
    io::Error::other(error)
}

/// Opens a member of an archive that has so many bytes. Says in `progress` what it reads.
pub(in crate::input) async fn open(
    member: &ArchiveMember,
    bytes: u64,
    tars: &Tars,
    progress: &RawProgress,
) -> io::Result<ByteReader> {
    progress.store(0, Ordering::Relaxed);
    match member.place.packing {
        Packing::Tar(Compression::None) => of_tar(member, bytes, progress).await,
        Packing::Tar(compression) => of_packed_tar(member, bytes, compression, tars, progress).await,
        Packing::Stored | Packing::Deflated | Packing::Compressed(_) => of_zip(member, bytes, progress).await,
    }
}

async fn of_zip(member: &ArchiveMember, bytes: u64, progress: &RawProgress) -> io::Result<ByteReader> {
    let MemberPlace { offset, packed, size, crc, packing } = member.place;
    let mut file = seek_to(member.path(), offset).await?;
    let mut header = [0; LOCAL_BYTES];
    file.read_exact(&mut header).await.map_err(moved)?;
    if !header.starts_with(LOCAL) {
        return Err(error(MemberError::Moved));
    }
    let rest = [26, 28].map(|at| u64::from(u16::from_le_bytes([header[at], header[at + 1]])));
    let begins = offset.saturating_add(LOCAL_BYTES as u64 + rest[0] + rest[1]);
    if begins.saturating_add(packed) > bytes {
        return Err(error(MemberError::Damaged("a member lies behind its end".to_owned())));
    }
    file.seek(io::SeekFrom::Start(begins)).await?;
    let raw = Counted::new(file.take(packed), Arc::clone(progress), 0);
    let inner: ByteReader = match packing {
        Packing::Deflated => inflate(BufReader::with_capacity(PACKED_BYTES, Alone::new(raw))),
        Packing::Compressed(compression) => decompress(compression, raw),
        Packing::Stored | Packing::Tar(_) => Box::new(Alone::new(raw)),
    };
    let crc = Some((crc32fast::Hasher::new(), crc));
    Ok(Box::new(Alone::new(CheckedMember { inner, size, left: size, crc, is_over: false })))
}

async fn of_tar(member: &ArchiveMember, bytes: u64, progress: &RawProgress) -> io::Result<ByteReader> {
    let MemberPlace { offset, size, crc, .. } = member.place;
    let mut file = seek_to(member.path(), offset).await?;
    header_is(&mut file, crc).await?;
    if offset.saturating_add(BLOCK_BYTES as u64).saturating_add(size) > bytes {
        return Err(error(MemberError::Short(size)));
    }
    let inner: ByteReader = Box::new(Alone::new(Counted::new(file.take(size), Arc::clone(progress), 0)));
    Ok(Box::new(Alone::new(CheckedMember { inner, size, left: size, crc: None, is_over: false })))
}

async fn of_packed_tar(
    member: &ArchiveMember,
    bytes: u64,
    compression: Compression,
    tars: &Tars,
    progress: &RawProgress,
) -> io::Result<ByteReader> {
    let MemberPlace { offset, size, crc, .. } = member.place;
    let held = tars.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let is_before = |tar: &OpenTar| tar.archive == member.path() && tar.bytes == bytes && tar.at <= offset;
    let mut tar = match held.filter(is_before) {
        Some(tar) => tar,
        None => {
            let file = seek_to(member.path(), 0).await?.take(bytes);
            let archive = member.path().to_owned();
            OpenTar { archive, bytes, reader: decompress(compression, file), at: 0 }
        }
    };
    let mut passed = vec![0; PASSED_BYTES];
    while tar.at < offset {
        let most = usize::try_from(offset - tar.at).unwrap_or(usize::MAX).min(PASSED_BYTES);
        tar.reader.read_exact(&mut passed[..most]).await.map_err(moved)?;
        tar.at += most as u64;
    }
    header_is(&mut tar.reader, crc).await?;
    let OpenTar { archive, reader, at, .. } = tar;
    let begins = at + BLOCK_BYTES as u64;
    let reader = Some(reader.take(size));
    let lent = LentTar { archive, bytes, reader, begins, size, home: tars.clone() };
    let inner: ByteReader = Box::new(Counted::new(lent, Arc::clone(progress), 0));
    Ok(Box::new(Alone::new(CheckedMember { inner, size, left: size, crc: None, is_over: false })))
}

/// Reads the header of a member: it must be the one that was listed.
async fn header_is(reader: &mut (impl AsyncRead + Unpin), crc: u32) -> io::Result<()> {
    let mut header = [0; BLOCK_BYTES];
    reader.read_exact(&mut header).await.map_err(moved)?;
    if crc32fast::hash(&header) == crc { Ok(()) } else { Err(error(MemberError::Moved)) }
}

/// What ends where a member was, was changed.
fn moved(failed: io::Error) -> io::Error {
    if failed.kind() == io::ErrorKind::UnexpectedEof { error(MemberError::Moved) } else { failed }
}

/// A tar that is lent to a member: whoever reads the next one gets it back, wherever this one was left.
struct LentTar {
    archive: PathBuf,
    bytes: u64,
    reader: Option<Take<ByteReader>>,
    begins: u64,
    size: u64,
    home: Tars,
}

impl AsyncRead for LentTar {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.reader {
            Some(reader) => Pin::new(reader).poll_read(context, buf),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for LentTar {
    fn drop(&mut self) {
        let Some(reader) = self.reader.take() else { return };
        let at = self.begins + (self.size - reader.limit());
        let (archive, bytes) = (std::mem::take(&mut self.archive), self.bytes);
        let tar = OpenTar { archive, bytes, reader: reader.into_inner(), at };
        *self.home.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tar);
    }
}

/// The content of a member: as long as the archive says, with the checksum that it says.
struct CheckedMember {
    inner: ByteReader,
    size: u64,
    left: u64,
    crc: Option<(crc32fast::Hasher, u32)>,
    is_over: bool,
}

impl AsyncRead for CheckedMember {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over || buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.left == 0 {
            let mut more = [0];
            let mut more = ReadBuf::new(&mut more);
            ready!(Pin::new(&mut self.inner).poll_read(context, &mut more))?;
            if !more.filled().is_empty() {
                return Poll::Ready(Err(error(MemberError::Longer(self.size))));
            }
            self.is_over = true;
            let is_wrong = |(found, said): (crc32fast::Hasher, u32)| found.finalize() != said;
            return Poll::Ready(match self.crc.take().is_some_and(is_wrong) {
                true => Err(error(MemberError::Checksum)),
                false => Ok(()),
            });
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut part))?;
        let count = part.filled().len();
        if count == 0 {
            return Poll::Ready(Err(error(MemberError::Short(self.size))));
        }
        if let Some((crc, _)) = &mut self.crc {
            crc.update(part.filled());
        }
        buf.advance(count);
        self.left -= count as u64;
        Poll::Ready(Ok(()))
    }
}

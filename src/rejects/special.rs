//! Names that stand for no file of ours: `/dev/null`, a pipe, a device, `/dev/stderr`. They are written to as
//! they are; nothing is made beside them, and nothing renamed over them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a pipe may be without a reader, or its reader take nothing: rejects wait in the ledger, a load
/// does not hang.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Opens what is no file of ours; `None`: a file is to be made.
pub(super) fn open(path: &Path) -> Option<io::Result<File>> {
    if let Some(number) = descriptor(path) {
        return Some(duplicate(number).map(File::from));
    }
    let kind = std::fs::metadata(path).ok()?.file_type();
    if kind.is_file() || kind.is_dir() {
        return None;
    }
    if kind.is_socket() {
        return Some(Err(io::Error::other("a socket cannot be written to by its name")));
    }
    let since = Instant::now();
    loop {
        let mut options = OpenOptions::new();
        // Without waiting: a pipe that nobody reads would hold the load for ever.
        options.append(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        match options.open(path) {
            Err(error) if is_unread(&error) && since.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            Err(error) if is_unread(&error) => {
                return Some(Err(io::Error::other(format!("nobody reads the pipe ({error})"))));
            }
            opened => return Some(opened),
        }
    }
}

/// The descriptor that a name stands for. Of a file, opened by its name anew, two places in it would be
/// written at.
fn descriptor(path: &Path) -> Option<RawFd> {
    match path.to_str()? {
        "/dev/stdout" => Some(1),
        "/dev/stderr" => Some(2),
        other => {
            other.strip_prefix("/dev/fd/").or_else(|| other.strip_prefix("/proc/self/fd/"))?.parse().ok()
        }
    }
}

#[expect(unsafe_code, reason = "there is no safe form of a descriptor that is named by its number")]
fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: it is borrowed for one call, which fails where it is not open.
    unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()
}

fn is_unread(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
}

/// Writes some bytes; waits for the reader of a pipe, as long as it takes some now and then.
pub(super) fn write(to: &mut File, bytes: &[u8]) -> io::Result<usize> {
    let since = Instant::now();
    loop {
        match to.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && since.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE);
            }
            written => return written,
        }
    }
}

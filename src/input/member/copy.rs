//! A file without a name, which is the copy of what is not read where it lies: of it nothing is left,
//! whatever becomes of this process.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The copy of an archive, or of a file of columns. Dropped, it is gone.
#[derive(Debug)]
pub struct DiskCopy {
    /// Holds it open.
    _file: File,
    path: PathBuf,
}

impl DiskCopy {
    /// An empty one in the first of these folders that takes one, and what writes to it.
    ///
    /// # Errors
    /// When none of them does, or a file without a name cannot be opened once more.
    pub(in crate::input) fn new(folders: &[PathBuf]) -> io::Result<(Self, File)> {
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for folder in folders {
            match tempfile::tempfile_in(folder) {
                Ok(file) => return Self::of(file),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    #[cfg(target_os = "linux")]
    fn of(file: File) -> io::Result<(Self, File)> {
        use std::os::fd::AsRawFd as _;

        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let writer = file.try_clone()?;
        // Each reader opens it for itself, with a place of its own.
        File::open(&path)?;
        Ok((Self { _file: file, path }, writer))
    }

    #[cfg(not(target_os = "linux"))]
    fn of(_file: File) -> io::Result<(Self, File)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Where this process opens it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_copy_is_read_by_many_and_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let (copy, mut writer) = DiskCopy::new(&["/nowhere".into(), folder.path().to_owned()]).unwrap();
        writer.write_all(b"content").unwrap();
        assert_eq!(fs::read(copy.path()).unwrap(), b"content");
        assert_eq!(fs::read(copy.path()).unwrap(), b"content");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

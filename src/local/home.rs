//! Where the default local server lives: the user's data folder, and a folder for its socket.
//!
//! `$XDG_DATA_HOME/dbload/postgres`, else `~/.local/share/dbload/postgres` (macOS:
//! `~/Library/Application Support`). Root's own home is closed to the user that the server runs as, so for
//! root it is `/var/lib/dbload/postgres`. A socket's path is limited to about a hundred bytes: where the data
//! folder is too deep, the socket gets a private folder in `$XDG_RUNTIME_DIR` or /tmp, whose name comes from
//! the data folder's. Names and makes folders; never runs a program.

use super::{
    LocalError, Result,
    account::{Account, NO_LINK},
    cluster::SOCKET_PATH_MAX_BYTES,
};
use std::{
    env,
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// `/.s.PGSQL.65535.lock`: what PostgreSQL puts into the socket's folder.
const SOCKET_NAME_BYTES: usize = 20;

/// In the server's folder: the version of the programs that started it.
pub(super) const VERSION_FILE: &str = "version";

/// The folders of the default local server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The folder that holds all of it.
    pub dir: PathBuf,
    /// The cluster: complete, or not there.
    pub data: PathBuf,
    /// The log that the server writes.
    pub log: PathBuf,
    /// The password for TCP, as a libpq passfile; only there once TCP was asked for.
    pub passfile: PathBuf,
}

impl Home {
    /// The folders for this user. Makes nothing.
    ///
    /// # Errors
    /// Neither XDG_DATA_HOME nor HOME is set.
    pub fn of_user() -> Result<Self> {
        let root = rustix::process::geteuid().is_root();
        let base = match absolute("XDG_DATA_HOME") {
            Some(dir) => dir,
            None if root => PathBuf::from("/var/lib"),
            None => {
                let home = absolute("HOME").ok_or(LocalError::NoHome)?;
                let below =
                    if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" };
                home.join(below)
            }
        };
        Ok(Self::at(base.join("dbload/postgres")))
    }

    /// The folders below one folder.
    #[must_use]
    pub fn at(dir: PathBuf) -> Self {
        Self { data: dir.join("data"), log: dir.join("server.log"), passfile: dir.join("pgpass"), dir }
    }

    /// Makes the folder, and those above it. Whoever sees it sees it given away to the server's user: it is
    /// made under another name, for another start may look, and this one may be killed, at any moment.
    pub(super) fn make(&self, account: &Account) -> Result<()> {
        if self.dir.is_dir() {
            return account.check_reach(&self.data);
        }
        if let Some(above) = self.dir.parent() {
            fs::create_dir_all(above).map_err(|e| LocalError::file("make the folder", above, e))?;
        }
        account.check_reach(&self.dir)?;
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let new = self.dir.with_extension(format!("new-{}-{number}", std::process::id()));
        // Left by a process that was killed and had the same id.
        let _ = fs::remove_dir(&new);
        account.private_dir(&new)?;
        // An empty folder in its place is replaced; one with a lock in it stays.
        fs::rename(&new, &self.dir).or_else(|e| {
            let _ = fs::remove_dir(&new);
            // Another start was faster.
            if self.dir.is_dir() { Ok(()) } else { Err(LocalError::file("make the folder", &self.dir, e)) }
        })
    }

    /// Waits until no other process makes, starts, stops or removes this server.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.dir.join("start.lock");
        let file = File::options().create(true).append(true).custom_flags(NO_LINK).open(&path);
        let file = file.map_err(|e| LocalError::file("make the lock", &path, e))?;
        file.lock().map_err(|e| LocalError::file("lock", &path, e))?;
        Ok(file)
    }

    /// The folder for the socket, made if it is not there, entered by nobody but the server's user.
    pub(super) fn sockets(&self, account: &Account) -> Result<PathBuf> {
        let owner = account.uid();
        let dir = self.socket_dir(env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from), owner)?;
        match account.private_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(LocalError::File { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
        // In /tmp somebody else may have been there first, to listen in our place.
        let meta = fs::symlink_metadata(&dir).map_err(|e| LocalError::file("look at", &dir, e))?;
        let ours = meta.is_dir() && meta.uid() == owner && meta.mode() & 0o077 == 0;
        if ours { Ok(dir) } else { Err(LocalError::NotOurs(dir)) }
    }

    /// Beside the data, or the first shorter place.
    fn socket_dir(&self, runtime: Option<PathBuf>, owner: u32) -> Result<PathBuf> {
        let hash = xxhash_rust::xxh3::xxh3_64(self.dir.as_os_str().as_encoded_bytes()) >> 32;
        let short = format!("dbload-{hash:08x}");
        // The runtime folder is the caller's: under root the server's user may not enter it.
        let runtime = runtime
            .filter(|dir| fs::metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == owner))
            .map(|dir| dir.join(&short));
        [Some(self.dir.join("s")), runtime, Some(Path::new("/tmp").join(short))]
            .into_iter()
            .flatten()
            .find(|dir| dir.as_os_str().len() + SOCKET_NAME_BYTES <= SOCKET_PATH_MAX_BYTES)
            .ok_or_else(|| LocalError::NotOurs(self.dir.clone()))
    }
}

fn absolute(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_deep_folder_gets_its_socket_elsewhere() {
        let shallow = Home::at("/home/me/.local/share/dbload/postgres".into());
        assert_eq!(shallow.socket_dir(None, 1).unwrap(), shallow.dir.join("s"));
        let deep = Home::at(PathBuf::from("/home").join("deep".repeat(20)).join("dbload"));
        let elsewhere = deep.socket_dir(None, 1).unwrap();
        assert!(elsewhere.starts_with("/tmp"), "{elsewhere:?}");
        assert_eq!(elsewhere, deep.socket_dir(None, 1).unwrap(), "the same each time");
        let other = Home::at(PathBuf::from("/home").join("deep".repeat(21)).join("dbload"));
        assert_ne!(elsewhere, other.socket_dir(None, 1).unwrap(), "one for each data folder");
    }

    /// Under root, a folder that was made and not yet given away was one that the server's user cannot reach.
    #[test]
    fn a_folder_that_is_being_made_is_never_seen_half_made() {
        let account = Account::current().unwrap();
        let root = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for round in 0..100 {
            let home = Home::at(root.path().join(round.to_string()).join("postgres"));
            let made = std::thread::scope(|scope| {
                let looks: Vec<_> =
                    (0..8).map(|_| scope.spawn(|| (0..3).try_for_each(|_| home.make(&account)))).collect();
                looks.into_iter().map(|look| look.join().unwrap()).collect::<Vec<_>>()
            });
            assert!(made.iter().all(Result::is_ok), "{made:?}");
            assert_eq!(fs::metadata(&home.dir).unwrap().uid(), account.uid());
            assert_eq!(fs::read_dir(home.dir.parent().unwrap()).unwrap().count(), 1, "nothing is left");
        }
    }
}

//! Who a server of ours runs as: PostgreSQL refuses root, so root drops to an unprivileged user.
//!
//! `postgres` if that user exists (Debian's and Fedora's packages make it), else `nobody`. The groups of root are dropped
//! too: the standard library empties them whenever a root process sets another user id. Anybody else runs it as themselves.

use super::{LocalError, Result};
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

/// Users that root drops to, best first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The user that the server's programs run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// The user of this process.
    Own,
    /// Another one, because this process is root.
    Dropped {
        /// Its name.
        name: String,
        /// Its user id.
        uid: u32,
        /// Its main group.
        gid: u32,
    },
}

impl Account {
    /// Whom servers started by this process run as.
    ///
    /// # Errors
    /// Root, and none of the users to drop to exists.
    pub fn current() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        for name in UNPRIVILEGED {
            if let (Some(uid), Some(gid)) = (id("-u", name), id("-g", name)) {
                return Ok(Self::Dropped { name: name.to_owned(), uid, gid });
            }
        }
        Err(LocalError::NoAccount)
    }

    /// Its user id.
    #[must_use]
    pub fn uid(&self) -> u32 {
        match self {
            Self::Own => rustix::process::geteuid().as_raw(),
            Self::Dropped { uid, .. } => *uid,
        }
    }

    /// Makes `command` run as this user.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Self::Dropped { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
    }

    /// Makes a folder of this user's own that nobody else can look into.
    pub(super) fn private_dir(&self, path: &Path) -> Result<()> {
        fs::create_dir(path).map_err(|e| LocalError::file("make the folder", path, e))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(|e| LocalError::file("close to others", path, e))?;
        self.own(path)
    }

    /// Gives a file or folder to this user.
    pub(super) fn own(&self, path: &Path) -> Result<()> {
        let Self::Dropped { uid, gid, .. } = self else { return Ok(()) };
        chown(path, Some(*uid), Some(*gid)).map_err(|e| LocalError::file("give away", path, e))
    }

    /// Whether this user can get to `path`: the first folder in the way, from the top, is named.
    ///
    /// # Errors
    /// [`LocalError::Unreachable`].
    pub fn check_reach(&self, path: &Path) -> Result<()> {
        let Self::Dropped { name, uid, gid } = self else { return Ok(()) };
        let mut above: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_owned).collect();
        above.reverse();
        for dir in above {
            let Ok(meta) = fs::metadata(&dir) else { continue };
            let bit = if meta.uid() == *uid {
                0o100
            } else if meta.gid() == *gid {
                0o010
            } else {
                0o001
            };
            if meta.mode() & bit == 0 {
                return Err(LocalError::Unreachable {
                    user: name.clone(),
                    path: path.to_owned(),
                    closed: dir,
                });
            }
        }
        Ok(())
    }
}

/// `id` asks every user database of the system; reading /etc/passwd would not.
fn id(flag: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

//! Who a server of ours runs as: PostgreSQL refuses root, so root drops to an unprivileged user.
//!
//! `postgres` if that user exists (Debian's and Fedora's packages make it), else `nobody`. The groups of root
//! are dropped too: the standard library empties them whenever a root process sets another user id. Anybody
//! else runs it as themselves.

use super::{LocalError, Result};
use std::{
    fs,
    io::{self, Write as _},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Users that root drops to, best first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The flag `O_NOFOLLOW` of open(2).
pub(super) const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// What becomes of what a file held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// An existing file is replaced by a new one.
    New,
    /// An existing file stays and is appended to.
    Append,
}

/// The user that the server's programs run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// The user of this process.
    Own,
    /// Another one, because this process is root.
    Dropped {
        /// Name of the account that runs the server.
        name: String,
        /// User id of that account.
        uid: u32,
        /// Id of the main group.
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

    /// User id of that account.
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

    /// Makes a folder of this user's own that nobody else can look into. The folder is given away, not its
    /// path: where that lies in a folder of this user it may lead elsewhere by then.
    pub(super) fn private_dir(&self, path: &Path) -> Result<()> {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(|e| LocalError::file("make the folder", path, e))?;
        let Self::Dropped { uid, gid, .. } = self else { return Ok(()) };
        let given = fs::OpenOptions::new().read(true).custom_flags(NO_LINK).open(path).and_then(|dir| {
            let meta = dir.metadata()?;
            if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() {
                return Err(io::Error::other("it is another one by now"));
            }
            fchown(dir, Some(*uid), Some(*gid))
        });
        given.map_err(|e| LocalError::file("give away", path, e))
    }

    /// Writes a file in a folder of this user, as this user: in its own folders it may have put a link in the
    /// place of any file or folder, and root would follow it.
    pub(super) fn write(&self, path: &Path, text: &str, how: Write) -> Result<()> {
        let failed = |e| LocalError::file("write", path, e);
        if matches!(self, Self::Own) {
            let file = match how {
                Write::New => fs::OpenOptions::new().write(true).create(true).truncate(true).open(path),
                Write::Append => fs::OpenOptions::new().append(true).open(path),
            };
            return file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed);
        }
        let script = match how {
            // By a name of its own and renamed: a link in the file's place is replaced, not followed.
            Write::New => r#"umask 077; rm -f -- "$1.new" && cat >"$1.new" && mv -f -- "$1.new" "$1""#,
            Write::Append => r#"cat >>"$1""#,
        };
        let mut command = Command::new("/bin/sh");
        self.apply(&mut command);
        command.current_dir("/").args(["-c", script, "sh"]).arg(path);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let ended = command.spawn().and_then(|mut child| {
            // It may end before it has read all: then it says why.
            let _ = child.stdin.take().map(|mut pipe| pipe.write_all(text.as_bytes()));
            child.wait_with_output()
        });
        let ended = ended.map_err(failed)?;
        if ended.status.success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        Err(failed(io::Error::other(reason)))
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

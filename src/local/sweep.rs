//! The folder of throwaway servers, and the removal of those whose owner has gone.
//!
//! Each server's folder holds a file that its owner keeps locked. The kernel drops the lock when the owner
//! ends, however it ends, so unlike a pid it cannot be mistaken for a later process: no lock means no owner.
//! Folders are made and swept under one lock, so a folder that is just being made is never seen half. A
//! server with a living owner is never touched.

use super::{LocalError, Postmaster, Result, account::Account, cluster::SOCKET_PATH_MAX_BYTES};
use rustix::process::Signal;
use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// In each server's folder: locked by its owner.
const OWNER: &str = "owner.lock";
/// In the folder of folders: locked while one is made or removed.
const GATE: &str = "gate.lock";
/// What comes behind the folder of folders in a socket's path: the server's folder, `s`, and the socket's
/// name.
const SOCKET_TAIL_BYTES: usize = 45;
/// Linux's memory file system for everybody.
const MEMORY: &str = "/dev/shm";
/// Less than this could fill up with the data of a large test: the disk then. (Containers often have 64 MB.)
const MEMORY_ROOM_BYTES: u64 = 4 << 30;
/// An immediate shutdown takes milliseconds; one that takes longer is killed.
const SWEEP_PATIENCE: Duration = Duration::from_secs(5);

/// Where a throwaway server's folder is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum TempRoot {
    /// Below the temporary folder of the system.
    #[default]
    Disk,
    /// The memory file system if it has room, else the temporary folder.
    Memory,
}

/// The folder of one throwaway server, ours as long as this value lives.
#[derive(Debug)]
pub(super) struct Nest {
    pub(super) dir: PathBuf,
    /// Held for its lock, and never read.
    _owner: File,
}

impl Nest {
    /// Removes what dead owners left, then makes a folder.
    pub(super) fn make(account: &Account, place: TempRoot) -> Result<Self> {
        let disk = root(account)?;
        let memory = memory_root();
        let root = match (place, &memory) {
            (TempRoot::Memory, Some(memory)) => own_root(memory)?,
            _ => own_root(&disk)?,
        };
        // The other place too: nobody may ever come back to it.
        for other in [Some(&disk), memory.as_ref()].into_iter().flatten().filter(|&other| *other != root) {
            if own_root(other).is_ok() {
                let _gate = gate(other)?;
                sweep(other);
            }
        }
        let _gate = gate(&root)?;
        sweep(&root);
        let dir = fresh_name(&root);
        fs::DirBuilder::new()
            .mode(0o711)
            .create(&dir)
            .map_err(|e| LocalError::file("make the folder", &dir, e))?;
        let path = dir.join(OWNER);
        let owner = File::create(&path).map_err(|e| LocalError::file("make the lock", &path, e))?;
        owner.try_lock().map_err(|e| LocalError::file("lock", &path, e.into()))?;
        Ok(Self { dir, _owner: owner })
    }
}

impl Drop for Nest {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// `dbload-<uid>` in the temporary folder; in /tmp if that one is too deep for a socket or closed to the
/// server's user.
fn root(account: &Account) -> Result<PathBuf> {
    let root = env::temp_dir().join(name());
    let too_long = root.as_os_str().len() + SOCKET_TAIL_BYTES > SOCKET_PATH_MAX_BYTES;
    if root.is_absolute() && !too_long && account.check_reach(&root).is_ok() {
        return Ok(root);
    }
    let root = Path::new("/tmp").join(name());
    account.check_reach(&root).map(|()| root)
}

/// `dbload-<uid>` in the memory file system, if there is one with room.
fn memory_root() -> Option<PathBuf> {
    let room = rustix::fs::statvfs(MEMORY).ok()?;
    (room.f_bavail.saturating_mul(room.f_frsize) >= MEMORY_ROOM_BYTES).then(|| Path::new(MEMORY).join(name()))
}

fn name() -> String {
    format!("dbload-{}", rustix::process::geteuid().as_raw())
}

/// Makes the folder, or makes sure that it is ours: its name can be guessed, and the folder above is
/// everybody's.
fn own_root(root: &Path) -> Result<PathBuf> {
    match fs::DirBuilder::new().mode(0o711).create(root) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            return Err(LocalError::file("make the folder", root, e));
        }
        _ => {}
    }
    let meta = fs::symlink_metadata(root).map_err(|e| LocalError::file("look at", root, e))?;
    let ours = meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw();
    if ours { Ok(root.to_owned()) } else { Err(LocalError::NotOurs(root.to_owned())) }
}

fn gate(root: &Path) -> Result<File> {
    let path = root.join(GATE);
    let file = File::create(&path).map_err(|e| LocalError::file("make the lock", &path, e))?;
    file.lock().map_err(|e| LocalError::file("lock", &path, e))?;
    Ok(file)
}

/// Short, since it is part of a socket's path: the process and the microsecond.
fn fresh_name(root: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (0..)
        .map(|n| root.join(format!("{}-{:08x}-{n}", std::process::id(), now.as_micros() & 0xffff_ffff)))
        .find(|dir| !dir.exists())
        .unwrap_or_else(|| root.join("full"))
}

/// Best effort: what cannot be removed now is tried again by the next start.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let dir = entry.path();
        if !dir.is_dir() {
            continue;
        }
        let lock = File::open(dir.join(OWNER)).and_then(|file| match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        });
        match lock {
            Ok(None) => {}
            Ok(Some(_held)) => remove(&dir),
            // A maker holds the gate from folder to lock, so a folder without the file is one half removed.
            Err(e) if e.kind() == io::ErrorKind::NotFound => remove(&dir),
            Err(_) => {}
        }
    }
}

fn remove(dir: &Path) {
    let data = dir.join("data");
    if let Some(postmaster) = Postmaster::read(&data) {
        if postmaster.is_running(&data) {
            postmaster.signal(Signal::QUIT);
            postmaster.signal(Signal::CONT);
            if !postmaster.wait_gone(&data, SWEEP_PATIENCE) {
                postmaster.kill_all();
            }
        }
        postmaster.free_segment();
    }
    let _ = fs::remove_dir_all(dir);
}

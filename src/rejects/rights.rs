//! Who may read the reject file: nobody who may not read the sources that its records are from.

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// For its owner alone.
const OWNER: u32 = 0o600;
const GROUP: u32 = 0o060;
const OTHERS: u32 = 0o006;

/// The rights of a new reject file, before the umask.
#[derive(Debug, Clone)]
pub struct Rights {
    mode: u32,
    /// Groups of sources that their groups may read, and not everybody.
    groups: Vec<u32>,
}

impl Rights {
    /// No wider than those of any of these sources. `None` is one without rights of its own (standard input,
    /// a pipe, the network): what it says was for this user, as far as anybody knows. Without sources
    /// likewise.
    #[must_use]
    pub fn of<'p>(sources: impl IntoIterator<Item = Option<&'p Path>>) -> Self {
        let mut rights: Option<Self> = None;
        for source in sources {
            let metadata = source.and_then(|path| std::fs::metadata(path).ok());
            let (mode, group) = metadata.map_or((0, None), |metadata| rights_of(&metadata));
            let all = rights.get_or_insert_with(|| Self { mode: GROUP | OTHERS, groups: Vec::new() });
            all.mode &= mode;
            all.groups.extend(group);
        }
        let mut rights = rights.unwrap_or(Self { mode: 0, groups: Vec::new() });
        rights.mode |= OWNER;
        rights.groups.sort_unstable();
        rights.groups.dedup();
        rights
    }

    /// The mode to create it with.
    pub(super) const fn mode(&self) -> u32 {
        self.mode
    }

    /// A right of the sources' group is none of another group's.
    pub(super) fn narrow(&self, file: &File) -> io::Result<()> {
        let metadata = file.metadata()?;
        if self.mode & GROUP == 0 || self.groups.iter().all(|&group| group == metadata.gid()) {
            return Ok(());
        }
        file.set_permissions(Permissions::from_mode(metadata.mode() & 0o777 & !GROUP))
    }
}

fn rights_of(metadata: &Metadata) -> (u32, Option<u32>) {
    let mode = metadata.mode() & 0o777;
    // What everybody may, any group may.
    let is_of_group = mode & GROUP != 0 && (mode & GROUP) >> 3 != mode & OTHERS;
    (mode, is_of_group.then(|| metadata.gid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_source_decides_and_what_has_no_rights_is_for_its_user() {
        let folder = tempfile::tempdir().unwrap();
        let file = |mode: u32| {
            let path = folder.path().join(format!("{mode:o}"));
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let mode = |modes: &[u32]| {
            let paths: Vec<_> = modes.iter().map(|&mode| file(mode)).collect();
            Rights::of(paths.iter().map(|path| Some(path.as_path()))).mode()
        };
        assert_eq!(mode(&[0o600]), 0o600);
        assert_eq!(mode(&[0o644]), 0o644);
        assert_eq!(mode(&[0o444]), 0o644);
        assert_eq!(mode(&[0o664]), 0o664);
        assert_eq!(mode(&[0o640, 0o644]), 0o640);
        assert_eq!(mode(&[0o644, 0o600]), 0o600);
        assert_eq!(mode(&[]), 0o600);
        let open = file(0o644);
        assert_eq!(Rights::of([Some(open.as_path()), None]).mode(), 0o600);
        assert_eq!(Rights::of([Some(folder.path().join("gone").as_path())]).mode(), 0o600);
    }

    #[test]
    fn a_group_that_may_not_read_the_source_may_not_read_the_rejects() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create_new(folder.path().join("a")).unwrap();
        let gid = file.metadata().unwrap().gid();
        for (groups, mode) in [(vec![gid], 0o640), (vec![gid, gid + 1], 0o600), (vec![], 0o640)] {
            file.set_permissions(Permissions::from_mode(0o640)).unwrap();
            Rights { mode: 0o640, groups }.narrow(&file).unwrap();
            assert_eq!(file.metadata().unwrap().mode() & 0o777, mode);
        }
    }
}

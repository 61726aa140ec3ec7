//! Where PostgreSQL's server programs are.
//!
//! `DBLOAD_PG_BIN` wins outright. Else every place is looked at (PATH, `pg_config`, the usual folders of
//! Debian, Fedora, Arch and Homebrew) and the newest version wins: Debian, for one, keeps them off PATH.
//! Nothing is ever downloaded.

use super::error::{LocalError, Result};
pub use super::programs::{Binaries, OLDEST_MAJOR, PgVersion};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The programs that a cluster needs. psql is not among them: some packages of servers have none.
const NEEDED: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Folders of the distributions; `*` stands for one folder's name or its rest.
const USUAL: [&str; 8] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/bin",
    "/usr/local/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

impl Binaries {
    /// The programs to use on this machine.
    ///
    /// # Errors
    /// None are installed, or `DBLOAD_PG_BIN` names a folder without them.
    pub fn find() -> Result<Self> {
        if let Some(dir) = env::var_os("DBLOAD_PG_BIN").filter(|dir| !dir.is_empty()) {
            return Self::at(Path::new(&dir))?.new_enough();
        }
        let newest = Self::all().into_iter().next();
        newest.ok_or_else(|| LocalError::NoBinaries { install: install_words() })?.new_enough()
    }

    fn new_enough(self) -> Result<Self> {
        if self.version.major >= OLDEST_MAJOR { Ok(self) } else { Err(LocalError::TooOld(self)) }
    }

    /// All that are installed, the newest first; of the same version, the first place found.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for dir in candidates() {
            let real =
                fs::canonicalize(dir.join("postgres")).ok().and_then(|p| p.parent().map(Path::to_owned));
            let Some(real) = real.filter(|real| found.iter().all(|known| known.dir != *real)) else {
                continue;
            };
            // Some systems link each program into one folder, others wrap it there.
            found.extend(Self::at(&real).or_else(|_| Self::at(&dir)));
        }
        found.sort_by_key(|b| std::cmp::Reverse(b.version));
        found
    }

    /// The programs in one folder.
    ///
    /// # Errors
    /// One of them is missing or cannot be run.
    pub fn at(dir: &Path) -> Result<Self> {
        for program in NEEDED {
            if !dir.join(program).is_file() {
                return Err(LocalError::NoProgram { dir: dir.to_owned(), program });
            }
        }
        let output = Command::new(dir.join("postgres")).arg("--version").output();
        let version = output.ok().and_then(|o| parse_version(&String::from_utf8_lossy(&o.stdout)));
        let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        version
            .map(|version| Self { dir: dir.clone(), version })
            .ok_or(LocalError::NoProgram { dir, program: "postgres" })
    }

    /// The path of one program.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// psql: of this version if it is there, else whichever is on PATH.
    #[must_use]
    pub fn psql(&self) -> Option<PathBuf> {
        let own = self.program("psql");
        if own.is_file() { Some(own) } else { on_path().map(|dir| dir.join("psql")).find(|p| p.is_file()) }
    }
}

fn on_path() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).filter(|dir| dir.is_absolute()).collect::<Vec<_>>().into_iter()
}

fn candidates() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = on_path().collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        dirs.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    dirs.extend(USUAL.iter().flat_map(|pattern| expand(pattern)));
    dirs
}

/// The folders that a pattern with at most one `*` stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![PathBuf::from(pattern)] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut dirs: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect();
    dirs.sort();
    dirs
}

/// From `postgres (PostgreSQL) 15.17 (Debian 15.17-0+deb12u1)`, also `18beta1` and `18rc1`.
fn parse_version(text: &str) -> Option<PgVersion> {
    let word = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut numbers = word.split(|c: char| !c.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = if word.contains('.') { numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0) } else { 0 };
    Some(PgVersion { major, minor })
}

fn install_words() -> String {
    if cfg!(target_os = "macos") {
        return "install them: brew install postgresql@18".to_owned();
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let command = install_command(&release);
    format!("install them: {command}")
}

/// By the family that /etc/os-release names.
fn install_command(release: &str) -> &'static str {
    let families: Vec<&str> = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches('"').split_whitespace())
        .collect();
    let is = |names: &[&str]| families.iter().any(|family| names.contains(family));
    if is(&["debian", "ubuntu"]) {
        "sudo apt-get install postgresql"
    } else if is(&["fedora", "rhel", "centos"]) {
        "sudo dnf install postgresql-server"
    } else if is(&["arch"]) {
        "sudo pacman -S postgresql"
    } else if is(&["suse", "opensuse"]) {
        "sudo zypper install postgresql-server"
    } else if is(&["alpine"]) {
        "sudo apk add postgresql"
    } else {
        "the PostgreSQL server package of your system"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_print_them() {
        let check = |text: &str, major, minor| {
            assert_eq!(parse_version(text), Some(PgVersion { major, minor }), "{text}");
        };
        check("postgres (PostgreSQL) 15.17 (Debian 15.17-0+deb12u1)", 15, 17);
        check("postgres (PostgreSQL) 18.4", 18, 4);
        check("postgres (PostgreSQL) 19beta1", 19, 0);
        assert_eq!(parse_version("no number"), None);
    }

    #[test]
    fn the_system_names_its_own_package_manager() {
        let check = |release: &str, word: &str| assert!(install_command(release).contains(word), "{release}");
        check("NAME=x\nID=debian\n", "apt-get install postgresql");
        check("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "apt-get");
        check("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf");
        check("ID=arch\n", "pacman");
        check("ID=plan9\n", "of your system");
    }
}

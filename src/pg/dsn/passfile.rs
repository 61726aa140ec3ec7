//! Password files (`~/.pgpass`): lines of `host:port:database:user:password`, the first that fits wins.
//!
//! `*` fits anything; a colon or backslash in a field is written with a backslash before it. A file that
//! others may read is not used, as in libpq: the password in it is no secret.

use std::fs;
use std::path::Path;

use crate::secret::Secret;

/// What a password is looked up by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Login<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) dbname: &'a str,
    pub(super) user: &'a str,
}

/// The usable text of a password file.
#[derive(Default)]
pub(super) struct PassFile(String);

impl PassFile {
    /// Reads the file if it is there and private; else says why not (a missing file is nothing to mention).
    pub(super) fn read(path: &Path) -> (Self, Option<String>) {
        let Ok(metadata) = fs::metadata(path) else { return (Self::default(), None) };
        if !metadata.is_file() {
            return (
                Self::default(),
                Some(format!("password file {} is not a plain file; not used", path.display())),
            );
        }
        if !is_private(&metadata) {
            let note = format!(
                "password file {} may be read by group or others; not used (chmod 600 it)",
                path.display()
            );
            return (Self::default(), Some(note));
        }
        match fs::read_to_string(path) {
            Ok(text) => (Self(text), None),
            Err(error) => {
                (Self::default(), Some(format!("password file {} cannot be read: {error}", path.display())))
            }
        }
    }

    /// The password for a login.
    pub(super) fn find(&self, login: Login<'_>) -> Option<Secret> {
        self.0.lines().find_map(|line| password(line.trim_end_matches('\r'), login))
    }
}

#[cfg(unix)]
fn is_private(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    const GROUP_AND_OTHERS: u32 = 0o077;
    metadata.permissions().mode() & GROUP_AND_OTHERS == 0
}

#[cfg(not(unix))]
fn is_private(_: &fs::Metadata) -> bool {
    true
}

fn password(line: &str, login: Login<'_>) -> Option<Secret> {
    if line.starts_with('#') {
        return None;
    }
    let port = login.port.to_string();
    let mut rest = line;
    for wanted in [login.host, &port, login.dbname, login.user] {
        let (raw, after) = split_field(rest)?;
        if raw != "*" && unescape(raw) != wanted {
            return None;
        }
        rest = after;
    }
    // An unescaped colon ends the password too, as in libpq.
    let password = unescape(split_field(rest).map_or(rest, |(password, _)| password));
    (!password.is_empty()).then(|| Secret::new(password))
}

/// The field up to the first colon without a backslash, and what follows the colon.
fn split_field(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_wins() {
        let file = PassFile(
            "# comment:5432:*:*:no\nother:5432:db:u:no\nh\\:1:5432:d\\\\b:u:a\\:b\\\\c\n*:*:*:u:fallback\r\n\
             [::1]:1:*:*:x\nshort:5432\n*:5432:*:second:with:colon\n"
                .to_owned(),
        );
        let find = |host, port, dbname, user| {
            file.find(Login { host, port, dbname, user }).map(|secret| secret.reveal().to_owned())
        };
        assert_eq!(find("h:1", 5432, "d\\b", "u").as_deref(), Some("a:b\\c"));
        assert_eq!(find("any", 1, "db", "u").as_deref(), Some("fallback"));
        assert_eq!(find("any", 5432, "db", "second").as_deref(), Some("with"));
        assert_eq!(find("any", 1, "db", "nobody"), None);
        assert_eq!(find("comment", 5432, "db", "z"), None);
    }
}

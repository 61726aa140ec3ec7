//! Option files (`~/.my.cnf`): who logs in, and with which password, where the word does not say it.
//!
//! Sections that all clients read, and of them two options. What includes other files is passed over.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::secret::Secret;

/// Sections whose options are those of any client.
const SECTIONS: [&str; 3] = ["client", "client-server", "client-mariadb"];

/// A file of options is small; what is larger is none.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What a file says of a login.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FileLogin {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
}

/// Reads a file.
pub(super) fn read(path: &Path) -> io::Result<FileLogin> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(parse(&text))
}

fn parse(text: &str) -> FileLogin {
    let (mut login, mut counts) = (FileLogin::default(), false);
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            counts = SECTIONS.contains(&section.trim());
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| counts && !line.starts_with(['#', ';']))
        else {
            continue;
        };
        match name.trim() {
            "user" => login.user = Some(unquoted(value.trim())),
            "password" => login.password = Some(Secret::new(unquoted(value.trim()))),
            _ => {}
        }
    }
    login
}

/// A value without its quotes and escapes; without quotes a `#` begins a comment.
fn unquoted(value: &str) -> String {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner = match quote {
        Some(quote) => value[1..].rsplit_once(quote).map_or(&value[1..], |(inner, _)| inner),
        None => value.split(" #").next().unwrap_or_default().trim_end(),
    };
    let (mut out, mut chars) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        match escaped {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('s') => out.push(' '),
            Some(same @ ('\\' | '"' | '\'')) => out.push(same),
            Some(other) => out.extend(['\\', other]),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_all_clients_is_found() {
        for (text, user, password) in [
            ("[client]\nuser = me\npassword=s3", Some("me"), Some("s3")),
            ("[mysqld]\nuser=mysql\n[client]\npassword = \"a # \\\"b\\\\\"\n", None, Some("a # \"b\\")),
            ("[client]\n# password=x\n;user=y\npassword = one # two\n", None, Some("one")),
            ("[client-mariadb]\npassword='a b'\r\n[mysqldump]\npassword=no", None, Some("a b")),
            ("password=outside", None, None),
            ("[client]\npassword", None, None),
        ] {
            let user = user.map(ToOwned::to_owned);
            let password = password.map(|password| Secret::new(password.to_owned()));
            assert_eq!(parse(text), FileLogin { user, password }, "{text}");
        }
    }
}

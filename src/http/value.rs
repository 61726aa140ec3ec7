//! Values of headers and parameters, as they are given on the command line: a text, or where a secret is.
//!
//! `text`, `env:NAME`, `file:PATH`; behind a scheme's word too: `Bearer env:TOKEN`. The environment comes in
//! through a closure.

use std::path::PathBuf;

use crate::secret::Secret;

/// Longest secret in a file: more is not a secret but the wrong file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A value that may be a secret, or stand in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What stands before it, as it is: `Bearer `.
    before: String,
    from: From,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    Text(Secret),
    File(PathBuf),
}

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretValueError {
    /// The environment variable is not set.
    #[error("the environment variable {name} is not set")]
    NotSet {
        /// Name of the environment variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read the secret in {}", path.display())]
    File {
        /// The file that the error is about.
        path: PathBuf,
        /// The error that lies behind it.
        source: std::io::Error,
    },
    /// The file cannot be replaced.
    #[error("cannot write the new secret to {}", path.display())]
    Store {
        /// The file that the error is about.
        path: PathBuf,
        /// The error that lies behind it.
        source: std::io::Error,
    },
    /// The file is no secret.
    #[error("{} {what}", path.display())]
    NotASecret {
        /// The file that the error is about.
        path: PathBuf,
        /// What is wrong with the file.
        what: &'static str,
    },
}

impl SecretValueError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotSet { name } => Some(format!("set the variable {name}, or give file:PATH")),
            Self::File { .. } | Self::NotASecret { .. } => None,
            Self::Store { .. } => Some(
                "the server has given another refresh token, and may take the old one no more: let the file be written"
                    .to_owned(),
            ),
        }
    }
}

impl Value {
    /// Reads a value; `env` looks a variable up.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn parse(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self, SecretValueError> {
        let at = text
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
        let (before, last) = text.split_at(at);
        if let Some(name) = last.strip_prefix("env:") {
            let secret = env(name).ok_or_else(|| SecretValueError::NotSet { name: name.to_owned() })?;
            return Ok(Self {
                before: before.to_owned(),
                from: From::Text(Secret::new(secret.trim_end_matches(['\r', '\n']).to_owned())),
            });
        }
        if let Some(path) = last.strip_prefix("file:") {
            return Ok(Self { before: before.to_owned(), from: From::File(PathBuf::from(path)) });
        }
        Ok(Self { before: String::new(), from: From::Text(Secret::new(text.to_owned())) })
    }

    /// A value that is given as it is.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { before: String::new(), from: From::Text(Secret::new(text.to_owned())) }
    }

    /// What is sent. Reads the file, if it is in one.
    ///
    /// # Errors
    /// When there is no such file or no secret in it.
    pub fn resolve(&self) -> Result<Secret, SecretValueError> {
        let secret = self.bare()?;
        Ok(Secret::new(format!("{}{}", self.before, secret.reveal())))
    }

    /// Puts a secret in the place of the one in its file; of one that is in none, nothing is kept.
    ///
    /// # Errors
    /// When the file cannot be replaced.
    pub(super) fn store(&self, secret: &Secret) -> Result<(), SecretValueError> {
        let From::File(path) = &self.from else { return Ok(()) };
        replace_secret(path, secret).map_err(|source| SecretValueError::Store { path: path.clone(), source })
    }

    /// The secret alone, without what stands before it: that is what must not be shown.
    pub(super) fn bare(&self) -> Result<Secret, SecretValueError> {
        match &self.from {
            From::Text(secret) => Ok(secret.clone()),
            From::File(path) => read_secret(path),
        }
    }
}

/// Replaces the secret in a file: whole, or not at all, and readable by whom it was.
fn replace_secret(path: &std::path::Path, secret: &Secret) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    // Behind a link, the file that it leads to.
    let path = std::fs::canonicalize(path)?;
    let mode = std::fs::metadata(&path)?.permissions().mode();
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{}.new", std::process::id()));
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(secret.reveal().as_bytes())?;
        file.write_all(b"\n")?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        std::fs::rename(&beside, &path)
    })();
    if written.is_err() {
        // It may not be there at all.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// The text of a file, without line ends behind it.
pub(super) fn read_secret(path: &std::path::Path) -> Result<Secret, SecretValueError> {
    use std::io::Read as _;
    let failed = |source| SecretValueError::File { path: path.to_owned(), source };
    let not = |what| SecretValueError::NotASecret { path: path.to_owned(), what };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(not("is too long for a secret"));
    }
    let text = String::from_utf8(bytes).map_err(|_| not("is not UTF-8"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(not("is empty"));
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_texts_variables_and_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "abc\n").unwrap();
        let env = |name: &str| (name == "TOKEN").then(|| "t0k".to_owned());
        let sent = |text: &str| Value::parse(text, env).unwrap().resolve().unwrap().reveal().to_owned();
        assert_eq!(sent("plain text"), "plain text");
        assert_eq!(sent("env:TOKEN"), "t0k");
        assert_eq!(sent("Bearer env:TOKEN"), "Bearer t0k");
        assert_eq!(sent(&format!("Bearer file:{}", file.display())), "Bearer abc");
        assert_eq!(sent("http://env:8080/"), "http://env:8080/");
        assert!(
            matches!(Value::parse("env:MISSING", env), Err(SecretValueError::NotSet { name }) if name == "MISSING")
        );
        assert!(Value::parse("file:/nowhere", env).unwrap().resolve().is_err());
        assert!(!format!("{:?}", Value::parse("env:TOKEN", env).unwrap()).contains("t0k"));
    }
}

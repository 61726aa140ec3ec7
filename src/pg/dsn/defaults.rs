//! The environment of a connection string: which one is used, and what fills what it leaves out.
//!
//! The order is the command line's contract: `--dsn`, else `DATABASE_URL`, else `PG*`, else the local server.
//! What a connection string leaves out comes from its service, then from `PG*`, then from libpq's defaults.

use std::fs;
use std::path::{Path, PathBuf};

use super::build;
use super::description::{ConnInfo, ConnectTarget};
use super::env::{Lookup, home, var};
use super::error::DsnError;
use super::keyword;
use super::params::{OTHER_VARIABLES, WORDS, meaning};
use super::url;
use super::words::{Echo, Words};

/// The longest connection string or service file that is read: far beyond any real one.
const TEXT_LIMIT_BYTES: u64 = 64 * 1024;

impl ConnInfo {
    /// Reads a URL or `key=value` text by itself: no environment, no files.
    ///
    /// # Errors
    /// If the text cannot be read, or asks for what is not supported.
    pub fn parse(text: &str) -> Result<Self, DsnError> {
        from_text(text, &|_| None)
    }
}

/// Finds out where to connect: the value of `--dsn` if given, else the environment, else the local server.
///
/// # Errors
/// If the connection string, or a file or variable it names, cannot be read or asks for what is not
/// supported.
pub fn from_env(flag: Option<&str>, env: Lookup<'_>) -> Result<ConnectTarget, DsnError> {
    if let Some(text) = flag {
        return from_flag(text.trim(), env);
    }
    if let Some(text) = var(env, "DATABASE_URL") {
        return from_flag(text.trim(), env).map_err(|error| error.within("DATABASE_URL".to_owned()));
    }
    if WORDS.iter().any(|(_, variable)| variable.is_some_and(|variable| var(env, variable).is_some())) {
        return filled(Words::default(), env).map(server);
    }
    Ok(ConnectTarget::Local)
}

fn from_flag(text: &str, env: Lookup<'_>) -> Result<ConnectTarget, DsnError> {
    if text == "local" {
        return Ok(ConnectTarget::Local);
    }
    let (text, origin) = if let Some(name) = text.strip_prefix("env:") {
        let found = var(env, name).ok_or_else(|| DsnError::Variable { name: name.to_owned() })?;
        (found, Some(name))
    } else if let Some(path) = text.strip_prefix("file:") {
        (read("connection string file", Path::new(path))?, Some(path))
    } else {
        (text.to_owned(), None)
    };
    from_text(text.trim(), env).map(server).map_err(|error| match origin {
        Some(origin) => error.within(origin.to_owned()),
        None => error,
    })
}

fn server(dsn: ConnInfo) -> ConnectTarget {
    ConnectTarget::Server(Box::new(dsn))
}

/// Reads a URL or `key=value` text and fills in what it leaves out.
pub(super) fn from_text(text: &str, env: Lookup<'_>) -> Result<ConnInfo, DsnError> {
    let mut words = Words::default();
    if let Some(rest) = url::strip_scheme(text)? {
        url::parse(rest, &mut words)?;
    } else if text.contains('=') {
        keyword::parse(text, &mut words)?;
    } else {
        return Err(DsnError::Malformed { what: "it is neither a URL nor key=value" });
    }
    filled(words, env)
}

fn filled(mut words: Words, env: Lookup<'_>) -> Result<ConnInfo, DsnError> {
    let service = words.get("service").map(str::to_owned).or_else(|| var(env, "PGSERVICE"));
    if let Some(service) = service {
        fill_from_service(&service, &mut words, env)?;
    }
    for (word, variable) in WORDS {
        if let Some(text) = variable.and_then(|variable| var(env, variable)) {
            words.fill(word, text);
        }
    }
    for (variable, name) in OTHER_VARIABLES {
        if let Some(text) = var(env, variable) {
            // Judged like the parameter of that name, but what has to be mended is the variable.
            debug_assert!(meaning(name).is_some());
            words.set(name, text, Echo::Name).map_err(|error| match error {
                DsnError::Unsupported { why, .. } => {
                    DsnError::Unsupported { name: (*variable).to_owned(), why }
                }
                other => other,
            })?;
        }
    }
    build::build(words, env)
}

/// Fills from the section `[service]` of the service file.
fn fill_from_service(service: &str, words: &mut Words, env: Lookup<'_>) -> Result<(), DsnError> {
    let named = words.get("servicefile").map(str::to_owned).or_else(|| var(env, "PGSERVICEFILE"));
    let personal = || home(env).map(|home| home.join(".pg_service.conf")).filter(|path| path.exists());
    let shared = || var(env, "PGSYSCONFDIR").map(|dir| Path::new(&dir).join("pg_service.conf"));
    let path = named.map(PathBuf::from).or_else(personal).or_else(shared);
    let path = path.unwrap_or_else(|| PathBuf::from("~/.pg_service.conf"));
    let text = read("service file", &path)?;
    let mut section = Words::default();
    let mut found = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            if found {
                break;
            }
            found = name == service;
        } else if found {
            let Some((name, value)) = line.split_once('=') else {
                return Err(DsnError::Malformed { what: "a line without `=` in the service file" });
            };
            section.set(name.trim(), value.trim().to_owned(), Echo::Name)?;
        }
    }
    if !found {
        return Err(DsnError::Service { name: service.to_owned(), path });
    }
    for (word, _) in WORDS {
        if let Some(text) = section.get(word) {
            words.fill(word, text.to_owned());
        }
    }
    words.schema = words.schema.take().or(section.schema);
    words.notes.append(&mut section.notes);
    Ok(())
}

fn read(role: &'static str, path: &Path) -> Result<String, DsnError> {
    use std::io::{Error, ErrorKind, Read};
    let text = fs::File::open(path).and_then(|file| {
        let mut text = String::new();
        let bytes = file.take(TEXT_LIMIT_BYTES + 1).read_to_string(&mut text)?;
        if bytes as u64 > TEXT_LIMIT_BYTES {
            return Err(Error::new(ErrorKind::FileTooLarge, "it is longer than 64 KiB"));
        }
        Ok(text)
    });
    text.map_err(|source| DsnError::File { role, path: path.to_owned(), source })
}

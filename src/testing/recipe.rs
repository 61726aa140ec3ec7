//! What a template is made of, and the hash that it is known by.

use std::path::PathBuf;

use xxhash_rust::xxh3::Xxh3;

use super::error::TestingCause;
use super::migrations::{Script, in_folder};
use crate::fixtures::Fixtures;
use crate::seed::read_folder;

/// Another one, once the same content would become another database.
const FORMAT: u32 = 1;

/// Where the content is.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    pub(super) schema: Vec<PathBuf>,
    pub(super) migrations: Option<PathBuf>,
    /// The name that the caller gave to migrations of its own.
    pub(super) named: Option<String>,
    pub(super) fixtures: Vec<PathBuf>,
}

/// The content.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) scripts: Vec<Script>,
    pub(super) fixtures: Vec<Fixtures>,
    /// Of all of it but the server's version.
    hash: u64,
}

impl Recipe {
    /// Reads all of it. Blocks.
    pub(super) fn read(sources: &Sources) -> Result<Self, TestingCause> {
        let mut scripts: Vec<Script> =
            sources.schema.iter().map(|path| Script::read(path)).collect::<Result<_, _>>()?;
        if let Some(dir) = &sources.migrations {
            scripts.extend(in_folder(dir)?);
        }
        let fixtures: Vec<Fixtures> =
            sources.fixtures.iter().map(|dir| read_folder(dir)).collect::<Result<_, _>>()?;
        let mut hash = Xxh3::new();
        let mut add = |part: &str| {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        };
        add(env!("CARGO_PKG_VERSION"));
        add(&FORMAT.to_string());
        scripts.iter().for_each(|script| add(&script.sql));
        add(sources.named.as_deref().unwrap_or_default());
        fixtures.iter().for_each(|fixtures| add(&format!("{fixtures:?}")));
        let hash = hash.digest();
        Ok(Self { scripts, fixtures, hash })
    }

    /// Some row has a moment, as far as its file shows.
    pub(super) fn has_moments(&self) -> bool {
        self.fixtures.iter().any(Fixtures::may_have_moments)
    }

    /// The hash that the template is known by, on a server of this version.
    pub(super) fn key(&self, server_version: &str) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.hash.to_le_bytes());
        hash.update(server_version.as_bytes());
        hash.digest()
    }
}

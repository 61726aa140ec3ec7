//! What a template is made of, and the hash that it is known by.

use std::path::PathBuf;

use xxhash_rust::xxh3::Xxh3;

use super::error::TestingCause;
use super::migrations::{Script, in_folder};
use crate::fixtures::Fixtures;
use crate::seed::{RawFixture, read_raw, understood};

/// Another one, once the same content would become another database.
const FORMAT: u32 = 1;

/// A moment in the text of a fixture begins with one of these. (It may also be text in JSON: then a clone is
/// looked at in vain.)
const MOMENTS: [&[u8]; 2] = [b"$now", b"$today"];

/// Where the content is.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    pub(super) schema: Vec<PathBuf>,
    pub(super) migrations: Option<PathBuf>,
    /// The name that the caller gave to migrations of its own.
    pub(super) named: Option<String>,
    pub(super) fixtures: Vec<PathBuf>,
}

/// The content. Each test reads it, to know its template by it; few have to understand it.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) scripts: Vec<Script>,
    raw: Vec<Vec<RawFixture>>,
    /// Of all of it but the server's version.
    pub(super) hash: u64,
}

impl Recipe {
    /// Reads all of it. Blocks.
    pub(super) fn read(sources: &Sources) -> Result<Self, TestingCause> {
        let scripts = sources.schema.iter().map(|path| Script::read(path));
        let mut scripts: Vec<Script> = scripts.collect::<Result<_, _>>()?;
        if let Some(dir) = &sources.migrations {
            scripts.extend(in_folder(dir)?);
        }
        let raw: Vec<Vec<RawFixture>> =
            sources.fixtures.iter().map(|dir| read_raw(dir)).collect::<Result<_, _>>()?;
        let mut hash = Xxh3::new();
        let mut add = |part: &[u8]| {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        add(env!("CARGO_PKG_VERSION").as_bytes());
        add(&FORMAT.to_le_bytes());
        scripts.iter().for_each(|script| add(script.sql.as_bytes()));
        add(sources.named.as_deref().unwrap_or_default().as_bytes());
        for folder in &raw {
            add(&folder.len().to_le_bytes());
            for file in folder {
                add(file.name().as_bytes());
                add(&file.content);
            }
        }
        let hash = hash.digest();
        Ok(Self { scripts, raw, hash })
    }

    /// The rows of each folder of fixtures.
    pub(super) fn fixtures(&self) -> Result<Vec<Fixtures>, TestingCause> {
        let folders = self
            .raw
            .iter()
            .map(|files| understood(files).map_err(|problems| TestingCause::Seed(problems.into())));
        folders.collect()
    }

    /// Some row has a moment, as far as its file shows.
    pub(super) fn has_moments(&self) -> bool {
        let has =
            |content: &[u8]| MOMENTS.iter().any(|moment| memchr::memmem::find(content, moment).is_some());
        self.raw.iter().flatten().any(|file| has(&file.content))
    }

    /// The hash that the template is known by, on a server of this version.
    pub(super) fn key(&self, server_version: &str) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&self.hash.to_le_bytes());
        hash.update(server_version.as_bytes());
        hash.digest()
    }
}

//! What the fuzz targets run: each entry takes any bytes and panics where dbload breaks a promise about them.
//!
//! `cargo test` runs them on the checked-in corpora, on every crash found so far and on chance
//! (`tests/fuzz/mod.rs`); the targets of `fuzz/` are wrappers around the same functions, led by coverage. The
//! first bytes of an input choose options (a [`Dials`]), the rest is the text. Oracles are other crates or
//! written here, apart from the program's code.

mod archives;
mod columns;
mod csv;
mod detect;
mod dsn;
mod identifiers;
mod infer;
mod json;
mod lines;
mod mapping;
mod oracle;
mod rejects;
mod report;
pub mod server;
mod sources;
mod split;

/// One entry: any bytes in, a panic for a broken promise.
pub type Entry = fn(&[u8]);

/// The entries that need no server.
pub const PURE: &[(&str, Entry)] = &[
    ("jsonl", lines::run),
    ("json", json::run),
    ("csv", csv::run),
    ("sources", sources::run),
    ("mapping", mapping::run),
    ("rejects", rejects::run),
    ("identifiers", identifiers::run),
    ("dsn", dsn::run),
    ("report", report::run),
    ("detect", detect::run),
    ("infer", infer::run),
    ("columns", columns::run),
    ("archives", archives::run),
];

/// The entry of this name.
pub fn pure(name: &str) -> Entry {
    PURE.iter()
        .find(|(known, _)| *known == name)
        .map_or_else(|| panic!("no entry {name:?}"), |(_, entry)| *entry)
}

/// Choices, taken from the front of an input; zeros when it is used up.
pub struct Dials<'a>(&'a [u8]);

impl<'a> Dials<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()].clone()
    }

    /// What is left: the text.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The text up to the next `separator`, as a string; what is behind stays.
    pub fn text(&mut self, separator: u8) -> String {
        let end = self.0.iter().position(|&byte| byte == separator).unwrap_or(self.0.len());
        let text = String::from_utf8_lossy(&self.0[..end]).into_owned();
        self.0 = self.0.get(end + 1..).unwrap_or(&[]);
        text
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Sizes of the pieces in which bytes arrive, by chance that an input decides.
pub struct Pieces(u64);

impl Pieces {
    pub fn of(dial: u8) -> Self {
        Self(u64::from(dial))
    }

    /// 1 to 1, 4, 16 or 64 bytes.
    pub fn next(&mut self) -> usize {
        let most = 1_u64 << (2 * (self.0 & 3));
        let dial = self.0 & 0xff;
        let state = (self.0 >> 8).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(2 * dial + 1);
        self.0 = state << 8 | dial;
        usize::try_from(1 + (state >> 40) % most).unwrap_or(1)
    }
}

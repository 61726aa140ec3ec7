//! The names of what is made on a test server: they say what it is, and whose.
//!
//! An owner is a process, known by a number that it drew and holds a lock of as long as it lives. A suite is
//! one run of many tests.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// Begins the name of a template, of which clones are made.
pub(super) const TEMPLATE: &str = "dbload_t_";
/// Of a template that is being made.
pub(super) const BUILDING: &str = "dbload_b_";
/// Of a clone that nobody uses yet.
pub(super) const READY: &str = "dbload_p_";
/// Of a database that a test uses.
pub(super) const USED: &str = "dbload_c_";
/// The database whose schemas tests use.
pub(super) const OF_SCHEMAS: &str = "dbload_schemas";
/// Begins the name of a schema that a test uses.
pub(super) const SCHEMA: &str = "dbload_s_";

/// A database that is kept for people says so, and behind it since which second.
pub(super) const KEPT: &str = "kept: its test failed, second ";

/// Locks of owners are of this class, that none else uses.
pub(super) const OWNERS: i32 = 0x6462_6c64;

/// So many clones of a template are to be ready.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) template: u64,
    /// As the test says; else as many as tests of this process had a database at the same time.
    pub(super) count: Option<usize>,
    /// In that case at least so many.
    pub(super) at_least: usize,
}

/// A number of 32 bits, as names have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tag(u32);

impl Tag {
    /// Of an owner: drawn.
    pub(super) fn drawn() -> Self {
        let (_, random) = uuid::Uuid::now_v7().as_u64_pair();
        Self(u32::try_from(random & 0xffff_ffff).unwrap_or_default())
    }

    /// Of a suite: by its name.
    pub(super) fn of(text: &str) -> Self {
        Self(u32::try_from(xxh3_64(text.as_bytes()) & 0xffff_ffff).unwrap_or_default())
    }

    /// As the server's locks have it.
    pub(super) const fn lock(self) -> i32 {
        self.0.cast_signed()
    }

    /// Whose lock has this number.
    pub(super) const fn of_lock(number: u32) -> Self {
        Self(number)
    }

    fn read(text: &str) -> Option<Self> {
        (text.len() == 8).then(|| u32::from_str_radix(text, 16).ok().map(Self))?
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Suite and owner of what a test uses: `dbload_c_SUITE_OWNER_NUMBER`.
pub(super) fn of_whom(name: &str, begins: &str) -> Option<(Tag, Tag)> {
    let mut parts = name.strip_prefix(begins)?.split('_');
    Some((Tag::read(parts.next()?)?, Tag::read(parts.next()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_it_is() {
        let (suite, owner) = (Tag::of("run 1"), Tag::drawn());
        let name = format!("{USED}{suite}_{owner}_17");
        assert_eq!(of_whom(&name, USED), Some((suite, owner)));
        assert!(name.len() < 63);
        for other in ["dbload_c_", "dbload_c_1_2_3", "dbload_c_zzzzzzzz_00000000_1", "shop"] {
            assert_eq!(of_whom(other, USED), None, "{other}");
        }
        assert_ne!(Tag::of("run 1"), Tag::of("run 2"));
    }
}

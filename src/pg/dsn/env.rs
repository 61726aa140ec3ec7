//! The environment of this process, as it is handed in.

use std::path::PathBuf;

/// Reads an environment variable; injected, so that tests need none.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable that is set and not empty.
pub(super) fn var(env: Lookup<'_>, name: &str) -> Option<String> {
    env(name).filter(|text| !text.is_empty())
}

/// The user's home directory.
pub(super) fn home(env: Lookup<'_>) -> Option<PathBuf> {
    var(env, "HOME").map(PathBuf::from)
}

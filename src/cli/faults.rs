//! Builds with debug assertions only: the environment says what is to go wrong, for the tests. No flag, and
//! not in the help: a release build knows none of it.

use dbload::internals::fault;

/// Arms what `DBLOAD_CRASH_AT=NAME:N` and `DBLOAD_DEFECT=NAME` ask for.
pub(crate) fn arm() -> Result<(), String> {
    let word = |name: &str| std::env::var(name).ok();
    fault::arm(word("DBLOAD_CRASH_AT").as_deref(), word("DBLOAD_DEFECT").as_deref())
}

/// With `DBLOAD_CRASH_POINTS` set, says how often each crash point was passed.
pub(crate) fn tell() {
    if std::env::var_os("DBLOAD_CRASH_POINTS").is_some() {
        for (name, count) in fault::passed() {
            super::say(&format!("crash point {name} {count}"));
        }
    }
}

//! Variables of the environment: those of one load's flags have no place in a run of many.

use clap::{Args as _, Command};

use super::keys::LoadKeys;

/// Variables that are about the whole run.
const OF_THE_RUN: [&str; 10] = [
    "DBLOAD_DSN",
    "DBLOAD_POOL_SIZE",
    "DBLOAD_MAX_MEMORY",
    "DBLOAD_JSON",
    "DBLOAD_QUIET",
    "DBLOAD_VERBOSE",
    "DBLOAD_LOG_FORMAT",
    "DBLOAD_NO_PROGRESS",
    "DBLOAD_PROGRESS",
    "DBLOAD_EVENTS",
];

/// Those of one load that are set, by name: which of the loads they are about cannot be known.
pub(super) fn of_one_load(is_set: impl Fn(&str) -> bool) -> Vec<String> {
    let command = LoadKeys::augment_args(Command::new("load"));
    let names = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned));
    names.filter(|name| !OF_THE_RUN.contains(&name.as_str()) && is_set(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_one_load_is_named() {
        let all = of_one_load(|_| true);
        for name in ["DBLOAD_TABLE", "DBLOAD_RESTART", "DBLOAD_TIMEZONE", "DBLOAD_HEADER"] {
            assert!(all.iter().any(|one| one == name), "{name}: {all:?}");
        }
        assert!(!all.iter().any(|one| OF_THE_RUN.contains(&one.as_str())));
        assert_eq!(of_one_load(|name| name == "DBLOAD_KEY"), ["DBLOAD_KEY"]);
    }
}

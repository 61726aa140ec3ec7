//! Hints for people speak of the command line. Who calls the library has options of the same meaning, and is
//! told those.

/// Flags, and what the builders call them where that is another name.
const RENAMED: [(&str, &str); 9] = [
    ("table", "into_table"),
    ("timezone", "time_zone"),
    ("datestyle", "date_order"),
    ("pool-size", "connections"),
    ("max-record-bytes", "max_record"),
    ("rejects", "reject_file"),
    ("no-ledger", "without_ledger"),
    ("max-header-bytes", "max_header"),
    ("max-decompressed-bytes", "max_decompressed"),
];

/// Flags that the builders have under their own names.
const SAME: [&str; 31] = [
    "again",
    "batch-rows",
    "columns",
    "compression",
    "delimiter",
    "encoding",
    "extra",
    "fix-sequences",
    "format",
    "header",
    "key",
    "load-id",
    "lock-timeout",
    "max-depth",
    "max-fields",
    "max-memory",
    "max-rejects",
    "max-ratio",
    "mode",
    "newer-by",
    "null-as",
    "on-nul",
    "paginate",
    "pooler",
    "quote",
    "rate",
    "records",
    "restart",
    "retry-for",
    "skip-lines",
    "skip-records",
];
const SAME_TOO: [&str; 6] =
    ["accept-changed", "narrowing", "statement-timeout", "take-over", "verify-source", "wait"];

/// A hint in the words of the builders: `--take-over` is `take_over`, the same command is the same load.
pub(super) fn for_callers(hint: &str) -> String {
    let hint = hint.replace("the same command", "the same load");
    let mut out = String::with_capacity(hint.len());
    let mut rest = hint.as_str();
    while let Some(at) = rest.find("--") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        let end = after.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(after.len());
        let flag = &after[..end];
        out.push_str(before);
        match option(flag) {
            Some(option) => out.push_str(&format!("`{option}`")),
            // Of another command, or no flag.
            None => out.push_str(&rest[at..at + 2 + end]),
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

fn option(flag: &str) -> Option<String> {
    if let Some((_, option)) = RENAMED.iter().find(|(known, _)| *known == flag) {
        return Some((*option).to_owned());
    }
    SAME.iter().chain(&SAME_TOO).find(|known| **known == flag).map(|flag| flag.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_the_options_of_the_builders_and_leaves_other_commands_alone() {
        let check = |hint, expected: &str| assert_eq!(for_callers(hint), expected);
        check("say --table NAME", "say `into_table` NAME");
        check(
            "wait for it with --wait 10m, or stop it and use --take-over",
            "wait for it with `wait` 10m, or stop it and use `take_over`",
        );
        check("the same command goes on", "the same load goes on");
        check("dbload ledger sql --role=x | psql", "dbload ledger sql --role=x | psql");
    }

    #[test]
    fn every_option_that_a_hint_can_name_is_a_method_of_a_builder() {
        let methods = [
            include_str!("../face/load.rs"),
            include_str!("../face/options.rs"),
            include_str!("../face/requests.rs"),
        ]
        .concat();
        let flags = RENAMED.iter().map(|(flag, _)| *flag).chain(SAME).chain(SAME_TOO);
        for option in flags.filter_map(option) {
            let is_there = [format!("pub fn {option}("), format!("pub fn {option}<")];
            assert!(is_there.iter().any(|name| methods.contains(name)), "{option}");
        }
    }
}

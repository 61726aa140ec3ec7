//! What `--help` says, as it is printed: a change of it is seen in a diff of `tests/cli/snapshots`. And that
//! no flag is there which no test ever gives.

use crate::support::{Dbload, Folder};
use std::{collections::BTreeSet, fs, path::Path};

/// Each command that prints help, as one types it.
const COMMANDS: [&str; 31] = [
    "",
    "load",
    "verify",
    "fixtures",
    "fixtures check",
    "fixtures export",
    "testing",
    "testing database",
    "run",
    "check",
    "list",
    "status",
    "history",
    "show",
    "prune",
    "watermark",
    "watermark show",
    "watermark set",
    "init",
    "schema",
    "ledger",
    "ledger sql",
    "completions",
    "local",
    "local start",
    "local stop",
    "local status",
    "local url",
    "local psql",
    "local run",
    "local reset",
];

fn help(folder: &Folder, command: &str) -> String {
    Dbload::new(folder.path()).line(command).arg("--help").run().exits(0).stdout
}

#[test]
fn help_is_what_the_snapshots_say() {
    let folder = Folder::new();
    for command in COMMANDS {
        let name = if command.is_empty() { "dbload".to_owned() } else { command.replace(' ', "-") };
        insta::assert_snapshot!(name, help(&folder, command));
    }
    let short = Dbload::new(folder.path()).arg("-h").run().exits(0).stdout;
    insta::assert_snapshot!("dbload-short", short);
}

/// The commands that a help text lists.
fn commands_of(help: &str) -> BTreeSet<String> {
    let list = help.split_once("Commands:\n").map_or("", |(_, list)| list);
    let lines = list.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("     "));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn no_command_is_left_out_of_the_snapshots() {
    let folder = Folder::new();
    for group in ["", "fixtures", "ledger", "local", "testing", "watermark"] {
        let listed = commands_of(&help(&folder, group));
        assert!(listed.contains("help"), "the list of commands was not found: {listed:?}");
        let known: BTreeSet<String> = COMMANDS
            .iter()
            .filter_map(|command| command.strip_prefix(group).map(str::trim))
            .filter(|word| !word.is_empty() && !word.contains(' '))
            .map(str::to_owned)
            .chain(["help".to_owned()])
            .collect();
        assert!(listed.is_subset(&known), "`{group}`: {:?}", listed.difference(&known));
    }
}

/// The long flags of a help text.
fn flags_of(help: &str) -> BTreeSet<String> {
    let begins = |line: &str| {
        let flag = line.split_whitespace().find(|word| word.starts_with("--"))?;
        let indent = line.len() - line.trim_start().len();
        let name: String = flag.chars().take_while(|c| *c == '-' || c.is_ascii_lowercase()).collect();
        (indent < 8 && line.trim_start().starts_with('-')).then_some(name)
    };
    help.lines().filter_map(begins).collect()
}

/// The code of all tests, without comments and without this file.
fn code(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            code(&path, text);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("cli/help.rs") {
            let file = fs::read_to_string(&path).unwrap();
            text.extend(file.lines().filter(|l| !l.trim_start().starts_with("//")).flat_map(|l| [l, "\n"]));
        }
    }
}

#[test]
fn every_flag_is_given_in_some_test() {
    let mut text = String::new();
    code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut text);
    let given = |flag: &str| {
        text.match_indices(flag).any(|(at, _)| {
            let behind = text[at + flag.len()..].chars().next();
            behind.is_none_or(|c| c != '-' && !c.is_ascii_lowercase())
        })
    };
    let folder = Folder::new();
    let flags: BTreeSet<String> =
        COMMANDS.iter().flat_map(|command| flags_of(&help(&folder, command))).collect();
    assert!(flags.len() > 80, "the flags were not found: {flags:?}");
    let missing: Vec<&String> = flags.iter().filter(|flag| !given(flag)).collect();
    assert!(missing.is_empty(), "no test gives {missing:?}");
}

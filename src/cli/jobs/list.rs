//! `dbload list`: the loads of a file, for orchestrators that make a task of each. Nothing is asked or
//! called.

use serde::Serialize;

use super::args::ListJobArgs;
use super::choose::choose;
use super::file::NamedKeys;
use super::open::open;
use crate::cli::exit;
use crate::cli::progress::Progress;
use crate::cli::stdout::print;
use crate::cli::terminal::{self, error_words};

/// The loads of a file: one line of JSON.
#[derive(Serialize)]
struct Manifest<'a> {
    version: u32,
    job: &'a str,
    loads: Vec<Listed<'a>>,
}

/// A load of it.
#[derive(Serialize)]
struct Listed<'a> {
    load: &'a str,
    table: String,
    after: &'a [String],
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<ListedWindow>,
}

/// The windows of a load.
#[derive(Serialize)]
struct ListedWindow {
    every: String,
    timezone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    begin: Option<String>,
    delay: String,
    lookback: u32,
}

/// Lists the loads of a file; the exit code.
pub(crate) fn list(args: &ListJobArgs) -> u8 {
    let progress = Progress::new(&args.output);
    let file = match open(&args.file, &progress) {
        Ok(opened) => opened.file,
        Err(code) => return code,
    };
    let (job, schema) = (file.name.clone(), file.target.schema.clone());
    let loads = match choose(file, &args.choice, &[]) {
        Ok(loads) => loads,
        Err(no) => {
            progress.say(&error_words(&no.message, no.hint.as_deref()));
            return exit::USAGE;
        }
    };
    let listed: Vec<Listed<'_>> = loads.iter().map(|load| listed(load, schema.as_deref())).collect();
    let text = match args.output.json {
        true => terminal::json(&Manifest { version: 1, job: &job, loads: listed }),
        false => listed.iter().map(words).collect(),
    };
    if print(&text) { exit::COMPLETE } else { exit::UNEXPECTED }
}

fn listed<'a>(load: &'a NamedKeys, schema: Option<&str>) -> Listed<'a> {
    let table = load.keys.load.target.table.as_ref();
    let table = table.map_or_else(String::new, |table| match (&table.schema, schema) {
        (None, Some(schema)) => format!("{schema}.{}", table.name.raw()),
        (None, None) => table.name.raw().to_owned(),
        (Some(schema), _) => format!("{}.{}", schema.raw(), table.name.raw()),
    });
    let window = load.keys.turn.windows().map(|rule| ListedWindow {
        every: rule.every.to_string(),
        timezone: rule.zone.iana_name().unwrap_or("UTC").to_owned(),
        begin: rule.begin.map(|begin| begin.to_string()),
        delay: humantime::format_duration(rule.delay).to_string(),
        lookback: rule.lookback,
    });
    Listed { load: &load.name, table, after: &load.keys.turn.after, tags: &load.keys.turn.tags, window }
}

fn words(listed: &Listed<'_>) -> String {
    let mut out = format!("{} into {}", listed.load, terminal::line(&listed.table));
    for (what, names) in [("after", listed.after), ("tags", listed.tags)] {
        if !names.is_empty() {
            out.push_str(&format!(", {what} {}", terminal::line(&names.join(" "))));
        }
    }
    if let Some(window) = &listed.window {
        out.push_str(&format!(", window {} {}", window.every, window.timezone));
    }
    out.push('\n');
    out
}

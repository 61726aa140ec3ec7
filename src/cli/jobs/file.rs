//! A job file: read, checked, and turned into what there is to do.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use dbload::internals::pg::{Ident, TableName};
use dbload::internals::schedule::circle;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{HookKeys, LoadKeys, MetricsKeys, NOT_OF_A_LOAD, OF_SOURCES, TargetKeys, speech};
use super::place::{FileError, JobText, did_you_mean};
use super::toml_table::{SaidKey, Speech, TableKeys, key_of, keys};
use crate::cli::web::WebArgs;

/// Keys of the file itself.
pub(super) const TABLES: [(&str, &str); 7] = [
    ("name", "name of the job: with that of a load it is what the ledger knows the load by"),
    ("target", "the database, and what all loads may take of it and of this machine"),
    ("defaults", "keys of all loads; a load's own replaces the whole value, lists too"),
    ("load", "the loads, each a table [load.NAME]"),
    ("on_failure", "who is told when a run has ended with another exit code than 0"),
    ("on_success", "who is told when a run has ended with exit code 0"),
    ("metrics", "what monitoring reads"),
];

/// Beyond this a file is no list that a person has written.
const LOADS_MAX: usize = 10_000;

/// What a job file says.
#[derive(Debug)]
pub(super) struct JobFile {
    pub(super) name: String,
    pub(super) target: TargetKeys,
    /// In the order of the file.
    pub(super) loads: Vec<NamedKeys>,
    pub(super) told: ToldKeys,
}

/// Who is told of the end of a run, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct ToldKeys {
    pub(super) on_failure: HookKeys,
    pub(super) on_success: HookKeys,
    pub(super) metrics: MetricsKeys,
}

/// A load of it.
#[derive(Debug)]
pub(super) struct NamedKeys {
    pub(super) name: String,
    pub(super) keys: LoadKeys,
    /// Where its records come from, in the words of the file.
    pub(super) words: Vec<String>,
    /// How servers are asked, in the words of the file: loads with the same are answered the same.
    pub(super) asking: String,
    /// Where it stands, for what is found out later.
    pub(super) at: usize,
}

/// The environment.
pub(super) type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Reads a file.
pub(super) fn text_of(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(|error| FileError::unreadable(&path.to_string_lossy(), &error))
}

/// Reads what a job file says; all that is wrong with it, at once.
pub(super) fn read(page: &JobText<'_>, env: Env<'_>) -> Result<JobFile, Vec<FileError>> {
    let document = DeTable::parse(page.text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![page.error(at, error.message())]
    })?;
    let mut errors = Vec::new();
    let read = FileReader { page, env }.file(document.get_ref(), &mut errors);
    match read {
        Some(file) if errors.is_empty() => Ok(file),
        _ => Err(errors),
    }
}

struct FileReader<'f> {
    page: &'f JobText<'f>,
    env: Env<'f>,
}

impl FileReader<'_> {
    fn file(&self, document: &DeTable<'_>, errors: &mut Vec<FileError>) -> Option<JobFile> {
        let known = || TABLES.iter().map(|(name, _)| *name);
        for key in document.keys().filter(|key| !known().any(|name| name == key.get_ref())) {
            let message = format!("{}: is no key of a job file", key.get_ref());
            let hint = did_you_mean(key.get_ref(), known());
            errors.push(self.page.error(key.span().start, message).hinting(hint));
        }
        let name = self.name(document, errors);
        let empty = DeTable::new();
        let target = self.of_named::<TargetKeys>("target", document, errors);
        let defaults = self.table(document, "defaults", errors).unwrap_or(&empty);
        let loads = self.loads(document, &keys(defaults), errors);
        self.check_after(&loads, errors);
        let on_failure = self.of_named("on_failure", document, errors);
        let on_success = self.of_named("on_success", document, errors);
        let metrics = self.of_named("metrics", document, errors);
        let told = ToldKeys { on_failure: on_failure?, on_success: on_success?, metrics: metrics? };
        Some(JobFile { name: name?, target: target?, loads, told })
    }

    fn name(&self, document: &DeTable<'_>, errors: &mut Vec<FileError>) -> Option<String> {
        let Some((_, value)) = document.iter().find(|(key, _)| key.get_ref() == "name") else {
            let hint =
                "the name and those of its loads are what the ledger knows them by: name = \"warehouse\"";
            errors.push(self.page.error(0, "name: is missing").hinting(Some(hint.to_owned())));
            return None;
        };
        match value.get_ref() {
            DeValue::String(name) if is_name(name) => Some(name.to_string()),
            _ => {
                errors.push(self.page.error(value.span().start, format!("name: {NAME_RULE}")));
                None
            }
        }
    }

    fn table<'d>(
        &self,
        document: &'d DeTable<'d>,
        name: &str,
        errors: &mut Vec<FileError>,
    ) -> Option<&'d DeTable<'d>> {
        let (_, value) = document.iter().find(|(key, _)| key.get_ref() == name)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                errors
                    .push(self.page.error(value.span().start, format!("{name}: must be a table, [{name}]")));
                None
            }
        }
    }

    /// A table that has no others to inherit from; where it is not there, it says nothing.
    fn of_named<T: Args>(
        &self,
        name: &str,
        document: &DeTable<'_>,
        errors: &mut Vec<FileError>,
    ) -> Option<T> {
        let empty = DeTable::new();
        let table = self.table(document, name, errors).unwrap_or(&empty);
        let speech =
            Speech { page: self.page, table: name, command: speech::<T>(), refused: &[], env: self.env };
        let said = speech.said(&keys(table), errors);
        speech.parse(0, &said, errors)
    }

    fn loads(
        &self,
        document: &DeTable<'_>,
        defaults: &TableKeys<'_>,
        errors: &mut Vec<FileError>,
    ) -> Vec<NamedKeys> {
        let Some(table) = self.table(document, "load", errors) else {
            if !document.keys().any(|key| key.get_ref() == "load") {
                let hint = "[load.orders], and in it source = \"orders.csv\"";
                errors.push(self.page.error(0, "load: there is none").hinting(Some(hint.to_owned())));
            }
            return Vec::new();
        };
        if table.len() > LOADS_MAX {
            errors.push(self.page.error(0, format!("load: there are more than {LOADS_MAX}")));
            return Vec::new();
        }
        // What is wrong with a default is said once, and not for each load that has it.
        let before = errors.len();
        self.speech("defaults").said(defaults, errors);
        if errors.len() > before {
            return Vec::new();
        }
        let mut loads: Vec<NamedKeys> = table
            .iter()
            .filter_map(|(name, value)| self.load(name.get_ref(), name.span().start, value, defaults, errors))
            .collect();
        loads.sort_by_key(|load| load.at);
        loads
    }

    fn speech<'s>(&'s self, table: &'s str) -> Speech<'s> {
        Speech {
            page: self.page,
            table,
            command: speech::<LoadKeys>(),
            refused: &NOT_OF_A_LOAD,
            env: self.env,
        }
    }

    fn load(
        &self,
        name: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
        defaults: &TableKeys<'_>,
        errors: &mut Vec<FileError>,
    ) -> Option<NamedKeys> {
        let DeValue::Table(table) = value.get_ref() else {
            errors.push(
                self.page.error(value.span().start, format!("load.{name}: must be a table, [load.{name}]")),
            );
            return None;
        };
        if !is_name(name) {
            errors.push(self.page.error(at, format!("load.{name}: {NAME_RULE}")));
            return None;
        }
        let speech = self.speech(name);
        let mut merged = BTreeMap::clone(defaults);
        merged.extend(keys(table));
        let before = errors.len();
        let said = speech.said(&merged, errors);
        self.refuse_pipes(name, &said, errors);
        if errors.len() > before {
            return None;
        }
        let mut keys: LoadKeys = speech.parse(at, &said, errors)?;
        let of_sources = |said: &&SaidKey| OF_SOURCES.contains(&said.key.as_str());
        let words = said.iter().filter(of_sources).flat_map(SaidKey::raw).map(str::to_owned).collect();
        let asking = asking(&said);
        if keys.load.target.table.is_none() {
            keys.load.target.table = Ident::new(name).ok().map(|name| TableName { schema: None, name });
        }
        Some(NamedKeys { name: name.to_owned(), keys, words, asking, at })
    }

    fn refuse_pipes(&self, name: &str, said: &[SaidKey], errors: &mut Vec<FileError>) {
        for said in said.iter().filter(|said| said.key == "source") {
            for (_, at) in said.texts().filter(|(text, _)| *text == "-") {
                errors.push(
                    self.page.error(at, format!("{name}.source: standard input is no source of a job file")),
                );
            }
        }
    }

    fn check_after(&self, loads: &[NamedKeys], errors: &mut Vec<FileError>) {
        let names = || loads.iter().map(|load| load.name.as_str());
        for load in loads {
            for after in &load.keys.turn.after {
                if !names().any(|name| name == after) {
                    let message = format!("{}.after: there is no load `{after}`", load.name);
                    errors.push(self.page.error(load.at, message).hinting(did_you_mean(after, names())));
                }
            }
        }
        let after = |load: &NamedKeys| load.keys.turn.after.clone();
        let lists: Vec<_> = loads.iter().map(|load| (load.name.clone(), after(load))).collect();
        let edges = lists
            .iter()
            .map(|(name, after)| (name.as_str(), after.iter().map(String::as_str).collect()))
            .collect();
        if let Some(way) = circle(&edges) {
            let at = loads.iter().find(|load| load.name == way[0]).map_or(0, |load| load.at);
            let message = format!("{}.after: waits for itself: {}", way[0], way.join(" after "));
            errors.push(self.page.error(at, message));
        }
    }
}

/// What of a load's keys says how servers are asked, and for what; nothing of how records are shaped.
fn asking(said: &[SaidKey]) -> String {
    let of_web: Vec<String> = speech::<WebArgs>().get_arguments().map(key_of).collect();
    let is_one = |said: &&SaidKey| said.key == "source" || of_web.contains(&said.key);
    let mut words: Vec<String> = said
        .iter()
        .filter(is_one)
        .map(|said| format!("{}={:?}", said.key, said.raw().collect::<Vec<_>>()))
        .collect();
    words.sort_unstable();
    words.join("\n")
}

/// The same as a pattern.
pub(super) const NAME_PATTERN: &str = "^[A-Za-z0-9_-]{1,63}$";

const NAME_RULE: &str = "must be a name of letters a-z, digits, - and _, no longer than 63";

/// Names of jobs and loads: part of an identity, and the name of a table unless the load has another.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&name.len()) && name.bytes().all(is_plain)
}

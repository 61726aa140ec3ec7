//! A table of a job file as arguments of a command, and what is wrong with it by line and column.

use std::collections::BTreeMap;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, FromArgMatches};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::keys::READ_BY_THE_FLAG;
use super::place::{FileError, JobText, did_you_mean};

/// The keys of a table and their values, each with its place. Of a load: its own, and the defaults.
pub(super) type TableKeys<'f> = BTreeMap<&'f str, (&'f Spanned<DeString<'f>>, &'f Spanned<DeValue<'f>>)>;

/// The keys of a table.
pub(super) fn keys<'f>(table: &'f DeTable<'f>) -> TableKeys<'f> {
    table.iter().map(|(key, value)| (key.get_ref().as_ref(), (key, value))).collect()
}

/// How a table is read.
pub(super) struct Speech<'f> {
    pub(super) page: &'f JobText<'f>,
    /// The table, as errors call it.
    pub(super) table: &'f str,
    pub(super) command: Command,
    /// TableKeys that it does not have although the command does, and what to do in their place.
    pub(super) refused: &'f [(&'f str, &'f str)],
    /// The environment.
    pub(super) env: &'f dyn Fn(&str) -> Option<String>,
}

/// What a key says.
#[derive(Debug)]
pub(super) struct SaidKey {
    /// The key; with a dot in an inline table.
    pub(super) key: String,
    at: usize,
    is_positional: bool,
    /// `None`: a switch, that is set.
    words: Option<Vec<SaidWord>>,
}

/// One text of its value.
#[derive(Debug)]
struct SaidWord {
    text: String,
    /// As the file has it.
    raw: String,
    at: usize,
    is_secret: bool,
}

impl SaidKey {
    /// The texts of its value as the file has them.
    pub(super) fn raw(&self) -> impl Iterator<Item = &str> {
        self.words.iter().flatten().map(|word| word.raw.as_str())
    }

    /// The texts of its value, and where each stands.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, usize)> {
        self.words.iter().flatten().map(|word| (word.text.as_str(), word.at))
    }
}

/// The types that a value may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// `true` or `false`.
    Switch,
    /// A number.
    Number,
    /// A number, or a text that has one in it.
    NumberOrText,
    /// A text.
    Text,
}

impl ValueKind {
    pub(super) fn of(arg: &Arg) -> Self {
        match (arg.get_action(), value_name(arg)) {
            (ArgAction::SetTrue, _) => Self::Switch,
            (_, "N") => Self::Number,
            (_, "SIZE" | "N|P%" | "N|DURATION" | "N|INSTANT") => Self::NumberOrText,
            _ => Self::Text,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Switch => "true or false",
            Self::Number => "a number",
            Self::NumberOrText => "a number or a text",
            Self::Text => "a text",
        }
    }
}

fn value_name(arg: &Arg) -> &str {
    arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str())
}

/// An argument may have several values.
pub(super) fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The key of an argument.
pub(super) fn key_of(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => long.replace('-', "_"),
        None => value_name(arg).to_lowercase(),
    }
}

impl<'f> Speech<'f> {
    fn error(&self, at: usize, key: &str, message: &str) -> FileError {
        let place = if self.table.is_empty() { key.to_owned() } else { format!("{}.{key}", self.table) };
        self.page.error(at, format!("{place}: {message}"))
    }

    fn refused(&self, key: &str) -> Option<&'f str> {
        self.refused.iter().find_map(|(refused, why)| (*refused == key).then_some(*why))
    }

    fn find(&self, key: &str) -> Option<&Arg> {
        self.command.get_arguments().find(|arg| key_of(arg) == key)
    }

    /// TableKeys that there may be behind a prefix.
    fn offered(&self, prefix: &str) -> Vec<String> {
        let keys = self.command.get_arguments().map(key_of).filter(|key| self.refused(key).is_none());
        let behind = keys.filter_map(|key| key.strip_prefix(prefix).map(str::to_owned));
        behind.map(|key| key.split('.').next().unwrap_or_default().to_owned()).collect()
    }

    /// What the keys say, in the order in which they stand in the file.
    pub(super) fn said(&self, keys: &TableKeys<'_>, errors: &mut Vec<FileError>) -> Vec<SaidKey> {
        let mut said = Vec::new();
        for (key, value) in keys.values() {
            self.key("", key, value, &mut said, errors);
        }
        said.sort_by_key(|said| said.at);
        said
    }

    fn key(
        &self,
        prefix: &str,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        said: &mut Vec<SaidKey>,
        errors: &mut Vec<FileError>,
    ) {
        let at = key.span().start;
        let name = format!("{prefix}{}", key.get_ref());
        if let Some(why) = self.refused(&name) {
            errors.push(self.error(at, &name, "is no key of a load").hinting(Some(why.to_owned())));
            return;
        }
        let group = format!("{name}.");
        match (self.find(&name), value.get_ref()) {
            (Some(arg), _) => match self.words(&name, arg, value) {
                Ok(words) if words.is_none() && ValueKind::of(arg) == ValueKind::Switch => {}
                Ok(words) => said.push(SaidKey {
                    key: name,
                    at,
                    is_positional: arg.is_positional(),
                    words: words.filter(|_| ValueKind::of(arg) != ValueKind::Switch),
                }),
                Err(error) => errors.push(error),
            },
            (None, DeValue::Table(inner)) if !self.offered(&group).is_empty() => {
                inner.iter().for_each(|(key, value)| self.key(&group, key, value, said, errors));
            }
            (None, _) if !self.offered(&group).is_empty() => {
                let keys = self.offered(&group).join(", ");
                let message = format!("must be a table with {keys}");
                errors.push(self.error(value.span().start, &name, &message));
            }
            (None, _) => {
                let offered = self.offered(prefix);
                let hint = did_you_mean(key.get_ref(), offered.iter().map(String::as_str));
                errors.push(self.error(at, &name, "is no key of this table").hinting(hint));
            }
        }
    }

    /// The texts of a value; none for a switch that is off.
    fn words(
        &self,
        key: &str,
        arg: &Arg,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Option<Vec<SaidWord>>, FileError> {
        match value.get_ref() {
            DeValue::Boolean(on) if ValueKind::of(arg) == ValueKind::Switch => Ok(on.then(Vec::new)),
            DeValue::Array(items) if is_list(arg) => {
                items.iter().map(|item| self.word(key, arg, item)).collect::<Result<_, _>>().map(Some)
            }
            _ => Ok(Some(vec![self.word(key, arg, value)?])),
        }
    }

    fn word(&self, key: &str, arg: &Arg, value: &Spanned<DeValue<'_>>) -> Result<SaidWord, FileError> {
        let at = value.span().start;
        let kind = ValueKind::of(arg);
        let raw = match (kind, value.get_ref()) {
            (ValueKind::Text | ValueKind::NumberOrText, DeValue::String(text)) => text.to_string(),
            (ValueKind::Number | ValueKind::NumberOrText, DeValue::Integer(number))
                if number.radix() == 10 =>
            {
                number.as_str().to_owned()
            }
            _ => {
                let list = if is_list(arg) { ", or a list of them" } else { "" };
                return Err(self.error(at, key, &format!("must be {}{list}", kind.words())));
            }
        };
        let read_by_flag = READ_BY_THE_FLAG.contains(&key);
        let mut text = raw.clone();
        let mut is_secret = arg.is_hide_env_values_set();
        if let Some(name) = variable(&raw, read_by_flag) {
            let value = (self.env)(name).ok_or_else(|| {
                self.error(at, key, &format!("the environment variable {name} is not set"))
                    .hinting(Some(format!("set {name} where this is run; its value is shown nowhere")))
            })?;
            is_secret = true;
            if !read_by_flag {
                text = value;
            }
        }
        Ok(SaidWord { text, raw, at, is_secret })
    }

    /// What the arguments come to.
    pub(super) fn parse<T: FromArgMatches>(
        &self,
        at: usize,
        said: &[SaidKey],
        errors: &mut Vec<FileError>,
    ) -> Option<T> {
        let named = said.iter().filter(|said| !said.is_positional).flat_map(|said| {
            let flag = format!("--{}", said.key.replace('_', "-"));
            match &said.words {
                None => vec![flag],
                Some(words) => words.iter().map(|word| format!("{flag}={}", word.text)).collect(),
            }
        });
        let positional = said.iter().filter(|said| said.is_positional).flat_map(SaidKey::texts);
        let args = named.chain(["--".to_owned()]).chain(positional.map(|(text, _)| text.to_owned()));
        let parsed = self.command.clone().try_get_matches_from(args.collect::<Vec<_>>());
        match parsed.and_then(|matches| T::from_arg_matches(&matches)) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                errors.push(self.of_clap(at, said, &error));
                None
            }
        }
    }

    /// The error of a command line as one of the file. The value of a secret is in none.
    fn of_clap(&self, at: usize, said: &[SaidKey], error: &clap::Error) -> FileError {
        let arg = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(arg)) => arg.clone(),
            Some(ContextValue::Strings(args)) => args.first().cloned().unwrap_or_default(),
            _ => String::new(),
        };
        let long = arg.split([' ', '=', '[']).next().unwrap_or_default();
        let key = match long.strip_prefix("--") {
            Some(long) => long.replace('-', "_"),
            None => long.trim_matches(['<', '>', '.']).to_lowercase(),
        };
        if error.kind() == ErrorKind::MissingRequiredArgument {
            let needs = if key == "source" { "source (or urls)".to_owned() } else { key };
            return self.page.error(at, format!("{}: {needs} is missing", self.table));
        }
        let value = match error.get(ContextKind::InvalidValue) {
            Some(ContextValue::String(value)) => value.as_str(),
            _ => "",
        };
        let Some(said) = said.iter().find(|said| said.key == key) else {
            return self.page.error(at, format!("{}: {}", self.table, error.kind()));
        };
        let words = || said.words.iter().flatten();
        let word = words().find(|word| !value.is_empty() && word.text.contains(value));
        let place = word.map_or(said.at, |word| word.at);
        let shown = match words().any(|word| word.is_secret) || value.is_empty() {
            true => String::new(),
            false => format!("`{value}`: "),
        };
        let (why, hint) = match (error.kind(), error.get(ContextKind::ValidValue)) {
            (_, Some(ContextValue::Strings(valid))) if !valid.is_empty() => (
                format!("must be one of {}", valid.join(", ")),
                did_you_mean(value, valid.iter().map(String::as_str)),
            ),
            (ErrorKind::ArgumentConflict, _) => {
                let other = match error.get(ContextKind::PriorArg) {
                    Some(ContextValue::String(other)) => other.trim_start_matches('-').to_owned(),
                    Some(ContextValue::Strings(others)) => others.join(", ").replace("--", ""),
                    _ => "another key".to_owned(),
                };
                (format!("cannot stand beside {}", other.replace('-', "_")), None)
            }
            (kind, _) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                (cause.unwrap_or_else(|| kind.to_string()), None)
            }
        };
        self.error(place, &said.key, &format!("{shown}{why}")).hinting(hint)
    }
}

/// The variable that a text names: as a whole, or at its end where the flag reads it there.
fn variable(text: &str, read_by_flag: bool) -> Option<&str> {
    let (before, name) = text.rsplit_once("env:")?;
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let is_whole = before.is_empty() || (read_by_flag && before.ends_with([' ', ':', '=']));
    (is_whole && is_name(name)).then_some(name)
}

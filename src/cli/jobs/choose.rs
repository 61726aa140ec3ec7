//! Which loads of a file are run.

use super::args::ChoiceArgs;
use super::file::{JobFile, NamedKeys};
use super::place::did_you_mean;

/// Why nothing is run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoChoice {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Those that were asked for; all without a word.
pub(super) fn choose(file: JobFile, choice: &ChoiceArgs) -> Result<Vec<NamedKeys>, NoChoice> {
    let names = || file.loads.iter().map(|load| load.name.as_str());
    let tags = || file.loads.iter().flat_map(|load| load.keys.turn.tags.iter().map(String::as_str));
    let unknown = |flag: &str, what: &str, name: &str, hint: Option<String>| NoChoice {
        message: format!("{flag}: the file has no {what} `{name}`"),
        hint,
    };
    for (flag, named) in [("--load", &choice.load), ("--except", &choice.except)] {
        if let Some(name) = named.iter().find(|name| !names().any(|known| known == *name)) {
            return Err(unknown(flag, "load", name, did_you_mean(name, names())));
        }
    }
    if let Some(tag) = choice.tag.iter().find(|tag| !tags().any(|known| known == *tag)) {
        return Err(unknown("--tag", "load with the tag", tag, did_you_mean(tag, tags())));
    }
    let is_chosen = |load: &NamedKeys| {
        let named = choice.load.is_empty() || choice.load.contains(&load.name);
        let tagged = choice.tag.is_empty() || load.keys.turn.tags.iter().any(|tag| choice.tag.contains(tag));
        named && tagged && !choice.except.contains(&load.name)
    };
    let chosen: Vec<NamedKeys> = file.loads.into_iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        let message = "no load of the file is left by --load, --except and --tag".to_owned();
        return Err(NoChoice { message, hint: None });
    }
    Ok(chosen)
}

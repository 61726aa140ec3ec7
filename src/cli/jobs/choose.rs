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

/// The asset that a load is, of these.
pub(super) fn asset_of(load: &NamedKeys, schema: Option<&str>, assets: &[String]) -> Option<String> {
    assets.iter().find(|asset| is_asset(load, schema, asset)).cloned()
}

fn is_asset(load: &NamedKeys, schema: Option<&str>, asset: &str) -> bool {
    if let Some(named) = &load.keys.turn.asset {
        return named == asset;
    }
    let table = load.keys.load.target.table.as_ref();
    let is_table = table.is_some_and(|table| {
        let schema = table.schema.as_ref().map_or(schema.unwrap_or("public"), |schema| schema.raw());
        let name = table.name.raw();
        asset == name || asset.split_once('/') == Some((schema, name))
    });
    is_table || asset == load.name
}

/// Those that were asked for; all without a word.
/// Without a word but with assets of Dagster, the loads that are those.
pub(super) fn choose(
    file: JobFile,
    choice: &ChoiceArgs,
    assets: &[String],
) -> Result<Vec<NamedKeys>, NoChoice> {
    if !assets.is_empty() && choice.load.is_empty() && choice.tag.is_empty() {
        let schema = file.target.schema.as_deref();
        let is_one = |asset: &String| file.loads.iter().any(|load| is_asset(load, schema, asset));
        if let Some(asset) = assets.iter().find(|asset| !is_one(asset)) {
            let message = format!("no load of the file is the asset {asset}");
            let hint =
                "a load is the asset SCHEMA/TABLE, TABLE, or of its own name; asset = \"..\" names another";
            return Err(NoChoice { message, hint: Some(hint.to_owned()) });
        }
        let schema = file.target.schema.clone();
        let is_chosen = |load: &NamedKeys| asset_of(load, schema.as_deref(), assets).is_some();
        return Ok(file.loads.into_iter().filter(is_chosen).collect());
    }
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

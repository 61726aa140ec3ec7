//! The JSON Schema of job files, from the same arguments that read them.

use clap::{Arg, Args};
use serde_json::{Map, Value, json};

use super::file::{NAME_PATTERN, TABLES};
use super::keys::{HookKeys, LoadKeys, MetricsKeys, NOT_OF_A_LOAD, TargetKeys, speech};
use super::toml_table::{ValueKind, is_list, key_of};

/// The schema, as text.
pub(crate) fn schema() -> String {
    let about = |table: &str| TABLES.iter().find_map(|(name, about)| (*name == table).then_some(*about));
    let name = json!({ "type": "string", "pattern": NAME_PATTERN, "description": about("name") });
    let described = |mut keys: Value, name: &str| {
        keys["description"] = about(name).into();
        keys
    };
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A job file of dbload",
        "type": "object",
        "required": ["name", "load"],
        "additionalProperties": false,
        "properties": {
            "name": name,
            "target": described(table::<TargetKeys>(&[]), "target"),
            "on_failure": described(table::<HookKeys>(&[]), "on_failure"),
            "on_success": described(table::<HookKeys>(&[]), "on_success"),
            "metrics": described(table::<MetricsKeys>(&[]), "metrics"),
            "defaults": { "$ref": "#/definitions/load", "description": about("defaults") },
            "load": {
                "type": "object",
                "description": about("load"),
                "propertyNames": { "pattern": NAME_PATTERN },
                "additionalProperties": { "$ref": "#/definitions/load" },
            },
        },
        "definitions": { "load": table::<LoadKeys>(&NOT_OF_A_LOAD) },
    });
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// The keys of a table.
fn table<T: Args>(refused: &[(&str, &str)]) -> Value {
    let command = speech::<T>();
    let mut keys = Map::new();
    for arg in command.get_arguments() {
        let key = key_of(arg);
        if refused.iter().any(|(name, _)| *name == key) {
            continue;
        }
        match key.split_once('.') {
            None => _ = keys.insert(key, value(arg)),
            Some((group, key)) => {
                let inner = keys.entry(group).or_insert_with(
                    || json!({ "type": "object", "additionalProperties": false, "properties": {} }),
                );
                inner["properties"][key] = value(arg);
            }
        }
    }
    json!({ "type": "object", "additionalProperties": false, "properties": keys })
}

/// What a key may be.
fn value(arg: &Arg) -> Value {
    let mut item = match ValueKind::of(arg) {
        ValueKind::Switch => json!({ "type": "boolean" }),
        ValueKind::Number => json!({ "type": "integer", "minimum": 0 }),
        ValueKind::NumberOrText => json!({ "type": ["string", "integer"] }),
        ValueKind::Text => json!({ "type": "string" }),
    };
    let possible = arg.get_possible_values();
    if !possible.is_empty() && ValueKind::of(arg) == ValueKind::Text {
        let names: Vec<&str> = possible.iter().flat_map(|value| value.get_name_and_aliases()).collect();
        item["enum"] = names.into();
    }
    if is_list(arg) {
        item = json!({ "anyOf": [item.clone(), { "type": "array", "items": item }] });
    }
    if let Some(help) = arg.get_help() {
        item["description"] = help.to_string().into();
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_a_load_is_described_and_what_is_refused_is_a_flag() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let keys = schema["definitions"]["load"]["properties"].as_object().unwrap();
        assert!(keys.len() > 60, "{}", keys.len());
        for key in ["source", "table", "max_rejects", "header", "after", "expect", "timeout"] {
            assert!(keys.contains_key(key), "{key}");
        }
        let all: Vec<String> = speech::<LoadKeys>().get_arguments().map(key_of).collect();
        for (key, _) in NOT_OF_A_LOAD {
            assert!(!keys.contains_key(key) && all.iter().any(|known| known == key), "{key}");
        }
        assert!(keys.values().all(|key| key["description"].is_string() || key["properties"].is_object()));
    }
}

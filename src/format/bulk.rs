//! The bulk format of Elasticsearch and OpenSearch: `{"index":{"_id":"1"}}` on a line, the document on the
//! next. What an action says of its document.

use std::borrow::Cow;

use super::json;

/// What an action is called that has a document.
const WITH_DOCUMENT: [&str; 3] = ["index", "create", "update"];
/// Members of the object of an action, beside those that begin with `_`.
const OF_ACTION: [&str; 9] = [
    "routing",
    "version",
    "version_type",
    "require_alias",
    "dynamic_templates",
    "pipeline",
    "retry_on_conflict",
    "if_seq_no",
    "if_primary_term",
];

/// What a line says is to be done with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BulkAction<'t> {
    /// The document is the next line.
    Index {
        /// Its `_id`, as JSON.
        id: Option<&'t str>,
    },
    /// Fields of it are in the next line.
    Update {
        /// Its `_id`, as JSON.
        id: Option<&'t str>,
    },
    /// It is deleted.
    Delete,
}

/// The action of a line; `None`: it is none.
pub(super) fn action(line: &str) -> Option<BulkAction<'_>> {
    let mut members = json::members(line.trim_matches([' ', '\t', '\r', '\n']));
    let (name, of_action) = members.next()?.ok()?;
    if members.next().is_some() || !of_action.starts_with('{') {
        return None;
    }
    let mut id = None;
    for member in json::members(of_action) {
        let (name, value): (Cow<'_, str>, &str) = member.ok()?;
        if !name.starts_with('_') && !OF_ACTION.contains(&name.as_ref()) {
            return None;
        }
        if name == "_id" && value != "null" {
            id = Some(value);
        }
    }
    match name.as_ref() {
        "index" | "create" => Some(BulkAction::Index { id }),
        "update" => Some(BulkAction::Update { id }),
        "delete" => Some(BulkAction::Delete),
        _ => None,
    }
}

/// Whether a document stands behind this line. What is no action is a record by itself, and refused.
pub(super) fn has_document(line: &[u8]) -> bool {
    let action = std::str::from_utf8(line).ok().and_then(action);
    action.is_some_and(|action| action != BulkAction::Delete)
}

/// Whether the first lines are an action, and what must stand behind it.
pub(super) fn begins(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let of = |line: &'_ [u8]| {
        std::str::from_utf8(line).ok().and_then(action).map(|action| action == BulkAction::Delete)
    };
    match (lines.next().and_then(of), lines.next()) {
        (Some(false), Some(document)) => document.starts_with(b"{") && of(document).is_none(),
        (Some(true), Some(next)) => of(next).is_some(),
        _ => false,
    }
}

/// Names of what has a document, for a message.
pub(super) fn names() -> String {
    WITH_DOCUMENT.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_told_from_documents() {
        let index = |id| Some(BulkAction::Index { id });
        for (line, expected) in [
            (r#"{"index":{}}"#, index(None)),
            (r#"{"index":{"_index":"a","_id":"7"}}"#, index(Some("\"7\""))),
            (r#" { "create" : {"_id":7,"routing":"x"} } "#, index(Some("7"))),
            (r#"{"index":{"_id":null}}"#, index(None)),
            (r#"{"update":{"_id":"7"}}"#, Some(BulkAction::Update { id: Some("\"7\"") })),
            (r#"{"delete":{"_id":"7"}}"#, Some(BulkAction::Delete)),
            (r#"{"index":{"name":"x"}}"#, None),
            (r#"{"index":7}"#, None),
            (r#"{"index":{},"b":1}"#, None),
            (r#"{"a":{}}"#, None),
            ("x", None),
        ] {
            assert_eq!(action(line), expected, "{line}");
        }
    }

    #[test]
    fn the_first_lines_show_it() {
        for (head, expected) in [
            ("{\"index\":{}}\n{\"a\":1}\n", true),
            ("\n{\"create\":{\"_id\":\"1\"}}\r\n\n{\"a\":", true),
            ("{\"delete\":{\"_id\":\"1\"}}\n{\"index\":{}}\n", true),
            ("{\"delete\":{\"_id\":\"1\"}}\n{\"a\":1}\n", false),
            ("{\"index\":{}}\n", false),
            ("{\"index\":{}}\n{\"index\":{}}\n", false),
            ("{\"a\":1}\n{\"a\":2}\n", false),
        ] {
            assert_eq!(begins(head.as_bytes()), expected, "{head}");
        }
    }
}

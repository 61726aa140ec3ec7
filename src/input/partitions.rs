//! Folders that are fields, as Hive and Spark write them: `year=2026/month=01/part-0.csv`. Pure.

use percent_encoding::percent_decode_str;

/// What Hive writes for NULL.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The fields that the folders of a path name, with their values as JSON texts. Of two of one name the deeper
/// counts.
pub(super) fn fields(path: &str) -> Vec<(String, String)> {
    let folders = path.rsplit_once('/').map(|(folders, _)| folders).unwrap_or_default();
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in folders.split('/').filter_map(|folder| folder.split_once('=')) {
        let name = plain(name);
        if name.is_empty() {
            continue;
        }
        let value = match value {
            HIVE_NULL => "null".to_owned(),
            value => serde_json::Value::from(plain(value)).to_string(),
        };
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
    }
    fields
}

/// What cannot stand in the name of a folder is written as in URLs.
fn plain(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_fields_and_names_of_files_are_not() {
        for (path, expected) in [
            ("out/year=2026/month=01/part-0.csv", vec![("year", "\"2026\""), ("month", "\"01\"")]),
            ("s3://b/day=2026-01-01/a=b.csv", vec![("day", "\"2026-01-01\"")]),
            ("at=10%3A30%2F%22x%22/u=a=b/f", vec![("at", "\"10:30/\\\"x\\\"\""), ("u", "\"a=b\"")]),
            ("p=__HIVE_DEFAULT_PARTITION__/q=/f", vec![("p", "null"), ("q", "\"\"")]),
            ("a=1/a=2/f", vec![("a", "\"2\"")]),
            ("=1/b=%FF/f", vec![("b", "\"%FF\"")]),
            ("a=1.csv", vec![]),
            ("", vec![]),
        ] {
            let found = fields(path);
            let found: Vec<(&str, &str)> =
                found.iter().map(|(name, json)| (name.as_str(), json.as_str())).collect();
            assert_eq!(found, expected, "{path}");
        }
    }
}

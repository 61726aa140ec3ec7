//! The records of a source whose pieces are not records themselves, as they are found: which names the values
//! of its rows have, and where those stand. Pure.

use crate::format::{Format, Reshape, Unnest, expand_columns};
use crate::record::{SpanKind, Text};

/// What stands before the rows is looked through for names as far as this.
const BEFORE_BYTES_MAX: usize = 1 << 20;

/// How `--columns` says that the first row has the names.
const FIRST_ROW: &str = "first-row";

/// Members that name a column, where a list of columns has objects.
const NAMES: [&str; 6] = ["name", "fieldName", "field", "column_name", "label", "id"];

/// Where the names of the values of rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RowNames {
    Listed(Vec<String>),
    /// At a pointer into what stands around the rows.
    At(String),
    FirstRow,
}

/// Makes records of the pieces of one source.
pub(super) struct Shape {
    /// What becomes of each piece.
    reshape: Option<Reshape>,
    /// A piece is columns, and becomes many.
    expands: bool,
    unnest: Option<Unnest>,
    rows: Option<RowNames>,
    /// The names, once they are known.
    names: Option<Vec<String>>,
    /// What stood before the first row so far.
    before: Vec<u8>,
}

impl Shape {
    /// For a source of this format; `None`: its pieces are its records. `columns`: as the user said them.
    pub(super) fn of(format: &Format, columns: Option<&[String]>, unnest: Option<&Unnest>) -> Option<Self> {
        let unnest = unnest.filter(|_| format.has_nested_records()).cloned();
        let expands = matches!(format, Format::JsonColumns { .. });
        let columns = columns.filter(|_| !expands);
        let rows = columns.filter(|_| format.is_json()).map(|columns| match columns {
            [only] if only == FIRST_ROW => RowNames::FirstRow,
            [only] if only.starts_with('/') => RowNames::At(only.clone()),
            listed => RowNames::Listed(listed.to_vec()),
        });
        let reshape = Reshape::of(format, rows.is_some()).filter(|_| !expands);
        if reshape.is_none() && unnest.is_none() && !expands {
            return None;
        }
        let names = match &rows {
            Some(RowNames::Listed(names)) => Some(names.clone()),
            _ => None,
        };
        Some(Self { reshape, expands, unnest, rows, names, before: Vec::new() })
    }

    /// What stands at the start of the source has to be known to make records further on, or to number them.
    pub(super) const fn needs_start(&self) -> bool {
        self.has_far_names() || self.unnests()
    }

    /// The names of rows stand at the start.
    const fn has_far_names(&self) -> bool {
        matches!(self.rows, Some(RowNames::At(_) | RowNames::FirstRow))
    }

    /// A piece may be several records, or none.
    pub(super) const fn unnests(&self) -> bool {
        self.unnest.is_some()
    }

    /// Makes records of what [`Shape::apply`] has made. Whatever counts pieces has counted them before.
    pub(super) fn unnest(&self, text: &mut Text) {
        if let Some(unnest) = &self.unnest {
            unnest.apply(text);
        }
    }

    /// The same for another text of its kind, which has names of its own.
    pub(super) fn begin_again(&mut self) {
        self.before.clear();
        if self.has_far_names() {
            self.names = None;
        }
    }

    /// Makes the records of the next pieces; true: the first of them was no record but the names. `whole`:
    /// they are all that there are, so names may stand behind them too.
    ///
    /// # Errors
    /// In words, when the names of rows are nowhere.
    pub(super) fn apply(&mut self, text: &mut Text, whole: bool) -> Result<bool, String> {
        let mut is_first_names = false;
        match &self.rows {
            Some(RowNames::At(pointer)) if self.names.is_none() => {
                let first = text.spans.first().map_or(text.bytes.len(), |span| span.start as usize);
                let room = BEFORE_BYTES_MAX.saturating_sub(self.before.len());
                self.before.extend_from_slice(&text.bytes[..first.min(room)]);
                if let Some(last) = text.spans.last() {
                    let behind = if whole { &text.bytes[last.end as usize..] } else { &[] };
                    let names = names_at(pointer, &self.before, behind);
                    let missing = || format!("found no names of columns at {pointer} before the rows");
                    self.names = Some(names.ok_or_else(missing)?);
                    self.before = Vec::new();
                }
            }
            Some(RowNames::FirstRow) if self.names.is_none() && !text.spans.is_empty() => {
                let is_whole = text.spans[0].kind == SpanKind::Whole;
                let names = serde_json::from_slice(text.raw(0)).ok().filter(|_| is_whole);
                let names = names.and_then(|row: serde_json::Value| listed(&row, None));
                self.names = Some(names.ok_or("the first row is no list of names of columns")?);
                is_first_names = true;
            }
            _ => {}
        }
        if self.expands {
            expand_columns(text)?;
        } else if let Some(reshape) = &self.reshape {
            reshape.apply(text, self.names.as_deref());
        }
        Ok(is_first_names)
    }
}

/// The names at a pointer of the text around rows. `/meta[]/name` is the member `name` of each column.
fn names_at(pointer: &str, before: &[u8], behind: &[u8]) -> Option<Vec<String>> {
    let (list, member) = match pointer.split_once("[]") {
        Some((list, member)) => (list, Some(member)),
        None => (pointer, None),
    };
    let before = std::str::from_utf8(before).ok()?;
    let closed = format!("{}{}", before.trim_end().trim_end_matches(','), closing(before)?);
    let around = std::str::from_utf8(behind).ok().map(|behind| format!("{before}{behind}"));
    [Some(closed), around].into_iter().flatten().find_map(|text| {
        let tree: serde_json::Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
        listed(tree.pointer(list)?, member)
    })
}

/// The names that a list has: texts, or objects with names.
fn listed(list: &serde_json::Value, member: Option<&str>) -> Option<Vec<String>> {
    let name = |column: &serde_json::Value| {
        let named = match member {
            Some(member) => column.pointer(member),
            None if column.is_object() => NAMES.iter().find_map(|name| column.get(name)),
            None => Some(column),
        };
        named?.as_str().map(str::to_owned)
    };
    list.as_array()?.iter().map(name).collect()
}

/// The brackets that close those that a text leaves open; `None`: it ends in a string.
fn closing(text: &str) -> Option<String> {
    let (mut open, mut in_string, mut escaped) = (Vec::new(), false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => open.push('}'),
            b'[' => open.push(']'),
            b'}' | b']' => _ = open.pop(),
            _ => {}
        }
    }
    (!in_string).then(|| open.into_iter().rev().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_around_the_rows() {
        let at = |pointer: &str, before: &str, behind: &str| {
            names_at(pointer, before.as_bytes(), behind.as_bytes()).map(|names| names.join(","))
        };
        let meta = r#"{"meta":[{"name":"id","type":"t"},{"name":"v"}],"x":"]}","data":["#;
        assert_eq!(at("/meta", meta, "").as_deref(), Some("id,v"));
        assert_eq!(at("/meta[]/type", meta, ""), None);
        assert_eq!(at("/c[]/n/t", r#"{"c":[{"n":{"t":"a"}}],"rows":["#, "").as_deref(), Some("a"));
        assert_eq!(at("/0/columns", r#"[{"columns":["a","b"],"values":["#, "").as_deref(), Some("a,b"));
        assert_eq!(at("/columns", r#"{"data":["#, r#"],"columns":["a"]}"#).as_deref(), Some("a"));
        assert_eq!(at("/columns", r#"{"data":["#, ""), None);
        assert_eq!(at("/columns", r#"{"columns":[1],"data":["#, ""), None);
        assert_eq!(at("/columns", r#"{"columns":["a"],"da"#, ""), None);
    }
}

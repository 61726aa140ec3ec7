//! The statement that creates a table which does not exist, from what inference has seen.

use std::collections::HashSet;

use crate::map::{BLANKS, InferredColumn, listed};
use crate::pg::{Ident, TableName};
use crate::schema::ColumnDefinition;

use super::refusal::Refusal;

/// PostgreSQL has no wider tables.
const COLUMNS_MAX: usize = 1_600;

/// A table to be created.
#[derive(Debug, Clone)]
pub struct NewTable {
    /// The table's name, qualified by its schema.
    pub name: TableName,
    /// The `CREATE TABLE` that makes it.
    pub ddl: String,
}

/// What the user says of a table that is made.
#[derive(Debug, Clone, Copy)]
pub struct TableWishes<'w> {
    /// The columns of its primary key.
    pub key: Option<&'w [String]>,
    /// The column that collects what has none.
    pub extra: Option<&'w str>,
    /// Columns as they are to be, whatever the sample says; also those that no field goes to.
    pub defined: &'w [ColumnDefinition],
}

/// Writes the statement. `is_json`: the names are those of members.
pub fn new_table(
    name: TableName,
    columns: &[InferredColumn],
    wishes: &TableWishes<'_>,
    is_json: bool,
) -> Result<NewTable, Refusal> {
    let TableWishes { key, extra, defined } = *wishes;
    if name.schema.as_ref().is_some_and(|schema| schema.raw().starts_with("pg_temp")) {
        return Err(Refusal::new(
            format!(
                "{} would be a temporary table: what is loaded into it is gone when its session ends",
                name.plain()
            ),
            "name a schema of your own",
        ));
    }
    if columns.is_empty() {
        return Err(Refusal::new(
            format!(
                "table {} does not exist, and the sources have no records to create it from",
                name.plain()
            ),
            "create the table, or load a source with records first",
        ));
    }
    if columns.len() + usize::from(extra.is_some()) > COLUMNS_MAX {
        return Err(Refusal::new(
            format!(
                "table {} cannot be created: its records have {} members, and a table has at most {COLUMNS_MAX} columns",
                name.plain(),
                columns.len()
            ),
            too_wide_hint(is_json),
        ));
    }
    let mut lines = Vec::with_capacity(columns.len() + 1);
    let mut names = column_names(columns);
    for (column, column_name) in columns.iter().zip(&names) {
        let ident = Ident::new(*column_name).map_err(|error| {
            Refusal::new(format!("table {} cannot be created: {error}", name.plain()), name_hint(is_json))
        })?;
        let own = defined.iter().find(|own| own.name() == *column_name);
        lines.push(format!("    {ident} {}", own.map_or(&*column.type_name, ColumnDefinition::definition)));
    }
    for own in defined.iter().filter(|own| !names.contains(&own.name())).collect::<Vec<_>>() {
        let ident =
            Ident::new(own.name()).map_err(|error| Refusal::new(error.to_string(), "name a column"))?;
        lines.push(format!("    {ident} {}", own.definition()));
        names.push(own.name());
    }
    if let Some(extra) = extra
        && !names.contains(&extra)
    {
        let ident = Ident::new(extra).map_err(|error| Refusal::new(error.to_string(), "name a column"))?;
        lines.push(format!("    {ident} jsonb"));
    }
    if let Some(key) = key {
        let mut idents = Vec::with_capacity(key.len());
        for wanted in key {
            let lower = wanted.to_lowercase();
            let found = names
                .iter()
                .find(|name| *name == wanted)
                .or_else(|| names.iter().find(|name| name.to_lowercase() == lower));
            let Some(column) = found else {
                return Err(Refusal::new(
                    format!("--key: the sources have no field {wanted:?}"),
                    format!("they have {}", listed(&names)),
                ));
            };
            idents.push(Ident::new(*column).map(|i| i.to_string()).unwrap_or_default());
        }
        lines.push(format!("    PRIMARY KEY ({})", idents.join(", ")));
    }
    let ddl = format!("CREATE TABLE {name} (\n{}\n)", lines.join(",\n"));
    Ok(NewTable { name, ddl })
}

/// What helps where there are more fields than a table has columns.
const fn too_wide_hint(is_json: bool) -> &'static str {
    if is_json {
        "if those are records by their keys: --records '{key}' makes a record of each, and a column of the keys"
    } else {
        "create it with the columns that matter and a jsonb column: --extra jsonb:COLUMN puts the other fields there, \
         --extra ignore leaves them out"
    }
}

/// What helps where a name of a field can be none of a column.
const fn name_hint(is_json: bool) -> &'static str {
    if is_json {
        "create the table yourself: --extra ignore leaves out members that it has no column for, --extra jsonb:COLUMN keeps \
         them"
    } else {
        "--header fix cuts long names of CSV; or create the table yourself with names of your choice"
    }
}

/// The names of the columns: those of the fields, without spaces around them; with them, where that would
/// make two of one name, or none.
fn column_names(columns: &[InferredColumn]) -> Vec<&str> {
    let trim = |name: &'_ str| name.trim_matches(BLANKS).len();
    let names = columns.iter().map(|column| column.name.as_str());
    let mut known: HashSet<&str> = names.filter(|name| trim(name) == name.len()).collect();
    let mut names = Vec::with_capacity(columns.len());
    for column in columns {
        let trimmed = column.name.trim_matches(BLANKS);
        let is_free = !trimmed.is_empty() && known.insert(trimmed);
        names.push(if is_free { trimmed } else { column.name.as_str() });
    }
    names
}

//! The statement that creates a table which does not exist, from what inference has seen.

use crate::map::{InferredColumn, listed};
use crate::pg::{Ident, TableName};

use super::refusal::Refusal;

/// A table to be created.
#[derive(Debug, Clone)]
pub struct NewTable {
    /// The table's name, qualified by its schema.
    pub name: TableName,
    /// The `CREATE TABLE` that makes it.
    pub ddl: String,
}

/// Writes the statement. `key` becomes the primary key; `extra` is the column that collects what has none.
pub fn new_table(
    name: TableName,
    columns: &[InferredColumn],
    key: Option<&[String]>,
    extra: Option<&str>,
) -> Result<NewTable, Refusal> {
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
    let mut lines = Vec::with_capacity(columns.len() + 1);
    for column in columns {
        let ident = Ident::new(column.name.as_str()).map_err(|error| {
            Refusal::new(
                format!("table {} cannot be created: {error}", name.plain()),
                "create the table yourself with names of your choice, or rename the field",
            )
        })?;
        lines.push(format!("    {ident} {}", column.type_name));
    }
    if let Some(extra) = extra
        && !columns.iter().any(|column| column.name == extra)
    {
        let ident = Ident::new(extra).map_err(|error| Refusal::new(error.to_string(), "name a column"))?;
        lines.push(format!("    {ident} jsonb"));
    }
    if let Some(key) = key {
        let mut idents = Vec::with_capacity(key.len());
        for wanted in key {
            let lower = wanted.to_lowercase();
            let found = columns
                .iter()
                .find(|column| column.name == *wanted)
                .or_else(|| columns.iter().find(|column| column.name.to_lowercase() == lower));
            let Some(column) = found else {
                let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                return Err(Refusal::new(
                    format!("--key: the sources have no field {wanted:?}"),
                    format!("they have {}", listed(&known)),
                ));
            };
            idents.push(Ident::new(column.name.as_str()).map(|i| i.to_string()).unwrap_or_default());
        }
        lines.push(format!("    PRIMARY KEY ({})", idents.join(", ")));
    }
    let ddl = format!("CREATE TABLE {name} (\n{}\n)", lines.join(",\n"));
    Ok(NewTable { name, ddl })
}

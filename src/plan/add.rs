//! Columns that a table lacks, and the statement that adds them.

use crate::map::{Mapping, WantedColumn};
use crate::schema::{Column, ColumnDefinition, Ident, Identity, PgType, Table, TableName, new_column_name};
use crate::shape::{Route, Shaping};

use super::refusal::Refusal;

/// A column to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewColumn {
    name: Ident,
    /// Its type, and what else is said of it.
    definition: String,
}

impl NewColumn {
    /// For people: `"note" text`.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} {}", self.name, self.definition)
    }
}

/// The columns that these fields lack, in their order, and the table with them. Each is looked for as if
/// those before it were there: two fields whose names are alike share a column. `defined`: what the user
/// says of columns.
pub fn columns_to_add(
    table: &Table,
    wanted: &[WantedColumn],
    shaping: &Shaping,
    defined: &[ColumnDefinition],
) -> Result<(Table, Vec<NewColumn>), Refusal> {
    let mut table = table.clone();
    let mut added = Vec::new();
    for WantedColumn { field, type_name } in wanted {
        let column = match shaping.route(field) {
            Route::Dropped => continue,
            Route::Column(column) if table.column(column).is_some() => continue,
            Route::ByName if Mapping::column_of(&table, field).is_some() => continue,
            Route::Column(column) => column,
            Route::ByName => field,
        };
        let name = new_column_name(column).map_err(|why| {
            Refusal::new(
                format!("--extra add: field {field:?} cannot be a column of its name: {why}"),
                "--drop leaves it out, --map gives it a column of another name",
            )
        })?;
        let own = defined.iter().find(|own| own.name() == name.raw());
        let definition = own.map_or_else(|| type_name.to_string(), |own| own.definition().to_owned());
        table.columns.push(yet_to_be(name.clone(), &definition));
        added.push(NewColumn { name, definition });
    }
    Ok((table, added))
}

/// As the catalog will describe it, as far as a plan asks before it is there.
fn yet_to_be(name: Ident, definition: &str) -> Column {
    let ty = match definition {
        "jsonb" => PgType::Json,
        "text" => PgType::Text,
        "bigint" => PgType::Int,
        _ => PgType::Other,
    };
    Column {
        name,
        number: Column::YET_TO_BE,
        type_name: definition.to_owned(),
        domain_base: None,
        domain_name: None,
        collation: None,
        ty,
        narrows: None,
        equal_is_alike: false,
        not_null: false,
        default: None,
        identity: Identity::No,
        generated: false,
        may_insert: true,
        may_update: true,
    }
}

/// The refusal where the role does not own the table.
#[must_use]
pub fn refuse_adding(role: &str, table: &TableName, ddl: &str) -> Refusal {
    let ddl = ddl.split_whitespace().collect::<Vec<_>>().join(" ");
    Refusal::new(
        format!("--extra add: the role {role} does not own table {}, and cannot add columns", table.plain()),
        format!("its owner can: {ddl}; or --extra ignore leaves such fields out"),
    )
}

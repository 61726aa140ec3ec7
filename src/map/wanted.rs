//! Fields that a column is to be added for (`--extra add`): which they are, and what type their first value
//! has.

use std::borrow::Cow;

use crate::reject_codes;
use crate::schema::new_column_name;

use super::cell::Cell;
use super::mapping::Mapping;
use super::names::BLANKS;
use super::refusal::ValueRefusal;

/// A field that a column is to be added for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedColumn {
    /// The field, as it comes to its column.
    pub field: String,
    /// The type that its values have, as SQL has it.
    pub type_name: Cow<'static, str>,
}

impl Mapping {
    /// A field without a column wants one, from its first value on.
    #[cold]
    pub(super) fn want(
        &self,
        field: &str,
        cell: Cell<'_>,
        wanted: &mut Vec<WantedColumn>,
    ) -> Result<(), ValueRefusal> {
        let type_name = match cell {
            Cell::Absent | Cell::Null => return Ok(()),
            Cell::Json(raw) => type_of_json(raw),
            Cell::Text(_) => "text",
        };
        let column = self.shaping.column_of(field).unwrap_or(field);
        let refused = |why: &str| ValueRefusal {
            column: None,
            sqlstate: reject_codes::NO_COLUMN,
            reason: format!("the table has no column for field {field:?}{why}"),
        };
        new_column_name(column).map_err(|why| refused(&format!(", and cannot have one: {why}")))?;
        if !self.adds_late {
            return Err(refused(
                " yet, and a load that cannot begin again adds none: the load of this reject adds it",
            ));
        }
        let type_name = self.shaping.type_of(column.trim_matches(BLANKS)).unwrap_or(type_name);
        if wanted.iter().all(|known| known.field != field) {
            wanted.push(WantedColumn { field: field.to_owned(), type_name: type_name.into() });
        }
        Ok(())
    }
}

/// A type that holds whatever comes behind a value in JSON, as long as that is of its kind.
fn type_of_json(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'{' | b'[') => "jsonb",
        Some(b't' | b'f') => "boolean",
        Some(b'"') => "text",
        _ => "numeric",
    }
}

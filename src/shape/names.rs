//! What is known of the columns that fields go to: those of the table, or, for a table that is yet to be
//! made, nothing but that columns are named as fields are.

use super::parse::Zones;

/// A column that a field goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOwner {
    /// Its name.
    pub column: String,
    /// Its type, as SQL has it; `None`: it is yet to be made.
    pub type_name: Option<String>,
    /// It holds nested values as they are.
    pub holds_nested: bool,
}

impl FieldOwner {
    /// Whether its instants are written with an offset.
    pub(super) fn zones(&self) -> Zones {
        match self.type_name.as_deref() {
            Some(name) if name.starts_with("timestamp") && name.ends_with("without time zone") => {
                Zones::LeftOut
            }
            _ => Zones::Written,
        }
    }
}

/// The columns that fields go to.
pub trait KnownColumns {
    /// The column that a field of this name goes to, by its route.
    fn owner(&self, field: &str) -> Option<FieldOwner>;
    /// Names of the columns that members of an object go to, whose names all begin so; none of a table that
    /// is yet to be made.
    fn below(&self, begins: &str) -> Vec<String>;
}

/// The columns of a table that is yet to be made.
pub struct Unmade<'s>(pub &'s super::Shaping);

impl KnownColumns for Unmade<'_> {
    fn owner(&self, field: &str) -> Option<FieldOwner> {
        let column = self.0.column_of(field)?.trim_matches([' ', '\t']).to_owned();
        Some(FieldOwner { column, type_name: None, holds_nested: false })
    }

    fn below(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

//! The target as the catalog describes it: columns, types, keys and what else decides how a batch may be
//! written.
//!
//! Pure vocabulary, read by `pg::catalog` and used by `map` (names, encoding) and `write` (SQL, choice of
//! path). Never touches Postgres, files, the clock or the environment.

mod canonical_form;
mod column;
mod definition;
mod ident;
mod index;
mod kind;
#[cfg(feature = "testing")]
mod linked;
mod narrows;
mod paths;
mod policy;
mod reference;
mod rest;
mod table;

pub use canonical_form::CanonicalForm;
pub use column::{Column, Identity, PgType};
pub use definition::{ColumnDefinition, new_column_name};
pub use ident::{IDENT_LIMIT_BYTES, Ident, IdentError, TableName, literal, quote_literal};
pub use index::{Equality, UniqueIndex, Unusable};
pub use kind::ColumnKind;
#[cfg(feature = "testing")]
pub use linked::{Link, LinkedColumn, LinkedSequence, LinkedTable};
pub use narrows::{Field, Narrows, TimeOfDay};
pub use paths::Paths;
pub use policy::{MergePolicies, MergePolicy};
pub use reference::{OnDelete, Reference};
pub use rest::{RemovalLimit, Removals, Rest};
pub use table::{Check, ForeignKey, Member, Relation, Table, Tree};

/// What happens to a record whose key is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Mode {
    /// Update the stored row, or insert.
    Upsert,
    /// Update the stored row; a record without one is skipped.
    Update,
    /// The first record of a key wins; a record whose key is stored is skipped.
    Ignore,
    /// Insert every record.
    Append,
}

impl Mode {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Update => "update",
            Self::Ignore => "ignore",
            Self::Append => "append",
        }
    }
}

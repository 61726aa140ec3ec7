//! Tables that hang together by foreign keys, as far as rows with references between them need to know.

use super::{Column, TableName};

/// A table among others.
#[derive(Debug, Clone)]
pub struct LinkedTable {
    /// Schema and name.
    pub name: TableName,
    /// Its number in the catalog.
    pub oid: u32,
    /// Its columns, in the order of the catalog.
    pub columns: Vec<LinkedColumn>,
    /// Ordinals of the primary key's columns; empty without one.
    pub primary: Vec<usize>,
    /// Ordinals of the columns of a unique index that an upsert may use, that of the primary key if it can;
    /// empty without one.
    pub key: Vec<usize>,
    /// Foreign keys from this table to others, or to itself.
    pub links: Vec<Link>,
    /// Its sequences: ordinal of the column that one fills, name (qualified and quoted), and whether it
    /// counts up.
    pub sequences: Vec<LinkedSequence>,
    /// A trigger may give a row values before they are judged.
    pub has_before_row_triggers: bool,
}

/// A column of such a table.
#[derive(Debug, Clone)]
pub struct LinkedColumn {
    /// The column as any other.
    pub column: Column,
    /// Its type without a length or scale, as SQL that means the same under every `search_path`.
    pub cast: String,
}

/// A foreign key: columns of one table that hold values of columns of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Name of the constraint.
    pub constraint: String,
    /// Ordinals of its columns.
    pub columns: Vec<usize>,
    /// The number in the catalog of the table that it refers to.
    pub parent: u32,
    /// Names of the columns there, in the same order.
    pub parent_columns: Vec<String>,
}

/// A sequence that fills a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedSequence {
    /// Ordinal of the column.
    pub column: usize,
    /// Its name, qualified and quoted.
    pub name: String,
    /// It counts up.
    pub ascends: bool,
}

impl LinkedTable {
    /// The ordinal of the column of exactly this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|linked| linked.column.name.raw() == name)
    }

    /// The name of a column.
    #[must_use]
    pub fn column_name(&self, ordinal: usize) -> &str {
        self.columns[ordinal].column.name.raw()
    }

    /// A row of it may refer to another one.
    #[must_use]
    pub fn refers_to_itself(&self) -> bool {
        self.links.iter().any(|link| link.parent == self.oid)
    }
}

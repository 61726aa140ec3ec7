//! The target table: its columns, unique indexes and the facts that decide the path of a batch.

use super::{Ident, TableName};

use super::Column;

/// What kind of relation the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// An ordinary table.
    Table,
    /// A partitioned table.
    Partitioned,
}

/// Why a unique index cannot be the conflict target, or cannot be checked by its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// It has a WHERE clause.
    Partial,
    /// It indexes an expression.
    Expression,
    /// Its constraint is DEFERRABLE.
    Deferrable,
    /// It is not valid (a failed CREATE INDEX CONCURRENTLY).
    Invalid,
    /// WITHOUT OVERLAPS.
    Temporal,
}

impl Unusable {
    /// In words, for an error.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Partial => "is partial (it has a WHERE clause)",
            Self::Expression => "indexes an expression",
            Self::Deferrable => "is deferrable",
            Self::Invalid => "is not valid",
            Self::Temporal => "is WITHOUT OVERLAPS",
        }
    }
}

/// A unique index of the target.
#[derive(Debug, Clone)]
pub struct UniqueIndex {
    /// Its name, for errors.
    pub name: String,
    /// Ordinals in [`Table::columns`] of its key columns (empty for expressions).
    pub columns: Vec<usize>,
    /// Its equality operator for each of `columns` (`OPERATOR(pg_catalog.=)`): `=` alone would depend on `search_path`.
    pub equality: Vec<String>,
    /// It is the primary key.
    pub primary: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// Why ON CONFLICT cannot use it, if it cannot.
    pub unusable: Option<Unusable>,
}

impl UniqueIndex {
    /// The equality operator for a column of the index.
    #[must_use]
    pub fn equality_of(&self, column: usize) -> Option<&str> {
        let at = self.columns.iter().position(|&c| c == column)?;
        self.equality.get(at).map(String::as_str)
    }
}

/// A CHECK constraint whose columns are all in the table itself.
#[derive(Debug, Clone)]
pub struct Check {
    /// Ordinals in [`Table::columns`] of the columns that it reads.
    pub columns: Vec<usize>,
    /// What must not be false, over the table's own column names.
    pub expression: String,
}

/// A foreign key from the table.
#[derive(Debug, Clone)]
pub struct ForeignKey {
    /// The table that it refers to, qualified and quoted.
    pub parent: String,
    /// Ordinals in [`Table::columns`], each with the parent's column, quoted, and the operator by which the two are equal.
    pub columns: Vec<(usize, String, String)>,
}

/// The target table as the catalog describes it.
///
/// The booleans are facts of the catalog, each consulted where a path or a partitioning is chosen.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of the catalog, not states")]
pub struct Table {
    /// Schema and name.
    pub name: TableName,
    /// `pg_class.oid`.
    pub oid: u32,
    /// `pg_class.relfilenode` (0 for a partitioned table): a TRUNCATE changes it.
    pub relfilenode: u32,
    /// Another one, once a column was added, dropped, renamed or retyped.
    pub columns_version: String,
    /// No page of it was ever written, or TRUNCATE has freed them all: nothing is stored.
    pub has_no_pages: bool,
    /// The server's counters say, within a transaction, how many of its rows were inserted and how many updated.
    pub counts_rows: bool,
    /// Kind of relation.
    pub relation: Relation,
    /// Columns in order.
    pub columns: Vec<Column>,
    /// Unique indexes, the primary key first.
    pub unique: Vec<UniqueIndex>,
    /// CHECK constraints, a partition's own among them.
    pub has_checks: bool,
    /// Those of the table itself, as far as they can be asked of a row before it is stored.
    pub checks: Vec<Check>,
    /// Foreign keys from this table, a partition's own among them.
    pub has_foreign_keys: bool,
    /// Those of the table itself.
    pub foreign_keys: Vec<ForeignKey>,
    /// A foreign key from this table to itself.
    pub references_itself: bool,
    /// Exclusion constraints.
    pub has_exclusions: bool,
    /// Index expressions or predicates, which may raise.
    pub has_index_expressions: bool,
    /// Stored generated columns, whose expressions may raise.
    pub has_generated: bool,
    /// BEFORE row triggers of users: they may swallow or change a row.
    pub has_before_row_triggers: bool,
    /// Any row triggers of users.
    pub has_row_triggers: bool,
    /// Row-level security applies to this role.
    pub has_row_security: bool,
}

impl Table {
    /// The ordinal of the column of exactly this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name.raw() == name)
    }

    /// Names of the columns with these ordinals.
    #[must_use]
    pub fn names(&self, columns: &[usize]) -> Vec<&Ident> {
        columns.iter().map(|&c| &self.columns[c].name).collect()
    }
}

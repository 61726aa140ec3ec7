//! The target table: its columns, unique indexes and the facts that decide the path of a batch.

use super::{Column, Equality, Ident, PgType, TableName, UniqueIndex};

/// What kind of relation the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// An ordinary table with rows of its own.
    Table,
    /// A partitioned table, which has no rows of its own.
    Partitioned,
}

/// A CHECK constraint whose columns are all in the table itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Ordinals in [`Table::columns`] of the columns that it reads.
    pub columns: Vec<usize>,
    /// What must not be false, over the table's own column names.
    pub expression: String,
}

/// A foreign key from the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The table that it refers to, qualified and quoted.
    pub parent: String,
    /// Ordinals in [`Table::columns`], each with the parent's column as SQL, and the operator by which the
    /// two are equal.
    pub columns: Vec<(usize, String, String)>,
}

/// A table with rows of its own, or over others: the target, a partition, a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number in the catalog, `pg_class.oid`.
    pub oid: u32,
    /// Schema and name, quoted.
    pub name: String,
    /// `pg_class.relfilenode` (0 where it has no rows of its own): a TRUNCATE changes it, and whatever
    /// rewrites the table.
    pub file: u32,
    /// A crash of the server empties it.
    pub unlogged: bool,
}

/// The target and all below it, as found when it was planned for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Another one, once something that the load relies on may have changed.
    pub version: String,
    /// When the server has last begun to count anew, as it does after a crash.
    pub counting_since: String,
    /// The target, its partitions and children.
    pub members: Vec<Member>,
    /// Names of the columns by which it, or a partition of it, is partitioned; an empty one stands for an
    /// expression.
    pub partitioned_by: Vec<String>,
}

impl Tree {
    /// The first table of it that a crash of the server would empty.
    #[must_use]
    pub fn unlogged(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.unlogged)
    }
}

/// The target table as the catalog describes it.
///
/// The booleans are facts of the catalog, each consulted where a path or a partitioning is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of the catalog, not states")]
pub struct Table {
    /// The table's schema and name.
    pub name: TableName,
    /// Its number in the catalog, `pg_class.oid`.
    pub oid: u32,
    /// `pg_class.relfilenode` (0 for a partitioned table): a TRUNCATE changes it.
    pub relfilenode: u32,
    /// Another one, once a column was added, dropped, renamed or retyped.
    pub columns_version: String,
    /// Its version, and the files of it and of all below it.
    pub tree: Tree,
    /// No page of it was ever written, or TRUNCATE has freed them all: nothing is stored.
    pub has_no_pages: bool,
    /// The server's counters say, within a transaction, how many of its rows were inserted and how many
    /// updated.
    pub counts_rows: bool,
    /// What kind of relation it is.
    pub relation: Relation,
    /// Tables inherit from it: what is asked of it is asked of them too, but its unique indexes do not know
    /// their rows.
    pub has_children: bool,
    /// Its columns, in the order of the catalog.
    pub columns: Vec<Column>,
    /// Unique indexes, the primary key first; those that a partition or child has for itself are the last.
    pub unique: Vec<UniqueIndex>,
    /// CHECK constraints, those of partitions and children among them; or columns that are NOT NULL there
    /// alone.
    pub has_checks: bool,
    /// Those of the table itself, as far as they can be asked of a row before it is stored.
    pub checks: Vec<Check>,
    /// Foreign keys from this table, a partition's own among them.
    pub has_foreign_keys: bool,
    /// Those of the table itself.
    pub foreign_keys: Vec<ForeignKey>,
    /// A foreign key from this table to itself, or to what it is a part of.
    pub references_itself: bool,
    /// Whether the table has exclusion constraints.
    pub has_exclusions: bool,
    /// Index expressions or predicates, which may raise.
    pub has_index_expressions: bool,
    /// Stored generated columns, whose expressions may raise.
    pub has_generated: bool,
    /// BEFORE row triggers of users: they may swallow or change a row.
    pub has_before_row_triggers: bool,
    /// Any row triggers of users.
    pub has_row_triggers: bool,
    /// Triggers of users that fire where rows are inserted, for each or once: they may put them elsewhere.
    pub has_insert_triggers: bool,
    /// Row-level security applies to this role.
    pub has_row_security: bool,
    /// The database's encoding has one character for U+00A6 and U+FFE4, the broken bars: what differs in them
    /// alone arrives as the same text. It is so in EUC_JP, and of no other characters in no other encoding.
    pub has_one_broken_bar: bool,
}

impl Table {
    /// The ordinal of the column of exactly this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name.raw() == name)
    }

    /// The column of this number in the catalog.
    #[must_use]
    pub fn numbered(&self, number: i32) -> Option<&Column> {
        self.columns.iter().find(|column| column.number == number)
    }

    /// What has become of a column that had this name and number, and has not any more.
    #[must_use]
    pub fn whereabouts(&self, name: &str, number: i32) -> String {
        let has_heir = self.column(name).is_some_and(|heir| !self.columns[heir].is_yet_to_be());
        match self.numbered(number) {
            Some(renamed) if has_heir => {
                format!("column {name:?} is called {:?} now, and another one {name:?}", renamed.name.raw())
            }
            Some(renamed) => format!("column {name:?} is called {:?} now", renamed.name.raw()),
            None if has_heir => format!("column {name:?} was dropped, and is another one now"),
            None => format!("column {name:?} is gone"),
        }
    }

    /// Names of the columns with these ordinals.
    #[must_use]
    pub fn names(&self, columns: &[usize]) -> Vec<&Ident> {
        columns.iter().map(|&c| &self.columns[c].name).collect()
    }

    /// The unique indexes besides the key's that may refuse one of two rows of different keys, by their
    /// ordinals. One that compares all columns of the key, each as the key does, cannot.
    #[must_use]
    pub fn ties(&self, key: Option<usize>) -> Vec<usize> {
        let key_of = |i: usize| {
            let index = &self.unique[i];
            index.columns.iter().zip(&index.equality)
        };
        let tells_keys_apart = |i: usize| {
            key.is_some_and(|key| {
                key_of(key).all(|pair| key_of(i).any(|other| pair.0 == other.0 && pair.1.is_as(other.1)))
            })
        };
        (0..self.unique.len()).filter(|&i| Some(i) != key && !tells_keys_apart(i)).collect()
    }

    /// Whether equal values of a column of this key have one canonical text, which may be hashed.
    #[must_use]
    pub fn is_hashable(&self, key: Option<usize>, column: usize) -> bool {
        let told_by_text = |i: usize| self.unique[i].equality_of(column).is_some_and(Equality::is_of_text);
        self.columns[column].is_hashable() && key.is_none_or(told_by_text)
    }

    /// Of the columns of a key, those by whose hash a partition is chosen. Columns of which the server alone
    /// can read some texts are among them only where there are no others.
    #[must_use]
    pub fn placing(&self, key: Option<usize>, columns: &[usize]) -> Vec<usize> {
        let hashed = columns.iter().copied().filter(|&column| self.is_hashable(key, column));
        let (unread, read): (Vec<usize>, Vec<usize>) =
            hashed.partition(|&column| self.columns[column].has_unread_texts());
        if read.is_empty() { unread } else { read }
    }

    /// Whether broken bars in these columns of a key are hashed as one character, which they are to the
    /// database.
    #[must_use]
    pub fn hashes_bars(&self, columns: &[usize]) -> bool {
        let may_have_bars = |ty: &PgType| matches!(ty, PgType::Text | PgType::Padded | PgType::Enum);
        self.has_one_broken_bar && columns.iter().any(|&column| may_have_bars(&self.columns[column].ty))
    }

    /// Where another unique index has the same columns as this one, an insert that names columns would mean
    /// both.
    #[must_use]
    pub fn rivals(&self, index: usize) -> Vec<&UniqueIndex> {
        let same = |other: &UniqueIndex| {
            let columns = &self.unique[index].columns;
            other.columns.len() == columns.len() && other.columns.iter().all(|c| columns.contains(c))
        };
        let others = self.unique.iter().enumerate().filter(|&(i, _)| i != index).map(|(_, other)| other);
        others.filter(|other| !other.of_part && same(other)).collect()
    }
}

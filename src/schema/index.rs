//! Unique indexes, and what they call equal: neither the column's collation nor its type's `=` need be what
//! an index compares by.

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
    /// The last column is WITHOUT OVERLAPS.
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

/// How a unique index compares one of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equality {
    /// The equality operator of its operator class (`OPERATOR(pg_catalog.=)`): `=` alone would depend on
    /// `search_path`.
    pub operator: String,
    /// Its collation, qualified and quoted, where it is not the column's.
    pub collation: Option<String>,
    /// Under its collation equal texts are equal bytes.
    pub is_deterministic: bool,
    /// The operator is the one by which GROUP BY and DISTINCT compare values of the column's type.
    pub is_default: bool,
    /// Its operator class, qualified and quoted.
    pub class: String,
}

impl Equality {
    /// As the column's type and collation have it, for types of the server's own.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            operator: "OPERATOR(pg_catalog.=)".to_owned(),
            collation: None,
            is_deterministic: true,
            is_default: true,
            class: String::new(),
        }
    }

    /// Two operands are equal. The collation is said at the one that is given last.
    #[must_use]
    pub fn of(&self, left: &str, right: &str) -> String {
        format!("{left} {} {}", self.operator, self.grouped(right))
    }

    /// A value as GROUP BY must have it, to compare as the index does. (Where that can be had: see
    /// `is_default`.)
    #[must_use]
    pub fn grouped(&self, value: &str) -> String {
        match &self.collation {
            Some(collation) => format!("{value} COLLATE {collation}"),
            None => value.to_owned(),
        }
    }

    /// Nothing but the column's type and collation decides.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.collation.is_none() && self.is_default
    }

    /// Values whose canonical texts are equal, and no others, are equal; as far as the type has such texts.
    #[must_use]
    pub const fn is_of_text(&self) -> bool {
        self.is_default && self.is_deterministic
    }

    /// Compares as another does, for columns of one type.
    #[must_use]
    pub fn is_as(&self, other: &Self) -> bool {
        self.operator == other.operator && self.collation == other.collation
    }
}

/// A unique index of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueIndex {
    /// Its name, for errors.
    pub name: String,
    /// It is one that a partition or child has for itself: it ties the rows there together, and is no key.
    pub of_part: bool,
    /// The name of the constraint that it stands for.
    pub constraint: Option<String>,
    /// Ordinals in [`Table::columns`](super::Table::columns) of its key columns (empty for expressions, and
    /// for a child's with columns of its own).
    pub columns: Vec<usize>,
    /// How it compares each of `columns`.
    pub equality: Vec<Equality>,
    /// It is the primary key.
    pub primary: bool,
    /// Whether NULLs are equal to each other in it.
    pub nulls_not_distinct: bool,
    /// Why ON CONFLICT cannot use it, if it cannot.
    pub unusable: Option<Unusable>,
}

impl UniqueIndex {
    /// How it compares a column of its own.
    #[must_use]
    pub fn equality_of(&self, column: usize) -> Option<&Equality> {
        let at = self.columns.iter().position(|&c| c == column)?;
        self.equality.get(at)
    }

    /// Each of its columns is compared as the column's type and collation have it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.equality.iter().all(Equality::is_plain)
    }

    /// Its columns do not say which rows it takes for equal: of an expression they are not known, a partial
    /// one may let a row in or out without a change of them, ranges need not be equal to overlap, and an
    /// operator class may have an equality of its own.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        self.columns.is_empty()
            || matches!(self.unusable, Some(Unusable::Partial | Unusable::Temporal))
            || !self.equality.iter().all(|equality| equality.is_default)
    }
}

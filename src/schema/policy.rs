//! What becomes of a single column where a record meets a stored row.

use std::collections::BTreeMap;

/// What becomes of a column of a stored row that a record has a value for. A row that is inserted takes the
/// record's value, whatever the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MergePolicy {
    /// The record's value replaces the stored one.
    Overwrite,
    /// The stored value stays: the column is written where a row is inserted, and never again.
    InsertOnly,
    /// A stored value that is not null stays.
    Keep,
    /// An incoming null changes nothing.
    Fill,
    /// The greater of the two; a null is no value.
    Greatest,
    /// The lesser of the two; a null is no value.
    Least,
    /// The sum of the two; a null is no value.
    Add,
    /// The record's value behind the stored one, of texts and arrays; a null is no value.
    Append,
    /// An array with the elements of both, those that are stored first, and each new one once.
    Union,
    /// A stored jsonb with the record's value applied to it as a merge patch (RFC 7396).
    Patch,
}

impl MergePolicy {
    const NAMED: [(&'static str, Self); 9] = [
        ("overwrite", Self::Overwrite),
        ("keep", Self::Keep),
        ("fill", Self::Fill),
        ("greatest", Self::Greatest),
        ("least", Self::Least),
        ("add", Self::Add),
        ("append", Self::Append),
        ("union", Self::Union),
        ("patch", Self::Patch),
    ];

    /// The policy of this name, as `--merge` has it.
    ///
    /// # Errors
    /// In words, when there is none.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::NAMED.iter().find(|(known, _)| *known == name);
        found.map(|(_, policy)| *policy).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMED.iter().map(|(known, _)| *known).collect();
            format!("{name:?} is no policy: they are {}", names.join(", "))
        })
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::NAMED.iter().find(|(_, policy)| *policy == self);
        found.map_or("insert-only", |(name, _)| *name)
    }

    /// A record that is applied twice leaves another value than one that is applied once.
    #[must_use]
    pub const fn accumulates(self) -> bool {
        matches!(self, Self::Add | Self::Append)
    }

    /// Its value depends on what each record before has left: records of one key are not folded.
    #[must_use]
    pub const fn goes_record_by_record(self) -> bool {
        matches!(self, Self::Add | Self::Append | Self::Union | Self::Patch)
    }

    /// Whether it can be done to values of this type, as SQL has it; `is_array`: it is one.
    #[must_use]
    pub fn suits(self, type_name: &str, is_array: bool) -> bool {
        let is_one_of = |names: &[&str]| {
            !is_array
                && names.iter().any(|name| type_name == *name || type_name.starts_with(&format!("{name}(")))
        };
        match self {
            Self::Add => is_one_of(&[
                "smallint",
                "integer",
                "bigint",
                "numeric",
                "real",
                "double precision",
                "interval",
                "money",
            ]),
            Self::Append => is_array || is_one_of(&["text", "character varying"]),
            Self::Union => is_array,
            Self::Patch => is_one_of(&["jsonb"]),
            Self::Overwrite | Self::InsertOnly | Self::Keep | Self::Fill | Self::Greatest | Self::Least => {
                true
            }
        }
    }

    /// The types that it is of, in words.
    #[must_use]
    pub const fn types(self) -> &'static str {
        match self {
            Self::Add => "numbers, interval and money",
            Self::Append => "text, varchar and arrays",
            Self::Union => "arrays",
            Self::Patch => "jsonb",
            _ => "all types",
        }
    }

    /// Its values have an order.
    #[must_use]
    pub const fn compares(self) -> bool {
        matches!(self, Self::Greatest | Self::Least)
    }
}

/// The policies of columns, by name; the others are overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MergePolicies(BTreeMap<String, MergePolicy>);

impl MergePolicies {
    /// A column gets a policy.
    ///
    /// # Errors
    /// In words, when it has one.
    pub fn set(&mut self, column: impl Into<String>, policy: MergePolicy) -> Result<(), String> {
        let column = column.into();
        match self.0.get(&column) {
            Some(other) if *other != policy => {
                Err(format!("column {column:?} has two policies: {} and {}", other.name(), policy.name()))
            }
            _ => {
                self.0.insert(column, policy);
                Ok(())
            }
        }
    }

    /// What `--merge` says: `COLUMN=POLICY`.
    ///
    /// # Errors
    /// In words, when it is not so written.
    pub fn merge(&mut self, text: &str) -> Result<(), String> {
        match text.rsplit_once('=') {
            Some((column, policy)) if !column.is_empty() => self.set(column, MergePolicy::named(policy)?),
            _ => Err(format!("{text:?} is not COLUMN=POLICY")),
        }
    }

    /// Columns that have a policy of their own.
    pub fn iter(&self) -> impl Iterator<Item = (&str, MergePolicy)> {
        self.0
            .iter()
            .filter(|(_, policy)| **policy != MergePolicy::Overwrite)
            .map(|(name, policy)| (name.as_str(), *policy))
    }

    /// Some column is not the same if a record is applied twice.
    #[must_use]
    pub fn accumulate(&self) -> bool {
        self.0.values().any(|policy| policy.accumulates())
    }

    /// Whether an update writes this column.
    #[must_use]
    pub fn updates(&self, column: &str) -> bool {
        self.0.get(column) != Some(&MergePolicy::InsertOnly)
    }

    /// The words for it, as a stored run has them; none for the usual.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        self.iter().map(|(column, policy)| format!("{column}={}", policy.name())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_said_once() {
        let mut policies = MergePolicies::default();
        policies.merge("a=b=keep").unwrap();
        policies.merge("n=overwrite").unwrap();
        policies.set("c", MergePolicy::InsertOnly).unwrap();
        assert_eq!(policies.words(), ["a=b=keep", "c=insert-only"]);
        assert!(policies.merge("c=fill").unwrap_err().contains("insert-only and fill"));
        assert!(policies.merge("d=added").unwrap_err().contains("overwrite, keep"));
        assert!(policies.merge("keep").is_err() && policies.merge("=keep").is_err());
        assert!(policies.updates("n") && !policies.updates("c"));
    }
}

//! Foreign keys that point at a table, and what they do where a row of it goes.

/// What a foreign key does to its row where the row that it refers to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The deletion is refused (`NO ACTION`, `RESTRICT`).
    Refuses,
    /// The row is deleted too.
    Cascades,
    /// Its columns become null.
    SetsNull,
    /// Its columns get their defaults.
    SetsDefault,
}

impl OnDelete {
    /// By the letter of the catalog, `pg_constraint.confdeltype`.
    #[must_use]
    pub fn of_letter(letter: &str) -> Option<Self> {
        match letter {
            "a" | "r" => Some(Self::Refuses),
            "c" => Some(Self::Cascades),
            "n" => Some(Self::SetsNull),
            "d" => Some(Self::SetsDefault),
            _ => None,
        }
    }

    /// In SQL's own words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Refuses => "NO ACTION",
            Self::Cascades => "ON DELETE CASCADE",
            Self::SetsNull => "ON DELETE SET NULL",
            Self::SetsDefault => "ON DELETE SET DEFAULT",
        }
    }
}

/// A foreign key that points at a table, or at a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its name.
    pub constraint: String,
    /// The table that it is of, qualified and quoted.
    pub table: String,
    /// What it does where a row goes.
    pub on_delete: OnDelete,
    /// It is of the table itself, or of a part of it.
    pub is_own: bool,
}

impl Reference {
    /// It reaches into other rows where one goes.
    #[must_use]
    pub fn reaches(&self) -> bool {
        self.on_delete != OnDelete::Refuses
    }
}

#[cfg(test)]
mod tests {
    use super::OnDelete;

    #[test]
    fn each_letter_of_the_catalog_has_a_meaning_and_no_other_has() {
        let known: Vec<char> =
            ('a'..='z').filter(|letter| OnDelete::of_letter(&letter.to_string()).is_some()).collect();
        assert_eq!(known, ['a', 'c', 'd', 'n', 'r']);
    }
}

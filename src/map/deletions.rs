//! Records that delete (`--delete-when`): what is needed of them, and how a row is marked where it stays
//! (`--soft-delete`).
//!
//! In COPY text such a record is one with the key and little else, whose words of presence have their sign
//! bit set: no other word has. So staging has no column more, and a load without deletions is what it was.

/// How a column says that its row is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// It is true.
    Flag,
    /// It is not null: the time of the deletion, with a zone or in UTC, and so many digits of a second.
    Moment {
        /// It is a `timestamp with time zone`.
        is_zoned: bool,
        /// Digits behind the second.
        digits: usize,
    },
}

/// Digits behind the second that a timestamp has, unless it says otherwise.
const DIGITS: usize = 6;

impl MarkKind {
    /// By the name of the column's type.
    #[must_use]
    pub fn of(type_name: &str) -> Option<Self> {
        if type_name == "boolean" {
            return Some(Self::Flag);
        }
        let rest = type_name.strip_prefix("timestamp")?;
        let digits = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')?.0.parse().ok());
        Some(Self::Moment { is_zoned: rest.ends_with(" with time zone"), digits: digits.unwrap_or(DIGITS) })
    }

    /// The texts of the mark: of a row that stays, and of one that is deleted by a run that began at this
    /// time, in UTC and with six digits behind the second.
    #[must_use]
    pub fn texts(self, begun_at: &str) -> MarkTexts {
        let Self::Moment { is_zoned, digits } = self else {
            return MarkTexts { kept: Some("false".to_owned()), deleted: "true".to_owned() };
        };
        let (second, fraction) = begun_at.split_once('.').unwrap_or((begun_at, ""));
        let fraction = match fraction.get(..digits.min(fraction.len())) {
            None | Some("") => String::new(),
            Some(fraction) => format!(".{fraction}"),
        };
        let zone = if is_zoned { "+00" } else { "" };
        MarkTexts { kept: None, deleted: format!("{second}{fraction}{zone}") }
    }
}

/// What a column gets by which rows are marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkTexts {
    /// From a record that does not delete; nothing is null.
    pub kept: Option<String>,
    /// From one that does.
    pub deleted: String,
}

/// The column by which rows are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletionMark {
    /// Its slot.
    pub slot: usize,
    /// What it says.
    pub kind: MarkKind,
}

/// Records of a load may delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletions {
    /// Slots that such a record has a value for: the key, and by what records are told to be newer.
    pub needed: Vec<usize>,
    /// Rows are marked in place of deleted.
    pub mark: Option<DeletionMark>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_has_the_form_of_its_column() {
        let texts =
            |type_name: &str| MarkKind::of(type_name).map(|kind| kind.texts("2024-01-02 03:04:05.678901"));
        let moment = |deleted: &str| Some(MarkTexts { kept: None, deleted: deleted.to_owned() });
        let flag = MarkTexts { kept: Some("false".to_owned()), deleted: "true".to_owned() };
        assert_eq!(texts("boolean"), Some(flag));
        assert_eq!(texts("timestamp with time zone"), moment("2024-01-02 03:04:05.678901+00"));
        assert_eq!(texts("timestamp without time zone"), moment("2024-01-02 03:04:05.678901"));
        assert_eq!(texts("timestamp(3) with time zone"), moment("2024-01-02 03:04:05.678+00"));
        assert_eq!(texts("timestamp(0) without time zone"), moment("2024-01-02 03:04:05"));
        assert_eq!((texts("text"), texts("date")), (None, None));
    }
}

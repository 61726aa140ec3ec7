//! The type of a new column, by the type that SQLite's column declares and the values that were looked at.
//!
//! SQLite keeps any value in nearly any column: a declaration is what was meant. Where it says nothing, or
//! where the values are clearly something else, they decide.

use rusqlite::types::Type;

use super::value::WrittenAs;

/// Which classes of values were seen in a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SeenClasses {
    integer: bool,
    real: bool,
    text: bool,
    blob: bool,
}

impl SeenClasses {
    pub(super) const fn note(&mut self, class: Type) {
        match class {
            Type::Null => {}
            Type::Integer => self.integer = true,
            Type::Real => self.real = true,
            Type::Text => self.text = true,
            Type::Blob => self.blob = true,
        }
    }

    const fn is_only_blobs(self) -> bool {
        self.blob && !self.text && !self.integer && !self.real
    }

    const fn has_numbers(self) -> bool {
        self.integer || self.real
    }

    /// What holds them all.
    const fn type_name(self) -> &'static str {
        match (self.text || self.blob, self.real, self.integer) {
            (false, false, true) => "bigint",
            (false, true, _) => "double precision",
            _ => "text",
        }
    }
}

/// The type of a new column, and how values of this one are written. An empty type: texts that look like
/// dates, to be judged as those of a file are.
pub(super) fn column_type(declared: Option<&str>, seen: SeenClasses) -> (&'static str, WrittenAs) {
    let declared = declared.unwrap_or_default().to_ascii_uppercase();
    let says = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if seen.is_only_blobs() || says(&["BLOB", "BINARY", "BYTEA", "IMAGE"]) {
        return ("bytea", WrittenAs::AsBytes);
    }
    let of_words = |none: &'static str| match (seen.has_numbers(), seen.text) {
        (true, _) => seen.type_name(),
        (false, true) => "",
        (false, false) => none,
    };
    // In the order of SQLite's own rules, behind those that are more exact than them.
    let type_name = if says(&["BOOL"]) {
        "boolean"
    } else if says(&["JSON"]) {
        "jsonb"
    } else if says(&["UUID", "GUID", "UNIQUEIDENTIFIER"]) {
        if seen.has_numbers() { seen.type_name() } else { "uuid" }
    } else if says(&["TIMESTAMP", "DATETIME"]) {
        of_words("timestamptz")
    } else if says(&["DATE"]) {
        of_words("date")
    } else if declared.starts_with("TIME") {
        of_words("time")
    } else if says(&["INT", "SERIAL"]) {
        "bigint"
    } else if says(&["CHAR", "CLOB", "TEXT"]) {
        "text"
    } else if says(&["REAL", "FLOA", "DOUB"]) {
        "double precision"
    } else if says(&["NUMERIC", "DECIMAL", "NUMBER", "MONEY"]) {
        "numeric"
    } else {
        seen.type_name()
    };
    (type_name, WrittenAs::AsText)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(classes: &[Type]) -> SeenClasses {
        let mut seen = SeenClasses::default();
        classes.iter().for_each(|class| seen.note(*class));
        seen
    }

    #[test]
    fn a_declaration_names_the_type_and_values_do_where_it_says_nothing() {
        use Type::{Blob, Integer, Null, Real, Text};
        let cases: [(Option<&str>, &[Type], &str); 31] = [
            (Some("INTEGER"), &[Integer], "bigint"),
            (Some("tinyint(1)"), &[Integer, Text], "bigint"),
            (Some("VARCHAR(20)"), &[Text, Integer], "text"),
            (Some("nvarchar(max)"), &[], "text"),
            (Some("FLOATING POINT"), &[], "bigint"),
            (Some("DOUBLE"), &[Real], "double precision"),
            (Some("DECIMAL(10,2)"), &[Integer, Real], "numeric"),
            (Some("BOOLEAN"), &[Integer], "boolean"),
            (Some("JSON"), &[Text], "jsonb"),
            (Some("UUID"), &[Text], "uuid"),
            (Some("UUID"), &[Blob], "bytea"),
            (Some("BLOB"), &[Text], "bytea"),
            (Some("VARBINARY(16)"), &[], "bytea"),
            (Some("DATETIME"), &[Text, Null], ""),
            (Some("DATETIME"), &[Integer], "bigint"),
            (Some("DATETIME"), &[Real], "double precision"),
            (Some("DATETIME"), &[Real, Text], "text"),
            (Some("DATETIME"), &[], "timestamptz"),
            (Some("TIMESTAMP"), &[], "timestamptz"),
            (Some("DATE"), &[Text], ""),
            (Some("DATE"), &[], "date"),
            (Some("TIME"), &[], "time"),
            (Some("STRING"), &[Text], "text"),
            (Some("STRING"), &[Integer], "bigint"),
            (None, &[Integer, Null], "bigint"),
            (None, &[Integer, Real], "double precision"),
            (None, &[Integer, Text], "text"),
            (None, &[Text, Blob], "text"),
            (None, &[Blob], "bytea"),
            (None, &[], "text"),
            (Some(""), &[Real], "double precision"),
        ];
        for (declared, classes, expected) in cases {
            assert_eq!(column_type(declared, seen(classes)).0, expected, "{declared:?} {classes:?}");
        }
    }
}

//! What is wrong with a job file, and where: file, line and column.

use std::fmt;

/// A job file as it was read.
pub(super) struct JobText<'t> {
    pub(super) path: &'t str,
    pub(super) text: &'t str,
}

/// What is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileError {
    place: String,
    message: String,
    hint: Option<String>,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl FileError {
    pub(super) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What can be done about it.
    pub(super) fn hinting(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// The file itself cannot be read.
    pub(super) fn unreadable(path: &str, error: &std::io::Error) -> Self {
        let is_missing = error.kind() == std::io::ErrorKind::NotFound;
        let hint = is_missing.then(|| "dbload init SOURCE writes a first one".to_owned());
        Self { place: path.to_owned(), message: error.to_string(), hint }
    }
}

impl JobText<'_> {
    /// Something is wrong at this byte. Columns are characters, as editors count them.
    pub(super) fn error(&self, at: usize, message: impl Into<String>) -> FileError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        FileError { place: format!("{}:{line}:{column}", self.path), message: message.into(), hint: None }
    }
}

/// The name that was meant, if one is near.
pub(super) fn near<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const NEAR: f64 = 0.8;
    let like = |other: &&str| strsim::jaro_winkler(name, other);
    let best = names.into_iter().max_by(|a, b| like(a).total_cmp(&like(b)))?;
    (like(&best) >= NEAR).then_some(best)
}

/// `did you mean x?`
pub(super) fn did_you_mean<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    near(name, names).map(|near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_said_as_editors_count() {
        let page = JobText { path: "dbload.toml", text: "a = 1\nbä = \"ü\" # x\n" };
        assert_eq!(page.error(0, "x").to_string(), "dbload.toml:1:1: x");
        assert_eq!(page.error(page.text.find('"').unwrap(), "x").to_string(), "dbload.toml:2:6: x");
        assert_eq!(page.error(1_000, "x").to_string(), "dbload.toml:3:1: x");
    }

    #[test]
    fn a_name_that_is_near_is_offered_and_no_other() {
        assert_eq!(near("tabel", ["table", "key"]), Some("table"));
        assert_eq!(near("xyz", ["table", "key"]), None);
        assert_eq!(near("x", []), None);
    }
}

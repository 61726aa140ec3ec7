//! What a file is, by its name and its first bytes: an answer or a reason, never a panic, and the same twice.

use dbload::internals::format::detect::{by_name, detect, is_reject_file};
use dbload::internals::format::{Compression, DetectError, Format};

use super::Dials;

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let name = dials.text(b'\n');
    let head = dials.rest();
    let found = detect(&name, head);
    assert_eq!(found, detect(&name, head));
    if let (Ok(found), Some(named)) = (&found, by_name(&name)) {
        let same_kind = match (&found.format, &named) {
            (Format::Csv(_), Format::Csv(_)) | (Format::Rejects, Format::Jsonl | Format::Rejects) => true,
            (Format::Jsonl | Format::Json { .. }, Format::Jsonl | Format::Json { .. }) => true,
            // What begins as columns do is that, whatever it is called.
            (Format::Columns { .. }, _) => true,
            (_, _) => false,
        };
        assert!(same_kind, "{name:?} holds {named:?}, taken for {:?}", found.format);
    }
    if let Ok(found) = &found
        && let Format::Csv(dialect) = &found.format
    {
        assert_eq!(dialect.check(), Ok(()), "a dialect that was found can be read");
    }
    if let Err(error) = &found {
        let is_no_text = !matches!(error, DetectError::NotText);
        assert!(by_name(&name).is_none() || is_no_text, "a name that says what it is is believed: {error}");
        assert!(!error.hint().is_empty() && !error.to_string().is_empty());
    }
    if is_reject_file(&name) {
        assert_eq!(by_name(&name), Some(Format::Rejects));
    }
    if let Some((compression, stem)) = Compression::by_name(&name) {
        assert!(compression != Compression::None && name.starts_with(stem) && stem.len() < name.len());
    }
}

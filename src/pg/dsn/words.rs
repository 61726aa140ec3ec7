//! The words of a connection string: libpq's keywords with their texts, before they are judged.
//!
//! Every form of connection string ends up here, so that each parameter means the same in all of them. A word
//! set twice keeps the later text, as in libpq.

use std::collections::BTreeMap;

use super::error::DsnError;
use super::params::{Meaning, meaning};

/// Whether the name of an unknown parameter may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    /// Yes: it is surely a name.
    Name,
    /// No: it may be a piece of a password.
    Withhold,
}

/// The words given so far.
#[derive(Debug, Default)]
pub(super) struct Words {
    texts: BTreeMap<&'static str, String>,
    pub(super) schema: Option<String>,
    pub(super) behind_pooler: bool,
    pub(super) notes: Vec<String>,
}

impl Words {
    /// Sets a parameter as it occurs in a connection string, by whatever client's name.
    pub(super) fn set(&mut self, name: &str, text: String, echo: Echo) -> Result<(), DsnError> {
        let Some(meaning) = meaning(name) else {
            return Err(DsnError::Unknown { name: (echo == Echo::Name).then(|| name.to_owned()) });
        };
        match meaning {
            Meaning::Word(word) => self.put(word, text),
            Meaning::Schema => self.schema = (!text.is_empty()).then_some(text),
            Meaning::Pooler => self.behind_pooler = matches!(text.as_str(), "true" | "1" | "yes" | "on"),
            Meaning::Ssl => self.put_ssl(&text)?,
            Meaning::Only { accepted, why } => {
                if !text.is_empty() && !accepted.iter().any(|one| one.eq_ignore_ascii_case(&text)) {
                    return Err(DsnError::Unsupported { name: name.to_owned(), why });
                }
            }
            Meaning::OtherClients => {
                self.notes.push(format!(
                    "connection parameter `{name}` tunes another client and has no effect here"
                ));
            }
            Meaning::Refused(why) => return Err(DsnError::Unsupported { name: name.to_owned(), why }),
        }
        Ok(())
    }

    /// Sets a word whose name is libpq's.
    pub(super) fn put(&mut self, word: &'static str, text: String) {
        self.texts.insert(word, text);
    }

    /// Sets a word unless it has a text already.
    pub(super) fn fill(&mut self, word: &'static str, text: String) {
        if self.get(word).is_none() {
            self.put(word, text);
        }
    }

    /// The text of a word; an empty text is none, as in libpq.
    pub(super) fn get(&self, word: &str) -> Option<&str> {
        self.texts.get(word).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// `ssl=true` is JDBC's, and libpq reads it as `sslmode=require`; asyncpg writes modes there.
    fn put_ssl(&mut self, text: &str) -> Result<(), DsnError> {
        let mode = match text {
            "true" | "1" => "require",
            "false" | "0" => "disable",
            "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full" => text,
            _ => {
                return Err(DsnError::BadValue {
                    name: "ssl",
                    expected: "true or false, or better: sslmode",
                });
            }
        };
        self.put("sslmode", mode.to_owned());
        Ok(())
    }
}

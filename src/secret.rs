//! Passwords, tokens and keys: a text that cannot be shown by accident.
//!
//! There is no `Display` and no `Serialize`; `Debug` shows asterisks. The one way to the text is
//! [`Secret::reveal`], called where a driver or a request takes it and nowhere else.

use std::fmt;

/// A password, a token, a key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret, so that no output shows it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for handing it to a driver or a request.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

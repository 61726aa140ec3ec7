//! Passwords: a text that cannot be shown by accident.
//!
//! There is no `Display` and no `Serialize`; `Debug` shows asterisks. The one way to the text is [`Secret::reveal`],
//! called where a driver takes the password and nowhere else.

use std::fmt;

/// A password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The password itself, for handing it to a driver.
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

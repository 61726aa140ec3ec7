//! Where an answer says something about its pages: in its body, in a header, in its last record.
//!
//! ```text
//! /POINTER             in the body; a step NAME[member=text] is an element of an array
//! header:NAME          in a header of the response
//! record:/POINTER      in the last record of the page, wherever that stands
//! ```

use std::fmt;
use std::str::FromStr;

/// Where an answer says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseField {
    /// At this JSON Pointer of the body.
    Body(String),
    /// In the header of this name.
    Header(String),
    /// At this JSON Pointer of the last record.
    LastRecord(String),
}

impl ResponseField {
    /// The pointer, where it is one into the body: all that 0.1.0 knew.
    pub(super) const fn in_body(&self) -> Option<&String> {
        match self {
            Self::Body(pointer) => Some(pointer),
            Self::Header(_) | Self::LastRecord(_) => None,
        }
    }

    /// As it is written in the flag.
    #[must_use]
    pub fn flag(&self) -> String {
        match self {
            Self::Body(pointer) => pointer.clone(),
            Self::Header(name) => format!("header:{name}"),
            Self::LastRecord(pointer) => format!("record:{pointer}"),
        }
    }
}

impl FromStr for ResponseField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix("header:") {
            let name = name.trim();
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            return if !name.is_empty() && name.bytes().all(is_token) {
                Ok(Self::Header(name.to_ascii_lowercase()))
            } else {
                Err(format!("{name:?} is no name of a header"))
            };
        }
        match text.strip_prefix("record:") {
            Some(at) => pointer(at).map(Self::LastRecord),
            None => pointer(text).map(Self::Body),
        }
    }
}

/// In words for people.
impl fmt::Display for ResponseField {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(pointer) => write!(out, "{pointer}"),
            Self::Header(name) => write!(out, "the header {name}"),
            Self::LastRecord(pointer) => write!(out, "{pointer} of the last record"),
        }
    }
}

/// A JSON Pointer, as it is written.
pub(super) fn pointer(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.starts_with('/') && text.len() > 1 {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no JSON pointer; write it as /meta/next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_they_are_read() {
        for text in ["/a/b", "header:x-next-token", "record:/id", "/link[relation=next]/url"] {
            assert_eq!(text.parse::<ResponseField>().unwrap().flag(), text);
        }
        assert_eq!("header: X-Total ".parse(), Ok(ResponseField::Header("x-total".to_owned())));
        for wrong in ["", "a", "/", "header:", "header:a b", "header:a:b", "record:id", "record:"] {
            assert!(wrong.parse::<ResponseField>().is_err(), "{wrong}");
        }
    }
}

//! What says in an answer of status 200 that requests come too fast: a place, and the text that stands there.

use std::str::FromStr;

use super::pointer;
use super::response_field::pointer as read_pointer;

/// A place in the body, and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleSign {
    /// JSON Pointer into the body.
    pub pointer: String,
    /// The text or number; none: anything but null, false, `""` and 0.
    pub text: Option<String>,
}

impl ThrottleSign {
    /// Whether a whole body says so.
    pub(super) fn is_in(&self, body: &str) -> bool {
        let Ok(Some(found)) = pointer::scalar(body, &self.pointer) else { return false };
        match &self.text {
            Some(text) => found == *text,
            None => !matches!(found.as_str(), "false" | "0"),
        }
    }
}

impl FromStr for ThrottleSign {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (at, text) = match text.rsplit_once('=') {
            Some((at, text)) => (at, Some(text.trim().to_owned())),
            None => (text, None),
        };
        Ok(Self { pointer: read_pointer(at)?, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_read_and_found() {
        let is = |sign: &str, body: &str| sign.parse::<ThrottleSign>().unwrap().is_in(body);
        assert!(is("/error=ratelimited", r#"{"ok":false,"error":"ratelimited"}"#));
        assert!(is(
            "/errors/0/extensions/code=THROTTLED",
            r#"{"errors":[{"extensions":{"code":"THROTTLED"}}]}"#
        ));
        assert!(is("/code=29", r#"{"code":29}"#) && is("/limited", r#"{"limited":true}"#));
        for (sign, body) in [
            ("/error=ratelimited", r#"{"error":"gone"}"#),
            ("/limited", r#"{"limited":false}"#),
            ("/limited", "[]"),
            ("/limited", "no JSON"),
        ] {
            assert!(!is(sign, body), "{sign} {body}");
        }
        assert!("error=x".parse::<ThrottleSign>().is_err());
    }
}

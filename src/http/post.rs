//! A body of JSON for POST, and the secrets in it: what is stored and shown has asterisks in their places.

use super::pointer;
use super::value::{SecretValueError, Value};
use crate::secret::Secret;

/// What stands in the place of a secret.
const HIDDEN: &str = "\"***\"";

/// A body of JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JsonBody {
    /// Its text, without secrets.
    text: String,
    /// Secrets: where they stand, and their JSON texts.
    secrets: Vec<(String, Secret)>,
}

/// A body that cannot be used. Without its text: it may hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The text of the body is not JSON.
    #[error("is no JSON: line {} column {}", .0.line(), .0.column())]
    NotJson(serde_json::Error),
    /// A pointer that leads nowhere.
    #[error("has nothing at {0}")]
    Nothing(String),
    /// A secret that cannot be had.
    #[error("cannot be filled in at {at}: {source}")]
    Value {
        /// JSON Pointer to the value in the body.
        at: String,
        /// The error that lies behind it.
        source: SecretValueError,
    },
}

impl JsonBody {
    /// Reads a body. Texts in it that are `env:NAME`, `file:PATH` or end in ` env:NAME` stand for secrets;
    /// `hidden` are pointers to others. `env` looks a variable up.
    ///
    /// # Errors
    /// When it is no JSON, or a secret is not there.
    pub fn parse(
        text: &str,
        hidden: &[String],
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, BodyError> {
        let tree: serde_json::Value = serde_json::from_str(text).map_err(BodyError::NotJson)?;
        let mut body = Self { text: text.to_owned(), secrets: Vec::new() };
        let mut texts = Vec::new();
        texts_of(&tree, String::new(), &mut texts);
        for (at, text) in texts {
            if let Some(secret) =
                secret(text, &env).map_err(|source| BodyError::Value { at: at.clone(), source })?
            {
                let json = serde_json::Value::from(secret.reveal()).to_string();
                body.hide(at, json)?;
            }
        }
        for at in hidden {
            if !body.secrets.iter().any(|(known, _)| known == at) {
                let found = pointer::find(&body.text, at).map_err(BodyError::NotJson)?;
                let json = found.ok_or_else(|| BodyError::Nothing(at.clone()))?.get().to_owned();
                body.hide(at.clone(), json)?;
            }
        }
        Ok(body)
    }

    fn hide(&mut self, at: String, json: String) -> Result<(), BodyError> {
        self.text =
            pointer::replace(&self.text, &at, HIDDEN).ok_or_else(|| BodyError::Nothing(at.clone()))?;
        self.secrets.push((at, Secret::new(json)));
        Ok(())
    }

    /// Its text, without secrets.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn secrets(&self) -> &[(String, Secret)] {
        &self.secrets
    }
}

/// A body with its secrets in their places.
pub(super) fn with_secrets(text: &str, secrets: &[(String, Secret)]) -> String {
    secrets.iter().fold(text.to_owned(), |text, (at, secret)| {
        pointer::replace(&text, at, secret.reveal()).unwrap_or(text)
    })
}

/// The texts that must not be shown of a secret in a body.
pub(super) fn bare(json: &Secret) -> String {
    let text: Option<String> = serde_json::from_str(json.reveal()).ok();
    text.unwrap_or_else(|| json.reveal().to_owned())
}

fn texts_of<'v>(value: &'v serde_json::Value, at: String, out: &mut Vec<(String, &'v str)>) {
    match value {
        serde_json::Value::String(text) => out.push((at, text)),
        serde_json::Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                texts_of(item, format!("{at}/{i}"), out);
            }
        }
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                texts_of(member, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), out);
            }
        }
        _ => {}
    }
}

/// The secret that a text stands for. Bodies hold other texts that look like it: a name in small letters that
/// is not set, a search for `file:name`, a URL.
fn secret(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Option<Secret>, SecretValueError> {
    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let stands = if let Some(name) = last.strip_prefix("env:") {
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name && (env(name).is_some() || !name.bytes().any(|byte| byte.is_ascii_lowercase()))
    } else if let Some(path) = text.strip_prefix("file:") {
        let is_path = !path.starts_with("//") && !path.is_empty() && !path.contains(char::is_whitespace);
        is_path && (path.contains('/') || std::path::Path::new(path).exists())
    } else {
        false
    };
    if stands { Value::parse(text, env)?.resolve().map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_kept_out_of_the_text_and_sent_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pin");
        std::fs::write(&file, "1\"2\n").unwrap();
        let text = format!(
            r#"{{"client_id":"c","secret":"env:SECRET", "n":1.10,"auth":[{{"h/x":"Bearer env:SECRET"}}],"pin":"file:{}","key":"LITERAL","prod":"env:prod","q":"file:main.rs","u":"file:///x"}}"#,
            file.display()
        );
        let env = |name: &str| (name == "SECRET").then(|| "CANARY".to_owned());
        let body = JsonBody::parse(&text, &["/key".to_owned(), "/secret".to_owned()], env).unwrap();
        assert_eq!(
            body.text(),
            r#"{"client_id":"c","secret":"***", "n":1.10,"auth":[{"h/x":"***"}],"pin":"***","key":"***","prod":"env:prod","q":"file:main.rs","u":"file:///x"}"#
        );
        assert!(!format!("{body:?}").contains("CANARY"));
        assert_eq!(
            with_secrets(body.text(), body.secrets()),
            r#"{"client_id":"c","secret":"CANARY", "n":1.10,"auth":[{"h/x":"Bearer CANARY"}],"pin":"1\"2","key":"LITERAL","prod":"env:prod","q":"file:main.rs","u":"file:///x"}"#
        );
    }

    #[test]
    fn what_cannot_be_had_is_said_without_the_text() {
        let wrong = |text: &str, hidden: &[&str]| {
            let hidden: Vec<String> = hidden.iter().map(|at| (*at).to_owned()).collect();
            JsonBody::parse(text, &hidden, |_| None).unwrap_err().to_string()
        };
        assert_eq!(wrong("{\"CANARY\":", &[]), "is no JSON: line 1 column 10");
        assert_eq!(wrong("{\"a\":1}", &["/b"]), "has nothing at /b");
        assert!(
            wrong(r#"{"a":{"b":"env:MISSING"}}"#, &[])
                .starts_with("cannot be filled in at /a/b: the environment")
        );
        assert!(
            wrong(r#"{"a":"file:/nowhere/x"}"#, &[]).starts_with("cannot be filled in at /a: cannot read")
        );
    }
}

//! The body of a POST, and the secrets in it: what is stored and shown has asterisks in their places.
//!
//! A form is kept as the object of its fields, so that a pointer finds a field as it finds a member of JSON;
//! it is written as a form when it is sent.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::pointer;
use super::value::{SecretValueError, Value};
use crate::secret::Secret;

/// What stands in the place of a secret.
const HIDDEN: &str = "\"***\"";

/// Longest body in a file: it is kept in memory, and stored with each page of its source.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a body is, by which it is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// A JSON text.
    #[default]
    Json,
    /// The fields of a form, as a JSON object.
    Form,
    /// Any other text.
    Text,
}

impl BodyKind {
    /// The content type that it is sent with, where the user has not said another.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The usual is not spelt out where requests are stored.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
    pub(super) const fn is_json(&self) -> bool {
        matches!(self, Self::Json)
    }
}

/// A body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostBody {
    kind: BodyKind,
    /// Its text, without secrets.
    text: String,
    /// Secrets: where they stand, and their JSON texts. Of a text that is one as a whole, at the empty
    /// pointer, as it is.
    secrets: Vec<(String, Secret)>,
    /// What makes two bodies the same: the text, also where it is stored nowhere.
    identity: Secret,
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
    /// The whole body cannot be had.
    #[error("cannot be had: {0}")]
    Whole(SecretValueError),
    /// The file is no body.
    #[error("cannot be had: {} {what}", path.display())]
    File {
        /// The file that the error is about.
        path: PathBuf,
        /// What is wrong with the file.
        what: &'static str,
    },
    /// A field of a form without a value.
    #[error("is written as NAME=VALUE")]
    NotAField,
}

impl PostBody {
    /// Reads a body: a text, or `file:PATH` or `env:NAME`, where all of it is. Texts in one of JSON that are
    /// `env:NAME`, `file:PATH` or end in ` env:NAME` stand for secrets; `hidden` are pointers to others.
    /// `content_type`: as the user said it. `env` looks a variable up.
    ///
    /// # Errors
    /// When it should be JSON and is not, or a secret or the file is not there.
    pub fn parse(
        said: &str,
        content_type: Option<&str>,
        hidden: &[String],
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, BodyError> {
        let (text, is_elsewhere) = match (said.strip_prefix("file:"), said.strip_prefix("env:")) {
            (Some(path), _) => (read_file(Path::new(path))?, true),
            (None, Some(name)) => {
                let missing = || BodyError::Whole(SecretValueError::NotSet { name: name.to_owned() });
                (env(name).ok_or_else(missing)?, true)
            }
            (None, None) => (said.to_owned(), false),
        };
        let mut body = Self { kind: BodyKind::Text, text, ..Self::default() };
        if is_json(&body.text, content_type) {
            body.kind = BodyKind::Json;
            body.hide_named(env)?;
            body.hide_at(hidden)?;
        } else if let Some(at) = hidden.iter().find(|at| !at.is_empty()) {
            return Err(BodyError::Nothing(at.clone()));
        }
        // A variable is named, so that a new secret in it is the same body.
        let identity = if said.starts_with("env:") { said } else { &body.text };
        body.identity = Secret::new(identity.to_owned());
        if body.kind == BodyKind::Json && is_elsewhere {
            body.hide_texts()?;
        } else if body.kind == BodyKind::Text && (is_elsewhere || !hidden.is_empty()) {
            let text = std::mem::replace(&mut body.text, HIDDEN.to_owned());
            body.secrets.push((String::new(), Secret::new(text)));
        }
        Ok(body)
    }

    /// A form of these fields, each `NAME=VALUE`. Values may stand for secrets, as in JSON.
    ///
    /// # Errors
    /// When one is no field, or a secret is not there.
    pub fn form(fields: &[String], env: impl Fn(&str) -> Option<String>) -> Result<Self, BodyError> {
        let mut members: Vec<(&str, Vec<&str>)> = Vec::new();
        for field in fields {
            let (name, value) = field.split_once('=').ok_or(BodyError::NotAField)?;
            match members.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => members.push((name, vec![value])),
            }
        }
        let json = |text: &str| serde_json::Value::from(text).to_string();
        let members = members.iter().map(|(name, values)| {
            let values: Vec<String> = values.iter().map(|value| json(value)).collect();
            let values =
                if let [one] = values.as_slice() { one.clone() } else { format!("[{}]", values.join(",")) };
            format!("{}:{values}", json(name))
        });
        let text = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        let mut body = Self { kind: BodyKind::Form, text, ..Self::default() };
        body.hide_named(env)?;
        body.identity = Secret::new(body.text.clone());
        Ok(body)
    }

    /// Hides the texts that stand for secrets.
    fn hide_named(&mut self, env: impl Fn(&str) -> Option<String>) -> Result<(), BodyError> {
        for (at, text) in self.texts()? {
            let found = secret(&text, &env).map_err(|source| BodyError::Value { at: at.clone(), source })?;
            if let Some(secret) = found {
                let json = serde_json::Value::from(secret.reveal()).to_string();
                self.hide(at, json)?;
            }
        }
        Ok(())
    }

    /// Hides what the pointers name.
    fn hide_at(&mut self, pointers: &[String]) -> Result<(), BodyError> {
        for at in pointers {
            if !self.secrets.iter().any(|(known, _)| known == at) {
                let found = pointer::find(&self.text, at).map_err(BodyError::NotJson)?;
                let json = found.ok_or_else(|| BodyError::Nothing(at.clone()))?.get().to_owned();
                self.hide(at.clone(), json)?;
            }
        }
        Ok(())
    }

    /// Hides every text: who keeps a body elsewhere may have any secret in it.
    fn hide_texts(&mut self) -> Result<(), BodyError> {
        for (at, text) in self.texts()? {
            if !self.secrets.iter().any(|(known, _)| *known == at) {
                self.hide(at, serde_json::Value::from(text).to_string())?;
            }
        }
        Ok(())
    }

    fn texts(&self) -> Result<Vec<(String, String)>, BodyError> {
        let tree: serde_json::Value = serde_json::from_str(&self.text).map_err(BodyError::NotJson)?;
        let mut texts = Vec::new();
        texts_of(&tree, String::new(), &mut texts);
        Ok(texts)
    }

    fn hide(&mut self, at: String, json: String) -> Result<(), BodyError> {
        self.text =
            pointer::replace(&self.text, &at, HIDDEN).ok_or_else(|| BodyError::Nothing(at.clone()))?;
        self.secrets.push((at, Secret::new(json)));
        Ok(())
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> BodyKind {
        self.kind
    }

    /// Its text, without secrets.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What makes two bodies the same, for a digest and nothing else.
    #[must_use]
    pub const fn identity(&self) -> &Secret {
        &self.identity
    }

    pub(super) fn secrets(&self) -> &[(String, Secret)] {
        &self.secrets
    }
}

/// Whether a text is to be JSON: as its content type says, else as it begins.
fn is_json(text: &str, content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else { return text.trim_start().starts_with(['{', '[', '"']) };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/json" | "text/json") || essence.ends_with("+json")
}

fn read_file(path: &Path) -> Result<String, BodyError> {
    let failed = |source| BodyError::Whole(SecretValueError::File { path: path.to_owned(), source });
    let not = |what| BodyError::File { path: path.to_owned(), what };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(not("is longer than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| not("is not UTF-8"))
}

/// A body as it is sent, with its secrets in their places. What a page has put in the place of one stays.
pub(super) fn sent(kind: BodyKind, text: &str, secrets: &[(String, Secret)]) -> String {
    let is_hidden =
        |text: &str, at: &str| matches!(pointer::find(text, at), Ok(Some(found)) if found.get() == HIDDEN);
    let full = secrets.iter().fold(text.to_owned(), |text, (at, secret)| {
        if !is_hidden(&text, at) {
            return text;
        }
        pointer::replace(&text, at, secret.reveal()).unwrap_or(text)
    });
    if kind == BodyKind::Form { form_of(&full) } else { full }
}

/// The members of an object in their order, each with its JSON text.
struct FormFields<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for FormFields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = FormFields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(FormFields(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// The fields of an object as a form; a list is its name several times, null an empty value.
fn form_of(object: &str) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let members: FormFields<'_> = serde_json::from_str(object).unwrap_or(FormFields(Vec::new()));
    for (name, value) in &members.0 {
        let values: Vec<&RawValue> = match value.get().starts_with('[') {
            true => serde_json::from_str(value.get()).unwrap_or_default(),
            false => vec![value],
        };
        for value in values {
            let text = match value.get() {
                "null" => String::new(),
                raw => serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned()),
            };
            form.append_pair(name, &text);
        }
    }
    form.finish()
}

/// The texts that must not be shown of a secret in a body.
pub(super) fn bare(json: &Secret) -> String {
    let text: Option<String> = serde_json::from_str(json.reveal()).ok();
    text.unwrap_or_else(|| json.reveal().to_owned())
}

fn texts_of(value: &serde_json::Value, at: String, out: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::String(text) => out.push((at, text.clone())),
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
        let body = PostBody::parse(&text, None, &["/key".to_owned(), "/secret".to_owned()], env).unwrap();
        assert_eq!(
            body.text(),
            r#"{"client_id":"c","secret":"***", "n":1.10,"auth":[{"h/x":"***"}],"pin":"***","key":"***","prod":"env:prod","q":"file:main.rs","u":"file:///x"}"#
        );
        assert!(!format!("{body:?}").contains("CANARY"));
        assert_eq!(
            sent(body.kind(), body.text(), body.secrets()),
            r#"{"client_id":"c","secret":"CANARY", "n":1.10,"auth":[{"h/x":"Bearer CANARY"}],"pin":"1\"2","key":"LITERAL","prod":"env:prod","q":"file:main.rs","u":"file:///x"}"#
        );
    }

    #[test]
    fn what_cannot_be_had_is_said_without_the_text() {
        let wrong = |text: &str, hidden: &[&str]| {
            let hidden: Vec<String> = hidden.iter().map(|at| (*at).to_owned()).collect();
            PostBody::parse(text, None, &hidden, |_| None).unwrap_err().to_string()
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

    #[test]
    fn a_body_that_is_kept_elsewhere_is_sent_and_not_stored() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            format!("file:{}", dir.path().join(name).display())
        };
        let env = |name: &str| (name == "BODY").then(|| "<a>CANARY</a>".to_owned());
        let query =
            file("query.json", r#"{"query":"CANARY","variables":{"n":1.50,"after":""},"s":"env:BODY"}"#);
        let text = file("query.sql", "SELECT 'CANARY'\n");
        for (said, content_type, kind, expected) in [
            (
                query.as_str(),
                None,
                BodyKind::Json,
                r#"{"query":"CANARY","variables":{"n":1.50,"after":""},"s":"<a>CANARY</a>"}"#,
            ),
            (text.as_str(), None, BodyKind::Text, "SELECT 'CANARY'\n"),
            ("env:BODY", Some("text/xml"), BodyKind::Text, "<a>CANARY</a>"),
        ] {
            let body = PostBody::parse(said, content_type, &[], env).unwrap();
            assert_eq!(body.kind(), kind);
            assert!(!format!("{body:?}{}", body.text()).contains("CANARY"), "{said}");
            assert_eq!(sent(kind, body.text(), body.secrets()), expected);
        }
        // What a page has put there is sent.
        let body = PostBody::parse(&query, None, &[], env).unwrap();
        let next = pointer::set(body.text(), "/variables/after", "\"c2\"").unwrap();
        assert!(sent(BodyKind::Json, &next, body.secrets()).contains(r#""after":"c2""#));
        // A text that stands there is one, whatever it begins with, where its type says so.
        let graph = PostBody::parse("{ items { id } }", Some("application/graphql"), &[], env).unwrap();
        assert_eq!((graph.kind(), graph.text()), (BodyKind::Text, "{ items { id } }"));
        assert!(PostBody::parse("file:/nowhere/x", None, &[], env).is_err());
    }

    #[test]
    fn forms_are_written_when_they_are_sent() {
        let env = |name: &str| (name == "PIN").then(|| "1&2".to_owned());
        let fields = ["z=a b", "tag=x", "pin=env:PIN", "tag=y", "none="].map(str::to_owned);
        let body = PostBody::form(&fields, env).unwrap();
        assert_eq!(body.text(), r#"{"z":"a b","tag":["x","y"],"pin":"***","none":""}"#);
        let next = pointer::set(body.text(), "/page", "2").unwrap();
        assert_eq!(sent(BodyKind::Form, &next, body.secrets()), "z=a+b&tag=x&tag=y&pin=1%262&none=&page=2");
        assert!(PostBody::form(&["x".to_owned()], env).is_err());
    }
}

//! What a server says in an answer that is no success: its words, in one line.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

/// How much of it is read, and for how long.
const SAID_BYTES_MAX: usize = 4 * 1024;
const SAID_WITHIN: Duration = Duration::from_secs(5);

/// Members that hold words, and how deep they are looked for.
const NAMES: [&str; 9] =
    ["message", "error_description", "detail", "details", "title", "error", "msg", "reason", "description"];
const DEPTH_MAX: u32 = 4;

/// The beginning of what a server says, in one line.
pub(super) async fn said(mut response: Response) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while bytes.len() < SAID_BYTES_MAX
            && let Ok(Some(more)) = response.chunk().await
        {
            bytes.extend_from_slice(&more);
        }
    };
    // What did not come in time is not quoted.
    let _ = tokio::time::timeout(SAID_WITHIN, read).await;
    bytes.truncate(SAID_BYTES_MAX);
    line(&String::from_utf8_lossy(&bytes))
}

fn line(text: &str) -> String {
    let words = serde_json::from_str(text).ok().and_then(|said| words_of(&said));
    let words = words.or_else(|| of_xml(text));
    let text = words.as_deref().or_else(|| title(text)).unwrap_or(text);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a store says: its code and its message. What else it repeats of the request is not shown.
fn of_xml(text: &str) -> Option<String> {
    let (_, error) = text.split_once("<Error>")?;
    let of = |name: &str| {
        let (_, rest) = error.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.trim()).filter(|text| !text.is_empty())
    };
    match (of("Code"), of("Message")) {
        (None, None) => None,
        (code, message) => Some([code, message].into_iter().flatten().collect::<Vec<_>>().join(": ")),
    }
}

/// What a page for people is called: all that an error needs of it.
fn title(text: &str) -> Option<&str> {
    let begin = text.find("<title>")? + "<title>".len();
    let title = text[begin..].split("</title>").next()?.trim();
    Some(title).filter(|title| !title.is_empty())
}

/// The words of a refusal in JSON, wherever APIs have them: each once.
fn words_of(said: &Value) -> Option<String> {
    let mut words = Vec::new();
    collect(said, 0, &mut words);
    (!words.is_empty()).then(|| words.join("; "))
}

fn collect(said: &Value, depth: u32, words: &mut Vec<String>) {
    match said {
        Value::Object(members) if depth < DEPTH_MAX => {
            let texts = NAMES.iter().filter_map(|name| members.get(*name)?.as_str());
            texts.for_each(|text| add(text, words));
            for (name, inner) in members {
                if let (Value::Array(items), "errors" | "messages") = (inner, name.as_str()) {
                    items.iter().filter_map(Value::as_str).for_each(|text| add(text, words));
                }
                collect(inner, depth + 1, words);
            }
        }
        Value::Array(items) if depth < DEPTH_MAX => {
            items.iter().for_each(|inner| collect(inner, depth + 1, words));
        }
        _ => {}
    }
}

fn add(text: &str, words: &mut Vec<String>) {
    if !text.is_empty() && !words.iter().any(|known| known.contains(text)) {
        words.push(text.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_refusal_are_found_wherever_apis_have_them() {
        for (said, expected) in [
            (r#"{"message":"no such path"}"#, "no such path"),
            (
                r#"{"error":{"message":"Your plan does not allow it","code":"plan"}}"#,
                "Your plan does not allow it",
            ),
            (r#"{"errors":[{"code":"bad","detail":"filter[x] is unknown"}]}"#, "filter[x] is unknown"),
            (r#"{"errors":["one","two"]}"#, "one; two"),
            (
                r#"{"error":"invalid_grant","error_description":"The code is old"}"#,
                "The code is old; invalid_grant",
            ),
            (
                r#"{"title":"Bad Request","detail":"limit is too large","status":400}"#,
                "limit is too large; Bad Request",
            ),
            (r#"[{"message":"Session expired","errorCode":"X"}]"#, "Session expired"),
            (r#"{"code":17}"#, r#"{"code":17}"#),
            ("<html><head><title>Sign in</title></head>", "Sign in"),
            ("no such\r\n  thing", "no such thing"),
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>x</RequestId></Error>",
                "AccessDenied: Access Denied",
            ),
        ] {
            assert_eq!(line(said), expected, "{said}");
        }
    }
}

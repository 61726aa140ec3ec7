//! What the variables of `OpenLineage` ask for, as its own clients read them.

use dbload::internals::http::Webhook;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Where its clients send events, behind a URL that says nothing else.
const ENDPOINT: &str = "api/v1/lineage";

/// The namespace of jobs, where none is given.
const NAMESPACE: &str = "default";

/// Who hears of loads, and as what.
pub(crate) struct LineageSettings {
    pub(crate) receiver: Webhook,
    pub(super) namespace: String,
    /// The run that has started this process, as the facet says it.
    pub(super) parent: Option<Value>,
}

/// The time that a run is about: a window of a job file.
#[derive(Debug, Clone)]
pub(crate) struct NominalTime {
    pub(crate) starts_at: String,
    pub(crate) ends_at: String,
}

impl LineageSettings {
    /// Reads them; none where nobody wants to hear.
    ///
    /// # Errors
    /// What is wrong with a variable, without its value.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let said =
            |name: &str| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if said("OPENLINEAGE_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let Some(receiver) = receiver(&said)? else { return Ok(None) };
        let namespace = said("OPENLINEAGE_NAMESPACE").unwrap_or_else(|| NAMESPACE.to_owned());
        Ok(Some(Self { receiver, namespace, parent: parent(&said)? }))
    }
}

fn receiver(said: &dyn Fn(&str) -> Option<String>) -> Result<Option<Webhook>, String> {
    let transport = transport(said);
    let text = |key: &str| transport.get(key).and_then(Value::as_str).map(str::to_owned);
    let (name, url, endpoint, key) = match text("type").as_deref() {
        Some("http" | "async_http") => {
            ("OPENLINEAGE__TRANSPORT__URL", text("url"), text("endpoint"), api_key(transport.get("auth"))?)
        }
        Some("noop") => return Ok(None),
        Some(_) => return Err("OPENLINEAGE__TRANSPORT__TYPE: only http is spoken here".to_owned()),
        None => (
            "OPENLINEAGE_URL",
            said("OPENLINEAGE_URL"),
            said("OPENLINEAGE_ENDPOINT"),
            said("OPENLINEAGE_API_KEY"),
        ),
    };
    let Some(url) = url.or_else(|| said("OPENLINEAGE_URL")) else {
        // A transport without a place is a mistake; no transport is none.
        return if transport.is_empty() { Ok(None) } else { Err(format!("{name} is not set")) };
    };
    let endpoint = endpoint.unwrap_or_else(|| ENDPOINT.to_owned());
    let url = format!("{}/{}", url.trim_end_matches('/'), endpoint.trim_start_matches('/'));
    let receiver = Webhook::parse(&url).map_err(|why| format!("{name}: {why}"))?;
    match key {
        None => Ok(Some(receiver)),
        Some(key) => receiver.with_header("authorization", &format!("Bearer {key}")).map(Some),
    }
}

/// The keys of `OPENLINEAGE__TRANSPORT`, which is one of JSON or a variable a key.
fn transport(said: &dyn Fn(&str) -> Option<String>) -> Map<String, Value> {
    if let Some(Ok(Value::Object(whole))) = said("OPENLINEAGE__TRANSPORT").map(|t| serde_json::from_str(&t)) {
        return whole;
    }
    let mut keys = Map::new();
    for key in ["type", "url", "endpoint"] {
        let name = format!("OPENLINEAGE__TRANSPORT__{}", key.to_uppercase());
        keys.extend(said(&name).map(|text| (key.to_owned(), text.into())));
    }
    let auth = said("OPENLINEAGE__TRANSPORT__AUTH").and_then(|text| serde_json::from_str(&text).ok());
    let auth = auth.or_else(|| {
        let part = |name: &str| said(&format!("OPENLINEAGE__TRANSPORT__AUTH__{name}"));
        Some(json!({"type": part("TYPE")?, "apiKey": part("APIKEY").or_else(|| part("API_KEY"))}))
    });
    keys.extend(auth.map(|auth| ("auth".to_owned(), auth)));
    keys
}

fn api_key(auth: Option<&Value>) -> Result<Option<String>, String> {
    let Some(auth) = auth else { return Ok(None) };
    let text = |key: &str| auth.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    match text("type") {
        Some("api_key") => {
            let key = text("apiKey").or_else(|| text("apikey")).or_else(|| text("api_key"));
            let key = key.ok_or("OPENLINEAGE__TRANSPORT__AUTH has no apiKey")?;
            Ok(Some(key.to_owned()))
        }
        _ => Err("OPENLINEAGE__TRANSPORT__AUTH: only the type api_key is spoken here".to_owned()),
    }
}

/// The parent and the root: of `OPENLINEAGE_CONTEXT`, else of variables of their own.
fn parent(said: &dyn Fn(&str) -> Option<String>) -> Result<Option<Value>, String> {
    if let Some(text) = said("OPENLINEAGE_CONTEXT") {
        let context: Option<Value> = serde_json::from_str(&text).ok();
        let parent = context.as_ref().and_then(|context| relative(context.get("parent")?));
        let mut parent = parent.ok_or("OPENLINEAGE_CONTEXT: not {\"parent\": {\"run\": .., \"job\": ..}}")?;
        let root = context.as_ref().and_then(|context| relative(context.pointer("/parent/root")?));
        if let Some(root) = root {
            parent["root"] = root;
        }
        return Ok(Some(parent));
    }
    let by_name = |name: &str| match said(name) {
        None => Ok(None),
        Some(text) => of_words(&text).ok_or(format!("{name}: not NAMESPACE/NAME/UUID")).map(Some),
    };
    let Some(mut parent) = by_name("OPENLINEAGE_PARENT_ID")? else { return Ok(None) };
    if let Some(root) = by_name("OPENLINEAGE_ROOT_PARENT_ID")? {
        parent["root"] = root;
    }
    Ok(Some(parent))
}

/// Only what the facet has of it.
fn relative(value: &Value) -> Option<Value> {
    let text = |pointer: &str| value.pointer(pointer)?.as_str();
    let (namespace, name, run) = (text("/job/namespace")?, text("/job/name")?, text("/run/runId")?);
    of_words(&format!("{namespace}/{name}/{run}")).map(|_| person(namespace, name, run))
}

fn person(namespace: &str, name: &str, run: &str) -> Value {
    json!({"run": {"runId": run}, "job": {"namespace": namespace, "name": name}})
}

/// `NAMESPACE/NAME/UUID`; a namespace may have slashes.
fn of_words(text: &str) -> Option<Value> {
    let (rest, run) = text.rsplit_once('/')?;
    let (namespace, name) = rest.rsplit_once('/')?;
    let run = Uuid::parse_str(run).ok()?.to_string();
    (!namespace.is_empty() && !name.is_empty()).then(|| person(namespace, name, &run))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<LineageSettings>, String> {
        LineageSettings::read(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const URL: (&str, &str) = ("OPENLINEAGE_URL", "http://lineage.example:5000/");
    const RUN: &str = "0196f0a1-7c00-7000-8000-000000000001";

    #[test]
    fn nobody_hears_unless_a_variable_says_who() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("OPENLINEAGE_NAMESPACE", "x")]).unwrap().is_none());
        assert!(read(&[URL, ("OPENLINEAGE_DISABLED", "True")]).unwrap().is_none());
        assert!(read(&[URL, ("OPENLINEAGE__TRANSPORT__TYPE", "noop")]).unwrap().is_none());
        let settings = read(&[URL, ("OPENLINEAGE_DISABLED", "false")]).unwrap().unwrap();
        assert_eq!((settings.namespace.as_str(), settings.parent), ("default", None));
        assert!(
            read(&[("OPENLINEAGE__TRANSPORT", r#"{"type":"http","url":"http://a"}"#)]).unwrap().is_some()
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_what_stands_there() {
        for (variables, words) in [
            (vec![("OPENLINEAGE_URL", "canary")], "OPENLINEAGE_URL: must be a URL"),
            (vec![URL, ("OPENLINEAGE__TRANSPORT__TYPE", "kafka")], "only http"),
            (vec![("OPENLINEAGE__TRANSPORT__TYPE", "http")], "OPENLINEAGE__TRANSPORT__URL is not set"),
            (vec![URL, ("OPENLINEAGE_API_KEY", "canary\u{1}")], "authorization: no value"),
            (vec![URL, ("OPENLINEAGE_PARENT_ID", "a/canary")], "OPENLINEAGE_PARENT_ID: not"),
            (vec![URL, ("OPENLINEAGE_CONTEXT", "canary")], "OPENLINEAGE_CONTEXT: not"),
            (
                vec![
                    ("OPENLINEAGE__TRANSPORT__TYPE", "http"),
                    URL,
                    ("OPENLINEAGE__TRANSPORT__AUTH", r#"{"type":"canary"}"#),
                ],
                "only the type api_key",
            ),
        ] {
            let said = read(&variables).err().unwrap();
            assert!(said.contains(words) && !said.contains("canary"), "{said}");
        }
    }

    #[test]
    fn a_parent_is_taken_up_from_either_variable() {
        let id = format!("prod/air/dag.task/{RUN}");
        let root = format!("prod/dag/{RUN}");
        let settings = read(&[URL, ("OPENLINEAGE_PARENT_ID", &id), ("OPENLINEAGE_ROOT_PARENT_ID", &root)]);
        let parent = settings.unwrap().unwrap().parent.unwrap();
        assert_eq!(parent["job"], json!({"namespace": "prod/air", "name": "dag.task"}));
        assert_eq!((&parent["run"]["runId"], &parent["root"]["job"]["name"]), (&RUN.into(), &"dag".into()));
        let context =
            json!({"parent": {"run": {"runId": RUN}, "job": {"namespace": "n", "name": "j"}, "x": 1}});
        let context = context.to_string();
        let settings = read(&[URL, ("OPENLINEAGE_CONTEXT", &context), ("OPENLINEAGE_PARENT_ID", &id)]);
        assert_eq!(settings.unwrap().unwrap().parent.unwrap(), person("n", "j", RUN));
    }
}

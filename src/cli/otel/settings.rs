//! What the variables of OpenTelemetry ask for.

use dbload::internals::http::Webhook;
use percent_encoding::percent_decode_str;

use super::ids::ParentSpan;
use super::proto::OtelAttribute;
use super::sampling::TraceSampler;

/// What is spoken.
const PROTOCOL: &str = "http/protobuf";

/// Who hears of loads.
pub(super) struct OtelSettings {
    pub(super) traces: Option<Webhook>,
    pub(super) metrics: Option<Webhook>,
    /// What is said of this process.
    pub(super) resource: Vec<OtelAttribute>,
    pub(super) parent: Option<ParentSpan>,
    pub(super) sampler: TraceSampler,
}

impl OtelSettings {
    /// Reads them; none where nobody wants to hear.
    ///
    /// # Errors
    /// What is wrong with a variable, without its value.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let said =
            |name: &str| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if said("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let (traces, metrics) = (receiver(&said, "TRACES")?, receiver(&said, "METRICS")?);
        if traces.is_none() && metrics.is_none() {
            return Ok(None);
        }
        let parent = said("TRACEPARENT").and_then(|text| ParentSpan::parse(&text, said("TRACESTATE")));
        let (sampler, argument) = (said("OTEL_TRACES_SAMPLER"), said("OTEL_TRACES_SAMPLER_ARG"));
        let sampler = TraceSampler::read(sampler.as_deref(), argument.as_deref());
        Ok(Some(Self { traces, metrics, resource: resource(&said), parent, sampler }))
    }
}

/// Where messages of a kind go: its own variables win over those for all.
fn receiver(said: &dyn Fn(&str) -> Option<String>, signal: &str) -> Result<Option<Webhook>, String> {
    if said(&format!("OTEL_{signal}_EXPORTER")).is_some_and(|exporter| exporter == "none") {
        return Ok(None);
    }
    let either = |what: &str| {
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_{what}");
        said(&own).map(|text| (own, text)).or_else(|| {
            let of_all = format!("OTEL_EXPORTER_OTLP_{what}");
            said(&of_all).map(|text| (of_all, text))
        })
    };
    let Some((name, mut url)) = either("ENDPOINT") else { return Ok(None) };
    // That of a kind is the whole address, that for all what its path begins with.
    if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
        url = format!("{}/v1/{}", url.trim_end_matches('/'), signal.to_lowercase());
    }
    if let Some((name, protocol)) = either("PROTOCOL")
        && protocol != PROTOCOL
    {
        return Err(format!("{name}: only {PROTOCOL} is spoken here"));
    }
    let receiver = Webhook::parse(&url).map_err(|why| format!("{name}: {why}"))?;
    let mut receiver = receiver.with_header("content-type", "application/x-protobuf")?;
    if let Some((name, headers)) = either("HEADERS") {
        for pair in pairs(&headers).ok_or_else(|| format!("{name}: not NAME=VALUE,.."))? {
            receiver =
                receiver.with_header(&pair.key, &pair.value).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    Ok(Some(receiver))
}

/// What is said of this process in every message.
fn resource(said: &dyn Fn(&str) -> Option<String>) -> Vec<OtelAttribute> {
    let given = said("OTEL_RESOURCE_ATTRIBUTES").and_then(|text| pairs(&text)).unwrap_or_default();
    let mut resource: Vec<OtelAttribute> =
        given.into_iter().map(|pair| OtelAttribute::text(&pair.key, pair.value)).collect();
    let mut put = |key: &str, value: String, wins: bool| {
        let is_there = resource.iter().any(|attribute| attribute.key == key);
        if !is_there || wins {
            resource.retain(|attribute| attribute.key != key);
            resource.push(OtelAttribute::text(key, value));
        }
    };
    let name = said("OTEL_SERVICE_NAME");
    put("service.name", name.clone().unwrap_or_else(|| "dbload".to_owned()), name.is_some());
    put("service.version", env!("CARGO_PKG_VERSION").to_owned(), false);
    put("process.pid", std::process::id().to_string(), false);
    resource
}

struct Pair {
    key: String,
    value: String,
}

/// `KEY=VALUE,..`, values in the escapes of a URL.
fn pairs(text: &str) -> Option<Vec<Pair>> {
    let pair = |text: &str| {
        let (key, value) = text.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned();
        Some(Pair { key: key.trim().to_owned(), value }).filter(|pair| !pair.key.is_empty())
    };
    text.split(',').filter(|text| !text.trim().is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<OtelSettings>, String> {
        OtelSettings::read(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const URL: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

    #[test]
    fn nobody_hears_unless_an_endpoint_is_set() {
        let kinds = |variables: &[(&str, &str)]| {
            read(variables).unwrap().map(|settings| (settings.traces.is_some(), settings.metrics.is_some()))
        };
        assert_eq!(kinds(&[("OTEL_SERVICE_NAME", "x")]), None);
        assert_eq!(kinds(&[URL, ("OTEL_SDK_DISABLED", "true")]), None);
        assert_eq!(kinds(&[URL]), Some((true, true)));
        assert_eq!(kinds(&[URL, ("OTEL_TRACES_EXPORTER", "none")]), Some((false, true)));
        assert_eq!(kinds(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://a/b")]), Some((false, true)));
    }

    #[test]
    fn what_is_wrong_is_said_without_what_stands_there() {
        for (variable, words) in [
            (("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "canary"), "TRACES_ENDPOINT: must be a URL"),
            (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "only http/protobuf"),
            (("OTEL_EXPORTER_OTLP_HEADERS", "canary"), "not NAME=VALUE"),
            (("OTEL_EXPORTER_OTLP_HEADERS", "x=a%0acanary"), "x: no value of a header"),
        ] {
            let said = read(&[URL, variable]).err().unwrap();
            assert!(said.contains(words) && !said.contains("canary"), "{said}");
        }
    }

    #[test]
    fn the_resource_is_what_the_variables_say_and_what_is_known() {
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,deployment.environment.name=p%20q");
        let of = |variables: &[(&str, &str)], key: &str| {
            let resource = read(variables).unwrap().unwrap().resource;
            resource.into_iter().filter(|a| a.key == key).collect::<Vec<_>>()
        };
        assert_eq!(of(&[URL], "service.name"), [OtelAttribute::text("service.name", "dbload")]);
        assert_eq!(of(&[URL, attributes], "service.name"), [OtelAttribute::text("service.name", "a")]);
        let named = [URL, attributes, ("OTEL_SERVICE_NAME", "b")];
        assert_eq!(of(&named, "service.name"), [OtelAttribute::text("service.name", "b")]);
        let environment = of(&named, "deployment.environment.name");
        assert_eq!(environment, [OtelAttribute::text("deployment.environment.name", "p q")]);
    }
}

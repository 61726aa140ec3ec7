//! Stands in for OpenTelemetry in a build without it: never reached.

use std::sync::Arc;

use dbload::internals::event::{Event, Totals};
use dbload::internals::feature;
use dbload::internals::load::Outcome;

/// There is none.
pub(crate) enum Telemetry {}

/// There are none.
pub(crate) enum SpansOfLoad {}

impl Telemetry {
    /// None; where somebody has asked for it, that is said.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let is_asked = |name: &str| variable(name).is_some_and(|text| !text.is_empty());
        let names = ["ENDPOINT", "TRACES_ENDPOINT", "METRICS_ENDPOINT"];
        if !names.iter().any(|name| is_asked(&format!("OTEL_EXPORTER_OTLP_{name}"))) {
            return Ok(None);
        }
        let missing = feature::OTEL.needed_for(|| "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned());
        missing.map(|()| None).map_err(|missing| format!("{missing}; {}", missing.hint()))
    }

    pub(crate) async fn close(&self, _was_stopped: bool) -> Vec<String> {
        match *self {}
    }
}

impl SpansOfLoad {
    pub(crate) fn new(telemetry: Arc<Telemetry>, _load: Option<&str>) -> Self {
        match *telemetry {}
    }

    pub(crate) fn on(&self, _event: &Event, _totals: &Totals) {
        match *self {}
    }

    pub(crate) fn end(&self, _outcome: Option<&Outcome>) {
        match *self {}
    }
}

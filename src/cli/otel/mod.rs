//! OpenTelemetry: spans of a load and how long its statements took, to whoever the standard variables name.
//!
//! By OTLP over HTTP, in protobuf, which is what those variables mean where they say nothing else. Written by
//! hand: the few messages that a load needs are less than the crates that would bring all of them. Nothing of
//! it waits for a receiver but the end, and that for a short time.

#[cfg_attr(not(feature = "otel"), path = "absent.rs")]
mod attempt;
#[cfg(feature = "otel")]
mod histogram;
#[cfg(feature = "otel")]
mod ids;
#[cfg(feature = "otel")]
mod proto;
#[cfg(feature = "otel")]
mod sampling;
#[cfg(feature = "otel")]
mod settings;
#[cfg(feature = "otel")]
mod telemetry;
#[cfg(feature = "otel")]
mod trace_span;

pub(crate) use attempt::SpansOfLoad;
#[cfg(not(feature = "otel"))]
pub(crate) use attempt::Telemetry;
#[cfg(feature = "otel")]
pub(crate) use telemetry::Telemetry;

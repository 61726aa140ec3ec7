//! A span, and spans as a message.

use super::ids::{SpanId, TraceId};
use super::proto::{Message, OtelAttribute};

/// Names of conventions are those of this version.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.30.0";

/// What a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TraceSpanKind {
    /// Work of this process.
    Internal = 1,
    /// It waits for a server.
    Client = 3,
}

/// Something at a moment within a span.
#[derive(Debug, Clone)]
pub(super) struct TraceSpanEvent {
    pub(super) at: u64,
    pub(super) name: &'static str,
    pub(super) attributes: Vec<OtelAttribute>,
}

/// A span that has ended. Moments are nanoseconds since 1970.
#[derive(Debug, Clone)]
pub(super) struct TraceSpan {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) state: Option<String>,
    pub(super) name: String,
    pub(super) kind: TraceSpanKind,
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) attributes: Vec<OtelAttribute>,
    pub(super) events: Vec<TraceSpanEvent>,
    /// Why it failed, if it did.
    pub(super) error: Option<String>,
}

/// Spans as what a receiver takes.
pub(super) fn export(resource: &[OtelAttribute], ended: &[TraceSpan]) -> Vec<u8> {
    let mut scoped = Message::default();
    scoped.message(1, &scope());
    for span in ended {
        scoped.message(2, &message(span));
    }
    scoped.text(3, SCHEMA_URL);
    Message::of(1, &of_resource(resource, &scoped)).into_bytes()
}

/// Something scoped, and whose it is.
pub(super) fn of_resource(resource: &[OtelAttribute], scoped: &Message) -> Message {
    let mut attributes = Message::default();
    attributes.attributes(1, resource);
    let mut whole = Message::default();
    whole.message(1, &attributes);
    whole.message(2, scoped);
    whole
}

/// Who has measured.
pub(super) fn scope() -> Message {
    let mut scope = Message::default();
    scope.text(1, "dbload");
    scope.text(2, env!("CARGO_PKG_VERSION"));
    scope
}

fn message(span: &TraceSpan) -> Message {
    let mut message = Message::default();
    message.bytes(1, &span.trace);
    message.bytes(2, &span.id);
    if let Some(state) = &span.state {
        message.text(3, state);
    }
    if let Some(parent) = &span.parent {
        message.bytes(4, parent);
    }
    message.text(5, &span.name);
    message.varint(6, span.kind as u64);
    message.fixed(7, span.began);
    message.fixed(8, span.ended.max(span.began));
    message.attributes(9, &span.attributes);
    for event in &span.events {
        let mut told = Message::default();
        told.fixed(1, event.at);
        told.text(2, event.name);
        told.attributes(3, &event.attributes);
        message.message(11, &told);
    }
    if let Some(error) = &span.error {
        let mut status = Message::default();
        status.text(2, error);
        status.varint(3, 2);
        message.message(15, &status);
    }
    message
}

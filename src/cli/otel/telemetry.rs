//! What the loads of a process tell, and to whom.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::histogram::Measured;
use super::ids::{ParentSpan, TraceId, new_trace};
use super::proto::OtelAttribute;
use super::settings::OtelSettings;
use super::trace_span::{TraceSpan, export};
use crate::cli::outbox::Outbox;

/// How often it is told what was measured, as the standard has it.
const METRICS_EVERY: Duration = Duration::from_secs(60);

/// Of a process.
pub(crate) struct Telemetry {
    traces: Option<Outbox>,
    metrics: Option<Outbox>,
    resource: Vec<OtelAttribute>,
    pub(super) parent: Option<ParentSpan>,
    /// That of all loads of this process.
    pub(super) trace: TraceId,
    is_sampled: bool,
    since: u64,
    measured: Mutex<Measured>,
    told_at: Mutex<Instant>,
}

impl Telemetry {
    /// As the variables ask for it; none where they do not.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        Ok(OtelSettings::read(variable)?.map(Self::new))
    }

    fn new(settings: OtelSettings) -> Self {
        let OtelSettings { traces, metrics, resource, parent, sampler } = settings;
        let trace = parent.as_ref().map_or_else(new_trace, |parent| parent.trace);
        Self {
            traces: traces.map(|receiver| Outbox::new("OpenTelemetry traces", receiver)),
            metrics: metrics.map(|receiver| Outbox::new("OpenTelemetry metrics", receiver)),
            is_sampled: sampler.keeps(parent.as_ref(), &trace),
            resource,
            parent,
            trace,
            since: nanoseconds(SystemTime::now()),
            measured: Mutex::default(),
            told_at: Mutex::new(Instant::now()),
        }
    }

    pub(super) const fn wants_spans(&self) -> bool {
        self.traces.is_some() && self.is_sampled
    }

    /// Spans have ended.
    pub(super) fn tell_spans(&self, ended: &[TraceSpan]) {
        if let Some(traces) = self.traces.as_ref().filter(|_| !ended.is_empty()) {
            traces.tell(export(&self.resource, ended));
        }
    }

    /// Something was measured.
    pub(super) fn measure(&self, note: impl FnOnce(&mut Measured)) {
        if self.metrics.is_none() {
            return;
        }
        note(&mut self.measured.lock().unwrap_or_else(PoisonError::into_inner));
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        if told_at.elapsed() >= METRICS_EVERY {
            *told_at = Instant::now();
            self.tell_metrics();
        }
    }

    fn tell_metrics(&self) {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(metrics) = &self.metrics {
            metrics.tell(measured.export(&self.resource, self.since, nanoseconds(SystemTime::now())));
        }
    }

    /// All has ended. What is to be said of what did not arrive.
    pub(crate) async fn close(&self, was_stopped: bool) -> Vec<String> {
        self.tell_metrics();
        let close = async |outbox: &Option<Outbox>| match outbox {
            Some(outbox) => outbox.close(was_stopped).await,
            None => None,
        };
        let (traces, metrics) = tokio::join!(close(&self.traces), close(&self.metrics));
        traces.into_iter().chain(metrics).collect()
    }
}

/// Since 1970.
pub(super) fn nanoseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

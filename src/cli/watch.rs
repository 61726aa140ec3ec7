//! Who listens to loads beside people: the file of events, lineage, telemetry. Wired here, so that one load
//! and the loads of a job file are heard by the same ones.

use std::sync::Arc;

use dbload::internals::event::{Event, Totals};
use dbload::internals::load::Outcome;

use super::events::{EventsFile, Recorder};
use super::lineage::{LineageAttempt, LineageJob, LineageSettings};
use super::otel::{SpansOfLoad, Telemetry};
use super::outbox::Outbox;
use super::progress::Progress;

/// Those of a process.
#[derive(Default, Clone)]
pub(crate) struct Watchers {
    events: Option<Arc<EventsFile>>,
    lineage: Option<Arc<Lineage>>,
    telemetry: Option<Arc<Telemetry>>,
}

struct Lineage {
    settings: LineageSettings,
    outbox: Arc<Outbox>,
}

/// Those of one attempt of a load.
pub(crate) struct AttemptWatch {
    recorder: Option<Recorder>,
    lineage: Option<LineageAttempt>,
    trace: Option<SpansOfLoad>,
}

impl Watchers {
    /// Those that the flags and the environment ask for. Whoever cannot be reached as it was said is said to
    /// people, and changes nothing. `is_told`: lineage is told by whoever has started this process.
    pub(crate) fn new(events: Option<Arc<EventsFile>>, is_told: bool, progress: &Progress) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let settings = if is_told { Ok(None) } else { LineageSettings::read(variable) };
        let settings = settings.unwrap_or_else(|why| {
            progress.say(&format!("OpenLineage is not told: {why}"));
            None
        });
        let lineage = settings.map(|settings| {
            let outbox = Arc::new(Outbox::new("OpenLineage", settings.receiver.clone()));
            Arc::new(Lineage { settings, outbox })
        });
        let telemetry = Telemetry::read(variable).unwrap_or_else(|why| {
            progress.say(&format!("OpenTelemetry is not told: {why}"));
            None
        });
        Self { events, lineage, telemetry: telemetry.map(Arc::new) }
    }

    /// Somebody wants to hear of each batch.
    pub(crate) const fn want_batches(&self) -> bool {
        self.events.is_some() || self.telemetry.is_some()
    }

    /// An attempt begins. `load`: what it is called.
    pub(crate) fn begin(&self, load: &LineageJob) -> AttemptWatch {
        let name = match load {
            LineageJob::Named { job, load, .. } => Some(format!("{job}/{load}")),
            LineageJob::Single { .. } => None,
        };
        AttemptWatch {
            trace: self
                .telemetry
                .as_ref()
                .map(|telemetry| SpansOfLoad::new(Arc::clone(telemetry), name.as_deref())),
            recorder: self.events.as_ref().map(|file| Recorder::new(Arc::clone(file), name)),
            lineage: self
                .lineage
                .as_ref()
                .map(|lineage| LineageAttempt::new(Arc::clone(&lineage.outbox), &lineage.settings, load)),
        }
    }

    /// All have ended: says what did not arrive where it should. What was loaded does not depend on it.
    pub(crate) async fn close(&self, was_stopped: bool, progress: &Progress) {
        if let Some(words) = self.events.as_deref().and_then(EventsFile::trouble) {
            progress.say(&words);
        }
        let lineage = async || match &self.lineage {
            Some(lineage) => lineage.outbox.close(was_stopped).await,
            None => None,
        };
        let telemetry = async || match &self.telemetry {
            Some(telemetry) => telemetry.close(was_stopped).await,
            None => Vec::new(),
        };
        let (lineage, telemetry) = tokio::join!(lineage(), telemetry());
        lineage.into_iter().chain(telemetry).for_each(|words| progress.say(&words));
    }
}

impl AttemptWatch {
    /// Hears what happens.
    pub(crate) fn on(&self, event: &Event, totals: &Totals) {
        if let Some(recorder) = &self.recorder {
            recorder.on(event, totals);
        }
        if let Some(lineage) = &self.lineage {
            lineage.on(event);
        }
        if let Some(trace) = &self.trace {
            trace.on(event, totals);
        }
    }

    /// The attempt has ended; no outcome: it did not stop in its time.
    pub(crate) fn end(&self, outcome: Option<&Outcome>, code: u8) {
        if let (Some(recorder), Some(outcome)) = (&self.recorder, outcome) {
            recorder.end(outcome, code);
        }
        if let Some(lineage) = &self.lineage {
            lineage.end(outcome);
        }
        if let Some(trace) = &self.trace {
            trace.end(outcome);
        }
    }
}

//! The record as a trace in Chrome's form, which Perfetto opens: a process an attempt, a track a connection
//! and a loop. On no track two things overlap.

use serde_json::{Value, json};

use super::figures::Attempt;
use super::read::EventRecord;

/// Tracks of the loops; those of connections follow.
const READ: u32 = 1;
const DECODE: u32 = 10;
const CONNECTIONS: u32 = 1_000;

/// The trace.
pub(crate) fn trace(recorded: &EventRecord) -> Value {
    let mut events = Vec::new();
    let attempts =
        recorded.loads.iter().flat_map(|load| load.attempts.iter().map(move |attempt| (load, attempt)));
    let first = attempts.clone().filter_map(|(_, attempt)| attempt.began_at()).min();
    for (n, (load, attempt)) in attempts.enumerate() {
        let began = attempt.began_at().zip(first);
        let offset = began.map_or(0.0, |(at, first)| at.duration_since(first).as_secs_f64());
        let name = load.name.as_deref().or(load.run.as_deref()).unwrap_or("load");
        let mut tracks = Tracks { pid: n + 1, offset, events: &mut events };
        tracks.name_process(&format!("{name}, attempt {}", attempt.number));
        of_attempt(attempt, &mut tracks);
    }
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

struct Tracks<'t> {
    pid: usize,
    /// Seconds behind the first attempt.
    offset: f64,
    events: &'t mut Vec<Value>,
}

impl Tracks<'_> {
    fn name_process(&mut self, name: &str) {
        self.events.push(json!({"ph": "M", "name": "process_name", "pid": self.pid, "args": {"name": name}}));
    }

    fn name_track(&mut self, tid: u32, name: &str) {
        let args = json!({"name": name});
        self.events
            .push(json!({"ph": "M", "name": "thread_name", "pid": self.pid, "tid": tid, "args": args}));
    }

    /// From then until then; to the microsecond, so that what follows begins where this ends.
    fn span(&mut self, tid: u32, name: &str, [from, to]: [f64; 2], args: &Value) {
        let (from, to) = (self.micros(from), self.micros(to));
        if to > from {
            let event = json!({"ph": "X", "name": name, "pid": self.pid, "tid": tid, "ts": from, "dur": to.saturating_sub(from),
                               "args": args});
            self.events.push(event);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "microseconds of a load")]
    fn micros(&self, seconds: f64) -> i64 {
        ((self.offset + seconds) * 1e6).round() as i64
    }

    fn level(&mut self, name: &str, t: f64, values: &Value) {
        let ts = self.micros(t);
        self.events.push(json!({"ph": "C", "name": name, "pid": self.pid, "ts": ts, "args": values}));
    }
}

fn of_attempt(attempt: &Attempt, tracks: &mut Tracks<'_>) {
    tracks.name_track(READ, "read");
    let mut decoders: Vec<f64> = Vec::new();
    let mut blocks: Vec<_> = attempt.blocks.iter().collect();
    blocks.sort_by(|a, b| a.decoded[0].total_cmp(&b.decoded[0]));
    for block in blocks {
        let args = json!({"records": block.records, "bytes": block.bytes, "source": block.source});
        let [from, to] = block.read;
        let work = (to - block.reading).max(from);
        tracks.span(READ, "wait for bytes", [from, work], &json!({}));
        tracks.span(READ, "read", [work, to], &args);
        let [from, to] = block.decoded;
        // Threads are not known by name: the first that is free has done it.
        let free = decoders.iter().position(|until| *until <= from);
        let n = free.unwrap_or_else(|| {
            decoders.push(0.0);
            decoders.len() - 1
        });
        decoders[n] = to;
        tracks.span(DECODE + u32::try_from(n).unwrap_or(0), "decode", [from, to], &args);
    }
    for n in 0..decoders.len() {
        tracks.name_track(DECODE + u32::try_from(n).unwrap_or(0), &format!("decode {}", n + 1));
    }
    for partition in 0..attempt.partitions() {
        tracks.name_track(CONNECTIONS + partition, &format!("connection {}", partition + 1));
    }
    for batch in &attempt.batches {
        let args = json!({"way": batch.way, "records": batch.rows.read, "rejected": batch.rows.rejected,
                          "bytes": batch.bytes, "retries": batch.retries});
        let mut at = batch.began;
        for (name, part) in [
            ("wait", batch.waited()),
            ("copy", batch.copied),
            ("merge", batch.merged),
            ("commit", batch.committed),
        ] {
            tracks.span(CONNECTIONS.saturating_add(batch.partition), name, [at, at + part], &args);
            at += part;
        }
    }
    for (t, sample) in &attempt.samples {
        tracks.level("connections", *t, &json!({"open": sample.connections, "busy": sample.busy}));
        if let Some(in_flight) = sample.in_flight {
            tracks.level("requests", *t, &json!({"in flight": in_flight}));
        }
        let queues = json!({"blocks": sample.blocks_waiting, "batches": sample.batches_waiting});
        tracks.level("queues", *t, &queues);
        if let Some(bytes) = sample.resident_bytes {
            tracks.level("memory", *t, &json!({"bytes": bytes}));
        }
    }
    for tick in &attempt.ticks {
        let ts = tracks.micros(tick.at);
        let pid = tracks.pid;
        tracks
            .events
            .push(json!({"ph": "i", "s": "p", "name": tick.words, "pid": pid, "tid": READ, "ts": ts}));
    }
}

//! Who did what, when: lanes of columns, each with the shares of what it is made of. However many batches
//! there were, a lane has so many columns and no more.

#![expect(clippy::cast_possible_truncation, reason = "places in a picture")]

use super::figures::{Attempt, Loaded};

/// Samples that a rate is over.
const SMOOTHED: usize = 8;

/// Columns between two attempts.
const GAP: usize = 6;

/// An attempt has at least so many.
const ATTEMPT_MIN: usize = 10;

/// Attempts that are drawn: the last ones.
pub(super) const ATTEMPTS_MAX: usize = 12;

/// Connections that have a lane of their own; more of them share lanes.
const CONNECTIONS_MAX: usize = 8;

/// What a lane is made of: its name and its class in the style.
pub(super) type LaneState = (&'static str, &'static str);

pub(super) const SOURCE: [LaneState; 3] =
    [("preparing, closing", "p"), ("waiting for bytes", "w"), ("reading", "r")];
pub(super) const DECODE: [LaneState; 1] = [("decoding", "d")];
pub(super) const CONNECTION: [LaneState; 4] =
    [("waiting", "x"), ("copy", "c"), ("merge", "m"), ("commit", "k")];

/// Where the attempts lie on the axis.
pub(super) struct Axis {
    pub(super) stretches: Vec<AttemptStretch>,
    pub(super) columns: usize,
}

/// An attempt on the axis.
pub(super) struct AttemptStretch {
    /// Its place among the attempts.
    pub(super) attempt: usize,
    pub(super) from: usize,
    pub(super) columns: usize,
    pub(super) seconds: f64,
}

impl Axis {
    pub(super) fn of(load: &Loaded, columns: usize) -> Self {
        let first = load.attempts.len().saturating_sub(ATTEMPTS_MAX);
        let drawn = &load.attempts[first..];
        let all: f64 = drawn.iter().map(Attempt::seconds).sum();
        let room = columns.saturating_sub((GAP + ATTEMPT_MIN) * drawn.len().saturating_sub(1)).max(20);
        let mut from = 0;
        let mut stretches = Vec::new();
        for (n, attempt) in drawn.iter().enumerate() {
            let seconds = attempt.seconds();
            let columns = ((seconds / all * room as f64) as usize).max(ATTEMPT_MIN);
            stretches.push(AttemptStretch { attempt: first + n, from, columns, seconds });
            from += columns + GAP;
        }
        Self { stretches, columns: from.saturating_sub(GAP).max(1) }
    }
}

/// A lane.
pub(super) struct TimeLane {
    pub(super) name: String,
    pub(super) states: &'static [LaneState],
    /// Of each column, how much of it is what: shares from 0 to 1.
    pub(super) columns: Vec<[f32; 4]>,
    /// Of each state, the seconds.
    pub(super) seconds: [f64; 4],
}

impl TimeLane {
    fn new(name: String, states: &'static [LaneState], axis: &Axis) -> Self {
        Self { name, states, columns: vec![[0.0; 4]; axis.columns], seconds: [0.0; 4] }
    }

    /// From then until then it was at that, as one of so many who share the lane.
    fn add(&mut self, stretch: &AttemptStretch, [from, to]: [f64; 2], state: usize, of: f64) {
        if !(from.is_finite() && to > from) {
            return;
        }
        self.seconds[state] += to - from;
        let width = stretch.seconds / stretch.columns as f64;
        let (from, to) = ((from / width).max(0.0), (to / width).min(stretch.columns as f64));
        let mut column = from as usize;
        while (column as f64) < to && column < stretch.columns {
            let share = (to.min(column as f64 + 1.0) - from.max(column as f64)) / of;
            if let Some(column) = self.columns.get_mut(stretch.from + column) {
                column[state] = (column[state] + share as f32).min(1.0);
            }
            column += 1;
        }
    }

    /// The share of the time that it was at anything.
    pub(super) fn busy(&self, all: f64) -> f64 {
        (self.seconds.iter().sum::<f64>() / all.max(1e-9)).clamp(0.0, 1.0)
    }
}

/// The lanes of a load: source, decoding, connections.
pub(super) fn lanes(load: &Loaded, axis: &Axis) -> Vec<TimeLane> {
    let cores = load.plan().map_or(1, |plan| plan.cores.clamp(1, 4096));
    let partitions = load.attempts.iter().map(Attempt::partitions).max().unwrap_or(0) as usize;
    let lanes_of = partitions.min(CONNECTIONS_MAX);
    let mut source = TimeLane::new("source".to_owned(), &SOURCE, axis);
    let threads = if cores == 1 { String::new() } else { format!(", {cores} cores") };
    let mut decode = TimeLane::new(format!("decode{threads}"), &DECODE, axis);
    let name = |n: usize| {
        let (first, last) = (n * partitions / lanes_of.max(1) + 1, (n + 1) * partitions / lanes_of.max(1));
        if first == last { format!("connection {first}") } else { format!("connections {first} to {last}") }
    };
    let mut connections: Vec<TimeLane> =
        (0..lanes_of).map(|n| TimeLane::new(name(n), &CONNECTION, axis)).collect();
    for stretch in &axis.stretches {
        let attempt = &load.attempts[stretch.attempt];
        source.add(stretch, [0.0, attempt.planned], 0, 1.0);
        if let Some(pipeline) = attempt.spent("pipeline") {
            source.add(stretch, [attempt.planned + pipeline, attempt.last], 0, 1.0);
        }
        for block in &attempt.blocks {
            let [from, to] = block.read;
            let work = (to - block.reading).max(from);
            source.add(stretch, [from, work], 1, 1.0);
            source.add(stretch, [work, to], 2, 1.0);
            let [from, to] = block.decoded;
            decode.add(stretch, [from, to], 0, cores as f64);
        }
        for batch in &attempt.batches {
            let n = (batch.partition as usize * lanes_of / partitions.max(1)).min(lanes_of.saturating_sub(1));
            let Some(lane) = connections.get_mut(n) else { continue };
            let sharing = (partitions as f64 / lanes_of as f64).max(1.0);
            let mut at = batch.began;
            let parts = [batch.waited(), batch.copied, batch.merged, batch.committed];
            for (state, part) in parts.into_iter().enumerate() {
                lane.add(stretch, [at, at + part], state, sharing);
                at += part;
            }
        }
    }
    let mut lanes = vec![source, decode];
    lanes.append(&mut connections);
    lanes
}

/// A curve below the lanes.
pub(super) struct Curve {
    pub(super) name: &'static str,
    /// The greatest value, in words.
    pub(super) top: String,
    /// Of each column, from 0 to 1; none where nothing is known.
    pub(super) columns: Vec<Option<f32>>,
}

/// Throughput, rejects, memory, CPU and requests.
pub(super) fn curves(load: &Loaded, axis: &Axis) -> Vec<Curve> {
    let rows = by_column(load, axis, |attempt| {
        attempt.batches.iter().map(|batch| (batch.ended, batch.rows.read as f64)).collect()
    });
    let rejects = by_column(load, axis, |attempt| {
        attempt.batches.iter().map(|batch| (batch.ended, batch.rows.rejected as f64)).collect()
    });
    let memory = levels(load, axis, |attempt| {
        let of =
            |(t, sample): &(f64, crate::cli::events::SampleLine)| Some((*t, sample.resident_bytes? as f64));
        attempt.samples.iter().filter_map(of).collect()
    });
    let growth = |of: fn(&crate::cli::events::SampleLine) -> Option<f64>| {
        levels(load, axis, move |attempt| {
            // Over some of them: a glance of a tenth of a second is all or nothing.
            let pairs =
                attempt.samples.windows(SMOOTHED.min(attempt.samples.len().max(2))).filter_map(|some| {
                    let ((from, a), (to, b)) = (some.first()?, some.last()?);
                    (to > from).then_some((*to, (of(b)? - of(a)?).max(0.0) / (to - from)))
                });
            pairs.collect()
        })
    };
    let cpu = growth(|sample| Some(sample.cpu));
    let requests = growth(|sample| Some(sample.requests? as f64));
    let per_second = |top: f64| format!("{}/s", super::escape::count(top as u64));
    let mut curves = vec![curve("records a second", rows, per_second)];
    curves.push(curve("rejects a second", rejects, per_second));
    curves.push(curve("memory", memory, |top| super::escape::bytes(top as u64)));
    curves.push(curve("cores in use", cpu, |top| format!("{top:.1}")));
    curves.push(curve("requests a second", requests, per_second));
    curves.retain(|curve| curve.columns.iter().any(|value| value.is_some_and(|value| value > 0.0)));
    curves
}

fn curve(name: &'static str, values: Vec<Option<f64>>, words: impl Fn(f64) -> String) -> Curve {
    let top = values.iter().flatten().fold(0.0_f64, |top, value| top.max(*value));
    let share = |value: f64| if top > 0.0 { (value / top) as f32 } else { 0.0 };
    Curve { name, top: words(top), columns: values.into_iter().map(|value| value.map(share)).collect() }
}

/// What came in the time of a column, a second; smoothed over some, so that a batch is no needle.
fn by_column(load: &Loaded, axis: &Axis, of: impl Fn(&Attempt) -> Vec<(f64, f64)>) -> Vec<Option<f64>> {
    const EACH_SIDE: usize = 4;
    let mut out = vec![None; axis.columns];
    for stretch in &axis.stretches {
        let width = stretch.seconds / stretch.columns as f64;
        let mut sums = vec![0.0; stretch.columns];
        for (t, value) in of(&load.attempts[stretch.attempt]) {
            let column = ((t / width).max(0.0) as usize).min(stretch.columns - 1);
            sums[column] += value;
        }
        for n in 0..stretch.columns {
            let window = n.saturating_sub(EACH_SIDE)..(n + EACH_SIDE + 1).min(stretch.columns);
            let seconds = window.len() as f64 * width;
            out[stretch.from + n] = Some(sums[window].iter().sum::<f64>() / seconds);
        }
    }
    out
}

/// A level at each column: the last that was heard of.
fn levels(load: &Loaded, axis: &Axis, of: impl Fn(&Attempt) -> Vec<(f64, f64)>) -> Vec<Option<f64>> {
    let mut out = vec![None; axis.columns];
    for stretch in &axis.stretches {
        let width = stretch.seconds / stretch.columns as f64;
        let mut heard = of(&load.attempts[stretch.attempt]).into_iter().peekable();
        let mut level = heard.peek().map(|(_, value)| *value);
        for n in 0..stretch.columns {
            let until = (n + 1) as f64 * width;
            while let Some((_, value)) = heard.next_if(|(t, _)| *t <= until) {
                level = Some(value);
            }
            out[stretch.from + n] = level;
        }
    }
    out
}

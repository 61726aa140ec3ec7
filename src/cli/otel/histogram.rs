//! How long statements took, as `db.client.operation.duration`, and what became of records.

use std::collections::BTreeMap;

use dbload::internals::account::Books;

use super::proto::{Message, OtelAttribute};
use super::trace_span::{of_resource, scope};

/// The bounds that the convention advises, in seconds.
const BOUNDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// What has been counted does not go back.
const CUMULATIVE: u64 = 2;

/// Statements of one kind, of one table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StatementKind {
    pub(super) name: &'static str,
    pub(super) table: TableAt,
}

/// A table, and the server that it is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TableAt {
    pub(super) table: String,
    pub(super) database: String,
    pub(super) host: String,
    pub(super) port: u64,
}

impl TableAt {
    /// Of `host:port/name` and `schema.table`.
    pub(super) fn of(place: &str, table: &str) -> Self {
        let (server, database) = place.rsplit_once('/').unwrap_or((place, ""));
        let server = server.split(',').next().unwrap_or_default();
        let (host, port) = server.rsplit_once(':').unwrap_or((server, ""));
        let port = port.parse().unwrap_or(5432);
        Self { table: table.to_owned(), database: database.to_owned(), host: host.to_owned(), port }
    }

    /// As the conventions for databases name it.
    pub(super) fn attributes(&self) -> Vec<OtelAttribute> {
        vec![
            OtelAttribute::text("db.system.name", "postgresql"),
            OtelAttribute::text("db.namespace", self.database.clone()),
            OtelAttribute::text("db.collection.name", self.table.clone()),
            OtelAttribute::text("server.address", self.host.clone()),
            OtelAttribute::number("server.port", self.port),
        ]
    }
}

#[derive(Debug, Clone, Default)]
struct Durations {
    counts: [u64; BOUNDS.len() + 1],
    sum: f64,
    least: f64,
    most: f64,
}

/// All that this process has measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    durations: BTreeMap<StatementKind, Durations>,
    records: BTreeMap<TableAt, Books>,
}

impl Measured {
    /// A statement has taken so many seconds.
    pub(super) fn took(&mut self, operation: StatementKind, seconds: f64) {
        let of = self.durations.entry(operation).or_default();
        let is_first = of.counts.iter().sum::<u64>() == 0;
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        of.counts[bucket] += 1;
        of.sum += seconds;
        of.least = if is_first { seconds } else { of.least.min(seconds) };
        of.most = of.most.max(seconds);
    }

    /// Records of a batch were committed.
    pub(super) fn committed(&mut self, table: &TableAt, rows: &Books) {
        self.records.entry(table.clone()).or_default().add(rows);
    }

    /// All of it, as what a receiver takes. Moments are nanoseconds since 1970.
    pub(super) fn export(&self, resource: &[OtelAttribute], since: u64, now: u64) -> Vec<u8> {
        let mut scoped = Message::default();
        scoped.message(1, &scope());
        let span = TimeSpan { since, now };
        scoped.message(2, &self.duration_metric(&span));
        scoped.message(2, &self.record_metric(&span));
        Message::of(1, &of_resource(resource, &scoped)).into_bytes()
    }

    fn duration_metric(&self, span: &TimeSpan) -> Message {
        let mut histogram = Message::default();
        for (operation, of) in &self.durations {
            let mut point = span.point();
            point.fixed(4, of.counts.iter().sum());
            point.double(5, of.sum);
            point.packed(6, of.counts.iter().copied());
            point.packed(7, BOUNDS.iter().map(|bound| bound.to_bits()));
            let mut attributes = operation.table.attributes();
            attributes.push(OtelAttribute::text("db.operation.name", operation.name));
            point.attributes(9, &attributes);
            point.double(11, of.least);
            point.double(12, of.most);
            histogram.message(1, &point);
        }
        histogram.varint(2, CUMULATIVE);
        let mut metric = Message::default();
        metric.text(1, "db.client.operation.duration");
        metric.text(2, "Duration of database client operations.");
        metric.text(3, "s");
        metric.message(9, &histogram);
        metric
    }

    fn record_metric(&self, span: &TimeSpan) -> Message {
        let mut sum = Message::default();
        for (table, books) in &self.records {
            let fates = [
                ("inserted", books.inserted),
                ("updated", books.updated),
                ("unchanged", books.unchanged),
                ("deleted", books.deleted),
                ("deduplicated", books.deduplicated),
                ("skipped", books.skipped),
                ("rejected", books.rejected),
            ];
            for (name, count) in fates {
                let mut point = span.point();
                point.fixed(6, count);
                let mut attributes = table.attributes();
                attributes.push(OtelAttribute::text("dbload.outcome", name));
                point.attributes(7, &attributes);
                sum.message(1, &point);
            }
        }
        sum.varint(2, CUMULATIVE);
        sum.varint(3, 1);
        let mut metric = Message::default();
        metric.text(1, "dbload.records");
        metric.text(2, "Records, by what became of them.");
        metric.text(3, "{record}");
        metric.message(7, &sum);
        metric
    }
}

/// What points are about.
struct TimeSpan {
    since: u64,
    now: u64,
}

impl TimeSpan {
    fn point(&self) -> Message {
        let mut point = Message::default();
        point.fixed(2, self.since);
        point.fixed(3, self.now);
        point
    }
}

//! Process, connection, server, two owners at once (the table of docs/reliability.md): the promise holds
//! under each fault, and the fault did strike.
//!
//! Every test loads a [`Load`] of a kind, strikes it, and has it checked: content digest of the table against
//! the generator's side, the ledger's own invariants, the report's books, the exit code.

mod columns;
mod connection;
#[cfg(debug_assertions)]
mod crash;
#[cfg(debug_assertions)]
mod defects;
mod failover;
mod forgotten;
mod hostile;
mod limits;
mod moments;
mod owners;
mod pooler;
mod process;
mod server;
mod tables;
mod target;

use crate::support::{Database, Dbload, Inject, Outcome, Rows, Scene, audit, dbload::Report, inject, until};
use std::fmt::Write;

/// What is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One file, every key three times, far apart: the last one wins.
    Upsert,
    /// The same out of three files.
    Files,
    /// Two files, no key: every record is a row.
    Append,
}

const KINDS: [Kind; 3] = [Kind::Upsert, Kind::Files, Kind::Append];

/// Sizes of the pool that matter: one after the other, two beside each other, more than there are cores.
const POOLS: [u32; 3] = [1, 2, 8];

/// What a test goes through: the sample, or, where `make faults` asks for it, each kind of load with each
/// size of the pool.
fn cases(sample: impl IntoIterator<Item = (Kind, u32)>) -> Vec<(Kind, u32)> {
    if !is_whole_matrix() {
        return sample.into_iter().collect();
    }
    let cases: Vec<_> = KINDS.into_iter().flat_map(|kind| POOLS.map(|pool| (kind, pool))).collect();
    println!("cases: {}", cases.len());
    cases
}

/// As [`cases`], of a test that is for some kinds of load or sizes of the pool only.
fn cases_of(
    kinds: &[Kind],
    pools: &[u32],
    sample: impl IntoIterator<Item = (Kind, u32)>,
) -> Vec<(Kind, u32)> {
    let cases = cases(sample);
    cases.into_iter().filter(|(kind, pool)| kinds.contains(kind) && pools.contains(pool)).collect()
}

fn is_whole_matrix() -> bool {
    std::env::var_os("FAULTS_MATRIX").is_some()
}

/// A line that is no record comes behind so many records.
const BAD_EVERY: u64 = 997;

/// A load with everything there is to know about its outcome.
struct Load {
    scene: Scene,
    kind: Kind,
    records: u64,
    defect: Option<String>,
}

impl Load {
    fn new(kind: Kind, records: u64) -> Self {
        Self::on(Scene::new(), kind, records)
    }

    fn on(scene: Scene, kind: Kind, records: u64) -> Self {
        let key = if kind == Kind::Append { "" } else { " PRIMARY KEY" };
        scene.sql(&format!("CREATE TABLE t (id bigint{key}, v bigint, note text)"));
        let load = Self { scene, kind, records, defect: None };
        let files = match kind {
            Kind::Upsert => 1,
            Kind::Files => 3,
            Kind::Append => 2,
        };
        for file in 0..files {
            let (from, to) = (records * file / files, records * (file + 1) / files);
            load.scene.file(&format!("in/{file}.jsonl"), load.text(from, to));
        }
        load
    }

    /// Every start of the program has this defect.
    fn with_defect(self, name: Option<&str>) -> Self {
        Self { defect: name.map(str::to_owned), ..self }
    }

    fn keys(&self) -> u64 {
        self.records / 3
    }

    fn text(&self, from: u64, to: u64) -> String {
        let mut text = String::new();
        for i in from..to {
            let _ = writeln!(text, r#"{{"id":{},"v":{i},"note":"r{i}"}}"#, i % self.keys());
            if i % BAD_EVERY == BAD_EVERY - 1 {
                text.push_str("broken\n");
            }
        }
        text
    }

    fn bad(&self) -> u64 {
        self.records / BAD_EVERY
    }

    /// The command, to this URL.
    fn through(&self, url: &str, flags: &str) -> Dbload {
        let rows = if flags.contains("--batch-rows") { "" } else { "--batch-rows 500" };
        let command =
            Dbload::new(self.scene.cwd()).line("in -t t --json").line(rows).line(flags).arg("--dsn").arg(url);
        match &self.defect {
            Some(name) => command.env("DBLOAD_DEFECT", name),
            None => command,
        }
    }

    fn dbload(&self, flags: &str) -> Dbload {
        self.through(self.scene.db.url(), flags)
    }

    /// What the table must be: a query in parentheses.
    fn expected(&self) -> String {
        let (n, k) = (self.records, self.keys());
        let rows = match self.kind {
            Kind::Append => format!("SELECT i % {k} AS id, i AS v FROM generate_series(0, {n} - 1) i"),
            _ => format!("SELECT i % {k} AS id, max(i) AS v FROM generate_series(0, {n} - 1) i GROUP BY 1"),
        };
        format!("(SELECT id::bigint, v::bigint, 'r' || v AS note FROM ({rows}) y) z")
    }

    /// Table, ledger, books and exit code are as if nothing had happened.
    #[track_caller]
    fn check(&self, outcome: Outcome) -> Report {
        self.check_in(&self.scene.db, outcome)
    }

    #[track_caller]
    fn check_in(&self, db: &Database, outcome: Outcome) -> Report {
        let outcome = outcome.exits(if self.bad() > 0 { 3 } else { 0 });
        assert_eq!(
            db.digest("t"),
            db.digest(&self.expected()),
            "the table is not what it must be: {outcome}"
        );
        let report = outcome.report();
        assert_eq!(audit(db), report.rows, "ledger against report: {outcome}");
        self.check_books(&report, &outcome);
        assert!(report.complete && report.guarantee == "exactly-once", "{outcome}");
        report
    }

    #[track_caller]
    fn check_books(&self, report: &Report, outcome: &Outcome) {
        let Rows { read, inserted, rejected, skipped, .. } = report.rows;
        let rows = if self.kind == Kind::Append { self.records } else { self.keys() };
        assert_eq!(
            (read, inserted, report.rows.stored_before(), skipped, rejected),
            (self.records + self.bad(), rows, self.records - rows, 0, self.bad()),
            "{outcome}"
        );
    }

    /// Each batch takes longer by so much, or twice that.
    #[track_caller]
    fn slow(&self, seconds: f64) {
        self.scene.sql(&format!(
            "{}; CREATE TRIGGER slow AFTER INSERT OR UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()",
            Self::sleeping(seconds)
        ));
    }

    /// The whole load takes so long at least: what is to happen to it meanwhile is sure to, on a slow machine
    /// too. A test that has done with it lets it go on by [`Load::quicken`].
    #[track_caller]
    fn lasts(&self, seconds: f64, pool: u32) {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let batches = (self.records / 500) as f64;
        self.slow(seconds * f64::from(pool) / batches.max(f64::from(pool)));
    }

    /// Batches take no longer than they must.
    #[track_caller]
    fn quicken(&self) {
        self.scene.sql(&Self::sleeping(0.0));
    }

    fn sleeping(seconds: f64) -> String {
        format!(
            "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM pg_sleep({seconds}); RETURN NULL; END $$"
        )
    }

    #[track_caller]
    fn inject(&self, when: &str, calls: std::ops::RangeInclusive<u64>, what: &str) {
        Inject { when, calls, what }.create_in(&self.scene.db);
    }

    /// The ledger comes into being with the first load: of something else.
    fn make_ledger(&self) {
        self.scene.sql("CREATE TABLE other (id int PRIMARY KEY)");
        self.scene.file("other.jsonl", "{\"id\":1}\n");
        self.scene.load("other.jsonl");
    }

    /// How often the injected trigger was called.
    #[track_caller]
    fn calls(&self) -> u64 {
        inject::calls(&self.scene.db)
    }

    /// Batches that the ledger knows of.
    fn batches(&self) -> u64 {
        let sql = "SELECT coalesce(sum(batches), 0) FROM _dbload.checkpoint";
        match self.scene.db.try_rows(sql) {
            Ok((rows, _)) => rows[0][0].as_ref().unwrap().parse().unwrap(),
            Err(_) => 0,
        }
    }
}

/// A trigger on the table that strikes once a batch.
const ONCE_A_BATCH: &str = "AFTER INSERT ON t FOR EACH STATEMENT";

/// The other half of `crash` and `defects`: a release build has neither.
#[cfg(not(debug_assertions))]
#[test]
fn a_release_build_has_no_crash_points_and_no_defects() {
    let load = Load::new(Kind::Append, 900);
    let command = load.dbload("").env("DBLOAD_CRASH_AT", "begun:1").env("DBLOAD_DEFECT", "count-twice");
    load.check(command.run());
}

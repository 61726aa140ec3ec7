//! What is loaded, and what must come of it.

use super::anew::Anew;
use crate::support::{Database, Dbload, Folder, Outcome, Rng};
use std::{
    collections::BTreeSet,
    fmt::Write,
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

/// A load drawn from a seed.
#[derive(Debug, Clone)]
pub struct Load {
    pub table: String,
    pub keyed: bool,
    /// It has two partitions.
    pub parted: bool,
    pub unlogged: bool,
    /// Records that are JSON objects.
    pub records: u64,
    /// Keys repeat after so many.
    pub keys: u64,
    pub files: u64,
    /// Files from this one on are compressed.
    pub gz_from: u64,
    /// A line that is no record comes behind so many records.
    bad_every: u64,
    /// The table refuses every so manieth value.
    refused_every: Option<u64>,
    pub batch_rows: u64,
    pub pool: u64,
    /// Each COMMIT takes so much longer.
    pub slow_ms: u64,
    /// Flags that must not matter.
    extra: &'static str,
    catalog: Catalog,
    /// Loaded by a role that has the rights of docs/how-it-works.md, and no other.
    pub by_clerk: bool,
}

/// What else the catalog has of the table: it changes the way that batches take, and nothing of what is
/// stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Catalog {
    Plain,
    /// Values of records are tied together, in all of the table.
    SecondKey,
    /// In one of its partitions alone.
    KeyOfPartition,
    /// By an index with a collation of its own.
    Collated,
    /// A trigger that fires in every session looks at each row.
    AlwaysTrigger,
    /// A table that inherits from it, without rows.
    Child,
}

impl Catalog {
    fn sql(self, table: &str, keyed: bool) -> String {
        match self {
            // An append has records of one value, and so would be refused some.
            Self::SecondKey if keyed => format!("CREATE UNIQUE INDEX ON {table} (v)"),
            Self::KeyOfPartition if keyed => format!("CREATE UNIQUE INDEX ON {table}_low (v)"),
            Self::Collated if keyed => format!("CREATE UNIQUE INDEX ON {table} (note COLLATE \"C\")"),
            Self::AlwaysTrigger => format!(
                "CREATE FUNCTION {table}_seen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
                 CREATE TRIGGER seen BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_seen(); \
                 ALTER TABLE {table} ENABLE ALWAYS TRIGGER seen"
            ),
            Self::Child => format!("CREATE TABLE {table}_child () INHERITS ({table})"),
            Self::Plain | Self::SecondKey | Self::KeyOfPartition | Self::Collated => String::new(),
        }
    }
}

/// What was not as it must be.
#[derive(Debug, Default, Clone)]
pub struct Wrong {
    pub lost: u64,
    pub doubled: u64,
    pub miscounted: u64,
    pub words: Vec<String>,
}

/// A role of [`super::arena::Arena`].
pub const CLERK: &str = "clerk";

/// Old backends of a load that has ended are gone by then: the server ends them at its own limits.
const BACKENDS_GONE: Duration = Duration::from_secs(45);

impl Load {
    pub fn draw(rng: &mut Rng, round: u64) -> Self {
        let records = 1_500 + rng.below(4_500);
        let parted = rng.one_in(4);
        Self {
            table: format!("t{round}"),
            keyed: !rng.one_in(3),
            parted,
            unlogged: !parted && rng.one_in(10),
            records,
            keys: (records / rng.pick(&[1, 2, 3, 3, 10])).max(1),
            files: 1 + rng.below(4),
            gz_from: rng.below(4),
            bad_every: rng.pick(&[97, 499, 997, 1_000_000]),
            refused_every: rng.pick(&[None, None, Some(701), Some(1_999)]),
            batch_rows: rng.pick(&[50, 100, 200, 300, 700]),
            pool: rng.pick(&[1, 2, 8]),
            slow_ms: rng.pick(&[5, 20, 60]),
            extra: rng.pick(&["", "", "--lock-timeout 300ms", "--max-memory 32MiB"]),
            catalog: match (rng.below(10), parted) {
                (0, true) => Catalog::KeyOfPartition,
                (0, false) => Catalog::Child,
                (1, false) => Catalog::SecondKey,
                (2, false) => Catalog::Collated,
                (3, _) => Catalog::AlwaysTrigger,
                _ => Catalog::Plain,
            },
            by_clerk: rng.one_in(5),
        }
    }

    /// The role that loads.
    pub const fn role(&self) -> &'static str {
        if self.by_clerk { CLERK } else { "postgres" }
    }

    /// With batches enough for something to happen in between, and one INSERT each (not one a record, as on
    /// the careful path), so that a trigger can make them last.
    pub fn longer(self) -> Self {
        let batch_rows = self.batch_rows.min(self.records / (8 * self.pool));
        Self { batch_rows, refused_every: None, unlogged: false, ..self }
    }

    /// Makes table and files.
    pub fn lay_out(&self, db: &Database, folder: &Folder) {
        let key = if self.keyed { " PRIMARY KEY" } else { "" };
        let check = self.refused_every.map_or(String::new(), |n| format!(" CHECK (v % {n} <> 5)"));
        let (table, half) = (&self.table, self.keys / 2);
        let unlogged = if self.unlogged { "UNLOGGED " } else { "" };
        let by = if self.parted { " PARTITION BY RANGE (id)" } else { "" };
        db.sql(&format!("CREATE {unlogged}TABLE {table} (id bigint{key}, v bigint{check}, note text){by}"));
        if self.parted {
            db.sql(&format!(
                "CREATE TABLE {table}_low PARTITION OF {table} FOR VALUES FROM (-9) TO ({half}); \
                 CREATE TABLE {table}_high PARTITION OF {table} FOR VALUES FROM ({half}) TO (MAXVALUE)"
            ));
        }
        db.sql(&self.catalog.sql(table, self.keyed));
        if self.by_clerk {
            let ledger = Dbload::new(folder.path()).line(&format!("ledger sql --role {CLERK}")).run();
            let sql = ledger.exits(0).stdout;
            // Made once; another role needs its grants alone.
            let is_made = db.one("SELECT to_regclass('_dbload.run') IS NOT NULL") == "t";
            let is_wanted = |line: &&str| !is_made || line.starts_with("GRANT ");
            db.sql(&sql.lines().filter(is_wanted).collect::<Vec<_>>().join("\n"));
            db.sql(&format!("GRANT SELECT, INSERT, UPDATE ON {table} TO {CLERK}"));
        }
        for file in 0..self.files {
            let text = self.text(file).0;
            let name = format!("{}/{file}.jsonl", self.table);
            if file < self.gz_from {
                folder.file(&name, text);
            } else {
                let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
                gz.write_all(text.as_bytes()).unwrap();
                folder.file(&format!("{name}.gz"), gz.finish().unwrap());
            }
        }
    }

    /// A file, and its lines that must be rejected.
    fn text(&self, file: u64) -> (String, Vec<u64>) {
        let (mut text, mut rejected, mut line) = (String::new(), vec![], 0);
        for i in self.records * file / self.files..self.records * (file + 1) / self.files {
            let _ = writeln!(text, r#"{{"id":{},"v":{i},"note":"r{i}"}}"#, i % self.keys);
            line += 1;
            if self.is_refused(i) {
                rejected.push(line);
            }
            if i % self.bad_every == self.bad_every - 1 {
                text.push_str("{\"broken\n");
                line += 1;
                rejected.push(line);
            }
        }
        (text, rejected)
    }

    fn is_refused(&self, i: u64) -> bool {
        self.refused_every.is_some_and(|n| i % n == 5)
    }

    /// The last one.
    pub fn last_file(&self, folder: &Folder) -> PathBuf {
        let last = self.files - 1;
        let ending = if last < self.gz_from { "" } else { ".gz" };
        folder.path().join(format!("{}/{last}.jsonl{ending}", self.table))
    }

    /// The command.
    pub fn dbload(&self, folder: &Folder, url: &str) -> Dbload {
        let Self { table, batch_rows, pool, extra, .. } = self;
        // Said, so that it is the same load where the key is gone.
        let key = if self.keyed { "--key id" } else { "" };
        let line = format!(
            "{table} -t {table} {key} --json --batch-rows {batch_rows} --pool-size {pool} {extra} --dsn"
        );
        Dbload::new(folder.path()).line(&line).arg(url).timeout(Duration::from_secs(150))
    }

    /// What the table must be: a query in parentheses.
    pub fn expected(&self) -> String {
        let accepted = self.refused_every.map_or("true".to_owned(), |n| format!("i % {n} <> 5"));
        let (n, k) = (self.records, self.keys);
        let series = format!("FROM generate_series(0, {n} - 1) i WHERE {accepted}");
        let rows = if self.keyed {
            format!("SELECT i % {k} AS id, max(i) AS v {series} GROUP BY 1")
        } else {
            format!("SELECT i % {k} AS id, i AS v {series}")
        };
        format!("(SELECT id::bigint, v::bigint, 'r' || v AS note FROM ({rows}) y)")
    }

    /// Table, ledger and report, against what they must be.
    pub fn check(&self, db: &Database, outcome: &Outcome, anew: Option<&Anew>) -> Wrong {
        let mut wrong = Wrong::default();
        self.wait_for_backends(db);
        let (table, expected) = (&self.table, self.expected());
        let differ = |a: &str, b: &str| -> u64 {
            db.one(&format!("SELECT count(*) FROM (SELECT * FROM {a} x EXCEPT ALL SELECT * FROM {b} y) z"))
                .parse()
                .unwrap()
        };
        wrong.lost = differ(&expected, table);
        wrong.doubled = differ(table, &expected);
        if wrong.lost + wrong.doubled > 0 {
            wrong.words.push(format!("{} rows lost, {} too many", wrong.lost, wrong.doubled));
        }
        let runs = self.runs(db);
        let mut words = vec![];
        for (n, run) in runs.iter().enumerate() {
            words.extend(self.check_rejects(db, run));
            let held = anew.filter(|anew| !anew.former.contains(run)).map_or(0, |anew| anew.held);
            // One that was emptied between two runs has nothing of the first.
            if !self.unlogged || runs.len() == 1 {
                words.extend(self.check_books(db, run, (n == 0).then_some(held)));
            }
        }
        if runs.is_empty() {
            words.push("no run is complete".to_owned());
        }
        // An append that was complete, though nobody heard of it, was refused: there is no other report.
        if outcome.code() != 8 {
            let report = outcome.report();
            let sums =
                [report.rows.read, report.rows.inserted, report.rows.stored_before(), report.rows.rejected];
            if sums != self.sums(db, &report.run) || !runs.contains(&report.run) {
                words.push(format!(
                    "the report says {sums:?}, the ledger {:?} of {runs:?}",
                    self.sums(db, &report.run)
                ));
            }
        }
        wrong.miscounted = words.len() as u64;
        wrong.words.extend(words);
        wrong
    }

    /// Complete runs of this table, in order. Killed after it was complete and before it could say so, a
    /// keyed load runs once more, and changes nothing.
    fn runs(&self, db: &Database) -> Vec<String> {
        db.lines(&format!(
            "SELECT run FROM _dbload.run WHERE target_oid = '{}'::regclass AND state = 'complete' ORDER BY started_at",
            self.table
        ))
    }

    /// Nobody may still be about to commit.
    pub fn wait_for_backends(&self, db: &Database) {
        let until = Instant::now() + BACKENDS_GONE;
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        while db.one(busy) != "0" {
            assert!(
                Instant::now() < until,
                "no end of backends: {:?}",
                db.lines("SELECT * FROM pg_stat_activity")
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it was complete, and a crash has emptied it after that.
    pub fn is_emptied_since(&self, db: &Database, crashed_at: &str) -> bool {
        let Self { table, .. } = self;
        let complete = format!(
            "SELECT count(*) FROM _dbload.run WHERE target_oid = '{table}'::regclass AND finished_at < '{crashed_at}'"
        );
        self.unlogged && db.count(table) == 0 && db.one(&complete) != "0"
    }

    fn check_rejects(&self, db: &Database, run: &str) -> Option<String> {
        let sql = format!(
            "SELECT least(source, {}) || ':' || line FROM _dbload.reject WHERE run = '{run}'",
            self.files - 1
        );
        // The rest of a source that was set aside is another one, behind all.
        let stored = db.lines(&sql);
        let found: BTreeSet<String> = stored.iter().cloned().collect();
        let wanted: BTreeSet<String> = (0..self.files)
            .flat_map(|f| self.text(f).1.into_iter().map(move |line| format!("{f}:{line}")))
            .collect();
        (found != wanted || found.len() != stored.len())
            .then(|| format!("rejects of {run}: {stored:?} for {wanted:?}"))
    }

    /// What the ledger has counted: read, inserted, found stored already, rejected.
    fn sums(&self, db: &Database, run: &str) -> [u64; 4] {
        let row = db.rows(&format!(
            "SELECT sum(read), sum(inserted), sum(updated + unchanged + deduplicated), sum(rejected) \
             FROM _dbload.checkpoint WHERE run = '{run}'"
        ));
        [0, 1, 2, 3].map(|i| row[0][i].as_ref().unwrap().parse().unwrap())
    }

    /// The ledger's books of a run must be the generator's, and agree among themselves. The first one found
    /// the table with so many rows, another one with all.
    fn check_books(&self, db: &Database, run: &str, held: Option<u64>) -> Option<String> {
        let rejected: u64 = (0..self.files).map(|f| self.text(f).1.len() as u64).sum();
        let refused = (0..self.records).filter(|&i| self.is_refused(i)).count() as u64;
        let stored: u64 = db.one(&format!("SELECT count(*) FROM {} x", self.expected())).parse().unwrap();
        let read = self.records + rejected - refused;
        let inserted = held.map_or(0, |held| stored - held);
        let (found, wanted) =
            (self.sums(db, run), [read, inserted, self.records - refused - inserted, rejected]);
        if found != wanted {
            return Some(format!(
                "books of {run} (read, inserted, before, rejected): {found:?} for {wanted:?}"
            ));
        }
        let odd = db.lines(&format!(
            "SELECT * FROM _dbload.checkpoint c JOIN _dbload.run r USING (run) WHERE run = '{run}' AND ( \
               NOT c.done OR c.epoch <> r.epoch OR c.skipped <> 0 OR {read} <> \
                 (SELECT sum(s.read) FROM _dbload.source_count s WHERE s.run = c.run) OR {rejected} <> \
                 (SELECT sum(s.rejected) FROM _dbload.source_count s WHERE s.run = c.run))"
        ));
        (!odd.is_empty()).then(|| format!("ledger of {run}: {odd:?}"))
    }
}

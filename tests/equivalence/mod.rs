//! Parallel equals sequential: random tables and files, dbload against the reference program.
//!
//! Kills, triggers, deferred constraints, bad records (CASES.md, rows 35, 36, 38, 42, 43); same key twice in
//! a batch, parallel batches with the same keys, field missing in a record, one bad row, skip mode, mixed
//! error kinds, HEADER of each file, generated and identity columns, partitioned targets, a patch file.
//!
//! `EQUIVALENCE_SECONDS=n` for each of the two properties (default 25), `DBLOAD_TEST_SEED=n` runs that one
//! case. A case that fails is made smaller and left in `target/tmp/equivalence-<seed>/`: setup.sql, data/,
//! command.txt, difference.txt.

mod case;
mod catalog;
mod dress;
mod table;
mod values;

use crate::{
    reference::{self, Books, Mode, Refused},
    support::{Database, Dbload, Outcome, Rng, database::ident, generate},
};
use case::Case;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use table::Table;

#[test]
fn parallel_equals_sequential() {
    property(false);
}

#[test]
fn parallel_equals_sequential_with_kills_between() {
    property(true);
}

/// What the cases of a run were like: a fault that never fired is no pass.
#[derive(Debug, Default)]
struct Seen {
    cases: u64,
    records: u64,
    inserted: u64,
    updated: u64,
    unchanged: u64,
    deleted: u64,
    deduplicated: u64,
    skipped: u64,
    refused: u64,
    direct: u64,
    direct_refused: u64,
    careful: u64,
    batches: u64,
    resumed: u64,
    shaped: u64,
    by_policy: u64,
    evolved: u64,
    asked: u64,
    marked: u64,
}

fn property(with_kills: bool) {
    let budget = std::env::var("EQUIVALENCE_SECONDS").map_or(25, |s| s.parse().unwrap());
    let deadline = Instant::now() + Duration::from_secs(budget);
    let world = World::new();
    let mut seen = Seen::default();
    if let Some(seed) = generate::replay() {
        world.check(seed, with_kills, &mut seen);
    } else {
        while Instant::now() < deadline {
            world.check(generate::fresh_seed(), with_kills, &mut seen);
        }
        assert!(!with_kills || seen.cases < 10 || seen.resumed > 0, "no kill ever hit: {seen:?}");
        let of_case = [seen.shaped, seen.by_policy, seen.evolved, seen.asked];
        let ways = [&[seen.direct, seen.direct_refused, seen.careful], &of_case[..]].concat();
        // One case of ten may delete, and half of those mark.
        let rare = [seen.deleted, seen.marked];
        assert!(seen.cases < 200 || rare.iter().all(|&cases| cases > 0), "a way never taken: {seen:?}");
        assert!(seen.cases < 40 || ways.iter().all(|&batches| batches > 0), "a way never taken: {seen:?}");
    }
    println!("{seen:?}");
}

/// A database with a table in schema `a` for dbload and its twin in schema `b` for the reference.
struct World {
    db: Database,
}

impl World {
    fn new() -> Self {
        let db = Database::fresh();
        db.sql("CREATE EXTENSION citext; SET client_min_messages = error");
        Self { db }
    }

    fn check(&self, seed: u64, with_kills: bool, seen: &mut Seen) {
        let case = Case::draw(seed, with_kills);
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("equivalence-{seed}"));
        let _ = std::fs::remove_dir_all(&dir);
        match self.attempt(&case, &dir.join("0"), seen) {
            Ok(()) => {
                let _ = std::fs::remove_dir_all(&dir);
            }
            Err(difference) => {
                let (dir, difference) = self.shrink(case, &dir, difference);
                panic!(
                    "after {} cases; replay with DBLOAD_TEST_SEED={seed} cargo test --test main equivalence (kills: {with_kills})\n\
                     smallest case found: {}\n{difference}",
                    seen.cases,
                    dir.display()
                );
            }
        }
    }

    fn recreate(&self, case: &Case) {
        // Files of this case have names of another's, whose table had the name of this one's: nobody can
        // tell whether its rows are those of before.
        self.db.sql(
            "DO $$ BEGIN IF to_regclass('_dbload.run') IS NOT NULL THEN TRUNCATE _dbload.run CASCADE; END IF; END $$",
        );
        for schema in ["a", "b"] {
            self.db.sql(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}"));
            self.db.sql(&case.setup.replace("{s}", schema));
            let target = reference::ConnectTarget { mode: Mode::Append, key: vec![], ..case.target(schema) };
            reference::apply(&self.db, &target, &case.initial);
            if let Some(sql) = &case.move_rows
                && let Err(error) = self.db.try_sql(&sql.replace("{s}", schema))
            {
                // The child has ties of its own: what it refuses stays in its parent, all of it, in both
                // schemas.
                let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
                assert!(code.starts_with("23"), "{code} {error}");
            }
            if let Some((column, type_name)) = &case.lacking {
                let (column, type_name) = (ident(column), type_name.replace("{s}", schema));
                let back =
                    if schema == "b" { format!(", ADD COLUMN {column} {type_name}") } else { String::new() };
                self.db.sql(&format!("ALTER TABLE {schema}.t DROP COLUMN {column}{back}"));
            }
        }
    }

    /// Runs one case; the difference, if there is one, is also in the folder.
    fn attempt(&self, case: &Case, dir: &Path, seen: &mut Seen) -> Result<(), String> {
        self.recreate(case);
        if case.needs_rows && self.db.count("b.t") == 0 {
            return Ok(());
        }
        write(case, dir);
        let books = reference::apply(&self.db, &case.target("b"), &case.records());
        let outcome = run(case, dir, self.db.url());
        let result = self.judge(case, dir, &books, &outcome, seen);
        result.map_err(|difference| {
            let text = format!(
                "{difference}\n\nreference: {}\n\n{}",
                show(&books),
                cut(&outcome.to_string(), 6_000)
            );
            std::fs::write(dir.join("difference.txt"), &text).unwrap();
            text
        })
    }

    fn judge(
        &self,
        case: &Case,
        dir: &Path,
        books: &Books,
        outcome: &Outcome,
        seen: &mut Seen,
    ) -> Result<(), String> {
        if case.kills > 0 && case.loads_once() && outcome.code() == 8 {
            // Complete in the database, killed before it could say so: there is nothing left to append.
            return self.tables(case);
        }
        let allowed = if books.refused.is_empty() { 0 } else { 3 };
        if outcome.stderr.contains("panicked at") || ![0, 3].contains(&outcome.code()) {
            return Err(format!("exit {} where {allowed} was expected", outcome.code()));
        }
        let report = outcome.report();
        seen.cases += 1;
        seen.by_policy += u64::from(!case.policies.is_empty());
        seen.evolved += u64::from(case.lacking.is_some() && outcome.stderr.contains("added columns"));
        seen.shaped += u64::from(!case.dress.flags.is_empty());
        seen.asked += u64::from(case.dress.asks());
        seen.marked += u64::from(case.dress.marks);
        seen.deleted += books.deleted;
        seen.records += books.read;
        seen.inserted += books.inserted;
        seen.updated += books.updated;
        seen.unchanged += books.unchanged;
        seen.skipped += books.skipped;
        seen.refused += books.refused.len() as u64;
        seen.deduplicated += report.rows.deduplicated;
        seen.direct += report.pool.direct;
        seen.direct_refused += report.pool.direct_refused;
        seen.careful += report.pool.careful;
        seen.batches += report.pool.batches;
        seen.resumed += u64::from(report.attempts > 1);
        let first = self.books(dir, books, outcome).and_then(|()| self.tables(case));
        // The run may have been complete when it was killed: then the next start was another run, over the
        // same files.
        for _ in 0..case.kills {
            if first.is_ok() {
                break;
            }
            let again = reference::apply(&self.db, &case.target("b"), &case.records());
            if self.books(dir, &again, outcome).and_then(|()| self.tables(case)).is_ok() {
                return Ok(());
            }
        }
        first
    }

    fn books(&self, dir: &Path, books: &Books, outcome: &Outcome) -> Result<(), String> {
        let report = outcome.report();
        let rows = report.rows;
        let theirs =
            (rows.read, rows.inserted, rows.stored_before(), rows.deleted, rows.skipped, rows.rejected);
        let refused = books.refused.len() as u64;
        let ours = (
            books.read,
            books.inserted,
            books.updated + books.unchanged,
            books.deleted,
            books.skipped,
            refused,
        );
        let mut rejected: Vec<Refused> = report
            .rejected(dir)
            .into_iter()
            .map(|r| {
                let name = r.source.rsplit('/').next().unwrap().to_owned();
                let known =
                    books.refused.iter().any(|o| o.place == (name.clone(), r.line) && o.sqlstate.is_some());
                Refused { place: (name, r.line), sqlstate: r.sqlstate.filter(|_| known) }
            })
            .collect();
        rejected.sort();
        if rejected != books.refused {
            let missing: Vec<_> = books.refused.iter().filter(|r| !rejected.contains(r)).take(5).collect();
            let surplus: Vec<_> = rejected.iter().filter(|r| !books.refused.contains(r)).take(5).collect();
            return Err(format!(
                "rejects differ\n  only the reference has {missing:?}\n  only dbload has {surplus:?}"
            ));
        }
        if ours != theirs {
            return Err(format!(
                "books differ: (read, inserted, updated + unchanged + deduplicated, deleted, skipped, rejected)\n  \
                 reference {ours:?}\n  dbload    {theirs:?} of {rows:?}"
            ));
        }
        let code = if refused == 0 { 0 } else { 3 };
        if outcome.code() != code { Err(format!("exit {}, not {code}", outcome.code())) } else { Ok(()) }
    }

    fn tables(&self, case: &Case) -> Result<(), String> {
        if let Some((column, type_name)) = &case.lacking {
            // Of a field that never had a value none was made.
            let type_name = type_name.replace("{s}", "a");
            self.db.sql(&format!("ALTER TABLE a.t ADD COLUMN IF NOT EXISTS {} {type_name}", ident(column)));
        }
        self.same("t", &case.compared())?;
        if Table::has_audit(&case.setup) {
            self.same("audit", "*")?;
        }
        Ok(())
    }

    fn same(&self, table: &str, columns: &str) -> Result<(), String> {
        let of = |schema| {
            self.db
                .lines(&format!("SELECT x::text FROM (SELECT {columns} FROM {schema}.{table}) x ORDER BY 1"))
        };
        let (dbload, reference) = (of("a"), of("b"));
        if dbload == reference {
            return Ok(());
        }
        let only = |these: &[String], those: &[String]| {
            let lines: Vec<_> =
                these.iter().filter(|l| !those.contains(l)).take(4).map(|l| cut(l, 300)).collect();
            format!("{lines:#?}")
        };
        Err(format!(
            "table {table} differs: {} rows, the reference has {}\n  only in the reference {}\n  only in dbload's {}",
            dbload.len(),
            reference.len(),
            only(&reference, &dbload),
            only(&dbload, &reference),
        ))
    }

    /// Takes lines away while the case still fails, for a while.
    fn shrink(&self, mut case: Case, dir: &Path, mut difference: String) -> (PathBuf, String) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let (mut best, mut tries) = (dir.join("0"), 0);
        let mut fails = |case: &Case| {
            tries += 1;
            let dir = dir.join(tries.to_string());
            let result = self.attempt(case, &dir, &mut Seen::default());
            if result.is_ok() {
                let _ = std::fs::remove_dir_all(&dir);
            }
            result.err().map(|difference| (dir, difference))
        };
        if case.kills > 0 {
            let kills = std::mem::take(&mut case.kills);
            match fails(&case) {
                Some(found) => (best, difference) = found,
                None => {
                    case.kills = kills;
                    return (best, difference);
                }
            }
        }
        let count = |case: &Case| case.files.iter().map(|f| f.lines.len()).sum::<usize>();
        let mut chunk = count(&case) / 2;
        while chunk > 0 && Instant::now() < deadline {
            let mut from = 0;
            while from < count(&case) && Instant::now() < deadline {
                let files = case.files.clone();
                without(&mut case.files, from, chunk);
                if let Some(found) = fails(&case) {
                    let _ = std::fs::remove_dir_all(&best);
                    (best, difference) = found;
                } else {
                    case.files = files;
                    from += chunk;
                }
            }
            chunk /= 2;
        }
        (best, difference)
    }
}

/// Drops `many` lines from the `from`th on, counted over all files.
fn without(files: &mut [case::File], from: usize, many: usize) {
    let mut at = 0;
    for file in files {
        file.lines.retain(|_| {
            at += 1;
            at <= from || at > from + many
        });
    }
}

fn write(case: &Case, dir: &Path) {
    std::fs::create_dir_all(dir.join("data")).unwrap();
    for file in &case.files {
        std::fs::write(dir.join("data").join(&file.name), file.bytes()).unwrap();
    }
    std::fs::write(dir.join("setup.sql"), &case.setup).unwrap();
    let words = format!(
        "dbload {}\n# kills: {}\n# initial: {:?}\n",
        case.words().join(" "),
        case.kills,
        case.initial
    );
    std::fs::write(dir.join("command.txt"), words).unwrap();
}

/// Runs dbload, killed a few times first where the case says so, until it ends by itself.
fn run(case: &Case, dir: &Path, url: &str) -> Outcome {
    let dbload = || Dbload::new(dir).args(case.words()).arg("--dsn").arg(url);
    let mut rng = Rng::from_seed(case.seed ^ 0x5EED);
    for _ in 0..case.kills {
        let outcome = dbload().spawn().kill9_after(Duration::from_millis(10 + rng.below(400)));
        if !outcome.was_killed() {
            return outcome;
        }
    }
    dbload().run()
}

fn show(books: &Books) -> String {
    let Books { read, inserted, updated, unchanged, deleted, skipped, refused } = books;
    format!(
        "read {read}, inserted {inserted}, updated {updated}, unchanged {unchanged}, deleted {deleted}, skipped {skipped}, refused {}",
        refused.len()
    )
}

fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        text.to_owned()
    } else {
        format!("{}..", &text[..text.floor_char_boundary(most)])
    }
}

/// The kit, tried alone: the cases are of every kind, and the reference gets through them.
#[test]
fn the_generator_makes_cases_of_every_kind() {
    let world = World::new();
    let mut total = Books::default();
    let (mut states, mut skipped_cases, mut formats) = (std::collections::BTreeMap::new(), 0, [0; 4]);
    for seed in 0..60 {
        let case = Case::draw(seed, false);
        if case.records().len() > 400 {
            continue;
        }
        world.recreate(&case);
        if case.needs_rows && world.db.count("b.t") == 0 {
            skipped_cases += 1;
            continue;
        }
        let books = reference::apply(&world.db, &case.target("b"), &case.records());
        assert_eq!(
            books.read,
            books.inserted
                + books.updated
                + books.unchanged
                + books.deleted
                + books.skipped
                + books.refused.len() as u64
        );
        for file in &case.files {
            formats[file.format as usize] += 1;
        }
        for refused in books.refused {
            *states.entry(refused.sqlstate).or_insert(0) += 1;
        }
        total.read += books.read;
        total.inserted += books.inserted;
        total.updated += books.updated;
        total.unchanged += books.unchanged;
        total.skipped += books.skipped;
    }
    println!("{} {states:?} {formats:?} {skipped_cases} cases skipped", show(&total));
    assert!(total.inserted > 300 && total.updated > 100 && total.unchanged > 30 && total.skipped > 50);
    for state in ["23505", "23503", "23502", "23514", "22P02", "22001"] {
        assert!(states.contains_key(&Some(state.to_owned())), "never {state}: {states:?}");
    }
    assert!(skipped_cases < 6 && formats.iter().all(|&n| n > 0));
}

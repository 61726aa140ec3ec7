//! How long a test waits for its database: `make bench-fixtures`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dbload::testing::{DatabaseSetup, database};

use crate::support::{Database, Folder};

/// Bursts of each size.
pub const ROUNDS: usize = 5;

/// 20 tables, 1,000 rows.
pub fn shop() -> Folder {
    let (folder, mut schema) = (Folder::new(), String::new());
    for i in 0..20 {
        let up = if i == 0 { String::new() } else { format!("REFERENCES t{}", i - 1) };
        let _ = writeln!(
            schema,
            "CREATE TABLE t{i} (id int PRIMARY KEY, up int {up}, name text NOT NULL UNIQUE, at timestamptz);"
        );
        let up = |row: usize| if i == 0 { "null".to_owned() } else { format!("\"$ref:t{}.r{row}\"", i - 1) };
        let rows: String = (0..50)
            .map(|row| {
                format!(
                    "{{\"$label\":\"r{row}\",\"up\":{},\"name\":\"n{row}\",\"at\":\"2026-01-01Z\"}}\n",
                    up(row)
                )
            })
            .collect();
        folder.file(&format!("fixtures/t{i}.jsonl"), rows);
    }
    folder.file("schema.sql", schema);
    folder
}

pub fn setup(folder: &Folder) -> DatabaseSetup {
    database().schema(folder.path().join("schema.sql")).fixtures(folder.path().join("fixtures"))
}

pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let done = work();
    (done, began.elapsed())
}

pub fn shown(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{what}: p50 {:?}, p95 {:?} of {}", at(50), at(95), times.len());
}

/// How long tests wait that begin at the same time, and find the clones that were made ahead.
pub fn at_once(postgres: &Database, folder: &Folder, count: usize) -> Vec<Duration> {
    let ready = || {
        let ready = postgres.one("SELECT count(*) FROM pg_database WHERE datname ~ '^dbload_p_'");
        ready.parse::<usize>().unwrap()
    };
    let mut times = Vec::new();
    drop(setup(folder).ahead(16).wait().unwrap());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        while ready() < 16 && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let burst: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| timed(|| setup(folder).ahead(16).wait().unwrap())))
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        times.extend(burst.into_iter().map(|(_, took)| took));
    }
    times
}

#[test]
#[ignore = "a measurement: make bench-fixtures"]
fn a_test_waits_for_its_database_as_long_as_it_may() {
    let folder = shop();
    let (first, took) = timed(|| setup(&folder).ahead(16).wait().unwrap());
    println!("20 tables, 1,000 rows; the first, with its template: {took:?}");
    let postgres = Database::connect(&first.url().replacen(first.name(), "postgres", 1));
    let template = postgres
        .one("SELECT datname FROM pg_database WHERE datname ~ '^dbload_t_' ORDER BY oid DESC LIMIT 1");
    let bare = (0..50).map(|i| {
        timed(|| postgres.sql(&format!("CREATE DATABASE bare{i} TEMPLATE {template} STRATEGY wal_log"))).1
    });
    shown("a bare CREATE DATABASE of it", bare.collect());
    let drops = (0..50).map(|i| timed(|| postgres.sql(&format!("DROP DATABASE bare{i}"))).1);
    shown("a bare DROP DATABASE", drops.collect());

    for count in [1, 8, 16] {
        shown(&format!("{count} at once, ready"), at_once(&postgres, &folder, count));
    }
    let by = |what: &str, make: &dyn Fn() -> DatabaseSetup| {
        drop(make().wait().unwrap());
        let began = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..500 {
            let (database, took) = timed(|| make().wait().unwrap());
            waits.push(took);
            drop(database);
        }
        println!("500 in a row, by {what}: {:?} each, its end included", began.elapsed() / 500);
        shown("  waited", waits);
    };
    by("database", &|| setup(&folder));
    by("schema, a test that writes nothing", &|| setup(&folder).by_schema());
    let began = Instant::now();
    for i in 0..500 {
        let database = setup(&folder).by_schema().wait().unwrap();
        let change = format!("DELETE FROM t19 WHERE id % 50 = {}; UPDATE t3 SET name = name || '!'", i % 50);
        Database::connect(database.url()).sql(&change);
    }
    println!("500 in a row, by schema, each writes into two tables: {:?} each", began.elapsed() / 500);
}

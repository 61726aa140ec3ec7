//! How long a test waits for its database: `make bench-fixtures`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dbload::testing::{DatabaseSetup, database};

use crate::support::{Database, Folder};

/// 20 tables, 1,000 rows.
fn shop() -> Folder {
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

fn setup(folder: &Folder) -> DatabaseSetup {
    database().schema(folder.path().join("schema.sql")).fixtures(folder.path().join("fixtures"))
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let done = work();
    (done, began.elapsed())
}

fn shown(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{what}: p50 {:?}, p95 {:?} of {}", at(50), at(95), times.len());
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

    for at_once in [1, 8, 16] {
        let ready = || {
            postgres
                .one("SELECT count(*) FROM pg_database WHERE datname ~ '^dbload_p_'")
                .parse::<usize>()
                .unwrap()
        };
        let mut times = Vec::new();
        for _ in 0..5 {
            // A burst finds the clones that were made ahead.
            let began = Instant::now();
            while ready() < 16 && began.elapsed() < Duration::from_secs(30) {
                std::thread::sleep(Duration::from_millis(10));
            }
            let burst: Vec<_> = std::thread::scope(|scope| {
                let workers: Vec<_> = (0..at_once)
                    .map(|_| scope.spawn(|| timed(|| setup(&folder).ahead(16).wait().unwrap())))
                    .collect();
                workers.into_iter().map(|worker| worker.join().unwrap()).collect()
            });
            times.extend(burst.into_iter().map(|(_, took)| took));
        }
        shown(&format!("{at_once} at once, ready"), times);
    }
    let by = |what: &str, make: &dyn Fn() -> DatabaseSetup| {
        let (_, took) = timed(|| (0..100).for_each(|_| drop(make().wait().unwrap())));
        println!("100 in a row, by {what}: {:?} each, its end included", took / 100);
    };
    by("database", &|| setup(&folder));
    by("schema", &|| setup(&folder).by_schema());
}

//! Beside `#[sqlx::test]`, on one server in one run: `make bench-fixtures`. What it expands to is called
//! here.

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use dbload::internals::local::{Options, TempServer};
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::testing::{TestArgs, TestFixture, TestFn};

use super::speed::{ROUNDS, at_once, setup, shop, shown};
use crate::support::Database;

static WAITS: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

thread_local! {
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

async fn has_its_rows(pool: PgPool) {
    WAITS.lock().unwrap().push(BEGAN.get().unwrap().elapsed());
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t19").fetch_one(&pool).await.unwrap();
    assert_eq!(rows, 50);
}

/// Migrations and rows as that attribute takes them: a folder, and files of SQL.
fn migrator(folder: &Path) -> &'static Migrator {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Box::leak(Box::new(runtime.block_on(Migrator::new(folder.join("migrations"))).unwrap()))
}

fn rows() -> &'static [TestFixture] {
    let mut sql = String::new();
    for i in 0..20 {
        let up = |row: usize| if i == 0 { "NULL".to_owned() } else { row.to_string() };
        let rows: Vec<String> =
            (0..50).map(|row| format!("({row}, {}, 'n{row}', '2026-01-01Z')", up(row))).collect();
        let _ = writeln!(sql, "INSERT INTO t{i} (id, up, name, at) VALUES {};", rows.join(", "));
    }
    Box::leak(Box::new([TestFixture { path: "rows", contents: sql.leak() }]))
}

#[test]
#[ignore = "a process of another test"]
fn on_this_server() {
    let folder = shop();
    folder.file("migrations/1_schema.sql", folder.read("schema.sql"));
    let (migrator, fixtures) = (migrator(folder.path()), rows());
    for count in [1, 8, 16] {
        for round in 0..ROUNDS {
            std::thread::scope(|scope| {
                for i in 0..count {
                    scope.spawn(move || {
                        let mut args = TestArgs::new(format!("beside::{count}_{round}_{i}").leak());
                        args.migrator(migrator);
                        args.fixtures(fixtures);
                        BEGAN.set(Some(Instant::now()));
                        (has_its_rows as fn(PgPool) -> _).run_test(args);
                    });
                }
            });
        }
        shown(&format!("sqlx::test, {count} at once"), std::mem::take(&mut *WAITS.lock().unwrap()));
    }
    let server = std::env::var("DBLOAD_TEST_SERVER").unwrap();
    let first = Instant::now();
    drop(setup(&folder).wait().unwrap());
    println!("dbload, the first: {:?}", first.elapsed());
    for count in [1, 8, 16] {
        shown(&format!("dbload, {count} at once"), at_once(&Database::connect(&server), &folder, count));
    }
}

#[test]
#[ignore = "a measurement: make bench-fixtures"]
fn a_test_waits_less_than_with_sqlx() {
    let options = Options::default().in_memory().conf("max_connections = 200");
    let server = TempServer::start(options).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "testing::beside::on_this_server"]);
    command.env("DBLOAD_TEST_SERVER", server.url()).env("DATABASE_URL", server.url());
    assert!(command.status().unwrap().success());
}

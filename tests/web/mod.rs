//! Sources from the network, end to end: a real server, the program as a process, PostgreSQL. The oracles are
//! the table's content digest against what the server has, the ledger, and the server's own log of what it
//! was asked.

mod ahead;
mod archives;
mod around;
mod asked;
mod bodies;
mod content;
mod each;
mod ends;
mod exports;
mod limits;
mod login;
mod many;
mod others;
mod pages;
mod places;
mod presets;
mod proxies;
mod records;
mod refusals;
mod said;
mod speed;
mod tls;
mod told;

use crate::support::{Outcome, Running, Scene, api::Ask};
use std::fmt::Write as _;

/// Records `from..to` as lines.
fn lines(from: u64, to: u64) -> String {
    let mut text = String::new();
    for i in from..to {
        let _ = writeln!(text, "{}", record(i));
    }
    text
}

/// Records `from..to` as a JSON array.
fn array(from: u64, to: u64) -> String {
    let records: Vec<String> = (from..to).map(record).collect();
    format!("[{}]", records.join(","))
}

fn record(i: u64) -> String {
    format!(r#"{{"id":{i},"v":{},"note":"r{i}"}}"#, i * 7)
}

/// What the table must be for records `from..to`: a query in parentheses.
fn rows(from: u64, to: u64) -> String {
    format!(
        "(SELECT i::bigint AS id, (i * 7)::bigint AS v, 'r' || i AS note FROM generate_series({from}, {to}::bigint - 1) i) z"
    )
}

const TABLE: &str = "CREATE TABLE t (id bigint PRIMARY KEY, v bigint, note text)";

/// A table for these records.
fn scene() -> Scene {
    Scene::with(TABLE)
}

/// The table has records `0..n` and nothing else.
#[track_caller]
fn check(scene: &Scene, n: u64, outcome: &Outcome) {
    assert_eq!(
        scene.db.digest("t"),
        scene.db.digest(&rows(0, n)),
        "the table is not what it must be: {outcome}"
    );
}

/// Kills the load once more than so many rows are stored, and waits until what it sent at last has committed
/// or has not.
#[track_caller]
fn kill_beyond(scene: &Scene, running: Running, stored: u64) {
    wait_until("rows are committed", || scene.db.count("t") > stored);
    running.kill9_after(std::time::Duration::ZERO);
    scene.db.until_quiet();
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// The number at the end of a path: `/items/17`.
fn id_of(ask: &Ask) -> u64 {
    ask.path.rsplit('/').next().and_then(|id| id.parse().ok()).unwrap_or(u64::MAX)
}

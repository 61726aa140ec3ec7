//! Objects in stores, end to end: a store that checks signatures by a computation of its own, the program as
//! a process, PostgreSQL. The oracles are the table's content digest, the ledger, and the store's log of what
//! it was asked. The tests whose names begin with a letter and a number are the requirements of that number,
//! each of which is somebody's bug. Real stores are asked by `make test-stores`.

mod azure;
mod faults;
mod google;
mod listings;
mod objects;
mod who;

use crate::support::bucket::{Bucket, KEY_ID, SECRET};
use crate::support::{Dbload, Outcome, Scene};
use std::fmt::Write as _;

const TABLE: &str = "CREATE TABLE t (id bigint PRIMARY KEY, v bigint)";

/// Records `from..to` as lines.
fn lines(from: u64, to: u64) -> String {
    let mut text = String::new();
    for i in from..to {
        let _ = writeln!(text, r#"{{"id":{i},"v":{}}}"#, i * 7);
    }
    text
}

/// A load with the keys of the store in the environment, as most people have them.
fn load(scene: &Scene, bucket: &Bucket, line: &str) -> Dbload {
    unsigned(scene, bucket, line).env("AWS_ACCESS_KEY_ID", KEY_ID).env("AWS_SECRET_ACCESS_KEY", SECRET)
}

/// The same without keys: nobody asks a metadata service.
fn unsigned(scene: &Scene, bucket: &Bucket, line: &str) -> Dbload {
    let load = scene.dbload(line).arg("-t").arg("t").arg("--endpoint").arg(bucket.endpoint());
    load.env("AWS_EC2_METADATA_DISABLED", "true")
}

/// The table has records `0..n` and nothing else.
#[track_caller]
fn check(scene: &Scene, n: u64, outcome: &Outcome) {
    let expected = format!(
        "(SELECT i::bigint AS id, (i * 7)::bigint AS v FROM generate_series(0, {n}::bigint - 1) i) z"
    );
    assert_eq!(
        scene.db.digest("t"),
        scene.db.digest(&expected),
        "the table is not what it must be: {outcome}"
    );
}

#[track_caller]
fn kill_beyond(scene: &Scene, running: crate::support::Running, stored: u64) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while scene.db.count("t") <= stored {
        assert!(std::time::Instant::now() < deadline, "no rows are committed");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    running.kill9_after(std::time::Duration::ZERO);
    scene.db.until_quiet();
}

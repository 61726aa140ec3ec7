//! Kill -9 at each crash point, at the first, middle and last time that it is passed.
//!
//! A process that ends by SIGKILL was killed at its point: nothing else here kills, and a hang fails as such.

use super::{KINDS, Kind, Load, POOLS, cases};
use crate::support::{
    Dbload, Outcome, Proxy, audit,
    proxy::{Act, End, Fault, committed},
};
use dbload::internals::fault::POINTS;
use std::collections::HashMap;

/// How often a load of this kind passes each point, when nothing goes wrong but what the moment needs.
fn passes(outcome: &Outcome) -> HashMap<String, u64> {
    let lines = outcome.stderr.lines().filter_map(|line| line.strip_prefix("crash point "));
    lines
        .map(|line| {
            let (name, count) = line.split_once(' ').unwrap();
            (name.to_owned(), count.parse().unwrap())
        })
        .collect()
}

/// Points that a load comes by only on certain ways.
fn prepare(load: &Load, point: &str) -> Option<Proxy> {
    match point {
        // An earlier start has left a run unfinished.
        "taken-over" => {
            load.dbload("--pool-size 2").env("DBLOAD_CRASH_AT", "begun:3").run().exits(128 + 9);
            None
        }
        // Outcomes are unknown.
        "resolving" => {
            let fault = Fault::on(committed, Act::Cut(End::Rst)).every(3);
            Some(Proxy::to(load.scene.db.url(), vec![fault]))
        }
        _ => None,
    }
}

fn command(load: &Load, proxy: Option<&Proxy>, pool: u32) -> Dbload {
    let flags = format!("--pool-size {pool} --batch-rows 300");
    match proxy {
        Some(proxy) => load.through(&proxy.url(), &flags),
        None => load.dbload(&flags),
    }
}

/// After a crash at this point the same command makes it whole, or finds it whole.
fn recover(load: &Load, point: &str, pool: u32) {
    let outcome = command(load, None, pool).run();
    if !["completed", "rejects-written", "rejects-named"].contains(&point) {
        load.check(outcome);
        return;
    }
    // The run was complete, only nobody heard: an upsert is applied again and changes nothing, an append is
    // refused.
    match load.kind {
        Kind::Append => assert_eq!(outcome.says("--again").code(), 8),
        _ => assert_eq!(outcome.exits(3).rows().inserted, 0),
    }
    assert_eq!(load.scene.db.digest("t"), load.scene.db.digest(&load.expected()));
    audit(&load.scene.db);
}

#[test]
fn killed_at_each_crash_point_at_first_in_the_middle_and_at_last_it_is_as_if_nothing_had_happened() {
    // Those of loads that replace a table are `replace::`'s.
    let points = POINTS.iter().filter(|(_, point)| !["putting", "put"].contains(point));
    for (i, (_, point)) in points.enumerate() {
        for moment in 0..3 {
            let sample = (KINDS[(i + moment) % KINDS.len()], POOLS[(i / 3 + moment) % 3]);
            for (kind, pool) in cases([sample]) {
                // How often a point is passed may differ from start to start: the last time may not come.
                let tries = (0..5).any(|_| killed_at(kind, pool, point, moment));
                assert!(tries, "{kind:?}, pool of {pool}: {point} was never hit");
            }
        }
    }
}

/// Kills a load at the first, middle or last time that it passes a point, and has it made whole; whether it
/// was hit.
fn killed_at(kind: Kind, pool: u32, point: &str, moment: usize) -> bool {
    // How often it is passed.
    let load = Load::new(kind, 3_000);
    let proxy = prepare(&load, point);
    let counted = command(&load, proxy.as_ref(), pool).env("DBLOAD_CRASH_POINTS", "1").run().exits(3);
    let passed = passes(&counted)[point];
    assert!(passed > 0, "{point} was never passed: {counted}");
    let nth = [1, passed.div_ceil(2), passed][moment];
    // And there it is killed.
    let load = Load::new(kind, 3_000);
    let proxy = prepare(&load, point);
    let outcome = command(&load, proxy.as_ref(), pool).env("DBLOAD_CRASH_AT", format!("{point}:{nth}")).run();
    if !outcome.was_killed() {
        load.check(outcome);
        return false;
    }
    println!("{kind:?}, pool of {pool}: killed at {point}, time {nth} of {passed}");
    recover(&load, point, pool);
    true
}

#[test]
fn killed_while_it_creates_the_table_it_has_created_all_of_it_or_nothing() {
    for point in ["recording:1", "recorded:1", "begun:1", "committed:1"] {
        let load = Load::new(Kind::Upsert, 900);
        load.scene.sql("DROP TABLE t");
        let command = || load.dbload("--key id --pool-size 2");
        assert!(command().env("DBLOAD_CRASH_AT", point).run().was_killed(), "{point}");
        assert_eq!(load.scene.db.has_table("t"), point != "recording:1", "{point}");
        let outcome = command().run();
        assert_eq!(load.scene.db.digest("t"), load.scene.db.digest(&load.expected()), "{point}: {outcome}");
        assert_eq!(audit(&load.scene.db), outcome.exits(0).rows(), "{point}");
    }
}

#[test]
fn an_unknown_crash_point_or_defect_is_refused() {
    let load = Load::new(Kind::Append, 30);
    load.dbload("").env("DBLOAD_CRASH_AT", "nowhere:1").run().exits(2).says("no crash point");
    load.dbload("").env("DBLOAD_DEFECT", "none").run().exits(2).says("no defect");
}

//! The target is changed at moments that a seed draws: swapped, made unlogged or logged, given partitions and
//! robbed of them.

use super::target::{KEYED, PARTITIONED, RECORDS, Slow, trigger};
use crate::support::Rng;
use crate::support::until;
use std::time::Duration;

const MOMENTS: u64 = 20;

/// Where rows of the load are: in the table that has the name now, and in the one that had it before.
fn rows(slow: &Slow, old: &str) -> (u64, u64) {
    (slow.scene.db.count("a.t"), slow.scene.db.count(old))
}

#[test]
fn two_tables_that_are_swapped_at_any_moment_never_share_a_load() {
    // What swaps them, and what the old table is called then.
    const SWAPS: [(&str, &str); 3] = [
        ("ALTER TABLE a.t RENAME TO old; ALTER TABLE a.n RENAME TO t", "a.old"),
        ("ALTER SCHEMA a RENAME TO c; ALTER SCHEMA b RENAME TO a", "c.t"),
        ("ALTER TABLE a.t SET SCHEMA public; ALTER TABLE b.t SET SCHEMA a", "public.t"),
    ];
    let mut rng = Rng::new();
    let (mut whole, mut refused) = (0, 0);
    for moment in 0..MOMENTS {
        let (swap, old) = SWAPS[rng.index(SWAPS.len())];
        let mode = if rng.one_in(2) { "append" } else { "upsert" };
        let slow = Slow::new(mode, KEYED);
        slow.sql("CREATE TABLE a.n (LIKE a.t INCLUDING ALL); CREATE SCHEMA b; CREATE TABLE b.t (LIKE a.t INCLUDING ALL)");
        slow.sql(&format!("{}; {}", trigger("a.n"), trigger("b.t")));
        // The first moments are those of the start, the others anywhere in the load.
        let longest = if moment < 5 { 300 } else { 1_500 };
        let pause = Duration::from_millis(rng.below(longest));
        let running = slow.command().spawn();
        std::thread::sleep(pause);
        slow.sql(&format!("BEGIN; {swap}; COMMIT"));
        let outcome = running.wait();
        let what = format!("{swap} after {pause:?}, {mode}: {outcome}");
        let (new, before) = rows(&slow, old);
        assert!(new == 0 || before == 0, "{new} and {before} rows: {what}");
        match outcome.code() {
            0 => {
                assert_eq!(new + before, RECORDS, "{what}");
                whole += 1;
            }
            code => {
                assert!(matches!(code, 5 | 8), "{what}");
                assert!(new + before < RECORDS || outcome.stderr.contains("was changed"), "{what}");
                refused += 1;
            }
        }
    }
    println!("{whole} loads whole, {refused} refused");
    assert!(refused > 0, "no swap has met a load");
}

#[test]
fn a_table_that_becomes_unlogged_or_logged_in_mid_load_is_never_called_whole_if_it_is_not() {
    let unlogged = KEYED.replace("CREATE TABLE", "CREATE UNLOGGED TABLE");
    for (table, ddl) in
        [(KEYED, "ALTER TABLE a.t SET UNLOGGED"), (unlogged.as_str(), "ALTER TABLE a.t SET LOGGED")]
    {
        for mode in ["append", "upsert"] {
            let slow = Slow::new(mode, table);
            let outcome = slow.changed_after(5, ddl);
            // Rewritten, as TRUNCATE and INSERT would: nobody can tell whose rows these are.
            assert_eq!(outcome.code(), 8, "{ddl}: {outcome}");
            let outcome = outcome.says("was changed while it was loaded");
            let before = slow.scene.db.count("a.t");
            assert!(before < RECORDS, "{outcome}");
            slow.command().run().exits(8);
            assert_eq!(slow.scene.db.count("a.t"), before, "a refusal writes nothing");
        }
    }
}

#[test]
fn partitions_that_come_and_go_in_mid_load_cost_no_row_and_no_count() {
    let later =
        PARTITIONED.replace("CREATE TABLE a.t3 PARTITION OF a.t FOR VALUES FROM (8000) TO (12000)", "");
    let attach = "CREATE TABLE a.t3 (id bigint PRIMARY KEY, v bigint); \
                  ALTER TABLE a.t ATTACH PARTITION a.t3 FOR VALUES FROM (8000) TO (12000)";
    for mode in ["append", "upsert"] {
        // Records before it is there have no partition.
        let slow = Slow::new(mode, &later);
        let running = slow.command().line("--max-rejects 100%").spawn();
        until("batches are committed", || slow.batches() >= 30);
        slow.sql(attach);
        let outcome = running.wait().exits(3);
        let rows = outcome.rows();
        assert_eq!((rows.read, rows.inserted + rows.rejected), (RECORDS, RECORDS), "{outcome}");
        assert_eq!(slow.scene.db.count("a.t"), rows.inserted, "{outcome}");
        assert!(slow.scene.db.count("a.t3") > 0, "{outcome}");
    }
    for (ddl, expected) in [
        ("ALTER TABLE a.t DETACH PARTITION a.t2", 8),
        ("ALTER TABLE a.t DETACH PARTITION a.t2 CONCURRENTLY", 8),
        // With its rows, or with others.
        (
            "BEGIN; ALTER TABLE a.t DETACH PARTITION a.t2; ALTER TABLE a.t ATTACH PARTITION a.t2 FOR VALUES FROM (4000) TO (8000); COMMIT",
            0,
        ),
        (
            "BEGIN; ALTER TABLE a.t DETACH PARTITION a.t2; CREATE TABLE a.n PARTITION OF a.t FOR VALUES FROM (4000) TO (8000); COMMIT",
            8,
        ),
    ] {
        let slow = Slow::new("append", PARTITIONED);
        let outcome = slow.changed_after(18, ddl);
        assert_eq!(outcome.code(), expected, "{ddl}: {outcome}");
        slow.is_whole_or_said(&outcome, ddl);
    }
}

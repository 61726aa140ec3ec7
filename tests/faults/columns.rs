//! The target keeps its number and its rows, and its columns are others: replaced under their names, or the
//! key's of another type. In mid-load, and between two starts.

use super::target::{KEYED, Slow};
use crate::support::until;
use crate::support::{Dbload, Outcome, Scene, audit};
use rustix::process::Signal;
use std::fmt::Write;
use std::time::Duration;

const WITH_TWIN: &str = "CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint, w bigint)";
const SWAP: &str = "BEGIN; ALTER TABLE a.t RENAME v TO x; ALTER TABLE a.t RENAME w TO v; ALTER TABLE a.t RENAME x TO w; COMMIT";
const REPLACE: &str = "ALTER TABLE a.t DROP COLUMN v, ADD COLUMN v bigint";

/// Rows of one load must not lie in two columns: those of before would be NULL in the one that has the name.
#[test]
fn a_column_that_is_replaced_under_its_name_ends_the_load_and_a_resume() {
    for mode in ["upsert", "append"] {
        for killed in [false, true] {
            let swapped = Slow::new(mode, WITH_TWIN);
            swapped_or_replaced(&swapped, killed, SWAP)
                .says("column \"v\" is called \"w\" now, and another one \"v\"")
                .says("give it its name back, and the same command goes on");
            swapped.sql(SWAP);
            swapped.is_whole(&swapped.command().run().exits(0));

            let replaced = Slow::new(mode, WITH_TWIN);
            let outcome = swapped_or_replaced(&replaced, killed, REPLACE)
                .says("column \"v\" was dropped, and is another one now")
                .says("--restart");
            assert!(!outcome.stderr.contains("the same command"), "{outcome}");
            if mode == "upsert" {
                replaced.is_whole(&replaced.command().line("--restart").run().exits(0));
            }
        }
    }
}

/// How a load ends whose table is changed, now and at the next start.
fn swapped_or_replaced(slow: &Slow, killed: bool, ddl: &str) -> Outcome {
    if killed {
        slow.killed_after(5);
        slow.sql(ddl);
    } else {
        slow.changed_after(5, ddl).exits(8).says("was changed while it was loaded");
    }
    let loaded = slow.scene.db.count("a.t");
    let outcome = slow.command().run().exits(8);
    assert_eq!(slow.scene.db.count("a.t"), loaded, "a refusal writes nothing");
    outcome
}

#[test]
fn a_column_that_is_replaced_in_mid_load_ends_one_without_a_ledger() {
    for ddl in [SWAP, REPLACE] {
        let slow = Slow::new("upsert", WITH_TWIN);
        let running = slow.command().line("--no-ledger").spawn();
        until("rows are committed", || slow.scene.db.count("a.t") >= 1_500);
        slow.sql(ddl);
        running.wait().exits(5).says("column \"v\"").says("was changed while it was loaded");
        slow.is_whole(&slow.command().line("--no-ledger").run().exits(0));
    }
}

#[test]
fn columns_that_come_and_go_beside_those_of_the_load_do_not_end_it() {
    for ddl in
        ["ALTER TABLE a.t DROP COLUMN w", "ALTER TABLE a.t ADD COLUMN x int", "ALTER TABLE a.t RENAME w TO x"]
    {
        for killed in [false, true] {
            let slow = Slow::new("append", WITH_TWIN);
            let outcome = if killed {
                slow.killed_after(5);
                slow.sql(ddl);
                slow.command().run()
            } else {
                slow.changed_after(5, ddl)
            };
            slow.is_whole(&outcome.exits(0));
        }
    }
}

/// As builds of before have stored them.
#[test]
fn a_run_that_does_not_say_what_its_columns_were_goes_on() {
    let slow = Slow::new("upsert", KEYED);
    slow.killed_after(5);
    slow.sql("UPDATE _dbload.run SET settings = settings - 'target-columns' - 'key-types'");
    slow.sql("ALTER TABLE a.t ADD COLUMN extra int");
    slow.is_whole(&slow.command().run().exits(0));
}

/// A renamed column whose fields are passed over from then on: what was loaded lies in it, the rest nowhere.
#[test]
fn a_renamed_column_whose_fields_would_be_passed_over_is_refused() {
    let slow = Slow::new("upsert", KEYED);
    let command = || slow.command().line("--extra ignore");
    let running = command().spawn();
    until("batches are committed", || slow.batches() >= 5);
    running.signal(Signal::KILL);
    running.wait();
    slow.scene.db.until_alone();
    slow.sql("ALTER TABLE a.t RENAME v TO w");
    command().run().exits(8).says("column \"v\" is called \"w\" now").says("give it its name back");
    slow.sql("ALTER TABLE a.t RENAME w TO v");
    slow.is_whole(&command().run().exits(0));
}

/// And one that is added takes them from then on: what was read before has gone elsewhere, or nowhere.
#[test]
fn an_added_column_that_would_take_what_was_passed_over_is_refused() {
    for (table, extra, passed_over) in [
        ("CREATE TABLE a.t (id bigint PRIMARY KEY)", "ignore", "true"),
        (
            "CREATE TABLE a.t (id bigint PRIMARY KEY, rest jsonb)",
            "jsonb:rest",
            "(rest ->> 'v')::bigint = id * 7",
        ),
    ] {
        let slow = Slow::new("append", table);
        let command = || slow.command().line(&format!("--extra {extra}"));
        let running = command().spawn();
        until("batches are committed", || slow.batches() >= 5);
        running.signal(Signal::KILL);
        running.wait();
        slow.scene.db.until_alone();
        slow.sql("ALTER TABLE a.t ADD COLUMN v bigint, ADD COLUMN other int");
        let refused = command().run().exits(8).says("column \"v\" is new, and would take a field");
        refused.says("drop it, or give it another name, and the same command goes on");
        slow.sql("ALTER TABLE a.t RENAME v TO w");
        command().run().exits(0);
        let right = format!("SELECT count(*), count(*) FILTER (WHERE {passed_over}), count(w) FROM a.t");
        assert_eq!(slow.scene.db.one(&right), "12000|12000|0");
    }
}

/// Values of a composite type go by the places of its attributes.
#[test]
fn attributes_of_a_type_that_swap_their_names_are_refused() {
    const SWAP: &str = "ALTER TYPE a.pair RENAME ATTRIBUTE x TO z; ALTER TYPE a.pair RENAME ATTRIBUTE y TO x; \
                        ALTER TYPE a.pair RENAME ATTRIBUTE z TO y";
    let slow = Slow::new(
        "upsert",
        "CREATE TYPE a.pair AS (x int, y int); CREATE TABLE a.t (id bigint PRIMARY KEY, v a.pair[])",
    );
    let record = |i: u32| format!("{{\"id\":{i},\"v\":[{{\"x\":1,\"y\":2}}]}}\n");
    slow.scene.file("c.jsonl", (0..12_000).map(record).collect::<String>());
    let command = || slow.scene.dbload("c.jsonl -t a.t --batch-rows 300 --pool-size 2");
    let running = command().spawn();
    until("batches are committed", || slow.batches() >= 5);
    running.signal(Signal::KILL);
    running.wait();
    slow.scene.db.until_alone();
    slow.sql(SWAP);
    let refused = command().run().exits(8).says("column \"v\" had the attributes x, y, and has y, x");
    refused.says("give the attributes their names back, and the same command goes on");
    slow.sql(SWAP);
    command().run().exits(0);
    assert_eq!(slow.scene.db.one("SELECT count(*) FROM a.t WHERE (v[1]).x = 1 AND (v[1]).y = 2"), "12000");
}

/// All keys are stored, with values that say whether they were updated.
const STORED: &str = "INSERT INTO a.t (id, v) SELECT i, -1 - i FROM generate_series(0, 11999) i";
const ALWAYS: &str = "ALTER TABLE a.t ALTER v ADD GENERATED ALWAYS AS IDENTITY";
const BY_DEFAULT: &str = "ALTER TABLE a.t ALTER v ADD GENERATED BY DEFAULT AS IDENTITY";
const NO_IDENTITY: &str = "ALTER TABLE a.t ALTER v DROP IDENTITY";

/// In stored rows such a column keeps its value: of one load some would have the record's, and some theirs.
#[test]
fn a_column_that_becomes_an_identity_always_or_ceases_to_be_one_ends_the_load_and_a_resume() {
    let plain = format!("CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint NOT NULL); {STORED}");
    for (table, ddl, back, what) in [
        (plain.clone(), ALWAYS, NO_IDENTITY, "column \"v\" is an identity GENERATED ALWAYS now"),
        (
            format!("{plain}; {ALWAYS}"),
            NO_IDENTITY,
            ALWAYS,
            "column \"v\" is no identity GENERATED ALWAYS any more",
        ),
        (
            format!("{plain}; {ALWAYS}"),
            "ALTER TABLE a.t ALTER v SET GENERATED BY DEFAULT",
            "ALTER TABLE a.t ALTER v SET GENERATED ALWAYS",
            "column \"v\" is no identity GENERATED ALWAYS any more",
        ),
    ] {
        let updated = if ddl == ALWAYS { "12000" } else { "0" };
        for killed in [false, true] {
            let slow = Slow::new("upsert", &table);
            let refused = swapped_or_replaced(&slow, killed, ddl).says(what);
            refused.says("make the column what it was, and the same command goes on");
            slow.sql(back);
            let outcome = slow.command().run().exits(0);
            let right = slow.scene.db.one("SELECT count(*) FROM a.t WHERE v = id * 7");
            assert_eq!(right, updated, "{ddl}, killed {killed}: {outcome}");
        }
    }
}

#[test]
fn a_column_of_another_kind_ends_a_load_without_a_ledger() {
    let plain = format!("CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint NOT NULL); {STORED}");
    for (table, ddl, what) in [
        (plain.as_str(), ALWAYS, "is an identity GENERATED ALWAYS now"),
        (GENERATED, PLAIN, "is no generated column"),
    ] {
        let slow = Slow::new("upsert", table);
        let running = slow.command().line("--no-ledger").spawn();
        until("rows are committed", || slow.scene.db.count("a.t WHERE v >= 0") >= 1_500);
        slow.sql(ddl);
        running.wait().exits(5).says(&format!("was changed while it was loaded: column \"v\" {what}"));
    }
}

/// No stored row is updated, or the column is of the key, or a record's value counts under both.
#[test]
fn an_identity_that_changes_nothing_for_what_records_have_is_none_of_the_loads_business() {
    const NOT_NULL: &str = "CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint NOT NULL)";
    for (mode, ddl) in [
        ("append", ALWAYS),
        ("ignore", ALWAYS),
        ("upsert", BY_DEFAULT),
        ("upsert", "ALTER TABLE a.t ALTER id ADD GENERATED ALWAYS AS IDENTITY"),
    ] {
        for killed in [false, true] {
            let slow = Slow::new(mode, NOT_NULL);
            let outcome = if killed {
                slow.killed_after(5);
                slow.sql(ddl);
                slow.command().run()
            } else {
                slow.changed_after(5, ddl)
            };
            slow.is_whole(&outcome.exits(0));
        }
    }
}

const GENERATED: &str =
    "CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint GENERATED ALWAYS AS (id + 1) STORED)";
const PLAIN: &str = "ALTER TABLE a.t ALTER v DROP EXPRESSION";

/// Its field was left out: beside computed values there would be loaded ones, or none. Another generated
/// column keeps it from showing in what the table has on the whole.
#[test]
fn a_generated_column_that_becomes_a_plain_one_ends_the_load_and_a_resume() {
    const OTHER: &str = "ALTER TABLE a.t ADD other bigint GENERATED ALWAYS AS (id + 2) STORED";
    for mode in ["upsert", "append"] {
        for table in [GENERATED.to_owned(), format!("{GENERATED}; {OTHER}")] {
            for killed in [false, true] {
                let slow = Slow::new(mode, &table);
                let refused = swapped_or_replaced(&slow, killed, PLAIN);
                let refused = refused.says("column \"v\" is no generated column any more").says("--restart");
                assert!(!refused.stderr.contains("the same command goes on"), "{refused}");
                if mode == "upsert" {
                    slow.is_whole(&slow.command().line("--restart").run().exits(0));
                }
            }
        }
        let replaced = Slow::new(mode, GENERATED);
        replaced.killed_after(5);
        replaced.sql(REPLACE);
        replaced.command().run().exits(8).says("column \"v\" was dropped, and is another one now");
    }
}

/// No record has a say in either.
#[test]
fn a_generated_column_that_is_dropped_or_renamed_does_not_end_a_load() {
    const TWO: &str =
        "CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint, g bigint GENERATED ALWAYS AS (v + 1) STORED)";
    for ddl in ["ALTER TABLE a.t DROP COLUMN g", "ALTER TABLE a.t RENAME g TO h"] {
        for killed in [false, true] {
            let slow = Slow::new("append", TWO);
            let outcome = if killed {
                slow.killed_after(5);
                slow.sql(ddl);
                slow.command().run()
            } else {
                slow.changed_after(5, ddl)
            };
            slow.is_whole(&outcome.exits(0));
        }
    }
}

/// Gathered from then on, where they were left out before; or left out, where they were gathered.
#[test]
fn fields_of_a_generated_column_that_comes_or_goes_are_not_gathered_in_part() {
    let generated =
        "CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint GENERATED ALWAYS AS (id + 1) STORED, rest jsonb)";
    let without =
        "CREATE TABLE a.t (id bigint PRIMARY KEY, rest jsonb, w bigint GENERATED ALWAYS AS (id) STORED)";
    for (table, ddl, back, what, gathered) in [
        (
            generated,
            "ALTER TABLE a.t RENAME v TO w",
            "ALTER TABLE a.t RENAME w TO v",
            "column \"v\" is called \"w\" now",
            "0",
        ),
        (
            without,
            "ALTER TABLE a.t RENAME w TO v",
            "ALTER TABLE a.t RENAME v TO w",
            "column \"v\" is a generated column now",
            "12000",
        ),
    ] {
        let slow = Slow::new("append", table);
        let command = || slow.command().line("--extra jsonb:rest");
        let running = command().spawn();
        until("batches are committed", || slow.batches() >= 5);
        running.signal(Signal::KILL);
        running.wait();
        slow.scene.db.until_alone();
        slow.sql(ddl);
        command().run().exits(8).says(what).says("the same command goes on");
        slow.sql(back);
        command().run().exits(0);
        assert_eq!(slow.scene.db.one("SELECT count(*), count(rest) FROM a.t"), format!("12000|{gathered}"));
    }
}

/// The form in which the builds of before have stored columns: numbers alone, without generated ones.
#[test]
fn a_run_that_does_not_say_of_what_kind_its_columns_were_goes_on_and_knows_their_numbers() {
    const BEFORE: &str = "UPDATE _dbload.run SET settings = jsonb_set(settings, '{target-columns}', \
        '{\"id\": 1, \"v\": 2}')";
    let identity = Slow::new("upsert", "CREATE TABLE a.t (id bigint PRIMARY KEY, v bigint NOT NULL)");
    identity.killed_after(5);
    identity.sql(BEFORE);
    identity.sql(ALWAYS);
    identity.is_whole(&identity.command().run().exits(0));

    let swapped = Slow::new("upsert", WITH_TWIN);
    swapped.killed_after(5);
    swapped.sql(BEFORE);
    swapped.sql(SWAP);
    swapped.command().run().exits(8).says("column \"v\" is called \"w\" now");
}

/// Records of text keys, in capitals and with a space at their end: under other types other keys are equal,
/// and another writer has them.
struct Keys {
    scene: Scene,
    pool: u32,
}

const KEYS: u64 = 6_000;

impl Keys {
    fn of(ty: &str, pool: u32) -> Self {
        let scene = Scene::with(&format!(
            "CREATE EXTENSION citext; \
             CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
             CREATE TABLE t (k {ty} PRIMARY KEY, v bigint); \
             CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END $$; \
             CREATE TRIGGER slow AFTER INSERT OR UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()"
        ));
        let numbers = ty.starts_with("numeric");
        let text = (0..KEYS).fold(String::from("k,v\n"), |mut text, i| {
            let _ = if numbers { writeln!(text, "{i},{i}") } else { writeln!(text, "K{i} ,{i}") };
            text
        });
        scene.file("t.csv", text);
        Self { scene, pool }
    }

    fn command(&self) -> Dbload {
        self.scene.dbload(&format!("t.csv -t t --batch-rows 100 --pool-size {}", self.pool))
    }

    /// Changed in mid-load, or between two starts: how that ends.
    fn changed(&self, killed: bool, ty: &str) -> Outcome {
        let running = self.command().spawn();
        let batches = "SELECT coalesce(sum(batches), 0) FROM _dbload.checkpoint";
        until("batches are committed", || {
            self.scene
                .db
                .try_rows(batches)
                .is_ok_and(|(rows, _)| rows[0][0].as_ref().unwrap().parse::<u64>().unwrap() >= 5)
        });
        if killed {
            running.signal(Signal::KILL);
            running.wait();
            self.scene.db.until_alone();
            self.retyped(ty);
            return self.command().run();
        }
        self.retyped(ty);
        running.wait()
    }

    fn retyped(&self, ty: &str) {
        self.scene.sql(&format!("ALTER TABLE t ALTER k TYPE {ty}"));
    }

    #[track_caller]
    fn is_whole(&self, outcome: &Outcome) {
        assert_eq!(
            self.scene.db.one("SELECT count(*) || ' ' || sum(v) FROM t"),
            format!("{KEYS} {}", KEYS * (KEYS - 1) / 2),
            "{outcome}"
        );
    }
}

#[test]
fn a_key_of_another_type_ends_the_load_and_a_resume_until_it_has_its_type_again() {
    for (ty, now, killed) in [
        ("text", "citext", false),
        ("text", "citext", true),
        ("citext", "text", true),
        ("text", "text COLLATE caseless", false),
        ("text", "text COLLATE caseless", true),
        ("varchar(30)", "text", true),
        ("numeric(12,2)", "numeric", true),
    ] {
        let keys = Keys::of(ty, 4);
        let outcome = keys.changed(killed, now);
        assert_eq!(outcome.code(), 8, "{ty} to {now}, killed {killed}: {outcome}");
        let outcome = outcome.says("the key column \"k\" was ").says("--restart");
        // A length or scale that is put back has the table written anew.
        let comes_back = !ty.contains('(');
        let back = "give it the type and collation back that it had, and the same command goes on";
        assert_eq!(outcome.stderr.contains(back), comes_back, "{outcome}");
        if comes_back {
            keys.retyped(if ty == "text" { "text COLLATE \"default\"" } else { ty });
            let again = keys.command().run().exits(0);
            keys.is_whole(&again);
            assert_eq!(audit(&keys.scene.db).read, KEYS, "{again}");
        } else {
            keys.is_whole(&keys.command().line("--restart").run().exits(0));
        }
    }
}

#[test]
fn a_key_whose_records_stay_with_their_writers_may_have_another_type() {
    for (ty, now, pool) in [
        ("varchar(20)", "varchar(30)", 4),
        ("text", "varchar", 4),
        ("text COLLATE \"C\"", "text COLLATE \"POSIX\"", 4),
        ("numeric(10,2)", "numeric(12,2)", 4),
        // One writer has them all.
        ("text", "citext", 1),
    ] {
        for killed in [false, true] {
            let keys = Keys::of(ty, pool);
            let outcome = keys.changed(killed, now);
            assert_eq!(outcome.code(), 0, "{ty} to {now}, killed {killed}: {outcome}");
            keys.is_whole(&outcome);
        }
    }
}

/// Two records of one key, as the new index has it, are then neither stored nor inserted, however often they
/// are tried.
#[test]
fn a_key_index_that_calls_other_keys_equal_from_now_on_is_noticed_at_once() {
    const DROPPED: &str = "ALTER TABLE t DROP CONSTRAINT t_pkey";
    for index in ["k COLLATE caseless", "lower(k)"] {
        for emptied in ["DELETE FROM t", "TRUNCATE t"] {
            let keys = Keys::of("text", 2);
            let text = (0..KEYS).fold(String::from("k,v\n"), |mut text, i| {
                let _ = writeln!(text, "{}{},{i}", if i % 2 == 0 { 'k' } else { 'K' }, i / 2);
                text
            });
            keys.scene.file("t.csv", text);
            let running = keys.command().line("--retry-for 10m").timeout(Duration::from_secs(30)).spawn();
            until("rows are committed", || keys.scene.db.count("t") >= 500);
            keys.scene.sql(&format!(
                "BEGIN; {DROPPED}; {emptied}; CREATE UNIQUE INDEX t_pkey ON t ({index}); COMMIT"
            ));
            let outcome = running.wait();
            assert_eq!(outcome.code(), 8, "{index}, {emptied}: {outcome}");
            let why = ["was changed while it was loaded", "no unique index on (k) any more"];
            assert!(why.iter().any(|why| outcome.stderr.contains(why)), "{index}, {emptied}: {outcome}");
        }
    }
}

//! What a table will refuse is set aside: those records alone go one by one, and nobody can tell but by the
//! time it takes.
//!
//! Also where a rejected record would have changed what a later one meets (CASES.md, rows 42 and 43). Random
//! tables and files against the reference: `equivalence`.

use crate::rows;
use crate::support::{Dbload, Outcome, Scene};
use std::fmt::Write as _;

/// Lines refused, each with its SQLSTATE.
fn refused(scene: &Scene, outcome: &Outcome) -> Vec<(u64, String)> {
    let rejects = outcome.report().rejected(scene.cwd());
    rejects.into_iter().map(|reject| (reject.line, reject.sqlstate.unwrap_or_default())).collect()
}

#[test]
fn only_what_the_table_refuses_goes_record_by_record() {
    // A sequence does not roll back: it counts every INSERT, those that were undone among them.
    let scene = Scene::with(
        "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(0, 9); \
         CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n >= 0), at date NOT NULL, p int REFERENCES parent, u text UNIQUE); \
         CREATE SEQUENCE inserts; \
         CREATE FUNCTION count_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('inserts'); RETURN NULL; END $$; \
         CREATE TRIGGER counter BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION count_insert(); \
         INSERT INTO t VALUES (-1, 0, '2024-01-01', 0, 'taken')",
    );
    let mut text = String::new();
    let mut expected = Vec::new();
    for id in 0..2_000_u64 {
        let (n, at, p, u, state) = match (id % 50, id / 50 % 4) {
            (49, 0) => ("-1", "\"2024-01-01\"", 1, format!("u{id}"), Some("23514")),
            (49, 1) => ("1", "null", 1, format!("u{id}"), Some("23502")),
            (49, 2) => ("1", "\"2024-01-01\"", 77, format!("u{id}"), Some("23503")),
            (49, _) => ("1", "\"2024-01-01\"", 1, "taken".to_owned(), Some("23505")),
            _ => ("1", "\"2024-01-01\"", 1, format!("u{id}"), None),
        };
        let _ = writeln!(text, "{{\"id\":{id},\"n\":{n},\"at\":{at},\"p\":{p},\"u\":\"{u}\"}}");
        expected.extend(state.map(|state| (id + 1, state.to_owned())));
    }
    scene.file("t.jsonl", text);
    let outcome = scene.run("t.jsonl --batch-rows 500 --pool-size 2").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 2_000, inserted: 1_960, rejected: 40), "{outcome}");
    assert_eq!(refused(&scene, &outcome), expected);
    assert_eq!(scene.db.count("t"), 1_961);
    // Four batches, forty bad records; and what was tried in vain before.
    let inserts: u64 = scene.db.one("SELECT last_value FROM inserts").parse().unwrap();
    assert!((40..80).contains(&inserts), "{inserts} statements");
}

#[test]
fn values_that_change_hands_among_refused_records_do_so_in_order() {
    const LINES: [(&str, Option<&str>); 8] = [
        (r#"{"id":5,"u":"a","n":1}"#, Some("23505")), // held by 1
        (r#"{"id":1,"u":"x","n":1}"#, None),
        (r#"{"id":6,"u":"a","n":1}"#, None),          // let go of by 1
        (r#"{"id":2,"u":"c","n":1}"#, Some("23505")), // held by 3
        (r#"{"id":3,"u":"b","n":-1}"#, Some("23514")),
        (r#"{"id":4,"u":"e","n":1}"#, None),
        (r#"{"id":7,"u":"d","n":-1}"#, Some("23514")), // let go of by 4, and not taken
        (r#"{"id":8,"u":"d","n":1}"#, None),
    ];
    for words in ["--batch-rows 1000", "--batch-rows 3", "--batch-rows 1", "--batch-rows 20 --no-ledger"] {
        let scene = Scene::with(
            "CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, n int CHECK (n >= 0)); \
             INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0), (3, 'c', 0), (4, 'd', 0)",
        );
        let mut lines: Vec<(String, Option<&str>)> = Vec::new();
        for id in 100..160 {
            let n = if id % 10 == 0 { -1 } else { 1 };
            lines.push((format!("{{\"id\":{id},\"u\":\"u{id}\",\"n\":{n}}}"), (n < 0).then_some("23514")));
        }
        for (at, (line, state)) in LINES.iter().enumerate() {
            lines.insert(at * 7 + 3, ((*line).to_owned(), *state));
        }
        let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
        scene.file("t.jsonl", text);
        let outcome = scene.run(&format!("t.jsonl {words}")).exits(3);
        let expected: Vec<(u64, String)> =
            (1..).zip(&lines).filter_map(|(n, (_, state))| Some((n, (*state)?.to_owned()))).collect();
        assert_eq!(refused(&scene, &outcome), expected, "{words}");
        assert_eq!(outcome.rows(), rows!(read: 68, inserted: 56, updated: 2, rejected: 10), "{words}");
        assert_eq!(
            scene.db.lines("SELECT * FROM t WHERE id < 100 ORDER BY id"),
            ["1|x|1", "2|b|0", "3|c|0", "4|e|1", "6|a|1", "8|d|1"],
            "{words}"
        );
        assert_eq!(scene.db.count("t WHERE id >= 100 AND u = 'u' || id AND n = 1"), 54, "{words}");
    }
}

#[test]
fn the_books_of_what_was_not_set_aside_are_exact() {
    // Older, alike, newer, new and refused, in each batch; the second one knows what the first was like.
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, at int NOT NULL, n int CHECK (n >= 0)); \
         INSERT INTO t SELECT id, 5, 1 FROM generate_series(0, 599) id",
    );
    let mut text = String::new();
    for id in 0..1_000 {
        let (at, n) = match (id, id % 5) {
            (_, 0) => (6, -1),
            (_, 1) => (4, 2),
            (_, 2) => (5, 1),
            _ => (6, 3),
        };
        let _ = writeln!(text, "{{\"id\":{id},\"at\":{at},\"n\":{n}}}");
    }
    scene.file("t.jsonl", text);
    for pool in [1, 3] {
        scene.sql("TRUNCATE t; INSERT INTO t SELECT id, 5, 1 FROM generate_series(0, 599) id");
        let words = format!("t.jsonl --newer-by at --batch-rows 100 --again --pool-size {pool}");
        let outcome = scene.run(&words).exits(3);
        // Of 600 stored: 120 refused, 120 older, 120 alike, 240 newer. Of 400 others: 80 refused.
        let expected =
            rows!(read: 1_000, rejected: 200, skipped: 120, unchanged: 120, updated: 240, inserted: 320);
        assert_eq!(outcome.rows(), expected, "pool of {pool}");
        assert_eq!(scene.db.one("SELECT count(*) || '|' || sum(n) FROM t"), {
            let (kept, newer, new) = (120 + 120 + 120, 240 * 3, 80 * 2 + 80 + 160 * 3);
            format!("920|{}", kept + newer + new)
        });
    }
}

#[test]
fn a_constraint_that_cannot_be_asked_beforehand_still_refuses_its_record_alone() {
    // A CHECK that raises, a domain, a partition that is not there, a trigger: none of them is known before
    // the row is.
    const TABLES: [(&str, &str); 4] = [
        ("CREATE TABLE t (id int PRIMARY KEY, n int CHECK (100 / n > 0))", "22012"),
        (
            "CREATE DOMAIN sized AS int CHECK (VALUE <> 0); CREATE TABLE t (id int PRIMARY KEY, n sized)",
            "23514",
        ),
        (
            "CREATE TABLE t (id int, n int, PRIMARY KEY (id, n)) PARTITION BY RANGE (n); \
             CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (1) TO (10)",
            "23514",
        ),
        (
            "CREATE TABLE t (id int PRIMARY KEY, n int); \
             CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN IF NEW.n = 0 THEN RAISE 'nought' USING ERRCODE = 'P0042'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER judge BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION judge()",
            "P0042",
        ),
    ];
    for (table, state) in TABLES {
        let scene = Scene::with(table);
        let mut text = String::new();
        let mut expected = Vec::new();
        for id in 0..300 {
            let n = if id % 29 == 3 { 0 } else { 7 };
            let _ = writeln!(text, "{{\"id\":{id},\"n\":{n}}}");
            if n == 0 {
                expected.push((id + 1, state.to_owned()));
            }
        }
        scene.file("t.jsonl", text);
        let outcome = scene.run("t.jsonl --batch-rows 60 --pool-size 2").exits(3);
        assert_eq!(refused(&scene, &outcome), expected, "{table}");
        assert_eq!(outcome.rows(), rows!(read: 300, inserted: 289, rejected: 11), "{table}");
        assert_eq!(scene.db.count("t WHERE n = 7"), 289, "{table}");
    }
}

#[test]
fn a_parent_that_the_role_may_not_read_is_no_obstacle() {
    // The foreign key is judged with its owner's rights; asking beforehand is not.
    let scene = Scene::with(
        "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1); \
         CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES parent)",
    );
    let role = format!("loader_{}", scene.db.name());
    scene.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT ALL ON t TO {role}; GRANT CREATE ON DATABASE {} TO {role}",
        scene.db.name()
    ));
    let text = (0..200).fold(String::new(), |mut text, id| {
        let _ = writeln!(text, "{{\"id\":{id},\"p\":{}}}", if id % 20 == 7 { 2 } else { 1 });
        text
    });
    scene.file("t.jsonl", text);
    let url = scene.db.url().replace("user=postgres", &format!("user={role}"));
    let load = Dbload::new(scene.cwd()).line("t.jsonl --batch-rows 50 --json --dsn").arg(url);
    let outcome = load.run().exits(3);
    assert_eq!(outcome.rows(), rows!(read: 200, inserted: 190, rejected: 10), "{outcome}");
    assert!(refused(&scene, &outcome).iter().all(|(_, state)| state == "23503"));
    scene.sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn what_records_lack_and_the_server_gives_to_each_alike_lets_the_first_of_them_in() {
    // The key that repeats would be set aside, and the one between it come in before both.
    let text = "{\"id\":5,\"n\":1}\n{\"id\":6,\"n\":2}\n{\"id\":5,\"n\":3}\n{\"id\":7,\"n\":4}\n{\"id\":6,\"n\":5}\n";
    for (columns, constraint) in [
        ("one int DEFAULT 7 UNIQUE", "t_one_key"),
        ("one int DEFAULT (3 + 4) UNIQUE DEFERRABLE INITIALLY DEFERRED", "t_one_key"),
        ("one positive UNIQUE", "t_one_key"),
        ("one int UNIQUE NULLS NOT DISTINCT", "t_one_key"),
        ("one int DEFAULT 1, two text DEFAULT 'x', UNIQUE (one, two)", "t_one_two_key"),
        ("one int DEFAULT 1, two text, UNIQUE NULLS NOT DISTINCT (one, two)", "t_one_two_key"),
    ] {
        for flags in ["--pool-size 4", "--batch-rows 3", "--batch-rows 1", "--pool-size 4 --no-ledger"] {
            let scene = Scene::with(&format!(
                "CREATE DOMAIN positive AS int DEFAULT 7 CHECK (VALUE > 0); \
                 CREATE TABLE t (id int PRIMARY KEY, n int, {columns})"
            ));
            scene.file("t.jsonl", text);
            let outcome = scene.run(&format!("t.jsonl {flags}")).exits(3);
            let report = outcome.report();
            let rejects = report.rejected(scene.cwd());
            let lines: Vec<u64> = rejects.iter().map(|reject| reject.line).collect();
            assert_eq!(lines, [2, 4, 5], "{columns} {flags}: {outcome}");
            assert!(outcome.stderr.contains(constraint), "{columns} {flags}: {outcome}");
            assert_eq!(
                outcome.rows(),
                rows!(read: 5, inserted: 1, updated: 1, rejected: 3),
                "{columns} {flags}"
            );
            assert_eq!(scene.db.lines("SELECT id, n FROM t"), ["5|3"], "{columns} {flags}");
        }
    }
    // Nulls are not equal to each other, and what a sequence gives is not: nothing goes record by record.
    for columns in ["one int UNIQUE", "one serial UNIQUE", "one int DEFAULT 7, two int, UNIQUE (one, two)"] {
        let scene = Scene::with(&format!("CREATE TABLE t (id int PRIMARY KEY, n int, {columns})"));
        scene.file("t.jsonl", "{\"id\":5,\"n\":1}\n{\"id\":6,\"n\":2}\n");
        let outcome = scene.load("t.jsonl");
        assert_eq!(outcome.report().pool.careful, 0, "{columns}: {outcome}");
        assert_eq!(scene.db.lines("SELECT id, n FROM t ORDER BY id"), ["5|1", "6|2"], "{columns}");
    }
}

//! Rejects: one record each, kept with its reason, and loaded again after mending.
//!
//! CASES.md, rows 42 and 45; one bad row, modes that skip, and a reject path with mixed kinds of errors.

use crate::{rows, support::Scene};
use std::fmt::Write;

const TABLE: &str = "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1); \
    CREATE TABLE t (id int PRIMARY KEY, qty int CONSTRAINT qty_positive CHECK (qty >= 0), email text UNIQUE, \
    p int CONSTRAINT t_parent REFERENCES parent, code varchar(3), at date NOT NULL DEFAULT '2024-01-01'); \
    INSERT INTO t (id, email) VALUES (100, 'taken')";

const MIXED: [(&str, &str); 9] = [
    (r#"{"id":1,"qty":"many"}"#, "22P02"),
    (r#"{"id":2,"qty":-1}"#, "23514"),
    (r#"{"id":3,"email":"taken"}"#, "23505"),
    (r#"{"id":4,"p":9}"#, "23503"),
    (r#"{"id":5,"code":"long"}"#, "22001"),
    (r#"{"id":6,"at":null}"#, "23502"),
    (r#"{"id":7,"at":"2024-02-30"}"#, "22008"),
    (r#"{"id":8"#, ""),
    (r#"{"qty":1}"#, ""),
];

fn good(from: usize, many: usize) -> String {
    (from..from + many).fold(String::new(), |t, id| t + &format!("{{\"id\":{id},\"qty\":1}}\n"))
}

#[test]
fn every_kind_of_bad_record_is_one_reject_with_its_place_column_and_constraint() {
    for (pool, batch) in [(1, 1), (4, 3), (2, 10_000)] {
        let scene = Scene::with(TABLE);
        let mut text = String::new();
        for (i, (bad, _)) in MIXED.iter().enumerate() {
            let _ = writeln!(text, "{}{bad}", good(1_000 * (i + 1), 20));
            // A blank line would not count, the lines of the good records do.
            text = text.replace("\n\n", "\n");
        }
        scene.file("t.jsonl", &text);
        let outcome = scene.run(&format!("t.jsonl --pool-size {pool} --batch-rows {batch}")).exits(3);
        assert_eq!(outcome.rows(), rows!(read: 189, inserted: 180, rejected: 9), "{outcome}");
        let rejects = outcome.report().rejected(scene.cwd());
        assert_eq!(rejects.len(), 9);
        let line_of = |bad: &str| text.lines().position(|l| l == bad).unwrap() as u64 + 1;
        for (bad, state) in MIXED {
            let reject =
                rejects.iter().find(|r| r.line == line_of(bad)).unwrap_or_else(|| panic!("{bad} was taken"));
            assert!(state.is_empty() || reject.sqlstate.as_deref() == Some(state), "{bad}: {reject:?}");
            assert!(reject.source.ends_with("t.jsonl"));
            let offset = usize::try_from(reject.offset).unwrap();
            assert!(text[offset..].starts_with(bad), "offset {offset} of {bad}: {reject:?}");
        }
        let of = |state: &str| rejects.iter().find(|r| r.sqlstate.as_deref() == Some(state)).unwrap();
        assert_eq!(of("22P02").column.as_deref(), Some("qty"));
        assert_eq!(of("23514").constraint.as_deref(), Some("qty_positive"));
        assert_eq!(of("23505").constraint.as_deref(), Some("t_email_key"));
        assert_eq!(of("23503").constraint.as_deref(), Some("t_parent"));
        assert_eq!(of("22001").column.as_deref(), Some("code"));
        assert_eq!(of("23502").column.as_deref(), Some("at"));
        assert_eq!(of("22P02").record.as_ref().unwrap()["qty"].get(), "\"many\"");
        let raw = rejects.iter().find(|r| r.line == line_of(MIXED[7].0)).unwrap();
        assert_eq!(raw.raw.as_ref().unwrap(), MIXED[7].0);
        let reasons = outcome.report().rejects.reasons;
        assert_eq!(reasons.iter().map(|r| r.count).sum::<u64>(), 9);
        assert!(reasons.iter().any(|r| r.sqlstate.as_deref() == Some("23514")
            && r.first == format!("t.jsonl:{}", line_of(MIXED[1].0))));
        assert_eq!(scene.db.count("t"), 181);
    }
}

#[test]
fn bad_records_first_last_only_and_every_one() {
    for (bad, many) in [
        (vec![0], 500),
        (vec![499], 500),
        (vec![0], 1),
        ((0..200).collect(), 200),
        ((0..500).step_by(10).collect(), 500),
    ] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n < 10))");
        let text = (0..many).fold("id,n\n".to_owned(), |t, i| {
            t + &format!("{i},{}\n", if bad.contains(&i) { 99 } else { 1 })
        });
        scene.file("t.csv", text);
        let outcome = scene.run("t.csv --batch-rows 64 --pool-size 3").exits(3);
        let refused = bad.len() as u64;
        assert_eq!(
            outcome.rows(),
            rows!(read: many as u64, inserted: many as u64 - refused, rejected: refused)
        );
        let lines: Vec<_> = outcome.report().rejected(scene.cwd()).iter().map(|r| r.line).collect();
        assert_eq!(lines, bad.iter().map(|&i| i as u64 + 2).collect::<Vec<_>>(), "in source order");
    }
}

#[test]
fn the_reject_file_loads_again_as_it_is_and_after_mending() {
    let scene = Scene::with(TABLE);
    let text = MIXED.iter().fold(good(1_000, 5), |t, (bad, _)| t + bad + "\n");
    scene.file("t.jsonl", text);
    let outcome = scene.run("t.jsonl --rejects bad.jsonl").exits(3).says("bad.jsonl").says("hint:");
    assert_eq!(outcome.report().rejects.file.unwrap().file_name().unwrap(), "bad.jsonl");
    // As it is: the same records are refused again, for the same reasons.
    let again = scene.run("bad.jsonl --table t --rejects again.jsonl").exits(3);
    assert_eq!(again.rows().rejected, 9, "{again}");
    let mended = scene
        .folder
        .read("bad.jsonl")
        .replace("\"many\"", "\"5\"")
        .replace("\"-1\"", "\"1\"")
        .replace(":-1", ":1")
        .replace("taken", "free")
        .replace(":9}", ":1}")
        .replace("\"9\"", "\"1\"")
        .replace("\"long\"", "\"ok\"")
        .replace("2024-02-30", "2024-02-29")
        .replace("\"at\":null", "\"at\":\"2024-03-01\"");
    scene.file("mended.jsonl", mended);
    let mended = scene.run("mended.jsonl --table t --rejects rest.jsonl").exits(3);
    assert_eq!(mended.rows(), rows!(read: 9, inserted: 7, rejected: 2), "{mended}");
    assert_eq!(
        scene.db.lines("SELECT id, qty, email, p, code, at FROM t WHERE id < 100 ORDER BY id"),
        [
            "1|5|NULL|NULL|NULL|2024-01-01",
            "2|1|NULL|NULL|NULL|2024-01-01",
            "3|NULL|free|NULL|NULL|2024-01-01",
            "4|NULL|NULL|1|NULL|2024-01-01",
            "5|NULL|NULL|NULL|ok|2024-01-01",
            "6|NULL|NULL|NULL|NULL|2024-03-01",
            "7|NULL|NULL|NULL|NULL|2024-02-29",
        ]
    );
}

#[test]
fn rejects_of_csv_load_again_with_nulls_and_empty_strings_told_apart() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, a text, b text, n int)");
    scene.file("t.csv", "id,a,b,n\n1,,\"\",x\n2,\"q\"\"\n,\",z,y\n");
    let outcome = scene.run("t.csv --rejects bad.jsonl").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 2, rejected: 2));
    let mended =
        scene.folder.read("bad.jsonl").replace("\"n\":\"x\"", "\"n\":1").replace("\"n\":\"y\"", "\"n\":2");
    scene.file("mended.jsonl", mended);
    scene.load("mended.jsonl -t t");
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|NULL||1", "2|q\"\n,|z|2"]);
}

#[test]
fn the_reject_file_never_replaces_a_file_or_a_source() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":\"x\"}\n");
    scene.file("precious.jsonl", "do not touch");
    for taken in ["precious.jsonl", "t.jsonl"] {
        let before = scene.folder.read(taken);
        let outcome = scene.run(&format!("t.jsonl --rejects {taken}"));
        assert_ne!(outcome.code(), 0);
        assert_eq!(scene.folder.read(taken), before, "{outcome}");
    }
}

#[test]
fn without_rejects_there_is_no_file() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":1}\n");
    scene.load("t.jsonl --rejects none.jsonl");
    scene.load("t.jsonl");
    assert_eq!(scene.folder.names(), ["t.jsonl"]);
}

#[test]
fn by_default_the_file_is_named_after_table_and_run() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":\"x\"}\n");
    scene.run("t.jsonl").exits(3);
    let names = scene.folder.names();
    assert!(names.iter().any(|n| n.starts_with("t.") && n.ends_with(".rejects.jsonl")), "{names:?}");
}

#[test]
fn an_unwritable_reject_file_loses_no_reject() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":\"x\"}\n");
    scene.file("plain", "a file where a folder would have to be");
    let outcome = scene.run("t.jsonl --rejects plain/bad.jsonl");
    if outcome.code() == 3 {
        // Found at the end: a warning, and the SQL to read them.
        let outcome = outcome.says("hint: they are in the ledger: select").says("_dbload");
        assert_eq!(outcome.rows(), rows!(read: 2, inserted: 1, rejected: 1));
    } else {
        // Found before the first row.
        assert!([2, 6].contains(&outcome.code()), "{outcome}");
        assert_eq!(scene.db.count("t"), 0);
    }
}

#[test]
fn the_error_names_place_column_and_value_and_says_what_to_do() {
    let scene = Scene::with("CREATE TABLE events (id int PRIMARY KEY, amount numeric(10,2))");
    let mut text = good(1, 50).replace("qty", "amount");
    text += "{\"id\":90,\"amount\":\"12,5\"}\n{\"id\":91,\"amount\":\"1x\"}\n";
    scene.file("events.jsonl", text);
    let outcome = scene.run("events.jsonl").exits(3);
    for said in [
        "error: 2 records of events.jsonl were rejected",
        "events.jsonl:51",
        "\"amount\"",
        "12,5",
        "numeric(10,2)",
        "22P02",
        "hint: mend them in",
    ] {
        assert!(outcome.stderr.contains(said), "stderr lacks {said:?}: {outcome}");
    }
    assert!(!outcome.stderr.contains("1x"), "only the first example shows a value: {outcome}");
}

#[test]
fn the_reject_budget_ends_the_load_early_and_resumable() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n int)");
    let text = (0..5_000).fold(String::new(), |t, id| {
        t + &format!("{{\"id\":{id},\"n\":{}}}\n", if id % 10 == 9 { "\"x\"" } else { "1" })
    });
    scene.file("t.jsonl", text);
    let stopped = scene.run("t.jsonl --max-rejects 20 --batch-rows 50 --pool-size 2").exits(9);
    let rows = stopped.rows();
    assert!(rows.rejected > 20 && rows.read < 5_000, "{stopped}");
    assert!(!stopped.report().complete);
    assert_eq!(scene.db.count("t"), rows.inserted);
    let resumed = scene.run("t.jsonl --batch-rows 50 --pool-size 2").exits(3);
    assert_eq!(resumed.rows(), rows!(read: 5_000, inserted: 4_500, rejected: 500));
    assert_eq!(resumed.report().attempts, 2);
    assert_eq!(resumed.report().rejected(scene.cwd()).len(), 500);
}

#[test]
fn a_budget_of_zero_or_percents_is_judged_as_it_says() {
    let load = |many: usize, bad: usize, words: &str| {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n int)");
        let text = (0..many).fold(String::new(), |t, id| {
            t + &format!(
                "{{\"id\":{id},\"n\":{}}}\n",
                if bad > 0 && id % (many / bad) == 0 { "\"x\"" } else { "1" }
            )
        });
        scene.file("t.jsonl", text);
        scene.run(&format!("t.jsonl {words}")).code()
    };
    assert_eq!(load(100, 0, "--max-rejects 0"), 0);
    assert_eq!(load(100, 1, "--max-rejects 0"), 9);
    assert_eq!(load(100, 5, "--max-rejects 5"), 3);
    // Percents count from 1,000 records on.
    assert_eq!(load(100, 50, "--max-rejects 1%"), 3);
    assert_eq!(load(5_000, 20, "--max-rejects 1%"), 3);
    assert_eq!(load(5_000, 400, "--max-rejects 1%"), 9);
}

#[test]
fn originals_are_kept_whole_up_to_the_limit_on_records_and_nothing_shorter_is_loaded_for_them() {
    let long = "y".repeat(300_000);
    for ledger in ["", "--no-ledger"] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, s text)");
        let records = [
            format!("{{\"id\":\"x1\",\"s\":\"{long}\"}}"),
            format!("{{\"id\":2,\"s\":\"{long}"),
            format!("{{\"id\":3,\"s\":\"{long}{long}\"}}"),
            // Its beginning would be a record, and is not the one that it was.
            format!("{{\"id\":4}}{}{{\"id\":5}}", " ".repeat(600_000)),
        ];
        let text = records.join("\n") + "\n";
        scene.file("t.jsonl", &text);
        let words = format!("t.jsonl --max-record-bytes 400kB --rejects bad.jsonl {ledger}");
        let outcome = scene.run(&words).exits(3);
        assert_eq!(outcome.rows(), rows!(read: 4, rejected: 4), "{outcome}");
        let mut rejects = outcome.report().rejected(scene.cwd());
        rejects.sort_by_key(|reject| reject.line);
        assert_eq!(rejects[0].record.as_ref().unwrap()["s"].get().len(), long.len() + 2);
        assert_eq!(rejects[1].raw.as_ref().and_then(|raw| raw.as_str()), Some(records[1].as_str()));
        for reject in &rejects[2..] {
            assert!(reject.record.is_none() && reject.raw.is_none() && reject.raw_base64.is_none());
            assert!(reject.reason.contains("only the place is kept"), "{}", reject.reason);
            let at = usize::try_from(reject.offset).unwrap();
            assert!(
                text[at..].starts_with(&records[usize::try_from(reject.line).unwrap() - 1]),
                "the place is where it is"
            );
        }
        // Mended, the two that are there load; the others are refused again, with what to do.
        let mended = scene.folder.read("bad.jsonl").replace("\"x1\"", "1").replace("y\"}\n", "y\\\"}\"}\n");
        scene.file("mended.jsonl", mended);
        let outcome = scene.run(&format!("mended.jsonl -t t --rejects rest.jsonl {ledger}")).exits(3);
        assert_eq!(outcome.rows(), rows!(read: 4, inserted: 2, rejected: 2), "{outcome}");
        let outcome = outcome.says("does not hold the record").says("--max-record-bytes");
        assert_eq!(
            scene.db.lines("SELECT id, length(s) FROM t ORDER BY id"),
            ["1|300000", "2|300000"],
            "{outcome}"
        );
    }
}

#[test]
fn without_a_ledger_rejects_are_in_a_file_as_soon_as_their_batch_has_committed() {
    use std::sync::{Arc, Mutex, mpsc};
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let (go, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let running = scene
        .dbload("- -t t --no-ledger --rejects bad.jsonl --batch-rows 1 --pool-size 1")
        .stdin_stream(move |out| {
            for id in 0..50 {
                writeln!(out, "{{\"id\":\"x{id}\"}}")?;
            }
            out.flush()?;
            let _ = gate.lock().unwrap().recv();
            out.write_all(b"{\"id\":1}\n")
        })
        .spawn();
    let temporary = || {
        let names = scene.folder.names();
        names.into_iter().find(|name| name.starts_with(".bad.jsonl."))
    };
    let began = std::time::Instant::now();
    while temporary().is_none_or(|name| scene.folder.read(name).lines().count() < 50) {
        assert!(began.elapsed() < std::time::Duration::from_secs(40), "{:?}", scene.folder.names());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(!scene.folder.names().contains(&"bad.jsonl".to_owned()), "complete or absent");
    go.send(()).unwrap();
    let outcome = running.wait().exits(3);
    assert_eq!(outcome.rows(), rows!(read: 51, inserted: 1, rejected: 50));
    assert_eq!(outcome.report().rejected(scene.cwd()).len(), 50);
    assert_eq!(scene.folder.names(), ["bad.jsonl"]);
}

#[test]
fn without_a_ledger_an_unwritable_reject_file_ends_the_load() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":\"x\"}\n");
    scene.file("plain", "a file where a folder would have to be");
    let outcome = scene.run("t.jsonl --no-ledger --rejects plain/bad.jsonl").exits(1);
    let outcome = outcome.says("cannot write the reject file").says("kept nowhere: 1").says("--rejects FILE");
    assert!(!outcome.stderr.contains("_dbload"), "{outcome}");
    assert!(!outcome.report().complete);
}

#[test]
fn text_that_is_no_record_is_mended_where_the_hint_says() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, v text)");
    scene.file("t.csv", b"id,v\n1,a\n2,b,c\n3,caf\xe9\n");
    let outcome =
        scene.run("t.csv").exits(3).says("hint: where `record` is null").says("put them into `record`");
    let file = outcome.report().rejects.file.expect("a file of rejects");
    let path = scene.cwd().join(&file);
    let mut lines: Vec<String> = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2);
    for (line, record) in lines.iter_mut().zip(["{\"id\":2,\"v\":\"b,c\"}", "{\"id\":3,\"v\":\"café\"}"]) {
        let mended = line.replace("\"record\":null", &format!("\"record\":{record}"));
        assert_ne!(*line, mended);
        *line = mended;
    }
    std::fs::write(&path, lines.join("\n")).unwrap();
    scene.run(&format!("{} --table t", file.display())).exits(0);
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY 1"), ["1|a", "2|b,c", "3|café"]);
    // A value that a column refuses has its record.
    scene.file("u.csv", "id,v\nx,a\n");
    let outcome = scene.run("u.csv --table t").exits(3);
    assert!(!outcome.stderr.contains("is null"), "{outcome}");
}

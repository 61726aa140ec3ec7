//! The reject file loads as its source would have: the command that the program prints is run by a shell, as
//! it stands.
//!
//! The oracle is a twin table without the constraint that refuses: what the source gives there.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt};
use std::process::Command;

use crate::support::{Outcome, Rng, Scene, dbload::program};

/// The command of the hint.
#[track_caller]
fn hinted(outcome: &Outcome) -> String {
    let line = outcome.stderr.lines().find(|line| line.starts_with("hint: mend them in "));
    let line = line.unwrap_or_else(|| panic!("no hint: {outcome}"));
    line.split_once(" and run: ").unwrap_or_else(|| panic!("no command: {line}")).1.to_owned()
}

/// Runs it, as somebody would who pastes it; the exit code and what it said.
fn sh(scene: &Scene, command: &str) -> (Option<i32>, String) {
    // A program of any name, called dbload.
    let bin = scene.cwd().join(".bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(program(), bin.join("dbload")).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(scene.cwd()).env_clear().env("PATH", path);
    let output = shell.env("HOME", scene.cwd()).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Loads into a table that refuses everything, drops what refuses, and runs the hint's command: the table
/// then holds what its twin does.
#[track_caller]
fn comes_back(scene: &Scene, columns: &str, file: &str, words: &[&str]) {
    for table in ["twin", "t"] {
        scene.sql(&format!("CREATE TABLE {table} {columns}"));
    }
    scene.sql("ALTER TABLE t ADD CONSTRAINT never CHECK (ver < 0) NOT VALID");
    comes_back_into(scene, file, words, 3);
}

#[track_caller]
fn comes_back_into(scene: &Scene, file: &str, words: &[&str], code: i32) {
    let load = |table: &str| scene.plain(file).args(["-t", table]).args(words).run();
    let twin = load("twin");
    let refused = load("t").exits(code);
    scene.sql("ALTER TABLE t DROP CONSTRAINT never");
    let command = hinted(&refused);
    let (code, said) = sh(scene, &command);
    assert!(matches!(code, Some(0 | 3)), "{command}: {said}");
    let shown = |table: &str| scene.db.lines(&format!("SELECT * FROM {table} x ORDER BY x::text"));
    assert_eq!(shown("t"), shown("twin"), "{command}: {said}\n{refused}\n{twin}");
    assert_eq!(code == Some(0), twin.code() == 0, "{command}: {said}\n{twin}");
}

#[test]
fn a_field_that_was_json_for_its_column_is_json_again_and_a_string_a_string() {
    for ledger in [&[][..], &["--no-ledger"]] {
        let scene = Scene::new();
        let text = "id,j,ver\n1,\"{\"\"a\"\":1}\",1\n2,\"\"\"{}\"\"\",1\n3,1.50,1\n4,,1\n5,null,1\n";
        scene.file("t.csv", text);
        comes_back(&scene, "(id int PRIMARY KEY, j jsonb, ver int)", "t.csv", ledger);
        assert_eq!(
            scene.db.lines("SELECT id, jsonb_typeof(j) FROM t ORDER BY id"),
            ["1|object", "2|string", "3|number", "4|NULL", "5|null"]
        );
    }
    let scene = Scene::new();
    scene.file(
        "t.jsonl",
        "{\"id\":1,\"j\":\"{\\\"a\\\":1}\",\"ver\":1}\n{\"id\":2,\"j\":{\"a\":1.50},\"ver\":1}\n",
    );
    comes_back(&scene, "(id int PRIMARY KEY, j jsonb, ver int)", "t.jsonl", &[]);
    assert_eq!(scene.db.lines("SELECT jsonb_typeof(j) FROM t ORDER BY id"), ["string", "object"]);
}

#[test]
fn what_is_mended_by_hand_is_read_as_its_source_was_and_kept_so_when_it_is_refused_again() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, j jsonb, n int CHECK (n > 0))");
    scene.file("t.csv", "id,j,n\n1,{},0\n2,[],x\n3,\"{\"\"a\"\":1\",1,9\n");
    scene.plain("t.csv --rejects bad.jsonl").run().exits(3);
    let bad = scene.folder.read("bad.jsonl");
    assert_eq!(bad.matches("\"values\":\"text\"").count(), 3, "{bad}");
    // The first is mended, the second not; the third, which could not be split, is mended into `record`.
    let third = r#""record":{"id":"3","j":"{\"a\":1}","n":"1"}"#;
    let mended = bad.replace("\"n\":\"0\"", "\"n\":7");
    let lines: Vec<_> = mended.lines().map(|l| l.replace("\"record\":null", third)).collect();
    scene.file("mended.jsonl", lines.join("\n") + "\n");
    scene.plain("mended.jsonl -t t --rejects again.jsonl").run().exits(3);
    let again = scene.folder.read("again.jsonl");
    assert!(again.lines().count() == 1 && again.contains("\"values\":\"text\""), "{again}");
    scene.file("last.jsonl", again.replace("\"x\"", "\"2\""));
    scene.plain("last.jsonl -t t").run().exits(0);
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|{}|7", "2|[]|2", "3|{\"a\": 1}|1"]);
}

#[test]
fn rejects_that_a_ledger_of_before_holds_are_written_and_read_as_they_were() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, j jsonb)");
    // A line as 0.1.0 wrote it.
    let line = r#"{"dbload_reject":1,"source":"t.csv","line":2,"offset":8,"column":null,"sqlstate":"23514","constraint":"c","reason":"r","record":{"id":"1","j":"{}"},"raw":null}"#;
    scene.file("old.jsonl", format!("{line}\n"));
    scene.load("old.jsonl -t t");
    assert_eq!(scene.db.lines("SELECT id, jsonb_typeof(j) FROM t"), ["1|string"]);
}

#[test]
fn the_settings_that_values_are_read_with_are_in_the_command() {
    let columns = "(id int, at timestamptz, d date, rest jsonb, ver int, PRIMARY KEY (id))";
    let text = "id;at;d;ver;more\n1;2024-07-01 12:00;03/04/2024;5;x\n2;NIL;NIL;6;\"NIL\"\n";
    let scene = Scene::new();
    scene.file("t.csv", text);
    let words = "--delimiter ; --timezone America/New_York --datestyle MDY --newer-by ver --extra jsonb:rest --null-as NIL";
    for table in ["twin", "t"] {
        scene.sql(&format!(
            "CREATE TABLE {table} {columns}; INSERT INTO {table} VALUES (1, now(), null, null, 9)"
        ));
        scene.sql(&format!("UPDATE {table} SET at = '2000-01-01'"));
    }
    scene.sql("ALTER TABLE t ADD CONSTRAINT never CHECK (id < 0) NOT VALID");
    // What the stored row is newer than is skipped by either.
    let words: Vec<_> = words.split(' ').collect();
    comes_back_into(&scene, "t.csv", &words, 3);
    assert_eq!(scene.db.one("SELECT ver FROM t WHERE id = 1"), "9");

    // An older record, refused while the row was not there, does not replace the newer one that came since.
    let scene = Scene::new();
    scene.file("t.csv", "id,v,ver\n1,old,1\n");
    scene.sql("CREATE TABLE t (id int PRIMARY KEY, v text CONSTRAINT never CHECK (v <> 'old'), ver int)");
    let refused = scene.plain("t.csv --newer-by ver").run().exits(3);
    scene.sql("ALTER TABLE t DROP CONSTRAINT never; INSERT INTO t VALUES (1, 'new', 2)");
    assert_eq!(sh(&scene, &hinted(&refused)).0, Some(0));
    assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|new|2"]);
}

#[test]
fn the_command_runs_as_printed_whatever_things_are_called() {
    for (schema, table, key, file) in [
        ("s.x", "a b", "i d", "it's $HOME.jsonl"),
        ("S", "quo\"te", "-k", "-dash.jsonl"),
        ("public", "a[1]*", "K", "local"),
        ("public", "t;rm", "k`id`", "ledger"),
    ] {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let scene = Scene::new();
        let target = format!("{}.{}", quoted(schema), quoted(table));
        scene.sql(&format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(schema)));
        scene.sql(&format!(
            "CREATE TABLE {target} ({} int PRIMARY KEY, j jsonb CONSTRAINT never CHECK (false))",
            quoted(key)
        ));
        scene.file("t.csv", format!("{key},j\n1,{{}}\n"));
        let key_flag = format!("--key={key}");
        let rejects = format!("--rejects={file}");
        let load = scene.plain("t.csv").args(["-t", &target, &key_flag, &rejects, "--mode", "upsert"]);
        let refused = load.run().exits(3);
        scene.sql(&format!("ALTER TABLE {target} DROP CONSTRAINT never"));
        let (code, said) = sh(&scene, &hinted(&refused));
        assert_eq!(code, Some(0), "{}: {said}", hinted(&refused));
        assert_eq!(scene.db.one(&format!("SELECT jsonb_typeof(j) FROM {target}")), "object");
    }
}

#[test]
fn the_command_holds_no_password_and_no_variable_bends_it() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n int CONSTRAINT never CHECK (false))");
    scene.file("t.csv", "id,n\n1,1\n");
    let url = scene.db.url();
    let separator = if url.contains('?') { '&' } else { '?' };
    let secret = format!("{url}{separator}password=s3cr3t");
    let run = |word: &str| {
        let load = crate::support::Dbload::new(scene.cwd()).line("t.csv -t t").arg("--dsn").arg(word);
        load.env("DBLOAD_FORMAT", "csv").env("MY_DSN", &secret).run().exits(3)
    };
    let refused = run(&secret).says("the password is left out").says("PGPASSWORD");
    assert!(!refused.stderr.contains("s3cr3t"), "{refused}");
    let by_name = run("env:MY_DSN");
    assert!(hinted(&by_name).contains("--dsn env:MY_DSN") && !by_name.stderr.contains("left out"));
    scene.sql("ALTER TABLE t DROP CONSTRAINT never");
    let (code, said) = sh(&scene, &format!("DBLOAD_FORMAT=csv; export DBLOAD_FORMAT; {}", hinted(&refused)));
    assert_eq!(code, Some(0), "{}: {said}", hinted(&refused));
    assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|1"]);
}

#[test]
fn a_reject_that_is_longer_than_its_record_may_be_is_read_by_the_command() {
    let scene = Scene::new();
    // Control characters take six bytes in a reject.
    scene.file("t.csv", format!("id,v,ver\n1,\"{}\",1\n", "\u{1}".repeat(3 << 19)));
    comes_back(&scene, "(id int PRIMARY KEY, v text, ver int)", "t.csv", &[]);
}

#[test]
fn nobody_may_read_the_rejects_who_may_not_read_the_sources() {
    for (modes, expected) in [
        (&[0o600][..], 0o600),
        (&[0o644], 0o644),
        (&[0o644, 0o600], 0o600),
        (&[0o640], 0o640),
        // Standard input has no rights of its own.
        (&[], 0o600),
    ] {
        for ledger in ["", "--no-ledger"] {
            let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
            let mut load = scene.dbload(&format!("-t t --rejects bad.jsonl {ledger}"));
            for (i, mode) in modes.iter().enumerate() {
                let path = scene.file(&format!("{i}.jsonl"), format!("{{\"id\":\"x{i}\"}}\n"));
                std::fs::set_permissions(path, PermissionsExt::from_mode(*mode)).unwrap();
                load = load.arg(format!("{i}.jsonl"));
            }
            if modes.is_empty() {
                load = load.arg("-").stdin("{\"id\":\"x\"}\n");
            }
            load.run().exits(3);
            let mode = std::fs::metadata(scene.cwd().join("bad.jsonl")).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, expected, "{modes:?} {ledger}: {mode:o}");
        }
    }
}

#[test]
fn what_is_no_file_is_written_to_and_nothing_is_made_beside_it() {
    for ledger in ["", "--no-ledger"] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
        scene.file("t.jsonl", "{\"id\":\"x\"}\n{\"id\":\"y\"}\n");
        let before: Vec<_> = names("/dev");
        let outcome = scene.run(&format!("t.jsonl --rejects /dev/null {ledger}")).exits(3);
        assert_eq!(outcome.report().rejects.file.unwrap().to_str(), Some("/dev/null"));
        assert!(!outcome.stderr.contains("mend them in"), "{outcome}");
        assert_eq!(outcome.stderr.contains("_dbload.reject"), ledger.is_empty(), "{outcome}");
        assert_eq!(names("/dev"), before);
        assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());

        let outcome = scene.run(&format!("t.jsonl --rejects /dev/stderr {ledger}")).exits(3);
        assert_eq!(outcome.stderr.matches("{\"dbload_reject\":1,").count(), 2, "{outcome}");

        let pipe = scene.cwd().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read_to_string(pipe).unwrap()
        });
        scene.run(&format!("t.jsonl --rejects pipe {ledger}")).exits(3);
        let read = reader.join().unwrap();
        assert_eq!(read.lines().count(), 2, "{read}");
        assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
        assert_eq!(scene.folder.names(), ["pipe", "t.jsonl"]);

        // A full device is an error like any other.
        let full = scene.run(&format!("t.jsonl --rejects /dev/full {ledger}"));
        assert_eq!(full.code(), if ledger.is_empty() { 3 } else { 1 }, "{full}");
        full.says("/dev/full");

        // What stderr is, where it is a file: neither writes over the other.
        let shell = format!(
            "{} t.jsonl -t t --rejects /dev/stderr {ledger} --dsn \"$URL\" >/dev/null 2>log",
            program().display()
        );
        let mut command = Command::new("sh");
        command.args(["-c", &shell]).env("URL", scene.db.url()).current_dir(scene.cwd());
        assert_eq!(command.status().unwrap().code(), Some(3));
        let log = scene.folder.read("log");
        assert!(
            log.matches("{\"dbload_reject\":1,").count() == 2 && log.contains("error: 2 records"),
            "{log}"
        );
    }
}

fn names(folder: &str) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names.retain(|name| name.to_string_lossy().starts_with("null"));
    names
}

/// Columns of a random table, each with what its fields may hold.
const COLUMNS: [(&str, &[&str]); 14] = [
    ("jsonb", &["{\"a\":1.50}", "[1, \"x\"]", "\"s\"", "null", "7", "true", "{\"k\":\"\\u00e9\\n\"}"]),
    ("json", &["{\"a\": 1}", "\"\"", " [ ] ", "12.0"]),
    ("text", &["", "x", "null", "{\"a\":1}", "a\"b", "two\nlines", "back\\slash", "\\N", "\t", "é😀", " "]),
    ("varchar(4)", &["abc", "", "12"]),
    ("int", &["1", "-5", "007", "x"]),
    ("bigint", &["9007199254740993", "0"]),
    ("numeric", &["1.10", "123456789012345678901234567890.5", "-0.00", "1e3"]),
    ("double precision", &["0.1", "1e308", "NaN"]),
    ("timestamptz", &["2024-07-01 12:00", "2024-07-01T12:00:00+02:00", "03/04/2024"]),
    ("date", &["03/04/2024", "2024-02-29", "13/12/2024"]),
    ("boolean", &["true", "f", "yes"]),
    ("text[]", &["{a,b}", "{}", "{\"a\\\"b\"}", "{NULL}"]),
    ("bytea", &["\\x00ff", "plain"]),
    ("interval", &["1 day", "01:02:03"]),
];

/// Raw JSON that is no string.
const RAW: [&str; 9] =
    ["1.50", "{\"a\":\"b\"}", "[1,2]", "[\"x\",null]", "null", "true", "1e2", "12345678901234567890", "{}"];

#[test]
fn random_records_that_were_all_refused_come_back_as_their_source_gives_them() {
    for _ in 0..8 {
        let mut rng = Rng::new();
        let kinds: Vec<_> = (0..5).map(|_| rng.pick(&COLUMNS)).collect();
        let columns: String = kinds.iter().enumerate().map(|(i, (ty, _))| format!(", c{i} {ty}")).collect();
        let mut words: Vec<&str> = vec![];
        for (one, other) in [
            (&["--timezone", "Asia/Tokyo"][..], &["--timezone", "America/New_York"][..]),
            (&["--datestyle", "DMY"], &["--datestyle", "MDY"]),
            (&["--extra", "jsonb:rest"], &["--extra", "ignore"]),
            (&["--no-ledger"], &[]),
            (&["--mode", "ignore"], &["--newer-by", "ver"]),
        ] {
            words.extend(match rng.below(3) {
                0 => one,
                1 => other,
                _ => &[],
            });
        }
        let extra = words.contains(&"--extra");
        let scene = Scene::new();
        let file = if rng.one_in(2) {
            scene.file("t.csv", csv(&mut rng, &kinds, extra, &mut words));
            "t.csv"
        } else {
            scene.file("t.jsonl", jsonl(&mut rng, &kinds, extra));
            "t.jsonl"
        };
        let columns = format!("(id int PRIMARY KEY, ver int NOT NULL, rest jsonb{columns})");
        comes_back(&scene, &columns, file, &words);
    }
}

const RECORDS: usize = 30;

fn csv(rng: &mut Rng, kinds: &[(&str, &[&str])], extra: bool, words: &mut Vec<&str>) -> String {
    let null = if rng.one_in(2) { "NIL" } else { "" };
    if !null.is_empty() {
        words.extend(["--null-as", null]);
    }
    let names: String = (0..kinds.len()).map(|i| format!(",c{i}")).collect();
    let mut text = format!("id,ver{names}{}\n", if extra { ",more" } else { "" });
    for id in 0..RECORDS {
        text += &format!("{id},{}", rng.below(5));
        for (_, values) in kinds {
            let value = rng.pick(values);
            text.push(',');
            let needs = value.is_empty() || value.contains(['"', ',', '\n', '\r']) || rng.one_in(3);
            match rng.below(6) {
                0 => text += null,
                _ if needs => text += &format!("\"{}\"", value.replace('"', "\"\"")),
                _ => text += value,
            }
        }
        text += if extra { ",{\"\"}\n" } else { "\n" };
        if extra {
            text = text.replace(",{\"\"}\n", ",\"{}\"\n");
        }
    }
    text
}

fn jsonl(rng: &mut Rng, kinds: &[(&str, &[&str])], extra: bool) -> String {
    let mut text = String::new();
    for id in 0..RECORDS {
        text += &format!("{{\"id\":{id},\"ver\":{}", rng.below(5));
        for (i, (_, values)) in kinds.iter().enumerate() {
            match rng.below(6) {
                // Absent.
                0 => {}
                1 => text += &format!(",\"c{i}\":{}", rng.pick(&RAW)),
                _ => text += &format!(",\"c{i}\":{}", serde_json::to_string(rng.pick(values)).unwrap()),
            }
        }
        text += if extra { ",\"more\":[1.0]}\n" } else { "}\n" };
    }
    text
}

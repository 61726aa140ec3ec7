//! Text of others where it meets a terminal, a path, a shell: names and messages that would move a cursor,
//! end a line or be taken for a command. What meets SQL is also in `conformance` and `fuzz`.

use crate::support::{Outcome, Scene};

/// What steers a terminal, and a line that looks like ours.
const EVIL: &str = "a\u{1b}[2J\u{1b}]0;x\u{7}\r\u{9b}31m\nerror: all is lost\u{202e}";

/// Nothing that a terminal acts on, and no line of stderr that is not dbload's.
#[track_caller]
pub fn is_harmless(outcome: &Outcome) {
    // The statement that --dry-run shows is SQL to be run: a name in it is as it is, but for what a terminal
    // acts on.
    let said = outcome.stdout.split("\n\nCREATE TABLE ").next().unwrap_or_default().to_owned();
    for text in [&said, &outcome.stderr] {
        let acts = |c: char| {
            c.is_control() && !matches!(c, '\n' | '\t')
                || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(
            !text.contains(acts),
            "a terminal would act on {:?}: {outcome}",
            text.chars().find(|&c| acts(c))
        );
        assert!(
            !text.lines().any(|line| line.starts_with("error: all is lost")),
            "a line of somebody else's: {outcome}"
        );
    }
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
}

#[test]
fn a_file_name_steers_no_terminal_in_summary_rejects_or_errors() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let name = format!("{EVIL}.jsonl");
    scene.file(&name, "{\"id\":1}\n{\"id\":\"x\"}\n");
    let outcome = scene.plain("--table t").arg(&name).run().exits(3);
    is_harmless(&outcome);
    // The file itself keeps its name, and reads as one line a reject.
    let report = scene.dbload("--table t --restart").arg(&name).run().exits(3).report();
    assert_eq!(report.sources[0].name, name);
    assert_eq!(report.rejected(scene.cwd())[0].source, name);
    for (file, text, code) in [
        (format!("{EVIL}.json"), "[{\"id\":1},", 4),
        (format!("{EVIL}.csv"), "id,id\n1,2\n", 6),
        (format!("{EVIL}.gz"), "no gzip", 4),
        (format!("{EVIL}x.txt"), "<html>", 4),
    ] {
        scene.file(&file, text);
        let outcome = scene.plain("--table t").arg(&file).run();
        assert_ne!(outcome.code(), 0, "expected {code} or another failure: {outcome}");
        is_harmless(&outcome);
    }
    is_harmless(&scene.plain("--table t").arg(format!("{EVIL}.missing")).run());
    is_harmless(&scene.plain("--table t --dry-run").arg(&name).run().exits(0));
    is_harmless(&scene.plain("--table t -v").arg(&name).run());
    is_harmless(&scene.plain("--table t -v --log-format json").arg(&name).run());
    is_harmless(&scene.plain("verify --table t").arg(&name).run());
}

#[test]
fn names_in_the_data_steer_no_terminal() {
    let name = serde_json::Value::from(EVIL).to_string();
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", format!("{{\"id\":1,{name}:2}}\n"));
    is_harmless(&scene.plain("t.jsonl").run().exits(6));
    let many: String = (0..2_000).map(|i| format!("{{\"id\":{i}}}\n")).collect();
    scene.file(
        "late.jsonl",
        format!("{many}{{\"id\":1,{name}:2}}\n{{\"id\":2,\"id\":{name}}}\n{{\"id\":{name}}}\n"),
    );
    is_harmless(&scene.plain("late.jsonl --table t").run());
    scene.file("t.csv", format!("id,\"{EVIL}\",\"{EVIL}\"\n1,2,3\n"));
    is_harmless(&scene.plain("t.csv").run());
    scene.file("d.json", format!("{{{name}:[{{\"id\":9}}]}}"));
    is_harmless(&scene.plain("d.json --table t --records nowhere").run().exits(4));
    is_harmless(&scene.plain("d.json --table t").arg(format!("--records={EVIL}")).run());
    scene.file("new.jsonl", format!("{{\"id\":1,{name}:2}}\n"));
    is_harmless(&scene.plain("new.jsonl --key id").run().exits(0));
}

#[test]
fn names_in_the_catalog_and_words_of_the_server_steer_no_terminal() {
    let ident = format!("\"{}\"", &EVIL[..30].replace('"', ""));
    let domain = format!("\"d{}", &ident[1..]);
    let literal = EVIL.replace('\'', "");
    let scene = Scene::with(&format!(
        "CREATE DOMAIN {domain} AS int CONSTRAINT {ident} CHECK (VALUE > 0); CREATE TABLE {ident} ({ident} {domain} PRIMARY KEY, t text);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '{literal}'; IF new.t = 'bad' THEN RAISE EXCEPTION '{literal}'; END IF; RETURN new; END $$;
         CREATE TRIGGER {ident} BEFORE INSERT ON {ident} FOR EACH ROW EXECUTE FUNCTION f()"
    ));
    let name = serde_json::Value::from(&EVIL[..30]).to_string();
    scene.file(
        "t.jsonl",
        format!("{{{name}:1}}\n{{{name}:-1}}\n{{{name}:\"x\"}}\n{{{name}:3,\"t\":\"bad\"}}\n"),
    );
    for flags in ["", "-v", "-vv --log-format json", "--no-ledger", "--dry-run"] {
        let outcome = scene.plain("t.jsonl --restart").line(flags).arg("--table").arg(&ident).run();
        is_harmless(&outcome);
    }
    assert_eq!(scene.db.count(&ident), 1);
}

#[test]
fn the_command_of_a_hint_is_one_that_a_shell_runs() {
    let scene = Scene::with("CREATE TABLE \"T; touch owned\" (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":\"x\"}\n");
    let outcome = scene
        .plain("t.jsonl")
        .arg("--rejects=$(touch owned) 'b'.rejects.jsonl")
        .arg("--table")
        .arg("\"T; touch owned\"")
        .run()
        .exits(3);
    let command = outcome
        .stderr
        .lines()
        .find_map(|line| line.split_once("and run: dbload ").map(|(_, words)| words))
        .unwrap();
    let command = command.replace("--dsn ..", "");
    let script = format!("printf '%s\\n' {command}");
    let said =
        std::process::Command::new("bash").arg("-c").arg(&script).current_dir(scene.cwd()).output().unwrap();
    let words = String::from_utf8(said.stdout).unwrap();
    assert_eq!(
        words.lines().take(3).collect::<Vec<_>>(),
        ["$(touch owned) 'b'.rejects.jsonl", "--table", "public.\"T; touch owned\""]
    );
    assert!(!scene.cwd().join("owned").exists());
}

#[test]
fn a_reject_of_a_record_of_several_lines_is_one_line() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, doc json)");
    scene.file("t.json", "[{\"id\":\"x\",\n\"doc\":{\n\"a\":\r\n[1,\n2]}},\n{\"id\":2}]");
    let report = scene.run("t.json").exits(3).report();
    let rejects = report.rejected(scene.cwd());
    assert_eq!(rejects.len(), 1);
    let file = report.rejects.file.unwrap();
    let mended = scene.folder.read(&file).replace("\"x\"", "1");
    scene.file("mended.rejects.jsonl", mended);
    scene.load("mended.rejects.jsonl --table t");
    assert_eq!(scene.db.lines("SELECT id, doc -> 'a' ->> 1 FROM t ORDER BY id"), ["1|2", "2|NULL"]);
}

#[test]
fn a_broken_document_is_read_no_further_by_the_second_run() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    for (i, (text, words, stored)) in [
        ("[{\"id\":1},{\"id\":2}{\"id\":3},{\"id\":4}]", "", 2),
        ("{\"a\":[{\"id\":1}},{\"id\":2}]}", "--records a", 1),
        ("{\"id\":1},{\"id\":2},{\"id\":3}", "", 1),
        ("{\"a\":[{\"id\":1},{\"id\":2},\"b\":[{\"id\":3}]]}", "--records a", 2),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("d{i}.json");
        scene.file(&name, text);
        scene.sql("TRUNCATE t");
        for _ in 0..3 {
            let outcome = scene.run(&format!("{name} --table t --format json {words}"));
            assert_eq!(outcome.code(), 4, "{outcome}");
            assert_eq!(scene.db.count("t"), stored, "{text}");
        }
    }
}

#[test]
fn a_value_that_makes_an_extension_fail_inside_is_one_reject() {
    // hstore before 16 (and PostGIS) raise XX000, "internal error", for a text that they cannot read.
    let scene = Scene::with("CREATE EXTENSION hstore; CREATE TABLE t (id int PRIMARY KEY, h hstore)");
    scene.file(
        "t.jsonl",
        "{\"id\":1,\"h\":\"a=>b\"}\n{\"id\":2,\"h\":\"a=>\"}\n{\"id\":3,\"h\":{\"a\":\"c\"}}\n",
    );
    let report = scene.run("t.jsonl").exits(3).report();
    let rejects = report.rejected(scene.cwd());
    assert_eq!(
        rejects.iter().map(|reject| (reject.line, reject.column.as_deref())).collect::<Vec<_>>(),
        [(2, Some("h"))]
    );
    assert_eq!(scene.db.lines("SELECT id, h -> 'a' FROM t ORDER BY id"), ["1|b", "3|c"]);
}

#[test]
fn words_of_the_command_line_steer_neither_terminal_nor_sql() {
    let scene =
        Scene::with("CREATE TABLE t (id int PRIMARY KEY, at timestamptz); CREATE TABLE victim (id int)");
    scene.file("t.jsonl", "{\"id\":1,\"at\":\"2024-01-01 00:00\"}\n");
    // A pattern of the shell makes words of file names.
    is_harmless(&scene.plain("").arg(format!("--{EVIL}")).run().exits(2));
    is_harmless(&scene.plain("--mode").arg(EVIL).run().exits(2));
    let long = "x".repeat(64);
    for role in ["", &long] {
        let outcome = super::support::Dbload::new(scene.cwd())
            .line("ledger sql")
            .arg(format!("--role={role}"))
            .run()
            .exits(2);
        assert!(!outcome.stdout.contains("GRANT"), "{outcome}");
    }
    // Backslashes in literals, where they escape.
    scene.sql(&format!("ALTER DATABASE {} SET standard_conforming_strings = off", scene.db.name()));
    let evil = "\\'; DROP TABLE victim; --";
    for flag in [
        "--timezone",
        "--load-id",
        "--key",
        "--newer-by",
        "--extra=jsonb:",
        "--null-as",
        "--columns",
        "--records",
        "--table",
    ] {
        let word = if flag.ends_with(':') { format!("{flag}{evil}") } else { format!("{flag}={evil}") };
        is_harmless(&scene.plain("t.jsonl --again").arg(word).run());
        assert!(scene.db.has_table("victim"), "{flag}");
    }
    scene.file("evil.jsonl", format!("{{\"id\":2,{}:1}}\n", serde_json::Value::from(evil)));
    is_harmless(&scene.plain("evil.jsonl --key id").run().exits(0));
    is_harmless(&scene.plain("evil.jsonl --key id --restart --no-ledger --table t").run());
    assert!(scene.db.has_table("victim"));
    assert_eq!(
        scene.db.lines("SELECT attname FROM pg_attribute WHERE attrelid = 'evil'::regclass AND attnum > 0"),
        ["id", evil]
    );
}

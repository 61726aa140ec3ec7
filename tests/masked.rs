//! Values that never leave the loader (`--mask`): looked for in the table, the ledger, the rejects, and all
//! that is said; and that a reject is not masked twice.

use crate::{
    rows,
    support::{Outcome, Scene},
};

const SECRET: &str = "CANARY-9b1e";
/// HMAC-SHA-256 of it under the key "pepper", from elsewhere.
const DIGEST: &str = "b2e6fa86ac660f9248dd2c1d022b0a1a63a4bad4c92f4a5c33fdf08e77413ce0";

fn load(scene: &Scene, line: &str) -> Outcome {
    scene.dbload(line).env("PEPPER", "pepper").run()
}

/// It is in nothing that a load leaves behind.
#[track_caller]
fn is_nowhere(scene: &Scene, outcome: &Outcome, source: &str) {
    assert!(!outcome.stdout.contains(SECRET) && !outcome.stderr.contains(SECRET), "{outcome}");
    for name in scene.folder.names() {
        let is_source = name == source;
        assert!(is_source || !scene.folder.read(&name).contains(SECRET), "{name}");
    }
    let tables = scene.db.rows(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema IN ('public', '_dbload')",
    );
    for table in tables {
        let table = table[0].clone().unwrap();
        let found = scene.db.one(&format!("SELECT count(*) FROM {table} x WHERE x::text LIKE '%{SECRET}%'"));
        assert_eq!(found, "0", "{table}");
    }
}

#[test]
fn a_masked_value_is_nowhere_and_a_reject_is_not_masked_twice() {
    let json = format!(
        "{{\"id\":1,\"email\":\" {SECRET} \",\"n\":1}}\n{{\"id\":2,\"email\":\"{SECRET}\",\"n\":\"x\"}}\n\
         {{\"id\":3,\"email\":\"none\",\"n\":\"y\"}}\n{{\"id\":4,\"email\":{{\"{SECRET}\":1}},\"n\":4}}\n\
         {{\"id\":5,\"email\":\"{SECRET}\",\"n\":5,\n"
    );
    let csv = format!("id,email,n\n1, {SECRET} ,1\n2,{SECRET},x\n3,,y\n5,{SECRET}\n");
    for (name, text, rejected) in [("a.jsonl", json, 3), ("a.csv", csv, 3)] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, email text, n int)");
        scene.file(name, text);
        let flags = "--table t --trim --null-as none --null-as '' --null-strings --mask email=sha256 --mask-key env:PEPPER";
        let flags = flags.replace("''", "");
        let words: Vec<&str> = flags.split(' ').collect();
        let run = |source: &str| scene.dbload(source).args(&words).env("PEPPER", "pepper").run();
        let outcome = run(name).exits(3);
        is_nowhere(&scene, &outcome, name);
        assert_eq!(outcome.rows().rejected, rejected, "{outcome}");
        assert_eq!(scene.db.lines("SELECT email, n FROM t WHERE id = 1"), [format!("{DIGEST}|1")]);
        let file = outcome.report().rejects.file.unwrap();
        let path = scene.cwd().join(&file);
        let mended: Vec<String> = std::fs::read_to_string(&path)
            .unwrap()
            .lines()
            .filter(|line| line.contains("\"record\":{"))
            .map(|line| line.replace(":\"x\"", ":2").replace(":\"y\"", ":3"))
            .collect();
        assert_eq!(mended.len(), 2, "{mended:?}");
        std::fs::write(&path, mended.join("\n")).unwrap();
        let again = run(file.to_str().unwrap()).exits(0);
        assert_eq!(again.rows(), rows!(read: 2, inserted: 2));
        let rows = scene.db.lines("SELECT id, email, n FROM t WHERE id IN (2, 3) ORDER BY 1");
        assert_eq!(rows, [format!("2|{DIGEST}|2"), "3|NULL|3".to_owned()]);
        let (_, command) = outcome.stderr.split_once("and run: dbload ").expect("a command");
        assert!(command.contains("--mask email=sha256 --mask-key env:PEPPER"), "{command}");
    }
}

#[test]
fn parts_of_nested_values_are_masked_where_they_stand() {
    for flags in ["--map user.email=email", "--map /user/email=email", "--flatten --map user_email=email"] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, email text, user_name text, n int)");
        let user = format!("{{\"email\":\"{SECRET}\",\"name\":\"A\"}}");
        scene.file(
            "a.jsonl",
            format!("{{\"id\":1,\"user\":{user},\"n\":1}}\n{{\"id\":2,\"user\":{user},\"n\":\"x\"}}\n"),
        );
        let line = format!("--table t {flags} --mask email=sha256 --mask-key env:PEPPER");
        let outcome = load(&scene, &format!("a.jsonl {line}")).exits(3);
        is_nowhere(&scene, &outcome, "a.jsonl");
        let file = outcome.report().rejects.file.unwrap();
        let path = scene.cwd().join(&file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\"name\":\"A\"") && text.contains(DIGEST), "{text}");
        std::fs::write(&path, text.replace(":\"x\"", ":2")).unwrap();
        load(&scene, &format!("{} {line}", file.display())).exits(0);
        let rows = scene.db.lines("SELECT id, email, n FROM t ORDER BY 1");
        assert_eq!(rows, [format!("1|{DIGEST}|1"), format!("2|{DIGEST}|2")], "{flags}");
    }
}

#[test]
fn a_new_table_and_a_comparison_know_nothing_else() {
    let scene = Scene::new();
    scene.file("a.csv", format!("id,email,phone\n1,{SECRET},{SECRET}\n2,{SECRET},\n"));
    let line = "a.csv --table t --key id --mask email=sha256,phone=null --mask-key env:PEPPER";
    let plan = scene.plain(&format!("{line} --dry-run")).env("PEPPER", "pepper").run().exits(0);
    assert!(plan.stdout.contains("\"email\" text") && plan.stdout.contains("\"phone\" text"), "{plan}");
    let outcome = load(&scene, line).exits(0);
    is_nowhere(&scene, &outcome, "a.csv");
    assert_eq!(scene.db.one("SELECT count(DISTINCT email) || ' ' || count(phone) FROM t"), "1 0");
    scene.plain(&format!("verify {line}")).env("PEPPER", "pepper").run().exits(0);
    scene.plain(&format!("verify {line}")).env("PEPPER", "salt").run().exits(3);
}

#[test]
fn a_run_goes_on_under_its_own_key_alone() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, email text)");
    let lines: String = (0..5_000).map(|id| format!("{id},{SECRET}{id}\n")).collect();
    scene.file("a.csv", format!("id,email\n{lines}"));
    let run = |key: &str, crash: Option<&str>| {
        let load = scene.dbload("a.csv --table t --batch-rows 500 --mask email=sha256 --mask-key env:PEPPER");
        let load = load.env("PEPPER", key);
        match crash {
            Some(point) => load.env("DBLOAD_CRASH_AT", point).run(),
            None => load.run(),
        }
    };
    assert!(run("pepper", Some("committed:3")).was_killed());
    scene.db.until_alone();
    run("salt", None).exits(8).says("--mask-key");
    let outcome = run("pepper", None).exits(0);
    is_nowhere(&scene, &outcome, "a.csv");
    assert_eq!(scene.db.one("SELECT count(DISTINCT email) FROM t WHERE email ~ '^[0-9a-f]{64}$'"), "5000");
}

#[test]
fn what_would_let_a_value_out_is_refused_before_the_first_row() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, email text, \"user\" jsonb)");
    scene.file("a.jsonl", "{\"id\":1,\"email\":\"a\",\"user\":{\"email\":\"b\"}}\n");
    let refused = |flags: &str, code: i32, says: &str| {
        let outcome = load(&scene, &format!("a.jsonl --table t {flags}"));
        assert!(outcome.code() == code && outcome.stderr.contains(says), "{flags}: {outcome}");
        assert_eq!(scene.db.count("t"), 0);
    };
    refused("--mask email=sha256", 2, "needs a key: --mask-key env:NAME");
    refused("--mask email=md5", 2, "is no mask");
    refused("--mask email", 2, "is not COLUMN=null or COLUMN=sha256");
    refused("--mask email=null --mask-key env:PEPPER", 2, "--mask-key is of --mask COLUMN=sha256");
    refused("--mask email=sha256 --mask-key pepper", 2, "say env:NAME or file:PATH");
    refused("--mask email=sha256 --mask-key env:NONE", 2, "the variable NONE is not set");
    refused("--mask email=null,email=sha256", 2, "has two masks");
    refused("--mask email=null --parse email=base64", 2, "is masked, and its masked values");
    refused("--mask phone=null", 6, "has no column of this name");
    refused("--mask id=null", 6, "the column is part of the key");
    let api = crate::support::api::Api::serve(|_| crate::support::api::Reply::json("[{\"id\":1}]"));
    let line = "--table t --save-raw raw --mask email=null";
    let kept = scene.dbload(line).arg(api.url("/a")).run().exits(6).says("--mask and --save-raw");
    assert!(kept.stderr.contains("leave one of them out"), "{kept}");
    refused("--drop email --map user.email=email --mask email=null", 6, "leaves the rest of it out");
}

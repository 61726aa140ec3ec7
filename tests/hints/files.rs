//! Hints at files whose names or content are no text that Rust's own strings could have.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::support::Scene;

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";

/// Text in another encoding, in a record and in a header; the table is there or not.
#[test]
fn text_in_another_encoding_is_read_by_the_flag_that_the_hint_names() {
    let scene = Scene::new();
    scene.file("t.jsonl", b"{\"id\":1,\"v\":\"caf\xe9\"}\n");
    scene.run("t.jsonl").exits(4).says("hint: say its encoding: --encoding NAME");
    scene.load("t.jsonl --encoding iso-8859-15");
    assert_eq!(scene.db.one("SELECT v FROM t"), "caf\u{e9}");
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, \"caf\u{e9}\" int)");
    scene.file("t.csv", b"id,caf\xe9\n1,7\n");
    scene.run("t.csv").exits(6).says("if it is text in another encoding, say which: --encoding NAME");
    scene.load("t.csv --encoding iso-8859-15");
    assert_eq!(scene.db.one("SELECT \"caf\u{e9}\" FROM t"), "7");
}

/// A name that the ledger could not keep.
#[test]
fn a_file_whose_name_is_no_text_is_piped_in() {
    let scene = Scene::with(T);
    let name = OsStr::from_bytes(b"d/caf\xe9.csv");
    let content = "id,v\n1,a\n";
    std::fs::create_dir(scene.cwd().join("d")).unwrap();
    std::fs::write(scene.cwd().join(name), content).unwrap();
    scene.file("d/b.csv", "id,v\n2,b\n");
    let refused = scene.plain("d --table t").run();
    assert_ne!(refused.code(), 0, "it is passed over in silence: {refused}");
    refused.says("rename it, or pipe it in: dbload - --table NAME < FILE");
    scene.plain("- --table t").stdin(content).run().exits(0);
    assert_eq!(scene.db.count("t"), 1);
}

/// Rejects that cannot be read themselves: mended, they are loaded.
#[test]
fn rejects_that_are_no_records_are_mended_first() {
    let scene = Scene::with(T);
    scene.file("t.csv", "id,v\n1,a\n2,\"b\"x\n");
    scene.run("t.csv --rejects r.rejects.jsonl").exits(3);
    let kept = std::fs::read_to_string(scene.cwd().join("r.rejects.jsonl")).unwrap();
    scene.run("r.rejects.jsonl -t u").exits(4).says("mend the records in the reject file first");
    scene.file("r.rejects.jsonl", "{\"id\":2,\"v\":\"b\"}\n");
    scene.load("r.rejects.jsonl -t u");
    assert_eq!(scene.db.lines("TABLE u"), ["2|b"], "{kept}");
}

/// The value of a variable is not looked for on the command line.
#[test]
fn a_value_of_a_variable_that_cannot_be_used_is_said_to_be_of_it() {
    let scene = Scene::with(T);
    scene.file("t.csv", "id,v\n1,a\n");
    let refused = scene.plain("t.csv").env("DBLOAD_POOL_SIZE", "many").run().exits(2);
    refused.says("hint: that is the value of the variable DBLOAD_POOL_SIZE");
    let refused = scene.plain("t.csv --pool-size many").env("DBLOAD_POOL_SIZE", "2").run().exits(2);
    assert!(!refused.stderr.contains("DBLOAD_POOL_SIZE"), "{refused}");
    scene.plain("t.csv").env("DBLOAD_POOL_SIZE", "2").run().exits(0);
}

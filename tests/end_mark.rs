//! `--end-mark`: a pipe that ends without its last line has failed, and what came before stands.

use crate::{
    rows,
    support::{Outcome, Scene},
};

fn pipe(scene: &Scene, flags: &str, text: impl Into<Vec<u8>>) -> Outcome {
    scene.dbload(&format!("- --table t --end-mark END-7f {flags}")).stdin(text).run()
}

fn scene() -> Scene {
    Scene::with("CREATE TABLE t (id int PRIMARY KEY, name text)")
}

#[test]
fn a_pipe_that_ends_with_its_mark_is_whole_in_every_format() {
    let utf16 = "id,name\n1,a\nEND-7f\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for (flags, text) in [
        ("", b"{\"id\":1,\"name\":\"a\"}\nEND-7f\n".to_vec()),
        ("", b"[{\"id\":1,\"name\":\"a\"}]\nEND-7f".to_vec()),
        ("", b"id,name\r\n1,a\r\nEND-7f\r\n".to_vec()),
        ("--format tsv", b"id\tname\n1\ta\nEND-7f\n".to_vec()),
        ("--format copy --columns id,name", b"1\ta\nEND-7f\n".to_vec()),
        ("--encoding utf-16le", utf16),
        ("", crate::support::compress::gzip(b"id,name\n1,a\nEND-7f\n")),
    ] {
        let scene = scene();
        let outcome = pipe(&scene, flags, text).exits(0);
        assert_eq!(outcome.rows(), rows!(read: 1, inserted: 1), "{flags}");
        assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|a"], "{flags}");
    }
}

#[test]
fn without_it_the_source_has_failed_and_what_came_before_stands() {
    for (text, rest) in [
        ("", "ended without its end mark"),
        // Cut in the middle of a record: a shorter number is another one.
        ("{\"id\":3", "ended without its end mark"),
        ("END-7", "ended without its end mark"),
        ("END-7f\n{\"id\":4}\n", "goes on behind its end mark"),
    ] {
        let scene = scene();
        let text = format!("{{\"id\":1,\"name\":\"a\"}}\n{{\"id\":2,\"name\":\"b\"}}\n{text}");
        let outcome = pipe(&scene, "", text.as_str()).exits(4).says(rest).says("stdin");
        let hint = if rest.starts_with("goes") {
            "take a mark that is no line of the data, and write it once"
        } else {
            "write the mark as the last line, only when all went well"
        };
        let outcome = outcome.says(hint);
        let report = outcome.report();
        assert!(!report.complete && report.sources[0].state == "failed", "{outcome}");
        assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|a", "2|b"], "{text:?}");
        // Given again, whole: nothing of it is twice.
        let again = pipe(&scene, "", "id,name\n1,a\n2,b\n3,cut off\nEND-7f\n").exits(0);
        assert_eq!(again.rows(), rows!(read: 3, unchanged: 2, inserted: 1), "{again}");
    }
    // Where it ends before it has shown what it is, nothing is loaded.
    for nothing in ["", "\n", "END", "id,name\n1,a\n2,cu"] {
        let scene = scene();
        pipe(&scene, "", nothing).exits(4);
        assert_eq!(scene.db.count("t"), 0, "{nothing:?}");
    }
    let none = pipe(&scene(), "--format jsonl", "END-7f\n").exits(0);
    assert_eq!(none.rows().read, 0);
}

#[test]
fn an_append_says_what_is_committed_of_a_pipe_that_was_cut() {
    let scene = Scene::with("CREATE TABLE t (id int, name text)");
    let two = "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n";
    let outcome = pipe(&scene, "", two).exits(4).says("--skip-records 2");
    assert_eq!(scene.db.count("t"), 2, "{outcome}");
    pipe(&scene, "--skip-records 2", format!("{two}{{\"id\":3}}\nEND-7f\n")).exits(0);
    assert_eq!(scene.db.count("t"), 3);
}

#[test]
fn only_a_pipe_has_one() {
    let scene = scene();
    scene.file("t.csv", "id,name\n1,a\nEND-7f\n");
    scene
        .run("t.csv --end-mark END-7f")
        .exits(2)
        .says("no pipe")
        .says("load it without --end-mark, or pipe it in");
    scene.dbload("- --table t --end-mark").arg("a\nb").stdin("").run().exits(2);
    assert_eq!(scene.db.count("t"), 0);
}

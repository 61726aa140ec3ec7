//! JSON that is no list of records as it is published: bulk lines, columns, objects without line ends; and
//! lines whose fields lie at fixed places.

use std::time::Duration;

use crate::rows;
use crate::support::{Scene, audit, until};

const T: &str = "CREATE TABLE t (id text PRIMARY KEY, s text, n numeric)";

fn stored(scene: &Scene) -> Vec<String> {
    scene.db.lines("SELECT * FROM t ORDER BY id")
}

#[test]
fn bulk_lines_are_documents_with_the_id_of_their_action() {
    let scene = Scene::new();
    scene.file(
        "dump.json",
        "{\"index\":{\"_index\":\"x\",\"_id\":\"1\"}}\n{\"s\":\"a\",\"n\":1.50}\n\
         {\"create\":{\"_id\":\"2\"}}\r\n\r\n{\"s\":\"b\"}\r\n\
         {\"delete\":{\"_id\":\"9\"}}\n\
         {\"update\":{\"_id\":\"1\"}}\n{\"doc\":{\"n\":2}}\n\
         {\"update\":{\"_id\":\"2\"}}\n{\"script\":\"x\"}\n\
         {\"s\":\"stray\"}\n\
         {\"index\":{\"_id\":\"3\"}}",
    );
    let plan = scene.plain("dump.json --table t --key _id --dry-run").run().exits(0);
    assert!(format!("{plan}").contains("bulk"), "{plan}");
    let outcome = scene.run("dump.json --table t --key _id").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 7, inserted: 2, deduplicated: 1, rejected: 4));
    assert_eq!(scene.db.lines("SELECT _id, s, n FROM t ORDER BY 1"), ["1|a|2", "2|b|NULL"]);
    let rejects = outcome.report().rejected(scene.cwd());
    let lines: Vec<u64> = rejects.iter().map(|reject| reject.line).collect();
    assert_eq!(lines, [6, 9, 11, 12]);
    for (reject, words) in
        rejects.iter().zip(["a deletion", "a script is not run", "no action", "without its document"])
    {
        assert!(reject.reason.contains(words), "{}", reject.reason);
    }
}

#[test]
fn columns_become_records_and_are_said_in_the_plan() {
    let scene = Scene::with(T);
    scene.file("a.json", r#"{"id":["a","b"],"s":["x",null],"n":[1.50,2]}"#);
    let plan = scene.plain("a.json --table t --dry-run").run().exits(0);
    assert!(format!("{plan}").contains("columns"), "{plan}");
    assert_eq!(scene.load("a.json --table t").rows(), rows!(read: 2, inserted: 2));
    assert_eq!(stored(&scene), ["a|x|1.50", "b|NULL|2"]);
    // As pandas writes frames, and as weather comes.
    scene.sql("TRUNCATE t");
    scene.file("p.json", r#"{"id":{"0":"c","1":"d"},"n":{"0":1,"1":2}}"#);
    scene.load("p.json --format json-columns --table t");
    assert_eq!(stored(&scene), ["c|NULL|1", "d|NULL|2"]);
    scene.sql("TRUNCATE t");
    scene.file("w.json", r#"{"lat":52.5,"hourly":{"id":["e","f"],"n":[1,2],"s":"same"}}"#);
    scene.load("w.json --format json-columns --records hourly --table t");
    assert_eq!(stored(&scene), ["e|same|1", "f|same|2"]);
    // What does not belong together is no records; and one record with arrays may be meant.
    scene.file("x.json", r#"{"id":["a","b"],"s":["x"]}"#);
    scene
        .run("x.json --format json-columns --table t")
        .exits(4)
        .says("the column \"id\" has 2 values, and \"s\" has 1");
    scene.sql("CREATE TABLE u (id text[], s text[])");
    scene.file("r.json", r#"{"id":["a","b"],"s":["x","y"]}"#);
    assert_eq!(scene.load("r.json --format json --table u").rows(), rows!(read: 1, inserted: 1));
}

#[test]
fn objects_without_line_ends_are_read_under_the_name_of_lines() {
    let scene = Scene::with(T);
    scene.file("a.jsonl", r#"{"id":"a","n":1}{"id":"b","n":2} {"id":"c"}"#);
    assert_eq!(scene.load("a.jsonl --table t").rows(), rows!(read: 3, inserted: 3));
    assert_eq!(stored(&scene), ["a|NULL|1", "b|NULL|2", "c|NULL|NULL"]);
    scene.file("b.ndjson", "{\n  \"id\": \"d\"\n}\n{\n  \"id\": \"e\"\n}\n");
    assert_eq!(scene.load("b.ndjson --table t").rows(), rows!(read: 2, inserted: 2));
}

#[test]
fn fields_at_fixed_places_are_cut_by_characters() {
    let scene = Scene::with(T);
    let text =
        "title\n0001 \u{fc}ber   12.50\n0002           7\n0003 ab\r\n\n0004 \u{1f600}\u{e9}x    x9  \n0005";
    scene.file("a.dat", text);
    let words = "--fixed id:1-4,s:6-12,n:13-17 --skip-lines 1 --table t --trim";
    let outcome = scene.run(&format!("a.dat {words}")).exits(3);
    assert_eq!(outcome.rows(), rows!(read: 5, inserted: 4, rejected: 1));
    assert_eq!(stored(&scene), ["0001|\u{fc}ber|12.50", "0002|NULL|7", "0003|ab|NULL", "0005|NULL|NULL"]);
    assert_eq!(outcome.report().rejected(scene.cwd())[0].line, 6);
    // In another encoding, and to the end of the line.
    scene.sql("TRUNCATE t");
    scene.file("b.dat", b"a\xe9 1\nb\xfc 2\n");
    scene.load("b.dat --fixed id:1-2,n:3- --encoding latin1 --trim --table t");
    assert_eq!(stored(&scene), ["a\u{e9}|NULL|1", "b\u{fc}|NULL|2"]);
    for (places, words) in [
        ("id", "is no field with its place"),
        ("id:2-1", "no characters lie in the place"),
        ("id:1-2,id:3-4", "two fields are named"),
    ] {
        scene.run(&format!("a.dat --fixed {places} --table t")).exits(2).says(words);
    }
    scene.run("a.dat --fixed id:1-2 --delimiter ; --table t").exits(2).says("cannot be used with");
}

#[test]
fn a_load_of_columns_and_one_of_fixed_width_go_on_after_a_kill() {
    let ids = 0..20_000;
    let list = |f: &dyn Fn(u32) -> String| ids.clone().map(f).collect::<Vec<_>>().join(",");
    let columns =
        format!("{{\"id\":[{}],\"s\":[{}]}}", list(&|i| format!("\"{i}\"")), list(&|i| format!("\"v{i}\"")));
    let fixed: String = ids.clone().map(|i| format!("{i:<8}v{i:<8}\n")).collect();
    for (name, text, words) in [("a.json", columns, ""), ("a.dat", fixed, "--fixed id:1-8,s:9-")] {
        let scene = Scene::with(&format!(
            "{T}; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
             CREATE TRIGGER slow AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()"
        ));
        scene.file(name, text);
        let command = || {
            scene.dbload(&format!("{name} --table t {words} --batch-rows 500 --pool-size 2 --mode append"))
        };
        let running = command().spawn();
        until("rows are stored", || scene.db.count("t") > 2_000);
        running.kill9_after(Duration::ZERO);
        assert!(scene.db.count("t") < 20_000);
        let outcome = command().run().exits(0).says("resum");
        assert_eq!(outcome.rows(), rows!(read: 20_000, inserted: 20_000), "{name}");
        assert_eq!(audit(&scene.db), outcome.rows());
        assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE s = 'v' || id"), "20000");
    }
}

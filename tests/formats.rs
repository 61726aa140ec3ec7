//! Bytes into records: JSONL, JSON, CSV, TSV, compression, and what names a source.
//!
//! CASES.md, rows 35 to 41; of what users of other loaders run into, CSV empty and quoted empty, a BOM in the
//! first header, multi-line quoted CSV, gzip of several members, `\u0000` late in a file, HEADER applied to
//! each batch, leading zeros.

use crate::{
    rows,
    support::{Scene, compress, generate},
};

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, s text)";

/// Rows of `t` after loading one file of this name and content.
#[track_caller]
fn loaded(name: &str, bytes: impl AsRef<[u8]>, words: &str) -> Vec<String> {
    let scene = Scene::with(T);
    scene.file(name, bytes);
    scene.load(&format!("{name} --table t {words}"));
    scene.db.lines("SELECT * FROM t ORDER BY id")
}

/// Lines of the rejects after loading one file; the rest must be in the table.
#[track_caller]
fn rejected(name: &str, bytes: impl AsRef<[u8]>, stored: &[&str]) -> Vec<u64> {
    let scene = Scene::with(T);
    scene.file(name, bytes);
    let outcome = scene.run(&format!("{name} --table t")).exits(3);
    let rejects = outcome.report().rejected(scene.cwd());
    assert_eq!(outcome.rows().rejected, rejects.len() as u64);
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), stored, "{outcome}");
    rejects.iter().map(|r| r.line).collect()
}

#[test]
fn jsonl_lines_that_are_no_objects_are_rejected_with_their_line_and_blank_ones_skipped() {
    let text = "{\"id\":1}\n\n  \t\nnonsense\n{\"id\":2\n[3]\n\"x\"\n{\"id\":4,}\nnull\n{\"id\":5}";
    assert_eq!(rejected("t.jsonl", text, &["1|NULL", "5|NULL"]), [4, 5, 6, 7, 8, 9]);
    let scene = Scene::with(T);
    scene.file("t.jsonl", text);
    assert_eq!(scene.run("t.jsonl").exits(3).rows(), rows!(read: 8, inserted: 2, rejected: 6));
}

#[test]
fn jsonl_may_begin_with_a_bom_end_lines_with_crlf_and_lack_the_last_newline() {
    assert_eq!(
        loaded("t.jsonl", "\u{feff}{\"id\":1,\"s\":\"a\"}\r\n{\"id\":2,\"s\":\"b\"}\r\n", ""),
        ["1|a", "2|b"]
    );
    assert_eq!(loaded("t.ndjson", "{\"id\":1,\"s\":\"a\"}\n{\"id\":2,\"s\":\"b\"}", ""), ["1|a", "2|b"]);
}

#[test]
fn a_truncated_last_line_is_rejected_and_an_empty_file_has_no_records() {
    assert_eq!(rejected("t.jsonl", "{\"id\":1}\n{\"id\":2,\"s\":\"cut", &["1|NULL"]), [2]);
    for name in ["t.jsonl", "t.csv"] {
        let scene = Scene::with(T);
        scene.file(name, "");
        assert_eq!(scene.load(name).rows(), rows!(read: 0));
    }
}

#[test]
fn nul_lone_surrogates_and_invalid_utf8_are_rejected_with_their_place() {
    let text = b"{\"id\":1,\"s\":\"a\\u0000b\"}\n{\"id\":2,\"s\":\"\\ud800\"}\n{\"id\":3,\"s\":\"\xff\xfe\"}\n{\"id\":4,\"s\":\"\\ud83d\\ude00\"}\n{\"id\":5,\"s\":\"raw\0nul\"}\n";
    assert_eq!(rejected("t.jsonl", text, &["4|😀"]), [1, 2, 3, 5]);
    assert_eq!(rejected("t.csv", b"id,s\n1,a\xff\n2,ok\n3,n\0l\n", &["2|ok"]), [2, 4]);
    // Inside a jsonb column it is the server that refuses.
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, j jsonb)");
    scene.file("t.jsonl", "{\"id\":1,\"j\":{\"a\":\"x\\u0000\"}}\n{\"id\":2,\"j\":{\"a\":\"\\u00e9\"}}\n");
    assert_eq!(scene.run("t.jsonl").exits(3).rows(), rows!(read: 2, inserted: 1, rejected: 1));
}

#[test]
fn hostile_json_is_rejected_by_a_limit_and_the_rest_is_loaded() {
    let deep = format!("{{\"id\":1,\"s\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let wide: Vec<String> = (0..200_000).map(|i| format!("\"f{i}\":1")).collect();
    let text = format!("{{\"id\":0,\"s\":\"a\"}}\n{deep}\n{{\"id\":2,\"s\":\"b\"}}\n");
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, s jsonb)");
    scene.file("t.jsonl", text);
    let outcome = scene.run("t.jsonl").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 2, rejected: 1));
    assert_eq!(outcome.report().rejected(scene.cwd())[0].line, 2);
    let scene = Scene::with(T);
    scene.file("t.jsonl", format!("{{\"id\":1}}\n{{{},\"id\":2}}\n{{\"id\":3}}\n", wide.join(",")));
    let rows = scene.run("t.jsonl --extra ignore").rows();
    assert_eq!((rows.read, rows.inserted + rows.rejected), (3, 3));
}

#[test]
fn a_line_of_many_megabytes_neither_stalls_nor_takes_its_neighbours_along() {
    let scene = Scene::with(T);
    scene.file(
        "t.jsonl",
        format!("{{\"id\":1}}\n{{\"id\":2,\"s\":\"{}\"}}\n{{\"id\":3}}\n", "x".repeat(40_000_000)),
    );
    let outcome = scene.run("t.jsonl --pool-size 2");
    let rows = outcome.rows();
    assert_eq!((rows.read, rows.inserted + rows.rejected), (3, 3), "{outcome}");
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE id IN (1, 3)"), "2");
    for reject in outcome.report().rejected(scene.cwd()) {
        let raw = reject.raw.map_or(0, |raw| raw.to_string().len());
        assert!(raw <= 80_000, "at most 64 KiB of the original are kept, not {raw} bytes");
    }
}

#[test]
fn csv_empty_is_null_and_quoted_empty_is_empty() {
    assert_eq!(loaded("t.csv", "id,s\n1,\n2,\"\"\n3,\" \"\n", ""), ["1|NULL", "2|", "3| "]);
    assert_eq!(loaded("t.csv", "id,s\n1,NA\n2,\"NA\"\n3,\n", "--null-as NA"), ["1|NULL", "2|NA", "3|"]);
}

#[test]
fn csv_headers_may_have_a_bom_quotes_and_any_order() {
    assert_eq!(loaded("t.csv", "\u{feff}s,id\nx,1\n", ""), ["1|x"]);
    assert_eq!(loaded("t.csv", "\u{feff}\"s\",\"id\"\nx,1\n", ""), ["1|x"]);
    assert_eq!(loaded("t.csv", "id,s\n", ""), Vec::<String>::new());
    assert_eq!(loaded("t.csv", "1,x\n2,y\n", "--columns id,s"), ["1|x", "2|y"]);
}

#[test]
fn csv_fields_may_hold_quotes_newlines_and_every_line_ending() {
    let quoted = "id,s\r\n1,\"a\r\nb\"\r\n2,\"say \"\"hi\"\", you\"\r\n3,\"x\ny\"\r\n";
    assert_eq!(loaded("t.csv", quoted, ""), ["1|a\r\nb", "2|say \"hi\", you", "3|x\ny"]);
    assert_eq!(loaded("t.csv", "id,s\r1,a\r2,b\r", ""), ["1|a", "2|b"]);
    assert_eq!(loaded("t.csv", "id,s\n\n1,a\n\n\n2,b", ""), ["1|a", "2|b"]);
    assert_eq!(loaded("t.csv", "id;s\n1;a,b\n", "--delimiter ;"), ["1|a,b"]);
    assert_eq!(loaded("t.tsv", "id\ts\n1\ta,b\n2\t\"q\tr\"\n", ""), ["1|a,b", "2|q\tr"]);
}

#[test]
fn quoted_newlines_survive_every_cut_into_batches() {
    let scene = Scene::with(T);
    let text = (0..3_000)
        .fold("id,s\n".to_owned(), |t, id| t + &format!("{id},\"line {id}\n1,2,3\n\"\"{id}\"\" \"\n"));
    scene.file("t.csv", text);
    scene.load("t.csv --pool-size 4 --batch-rows 17");
    assert_eq!(
        scene.db.one("SELECT count(*) FROM t WHERE s = 'line ' || id || E'\\n1,2,3\\n\"' || id || '\" '"),
        "3000"
    );
}

#[test]
fn ragged_rows_and_an_unclosed_quote_are_rejected_with_their_line() {
    assert_eq!(
        rejected("t.csv", "id,s\n1,a\n2,b,c\n3,\"x\ny\"\n4\n5,e\n", &["1|a", "3|x\ny", "5|e"]),
        [3, 6]
    );
    assert_eq!(rejected("t.csv", "id,s\n1,a\n2,\"never closed\n3,c\n", &["1|a"]), [3]);
}

#[test]
fn duplicate_and_empty_header_names_are_refused_before_the_first_row() {
    for header in ["id,s,s", "id,,s", "id,S,s"] {
        let scene = Scene::with(T);
        scene.file("t.csv", format!("{header}\n1,a,b\n"));
        scene.run("t.csv").exits(6).says("hint:");
        assert_eq!(scene.db.count("t"), 0, "{header}");
    }
}

#[test]
fn json_arrays_are_streamed_from_the_top_or_from_a_path() {
    let array = r#"[{"id":1,"s":"a"} , {"id":2,
        "s":"b"},{"id":3,"s":"c"}]"#;
    assert_eq!(loaded("t.json", array, ""), ["1|a", "2|b", "3|c"]);
    let nested = format!(
        r#"{{"meta":{{"items":[{{"id":9}}]}},"data":{{"count":3,"items":{array},"more":[1]}},"items":[]}}"#
    );
    for path in ["data.items", "/data/items"] {
        assert_eq!(loaded("t.json", &nested, &format!("--records {path}")), ["1|a", "2|b", "3|c"]);
    }
    assert_eq!(loaded("t.json", "[]", ""), Vec::<String>::new());
    assert_eq!(loaded("t.json", "{\"id\":1,\"s\":\"a\"}\n{\"id\":2,\"s\":\"b\"}\n", ""), ["1|a", "2|b"]);
    let scene = Scene::with(T);
    scene.file("t.json", r#"{"data":{"items":3}}"#);
    let outcome = scene.run("t.json --records data.rows");
    assert!([4, 6].contains(&outcome.code()), "no records there: {outcome}");
    // Records of a second member of that name would be passed over.
    scene.file(
        "t.json",
        r#"{"data":{"items":[{"id":1,"s":"a"}],"n":{"items":[1]},"items":[{"id":2,"s":"b"}]}}"#,
    );
    scene
        .run("t.json --records data.items")
        .exits(4)
        .says("found a second member \"items\" on the way to the records at \"data.items\"")
        .says("have whoever writes it give each name once");
}

#[test]
fn a_json_array_cut_short_is_a_failed_source_whose_records_are_kept() {
    let scene = Scene::with(T);
    scene.file("t.json", r#"[{"id":1,"s":"a"},{"id":2,"s":"b"},{"id":3"#);
    let outcome = scene.run("t.json");
    assert!([3, 4].contains(&outcome.code()), "{outcome}");
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|a", "2|b"]);
}

#[test]
fn compressed_files_are_known_by_name_and_by_content() {
    let text = generate::events(1..=3_000, 1);
    let packed: [(&str, Vec<u8>); 4] = [
        ("gz", compress::gzip(text.as_bytes())),
        ("zst", compress::zstd(text.as_bytes())),
        ("bz2", compress::bzip2(text.as_bytes())),
        ("xz", compress::xz(text.as_bytes())),
    ];
    for (end, bytes) in packed {
        let scene = Scene::with(generate::EVENTS_TABLE);
        scene.file(&format!("events.jsonl.{end}"), &bytes);
        scene.file("other.jsonl", &bytes);
        let insert = rows!(read: 3_000, inserted: 3_000);
        let report = scene.load(&format!("events.jsonl.{end}")).report();
        assert_eq!((report.rows, report.table.as_str()), (insert, "public.events"));
        let same = rows!(read: 3_000, unchanged: 3_000);
        assert_eq!(scene.load("other.jsonl -t events").rows(), same, "{end} by content");
        let stdin = scene.dbload("- -t events").stdin(bytes).run().exits(0);
        assert_eq!(stdin.rows(), same, "{end} on stdin");
        assert_eq!(scene.db.digest("events"), scene.db.digest(&generate::event_rows(1, 3_000, 1)));
    }
}

#[test]
fn all_members_of_a_gzip_are_read() {
    let mut bytes = vec![];
    for from in [1, 101, 201] {
        bytes.extend(compress::gzip(generate::events(from..=from + 99, 1).as_bytes()));
    }
    let scene = Scene::with(generate::EVENTS_TABLE);
    scene.file("events.jsonl.gz", bytes);
    assert_eq!(scene.load("events.jsonl.gz").rows().inserted, 300);
    let mut frames = compress::zstd(generate::events(1..=50, 1).as_bytes());
    frames.extend(compress::zstd(generate::events(51..=350, 1).as_bytes()));
    scene.file("events.jsonl.zst", frames);
    assert_eq!(scene.load("events.jsonl.zst").rows(), rows!(read: 350, inserted: 50, unchanged: 300));
}

#[test]
fn a_damaged_gzip_is_a_failed_source_and_never_a_success() {
    let whole = compress::gzip(generate::events(1..=5_000, 1).as_bytes());
    let mut wrong_sum = whole.clone();
    let sum = wrong_sum.len() - 6;
    wrong_sum[sum] ^= 0xFF;
    let mut junk = whole.clone();
    junk.extend(b"this is no gzip member");
    for (what, bytes) in
        [("truncated", whole[..whole.len() / 2].to_vec()), ("bad CRC", wrong_sum), ("junk behind", junk)]
    {
        let scene = Scene::with(generate::EVENTS_TABLE);
        scene.file("events.jsonl.gz", bytes);
        scene.file("more.jsonl", generate::events(9_001..=9_010, 1));
        let outcome = scene.run("events.jsonl.gz more.jsonl -t events").exits(4).says("events.jsonl.gz");
        let report = outcome.report();
        assert!(!report.complete, "{what}");
        assert_eq!(report.sources[1].read, 10, "the others go on: {what}");
        assert_eq!(scene.db.one("SELECT count(*) FROM events WHERE id > 9000"), "10", "{what}");
        assert_ne!(report.sources[0].state, "complete", "{what}");
    }
}

#[test]
fn globs_and_directories_are_read_in_byte_order() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, s text)");
    for (n, name) in ["B.jsonl", "a10.jsonl", "a2.jsonl", "b.jsonl", "é.jsonl"].iter().enumerate() {
        scene.file(
            &format!("in/{name}"),
            format!("{{\"id\":1,\"s\":\"{name}\"}}\n{{\"id\":{},\"s\":\"{name}\"}}\n", 10 + n),
        );
    }
    for source in ["in/*.jsonl", "in"] {
        scene.sql("TRUNCATE t");
        let report = scene.load(&format!("{source} -t t --pool-size 4 --batch-rows 1 --again")).report();
        let names: Vec<_> =
            report.sources.iter().map(|s| s.name.rsplit('/').next().unwrap().to_owned()).collect();
        assert_eq!(names, ["B.jsonl", "a10.jsonl", "a2.jsonl", "b.jsonl", "é.jsonl"], "{source}");
        assert_eq!(scene.db.one("SELECT s FROM t WHERE id = 1"), "é.jsonl", "{source}");
        assert_eq!(report.rows.read, 10);
    }
    let none = scene.run("in/*.parquetx -t t");
    assert!([2, 4, 6].contains(&none.code()), "a glob without files is no success: {none}");
}

#[test]
fn stdin_is_a_source_whose_format_is_known_by_content() {
    for (bytes, words) in
        [("{\"id\":1,\"s\":\"a\"}\n", ""), ("id,s\n1,a\n", "--format csv"), ("[{\"id\":1,\"s\":\"a\"}]", "")]
    {
        let scene = Scene::with(T);
        let outcome = scene.dbload(&format!("- --table t {words}")).stdin(bytes).run().exits(0);
        assert_eq!(outcome.report().guarantee, "effectively-once");
        assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|a"]);
    }
}

#[test]
fn a_missing_file_is_named_and_is_no_success() {
    let scene = Scene::with(T);
    scene.run("nowhere.jsonl -t t").exits(4).says("nowhere.jsonl");
    scene.file("t.jsonl", "{\"id\":1}\n");
    let outcome = scene.run("t.jsonl nowhere.jsonl -t t").says("nowhere.jsonl");
    assert_ne!(outcome.code(), 0);
}

#[test]
fn hostile_names_are_quoted_right_and_the_catalog_is_unchanged() {
    let scene = Scene::with(
        r#"CREATE TABLE "id""; DROP TABLE x;--" ("select" int PRIMARY KEY, "Mixed Case" text, "a""b" text, "naïve" int, ctid_ int); CREATE TABLE x (i int)"#,
    );
    scene.file("t.jsonl", r#"{"select":1,"Mixed Case":"m","a\"b":"q","naïve":5}"#);
    let outcome = scene.dbload("t.jsonl").args(["--table", r#""id""; DROP TABLE x;--""#]).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 1, inserted: 1));
    assert_eq!(scene.db.lines(r#"SELECT * FROM "id""; DROP TABLE x;--""#), ["1|m|q|5|NULL"]);
    assert!(scene.db.has_table("x"));
    // Fields of such names make no columns where the table exists, and quoted ones where it does not.
    scene.file("fresh.jsonl", r#"{"id":1,"v\"; DROP TABLE x;--":"a","order":2}"#);
    scene.load("fresh.jsonl --key id");
    assert!(scene.db.has_table("x"));
    assert_eq!(scene.db.lines(r#"SELECT "v""; DROP TABLE x;--", "order" FROM fresh"#), ["a|2"]);
}

#[test]
fn a_name_that_lies_about_compression_is_overruled_by_the_flag() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("plain.jsonl.gz", "{\"id\":1}\n");
    scene.load("plain.jsonl.gz -t t --compression none");
    scene.file("packed.jsonl.zst", crate::support::compress::gzip(b"{\"id\":2}\n"));
    scene.load("packed.jsonl.zst -t t --compression gzip");
    scene.run("packed.jsonl.zst -t t --compression bzip2").exits(4).says("--compression");
    assert_eq!(scene.db.lines("SELECT id::text FROM t ORDER BY 1"), ["1", "2"]);
}

//! CSV as people bring it: quoting that is none, escapes, comments, line ends, delimiters at the end of
//! lines, headers that name nothing, the text of COPY; and what the first command says where no table exists.
//!
//! CASES.md, row 36.

use crate::{
    rows,
    support::{Outcome, Scene, compress},
};

/// Loads one file, which becomes table `t`; its rows, in order of the first column.
#[track_caller]
fn made(name: &str, bytes: impl AsRef<[u8]>, words: &str) -> (Scene, Outcome) {
    let scene = Scene::new();
    scene.file(name, bytes);
    let outcome = scene.run(&format!("{name} --table t {words}"));
    (scene, outcome)
}

/// The rows of `t`.
fn rows_of(scene: &Scene) -> Vec<String> {
    scene.db.lines("SELECT * FROM t ORDER BY 1")
}

/// The names of its columns.
fn names_of(scene: &Scene) -> Vec<String> {
    scene.db.lines(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 't' ORDER BY ordinal_position",
    )
}

/// Lines and reasons of the rejects.
fn rejects(scene: &Scene, outcome: &Outcome) -> Vec<(u64, String)> {
    outcome.report().rejected(scene.cwd()).into_iter().map(|reject| (reject.line, reject.reason)).collect()
}

const BACKSLASHES: &str = "id,name,note\n1,\"say \\\"hi\\\" Bob\",x\n2,\"12\" pipe\",y\n3,\"a\" \"b\",z\n4,5\" nail,w\n5,\"Bob \"\"B\"\" Smith\",v\n";

#[test]
fn quoting_that_is_none_is_a_reject_with_the_flag_that_reads_it() {
    let (scene, outcome) = made("b.csv", BACKSLASHES, "");
    let outcome = outcome.exits(3);
    assert_eq!(outcome.rows(), rows!(read: 5, inserted: 2, rejected: 3));
    assert_eq!(rows_of(&scene), ["4|5\" nail|w", "5|Bob \"B\" Smith|v"]);
    let rejects = rejects(&scene, &outcome);
    assert_eq!(rejects.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4]);
    for (_, reason) in &rejects {
        assert!(reason.contains("closing quote") && reason.contains("--escape '\\'"), "{reason}");
    }
    let (scene, outcome) = made("b.csv", BACKSLASHES, r"--escape \");
    outcome.exits(3);
    assert_eq!(rows_of(&scene), ["1|say \"hi\" Bob|x", "4|5\" nail|w", "5|Bob \"B\" Smith|v"]);
}

#[test]
fn text_delimited_by_tabs_has_no_quoting_unless_its_quoted_fields_are_whole() {
    let plain = "id\tname\tkind\n1\tWilson\"s Mills\tGeo\n2\t\"Big\" Rock\tGeo\n3\t\"Old\"\tGeo\n";
    let (scene, outcome) = made("q.tsv", plain, "");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1|Wilson\"s Mills|Geo", "2|\"Big\" Rock|Geo", "3|\"Old\"|Geo"]);
    let quoted = "id\tname\n1\t\"a\tb\nc\"\n2\t\"say \"\"hi\"\"\"\n";
    let (scene, outcome) = made("q.tsv", quoted, "");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1|a\tb\nc", "2|say \"hi\""]);
    // What the first 64 KiB do not show is refused, and the flag decides.
    let many = (0..20_000).fold("id\tname\n".to_owned(), |text, id| text + &format!("{id}\tx\n"));
    let late = format!("{many}20000\t\"Big\" Rock\n20001\t\"y\"\n20002\tz\n");
    let (scene, outcome) = made("q.tsv", &late, "");
    let outcome = outcome.exits(3);
    assert_eq!(outcome.rows(), rows!(read: 20_003, inserted: 20_001, rejected: 2));
    let rejects = rejects(&scene, &outcome);
    assert_eq!(rejects.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [20_002, 20_003]);
    let (scene, outcome) = made("q.tsv", &late, "--quote none");
    outcome.exits(0);
    assert_eq!(scene.db.one("SELECT name FROM t WHERE id = 20000"), "\"Big\" Rock");
}

#[test]
fn a_lone_return_is_data_in_quotes_and_a_reject_outside_but_never_half_a_value() {
    let text = "id,name\n1,\"x\ry\"\n2,a\rb\n3,c\r\n4,\rd\n5,e\n";
    let (scene, outcome) = made("r.csv", text, "");
    let outcome = outcome.exits(3);
    assert_eq!(rows_of(&scene), ["1|x\ry", "3|c", "5|e"]);
    assert_eq!(rejects(&scene, &outcome).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 5]);
    let (scene, outcome) = made("r.csv", "id,name\r1,x\r2,\"a\nb\"\r3,c\nd\r", "");
    outcome.exits(3);
    assert_eq!(rows_of(&scene), ["1|x", "2|a\nb"]);
}

#[test]
fn the_delimiter_is_the_one_that_divides_all_lines_alike_whatever_ends_them() {
    let (scene, outcome) = made("31.csv", "id;name;amount\r1;Anna;1,5\r2;Bert;2,5\r", "");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1|Anna|1,5", "2|Bert|2,5"]);
    let (scene, outcome) = made("46.csv", "id;price (EUR, net);name\n1;10;Anna\n2;20;Bert\n", "");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1|10|Anna", "2|20|Bert"]);
    assert_eq!(names_of(&scene), ["id", "price (EUR, net)", "name"]);
}

#[test]
fn a_delimiter_at_the_end_of_each_line_is_left_out_and_said() {
    for text in ["id;name;\n1;a;\n2;b;\n3;c\n", "id;name\n1;a;\n2;b;\n"] {
        let (scene, outcome) = made("e.csv", text, "");
        outcome.says("the delimiter at the end of each line is left out");
        assert_eq!(names_of(&scene), ["id", "name"]);
        assert_eq!(rows_of(&scene)[..2], ["1|a", "2|b"], "{text:?}");
    }
    // What contradicts later is a reject.
    let many = (0..20_000).fold("id,name,\n".to_owned(), |text, id| text + &format!("{id},x,\n"));
    let (scene, outcome) = made("e.csv", format!("{many}20000,y,z\n20001,y\n20002,,\n"), "");
    let outcome = outcome.exits(3);
    assert_eq!(rejects(&scene, &outcome).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [20_002, 20_003]);
    assert_eq!(scene.db.one("SELECT name IS NULL FROM t WHERE id = 20002"), "t");
}

#[test]
fn comments_are_no_records() {
    let text = "# made by a tool, 2024\n# units: EUR\nid,amount\n1,10\n# note, with comma\n2,20\n";
    let (scene, outcome) = made("c.csv", text, "--comment #");
    assert_eq!(outcome.exits(0).rows(), rows!(read: 2, inserted: 2));
    assert_eq!(rows_of(&scene), ["1|10", "2|20"]);
}

#[test]
fn headers_with_gaps_doubles_spaces_and_long_names_are_fixed_and_it_is_said() {
    let (scene, outcome) = made("h.csv", ",id,name\n0,11,Anna\n1,12,Bert\n", "--header fix");
    outcome.exits(0).says("column_1");
    assert_eq!(names_of(&scene), ["column_1", "id", "name"]);
    assert_eq!(rows_of(&scene), ["0|11|Anna", "1|12|Bert"]);
    let long = "n".repeat(70);
    let (scene, outcome) = made("h.csv", format!("id,a, a ,{long}\n1,2,3,4\n"), "--header fix");
    outcome.exits(0).says("a_2").says("the header of");
    assert_eq!(names_of(&scene), ["id", "a", "a_2", &"n".repeat(63)]);
    // Without it, spaces alone are nobody's wish.
    let (scene, outcome) = made("h.csv", "id, name , amount\n1, Anna , 10\n2,Bert,20\n", "--key id");
    outcome.exits(0);
    assert_eq!(names_of(&scene), ["id", "name", "amount"]);
    assert_eq!(rows_of(&scene), ["1| Anna | 10", "2|Bert|20"]);
    let (_, outcome) = made("h.csv", format!("id,{long}\n1,2\n"), "");
    outcome.exits(6).says("--header fix");
    let (_, outcome) = made("h.csv", "id,id\n1,2\n", "");
    outcome.exits(6).says("--header fix");
}

#[test]
fn the_text_of_copy_is_what_copy_wrote() {
    let text = "id\tname\ttags\n1\ta\\tb\\\\c\t{x,y}\n2\t\\N\t\\N\n3\tline\\nbreak\t{}\n\\.\n";
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, name text, tags text[])");
    scene.file("t.tsv", text);
    assert_eq!(scene.load("t.tsv --format copy").rows(), rows!(read: 3, inserted: 3));
    assert_eq!(rows_of(&scene), ["1|a\tb\\c|{x,y}", "2|NULL|NULL", "3|line\nbreak|{}"]);
    // There and back, by the server's own hand.
    scene.sql(
        "CREATE TABLE u (id int, s text); \
         INSERT INTO u SELECT i, nullif(chr(i) || E'\\\\N\\t\\r\\n\\\\.', chr(7) || E'\\\\N\\t\\r\\n\\\\.') FROM generate_series(1, 300) i",
    );
    scene.file("u.txt", scene.db.copy_out("COPY u TO STDOUT"));
    scene.sql("CREATE TABLE v (LIKE u)");
    scene.load("u.txt --table v --format copy --columns id,s");
    assert_eq!(scene.db.one("SELECT count(*) FROM (TABLE u EXCEPT TABLE v) d"), "0");
    assert_eq!(scene.db.one("SELECT count(*) FROM v"), "300");
}

#[test]
fn several_words_are_null() {
    let text = "id,n,at\n1,NULL,\n2,,N/A\n3,5,2024-01-01\n4,\"NULL\",\n";
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n text, at date)");
    scene.file("t.csv", text);
    let flags = ["--null-as", "NULL", "--null-as", "N/A", "--null-as", ""];
    scene.dbload("t.csv").args(flags).run().exits(0);
    assert_eq!(rows_of(&scene), ["1|NULL|NULL", "2|NULL|NULL", "3|5|2024-01-01", "4|NULL|NULL"]);
    assert_eq!(scene.db.one("SELECT n IS NULL FROM t WHERE id = 4"), "f");
}

#[test]
fn a_resume_reads_by_what_the_beginning_has_shown() {
    let text = (0..30_000)
        .fold("id\tname\n-1\t\"Big\" Rock\n".to_owned(), |text, id| text + &format!("{id}\t\"{id}\"\n"));
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, name text)");
    scene.file("t.tsv", text);
    let crash = scene.dbload("t.tsv --batch-rows 2000").env("DBLOAD_CRASH_AT", "committed:4").run();
    assert!(crash.was_killed() || crash.code() != 0, "{crash}");
    // Another setting is another load's.
    scene.run(r"t.tsv --batch-rows 2000 --escape \").exits(8).says("escape");
    scene.load("t.tsv --batch-rows 2000");
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE name = '\"' || id || '\"'"), "30000");
    let stored = scene.db.one("SELECT count(*) FROM _dbload.source WHERE description ? 'sniffed'");
    assert_eq!(stored, "1");
}

#[test]
fn where_no_table_exists_the_first_command_says_what_is_wrong_with_the_input() {
    for (name, text, words, said) in [
        ("a.json", "{\"items\":[{\"id\":1},{\"id\":2}]}", "--records item", &["items", "no member"][..]),
        ("a.jsonl", "{'id':1}\n{'id':2}\n", "", &["found `'`", "double quotes"]),
        ("a.json", "{\"id\":1,\n\"x\":", "", &["cut off"]),
        ("a.jsonl", "[{\"id\":1},{\"id\":2}]\n[{\"id\":3}]\n", "", &["found an array", "--format json"]),
        ("a.csv", "Report of 2024\nid;x\n1;2\n3;4\n", "--delimiter ;", &["found 2", "--skip-lines"]),
        ("a.csv", "id,name\n\"1\"x,a\n\"2\"x,b\n", "", &["closing quote", "--escape"]),
    ] {
        let (scene, outcome) = made(name, text, words);
        let outcome = outcome.exits(4);
        for said in said {
            assert!(outcome.stderr.contains(said), "{name} {words}: lacks {said:?}: {outcome}");
        }
        assert!(!scene.db.has_table("t"), "{name} {words}: {outcome}");
    }
    // What the hints say is true.
    let (scene, outcome) = made("a.jsonl", "[{\"id\":1},{\"id\":2}]\n[{\"id\":3}]\n", "--format json");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1", "2", "3"]);
    let (scene, outcome) = made("a.csv", "Report of 2024\nid;x\n1;2\n3;4\n", "--delimiter ; --skip-lines 1");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1|2", "3|4"]);
}

#[test]
fn content_that_is_no_text_is_named_before_anything_is_guessed_of_it() {
    let mut tar = vec![0; 512];
    tar[..8].copy_from_slice(b"data.csv");
    tar[257..262].copy_from_slice(b"ustar");
    tar.extend_from_slice(b"id,name\n1,a\n");
    let utf16: Vec<u8> = "id,name\n1,a\n2,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let once = compress::gzip(b"id,name\n1,a\n");
    for (name, bytes, said) in [
        ("a.csv.gz", compress::gzip(&tar), &["tar", "tar -xOf"][..]),
        ("a.csv.gz", compress::gzip(&once), &["compressed once more", "zcat"]),
        ("a.csv", b"%PDF-1.7\n1 0 obj\n".to_vec(), &["PDF"]),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0".to_vec(), &[".xls"]),
        ("a.csv", b"PK\x03\x04\x14\0".to_vec(), &["ZIP"]),
        ("a.csv", utf16.clone(), &["UTF-16", "--encoding utf-16le"]),
        ("a.csv", b"<!DOCTYPE html><html>".to_vec(), &["HTML"]),
    ] {
        let (scene, outcome) = made(name, bytes, "");
        let outcome = outcome.exits(4);
        for said in said {
            assert!(outcome.stderr.contains(said), "{name}: lacks {said:?}: {outcome}");
        }
        assert!(!scene.db.has_table("t"), "{name}: {outcome}");
    }
    // What the hints say is true.
    let (scene, outcome) = made("a.csv", utf16, "--encoding utf-16le");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1|a", "2|b"]);
    let scene = Scene::new();
    scene.dbload("- --table t").stdin(once).run().exits(0);
    assert_eq!(rows_of(&scene), ["1|a"]);
    // A sequence of JSON texts (RFC 7464) is read.
    let (scene, outcome) = made("a.json", b"\x1e{\"id\":1}\n\x1e{\"id\":\n2}\n", "");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1", "2"]);
}

#[test]
fn a_table_that_is_made_comes_with_what_was_unsure_of_it() {
    for (text, said) in [
        ("id,amount\n1,10\n2,20\nTotal,30\n", &["\"id\" is text for \"Total\" among numbers"][..]),
        ("id,weight\nno.,kg\n1,2.5\n2,3.5\n", &["\"id\"", "\"kg\" among numbers"]),
        ("id,n\n1,5\n2,NA\n3,7\n", &["--null-as 'NA' --null-as ''"]),
        ("id,d\n1,31/12/2024\n2,01/02/2024\n", &["\"d\"", "--datestyle DMY"]),
        ("id,name\n", &["no records"]),
        ("1,Anna,10\n2,Bert,20\n", &["look like values", "--columns"]),
    ] {
        for words in ["--dry-run", ""] {
            let (_, outcome) = made("d.csv", text, words);
            let outcome = outcome.exits(0);
            let all = format!("{}{}", outcome.stdout, outcome.stderr);
            for said in said {
                assert!(all.contains(said), "{text:?} {words}: lacks {said:?}: {outcome}");
            }
        }
    }
    // What the notes say is true.
    let scene = Scene::new();
    scene.file("d.csv", "id,n\n1,5\n2,NA\n3,\n");
    scene.dbload("d.csv --table t").args(["--null-as", "NA", "--null-as", ""]).run().exits(0);
    assert_eq!(rows_of(&scene), ["1|5", "2|NULL", "3|NULL"]);
    assert_eq!(scene.db.one("SELECT pg_typeof(n) FROM t LIMIT 1"), "bigint");
    let scene = Scene::with("CREATE TABLE t (id int, d date)");
    scene.file("d.csv", "id,d\n1,31/12/2024\n2,01/02/2024\n");
    scene.load("d.csv --table t --datestyle DMY");
    assert_eq!(rows_of(&scene), ["1|2024-12-31", "2|2024-02-01"]);
}

#[test]
fn a_table_whose_name_differs_by_case_alone_is_said() {
    let scene = Scene::with("CREATE TABLE \"Orders\" (id int)");
    scene.file("a.csv", "id\n1\n");
    scene.load("a.csv --table Orders").says("\"Orders\"").says("--table '\"Orders\"'");
    scene.dbload("a.csv").args(["--table", "\"Orders\""]).run().exits(0);
    assert_eq!(scene.db.one("SELECT count(*) FROM \"Orders\""), "1");
}

#[test]
fn the_variable_of_a_flag_without_a_value_says_yes_in_many_ways() {
    let scene = Scene::with("CREATE TABLE t (id int)");
    scene.file("t.csv", "id\n1\n");
    for yes in ["1", "yes", "true", ""] {
        let outcome = scene.dbload("t.csv").env("DBLOAD_DRY_RUN", yes).env("DBLOAD_NO_PROGRESS", yes).run();
        outcome.exits(0);
        assert_eq!(scene.db.count("t"), 0, "{yes:?}");
    }
    scene.dbload("t.csv").env("DBLOAD_NO_PROGRESS", "perhaps").run().exits(2).says("DBLOAD_NO_PROGRESS");
    scene.dbload("t.csv").env("DBLOAD_DRY_RUN", "no").run().exits(0);
    assert_eq!(scene.db.count("t"), 1);
}

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
fn of_delimiters_that_divide_alike_the_better_one_is_taken_and_the_other_named() {
    let (scene, outcome) = made("d.csv", "Datum;Betrag,EUR\n01.02.2024;1,5\n02.02.2024;2,5\n", "");
    outcome.exits(0).says("--delimiter ','");
    assert_eq!(names_of(&scene), ["Datum", "Betrag,EUR"]);
    assert_eq!(rows_of(&scene), ["01.02.2024|1,5", "02.02.2024|2,5"]);
    let (scene, outcome) = made(
        "n.csv",
        "Name, Vorname;PLZ\nMüller, Hans;01067\nNolte, Eva;10115\nOtt, Ida;20095\nPohl, Udo;30159\n",
        "",
    );
    let outcome = outcome.exits(0);
    assert!(!outcome.stderr.contains("--delimiter"), "{outcome}");
    let rows = ["Müller, Hans|01067", "Nolte, Eva|10115", "Ott, Ida|20095", "Pohl, Udo|30159"];
    assert_eq!(rows_of(&scene), rows);
    // A code is no total.
    outcome.says("\"PLZ\" is text for \"01067\" among numbers: a number would lose the zero it begins with");
    // Nothing tells them apart: both are named, and the flag does what it says.
    let tie = "x;y,z\np;q,r\n";
    let (scene, outcome) = made("t.csv", tie, "");
    outcome.exits(0).says("--delimiter ';'").says("--delimiter ','");
    assert_eq!(rows_of(&scene), ["p;q|r"]);
    let (scene, outcome) = made("t.csv", tie, "--delimiter ;");
    let outcome = outcome.exits(0);
    assert!(!outcome.stderr.contains("divides its lines alike"), "{outcome}");
    assert_eq!(rows_of(&scene), ["p|q,r"]);
}

#[test]
fn what_stands_behind_the_end_of_copys_data_is_no_row_and_a_failed_source() {
    let (scene, outcome) = made("t.txt", "1\ta\n2\tb\n\\.\n\n7\tq\n", "--format copy --columns id,name");
    outcome.exits(4).says("found more behind `\\.`").says("line 5").says("is loaded from a file of its own");
    assert_eq!(rows_of(&scene), ["1|a", "2|b"]);
    // Run again it is the same.
    scene.run("t.txt --table t --format copy --columns id,name").exits(4);
    assert_eq!(rows_of(&scene), ["1|a", "2|b"]);
    let (scene, outcome) = made("t.txt", "1\ta\n2\tb\n\\.\n\n \n", "--format copy --columns id,name");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1|a", "2|b"]);
}

#[test]
fn an_empty_line_of_copys_text_is_the_empty_text_where_there_is_one_column() {
    let scene = Scene::with("CREATE TABLE s (v text)");
    scene.sql("INSERT INTO s VALUES ('x'), (NULL), (''), ('\\.'), (''), (''), ('y'), ('')");
    for (into, header, words) in [("a", "HEADER", ""), ("b", "HEADER false", "--columns v")] {
        let sql = format!("COPY s TO STDOUT WITH (FORMAT text, {header})");
        scene.file("s.txt", scene.db.copy_out(&sql));
        for batch in ["", "--batch-rows 1 --pool-size 1"] {
            scene.sql(&format!("DROP TABLE IF EXISTS {into}; CREATE TABLE {into} (LIKE s)"));
            let outcome = scene.run(&format!("s.txt --table {into} --format copy {words} {batch}")).exits(0);
            assert_eq!(outcome.rows(), rows!(read: 8, inserted: 8));
            let query = |table: &str| {
                format!("SELECT v IS NULL, v, count(*) FROM {table} GROUP BY 1, 2 ORDER BY 1, 2")
            };
            assert_eq!(scene.db.lines(&query(into)), scene.db.lines(&query("s")));
            scene.sql("DROP SCHEMA _dbload CASCADE");
        }
    }
}

#[test]
fn an_empty_line_of_copys_text_is_counted_once_also_by_a_resume() {
    let lines = (0..20_000).fold(String::new(), |text, id| text + if id % 3 == 0 { "\n" } else { "x\n" });
    let scene = Scene::with("CREATE TABLE t (v text)");
    scene.file("t.txt", lines);
    let line = "t.txt --format copy --columns v --batch-rows 500";
    let crash = scene.dbload(line).env("DBLOAD_CRASH_AT", "committed:4").run();
    assert!(crash.was_killed() || crash.code() != 0, "{crash}");
    scene.run(line).exits(0);
    assert_eq!(scene.db.lines("SELECT v, count(*) FROM t GROUP BY 1 ORDER BY 1"), ["|6667", "x|13333"]);
}

#[test]
fn a_quote_that_closes_far_below_says_how_many_lines_it_took() {
    let text = (1..=5_000).fold("id,v\n".to_owned(), |text, id| {
        text + &if matches!(id, 2_500 | 3_000) { format!("{id},\"open\n") } else { format!("{id},x\n") }
    });
    let (scene, outcome) = made("q.csv", text, "");
    let outcome = outcome.exits(3).says("501 lines are in this record");
    assert_eq!(outcome.rows(), rows!(read: 4_500, inserted: 4_499, rejected: 1));
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE id BETWEEN 2500 AND 3000"), "0");
}

#[test]
fn no_table_is_made_of_a_title_and_the_flag_that_passes_over_it_is_named() {
    for value in ["2,5", "25"] {
        let rows = (1..=50).fold(String::new(), |text, id| text + &format!("{id};{value}\n"));
        let text = format!("Statistik der Stadt\nStand: 2024\n\nid;Wert\n{rows}");
        let (scene, outcome) = made("t.csv", &text, "");
        outcome
            .exits(4)
            .says("its lines from line 4 on have 2 fields")
            .says("--skip-lines 3 passes over a title");
        assert!(!scene.db.has_table("t"));
        scene.run("t.csv --table t --skip-lines 3").exits(0);
        assert_eq!(scene.db.one("SELECT count(*) FROM t"), "50");
    }
    // Texts of one column, if that is said.
    let (_, outcome) = made("t.csv", "tags\na;b\nc;d\ne;f\n", "");
    outcome.exits(4).says("--delimiter says what is in none of them");
    let (scene, outcome) = made("t.csv", "tags\na;b\nc;d\ne;f\n", "--delimiter ,");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["a;b", "c;d", "e;f"]);
}

#[test]
fn json_lines_that_are_called_csv_are_read_as_what_they_are() {
    let (scene, outcome) = made("j.csv", "{\"id\":1,\"v\":\"a, b\"}\n{\"id\":2,\"v\":\"c\"}\n", "");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1|a, b", "2|c"]);
}

#[test]
fn fields_that_make_no_table_are_refused_with_what_helps_their_format() {
    let names: Vec<String> = (0..1_700).map(|n| format!("c{n}")).collect();
    let text = format!("{}\n{}\n", names.join(","), vec!["1"; 1_700].join(","));
    let (scene, outcome) = made("w.csv", &text, "");
    let outcome = outcome.exits(6).says("--extra jsonb:COLUMN puts the other fields there");
    assert!(!outcome.stderr.contains("--records"), "{outcome}");
    scene.sql("CREATE TABLE t (c0 int, rest jsonb)");
    scene.run("w.csv --table t --extra jsonb:rest").exits(0);
    assert_eq!(scene.db.one("SELECT c0 || ' ' || (rest->>'c1699') FROM t"), "1 1");
    let (scene, outcome) = made("e.jsonl", "{\"id\":1,\"\":2}\n", "");
    let outcome = outcome.exits(6).says("--extra ignore leaves out members");
    assert!(!outcome.stderr.contains("--header"), "{outcome}");
    scene.sql("CREATE TABLE t (id int)");
    scene.run("e.jsonl --table t --extra ignore").exits(0);
    assert_eq!(rows_of(&scene), ["1"]);
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
    let utf32: Vec<u8> =
        "\u{feff}id,n\n1,\u{e9}\n".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    for (name, bytes, said) in [
        (
            "a.csv.gz",
            compress::gzip(&tar),
            &["tar", "its files are sources, once it is a file: FILE.tar#NAME"][..],
        ),
        (
            "a.csv.gz",
            compress::gzip(&once),
            &["compressed once more", "decompress it once, and pipe it in: zcat"],
        ),
        ("a.csv", b"%PDF-1.7\n1 0 obj\n".to_vec(), &["PDF", "export it as CSV or JSON lines first"]),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0".to_vec(), &[".xls"]),
        ("a.csv", b"PK\x03\x04\x14\0".to_vec(), &["ZIP"]),
        ("a.csv", utf16.clone(), &["UTF-16", "--encoding utf-16le"]),
        ("a.csv", b"<!DOCTYPE html><html>".to_vec(), &["HTML", "was a login or error page saved as data?"]),
        ("a.csv", utf32.clone(), &["UTF-32", "pipe it in as UTF-8: iconv -f UTF-32 -t UTF-8"]),
        (
            "a.csv",
            b"COPY t (id) FROM stdin;\n1\n\\.\n".to_vec(),
            &["SQL", "--format copy --skip-lines N --columns"],
        ),
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
    // Statements of a dump: what a COPY has is read.
    let dump = "COPY t (id, name) FROM stdin;\n1\ta\tb\n".replace("\tb", "\\tb") + "2\t\\N\n\\.\n";
    let (scene, outcome) = made("a.sql", dump, "--format copy --skip-lines 1 --columns id,name");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1|a\tb", "2|NULL"]);
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
        ("id,d\n1,01.02.1998 00:00:00\n2,31.12.2004 07:05:00\n", &["\"d\"", "--datestyle DMY"]),
        ("id,t\n1,2024-05-01T10:00:00.123456789Z\n2,2024-05-01\n", &["\"t\" is text", "--narrowing t=allow"]),
        ("# units: EUR, 2024\nid,amount\n1,10\n", &["begins with #", "--comment '#' passes over"]),
        ("id^name\n1^a\n", &["one name, \"id^name\"", "--delimiter"]),
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
    let (scene, outcome) = made("d.csv", "id^name\n1^a\n", "--delimiter ^");
    outcome.exits(0);
    assert_eq!(rows_of(&scene), ["1|a"]);
    let scene = Scene::with("CREATE TABLE t (id int, t timestamptz)");
    scene.file("d.csv", "id,t\n1,2024-05-01T10:00:00.123456789Z\n2,\n");
    scene.load("d.csv --table t --narrowing t=allow");
    assert_eq!(rows_of(&scene), ["1|2024-05-01 10:00:00.123457+00", "2|NULL"]);
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

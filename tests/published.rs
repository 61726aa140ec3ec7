//! Files as authorities and spreadsheets publish them: preambles, other delimiters and encodings, trailing
//! delimiters, ragged and empty rows, mixed line ends, headers that are none; and what a user is told where
//! such a file needs a word.
//!
//! CASES.md, row 36.

use crate::{
    rows,
    support::{Outcome, Scene},
};

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, name text, value numeric)";

/// The table afterwards; the load took everything.
#[track_caller]
fn loaded(bytes: &[u8], words: &str) -> Vec<String> {
    let scene = Scene::with(T);
    scene.file("t.csv", bytes);
    scene.load(&format!("t.csv {words}"));
    scene.db.lines("SELECT * FROM t ORDER BY id")
}

#[track_caller]
fn refused(bytes: &[u8], words: &str, said: &[&str]) -> Outcome {
    let scene = Scene::with(T);
    scene.file("t.csv", bytes);
    let mut outcome = scene.run(&format!("t.csv {words}")).exits(6);
    for said in said {
        outcome = outcome.says(said);
    }
    assert_eq!(scene.db.count("t"), 0);
    outcome
}

const ROWS: [&str; 2] = ["1|a|1.5", "2|b|2.5"];

#[test]
fn the_delimiter_is_found_also_behind_a_first_line_that_announces_it() {
    for text in [
        "id;name;value\n1;a;1.5\n2;b;2.5\n",
        "sep=;\r\nid;name;value\r\n1;a;1.5\r\n2;b;2.5\r\n",
        "\u{feff}sep=;\nid;name;value\n1;a;1.5\n2;b;2.5\n",
        "sep=,\nid,name,value\n1,a,1.5\n2,b,2.5\n",
        "sep=\t\rid\tname\tvalue\r1\ta\t1.5\r2\tb\t2.5\r",
        "id\tname\tvalue\n1\ta\t1.5\n2\tb\t2.5\n",
        "id|name|value\n1|a|1.5\n2|b|2.5\n",
    ] {
        assert_eq!(loaded(text.as_bytes(), ""), ROWS, "{text:?}");
    }
}

#[test]
fn a_preamble_is_refused_with_the_flag_that_passes_over_it() {
    for preamble in [
        "Table 12411-0010\nStand: 31.12.2023;;\n;;\n",
        "\"Bev\u{f6}lkerung; nach L\u{e4}ndern\";;\r\n;;\r\n;;\r\n",
        "# generated 2024-01-01\n# by somebody\n\n",
    ] {
        let text = format!("{preamble}id;name;value\n1;a;1.5\n2;b;2.5\n");
        refused(text.as_bytes(), "", &[]);
        assert_eq!(loaded(text.as_bytes(), "--skip-lines 3"), ROWS, "{text:?}");
        assert_eq!(loaded(text.as_bytes(), "--skip-lines 4 --columns id,name,value"), ROWS, "{text:?}");
        assert_eq!(loaded(text.as_bytes(), "--skip-lines 3 --format csv --delimiter ;"), ROWS, "{text:?}");
    }
    refused(b"Title,,\nid,name,value\n1,a,1.5\n", "", &["has no name", "--skip-lines", "--columns"]);
    // More lines than there are is an empty source, not a loop and not a panic.
    assert_eq!(loaded(b"id,name,value\n", "--skip-lines 7"), Vec::<String>::new());
}

#[test]
fn a_resume_and_the_lines_of_rejects_count_what_was_passed_over() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, name text, value numeric)");
    let text = (0..2_000).fold("a title\nid,name,value\nid,name,value\n".to_owned(), |text, id| {
        text + &format!("{id},n,{}\n", if id % 100 == 99 { "x" } else { "1" })
    });
    scene.file("t.csv", &text);
    scene.run("t.csv --skip-lines 2 --max-rejects 5 --batch-rows 40 --pool-size 1").exits(9);
    scene.run("t.csv --skip-lines 1 --max-rejects 5").exits(8).says("skip-lines");
    let outcome = scene.run("t.csv --skip-lines 2").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 2_000, inserted: 1_980, rejected: 20));
    for (n, reject) in outcome.report().rejected(scene.cwd()).into_iter().enumerate() {
        assert_eq!(reject.line, 100 * n as u64 + 99 + 4);
        assert!(
            text[usize::try_from(reject.offset).unwrap()..].starts_with(&format!("{},n,x", 100 * n + 99))
        );
    }
}

#[test]
fn a_delimiter_at_the_end_of_each_line_is_no_column_and_values_there_are() {
    let text = b"id;name;value;\n1;a;1.5;\n2;b;2.5;\n";
    assert_eq!(loaded(text, ""), ROWS);
    let text = b"id;name;value;\n1;a;1.5;\n2;b;2.5;x\n";
    refused(text, "", &["column 4", "no name", "--columns", "--skip-lines", "--extra ignore"]);
    assert_eq!(
        loaded(text, "--skip-lines 1 --delimiter ; --columns id,name,value,rest --extra ignore"),
        ROWS
    );
}

#[test]
fn empty_names_and_names_that_occur_twice_are_refused_with_their_columns() {
    refused(b"id,name,name\n1,a,b\n", "", &["columns 2 and 3", "\"name\"", "--columns"]);
    refused(b"id,,value\n1,a,1\n", "", &["column 2", "no name"]);
    refused(b",name,value\n1,a,1\n", "", &["column 1", "no name"]);
    // Two names that go to one column.
    refused(b"id,Name,name\n1,a,b\n", "", &["Name", "name"]);
}

#[test]
fn text_in_the_encoding_of_an_office_is_refused_with_the_flag_or_read_with_it() {
    let bytes = b"id;name;value\n1;M\xfcnchen \x80;1.5\n2;K\xf6ln;2.5\n";
    let scene = Scene::with(T);
    scene.file("t.csv", bytes);
    let outcome = scene.run("t.csv").exits(3).says("t.csv:2").says("UTF-8").says("--encoding");
    assert_eq!(outcome.rows(), rows!(read: 2, rejected: 2));
    assert_eq!(loaded(bytes, "--encoding windows-1252"), ["1|München €|1.5", "2|Köln|2.5"]);
    refused(b"id;Stra\xdfe;value\n1;a;1\n", "", &["header", "--encoding"]);
}

#[test]
fn ragged_rows_footers_and_rows_of_nothing_are_rejects_on_their_lines() {
    let scene = Scene::with(T);
    let text = "id;name;value\n1;a;1.5\n2;b\n3;c;3.5;more\n;;\n\n4;\"of two\r\nlines\";4.5\r\n5;e;5.5\n\nSource: the office\n";
    scene.file("t.csv", text);
    let outcome = scene.run("t.csv").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 7, inserted: 3, rejected: 4), "{outcome}");
    let rejects = outcome.report().rejected(scene.cwd());
    assert_eq!(rejects.iter().map(|r| r.line).collect::<Vec<_>>(), [3, 4, 5, 11]);
    for (reject, said) in rejects.iter().zip(["expected 3 fields", "found 4", "", "found 1"]) {
        assert!(reject.reason.contains(said), "{reject:?}");
    }
    assert_eq!(rejects[2].column.as_deref(), Some("id"), "a key of nothing");
    assert_eq!(
        scene.db.lines("SELECT id, name FROM t ORDER BY id"),
        ["1|a", "4|of two\r\nlines", "5|e"],
        "a quoted line end stays as it is"
    );
}

#[test]
fn numbers_and_dates_of_another_country_are_rejects_that_say_what_to_do_and_never_other_values() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, value numeric, at date)");
    let text = "id;value;at\n1;1.234,5;\n2;1 234;\n3;1,5;\n4;12%;\n5;\u{2212}3;\n6;1'234;\n7;;31.12.2024\n8;;12/31/2024\n9;;n/a\n10;7.25;2024-12-31\n";
    scene.file("t.csv", text);
    let outcome = scene.run("t.csv").exits(3);
    assert_eq!(scene.db.lines("SELECT id, value, at FROM t"), ["10|7.25|2024-12-31"], "{outcome}");
    let rejects = outcome.report().rejected(scene.cwd());
    assert_eq!(rejects.len(), 9);
    for reject in &rejects {
        let column = if reject.line < 8 { "value" } else { "at" };
        assert_eq!(reject.column.as_deref(), Some(column), "{reject:?}");
    }
    let outcome = outcome.says("--datestyle");
    drop(outcome);
    let outcome = scene.run("t.csv --datestyle DMY").exits(3);
    assert_eq!(
        scene.db.lines("SELECT id, at FROM t WHERE id > 6 ORDER BY id"),
        ["7|2024-12-31", "10|2024-12-31"],
        "{outcome}"
    );
}

#[test]
fn a_new_table_of_three_hundred_columns_with_names_of_all_kinds() {
    let names: Vec<String> = (0..300)
        .map(|n| match n % 6 {
            0 => format!("c{n}"),
            1 => format!("Anteil in % ({n})"),
            2 => format!("{n} \u{b0}C; \u{201e}so\u{201c}"),
            3 => format!("select {n}"),
            4 => format!("a \"\"quoted\"\" {n}"),
            _ => format!("line\nend {n}"),
        })
        .collect();
    let header = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(";");
    let row = |from: usize| (0..300).map(|n| (from + n).to_string()).collect::<Vec<_>>().join(";");
    let scene = Scene::new();
    scene.file("wide.csv", format!("{header}\n{}\n{}\n", row(0), row(1_000)));
    assert_eq!(scene.load("wide.csv -t wide").rows(), rows!(read: 2, inserted: 2));
    let stored = scene.db.columns("wide");
    let wanted: Vec<String> = names.iter().map(|name| name.replace("\"\"", "\"") + " bigint").collect();
    assert_eq!(stored, wanted, "names stay as they are");
    assert_eq!(scene.db.one("SELECT c0 || '|' || \"line\nend 299\" FROM wide ORDER BY c0 LIMIT 1"), "0|299");
}

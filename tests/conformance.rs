//! Published conformance sets, loaded by the real program into real tables: what is accepted reads back as it
//! was written, what is bad is a reject on its line. Where they come from: tests/data/conformance/README.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use crate::rows;
use crate::support::{Database, Scene};

const PARSING: &str = include_str!("data/conformance/json-parsing.json");
const TRANSFORM: &str = include_str!("data/conformance/json-transform.json");
const NAUGHTY: &str = include_str!("data/conformance/blns.json");

#[derive(Deserialize)]
struct Case {
    name: String,
    input: String,
}

/// The suite's cases that are no text, by their bytes.
const NO_TEXT: [(&str, &[u8]); 17] = [
    ("i_string_UTF-8_invalid_sequence", b"[\"\xe6\x97\xa5\xd1\x88\xfa\"]"),
    ("i_string_UTF8_surrogate_U+D800", b"[\"\xed\xa0\x80\"]"),
    ("i_string_invalid_utf-8", b"[\"\xff\"]"),
    ("i_string_iso_latin_1", b"[\"\xe9\"]"),
    ("i_string_lone_utf8_continuation_byte", b"[\"\x81\"]"),
    ("i_string_not_in_unicode_range", b"[\"\xf4\xbf\xbf\xbf\"]"),
    ("i_string_overlong_sequence_2_bytes", b"[\"\xc0\xaf\"]"),
    ("i_string_overlong_sequence_6_bytes", b"[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"),
    ("i_string_overlong_sequence_6_bytes_null", b"[\"\xfc\x80\x80\x80\x80\x80\"]"),
    ("i_string_truncated-utf-8", b"[\"\xe0\xff\"]"),
    ("n_array_a_invalid_utf8", b"[a\xe5]"),
    ("n_array_invalid_utf8", b"[\xff]"),
    ("n_number_invalid-utf-8-in-bigger-int", b"[123\xe5]"),
    ("n_number_real_with_invalid_utf8_after_e", b"[1e\xe5]"),
    ("n_object_lone_continuation_byte_in_key_and_trailing_comma", b"{\"\xb9\":\"0\",}"),
    ("n_string_invalid_utf8_after_escape", b"[\"\\\xe5\"]"),
    ("n_structure_single_eacute", b"\xe9"),
];

fn cases() -> Vec<(String, Vec<u8>)> {
    let mut cases = Vec::new();
    for text in [PARSING, TRANSFORM] {
        let suite: Vec<Case> = serde_json::from_str(text).unwrap();
        // What a replacement character stands for is in NO_TEXT, or of another encoding.
        let whole = suite.into_iter().filter(|case| !case.input.contains('\u{fffd}'));
        cases.extend(whole.map(|case| (case.name, case.input.into_bytes())));
    }
    cases.extend(NO_TEXT.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())));
    cases.push(("n_structure_100000_opening_arrays".to_owned(), b"[".repeat(100_000)));
    cases.push(("n_structure_open_array_object".to_owned(), b"[{\"\":".repeat(50_000)));
    assert!(cases.len() > 300);
    cases
}

/// What the table must hold of a case: `y_` its text, `n_` nothing, the rest nothing or its text.
fn must_be_stored(name: &str) -> Option<bool> {
    match name.get(..2) {
        Some("y_") => Some(true),
        Some("n_") => Some(false),
        _ => None,
    }
}

#[test]
fn each_case_of_the_json_suite_as_a_value_in_a_line_is_stored_as_written_or_rejected_on_its_line() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, doc json)");
    let mut text = Vec::new();
    let mut lines = BTreeMap::new();
    let one_line = |bytes: &[u8]| !bytes.trim_ascii().contains(&b'\n');
    for (i, (name, bytes)) in cases().into_iter().filter(|(_, bytes)| one_line(bytes)).enumerate() {
        text.extend_from_slice(format!("{{\"id\":{i},\"doc\":").as_bytes());
        text.extend_from_slice(bytes.trim_ascii());
        text.extend_from_slice(b"}\n");
        lines.insert(i as u64 + 1, (name, bytes));
    }
    scene.file("t.jsonl", text);
    let outcome = scene.run("t.jsonl --pool-size 3 --batch-rows 40").exits(3);
    let report = outcome.report();
    assert_eq!(report.rows.read, lines.len() as u64, "{outcome}");
    let rejects = report.rejected(scene.cwd());
    let stored: BTreeMap<u64, String> =
        scene.db.rows("SELECT id + 1, doc::text FROM t").into_iter().map(pair).collect();
    for (line, (name, bytes)) in &lines {
        let reject = rejects.iter().find(|reject| reject.line == *line);
        assert!(stored.contains_key(line) != reject.is_some(), "{name} is one of stored and rejected");
        match must_be_stored(name) {
            Some(true) => assert!(reject.is_none(), "{name}: {reject:?}"),
            Some(false) => assert!(reject.is_some(), "{name} was stored as {:?}", stored[line]),
            None => {}
        }
        // `null` is SQL's.
        if let Some(found) = stored.get(line).filter(|found| *found != "NULL") {
            assert_eq!(found.as_bytes(), bytes.trim_ascii(), "{name} reads back as it was written");
        }
    }
    assert_eq!(rejects.len() + stored.len(), lines.len());
}

fn pair(row: Vec<Option<String>>) -> (u64, String) {
    (row[0].as_ref().unwrap().parse().unwrap(), row[1].clone().unwrap_or_else(|| "NULL".to_owned()))
}

#[test]
fn each_document_of_the_json_suite_as_a_file_is_loaded_whole_or_named() {
    let scene = Scene::with("CREATE TABLE t (id text PRIMARY KEY, doc json)");
    let cases = cases();
    for (i, (_, bytes)) in cases.iter().enumerate() {
        let text = [format!("[{{\"id\":\"{i}\",\"doc\":").as_bytes(), bytes, b"}]"].concat();
        scene.file(&format!("docs/{i:03}.json"), text);
    }
    let outcome = scene.run("docs --table t --format json --pool-size 2");
    let report = outcome.report();
    assert_eq!(report.sources.len(), cases.len());
    let rejects = report.rejected(scene.cwd());
    for (i, (name, bytes)) in cases.iter().enumerate() {
        let file = format!("docs/{i:03}.json");
        let source = report.sources.iter().find(|source| source.name == file).unwrap();
        let rejected = rejects.iter().any(|reject| reject.source == file);
        let stored = scene.db.lines(&format!("SELECT coalesce(doc::text, 'null') FROM t WHERE id = '{i}'"));
        let bad = rejected || source.state == "failed";
        // A document may be bad behind a record that is good.
        assert!(bad || !stored.is_empty(), "{name} is stored, or said to be bad: {source:?}");
        assert!(!rejected || stored.is_empty(), "{name} is one of stored and rejected");
        match must_be_stored(name) {
            Some(true) => assert!(!bad, "{name}: {source:?}"),
            Some(false) => assert!(bad, "{name} was stored as {stored:?}"),
            None => {}
        }
        if !bad {
            let written = String::from_utf8(bytes.trim_ascii().to_vec()).unwrap();
            assert_eq!(stored, [written], "{name} reads back as it was written");
        }
    }
}

#[test]
fn each_table_of_csv_spectrum_reads_back_as_its_json_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/conformance/csv");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        let text = std::fs::read_to_string(path.with_extension("json")).unwrap();
        // One of them is a single object.
        let text = if text.starts_with('[') { text } else { format!("[{text}]") };
        let expected: Vec<serde_json::Map<String, Value>> = serde_json::from_str(&text).unwrap();
        let names: Vec<String> = expected[0].keys().cloned().collect();
        let columns: Vec<String> = names.iter().map(|name| format!("\"{name}\" text")).collect();
        let scene = Scene::with(&format!("CREATE TABLE t (n serial, {})", columns.join(",")));
        scene.file("t.csv", std::fs::read(&path).unwrap());
        scene.load("t.csv --mode append");
        let list: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let mut found = scene.db.rows(&format!("SELECT {} FROM t ORDER BY n", list.join(",")));
        // A mistake of the set: the two files of this table have different numbers.
        found.iter_mut().flatten().filter(|cell| cell.as_deref() == Some("2095257564")).for_each(|cell| {
            *cell = Some("1234567890".to_owned());
        });
        let expected: Vec<Vec<Option<String>>> = expected
            .iter()
            .map(|row| names.iter().map(|name| row[name].as_str().map(str::to_owned)).collect())
            .collect();
        assert_eq!(found, expected, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 12);
}

fn naughty() -> Vec<String> {
    let strings: Vec<String> = serde_json::from_str(NAUGHTY).unwrap();
    assert!(strings.len() > 450);
    strings
}

#[test]
fn naughty_strings_are_values_in_json_and_csv() {
    let strings = naughty();
    let (mut lines, mut csv) = (String::new(), "id,s\n".to_owned());
    for (i, s) in strings.iter().enumerate() {
        let _ = writeln!(lines, "{{\"id\":{i},\"s\":{}}}", Value::from(s.as_str()));
        let _ = writeln!(csv, "{i},\"{}\"", s.replace('"', "\"\""));
    }
    for (name, text) in [("t.jsonl", &lines), ("t.csv", &csv)] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, s text)");
        scene.file(name, text);
        scene.load(name);
        same(&scene.db, "SELECT s FROM t ORDER BY id", &strings);
    }
}

#[track_caller]
fn same(db: &Database, query: &str, expected: &[String]) {
    let found: Vec<String> = db.rows(query).into_iter().map(|row| row[0].clone().unwrap()).collect();
    assert_eq!(found, expected);
}

#[test]
fn naughty_strings_are_keys_and_a_second_load_changes_nothing() {
    let mut strings = naughty();
    let scene = Scene::with("CREATE TABLE t (s text PRIMARY KEY, n int)");
    let lines: String =
        strings.iter().map(|s| format!("{{\"s\":{},\"n\":1}}\n", Value::from(s.as_str()))).collect();
    scene.file("t.jsonl", lines);
    let rows = scene.load("t.jsonl").rows();
    let read = strings.len() as u64;
    strings.sort();
    strings.dedup();
    let distinct = strings.len() as u64;
    assert_eq!((rows.read, rows.inserted, rows.rejected), (read, distinct, 0));
    same(&scene.db, "SELECT s FROM t ORDER BY s COLLATE \"C\"", &strings);
    let again = scene.load("t.jsonl").rows();
    assert_eq!((again.inserted, again.updated), (0, 0), "{again:?}");
}

#[test]
fn naughty_strings_are_member_names_in_the_column_of_extra_fields() {
    let strings = naughty();
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, more jsonb)");
    let lines: String = strings
        .iter()
        .enumerate()
        .map(|(i, s)| format!("{{\"id\":{i},\"more\":null,{}:{i}}}\n", Value::from(format!("~{s}"))))
        .collect();
    scene.file("t.jsonl", lines);
    let outcome = scene.load("t.jsonl --extra jsonb:more");
    assert_eq!(outcome.rows(), rows!(read: strings.len() as u64, inserted: strings.len() as u64));
    let names: Vec<String> = strings.iter().map(|s| format!("~{s}")).collect();
    same(&scene.db, "SELECT k FROM t, jsonb_object_keys(more) k ORDER BY id", &names);
}

/// Names that PostgreSQL can hold, each once whatever the case.
fn names() -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let fits = |s: &String| !s.is_empty() && s.len() <= 63 && !["ctid", "xmin", "oid"].contains(&s.as_str());
    naughty().into_iter().filter(fits).filter(|s| seen.insert(s.to_lowercase())).collect()
}

#[test]
fn naughty_strings_are_header_names_of_a_new_table_and_of_one_that_is_there() {
    let names = names();
    assert!(names.len() > 200);
    let header: Vec<String> = names.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
    let values: Vec<String> = (0..names.len()).map(|i| i.to_string()).collect();
    let scene = Scene::new();
    scene.file("t.csv", format!("{}\n{}\n", header.join(","), values.join(",")));
    for rows in 1..=2_u64 {
        let done = scene.load("t.csv --mode append --again").rows();
        assert_eq!((done.inserted, done.rejected), (1, 0));
        assert_eq!(scene.db.count("t"), rows);
    }
    let columns =
        "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum";
    // Blanks around a name are not its own, unless it has nothing else.
    let trimmed: Vec<String> = names
        .iter()
        .map(|name| match name.trim_matches([' ', '\t']) {
            "" => name.clone(),
            trimmed => trimmed.to_owned(),
        })
        .collect();
    same(&scene.db, columns, &trimmed);
    let row = scene.db.rows("SELECT * FROM t LIMIT 1").remove(0);
    assert_eq!(row, values.into_iter().map(Some).collect::<Vec<_>>());
}

#[test]
fn naughty_strings_are_table_names_and_steer_neither_terminal_nor_shell() {
    let names = names();
    let special = |s: &&String| {
        s.contains(['"', '\'', '\\', ';', '$', '`', '/', '\u{1b}', '\n', '%', '<', '\u{202e}', '{'])
    };
    let scene = Scene::new();
    scene.file("rows.jsonl", "{\"id\":1}\n{\"id\":\"x\\u001b[2Jy\"}\n{\"id\":{}}\n");
    for name in names.iter().filter(special).step_by(4) {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        scene.sql(&format!("CREATE TABLE {quoted} (id int PRIMARY KEY)"));
        let outcome = scene.plain("rows.jsonl").arg("--table").arg(&quoted).run().exits(3);
        assert_eq!(scene.db.count(&quoted), 1, "{name:?}: {outcome}");
        super::outside::is_harmless(&outcome);
        scene.sql(&format!("DROP TABLE {quoted}"));
    }
    let here: Vec<String> = scene.folder.names();
    assert!(
        here.iter().all(|file| file == "rows.jsonl" || file.ends_with(".rejects.jsonl") || file == ".share"),
        "{here:?}"
    );
}

#[test]
fn naughty_strings_are_file_names() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let names: Vec<String> = naughty()
        .into_iter()
        .map(|s| s.replace('/', "_"))
        .filter(|s| !s.is_empty() && s.len() < 200)
        .collect();
    for (i, name) in names.iter().enumerate() {
        scene.file(&format!("in/f{name}.jsonl"), format!("{{\"id\":{i}}}\n"));
    }
    let distinct = std::fs::read_dir(scene.cwd().join("in")).unwrap().count() as u64;
    let outcome = scene.load("in --table t");
    assert_eq!(outcome.report().sources.len() as u64, distinct);
    assert_eq!(scene.db.count("t"), distinct);
}

#[test]
fn naughty_strings_are_members_on_the_way_to_the_records() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    for (i, name) in
        naughty().into_iter().filter(|s| !s.is_empty() && !s.contains('\0')).step_by(12).enumerate()
    {
        let file = format!("d{i}.json");
        scene.file(&file, format!("{{\"a\":[],{}:[{{\"id\":{i}}}]}}", Value::from(name.as_str())));
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let outcome = scene.dbload("--table t").arg(&file).arg(format!("--records={pointer}")).run().exits(0);
        assert_eq!(outcome.rows().read, 1, "{name:?}");
        let missing =
            scene.plain("--table t --restart").arg(&file).arg(format!("--records={pointer}x")).run().exits(4);
        super::outside::is_harmless(&missing);
    }
}

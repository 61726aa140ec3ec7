//! Hostile and broken input: NUL and surrogates by rule, encodings, limits, originals that are no text,
//! names.
//!
//! CASES.md, rows 36, 37, 39 to 41 and 45; of what users of other loaders run into, `\u0000` late in a file,
//! a BOM in the first header, and sequences behind explicit ids. What stays bounded in memory is in `memory`.

use crate::{
    rows,
    support::{Scene, compress},
};

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, s text)";

#[test]
fn nul_is_rejected_stripped_or_replaced_in_every_place_that_text_can_be() {
    let table = "CREATE TYPE pair AS (x int, note text); CREATE TABLE t (id int PRIMARY KEY, s text, j jsonb, js json, a text[], \
                 p pair, jj jsonb[], rest jsonb)";
    let bad = [
        r#"{"id":1,"s":"a\u0000b"}"#,
        r#"{"id":2,"s":"\ud800x"}"#,
        r#"{"id":3,"j":{"k\u0000":["v\udc00"]}}"#,
        r#"{"id":4,"a":["x","y\u0000"]}"#,
        r#"{"id":5,"p":{"x":1,"note":"n\u0000"}}"#,
        r#"{"id":6,"jj":[{"a":"\u0000"}]}"#,
        r#"{"id":7,"\u0000zz":"name"}"#,
        r#"{"id":8,"more\u0000":"\ud83d"}"#,
    ];
    let good = r#"{"id":9,"s":"\ud83d\ude00\\u0000","j":{"a":"\\u0000"}}"#;
    let text = format!("{good}\n{}\n{{\"id\":10,\"s\":\"raw\0nul\"}}\n", bad.join("\n"));
    let load = |rule: &str| {
        let scene = Scene::with(table);
        scene.file("t.jsonl", &text);
        let outcome = scene.run(&format!("t.jsonl --extra jsonb:rest {rule}"));
        (outcome, scene)
    };
    let columns = "SELECT id, s, j, a, p, jj, rest FROM t ORDER BY id";
    let untouched = r#"9|😀\u0000|{"a": "\\u0000"}|NULL|NULL|NULL|NULL"#;
    let (outcome, scene) = load("");
    assert_eq!(outcome.exits(3).rows(), rows!(read: 10, inserted: 1, rejected: 9));
    assert_eq!(scene.db.lines(columns), [untouched]);
    let (outcome, scene) = load("--on-nul strip");
    assert_eq!(outcome.exits(0).rows(), rows!(read: 10, inserted: 10));
    let stripped = [
        "1|ab|NULL|NULL|NULL|NULL|NULL",
        "2|x|NULL|NULL|NULL|NULL|NULL",
        r#"3|NULL|{"k": ["v"]}|NULL|NULL|NULL|NULL"#,
        "4|NULL|NULL|{x,y}|NULL|NULL|NULL",
        "5|NULL|NULL|NULL|(1,n)|NULL|NULL",
        r#"6|NULL|NULL|NULL|NULL|{"{\"a\": \"\"}"}|NULL"#,
        r#"7|NULL|NULL|NULL|NULL|NULL|{"zz": "name"}"#,
        r#"8|NULL|NULL|NULL|NULL|NULL|{"more": ""}"#,
        untouched,
        "10|rawnul|NULL|NULL|NULL|NULL|NULL",
    ];
    assert_eq!(scene.db.lines(columns), stripped);
    let (outcome, scene) = load("--on-nul replace");
    assert_eq!(outcome.exits(0).rows(), rows!(read: 10, inserted: 10));
    let replaced = scene.db.lines(columns);
    assert_eq!(replaced[0], "1|a\u{fffd}b|NULL|NULL|NULL|NULL|NULL");
    assert_eq!(replaced[2], "3|NULL|{\"k\u{fffd}\": [\"v\u{fffd}\"]}|NULL|NULL|NULL|NULL");
    assert_eq!(replaced[6], "7|NULL|NULL|NULL|NULL|NULL|{\"\u{fffd}zz\": \"name\"}");
    assert_eq!(replaced[8], untouched);
    assert_eq!(replaced[9], "10|raw\u{fffd}nul|NULL|NULL|NULL|NULL|NULL");
}

#[test]
fn nul_in_csv_fields_header_names_and_json_inside_csv_follows_the_same_rule() {
    let text = "id,s\0,j\n1,a\0b,\"{\"\"k\"\":\"\"\\u0000v\"\"}\"\n2,ok,\"{}\"\n3,\"\0\",\n";
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, s text, j jsonb)");
    scene.file("t.csv", text);
    scene.run("t.csv").exits(6).says("NUL").says("--on-nul");
    assert_eq!(scene.load("t.csv --on-nul strip").rows(), rows!(read: 3, inserted: 3));
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|ab|{\"k\": \"v\"}", "2|ok|{}", "3||NULL"]);
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, s text, j jsonb)");
    scene.file("t.csv", text.replacen("s\0", "s", 1));
    assert_eq!(scene.run("t.csv").exits(3).rows(), rows!(read: 3, inserted: 1, rejected: 2));
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, s text, j jsonb)");
    scene.file("t.csv", text.replacen("s\0", "s", 1));
    scene.load("t.csv --on-nul replace");
    assert_eq!(
        scene.db.lines("SELECT * FROM t ORDER BY id"),
        ["1|a\u{fffd}b|{\"k\": \"\u{fffd}v\"}", "2|ok|{}", "3|\u{fffd}|NULL"]
    );
}

#[test]
fn a_resume_must_share_the_rule_for_nul_and_the_encoding() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n int)");
    let text = (0..5_000).fold(String::new(), |t, id| t + &format!("{{\"id\":{id},\"n\":\"x\"}}\n"));
    scene.file("t.jsonl", text);
    scene.run("t.jsonl --max-rejects 10 --batch-rows 50 --on-nul strip").exits(9);
    scene.run("t.jsonl --on-nul replace").exits(8).says("on-nul");
    scene.run("t.jsonl --on-nul strip --encoding latin1").exits(8).says("encoding");
    scene.run("t.jsonl --on-nul strip").exits(3);
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

#[test]
fn text_in_other_encodings_is_read_by_its_byte_order_mark_or_by_name() {
    let csv = "id,s\n1,\"é, 😀\"\n2,\"line\nbreak\"\n";
    let jsonl = "{\"id\":1,\"s\":\"é, 😀\"}\n{\"id\":2,\"s\":\"line\\nbreak\"}\n";
    let both = ["1|é, 😀", "2|line\nbreak"];
    for (name, text) in [("t.csv", csv), ("t.jsonl", jsonl), ("t.dat", csv), ("t.txt", jsonl)] {
        let bom = format!("\u{feff}{text}");
        for (bytes, flag) in [
            (bom.clone().into_bytes(), ""),
            (utf16(&bom, u16::to_le_bytes), ""),
            (utf16(&bom, u16::to_be_bytes), ""),
            (utf16(text, u16::to_le_bytes), "--encoding utf-16le"),
            (utf16(text, u16::to_be_bytes), "--encoding utf-16be"),
            // The mark tells more than the flag.
            (utf16(&bom, u16::to_be_bytes), "--encoding windows-1252"),
        ] {
            let scene = Scene::with(T);
            scene.file(name, &bytes);
            scene.load(&format!("{name} -t t {flag}"));
            assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), both, "{name} {flag}");
            let scene = Scene::with(T);
            let outcome = scene.dbload(&format!("- -t t {flag}")).stdin(bytes.clone()).run().exits(0);
            assert_eq!(outcome.rows().inserted, 2);
            assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), both, "stdin {flag}");
        }
    }
    let scene = Scene::with(T);
    scene.file("t.csv.gz", compress::gzip(b"id,s\n1,caf\xe9 \x80\n"));
    scene.load("t.csv.gz --encoding latin1");
    assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|café €"]);
    scene.run("t.csv.gz --encoding ebcdic").exits(2).says("no encoding");
    let scene = Scene::with(T);
    scene.file("t.txt", utf16(csv, u16::to_le_bytes));
    scene.run("t.txt -t t").exits(4).says("--encoding");
}

#[test]
fn bytes_that_are_no_character_are_rejects_and_the_rest_is_loaded() {
    let scene = Scene::with(T);
    let mut bytes = utf16("\u{feff}id,s\n1,a\n2,b", u16::to_le_bytes);
    bytes.extend(0xd800_u16.to_le_bytes());
    bytes.extend(utf16("\n3,c\n", u16::to_le_bytes));
    scene.file("t.csv", bytes);
    let outcome = scene.run("t.csv").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 2, rejected: 1));
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|a", "3|c"]);
    let reject = outcome.report().rejected(scene.cwd()).remove(0);
    assert_eq!((reject.line, reject.offset), (3, 9), "places in the decoded text");
    assert!(reject.reason.contains("byte 4 of the record"), "{}", reject.reason);
}

#[test]
fn a_source_in_another_encoding_goes_on_where_it_stopped() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n int, s text)");
    let text = (0..3_000).fold("id,n,s\n".to_owned(), |t, id| {
        t + &format!("{id},{},\"é {id}\n\"\n", if id % 10 == 9 { "x" } else { "1" })
    });
    scene.file("t.csv", utf16(&text, u16::to_le_bytes));
    scene.run("t.csv --encoding utf-16le --max-rejects 20 --batch-rows 40").exits(9);
    let outcome = scene.run("t.csv --encoding utf-16le").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3_000, inserted: 2_700, rejected: 300));
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE s = 'é ' || id || E'\\n'"), "2700");
    let rejects = outcome.report().rejected(scene.cwd());
    assert_eq!(
        rejects.iter().map(|r| r.line).collect::<Vec<_>>(),
        (0..300).map(|i| 20 * i + 20).collect::<Vec<_>>()
    );
    for reject in rejects {
        let offset = usize::try_from(reject.offset).unwrap();
        assert!(text[offset..].starts_with(&format!("{},x", reject.line / 2 - 1)), "{reject:?}");
    }
}

#[test]
fn originals_that_are_no_text_are_kept_as_bytes_and_load_again() {
    for ledger in ["", "--no-ledger"] {
        let scene = Scene::with(T);
        let bad = b"{\"id\":1,\"s\":\"\xff\xfe\"}";
        let mut bytes = bad.to_vec();
        bytes.extend(b"\n{\"id\":2,\"s\":\"nul\0\"}\n{\"id\":3,\"s\":\"fine\"}\n");
        scene.file("t.jsonl", bytes);
        let outcome = scene.run(&format!("t.jsonl --rejects bad.rejects.jsonl {ledger}")).exits(3);
        assert_eq!(outcome.rows(), rows!(read: 3, inserted: 1, rejected: 2), "{outcome}");
        let kept = outcome.report().rejected(scene.cwd());
        assert_eq!(kept[0].raw_base64.as_deref(), Some("eyJpZCI6MSwicyI6Iv/+In0="));
        assert!(kept[0].raw.is_none() && kept[0].record.is_none());
        assert!(kept[0].reason.contains("byte 14 of the record"), "{}", kept[0].reason);
        // As they are they are refused again, and nothing of them is lost.
        let again =
            scene.run(&format!("bad.rejects.jsonl -t t --rejects again.rejects.jsonl {ledger}")).exits(3);
        let still: Vec<_> = again.report().rejected(scene.cwd()).into_iter().map(|r| r.raw_base64).collect();
        assert_eq!(still, kept.into_iter().map(|r| r.raw_base64).collect::<Vec<_>>());
        // The NUL goes by rule; the other is mended by hand.
        scene.run(&format!("again.rejects.jsonl -t t --on-nul strip {ledger}")).exits(3);
        let mended = scene.folder.read("again.rejects.jsonl").replace("Iv/+In0=", "IkFCIn0=");
        scene.file("mended.jsonl", mended);
        scene.load(&format!("mended.jsonl -t t --on-nul strip {ledger}"));
        assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|AB", "2|nul", "3|fine"]);
    }
}

#[test]
fn each_limit_is_a_flag_and_says_so_where_it_is_met() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, s text, j jsonb)");
    scene.file(
        "t.jsonl",
        "{\"id\":1,\"s\":\"0123456789012345678901234567890123456789\"}\n{\"id\":2,\"j\":[[[1]]]}\n{\"id\":3}\n{\"id\":4,\"s\":\"a\",\"j\":1}\n",
    );
    let outcome = scene.run("t.jsonl --max-record-bytes 40 --max-depth 2 --max-fields 2").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 4, inserted: 1, rejected: 3));
    let rejects = outcome.report().rejected(scene.cwd());
    for (reject, flag) in rejects.iter().zip(["--max-record-bytes", "--max-depth", "--max-fields"]) {
        assert!(reject.reason.contains(flag), "{reject:?}");
        assert_eq!(reject.sqlstate.as_deref(), Some("54000"));
    }
    scene.file("wide.csv", "id,s,j\n1,a,{}\n");
    scene.run("wide.csv -t t --max-fields 2").exits(6).says("--max-fields");
    scene.run("wide.csv -t t --max-header-bytes 4").exits(6).says("--max-header-bytes");
    let text = (0..2_000).fold(String::new(), |t, id| t + &format!("{{\"id\":{id}}}\n"));
    scene.file("z.jsonl.gz", compress::gzip(text.as_bytes()));
    scene.run("z.jsonl.gz -t t --max-decompressed-bytes 10kB").exits(4).says("--max-decompressed-bytes");
    // A limit is none of the settings that a resume must share: raised, the same load goes on.
    scene.load("z.jsonl.gz -t t");
    assert_eq!(scene.db.count("t"), 2_000);
}

#[test]
fn a_decompression_bomb_is_given_up_and_what_stands_before_it_is_loaded() {
    let scene = Scene::with(T);
    let mut text = b"{\"id\":1,\"s\":\"before\"}\n".to_vec();
    text.resize(100 << 20, b' ');
    scene.file("bomb.jsonl.gz", compress::gzip(&text));
    // Looked through before a record of it is stored, or not.
    let outcome = scene.run("bomb.jsonl.gz -t t --max-ratio 50").exits(4).says("--max-ratio");
    assert_eq!(outcome.rows(), rows!(read: 0));
    let outcome = scene.run("bomb.jsonl.gz -t t --max-ratio 50 --verify-source never");
    let outcome = outcome.exits(4).says("--max-ratio");
    assert_eq!(outcome.rows(), rows!(read: 1, inserted: 1));
    assert_eq!(scene.load("bomb.jsonl.gz -t t").rows(), rows!(read: 1, inserted: 1));
    assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|before"]);
}

#[test]
fn an_unclosed_quote_is_one_reject_at_the_quote_and_says_what_it_swallowed() {
    let scene = Scene::with(T);
    scene.file("t.csv", "id,s\n1,a\n2,\"b\"\n3,\"never closed\n4,d\n5,e\n");
    let outcome = scene.run("t.csv").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 2, rejected: 1));
    let reject = outcome.report().rejected(scene.cwd()).remove(0);
    assert_eq!((reject.line, reject.offset), (4, 15));
    for words in ["quote", "(4 lines)", "--quote none", "byte 3 of the record"] {
        assert!(reject.reason.contains(words), "{}", reject.reason);
    }
    assert_eq!(reject.raw.unwrap(), "3,\"never closed\n4,d\n5,e\n");
}

#[test]
fn a_json_document_cut_anywhere_is_never_a_success_and_goes_on_when_it_is_whole() {
    let whole = r#"[{"id":1,"s":"a]"},{"id":2,"s":"b"} , {"id":3,"s":"c"}]"#;
    for cut in [1, 5, 18, 19, 25, 36, 40, whole.len() - 1] {
        let scene = Scene::with(T);
        scene.file("t.json", &whole[..cut]);
        let outcome = scene.run("t.json").exits(4);
        assert_eq!(outcome.rows().rejected, 0, "what was cut off is no bad record: {outcome}");
        scene.file("t.json", whole);
        let outcome = scene.load("t.json");
        assert_eq!(outcome.rows(), rows!(read: 3, inserted: 3), "cut at {cut}: {outcome}");
        assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|a]", "2|b", "3|c"]);
    }
}

#[test]
fn malformed_json_is_said_in_the_users_terms() {
    let scene = Scene::with(T);
    scene.file("t.jsonl", "{\"id\":1,\"s\":\"cut\n{'id':2}\n{\"id\":3,}\n{\"id\":4 \"s\":1}\n");
    let outcome = scene.run("t.jsonl").exits(3);
    let reasons: Vec<_> = outcome.report().rejected(scene.cwd()).into_iter().map(|r| r.reason).collect();
    assert_eq!(
        reasons,
        [
            "malformed JSON: the record ends inside a string: its closing `\"` is missing (byte 16 of the record)",
            "malformed JSON: found `'` where a name in double quotes must stand (byte 2 of the record)",
            "malformed JSON: found `}` behind a comma, where one more must stand (byte 9 of the record)",
            "malformed JSON: found `\"` where `,` or `}` must stand (byte 9 of the record)",
        ]
    );
}

#[test]
fn names_and_values_from_outside_do_not_act_on_a_terminal() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, n int)");
    scene.file("t.jsonl", "{\"id\":1,\"\\u001b[2J\\u202egone\":1}\n");
    let outcome = scene.plain("t.jsonl").run().exits(6);
    scene.file("v.jsonl", "{\"id\":1,\"n\":\"\\u001b]0;x\\u0007\\u009b\"}\n");
    let value = scene.plain("v.jsonl -t t").run().exits(3);
    scene.file("x\u{1b}[31m.jsonl", "{\"id\":2}\n");
    let name = scene.plain("").args(["x\u{1b}[31m.jsonl", "-t", "t"]).run().exits(0);
    let plan = scene.plain("").args(["x\u{1b}[31m.jsonl", "-t", "t", "--dry-run"]).run().exits(0);
    for outcome in [outcome, value, name, plan] {
        for text in [&outcome.stdout, &outcome.stderr] {
            let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(acts), "{text:?}");
        }
    }
}

#[test]
fn records_of_thousands_of_different_names_do_not_stall_the_sample() {
    let scene = Scene::with(T);
    let record = |n: usize| {
        let fields: Vec<String> = (0..9_000).map(|i| format!("\"f{n}_{i}\":1")).collect();
        format!("{{\"id\":{n},{}}}\n", fields.join(","))
    };
    scene.file("t.jsonl", (0..10).map(record).collect::<String>());
    let refused = scene.run("t.jsonl").exits(6).says("more");
    assert!(refused.stderr.len() < 4_000, "not all of 90,000 names are listed");
    assert_eq!(scene.load("t.jsonl --extra ignore").rows(), rows!(read: 10, inserted: 10));
}

#[test]
fn sequences_behind_explicit_ids_are_set_where_asked_and_hinted_at_where_needed() {
    let table = "CREATE SEQUENCE other START 5; CREATE TABLE t (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, \
                 s serial UNIQUE, o int DEFAULT nextval('other'), d int, v text)";
    let scene = Scene::with(table);
    scene.file("t.jsonl", "{\"id\":41,\"s\":7,\"v\":\"a\"}\n{\"id\":12,\"s\":9,\"o\":77,\"v\":\"b\"}\n");
    let hinted = scene.load("t.jsonl").says("--fix-sequences").says("t_id_seq").says("t_s_seq");
    assert!(!hinted.stderr.contains("other"), "no index tells the greatest: {hinted}");
    assert!(scene.db.try_sql("INSERT INTO t (id, v) VALUES (1, 'x'), (DEFAULT, 'y')").is_err());
    scene.load("t.jsonl --fix-sequences").says("41");
    scene.sql("INSERT INTO t (v) VALUES ('next')");
    assert_eq!(scene.db.lines("SELECT id, s, o FROM t WHERE v = 'next'"), ["42|10|78"]);
    // Nothing is behind: nothing is said, nothing moved back.
    let quiet = scene.load("t.jsonl --fix-sequences");
    assert!(!quiet.stderr.contains("sequence"), "{quiet}");
    scene.sql("INSERT INTO t (v) VALUES ('again')");
    assert_eq!(scene.db.one("SELECT id FROM t WHERE v = 'again'"), "43");
    let scene = Scene::with(
        "CREATE TABLE down (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1 MAXVALUE -1 MINVALUE -1000 START -1) PRIMARY KEY)",
    );
    scene.file("t.jsonl", "{\"id\":-40}\n{\"id\":-9}\n");
    scene.load("t.jsonl -t down --fix-sequences");
    scene.sql("INSERT INTO down DEFAULT VALUES");
    assert_eq!(scene.db.one("SELECT min(id) FROM down"), "-41");
}

#[test]
fn names_that_the_server_would_cut_are_refused_and_twins_told_apart() {
    let long = "n".repeat(63);
    let scene =
        Scene::with(&format!("CREATE TABLE t (id int PRIMARY KEY, {long} text); CREATE TABLE x (i int)"));
    // The server would take both for the column of 63 bytes.
    scene.file("t.csv", format!("id,{long}a,{long}b\n1,a,b\n"));
    scene.run("t.csv").exits(6).says("no column");
    scene.file("one.csv", format!("id,{long}\n1,a\n"));
    assert_eq!(scene.load("one.csv -t t").rows(), rows!(read: 1, inserted: 1));
    scene.file("fresh.csv", format!("id,{long}a\n1,a\n"));
    scene.run("fresh.csv --key id").exits(6).says("63");
    assert!(!scene.db.has_table("fresh"));
    let names = [
        "select",
        "a b",
        "\"",
        "''",
        "x\"; DROP TABLE x;--",
        "$1",
        "\\",
        "\u{e9}",
        "%s",
        "tableoid_",
        "A",
        "\t",
    ];
    let header: Vec<String> = names.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
    let values: Vec<String> = (0..names.len()).map(|i| i.to_string()).collect();
    scene.file("names.csv", format!("id,{}\n1,{}\n", header.join(","), values.join(",")));
    scene.load("names.csv --key id");
    let columns: Vec<String> = scene.db.lines(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'names'::regclass AND attnum > 1 ORDER BY attnum",
    );
    assert_eq!(columns, names);
    assert_eq!(scene.db.lines("SELECT * FROM names"), [format!("1|{}", values.join("|"))]);
    assert_eq!(scene.load("names.csv --key id").rows(), rows!(read: 1, unchanged: 1));
    assert!(scene.db.has_table("x"));
}

#[test]
fn every_case_names_tests_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let page = std::fs::read_to_string(root.join("CASES.md")).unwrap();
    let mut checked = 0;
    for word in page.split('`').filter(|word| word.contains("::") && !word.contains(' ')) {
        let Some((module, name)) = word.rsplit_once("::").filter(|(module, _)| *module != "module") else {
            continue;
        };
        if word == "hostile::every_case_names_tests_that_exist" {
            continue;
        }
        let module = module.replace("::", "/");
        let file = [format!("{module}.rs"), format!("{module}/mod.rs")].map(|file| root.join(file));
        let text = file.iter().find_map(|path| std::fs::read_to_string(path).ok());
        let text = text.unwrap_or_else(|| panic!("no module {module}"));
        assert!(text.contains(&format!("fn {name}()")), "no test {word}");
        checked += 1;
    }
    assert!(checked > 50, "only {checked} names were found");
}

//! Fields on their way to columns: docs/tables.md example by example, rejects that are shaped again, values
//! as people write them (FIELD.md, 02 03 08 13), and that a comparison and a resume do the same.

use crate::{
    rows,
    support::{Outcome, Scene},
};

/// A fenced block of a page: what stands behind its fence, and its text.
struct Fence {
    info: Vec<String>,
    text: String,
}

fn fences(page: &str) -> Vec<Fence> {
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let info = info.split_whitespace().map(str::to_owned).collect();
                open = Some(Fence { info, text: String::new() });
            }
            (Some(_), Some(_)) => fences.extend(open.take()),
            (Some(fence), None) => fence.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    fences
}

/// The words of a command, as a shell would cut them.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    for c in command.trim().chars() {
        match c {
            '\'' | '"' if quote.is_none_or(|open| open == c) => {
                (quote, begun) = (if quote.is_none() { Some(c) } else { None }, true);
            }
            ' ' if quote.is_none() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    words.push(word);
    words
}

#[test]
fn the_page_of_tables_is_true() {
    let page = include_str!("../docs/tables.md");
    let scene = Scene::with("SET TIME ZONE 'UTC'");
    let mut examples = 0;
    for Fence { info, text } in fences(page) {
        match info.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["csv" | "jsonl" | "txt", name] => _ = scene.file(name, text),
            ["sql"] => scene.sql(&text),
            ["sh"] => {
                let words = words(&text);
                let outcome = scene.dbload("").args(&words[1..]).run();
                assert!([0, 3].contains(&outcome.code()), "{text}{outcome}");
                // The table says what the sources say, by the same flags; but for rows that are gone.
                if text.contains("--delete-when") {
                    continue;
                }
                let verify = scene.plain("verify").args(&words[1..]).run();
                assert_eq!(verify.code(), outcome.code(), "{text}{verify}");
            }
            ["rows", table] => {
                examples += 1;
                let expected: Vec<&str> = text.lines().collect();
                let rows = scene
                    .db
                    .lines(&format!("SET TIME ZONE 'UTC'; SELECT * FROM {table} ORDER BY {table}::text"));
                assert_eq!(rows, expected, "{table}");
            }
            other => panic!("a block that is no example: {other:?}"),
        }
    }
    assert_eq!(examples, 17);
}

/// The rows of `t`.
fn rows_of(scene: &Scene) -> Vec<String> {
    scene.db.lines("SET TIME ZONE 'UTC'; SELECT * FROM t ORDER BY 1")
}

/// Loads the reject file by the command that the program gives.
#[track_caller]
fn again(scene: &Scene, outcome: &Outcome) -> Outcome {
    let command = outcome.stderr.split_once("and run: dbload ").expect("a command").1.lines().next().unwrap();
    let mut words = words(command);
    words.push("--json".to_owned());
    let words: Vec<String> = words.into_iter().filter(|word| word != "--dsn").collect();
    let words = words.into_iter().filter(|word| !word.starts_with("postgres"));
    scene.dbload("").args(words.filter(|word| word != "--json")).run()
}

#[test]
fn rejects_keep_the_fields_as_read_and_are_shaped_again() {
    let scene =
        Scene::with("CREATE TABLE t (id int PRIMARY KEY, day date, amount numeric, uid int, note text)");
    scene.file(
        "a.jsonl",
        "{\"Nr\":1,\"day\":\" 31.12.2024 \",\"amount\":\"1.234,5\",\"user\":{\"id\":7},\"note\":\"-\",\"junk\":1}\n\
         {\"Nr\":2,\"day\":\"31.02.2024\",\"amount\":\"1\",\"user\":{\"id\":8},\"note\":\" b \",\"junk\":1}\n\
         {\"Nr\":3,\"day\":\"01.02.2024\",\"amount\":\"1,5,5\",\"user\":{\"id\":9},\"note\":\"c\",\"junk\":1}\n",
    );
    let flags = "--table t --map Nr=id --map user.id=uid --drop junk --trim --null-as - --null-strings \
                 --parse day=date:%d.%m.%Y --parse amount=number:1.234,56";
    let outcome = scene.run(&format!("a.jsonl {flags}")).exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 1, rejected: 2));
    assert_eq!(rows_of(&scene), ["1|2024-12-31|1234.5|7|NULL"]);
    let rejects = outcome.report().rejected(scene.cwd());
    let told: Vec<_> = rejects.iter().map(|r| (r.line, r.column.as_deref(), r.sqlstate.as_deref())).collect();
    assert_eq!(told, [(2, Some("day"), Some("22007")), (3, Some("amount"), Some("22P02"))]);
    assert!(rejects[0].reason.contains("--parse date:%d.%m.%Y"), "{}", rejects[0].reason);
    let file = outcome.report().rejects.file.unwrap();
    let path = scene.cwd().join(&file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#""note":" b ""#) && text.contains(r#""junk":1"#), "as it was read: {text}");
    std::fs::write(&path, text.replace("31.02.2024", "29.02.2024").replace("1,5,5", "1,55")).unwrap();
    let again = again(&scene, &outcome).exits(0);
    assert_eq!(again.rows(), rows!(read: 2, inserted: 2));
    assert_eq!(
        rows_of(&scene),
        ["1|2024-12-31|1234.5|7|NULL", "2|2024-02-29|1|8|b", "3|2024-02-01|1.55|9|c"]
    );
}

#[test]
fn a_quoted_word_of_null_is_no_null_in_the_reject_either() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, a text, b text, n int)");
    scene.file("a.csv", "id,a,b,n\n1, NA ,\" NA \",x\n");
    let outcome = scene.run("a.csv --table t --trim --null-as NA --only id,a,b,n").exits(3);
    let file = scene.cwd().join(outcome.report().rejects.file.unwrap());
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(r#""a":null,"b":" NA ""#), "{text}");
    std::fs::write(&file, text.replace("\"n\":\"x\"", "\"n\":\"5\"")).unwrap();
    again(&scene, &outcome).exits(0);
    assert_eq!(rows_of(&scene), ["1|NULL|NA|5"]);
}

#[test]
fn what_contradicts_itself_or_the_table_is_refused_before_the_first_row() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, a text, b text)");
    scene.file("a.csv", "id,a,x\n1,1,2\n");
    let refused = |flags: &str, code: i32, words: &str| {
        let outcome = scene.run(&format!("a.csv --table t {flags}"));
        assert!(outcome.code() == code && outcome.stderr.contains(words), "{flags}: {outcome}");
        assert_eq!(scene.db.count("t"), 0);
    };
    refused("--map x=a", 6, "both go to column \"a\"");
    refused("--map x=c", 6, "name the column as the table has it");
    refused("--parse c=epoch --drop x", 6, "name the column as the table has it");
    refused("--map x=b --map a=b", 2, "a field goes to one column");
    refused("--map x=b --drop x", 2, "dropped, and asked for");
    refused("--map x", 2, "is not FIELD=COLUMN");
    refused("--parse a=number:1,234 --drop x", 2, "can be read in two ways");
    refused("--parse a=nonsense --drop x", 2, "is no format");
    refused("--parse a=epoch --parse a=json --drop x", 2, "has two formats");
    refused("--drop id,x", 6, "no field for key column id");
    refused("--flatten", 6, "the table has no column for \"x\"");
}

#[test]
fn two_fields_on_one_column_in_a_later_record_are_a_reject() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, a text)");
    let mut text = String::new();
    for id in 0..5_000 {
        // Longer than what is sampled.
        let long = "x".repeat(1_000);
        text.push_str(&format!("{{\"id\":{id},\"x\":{{\"y\":\"v\"}},\"p\":\"{long}\"}}\n"));
    }
    text.push_str("{\"id\":5000,\"x\":{\"y\":\"v\"},\"a\":\"w\"}\n{\"id\":5001,\"a\":\"w\"}\n");
    scene.file("a.jsonl", text);
    let outcome = scene.run("a.jsonl --table t --map x.y=a --drop p").exits(3);
    // The field that is called as the column has one of its own from elsewhere: both may come, not at once.
    assert_eq!(outcome.rows(), rows!(read: 5_002, inserted: 5_001, rejected: 1));
    assert_eq!(outcome.report().rejected(scene.cwd())[0].sqlstate.as_deref(), Some("42701"));
    assert_eq!(scene.db.count("t WHERE a = 'v'"), 5_000);
}

#[test]
fn values_as_people_write_them() {
    // FIELD.md 02, 03, 08, 13.
    let scene = Scene::new();
    scene.file("thousands.csv", "id,amount\n1,\"25,000\"\n2,\"1,234.56\"\n3,900\n");
    scene.load("thousands.csv --table t --key id --parse amount=number:1,234.56");
    assert_eq!(scene.db.columns("t"), ["id bigint", "amount numeric"]);
    assert_eq!(rows_of(&scene), ["1|25000", "2|1234.56", "3|900"]);
    scene.sql("DROP TABLE t");
    scene.file("german.csv", "id;name;amount\n1;Anna;1.234,56\n2;Bert;12,50\n3;Cleo;7\n");
    scene.load("german.csv --table t --key id --parse amount=number:1.234,56");
    assert_eq!(rows_of(&scene), ["1|Anna|1234.56", "2|Bert|12.50", "3|Cleo|7"]);
    scene.sql("DROP TABLE t");
    scene.file("dotted.csv", "id,begin_at\n1,01.02.1998 00:00:00\n2,31.12.2004 07:05:00\n3,\n");
    let format = "--parse=begin_at=date:%d.%m.%Y %H:%M:%S";
    scene.dbload("dotted.csv --table t --key id").arg(format).run().exits(0);
    assert_eq!(scene.db.columns("t"), ["id bigint", "begin_at timestamp with time zone"]);
    assert_eq!(rows_of(&scene), ["1|1998-02-01 00:00:00+00", "2|2004-12-31 07:05:00+00", "3|NULL"]);
    scene.sql("DROP TABLE t");
    scene.file("epoch.jsonl", "{\"id\":1,\"at\":1692352800000}\n{\"id\":3,\"at\":0}\n");
    scene.load("epoch.jsonl --table t --key id --parse at=epoch_ms");
    assert_eq!(rows_of(&scene), ["1|2023-08-18 10:00:00+00", "3|1970-01-01 00:00:00+00"]);
}

#[test]
fn keys_are_shaped_before_they_are_told_apart() {
    let scene = Scene::with("CREATE TABLE t (day date PRIMARY KEY, n int)");
    let lines: String = (0..3_000)
        .map(|n| format!("{{\"d\":{{\"at\":\"{:02}.01.2024\"}},\"n\":{n}}}\n", 1 + n % 9))
        .collect();
    scene.file("a.jsonl", lines);
    let outcome = scene
        .load("a.jsonl --table t --map d.at=day --parse day=date:%d.%m.%Y --pool-size 4 --batch-rows 100");
    assert_eq!((outcome.rows().inserted, scene.db.count("t")), (9, 9));
    // The last record of a key wins.
    assert_eq!(
        scene.db.one("SELECT string_agg(n::text, ',' ORDER BY day) FROM t"),
        "2997,2998,2999,2991,2992,2993,2994,2995,2996"
    );
}

#[test]
fn a_new_table_has_the_columns_of_shaped_fields() {
    let scene = Scene::new();
    scene.file(
        "a.jsonl",
        "{\"id\":1,\"u\":null,\"v\":\"x\",\"w\":{\"a\":1,\"b\":{\"c\":\"d\"}}}\n{\"id\":2,\"u\":{\"n\":\"1,5\"},\"v\":\"x\",\"w\":{}}\n",
    );
    scene.load("a.jsonl --table t --key nr --map id=nr --drop v --flatten=__ --parse u__n=number:0,5");
    assert_eq!(scene.db.columns("t"), ["nr bigint", "w__a bigint", "w__b__c text", "u__n numeric"]);
    assert_eq!(rows_of(&scene), ["1|1|d|NULL", "2|NULL|NULL|1.5"]);
}

#[test]
fn null_in_place_of_an_object_is_null_for_its_columns_and_nothing_leaves_them_alone() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, user_id int, user_name text, other int); \
         INSERT INTO t VALUES (1, 1, 'a', 1), (2, 1, 'a', 1), (3, 1, 'a', 1), (4, 1, 'a', 1)",
    );
    scene.file(
        "a.jsonl",
        "{\"id\":1,\"user\":null}\n{\"id\":2,\"user\":{}}\n{\"id\":3,\"user\":{\"name\":\"b\"}}\n{\"id\":4,\"user\":9}\n",
    );
    let outcome = scene.load("a.jsonl --table t --flatten");
    assert_eq!(outcome.rows(), rows!(read: 4, updated: 3, unchanged: 1));
    assert_eq!(rows_of(&scene), ["1|NULL|NULL|1", "2|1|a|1", "3|1|b|1", "4|NULL|NULL|1"]);
    // So it is where a member goes to a column of another name, and none of the sample is an object.
    scene.sql("CREATE TABLE m (id int PRIMARY KEY, k int)");
    scene.file("m.jsonl", "{\"id\":1,\"o\":{\"a\":7}}\n{\"id\":2,\"o\":{\"a\":8}}\n");
    scene.load("m.jsonl --flatten --map o_a=k");
    scene.file("n.jsonl", "{\"id\":1,\"o\":null}\n");
    scene.load("n.jsonl --table m --flatten --map o_a=k");
    assert_eq!(scene.db.lines("TABLE m ORDER BY id"), ["1|NULL", "2|8"]);
}

#[test]
fn an_object_whose_column_holds_it_stays_whole() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, doc jsonb, geo_lat int)");
    scene.file("a.jsonl", "{\"id\":1,\"doc\":{\"a\":{\"b\":1}},\"geo\":{\"lat\":5}}\n");
    scene.load("a.jsonl --table t --flatten");
    assert_eq!(rows_of(&scene), ["1|{\"a\": {\"b\": 1}}|5"]);
}

#[test]
fn another_shaping_is_no_resume() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, a text)");
    scene.file("a.csv", "id,a\n1, x \n2,\"y\n");
    // The second record never ends: the source fails, and the run stays unfinished.
    let first = scene.run("a.csv --table t --trim --max-rejects 0");
    assert!(first.code() != 0, "{first}");
    let other = scene.run("a.csv --table t --max-rejects 0").exits(8);
    assert!(other.stderr.contains("trim"), "{other}");
}

#[test]
fn rejects_say_the_format_that_reads_them() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, amount numeric, at timestamptz)");
    scene.file("a.csv", "id,amount,at\n1,\"1.234,56\",2024-01-01\n2,7,01.02.1998 00:00:00\n");
    let outcome = scene.run("a.csv --table t").exits(3);
    let mut hints: Vec<&str> = outcome
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("hint: such values are read with "))
        .collect();
    hints.sort_unstable_by_key(|hint| hint.contains("at="));
    assert_eq!(hints, ["--parse amount=number:1.234,56", "--parse 'at=date:%d.%m.%Y %H:%M:%S'"], "{outcome}");
    // Each is true when followed, with the other for the other.
    scene.file("b.csv", "id,amount,at\n1,\"1.234,56\",\n2,7,01.02.1998 00:00:00\n");
    let hints = hints.iter().flat_map(|hint| words(hint)).collect::<Vec<_>>();
    scene.dbload("b.csv --table t").args(hints).run().exits(0);
    assert_eq!(rows_of(&scene), ["1|1234.56|NULL", "2|7|1998-02-01 00:00:00+00"]);
}

#[test]
fn a_policy_is_held_whatever_way_a_batch_takes() {
    // Fresh rows, stored rows, repeats within a batch, and record by record: the same.
    for rows in ["10000", "1", "7"] {
        let scene = Scene::with(
            "CREATE TABLE t (id int PRIMARY KEY, c int, k int, f int, g numeric, l numeric, n int DEFAULT 9)",
        );
        let record = |n: u32| {
            let null = |at: u32| if n.is_multiple_of(at) { "null".to_owned() } else { n.to_string() };
            format!(
                "{{\"id\":{},\"c\":{n},\"k\":{},\"f\":{},\"g\":{}.50,\"l\":{}{}}}\n",
                n % 10,
                null(3),
                null(4),
                n * 7 % 31,
                n * 7 % 31,
                if n.is_multiple_of(2) { format!(",\"n\":{n}") } else { String::new() }
            )
        };
        scene.file("a.jsonl", (0..200).map(record).collect::<String>());
        let flags =
            "--insert-only c --merge k=keep --merge f=fill --merge g=greatest --merge l=least --merge n=keep";
        let outcome = scene.load(&format!("a.jsonl --table t {flags} --batch-rows {rows} --pool-size 3"));
        assert_eq!(outcome.rows().read, 200);
        let mut expected = vec![];
        for id in 0..10_u32 {
            let all = || (0..20).map(|i| i * 10 + id);
            let first = |at: u32| all().find(|n| n % at != 0).unwrap();
            let last = |at: u32| all().rfind(|n| n % at != 0).unwrap();
            let (g, l) = (all().map(|n| n * 7 % 31).max().unwrap(), all().map(|n| n * 7 % 31).min().unwrap());
            // The first record of an odd key lacks the field: its default stays.
            let n = if id.is_multiple_of(2) { id } else { 9 };
            expected.push(format!("{id}|{id}|{}|{}|{g}.50|{l}|{n}", first(3), last(4)));
        }
        assert_eq!(rows_of(&scene), expected, "{rows} rows a batch");
        let again = scene.load(&format!("a.jsonl --table t {flags}"));
        assert_eq!(rows_of(&scene).len(), 10, "{again}");
        let verify = scene.plain("verify a.jsonl --table t --merge k=keep").run();
        assert!(verify.stdout.contains("not compared, for their merge policy: k"), "{verify}");
    }
}

#[test]
fn a_policy_that_cannot_be_is_refused_before_the_first_row() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, a int, j json, g int GENERATED ALWAYS AS (a + 1) STORED)",
    );
    scene.file("a.csv", "id,a\n1,1\n");
    let refused = |flags: &str, code: i32, words: &str| {
        let outcome = scene.run(&format!("a.csv --table t {flags}"));
        assert!(outcome.code() == code && outcome.stderr.contains(words), "{flags}: {outcome}");
        assert_eq!(scene.db.count("t"), 0);
    };
    refused("--merge x=keep", 6, "name the column as the table has it");
    refused("--insert-only id", 6, "give a policy to columns besides the key");
    refused("--merge a=keep --newer-by a", 6, "always brings its own value of it");
    refused("--merge a=keep --mode append", 6, "a policy is of --mode upsert or update");
    refused("--merge a=keep --mode ignore", 6, "a policy is of --mode upsert or update");
    refused("--merge g=keep", 6, "the server computes its values");
    refused("--merge j=greatest", 6, "keep and fill need none");
    refused("--merge a=keep --insert-only a", 2, "has two policies");
    refused("--merge a=added", 2, "is no policy");
    refused("--merge a", 2, "is not COLUMN=POLICY");
}

//! Tables of MySQL as sources, read from the real MariaDB. What a load has made of one is compared with what
//! was put into it, as literals. Where MariaDB is not installed, each test says so and does nothing.

use std::time::Duration;

use crate::rows;
use crate::support::mariadb::MariaDatabase;
use crate::support::{Dbload, MariaDb, Outcome, Rows, Scene, audit, until};

/// A database with what these statements make; none: there is no server.
fn made(sql: &str) -> Option<MariaDatabase<'static>> {
    Some(MariaDb::shared()?.database(sql))
}

const OF_MANY_TYPES: &str = r#"
    CREATE TABLE src (
        id BIGINT UNSIGNED PRIMARY KEY, tiny TINYINT, flag TINYINT(1), su SMALLINT UNSIGNED, m MEDIUMINT, mu MEDIUMINT UNSIGNED,
        i INT, iu INT UNSIGNED, filled INT(8) UNSIGNED ZEROFILL, b BIGINT, d DECIMAL(65,30), du DECIMAL(6,2) UNSIGNED ZEROFILL,
        f FLOAT, x DOUBLE, y YEAR, day DATE, wall DATETIME(6), at TIMESTAMP(6) NULL, took TIME(3), bits BIT(10), one BIT,
        c CHAR(5), v VARCHAR(50), old VARCHAR(50) CHARACTER SET latin1, three VARCHAR(50) CHARACTER SET utf8mb3,
        bin_text VARCHAR(50) COLLATE utf8mb4_bin, t LONGTEXT, e ENUM('sad','it''s "ok"'), s SET('a','b','c'), j JSON,
        fixed BINARY(4), vb VARBINARY(9), raw LONGBLOB, place POINT, u UUID, net INET6, `Mixed ``name``` INT,
        twice INT GENERATED ALWAYS AS (tiny * 2) STORED, thrice INT AS (tiny * 3), hidden INT INVISIBLE DEFAULT 7);
    INSERT INTO src VALUES (
        18446744073709551615, -128, 2, 65535, -8388608, 16777215, -2147483648, 4294967295, 42, -9223372036854775808,
        12345678901234567890123456789012345.123456789012345678901234567890, 1.5, 0.1, 1.7976931348623157e308, 2155, '9999-12-31',
        '2024-03-31 02:30:00.123456', '2024-03-31 02:30:00.000001', '-838:59:59.000', b'1000000101', b'1',
        'ab  ', 'a\tb\\N\r\n é😀 ''"', 'é€', 'é', 'A', '', 'it''s "ok"', 'a,c', '{"b": 1,  "a": [1.50, null]}',
        'a\0', x'00ff5c', x'', ST_GeomFromText('POINT(1 2)'), '123e4567-e89b-12d3-a456-426655440000', '2001:db8::ff00:42:8329', 1,
        DEFAULT, DEFAULT);
    INSERT INTO src (id, f, x, y, took, bits, d, wall) VALUES
        (0, 3.4028234663852886e38, 5e-324, 0, '838:59:59.999', 0, -0.000000000000000000000000000001, '0001-01-01'),
        (9223372036854775808, 16777217, -0.1, 1901, '00:00:00', b'1', 0, NULL)"#;

#[test]
fn each_type_arrives_as_it_is_in_a_new_table() {
    let Some(shop) = made(OF_MANY_TYPES) else { return };
    let scene = Scene::new();
    let outcome = scene.load(&format!("{} --table made --key id", shop.table("src")));
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 3));
    let types = "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute \
                 WHERE attnum > 0 AND attrelid = 'made'::regclass ORDER BY attnum";
    let expected = "id|numeric(20,0) tiny|smallint flag|smallint su|integer m|integer mu|integer i|integer iu|bigint \
        filled|bigint b|bigint d|numeric(65,30) du|numeric(6,2) f|real x|double\u{a0}precision y|smallint day|date \
        wall|timestamp\u{a0}without\u{a0}time\u{a0}zone at|timestamp\u{a0}with\u{a0}time\u{a0}zone took|interval bits|bit(10) \
        one|bit(1) c|text v|text old|text three|text bin_text|text t|text e|text s|text j|jsonb fixed|bytea vb|bytea raw|bytea \
        place|bytea u|uuid net|inet Mixed\u{a0}`name`|integer hidden|integer";
    let expected: Vec<String> =
        expected.split_whitespace_ascii().map(|word| word.replace('\u{a0}', " ")).collect();
    assert_eq!(scene.db.lines(types), expected);
    let wrong = r#"SELECT n FROM made, LATERAL (VALUES
        (1, tiny = -128 AND flag = 2 AND su = 65535 AND m = -8388608 AND mu = 16777215 AND i = -2147483648 AND iu = 4294967295),
        (2, filled = 42 AND b = -9223372036854775808 AND du = 1.5 AND hidden = 7 AND "Mixed `name`" = 1),
        (3, d = 12345678901234567890123456789012345.123456789012345678901234567890),
        (4, f = 0.1::real AND x = 1.7976931348623157e308 AND y = 2155), (5, day = '9999-12-31'),
        (6, wall = '2024-03-31 02:30:00.123456'), (7, at = '2024-03-31 02:30:00.000001+00'),
        (8, took = -interval '838:59:59'), (9, bits = B'1000000101' AND one = B'1'), (10, c = 'ab'),
        (11, v = E'a\tb\\N\r\n é😀 ''"'), (12, old = 'é€' AND three = 'é' AND bin_text = 'A' AND t = ''),
        (13, e = 'it''s "ok"' AND s = 'a,c'), (14, j = '{"b": 1, "a": [1.50, null]}' AND j::text LIKE '%1.50%'),
        (15, fixed = '\x61000000' AND vb = '\x00ff5c' AND raw = ''),
        (16, place = '\x000000000101000000000000000000f03f0000000000000040'),
        (17, u = '123e4567-e89b-12d3-a456-426655440000' AND net = '2001:db8::ff00:42:8329')) AS v (n, is_right)
        WHERE id = 18446744073709551615 AND is_right IS NOT TRUE"#;
    assert_eq!(scene.db.lines(wrong), [""; 0]);
    let wrong = "SELECT n FROM made, LATERAL (VALUES
        (1, f = 3.4028235e38::real AND x = 5e-324 AND y = 0), (2, took = interval '838:59:59.999'), (3, bits = B'0000000000'),
        (4, d = -0.000000000000000000000000000001), (5, wall = '0001-01-01'), (6, num_nulls(tiny, at, v, raw, j, one) = 6))
        AS v (n, is_right) WHERE id = 0 AND is_right IS NOT TRUE";
    assert_eq!(scene.db.lines(wrong), [""; 0]);
    let middle = "SELECT f::text, x::text, y, took, bits, wall FROM made WHERE id = 9223372036854775808";
    assert_eq!(scene.db.lines(middle), ["1.6777216e+07|-0.1|1901|00:00:00|0000000001|NULL"]);
    // Once more, into the same: nothing changes, and verify agrees.
    let outcome = scene.load(&format!("{} --table made --key id", shop.table("SRC").replace("SRC", "src")));
    assert_eq!(outcome.rows(), rows!(read: 3, unchanged: 3));
    scene.dbload(&format!("verify {} --table made --key id", shop.table("src"))).run().exits(0);
}

/// Words of a text, which are parted by plain blanks alone.
trait PlainWords {
    fn split_whitespace_ascii(&self) -> std::str::SplitAsciiWhitespace<'_>;
}

impl PlainWords for str {
    fn split_whitespace_ascii(&self) -> std::str::SplitAsciiWhitespace<'_> {
        self.split_ascii_whitespace()
    }
}

#[test]
fn a_table_that_exists_has_its_own_types_and_a_query_its_own_columns() {
    let Some(shop) = made(OF_MANY_TYPES) else { return };
    let scene = Scene::with(
        "CREATE TABLE there (id numeric PRIMARY KEY, flag int, i text, one boolean, j json, e varchar(9), took interval, at timestamptz, u text)",
    );
    scene.load(&format!("{} --table there --extra ignore", shop.table("src")));
    let there = "SELECT flag, i, one, j::text, e, took, at AT TIME ZONE 'UTC', u FROM there WHERE id > 1e19";
    assert_eq!(
        scene.db.lines(there),
        [
            "2|-2147483648|t|{\"b\": 1,  \"a\": [1.50, null]}|it's \"ok\"|-838:59:59|2024-03-31 02:30:00.000001|123e4567-e89b-12d3-a456-426655440000"
        ]
    );
    let query = "query=SELECT%20id,%20flag,%20d,%20bits,%20bin_text,%20vb,%20at,%20wall,%20took,%20e,%20'a'%20||%20'b'%20AS%20ored,\
                 %20COUNT(*)%20AS%20n%20FROM%20src%20WHERE%20v%20IS%20NOT%20NULL%20GROUP%20BY%20id;%20";
    scene.load(&format!("{} --table asked --mode append", shop.word(query)));
    let types = "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute \
                 WHERE attnum > 0 AND attrelid = 'asked'::regclass";
    assert_eq!(
        scene.db.one(types),
        "id numeric(20,0), flag smallint, d numeric, bits bit(10), bin_text text, vb bytea, at timestamp with time zone, \
         wall timestamp without time zone, took interval, e text, ored integer, n bigint"
    );
    assert_eq!(
        scene.db.lines("SELECT id, flag, bits, bin_text, vb, ored, n, at AT TIME ZONE 'UTC' FROM asked"),
        ["18446744073709551615|2|1000000101|A|\\x00ff5c|0|1|2024-03-31 02:30:00.000001"]
    );
}

#[test]
fn dates_that_are_none_are_rejects_with_their_hint_or_null() {
    let Some(shop) = made(
        "SET sql_mode = 'ALLOW_INVALID_DATES';
         CREATE TABLE src (id INT PRIMARY KEY, day DATE, wall DATETIME, at TIMESTAMP NULL, t TEXT);
         INSERT INTO src VALUES (1, '2024-02-29', '2024-02-29 01:02:03', '2024-02-29 01:02:03', 'a'),
             (2, '0000-00-00', '2024-01-01', '2024-01-01', 'b'), (3, '2024-01-01', '0000-00-00', '2024-01-01', 'c'),
             (4, '2024-01-01', '2024-01-01', '0000-00-00', 'd'), (5, '2024-00-10', '2024-01-01', '2024-01-01', 'e'),
             (6, '2024-02-31', '2024-01-01', '2024-01-01', 'f'), (7, '2024-01-01', '2024-01-01', '2024-01-01', 'a\\0b')",
    ) else {
        return;
    };
    let scene = Scene::new();
    let command = |table: &str, flags: &str| {
        scene.dbload(&format!("{} --table {table} --key id {flags}", shop.table("src"))).run()
    };
    let outcome = command("t", "")
        .exits(3)
        .says("hint: --zero-dates null makes dates of MySQL such as 0000-00-00 null");
    assert_eq!(outcome.rows(), rows!(read: 7, inserted: 1, rejected: 6), "{outcome}");
    assert_eq!(scene.db.lines("SELECT id FROM t"), ["1"]);
    // A day that its month does not have, and a NUL, remain what they are.
    let outcome = command("t", "--zero-dates null").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 7, inserted: 4, unchanged: 1, rejected: 2), "{outcome}");
    assert!(!outcome.stderr.contains("--zero-dates"), "{outcome}");
    assert_eq!(
        scene.db.lines("SELECT id, day IS NULL, wall IS NULL, at IS NULL FROM t WHERE id > 1 ORDER BY id"),
        ["2|t|f|f", "3|f|t|f", "4|f|f|t", "5|t|f|f"]
    );
    let outcome = command("t", "--zero-dates null --on-nul strip").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 7, inserted: 1, unchanged: 5, rejected: 1), "{outcome}");
    assert_eq!(scene.db.one("SELECT t FROM t WHERE id = 7"), "ab");
}

/// Tables that resume, by what tells their rows apart: the columns of the source, those of the target, and
/// the key of row `i`.
const KEYED: [(&str, &str, &str, &str); 8] = [
    ("number", "k INT, n INT, t TEXT, PRIMARY KEY (k)", "k int PRIMARY KEY, n int, t text", "i * 7 - 100000"),
    (
        "unsigned above the signed",
        "k BIGINT UNSIGNED, n INT, t TEXT, PRIMARY KEY (k)",
        "k numeric PRIMARY KEY, n int, t text",
        "18446744073709551615 - CAST(i AS UNSIGNED) * 461168601842738",
    ),
    (
        "text without case and accents",
        "k VARCHAR(40) COLLATE utf8mb4_general_ci, n INT, t TEXT, PRIMARY KEY (k)",
        "k text PRIMARY KEY, n int, t text",
        "CONCAT(ELT(1 + i % 7, 'a', 'B', 'é', 'Z', '_', 'ß', '😀'), LPAD(i * 7919 % 20011, 5, ' '), ELT(1 + i % 3, 'X', 'y', '\\''), i)",
    ),
    (
        "text of another character set",
        "k VARCHAR(40) CHARACTER SET latin1 COLLATE latin1_german2_ci, n INT, t TEXT, PRIMARY KEY (k)",
        "k text PRIMARY KEY, n int, t text",
        "CONCAT(ELT(1 + i % 6, 'ä', 'ae', 'Ae', 'Z', 'ÿ', '€'), i * 7919 % 20011, '-', i)",
    ),
    (
        "bytes",
        "k VARBINARY(9), n INT, t TEXT, PRIMARY KEY (k)",
        "k bytea PRIMARY KEY, n int, t text",
        "UNHEX(LPAD(HEX(i * 16807 % 1000003), 8, '0'))",
    ),
    (
        "day, text and number",
        "k DATE, l CHAR(9), n SMALLINT UNSIGNED, t TEXT, PRIMARY KEY (k, l, n)",
        "k date, l text, n int, t text, PRIMARY KEY (k, l, n)",
        "'2024-01-01' + INTERVAL i % 7 DAY",
    ),
    (
        "year and number backwards",
        "n INT, k YEAR, t TEXT, PRIMARY KEY (k, n DESC)",
        "n int, k int, t text, PRIMARY KEY (k, n)",
        "ELT(1 + i % 4, 0, 1901, 2000, 2024)",
    ),
    (
        "instant and decimal",
        "k TIMESTAMP(6), l DECIMAL(30,3), n INT, t TEXT, PRIMARY KEY (k, l)",
        "k timestamptz, l numeric, n int, t text, PRIMARY KEY (k, l)",
        "'2024-03-31 01:59:59.999999' + INTERVAL i % 9 HOUR",
    ),
];

/// A source of many rows of this kind. Its other key column is in no order of its own either.
fn many(kind: (&str, &str, &str, &str), rows: u32) -> Option<MariaDatabase<'static>> {
    let (_, columns, _, key) = kind;
    let (names, values) = match columns {
        columns if columns.contains("l CHAR") => {
            ("k, l, n, t", format!("{key}, ELT(1 + i % 3, 'b', 'A', 'c '), i"))
        }
        columns if columns.contains("l DECIMAL") => {
            ("k, l, n, t", format!("{key}, i * 7919 % 20011 - 10000.125, i"))
        }
        _ => ("k, n, t", format!("{key}, i")),
    };
    made(&format!(
        "CREATE TABLE src ({columns});
         INSERT INTO src ({names}) SELECT {values}, REPEAT('x', i % 50) FROM (SELECT CAST(seq AS SIGNED) AS i FROM seq_1_to_{rows}) s"
    ))
}

const SLOW: &str = "
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
    CREATE TRIGGER slow AFTER INSERT OR UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()";

/// A target that takes its time.
fn slow_target((_, _, columns, _): (&str, &str, &str, &str)) -> Scene {
    Scene::with(&format!("CREATE TABLE t ({columns}); {SLOW}"))
}

/// Waits until each writer of the load has committed: the place of the load is behind its start then.
fn until_all_have_stored(scene: &Scene) {
    let writers = "SELECT count(*) FROM _dbload.checkpoint c JOIN _dbload.run r USING (run) \
                   WHERE r.state = 'running' AND c.batches > 0";
    until("each writer has stored rows", || {
        scene.db.try_rows(writers).is_ok_and(|(rows, _)| rows[0][0] == Some("2".to_owned()))
    });
}

/// Both have the same rows: the key of each is compared by its bytes, the rest as it is.
#[track_caller]
fn same(scene: &Scene, shop: &MariaDatabase<'_>, kind: &str) {
    let (there, here) = match kind {
        "bytes" => ("encode(k, 'hex')", "LOWER(HEX(k))"),
        "day, text and number" => ("k || l", "CONCAT(k, l)"),
        "instant and decimal" => {
            ("to_char(k AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || l", "CONCAT(k, l)")
        }
        _ => ("k", "k + 0"),
    };
    let here = if here == "k + 0" && !kind.starts_with("year") { "k" } else { here };
    let there = scene.db.lines(&format!("SELECT n, {there}, t FROM t ORDER BY n"));
    assert!(there == shop.lines(&format!("SELECT n, {here}, t FROM src ORDER BY n")), "{kind}");
}

fn command(scene: &Scene, word: &str) -> Dbload {
    scene.dbload(&format!("{word} --table t --batch-rows 500 --pool-size 2"))
}

fn killed_twice(kind: (&'static str, &str, &str, &str)) {
    const ROWS: u32 = 12_000;
    let Some(shop) = many(kind, ROWS) else { return };
    let scene = slow_target(kind);
    for kills in 1..=2 {
        let before = scene.db.count("t");
        let running = command(&scene, &shop.table("src")).spawn();
        until("more rows are stored", || scene.db.count("t") > before + 1_500);
        running.kill9_after(Duration::ZERO);
        assert!(scene.db.count("t") < u64::from(ROWS), "too late after {kills} kills");
    }
    scene.sql("DROP TRIGGER slow ON t");
    let outcome = command(&scene, &shop.table("src")).run().exits(0).says("resum");
    assert_eq!(outcome.rows(), rows!(read: u64::from(ROWS), inserted: u64::from(ROWS)), "{}", kind.0);
    same(&scene, &shop, kind.0);
    assert_eq!(audit(&scene.db), outcome.rows());
}

#[test]
fn a_killed_load_goes_on_behind_the_numbers_that_were_stored() {
    killed_twice(KEYED[0]);
    killed_twice(KEYED[1]);
}

#[test]
fn a_killed_load_goes_on_behind_texts_in_the_order_of_their_collation() {
    killed_twice(KEYED[2]);
    killed_twice(KEYED[3]);
}

#[test]
fn a_killed_load_goes_on_behind_bytes_and_keys_of_several_columns() {
    for kind in &KEYED[4..] {
        killed_twice(*kind);
    }
}

#[test]
fn rows_that_changed_meanwhile_are_applied_again_and_none_is_lost() {
    let Some(shop) = many(KEYED[2], 12_000) else { return };
    let scene = slow_target(KEYED[2]);
    let running = command(&scene, &shop.table("src")).spawn();
    until("rows are stored", || scene.db.count("t") > 2_000);
    running.kill9_after(Duration::ZERO);
    scene.sql("DROP TRIGGER slow ON t");
    shop.sql("UPDATE src SET t = 'new' WHERE n % 3 = 0; DELETE FROM src WHERE n % 100 = 1");
    let outcome = command(&scene, &shop.table("src")).run().exits(0).says("resum").says("not what they were");
    let books: Rows = outcome.rows();
    assert_eq!(books.read, books.inserted + books.updated + books.unchanged, "{outcome}");
    let set = |lines: Vec<String>| lines.into_iter().collect::<std::collections::BTreeSet<_>>();
    let there = set(scene.db.lines("SELECT k, n FROM t"));
    assert!(set(shop.lines("SELECT k, n FROM src")).is_subset(&there), "a row is missing");
    scene.load(&format!("{} --table t", shop.table("src")));
    let there = set(scene.db.lines("SELECT k, n, t FROM t"));
    assert!(set(shop.lines("SELECT k, n, t FROM src")).is_subset(&there), "the next load brings the rest");
}

#[test]
fn all_of_a_load_is_one_state_of_the_database() {
    let Some(shop) = many(KEYED[0], 8_000) else { return };
    let scene = slow_target(KEYED[0]);
    let running = command(&scene, &shop.table("src")).spawn();
    until("rows are stored", || scene.db.count("t") > 500);
    shop.sql("UPDATE src SET t = 'later'; INSERT INTO src VALUES (9000000, 0, 'later')");
    let outcome = running.wait().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 8_000, inserted: 8_000));
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE t = 'later'"), "0");
}

#[test]
fn rows_without_a_key_that_is_sorted_as_its_values_are_read_whole_or_not_at_all() {
    let Some(shop) = made(
        "CREATE TABLE none (k INT, n INT, t TEXT);
         INSERT INTO none SELECT seq, seq, REPEAT('x', seq % 50) FROM seq_1_to_6000;
         CREATE VIEW half AS SELECT * FROM none WHERE n % 2 = 0;
         CREATE TABLE named (e ENUM('z','a'), k INT, n INT, t TEXT, PRIMARY KEY (e, k));
         INSERT INTO named SELECT IF(k % 2, 'z', 'a'), k, n, t FROM none;
         CREATE TABLE begun (k INT, n INT, t TEXT, PRIMARY KEY (t(90))); INSERT INTO begun SELECT k, n, CONCAT(t, k) FROM none",
    ) else {
        return;
    };
    let scene = Scene::with(&format!("CREATE TABLE t (k int PRIMARY KEY, n int, t text); {SLOW}"));
    let query = shop.word("query=SELECT%20*%20FROM%20none");
    for source in ["none", "half", "named", "begun"].map(|name| shop.table(name)).iter().chain([&query]) {
        let load = |flag: &str| {
            let line = format!("{source} --table t --batch-rows 200 --pool-size 2 --extra ignore {flag}");
            scene.dbload(&line)
        };
        let running = load("").spawn();
        until_all_have_stored(&scene);
        running.kill9_after(Duration::ZERO);
        load("").run().exits(4).says("primary key").says("--restart");
        scene.db.until_quiet();
        scene.sql("ALTER TABLE t DISABLE TRIGGER slow");
        load("--restart").run().exits(0);
        let expected = if source.ends_with("half") { "3000" } else { "6000" };
        assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE k = n"), expected, "{source}");
        scene.sql("TRUNCATE t; ALTER TABLE t ENABLE TRIGGER slow");
    }
}

#[test]
fn empty_tables_and_large_values_are_read() {
    let Some(shop) = made(
        "CREATE TABLE src (id INT PRIMARY KEY, t LONGTEXT, `select` INT);
         CREATE TABLE `a.b` (id INT PRIMARY KEY); INSERT INTO `a.b` VALUES (1)",
    ) else {
        return;
    };
    let scene = Scene::new();
    let load =
        |name: &str| scene.load(&format!("{} --table t --key id --max-record-bytes 64MiB", shop.table(name)));
    assert_eq!(load("src").rows(), rows!(read: 0));
    assert_eq!(scene.db.count("t"), 0);
    // More than a packet of the protocol holds.
    shop.sql("INSERT INTO src VALUES (1, REPEAT('é', 10000000), 1), (2, '', 2)");
    assert_eq!(load(&format!("{}.src", shop.name)).rows(), rows!(read: 2, inserted: 2));
    assert_eq!(
        scene.db.lines("SELECT id, length(t), \"select\" FROM t ORDER BY id"),
        ["1|10000000|1", "2|0|2"]
    );
    // A point may be part of a name.
    assert_eq!(
        scene.load(&format!("{} --table p --key id", shop.table("a.b"))).rows(),
        rows!(read: 1, inserted: 1)
    );
    scene.load(&format!("{} --table p --key id", shop.table("%60a.b%60")));
}

/// One that names a server and nothing of it, or what is not there, is refused with words that help.
#[test]
fn what_cannot_be_a_source_is_refused_with_words() {
    let Some(shop) = made("CREATE TABLE orders (id INT PRIMARY KEY); CREATE TABLE other (id INT)") else {
        return;
    };
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY)");
    let try_word = |word: &str| -> Outcome {
        let outcome =
            Dbload::new(scene.cwd()).arg(word).line("--table t --json --dsn").arg(scene.db.url()).run();
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!said.contains("s3cret") && !said.contains("canary"), "{said}");
        outcome
    };
    let (name, port) = (&shop.name, shop.server.port);
    let word = |login: &str, rest: &str| format!("mysql://{login}@127.0.0.1:{port}/{rest}");
    let user = format!("reader_{name}");
    try_word(&shop.word("x=1")).exits(4).says("says neither");
    try_word(&shop.table("absent")).exits(4).says("it has orders, other").says("as SHOW TABLES has it");
    try_word(&word(&format!("{user}:wrong-s3cret"), &format!("{name}?table=orders")))
        .exits(4)
        .says("does not let us in")
        .says("defaults-file=PATH, or in MYSQL_PWD");
    try_word(&word(&user, &format!("{name}?table=orders"))).exits(4).says("does not let us in");
    try_word(&shop.table("orders").replace(&format!("/{name}?"), "/nothing?"))
        .exits(4)
        .says("no such database")
        .says("SHOW DATABASES");
    try_word(&shop.table("orders").replace(&format!("/{name}?"), "/?"))
        .exits(4)
        .says("is of no database")
        .says("table=DATABASE.NAME");
    let port_of_nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = shop.table("orders").replace(&format!(":{port}/"), &format!(":{port_of_nobody}/"));
    try_word(&nobody).exits(4).says("cannot connect to the server 127.0.0.1").says("?socket=PATH");
    try_word(&shop.word("table=orders&sslmod=required")).exits(2).says("no parameter \"sslmod\"");
    for no_query in
        ["DELETE FROM orders", "INSERT INTO orders VALUES (1) RETURNING id", "SELECT 1; SELECT 2", "", "DO 1"]
    {
        let outcome = try_word(&shop.word(&format!("query={no_query}")));
        assert!([4, 6].contains(&outcome.code()), "{no_query}: {outcome}");
    }
    try_word(&shop.word("query=DO 1")).exits(4).says("one SELECT, VALUES or WITH .. SELECT");
    assert_eq!(shop.lines("SELECT COUNT(*) FROM orders"), ["0"]);
    // A table that the user may see and not read, since its maker may not.
    shop.sql("CREATE DEFINER = nobody@localhost VIEW denied AS SELECT * FROM orders");
    try_word(&shop.table("denied")).exits(4).says("may not read it").says("its maker needs it too");
    // A way to log in that the driver does not know.
    shop.sql(&format!(
        "INSTALL SONAME 'auth_ed25519'; CREATE USER {user}_e IDENTIFIED VIA ed25519 USING PASSWORD('s3cret')"
    ));
    try_word(&word(&format!("{user}_e:s3cret"), &format!("{name}?table=orders")))
        .exits(4)
        .says("a way to log in that is not known here")
        .says("mysql_native_password works");
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn passwords_come_from_files_and_the_environment_and_are_stored_nowhere() {
    let Some(shop) = made("CREATE TABLE src (id INT PRIMARY KEY); INSERT INTO src VALUES (1), (2)") else {
        return;
    };
    let scene = Scene::new();
    let bare = shop.table("src").replace(":s3cret%20canary", "");
    let line = format!("{bare} --table t --key id");
    let logged = |dbload: Dbload| {
        let outcome = dbload.line("-vv").run().exits(0);
        assert!(!outcome.stderr.contains("canary"), "{outcome}");
    };
    logged(scene.dbload(&line).env("MYSQL_PWD", "s3cret canary"));
    scene.file("home/.my.cnf", "[client]\npassword = \"s3cret canary\"\n");
    logged(scene.dbload(&line).env("HOME", scene.cwd().join("home")));
    scene.file("other.cnf", format!("[client]\nuser=reader_{}\npassword='s3cret canary'\n", shop.name));
    let by_file = line.replace("?table", "?defaults-file=other.cnf&table");
    logged(scene.dbload(&by_file.replace(&format!("reader_{}@", shop.name), "")));
    // A password of another user is not sent.
    scene.file("home/.my.cnf", "[client]\nuser=somebody\npassword = \"s3cret canary\"\n");
    scene.dbload(&line).env("HOME", scene.cwd().join("home")).run().exits(4).says("does not let us in");
    logged(scene.dbload(&format!("{} --table t --key id", shop.table("src"))));
    let socket = format!("?socket={}&table", shop.server.socket().display());
    logged(scene.dbload(&format!("{} --table t --key id", shop.table("src").replace("?table", &socket))));
    let stored =
        "SELECT count(*) FROM _dbload.run r, _dbload.source s WHERE r::text || s::text LIKE '%canary%'";
    assert_eq!(scene.db.one(stored), "0");
    let named = "SELECT count(*) > 0 FROM _dbload.source s WHERE s::text LIKE '%mysql://reader_%@127.0.0.1%table=src%'";
    assert_eq!(scene.db.one(named), "t");
}

#[test]
fn an_encrypted_connection_is_what_was_asked_for_or_none() {
    let Some(plain) = made("CREATE TABLE src (id INT PRIMARY KEY)") else { return };
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY)");
    let load = |word: &str| scene.dbload(&format!("{word} --table t")).run();
    let asking = |shop: &MariaDatabase<'_>, mode: &str| shop.word(&format!("table=src&ssl-mode={mode}"));
    load(&asking(&plain, "REQUIRED"))
        .exits(4)
        .says("no encrypted connection")
        .says("everybody on the way can read along");
    load(&asking(&plain, "PREFERRED")).exits(0);
    let (authority, certificate, key) = certificates();
    let file = |name: &str, text: &str| {
        let path = scene.file(name, text);
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(scene.cwd(), everybody).unwrap();
        path.display().to_string()
    };
    let options = [
        format!("--ssl-cert={}", file("cert.pem", &certificate)),
        format!("--ssl-key={}", file("key.pem", &key)),
        "--require-secure-transport=ON".to_owned(),
    ];
    let Some(server) = MariaDb::start(&options) else { return };
    let shop = server.database("CREATE TABLE src (id INT PRIMARY KEY); INSERT INTO src VALUES (1)");
    load(&asking(&shop, "DISABLED")).exits(4);
    for mode in ["PREFERRED", "REQUIRED"] {
        load(&asking(&shop, mode)).exits(0);
    }
    load(&asking(&shop, "VERIFY_CA")).exits(4).says("no encrypted connection").says("names the authority");
    let authority = file("ca.pem", &authority);
    load(&shop.word(&format!("table=src&ssl-ca={authority}"))).exits(0);
    // The certificate is of another name than the address.
    load(&shop.word(&format!("table=src&ssl-ca={authority}&ssl-mode=VERIFY_IDENTITY")))
        .exits(4)
        .says("no encrypted connection");
    let by_name = shop
        .word(&format!("table=src&ssl-ca={authority}&ssl-mode=verify-full"))
        .replace("127.0.0.1", "localhost");
    load(&by_name).exits(0);
    assert_eq!(scene.db.count("t"), 1);
}

/// An authority, and a certificate of it for this machine by its name, with its key.
fn certificates() -> (String, String, String) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let of_authority = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (of_authority.pem(), certificate.pem(), key.serialize_pem())
}

#[test]
fn a_connection_that_breaks_in_the_middle_is_a_source_that_failed_and_the_same_command_goes_on() {
    let Some(shop) = many(KEYED[0], 3_000) else { return };
    // More than waits anywhere on the way.
    shop.sql("UPDATE src SET t = REPEAT('x', 20000)");
    let scene = slow_target(KEYED[0]);
    let load = || {
        let line =
            format!("{} --table t --batch-rows 50 --pool-size 2 --max-memory 16MiB", shop.table("src"));
        scene.dbload(&line)
    };
    let running = load().spawn();
    until_all_have_stored(&scene);
    let sessions = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER =";
    let ids = shop.lines(&format!("{sessions} 'reader_{}'", shop.name));
    assert!(!ids.is_empty());
    for id in ids {
        shop.sql(&format!("KILL {id}"));
    }
    running.wait().exits(4).says("the connection to the server broke");
    assert!(scene.db.count("t") < 3_000);
    scene.sql("DROP TRIGGER slow ON t");
    let outcome = load().run().exits(0).says("resum");
    assert_eq!(outcome.rows(), rows!(read: 3_000, inserted: 3_000));
    assert_eq!(scene.db.lines("SELECT count(*), sum(length(t)), sum(n) FROM t"), ["3000|60000000|4501500"]);
}

#[test]
fn what_a_server_does_to_slow_readers_ends_no_load() {
    let Some(shop) = many(KEYED[0], 3_000) else { return };
    shop.sql("UPDATE src SET t = REPEAT('x', 20000)");
    let scene = Scene::with(
        "CREATE TABLE t (k int PRIMARY KEY, n int, t text);
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF (SELECT count(*) FROM t) < 200 THEN PERFORM pg_sleep(4); END IF; RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT OR UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    );
    // The server of the tests gives up writing after a second, and ends what takes two.
    let outcome = scene.load(&format!("{} --table t --pool-size 2 --max-memory 16MiB", shop.table("src")));
    assert_eq!(outcome.rows(), rows!(read: 3_000, inserted: 3_000));
    assert_eq!(scene.db.one("SELECT sum(length(t)) FROM t"), "60000000");
    let query = shop.word("query=SELECT%20k,%20n,%20SLEEP(0.002)%20AS%20t%20FROM%20src");
    let outcome = scene.load(&format!("{query} --table slept --mode append"));
    assert_eq!(outcome.rows(), rows!(read: 3_000, inserted: 3_000));
}

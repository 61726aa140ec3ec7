//! Tables of files of SQLite as sources. What a load has made of one is compared with what SQLite's own
//! library reads of it, value by value.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::rows;
use crate::support::{Dbload, Rows, Scene, audit, until};

/// A file with what these statements make, in the folder of a scene.
fn made(scene: &Scene, name: &str, sql: &str) -> PathBuf {
    let path = scene.cwd().join(name);
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    path
}

fn word(path: &Path, what: &str) -> String {
    format!("sqlite://{}?{what}", path.display())
}

fn table(path: &Path, name: &str) -> String {
    word(path, &format!("table={name}"))
}

/// The rows of a query, fields joined as [`Database::lines`](crate::support::Database::lines) joins them.
fn lines(path: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query(()).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let shown = (0..columns).map(|n| match row.get_ref(n).unwrap() {
            ValueRef::Null => "NULL".to_owned(),
            ValueRef::Integer(n) => n.to_string(),
            ValueRef::Real(x) => x.to_bits().cast_signed().to_string(),
            ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
            ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        });
        all.push(shown.collect::<Vec<_>>().join("|"));
    }
    all
}

/// A double by its bits, as [`lines`] shows one.
fn bits(column: &str) -> String {
    format!("('x' || encode(float8send({column}), 'hex'))::bit(64)::bigint")
}

const OF_MANY_TYPES: &str = r#"
    CREATE TABLE src (
        id INTEGER PRIMARY KEY, small TINYINT, "Mixed ""name""" VARCHAR(9), d DOUBLE, price DECIMAL(10,2), ok BOOLEAN,
        raw BLOB, anything, day DATE, at DATETIME, wall TIMESTAMP, j JSON, u UUID,
        twice INTEGER GENERATED ALWAYS AS (small * 2) STORED, thrice AS (small * 3));
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
    INSERT INTO src (id, small, "Mixed ""name""", d, price, ok, raw, anything, day, at, wall, j, u)
    SELECT i * 3, i % 100 - 50, CASE WHEN i % 5 > 0 THEN 'a' || char(9, 92, 10, 13) || '\N"' || i || 'é😀' END, i / 7.0,
        i + 0.25, i % 2, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN zeroblob(i % 9) ELSE randomblob(i % 40) END,
        CASE i % 2 WHEN 0 THEN i ELSE 'text ' || i END, date('2000-02-28', i || ' days'),
        datetime('2000-02-28 23:59:59', i || ' minutes'), datetime('1999-01-01', i || ' hours') || '.5',
        json_object('i', i, 'n', json_array(1.50, null)), printf('%08x-0000-4000-8000-%012x', i, i) FROM n;
    INSERT INTO src (id, small, d, "Mixed ""name""") VALUES (9223372036854775807, 0, 9e999, ''),
        (-9223372036854775808, 0, -9e999, '\x41'), (-1, NULL, 1e300, ' '), (-2, 7, 5e-324, '0'), (-3, 7, -0.1, '\\');
"#;

#[test]
fn a_table_arrives_as_it_is_in_a_new_one_and_in_one_that_exists() {
    let scene = Scene::new();
    let path = made(&scene, "shop.db", OF_MANY_TYPES);
    let outcome = scene.load(&format!("{} --table made --key id", table(&path, "src")));
    assert_eq!(outcome.rows(), rows!(read: 3_005, inserted: 3_005));
    let types = "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute \
                 WHERE attnum > 0 AND attrelid = 'made'::regclass ORDER BY attnum";
    assert_eq!(
        scene.db.lines(types),
        [
            "id|bigint",
            "small|bigint",
            "Mixed \"name\"|text",
            "d|double precision",
            "price|numeric",
            "ok|boolean",
            "raw|bytea",
            "anything|text",
            "day|date",
            "at|timestamp with time zone",
            "wall|timestamp with time zone",
            "j|jsonb",
            "u|uuid",
        ]
    );
    let there = format!(
        r#"SELECT id, small, "Mixed ""name""", {}, price, ok::int, encode(raw, 'hex'), anything, day::text,
           to_char(at, 'YYYY-MM-DD HH24:MI:SS'), to_char(wall, 'YYYY-MM-DD HH24:MI:SS.FF1'), (j ->> 'i'), u FROM made ORDER BY id"#,
        bits("d")
    );
    let here = r#"SELECT id, small, "Mixed ""name""", d, CAST(price AS TEXT), ok, raw, CAST(anything AS TEXT), day, at, wall,
                  j ->> 'i', u FROM src ORDER BY id"#;
    assert_eq!(scene.db.lines(&there), lines(&path, here));
    // Once more, into the same: nothing changes, and verify agrees.
    let outcome = scene.load(&format!("{} --table made --key id", table(&path, "SRC")));
    assert_eq!(outcome.rows(), rows!(read: 3_005, unchanged: 3_005));
    scene.dbload(&format!("verify {} --table made --key id", table(&path, "main.src"))).run().exits(0);
    // A table that exists has its own types.
    scene.sql("CREATE TABLE there (id numeric PRIMARY KEY, small real, raw bytea, at timestamptz, j json, extra int)");
    scene.load(&format!("{} --table there --extra ignore", table(&path, "src")));
    let there = "SELECT id, small::int, encode(raw, 'hex'), to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), j::text \
                 FROM there ORDER BY id";
    assert_eq!(scene.db.lines(there), lines(&path, "SELECT id, small, raw, at, j FROM src ORDER BY id"));
}

#[test]
fn values_that_a_column_does_not_hold_are_rejects_and_the_rest_is_loaded() {
    let scene = Scene::new();
    let path = made(
        &scene,
        "loose.db",
        "CREATE TABLE src (id INTEGER PRIMARY KEY, n INTEGER, t TEXT, at DATETIME, x REAL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
         INSERT INTO src SELECT i, i, 't' || i, '2024-01-02 03:04:05', i FROM n;
         UPDATE src SET n = 'many' WHERE id = 7; UPDATE src SET n = 1.5 WHERE id = 8;
         UPDATE src SET t = x'ff00fe' WHERE id = 9; UPDATE src SET t = CAST('bytes' AS BLOB) WHERE id = 10;
         UPDATE src SET t = 'a' || char(0) || 'b' WHERE id = 11; UPDATE src SET at = 1700000000 WHERE id = 1200;
         UPDATE src SET x = 'none' WHERE id = 13",
    );
    let outcome = scene.run(&format!("{} --table t --key id --max-rejects 10", table(&path, "src")));
    assert_eq!(outcome.rows(), rows!(read: 1_500, inserted: 1_495, rejected: 5), "{outcome}");
    assert_eq!(audit(&scene.db), outcome.rows());
    assert_eq!(scene.db.lines("SELECT t FROM t WHERE id = 10"), ["bytes"]);
    let gone = "SELECT string_agg(i::text, ' ' ORDER BY i) FROM generate_series(1, 1500) i WHERE i NOT IN (SELECT id FROM t)";
    assert_eq!(scene.db.one(gone), "7 8 9 11 13");
    // A column of whole seconds is one of numbers, whatever it calls itself.
    let path = made(
        &scene,
        "unix.db",
        "CREATE TABLE src (id INTEGER PRIMARY KEY, at DATETIME); INSERT INTO src VALUES (1, 1700000000)",
    );
    scene.load(&format!("{} --table unix", table(&path, "src")));
    assert_eq!(scene.db.lines("SELECT at, pg_typeof(at) FROM unix"), ["1700000000|bigint"]);
}

/// Tables that resume, by what tells their rows apart, and the type of the target's key.
const KEYED: [(&str, &str, &str); 6] = [
    ("number of the row", "k INTEGER PRIMARY KEY, n INT, t TEXT", "i * 7 - 100000"),
    ("text", "k TEXT PRIMARY KEY, n INT, t TEXT", "printf('%08x\t', i * 2654435761 % 4294967296)"),
    ("text without case", "k VARCHAR(9) COLLATE NOCASE PRIMARY KEY, n INT, t TEXT", "printf('%x', i)"),
    ("real", "k REAL PRIMARY KEY, n INT, t TEXT", "i / 7.0"),
    ("bytes", "k BLOB PRIMARY KEY, n INT, t TEXT", "CAST(printf('%x', i * 16807 % 1000003) AS BLOB)"),
    ("name and text", "k TEXT, n INT, t TEXT, PRIMARY KEY (k, n)) WITHOUT ROWID --", "printf('k%d', i % 10)"),
];

/// A source of many rows of this kind.
fn many(scene: &Scene, name: &str, (_, columns, key): (&str, &str, &str), rows: u32) -> PathBuf {
    let sql = format!(
        "CREATE TABLE src ({columns}\n);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO src (k, n, t) SELECT {key}, i, printf('%.*c', i % 50, 'x') FROM n"
    )
    .replace("--\n)", "");
    made(scene, name, &sql)
}

const SLOW: &str = "
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
    CREATE TRIGGER slow AFTER INSERT OR UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()";

/// A target that takes its time, for a key of this source.
fn slow_target(scene: &Scene, kind: &str) {
    let key = match kind {
        "number of the row" => "k bigint PRIMARY KEY, n int, t text",
        "real" => "k double precision PRIMARY KEY, n int, t text",
        "bytes" => "k bytea PRIMARY KEY, n int, t text",
        "name and text" => "k text, n int, t text, PRIMARY KEY (k, n)",
        _ => "k text PRIMARY KEY, n int, t text",
    };
    scene.sql(&format!("CREATE TABLE t ({key}); {SLOW}"));
}

/// Waits until each writer of the load has committed: the place of the load is behind its start then.
fn until_all_have_stored(scene: &Scene) {
    let writers = "SELECT count(*) FROM _dbload.checkpoint c JOIN _dbload.run r USING (run) \
                   WHERE r.state = 'running' AND c.batches > 0";
    until("each writer has stored rows", || {
        scene.db.try_rows(writers).is_ok_and(|(rows, _)| rows[0][0] == Some("2".to_owned()))
    });
}

/// Both have the same rows: each knows its number, and is compared by that.
#[track_caller]
fn same(scene: &Scene, path: &Path, kind: &str) {
    let key = match kind {
        "real" => bits("k"),
        "bytes" => "encode(k, 'hex')".to_owned(),
        _ => "k".to_owned(),
    };
    let there = scene.db.lines(&format!("SELECT n, {key}, t FROM t ORDER BY n"));
    assert!(there == lines(path, "SELECT n, k, t FROM src ORDER BY n"), "{kind}");
}

#[test]
fn a_killed_load_goes_on_behind_the_keys_that_were_stored() {
    const ROWS: u32 = 20_000;
    for kind in KEYED {
        let scene = Scene::new();
        let path = many(&scene, "a.db", kind, ROWS);
        slow_target(&scene, kind.0);
        let command =
            || scene.dbload(&format!("{} --table t --batch-rows 500 --pool-size 2", table(&path, "src")));
        for kills in 1..=2 {
            let running = command().spawn();
            let before = scene.db.count("t");
            until("more rows are stored", || scene.db.count("t") > before + 2_000);
            running.kill9_after(Duration::ZERO);
            assert!(scene.db.count("t") < u64::from(ROWS), "too late after {kills} kills");
        }
        scene.sql("DROP TRIGGER slow ON t");
        let outcome = command().run().exits(0).says("resum");
        assert_eq!(outcome.rows(), rows!(read: u64::from(ROWS), inserted: u64::from(ROWS)), "{}", kind.0);
        same(&scene, &path, kind.0);
        assert_eq!(audit(&scene.db), outcome.rows());
    }
}

#[test]
fn rows_that_changed_meanwhile_are_applied_again_and_none_is_lost() {
    let scene = Scene::new();
    let path = many(&scene, "a.db", KEYED[1], 20_000);
    slow_target(&scene, "text");
    // The same load from another folder: a path is the same from everywhere.
    let command = || scene.dbload("sqlite://a.db?table=src --table t --batch-rows 500 --pool-size 2");
    let running = command().spawn();
    until("rows are stored", || scene.db.count("t") > 3_000);
    running.kill9_after(Duration::ZERO);
    scene.sql("DROP TRIGGER slow ON t");
    let writer = Connection::open(&path).unwrap();
    writer
        .execute_batch("UPDATE src SET t = 'new' WHERE n % 3 = 0; DELETE FROM src WHERE n % 100 = 1; VACUUM")
        .unwrap();
    let outcome = scene
        .dbload(&format!("{} --table t --batch-rows 500 --pool-size 2", table(&path, "src")))
        .run()
        .exits(0)
        .says("resum");
    let books: Rows = outcome.rows();
    assert_eq!(books.read, books.inserted + books.updated + books.unchanged, "{outcome}");
    let keys = |lines: Vec<String>| lines.into_iter().collect::<std::collections::BTreeSet<_>>();
    let there = keys(scene.db.lines("SELECT k, n FROM t"));
    assert!(keys(lines(&path, "SELECT k, n FROM src")).is_subset(&there), "a row is missing");
    scene.load(&format!("{} --table t", table(&path, "src")));
    let there = keys(scene.db.lines("SELECT k, n, t FROM t"));
    assert!(keys(lines(&path, "SELECT k, n, t FROM src")).is_subset(&there), "the next load brings the rest");
}

#[test]
fn a_table_that_tells_its_rows_apart_otherwise_by_now_is_not_gone_on_with() {
    let scene = Scene::new();
    let path = many(&scene, "a.db", KEYED[1], 20_000);
    slow_target(&scene, "text");
    let command =
        || scene.dbload(&format!("{} --table t --batch-rows 500 --pool-size 2", table(&path, "src")));
    let running = command().spawn();
    until_all_have_stored(&scene);
    running.kill9_after(Duration::ZERO);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "ALTER TABLE src RENAME TO old; CREATE TABLE src (k INTEGER PRIMARY KEY, n INT, t TEXT);
             INSERT INTO src SELECT n, n, t FROM old",
        )
        .unwrap();
    command().run().exits(4).says("another primary key").says("told apart otherwise now");
    scene.sql("DROP TRIGGER slow ON t");
    let outcome = command().arg("--restart").run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 20_000, inserted: 20_000));
}

#[test]
fn all_of_a_load_is_one_state_of_the_file() {
    let scene = Scene::new();
    let path = many(&scene, "a.db", KEYED[0], 10_000);
    slow_target(&scene, KEYED[0].0);
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    let running =
        scene.dbload(&format!("{} --table t --batch-rows 500 --pool-size 2", table(&path, "src"))).spawn();
    until("rows are stored", || scene.db.count("t") > 500);
    writer.execute_batch("UPDATE src SET t = 'later'; INSERT INTO src (k, n) VALUES (9000000, 0)").unwrap();
    let outcome = running.wait().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 10_000, inserted: 10_000));
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE t = 'later'"), "0");
}

#[test]
fn rows_without_a_key_are_read_whole_or_not_at_all() {
    let scene = Scene::new();
    let path = many(&scene, "a.db", ("none", "k INT, n INT, t TEXT", "i"), 8_000);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE VIEW half AS SELECT * FROM src WHERE n % 2 = 0;
             CREATE TABLE mixed (k PRIMARY KEY, n INT); INSERT INTO mixed VALUES (1, 1), ('1', 2), (NULL, 3), (NULL, 4)",
        )
        .unwrap();
    slow_target(&scene, KEYED[0].0);
    let command = |source: &str| scene.dbload(&format!("{source} --table t --batch-rows 200 --pool-size 2"));
    for source in [table(&path, "src"), table(&path, "half"), word(&path, "query=SELECT%20*%20FROM%20src")] {
        let running = command(&source).spawn();
        until_all_have_stored(&scene);
        running.kill9_after(Duration::ZERO);
        command(&source).run().exits(4).says("primary key").says("--restart");
        scene.db.until_quiet();
        scene.sql("ALTER TABLE t DISABLE TRIGGER slow");
        command(&format!("{source} --restart")).run().exits(0);
        let rows = if source.ends_with("half") { "SELECT * FROM half" } else { "SELECT * FROM src" };
        let mut there = scene.db.lines("SELECT k, n, t FROM t");
        there.sort();
        let mut here = lines(&path, rows);
        here.sort();
        assert!(there == here, "{source}");
        scene.sql("TRUNCATE t; ALTER TABLE t ENABLE TRIGGER slow");
    }
    // Values of several classes, and NULLs, are in no order that a text could name.
    scene.load(&format!("{} --table mixed --mode append", table(&path, "mixed")));
    assert_eq!(scene.db.lines("SELECT k, n FROM mixed ORDER BY n"), ["1|1", "1|2", "NULL|3", "NULL|4"]);
    let query = "query=SELECT%20n%2B1%20AS%20n,%20CAST(k%20AS%20BLOB)%20AS%20b,%20k%20/%202.0%20AS%20half,%20t%20FROM%20src%20\
                 WHERE%20n%20<=%203;%20";
    scene.load(&format!("{} --table asked --mode append", word(&path, query)));
    assert_eq!(
        scene.db.lines(
            "SELECT n, encode(b, 'escape'), half, pg_typeof(b), pg_typeof(half) FROM asked ORDER BY n"
        ),
        ["2|1|0.5|bytea|double precision", "3|2|1|bytea|double precision", "4|3|1.5|bytea|double precision"]
    );
}

#[test]
fn what_cannot_be_a_source_is_refused_with_words() {
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY)");
    let path = made(
        &scene,
        "my shop?.db",
        "CREATE TABLE \"or ders\" (id INTEGER PRIMARY KEY); INSERT INTO \"or ders\" VALUES (1), (2); CREATE TABLE empty (id INT)",
    );
    let into_t =
        |word: &str| Dbload::new(scene.cwd()).arg(word).line("--table t --json --dsn").arg(scene.db.url());
    into_t("sqlite://my shop.db?table=x").run().exits(4).says("found no file").says("my shop?.db");
    into_t("sqlite://.?table=x").run().exits(4).says("directory");
    into_t("sqlite://my shop%3F.db").run().exits(4).says("sqlite://FILE?table=NAME");
    into_t("sqlite://my shop%3F.db?table=x&mode=rw").run().exits(4).says("& is %26 in a query");
    into_t("sqlite://my shop%3F.db?table=orders")
        .run()
        .exits(4)
        .says("or ders")
        .says("table=NAME takes one of them");
    for no_query in ["DELETE FROM empty", "SELECT 1; SELECT 2", "BEGIN", "-- nothing", ""] {
        let word = format!("sqlite://my shop%3F.db?query={no_query}");
        into_t(&word).run().exits(4).says("one SELECT, VALUES or WITH .. SELECT");
    }
    into_t("sqlite://my shop%3F.db?query=SELECT absent FROM empty").run().exits(4).says("no such column");
    assert_eq!(scene.db.count("t"), 0);
    // Names as SQL and as people have them.
    for name in ["or ders", "OR DERS", "main.or ders", "\"or ders\""] {
        into_t(&format!("sqlite://my%20shop%3F.db?table={name}")).run().exits(0);
        assert_eq!(scene.db.lines("SELECT id FROM t ORDER BY id"), ["1", "2"], "{name}");
        scene.sql("TRUNCATE t");
    }
    // What is not SQLite's, or no longer.
    scene.file("text.db", "id,name\n1,a\n".repeat(900));
    into_t("sqlite://text.db?table=t").run().exits(4).says("no SQLite database").says("by its path alone");
    into_t("sqlite://empty.db?table=t").run().exits(4);
    let mut bytes = std::fs::read(&path).unwrap();
    let behind = bytes.len() - 4096;
    bytes[behind..].fill(0xee);
    bytes[100..108].fill(0xee);
    scene.file("damaged.db", bytes);
    into_t("sqlite://damaged.db?table=empty")
        .run()
        .exits(4)
        .says("damaged")
        .says(".recover writes what can be saved");
}

#[test]
fn a_file_that_is_locked_or_was_left_in_the_middle_is_not_read_until_it_is_mended() {
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, v text)");
    let path = made(&scene, "a.db", "CREATE TABLE src (id INTEGER PRIMARY KEY, v TEXT)");
    let writer = Connection::open(&path).unwrap();
    writer
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO src SELECT i, printf('%.*c', 200, 'x') FROM n;
             BEGIN EXCLUSIVE; UPDATE src SET v = 'half'",
        )
        .unwrap();
    writer.cache_flush().unwrap();
    let command = |file: &str| scene.dbload(&format!("sqlite://{file}?table=src --table t"));
    command("a.db").run().exits(4).says("locked").says("the same command reads it then");
    // As a crash of the writer leaves it.
    std::fs::copy(&path, scene.cwd().join("left.db")).unwrap();
    std::fs::copy(scene.cwd().join("a.db-journal"), scene.cwd().join("left.db-journal")).unwrap();
    command("left.db").run().exits(4).says("the right to write beside it");
    assert_eq!(scene.db.count("t"), 0);
    writer.execute_batch("ROLLBACK").unwrap();
    command("a.db").run().exits(0);
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE v = 'half'"), "0");
    // The hint is true.
    let left = Connection::open(scene.cwd().join("left.db")).unwrap();
    left.execute_batch(&format!("VACUUM INTO '{}'", scene.cwd().join("copy.db").display())).unwrap();
    assert_eq!(command("copy.db").run().exits(0).rows(), rows!(read: 5_000, unchanged: 5_000));
}

#[test]
fn a_database_that_is_named_as_a_file_says_its_tables_and_the_command_that_reads_one() {
    let scene = Scene::new();
    made(
        &scene,
        "shop's 1%.db",
        "CREATE TABLE \"a b\" (id INTEGER PRIMARY KEY, v); INSERT INTO \"a b\" VALUES (1, 'x');
         CREATE TABLE c1 (i); CREATE TABLE c2 (i); CREATE VIEW c3 AS SELECT * FROM c1; CREATE TABLE c4 (i)",
    );
    let alone = Dbload::new(scene.cwd()).arg("shop's 1%.db").arg("--dsn").arg(scene.db.url()).run().exits(4);
    let said = alone.stderr.clone();
    assert!(said.contains("is an SQLite database with the tables a b, c1, c2, c3 and 1 more"), "{said}");
    let command = said.split("each of its tables is a source: dbload '").nth(1).unwrap();
    let word = command.split('\'').next().unwrap();
    assert_eq!(word, "sqlite://shop%27s%201%25.db?table=a%20b");
    Dbload::new(scene.cwd()).arg(word).arg("--dsn").arg(scene.db.url()).run().exits(0);
    assert_eq!(scene.db.lines("SELECT id, v FROM \"a b\""), ["1|x"]);
    // Read from elsewhere it is no source by itself.
    let bytes = std::fs::read(scene.cwd().join("shop's 1%.db")).unwrap();
    let piped = scene.dbload("- --table t").stdin(bytes).run().exits(4);
    assert!(piped.stderr.contains("its tables are sources: sqlite://FILE?table=NAME"), "{piped}");
    Connection::open(scene.cwd().join("none.db")).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
    scene.run("none.db --table t").exits(4).says("in which no table can be seen");
}

#[test]
fn a_job_file_reads_a_file_beside_it() {
    let scene = Scene::new();
    made(
        &scene,
        "shop.db",
        "CREATE TABLE src (id INTEGER PRIMARY KEY, v TEXT);
         INSERT INTO src VALUES (1, 'a'), (2, 'b'); CREATE VIEW of_a AS SELECT * FROM src WHERE v = 'a'",
    );
    scene.file(
        "dbload.toml",
        "name = \"n\"\n[load.t]\nsource = \"sqlite://shop.db?table=src\"\nkey = [\"id\"]\n\
         [load.a]\nsource = \"sqlite://shop.db?table=of_a\"\nkey = [\"id\"]\n",
    );
    scene.plain("check").run().exits(0);
    scene.plain("run").run().exits(0);
    assert_eq!(scene.db.lines("SELECT id, v FROM t ORDER BY id"), ["1|a", "2|b"]);
    assert_eq!(scene.db.lines("SELECT id, v FROM a"), ["1|a"]);
}

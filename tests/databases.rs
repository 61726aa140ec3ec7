//! Tables of PostgreSQL as sources. What a load has made of one is compared by the server, row by row.

use std::time::Duration;

use crate::rows;
use crate::support::{Rows, Scene, audit, until};

/// The word of a table of a scene's database.
fn word(scene: &Scene, what: &str) -> String {
    let url = scene.db.url();
    let joined = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joined}{what}")
}

fn table(scene: &Scene, name: &str) -> String {
    word(scene, &format!("table={name}"))
}

/// Both have the same rows, as their text.
#[track_caller]
fn same(scene: &Scene, a: &str, b: &str) {
    assert_eq!(scene.db.digest(a), scene.db.digest(b));
}

const OF_MANY_TYPES: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
    CREATE DOMAIN amount AS numeric(12, 3) CHECK (VALUE > 0);
    CREATE TABLE src (
        id bigint GENERATED ALWAYS AS IDENTITY, part text COLLATE "C", "Mixed ""name""" text, small smallint, n numeric,
        price amount, r real, d double precision, b boolean, bytes bytea, day date, at timestamptz, wall timestamp,
        clock time, took interval, u uuid, j json, jb jsonb, tags text[], nested int[][], net inet, bits bit varying(9),
        m mood, x xml, span int4range, double numeric GENERATED ALWAYS AS (n * 2) STORED, PRIMARY KEY (part, id));
    INSERT INTO src (part, "Mixed ""name""", small, n, price, r, d, b, bytes, day, at, wall, clock, took, u, j, jb, tags,
        nested, net, bits, m, x, span)
    SELECT chr(9) || 'p' || i % 7 || E'\\ ''\n', CASE WHEN i % 5 > 0 THEN repeat(E'\\N\t\r\n"', i % 5) END, i % 100,
        (i * 1e20 + 0.1)::numeric, i + 0.125, i / 3.0, i / 7.0, i % 2 = 0, decode(md5(i::text), 'hex'),
        date '0044-03-15 BC' + i * 1000, timestamptz '1999-12-31 23:59:59.999999+05:45' + i * interval '1 day 1 us',
        timestamp '2024-02-29 12:00:00.000001', time '23:59:59.5', interval '1 mon -3 days 04:05:06.7',
        md5(i::text)::uuid, '{"b": 1,  "a": [1.50, null]}', '{"k": "\u00e9\\"}', ARRAY['a,b', NULL, '{"}', ''],
        ARRAY[[1, i], [3, NULL]], '10.0.0.1/8', B'101', CASE WHEN i % 2 = 0 THEN 'sad' ELSE 'it''s "ok"' END::mood,
        '<a>&amp;</a>', int4range(i, NULL)
    FROM generate_series(1, 3000) i;
    INSERT INTO src (part, r, d, n, at, day) VALUES ('', 'NaN', '-Infinity', 'NaN', 'infinity', '-infinity')"#;

#[test]
fn a_table_arrives_as_it_is_in_a_new_one_and_in_one_that_exists() {
    let scene = Scene::with(OF_MANY_TYPES);
    let outcome = scene.load(&format!("{} --table made --key part,id", table(&scene, "src")));
    assert_eq!(outcome.rows(), rows!(read: 3_001, inserted: 3_001));
    let columns = r#"SELECT id, part, "Mixed ""name""", small, n, price, r, d, b, bytes, day, at, wall, clock, took, u,
        j::text, jb, tags, nested, net, bits, m::text, x::text, span FROM"#;
    same(&scene, &format!("({columns} src) a"), &format!("({columns} made) a"));
    // The types are those of the source, but for its own ones.
    let types = "SELECT attname, CASE WHEN t.typtype IN ('e', 'd') THEN '-' ELSE format_type(atttypid, atttypmod) END \
                 FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid \
                 WHERE attnum > 0 AND attgenerated = '' AND attrelid =";
    for line in scene.db.lines(&format!("{types} 'src'::regclass")) {
        let made = scene.db.lines(&format!("{types} 'made'::regclass AND attname = {}", quoted(&line)));
        assert!(line.ends_with("|-") || made == [line.as_str()], "{line} {made:?}");
    }
    scene.sql("CREATE TABLE there (LIKE src INCLUDING ALL)");
    let outcome = scene.load(&format!("{} --table there", table(&scene, "public.src")));
    assert_eq!(outcome.rows(), rows!(read: 3_001, inserted: 3_001));
    same(&scene, "src", "there");
    // Once more: nothing changes, and verify agrees.
    scene.sql("UPDATE src SET small = 7 WHERE id % 10 = 0");
    let outcome = scene.load(&format!("{} --table there", table(&scene, "src")));
    assert_eq!(outcome.rows().updated + outcome.rows().unchanged, 3_001, "{outcome}");
    same(&scene, "src", "there");
    scene.dbload(&format!("verify {} --table there", table(&scene, "src"))).run().exits(0);
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.rsplit_once('|').unwrap().0.replace('\'', "''"))
}

/// A source of many rows, and a target that takes its time.
fn slow(rows: u32) -> Scene {
    Scene::with(&format!(
        "CREATE TABLE src (k text COLLATE \"C\" PRIMARY KEY, n int, t text);
         INSERT INTO src SELECT md5(i::text), i, repeat('x', i % 50) FROM generate_series(1, {rows}) i;
         CREATE TABLE t (k text PRIMARY KEY, n int, t text);
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.15); RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT OR UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()"
    ))
}

#[test]
fn a_killed_load_goes_on_behind_the_keys_that_were_stored() {
    let scene = slow(40_000);
    let command =
        || scene.dbload(&format!("{} --table t --batch-rows 500 --pool-size 3", table(&scene, "src")));
    for kills in 1..=3 {
        let running = command().spawn();
        let before = scene.db.count("t");
        until("more rows are stored", || scene.db.count("t") > before + 2_000);
        running.kill9_after(Duration::ZERO);
        assert!(scene.db.count("t") < 40_000, "too late after {kills} kills");
    }
    scene.sql("DROP TRIGGER slow ON t");
    let outcome = command().run().exits(0).says("resum");
    assert_eq!(outcome.rows(), rows!(read: 40_000, inserted: 40_000));
    same(&scene, "src", "t");
    assert_eq!(audit(&scene.db), outcome.rows());
}

#[test]
fn rows_that_changed_meanwhile_are_applied_again_and_none_is_lost() {
    let scene = slow(40_000);
    let command =
        || scene.dbload(&format!("{} --table t --batch-rows 500 --pool-size 3", table(&scene, "src")));
    let running = command().spawn();
    until("rows are stored", || scene.db.count("t") > 3_000);
    running.kill9_after(Duration::ZERO);
    // Among those that the partitions stand at, before them and behind them.
    scene.sql(
        "DROP TRIGGER slow ON t; UPDATE src SET t = 'new' WHERE n % 3 = 0; DELETE FROM src WHERE n % 100 = 1",
    );
    let outcome = command().run().exits(0);
    let books: Rows = outcome.rows();
    assert_eq!(books.read, books.inserted + books.updated + books.unchanged, "{outcome}");
    // What was not read again is as it was read: in either version. Whatever is behind is as it is now.
    assert_eq!(
        scene.db.one("SELECT count(*) FROM src LEFT JOIN t USING (k) WHERE t.k IS NULL OR t.n <> src.n"),
        "0"
    );
    scene.load(&format!("{} --table t", table(&scene, "src")));
    assert_eq!(scene.db.one("SELECT count(*) FROM (TABLE src EXCEPT TABLE t) x"), "0");
}

/// One partition has stored rows and the other none, for the first batch of it waits for somebody's lock.
fn held_up(scene: &Scene, what: &str) {
    scene.sql(
        "CREATE TABLE src (id bigint PRIMARY KEY, v int);
         INSERT INTO src SELECT i * 1000, i FROM generate_series(1, 4000) i;
         CREATE TABLE t (id bigint PRIMARY KEY, v int);
         CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF EXISTS (SELECT FROM n WHERE id = 1000) THEN PERFORM pg_advisory_xact_lock(42); END IF; RETURN NULL; END $$;
         CREATE TRIGGER hold AFTER INSERT ON t REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION hold()",
    );
    let holder = scene.db.another();
    holder.sql("SELECT pg_advisory_lock(42)");
    let load = format!("{} --table t --batch-rows 100 --pool-size 2", word(scene, what));
    let running = scene.dbload(&load).spawn();
    // The other one goes on as far as what waits for the first lets it.
    until("one partition has stored rows", || scene.db.count("t") >= 100);
    running.kill9_after(Duration::ZERO);
    // Its COMMIT may be on the way.
    holder.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'advisory'");
    until("nobody waits", || {
        scene.db.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'") == "0"
    });
    holder.sql("SELECT pg_advisory_unlock(42)");
    scene.db.until_quiet();
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE id = 1000"), "0");
}

#[test]
fn rows_that_moved_are_noticed_where_only_one_of_two_writers_has_stored_any() {
    let scene = Scene::new();
    held_up(&scene, "table=src");
    // Each row behind them has another number now.
    scene.sql("DELETE FROM src WHERE v BETWEEN 2 AND 500");
    let load = format!("{} --table t --batch-rows 100 --pool-size 2", table(&scene, "src"));
    scene.plain(&load).run().exits(0).says("are not what they were");
    assert_eq!(scene.db.one("SELECT count(*) FROM (TABLE src EXCEPT TABLE t) x"), "0");
}

#[test]
fn what_was_stored_is_gone_on_with_where_only_one_of_two_writers_has_stored_any() {
    let scene = Scene::new();
    held_up(&scene, "table=src");
    let load = format!("{} --table t --batch-rows 100 --pool-size 2", table(&scene, "src"));
    let outcome = scene.dbload(&load).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 4_000, inserted: 4_000), "{outcome}");
    same(&scene, "src", "t");
    assert_eq!(audit(&scene.db), outcome.rows());
}

#[test]
fn a_query_is_refused_where_only_one_of_two_writers_has_stored_any() {
    let scene = Scene::new();
    let query = "query=SELECT%20*%20FROM%20src%20ORDER%20BY%20id";
    held_up(&scene, query);
    let stored = scene.db.count("t");
    let load = format!("{} --table t --batch-rows 100 --pool-size 2", word(&scene, query));
    scene.plain(&load).run().exits(4);
    assert_eq!(scene.db.count("t"), stored);
}

#[test]
fn all_of_a_load_is_one_state_of_the_source() {
    let scene = slow(20_000);
    let running =
        scene.dbload(&format!("{} --table t --batch-rows 500 --pool-size 2", table(&scene, "src"))).spawn();
    until("rows are stored", || scene.db.count("t") > 500);
    scene.sql("UPDATE src SET t = 'later'; INSERT INTO src SELECT 'zz' || i, i FROM generate_series(1, 9) i");
    let outcome = running.wait().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 20_000, inserted: 20_000));
    assert_eq!(scene.db.one("SELECT count(*) FROM t WHERE t = 'later'"), "0");
}

#[test]
fn rows_without_a_key_are_read_whole_or_not_at_all() {
    let scene = slow(8_000);
    scene.sql(
        "ALTER TABLE src DROP CONSTRAINT src_pkey; CREATE VIEW half AS SELECT * FROM src WHERE n % 2 = 0",
    );
    let command = |source: &str| scene.dbload(&format!("{source} --table t --batch-rows 200 --pool-size 2"));
    let source = table(&scene, "src");
    let running = command(&source).spawn();
    until("rows are stored", || scene.db.count("t") > 500);
    running.kill9_after(Duration::ZERO);
    command(&source).run().exits(4).says("primary key").says("--restart");
    scene.sql("DROP TRIGGER slow ON t");
    command(&format!("{source} --restart")).run().exits(0);
    same(&scene, "src", "t");
    scene.sql("TRUNCATE t");
    let outcome = command(&table(&scene, "half")).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 4_000, inserted: 4_000));
    same(&scene, "half", "t");
    scene.sql("TRUNCATE t");
    let query =
        "query=SELECT%20k,%20n%2B1%20AS%20n,%20NULL::text%20AS%20t%20FROM%20src%20WHERE%20n%20<=%203;%20";
    let outcome = command(&word(&scene, query)).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 3));
    assert_eq!(scene.db.one("SELECT string_agg(n::text, ' ' ORDER BY n) FROM t"), "2 3 4");
    // Types of a query too.
    let query = "query=SELECT%20n::numeric(9,2)%20AS%20amount,%20now()::date%20AS%20day,%20k::varchar(40)%20AS%20k%20FROM%20src";
    scene.load(&format!("{} --table made --mode append", word(&scene, query)));
    let types = "SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum) FROM pg_attribute \
                 WHERE attrelid = to_regclass('made') AND attnum > 0";
    assert_eq!(scene.db.one(types), "numeric(9,2) date character varying(40)");
}

#[test]
fn partitions_come_with_their_parent_and_heirs_with_a_table_that_has_some() {
    let scene = Scene::with(
        "CREATE TABLE src (id int, n int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE src_b PARTITION OF src FOR VALUES FROM (500) TO (1000);
         CREATE TABLE src_a (n int, id int NOT NULL);
         ALTER TABLE src ATTACH PARTITION src_a FOR VALUES FROM (0) TO (500);
         INSERT INTO src SELECT i, i FROM generate_series(0, 999) i;
         CREATE TABLE old (id int PRIMARY KEY, n int); CREATE TABLE heir (more int) INHERITS (old);
         INSERT INTO old VALUES (1, 1); INSERT INTO heir VALUES (1, 2, 3), (2, 2, 3);
         CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE u (id int, n int)",
    );
    scene.load(&format!("{} --table t", table(&scene, "src")));
    same(&scene, "src", "t");
    scene.load(&format!("{} --table u", table(&scene, "old")));
    same(&scene, "old", "u");
}

#[test]
fn what_cannot_be_a_source_is_refused_with_words() {
    let scene = Scene::with(
        "CREATE TABLE src (id int PRIMARY KEY); CREATE TABLE hidden (id int PRIMARY KEY);
         INSERT INTO hidden VALUES (1), (2); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
         CREATE POLICY few ON hidden USING (id = 1);
         CREATE TABLE t (id int PRIMARY KEY)",
    );
    let role = format!("reader_{}", scene.db.name());
    scene.sql(&format!("CREATE ROLE \"{role}\" LOGIN; GRANT SELECT ON hidden TO \"{role}\""));
    scene.run(&format!("{} --table t", scene.db.url())).exits(4).says("table=");
    scene
        .run(&format!("{} --table t", table(&scene, "nothing")))
        .exits(4)
        .says("a role sees the tables of schemas that it may use");
    scene
        .run(&format!("{} --table src", table(&scene, "public.src")))
        .exits(6)
        .says("is the table that is loaded")
        .says("a table is no source of itself");
    scene.run("postgres://nobody@127.0.0.1:1/x?table=t --table t").exits(4).says("cannot connect");
    scene
        .run(&format!("{} --table t", table(&scene, "a.b.c")))
        .exits(4)
        .says("by SQL's rules; special characters");
    let as_role = |what: &str| word(&scene, what).replace("user=postgres", &format!("user={role}"));
    scene.run(&format!("{} --table t", as_role("table=src"))).exits(4).says("the role needs SELECT on it");
    // Read in part it would look whole.
    scene.run(&format!("{} --table t", as_role("table=hidden"))).exits(4).says("query=");
    assert_eq!(scene.db.count("t"), 0);
    scene.load(&format!("{} --table t", as_role("query=TABLE%20hidden")));
    assert_eq!(scene.db.one("SELECT string_agg(id::text, ' ') FROM t"), "1");
    scene.sql(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""));
}

#[test]
fn a_job_file_loads_tables_and_its_check_asks_no_other_database() {
    let scene = Scene::with(
        "CREATE TABLE src (id int PRIMARY KEY, v text); INSERT INTO src SELECT i, 'v' || i FROM generate_series(1, 500) i",
    );
    let source = format!("{}&password=canary-8", table(&scene, "src"));
    scene.file("dbload.toml", format!("name = \"n\"\n[load.t]\nsource = \"{source}\"\nkey = [\"id\"]\n"));
    let checked = scene.plain("check").run().exits(0);
    assert!(checked.stdout.contains("which a check does not call"), "{checked}");
    let outcome = scene.plain("run").run().exits(0);
    assert!(!outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"), "{outcome}");
    same(&scene, "src", "t");
    assert_eq!(scene.db.one("SELECT count(*) FROM _dbload.run r WHERE r::text LIKE '%canary%'"), "0");
}

#[test]
fn a_password_is_used_and_stored_and_shown_nowhere() {
    let scene = Scene::with(
        "CREATE TABLE src (id int PRIMARY KEY); INSERT INTO src VALUES (1); CREATE TABLE t (id int PRIMARY KEY)",
    );
    let word = table(&scene, "src");
    let secret = format!("{word}&password=canary-7");
    let outcome = scene.dbload(&format!("{secret} --table t -v --max-rejects 0")).run().exits(0);
    assert!(!outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"), "{outcome}");
    assert_eq!(scene.db.count("t"), 1);
    let stored = "SELECT string_agg(x::text, ' ') FROM (SELECT to_jsonb(r) AS x FROM _dbload.run r \
                  UNION ALL SELECT to_jsonb(s) FROM _dbload.source s) x";
    let stored = scene.db.one(stored);
    assert!(stored.contains("table=src") && !stored.contains("canary"), "{stored}");
    // The same load, whatever the password is today.
    let again = scene.dbload(&format!("{word} --table t")).run().exits(0);
    assert_eq!(again.rows(), rows!(read: 1, unchanged: 1));
}

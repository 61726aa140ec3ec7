//! A schema a test: what comes back is as new for the next test.

use dbload::testing::{DatabaseSetup, TestDatabase, database};

use crate::support::{Database, Folder};

const SCHEMA: &str = r#"
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE DOMAIN short AS varchar(8) CHECK (VALUE <> 'never');
    CREATE TABLE "Users" (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "E mail" text NOT NULL UNIQUE, mood mood NOT NULL,
        moods mood[], nick short, best bigint, upper text GENERATED ALWAYS AS (upper("E mail")) STORED
    );
    CREATE TABLE posts (id bigserial PRIMARY KEY, author int NOT NULL REFERENCES "Users", title text);
    ALTER TABLE "Users" ADD FOREIGN KEY (best) REFERENCES posts;
    CREATE TABLE days (day date, n int) PARTITION BY RANGE (day);
    CREATE TABLE days_old PARTITION OF days FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
    CREATE TABLE days_new PARTITION OF days DEFAULT;
    CREATE TABLE log (id serial, words text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO log (words) VALUES (TG_OP || ' ' || NEW.id); RETURN NEW; END $$;
    CREATE TRIGGER noted AFTER INSERT OR UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION note();
    CREATE VIEW titles AS SELECT title FROM posts;
    INSERT INTO log (words) VALUES ('by the schema');
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.file("schema.sql", SCHEMA);
    folder.file(
        "fixtures/Users.jsonl",
        "{\"$label\":\"a\",\"E mail\":\"a@x\",\"mood\":\"glad\",\"moods\":[\"sad\"],\"nick\":\"al\",\"best\":\"$ref:posts.p\"}\n\
         {\"$label\":\"b\",\"E mail\":\"b@x\",\"mood\":\"sad\"}\n",
    );
    folder.file("fixtures/posts.csv", "$label,author,title\np,$ref:Users.a,first\nq,$ref:Users.b,second\n");
    folder.file("fixtures/days.csv", "day,n\n2025-06-01,1\n2026-06-01,2\n");
    folder
}

fn by_schema(folder: &Folder) -> DatabaseSetup {
    database().schema(folder.path().join("schema.sql")).fixtures(folder.path().join("fixtures")).by_schema()
}

/// All that a test can see, but for the name of the schema.
fn seen(database: &TestDatabase) -> Vec<String> {
    Database::connect(database.url()).lines(
        "SELECT * FROM (
           SELECT 'users ' || u::text FROM \"Users\" u UNION ALL SELECT 'posts ' || p::text FROM posts p
           UNION ALL SELECT 'days ' || tableoid::regclass || d::text FROM days d UNION ALL SELECT 'log ' || l::text FROM log l
           UNION ALL SELECT 'seq ' || concat(last_value, is_called) FROM posts_id_seq
           UNION ALL SELECT 'seq ' || concat(last_value, is_called) FROM log_id_seq
           UNION ALL SELECT concat('column ', c.relname, a.attname, a.attnotnull) FROM pg_class c
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
             WHERE c.relnamespace = current_schema()::regnamespace
           UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
           UNION ALL SELECT concat('trigger ', tgname, tgenabled) FROM pg_trigger WHERE tgname = 'noted'
             AND tgrelid = 'posts'::regclass
         ) all_of_it ORDER BY 1",
    )
}

#[test]
fn what_a_test_does_to_its_schema_the_next_does_not_see() {
    let folder = folder();
    let first = by_schema(&folder).wait().unwrap();
    let (new, name) = (seen(&first), first.url().to_owned());
    assert_eq!(new.iter().filter(|line| line.starts_with("log ")).count(), 3, "{new:?}");
    drop(first);
    for change in [
        "SELECT 1",
        "DELETE FROM posts WHERE title = 'second'; UPDATE \"Users\" SET mood = 'sad', moods = NULL",
        "INSERT INTO posts (author, title) SELECT id, 'more' FROM \"Users\"; DELETE FROM log",
        "TRUNCATE posts, \"Users\", log RESTART IDENTITY",
        "UPDATE days SET day = day + 300; SELECT nextval('log_id_seq')",
        "ALTER TABLE posts ADD more int DEFAULT 7; UPDATE posts SET more = 8",
        "DROP TABLE days; CREATE TABLE other (id int)",
        "ALTER TABLE posts DISABLE TRIGGER noted; DROP TRIGGER noted ON posts",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER TYPE mood ADD VALUE 'mad'",
    ] {
        let database = by_schema(&folder).wait().unwrap();
        assert_ne!(database.url(), name);
        assert_eq!(seen(&database), new, "before: {change}");
        let _ = Database::connect(database.url()).try_sql(change);
        drop(database);
        let next = by_schema(&folder).wait().unwrap();
        assert_eq!(seen(&next), new, "{change}");
    }
}

#[test]
fn a_session_that_is_left_open_neither_holds_up_the_end_nor_sees_the_next_test() {
    let folder = folder();
    let database = by_schema(&folder).wait().unwrap();
    let new = seen(&database);
    let (busy, idle) = (Database::connect(database.url()), Database::connect(database.url()));
    busy.sql("BEGIN; UPDATE posts SET title = 'x'");
    idle.sql("PREPARE later AS DELETE FROM posts; SELECT count(*) FROM posts");
    drop(database);
    let next = by_schema(&folder).wait().unwrap();
    assert!(busy.try_sql("COMMIT").is_err());
    assert!(idle.try_sql("EXECUTE later").is_err());
    assert!(idle.try_sql("DELETE FROM posts").is_err());
    assert_eq!(seen(&next), new);
}

#[test]
fn moments_in_a_schema_that_comes_back_are_those_of_its_test() {
    let folder = folder();
    folder.file("fixtures/log.csv", "words\nx\n");
    folder.file("fixtures/posts.csv", "$label,author,title\np,$ref:Users.a,$now\n");
    let title = |database: &TestDatabase| Database::connect(database.url()).one("SELECT title FROM posts");
    let first = title(&by_schema(&folder).wait().unwrap());
    let second = title(&by_schema(&folder).wait().unwrap());
    assert_ne!(first, second);
}

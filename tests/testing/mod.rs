//! `dbload::testing`: databases for tests, as tests get them.

mod beside;
mod command;
mod processes;
mod schemas;
mod speed;

use std::sync::atomic::{AtomicUsize, Ordering};

use dbload::testing::{TestDatabase, TestingError, database};

use crate::support::{Database, Folder};

const SCHEMA: &str = "
    CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE, boss int REFERENCES users);
    CREATE TABLE posts (id bigserial PRIMARY KEY, author_id int NOT NULL REFERENCES users, at timestamptz NOT NULL);
    CREATE TABLE log (at timestamptz NOT NULL, what text)";

/// A service's folder of tests.
fn service() -> Folder {
    let folder = Folder::new();
    folder.file("schema.sql", SCHEMA);
    folder.file(
        "fixtures/users.jsonl",
        "{\"$label\":\"alice\",\"email\":\"alice@x.org\"}\n{\"$label\":\"bob\",\"email\":\"bob@x.org\",\"boss\":\"$ref:users.alice\"}\n",
    );
    folder
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn of(folder: &Folder) -> dbload::testing::DatabaseSetup {
    database().schema(folder.path().join("schema.sql")).fixtures(folder.path().join("fixtures")).ahead(1)
}

/// Whether there is such a database on the server of another one.
fn is_there(url: &str, name: &str) -> bool {
    let postgres = url.replacen(name, "postgres", 1);
    let count = Database::connect(&postgres)
        .one(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"));
    count == "1"
}

#[test]
fn each_test_has_a_database_of_its_own_with_what_it_wants_and_none_is_left() {
    let folder = service();
    let (one, other) = block_on(async { (of(&folder).await.unwrap(), of(&folder).await.unwrap()) });
    assert_ne!(one.name(), other.name());
    Database::connect(one.url()).sql("DELETE FROM users");
    let lines = Database::connect(other.url())
        .lines("SELECT u.email, b.email FROM users u LEFT JOIN users b ON b.id = u.boss ORDER BY 1");
    assert_eq!(lines, ["alice@x.org|NULL", "bob@x.org|alice@x.org"]);
    let (url, name) = (other.url().to_owned(), other.name().to_owned());
    // Somebody is still connected.
    let _open = Database::connect(&url);
    drop(other);
    assert!(!is_there(&url, &name));
    assert!(is_there(one.url(), one.name()));
    // Without a runtime, and within one.
    let blocking: Result<TestDatabase, TestingError> = of(&folder).wait();
    assert_eq!(Database::connect(blocking.unwrap().url()).count("users"), 2);
    block_on(async { assert_eq!(of(&folder).wait().unwrap().url().matches("dbload_c_").count(), 1) });
}

#[test]
fn what_was_changed_makes_another_template() {
    let folder = service();
    let users = |folder: &Folder| Database::connect(of(folder).wait().unwrap().url()).count("users");
    assert_eq!(users(&folder), 2);
    folder.file("fixtures/users/carol.json", "{\"email\":\"carol@x.org\"}");
    assert_eq!(users(&folder), 3);
    folder.file("schema.sql", format!("{SCHEMA}; INSERT INTO users VALUES (7, 'seven')"));
    assert_eq!(users(&folder), 4);
    folder.file("schema.sql", "CREATE TABLE users (");
    let error = of(&folder).wait().unwrap_err();
    assert!(format!("{error:?}").contains("schema.sql: syntax error"), "{error:?}");
    folder.file("schema.sql", SCHEMA);
    folder.file("fixtures/users/dan.json", "{\"email\":\"dan@x.org\",\"boss\":\"$ref:users.eve\"}");
    let error = of(&folder).wait().unwrap_err();
    assert!(
        error.to_string().contains("users/dan.json:1 (dan): boss: no row of users has the label \"eve\""),
        "{error}"
    );
}

#[test]
fn migrations_of_a_folder_and_of_any_function_run_once_for_all_tests() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let folder = service();
    folder.file("migrations/1_users.sql", SCHEMA);
    folder.file("migrations/10_plan.sql", "ALTER TABLE users ADD plan text NOT NULL DEFAULT 'free'");
    folder.file("migrations/2_more.up.sql", "CREATE TABLE more (id int)");
    folder.file("migrations/2_more.down.sql", "DROP TABLE more");
    let version = format!("v1 of {}", folder.path().display());
    for _ in 0..3 {
        let db = database()
            .migrations_in(folder.path().join("migrations"))
            .migrations(&version, |url| async move {
                RUNS.fetch_add(1, Ordering::SeqCst);
                let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
                // It stays connected longer than it needs.
                tokio::spawn(connection);
                client.batch_execute("ALTER TABLE more ADD by_hand int").await?;
                std::mem::forget(client);
                Ok::<(), tokio_postgres::Error>(())
            })
            .fixtures(folder.path().join("fixtures"))
            .ahead(0)
            .wait()
            .unwrap();
        let db = Database::connect(db.url());
        assert_eq!(db.columns("more"), ["id integer", "by_hand integer"]);
        assert_eq!(db.lines("SELECT DISTINCT plan FROM users"), ["free"]);
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
    let failed = database().migrations("no", |_| async { Err("on purpose") }).wait().unwrap_err();
    assert_eq!(failed.to_string(), "run the migrations \"no\": on purpose");
}

#[test]
fn settings_of_the_database_and_of_roles_in_it_come_along() {
    let folder = service();
    let name = "current_database()";
    folder.file(
        "schema.sql",
        format!(
            "{SCHEMA}; CREATE SCHEMA app; CREATE TABLE app.t (id int);
             DO $$ BEGIN
               EXECUTE format('ALTER DATABASE %I SET search_path = app, public', {name});
               EXECUTE format('ALTER DATABASE %I SET my.word = %L', {name}, 'it''s');
               EXECUTE format('ALTER ROLE postgres IN DATABASE %I SET timezone = %L', {name}, 'Asia/Tokyo');
             END $$"
        ),
    );
    let database = of(&folder).wait().unwrap();
    let db = Database::connect(database.url());
    assert_eq!(db.count("t"), 0);
    assert_eq!(db.count("users"), 2);
    assert_eq!(db.one("SELECT current_setting('my.word') || current_setting('timezone')"), "it'sAsia/Tokyo");
}

#[test]
fn moments_are_those_of_the_test_and_not_of_the_template() {
    let folder = service();
    folder.file(
        "fixtures/posts.jsonl",
        "{\"$label\":\"p\",\"author_id\":\"$ref:users.bob\",\"at\":\"$now-1h\"}\n",
    );
    folder.file("fixtures/log.csv", "at,what\n$now,x\n");
    let times = |db: &TestDatabase| {
        let db = Database::connect(db.url());
        assert_eq!((db.count("posts"), db.count("log"), db.count("users")), (1, 1, 2));
        assert_eq!(db.one("SELECT log.at - posts.at FROM log, posts"), "01:00:00");
        db.one("SELECT extract(epoch FROM at) FROM log").parse::<f64>().unwrap()
    };
    let first = times(&of(&folder).wait().unwrap());
    let second = times(&of(&folder).wait().unwrap());
    assert!(second > first, "{second} {first}");
}

#[test]
fn a_schema_of_its_own_is_enough_where_nothing_names_one() {
    let folder = service();
    let make = || of(&folder).by_schema().wait();
    let (one, other) = (make().unwrap(), make().unwrap());
    assert_eq!(one.name(), other.name());
    let db = Database::connect(one.url());
    db.sql("DELETE FROM users; INSERT INTO posts (author_id, at) SELECT 1, now() WHERE false");
    assert_eq!(Database::connect(other.url()).count("users"), 2);
    let schema = db.one("SELECT current_schema()");
    let is_there = |schema: &str| {
        Database::connect(other.url())
            .one(&format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'"))
    };
    assert_eq!(is_there(&schema), "1");
    drop(one);
    assert_eq!(is_there(&schema), "0");
    for (sql, why) in [
        ("CREATE TABLE public.x (id int)", "it names the schema public"),
        ("create  extension hstore", "it makes an extension"),
    ] {
        folder.file("schema.sql", sql);
        let refused = make().unwrap_err().to_string();
        assert!(refused.contains("schema.sql") && refused.contains(why), "{refused}");
    }
}

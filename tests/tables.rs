//! The table: made from a sample, matched by name, or refused before the first row.
//!
//! Leading zeros and types that change after the sample, header case, reserved words, hostile names
//! (CASES.md, row 41), generated and identity columns, partitioned target, partial or expression unique
//! index, a patch file, no rights.

use crate::{rows, support::Scene};

#[test]
fn a_new_table_gets_the_narrowest_types_that_hold_what_was_seen() {
    let scene = Scene::new();
    let line = |n: u32| {
        format!(
            "{{\"id\":{n},\"big\":12345678901234567890,\"price\":1.50,\"whole\":{n},\"ok\":true,\"day\":\"2024-01-0{n}\",\
             \"at\":\"2024-01-01T10:00:00Z\",\"uid\":\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1{n}\",\"zip\":\"0123{n}\",\
             \"tags\":[\"a\"],\"nested\":{{\"a\":{{\"b\":1}}}},\"word\":\"w\",\"mixed\":{},\"nothing\":null,\"camelCase\":1}}\n",
            if n == 1 { "1" } else { "\"one\"" }
        )
    };
    scene.file("things.jsonl", (1..=3).map(line).collect::<String>());
    let outcome = scene.load("things.jsonl --key id").says("things");
    assert_eq!(outcome.rows(), rows!(read: 3, inserted: 3));
    let columns = scene.db.columns("things");
    let expected = [
        "id bigint",
        "big numeric",
        "price numeric",
        "whole bigint",
        "ok boolean",
        "day date",
        "at timestamp with time zone",
        "uid uuid",
        "zip text",
        "tags jsonb",
        "nested jsonb",
        "word text",
        "mixed text",
        "nothing text",
    ];
    for column in expected {
        assert!(columns.iter().any(|c| c == column), "no {column:?} in {columns:?}");
    }
    let key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'things'::regclass AND contype = 'p'";
    assert_eq!(scene.db.one(key), "PRIMARY KEY (id)");
    assert_eq!(
        scene.db.lines("SELECT zip, mixed, nested->'a'->>'b', price FROM things ORDER BY id LIMIT 1"),
        ["01231|1|1|1.50"]
    );
}

#[test]
fn a_new_table_from_csv_keeps_leading_zeros_and_tells_null_from_empty() {
    let scene = Scene::new();
    scene.file(
        "Sales Data.csv",
        "id,zip,qty,rate,note,when\n1,00501,3,0.10,,2024-01-01\n2,90210,,1e5,\"\",2024-01-02\n",
    );
    let outcome = scene.dbload("").args(["Sales Data.csv", "--table", "sales", "--key", "id"]).run().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 2, inserted: 2));
    let columns = scene.db.columns("sales");
    for column in ["id bigint", "zip text", "qty bigint", "note text", "when date"] {
        assert!(columns.iter().any(|c| c == column), "no {column:?} in {columns:?}");
    }
    assert_eq!(
        scene.db.lines("SELECT zip, qty, note FROM sales ORDER BY id"),
        ["00501|3|NULL", "90210|NULL|"]
    );
}

#[test]
fn a_type_that_changes_after_the_sample_rejects_and_never_changes_the_column() {
    let scene = Scene::new();
    let mut text = String::new();
    for id in 0..60_000 {
        text += &format!(
            "{{{:200}\"id\":{id},\"n\":{}}}\n",
            " ",
            if id == 59_990 { "\"many\"".to_owned() } else { id.to_string() }
        );
    }
    scene.file("t.jsonl", text);
    let outcome = scene.run("t.jsonl --key id").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 60_000, inserted: 59_999, rejected: 1));
    assert_eq!(scene.db.columns("t"), ["id bigint", "n bigint"]);
    assert_eq!(outcome.report().rejected(scene.cwd())[0].line, 59_991);
}

#[test]
fn names_match_exactly_then_without_case_then_as_snake_case() {
    let scene = Scene::with(
        r#"CREATE TABLE t (id int PRIMARY KEY, "userName" text, username text, created_at date, "order" int)"#,
    );
    scene.file(
        "t.jsonl",
        r#"{"ID":1,"userName":"exact","username":"exact too","createdAt":"2024-01-01","Order":5}"#,
    );
    scene.load("t.jsonl");
    assert_eq!(scene.db.lines("SELECT * FROM t"), ["1|exact|exact too|2024-01-01|5"]);
}

#[test]
fn two_fields_on_one_column_are_refused() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, name text)");
    scene.file("t.csv", "id,Name,NAME\n1,a,b\n");
    scene.run("t.csv").exits(6).says("name").says("hint:");
    assert_eq!(scene.db.count("t"), 0);
}

#[test]
fn fields_without_a_column_are_refused_ignored_or_kept_in_jsonb() {
    let table = "CREATE TABLE t (id int PRIMARY KEY, name text, rest jsonb)";
    let text = "{\"id\":1,\"name\":\"a\",\"colour\":\"red\",\"size\":1.50}\n{\"id\":2,\"name\":\"b\"}\n";
    let scene = Scene::with(table);
    scene.file("t.jsonl", text);
    scene.run("t.jsonl").exits(6).says("colour").says("--extra");
    assert_eq!(scene.db.count("t"), 0);
    assert_eq!(scene.load("t.jsonl --extra ignore").rows(), rows!(read: 2, inserted: 2));
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|a|NULL", "2|b|NULL"]);
    scene.sql("TRUNCATE t");
    scene.load("t.jsonl --extra jsonb:rest --restart");
    assert_eq!(scene.db.lines("SELECT rest FROM t WHERE id = 1"), [r#"{"size": 1.50, "colour": "red"}"#]);
    scene.run("t.jsonl --extra jsonb:nowhere").exits(6).says("nowhere");
}

#[test]
fn a_field_without_a_column_after_the_sample_is_one_reject() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let mut text = (0..60_000).fold(String::new(), |t, id| t + &format!("{{{:200}\"id\":{id}}}\n", " "));
    text += "{\"id\":99999,\"surprise\":1}\n";
    scene.file("t.jsonl", text);
    let outcome = scene.run("t.jsonl").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 60_001, inserted: 60_000, rejected: 1));
    assert!(outcome.report().rejected(scene.cwd())[0].reason.contains("surprise"));
}

#[test]
fn generated_columns_are_left_out_and_identity_is_written_where_the_source_has_it() {
    let scene = Scene::with(
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED)",
    );
    scene.file("t.jsonl", "{\"id\":7,\"n\":5,\"twice\":99}\n{\"id\":8,\"n\":6,\"twice\":0}\n");
    scene.load("t.jsonl");
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["7|5|10", "8|6|12"]);
    assert_eq!(scene.load("t.jsonl").rows(), rows!(read: 2, unchanged: 2));
    scene.sql("CREATE TABLE log (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, n int)");
    scene.file("log.jsonl", "{\"n\":1}\n{\"n\":2}\n");
    scene.load("log.jsonl --mode append");
    assert_eq!(scene.db.lines("SELECT n FROM log ORDER BY id"), ["1", "2"]);
}

#[test]
fn a_patch_file_updates_what_it_has_and_rejects_what_it_would_have_to_insert() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, price numeric CHECK (price > 0), note text); \
         INSERT INTO t VALUES (1, 'a', 1, 'x'), (2, 'b', 2, 'y')",
    );
    scene.file("patch.csv", "id,price\n1,1.5\n3,9\n2,2.5\n");
    let outcome = scene.run("patch.csv -t t").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 3, updated: 2, rejected: 1));
    let rejects = outcome.report().rejected(scene.cwd());
    assert_eq!(
        (rejects[0].line, rejects[0].sqlstate.as_deref(), rejects[0].column.as_deref()),
        (3, Some("23502"), Some("name"))
    );
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|a|1.5|x", "2|b|2.5|y"]);
}

#[test]
fn a_key_without_a_usable_unique_index_is_refused_with_the_index_that_is_missing() {
    let text = "{\"id\":1,\"a\":1}\n";
    let refused = |ddl: &str, words: &str, said: &str| {
        let scene = Scene::with(&format!("CREATE TABLE t (id int, a int, gone boolean); {ddl}"));
        scene.file("t.jsonl", text);
        scene.run(&format!("t.jsonl {words}")).exits(6).says("hint:").says(said);
        assert_eq!(scene.db.count("t"), 0, "{ddl}");
    };
    refused("", "--key id", "UNIQUE");
    refused("CREATE INDEX ON t (id)", "--key id", "UNIQUE");
    refused("CREATE UNIQUE INDEX only_some ON t (id) WHERE NOT gone", "--key id", "only_some");
    refused("CREATE UNIQUE INDEX by_expression ON t ((id + 1))", "--key id", "UNIQUE");
    refused("ALTER TABLE t ADD CONSTRAINT later UNIQUE (id) DEFERRABLE", "--key id", "later");
    refused("CREATE UNIQUE INDEX ON t (id, a)", "--key id", "UNIQUE");
    refused("ALTER TABLE t ADD PRIMARY KEY (id)", "--key nowhere", "nowhere");
    refused("", "--mode upsert", "key");
    let scene = Scene::with("CREATE TABLE t (id int, a int); CREATE UNIQUE INDEX ON t (a, id)");
    scene.file("t.jsonl", text);
    scene.load("t.jsonl --key id,a");
}

#[test]
fn what_is_no_plain_table_is_refused_with_what_it_is() {
    let scene = Scene::with(
        "CREATE TABLE base (id int PRIMARY KEY); CREATE VIEW plain_view AS SELECT * FROM base; \
         CREATE MATERIALIZED VIEW matview AS SELECT * FROM base; CREATE SEQUENCE seq; \
         CREATE VIEW instead AS SELECT id FROM base; \
         CREATE FUNCTION nop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
         CREATE TRIGGER i INSTEAD OF INSERT ON instead FOR EACH ROW EXECUTE FUNCTION nop(); \
         CREATE TABLE ruled (id int PRIMARY KEY); CREATE RULE r AS ON INSERT TO ruled DO INSTEAD NOTHING",
    );
    scene.file("t.jsonl", "{\"id\":1}\n");
    for (table, said) in [
        ("plain_view", "view"),
        ("matview", "materialized view"),
        ("instead", "view"),
        ("ruled", "rule"),
        ("seq", "sequence"),
    ] {
        scene.run(&format!("t.jsonl -t {table}")).exits(6).says(said);
    }
    assert_eq!(scene.db.count("base"), 0);
}

#[test]
fn a_partitioned_table_is_counted_right() {
    let scene = Scene::with(
        "CREATE TABLE t (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region); \
         CREATE TABLE t_eu PARTITION OF t FOR VALUES IN ('eu'); CREATE TABLE t_us PARTITION OF t FOR VALUES IN ('us')",
    );
    scene.file("t.csv", "id,region,v\n1,eu,1\n2,us,2\n3,mars,3\n1,us,4\n");
    let outcome = scene.run("t.csv").exits(3);
    assert_eq!(outcome.rows(), rows!(read: 4, inserted: 3, rejected: 1));
    assert_eq!(outcome.report().rejected(scene.cwd())[0].sqlstate.as_deref(), Some("23514"));
    scene.file("t.csv", "id,region,v\n1,eu,1\n2,us,9\n");
    assert_eq!(scene.load("t.csv").rows(), rows!(read: 2, updated: 1, unchanged: 1));
    assert_eq!(
        scene.db.lines("SELECT tableoid::regclass, * FROM t ORDER BY id, region"),
        ["t_eu|1|eu|1", "t_us|1|us|4", "t_us|2|us|9"]
    );
}

#[test]
fn tables_are_named_as_sql_names_them() {
    let scene = Scene::with(
        "CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY); CREATE TABLE app.\"T x\" (id int PRIMARY KEY)",
    );
    scene.file("t.jsonl", "{\"id\":1}\n");
    assert_eq!(scene.load("t.jsonl -t app.t").report().table, "app.t");
    scene.load("t.jsonl -t APP.T");
    scene.dbload("t.jsonl").args(["--table", "app.\"T x\""]).run().exits(0);
    assert_eq!((scene.db.count("app.t"), scene.db.count("app.\"T x\"")), (1, 1));
    // A schema that is missing is made, and said.
    let made = scene.load("t.jsonl -t nosuch.t");
    assert!(made.stderr.contains("CREATE SCHEMA IF NOT EXISTS \"nosuch\""), "{made}");
    assert_eq!(scene.db.count("nosuch.t"), 1);
    scene.sql(&format!("CREATE ROLE {0} LOGIN", scene.db.name()));
    let url = scene.db.url().replace("user=postgres", &format!("user={}", scene.db.name()));
    let refused =
        crate::support::Dbload::new(scene.cwd()).line("t.jsonl -t other.t --no-ledger --dsn").arg(url);
    refused.run().exits(6);
    assert!(!scene.db.has_table("other.t"));
}

#[test]
fn types_and_functions_of_another_schema_are_found_without_search_path() {
    let scene = Scene::with(
        "CREATE SCHEMA x; CREATE TYPE x.mood AS ENUM ('sad', 'glad'); CREATE DOMAIN x.pos AS int CHECK (VALUE > 0); \
         CREATE TABLE x.t (m x.mood PRIMARY KEY, p x.pos, l x.mood[]); \
         CREATE TABLE public.t (id int)",
    );
    scene.file("t.jsonl", "{\"m\":\"sad\",\"p\":1,\"l\":[\"glad\"]}\n");
    assert_eq!(scene.load("t.jsonl -t x.t").rows(), rows!(read: 1, inserted: 1));
    assert_eq!(scene.load("t.jsonl -t x.t").rows(), rows!(read: 1, unchanged: 1));
}

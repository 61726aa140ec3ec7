//! Names and operators that others have planted where this role looks first.

use super::Clerk;
use crate::support::Scene;

/// A role that may create in `public` plants an operator that fits better than the one of `pg_catalog`: what a superuser compares
/// by it would run with a superuser's rights.
#[test]
fn an_operator_planted_in_public_is_not_called() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY, ver varchar); INSERT INTO t VALUES (1, 'b'), (2, 'b'); \
         CREATE TABLE called (n int); \
         CREATE FUNCTION planted(varchar, varchar) RETURNS bool LANGUAGE plpgsql AS \
           $$BEGIN INSERT INTO public.called VALUES (1); RETURN true; END$$; \
         CREATE OPERATOR public.> (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = planted)",
    );
    scene.file("t.csv", "id,ver\n1,a\n2,c\n3,a\n");
    let outcome = scene.load("t.csv --newer-by ver");
    assert_eq!(scene.db.lines("SELECT * FROM t ORDER BY id"), ["1|b", "2|c", "3|a"], "{outcome}");
    assert_eq!(scene.db.count("called"), 0);
}

/// The order of citext is citext's own, also where its schema is not in `search_path`.
#[test]
fn newer_is_what_the_type_itself_calls_greater() {
    let scene = Scene::with(
        "CREATE SCHEMA far; CREATE EXTENSION citext SCHEMA far; CREATE TYPE size AS ENUM ('small', 'medium', 'large'); \
         CREATE DOMAIN far.version AS varchar(9); \
         CREATE TABLE t (id int PRIMARY KEY, ver far.citext, e size, d far.version, a int[], j json)",
    );
    scene.sql("INSERT INTO t VALUES (1, 'b', 'medium', 'b', '{2}'), (2, 'B', 'small', 'b', '{10}')");
    let reset = "UPDATE t SET ver = 'b', e = 'medium', d = 'b', a = '{2}'";
    // As text, 'C' comes before 'b'.
    for (column, newer, older) in
        [("ver", "C", "A"), ("e", "large", "small"), ("d", "c", "a"), ("a", "\"{10}\"", "\"{1}\"")]
    {
        scene.sql(reset);
        scene.file("t.csv", format!("id,{column}\n1,{newer}\n2,{older}\n"));
        scene.load(&format!("t.csv --newer-by {column} --again"));
        let stored = scene.db.lines(&format!("SELECT {column} FROM t ORDER BY id"));
        assert_eq!(stored[0], newer.trim_matches('"'), "{column}");
        assert_ne!(stored[1], older.trim_matches('"'), "{column}");
    }
    scene.file("t.csv", "id,j\n1,{}\n");
    scene.run("t.csv --newer-by j").exits(6).says("have no order");
}

/// With a clerk: what a superuser does is done to whoever planted it as well.
#[test]
fn a_clerk_loads_where_others_may_create() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, ver varchar)");
    let clerk = Clerk::new(
        &scene,
        "GRANT SELECT, INSERT, UPDATE ON t TO {role}; GRANT CREATE ON SCHEMA public TO PUBLIC",
    );
    scene.file("t.csv", "id,ver\n1,a\n");
    clerk.run("t.csv --newer-by ver --no-ledger").exits(0);
}

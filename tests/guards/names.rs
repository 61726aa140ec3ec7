//! Names and operators that others have planted where this role looks first.

use super::Clerk;
use crate::support::{Dbload, Scene};
use std::ops::RangeInclusive;

/// A role that may create in `public` plants an operator that fits better than the one of `pg_catalog`: what
/// a superuser compares by it would run with a superuser's rights.
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

/// Puts into schema `evil` whatever our statements could mean by a name or an operator that they leave
/// without its schema: all operators, functions, aggregates, types and relations of `pg_catalog`, or what
/// fits as well. Each call is counted, for good.
const PLANT: &str = r#"
CREATE SCHEMA evil; CREATE SEQUENCE evil.hits; GRANT USAGE ON SCHEMA evil TO PUBLIC; GRANT ALL ON SEQUENCE evil.hits TO PUBLIC;
DO $plant$
DECLARE
    o record; body text; n int := 0;
BEGIN
    FOR o IN SELECT p.oprname, p.oprleft, p.oprright, p.oprresult FROM pg_operator p
             JOIN pg_type r ON r.oid = p.oprright JOIN pg_type s ON s.oid = p.oprresult LEFT JOIN pg_type l ON l.oid = p.oprleft
             WHERE p.oprnamespace = 'pg_catalog'::regnamespace AND r.typtype <> 'p' AND s.typtype <> 'p'
               AND coalesce(l.typtype, 'b') <> 'p' LOOP
        n := n + 1;
        body := format('BEGIN PERFORM pg_catalog.nextval(''evil.hits''); RAISE LOG ''planted operator %s''; RAISE EXCEPTION ''planted operator %s''; END', replace(o.oprname, '%', '%%'), replace(o.oprname, '%', '%%'));
        BEGIN
            IF o.oprleft = 0 THEN
                EXECUTE format('CREATE FUNCTION evil.op%s(%s) RETURNS %s LANGUAGE plpgsql AS %L', n, format_type(o.oprright, NULL), format_type(o.oprresult, NULL), body);
                EXECUTE format('CREATE OPERATOR evil.%s (RIGHTARG = %s, FUNCTION = evil.op%s)', o.oprname, format_type(o.oprright, NULL), n);
            ELSE
                EXECUTE format('CREATE FUNCTION evil.op%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', n, format_type(o.oprleft, NULL), format_type(o.oprright, NULL), format_type(o.oprresult, NULL), body);
                EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.op%s)', o.oprname, format_type(o.oprleft, NULL), format_type(o.oprright, NULL), n);
            END IF;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    FOR o IN SELECT p.proname, p.oid::regprocedure AS signature, p.proretset, p.prorettype,
                    pg_get_function_identity_arguments(p.oid) AS arguments
             FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
               AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = ANY (p.proargtypes::oid[] || p.prorettype) AND t.typtype = 'p') LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', o.proname, o.arguments,
                CASE WHEN o.proretset THEN 'SETOF' ELSE '' END, format_type(o.prorettype, NULL),
                format('BEGIN PERFORM pg_catalog.nextval(''evil.hits''); RAISE LOG ''planted function %s''; RAISE EXCEPTION ''planted function %s''; END', o.proname, o.proname));
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    EXECUTE $e$CREATE FUNCTION evil.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_catalog.nextval(''evil.hits''); RAISE EXCEPTION ''planted unnest''; END'$e$;
    FOR o IN SELECT DISTINCT p.proname, p.proargtypes[0] AS type FROM pg_proc p JOIN pg_type t ON t.oid = p.proargtypes[0]
             WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'a' AND p.pronargs = 1 AND t.typtype <> 'p' LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION evil.agg_%s(s %s, v %s) RETURNS %s LANGUAGE plpgsql AS %L', o.type, format_type(o.type, NULL),
                format_type(o.type, NULL), format_type(o.type, NULL),
                'BEGIN PERFORM pg_catalog.nextval(''evil.hits''); RAISE EXCEPTION ''planted aggregate''; END');
        EXCEPTION WHEN duplicate_function THEN NULL;
        END;
        EXECUTE format('CREATE AGGREGATE evil.%I(%s) (SFUNC = evil.agg_%s, STYPE = %s)', o.proname, format_type(o.type, NULL), o.type, format_type(o.type, NULL));
    END LOOP;
    CREATE FUNCTION evil.counts(s bigint) RETURNS bigint LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_catalog.nextval(''evil.hits''); RAISE EXCEPTION ''planted count''; END';
    CREATE AGGREGATE evil.count(*) (SFUNC = evil.counts, STYPE = bigint);
    CREATE FUNCTION evil.strings(s text, a text, b text) RETURNS text LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_catalog.nextval(''evil.hits''); RAISE EXCEPTION ''planted string_agg''; END';
    CREATE AGGREGATE evil.string_agg(text, text) (SFUNC = evil.strings, STYPE = text);
    FOR o IN SELECT t.typname FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'd')
               AND t.typelem = 0 AND t.typname <> 'xml' LOOP
        BEGIN
            EXECUTE format('CREATE TYPE evil.%I AS ENUM (''planted'')', o.typname);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    FOR o IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v') LOOP
        BEGIN
            EXECUTE format('CREATE TABLE evil.%I (planted int)', o.relname);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
END $plant$;
"#;

/// A table of each kind.
const TARGETS: &str = "CREATE TABLE t (id int PRIMARY KEY, ver varchar(20), n numeric(10, 2), at timestamptz, j jsonb, a text[], b bytea); \
         CREATE TABLE tied (id bigint PRIMARY KEY, code text UNIQUE, v int NOT NULL); \
         CREATE TABLE pair (x text, y int, v int, PRIMARY KEY (x, y)); \
         CREATE TABLE bag (id int GENERATED BY DEFAULT AS IDENTITY, v text); \
         CREATE TABLE parted (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); \
         CREATE TABLE p1 PARTITION OF parted FOR VALUES FROM (0) TO (1000); \
         CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 50); \
         CREATE TABLE child (id int PRIMARY KEY, v int REFERENCES parent); \
         CREATE DOMAIN cents AS numeric(9, 2); CREATE TABLE odd (id uuid PRIMARY KEY, c public.cents, v text)";

/// Everything is planted in the first schema of `search_path`, before `pg_catalog` itself.
struct Planted<'s> {
    scene: &'s Scene,
    clerk: Clerk<'s>,
    failed: Vec<String>,
}

impl<'s> Planted<'s> {
    fn new(scene: &'s Scene) -> Self {
        let database = scene.db.name();
        scene.sql(PLANT);
        let clerk = Clerk::new(
            scene,
            &format!(
                "GRANT CREATE ON DATABASE {database} TO {{role}}; GRANT CREATE ON SCHEMA public TO {{role}}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {{role}}"
            ),
        );
        clerk.sql("ALTER ROLE {role} SET search_path = evil, pg_catalog, public");
        Self { scene, clerk, failed: Vec::new() }
    }

    fn load(&mut self, what: &str, text: &str, line: &str, code: i32) {
        self.scene.file("s.jsonl", text);
        self.run(what, &format!("s.jsonl --max-rejects 100 {line}"), code);
    }

    fn run(&mut self, what: &str, line: &str, code: i32) {
        let outcome = self.clerk.run(line);
        let hits = self.scene.db.one("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM evil.hits");
        if outcome.status.code() != Some(code) || hits != "0" || outcome.stderr.contains("planted") {
            self.scene.sql("ALTER SEQUENCE evil.hits RESTART");
            self.failed.push(format!("{what}: {hits} calls; {outcome}"));
        }
    }

    /// Nothing planted was called.
    #[track_caller]
    fn none(&self) {
        assert!(self.failed.is_empty(), "{}", self.failed.join("\n\n"));
    }
}

fn many(range: RangeInclusive<u32>, rest: &str) -> String {
    range.map(|id| format!("{{\"id\":{id},{}}}\n", rest.replace('#', &id.to_string()))).collect()
}

fn pairs() -> String {
    (1..=60).map(|n| format!("{{\"x\":\"a{}\",\"y\":{n},\"v\":{n}}}\n", n % 7)).collect()
}

/// A record of table `t`, behind its id.
const T: &str = "\"ver\":\"v#\",\"n\":\"1.50\",\"at\":\"2024-01-02 03:04:05Z\",\"j\":{\"a\":#},\"a\":[\"x\"],\"b\":\"\\\\x00\"";

/// A load of each kind calls none of it: the list of names that our statements leave to be looked up is
/// empty.
#[test]
fn no_statement_leaves_a_name_to_be_looked_up() {
    let scene = Scene::with(TARGETS);
    let mut planted = Planted::new(&scene);
    planted.load("fresh", &many(1..=200, T), "-t public.t", 0);
    planted.load("unchanged", &many(1..=200, T), "-t public.t", 0);
    planted.load("changed and new", &many(1..=300, &T.replace("1.50", "2.50")), "-t public.t", 0);
    planted.load("repeated", &(many(1..=50, T) + &many(1..=50, &T.replace("v#", "w#"))), "-t public.t", 0);
    planted.load("absent", &(many(1..=9, "\"ver\":\"z\"") + &many(5..=20, "\"n\":\"7\"")), "-t public.t", 0);
    planted.load("newer", &many(1..=300, &T.replace("v#", "x#")), "-t public.t --newer-by ver", 0);
    planted.load(
        "no value",
        &(many(400..=420, T) + "{\"id\":500,\"n\":\"no\"}\n{\"id\":\"no\"}\n"),
        "-t public.t",
        3,
    );
    planted.load("ignore", &many(290..=310, T), "-t public.t --mode ignore", 0);
    planted.load("update", &many(290..=900, &T.replace("1.50", "3.50")), "-t public.t --mode update", 0);
    let tied = "\"code\":\"c#\",\"v\":1";
    planted.load(
        "tied",
        &(many(1..=100, tied) + "{\"id\":900,\"code\":\"c5\",\"v\":1}\n{\"id\":901,\"v\":null}\n"),
        "-t public.tied",
        3,
    );
    planted.load("tied, changed", &many(1..=120, &tied.replace("\"v\":1", "\"v\":2")), "-t public.tied", 0);
    planted.load("parents", &many(1..=60, "\"v\":#"), "-t public.child", 3);
    planted.load("parents, again", &many(1..=70, "\"v\":#"), "-t public.child", 3);
    planted.load("partitions", &many(900..=999, "\"v\":#"), "-t public.parted", 0);
    planted.load("partitions, unchanged", &many(900..=950, "\"v\":#"), "-t public.parted", 0);
    planted.load("partitions, refused", &many(990..=1002, "\"v\":7"), "-t public.parted", 3);
    planted.load("append", "{\"id\":7,\"v\":\"a\"}\n{\"v\":\"b\"}\n", "-t public.bag --mode append", 0);
    planted.load("append, again", "{\"id\":8,\"v\":\"a\"}\n", "-t public.bag --mode append --again", 0);
    let pair = pairs();
    planted.load("two columns", &pair, "-t public.pair", 0);
    planted.load(
        "two columns, repeated",
        &(pair.clone() + &pair.replace("\"v\":1", "\"v\":9")),
        "-t public.pair",
        0,
    );
    let odd: String = (10..=60)
        .map(|n| {
            format!("{{\"id\":\"00000000-0000-0000-0000-0000000000{n}\",\"c\":\"1.{n}\",\"v\":\"x\"}}\n")
        })
        .collect();
    planted.load("domains", &odd, "-t public.odd", 0);
    planted.load("domains, changed", &odd.replace("\"x\"", "\"y\""), "-t public.odd", 0);
    planted.load("no ledger", &many(1..=10, T), "-t public.t --no-ledger", 0);
    planted.load("dry run", &many(1..=10, T), "-t public.t --dry-run", 0);
    planted.load("a new table", &many(1..=10, T), "-t public.fresh --key id", 0);
    planted.scene.file("v.jsonl", many(1..=5, "\"v\":#"));
    for line in [
        "verify v.jsonl --table public.child",
        "v.jsonl -t public.child --restart",
        "v.jsonl -t public.child --pooler transaction",
    ] {
        planted.run(line, line, 0);
    }
    planted.none();
}

#[test]
fn nor_does_one_over_a_whole_content() {
    let scene = Scene::with(TARGETS);
    let mut planted = Planted::new(&scene);
    let pair = pairs();
    planted.load("t", &many(1..=300, T), "-t public.t", 0);
    planted.load("child", &many(1..=50, "\"v\":#"), "-t public.child", 0);
    planted.load("parted", &many(900..=999, "\"v\":#"), "-t public.parted", 0);
    planted.load("pair", &pair.replace("a1", "b1"), "-t public.pair", 0);
    planted.load("sync", &many(1..=290, T), "-t public.t --mode sync --max-removals 100%", 0);
    planted.load(
        "sync, of partitions",
        &many(900..=950, "\"v\":#"),
        "-t public.parted --mode sync --max-removals 100%",
        0,
    );
    planted.load("sync, of two columns", &pair, "-t public.pair --mode sync", 0);
    planted.load(
        "sync, with rejects",
        &many(50..=70, "\"v\":#"),
        "-t public.child --mode sync --max-removals 100%",
        3,
    );
    planted.load("replace", &many(1..=200, T), "-t public.t --mode replace", 0);
    planted.load("replace, of partitions", &many(900..=980, "\"v\":#"), "-t public.parted --mode replace", 0);
    planted.load(
        "replace, referred to",
        &many(1..=90, "\"w\":1"),
        "-t public.parent --extra ignore --mode replace",
        0,
    );
    planted.load("replace, with rejects", &many(80..=99, "\"v\":#"), "-t public.child --mode replace", 3);
    planted.load("replace, of a new table", &many(1..=20, T), "-t public.renewed --key id --mode replace", 0);
    planted.none();
}

#[test]
fn nor_do_those_of_columns_policies_and_shapes() {
    let scene = Scene::with(TARGETS);
    let mut planted = Planted::new(&scene);
    planted.load("t", &many(1..=200, T), "-t public.t", 0);
    let more = "\"v\":1,\"w\":1.5,\"x\":true,\"y\":\"z\",\"j\":{},\"at\":\"2024-01-02\"";
    planted.load("a table of its own", &many(1..=5, "\"v\":1"), "-t public.grown --key id", 0);
    planted.load("columns added", &many(1..=20, more), "-t public.grown --extra add", 0);
    planted.load("a schema", &many(1..=10, T), "-t made.t --key id", 0);
    let sums = "\"n\":2,\"ver\":\"+\",\"a\":[\"y\"],\"j\":{\"b\":1}";
    let policies = "--merge n=add --merge ver=append --merge a=union --merge j=patch";
    planted.load(
        "policies",
        &(many(1..=250, sums) + &many(1..=30, sums)),
        &format!("-t public.t {policies}"),
        0,
    );
    let policies = "--merge n=greatest --merge ver=least --merge a=keep --merge j=fill --insert-only at";
    planted.load(
        "more policies",
        &(many(1..=260, sums) + &many(1..=30, sums)),
        &format!("-t public.t {policies}"),
        0,
    );
    planted.load("masked", &many(1..=10, T), "-t public.t --mask ver=null", 0);
    planted.load(
        "unnested",
        &many(1..=10, "\"l\":[{\"v\":1},{\"v\":2}]"),
        "-t public.pair --unnest l --parent id=x --ordinal y",
        0,
    );
    planted.none();
}

/// What the ledger is made of (defaults, checks, generated columns, indexes, types of columns and functions)
/// is resolved when it is made: then nothing of it may be another schema's, and the functions, whose bodies
/// are looked up when they run, must fix where.
#[test]
fn the_ledger_is_made_of_nothing_that_others_have_planted() {
    const FOREIGN: &str = "SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) || ' uses ' \
           || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) \
         FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) o, \
           LATERAL pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) r \
         WHERE o.identity ~ '_dbload' AND r.identity !~ '_dbload' AND r.schema IS NOT NULL AND r.schema <> 'pg_catalog'";
    const FREE: &str = "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = '_dbload'::regnamespace \
         AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)";
    for by_administrator in [false, true] {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
        scene.sql(PLANT);
        let database = scene.db.name();
        scene.sql(&format!("ALTER DATABASE {database} SET search_path = evil, pg_catalog, public"));
        scene.file("t.csv", "id\n1\n");
        if by_administrator {
            let sql = Dbload::new(scene.cwd()).line("ledger sql --role=public").run().exits(0).stdout;
            scene.db.another().sql(&sql);
        }
        scene.load("t.csv -t public.t");
        let tables = "SELECT count(*) FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) o WHERE o.identity ~ '_dbload'";
        assert_ne!(scene.db.one(tables), "0", "the question finds what is there");
        assert_eq!(scene.db.lines(FOREIGN), Vec::<String>::new(), "{by_administrator}");
        assert_eq!(scene.db.lines(FREE), Vec::<String>::new(), "{by_administrator}");
        assert_eq!(scene.db.one("SELECT is_called FROM evil.hits"), "f", "{by_administrator}");
    }
}

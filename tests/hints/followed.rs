//! Hints are followed to the letter: SQL that one shows is run as it stands, flags that it names are added,
//! and then the load works.

use crate::support::{Dbload, Outcome, Scene};

/// What is refused, what the hint says, and what following it is.
pub(super) struct Refused {
    setup: &'static str,
    /// Name and content.
    file: (&'static str, &'static str),
    /// The words behind `dbload`.
    line: &'static str,
    /// `None`: any but success.
    exit: Option<i32>,
    /// Of the hint.
    says: &'static str,
    then: Then,
}

pub(super) enum Then {
    /// The statement that the hint is, and the same command.
    Sql,
    /// The statement with which it begins, and another command.
    SqlAnd(&'static str),
    /// Another command.
    Line(&'static str),
    /// Statements that do what it says in words.
    Do(&'static str),
    /// The file with this content.
    File(&'static str),
}

use Then::{Do, File, Line, Sql, SqlAnd};

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, v int)";
const BARE: &str = "CREATE TABLE t (id int, v int)";
const CSV: (&str, &str) = ("t.csv", "id,v\n1,7\n");

const fn refused(setup: &'static str, line: &'static str, says: &'static str, then: Then) -> Refused {
    Refused { setup, file: CSV, line, exit: Some(6), says, then }
}

const fn of_file(
    file: (&'static str, &'static str),
    line: &'static str,
    says: &'static str,
    then: Then,
) -> Refused {
    Refused { setup: T, file, line, exit: None, says, then }
}

/// Keys, columns, rights and tables: the hints of the plan.
const PLANS: [Refused; 29] = [
    refused(T, "t.csv --mode append --key id", "leave --key out", Line("t.csv --mode append")),
    refused(T, "t.csv --mode append --key id", "use --mode upsert", Line("t.csv --mode upsert --key id")),
    refused(
        "CREATE TABLE t (id int UNIQUE, v int)",
        "t.csv --mode upsert",
        "name the columns of a unique index with --key",
        Line("t.csv --mode upsert --key id"),
    ),
    refused(BARE, "t.csv --mode upsert", "use --mode append", Line("t.csv --mode append")),
    refused(T, "t.csv --key nosuch", "it has id, v", Line("t.csv --key id")),
    refused(T, "t.csv --key id,id", "name each column once", Line("t.csv --key id")),
    refused(BARE, "t.csv --key id", "CREATE UNIQUE INDEX", Sql),
    refused(
        "CREATE TABLE t (id int, v int); CREATE UNIQUE INDEX i ON t (id) WHERE v > 0",
        "t.csv --key id",
        "CREATE UNIQUE INDEX",
        Sql,
    ),
    refused(
        "CREATE TABLE t (id int, v int); CREATE UNIQUE INDEX i ON t ((id + 1))",
        "t.csv --key id",
        "CREATE UNIQUE INDEX",
        Sql,
    ),
    refused("CREATE TABLE t (id int, v int, UNIQUE (id) DEFERRABLE)", "t.csv --key id", "ADD UNIQUE", Sql),
    refused(
        "CREATE TABLE t (id int, v int, UNIQUE (id) DEFERRABLE); CREATE UNIQUE INDEX i ON t (id)",
        "t.csv --key id",
        "ADD UNIQUE",
        Sql,
    ),
    refused(
        "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, v int)",
        "t.csv",
        "; then --key id",
        SqlAnd("t.csv --key id"),
    ),
    refused(
        "CREATE TABLE t (id int, v int) PARTITION BY RANGE (v); CREATE TABLE p PARTITION OF t DEFAULT",
        "t.csv --key id",
        "and --key id,v",
        SqlAnd("t.csv --key id,v"),
    ),
    // A partition that is partitioned itself.
    refused(
        "CREATE TABLE t (id int, v int) PARTITION BY RANGE (id); \
         CREATE TABLE p PARTITION OF t DEFAULT PARTITION BY RANGE (v); CREATE TABLE q PARTITION OF p DEFAULT",
        "t.csv --key id",
        "and --key id,v",
        SqlAnd("t.csv --key id,v"),
    ),
    refused(
        "CREATE TABLE t (id int, v int) PARTITION BY RANGE ((id + v)); CREATE TABLE p PARTITION OF t DEFAULT",
        "t.csv --key id",
        "--mode append needs no key",
        Line("t.csv --mode append"),
    ),
    refused(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "t.csv",
        "leave them out with --extra ignore",
        Line("t.csv --extra ignore"),
    ),
    refused(
        "CREATE TABLE t (id int PRIMARY KEY, rest jsonb)",
        "t.csv",
        "--extra jsonb:COLUMN",
        Line("t.csv --extra jsonb:rest"),
    ),
    refused("CREATE TABLE t (id int PRIMARY KEY)", "t.csv --extra jsonb:rest", "ADD COLUMN", Sql),
    refused(
        "CREATE TABLE t (id int PRIMARY KEY, w int, rest jsonb)",
        "t.csv --extra jsonb:w",
        "name a jsonb column",
        Line("t.csv --extra jsonb:rest"),
    ),
    refused(
        "CREATE TABLE t (key int PRIMARY KEY, id int UNIQUE, v int)",
        "t.csv",
        "or give the column a default",
        Do("ALTER TABLE t ALTER key SET DEFAULT 7"),
    ),
    refused(
        "CREATE TABLE t (key int PRIMARY KEY DEFAULT 1, id int UNIQUE, v int)",
        "t.csv --mode upsert",
        "--key names another key, --mode append needs none",
        Line("t.csv --key id"),
    ),
    refused(T, "t.csv --newer-by nosuch", "name a column", Line("t.csv --newer-by v")),
    refused(
        "CREATE TABLE t (id int PRIMARY KEY, v int, j json)",
        "t.csv --newer-by j",
        "name a column with a number or a time",
        Line("t.csv --newer-by v"),
    ),
    Refused {
        file: ("t.csv", "id,v,V\n1,7,8\n"),
        ..refused(T, "t.csv", "rename or remove one of them", File("id,v\n1,7\n"))
    },
    refused(T, "t.csv --narrowing nosuch=allow", "name a column", Line("t.csv --narrowing v=allow")),
    // Without a schema to make it in.
    refused(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = nowhere', current_database()); END $$",
        "t.csv",
        "say --table SCHEMA.NAME",
        Line("t.csv --table public.t"),
    ),
    Refused {
        file: ("t.jsonl", "id,v\n1,7\n"),
        exit: Some(4),
        ..refused("", "t.jsonl", "say what it is with --format", Line("t.jsonl --format csv"))
    },
    refused("", "t.csv -k nosuch", "they have \"id\", \"v\"", Line("t.csv -k id")),
    refused("", "t.csv -t pg_temp.t", "name a schema of your own", Line("t.csv -t public.t")),
];

/// Names and content of files.
const FILES: [Refused; 25] = [
    of_file(CSV, "t.cvs", "did you mean t.csv", Line("t.csv")),
    of_file(("t.csv", "id,v\0\n1,7\n"), "t.csv", "--on-nul strip", Line("t.csv --on-nul strip")),
    of_file(
        ("d/x.dat", "{\"id\":1,\"v\":7}\n"),
        "d -t t",
        "name other files by a pattern",
        Line("d/*.dat -t t"),
    ),
    of_file(("t.csv.gz", "id,v\n1,7\n"), "t.csv.gz", "--compression", Line("t.csv.gz --compression none")),
    of_file(
        ("t.csv", "id,id\n1,7\n"),
        "t.csv",
        "--skip-lines N",
        Line("t.csv --skip-lines 1 --columns id,v"),
    ),
    of_file(
        ("t.json", "{\"rows\":7}"),
        "t.json --records rows",
        "an array of objects",
        File("{\"rows\":[{\"id\":1,\"v\":7}]}"),
    ),
    of_file(
        ("t.json", "{\"rows\":[{\"id\":1,\"v\":7}]}"),
        "t.json --records items",
        "members: rows",
        Line("t.json --records rows"),
    ),
    of_file(
        ("t.json", "[{\"id\":1,\"v\":7}"),
        "t.json",
        "fetch it again, then run the same command",
        File("[{\"id\":1,\"v\":7}]"),
    ),
    Refused {
        exit: Some(2),
        ..of_file(("undo", "{\"id\":1,\"v\":7}\n"), "undo", "./undo", Line("./undo -t t"))
    },
    of_file(CSV, "t.csv t.csv --mode append", "name each file once", Line("t.csv --mode append")),
    of_file(CSV, "x*.csv -t t", "dbload expands patterns itself", Line("?.csv -t t")),
    of_file(CSV, "t.csv --max-fields 1", "--max-fields allows more", Line("t.csv --max-fields 2")),
    of_file(
        ("t.json", "{\"error\":\"no such day\"}"),
        "t.json --records items",
        "it seems to be an error: look at it",
        File("{\"items\":[{\"id\":1,\"v\":7}]}"),
    ),
    of_file(
        ("x[1.csv", "id,v\n1,7\n"),
        "?[1.csv -t t",
        "[[] and [{] stand for those characters",
        Line("?[[]1.csv -t t"),
    ),
    of_file(CSV, "file://t.csv", "say its path alone", Line("t.csv")),
    Refused {
        exit: Some(2),
        ..of_file(
            CSV,
            "t.csv --delimiter \"",
            "say another --delimiter, --quote, --escape or --comment",
            Line("t.csv"),
        )
    },
    // Where a table is to be made, and no record can be read.
    // Without the flag it is seen what they are.
    Refused {
        line: "t.jsonl --format jsonl",
        ..of_none(
            "t.jsonl",
            "{\n\"id\":1,\n\"v\":7}\n",
            "--format json reads objects that span lines",
            Line("t.jsonl --format json"),
        )
    },
    of_none("t.jsonl", "{\"id\":1,\"v\":NaN}\n", "no NaN and no comments", File("{\"id\":1,\"v\":null}\n")),
    of_none(
        "t.csv",
        "id,\"v\n1,7\n",
        "is this the right --format, delimiter and quote?",
        Line("t.csv --quote none"),
    ),
    of_none("t.json", "[]", "create the table, or load a source with records first", File("[{\"id\":1}]")),
    of_none("t.csv", "id,v\n1,\"7\"x\n", "--quote and --escape", Line("t.csv --quote none")),
    of_none("t.csv", "id,v\n1;7\n", "is it another --delimiter", File("id,v\n1,7\n")),
    of_none("t.jsonl", "[{\"id\":1,\"v\":7}]\n", "--format json reads", Line("t.jsonl --format json")),
    of_none("t.jsonl", "{\"id\":1,\"id\":2}\n", "where its records are", File("{\"id\":1}\n")),
    Refused {
        line: "t.jsonl --max-depth 1",
        ..of_none("t.jsonl", "{\"id\":1,\"v\":[[7]]}\n", "The limit is a flag too", Line("t.jsonl"))
    },
];

const fn of_none(name: &'static str, content: &'static str, says: &'static str, then: Then) -> Refused {
    Refused { setup: "", ..of_file((name, content), name, says, then) }
}

/// The hint without its line ends.
fn hint(outcome: &Outcome) -> String {
    let hint = outcome.stderr.split("hint:").nth(1).unwrap_or_else(|| panic!("no hint: {outcome}"));
    hint.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The statement with which a hint begins.
fn statement(hint: &str) -> &str {
    [", and --", "; then --"].iter().fold(hint, |sql, behind| sql.split(behind).next().unwrap_or_default())
}

fn follow(cases: &[Refused]) {
    for Refused { setup, file: (name, content), line, exit, says, then } in cases {
        let scene = Scene::with(setup);
        scene.file(name, content);
        let outcome = scene.plain(line).run();
        assert!(exit.map_or(outcome.code() != 0, |code| outcome.code() == code), "{line}: {outcome}");
        let hint = hint(&outcome);
        assert!(hint.contains(says), "{line}: {outcome}");
        assert!(!hint.contains(".."), "{line}: a command with dots: {outcome}");
        let line = match then {
            Sql | SqlAnd(_) => {
                println!("{}", statement(&hint));
                scene.sql(statement(&hint));
                if let SqlAnd(line) = then { line } else { line }
            }
            Line(line) => line,
            Do(sql) => {
                scene.sql(sql);
                line
            }
            File(content) => {
                scene.file(name, content);
                line
            }
        };
        let followed = scene.load(line);
        assert_eq!(followed.rows().inserted, 1, "{line}: {followed} behind {outcome}");
        assert_eq!(scene.db.count("t"), 1, "{line}: {followed} behind {outcome}");
    }
}

#[test]
fn hints_of_the_plan_are_true_when_followed() {
    follow(&PLANS);
}

#[test]
fn hints_at_files_are_true_when_followed() {
    follow(&FILES);
}

/// All rights that are lacking are in one statement, for the role by its name.
#[test]
fn a_role_without_rights_is_told_all_that_it_lacks() {
    let scene = Scene::with(T);
    let role = format!("lacks_{}", scene.db.name());
    scene.sql(&format!("CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}", scene.db.name()));
    let url = scene.db.url().replace("user=postgres", &format!("user={role}"));
    scene.file("t.csv", "id,v\n1,7\n");
    let load = || Dbload::new(scene.cwd()).line("t.csv --json --dsn").arg(&url).run();
    let outcome = load().exits(6);
    let hint = hint(&outcome);
    assert!(hint.starts_with("GRANT INSERT, UPDATE, SELECT ON"), "{outcome}");
    scene.sql(&hint);
    let followed = load().exits(0);
    assert_eq!(followed.rows().inserted, 1, "{followed}");
    scene.sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

/// `--datestyle` is named where a date in another order was refused, and nowhere else.
#[test]
fn datestyle_is_named_for_dates_alone() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, d date)");
    let values = |ds: &[&str]| {
        let others: String = (10..30).map(|id| format!("{id},\n")).collect();
        let lines: String = ds.iter().enumerate().map(|(i, d)| format!("{i},{d}\n")).collect();
        format!("id,d\n{lines}{others}")
    };
    scene.file("t.csv", values(&["31.12.2024", "25/12/2024"]));
    let outcome = scene.plain("t.csv").run().exits(3);
    assert!(outcome.stderr.contains("--datestyle DMY"), "{outcome}");
    let outcome = scene.load("t.csv --datestyle DMY");
    assert_eq!(outcome.rows().inserted, 2, "{outcome}");
    for no_date in ["soon", "2024-02-31", "2024-05-01T10:00:00+02:00", "now", "1999-13-45", "20240231"] {
        scene.file("t.csv", values(&[no_date]));
        scene.sql("DELETE FROM t");
        let outcome = scene.plain("t.csv").run().exits(3);
        assert!(!outcome.stderr.contains("--datestyle"), "{no_date}: {outcome}");
    }
}

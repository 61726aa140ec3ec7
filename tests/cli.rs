//! The command line: exit codes, where output goes, connection strings, rights, secrets, verify, dry run.
//!
//! Closed stdout and stderr, a server that stays away, a canary secret (CASES.md, row 46), an ordinary role
//! without the right to create.

mod help;
mod progress;

use crate::{
    rows,
    support::{Database, Dbload, Folder, Outcome, Scene, generate},
};
use dbload::internals::local::{Options, TempServer};

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";

#[test]
fn wrong_usage_exits_2_and_help_and_version_0() {
    let folder = Folder::new();
    let run = |line: &str| Dbload::new(folder.path()).line(line).run();
    // What it is, and how it is begun.
    let alone = run("").exits(2).says("Usage: dbload [OPTIONS] SOURCE...").says("dbload --help");
    let examples = alone.stderr.lines().filter(|line| line.starts_with("  dbload ")).count();
    assert_eq!((examples, alone.stdout.as_str()), (3, ""), "{alone}");
    run("x.jsonl --no-such-flag").exits(2).says("--no-such-flag");
    run("x.jsonl --mode sideways").exits(2).says("sideways");
    run("x.jsonl --pool-size 0").exits(2).says("pool-size");
    run("x.jsonl --pool-size many").exits(2);
    run("x.jsonl --batch-rows 0").exits(2);
    run("x.jsonl --max-rejects 200%").exits(2);
    run("x.jsonl --dsn mysql://host/db").exits(2).says("hint:");
    assert!(run("--help").exits(0).stderr.is_empty());
    let version = run("--version").exits(0);
    assert!(version.stdout.starts_with("dbload "));
}

#[test]
fn stdout_is_data_and_everything_else_goes_to_stderr() {
    let scene = Scene::with(generate::EVENTS_TABLE);
    scene.file("events.jsonl", generate::events(1..=3_000, 1));
    let json = scene.dbload("events.jsonl -v").run().exits(0);
    assert_eq!(json.stdout.trim().lines().count(), 1, "one JSON value: {json}");
    json.report();
    let people = scene.plain("events.jsonl").run().exits(0);
    assert!(
        people.stdout.contains("3000") || people.stdout.contains("3,000"),
        "a summary for people: {people}"
    );
    assert!(
        !people.stdout.contains('\u{1b}') && !people.stderr.contains('\u{1b}'),
        "no colour without a terminal: {people:?}"
    );
    for flag in ["-q", "--quiet"] {
        let quiet = scene.plain("events.jsonl").arg(flag).run().exits(0);
        assert_eq!(quiet.stderr, "", "{quiet}");
    }
    // Asked for nothing, and then for what a developer wants to see.
    assert!(!scene.plain("events.jsonl").run().exits(0).stderr.contains("DEBUG"));
    scene.plain("events.jsonl --verbose --verbose").run().exits(0).says("DEBUG");
    let log = scene.dbload("events.jsonl --log-format json -v").run().exits(0);
    for line in log.stderr.lines().filter(|l| !l.is_empty()) {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}

#[test]
fn a_report_that_nobody_can_get_is_no_success() {
    let scene = Scene::with(T);
    for (name, words, redirected, code) in [
        ("a", "--json", ">&-", 1),
        ("b", "", ">&-", 1),
        ("c", "--json", ">/dev/full", 1),
        ("d", "--json", ">/dev/null", 0),
        // Nothing was to be said.
        ("e", "--quiet", ">&-", 0),
    ] {
        scene.file(&format!("{name}.jsonl"), "{\"id\":1}\n");
        let program = env!("CARGO_BIN_EXE_dbload");
        let shell = format!("{program} {name}.jsonl -t t --dsn \"$URL\" {words} {redirected} 2>{name}.txt");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &shell]).env("URL", scene.db.url()).current_dir(scene.cwd());
        let status = command.status().unwrap();
        let stderr = scene.folder.read(format!("{name}.txt"));
        assert_eq!(status.code(), Some(code), "{shell}: {stderr}");
        assert_eq!(code == 1, stderr.contains("write to stdout"), "{shell}: {stderr}");
        assert_eq!(scene.db.count("t"), 1);
    }
}

#[test]
fn a_report_holds_no_character_that_a_terminal_acts_on() {
    let scene = Scene::with(T);
    let name = "a\u{9b}2J\u{202e}b\u{200f}\u{61c}\u{2066}\u{7f}.jsonl";
    scene.file(name, "{\"id\":1}\n");
    let outcome = scene.dbload("-t t").arg(name).run().exits(0);
    assert_eq!(outcome.report().sources[0].name, name);
    let shown = |c: &char| c.is_ascii_graphic() || matches!(c, ' ' | '\n');
    assert_eq!(outcome.stdout.chars().find(|c| !shown(c)), None, "{outcome}");
}

#[test]
fn a_closed_stdout_is_no_panic() {
    let scene = Scene::with(T);
    scene.file("t.jsonl", "{\"id\":1}\n");
    let shell = format!("{} t.jsonl --dsn \"$URL\" 2>err.txt | true", env!("CARGO_BIN_EXE_dbload"));
    let status = std::process::Command::new("sh")
        .args(["-c", &shell])
        .env("URL", scene.db.url())
        .current_dir(scene.cwd())
        .status();
    assert!(status.unwrap().success());
    let stderr = scene.folder.read("err.txt");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(scene.db.count("t"), 1);
}

#[test]
fn a_dry_run_shows_the_plan_and_writes_nothing() {
    let scene = Scene::with(T);
    scene.file("t.jsonl", "{\"id\":1,\"v\":\"a\"}\n");
    scene.file("fresh.jsonl", "{\"id\":1,\"at\":\"2024-01-01\"}\n");
    let plan = scene.plain("t.jsonl --dry-run").run().exits(0);
    for said in ["id", "v", "upsert"] {
        assert!(plan.stdout.contains(said), "{plan}");
    }
    let ddl = scene.plain("fresh.jsonl --key id --dry-run").run().exits(0);
    assert!(ddl.stdout.to_uppercase().contains("CREATE TABLE"), "{ddl}");
    assert_eq!(scene.db.count("t"), 0);
    assert!(!scene.db.has_table("fresh"));
    assert_eq!(scene.db.one("SELECT count(*) FROM pg_namespace WHERE nspname = '_dbload'"), "0");
    assert_eq!(scene.folder.names(), ["fresh.jsonl", "t.jsonl"]);
}

#[test]
fn the_database_is_named_in_every_way_of_the_wild() {
    let server = TempServer::start(Options::default().tcp(0)).unwrap();
    server
        .execute("postgres", &[T, "CREATE SCHEMA app", "CREATE TABLE app.t (id int PRIMARY KEY, v text)"])
        .unwrap();
    let folder = Folder::new();
    folder.file("t.jsonl", "{\"id\":1,\"v\":\"a\"}\n");
    let tcp = server.tcp_dsn("postgres").unwrap();
    let port = tcp.rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
    folder.file("dsn.txt", format!("{tcp}\n"));
    let socket = server.url();
    let dbload = || Dbload::new(folder.path()).line("t.jsonl --json");
    let key_value = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    let ways: Vec<(&str, Dbload)> = vec![
        ("url", dbload().arg("--dsn").arg(&tcp)),
        ("postgres:", dbload().arg("-d").arg(tcp.replace("postgresql:", "postgres:"))),
        ("driver", dbload().arg("--dsn").arg(tcp.replace("postgresql:", "postgresql+asyncpg:"))),
        ("socket", dbload().arg("--dsn").arg(&socket)),
        ("key=value", dbload().arg("--dsn").arg(&key_value)),
        ("env:", dbload().line("--dsn env:THE_URL").env("THE_URL", &tcp)),
        ("file:", dbload().line("--dsn file:dsn.txt")),
        ("DBLOAD_DSN", dbload().env("DBLOAD_DSN", &tcp)),
        ("DATABASE_URL", dbload().env("DATABASE_URL", &tcp)),
        (
            "PG*",
            dbload()
                .env("PGHOST", "127.0.0.1")
                .env("PGPORT", &port)
                .env("PGUSER", "postgres")
                .env("PGDATABASE", "postgres"),
        ),
        (
            "sslmode",
            dbload().arg("--dsn").arg(format!("{tcp}?sslmode=disable&application_name=x&connect_timeout=5")),
        ),
        ("prefer", dbload().arg("--dsn").arg(format!("{tcp}?sslmode=prefer"))),
    ];
    for (what, dbload) in ways {
        let outcome = dbload.run();
        assert_eq!(outcome.code(), 0, "{what}: {outcome}");
        assert_eq!(
            outcome.report().database,
            if what == "socket" { outcome.report().database } else { format!("127.0.0.1:{port}/postgres") },
            "{what}"
        );
    }
    let schema = dbload().arg("--dsn").arg(format!("{tcp}?schema=app")).run().exits(0);
    assert_eq!(schema.report().table, "app.t");
    dbload().arg("--dsn").arg(format!("{tcp}?sslmode=require")).run().exits(5).says("TLS");
    let unknown = dbload().arg("--dsn").arg(format!("{tcp}?no_such_option=1")).run();
    assert!([2, 6].contains(&unknown.code()) && unknown.stderr.contains("no_such_option"), "{unknown}");
}

#[test]
fn a_server_that_is_not_there_is_exit_5_and_says_where() {
    let scene = Scene::new();
    scene.file("t.jsonl", "{\"id\":1}\n");
    let dbload = Dbload::new(scene.cwd()).line("t.jsonl --dsn postgresql://someone@127.0.0.1:1/db");
    dbload.run().exits(5).says("127.0.0.1:1").says("is the server running, and listening on that address");
    let missing = scene.db.url().replace(&scene.db.name(), "no_such_database");
    Dbload::new(scene.cwd())
        .line("t.jsonl --dsn")
        .arg(missing)
        .run()
        .exits(5)
        .says("no_such_database")
        .says("no such database; create it");
}

/// A server that wants a password over TCP.
fn guarded(password: &str) -> TempServer {
    let server = TempServer::start(Options::default().tcp(0)).unwrap();
    let change = format!("ALTER ROLE postgres PASSWORD '{password}'");
    server.execute("postgres", &[T, &change]).unwrap();
    let hba = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    std::fs::write(server.cluster().data.join("pg_hba.conf"), hba).unwrap();
    server.execute("postgres", &["SELECT pg_reload_conf()"]).unwrap();
    let tcp = server.tcp_dsn("postgres").unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while Database::try_connect(&tcp).is_ok() {
        assert!(std::time::Instant::now() < deadline, "it lets in without a password");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    server
}

#[test]
fn passwords_appear_nowhere() {
    let canary = "c4n4ry-s3cret";
    let server = guarded(canary);
    let folder = Folder::new();
    folder.file("t.jsonl", "{\"id\":1,\"v\":\"a\"}\n{\"id\":\"x\"}\n");
    let tcp = server.tcp_dsn("postgres").unwrap();
    let url = tcp.replace("postgres@", &format!("postgres:{canary}@"));
    let host = tcp.split('@').nth(1).unwrap();
    let (address, name) = host.split_once('/').unwrap();
    let (host, port) = address.split_once(':').unwrap();
    folder.file("url.txt", &url);
    let passfile = folder.file(".pgpass", format!("{host}:{port}:{name}:postgres:{canary}\n"));
    std::fs::set_permissions(&passfile, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let dbload = || Dbload::new(folder.path()).line("t.jsonl --json -v -v");
    let runs: Vec<(&str, Dbload, i32)> = vec![
        ("argv", dbload().arg("--dsn").arg(&url), 3),
        ("env:", dbload().line("--dsn env:URL").env("URL", &url), 3),
        ("file:", dbload().line("--dsn file:url.txt"), 3),
        ("DATABASE_URL", dbload().env("DATABASE_URL", &url), 3),
        (
            "PGPASSWORD",
            dbload().arg("--dsn").arg(&tcp).env("PGPASSWORD", canary).env("HOME", "/nonexistent"),
            3,
        ),
        ("passfile", dbload().arg("--dsn").arg(&tcp), 3),
        ("wrong", dbload().arg("--dsn").arg(url.replace(canary, "wr0ng-c4n4ry")), 5),
        ("wrong port", dbload().arg("--dsn").arg(url.replace(&format!(":{port}/"), ":1/")), 5),
        ("broken url", dbload().arg("--dsn").arg(url.replace(port, "port")), 2),
        ("plan", dbload().arg("--dry-run").arg("--dsn").arg(&url), 0),
    ];
    for (what, dbload, code) in runs {
        let outcome = dbload.run();
        assert!(
            !outcome.stdout.contains("c4n4ry") && !outcome.stderr.contains("c4n4ry"),
            "{what} leaks: {outcome}"
        );
        assert_eq!(outcome.code(), code, "{what}: {outcome}");
        if what == "argv" {
            assert!(outcome.stderr.contains("hint:"), "a password in argv is worth a hint: {outcome}");
        }
    }
    let db = Database::connect(&server.url());
    let tables =
        db.lines("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = '_dbload'");
    assert!(!tables.is_empty());
    for table in tables {
        let rows = db.lines(&format!("SELECT x::text FROM {table} x"));
        assert!(!rows.iter().any(|r| r.contains("c4n4ry")), "the ledger knows the password: {table}");
    }
    for name in folder.names().iter().filter(|n| n.contains("rejects")) {
        assert!(!folder.read(name).contains("c4n4ry"));
    }
}

/// A role that may only write into `t`, and what it is called.
fn clerk(scene: &Scene, rights: &str) -> (String, impl Fn(&str) -> Outcome) {
    let role = format!("clerk_{}", scene.db.name());
    scene.sql(&format!("CREATE ROLE {role} LOGIN; GRANT {rights} ON t TO {role}"));
    let url = scene.db.url().replace("user=postgres", &format!("user={role}"));
    assert!(url.contains(&role));
    let cwd = scene.cwd().to_owned();
    (role, move |line: &str| Dbload::new(&cwd).line(line).arg("--json").arg("--dsn").arg(&url).run())
}

#[test]
fn a_role_that_may_not_create_is_told_the_sql_and_can_load_after_it_was_run() {
    let scene = Scene::with(T);
    let (role, run) = clerk(&scene, "SELECT, INSERT, UPDATE");
    scene.file("t.jsonl", "{\"id\":1,\"v\":\"a\"}\n");
    run("t.jsonl").exits(6).says("dbload ledger sql").says("--no-ledger");
    assert_eq!(scene.db.count("t"), 0);
    assert_eq!(run("t.jsonl --no-ledger").exits(0).rows(), rows!(read: 1, inserted: 1));
    let sql = Dbload::new(scene.cwd()).line("ledger sql").run().exits(0).stdout;
    scene.sql(&sql);
    scene.sql(&format!(
        "GRANT USAGE ON SCHEMA _dbload TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA _dbload TO {role}; \
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA _dbload TO {role}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA _dbload TO {role}"
    ));
    assert_eq!(run("t.jsonl").exits(0).rows(), rows!(read: 1, unchanged: 1));
    scene.sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn missing_rights_on_the_table_are_refused_before_the_first_row() {
    let scene = Scene::with(T);
    let (role, run) = clerk(&scene, "SELECT, INSERT");
    scene.sql(&format!("GRANT CREATE ON DATABASE {} TO {role}", scene.db.name()));
    scene.file("t.jsonl", "{\"id\":1,\"v\":\"a\"}\n");
    run("t.jsonl").exits(6).says("UPDATE").says("hint:");
    assert_eq!(scene.db.count("t"), 0);
    run("t.jsonl --mode append").exits(0);
    scene.sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn verify_reads_the_sources_again_and_compares_them_with_the_table() {
    let scene = Scene::with(generate::EVENTS_TABLE);
    let text = generate::events(1..=500, 1) + &generate::events(1..=50, 2);
    scene.file("events.jsonl", text);
    scene.load("events.jsonl");
    let verify = || scene.plain("verify events.jsonl --table events").run();
    let digest = scene.db.digest("(SELECT xmin, xmax, ctid, * FROM events) y");
    verify().exits(0);
    assert_eq!(scene.db.digest("(SELECT xmin, xmax, ctid, * FROM events) y"), digest, "it writes nothing");
    for (damage, repair, line) in [
        (
            "UPDATE events SET name = 'tampered' WHERE id = 300",
            "UPDATE events SET name = 'name 300 v1' WHERE id = 300",
            "300",
        ),
        (
            "UPDATE events SET amount = NULL WHERE id = 7",
            "UPDATE events SET amount = 7.09 WHERE id = 7",
            "507",
        ),
        (
            "DELETE FROM events WHERE id = 499",
            "INSERT INTO events VALUES (499, 'name 499 v1', 499.00, '2024-01-24')",
            "499",
        ),
    ] {
        scene.sql(damage);
        let outcome = verify();
        assert_ne!(outcome.code(), 0, "{damage}: {outcome}");
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(said.contains(&format!("events.jsonl:{line}")), "{damage}: {outcome}");
        scene.sql(repair);
    }
    verify().exits(0);
}

#[test]
fn completions_are_for_shells() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let outcome = Dbload::new(folder.path()).line("completions").arg(shell).run().exits(0);
        assert!(outcome.stdout.contains("dbload"), "{shell}");
    }
}

#[test]
fn reserved_words_are_commands_and_a_folder_of_that_name_is_said_with_a_dot() {
    let scene = Scene::with(T);
    scene.file("local/t.jsonl", "{\"id\":1,\"v\":\"a\"}\n");
    scene.load("./local -t t");
    assert_eq!(scene.load("load local/t.jsonl").rows(), rows!(read: 1, unchanged: 1));
    scene.file("undo", "{\"id\":2,\"v\":\"b\"}\n");
    scene.run("undo -t t").exits(2).says("a file or folder of that name is ./undo");
    scene.load("./undo -t t");
}

#[test]
fn the_table_is_named_after_the_first_source_unless_it_is_said() {
    let scene = Scene::with("CREATE TABLE events (id int PRIMARY KEY)");
    scene.file("in/events.jsonl.gz", crate::support::compress::gzip(b"{\"id\":1}\n"));
    scene.file("other.jsonl", "{\"id\":2}\n");
    assert_eq!(scene.load("in/events.jsonl.gz other.jsonl").report().table, "public.events");
    assert_eq!(scene.db.count("events"), 2);
    let stdin = scene.dbload("-").stdin("{\"id\":3}\n").run();
    assert!([2, 6].contains(&stdin.code()) && stdin.stderr.contains("--table"), "stdin has no name: {stdin}");
}

#[test]
fn verify_goes_by_newer_by_as_the_load_does() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, u timestamptz, v text)");
    scene.file(
        "t.csv",
        "id,u,v\n1,2024-01-02,a\n1,2024-01-01,b\n2,2024-01-01,x\n2,2024-01-03,y\n2,2024-01-02,z\n",
    );
    let words = "t.csv --newer-by u";
    scene.run(words).exits(0);
    assert_eq!(scene.db.lines("SELECT id, v FROM t ORDER BY 1"), ["1|a", "2|y"]);
    for batch in ["", "--batch-rows 1"] {
        let outcome = scene.plain(&format!("verify {words} {batch}")).run().exits(0);
        assert!(outcome.stdout.contains("superseded                 3"), "{outcome}");
    }
    // What is newer in the table is what a load leaves alone; what is other at the same time is not.
    scene.sql("UPDATE t SET u = '2025-01-01', v = 'later' WHERE id = 1");
    scene.plain(&format!("verify {words}")).run().exits(0);
    scene.sql("UPDATE t SET v = 'other' WHERE id = 2");
    let outcome = scene.plain(&format!("verify {words}")).run();
    assert!(outcome.code() != 0 && outcome.stdout.contains("different                  1"), "{outcome}");
}

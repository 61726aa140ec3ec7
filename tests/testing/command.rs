//! `dbload testing database`: the same for programs in any language.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use dbload::internals::local::{Options, TempServer};

use super::{is_there, service};
use crate::support::{Database, Dbload, Folder, program};

/// The program, spoken to.
struct Asked {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Asked {
    fn new(server: &TempServer, folder: &Folder, words: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.args(["testing", "database"]).args(words).current_dir(folder.path());
        command.env("DBLOAD_TEST_SERVER", server.url()).env("PROGRAM", program());
        Self::spawned(command)
    }

    fn spawned(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, stdin, lines: BufReader::new(stdout).lines() }
    }

    fn url(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn say(&mut self, word: &str) {
        self.stdin.as_mut().unwrap().write_all(format!("{word}\n").as_bytes()).unwrap();
    }

    fn end(mut self) -> i32 {
        drop(self.stdin.take());
        self.child.wait().unwrap().code().unwrap()
    }
}

fn name_of(url: &str) -> String {
    let (before, _) = url.split_once('?').unwrap();
    before.rsplit('/').next().unwrap().to_owned()
}

#[test]
fn a_database_lives_as_long_as_stdin_and_a_line_asks_for_another_one() {
    let (server, folder) = (TempServer::start(Options::default().in_memory()).unwrap(), service());
    folder.file("more/users.csv", "id,email\n7,seven@x.org\n");
    let words = ["--schema", "schema.sql", "--fixtures", "fixtures", "--fixtures", "more", "--ahead", "1"];
    let mut asked = Asked::new(&server, &folder, &words);
    let first = asked.url();
    assert_eq!(Database::connect(&first).count("users"), 3);
    Database::connect(&first).sql("DELETE FROM users");
    asked.say("next");
    let second = asked.url();
    assert_eq!(Database::connect(&second).count("users"), 3);
    assert!(!is_there(&first, &name_of(&first)));
    asked.say("keep");
    let third = asked.url();
    assert_eq!(Database::connect(&second).count("users"), 3);
    assert_eq!(asked.end(), 0);
    assert!(!is_there(&third, &name_of(&third)));
    assert!(is_there(&second, &name_of(&second)), "it is there to be looked at");
}

#[test]
fn migrations_are_any_command_and_run_once_for_their_name() {
    let (server, folder) = (TempServer::start(Options::default().in_memory()).unwrap(), service());
    folder.file("migrations/1_a.sql", "CREATE TABLE a (id int)");
    folder.file("b.csv", "id\n1\n");
    folder.file("migrate", "echo once >> runs; exec \"$PROGRAM\" b.csv --dsn \"$DATABASE_URL\" --quiet");
    let words = ["--migrations-in", "migrations", "--migrate", "v1=sh migrate", "--by-schema"];
    let mut asked = Asked::new(&server, &folder, &words[..4]);
    let url = asked.url();
    assert_eq!(Database::connect(&url).count("b"), 1);
    assert_eq!(Database::connect(&url).columns("a"), ["id integer"]);
    asked.say("next");
    let _ = asked.url();
    assert_eq!((asked.end(), folder.read("runs").as_str()), (0, "once\n"));
    let mut asked = Asked::new(&server, &folder, &words);
    assert!(asked.url().contains("search_path"));
    assert_eq!(asked.end(), 0);
}

#[test]
fn what_cannot_be_is_said_and_ends_it() {
    let (server, folder) = (TempServer::start(Options::default().in_memory()).unwrap(), service());
    folder.file("fixtures/users/eve.json", "{\"email\": \"e\", \"boss\": \"$ref:users.nobody\"}");
    let ask =
        |line: &str| Dbload::new(folder.path()).line(line).env("DBLOAD_TEST_SERVER", server.url()).run();
    ask("testing database --schema schema.sql --fixtures fixtures")
        .exits(6)
        .says("users/eve.json:1 (eve): boss");
    ask("testing database --schema nothing.sql").exits(6).says("nothing.sql");
    ask("testing database --migrate v1=false").exits(6).says("run the migrations \"v1\"");
    ask("testing database --migrate true").exits(2).says("it is NAME=COMMAND");
    let away = Dbload::new(folder.path())
        .line("testing database")
        .env("DBLOAD_TEST_SERVER", "postgresql:///x?host=/nowhere");
    away.run().exits(5).says("connect to the test server");
}

#[test]
fn a_role_that_may_create_no_database_gets_a_schema_in_its_own() {
    let (server, folder) = (TempServer::start(Options::default().in_memory()).unwrap(), service());
    let postgres = Database::connect(&server.url());
    postgres.sql("CREATE ROLE app LOGIN");
    postgres.sql("CREATE DATABASE app_test OWNER app");
    let url = server.dsn("app_test").replace("user=postgres", "user=app");
    let mut command = Command::new(program());
    command.args("testing database --by-schema --schema schema.sql --fixtures fixtures".split(' '));
    command.env("DBLOAD_TEST_SERVER", &url).current_dir(folder.path());
    let mut asked = Asked::spawned(command);
    for _ in 0..2 {
        let db = Database::connect(&asked.url());
        assert_eq!((db.name().as_str(), db.count("users")), ("app_test", 2));
        db.sql("DELETE FROM posts; DELETE FROM users");
        asked.say("next");
    }
    let _ = asked.url();
    assert_eq!(asked.end(), 0);
    let left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'dbload%'";
    assert_eq!(Database::connect(&server.dsn("app_test")).one(left), "0");
}

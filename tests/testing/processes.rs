//! Many test processes on one server: what they share, what they leave when they fail or are killed. The
//! processes are this very test binary, told to run one test.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use dbload::internals::local::{Options, TempServer};

use super::{is_there, service};
use crate::support::{Database, Folder, Rng};

const FOLDER: &str = "DBLOAD_TEST_FOLDER";

/// A test process on a server.
struct Suite<'s> {
    server: &'s TempServer,
    folder: &'s Folder,
}

impl Suite<'_> {
    fn spawn(&self, test: &str, run: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", &format!("testing::processes::{test}")]);
        command.env("DBLOAD_TEST_SERVER", self.server.url()).env("NEXTEST_RUN_ID", run);
        command
            .env(FOLDER, self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn run(&self, test: &str, run: &str) -> Output {
        self.spawn(test, run).wait_with_output().unwrap()
    }

    /// Databases that tests use, or have left.
    fn used(&self) -> Vec<String> {
        self.named("^dbload_[cb]_")
    }

    fn named(&self, pattern: &str) -> Vec<String> {
        let named = format!("SELECT datname FROM pg_database WHERE datname ~ '{pattern}' ORDER BY 1");
        Database::connect(&self.server.url()).lines(&named)
    }

    fn templates(&self) -> usize {
        Database::connect(&self.server.url())
            .lines("SELECT 1 FROM pg_database WHERE datname ~ '^dbload_t_'")
            .len()
    }
}

fn in_folder() -> dbload::testing::DatabaseSetup {
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).unwrap());
    dbload::testing::database().schema(folder.join("schema.sql")).fixtures(folder.join("fixtures")).ahead(2)
}

#[test]
#[ignore = "a process of another test"]
fn passes() {
    let database = in_folder().wait().unwrap();
    let db = Database::connect(database.url());
    assert_eq!(db.count("users"), 2);
    db.sql("DELETE FROM users");
}

#[test]
#[ignore = "a process of another test"]
fn fails() {
    let _database = in_folder().wait().unwrap();
    panic!("on purpose");
}

#[test]
#[ignore = "a process of another test"]
fn is_killed() {
    let _database = in_folder().wait().unwrap();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
}

#[test]
fn processes_share_a_server_and_a_template_and_what_they_leave_is_swept() {
    let (server, folder) = (TempServer::start(Options::default().in_memory()).unwrap(), service());
    let suite = Suite { server: &server, folder: &folder };
    let children: Vec<Child> = (0..4).map(|_| suite.spawn("passes", "one")).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!((suite.used(), suite.templates()), (Vec::new(), 1));

    let failed = suite.run("fails", "one");
    assert!(!failed.status.success());
    let kept = suite.used();
    assert_eq!(kept.len(), 1);
    let words = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(words.contains("the database of this test stays: ") && words.contains(&kept[0]), "{words}");
    assert_eq!(Database::connect(&server.dsn(&kept[0])).count("users"), 2);
    // Its suite goes on, and leaves it for people; the next one does not.
    assert!(suite.run("passes", "one").status.success());
    assert!(is_there(&server.dsn(&kept[0]), &kept[0]));
    suite.run("is_killed", "one");
    assert_eq!(suite.used().len(), 2);
    assert!(suite.run("passes", "two").status.success());
    assert_eq!((suite.used(), suite.templates()), (Vec::new(), 1));
}

#[test]
fn a_template_that_was_not_used_for_a_week_goes() {
    let (server, folder) = (TempServer::start(Options::default().in_memory()).unwrap(), service());
    let suite = Suite { server: &server, folder: &folder };
    assert!(suite.run("passes", "one").status.success());
    let db = Database::connect(&server.url());
    let template = db.one("SELECT datname FROM pg_database WHERE datname ~ '^dbload_t_'");
    db.sql(&format!("COMMENT ON DATABASE {template} IS '1000000000'"));
    folder.file("schema.sql", format!("{}; CREATE TABLE more (id int)", super::SCHEMA));
    assert!(suite.run("passes", "two").status.success());
    assert_eq!(suite.templates(), 1);
    assert!(!is_there(&server.dsn(&template), &template));
    let ready =
        format!("SELECT count(*) FROM pg_database WHERE datname ~ '^{}'", template.replace("_t_", "_p_"));
    assert_eq!(db.one(&ready), "0", "nor do the clones that were made of it ahead");
}

/// Sixteen at once, one in eight killed at any moment: `make bench-fixtures`.
#[test]
#[ignore = "500 processes"]
fn five_hundred_processes_do_not_meet_and_leave_nothing() {
    let (server, folder) =
        (TempServer::start(Options::default().in_memory().conf("max_connections = 200")).unwrap(), service());
    let suite = Suite { server: &server, folder: &folder };
    let began = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..16 {
            let suite = &suite;
            scope.spawn(move || {
                let mut random = Rng::from_seed(worker);
                for i in (worker..500).step_by(16) {
                    if i % 8 == 5 {
                        let mut child = suite.spawn("passes", "one");
                        std::thread::sleep(Duration::from_millis(random.below(600)));
                        let _ = child.kill();
                        child.wait().unwrap();
                        continue;
                    }
                    let output = suite.run("passes", "one");
                    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
                }
            });
        }
    });
    println!("500 processes, 16 at once, one in eight killed: {:?}", began.elapsed());
    assert!(suite.run("passes", "two").status.success());
    assert_eq!((suite.used(), suite.templates()), (Vec::new(), 1));
    assert_eq!(suite.named("^dbload_[^tp]"), Vec::<String>::new());
    let dir = server.dir().to_owned();
    assert!(!processes_with(&dir).is_empty());
    drop(server);
    assert_eq!(processes_with(&dir), Vec::<String>::new());
    assert!(!dir.exists());
}

/// The command lines of processes that name this folder.
fn processes_with(dir: &Path) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let words = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&words).replace('\0', " "))
    });
    all.filter(|words| words.contains(&*dir.to_string_lossy())).collect()
}

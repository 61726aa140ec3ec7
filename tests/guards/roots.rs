//! Whose the ledger is, and what root does in a folder of the server's user.

use crate::support::{Database, Dbload, Scene};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Clerk;

/// Somebody with CREATE on the database makes the ledger first, with a trigger: it would run with the rights
/// of whoever loads.
#[test]
fn a_ledger_that_somebody_else_made_is_refused() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let name = scene.db.name();
    let mallory = Clerk::new(&scene, &format!("GRANT CREATE ON DATABASE {name} TO {{role}}"));
    let theirs = Database::connect(&mallory.url());
    let sql = Dbload::new(scene.cwd()).line("ledger sql --role=public").run().exits(0).stdout;
    theirs.sql(&sql);
    theirs.sql(
        "CREATE SCHEMA loot; CREATE TABLE loot.who (role text); GRANT ALL ON SCHEMA loot TO PUBLIC; GRANT ALL ON loot.who TO PUBLIC; \
         CREATE FUNCTION loot.grab() RETURNS trigger LANGUAGE plpgsql AS \
           $$BEGIN INSERT INTO loot.who VALUES (current_user); RETURN NEW; END$$; \
         CREATE TRIGGER grab BEFORE INSERT OR UPDATE ON _dbload.run FOR EACH ROW EXECUTE FUNCTION loot.grab()",
    );
    scene.file("t.csv", "id\n1\n");
    scene.run("t.csv").exits(6).says(&mallory.role).says("not to be trusted");
    scene.run("t.csv --pool-size 1").exits(6).says(&mallory.role);
    assert_eq!(scene.db.count("loot.who"), 0);
    scene.run("t.csv --no-ledger").exits(0);
    // What the hint says: it is looked at, and belongs to somebody else from then on.
    scene.sql("DROP SCHEMA _dbload CASCADE");
    scene.load("t.csv");
    // Rights alone do the same: a trigger's function is mallory's; or a function beside ours.
    mallory.sql("GRANT USAGE ON SCHEMA _dbload TO {role}; GRANT TRIGGER ON _dbload.run TO {role}");
    theirs.sql("CREATE TRIGGER grab BEFORE UPDATE ON _dbload.run FOR EACH ROW EXECUTE FUNCTION loot.grab()");
    scene.run("t.csv").exits(6).says(&mallory.role).says("trigger grab");
    scene.sql("DROP TRIGGER grab ON _dbload.run");
    scene.load("t.csv");
    mallory.sql("GRANT CREATE ON SCHEMA _dbload TO {role}");
    theirs
        .sql("CREATE FUNCTION _dbload.complete(text, int) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'");
    scene.run("t.csv").exits(6).says("function _dbload.complete");
    assert_eq!(scene.db.count("loot.who"), 0);
    // Their own loads trust what is theirs.
    scene.sql("DROP SCHEMA _dbload CASCADE");
    mallory.sql("GRANT ALL ON t TO {role}");
    mallory.run("t.csv").exits(0);
}

/// An administrator runs the SQL for a second role, and after an update; and where somebody else was first.
#[test]
fn the_administrators_sql_may_be_run_again_and_touches_nothing_of_somebody_else() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let name = scene.db.name();
    let sql = |role: &str| {
        Dbload::new(scene.cwd()).line(&format!("ledger sql --role={role}")).run().exits(0).stdout
    };
    let clerks: Vec<Clerk> = (0..2).map(|_| Clerk::new(&scene, "GRANT ALL ON t TO {role}")).collect();
    for (clerk, file) in clerks.iter().zip(["a.csv", "b.csv"]) {
        scene.db.another().sql(&sql(&clerk.role));
        scene.file(file, "id\n1\n2\n");
        clerk.run(&format!("{file} -t t")).exits(0);
    }
    assert_eq!(scene.db.one("SELECT count(*) FROM _dbload.run"), "2", "what was there stays");

    scene.sql("DROP SCHEMA _dbload CASCADE");
    let mallory = Clerk::new(&scene, &format!("GRANT CREATE ON DATABASE {name} TO {{role}}"));
    Database::connect(&mallory.url()).sql(
        "CREATE SCHEMA _dbload; CREATE TABLE _dbload.migration (version bigint PRIMARY KEY, description text, \
           installed_on timestamptz DEFAULT now(), success boolean, checksum bytea, execution_time bigint); \
         CREATE TABLE _dbload.loot (role text); \
         CREATE FUNCTION _dbload.grab() RETURNS trigger LANGUAGE plpgsql AS \
           $$BEGIN INSERT INTO _dbload.loot VALUES (current_user); RETURN NEW; END$$; \
         CREATE TRIGGER grab BEFORE INSERT ON _dbload.migration FOR EACH ROW EXECUTE FUNCTION _dbload.grab()",
    );
    let refused = scene.db.another().try_sql(&sql(&clerks[0].role)).unwrap_err();
    let refused = refused.as_db_error().unwrap().message().to_owned();
    assert!(refused.contains("not to be trusted") && refused.contains(&mallory.role), "{refused}");
    assert_eq!(scene.db.count("_dbload.loot"), 0);
}

fn is_root() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    println!("skipped: what root does needs root");
    false
}

/// A user's folder with a local server in it; stopped and removed at the end.
struct Local(PathBuf);

impl Local {
    fn new() -> Self {
        let dir = PathBuf::from(format!("/tmp/dblg-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self(dir)
    }

    fn run(&self, word: &str) -> std::process::Output {
        let mut command = Command::new(crate::support::dbload::program());
        command.args(["local", word]).env("XDG_DATA_HOME", self.0.join("share")).stdin(Stdio::null());
        command.output().unwrap()
    }

    fn home(&self) -> PathBuf {
        self.0.join("share/dbload/postgres")
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.run("stop");
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The folders of the local server are its user's: a link there leads where that user likes, and root must
/// not follow it.
#[test]
fn root_follows_no_link_in_the_server_s_folders() {
    if !is_root() {
        return;
    }
    let local = Local::new();
    let started = local.run("start");
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    assert!(local.run("stop").status.success());
    let home = local.home();
    let owner = std::fs::metadata(&home).unwrap().uid();
    assert_ne!(owner, 0, "the server does not run as root");
    let precious = |name: &str| {
        let path = local.0.join(name);
        std::fs::write(&path, "precious").unwrap();
        path
    };
    let is_untouched = |path: &Path| {
        let meta = std::fs::metadata(path).unwrap();
        std::fs::read_to_string(path).unwrap() == "precious" && meta.uid() == 0
    };
    for place in ["data/dbload.conf", "version"] {
        let target = precious("root-s");
        let path = home.join(place);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let started = local.run("start");
        assert!(started.status.success(), "{place}: {}", String::from_utf8_lossy(&started.stderr));
        assert!(local.run("stop").status.success());
        assert!(is_untouched(&target), "{place}: root followed a link");
    }
    // A link that leads nowhere yet: nothing comes to be there.
    let nowhere = local.0.join("nowhere");
    let lock = home.join("start.lock");
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&nowhere, &lock).unwrap();
    assert!(!local.run("start").status.success());
    assert!(!nowhere.exists());
    std::fs::remove_file(&lock).unwrap();
    // The whole folder is elsewhere: what is root's stays as it is.
    let moved = local.0.join("moved");
    std::fs::create_dir(&moved).unwrap();
    std::fs::rename(home.join("data"), home.join("real")).unwrap();
    std::os::unix::fs::symlink(&moved, home.join("data")).unwrap();
    std::fs::create_dir(moved.join("global")).unwrap();
    std::fs::copy(home.join("real/PG_VERSION"), moved.join("PG_VERSION")).unwrap();
    std::fs::copy(home.join("real/global/pg_control"), moved.join("global/pg_control")).unwrap();
    assert!(!local.run("start").status.success());
    assert!(!moved.join("dbload.conf").exists(), "root wrote through a folder that is a link");
}

/// The folder of the ledger's socket, left by a process that was killed, goes with the next start.
#[test]
fn what_a_killed_start_left_in_the_temporary_folder_goes_with_the_next() {
    let Some(bouncer) = crate::support::bouncer::Bouncer::start() else { return };
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.csv", "id\n1\n");
    let tmp = scene.cwd().join("tmp");
    std::fs::create_dir(&tmp).unwrap();
    let gone = Command::new("true").spawn().map(|mut child| {
        let _ = child.wait();
        child.id()
    });
    let left = tmp.join(format!("dbload-door-{}-0123456789ab", gone.unwrap()));
    let ours = tmp.join(format!("dbload-door-{}-0123456789ab", std::process::id()));
    for dir in [&left, &ours] {
        std::fs::create_dir(dir).unwrap();
    }
    let url = bouncer.url(&scene.db.name());
    let load = Dbload::new(scene.cwd()).line("t.csv").arg("--dsn").arg(&url).env("TMPDIR", &tmp);
    load.run().exits(0);
    let there: Vec<PathBuf> = std::fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(there, [ours], "only the folder of a process that lives is left");
}

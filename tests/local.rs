//! The local PostgreSQL, tried on real servers: what it survives, and what it leaves behind (nothing).
//!
//! The command line is tried as a process, each test in a data folder and a temporary folder of its own.
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers are part of it")]

use dbload::internals::local::{Options, Postmaster, SharedServer, TempServer, binaries::Binaries};
use rustix::process::{Pid, Signal};
use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes on a busy machine; a hang ends the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A user's folders, with whatever runs in them ended and removed at the end.
struct User {
    dir: PathBuf,
}

impl User {
    fn new(name: &str) -> Self {
        sweep();
        // Short, since it becomes part of a socket's path, and open, since the server may run as another
        // user.
        let dir = Path::new("/tmp").join(format!("dbl-{name}-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.join("tmp")).unwrap();
        Self { dir }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dbload"));
        command.arg("local").args(args);
        command.env("XDG_DATA_HOME", self.data_home()).env("TMPDIR", self.dir.join("tmp"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn spawn(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn data_home(&self) -> PathBuf {
        self.dir.join("share")
    }

    fn home(&self) -> PathBuf {
        self.data_home().join("dbload/postgres")
    }

    fn postmaster(&self) -> Postmaster {
        Postmaster::read(&self.home().join("data")).expect("a server runs")
    }

    /// The throwaway servers that are there.
    fn nests(&self) -> Vec<PathBuf> {
        let roots = fs::read_dir(self.dir.join("tmp")).unwrap().flatten();
        let dirs = roots.flat_map(|root| fs::read_dir(root.path()).into_iter().flatten().flatten());
        dirs.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }
}

/// A killed test process leaves its users behind, and their servers running, as default servers do.
fn sweep() {
    for dir in fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.path()) {
        let Some(name) = dir.file_name().and_then(|name| name.to_str()?.strip_prefix("dbl-")) else {
            continue;
        };
        let owner = name.rsplit_once('-').and_then(|(_, pid)| Pid::from_raw(pid.parse().ok()?));
        if owner.is_none_or(|pid| rustix::process::test_kill_process(pid).is_ok()) {
            continue;
        }
        let data = dir.join("share/dbload/postgres/data");
        if let Some(postmaster) = Postmaster::read(&data).filter(|postmaster| postmaster.is_running(&data)) {
            postmaster.kill_all();
            postmaster.free_segment();
        }
        let _ = fs::remove_dir_all(dir);
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = self.run(&["stop"]);
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{:?}: {}", output.status, text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let stderr = text(&output.stderr);
    assert!(!output.status.success(), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in: {stderr}");
    }
}

#[track_caller]
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Not by the program of that name, which is not on every machine.
fn kill(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A child that does not outlive a failed test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn i_am_root() -> bool {
    text(&Command::new("id").arg("-u").output().unwrap().stdout).trim() == "0"
}

#[test]
fn a_throwaway_server_is_ready_soon_and_leaves_nothing() {
    for options in [Options::default(), Options::default().in_memory()] {
        let start = Instant::now();
        let server = TempServer::start(options).unwrap();
        println!("started in {:?}: {}", start.elapsed(), server.url());
        leaves_nothing(server);
    }
}

fn leaves_nothing(server: TempServer) {
    server.create_database("we \"quote\"").unwrap();
    server.execute("we \"quote\"", &["CREATE TABLE t (i int)"]).unwrap();
    let (dir, postmaster) = (server.dir().to_owned(), server.cluster().postmaster().unwrap());
    let data = server.cluster().data.clone();
    assert!(postmaster.is_running(&data));
    drop(server);
    assert!(!dir.exists());
    assert!(!postmaster.is_running(&data));
}

#[test]
fn a_fresh_database_is_empty_and_gone_afterwards() {
    let shared = SharedServer::get().unwrap();
    let start = Instant::now();
    let database = shared.fresh_database().unwrap();
    println!("database in {:?}", start.elapsed());
    database.execute(&["CREATE TABLE t (i int)"]).unwrap();
    let other = shared.fresh_database().unwrap();
    other.execute(&["CREATE TABLE t (i int)"]).unwrap();
    let name = database.name().to_owned();
    drop(database);
    assert!(shared.server().execute(&name, &["SELECT 1"]).is_err());
    other.execute(&["TABLE t"]).unwrap();
}

#[test]
fn a_killed_server_starts_again_with_its_data() {
    let server = TempServer::start(Options::default().tcp(0)).unwrap();
    server.execute("postgres", &["CREATE TABLE t (i int)"]).unwrap();
    for how in ["kill", "immediate", "fast"] {
        match how {
            "kill" => server.kill9(),
            "immediate" => server.stop_immediate().unwrap(),
            _ => server.stop_fast().unwrap(),
        }
        assert!(server.execute("postgres", &["SELECT 1"]).is_err(), "{how}");
        let start = Instant::now();
        server.restart().unwrap();
        println!("after {how} again in {:?}", start.elapsed());
        server.execute("postgres", &["INSERT INTO t VALUES (1)"]).unwrap();
    }
    assert!(server.tcp_dsn("postgres").unwrap().contains("127.0.0.1"));
}

#[test]
fn a_standby_follows_and_takes_over() {
    let primary = TempServer::start(Options::default()).unwrap();
    primary.execute("postgres", &["CREATE TABLE t (i int)"]).unwrap();
    let standby = primary.standby(Options::default()).unwrap();
    primary.execute("postgres", &["INSERT INTO t VALUES (1)"]).unwrap();
    let arrived = "DO $$ BEGIN ASSERT (SELECT count(*) FROM t) = 1; END $$";
    soon("the row arrives", || standby.execute("postgres", &[arrived]).is_ok());
    assert!(standby.execute("postgres", &["INSERT INTO t VALUES (2)"]).is_err());
    primary.kill9();
    standby.promote().unwrap();
    standby.execute("postgres", &["INSERT INTO t VALUES (2)"]).unwrap();
}

#[test]
fn a_panic_leaves_no_server() {
    let seen = std::sync::Mutex::new(None);
    let panic = std::panic::catch_unwind(|| {
        let server = TempServer::start(Options::default()).unwrap();
        *seen.lock().unwrap() = Some((server.dir().to_owned(), server.cluster().postmaster().unwrap()));
        panic!("on purpose");
    });
    assert!(panic.is_err());
    let (dir, postmaster) = seen.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).unwrap();
    assert!(!dir.exists());
    assert!(!postmaster.is_running(&dir.join("data")));
}

#[test]
fn both_drivers_take_the_url() {
    let database = SharedServer::get().unwrap().fresh_database().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let name: String = client.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
        assert_eq!(name, database.name());
        drop(client);
        connection.await.unwrap().unwrap();
        use sqlx::Connection;
        let mut client = sqlx::PgConnection::connect(&database.url()).await.unwrap();
        let name: String =
            sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut client).await.unwrap();
        assert_eq!(name, database.name());
        client.close().await.unwrap();
    });
}

#[test]
fn letters_beyond_ascii_are_known_and_text_sorts_by_bytes() {
    let database = SharedServer::get().unwrap().fresh_database().unwrap();
    let checks = ["SELECT 1 / (upper('\u{e9}') = '\u{c9}')::int", "SELECT 1 / ('B' < 'a')::int"];
    database.execute(if cfg!(target_os = "macos") { &checks[1..] } else { &checks }).unwrap();
}

#[test]
fn ten_starts_at_once_give_one_server() {
    let user = User::new("ten");
    let starts: Vec<Child> = (0..10).map(|_| user.command(&["url"]).spawn().unwrap()).collect();
    let outputs: Vec<Output> = starts.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let urls: Vec<String> = outputs.iter().map(ok).collect();
    assert!(urls.iter().all(|url| url.starts_with("postgresql:///") && *url == urls[0]), "{urls:?}");
    let made = outputs.iter().filter(|o| text(&o.stderr).contains("made, started and left running")).count();
    assert_eq!(made, 1);
    assert!(ok(&user.run(&["status"])).starts_with("running"));
    assert!(text(&user.run(&["stop"]).stderr).contains("stopped"));
    let status = user.run(&["status"]);
    assert_eq!((status.status.code(), text(&status.stdout).starts_with("stopped")), (Some(3), true));
}

#[test]
fn a_server_that_was_killed_starts_again() {
    let user = User::new("kill");
    ok(&user.run(&["psql", "--", "-qc", "CREATE TABLE t (i int)"]));
    // A session that is busy: it outlives the server for a moment and holds on to the shared memory.
    let _busy = user.spawn(&["psql", "--", "-qc", "SELECT pg_sleep(30)"]);
    let busy =
        "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'";
    soon("the session is busy", || ok(&user.run(&["psql", "--", "-Atc", busy])) == "1\n");
    user.postmaster().signal(Signal::KILL);
    let output = user.run(&["psql", "--", "-Atc", "SELECT count(*) FROM t"]);
    assert_eq!(ok(&output), "0\n");
    assert!(text(&output.stderr).contains("started"), "never silent: {}", text(&output.stderr));
}

#[test]
fn a_stale_pid_file_with_the_pid_of_another_process_is_seen_through() {
    let user = User::new("pid");
    ok(&user.run(&["start"]));
    ok(&user.run(&["stop"]));
    let path = user.home().join("data/postmaster.pid");
    // A server's own user is never asked about processes of others, so it has to be one of its own.
    let mut sleeper = Command::new("sleep");
    if i_am_root() {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(user.home().join("data")).unwrap();
        std::os::unix::process::CommandExt::uid(&mut sleeper, meta.uid());
    }
    let mut sleeper = sleeper.arg("60").spawn().unwrap();
    let data = user.home().join("data");
    let stale = format!("{}\n{}\n1\n5432\n/nowhere\n\n  1 1\nready   \n", sleeper.id(), data.display());
    fs::write(&path, stale).unwrap();
    ok(&user.run(&["start"]));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn a_half_made_cluster_is_made_anew_and_a_foreign_folder_is_left_alone() {
    let user = User::new("half");
    ok(&user.run(&["start"]));
    ok(&user.run(&["reset", "--yes"]));
    assert!(!user.home().join("data").exists());
    fs::create_dir(user.home().join("data.new")).unwrap();
    fs::write(user.home().join("data.new/PG_VERSION"), "15\n").unwrap();
    ok(&user.run(&["start"]));
    ok(&user.run(&["reset", "--yes"]));
    fs::create_dir(user.home().join("data")).unwrap();
    fs::write(user.home().join("data/mine.txt"), "precious").unwrap();
    refused(&user.run(&["start"]), &["no complete cluster", "hint: "]);
    assert!(user.home().join("data/mine.txt").exists());
}

#[test]
fn a_cluster_of_another_major_version_is_left_alone_with_words_on_how_to_move_it() {
    let user = User::new("major");
    ok(&user.run(&["start"]));
    ok(&user.run(&["stop"]));
    fs::write(user.home().join("data/PG_VERSION"), "9\n").unwrap();
    refused(&user.run(&["start"]), &["made by version 9", "pg_dumpall", "pg_upgrade", "hint: "]);
}

#[test]
fn reset_asks_for_yes() {
    let user = User::new("reset");
    ok(&user.run(&["start"]));
    let output = user.run(&["reset"]);
    assert_eq!(output.status.code(), Some(2));
    refused(&output, &["--yes"]);
    assert!(user.home().join("data").exists());
}

#[test]
fn a_deep_data_folder_gets_its_socket_elsewhere() {
    let mut user = User::new("deep");
    let top = user.dir.clone();
    user.dir = top.join("deep".repeat(25));
    fs::create_dir_all(user.dir.join("tmp")).unwrap();
    let url = ok(&user.run(&["url"]));
    assert!(!url.contains("deepdeep"), "{url}");
    ok(&user.run(&["psql", "--", "-qc", "SELECT 1"]));
    // The temporary folder is too deep as well.
    assert_eq!(ok(&user.run(&["run", "--", "psql", "-Atc", "SELECT 2"])), "2\n");
    let sockets = user.postmaster().sockets.unwrap();
    ok(&user.run(&["stop"]));
    drop(user);
    fs::remove_dir(sockets).unwrap();
    fs::remove_dir_all(top).unwrap();
}

#[test]
fn tcp_wants_a_password_and_leaves_the_socket() {
    let user = User::new("tcp");
    ok(&user.run(&["start"]));
    ok(&user.run(&["start", "--tcp"]));
    let status = ok(&user.run(&["status"]));
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let psql = |passfile: &str| {
        let program = Binaries::find().unwrap().psql().unwrap();
        Command::new(program)
            .env("PGPASSFILE", passfile)
            .args(["-w", "-Atc", "SELECT 1", "-d", &field("tcp")])
            .output()
            .unwrap()
    };
    assert_eq!(ok(&psql(&field("passfile"))), "1\n");
    assert!(!psql("/dev/null").status.success());
    assert_eq!(fs::metadata(field("passfile")).unwrap().permissions().mode() & 0o777, 0o600);
    ok(&user.run(&["psql", "--", "-qc", "SELECT 1"]));
}

#[test]
fn a_folder_without_the_programs_is_refused() {
    let user = User::new("nobin");
    for command in [["start"].as_slice(), &["run", "--", "true"]] {
        let output = user.command(command).env("DBLOAD_PG_BIN", "/usr/share").output().unwrap();
        refused(&output, &["/usr/share", "hint: "]);
    }
}

#[test]
fn an_unwritable_and_a_full_disk_are_named() {
    let user = User::new("disk");
    fs::write(user.data_home(), "a file, not a folder").unwrap();
    refused(&user.run(&["start"]), &["error: ", "share"]);
    fs::remove_file(user.data_home()).unwrap();
    fs::create_dir(user.data_home()).unwrap();
    let mount = |options: &str| {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(user.data_home()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !i_am_root() {
        fs::set_permissions(user.data_home(), fs::Permissions::from_mode(0o555)).unwrap();
        refused(&user.run(&["start"]), &["hint: set XDG_DATA_HOME"]);
    }
    if !i_am_root() || !mount("size=8m,mode=755") {
        println!("no right to mount: the full disk is not tried");
        return;
    }
    let full = user.run(&["start"]);
    let left: Vec<_> = fs::read_dir(user.home()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(mount("remount,ro"));
    let read_only = user.run(&["start"]);
    assert!(Command::new("umount").arg(user.data_home()).status().unwrap().success());
    refused(&full, &["No space left on device", "hint: the disk is full"]);
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("data")), "{left:?}");
    refused(&read_only, &["hint: "]);
}

/// What each says is done, until the server starts: a root whose server runs as another user.
#[test]
fn a_folder_that_the_servers_user_cannot_enter_is_opened_as_the_hint_says() {
    if !i_am_root() {
        println!("nobody hands a server to another user but root: not tried");
        return;
    }
    let user = User::new("closed");
    fs::create_dir(user.data_home()).unwrap();
    fs::set_permissions(user.data_home(), fs::Permissions::from_mode(0o700)).unwrap();
    let closed = user.run(&["start"]);
    let hint = format!("hint: chmod o+x {}, or use another folder", user.data_home().display());
    refused(&closed, &[&hint]);
    let chmod = Command::new("chmod").arg("o+x").arg(user.data_home()).status().unwrap();
    assert!(chmod.success());
    ok(&user.run(&["start"]));
    ok(&user.run(&["psql", "--", "-qc", "SELECT 1"]));
}

/// A name in a folder that all may write to can be taken by somebody else.
#[test]
fn a_folder_of_somebody_else_is_removed_or_passed_by_as_the_hint_says() {
    if !i_am_root() {
        println!("nobody gives a folder away but root: not tried");
        return;
    }
    let user = User::new("theirs");
    let taken = user.dir.join("tmp/dbload-0");
    fs::create_dir(&taken).unwrap();
    std::os::unix::fs::chown(&taken, Some(65_534), Some(65_534)).unwrap();
    let run = |tmp: &Path| user.command(&["run", "--", "true"]).env("TMPDIR", tmp).output().unwrap();
    let theirs = run(&user.dir.join("tmp"));
    let hint = format!("hint: remove {}, or set TMPDIR to a folder of your own", taken.display());
    refused(&theirs, &[&hint]);
    let own = user.dir.join("own");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    ok(&run(&own));
    fs::remove_dir(&taken).unwrap();
    ok(&run(&user.dir.join("tmp")));
}

#[test]
fn run_passes_exit_codes_on_and_leaves_nothing() {
    let user = User::new("run");
    let script =
        "test -n \"$DATABASE_URL\" && psql -Atc 'SELECT 7' && psql \"$DATABASE_URL\" -Atc 'SELECT 8'; exit 9";
    let output = user.run(&["run", "--", "sh", "-c", script]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(9), "7\n8\n"));
    assert_eq!(user.run(&["run", "--", "sh", "-c", "kill -TERM $$"]).status.code(), Some(143));
    assert_eq!(user.run(&["run", "--", "/no/such/program"]).status.code(), Some(127));
    let output =
        user.run(&["run", "--conf", "wal_level=logical", "--tcp", "--", "psql", "-Atc", "SHOW wal_level"]);
    assert_eq!(ok(&output), "logical\n");
    assert_eq!(user.nests(), [] as [PathBuf; 0]);
}

#[test]
fn run_hands_signals_on_and_cleans_up_after_them() {
    let user = User::new("signal");
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut child = user.spawn(&["run", "--", "sleep", "60"]);
        soon("the command runs", || user.nests().len() == 1 && is_ready(&user));
        thread::sleep(Duration::from_millis(200));
        kill(child.0.id(), signal);
        assert_eq!(child.0.wait().unwrap().code(), Some(code), "{signal:?}");
        assert_eq!(user.nests(), [] as [PathBuf; 0], "{signal:?}");
    }
}

#[test]
fn ctrl_c_at_any_moment_leaves_nothing() {
    use std::os::unix::process::CommandExt;
    let user = User::new("ctrlc");
    for after_ms in [20, 150, 400, 2_000] {
        let mut command = user.command(&["run", "--", "sleep", "60"]);
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = Running(command.spawn().unwrap());
        thread::sleep(Duration::from_millis(after_ms));
        let group = Pid::from_raw(child.0.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process_group(group, Signal::INT).unwrap();
        let status = child.0.wait().unwrap();
        // Before dbload listens for it, the signal ends it as it ends any program.
        assert!(status.code() == Some(130) || status.signal() == Some(2), "after {after_ms} ms: {status:?}");
        soon("all is gone", || user.nests().is_empty());
    }
}

fn is_ready(user: &User) -> bool {
    let data = user.nests().first().map(|dir| dir.join("data"));
    data.and_then(|data| Postmaster::read(&data)).is_some_and(|postmaster| postmaster.ready)
}

#[test]
fn a_server_whose_owner_was_killed_is_gone_soon() {
    let user = User::new("owner");
    let mut child = user.spawn(&["run", "--", "sleep", "60"]);
    soon("the command runs", || is_ready(&user));
    let data = user.nests()[0].join("data");
    let postmaster = Postmaster::read(&data).unwrap();
    kill(child.0.id(), Signal::KILL);
    assert_eq!(child.0.wait().unwrap().signal(), Some(9));
    soon("the server is gone", || user.nests().is_empty() && !postmaster.is_running(&data));
}

#[test]
fn a_start_sweeps_what_dead_owners_left_and_spares_the_living() {
    if !Path::new("/proc/self/cmdline").exists() {
        return;
    }
    let user = User::new("sweep");
    let mut dead = user.spawn(&["run", "--", "sleep", "60"]);
    soon("the first runs", || is_ready(&user));
    let left = user.nests().remove(0);
    let postmaster = Postmaster::read(&left.join("data")).unwrap();
    let mut alive = user.spawn(&["run", "--", "sleep", "60"]);
    soon("the second runs", || user.nests().len() == 2);
    // The shell that would clean up is killed too, as a container's end does.
    kill(watchdog_of(&left), Signal::KILL);
    kill(dead.0.id(), Signal::KILL);
    dead.0.wait().unwrap();
    assert!(postmaster.is_running(&left.join("data")), "nobody cleaned up");
    ok(&user.run(&["run", "--", "true"]));
    assert!(!left.exists());
    assert!(!postmaster.is_running(&left.join("data")));
    assert_eq!(user.nests().len(), 1, "the living one is spared");
    kill(alive.0.id(), Signal::TERM);
    alive.0.wait().unwrap();
    assert_eq!(user.nests(), [] as [PathBuf; 0]);
}

fn watchdog_of(dir: &Path) -> u32 {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let words = format!("dbload-watchdog\0{}\0", dir.display());
    let mut found =
        pids.filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| text(&c).ends_with(&words)));
    found.next().expect("the watchdog runs")
}

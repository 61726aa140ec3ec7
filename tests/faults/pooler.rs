//! Row 21: the real PgBouncer in transaction mode.

use super::{KINDS, Kind, Load, ONCE_A_BATCH, until};
use crate::rows;
use crate::support::{
    Dbload, Folder, Proxy, Scene, inject,
    proxy::{Act, End, Fault, commit, committed},
};
use dbload::local::SharedServer;
use rustix::process::{Pid, Signal};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A running PgBouncer in front of the shared server.
struct Bouncer {
    child: Child,
    port: u16,
    // Dropped after the child has ended.
    _folder: Folder,
}

impl Bouncer {
    /// `None`, and a word about it, where PgBouncer is not installed.
    fn start() -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
            .into_iter()
            .find(|p| Path::new(p).exists());
        let Some(program) = program else {
            println!("skipped: PgBouncer is not installed (Debian: apt-get install pgbouncer)");
            return None;
        };
        let folder = Folder::new();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = SharedServer::get().unwrap().server().cluster();
        folder.file("users", "\"postgres\" \"\"\n");
        folder.file(
            "pgbouncer.ini",
            format!(
                "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = any\nauth_file = {dir}/users\npool_mode = transaction\n\
                 default_pool_size = 3\nmax_client_conn = 200\nlogfile = {dir}/log\n",
                cluster.sockets.display(),
                cluster.port,
                dir = folder.path().display(),
            )
            .replace("* = ", "* = user=postgres "),
        );
        let mut command = Command::new(program);
        // It refuses to run as root, and whom the server runs as can reach its socket.
        if rustix::process::getuid().is_root() {
            let chmod = |path: &Path| {
                std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))
            };
            chmod(folder.path()).unwrap();
            command.args(["-u", "postgres"]);
        }
        command.arg("-q").arg(folder.path().join("pgbouncer.ini"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let bouncer = Self { child, port, _folder: folder };
        until("PgBouncer listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(bouncer)
    }

    fn url(&self, scene: &Scene) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", self.port, scene.db.name())
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const TRANSACTION: &str = "--pooler transaction";

#[test]
fn behind_pgbouncer_in_transaction_mode_each_kind_of_load_is_right() {
    let Some(bouncer) = Bouncer::start() else { return };
    for (kind, pool) in KINDS.into_iter().zip([1, 2, 8]) {
        let load = Load::new(kind, 6_000);
        let url = bouncer.url(&load.scene);
        load.check(load.through(&url, &format!("--pool-size {pool} {TRANSACTION}")).run());
        // No staging table stays behind, in whichever backend.
        let left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'dbload_%'";
        assert_eq!(load.scene.db.one(left), "0");
        // Once more, with conversion errors and a careful path.
        if kind == Kind::Upsert {
            load.scene.sql("ALTER TABLE t ADD CONSTRAINT no CHECK (id <> 1500) NOT VALID");
            load.scene.file(
                "more.jsonl",
                "{\"id\":1500,\"v\":1}\n{\"id\":1501,\"v\":\"x\"}\n{\"id\":1502,\"v\":5,\"note\":null}\n",
            );
            let outcome = Dbload::new(load.scene.cwd())
                .line("more.jsonl -t t --json --pool-size 2 --pooler transaction --dsn")
                .arg(&url)
                .run()
                .exits(3);
            assert_eq!(outcome.rows(), rows!(read: 3, updated: 1, rejected: 2), "{outcome}");
        }
    }
}

#[test]
fn behind_pgbouncer_a_killed_load_resumes_and_injected_faults_are_replayed() {
    let Some(bouncer) = Bouncer::start() else { return };
    for kind in KINDS {
        let load = Load::new(kind, 6_000);
        let url = bouncer.url(&load.scene);
        let command = || load.through(&url, &format!("--pool-size 4 {TRANSACTION}"));
        load.inject(ONCE_A_BATCH, 3..=5, inject::TERMINATE);
        load.slow(0.05);
        let running = command().spawn();
        until("batches are committed", || load.batches() >= 2 && load.calls() >= 6);
        running.signal(Signal::KILL);
        running.wait();
        assert!(load.calls() > 5);
        load.check(command().run().says("resum"));
    }
}

#[test]
fn behind_pgbouncer_unknown_commits_are_counted_once() {
    let Some(bouncer) = Bouncer::start() else { return };
    for (kind, pool) in KINDS.into_iter().zip([1, 2, 8]) {
        let load = Load::new(kind, 6_000);
        let faults = vec![
            Fault::on(committed, Act::Cut(End::Rst)).every(3),
            Fault::on(commit, Act::Cut(End::Fin)).every(4),
        ];
        let proxy = Proxy::to_port(bouncer.port, load.scene.db.name(), faults);
        let outcome = load.through(&proxy.url(), &format!("--pool-size {pool} {TRANSACTION}")).run();
        assert!(proxy.struck() >= 5, "{}: {outcome}", proxy.struck());
        load.check(outcome);
    }
}

#[test]
fn pgbouncer_itself_may_be_restarted_meanwhile() {
    let Some(bouncer) = Bouncer::start() else { return };
    // Long enough that both writers are in a batch when their sessions end.
    let load = Load::new(Kind::Append, 24_000);
    load.slow(0.1);
    let running = load.through(&bouncer.url(&load.scene), &format!("--pool-size 2 {TRANSACTION}")).spawn();
    until("batches are committed", || load.batches() >= 3);
    // Paused: nobody answers. Then it goes on.
    bouncer.signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(700));
    bouncer.signal(Signal::CONT);
    let batches = load.batches();
    until("it goes on", || load.batches() > batches);
    load.scene.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    load.check(running.wait().says("waiting for the database"));
}

#[test]
fn through_pgbouncer_without_saying_so_it_is_right_or_refused_but_never_wrong() {
    let Some(bouncer) = Bouncer::start() else { return };
    let load = Load::new(Kind::Upsert, 6_000);
    let outcome = load.through(&bouncer.url(&load.scene), "--pool-size 4").run();
    if outcome.code() == 3 {
        load.check(outcome);
    } else {
        let outcome = outcome.exits(5);
        load.check(load.through(&bouncer.url(&load.scene), TRANSACTION).run());
        assert!(!outcome.stdout.contains("\"complete\":true"));
    }
}

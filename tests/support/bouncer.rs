//! The real PgBouncer, in transaction mode unless said otherwise, in front of the shared server.

use super::Folder;
use dbload::internals::local::SharedServer;
use rustix::process::{Pid, Signal};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// A running PgBouncer in front of the shared server.
pub struct Bouncer {
    child: Child,
    pub port: u16,
    // Dropped after the child has ended.
    _folder: Folder,
}

impl Bouncer {
    /// `None`, and a word about it, where PgBouncer is not installed.
    pub fn start() -> Option<Self> {
        Self::start_with("pool_mode = transaction")
    }

    /// One that keeps a client's session, hands it to the next one, and resets nothing in between.
    pub fn keeping_sessions() -> Option<Self> {
        Self::start_with("pool_mode = session\nserver_reset_query =")
    }

    fn start_with(mode: &str) -> Option<Self> {
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
                 unix_socket_dir =\nauth_type = any\nauth_file = {dir}/users\n{mode}\n\
                 default_pool_size = 3\nserver_idle_timeout = 2\nmax_client_conn = 200\nlogfile = {dir}/log\n",
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
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "PgBouncer does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(bouncer)
    }

    /// The URL of a database of the shared server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", self.port, database)
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

/// The one that all scenes go through under `DBLOAD_TEST_POOLER`; it ends with this process.
pub fn shared() -> &'static Bouncer {
    static SHARED: OnceLock<(Bouncer, Child)> = OnceLock::new();
    let start = || {
        let bouncer = Bouncer::start().expect("DBLOAD_TEST_POOLER wants PgBouncer");
        // Statics are not dropped: a shell waits for the end of its standard input, which is ours.
        let watch = format!("read -r _; kill {}", bouncer.child.id());
        let watch = Command::new("sh").args(["-c", &watch]).stdin(Stdio::piped()).spawn().unwrap();
        (bouncer, watch)
    };
    &SHARED.get_or_init(start).0
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

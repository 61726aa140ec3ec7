//! The real MariaDB, on a socket and a port of loopback.

use super::Folder;
use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// A running server. Its administrator has no password.
pub struct MariaDb {
    child: Child,
    watch: Child,
    pub port: u16,
    folder: Folder,
    databases: AtomicU32,
}

const PROGRAMS: [&str; 3] = ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/usr/local/bin/mariadbd"];

impl MariaDb {
    /// The one that the tests of this process share; it ends with the process. `None`, and a word about it,
    /// where MariaDB is not installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<MariaDb>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[])).as_ref()
    }

    /// One with these options, that ends when it is dropped.
    pub fn start(options: &[String]) -> Option<Self> {
        let Some(program) = PROGRAMS.into_iter().find(|program| Path::new(program).exists()) else {
            println!("skipped: MariaDB's server is not installed (Debian: apt-get install mariadb-server)");
            return None;
        };
        let folder = Folder::new();
        // As root it would not run; whom it runs as instead must reach its files.
        let user: &[&str] = if rustix::process::getuid().is_root() {
            let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            std::fs::set_permissions(folder.path(), everybody).unwrap();
            &["--user=mysql"]
        } else {
            &[]
        };
        let data = format!("--datadir={}", folder.path().join("data").display());
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg("--innodb-log-file-size=8M")
            .args(user)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args(["--no-defaults", &data, "--bind-address=127.0.0.1", "--skip-name-resolve"])
            .args([
                "--innodb-buffer-pool-size=32M",
                "--innodb-log-file-size=8M",
                "--innodb-flush-log-at-trx-commit=0",
            ])
            .args(["--performance-schema=off", "--max-allowed-packet=64M", "--default-time-zone=+05:45"])
            // What servers are set up to do to those who read long.
            .args(["--net-write-timeout=1", "--max-statement-time=2"])
            .args(["--idle-readonly-transaction-timeout=1", "--wait-timeout=1"])
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", folder.path().join("socket").display()))
            .args(user)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        // Neither a process that is killed nor one that ends drops all that it has: a shell waits for the end
        // of its standard input, which is ours.
        let watch = format!("read -r _; kill -9 {}; rm -rf '{}'", child.id(), folder.path().display());
        let watch = Command::new("sh").args(["-c", &watch]).stdin(Stdio::piped()).spawn().unwrap();
        let mut server = Self { child, watch, port, folder, databases: AtomicU32::new(0) };
        let until = Instant::now() + Duration::from_secs(60);
        while server.client("SET GLOBAL sql_select_limit = 1000").is_err() {
            let is_over = server.child.try_wait().unwrap().is_some() || Instant::now() > until;
            assert!(!is_over, "MariaDB does not answer: {}", server.folder.read("log"));
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// What all statements print: a line a row, its values parted by tabs as they are.
    fn client(&self, sql: &str) -> Result<String, String> {
        let mut client = Command::new("mariadb")
            .args([
                "--no-defaults",
                "--user=root",
                "--batch",
                "--raw",
                "--skip-column-names",
                "--binary-mode",
            ])
            .args(["--default-character-set=utf8mb4", "--max-allowed-packet=64M"])
            .arg(format!("--socket={}", self.socket().display()))
            .arg("--init-command=SET max_statement_time = 0, sql_select_limit = 18446744073709551615, wait_timeout = 600")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who cannot connect reads nothing.
        let _ = client.stdin.take().unwrap().write_all(sql.as_bytes());
        let output = client.wait_with_output().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// A database of its own, with what these statements make.
    pub fn database(&self, sql: &str) -> MariaDatabase<'_> {
        let name = format!("shop_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let database = MariaDatabase { server: self, name };
        let name = &database.name;
        self.client(&format!(
            "CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
             CREATE OR REPLACE USER reader_{name}@'%' IDENTIFIED BY 's3cret canary';
             GRANT SELECT ON {name}.* TO reader_{name}@'%'"
        ))
        .unwrap();
        database.sql(sql);
        database
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        for process in [&mut self.watch, &mut self.child] {
            let _ = process.kill();
            let _ = process.wait();
        }
        // It is its user's, and this process is root.
        let _ = std::fs::remove_dir_all(self.folder.path());
    }
}

/// A database of a server.
pub struct MariaDatabase<'s> {
    pub server: &'s MariaDb,
    pub name: String,
}

impl MariaDatabase<'_> {
    #[track_caller]
    pub fn sql(&self, sql: &str) {
        self.server.client(&format!("USE {};\nSET time_zone = '+00:00';\n{sql}", self.name)).unwrap();
    }

    /// The rows of a query, sorted by themselves, their values parted by `|`.
    #[track_caller]
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let out = self
            .server
            .client(&format!("USE {};\nSET time_zone = '+00:00';\n{sql}", self.name))
            .unwrap()
            .replace('\t', "|");
        out.lines().map(ToOwned::to_owned).collect()
    }

    /// A word for who may read, with the password in it.
    pub fn word(&self, what: &str) -> String {
        let mut word =
            format!("mysql://reader_{}:s3cret%20canary@127.0.0.1:{}/", self.name, self.server.port);
        let _ = write!(word, "{}?{what}", self.name);
        word
    }

    pub fn table(&self, name: &str) -> String {
        self.word(&format!("table={name}"))
    }
}

//! A cluster with its own rules for logins, and certificates: initdb in a temporary folder, as the user
//! `postgres` where the tests run as root, and openssl.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use dbload::internals::local::binaries::Binaries;
use dbload::internals::pg::ConnInfo;

use crate::support::Database;

const HBA: &str = "\
local   all all                       trust
hostssl all tls_only    127.0.0.1/32  trust
hostnossl all tls_only  127.0.0.1/32  reject
hostnossl all plain_only 127.0.0.1/32 trust
hostssl all certified   127.0.0.1/32  cert
host    all scram       127.0.0.1/32  scram-sha-256
host    all md5         127.0.0.1/32  md5
host    all clear       127.0.0.1/32  password
host    all boss        127.0.0.1/32  trust
";

const ROLES: &str = "
CREATE ROLE boss SUPERUSER LOGIN;
CREATE ROLE tls_only LOGIN; CREATE ROLE plain_only LOGIN; CREATE ROLE certified LOGIN; CREATE ROLE nobody LOGIN;
CREATE ROLE few LOGIN CONNECTION LIMIT 1;
SET password_encryption = 'scram-sha-256'; CREATE ROLE scram LOGIN PASSWORD 'c4n4ry';
SET password_encryption = 'md5'; CREATE ROLE md5 LOGIN PASSWORD 'c4n4ry';
CREATE ROLE clear LOGIN PASSWORD 'c4n4ry';
CREATE DATABASE db; CREATE DATABASE readonly;
ALTER DATABASE readonly SET default_transaction_read_only = on;
";

/// A cluster on a free port of 127.0.0.1, with logins of every kind; stopped on drop.
pub(super) struct Cluster {
    pub(super) dir: tempfile::TempDir,
    pub(super) port: u16,
}

pub(super) enum WithTls {
    Yes,
    No,
}

/// One of the server's programs, as the user `postgres` where we are root.
fn command(program: &str) -> Command {
    let program = Binaries::find().unwrap().program(program);
    if rustix::process::geteuid().is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

pub(super) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Cluster {
    pub(super) fn start(tls: WithTls) -> Self {
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        run(Command::new("chmod").arg("755").arg(dir.path()));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { dir, port };
        fs::create_dir(cluster.path("pg")).unwrap();
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").arg("postgres").arg(cluster.path("pg")));
        }
        let data = cluster.path("pg/data");
        run(command("initdb").args(["--no-sync", "-A", "trust", "-U", "admin", "-E", "UTF8"]).arg(&data));
        fs::write(data.join("pg_hba.conf"), HBA).unwrap();
        let mut settings = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nfsync = off\n\
             client_min_messages = notice\nmax_connections = 20\n",
            cluster.path("pg").display()
        );
        if let WithTls::Yes = tls {
            cluster.certificates();
            let pg = cluster.path("pg");
            settings += &format!(
                "ssl = on\nssl_cert_file = '{0}/server.crt'\nssl_key_file = '{0}/server.key'\nssl_ca_file = '{1}'\n",
                pg.display(),
                cluster.path("ca.crt").display()
            );
        }
        fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .and_then(|mut file| file.write_all(settings.as_bytes()))
            .unwrap();
        cluster.begin();
        // One by one: a database is not created among others.
        let admin = cluster.admin();
        ROLES.split(';').for_each(|statement| admin.sql(statement));
        cluster
    }

    pub(super) fn begin(&self) {
        let log = self.path("pg/log");
        run(command("pg_ctl").args(["start", "-w", "-D"]).arg(self.path("pg/data")).arg("-l").arg(log));
    }

    pub(super) fn stop(&self) {
        run(command("pg_ctl").args(["stop", "-w", "-m", "fast", "-D"]).arg(self.path("pg/data")));
    }

    fn admin(&self) -> Database {
        let socket = self.path("pg").display().to_string();
        Database::connect(&format!("host={socket} port={} user=admin dbname=postgres", self.port))
    }

    pub(super) fn sql(&self, sql: &str) {
        // The caller may be within a runtime already.
        std::thread::scope(|scope| scope.spawn(|| self.admin().sql(sql)).join().unwrap());
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An authority, a server's certificate by it (localhost, 127.0.0.1), a stranger's authority, a client's.
    fn certificates(&self) {
        let dir = self.dir.path();
        let openssl = |args: &[&str]| run(Command::new("openssl").current_dir(dir).args(args));
        for ca in ["ca", "stranger"] {
            let (key, crt, subject) = (format!("{ca}.key"), format!("{ca}.crt"), format!("/CN={ca}"));
            openssl(&[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                &subject,
                "-keyout",
                &key,
                "-out",
                &crt,
            ]);
        }
        for (name, subject, names) in [
            ("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            ("client", "/CN=certified", "subjectAltName=DNS:certified"),
        ] {
            let (key, csr, crt, ext) =
                (format!("{name}.key"), format!("{name}.csr"), format!("{name}.crt"), format!("{name}.ext"));
            fs::write(dir.join(&ext), names).unwrap();
            openssl(&[
                "req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", &key, "-out", &csr,
            ]);
            openssl(&[
                "x509",
                "-req",
                "-in",
                &csr,
                "-CA",
                "ca.crt",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                "2",
                "-extfile",
                &ext,
                "-out",
                &crt,
            ]);
        }
        self.install("server.crt", "server.key");
    }

    /// Puts a certificate and key where the server finds them.
    pub(super) fn install(&self, crt: &str, key: &str) {
        for (from, to) in [(crt, "pg/server.crt"), (key, "pg/server.key")] {
            fs::copy(self.path(from), self.path(to)).unwrap();
            run(Command::new("chmod").arg("600").arg(self.path(to)));
            if rustix::process::geteuid().is_root() {
                run(Command::new("chown").arg("postgres").arg(self.path(to)));
            }
        }
    }

    pub(super) fn reload(&self) {
        run(command("pg_ctl").args(["reload", "-D"]).arg(self.path("pg/data")));
        std::thread::sleep(Duration::from_millis(300));
    }

    pub(super) fn url(&self, user: &str, rest: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{rest}", self.port)
    }

    pub(super) fn dsn(&self, user: &str, rest: &str) -> ConnInfo {
        ConnInfo::parse(&self.url(user, rest)).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.path("pg/data");
        let stop = command("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(data).output();
        drop(stop);
    }
}

//! The default local server: made once in the user's data folder, started when it is needed, left running.
//!
//! Where it already runs, finding that out takes one small file and one connect. Everything else happens
//! under a lock, so ten starts at once give one server. A cluster is made under another name and then
//! renamed: it is complete or not there. It is never removed but by [`reset`], and a data folder that another
//! major version made is never touched.

use super::{
    LocalError, Postmaster, Result,
    account::Account,
    binaries::{Binaries, PgVersion},
    cluster::{Cluster, Durability, tail_of},
    home::{Home, VERSION_FILE},
    launch::{end, launch},
    sql,
};
use std::{
    fs,
    io::Read,
    os::unix::{fs::OpenOptionsExt, net::UnixStream},
    path::{Path, PathBuf},
};

/// The database of a load that names none: it is there in every cluster.
pub const DATABASE: &str = "postgres";
/// A cluster that is being made, or removed.
const HALF_MADE: &str = "data.new";

/// The default local server, running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalServer {
    /// The URL of [`DATABASE`], through the socket.
    pub url: String,
    /// The version of the programs that run it.
    pub version: String,
    /// Process id of the running server.
    pub pid: i32,
    /// Data folder of the cluster.
    pub data_dir: PathBuf,
    /// The folder of its socket.
    pub socket_dir: PathBuf,
    /// The file it logs to.
    pub log: PathBuf,
    /// Over TCP, if that was asked for when it was started.
    pub tcp: Option<Tcp>,
    /// Whether this call started it.
    pub started_now: bool,
    /// Whether this call made the cluster.
    pub created_now: bool,
}

/// How to reach the server over TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// The URL, without the password.
    pub url: String,
    /// A libpq passfile that holds it.
    pub passfile: PathBuf,
}

/// How the default local server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Never made, or removed.
    Absent(Home),
    /// Made by this major version, not running.
    Stopped(Home, u32),
    /// The server is running, and was reached.
    Running(Box<LocalServer>),
}

/// Whether and where the server is to listen on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Listen {
    /// As it runs; only the socket if it is started.
    #[default]
    Socket,
    /// TCP too, on this port; 0 takes a free one.
    Loopback(u16),
}

/// Makes and starts the server where that has not been done.
///
/// # Errors
/// See [`LocalError`]: each has words for the person and a hint.
pub fn ensure_running() -> Result<LocalServer> {
    start(Listen::Socket)
}

/// Makes and starts the server where that has not been done; starts it again if it does not listen as asked.
///
/// # Errors
/// As [`ensure_running`].
pub fn start(listen: Listen) -> Result<LocalServer> {
    let home = Home::of_user()?;
    if let Some(server) = running(&home).filter(|server| server.listens(listen)) {
        return Ok(server);
    }
    let account = Account::current()?;
    home.make(&account)?;
    let _lock = home.lock()?;
    if let Some(server) = running(&home) {
        if server.listens(listen) {
            return Ok(server);
        }
        end(&home)?;
    }
    let made_by = made_by(&home)?;
    let binaries = match made_by {
        None => Binaries::find()?,
        Some(major) => matching(major, &home)?,
    };
    let (port, listens) = match listen {
        Listen::Socket => (5432, false),
        Listen::Loopback(0) => (super::temp::free_port()?, true),
        Listen::Loopback(port) => (port, true),
    };
    let sockets = home.sockets(&account)?;
    let cluster = Cluster { binaries, data: home.data.clone(), sockets, port, account };
    if made_by.is_none() {
        create(&home, &cluster)?;
    }
    let address = if listens { "127.0.0.1" } else { "" };
    cluster.configure(&[
        format!("listen_addresses = '{address}'"),
        "log_line_prefix = '%m [%p] %d '".to_owned(),
    ])?;
    launch(&home, &cluster)?;
    let server = running(&home)
        .ok_or_else(|| LocalError::Ended { data: home.data.clone(), log: tail_of(&home.log) })?;
    if listens {
        set_password(&home, &server)?;
    }
    // Asked again, for the passfile is there only now.
    let server = running(&home).unwrap_or(server);
    Ok(LocalServer { started_now: true, created_now: made_by.is_none(), ..server })
}

/// Ends the server; whether it was running.
///
/// # Errors
/// It does not end in time.
pub fn stop() -> Result<bool> {
    let home = Home::of_user()?;
    if !home.dir.is_dir() {
        return Ok(false);
    }
    let _lock = home.lock()?;
    end(&home)
}

/// How the server is. Starts nothing.
///
/// # Errors
/// Its folder cannot be read.
pub fn status() -> Result<Status> {
    let home = Home::of_user()?;
    if let Some(server) = running(&home) {
        return Ok(Status::Running(Box::new(server)));
    }
    Ok(match made_by(&home)? {
        Some(major) => Status::Stopped(home, major),
        None => Status::Absent(home),
    })
}

/// Ends the server and removes its cluster with all data in it; the folder that was removed, if there was
/// one.
///
/// # Errors
/// It does not end, or its files cannot be removed.
pub fn reset() -> Result<Option<PathBuf>> {
    let home = Home::of_user()?;
    if !home.dir.is_dir() {
        return Ok(None);
    }
    let _lock = home.lock()?;
    end(&home)?;
    let removed = home.data.exists().then(|| home.data.clone());
    // Renamed first: were this interrupted, no half-removed cluster would pass for one.
    let half = home.dir.join(HALF_MADE);
    remove_tree(&half)?;
    if removed.is_some() {
        fs::rename(&home.data, &half).map_err(|e| LocalError::file("remove", &home.data, e))?;
        remove_tree(&half)?;
    }
    for name in [VERSION_FILE, "pgpass", "server.log", "server.log.1"] {
        let _ = fs::remove_file(home.dir.join(name));
    }
    Ok(removed)
}

/// psql, of the newest version that has one.
///
/// # Errors
/// There is none.
pub fn psql() -> Result<PathBuf> {
    Binaries::find()?.psql().ok_or(LocalError::NoPsql)
}

impl LocalServer {
    fn listens(&self, listen: Listen) -> bool {
        match (listen, &self.tcp) {
            (Listen::Socket, _) | (Listen::Loopback(0), Some(_)) => true,
            (Listen::Loopback(port), Some(tcp)) => tcp.url.contains(&format!(":{port}/")),
            (Listen::Loopback(_), None) => false,
        }
    }
}

/// The fast path: postmaster.pid says ready, and somebody listens on the socket.
fn running(home: &Home) -> Option<LocalServer> {
    let postmaster = Postmaster::read(&home.data).filter(|p| p.ready)?;
    let (port, socket_dir) = (postmaster.port?, postmaster.sockets.clone()?);
    UnixStream::connect(socket_dir.join(format!(".s.PGSQL.{port}"))).ok()?;
    let version = fs::read_to_string(home.dir.join(VERSION_FILE)).unwrap_or_default();
    let tcp = postmaster.tcp.then(|| Tcp {
        url: format!("postgresql://postgres@127.0.0.1:{port}/{DATABASE}"),
        passfile: home.passfile.clone(),
    });
    Some(LocalServer {
        url: super::cluster::url(&socket_dir, port, DATABASE),
        version: version.trim().to_owned(),
        pid: postmaster.pid.as_raw_nonzero().get(),
        data_dir: home.data.clone(),
        socket_dir,
        log: home.log.clone(),
        tcp,
        started_now: false,
        created_now: false,
    })
}

/// The major version that made the cluster; nothing if there is none.
fn made_by(home: &Home) -> Result<Option<u32>> {
    match home.data.try_exists() {
        Ok(false) => return Ok(None),
        Ok(true) => {}
        Err(e) => return Err(LocalError::file("look into", &home.data, e)),
    }
    let text = fs::read_to_string(home.data.join("PG_VERSION")).unwrap_or_default();
    let whole = home.data.join("global/pg_control").exists();
    let major = text.trim().parse().ok().filter(|_| whole);
    major.map(Some).ok_or_else(|| LocalError::Corrupt(home.data.clone()))
}

/// The programs of the version that made the cluster: no other can run it.
fn matching(major: u32, home: &Home) -> Result<Binaries> {
    let found = match Binaries::find() {
        Ok(newest) if newest.version.major == major => return Ok(newest),
        Ok(newest) if std::env::var_os("DBLOAD_PG_BIN").is_some_and(|dir| !dir.is_empty()) => vec![newest],
        Ok(_) => Binaries::all(),
        Err(e) => return Err(e),
    };
    let installed: Vec<PgVersion> = found.iter().map(|b| b.version).collect();
    let other = LocalError::OtherVersion { data: home.data.clone(), made_by: major, installed };
    found.into_iter().find(|b| b.version.major == major).ok_or(other)
}

/// Makes the cluster, so that it is complete or absent.
fn create(home: &Home, cluster: &Cluster) -> Result<()> {
    let half = home.dir.join(HALF_MADE);
    remove_tree(&half)?;
    let made = Cluster { data: half.clone(), ..cluster.clone() }.init(Durability::Durable);
    let made = made.and_then(|()| {
        fs::rename(&half, &home.data).map_err(|e| LocalError::file("name the new cluster", &home.data, e))
    });
    if made.is_err() {
        let _ = remove_tree(&half);
    }
    made
}

fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(LocalError::file("remove", path, e)),
        _ => Ok(()),
    }
}

/// TCP is open to every user of this machine, so there the superuser needs a password: random, kept in a
/// passfile.
fn set_password(home: &Home, server: &LocalServer) -> Result<()> {
    let read = |path: &str| {
        let mut bytes = [0_u8; 24];
        fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).map(|()| bytes)
    };
    let random = read("/dev/urandom").map_err(|e| LocalError::file("read", "/dev/urandom".as_ref(), e))?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    sql::execute(&server.url, "set a password", &[format!("ALTER ROLE postgres PASSWORD '{password}'")])?;
    let written = fs::remove_file(&home.passfile).or(Ok(())).and_then(|()| {
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&home.passfile)?;
        std::io::Write::write_all(&mut file, format!("127.0.0.1:*:*:postgres:{password}\n").as_bytes())
    });
    written.map_err(|e| LocalError::file("write", &home.passfile, e))
}

//! A server of MySQL or MariaDB as a word names it:
//! `mysql://[user[:password]@]host[:port]/[database][?name=value[&..]]`.
//!
//! The last `@` before the path ends the user information, as in connection strings of PostgreSQL. A
//! parameter that is not known is refused: one that was meant to ask for TLS would be missed in silence.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::option_file::{self, FileLogin};
use crate::secret::Secret;

/// So long is waited for a server that does not answer.
const CONNECTS_FOR: Duration = Duration::from_secs(30);

const PORT: u16 = 3306;

/// A server, and who logs in there.
#[derive(Debug, Clone)]
pub struct MysqlServer {
    pub(super) host: String,
    pub(super) port: u16,
    /// A socket of this machine instead.
    pub(super) socket: Option<PathBuf>,
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    pub(super) database: Option<String>,
    pub(super) tls: MysqlTls,
    pub(super) connects_for: Duration,
}

/// Whether the connection is encrypted, and whose certificate is believed.
#[derive(Debug, Clone, Default)]
pub(super) struct MysqlTls {
    pub(super) mode: TlsRule,
    pub(super) authority: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// What of TLS is asked for, from nothing to all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum TlsRule {
    Disabled,
    #[default]
    Preferred,
    Required,
    VerifyCa,
    VerifyIdentity,
}

/// Why a word names no server.
#[derive(Debug, thiserror::Error)]
pub enum MysqlWordError {
    /// It cannot be read.
    #[error("a server of MySQL: {0}")]
    Malformed(&'static str),
    /// A parameter that nobody knows.
    #[error(
        "a server of MySQL has no parameter {0:?}; known are ssl-mode, ssl-ca, ssl-cert, ssl-key, socket, connect-timeout, charset and defaults-file"
    )]
    Unknown(String),
    /// The option file cannot be read.
    #[error("cannot read the option file {}", .path.display())]
    OptionFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

use MysqlWordError::Malformed;

impl MysqlServer {
    /// Reads a word without its table. `env`: variables that clients of MySQL know.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, MysqlWordError> {
        let (_, rest) = text.split_once("://").ok_or(Malformed("mysql://USER@HOST/DATABASE?table=NAME"))?;
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        // What stands before the @ may be the rest of a torn password.
        if path.contains('@') {
            return Err(Malformed("an @ behind the first / (a / in a password is written %2F)"));
        }
        if !authority.contains('@') && parameters.contains('@') {
            return Err(Malformed(
                "an @ behind the ? (a ? in a password is written %3F, an @ in a value %40)",
            ));
        }
        let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').map_or((login, None), |(u, p)| (u, Some(p)));
        let (host, port) = address_of(address)?;
        let mut server = Self {
            host,
            port,
            socket: None,
            user: decoded(user)?,
            password: password.map(decoded).transpose()?.map(Secret::new),
            database: Some(decoded(path)?).filter(|name| !name.is_empty()),
            tls: MysqlTls::default(),
            connects_for: CONNECTS_FOR,
        };
        let file = server.take_parameters(parameters)?;
        server.complete_login(file, env)?;
        Ok(server)
    }

    /// The server and its database, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let place = match &self.socket {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", self.host, self.port),
        };
        self.database.as_ref().map_or(place.clone(), |database| format!("{place}/{database}"))
    }

    /// Takes what stands behind the `?`; the option file that it names.
    fn take_parameters(&mut self, parameters: &str) -> Result<Option<PathBuf>, MysqlWordError> {
        let (mut mode, mut file) = (None, None);
        for pair in parameters.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            let path = || Some(PathBuf::from(&value));
            match name.to_ascii_lowercase().replace('_', "-").as_str() {
                "ssl-mode" | "sslmode" => mode = Some(tls_rule(&value)?),
                "ssl-ca" | "sslca" => self.tls.authority = path(),
                "ssl-cert" | "sslcert" => self.tls.certificate = path(),
                "ssl-key" | "sslkey" => self.tls.key = path(),
                "socket" | "unix-socket" => self.socket = path(),
                "connect-timeout" => {
                    let seconds =
                        value.parse().map_err(|_| Malformed("connect-timeout is no number of seconds"));
                    self.connects_for = Duration::from_secs(seconds?);
                }
                "defaults-file" => file = path(),
                // Texts arrive as UTF-8 whatever it says.
                "charset" => {}
                "password" => return Err(Malformed("a password stands before the @, or in an option file")),
                _ => return Err(MysqlWordError::Unknown(name)),
            }
        }
        // An authority that is named and not asked would be no protection.
        let of_authority = self.tls.authority.as_ref().map(|_| TlsRule::VerifyCa);
        self.tls.mode = mode.or(of_authority).unwrap_or_default();
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return Err(Malformed("ssl-cert and ssl-key belong together"));
        }
        Ok(file)
    }

    /// User and password, where the word does not say them: of the option file, then of the environment.
    fn complete_login(
        &mut self,
        named: Option<PathBuf>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), MysqlWordError> {
        let login = match (&named, env("HOME")) {
            (Some(path), _) => option_file::read(path)
                .map_err(|source| MysqlWordError::OptionFile { path: path.clone(), source })?,
            // Who has none, or one that nobody can read, has said nothing of a password.
            (None, Some(home)) => option_file::read(&Path::new(&home).join(".my.cnf")).unwrap_or_default(),
            (None, None) => FileLogin::default(),
        };
        if self.user.is_empty() {
            let user = login.user.clone().or_else(|| env("USER"));
            self.user = user.ok_or(Malformed("it names no user: mysql://USER@HOST/DATABASE?table=NAME"))?;
        }
        // A password of somebody else is not sent.
        let of_file = login.password.filter(|_| login.user.is_none_or(|user| user == self.user));
        let password = self.password.take().or(of_file);
        self.password = password.or_else(|| env("MYSQL_PWD").map(Secret::new));
        Ok(())
    }
}

fn address_of(address: &str) -> Result<(String, u16), MysqlWordError> {
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or_default()),
        None => address.split_once(':').unwrap_or((address, "")),
    };
    let port = match port {
        "" => PORT,
        port => {
            port.parse().map_err(|_| Malformed("its port is no number (a : in a user is written %3A)"))?
        }
    };
    let host = decoded(host)?;
    Ok((if host.is_empty() { "localhost".to_owned() } else { host }, port))
}

/// As MySQL calls it, and as PostgreSQL does.
fn tls_rule(word: &str) -> Result<TlsRule, MysqlWordError> {
    Ok(match word.to_ascii_lowercase().replace('-', "_").as_str() {
        "disabled" | "disable" => TlsRule::Disabled,
        "preferred" | "prefer" => TlsRule::Preferred,
        "required" | "require" => TlsRule::Required,
        "verify_ca" => TlsRule::VerifyCa,
        "verify_identity" | "verify_full" => TlsRule::VerifyIdentity,
        _ => {
            return Err(Malformed("ssl-mode is DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY"));
        }
    })
}

fn decoded(text: &str) -> Result<String, MysqlWordError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| Malformed("its text is not UTF-8"))?;
    Ok(text.into_owned())
}

/// The same word without the password.
#[must_use]
pub fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((login, address)) => {
            format!("{scheme}://{}@{address}{tail}", login.split(':').next().unwrap_or_default())
        }
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn a_word_names_a_server_and_who_logs_in() {
        let parse = |text: &str| MysqlServer::parse(text, &none).unwrap();
        let server = parse("mysql://me:p%40s:w@db.example:3307/shop?ssl-mode=REQUIRED&charset=utf8mb4");
        assert_eq!((server.host.as_str(), server.port, server.user.as_str()), ("db.example", 3307, "me"));
        assert_eq!(server.password, Some(Secret::new("p@s:w".to_owned())));
        assert_eq!(server.database.as_deref(), Some("shop"));
        assert_eq!(server.tls.mode, TlsRule::Required);
        assert_eq!(server.describe(), "db.example:3307/shop");
        assert!(!format!("{server:?}").contains("s:w"));
        let server = parse("mariadb://me:a@b@[::1]/?unix_socket=/run/s&connect_timeout=5");
        assert_eq!((server.host.as_str(), server.port, server.database), ("::1", 3306, None));
        assert_eq!(server.password, Some(Secret::new("a@b".to_owned())));
        assert_eq!(server.socket, Some(PathBuf::from("/run/s")));
        assert_eq!(parse("mysql://me@/shop?ssl-ca=/ca.pem").tls.mode, TlsRule::VerifyCa);
        assert_eq!(parse("mysql://me@h/d?sslca=/ca&sslmode=verify-full").tls.mode, TlsRule::VerifyIdentity);
    }

    #[test]
    fn what_is_no_server_is_refused_and_no_password_is_echoed() {
        for text in [
            "mysql://h/d",
            "mysql://u:se/cret@h/d",
            "mysql://u:se?cret@h/d",
            "mysql://u:12:cret@h:x/d",
            "mysql://u@h/d?ssl-mode=maybe",
            "mysql://u@h/d?sslmod=require",
            "mysql://u@h/d?password=cret",
            "mysql://u@h/d?ssl-cert=/x",
            "mysql://u@h/d?connect-timeout=soon",
            "mysql://%ff@h/d",
            "mysql://u@h/d?defaults-file=/nonexistent/cret",
        ] {
            let error = MysqlServer::parse(text, &none).unwrap_err().to_string();
            assert!(!error.contains("cret") || error.contains("/nonexistent"), "{text}: {error}");
        }
    }

    #[test]
    fn a_login_is_completed_by_the_environment() {
        let env = |name: &str| match name {
            "USER" => Some("osuser".to_owned()),
            "MYSQL_PWD" => Some("s3".to_owned()),
            _ => None,
        };
        let server = MysqlServer::parse("mysql://h/d", &env).unwrap();
        assert_eq!(server.user, "osuser");
        assert_eq!(server.password, Some(Secret::new("s3".to_owned())));
        let server = MysqlServer::parse("mysql://u:own@h/d", &env).unwrap();
        assert_eq!(server.password, Some(Secret::new("own".to_owned())));
    }

    #[test]
    fn a_password_is_left_out_of_a_word() {
        for (word, shown) in [
            ("mysql://u:s3@h/d?table=t", "mysql://u@h/d?table=t"),
            ("mysql://u:s@3@h:1/d?table=a@b", "mysql://u@h:1/d?table=a@b"),
            ("mysql://h/d?query=SELECT '@'", "mysql://h/d?query=SELECT '@'"),
            ("mysql://u@h", "mysql://u@h"),
        ] {
            assert_eq!(without_password(word), shown, "{word}");
        }
    }
}

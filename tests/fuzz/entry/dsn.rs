//! Connection strings: read or refused, and a secret in one is never shown again, however the string is torn.

use dbload::internals::pg::dsn::{Host, Lookup, from_env};
use dbload::internals::pg::{ConnInfo, ConnectTarget, DsnError};

use super::Dials;

/// What stands for the password: in no word that dbload says of itself.
const SECRET: &str = "Zq9Xw7";

/// Readings touch no file: these words name some.
const FILES: [&str; 5] = ["passfile", "service", "file:", "PASS", "sslrootcert"];

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let shape = dials.byte();
    let text = String::from_utf8_lossy(dials.rest()).into_owned();
    let lower = text.to_ascii_lowercase();
    if FILES.iter().any(|word| lower.contains(&word.to_ascii_lowercase())) || text.contains(SECRET) {
        return;
    }
    match shape % 4 {
        0 => any(&text),
        1 => planted(&text, "", "u:", "@h:5/db?sslmode=require"),
        2 => planted(&text, "host=h user=u password='", "", "' dbname=db"),
        _ => from_variables(&text),
    }
}

fn quiet(name: &str) -> Option<String> {
    // Nothing is looked for in the machine's own places.
    (name == "HOME").then(|| "/nonexistent".to_owned())
}

fn read(text: &str, env: Lookup<'_>) -> Result<Box<ConnInfo>, DsnError> {
    match from_env(Some(text), env)? {
        ConnectTarget::Server(dsn) => Ok(dsn),
        ConnectTarget::Local => Err(DsnError::Variable { name: "local".to_owned() }),
    }
}

/// Everything that is ever said of a connection string.
fn said(read: &Result<Box<ConnInfo>, DsnError>) -> String {
    match read {
        Ok(dsn) => {
            let servers: Vec<String> =
                dsn.servers.iter().map(|server| format!("{server} {server:?}")).collect();
            format!("{dsn} {dsn:?} {} {servers:?}", dsn.describe())
        }
        Err(error) => format!("{error} {error:?} {:?}", error.hint()),
    }
}

/// Any text: read or refused; what is read is written as a URL that means the same.
fn any(text: &str) {
    let first = read(text, &quiet);
    let Ok(dsn) = &first else {
        let words = said(&first);
        assert!(words.len() < 2_000 + 20 * text.len());
        return;
    };
    assert!(!dsn.servers.is_empty());
    assert!(!dsn.describe().chars().any(char::is_control), "a name steers no terminal");
    let shown = dsn.to_string();
    assert!(!shown.chars().any(char::is_control), "a name steers no terminal: {shown:?}");
    let single = dsn.servers.len() == 1 && matches!(&dsn.servers[0].host, Host::Tcp { addr: None, .. });
    if single && dsn.servers[0].password.is_none() {
        let again =
            read(&shown, &quiet).unwrap_or_else(|error| panic!("{text:?} is shown as {shown:?}: {error}"));
        assert_eq!((&again.user, &again.dbname), (&dsn.user, &dsn.dbname), "{shown:?}");
        assert_eq!(again.servers, dsn.servers, "{shown:?}");
        assert_eq!(again.tls.mode, dsn.tls.mode, "{shown:?}");
    }
}

/// A password around the text: wherever its quotes, slashes, spaces and signs tear it, no piece is shown.
fn planted(text: &str, before: &str, user: &str, after: &str) {
    // A text that ends the password by the form's own rules and goes on with parameters: those are no secret.
    let ends = if before.is_empty() {
        text.contains('@') && text.contains('?')
    } else {
        text.contains('\'') && text.contains('=')
    };
    if ends {
        return;
    }
    let scheme = if before.is_empty() { "postgresql://" } else { before };
    let password = format!("{SECRET}{text}{SECRET}");
    let line = format!("{scheme}{user}{password}{after}");
    let outcome = read(&line, &quiet);
    let words = said(&outcome);
    assert!(!words.contains(SECRET), "{line:?} says {words:?}");
}

/// `PG*` variables mean what the parameters mean, and the password stays unsaid.
fn from_variables(text: &str) {
    const NAMES: [&str; 12] = [
        "PGHOST",
        "PGPORT",
        "PGDATABASE",
        "PGUSER",
        "PGSSLMODE",
        "PGOPTIONS",
        "PGAPPNAME",
        "PGCONNECT_TIMEOUT",
        "PGTARGETSESSIONATTRS",
        "PGCHANNELBINDING",
        "PGHOSTADDR",
        "PGREQUIREAUTH",
    ];
    let mut values = text.split('\n');
    let set: Vec<(&str, String)> =
        NAMES.iter().zip(values.by_ref()).map(|(name, value)| (*name, value.to_owned())).collect();
    let env = |name: &str| match name {
        "PGPASSWORD" => Some(SECRET.to_owned()),
        "HOME" => Some("/nonexistent".to_owned()),
        name => set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()),
    };
    let outcome = match from_env(None, &env) {
        Ok(ConnectTarget::Server(dsn)) => Ok(dsn),
        Ok(ConnectTarget::Local) => panic!("a password is a reason to look for a server"),
        Err(error) => Err(error),
    };
    let words = said(&outcome);
    assert!(!words.contains(SECRET), "{text:?} says {words:?}");
}

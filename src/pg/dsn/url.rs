//! The URL form: `postgresql[+driver]://[user[:password]@][host[:port][,..]][/dbname][?name=value[&..]]`.
//!
//! As libpq reads it, with one leniency: the *last* `@` before the path ends the user information, so a
//! password with an unescaped `@` is understood (libpq would look for a host of that name). No other crate's
//! URL parser is used: several hosts and sockets are not URLs to them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::error::DsnError;
use super::words::{Echo, Words};

/// What stays readable in a redacted URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A URL's part for display.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// What follows `postgresql://`, if the text is such a URL; an error if it is a URL of another kind.
pub(super) fn strip_scheme(text: &str) -> Result<Option<&str>, DsnError> {
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(None) };
    if !scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_' | ':')) {
        return Ok(None); // `host=.. dbname=a://b` is key=value
    }
    let base = scheme.split_once('+').map_or(scheme, |(base, _driver)| base);
    if base.eq_ignore_ascii_case("postgres") || base.eq_ignore_ascii_case("postgresql") {
        return Ok(Some(rest));
    }
    Err(DsnError::Malformed { what: "not a PostgreSQL URL: it must begin with postgres:// or postgresql://" })
}

/// Reads what follows the scheme into words.
pub(super) fn parse(rest: &str, words: &mut Words) -> Result<(), DsnError> {
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (tail, None),
    };
    // `u:12/34@host/db`, `u:1@2/34@host/db`: a path with an @ is most likely the rest of a torn password, and
    // a database's name is shown.
    let has_user = authority.contains('@');
    if path.contains('@') {
        return Err(DsnError::Malformed {
            what: "an @ behind the first / (a / in a password is written %2F, an @ in a database name %40)",
        });
    }
    let hosts = match authority.rsplit_once('@') {
        Some((user, hosts)) => {
            user_information(user, words)?;
            hosts
        }
        None => authority,
    };
    // `u:12?34=5@host/db`: likewise with a ?. Values with an @ are none of that where host, port and path
    // look like such.
    let is_torn = !has_user && query.is_some_and(|query| query.contains('@'));
    if is_torn && (path.is_empty() && hosts.contains(':') || !has_plain_ports(hosts)) {
        return Err(DsnError::Malformed {
            what: "an @ behind the ? (a ? in a password is written %3F, an @ in a value %40)",
        });
    }
    host_list(hosts, words)?;
    if let Some(dbname) = path.strip_prefix('/').filter(|dbname| !dbname.is_empty()) {
        words.put("dbname", decode(dbname, "dbname")?);
    }
    match query {
        Some(query) => parameters(query, words, if is_torn { Echo::Withhold } else { Echo::Name }),
        None => Ok(()),
    }
}

/// The same text without the password, wherever it stands.
pub(super) fn without_password(rest: &str, is_password: &dyn Fn(&str) -> bool) -> String {
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let mut shown = match authority.rsplit_once('@') {
        Some((user, hosts)) => format!("{}@{hosts}", user.split_once(':').map_or(user, |(user, _)| user)),
        None => authority.to_owned(),
    };
    let Some((path, query)) = tail.split_once('?') else { return shown + tail };
    shown.push_str(path);
    let is_shown = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        decode(name, "the name of a parameter").is_ok_and(|name| !is_password(&name))
    };
    let pairs: Vec<&str> = query.split('&').filter(is_shown).collect();
    if !pairs.is_empty() {
        shown.push('?');
        shown.push_str(&pairs.join("&"));
    }
    shown
}

fn user_information(text: &str, words: &mut Words) -> Result<(), DsnError> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    if !user.is_empty() {
        words.put("user", decode(user, "user")?);
    }
    if let Some(password) = password {
        words.put("password", decode(password, "password")?);
    }
    Ok(())
}

/// Whether what stands where ports stand is numbers.
fn has_plain_ports(hosts: &str) -> bool {
    hosts.split(',').all(|one| {
        let behind = one.rsplit_once(']').map_or(one, |(_, behind)| behind);
        behind.split_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// Host and port lists, in libpq's form: comma-separated, an empty entry is the default.
fn host_list(text: &str, words: &mut Words) -> Result<(), DsnError> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for one in text.split(',') {
        let (host, port) = if let Some(rest) = one.strip_prefix('[') {
            let Some((host, after)) = rest.split_once(']') else {
                return Err(DsnError::Malformed { what: "a [ without ] in a host" });
            };
            match after.strip_prefix(':') {
                Some(port) => (host, port),
                None if after.is_empty() => (host, ""),
                None => return Err(DsnError::Malformed { what: "text behind the ] of a host" }),
            }
        } else {
            one.split_once(':').unwrap_or((one, ""))
        };
        hosts.push(decode(host, "host")?);
        ports.push(decode(port, "port")?);
    }
    if hosts.iter().any(|host| !host.is_empty()) {
        words.put("host", hosts.join(","));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        words.put("port", ports.join(","));
    }
    Ok(())
}

fn parameters(query: &str, words: &mut Words, echo: Echo) -> Result<(), DsnError> {
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(DsnError::Malformed { what: "a parameter behind the ? without `=`" });
        };
        let name = decode(name, "the name of a parameter")?;
        let value = decode(value, "the value of a parameter")?;
        words.set(&name, value, echo)?;
    }
    Ok(())
}

/// Percent-decodes a part; `+` stays a plus sign, as in libpq.
fn decode(text: &str, name: &'static str) -> Result<String, DsnError> {
    let expected = "percent-encoded UTF-8 (a literal % is written %25)";
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('%') {
        let digits = bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        if !digits {
            return Err(DsnError::BadValue { name, expected });
        }
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if !decoded.contains('\0') => Ok(decoded.into_owned()),
        Ok(_) | Err(_) => Err(DsnError::BadValue { name, expected }),
    }
}

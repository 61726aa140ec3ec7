//! The one table of connection parameters: what each name means, or why it is refused.
//!
//! All of libpq's keywords (as of PostgreSQL 18) are here, and what other clients put into connection strings
//! that are copied from one program to the next. A parameter that protects something is honoured or refused,
//! never ignored; one that only tunes another client is accepted with a note.

/// What a parameter means to dbload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A libpq keyword that is honoured.
    Word(&'static str),
    /// The schema of the table (Prisma, JDBC).
    Schema,
    /// A pooler is in between (Prisma).
    Pooler,
    /// JDBC's `ssl`, which libpq does not know.
    Ssl,
    /// Harmless with these values, refused with others.
    Only {
        /// Values that ask for what dbload does anyway.
        accepted: &'static [&'static str],
        /// Why no other values are supported.
        why: &'static str,
    },
    /// Tunes the pool, the cache or the patience of another client.
    OtherClients,
    /// A parameter that is not supported, and why.
    Refused(&'static str),
}

/// libpq's keywords that are honoured, with their environment variables.
pub(super) const WORDS: &[(&str, Option<&str>)] = &[
    ("host", Some("PGHOST")),
    ("hostaddr", Some("PGHOSTADDR")),
    ("port", Some("PGPORT")),
    ("dbname", Some("PGDATABASE")),
    ("user", Some("PGUSER")),
    ("password", Some("PGPASSWORD")),
    ("passfile", Some("PGPASSFILE")),
    ("service", Some("PGSERVICE")),
    ("servicefile", Some("PGSERVICEFILE")),
    ("channel_binding", Some("PGCHANNELBINDING")),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    ("options", Some("PGOPTIONS")),
    ("application_name", Some("PGAPPNAME")),
    ("fallback_application_name", None),
    ("keepalives", None),
    ("keepalives_idle", None),
    ("keepalives_interval", None),
    ("keepalives_count", None),
    ("tcp_user_timeout", None),
    ("sslmode", Some("PGSSLMODE")),
    ("sslrootcert", Some("PGSSLROOTCERT")),
    ("sslcert", Some("PGSSLCERT")),
    ("sslkey", Some("PGSSLKEY")),
    ("sslcertmode", Some("PGSSLCERTMODE")),
    ("sslnegotiation", Some("PGSSLNEGOTIATION")),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    ("load_balance_hosts", Some("PGLOADBALANCEHOSTS")),
];

/// Variables of parameters that are not honoured: they are judged like the parameter, by the variable's name.
pub(super) const OTHER_VARIABLES: &[(&str, &str)] = &[
    ("PGREQUIREAUTH", "require_auth"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGREQUIRESSL", "requiressl"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
    ("PGSSLSNI", "sslsni"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
    ("PGSSLMAXPROTOCOLVERSION", "ssl_max_protocol_version"),
    ("PGMINPROTOCOLVERSION", "min_protocol_version"),
    ("PGGSSENCMODE", "gssencmode"),
];

/// What tunes the pool, the statements or the patience of another client.
const OTHER_CLIENTS: &[&str] = &[
    "advisory_locks",
    "async_fallback",
    "binaryTransfer",
    "binary_parameters",
    "checkout_timeout",
    "command_timeout",
    "conn_max_age",
    "connection_limit",
    "defaultRowFetchSize",
    "default_query_exec_mode",
    "executemany_mode",
    "max_connections",
    "max_overflow",
    "pool",
    "pool_max_conns",
    "pool_min_conns",
    "pool_pre_ping",
    "pool_recycle",
    "pool_size",
    "pool_timeout",
    "preferQueryMode",
    "prepareThreshold",
    "preparedStatementCacheQueries",
    "prepared_statement_cache_size",
    "prepared_statements",
    "reWriteBatchedInserts",
    "socketTimeout",
    "socket_timeout",
    "statement_cache_capacity",
    "statement_cache_size",
    "statement_limit",
    "stringtype",
    "supa",
    "tcpKeepAlive",
    "workaround",
];

/// What `name` means; `None` if nobody knows it.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    if let Some((word, _)) = WORDS.iter().find(|(word, _)| *word == name) {
        return Some(Meaning::Word(word));
    }
    if OTHER_CLIENTS.contains(&name) {
        return Some(Meaning::OtherClients);
    }
    of_libpq(name).or_else(|| of_other_clients(name))
}

/// libpq's keywords that are not honoured: fine where they ask for what is done anyway, else refused.
fn of_libpq(name: &str) -> Option<Meaning> {
    use Meaning::Refused;
    let only = |accepted, why| Meaning::Only { accepted, why };
    Some(match name {
        "client_encoding" => only(&["auto", "utf8", "utf-8", "unicode"], UTF8),
        "gssencmode" => only(&["disable", "prefer"], "GSSAPI is not supported; use TLS (sslmode)"),
        "gssdelegation" => only(&["0"], "GSSAPI is not supported"),
        "sslcompression" => only(&["0"], "TLS compression is unsafe and not supported"),
        "sslsni" => only(&["1"], "the host name is always sent (SNI)"),
        "replication" => {
            only(&["false", "off", "no", "0"], "a load does not run over a replication connection")
        }
        "ssl_min_protocol_version" => only(&["TLSv1", "TLSv1.1", "TLSv1.2"], TLS_VERSIONS),
        "ssl_max_protocol_version" => only(&["TLSv1.3"], TLS_VERSIONS),
        "min_protocol_version" => only(&["3.0"], "dbload speaks protocol version 3.0"),
        "max_protocol_version" => only(&["3.0", "3.2", "latest"], "dbload speaks protocol version 3.0"),
        "require_auth" => {
            Refused("restricting the authentication method is not supported; channel_binding is")
        }
        "requirepeer" => Refused("checking the server process's user is not supported"),
        "requiressl" => Refused(SSLMODE),
        "sslcrl" | "sslcrldir" => Refused("certificate revocation lists are not supported"),
        "sslpassword" => Refused("encrypted private keys are not supported; decrypt the file of sslkey"),
        "sslkeylogfile" => Refused("logging TLS keys is not supported"),
        "krbsrvname" | "gsslib" => Refused("GSSAPI is not supported"),
        "scram_client_key" | "scram_server_key" => Refused("use the password"),
        "oauth_issuer" | "oauth_client_id" | "oauth_client_secret" | "oauth_scope" => {
            Refused("OAuth is not supported")
        }
        _ => return None,
    })
}

/// Other clients' names: for the same, or about protection or meaning, which is not ours to guess.
fn of_other_clients(name: &str) -> Option<Meaning> {
    use Meaning::{Refused, Word};
    Some(match name {
        "ApplicationName" => Word("application_name"),
        "username" => Word("user"),
        "database" => Word("dbname"),
        "connectTimeout" | "loginTimeout" => Word("connect_timeout"),
        "schema" | "currentSchema" => Meaning::Schema,
        "pgbouncer" => Meaning::Pooler,
        "ssl" => Meaning::Ssl,
        "encoding" | "charset" => Meaning::Only { accepted: &["utf8", "utf-8", "unicode"], why: UTF8 },
        "targetServerType" => Refused("use target_session_attrs"),
        "sslaccept" | "sslfactory" | "sslidentity" | "ssl_mode" | "tls" | "sslhostnameverifier" => {
            Refused(SSLMODE)
        }
        "search_path" | "schema_search_path" => {
            Refused("name the table with its schema, or give schema=NAME")
        }
        "readOnly" | "read_only" => Refused("a load writes"),
        _ => return None,
    })
}

const SSLMODE: &str = "use sslmode";
const UTF8: &str = "dbload always speaks UTF-8";
const TLS_VERSIONS: &str = "TLS 1.2 and 1.3 are always both allowed";

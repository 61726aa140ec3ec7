//! The one table of connection parameters: what each name means, or why it is refused.
//!
//! All of libpq's keywords (as of PostgreSQL 18) are here, and what other clients put into connection strings that
//! are copied from one program to the next. A parameter that protects something is honoured or refused, never
//! ignored; one that only tunes another client is accepted with a note.

/// What a parameter means to dbload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A libpq keyword that is honoured.
    Word(&'static str),
    /// The schema of the table (Prisma, JDBC).
    Schema,
    /// A pooler is in between (Prisma).
    Pooler,
    /// JDBC's `ssl`.
    Ssl,
    /// Harmless with these values, refused with others.
    Only {
        /// Values that ask for what dbload does anyway.
        accepted: &'static [&'static str],
        /// Why no others.
        why: &'static str,
    },
    /// Tunes the pool, the cache or the patience of another client.
    OtherClients,
    /// Not supported.
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

const SSLMODE: &str = "use sslmode";

/// What `name` means; `None` if nobody knows it.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    use Meaning::{Only, OtherClients, Pooler, Refused, Schema, Ssl, Word};
    if let Some((word, _)) = WORDS.iter().find(|(word, _)| *word == name) {
        return Some(Word(word));
    }
    Some(match name {
        // Other clients' names for the same.
        "ApplicationName" => Word("application_name"),
        "username" => Word("user"),
        "database" => Word("dbname"),
        "connectTimeout" | "loginTimeout" => Word("connect_timeout"),
        "targetServerType" => Refused("use target_session_attrs"),
        "schema" | "currentSchema" => Schema,
        "pgbouncer" => Pooler,
        "ssl" => Ssl,

        // libpq's, fine where they ask for what is done anyway.
        "client_encoding" | "encoding" | "charset" => {
            Only { accepted: &["auto", "utf8", "utf-8", "unicode"], why: "dbload always speaks UTF-8" }
        }
        "gssencmode" => {
            Only { accepted: &["disable", "prefer"], why: "GSSAPI is not supported; use TLS (sslmode)" }
        }
        "gssdelegation" => Only { accepted: &["0"], why: "GSSAPI is not supported" },
        "sslcompression" => Only { accepted: &["0"], why: "TLS compression is unsafe and not supported" },
        "sslsni" => Only { accepted: &["1"], why: "the host name is always sent (SNI)" },
        "replication" => Only {
            accepted: &["false", "off", "no", "0"],
            why: "a load does not run over a replication connection",
        },
        "ssl_min_protocol_version" => Only {
            accepted: &["TLSv1", "TLSv1.1", "TLSv1.2"],
            why: "TLS 1.2 and 1.3 are always both allowed",
        },
        "ssl_max_protocol_version" => {
            Only { accepted: &["TLSv1.3"], why: "TLS 1.2 and 1.3 are always both allowed" }
        }
        "min_protocol_version" => Only { accepted: &["3.0"], why: "dbload speaks protocol version 3.0" },
        "max_protocol_version" => {
            Only { accepted: &["3.0", "3.2", "latest"], why: "dbload speaks protocol version 3.0" }
        }

        // libpq's, not supported.
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

        // Other clients', about protection or meaning: not ours to guess.
        "sslaccept" | "sslfactory" | "sslidentity" | "ssl_mode" | "tls" | "sslhostnameverifier" => {
            Refused(SSLMODE)
        }
        "search_path" | "schema_search_path" => {
            Refused("name the table with its schema, or give schema=NAME")
        }
        "readOnly" | "read_only" => Refused("a load writes"),

        // Other clients' tuning.
        "connection_limit"
        | "pool_timeout"
        | "pool_size"
        | "max_overflow"
        | "pool"
        | "pool_max_conns"
        | "pool_min_conns"
        | "pool_recycle"
        | "pool_pre_ping"
        | "max_connections"
        | "checkout_timeout"
        | "conn_max_age"
        | "socket_timeout"
        | "socketTimeout"
        | "command_timeout"
        | "tcpKeepAlive"
        | "statement_cache_size"
        | "statement_cache_capacity"
        | "statement_limit"
        | "prepared_statements"
        | "prepared_statement_cache_size"
        | "prepareThreshold"
        | "preparedStatementCacheQueries"
        | "preferQueryMode"
        | "default_query_exec_mode"
        | "binary_parameters"
        | "binaryTransfer"
        | "reWriteBatchedInserts"
        | "stringtype"
        | "async_fallback"
        | "advisory_locks"
        | "workaround"
        | "supa"
        | "defaultRowFetchSize"
        | "executemany_mode" => OtherClients,
        _ => return None,
    })
}

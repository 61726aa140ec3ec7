//! Connections, tried on a real PostgreSQL: logins, TLS, failover, errors, identifiers.
//!
//! Each test has a throwaway cluster of its own (`cluster`).

mod cluster;
mod copy;
mod leases;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dbload::internals::pg::{
    Action, ConnInfo, DbError, Ident, LoginFailure, PgError, Stage, TableName, TlsFailure, Unreachable,
    connect_pool, connect_sqlx, quote_literal,
};
use sqlx::Row;
use tokio::runtime::Runtime;

use cluster::{Cluster, WithTls, run};

const SECRET: &str = "c4n4ry";

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Connects with both drivers; each says who it is, where, and whether TLS protects it.
async fn both(dsn: &ConnInfo) -> Result<(String, String), PgError> {
    const WHO: &str = "SELECT format('%s %s %s %s', current_user, current_database(), \
        (SELECT CASE WHEN ssl THEN 'tls' ELSE 'plain' END FROM pg_stat_ssl WHERE pid = pg_backend_pid()), \
        current_setting('application_name'))";
    let pool = connect_pool(dsn, 2).await?;
    let by_tokio = pool.get().await?.query_one(WHO, &[]).await.unwrap().get(0);
    let mut sqlx = connect_sqlx(&pool).await?;
    let by_sqlx = sqlx::query(WHO).fetch_one(&mut sqlx).await.unwrap().get(0);
    Ok((by_tokio, by_sqlx))
}

async fn check(dsn: &ConnInfo, expected: &str) {
    let (by_tokio, by_sqlx) = both(dsn).await.unwrap_or_else(|error| panic!("{dsn}: {error}"));
    assert_eq!((by_tokio.as_str(), by_sqlx.as_str()), (expected, expected), "{dsn}");
}

async fn refusal(dsn: &ConnInfo) -> PgError {
    let error = match connect_pool(dsn, 2).await {
        Ok(_) => panic!("{dsn}: connected"),
        Err(error) => error,
    };
    let shown = format!("{error} {error:?} {:?}", error.hint());
    assert!(!shown.contains(SECRET), "{shown}");
    error
}

#[test]
fn every_kind_of_login_works_and_a_refused_one_says_why() {
    let cluster = Cluster::start(WithTls::Yes);
    runtime().block_on(async {
        for user in ["scram", "md5", "clear"] {
            for mode in ["disable", "require"] {
                let tls = if mode == "disable" { "plain" } else { "tls" };
                let dsn = cluster.dsn(&format!("{user}:{SECRET}"), &format!("db?sslmode={mode}"));
                check(&dsn, &format!("{user} db {tls} dbload")).await;
                let error = refusal(&cluster.dsn(&format!("{user}:no{SECRET}"), &format!("db?sslmode={mode}"))).await;
                assert!(
                    matches!(&error, PgError::Login { why: LoginFailure::Denied(said), .. } if said.sqlstate == "28P01"),
                    "{error}"
                );
                assert!(error.to_string().contains(&format!("127.0.0.1:{}/db as {user}", cluster.port)), "{error}");
                assert!(error.hint().unwrap().starts_with("wrong password, or no such role; passwords come from"));
                assert_eq!(error.action(Stage::Connect), Action::Fatal);
            }
            let error = refusal(&cluster.dsn(user, "db")).await;
            assert!(matches!(error, PgError::Login { why: LoginFailure::NoPassword, .. }), "{error}");
            assert!(error.hint().unwrap().starts_with("give the password by PGPASSWORD, ~/.pgpass or the DSN"));
        }
        check(&cluster.dsn("boss", "db?application_name=mine&sslmode=disable"), "boss db plain mine").await;
        let socket = format!("host={} port={} user=nobody dbname=db sslmode=verify-full", cluster.path("pg").display(), cluster.port);
        check(&ConnInfo::parse(&socket).unwrap(), "nobody db plain dbload").await;

        let error = refusal(&cluster.dsn("boss", "nowhere")).await;
        assert!(matches!(&error, PgError::Refused { source, .. } if source.sqlstate == "3D000"), "{error}");
        assert_eq!(error.hint(), Some("no such database; create it, or mend dbname"));
        let error = refusal(&cluster.dsn("nobody", "db")).await;
        assert_eq!(error.server().unwrap().sqlstate, "28000", "{error}");
        let error = refusal(&cluster.dsn(&format!("ghost:{SECRET}"), "db")).await;
        assert!(matches!(error, PgError::Login { .. }), "{error}");
    });
}

#[test]
fn tls_does_what_sslmode_says() {
    let cluster = Cluster::start(WithTls::Yes);
    let plain = Cluster::start(WithTls::No);
    let ca = cluster.path("ca.crt");
    let ca = ca.display();
    let stranger = cluster.path("stranger.crt");
    let stranger = stranger.display();
    runtime().block_on(async {
        for (rest, expected) in [
            ("db?sslmode=disable".to_owned(), "plain"),
            ("db".to_owned(), "tls"),
            ("db?sslmode=allow".to_owned(), "tls"),
            ("db?sslmode=require".to_owned(), "tls"),
            (format!("db?sslmode=require&sslrootcert={ca}"), "tls"),
            (format!("db?sslmode=verify-ca&sslrootcert={ca}"), "tls"),
            (format!("db?sslmode=verify-full&sslrootcert={ca}"), "tls"),
        ] {
            check(&cluster.dsn("boss", &rest), &format!("boss db {expected} dbload")).await;
        }
        check(&plain.dsn("boss", "db"), "boss db plain dbload").await;
        for mode in ["require", "verify-ca", "verify-full"] {
            let error = refusal(&plain.dsn("boss", &format!("db?sslmode={mode}&sslrootcert={ca}"))).await;
            assert!(matches!(error, PgError::Tls { why: TlsFailure::NotOffered, .. }), "{error}");
            assert_eq!(error.hint(), Some("sslmode=prefer connects without TLS where the server has none"));
        }

        // Not by a trusted authority: a stranger's, the system's; `require` with a root verifies, as in
        // libpq.
        for rest in [
            format!("db?sslmode=require&sslrootcert={stranger}"),
            format!("db?sslmode=verify-ca&sslrootcert={stranger}"),
            format!("db?sslmode=verify-full&sslrootcert={stranger}"),
            "db?sslmode=verify-full".to_owned(),
            "db?sslrootcert=system".to_owned(),
        ] {
            let error = refusal(&cluster.dsn("boss", &rest)).await;
            let PgError::Tls { why: TlsFailure::Certificate(why), .. } = &error else { panic!("{rest}: {error}") };
            assert!(matches!(why.0, rustls::CertificateError::UnknownIssuer), "{error}");
            assert_eq!(error.hint(), Some("name the authority's certificate by sslrootcert=FILE"));
        }

        // Another name than the certificate's: the chain is enough for verify-ca, not for verify-full.
        let named = |mode: &str| {
            let port = cluster.port;
            let text = format!("host=other.test hostaddr=127.0.0.1 port={port} user=boss dbname=db sslmode={mode} sslrootcert={ca}");
            ConnInfo::parse(&text).unwrap()
        };
        check(&named("verify-ca"), "boss db tls dbload").await;
        let error = refusal(&named("verify-full")).await;
        assert!(error.to_string().contains("other.test"), "{error}");
        assert!(error.hint().unwrap().contains("subjectAltName (its common name does not count), or settle for"));

        check(&plain.dsn("boss", "db?sslmode=prefer"), "boss db plain dbload").await;
        for (rest, part) in [
            ("db?sslmode=verify-ca&sslrootcert=/no/such.crt".to_owned(), "/no/such.crt"),
            (format!("db?sslmode=verify-ca&sslrootcert={}", cluster.path("ca.key").display()), "ca.key"),
        ] {
            let error = refusal(&cluster.dsn("boss", &rest)).await;
            assert!(matches!(&error, PgError::TlsFiles(_)) && error.to_string().contains(part), "{error}");
        }
    });
}

#[test]
fn a_servers_own_certificate_may_be_its_root_and_clients_may_have_one() {
    let cluster = Cluster::start(WithTls::Yes);
    let file = |name: &str| cluster.path(name).display().to_string();
    runtime().block_on(async {
        let identity = format!("db?sslmode=require&sslcert={}&sslkey={}", file("client.crt"), file("client.key"));
        check(&cluster.dsn("certified", &identity), "certified db tls dbload").await;
        let error = refusal(&cluster.dsn("certified", "db?sslmode=require")).await;
        assert!(matches!(error, PgError::Login { .. }), "{error}");

        // A server that speaks TLS 1.2 only.
        cluster.sql("ALTER SYSTEM SET ssl_max_protocol_version = 'TLSv1.2'");
        cluster.reload();
        let rest = format!("db?sslmode=verify-full&sslrootcert={}", file("ca.crt"));
        check(&cluster.dsn("boss", &rest), "boss db tls dbload").await;
        check(&cluster.dsn(&format!("scram:{SECRET}"), "db?sslmode=require&channel_binding=require"), "scram db tls dbload").await;
        cluster.sql("ALTER SYSTEM RESET ssl_max_protocol_version");
        cluster.reload();

        // Rules of pg_hba.conf that depend on TLS: `prefer` tries the other way, as libpq.
        check(&cluster.dsn("tls_only", "db"), "tls_only db tls dbload").await;
        check(&cluster.dsn("plain_only", "db"), "plain_only db plain dbload").await;
        refusal(&cluster.dsn("plain_only", "db?sslmode=require")).await;
        refusal(&cluster.dsn("tls_only", "db?sslmode=disable")).await;

        let bound = format!("scram:{SECRET}");
        check(&cluster.dsn(&bound, "db?sslmode=require&channel_binding=require"), "scram db tls dbload").await;
        check(&cluster.dsn(&bound, "db?channel_binding=disable"), "scram db tls dbload").await;
        let error = refusal(&cluster.dsn(&bound, "db?sslmode=disable&channel_binding=require")).await;
        assert!(matches!(error, PgError::Login { why: LoginFailure::Method(_), .. }), "{error}");
        let error = refusal(&cluster.dsn("boss", "db?sslmode=require&channel_binding=require")).await;
        assert!(matches!(error, PgError::Login { .. }), "{error}");

        // Expired: noticed where the certificate is verified.
        run(Command::new("openssl").current_dir(cluster.dir.path()).args([
            "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "-1",
            "-extfile", "server.ext", "-out", "old.crt",
        ]));
        cluster.install("old.crt", "server.key");
        cluster.reload();
        check(&cluster.dsn("boss", "db?sslmode=require"), "boss db tls dbload").await;
        let error = refusal(&cluster.dsn("boss", &format!("db?sslmode=verify-ca&sslrootcert={}", file("ca.crt")))).await;
        assert_eq!(error.hint(), Some("renew the server's certificate"), "{error}");

        // The documentation's other recipe: a certificate of version 1, good enough where it is not verified.
        run(Command::new("openssl").current_dir(cluster.dir.path()).args([
            "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out",
            "v1.crt",
        ]));
        cluster.install("v1.crt", "server.key");
        cluster.reload();
        check(&cluster.dsn("boss", "db?sslmode=require"), "boss db tls dbload").await;
        check(&cluster.dsn(&bound, "db?sslmode=require&channel_binding=require"), "scram db tls dbload").await;
        let error = refusal(&cluster.dsn("boss", &format!("db?sslmode=verify-ca&sslrootcert={}", file("ca.crt")))).await;
        assert!(error.hint().unwrap().contains("version 3"), "{error} {:?}", error.hint());

        let dsn = cluster.dsn("boss", &format!("db?sslmode=verify-ca&sslrootcert={}", file("v1.crt")));
        check(&dsn, "boss db tls dbload").await;

        // The documentation's recipe: one self-signed certificate, given to clients as the root.
        run(Command::new("openssl").current_dir(cluster.dir.path()).args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "self.key", "-out", "self.crt",
        ]));
        cluster.install("self.crt", "self.key");
        cluster.reload();
        for mode in ["require", "verify-ca", "verify-full"] {
            let rest = format!("db?sslmode={mode}&sslrootcert={}", file("self.crt"));
            check(&cluster.dsn("boss", &rest), "boss db tls dbload").await;
        }
        let text = format!(
            "host=other.test hostaddr=127.0.0.1 port={} user=boss dbname=db sslmode=verify-full sslrootcert={}",
            cluster.port,
            file("self.crt")
        );
        refusal(&ConnInfo::parse(&text).unwrap()).await;
        refusal(&cluster.dsn("boss", &format!("db?sslmode=verify-ca&sslrootcert={}", file("ca.crt")))).await;
    });
}

#[test]
fn where_nobody_answers_is_said_in_time() {
    runtime().block_on(async {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dsn = |port: u16, rest: &str| {
            ConnInfo::parse(&format!("postgres://u:{SECRET}@127.0.0.1:{port}/db{rest}")).unwrap()
        };
        let error = refusal(&dsn(free, "")).await;
        assert!(matches!(error, PgError::Unreachable { why: Unreachable::NoConnection(_), .. }), "{error}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{free}/db")), "{error}");
        assert_eq!(error.action(Stage::Connect), Action::Reconnect);

        let error = refusal(&ConnInfo::parse("postgres://u@no-such-host.invalid/db").unwrap()).await;
        assert!(matches!(error, PgError::Unreachable { why: Unreachable::UnknownHost(_), .. }), "{error}");
        assert_eq!(error.hint(), Some("check the host's name in the DSN"));
        let error = refusal(&ConnInfo::parse("postgres://u@/db?host=/no/such/dir").unwrap()).await;
        assert!(matches!(error, PgError::Unreachable { why: Unreachable::NoConnection(_), .. }), "{error}");

        // Accepts and says nothing: to the request for TLS, and to the login.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        for rest in ["?connect_timeout=2", "?connect_timeout=2&sslmode=disable"] {
            let started = Instant::now();
            let error = refusal(&dsn(port, rest)).await;
            assert!(matches!(error, PgError::Unreachable { why: Unreachable::Timeout(_), .. }), "{error}");
            assert!(error.hint().unwrap().contains("a server too busy? connect_timeout sets the limit"));
            assert!(started.elapsed() < Duration::from_secs(30));
        }
        // Answers, but is no PostgreSQL.
        let web = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = web.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in web.incoming() {
                let mut stream = stream.unwrap();
                // What is left unread when it closes would reset the connection, sometimes before the answer
                // is read.
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read(&mut [0; 1024]);
            }
        });
        for rest in ["?connect_timeout=2", "?connect_timeout=2&sslmode=disable"] {
            let error = refusal(&dsn(port, rest)).await;
            assert!(matches!(error, PgError::Unreachable { .. }), "{error}");
            assert_eq!(error.hint(), Some("is that a PostgreSQL port? the server's log says more"));
        }
        // Agrees to TLS, and speaks something else.
        let strange = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = strange.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in strange.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 8]);
                let _ = stream.write_all(b"S");
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"no TLS at all\r\n");
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read(&mut [0; 1024]);
            }
        });
        let error = refusal(&dsn(port, "?connect_timeout=2&sslmode=require")).await;
        assert_eq!(error.hint(), Some("TLS 1.2 or 1.3 is needed; the server's log says more"), "{error}");
    });
}

#[test]
fn the_first_server_that_takes_writes_is_used() {
    let cluster = Cluster::start(WithTls::No);
    let standby = Cluster::start(WithTls::No);
    standby.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    standby.reload();
    runtime().block_on(async {
        let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (a, b) = (standby.port, cluster.port);
        let url = |rest: &str| {
            ConnInfo::parse(&format!("postgres://boss@127.0.0.1:{dead},127.0.0.1:{a},127.0.0.1:{b}/db{rest}"))
                .unwrap()
        };
        for rest in ["", "?target_session_attrs=primary", "?load_balance_hosts=random"] {
            let dsn = url(rest);
            let pool = connect_pool(&dsn, 2).await.unwrap();
            let port: String = pool.get().await.unwrap().query_one("SHOW port", &[]).await.unwrap().get(0);
            let mut sqlx = connect_sqlx(&pool).await.unwrap();
            let other: String = sqlx::query("SHOW port").fetch_one(&mut sqlx).await.unwrap().get(0);
            assert_eq!((&port, &other), (&b.to_string(), &b.to_string()));
        }
        let pool = connect_pool(&url("?target_session_attrs=any"), 1).await.unwrap();
        let port: String = pool.get().await.unwrap().query_one("SHOW port", &[]).await.unwrap().get(0);
        assert_eq!(port, a.to_string());
        let hosts = format!("postgres://boss@127.0.0.1:{a},127.0.0.1:{dead}/db");
        let error = refusal(&ConnInfo::parse(&hosts).unwrap()).await;
        assert!(matches!(error, PgError::ReadOnly { .. }), "{error}");
        let error = refusal(&standby.dsn("boss", "db?target_session_attrs=read-write")).await;
        assert!(matches!(error, PgError::ReadOnly { .. }), "{error}");
        assert_eq!(error.action(Stage::Connect), Action::FindPrimary);
        let written = pool.get().await.unwrap().batch_execute("CREATE TABLE t ()").await.unwrap_err();
        assert_eq!(PgError::statement("write", written).action(Stage::BeforeCommit), Action::FindPrimary);
    });
}

#[test]
fn the_pool_keeps_to_its_size_and_replaces_what_broke() {
    let cluster = Cluster::start(WithTls::Yes);
    runtime().block_on(async {
        let pool = connect_pool(&cluster.dsn("boss", "db"), 2).await.unwrap();
        let (one, two) = (pool.get().await.unwrap(), pool.get().await.unwrap());
        assert!(
            tokio::time::timeout(Duration::from_millis(200), pool.get()).await.is_err(),
            "there are two, no more"
        );
        let pid: i32 = one.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);

        // Ended by an administrator while it works.
        let killed = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            two.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
        };
        let (result, ()) = tokio::join!(one.batch_execute("SELECT pg_sleep(20)"), killed);
        let view = DbError::from(result.unwrap_err());
        assert!(view.is_lost(), "{view:?}");
        assert_eq!(dbload::internals::pg::classify(Stage::BeforeCommit, &view), Action::Reconnect);
        one.discard();
        let one = pool.get().await.unwrap();
        let new: i32 = one.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        assert_ne!(pid, new);

        // Cancelled by us.
        let token = one.cancel_token();
        let cancelled = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            pool.cancel(&token).await;
        };
        let (result, ()) = tokio::join!(one.batch_execute("SELECT pg_sleep(20)"), cancelled);
        assert_eq!(DbError::from(result.unwrap_err()).sqlstate(), Some("57014"));

        drop((one, two));
        pool.shrink();
        assert_eq!(pool.max_size(), 1);
        let _one = pool.get().await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(200), pool.get()).await.is_err());

        // No connection left for this role: 53300 by its own name.
        let socket =
            format!("host={} port={} user=few dbname=db", cluster.path("pg").display(), cluster.port);
        let few = connect_pool(&ConnInfo::parse(&socket).unwrap(), 2).await.unwrap();
        let _first = few.get().await.unwrap();
        let error = few.get().await.err().unwrap();
        assert_eq!(error.server().unwrap().sqlstate, "53300", "{error}");
        assert_eq!(error.action(Stage::Connect), Action::ShrinkPool);
    });
}

#[test]
fn a_server_that_restarts_is_a_lost_connection_and_then_there_again() {
    let cluster = Cluster::start(WithTls::No);
    runtime().block_on(async {
        let pool = connect_pool(&cluster.dsn("boss", "db"), 1).await.unwrap();
        let client = pool.get().await.unwrap();
        cluster.stop();
        let view = DbError::from(client.batch_execute("SELECT 1").await.unwrap_err());
        assert_eq!(
            dbload::internals::pg::classify(Stage::BeforeCommit, &view),
            Action::Reconnect,
            "{view:?}"
        );
        client.discard();
        let error = pool.get().await.err().unwrap();
        assert_eq!(error.action(Stage::Connect), Action::Reconnect, "{error}");
        cluster.begin();
        pool.get().await.unwrap().batch_execute("SELECT 1").await.unwrap();
    });
}

/// Collects all that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn neither_notices_nor_passwords_reach_the_log() {
    let cluster = Cluster::start(WithTls::Yes);
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    runtime().block_on(async {
        let dsn = cluster.dsn(&format!("scram:{SECRET}"), "db");
        let pool = connect_pool(&dsn, 1).await.unwrap();
        let client = pool.get().await.unwrap();
        client
            .batch_execute("DO $$ BEGIN RAISE NOTICE 'c4n4ry'; RAISE WARNING 'c4n4ry'; END $$")
            .await
            .unwrap();
        let refused = client.batch_execute("SELECT 'c4n4ry'::int").await.unwrap_err();
        let view = DbError::from(refused);
        assert_eq!(
            dbload::internals::pg::classify(Stage::Merge { cheap_key: None }, &view),
            Action::CarefulPath
        );
        // There is to be one connection, whoever opens it.
        drop(client);
        let mut sqlx = connect_sqlx(&pool).await.unwrap();
        sqlx::query("SELECT 'c4n4ry', pg_sleep(1.5)").execute(&mut sqlx).await.unwrap();
        let error = sqlx::query("SELECT 1/0").execute(&mut sqlx).await.unwrap_err();
        assert_eq!(DbError::from(error).sqlstate(), Some("22012"));
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("the server sent a notice"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

#[test]
fn hostile_names_are_names_and_nothing_else() {
    let cluster = Cluster::start(WithTls::No);
    runtime().block_on(async {
        let pool = connect_pool(&cluster.dsn("boss", "db"), 1).await.unwrap();
        let client = pool.get().await.unwrap();
        client.batch_execute("CREATE TABLE x (id int)").await.unwrap();
        let long = "y".repeat(63);
        let names = [
            "id\"; DROP TABLE x;--", "select", "user", "Mixed Case", "mixed case", "a.b", "it's", "back\\slash", "😀",
            "new\nline", "tab\t", " ", "$1", "%s", "\"", "\"\"", "--", "/*", "é", long.as_str(),
        ];
        for raw in names {
            let name = Ident::new(raw).unwrap();
            let table = TableName { schema: Some(name.clone()), name: name.clone() };
            client
                .batch_execute(&format!("CREATE SCHEMA {name}; CREATE TABLE {table} ({name} text); INSERT INTO {table} ({name}) VALUES ('v')"))
                .await
                .unwrap_or_else(|error| panic!("{raw:?}: {error}"));
            let row = client
                .query_one(
                    "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
                     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $1 AND a.attname = $1",
                    &[&raw],
                )
                .await
                .unwrap();
            assert_eq!(row.get::<_, i64>(0), 1, "{raw:?}");
            // What --table says when it is quoted by SQL's rules is the same table.
            assert_eq!(TableName::parse(&table.to_string()).unwrap(), table);
            for mode in ["on", "off"] {
                let literal = quote_literal(raw).unwrap();
                let sql = format!("SET standard_conforming_strings = {mode}; SELECT{literal}");
                let rows = client.simple_query(&sql).await.unwrap();
                let found = rows.iter().any(|message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0) == Some(raw),
                    _ => false,
                });
                assert!(found, "{raw:?} with standard_conforming_strings = {mode}");
            }
        }
        assert!(Ident::new("y".repeat(64)).is_err());
        let tables = client.query_one("SELECT count(*) FROM pg_tables WHERE tablename = 'x'", &[]).await.unwrap();
        assert_eq!(tables.get::<_, i64>(0), 1);
    });
}

/// The child of the test below: connects by the DSN in the variable, prints who it is.
#[test]
#[ignore = "run by sqlx_does_not_follow_the_environment, which sets the variables"]
fn child_that_connects() {
    let dsn = ConnInfo::parse(&std::env::var("TEST_DSN").unwrap()).unwrap();
    let (by_tokio, by_sqlx) = runtime().block_on(both(&dsn)).unwrap();
    println!("tokio={by_tokio};sqlx={by_sqlx};");
}

#[test]
fn sqlx_does_not_follow_the_environment() {
    let cluster = Cluster::start(WithTls::Yes);
    let temp = tempfile::tempdir_in("/tmp").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .env("TMPDIR", temp.path())
        .args(["--ignored", "--exact", "pg_connections::child_that_connects", "--nocapture"])
        .env("TEST_DSN", cluster.url(&format!("scram:{SECRET}"), "db?sslmode=require"))
        .envs([
            ("PGHOST", "wrong.invalid"),
            ("PGHOSTADDR", "10.255.255.1"),
            ("PGPORT", "1"),
            ("PGUSER", "wrong"),
            ("PGPASSWORD", "wrong"),
            ("PGDATABASE", "wrong"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/wrong"),
            ("PGSSLCERT", "/wrong"),
            ("PGSSLKEY", "/wrong"),
            ("PGAPPNAME", "wrong"),
        ])
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("tokio=scram db tls dbload;sqlx=scram db tls dbload;"), "{stdout}");
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0, "the relay's directory is gone");
}

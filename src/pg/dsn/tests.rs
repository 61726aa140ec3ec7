//! Connection strings, form by form. Nothing here touches the process environment.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::secret::Secret;

/// A stand-in for a password that must never be seen again.
const CANARY: &str = "c4n4ry";

fn with_env(flag: Option<&str>, variables: &[(&str, &str)]) -> Result<ConnectTarget, DsnError> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    from_env(flag, &|name| variables.get(name).map(|text| (*text).to_owned()))
}

fn server(flag: Option<&str>, variables: &[(&str, &str)]) -> ConnInfo {
    match with_env(flag, variables).unwrap() {
        ConnectTarget::Server(dsn) => *dsn,
        ConnectTarget::Local => panic!("the local server"),
    }
}

fn parse(text: &str) -> ConnInfo {
    ConnInfo::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    ConnInfo::parse(text).expect_err(text).to_string()
}

fn password(dsn: &ConnInfo) -> Option<&str> {
    dsn.servers[0].password.as_ref().map(Secret::reveal)
}

fn os_user() -> String {
    whoami::username().unwrap()
}

#[test]
fn every_form_names_the_same_place() {
    for text in [
        "postgres://u:p@h:5433/db",
        "postgresql://u:p@h:5433/db",
        "POSTGRESQL://u:p@h:5433/db",
        "postgresql+asyncpg://u:p@h:5433/db",
        "postgresql+psycopg2://u:p@h:5433/db",
        "postgres://h/?user=u&password=p&port=5433&dbname=db",
        "postgres:///db?host=h&port=5433&user=u&password=p",
        "postgres://%75:%70@%68:5433/d%62",
        "host=h port=5433 user=u password=p dbname=db",
        " host = h  port='5433' user=u\npassword='p' dbname = 'db' ",
    ] {
        let dsn = parse(text);
        assert_eq!(dsn.describe(), "h:5433/db", "{text}");
        assert_eq!((dsn.user.as_str(), password(&dsn)), ("u", Some("p")), "{text}");
        assert_eq!(dsn.to_string(), "postgresql://u:***@h:5433/db?sslmode=prefer", "{text}");
    }
}

#[test]
fn what_is_left_out_is_as_in_libpq() {
    let dsn = parse("postgres://h");
    assert_eq!((&dsn.user, &dsn.dbname, password(&dsn)), (&os_user(), &os_user(), None));
    let dsn = parse("postgres://u@h/");
    assert_eq!(dsn.describe(), "h:5432/u");
    assert_eq!(dsn.application_name, "dbload");
    assert_eq!(dsn.connect_timeout, Some(Duration::from_secs(10)));
    assert_eq!((dsn.tls.mode, dsn.target), (SslMode::Prefer, SessionTarget::Any));
    let dsn = parse("postgres://");
    assert_eq!((&dsn.user, dsn.servers.len()), (&os_user(), 1));
}

#[test]
fn several_hosts_addresses_and_sockets_are_understood() {
    let dsn = parse("postgres://u@a:1,b,[::1]:3/db");
    assert_eq!(dsn.describe(), "a:1,b:5432,[::1]:3/db");
    assert_eq!(dsn.target, SessionTarget::ReadWrite, "a load writes");
    assert_eq!(parse("postgres://u@a,b/db?target_session_attrs=any").target, SessionTarget::Any);
    assert_eq!(parse("host=a,b port=7 dbname=db").describe(), "a:7,b:7/db");
    assert_eq!(parse("host=a,b port=7,8 dbname=db").describe(), "a:7,b:8/db");
    for text in
        ["postgres://u@/db?host=/run/pg", "postgres://u@%2Frun%2Fpg/db", "host=/run/pg user=u dbname=db"]
    {
        let dsn = parse(text);
        assert_eq!(dsn.servers[0].host, Host::Unix(PathBuf::from("/run/pg")), "{text}");
        assert_eq!(dsn.to_string(), "postgresql://u@%2Frun%2Fpg:5432/db?sslmode=prefer");
    }
    let dsn = parse("host=name hostaddr=10.0.0.1 dbname=db");
    assert_eq!(
        dsn.servers[0].host,
        Host::Tcp { name: "name".to_owned(), addr: Some("10.0.0.1".parse().unwrap()) }
    );
    assert_eq!(parse("hostaddr=::1 dbname=db").describe(), "[::1]:5432/db");
    for text in ["host=a,b port=1,2,3", "host=a,b hostaddr=10.0.0.1", "hostaddr=name", "host=a port=0"] {
        refusal(text);
    }
}

#[test]
fn values_are_decoded_and_unquoted_exactly() {
    assert_eq!(password(&parse("postgres://u:p%40%2F%25+%20x@h/db")), Some("p@/%+ x"));
    assert_eq!(password(&parse("postgres://u:p@ss@h/db")), Some("p@ss"), "the last @ ends the user");
    assert_eq!(password(&parse("postgres://u:a:b#c@h/db")), Some("a:b#c"));
    assert_eq!(password(&parse(r"host=h password='it\'s \\ x' user=u")), Some(r"it's \ x"));
    assert_eq!(password(&parse(r"host=h password=a\ b\'c user=u")), Some("a b'c"));
    assert_eq!(
        parse("postgres://h/db?options=-c%20search_path%3Dx").options.as_deref(),
        Some("-c search_path=x")
    );
    assert_eq!(parse("postgres://h/a%2Fb").dbname, "a/b");
}

#[test]
fn parameters_of_the_wild_are_honoured_or_noted() {
    let dsn = parse(
        "postgres://u@h/db?schema=sales&pgbouncer=true&connection_limit=5&application_name=x&connect_timeout=3\
         &keepalives=1&keepalives_idle=20&tcp_user_timeout=1500&target_session_attrs=read-write&gssencmode=prefer\
         &client_encoding=utf8&fallback_application_name=y&channel_binding=require&sslmode=require&load_balance_hosts=random",
    );
    assert_eq!(dsn.schema.as_deref(), Some("sales"));
    assert!(dsn.behind_pooler && dsn.shuffle_hosts);
    assert_eq!(dsn.notes.len(), 1, "{:?}", dsn.notes);
    assert!(dsn.notes[0].contains("connection_limit"));
    assert_eq!((dsn.application_name.as_str(), dsn.connect_timeout), ("x", Some(Duration::from_secs(3))));
    assert_eq!(dsn.keepalive.idle, Some(Duration::from_secs(20)));
    assert_eq!(dsn.keepalive.user_timeout, Some(Duration::from_millis(1500)));
    assert_eq!((dsn.tls.mode, dsn.channel_binding), (SslMode::Require, ChannelBinding::Require));
    assert_eq!(parse("postgres://h/db?connect_timeout=0").connect_timeout, None);
    assert!(!parse("postgres://h/db?keepalives=0").keepalive.probes);
}

#[test]
fn ssl_modes_mean_what_libpq_means() {
    for (parameters, mode, roots) in [
        ("sslmode=disable", SslMode::Disable, Roots::System),
        ("sslmode=allow", SslMode::Prefer, Roots::System),
        ("ssl=true", SslMode::Require, Roots::System),
        ("ssl=false", SslMode::Disable, Roots::System),
        ("ssl=require", SslMode::Require, Roots::System),
        ("sslmode=require&sslrootcert=/ca", SslMode::VerifyCa, Roots::File("/ca".into())),
        ("sslmode=verify-full&sslrootcert=/ca", SslMode::VerifyFull, Roots::File("/ca".into())),
        ("sslmode=verify-ca", SslMode::VerifyCa, Roots::System),
        ("sslrootcert=system", SslMode::VerifyFull, Roots::System),
    ] {
        let tls = parse(&format!("postgres://h/db?{parameters}")).tls;
        assert_eq!((tls.mode, tls.roots), (mode, roots), "{parameters}");
    }
    assert!(refusal("postgres://h/db?sslrootcert=system&sslmode=require").contains("verify-full"));
    assert!(refusal("postgres://h/db?sslnegotiation=direct").contains("sslmode=require"));
    assert!(refusal("postgres://h/db?sslcert=/c").contains("sslkey"));
    assert!(parse("postgres://h/db?sslcert=/c&sslkey=/k").tls.identity.is_some());
    assert!(parse("postgres://h/db?sslcert=/c&sslkey=/k&sslcertmode=disable").tls.identity.is_none());
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for name in [
        "require_auth=scram-sha-256",
        "sslcrl=/x",
        "requirepeer=postgres",
        "sslpassword=x",
        "krbsrvname=x",
        "gssencmode=require",
        "replication=database",
        "client_encoding=latin1",
        "ssl_min_protocol_version=TLSv1.3",
        "sslaccept=strict",
        "search_path=x",
        "target_session_attrs=standby",
        "nonsense=1",
        "sslmode=no-verify",
        "channel_binding=maybe",
        "connect_timeout=soon",
        "sslcertmode=require",
    ] {
        let key = name.split_once('=').unwrap().0;
        assert!(refusal(&format!("postgres://u@h/db?{name}")).contains(key), "{name}");
        assert!(refusal(&format!("host=h {name}")).contains(key), "{name}");
    }
}

#[test]
fn a_password_with_a_question_mark_is_not_taken_for_parameters() {
    for torn in [
        "postgres://u:s3cret?user=e@h:5/db",
        "postgres://u:12?user=s3cret@h/db",
        "postgres://u:s3?port=&user=s3cret@h/db",
    ] {
        let error = ConnInfo::parse(torn).unwrap_err().to_string();
        assert!(error.contains("%3F") && !error.contains("s3cret"), "{error}");
    }
    // As some hosted servers name users.
    for user in ["postgres://h:5432/db?user=me@h", "postgres:///db?user=me@h", "postgres://h?user=me@h"] {
        assert_eq!(parse(user).user, "me@h");
    }
}

#[test]
fn a_password_is_never_shown() {
    for text in [
        "postgres://u:c4n4ry@h/db",
        "postgres://u:p@c4n4ry@h/db",
        "postgres://u:c4n4ry@host:port/db",
        "postgres://u:c4n4ry@h:99999/db",
        "postgres://u:1/c4n4ry@h/db",
        "postgres://u:x/c4n4ry@h/db",
        "postgres://u:1?c4n4ry@h/db",
        "postgres://u:1?c4n4ry=x@h/db",
        "postgres://u:%c4n4ry@h/db",
        "postgres://u:c4n4ry%zz@h/db",
        "postgres://u:c4n4ry%00@h/db",
        "postgres://u:[c4n4ry@h/db",
        "postgres://u:c4n4ry@[h/db",
        "postgres://u:c4n4ry@h/db?foo=bar",
        "postgres://u:c4n4ry@h/db?foo",
        "postgres://u@h/db?password=c4n4ry&sslmode=c4n4ry",
        "postgres://u@h/db?password=a&c4n4ry",
        "postgres://u@h/db?c4n4ry",
        "mysql://u:c4n4ry@h/db",
        "postgre://u:c4n4ry@h/db",
        "c4n4ry",
        "u:c4n4ry@h/db",
        "host=h password=c4n4ry nonsense=1",
        "host=h password=x c4n4ry",
        "host=h password=x c4n4ry=1",
        "host=h password='c4n4ry",
        "host=h password=c4n4ry\\",
        "password=c4n4ry port=x",
        "dbname=postgres://u:c4n4ry@h/db",
        "host=h port=c4n4ry",
        "host=u:c4n4ry@h dbname=db",
        "postgres://h/db?host=u:c4n4ry@h",
    ] {
        let shown = match ConnInfo::parse(text) {
            Ok(dsn) => format!("{dsn} {dsn:?} {} {dsn:#?}", dsn.describe()),
            Err(error) => format!("{error} {error:?} {:?}", error.hint()),
        };
        assert!(!shown.contains(CANARY), "{text} -> {shown}");
    }
}

#[test]
fn a_password_is_written_as_the_hint_says() {
    let error = ConnInfo::parse("host=h password=a b=c dbname=d").unwrap_err();
    assert!(error.hint().unwrap().starts_with("write special characters of a password as %40 (@), %3F (?)"));
    assert_eq!(ConnInfo::parse("host=h password='a b=c' dbname=d").unwrap().dbname, "d");
    assert_eq!(ConnInfo::parse("postgres://u:a%40b%3Fc%26@h/d").unwrap().dbname, "d");
    let error = ConnInfo::parse("postgres//u@h/d").unwrap_err();
    assert!(
        error.hint().unwrap().starts_with("a connection string is postgres://user:password@host:port/dbname")
    );
}

#[test]
fn the_order_is_flag_then_database_url_then_variables_then_local() {
    let both = [("DATABASE_URL", "postgres://url/db"), ("PGHOST", "env")];
    assert_eq!(server(Some("postgres://flag/db"), &both).describe(), "flag:5432/db");
    assert_eq!(server(None, &both).describe(), "url:5432/db");
    assert_eq!(server(None, &[("PGHOST", "env"), ("PGUSER", "u")]).describe(), "env:5432/u");
    assert!(matches!(with_env(None, &[]).unwrap(), ConnectTarget::Local));
    assert!(matches!(with_env(None, &[("DATABASE_URL", ""), ("PGHOST", "")]).unwrap(), ConnectTarget::Local));
    assert!(matches!(with_env(Some("local"), &both).unwrap(), ConnectTarget::Local));
}

#[test]
fn variables_fill_what_the_text_leaves_out() {
    let variables = [
        ("PGHOST", "eh"),
        ("PGPORT", "77"),
        ("PGUSER", "eu"),
        ("PGPASSWORD", "ep"),
        ("PGDATABASE", "ed"),
        ("PGSSLMODE", "require"),
        ("PGAPPNAME", "ea"),
        ("PGOPTIONS", "-c a=b"),
        ("PGCONNECT_TIMEOUT", "4"),
        ("PGTARGETSESSIONATTRS", "read-write"),
    ];
    let dsn = server(Some("postgres://h/db"), &variables);
    assert_eq!(dsn.to_string(), "postgresql://eu:***@h:77/db?sslmode=require");
    assert_eq!((dsn.application_name.as_str(), dsn.options.as_deref()), ("ea", Some("-c a=b")));
    assert_eq!((dsn.connect_timeout, dsn.target), (Some(Duration::from_secs(4)), SessionTarget::ReadWrite));
    let dsn = server(Some("postgres://u:p@h:1/db?sslmode=disable"), &variables);
    assert_eq!(dsn.to_string(), "postgresql://u:***@h:1/db?sslmode=disable");
    assert_eq!(password(&dsn), Some("p"));
    let error = with_env(Some("host=h"), &[("PGREQUIREAUTH", "none")]).unwrap_err().to_string();
    assert!(error.contains("PGREQUIREAUTH"), "{error}");
}

#[test]
fn a_connection_string_may_come_from_a_variable_or_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dsn");
    fs::write(&path, "\n postgres://u:p@h/db \n").unwrap();
    let flag = format!("file:{}", path.display());
    assert_eq!(server(Some(&flag), &[]).describe(), "h:5432/db");
    fs::write(&path, "host=h\ndbname=db\n").unwrap();
    assert_eq!(server(Some(&flag), &[]).describe(), "h:5432/db");
    fs::write(&path, "x".repeat(70_000)).unwrap();
    assert!(with_env(Some(&flag), &[]).is_err());
    assert_eq!(server(Some("env:MINE"), &[("MINE", "postgres://h/db\n")]).describe(), "h:5432/db");
    assert!(with_env(Some("env:MINE"), &[]).unwrap_err().to_string().contains("MINE"));
    assert!(with_env(Some("file:/no/such"), &[]).unwrap_err().to_string().contains("/no/such"));
    assert!(with_env(Some("env:A"), &[("A", "env:B")]).is_err(), "no chains");
    for variables in [[("DATABASE_URL", "postgres://u:c4n4ry@h:x/db")], [("DATABASE_URL", "c4n4ry")]] {
        let error = with_env(None, &variables).unwrap_err();
        assert!(error.to_string().contains("(in DATABASE_URL)"), "{error}");
        assert!(!format!("{error} {error:?}").contains(CANARY));
    }
}

#[test]
#[cfg(unix)]
fn a_password_file_is_used_if_it_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".pgpass");
    fs::write(&path, "a:5432:db:u:pa\nb:5433:*:u:pb\nlocalhost:5432:*:u:socket\n").unwrap();
    let home = dir.path().to_str().unwrap();
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let passwords = |text: &str, variables: &[(&str, &str)]| {
        let dsn = server(Some(text), variables);
        let reveal = |server: &Server| server.password.as_ref().map(|secret| secret.reveal().to_owned());
        (dsn.servers.iter().map(reveal).collect::<Vec<_>>(), dsn.notes)
    };
    let text = "postgres://u@a,b:5433,c/db";
    mode(0o600);
    let found = vec![Some("pa".to_owned()), Some("pb".to_owned()), None];
    assert_eq!(passwords(text, &[("HOME", home)]), (found.clone(), vec![]));
    assert_eq!(passwords(text, &[("PGPASSFILE", path.to_str().unwrap())]).0, found);
    assert_eq!(passwords(&format!("{text}?passfile={}", path.display()), &[]).0, found);
    assert_eq!(passwords("host=/tmp user=u dbname=db", &[("HOME", home)]).0, [Some("socket".to_owned())]);
    mode(0o640);
    let (none, notes) = passwords(text, &[("HOME", home)]);
    assert_eq!(none, [None, None, None]);
    assert!(notes[0].contains("chmod 600"), "{notes:?}");
    assert_eq!(passwords(text, &[]), (vec![None, None, None], vec![]));
}

#[test]
fn a_service_fills_before_the_variables() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("services");
    fs::write(&path, "# mine\n[other]\nhost=no\n\n[mine]\nhost=sh\nport=7\nuser = su\n[third]\nhost=no\n")
        .unwrap();
    let file = ("PGSERVICEFILE", path.to_str().unwrap());
    let dsn = server(None, &[file, ("PGSERVICE", "mine"), ("PGHOST", "eh"), ("PGDATABASE", "ed")]);
    assert_eq!((dsn.describe().as_str(), dsn.user.as_str()), ("sh:7/ed", "su"));
    assert_eq!(server(Some("service=mine host=h dbname=db"), &[file]).describe(), "h:7/db");
    let error = with_env(Some("service=none"), &[file]).unwrap_err().to_string();
    assert!(error.contains("`none`"), "{error}");
}

proptest::proptest! {
    #[test]
    fn any_user_password_and_database_travel_through_a_url(user in "\\PC{1,12}", secret in "\\PC{1,12}", db in "\\PC{1,12}") {
        proptest::prop_assume!(!db.contains("://"));
        let text = format!(
            "postgres://{}:{}@h:5433/{}", url::encode(&user), url::encode(&secret), url::encode(&db)
        );
        let dsn = parse(&text);
        proptest::prop_assert_eq!((dsn.user.as_str(), password(&dsn), dsn.dbname.as_str()), (user.as_str(), Some(secret.as_str()), db.as_str()));
        let quote = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
        let text = format!("host=h user={} password={} dbname={}", quote(&user), quote(&secret), quote(&db));
        let dsn = parse(&text);
        proptest::prop_assert_eq!((dsn.user.as_str(), password(&dsn), dsn.dbname.as_str()), (user.as_str(), Some(secret.as_str()), db.as_str()));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(postgres://)?\\PC{0,40}") {
        let _ = ConnInfo::parse(&text);
    }
}

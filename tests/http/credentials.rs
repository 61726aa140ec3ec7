//! Credentials as canaries: they reach the origin that was named, and nothing else ever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dbload::internals::http::{
    Auth, Client, CustomHeader, HttpError, Origins, PageSeen, Pager, Parameter, Settings, Value,
};
use url::Url;

use super::{client, fetch, impatient, request, told};
use crate::support::http::{Authority, HttpServer, answer, json, redirect};

const CANARY: &str = "CANARY-d41d8cd98f00b204";
/// `user:CANARY-d41d8cd98f00b204` in base64.
const CANARY_BASIC: &str = "dXNlcjpDQU5BUlktZDQxZDhjZDk4ZjAwYjIwNA==";

fn with_canaries() -> Settings {
    let mut settings = impatient();
    for text in ["Authorization: Bearer env:T", "Cookie: session=x; env:T", "X-Api-Key: env:T"] {
        settings.headers.push(CustomHeader::parse(text, |_| Some(CANARY.to_owned())).unwrap());
    }
    settings.parameters.push(Parameter { name: "api_key".to_owned(), value: Value::text(CANARY) });
    settings
}

fn has_canary(text: &str) -> bool {
    text.contains(CANARY) || text.contains(CANARY_BASIC)
}

fn saw_canary(server: &HttpServer) -> bool {
    server.seen().iter().any(|seen| has_canary(&seen.head) || has_canary(&seen.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_host_port_or_scheme_takes_no_credential_along() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let mut settings = with_canaries();
    settings.ca_file = Some(authority.file().to_owned());
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let other = HttpServer::start(|_| json("[1]")).await;
        let other_tls = HttpServer::start_tls(&authority, |_| json("[1]")).await;
        // Another port, another host of the same address, and from http to https.
        let targets =
            [other.url("/x"), other.url("/x").replace("localhost", "127.0.0.1"), other_tls.url("/x")];
        for target in targets {
            let to = target.clone();
            let server = HttpServer::start(move |_| redirect(status, &to)).await;
            let client = client(&settings, &server);
            let got = fetch(&client, &request(&server.url(&format!("/start?key={CANARY}")))).await.unwrap();
            assert_eq!(got, b"[1]", "{status} {target}");
            assert!(saw_canary(&server), "the origin that was named gets them");
            assert_eq!(client.counters().redirected, 1);
        }
        assert_eq!((other.count(), other_tls.count()), (2, 1));
        assert!(!saw_canary(&other) && !saw_canary(&other_tls), "{status}: {:?}", other.seen());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_away_and_back_gives_credentials_only_at_home() {
    let home = Arc::new(Mutex::new(String::new()));
    let back = Arc::clone(&home);
    let away = HttpServer::start(move |_| redirect("302 Found", &back.lock().unwrap())).await;
    let there = away.url("/away");
    let server = HttpServer::start(move |seen| {
        if seen.path().starts_with("/home") { json("[1]") } else { redirect("302 Found", &there) }
    })
    .await;
    *home.lock().unwrap() = server.url("/home");
    let got = fetch(&client(&with_canaries(), &server), &request(&server.url("/start"))).await.unwrap();
    assert_eq!(got, b"[1]");
    assert!(!saw_canary(&away));
    assert!(server.seen().iter().all(|seen| seen.header("x-api-key") == Some(CANARY)));
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_that_loop_or_lead_into_the_open_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let mut settings = with_canaries();
    settings.ca_file = Some(authority.file().to_owned());
    let open = HttpServer::start(|_| json("[1]")).await;
    let (plain, trick) = (open.url("/x"), format!("https://localhost@127.0.0.1:{}/x", open.port()));
    let server =
        HttpServer::start_tls(&authority, move |seen| match seen.path().split('?').next().unwrap() {
            "/plain" => redirect("302 Found", &plain),
            "/trick" => redirect("302 Found", &trick),
            "/file" => redirect("302 Found", "file:///etc/passwd"),
            "/loop" => redirect("302 Found", "/loop2"),
            "/loop2" => redirect("302 Found", "/loop"),
            "/nowhere" => redirect("302 Found", "http://["),
            _ => json("[1]"),
        })
        .await;
    let client = client(&settings, &server);
    for path in ["/plain", "/trick", "/file", "/loop", "/nowhere"] {
        let error = fetch(&client, &request(&server.url(path))).await.unwrap_err();
        assert!(matches!(error, HttpError::Redirect { .. }), "{path}: {error}");
        assert!(!has_canary(&told(&error)), "{path}: {}", told(&error));
    }
    assert_eq!(open.count(), 0);
    assert_eq!(client.counters().retried, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_next_link_leads_nowhere_but_to_the_same_origin() {
    let other = HttpServer::start(|_| json("[]")).await;
    let server = HttpServer::start(|_| json("[]")).await;
    let first = request(&server.url("/items"));
    let base = first.url.clone();
    let links = [
        other.url("/items?page=2"),
        server.url("/items").replace("localhost", "127.0.0.1"),
        server.url("/items").replace("http:", "https:"),
        format!("http://localhost:{}@localhost:{}/items", server.port(), other.port()),
        format!("http://user@localhost:{}/items", server.port()),
        format!("//127.0.0.1:{}/items", other.port()),
        format!("\\\\127.0.0.1:{}\\items", other.port()),
        "ftp://localhost/items".to_owned(),
    ];
    for link in links {
        let mut pager = Pager::new("next:/next".parse().unwrap(), &first, 100).unwrap();
        let text = serde_json::json!({"next": link}).to_string();
        let headers = http::HeaderMap::new();
        let seen = PageSeen { url: &base, headers: &headers, text: &text, records: 1, digest: 1, last: None };
        assert!(pager.next(&seen).is_err(), "{link}");
    }
    assert_eq!((other.count(), server.count()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_repeats_is_struck_out() {
    let server =
        HttpServer::start(|seen| answer("400 Bad Request", "", format!("you sent {}", seen.head))).await;
    let client = client(&with_canaries(), &server);
    let url = server.url("/x").replace("localhost", &format!("user:{CANARY}@localhost"));
    let error = fetch(&client, &request(&format!("{url}?token={CANARY}"))).await.unwrap_err();
    assert!(saw_canary(&server), "it was sent");
    let HttpError::Status { said, .. } = &error else { panic!("{error}") };
    assert!(said.starts_with("you sent GET /x"), "{said}");
    assert!(!has_canary(&told(&error)), "{}", told(&error));
    // Nor in errors of the connection, which name the URL.
    drop(server);
    let gone = HttpServer::start(|_| vec![]).await.url(&format!("/x?api_key={CANARY}"));
    let mut settings = with_canaries();
    settings.retry_limits.tries = 1;
    let client = Client::new(&settings, Origins::of([&Url::parse(&gone).unwrap()])).unwrap();
    let error = fetch(&client, &request(&gone)).await.unwrap_err();
    assert!(matches!(error, HttpError::Connection { .. }) && !has_canary(&told(&error)), "{}", told(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_and_password_of_a_url_are_for_its_own_origin() {
    let other = HttpServer::start(|_| json("[2]")).await;
    let to = other.url("/x");
    let server = HttpServer::start(move |seen| {
        if seen.path() == "/away" { redirect("307 Temporary Redirect", &to) } else { json("[1]") }
    })
    .await;
    let named = [Url::parse(&server.url("/")).unwrap(), Url::parse(&other.url("/")).unwrap()];
    let client = Client::new(&impatient(), Origins::of(&named)).unwrap();
    for path in ["/x", "/away"] {
        let url = server.url(path).replace("localhost", &format!("user:{CANARY}@localhost"));
        fetch(&client, &request(&url)).await.unwrap();
    }
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.header("authorization") == Some(&format!("Basic {CANARY_BASIC}")))
    );
    // The other one was named too, but not with this password.
    assert!(other.count() == 1 && !saw_canary(&other));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_only_a_server_that_is_known_gets_anything() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let server = HttpServer::start_tls(&authority, |_| json("[1]")).await;
    let error = fetch(&client(&with_canaries(), &server), &request(&server.url("/x"))).await.unwrap_err();
    assert!(matches!(error, HttpError::Untrusted { .. }), "{error}");
    assert_eq!(server.count(), 0);
    let mut settings = with_canaries();
    settings.ca_file = Some(authority.file().to_owned());
    assert_eq!(fetch(&client(&settings, &server), &request(&server.url("/x"))).await.unwrap(), b"[1]");
    assert!(saw_canary(&server));
}

/// Says 401 to any other token than this.
fn guarded(good: &'static str) -> impl Fn(&crate::support::http::Seen) -> Vec<crate::support::http::Step> {
    move |seen| {
        if seen.header("authorization") == Some(good) {
            json("[1]")
        } else {
            answer("401 Unauthorized", "", "no")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_a_file_is_read_again_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "old\n").unwrap();
    let server = HttpServer::start(guarded("Bearer new")).await;
    let mut settings = impatient();
    settings.auth = Auth::BearerFile(file.clone());
    let client = client(&settings, &server);
    let refused = fetch(&client, &request(&server.url("/x"))).await.unwrap_err();
    assert!(matches!(&refused, HttpError::Status { status, .. } if status.as_u16() == 401), "{refused}");
    assert_eq!(server.count(), 1, "the same token is not sent again");
    std::fs::write(&file, "new\n").unwrap();
    fetch(&client, &request(&server.url("/x"))).await.unwrap();
    assert_eq!(server.count(), 3);
    std::fs::write(&file, "third").unwrap();
    fetch(&client, &request(&server.url("/x"))).await.unwrap();
    assert_eq!(server.count(), 4, "a good one is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokens_command_runs_once_however_many_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let server = HttpServer::start(guarded("Bearer t2")).await;
    let mut settings = impatient();
    settings.auth =
        Auth::BearerCommand(format!("echo x >> {0}; echo t$(wc -l < {0} | tr -d ' ')", runs.display()));
    let client = client(&settings, &server);
    let all = (0..12).map(|_| {
        let (client, request) = (client.clone(), request(&server.url("/x")));
        tokio::spawn(async move { fetch(&client, &request).await.map(|bytes| bytes == b"[1]") })
    });
    for task in all.collect::<Vec<_>>() {
        assert!(task.await.unwrap().unwrap());
    }
    assert_eq!(std::fs::read_to_string(&runs).unwrap().lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_fail_are_named_without_what_they_hold() {
    let server = HttpServer::start(|_| json("[1]")).await;
    for command in ["exit 3", "true", "echo two words", "printf '\\377'"] {
        let mut settings = impatient();
        settings.auth = Auth::BearerCommand(format!("X={CANARY}; {command}"));
        let error = fetch(&client(&settings, &server), &request(&server.url("/x"))).await.unwrap_err();
        assert!(
            matches!(error, HttpError::Token { .. }) && !has_canary(&told(&error)),
            "{command}: {}",
            told(&error)
        );
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_credentials_get_a_token_and_a_new_one_when_it_is_refused_or_ends() {
    let issued = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&issued);
    let issuer = HttpServer::start(move |_| {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        // The first hiccups, the second is not good, the third ends soon.
        match number {
            0 => answer("503 Service Unavailable", "", ""),
            1 => json(r#"{"access_token":"bad","token_type":"Bearer","expires_in":3600}"#),
            n => json(&format!(r#"{{"access_token":"good{n}","token_type":"bearer","expires_in":"1"}}"#)),
        }
    })
    .await;
    let server = HttpServer::start(|seen| {
        if seen.header("authorization").is_some_and(|value| value.starts_with("Bearer good")) {
            json("[1]")
        } else {
            answer("401 Unauthorized", "", "")
        }
    })
    .await;
    let mut settings = impatient();
    settings.auth = Auth::ClientCredentials {
        token_url: Url::parse(&issuer.url("/token")).unwrap(),
        client_id: Value::text("me"),
        client_secret: Value::text(CANARY),
        scope: Some("read all".to_owned()),
    };
    let client = client(&settings, &server);
    fetch(&client, &request(&server.url("/x"))).await.unwrap();
    assert_eq!((issued.load(Ordering::SeqCst), server.count()), (3, 2));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    fetch(&client, &request(&server.url("/x"))).await.unwrap();
    assert_eq!((issued.load(Ordering::SeqCst), server.count()), (4, 3), "one that has ended is not sent");
    let asked = &issuer.seen()[0];
    assert_eq!(asked.body, "grant_type=client_credentials&scope=read+all");
    assert!(asked.header("authorization").unwrap().starts_with("Basic "));
    assert!(!saw_canary(&server));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_wants_the_secret_in_the_body_gets_it_and_one_that_refuses_is_named() {
    let issuer = HttpServer::start(|seen| match (seen.path(), seen.body.contains("client_secret=")) {
        ("/body", true) => json(r#"{"access_token":"good"}"#),
        ("/body", false) => answer("401 Unauthorized", "", r#"{"error":"invalid_client"}"#),
        ("/away", _) => redirect("307 Temporary Redirect", "/stolen"),
        _ => answer(
            "400 Bad Request",
            "",
            format!(r#"{{"error":"invalid_scope","error_description":"{}"}}"#, seen.body),
        ),
    })
    .await;
    let server = HttpServer::start(guarded("Bearer good")).await;
    for (path, word) in [("/body", ""), ("/refuses", "invalid_scope"), ("/away", "307")] {
        let mut settings = impatient();
        settings.auth = Auth::ClientCredentials {
            token_url: Url::parse(&issuer.url(path)).unwrap(),
            client_id: Value::text("me"),
            client_secret: Value::text(CANARY),
            scope: None,
        };
        match fetch(&client(&settings, &server), &request(&server.url("/x"))).await {
            Ok(bytes) => assert!(bytes == b"[1]" && word.is_empty()),
            Err(error) => {
                let text = told(&error);
                assert!(!word.is_empty() && text.contains(word) && !has_canary(&text), "{path}: {text}");
            }
        }
    }
    assert!(issuer.seen().iter().all(|seen| seen.path() != "/stolen"));
}

//! Proxies as variables name them: those that the room is handed, and no others.

use std::process::Command;

use dbload::internals::http::{Client, Origins, ProxyVariables, Settings};
use url::Url;

use super::{fetch, impatient, request};
use crate::support::http::{HttpServer, json};

/// A host that nobody answers for: only a proxy can.
const URL: &str = "http://api.invalid/items";
/// What a process of this test's own is told.
const CHILD: &str = "PROXIES_TEST_CHILD";

fn settings(variables: &[(&str, String)]) -> Settings {
    let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
    let mut settings = Settings { proxy_variables: ProxyVariables::read(variable), ..impatient() };
    settings.retry_limits.tries = 1;
    settings.retry_limits.retry_for = std::time::Duration::from_millis(100);
    settings
}

async fn comes(settings: &Settings) -> bool {
    let client = Client::new(settings, Origins::of([&Url::parse(URL).unwrap()])).unwrap();
    fetch(&client, &request(URL)).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_are_read_as_curl_reads_them() {
    let server = HttpServer::start(|_| json("[1]")).await;
    let proxy = server.url("");
    let bare = format!("localhost:{}", server.port());
    let none = || "http://127.0.0.1:1".to_owned();
    for (variables, expected) in [
        (vec![("http_proxy", proxy.clone())], true),
        (vec![("HTTP_PROXY", bare), ("http_proxy", none())], true),
        (vec![("all_proxy", proxy.clone())], true),
        (vec![("HTTP_PROXY", proxy.clone()), ("ALL_PROXY", none())], true),
        // What is no proxy is passed over.
        (vec![("HTTP_PROXY", "ftp://x".to_owned()), ("ALL_PROXY", proxy.clone())], true),
        (vec![("HTTP_PROXY", String::new()), ("http_proxy", proxy.clone())], false),
        (vec![("HTTPS_PROXY", proxy.clone())], false),
        (vec![("HTTP_PROXY", proxy.clone()), ("NO_PROXY", "other, .invalid".to_owned())], false),
        (vec![("HTTP_PROXY", proxy.clone()), ("REQUEST_METHOD", "GET".to_owned())], false),
        (Vec::new(), false),
    ] {
        let before = server.count();
        assert_eq!(comes(&settings(&variables)).await, expected, "{variables:?}");
        assert_eq!(server.count() - before, usize::from(expected), "{variables:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_a_proxy_is_sent_to_it_and_shown_to_nobody() {
    let server = HttpServer::start(|_| json("[1]")).await;
    let proxy = format!("http://joe:CANARY@localhost:{}", server.port());
    let settings = settings(&[("HTTP_PROXY", proxy)]);
    assert!(!format!("{settings:?}").contains("CANARY"));
    assert!(comes(&settings).await);
    assert_eq!(server.seen()[0].header("proxy-authorization"), Some("Basic am9lOkNBTkFSWQ=="));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_read_by_nobody_but_the_program() {
    if std::env::var_os(CHILD).is_some() {
        assert!(!comes(&settings(&[])).await, "a proxy was used that nobody handed over");
        return;
    }
    let server = HttpServer::start(|_| json("[1]")).await;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "http::proxies::the_environment_is_read_by_nobody_but_the_program"]);
    child.env(CHILD, "1").env("HTTP_PROXY", server.url("")).env("http_proxy", server.url(""));
    let outcome = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(outcome.status.success() && told.contains("1 passed"), "{told}");
    assert_eq!(server.count(), 0);
}

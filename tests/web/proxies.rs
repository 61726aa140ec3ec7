//! Proxies: those of the environment as curl users know them, but no credential through one in the open that
//! was not asked for.

use super::{array, check, scene};
use crate::support::api::{Api, Reply};

const CANARY: &str = "CANARY-5d10";
/// A host that nobody answers for: only a proxy can.
const URL: &str = "http://api.invalid/items";

fn proxy() -> Api {
    Api::serve(|ask| match ask.header("host") {
        Some("api.invalid") => Reply::json(array(0, 20)),
        other => Reply::new(500, "text/plain", format!("for whom? {other:?}")),
    })
}

#[test]
fn the_environments_proxy_is_used_unless_the_host_is_left_out() {
    let proxy = proxy();
    let first = scene();
    let outcome =
        first.dbload("-t t --http-tries 1").arg(URL).env("http_proxy", proxy.url("")).run().exits(0);
    check(&first, 20, &outcome);
    assert_eq!(proxy.asked().len(), 1);
    // Left out: nobody answers there.
    let outcome = scene()
        .dbload("-t t --http-tries 1")
        .arg(URL)
        .env("http_proxy", proxy.url(""))
        .env("no_proxy", "api.invalid")
        .run()
        .exits(4);
    assert_eq!(proxy.requests(), 0, "{outcome}");
}

/// A proxy that lets nothing through names itself in its answer to CONNECT, and nowhere else.
#[test]
fn a_proxy_that_refuses_is_named() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream?;
            let mut asked = [0; 1_024];
            let _ = stream.read(&mut asked)?;
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")?;
        }
        Ok::<_, std::io::Error>(())
    });
    let scene = scene();
    let line = format!("https://data.example/x.jsonl -t t --http-tries 1 --proxy {proxy}");
    let outcome = scene.dbload(&line).run().exits(4);
    assert!(outcome.stderr.contains(&format!("the proxy {proxy}")), "{outcome}");
    assert!(outcome.stderr.contains("does not let it through"), "{outcome}");
}

#[test]
fn credentials_go_through_a_proxy_in_the_open_only_where_it_was_named_for_that() {
    let proxy = proxy();
    for credential in
        [["--header", "X-Api-Key: env:KEY"], ["--user", "joe:env:KEY"], ["--secret-param", "sig=env:KEY"]]
    {
        let load = |scene: &crate::support::Scene| {
            scene.dbload("-t t --http-tries 1").arg(URL).args(credential).env("KEY", CANARY)
        };
        let outcome = load(&scene()).env("HTTP_PROXY", proxy.url("")).run().exits(4);
        let outcome = outcome.says("through the proxy").says("--proxy");
        assert_eq!(proxy.requests(), 0, "{credential:?}: {outcome}");
        let named = scene();
        let outcome = load(&named).args(["--proxy", &proxy.url("")]).run().exits(0);
        check(&named, 20, &outcome);
        assert_eq!(proxy.asked().len(), 1);
    }
    // A header that says nothing about who asks is none.
    let outcome = scene()
        .dbload("-t t --http-tries 1")
        .arg(URL)
        .args(["--header", "Accept-Language: de"])
        .env("HTTP_PROXY", proxy.url(""))
        .run()
        .exits(0);
    assert_eq!(proxy.asked().len(), 1, "{outcome}");
}

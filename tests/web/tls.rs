//! TLS from the command line on: who is not known gets nothing, and the words say what is wrong.

use super::{array, check, scene};
use crate::support::http::{Authority, Http2Server, HttpServer, json, redirect};
use std::time::Duration;

const CANARY: &str = "CANARY-91c2";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn a_server_that_does_not_prove_who_it_is_gets_no_request_and_the_words_say_why() {
    let runtime = runtime();
    let folder = |name: &str| {
        let path = tempfile::tempdir().unwrap().keep().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let good = Authority::new(&folder("good"));
    let other_name = Authority::certifying(&folder("name"), &["other.example"], 2100);
    let expired = Authority::certifying(&folder("old"), &["localhost"], 2020);
    let cases = [
        (
            &good,
            None,
            "issuer that is not trusted here",
            "an authority of your own is given with --ca-file FILE",
        ),
        (
            &good,
            Some(expired.file()),
            "issuer that is not trusted here",
            "an authority of your own is given with --ca-file FILE",
        ),
        (&other_name, Some(other_name.file()), "other.example", "one of those names"),
        (&expired, Some(expired.file()), "has expired", "its operator has to renew it"),
    ];
    for (authority, ca_file, why, hint) in cases {
        let server = runtime.block_on(HttpServer::start_tls(authority, |_| json("[]")));
        let scene = scene();
        let mut load = scene
            .dbload("-t t --header X-Api-Key:env:KEY --user joe:env:KEY --secret-param sig=env:KEY")
            .arg(server.url("/items"))
            .env("KEY", CANARY);
        if let Some(path) = ca_file {
            load = load.arg("--ca-file").arg(path);
        }
        let outcome = load.run().exits(4).says(why).says(hint).says("cannot trust https://localhost:");
        assert_eq!(server.count(), 0, "nothing is sent to a stranger: {outcome}");
        assert!(!outcome.stderr.contains(CANARY), "{outcome}");
    }
    scene().run("https://localhost:1/items -t t --ca-file nowhere.pem").exits(4).says("nowhere.pem");
}

#[test]
fn a_server_that_is_known_gets_its_credentials_and_its_records_are_loaded() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let body = array(0, 500);
    let server = runtime.block_on(HttpServer::start_tls(&authority, move |_| json(&body)));
    let scene = scene();
    let outcome = scene
        .dbload("-t t --header X-Api-Key:env:KEY")
        .arg(server.url("/items"))
        .arg("--ca-file")
        .arg(authority.file())
        .env("KEY", CANARY)
        .run()
        .exits(0);
    check(&scene, 500, &outcome);
    assert_eq!(server.seen()[0].header("x-api-key"), Some(CANARY));
}

#[test]
fn a_server_that_asks_who_is_there_is_shown_a_certificate_and_no_other_server_is() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let body = array(0, 20);
    let server = runtime.block_on(HttpServer::start_mutual(&authority, move |_| json(&body)));
    // It leads to the other server, which is not named.
    let there = server.url("/items");
    let lure = runtime.block_on(HttpServer::start_tls(&authority, move |_| redirect("302 Found", &there)));
    let scene = scene();
    let [certificate, key] = authority.certify_client();
    scene.file("client.pem", &certificate);
    scene.file("client.key", &key);
    scene.file("both.pem", format!("{certificate}{key}"));
    let load = |url: String, flags: &str| {
        scene
            .dbload(&format!("-t t --mode upsert --http-tries 1 {flags}"))
            .arg(url)
            .arg("--ca-file")
            .arg(authority.file())
    };
    for flags in ["--client-cert client.pem --client-key client.key", "--client-cert both.pem"] {
        let outcome = load(server.url("/items"), flags).run().exits(0);
        check(&scene, 20, &outcome);
    }
    let asked = server.count();
    load(server.url("/items"), "").run().exits(4).says("wants a certificate").says("--client-cert");
    let flags = "--client-cert both.pem";
    load(lure.url("/items"), flags).run().exits(4).says("wants a certificate");
    assert_eq!((server.count(), lure.count()), (asked, 1));
    // Another authority's client is not accepted; a file without a key is no key.
    let other = Authority::new(scene.cwd());
    scene.file("other.pem", other.certify_client().concat());
    load(server.url("/items"), "--client-cert other.pem")
        .run()
        .exits(4)
        .says("does not accept the certificate");
    load(server.url("/items"), "--client-cert client.pem").run().exits(4).says("client.pem");
}

#[test]
fn endpoints_of_a_server_with_http_2_are_fetched_over_kept_connections() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let body: &'static str = array(0, 100).leak();
    let server = runtime.block_on(Http2Server::start(&authority, body.as_bytes(), Duration::from_millis(50)));
    let scene = scene();
    let outcome = scene
        .dbload("-t t --concurrency 20")
        .arg(server.url("/items/{1..60}"))
        .arg("--ca-file")
        .arg(authority.file())
        .run()
        .exits(0);
    check(&scene, 100, &outcome);
    // Those of the first moment know nothing of each other's; none is made later.
    assert!(server.connections() <= 20, "{} connections", server.connections());
}

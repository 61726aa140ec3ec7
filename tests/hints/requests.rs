//! Hints at what is asked for over HTTP, followed.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::support::api::{Api, Ask, Reply};
use crate::support::{Outcome, Scene};

const T: &str = "CREATE TABLE t (id int PRIMARY KEY)";

fn answer(ask: &Ask) -> Reply {
    match ask.path.as_str() {
        "/export" if ask.before == 0 => Reply::new(202, "application/json", "{}"),
        "/login" => Reply::new(200, "text/html", "<html>who are you?</html>"),
        "/rows" => Reply::json("{\"names\":[\"id\"],\"rows\":[[1]]}"),
        _ if ask.header("x-key").is_some_and(|key| key != "secret") => Reply::new(401, "text/plain", "no"),
        _ => Reply::json("[{\"id\":1}]"),
    }
}

/// What is refused, with which hint, and the flags that it names.
const REFUSED: [(&str, &str, &str, &str); 3] = [
    ("/export", "", "it prepares the answer: --poll 202 asks for it until it is there", "--poll 202"),
    ("/login", "", "a login page means that credentials are missing", ""),
    (
        "/rows",
        "--records rows --columns /nosuch",
        "--columns names the values of rows",
        "--records rows --columns id",
    ),
];

#[test]
fn a_request_that_is_refused_says_what_helps() {
    for (path, flags, hint, then) in REFUSED {
        let (api, scene) = (Api::serve(answer), Scene::with(T));
        let load = |target: &str, flags: &str| scene.run(&format!("{} -t t {flags}", api.url(target)));
        load(path, flags).exits(4).says(hint);
        // Another query is another answer of this server.
        let path = if path == "/login" { "/items" } else { path };
        load(&format!("{path}?again=1"), then).exits(0);
        assert_eq!(scene.db.count("t"), 1, "{path}");
    }
}

#[test]
fn a_secret_that_is_not_there_is_asked_for_by_the_name_of_its_variable() {
    let (api, scene) = (Api::serve(answer), Scene::with(T));
    scene.file("token", "secret\n");
    let load = |value: &str| scene.plain("-t t").args([&api.url("/items"), "--header", value]);
    let refused = load("X-Key: env:FIELD_TOKEN").run().exits(2);
    refused.says("the environment variable FIELD_TOKEN is not set");
    load("X-Key: env:FIELD_TOKEN").env("FIELD_TOKEN", "secret").run().exits(0);
    scene.sql("TRUNCATE t");
    load("X-Key: file:token").run().exits(0);
    assert_eq!(scene.db.count("t"), 1);
}

#[test]
fn a_list_of_urls_says_how_it_is_written() {
    let (api, scene) = (Api::serve(answer), Scene::with(T));
    scene.file("list", "ftp://host/x\n");
    scene
        .run("--urls list -t t")
        .exits(4)
        .says("a list has a URL a line, or a JSON object with url and fields");
    scene.file("list", format!("{}\n", api.url("/items")));
    scene.load("--urls list -t t");
    assert_eq!(scene.db.count("t"), 1);
}

/// A server that ends an answer with its connection: nobody knows whether that was all of it.
#[test]
fn an_end_that_is_not_proven_and_a_scheme_that_is_another_are_said_with_what_helps() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\ncontent-type: text/csv\r\n\r\nid\n1\n");
        }
    });
    let scene = Scene::with(T);
    let load = |scheme: &str| -> Outcome {
        scene.run(&format!("{scheme}://127.0.0.1:{port}/x -t t --http-tries 1")).exits(4)
    };
    load("http").says("fetch it over https or HTTP/1.1, or to a file first: curl -fO URL");
    load("https").says("is it a server of http://?");
    scene.file("no.pem", "no certificate");
    let refused = scene.run("https://localhost:1/items -t t --ca-file no.pem").exits(4);
    refused.says("--ca-file takes certificates in PEM");
    scene.file("x.csv", "id\n1\n");
    scene.load("x.csv -t t");
    assert_eq!(scene.db.count("t"), 1);
}

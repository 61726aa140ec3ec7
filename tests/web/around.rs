//! What stands around a load from the network: secrets, the landing copy, verify, what is refused on the
//! command line.

use super::{array, check, id_of, lines, rows, scene};
use crate::rows;
use crate::support::api::{Api, Reply};
use std::process::Command;

const CANARY: &str = "CANARY-7f3a";

#[test]
fn secrets_reach_the_server_and_nothing_else() {
    let api = Api::serve(|ask| {
        let known = ask.header("authorization") == Some("Bearer CANARY-7f3a")
            && ask.header("x-api-key") == Some(CANARY)
            && ask.query.get("api_key").map(String::as_str) == Some(CANARY)
            && ask.query.get("sig").map(String::as_str) == Some(CANARY);
        match ask.number("from").unwrap_or(0) {
            _ if !known => Reply::new(401, "text/plain", format!("who are you? {CANARY}")),
            // The link has the secret in it, as links do.
            0 => {
                Reply::json(array(0, 10)).header("link", format!("<?from=10&api_key={CANARY}>; rel=\"next\""))
            }
            10 => Reply::json(array(10, 20))
                .header("link", format!("<?from=20&api_key={CANARY}>; rel=\"next\"")),
            _ => Reply::new(403, "text/plain", format!("no more for {CANARY}")),
        }
    });
    let scene = scene();
    scene.file("key", CANARY);
    let url = format!("{}?api_key={CANARY}", api.url("/items"));
    let load = || {
        scene
            .dbload("-t t --paginate link -vv")
            .arg(&url)
            .args(["--header", "Authorization: Bearer env:TOKEN", "--header", "X-Api-Key: file:key"])
            .args(["--secret-param", "sig=env:TOKEN"])
            .env("TOKEN", CANARY)
    };
    for _ in 0..2 {
        // Words of ours, not the command line that the harness shows.
        let outcome = load().run().exits(4);
        assert!(!outcome.stdout.contains(CANARY) && !outcome.stderr.contains(CANARY), "{}", outcome.stderr);
        assert_eq!(scene.db.count("t"), 20);
    }
    assert!(api.asked().len() >= 5, "the second start asks for the last page and the one behind it");
    let dump = Command::new("pg_dump").args(["--data-only", "--schema=_dbload", scene.db.url()]).output();
    let dump = match dump {
        Ok(dump) if dump.status.success() => String::from_utf8_lossy(&dump.stdout).into_owned(),
        _ => scene.db.lines("SELECT s::text || c::text || r::text FROM _dbload.source s, _dbload.checkpoint c, _dbload.run r").join("\n"),
    };
    assert!(dump.contains("from=10") && !dump.contains(CANARY), "{dump}");
    // A wrong flag is not quoted either.
    let outcome = scene
        .dbload("-t t")
        .arg(api.url("/x"))
        .args(["--header", &format!("{CANARY} {CANARY}")])
        .run()
        .exits(2);
    assert!(!outcome.stderr.contains(CANARY), "{}", outcome.stderr);
}

#[test]
fn what_was_fetched_is_kept_and_can_be_loaded_from_disk() {
    let api = Api::serve(|ask| match ask.path.as_str() {
        "/events.jsonl" => Reply::new(200, "application/x-ndjson", lines(100, 200)),
        _ => Reply::json(array(id_of(ask) * 10, id_of(ask) * 10 + 10)),
    });
    let scene = scene();
    let urls = format!("{} {}", api.url("/items/{0..9}"), api.url("/events.jsonl"));
    let outcome = scene.load(&format!("{urls} -t t --save-raw kept"));
    check(&scene, 200, &outcome);
    let kept = std::fs::read_dir(scene.cwd().join("kept")).unwrap().count();
    assert_eq!(kept, 11);
    scene.sql("TRUNCATE t");
    let requests = api.requests();
    let outcome = scene.load("kept -t t");
    check(&scene, 200, &outcome);
    assert_eq!(api.requests(), requests);
    // One file of all responses, beside.
    scene.load(&format!("{urls} -t t --save-raw kept.jsonl.zst"));
    let text = zstd::decode_all(std::fs::File::open(scene.cwd().join("kept.jsonl.zst")).unwrap()).unwrap();
    assert_eq!(String::from_utf8(text).unwrap().lines().count(), 11);
}

#[test]
fn verify_compares_the_table_with_what_the_server_says() {
    let api = Api::serve(|ask| Reply::json(array(id_of(ask) * 10, id_of(ask) * 10 + 10)));
    let scene = scene();
    let url = api.url("/items/{0..9}");
    scene.load(&format!("{url} -t t"));
    scene.plain(&format!("verify {url} -t t")).run().exits(0);
    scene.sql("UPDATE t SET note = 'x' WHERE id = 55");
    let outcome = scene.plain(&format!("verify {url} -t t")).run().exits(3);
    assert!(outcome.stdout.contains("/items/5:6  note"), "{outcome}");
}

#[test]
fn flags_about_http_without_a_url_and_words_that_are_no_urls_are_refused() {
    let scene = scene();
    scene.file("a.jsonl", lines(0, 1));
    scene.run("a.jsonl -t t --paginate link").exits(2).says("--paginate is about HTTP sources");
    scene.run("http://h/x -t t --paginate around").exits(2).says("no way to paginate");
    scene.run("http://h/x -t t --rate fast").exits(2).says("no rate");
    scene.run("http://h/x -t t --body {").exits(2).says("--body is no JSON");
    scene.run("http://h:port/x -t t").exits(4).says("as a URL");
    scene.run("http://h/a http://h/a -t t").exits(4).says("named twice");
    // Files and URLs side by side, in the order given.
    let api = Api::serve(|_| Reply::json(array(0, 5)));
    scene.file("b.jsonl", "{\"id\":0,\"v\":-1,\"note\":\"last\"}\n");
    let outcome = scene.load(&format!("a.jsonl {} b.jsonl -t t", api.url("/x")));
    assert_eq!(scene.db.one("SELECT note FROM t WHERE id = 0"), "last");
    assert_eq!(outcome.rows(), rows!(read: 7, inserted: 5, deduplicated: 2));
    scene.sql("DELETE FROM t WHERE id = 0");
    let rest = format!("(SELECT * FROM {} WHERE id > 0) x", rows(0, 5));
    assert_eq!(scene.db.digest("t"), scene.db.digest(&rest));
}

#[test]
fn a_table_is_made_from_the_first_answers_and_called_after_the_url() {
    let api = Api::serve(|ask| Reply::json(array(id_of(ask), id_of(ask) + 1)));
    let scene = crate::support::Scene::new();
    let outcome = scene.load(&format!("{} --key id", api.url("/v1/items/{0..19}")));
    assert_eq!(scene.db.columns("items"), ["id bigint", "v bigint", "note text"], "{outcome}");
    assert_eq!(scene.db.digest("items"), scene.db.digest(&rows(0, 20)));
}

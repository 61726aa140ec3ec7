//! Answers of status 200 that say what went wrong, beside their records or instead of them; and the first
//! run, which has to say why it comes to nothing.

use super::{array, check, scene};
use crate::support::Scene;
use crate::support::api::{Api, Reply};

#[test]
fn errors_beside_data_are_said_and_instead_of_data_they_are_failures() {
    let api = Api::serve(|ask| {
        let (from, page) = (ask.number("after").unwrap_or(0), array(0, 10));
        match ask.path.as_str() {
            "/beside" => Reply::json(format!(
                r#"{{"errors":[{{"message":"orders of shop 7 timed out SECRET-77"}}],"data":{{"orders":{page}}}}}"#
            )),
            "/behind" => Reply::json(format!(
                r#"{{"data":{{"orders":{page}}},"errors":[{{"message":"orders of shop 7 timed out"}},{{}}]}}"#
            )),
            "/null" => Reply::json(r#"{"data":null,"errors":[{"message":"orders of shop 7 timed out"}]}"#),
            "/none" => {
                Reply::json(r#"{"data":{"orders":[]},"errors":[{"message":"orders of shop 7 timed out"}]}"#)
            }
            "/bare" => Reply::json(r#"{"ok":false,"error":"orders of shop 7 timed out"}"#),
            // In the middle of pages, with and without a next one.
            "/third" if from == 20 => {
                Reply::json(r#"{"data":null,"errors":[{"message":"orders of shop 7 timed out"}]}"#)
            }
            "/empty" if from == 20 => Reply::json(
                r#"{"data":{"orders":[],"next":null},"errors":[{"message":"orders of shop 7 timed out"}]}"#,
            ),
            _ => Reply::json(format!(
                r#"{{"data":{{"orders":{},"next":{}}}}}"#,
                array(from, from + 10),
                if from < 40 { (from + 10).to_string() } else { "null".to_owned() }
            )),
        }
    });
    let pages = "--paginate cursor:/data/next=after";
    for (path, flags, code, rows) in [
        ("/beside", "", 0, 10),
        ("/beside", pages, 0, 10),
        ("/behind", "", 0, 10),
        ("/behind", pages, 0, 10),
        ("/null", "", 4, 0),
        ("/null", pages, 4, 0),
        ("/none", "", 4, 0),
        ("/none", pages, 4, 0),
        ("/bare", "", 4, 0),
        ("/bare", pages, 4, 0),
        ("/third", pages, 4, 20),
        ("/empty", pages, 4, 20),
    ] {
        let scene = scene();
        let outcome = scene
            .dbload(&format!("{} -t t --records data.orders {flags} --secret-param k=env:K", api.url(path)))
            .env("K", "SECRET-77")
            .run()
            .exits(code)
            .says("orders of shop 7 timed out");
        assert!(!outcome.stderr.contains("SECRET-77"), "{outcome}");
        check(&scene, rows, &outcome);
    }
    // The same, where it was not said where the records are.
    for path in ["/null", "/bare"] {
        for flags in ["", "--paginate link"] {
            let scene = Scene::new();
            let outcome = scene.run(&format!("{} -t t {flags}", api.url(path)));
            outcome.exits(4).says("orders of shop 7 timed out");
        }
    }
}

#[test]
fn one_object_with_a_list_in_it_and_more_to_come_is_no_quiet_success() {
    let api = Api::serve(|ask| match ask.path.as_str() {
        "/next" => Reply::json(r#"{"count":9,"results":[{"id":1},{"id":2}],"next":"/next?page=2"}"#),
        "/count" => Reply::json(r#"{"count":9,"results":[{"id":1},{"id":2}]}"#),
        "/order" => Reply::json(r#"{"id":1,"total":99,"lines":[{"id":1},{"id":2}]}"#),
        _ => Reply::json(r#"{"count":2,"results":[{"id":1},{"id":2}],"next":null}"#),
    });
    let scene = Scene::new();
    for (path, note) in [
        ("/next", Some("--records results --paginate 'next:/next' follows it")),
        ("/count", Some("--records results reads its records")),
        ("/order", None),
        ("/all", None),
    ] {
        let line = format!("{} -t n{}", api.url(path), &path[1..]);
        let outcome = scene.load(&line);
        match note {
            Some(note) => assert!(outcome.stderr.contains(note), "{path}: {outcome}"),
            None => assert!(!outcome.stderr.contains("may not be all"), "{path}: {outcome}"),
        }
        let strict = scene.run(&format!("{line} --strict-pages --again"));
        assert_eq!(strict.code(), if note.is_some() { 4 } else { 0 }, "{path}: {strict}");
    }
}

#[test]
fn what_a_refusal_says_where_a_redirect_leads_and_objects_by_key_are_named() {
    let keyed = (0..1_700).map(|i| format!(r#""k{i}":{{"id":{i}}}"#)).collect::<Vec<_>>().join(",");
    let keyed = format!("{{{keyed}}}");
    let (document, closed) = (keyed.clone(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let gone = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let there = gone.clone();
    let api = Api::serve(move |ask| match ask.path.as_str() {
        "/403" => Reply { status: 403, ..Reply::json(r#"{"error":{"message":"Not your \"plan\""}}"#) },
        "/ftp" => Reply::new(302, "text/plain", "").header("location", "ftp://elsewhere.example/x"),
        "/gone" => Reply::new(302, "text/plain", "").header("location", format!("{there}/secret")),
        _ => Reply::json(document.clone()),
    });
    let scene = Scene::new();
    scene.file("keyed.json", keyed);
    scene.file("list.yaml", "- id: 1\n  v: a\n");
    scene.file("events.txt", "event: m\ndata: {\"id\":1}\n\n");
    for (source, code, words) in [
        (api.url("/403"), 4, r#"Not your \"plan\""#.to_owned()),
        (api.url("/ftp"), 4, "redirects to ftp://".to_owned()),
        (api.url("/gone"), 4, format!("redirected to {gone}")),
        (api.url("/keyed"), 6, "1700 members".to_owned()),
        ("keyed.json".to_owned(), 6, "makes a record of each".to_owned()),
        ("list.yaml".to_owned(), 4, "list.yaml is YAML: that is not read".to_owned()),
        ("events.txt".to_owned(), 4, "server-sent events".to_owned()),
        ("list.yaml".to_owned(), 4, "make JSON lines or CSV of it first".to_owned()),
    ] {
        let outcome = scene.run(&format!("{source} -t n --http-tries 1")).exits(code);
        assert!(outcome.stderr.contains(&words), "{source}: {outcome}");
        assert!(!outcome.stderr.contains("/secret"), "{source}: {outcome}");
    }
    let followed = scene.load("keyed.json -t n --records {key}");
    assert_eq!(followed.rows().inserted, 1_700, "{followed}");
}

#[test]
fn the_first_run_says_why_it_comes_to_nothing() {
    let api = Api::serve(|ask| match ask.path.as_str() {
        "/typo" => Reply::json(r#"{"items":[{"id":1}],"total":1}"#),
        _ => Reply::json(r#"{"message":"your plan has no such report"}"#),
    });
    let scene = Scene::new();
    scene.file("good.json", r#"{"items":[{"id":1}],"total":1}"#);
    scene.file("broken.jsonl", "{\"id\":1,}\n{\"id\":2,}\n");
    scene.file("batches.jsonl", "[{\"id\":1}]\n[{\"id\":2}]\n");
    for (source, flags, code, said) in [
        ("good.json".to_owned(), "--records item", 4, "items, total"),
        (api.url("/typo"), "--records item", 4, "items, total"),
        (api.url("/typo"), "--records item --paginate link", 4, "items, total"),
        (api.url("/report"), "--records item", 4, "your plan has no such report"),
        (api.url("/report"), "--records item --paginate link", 4, "your plan has no such report"),
        ("broken.jsonl".to_owned(), "", 4, "line 1:"),
        ("batches.jsonl".to_owned(), "", 4, "line 1:"),
    ] {
        let outcome = scene.run(&format!("{source} -t made {flags}"));
        assert_eq!(outcome.code(), code, "{outcome}");
        outcome.says(said);
    }
}

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

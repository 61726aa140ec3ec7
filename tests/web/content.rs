//! What an answer is, whatever it was hoped to be: sequences of JSON texts are read, what is not read is
//! refused by its name and never taken for CSV, and an exception in the middle is no success.

use super::{array, check, lines, record, scene};
use crate::rows;
use crate::support::Scene;
use crate::support::api::{Api, Reply};
use std::time::Duration;

/// Made by the first run, so that it has to say itself why it comes to nothing.
fn without_table() -> Scene {
    Scene::with("SELECT 1")
}

#[test]
fn a_sequence_of_json_texts_is_read() {
    let api = Api::serve(|ask| {
        // Texts of several lines, as RFC 7464 allows.
        let texts = (0..20).map(|i| format!("\u{1e}{{\"id\":{i},\n\"v\":{},\"note\":\"r{i}\"}}\n", i * 7));
        let kind = ask.query.get("type").map_or("application/json-seq", String::as_str);
        Reply::new(200, kind, texts.collect::<String>())
    });
    for (query, flags) in [("", ""), ("?type=application/geo%2Bjson-seq", ""), ("", "--paginate link")] {
        let scene = scene();
        let outcome = scene.load(&format!("{} -t t {flags}", api.url(&format!("/seq{query}"))));
        check(&scene, 20, &outcome);
        assert_eq!(outcome.rows(), rows!(read: 20, inserted: 20));
    }
}

#[test]
fn what_is_not_read_is_refused_by_its_name() {
    let api = Api::serve(|ask| match ask.path.as_str() {
        "/events" => Reply::new(200, "text/event-stream", "event: x\ndata: {\"a\":1,\"b\":2}\n\n"),
        "/quiet" => Reply::new(200, "", "data: {\"a\":1,\"b\":2}\n\ndata: {\"a\":2,\"b\":3}\n\n"),
        "/yaml" => Reply::new(200, "application/yaml", "- a: 1, 2\n- b: 3, 4\n"),
        "/jsonp" => Reply::new(200, "text/javascript", "callback([{\"a\":1,\"b\":2}]);\n"),
        _ => Reply::new(200, "application/x-protobuf", "a,b\n1,2\n"),
    });
    for (path, said) in [
        ("/events", "a stream of server-sent events"),
        ("/quiet", "a stream of server-sent events"),
        ("/yaml", "YAML"),
        ("/jsonp", "JavaScript"),
        ("/proto", "of the type \"application/x-protobuf\""),
    ] {
        for (scene, pages) in [(scene(), ""), (without_table(), ""), (without_table(), "--paginate link")] {
            scene.run(&format!("{} -t t {pages}", api.url(path))).exits(4).says(said);
        }
    }
    // Who says what it is knows.
    let scene = Scene::with("CREATE TABLE t (a int PRIMARY KEY, b int)");
    scene.load(&format!("{} -t t --format csv", api.url("/proto")));
    assert_eq!(scene.db.count("t"), 1);
}

#[test]
fn an_exception_in_the_middle_of_an_answer_is_a_failed_source() {
    const WORDS: &str = "Code: 159. DB::Exception: Timeout exceeded: elapsed 30.1 seconds. (TIMEOUT_EXCEEDED) (version 24.3.2.23)";
    let api = Api::serve(|ask| {
        let csv: String = (0..1_000).map(|i| format!("{i},{},r{i}\n", i * 7)).collect();
        let text = match ask.path.as_str() {
            "/csv" => format!("id,v,note\n{csv}{WORDS}\n"),
            "/lines" => format!("{}{WORDS}\n", lines(0, 1_000)),
            "/member" => format!("{}{{\"exception\": \"{WORDS}\"}}\n", lines(0, 1_000)),
            "/block" => format!(
                "{}\n__exception__\r\nabcdef\r\n{WORDS}\r\n107 abcdef\r\n__exception__\r\n",
                lines(0, 1_000)
            ),
            "/json" => format!(
                "{{\"meta\":[],\"data\":{},\"rows\":1000,\"exception\":\"{WORDS}\"}}",
                array(0, 1_000)
            ),
            "/array" => {
                let records = array(0, 1_000);
                format!("{}\n,{{\"exception\": \"{WORDS}\"}}\n]", records.trim_end_matches(']'))
            }
            "/broken" => {
                let records = array(0, 1_000);
                format!("{{\"data\":{},\n{WORDS}\n", records.trim_end_matches(']'))
            }
            // A log has such words in its records, and goes on behind them.
            "/log" => format!("id,v,note\n0,0,\"{WORDS}\"\n{csv}"),
            _ => format!("{{\"id\":1,\"v\":7,\"note\":\"{WORDS}\"}}\n"),
        };
        let kind = if ask.path == "/csv" || ask.path == "/log" { "text/csv" } else { "application/x-ndjson" };
        let kind = if matches!(ask.path.as_str(), "/json" | "/broken" | "/array") {
            "application/json"
        } else {
            kind
        };
        Reply::new(200, kind, text).in_pieces(7_000, Duration::from_millis(2))
    });
    for (path, flags) in [
        ("/csv", ""),
        ("/lines", ""),
        ("/member", ""),
        ("/block", ""),
        ("/json", "--records data"),
        ("/array", ""),
        ("/broken", "--records data"),
    ] {
        let scene = scene();
        let outcome =
            scene.run(&format!("{} -t t {flags}", api.url(path))).exits(4).says("DB::Exception: Timeout");
        check(&scene, 1_000, &outcome);
        assert_eq!(outcome.rows(), rows!(read: 1_000, inserted: 1_000), "{path}");
        assert!(!outcome.report().complete, "{path}");
    }
    for (path, rows) in [("/log", 1_000), ("/last", 1)] {
        let scene = scene();
        scene.load(&format!("{} -t t", api.url(path)));
        assert_eq!(scene.db.count("t"), rows, "{path}");
    }
}

#[test]
fn the_first_run_says_what_the_server_said_and_what_is_there() {
    let api = Api::serve(|ask| match ask.path.as_str() {
        "/graphql" => Reply::json(r#"{"errors":[{"message":"unknown field ordrs"}]}"#),
        "/slack" => Reply::json(r#"{"ok":false,"error":"invalid_auth"}"#),
        "/typo" => Reply::json(format!(r#"{{"count":1,"items":[{}]}}"#, record(0))),
        "/inner" => Reply::json(format!(r#"{{"data":{{"list":[{}]}}}}"#, record(0))),
        "/away" => Reply::new(302, "text/plain", "").header("location", "/gone?sig=SECRET-1"),
        "/gone" => Reply::new(404, "application/json", r#"{"message":"no such thing"}"#),
        _ => Reply::new(200, "text/html", "<title>Sign in</title>"),
    });
    for (path, flags, said) in [
        ("/graphql", "--records data.orders", "unknown field ordrs"),
        ("/graphql", "", "unknown field ordrs"),
        ("/slack", "", "invalid_auth"),
        ("/slack", "--records members", "invalid_auth"),
        ("/typo", "--records item", "count, items"),
        ("/inner", "--records data.items", "members: list"),
        ("/away", "", "redirected to http://127.0.0.1"),
        ("/away", "", "no such thing"),
        ("/login", "", "text/html"),
    ] {
        for table in [scene, without_table] {
            for pages in ["", "--paginate link"] {
                let outcome =
                    table().run(&format!("{} -t t {flags} {pages}", api.url(path))).exits(4).says(said);
                assert!(!outcome.stderr.contains("SECRET"), "{outcome}");
            }
        }
    }
}

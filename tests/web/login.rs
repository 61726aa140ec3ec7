//! Who the program says it is, by the flags of the command line: tokens from a file, from a command, from an
//! OAuth 2 server, and what becomes of them when they are refused. None of them is ever shown.

use super::{array, check, lines, scene};
use crate::support::Outcome;
use crate::support::api::{Api, Ask, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const OLD: &str = "CANARY-old-90d1";
const NEW: &str = "CANARY-new-90d1";

/// Ten records for who comes with this token, 401 for everybody else.
fn guarded(ask: &Ask, token: &str) -> Reply {
    if ask.header("authorization") == Some(&format!("Bearer {token}")) {
        Reply::json(array(0, 10))
    } else {
        Reply::new(401, "application/json", r#"{"message":"who are you"}"#)
    }
}

#[track_caller]
fn tells_no_token(outcome: &Outcome) {
    assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains("CANARY"), "{outcome}");
}

#[test]
fn a_token_in_a_file_is_read_again_when_it_is_refused() {
    let scene = scene();
    let file = scene.file("token", format!("{OLD}\n"));
    // The file is renewed by somebody else at the moment in which the old token is refused.
    let api = Api::serve(move |ask| {
        std::fs::write(&file, format!("{NEW}\n")).unwrap();
        guarded(ask, NEW)
    });
    let outcome = scene.load(&format!("{} -t t --bearer-file token", api.url("/items")));
    check(&scene, 10, &outcome);
    let tokens: Vec<_> =
        api.asked().iter().map(|ask| ask.header("authorization").map(str::to_owned)).collect();
    assert_eq!(tokens, [OLD, NEW].map(|token| Some(format!("Bearer {token}"))));
    tells_no_token(&outcome);
    let missing = scene.run(&format!("{} -t t --bearer-file nowhere", api.url("/other"))).exits(4);
    missing.says("nowhere");
}

#[test]
fn a_command_that_prints_tokens_is_run_again_when_one_is_refused() {
    let scene = scene();
    // The first run prints the old token, each later one the new one.
    let script = format!("test -e ran && echo {NEW} || {{ touch ran; echo {OLD}; }}");
    let api = Api::serve(|ask| guarded(ask, NEW));
    let outcome = scene
        .dbload(&format!("{} -t t", api.url("/items")))
        .arg("--bearer-command")
        .arg(script)
        .run()
        .exits(0);
    check(&scene, 10, &outcome);
    tells_no_token(&outcome);
    let failing = scene
        .dbload(&format!("{} -t t", api.url("/other")))
        .arg("--bearer-command")
        .arg("echo CANARY-x >&2; exit 3")
        .run()
        .exits(4);
    failing.says("--bearer-command").says("3");
}

#[test]
fn a_token_is_had_of_an_oauth_server_with_the_scope_that_was_asked_for() {
    let scene = scene();
    let issued = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&issued);
    let api = Api::serve(move |ask| match ask.path.as_str() {
        "/token" => {
            count.fetch_add(1, Ordering::Relaxed);
            let form: Vec<(String, String)> =
                url::form_urlencoded::parse(ask.body.as_bytes()).into_owned().collect();
            let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let right = [("grant_type", "client_credentials"), ("scope", "items:read more")];
            // `me:CANARYs3` in base64.
            if ask.method == "POST"
                && form == right
                && ask.header("authorization") == Some("Basic bWU6Q0FOQVJZczM=")
            {
                Reply::json(format!(r#"{{"access_token":"{NEW}","token_type":"Bearer","expires_in":3600}}"#))
            } else {
                Reply::new(401, "application/json", r#"{"error":"invalid_client"}"#)
            }
        }
        _ => guarded(ask, NEW),
    });
    let words = |secret: &str| {
        let load = scene.dbload(&format!(
            "{} {} -t t --token-url {} --client-id me --client-secret env:SECRET",
            api.url("/a"),
            api.url("/b"),
            api.url("/token"),
        ));
        load.arg("--scope").arg("items:read more").env("SECRET", secret).run()
    };
    let outcome = words("CANARYs3").exits(0);
    check(&scene, 10, &outcome);
    assert_eq!(outcome.report().rows.read, 20);
    assert_eq!(issued.load(Ordering::Relaxed), 1, "one token serves all requests");
    tells_no_token(&outcome);
    let refused = words("CANARY-wrong").exits(4).says("invalid_client");
    tells_no_token(&refused);
}

#[test]
fn a_refresh_token_is_good_for_tokens_and_a_new_one_is_kept_in_its_file() {
    let scene = scene();
    let file = scene.file("refresh", "CANARY-r0\n");
    let count = Arc::new(AtomicUsize::new(0));
    let issued = Arc::clone(&count);
    // Each refresh token is good once, as many servers have it; each token for two requests.
    let api = Api::serve(move |ask| match ask.path.as_str() {
        "/token" => {
            let n = issued.load(Ordering::Relaxed);
            let body = format!("grant_type=refresh_token&refresh_token=CANARY-r{n}&client_id=me");
            if ask.body != body || ask.header("authorization").is_some() {
                return Reply::new(400, "application/json", r#"{"error":"invalid_grant"}"#);
            }
            issued.store(n + 1, Ordering::Relaxed);
            Reply::json(format!(r#"{{"access_token":"CANARY-a{n}","refresh_token":"CANARY-r{}"}}"#, n + 1))
        }
        _ => {
            let n = issued.load(Ordering::Relaxed).saturating_sub(1);
            if ask.before == 0 && ask.path == "/c" {
                Reply::new(401, "text/plain", "old")
            } else {
                guarded(ask, &format!("CANARY-a{n}"))
            }
        }
    });
    let load = |path: &str| {
        scene.dbload(&format!(
            "{} -t t --token-url {} --client-id me --refresh-token file:refresh",
            api.url(path),
            api.url("/token")
        ))
    };
    for (path, kept) in [("/a", "CANARY-r1\n"), ("/b", "CANARY-r2\n"), ("/c", "CANARY-r4\n")] {
        let outcome = load(path).run().exits(0);
        check(&scene, 10, &outcome);
        tells_no_token(&outcome);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), kept, "{path}");
    }
    scene.file("refresh", "CANARY-old");
    let refused = load("/d").run().exits(4).says("invalid_grant");
    tells_no_token(&refused);
    let outcome =
        scene.run(&format!("{} -t t --token-url {} --client-id me", api.url("/a"), api.url("/token")));
    outcome.exits(2).says("--refresh-token");
}

#[test]
fn a_page_beyond_its_limit_is_a_failed_source_that_names_the_flag() {
    let api = Api::serve(|_| Reply::json(array(0, 100)));
    let scene = scene();
    let line = format!("{} -t t --paginate link --max-page-bytes", api.url("/items"));
    scene.run(&format!("{line} 1KiB")).exits(4).says("--max-page-bytes");
    let outcome = scene.load(&format!("{line} 1MiB"));
    check(&scene, 100, &outcome);
}

#[test]
fn a_server_that_is_silent_is_given_up_after_the_time_that_was_given() {
    use std::time::{Duration, Instant};
    let slow = Duration::from_secs(300);
    // Nothing at all; a beginning and then nothing.
    let api = Api::serve(move |ask| match ask.path.as_str() {
        "/silent" => Reply::json(array(0, 10)).after(slow),
        _ => Reply::new(200, "application/x-ndjson", lines(0, 10)).in_pieces(40, slow),
    });
    let few = "--http-connect-timeout 5s --http-tries 1 --http-retry-for 100ms";
    for (path, flag) in [
        ("/silent", "--http-first-byte-timeout 200ms"),
        ("/stalls", "--http-idle-timeout 200ms"),
        ("/stalls", "--http-timeout 200ms"),
    ] {
        let scene = scene();
        let began = Instant::now();
        let outcome = scene.run(&format!("{} -t t {few} {flag}", api.url(path))).exits(4);
        assert!(began.elapsed() < slow / 2, "{flag}: {outcome}");
        outcome.says("200ms");
    }
}

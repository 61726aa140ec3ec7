//! Bodies that break off, change, or are not what they say: whole or an error, never half and never mixed.

use std::time::Duration;

use dbload::internals::http::{Encodings, HttpError, Resume, Truncation, Version};
use tokio::io::AsyncReadExt as _;

use super::{client, fetch, impatient, request, told};
use crate::support::http::{Authority, HttpServer, Seen, Step, answer, send};

const BODY: &[u8] = b"{\"id\":1,\"name\":\"first\"}\n{\"id\":2,\"name\":\"second\"}\n{\"id\":3}\n";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Framing {
    Length,
    Chunked,
    Close,
}

/// The answer, head and body, as it goes over the wire.
fn whole(framing: Framing, etag: &str) -> Vec<u8> {
    let etag = if etag.is_empty() { String::new() } else { format!("ETag: {etag}\r\n") };
    let mut bytes = match framing {
        Framing::Length => {
            format!("HTTP/1.1 200 OK\r\n{etag}Content-Length: {}\r\n\r\n", BODY.len()).into_bytes()
        }
        Framing::Chunked => {
            format!("HTTP/1.1 200 OK\r\n{etag}Transfer-Encoding: chunked\r\n\r\n").into_bytes()
        }
        Framing::Close => format!("HTTP/1.1 200 OK\r\n{etag}Connection: close\r\n\r\n").into_bytes(),
    };
    if framing == Framing::Chunked {
        for chunk in BODY.chunks(20) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
    } else {
        bytes.extend_from_slice(BODY);
    }
    bytes
}

fn part(from: usize, etag: &str) -> Vec<Step> {
    if from >= BODY.len() {
        return answer(
            "416 Range Not Satisfiable",
            &format!("Content-Range: bytes */{}\r\n", BODY.len()),
            "",
        );
    }
    let headers =
        format!("ETag: {etag}\r\nContent-Range: bytes {from}-{}/{}\r\n", BODY.len() - 1, BODY.len());
    answer("206 Partial Content", &headers, &BODY[from..])
}

/// Cut at `at` of the wire, the first time; with ranges behind that, if it has a strong ETag.
fn cut_once(framing: Framing, etag: &'static str, at: usize, end: Step) -> impl Fn(&Seen) -> Vec<Step> {
    move |seen| match (seen.number, seen.range()) {
        (0, _) => vec![send(&whole(framing, etag)[..at]), end.clone()],
        (_, Some(from)) => {
            assert_eq!(seen.header("if-range"), Some(etag));
            part(from, etag)
        }
        _ => vec![send(whole(framing, etag)), Step::Close],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_an_etag_that_is_cut_at_any_byte_goes_on_where_it_was() {
    for framing in [Framing::Length, Framing::Chunked] {
        let bytes = whole(framing, "\"v1\"").len();
        let mut mended = 0;
        for (at, end) in (1..bytes).map(|at| (at, if at % 2 == 0 { Step::Close } else { Step::Reset })) {
            let server = HttpServer::start(cut_once(framing, "\"v1\"", at, end)).await;
            let client = client(&impatient(), &server);
            let got = fetch(&client, &request(&server.url("/x"))).await.unwrap();
            assert_eq!(got, BODY, "{framing:?} cut at {at}");
            assert_eq!(server.count(), 2, "{framing:?} cut at {at}");
            mended += client.counters().mended;
        }
        assert!(mended >= BODY.len() as u64 - 1, "{framing:?}: only {mended} bodies were mended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_an_etag_that_is_cut_at_any_byte_is_never_complete() {
    for framing in [Framing::Length, Framing::Chunked] {
        let wire = whole(framing, "");
        let head = wire.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        for at in 1..wire.len() {
            let server = HttpServer::start(cut_once(framing, "", at, Step::Close)).await;
            let got = fetch(&client(&impatient(), &server), &request(&server.url("/x"))).await;
            match got {
                // Before the first byte of the body it is simply asked for again.
                Ok(bytes) => {
                    assert!(bytes == BODY && at <= head + 4, "{framing:?} cut at {at}: {} bytes", bytes.len())
                }
                Err(HttpError::Cut { how: Truncation::Broken(_), at: behind, .. }) => {
                    assert!(at > head && behind <= BODY.len() as u64, "{framing:?} cut at {at}: {behind}");
                }
                Err(error) => panic!("{framing:?} cut at {at}: {error}"),
            }
            assert!(server.count() >= 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_with_its_connection_is_never_complete_in_the_open() {
    let wire = whole(Framing::Close, "\"v1\"");
    let head = wire.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    for at in head..=wire.len() {
        let server =
            HttpServer::start(move |_| vec![send(&whole(Framing::Close, "\"v1\"")[..at]), Step::Close]).await;
        let mut settings = impatient();
        settings.retry_limits.tries = 1;
        let error = fetch(&client(&settings, &server), &request(&server.url("/x"))).await.unwrap_err();
        let is_named = matches!(error, HttpError::Cut { how: Truncation::Unproven, .. })
            || (at == head && matches!(error, HttpError::Unexpected { .. }));
        assert!(is_named, "cut at {at}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_with_its_connection_is_proven_by_the_farewell_of_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let mut settings = impatient();
    settings.ca_file = Some(authority.file().to_owned());
    settings.retry_limits.tries = 1;
    let wire = whole(Framing::Close, "");
    let head = wire.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    for at in (head + 1)..=wire.len() {
        let server = HttpServer::start_tls(&authority, move |_| {
            vec![send(&whole(Framing::Close, "")[..at]), Step::Drop]
        })
        .await;
        let error = fetch(&client(&settings, &server), &request(&server.url("/x"))).await.unwrap_err();
        assert!(matches!(error, HttpError::Cut { how: Truncation::Broken(_), .. }), "cut at {at}: {error}");
    }
    let server =
        HttpServer::start_tls(&authority, |_| vec![send(whole(Framing::Close, "")), Step::Close]).await;
    assert_eq!(fetch(&client(&settings, &server), &request(&server.url("/x"))).await.unwrap(), BODY);
}

/// Answers a request for the rest.
type Rest = fn(usize) -> Vec<Step>;

/// What the second request is answered.
async fn mended_with(
    second: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static,
) -> Result<Vec<u8>, HttpError> {
    let server = HttpServer::start(move |seen| match seen.range() {
        None => vec![send(&whole(Framing::Length, "\"v1\"")[..100]), Step::Reset],
        Some(from) => second(from),
    })
    .await;
    fetch(&client(&impatient(), &server), &request(&server.url("/x"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_are_never_mixed() {
    // The range is ignored, but it is the same version: started again, without a byte twice.
    assert_eq!(mended_with(|_| vec![send(whole(Framing::Length, "\"v1\""))]).await.unwrap(), BODY);
    assert_eq!(mended_with(|_| vec![send(whole(Framing::Chunked, "\"v1\""))]).await.unwrap(), BODY);
    let refused: [(&str, Rest); 9] = [
        ("another version", |_| vec![send(whole(Framing::Length, "\"v2\""))]),
        ("a part of another version", |from| part(from, "\"v2\"")),
        ("no validator any more", |_| vec![send(whole(Framing::Length, ""))]),
        ("a weak validator", |from| part(from, "W/\"v1\"")),
        ("a part from elsewhere", |from| {
            let mut steps = part(from - 1, "\"v1\"");
            steps.push(Step::Close);
            steps
        }),
        ("a part that does not say which", |from| {
            answer("206 Partial Content", "ETag: \"v1\"\r\n", &BODY[from..])
        }),
        ("a part of another length", |from| {
            let headers = format!(
                "ETag: \"v1\"\r\nContent-Range: bytes {from}-{}/{}\r\n",
                BODY.len() - 1,
                BODY.len() + 1
            );
            answer("206 Partial Content", &headers, &BODY[from..])
        }),
        ("no such range", |_| answer("416 Range Not Satisfiable", "", "")),
        ("several parts", |_| {
            answer(
                "206 Partial Content",
                "ETag: \"v1\"\r\nContent-Type: multipart/byteranges; boundary=x\r\n",
                "--x",
            )
        }),
    ];
    for (what, second) in refused {
        let error = mended_with(second).await.unwrap_err();
        assert!(matches!(error, HttpError::Changed { .. }), "{what}: {error}");
        assert!(!error.is_restartable(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_itself_cut_is_mended_again() {
    let server = HttpServer::start(|seen| match seen.range() {
        None => vec![send(&whole(Framing::Length, "\"v1\"")[..90]), Step::Reset],
        // A dozen bytes at a time; and once a part that is shorter than what was asked for, which is allowed.
        Some(from) if from + 12 < BODY.len() && seen.number == 3 => {
            let headers =
                format!("ETag: \"v1\"\r\nContent-Range: bytes {from}-{}/{}\r\n", from + 11, BODY.len());
            answer("206 Partial Content", &headers, &BODY[from..from + 12])
        }
        Some(from) if from + 12 < BODY.len() => {
            let Some(Step::Send(bytes)) = part(from, "\"v1\"").pop() else { unreachable!() };
            let head = bytes.len() - (BODY.len() - from);
            vec![send(&bytes[..head + 12]), Step::Reset]
        }
        Some(from) => part(from, "\"v1\""),
    })
    .await;
    let mut settings = impatient();
    settings.retry_limits.tries = 12;
    assert_eq!(fetch(&client(&settings, &server), &request(&server.url("/x"))).await.unwrap(), BODY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_resumed_at_a_byte_of_the_same_version_or_not_at_all() {
    let version = Version {
        etag: Some("\"v1\"".to_owned()),
        last_modified: None,
        length: Some(BODY.len() as u64),
        id: None,
    };
    let server = HttpServer::start(|seen| match (seen.path(), seen.range()) {
        ("/part", Some(from)) => part(from, "\"v1\""),
        ("/whole", _) => vec![send(whole(Framing::Length, "\"v1\""))],
        _ => vec![send(whole(Framing::Length, "\"v2\""))],
    })
    .await;
    let client = client(&impatient(), &server);
    for path in ["/part", "/whole"] {
        let resume = Resume { offset: 30, version: version.clone() };
        let mut body =
            client.open(&request(&server.url(path)), Some(resume), Encodings::Identity).await.unwrap();
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, BODY[30..], "{path}");
    }
    let resume = |version: &Version| Some(Resume { offset: 30, version: version.clone() });
    let changed = client
        .open(&request(&server.url("/changed")), resume(&version), Encodings::Identity)
        .await
        .err()
        .unwrap();
    assert!(matches!(changed, HttpError::Changed { .. }), "{changed}");
    let weak = Version { etag: None, ..version };
    let without =
        client.open(&request(&server.url("/part")), resume(&weak), Encodings::Identity).await.err().unwrap();
    assert!(without.is_restartable(), "{without}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_no_data_are_errors_that_say_so() {
    let server = HttpServer::start(|seen| match seen.path() {
        "/login" => answer(
            "200 OK",
            "Content-Type: text/html; charset=utf-8\r\n",
            "<!doctype html><title>Sign in</title>",
        ),
        "/disguised" => answer("200 OK", "Content-Type: application/json\r\n", "\n <!DOCTYPE HTML><html>"),
        "/empty" => answer("200 OK", "", ""),
        "/chunks" => vec![send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")],
        "/nothing" => vec![send("HTTP/1.1 204 No Content\r\n\r\n")],
        "/picture" => answer("200 OK", "Content-Type: image/png\r\n", "\u{89}PNG"),
        "/part" => answer("206 Partial Content", "Content-Range: bytes 0-1/9\r\n", "{}"),
        _ => vec![],
    })
    .await;
    let client = client(&impatient(), &server);
    for (path, word) in [
        ("/login", "text/html"),
        ("/disguised", "HTML"),
        ("/empty", "empty"),
        ("/chunks", "empty"),
        ("/nothing", "empty"),
        ("/picture", "image/png"),
        ("/part", "206"),
    ] {
        for error in [
            fetch(&client, &request(&server.url(path))).await.unwrap_err(),
            client.page(&request(&server.url(path))).await.unwrap_err(),
        ] {
            let text = told(&error);
            assert!(text.contains(word) && text.contains(path), "{path}: {text}");
        }
    }
    // None of them gets better by asking again.
    assert_eq!((server.count(), client.counters().retried), (14, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_dribbles_or_stalls_ends_by_a_limit() {
    let server = HttpServer::start(|seen| match seen.path() {
        "/dribble" => vec![
            send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
            Step::Dribble(vec![b'x'; 1_000], Duration::from_millis(50)),
        ],
        "/stall" => vec![
            send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nxxxx"),
            Step::Wait(Duration::from_secs(30)),
        ],
        "/silent" => vec![Step::Wait(Duration::from_secs(30))],
        "/head" => vec![Step::Dribble(
            b"HTTP/1.1 200 OK\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                .to_vec(),
            Duration::from_millis(200),
        )],
        _ => vec![],
    })
    .await;
    let mut settings = impatient();
    settings.retry_limits.tries = 1;
    settings.timeouts.connect = Duration::from_secs(1);
    let client = client(&settings, &server);
    for path in ["/dribble", "/stall", "/silent", "/head"] {
        let began = std::time::Instant::now();
        let error = fetch(&client, &request(&server.url(path))).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(25), "{path}: {:?}", began.elapsed());
        let is_named =
            matches!(error, HttpError::Timeout { .. } | HttpError::Cut { how: Truncation::Broken(_), .. });
        assert!(is_named, "{path}: {error}");
    }
    // Only waiting for the server counts: a reader that takes its time is no fault of it.
    let server = HttpServer::start(|_| vec![send(whole(Framing::Length, ""))]).await;
    let client = super::client(&settings, &server);
    let mut body = client.open(&request(&server.url("/x")), None, Encodings::Identity).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, BODY);
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_headers_end_by_a_limit_and_are_not_asked_for_again() {
    let server = HttpServer::start(|seen| {
        let mut head = "HTTP/1.1 200 OK\r\n".to_owned();
        match seen.path() {
            "/many" => (0..10_000).for_each(|n| head.push_str(&format!("X-{n}: y\r\n"))),
            _ => head.push_str(&format!("X-Long: {}\r\n", "y".repeat(8 << 20))),
        }
        vec![send(head + "Content-Length: 2\r\n\r\n{}"), Step::Close]
    })
    .await;
    let client = client(&impatient(), &server);
    for path in ["/many", "/long"] {
        let error = fetch(&client, &request(&server.url(path))).await.unwrap_err();
        assert!(matches!(error, HttpError::NotHttp { .. }), "{path}: {}", told(&error));
    }
    assert_eq!(server.count(), 2);
}

use super::*;

const FIRST: &str = "https://api.example.com/items?key=CANARY&sort=id";

fn pager(flag: &str, pages_max: u64) -> Pager {
    Pager::new(flag.parse().unwrap(), &Request::get(Url::parse(FIRST).unwrap()), pages_max).unwrap()
}

/// Gives a page to the pager: its text, its records, and what they are.
fn give(pager: &mut Pager, text: &str, records: u64, digest: u64) -> Result<Option<String>, String> {
    give_with(pager, text, &HeaderMap::new(), (records, digest))
}

fn give_with(
    pager: &mut Pager,
    text: &str,
    headers: &HeaderMap,
    (records, digest): (u64, u64),
) -> Result<Option<String>, String> {
    let url = pager.request().url.clone();
    let seen = PageSeen { url: &url, headers, text, records, digest };
    pager.next(&seen).map(|next| next.map(|next| next.url.to_string())).map_err(|error| error.to_string())
}

/// Follows cursors of this rule until the pager ends or complains; each page has its own records.
fn follow(flag: &str, pages_max: u64, cursor: impl Fn(u64) -> String) -> (u64, Result<(), String>) {
    let mut pager = pager(flag, pages_max);
    for page in 0.. {
        match give(&mut pager, &format!("{{\"next\":{}}}", cursor(page)), 1, page) {
            Ok(Some(_)) => {}
            Ok(None) => return (page + 1, Ok(())),
            Err(error) => return (page + 1, Err(error)),
        }
    }
    unreachable!()
}

#[test]
fn loops_of_any_length_are_noticed() {
    for length in [1, 2, 50] {
        let (pages, result) = follow("cursor:/next=c", 1_000, |page| format!("\"{}\"", page % length));
        assert!(result.unwrap_err().contains("circle"), "{length}");
        assert_eq!(pages, length + 1);
        let (pages, result) = follow("next:/next", 1_000, |page| format!("\"?sort=id&p={}\"", page % length));
        assert!(result.unwrap_err().contains("circle"), "{length}");
        assert_eq!(pages, length + 1);
    }
    // Back to the very first request.
    let (pages, result) = follow("next:/next", 1_000, |_| "\"/items?sort=id\"".to_owned());
    assert!(result.unwrap_err().contains("circle") && pages == 1);
}

#[test]
fn cursors_without_end_meet_the_limit_which_is_no_success() {
    let (pages, result) = follow("cursor:/next=c", 40, |page| format!("{page}"));
    assert!(result.unwrap_err().contains("more than the limit of 40"));
    assert_eq!(pages, 40);
    let (pages, result) =
        follow("cursor:/next=c", 40, |page| if page == 39 { "null".to_owned() } else { page.to_string() });
    assert_eq!((pages, result), (40, Ok(())));
}

#[test]
fn pages_that_come_again_are_noticed_empty_ones_may_for_a_while() {
    for flag in ["page:p", "offset:o,l=1", "cursor:/next=c"] {
        let mut pager = pager(flag, 1_000);
        assert!(give(&mut pager, "{\"next\":1}", 1, 7).unwrap().is_some(), "{flag}");
        assert!(give(&mut pager, "{\"next\":2}", 1, 8).unwrap().is_some(), "{flag}");
        assert!(give(&mut pager, "{\"next\":3}", 1, 7).unwrap_err().contains("again"), "{flag}");
    }
    let mut pager = pager("cursor:/next=c", 1_000);
    let pages =
        (0..1_000).take_while(|page| give(&mut pager, &format!("{{\"next\":{page}}}"), 0, 0).is_ok()).count();
    assert_eq!(pages, 100);
}

#[test]
fn the_end_is_where_the_server_says_so() {
    for (flag, text) in [
        ("next:/next", "{\"next\":null}"),
        ("next:/next", "{\"next\":\"\"}"),
        ("next:/next", "{}"),
        ("next:/a/next", "{\"a\":{}}"),
        ("cursor:/next=c", "{\"next\":null}"),
        ("cursor:/next=c", "{\"next\":false}"),
        ("cursor:/next=c;more=/more", "{\"next\":5,\"more\":false}"),
        ("page:p;pages=/n", "{\"n\":1}"),
        ("page:p;total=/n", "{\"n\":\"3\"}"),
        ("page:p", "{}"),
    ] {
        let records = if flag == "page:p" { 0 } else { 3 };
        assert_eq!(give(&mut pager(flag, 10), text, records, 1), Ok(None), "{flag} {text}");
    }
}

#[test]
fn what_does_not_say_whether_it_is_the_end_is_an_error() {
    for (flag, text) in [
        ("next:/a/next", "{}"),
        ("next:/next", "[1,2]x"),
        ("next:/next", "<html>"),
        ("next:/next", "{\"next\":{\"href\":\"x\"}}"),
        ("cursor:/next=c;more=/more", "{\"next\":5}"),
        ("page:p;total=/n", "{}"),
        ("page:p;pages=/n", "{\"n\":\"many\"}"),
        ("next:/next", "{\"next\":\"https://[\"}"),
    ] {
        assert!(give(&mut pager(flag, 10), text, 3, 1).is_err(), "{flag} {text}");
    }
    let mut early = pager("page:p;total=/n", 10);
    assert!(give(&mut early, "{\"n\":5}", 3, 1).unwrap().is_some());
    assert!(give(&mut early, "{\"n\":5}", 0, 2).unwrap_err().contains("too early"));
}

#[test]
fn numbers_count_on_from_what_came() {
    let mut pages = pager("page:p=0", 10);
    assert_eq!(pages.request().url.query(), Some("sort=id&p=0"));
    assert_eq!(give(&mut pages, "{}", 3, 1).unwrap().unwrap(), "https://api.example.com/items?sort=id&p=1");
    let mut offset = pager("offset:o,l=3", 10);
    assert_eq!(offset.request().url.query(), Some("sort=id&o=0&l=3"));
    assert!(offset.ahead(1).is_none(), "nobody knows whether 3 come when 3 are asked for");
    assert_eq!(
        give(&mut offset, "{}", 3, 1).unwrap().unwrap(),
        "https://api.example.com/items?sort=id&o=3&l=3"
    );
    assert_eq!(offset.ahead(2).unwrap().url.query(), Some("sort=id&o=9&l=3"));
    assert_eq!(offset.ahead(2).unwrap().page, 3);
    assert_eq!(give(&mut offset, "{}", 2, 2), Ok(None));
    let ahead = pages.ahead(4).unwrap();
    assert_eq!((ahead.url.query(), ahead.page), (Some("sort=id&p=5"), 5));
}

#[test]
fn link_headers_are_read_as_they_occur() {
    let next = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LINK, http::HeaderValue::from_str(value).unwrap());
        }
        links_next(&headers)
    };
    assert_eq!(next(&["<a>; rel=\"next\""]).as_deref(), Some("a"));
    assert_eq!(
        next(&["<a>; rel=prev, <b,c;d>; title=\"x, y; rel=next\"; REL=next"]).as_deref(),
        Some("b,c;d")
    );
    assert_eq!(next(&["<a>; rel=\"first\"", "<b>;rel=\"prev next\""]).as_deref(), Some("b"));
    assert_eq!(next(&["<a>; rel=\"nextish\"", "<b>", "c; rel=next", "<d; rel=next"]), None);
}

#[test]
fn secrets_stay_out_of_states_and_go_into_requests() {
    let mut pager = pager("next:/next", 10);
    let next = "{\"next\":\"https://api.example.com/items?key=CANARY&cursor=2\"}";
    assert_eq!(give(&mut pager, next, 1, 1).unwrap().unwrap(), "https://api.example.com/items?cursor=2");
    let stored = serde_json::to_string(&pager.state()).unwrap();
    assert!(!stored.contains("CANARY"), "{stored}");
    let state = serde_json::from_str(&stored).unwrap();
    let first = Request::get(Url::parse(FIRST).unwrap());
    let resumed = Pager::at("next:/next".parse().unwrap(), &first, state, 10);
    assert_eq!(
        resumed.request().url_with_secrets().as_str(),
        "https://api.example.com/items?cursor=2&key=CANARY"
    );
    // A token of that name that the server itself gives is its own, and is sent instead.
    let theirs = "{\"next\":\"/items?key=THEIRS\"}";
    give(&mut pager, theirs, 1, 2).unwrap().unwrap();
    assert_eq!(pager.request().url_with_secrets().as_str(), "https://api.example.com/items?key=THEIRS");
}

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
    let seen = PageSeen { url: &url, headers, text, records, digest, last: None };
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
    assert_eq!(pages, 3);
    let mut pager = self::pager("cursor:/next=c;end=empty", 10);
    assert!(give(&mut pager, "{\"next\":1}", 1, 7).unwrap().is_some());
    assert_eq!(give(&mut pager, "{\"next\":2}", 0, 0), Ok(None));
    // Three are passed over.
    let mut pager = self::pager("cursor:/next=c", 1_000);
    for (page, records) in [(0, 1), (1, 0), (2, 0), (3, 0), (4, 1), (5, 0)] {
        assert!(give(&mut pager, &format!("{{\"next\":{page}}}"), records, page).unwrap().is_some());
    }
}

#[test]
fn the_place_that_was_asked_for_with_nothing_behind_it_is_the_end() {
    let mut pager = pager("cursor:/last_seq=since;size=100", 10);
    assert!(give(&mut pager, "{\"last_seq\":100}", 100, 1).unwrap().is_some());
    assert!(give(&mut pager, "{\"last_seq\":150}", 50, 2).unwrap().is_some());
    assert_eq!(give(&mut pager, "{\"last_seq\":150}", 0, 0), Ok(None));
    let mut pager = self::pager("cursor:/last_seq=since", 10);
    assert!(give(&mut pager, "{\"last_seq\":100}", 100, 1).unwrap().is_some());
    assert!(give(&mut pager, "{\"last_seq\":100}", 100, 2).unwrap_err().contains("circle"));
}

#[test]
fn a_place_that_was_there_before_and_is_not_now_is_the_end() {
    for (flag, first, last) in [
        ("cursor:/paging/next/after=after", "{\"paging\":{\"next\":{\"after\":3}}}", "{}"),
        ("cursor:/paging/next/after=after", "{\"paging\":{\"next\":{\"after\":3}}}", "{\"paging\":{}}"),
        ("cursor:/paging/next/after=/after", "{\"paging\":{\"next\":{\"after\":3}}}", "{\"paging\":null}"),
        ("next:/links/next", "{\"links\":{\"next\":\"?p=2\"}}", "{}"),
        ("cursor:/c=c;more=/m", "{\"c\":1,\"m\":true}", "{}"),
        ("page:p;more=/m", "{\"m\":true}", "{}"),
        ("page:p;last=/m/end", "{\"m\":{\"end\":\"no\"}}", "{\"m\":{\"end\":\"Yes\"}}"),
        ("page:p;last=/end", "{}", "{\"end\":1}"),
    ] {
        let mut pager = pager(flag, 10);
        assert!(give(&mut pager, first, 3, 1).unwrap().is_some(), "{flag}");
        assert_eq!(give(&mut pager, last, 3, 2), Ok(None), "{flag}");
        assert_eq!(pager.never_found(), None, "{flag}");
    }
    let mut pager = pager("next:/a/next", 10);
    assert_eq!(give(&mut pager, "{}", 3, 1), Ok(None));
    assert_eq!(pager.never_found().as_deref(), Some("nothing at /a/next"));
}

#[test]
fn a_total_ends_counted_pages_alone_and_only_where_it_is_exact() {
    let mut told = pager("cursor:/c=c;total=/total", 10);
    assert!(give(&mut told, "{\"c\":1,\"total\":2}", 3, 1).unwrap().is_some());
    for inexact in [
        r#"{"total":{"value":3,"relation":"gte"}}"#,
        r#"{"total":{"value":"3+"}}"#,
        r#"{"total":{"value":3,"is_estimate":true}}"#,
        r#"{"total":{"value":3,"totalPrecision":"ESTIMATED"}}"#,
        r#"{"total":{"value":3,"exact":false}}"#,
        r#"{"total":{"value":-1}}"#,
    ] {
        assert!(
            give(&mut pager("page:p;total=/total/value", 10), inexact, 3, 1).unwrap().is_some(),
            "{inexact}"
        );
    }
    for exact in [
        r#"{"total":{"value":3,"relation":"eq"}}"#,
        r#"{"total":{"value":"3","is_estimate":false}}"#,
        r#"{"total":{"value":3.0,"note":"gte"}}"#,
    ] {
        assert_eq!(give(&mut pager("page:p;total=/total/value", 10), exact, 3, 1), Ok(None), "{exact}");
    }
    // Nothing is asked for behind what is said to be all.
    let mut ahead = pager("page:p;total=/n", 10);
    give(&mut ahead, "{\"n\":9}", 3, 1).unwrap().unwrap();
    assert!(ahead.ahead(1).is_some() && ahead.ahead(2).is_none());
    let mut ahead = pager("page:p=0;pages=/n", 10);
    give(&mut ahead, "{\"n\":3}", 3, 1).unwrap().unwrap();
    assert!(ahead.ahead(1).is_some() && ahead.ahead(2).is_none());
}

#[test]
fn records_may_be_counted_from_1() {
    let mut said = pager("offset:startIndex=1,count=10", 10);
    assert_eq!(said.request().url.query(), Some("sort=id&startIndex=1&count=10"));
    let next = give(&mut said, "{}", 10, 1).unwrap().unwrap();
    assert!(next.ends_with("startIndex=11&count=10"), "{next}");
    // Not said, but told.
    let mut told = pager("offset:startIndex,count=10;total=/totalResults", 10);
    let page = r#"{"totalResults":30,"startIndex":1,"itemsPerPage":10}"#;
    let next = give(&mut told, page, 10, 1).unwrap().unwrap();
    assert!(next.ends_with("startIndex=11&count=10"), "{next}");
    let stored = serde_json::to_string(&told.state()).unwrap();
    let first = Request::get(Url::parse(FIRST).unwrap());
    let flag = "offset:startIndex,count=10;total=/totalResults";
    let mut resumed = Pager::at(flag.parse().unwrap(), &first, serde_json::from_str(&stored).unwrap(), 10);
    let next = give(&mut resumed, page, 10, 2).unwrap().unwrap();
    assert!(next.ends_with("startIndex=21&count=10"), "{next}");
    // The number of the next one, or the server's own zero.
    for text in [r#"{"offset":10}"#, r#"{"offset":0}"#, r#"{"page":{"offset":"x"}}"#, "[1]"] {
        let next = give(&mut pager("offset:offset,limit=10", 10), text, 10, 1).unwrap().unwrap();
        assert!(next.ends_with("offset=10&limit=10"), "{text}: {next}");
    }
}

#[test]
fn what_is_not_there_ends_counted_pages_nothing_ends_all() {
    let status = |code: u16| HttpError::Status {
        url: String::new(),
        status: StatusCode::from_u16(code).unwrap(),
        said: String::new(),
    };
    let nothing = || HttpError::NoContent { url: String::new(), status: StatusCode::NO_CONTENT };
    let mut counted = pager("page:p", 10);
    assert!(counted.ends_with(status(404)).is_err() && counted.ends_with(nothing()).is_err());
    give(&mut counted, "{}", 3, 1).unwrap().unwrap();
    assert!(counted.ends_with(status(404)).is_ok() && counted.ends_with(nothing()).is_ok());
    assert!(counted.ends_with(status(400)).is_err() && counted.ends_with(status(500)).is_err());
    let mut total = pager("page:p;total=/n", 10);
    give(&mut total, "{\"n\":9}", 3, 1).unwrap().unwrap();
    assert!(total.ends_with(status(404)).is_err() && total.ends_with(nothing()).is_err());
    let mut told = pager("cursor:/c=c", 10);
    give(&mut told, "{\"c\":9}", 3, 1).unwrap().unwrap();
    assert!(told.ends_with(status(404)).is_err() && told.ends_with(nothing()).is_ok());
}

#[test]
fn the_end_is_where_the_server_says_so() {
    for (flag, text) in [
        ("next:/next", "{\"next\":null}"),
        ("next:/next", "{\"next\":\"\"}"),
        ("next:/next", "{}"),
        ("next:/a/next", "{\"a\":{}}"),
        ("next:/a/next", "{}"),
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
        ("next:/next", "[1,2]x"),
        ("next:/next", "<html>"),
        ("next:/next", "{\"next\":[\"x\"]}"),
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

//! What an answer says about further pages, where nobody has said how they are followed: what was seen, and
//! the rule that would follow it. Pure.
//!
//! A wrong guess is no silent gap: a server that does not know a parameter gives the same page again, which
//! is an error of the pager.

use http::header::HeaderMap;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

use super::links;

/// How deep members are looked at: `data.shop.orders.pageInfo.endCursor`, and some.
const DEPTH_MAX: usize = 8;
/// Members of one object that are looked at: what has more is records by their keys.
const MEMBERS_MAX: usize = 100;
/// Bytes of an array of links.
const LINKS_BYTES_MAX: usize = 8 << 10;

/// Names of members that hold the URL of the next page, without case and signs.
const NEXT_URL: [&str; 9] = [
    "next",
    "nextpage",
    "nexturl",
    "nextlink",
    "nextpageurl",
    "nextpagelink",
    "nexthref",
    "odatanextlink",
    "nextrecordsurl",
];
/// Likewise flags that say that there is more.
const MORE: [&str; 6] = ["hasmore", "more", "hasnext", "hasnextpage", "moreavailable", "hasmoreitems"];
/// Likewise the number of all records.
const TOTAL: [&str; 11] = [
    "total",
    "count",
    "totalcount",
    "totalresults",
    "totalitems",
    "totalrecords",
    "totalelements",
    "totalsize",
    "numfound",
    "totalhits",
    "recordstotal",
];
/// Likewise the number of all pages.
const PAGES: [&str; 6] = ["totalpages", "pages", "pagecount", "numpages", "lastpage", "pagetotal"];
/// Likewise the number of this page.
const PAGE: [&str; 4] = ["page", "currentpage", "pagenumber", "number"];
/// Likewise the number of the first record.
const OFFSET: [&str; 5] = ["offset", "startat", "skip", "startindex", "start"];
/// Likewise how many records a page has.
const LIMIT: [&str; 7] = ["limit", "maxresults", "rows", "itemsperpage", "pagesize", "perpage", "take"];

/// An answer, as far as it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Clues<'a> {
    /// The headers of the response.
    pub headers: &'a HeaderMap,
    /// Its JSON text; the records may have been left out of it. Empty for other formats.
    pub text: &'a str,
    /// The number of its records.
    pub records: u64,
    /// The member with a list of objects, of an answer that was taken for one record.
    pub list: Option<&'a str>,
}

/// That there are further pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// What says so, in words.
    pub seen: String,
    /// The rule that follows it, as `--paginate` has it.
    pub rule: Option<String>,
}

impl Guess {
    fn of(seen: impl Into<String>, rule: impl Into<String>) -> Option<Self> {
        Some(Self { seen: seen.into(), rule: Some(rule.into()) })
    }

    /// What may be done about it.
    #[must_use]
    pub fn advice(&self) -> String {
        match &self.rule {
            Some(rule) => format!("--paginate '{rule}' follows it"),
            None => "--paginate says how pages lead to each other".to_owned(),
        }
    }
}

/// Whether there is more than this answer; `None`: nothing says so.
#[must_use]
pub fn guess(clues: &Clues<'_>) -> Option<Guess> {
    if links::next(clues.headers).is_some() {
        return Guess::of("a Link header to a next page", "link");
    }
    let mut members = AnswerMembers::default();
    members.collect(clues.text, "", "", 0);
    let told = [members.next_url(), members.next_token(), members.more(), members.counted(clues.records)];
    told.into_iter().flatten().next().or_else(|| by_headers(clues)).or_else(|| members.total(clues.records))
}

fn by_headers(clues: &Clues<'_>) -> Option<Guess> {
    let text = |name: &str| clues.headers.get(name)?.to_str().ok().map(str::trim);
    if text("x-next-page").is_some_and(|next| !next.is_empty()) {
        return Guess::of("a header x-next-page", "cursor:header:x-next-page=page");
    }
    for name in ["x-total-pages", "x-wp-totalpages", "x-pagination-page-count"] {
        if text(name).and_then(|pages| pages.parse::<u64>().ok()).is_some_and(|pages| pages > 1) {
            return Guess::of(format!("a header {name}"), format!("page:page;pages=header:{name}"));
        }
    }
    for name in ["x-total-count", "x-total", "x-pagination-total-count"] {
        let total = text(name).and_then(|total| total.parse::<u64>().ok());
        if let Some(total) = total.filter(|total| *total > clues.records) {
            let seen = format!("a header {name} that says {total} where {} came", clues.records);
            return Guess::of(seen, format!("page:page;total=header:{name}"));
        }
    }
    None
}

/// A member of the answer.
struct AnswerMember<'a> {
    pointer: String,
    /// As it is written, and without case and signs.
    name: String,
    plain: String,
    /// The name of the object that it is in, likewise.
    parent: String,
    json: &'a str,
}

impl AnswerMember<'_> {
    fn text(&self) -> Option<String> {
        serde_json::from_str(self.json).ok().filter(|text: &String| !text.is_empty())
    }

    fn number(&self) -> Option<u64> {
        self.json.parse().ok()
    }

    fn is_url(&self) -> bool {
        self.text()
            .is_some_and(|text| ["http://", "https://", "/", "?"].iter().any(|start| text.starts_with(start)))
    }

    fn is_beside(&self, other: &Self) -> bool {
        let parent = |pointer: &str| pointer.rsplit_once('/').map(|(parent, _)| parent.to_owned());
        parent(&self.pointer) == parent(&other.pointer)
    }
}

#[derive(Default)]
struct AnswerMembers<'a>(Vec<AnswerMember<'a>>);

impl<'a> AnswerMembers<'a> {
    /// Takes the members of an object, outer ones first.
    fn collect(&mut self, text: &'a str, at: &str, parent: &str, depth: usize) {
        if depth == DEPTH_MAX || !text.trim_start().starts_with('{') {
            return;
        }
        let Ok(object) = serde_json::from_str::<BTreeMap<String, &'a RawValue>>(text) else { return };
        let mut inner = Vec::new();
        for (name, value) in object.into_iter().take(MEMBERS_MAX) {
            let plain = plain(&name);
            let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            let json = value.get();
            match json.as_bytes().first() {
                Some(b'{') => inner.push((json, pointer, plain)),
                Some(b'[') if json.len() <= LINKS_BYTES_MAX => self.link(json, &pointer),
                _ => self.0.push(AnswerMember { pointer, name, plain, parent: parent.to_owned(), json }),
            }
        }
        for (json, pointer, plain) in inner {
            self.collect(json, &pointer, &plain, depth + 1);
        }
    }

    /// Takes the next one of a list of links, as the URL of the next page.
    fn link(&mut self, array: &'a str, at: &str) {
        let Ok(links) = serde_json::from_str::<Vec<BTreeMap<String, &'a RawValue>>>(array) else { return };
        for rel in ["rel", "relation"] {
            let is_next = |link: &&BTreeMap<String, &RawValue>| {
                link.get(rel).is_some_and(|value| value.get() == "\"next\"")
            };
            let Some(link) = links.iter().find(is_next) else { continue };
            for target in ["href", "url", "uri"] {
                if let Some(value) = link.get(target) {
                    let pointer = format!("{at}[{rel}=next]/{target}");
                    let (name, plain) = ("next".to_owned(), "nexthref".to_owned());
                    self.0.push(AnswerMember {
                        pointer,
                        name,
                        plain,
                        parent: String::new(),
                        json: value.get(),
                    });
                    return;
                }
            }
        }
    }

    fn find(&self, names: &[&str], fits: impl Fn(&AnswerMember<'_>) -> bool) -> Option<&AnswerMember<'a>> {
        names.iter().find_map(|name| self.0.iter().find(|member| member.plain == *name && fits(member)))
    }

    fn next_url(&self) -> Option<Guess> {
        // A cursor beside it goes into requests of all kinds.
        if let Some(after) = self.find(&["after"], |member| member.parent == "next" && is_something(member)) {
            return Guess::of(at(after), format!("cursor:{}=after", after.pointer));
        }
        let in_next = |member: &AnswerMember<'_>| member.parent == "next" && member.is_url();
        let next = self
            .find(&NEXT_URL, |member| member.is_url())
            .or_else(|| self.find(&["href", "url", "link", "uri"], in_next))?;
        Guess::of(at(next), format!("next:{}", next.pointer))
    }

    fn next_token(&self) -> Option<Guess> {
        if let Some(end) =
            self.find(&["endcursor"], |member| member.parent == "pageinfo" && is_something(member))
            && let Some(more) = self.find(&["hasnextpage"], |more| more.is_beside(end))
        {
            let rule = format!("cursor:{}=/variables/after;more={}", end.pointer, more.pointer);
            return (more.json == "true").then(|| Guess { seen: is_true(more), rule: Some(rule) });
        }
        let names = [
            "nextpagetoken",
            "nextcursor",
            "nexttoken",
            "continuationtoken",
            "nextmarker",
            "nextcursormark",
            "nextpage",
            "next",
        ];
        let is_list = self.find(&["object"], |member| member.json == "\"list\"").is_some();
        let token = self.find(&names, is_something);
        if let Some(token) = token {
            let param = match token.plain.as_str() {
                "nexttoken" | "continuationtoken" => token.name.clone(),
                "nextcursor" if is_list => "start_cursor".to_owned(),
                "nextpage" | "next" if token.number().is_some() => "page".to_owned(),
                "nextpage" | "next" => "cursor".to_owned(),
                _ => behind_next(&token.name),
            };
            return Guess::of(at(token), format!("cursor:{}={param}", token.pointer));
        }
        // A text in the place of a number is no offset that could be counted.
        let offset = self.find(&["offset"], |member| member.text().is_some() && member.parent.is_empty())?;
        Guess::of(at(offset), format!("cursor:{}=offset", offset.pointer))
    }

    fn more(&self) -> Option<Guess> {
        let more = self.find(&MORE, |member| member.json == "true");
        let last =
            || self.find(&["last", "islast", "islastpage", "endofstream", "done"], |m| m.json == "false");
        let (flag, seen, rule) = match more {
            Some(more) => (more, is_true(more), "more"),
            None => last().map(|last| (last, format!("{} is false", last.pointer), "last"))?,
        };
        if self.find(&["object"], |member| member.json == "\"list\"").is_some() {
            return Guess::of(seen, format!("cursor:record:/id=starting_after;{rule}={}", flag.pointer));
        }
        let page = self.find(&PAGE, |member| member.number().is_some());
        let rule = page.and_then(|page| Some(format!("{};{rule}={}", by_page(page)?, flag.pointer)));
        Some(Guess { seen, rule })
    }

    fn counted(&self, records: u64) -> Option<Guess> {
        if let Some(pages) = self.find(&PAGES, |member| member.number().is_some_and(|pages| pages > 1)) {
            let page = self.find(&PAGE, |page| page.number().is_some() && page.is_beside(pages));
            let rule = page.and_then(by_page).map(|by| format!("{by};pages={}", pages.pointer));
            return Some(Guess { seen: format!("{} is {}", pages.pointer, pages.json), rule });
        }
        let total = self.find(&TOTAL, |member| member.number().is_some_and(|total| total > records))?;
        let offset = self.find(&OFFSET, |member| member.number().is_some_and(|offset| offset < 2))?;
        let limit = self.find(&LIMIT, |member| member.number().is_some_and(|limit| limit > 0))?;
        let start = if offset.number() == Some(1) { "=1" } else { "" };
        let by = format!("offset:{}{start},{}={}", offset.name, limit.name, limit.json);
        Guess::of(says(total, records), format!("{by};total={}", total.pointer))
    }

    fn total(&self, records: u64) -> Option<Guess> {
        let total = self.find(&TOTAL, |member| member.number().is_some_and(|total| total > records));
        let in_total = |member: &AnswerMember<'_>| {
            member.parent == "total" && member.number().is_some_and(|total| total > records)
        };
        let total = total.or_else(|| self.find(&["value"], in_total))?;
        Some(Guess { seen: says(total, records), rule: None })
    }
}

fn at(member: &AnswerMember<'_>) -> String {
    format!("a next page at {}", member.pointer)
}

fn is_true(member: &AnswerMember<'_>) -> String {
    format!("{} is true", member.pointer)
}

fn says(member: &AnswerMember<'_>, records: u64) -> String {
    format!("{} says {} where {records} came", member.pointer, member.json)
}

/// Not null, false, `""` or 0.
fn is_something(member: &AnswerMember<'_>) -> bool {
    member.text().is_some() || member.number().is_some_and(|number| number > 0)
}

/// By the number of a page, which begins with this one.
fn by_page(page: &AnswerMember<'_>) -> Option<String> {
    let param = if page.plain == "number" || page.plain == "currentpage" { "page" } else { &page.name };
    match page.number()? {
        1 => Some(format!("page:{param}")),
        0 => Some(format!("page:{param}=0")),
        _ => None,
    }
}

/// `nextPageToken` is sent back as `pageToken`, `next_cursor` as `cursor`.
fn behind_next(name: &str) -> String {
    let rest = name.get(4..).unwrap_or_default().trim_start_matches(['_', '-']);
    let mut characters = rest.chars();
    characters
        .next()
        .map_or_else(|| name.to_owned(), |first| first.to_lowercase().chain(characters).collect())
}

/// A name without case and signs.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn rule(headers: &[(&'static str, &'static str)], text: &str) -> Option<String> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers = HeaderMap::from_iter(headers);
        guess(&Clues { headers: &headers, text, records: 2, list: None })
            .map(|guess| guess.rule.unwrap_or_else(|| format!("? {}", guess.seen)))
    }

    #[test]
    fn what_apis_say_is_understood() {
        for (text, expected) in [
            (r#"{"count":5,"next":"http://h/?page=2","results":[]}"#, "next:/next"),
            (r#"{"_links":{"next":{"href":"/x?p=2"}},"items":[]}"#, "next:/_links/next/href"),
            (r#"{"links":{"next":"https://h/x"},"data":[]}"#, "next:/links/next"),
            (r#"{"@odata.nextLink":"https://h/x","value":[]}"#, "next:/@odata.nextLink"),
            (r#"{"nextRecordsUrl":"/s/q-2000","done":false,"totalSize":9}"#, "next:/nextRecordsUrl"),
            (r#"{"link":[{"relation":"next","url":"/u"}],"entry":[]}"#, "next:/link[relation=next]/url"),
            (
                r#"{"links":[{"rel":"self","href":"/"},{"rel":"next","href":"/u"}]}"#,
                "next:/links[rel=next]/href",
            ),
            (r#"{"paging":{"next":{"after":"3","link":"https://h"}}}"#, "cursor:/paging/next/after=after"),
            (
                r#"{"data":{"o":{"pageInfo":{"hasNextPage":true,"endCursor":"x"}}}}"#,
                "cursor:/data/o/pageInfo/endCursor=/variables/after;more=/data/o/pageInfo/hasNextPage",
            ),
            (r#"{"nextPageToken":"x"}"#, "cursor:/nextPageToken=pageToken"),
            (r#"{"response_metadata":{"next_cursor":"x"}}"#, "cursor:/response_metadata/next_cursor=cursor"),
            (r#"{"NextToken":"x"}"#, "cursor:/NextToken=NextToken"),
            (r#"{"object":"list","has_more":true,"next_cursor":"x"}"#, "cursor:/next_cursor=start_cursor"),
            (r#"{"object":"list","has_more":true}"#, "cursor:record:/id=starting_after;more=/has_more"),
            (r#"{"records":[],"offset":"itr/rec"}"#, "cursor:/offset=offset"),
            (r#"{"meta":{"next_page":2}}"#, "cursor:/meta/next_page=page"),
            (r#"{"page":1,"total_pages":9}"#, "page:page;pages=/total_pages"),
            (r#"{"content":[],"number":0,"last":false,"totalPages":3}"#, "page:page=0;last=/last"),
            (r#"{"startAt":0,"maxResults":50,"total":120}"#, "offset:startAt,maxResults=50;total=/total"),
            (
                r#"{"startIndex":1,"itemsPerPage":10,"totalResults":30}"#,
                "offset:startIndex=1,itemsPerPage=10;total=/totalResults",
            ),
            (r#"{"count":5003,"results":[]}"#, "? /count says 5003 where 2 came"),
            (r#"{"hits":{"total":{"value":10000}}}"#, "? /hits/total/value says 10000 where 2 came"),
            (r#"{"has_more":true}"#, "? /has_more is true"),
        ] {
            assert_eq!(rule(&[], text).as_deref(), Some(expected), "{text}");
        }
        for (headers, expected) in [
            (("link", "<u>; rel=\"next\""), "link"),
            (("x-next-page", "2"), "cursor:header:x-next-page=page"),
            (("x-wp-totalpages", "7"), "page:page;pages=header:x-wp-totalpages"),
            (("x-total-count", "7"), "page:page;total=header:x-total-count"),
        ] {
            assert_eq!(rule(&[headers], "[]").as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_all_is_all() {
        for text in [
            "",
            "[]",
            "no JSON",
            r#"{"count":2,"next":null,"previous":null,"results":[]}"#,
            r#"{"has_more":false,"next_cursor":"","paging":{}}"#,
            r#"{"pageInfo":{"hasNextPage":false,"endCursor":"x"}}"#,
            r#"{"links":[{"rel":"self","href":"/"}],"last":true,"totalPages":1}"#,
            r#"{"total":2,"offset":0,"limit":100}"#,
        ] {
            assert_eq!(rule(&[], text), None, "{text}");
        }
        assert_eq!(
            rule(&[("x-total-count", "2"), ("link", "<u>; rel=prev"), ("x-next-page", "")], "[]"),
            None
        );
    }
}

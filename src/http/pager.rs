//! Which request comes after which page. Pure: it neither sends nor waits.
//!
//! A page is never taken for the last one because something is odd: a request that was sent before, a page that came before, pages
//! without end, or the limit are errors. `next` links lead nowhere but to the origin of the first page.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault};

use http::header::{HeaderMap, LINK};
use serde::{Deserialize, Serialize};
use url::Url;
use xxhash_rust::xxh3::Xxh3Default;

use super::error::HttpError;
use super::origin::Origin;
use super::paginate::{By, Paginate, Param};
use super::pointer;
use super::query;
use super::request::Request;

/// Pages without a record in a row: some servers filter after they have paged; more than this is a cursor without end.
const EMPTY_IN_A_ROW_MAX: u32 = 100;

/// What a page was like.
#[derive(Debug, Clone, Copy)]
pub struct PageSeen<'a> {
    /// Where it came from at last, behind redirects: links are relative to it.
    pub url: &'a Url,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its text.
    pub text: &'a str,
    /// Records on it.
    pub records: u64,
    /// A digest of its records; equal ones are the same page again.
    pub digest: u64,
}

/// Where a pager stands, for the ledger: the page that is to be fetched, and what came before it. No secrets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PagerState {
    /// The request of the page.
    pub request: Request,
    /// Records on the pages before it.
    pub records: u64,
    /// Whether a full page was seen before.
    #[serde(default)]
    pub full_seen: bool,
}

/// The requests of one paged endpoint.
#[derive(Debug, Clone)]
pub struct Pager {
    paginate: Paginate,
    pages_max: u64,
    origin: Origin,
    current: Request,
    records: u64,
    full_seen: bool,
    empty_in_a_row: u32,
    requests_seen: HashSet<u64>,
    pages_seen: HashSet<u64>,
    /// A page had what the next one is named by, be it to say that there is none.
    named: bool,
}

impl Pager {
    /// Begins with an endpoint. The first request is [`Pager::request`].
    ///
    /// # Errors
    /// When a parameter is to be set in a body that has no place for it.
    pub fn new(paginate: Paginate, first: &Request, pages_max: u64) -> Result<Self, HttpError> {
        let mut current = first.clone();
        match &paginate.by {
            By::Page { param, start } => set(&mut current, param, &Token::Number(*start))?,
            By::Offset { param, limit_param, limit } => {
                set(&mut current, param, &Token::Number(0))?;
                set(&mut current, limit_param, &Token::Number(limit.get()))?;
            }
            By::Link | By::Next(_) | By::Cursor { .. } => {}
        }
        Ok(Self::at(
            paginate,
            first,
            PagerState { request: current, records: 0, full_seen: false },
            pages_max,
        ))
    }

    /// Goes on where another process stood. `first`: the endpoint, for its secrets and its origin.
    #[must_use]
    pub fn at(paginate: Paginate, first: &Request, state: PagerState, pages_max: u64) -> Self {
        let current = state.request.with_secrets(first);
        let requests_seen = HashSet::from([identity(&current)]);
        Self {
            paginate,
            pages_max,
            origin: Origin::of(&first.url),
            current,
            records: state.records,
            full_seen: state.full_seen,
            empty_in_a_row: 0,
            requests_seen,
            pages_seen: HashSet::new(),
            named: false,
        }
    }

    /// The request of the page that is to be fetched.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.current
    }

    /// The failure of the current page: one that is not there, behind others that are counted, may be how they end.
    #[must_use]
    pub fn failed(&self, error: HttpError) -> HttpError {
        let counted =
            matches!(self.paginate.by, By::Page { .. } | By::Offset { .. }) && self.current.page > 0;
        match &error {
            HttpError::Status { status, .. }
                if counted && matches!(status.as_u16(), 400 | 404 | 416 | 422) =>
            {
                HttpError::NoSuchPage { last: Box::new(error) }
            }
            _ => error,
        }
    }

    /// Where it stands, to be stored.
    #[must_use]
    pub fn state(&self) -> PagerState {
        PagerState { request: self.current.clone(), records: self.records, full_seen: self.full_seen }
    }

    /// The request of a page further on, where it can be known before the pages in between: for reading ahead.
    #[must_use]
    pub fn ahead(&self, pages: u64) -> Option<Request> {
        let mut request = self.current.clone();
        let (param, value) = match &self.paginate.by {
            By::Page { param, start } => (param, start + self.current.page + pages),
            // Only behind a full page: a server may give less than it is asked for.
            By::Offset { param, limit, .. } if self.full_seen => (param, self.records + pages * limit.get()),
            By::Offset { .. } | By::Link | By::Next(_) | By::Cursor { .. } => return None,
        };
        set(&mut request, param, &Token::Number(value)).ok()?;
        request.page += pages;
        Some(request)
    }

    /// Takes the current page, and says which one comes next; none behind the last.
    ///
    /// # Errors
    /// When the pages loop, repeat, have no end in sight, leave the origin, or do not say what they should.
    pub fn next(&mut self, seen: &PageSeen<'_>) -> Result<Option<Request>, HttpError> {
        self.records += seen.records;
        if seen.records > 0 {
            self.empty_in_a_row = 0;
            if !self.pages_seen.insert(seen.digest) {
                return Err(self.odd("come again: the same records were on an earlier page".to_owned()));
            }
        } else {
            self.empty_in_a_row += 1;
            if self.empty_in_a_row > EMPTY_IN_A_ROW_MAX {
                return Err(self.odd(format!("do not end: {EMPTY_IN_A_ROW_MAX} in a row have no records, and there is always a next one")));
            }
        }
        let Some(mut next) = self.candidate(seen)? else {
            self.named |= self.names(seen);
            return Ok(None);
        };
        self.named = true;
        next.page = self.current.page + 1;
        if !self.requests_seen.insert(identity(&next)) {
            return Err(self.odd(format!(
                "go round in a circle: page {} leads back to an earlier one",
                self.current.page + 1
            )));
        }
        if next.page >= self.pages_max {
            return Err(
                self.odd(format!("are more than the limit of {}; --max-pages allows more", self.pages_max))
            );
        }
        self.full_seen |= self.is_full(seen.records);
        self.current = next.clone();
        Ok(Some(next))
    }

    /// What was looked for in vain on all pages so far, where the next page should be named: rather a mistake in
    /// `--paginate` than an end.
    #[must_use]
    pub fn never_found(&self) -> Option<String> {
        match &self.paginate.by {
            _ if self.named => None,
            By::Link => Some("no Link header".to_owned()),
            By::Next(pointer) | By::Cursor { pointer, .. } => Some(format!("nothing at {pointer}")),
            By::Page { .. } | By::Offset { .. } => None,
        }
    }

    /// Whether a page has the place where the next one is named.
    fn names(&self, seen: &PageSeen<'_>) -> bool {
        match &self.paginate.by {
            By::Link => seen.headers.contains_key(LINK),
            By::Next(pointer) | By::Cursor { pointer, .. } => {
                let in_last_record = seen.records == 0 && pointer.contains("/-1");
                in_last_record || pointer::find(seen.text, pointer).is_ok_and(|found| found.is_some())
            }
            By::Page { .. } | By::Offset { .. } => true,
        }
    }

    fn candidate(&self, seen: &PageSeen<'_>) -> Result<Option<Request>, HttpError> {
        if self.is_last_by_rule(seen)? {
            return Ok(None);
        }
        let mut next = self.current.clone();
        match &self.paginate.by {
            By::Link => match links_next(seen.headers) {
                Some(link) => self.follow(seen.url, &link, &mut next)?,
                None => return Ok(None),
            },
            By::Next(pointer) => match self.scalar(seen, pointer)? {
                Some(link) => self.follow(seen.url, &link, &mut next)?,
                None => return Ok(None),
            },
            By::Cursor { pointer, param } => match self.cursor(seen, pointer, param)? {
                Some(token) => set(&mut next, param, &token)?,
                None => return Ok(None),
            },
            By::Page { param, start } => {
                if self.ends_here(seen)? {
                    return Ok(None);
                }
                set(&mut next, param, &Token::Number(start + self.current.page + 1))?;
            }
            By::Offset { param, .. } => {
                if self.ends_here(seen)? {
                    return Ok(None);
                }
                set(&mut next, param, &Token::Number(self.records))?;
            }
        }
        Ok(Some(next))
    }

    /// What total, number of pages and flag in the body say.
    fn is_last_by_rule(&self, seen: &PageSeen<'_>) -> Result<bool, HttpError> {
        let rules = &self.paginate.rules;
        if let Some(pointer) = &rules.more {
            match self.scalar(seen, pointer)?.as_deref() {
                Some("false" | "0") => return Ok(true),
                Some("true" | "1") => {}
                _ => return Err(self.odd(format!("have no flag at {pointer}"))),
            }
        }
        if let Some(pointer) = &rules.pages
            && self.current.page + 1 >= self.number(seen, pointer)?
        {
            return Ok(true);
        }
        if let Some(pointer) = &rules.total
            && self.records >= self.number(seen, pointer)?
        {
            return Ok(true);
        }
        Ok(false)
    }

    /// Pages by number end with an empty page, or with one that is shorter than a full one before it. A short *first* page may
    /// be all that the server gives at once: then the next one is asked for.
    fn ends_here(&self, seen: &PageSeen<'_>) -> Result<bool, HttpError> {
        let rules = &self.paginate.rules;
        let known = rules.total.is_some() || rules.pages.is_some() || rules.more.is_some();
        if known && seen.records == 0 {
            return Err(self.odd(format!(
                "end too early: page {} is empty, and the body says that there is more",
                self.current.page + 1
            )));
        }
        Ok(!known && (seen.records == 0 || (self.full_seen && !self.is_full(seen.records))))
    }

    fn is_full(&self, records: u64) -> bool {
        self.paginate.rules.size.is_none_or(|size| records >= size.get())
    }

    /// Follows a link of the server: to the same origin, or not at all.
    fn follow(&self, base: &Url, link: &str, next: &mut Request) -> Result<(), HttpError> {
        let url = base
            .join(link.trim())
            .map_err(|error| self.odd(format!("have a next link that is no URL ({error})")))?;
        if Origin::of(&url) != self.origin {
            return Err(self.odd(format!(
                "lead from {} to {}, which was not named",
                self.origin,
                Origin::of(&url)
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.odd("have a next link with a user's name in it".to_owned()));
        }
        next.take_url(url);
        Ok(())
    }

    /// The token of the next page; none at the end, which servers spell as null, `""`, `false`, 0, `[]`, or not at all.
    fn cursor(&self, seen: &PageSeen<'_>, pointer: &str, param: &Param) -> Result<Option<Token>, HttpError> {
        if seen.records == 0 && pointer.contains("/-1") {
            // The place is in the last record, and there is none.
            return Ok(None);
        }
        if matches!(param, Param::Query(_)) {
            let token = self.scalar(seen, pointer)?.filter(|token| token != "false").map(Token::Text);
            return Ok(token.filter(|token| !self.is_zero(token, param)));
        }
        self.has_parent(seen, pointer)?;
        let found =
            pointer::find(seen.text, pointer).map_err(|error| self.odd(format!("are not JSON ({error})")))?;
        let token = found.map(|raw| raw.get().to_owned());
        Ok(token
            .filter(|raw| !matches!(raw.as_str(), "null" | "false" | "\"\"" | "[]" | "{}"))
            .map(Token::Json)
            .filter(|token| !self.is_zero(token, param)))
    }

    /// Behind the last page some say 0: to begin again is no next page. Where 0 was a page of its own before, it is a circle, and
    /// on the first page it may be one.
    fn is_zero(&self, token: &Token, param: &Param) -> bool {
        let is_zero = matches!(token, Token::Text(text) | Token::Json(text) if text == "0");
        let mut next = self.current.clone();
        is_zero
            && self.current.page > 0
            && set(&mut next, param, token).is_ok()
            && !self.requests_seen.contains(&identity(&next))
    }

    /// Whether the page has what the pointer goes through: where that is missing, it is not the page that was meant.
    fn has_parent(&self, seen: &PageSeen<'_>, pointer: &str) -> Result<(), HttpError> {
        if let Some((parent, _)) = pointer.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            let there = pointer::find(seen.text, parent)
                .map_err(|error| self.odd(format!("are not JSON ({error})")))?;
            if there.is_none() {
                return Err(self.odd(format!(
                    "have nothing at {parent}, so it cannot be known whether this is the last one"
                )));
            }
        }
        Ok(())
    }

    fn scalar(&self, seen: &PageSeen<'_>, pointer: &str) -> Result<Option<String>, HttpError> {
        self.has_parent(seen, pointer)?;
        pointer::scalar(seen.text, pointer).map_err(|reason| {
            self.odd(format!("cannot be followed: page {} {reason}", self.current.page + 1))
        })
    }

    fn number(&self, seen: &PageSeen<'_>, pointer: &str) -> Result<u64, HttpError> {
        let text = self.scalar(seen, pointer)?;
        text.and_then(|text| text.parse().ok())
            .ok_or_else(|| self.odd(format!("have no number at {pointer}")))
    }

    fn odd(&self, reason: String) -> HttpError {
        HttpError::Pages { url: self.current.shown(), reason }
    }
}

/// What makes two requests the same.
fn identity(request: &Request) -> u64 {
    BuildHasherDefault::<Xxh3Default>::default().hash_one((request.url.as_str(), &request.body))
}

/// What names a page.
enum Token {
    Number(u64),
    /// A text for a query.
    Text(String),
    /// A JSON text for a body: a number stays a number, a text a text, a list of sort keys a list.
    Json(String),
}

fn set(request: &mut Request, param: &Param, value: &Token) -> Result<(), HttpError> {
    let (text, json) = match value {
        Token::Number(number) => (number.to_string(), number.to_string()),
        Token::Text(text) => (text.clone(), serde_json::Value::from(text.as_str()).to_string()),
        Token::Json(json) => (json.clone(), json.clone()),
    };
    match param {
        Param::Query(name) => query::set(&mut request.url, name, &text),
        Param::Body(pointer) => {
            let body = pointer::set(request.body.as_deref().unwrap_or_default(), pointer, &json);
            let body = body.map_err(|reason| HttpError::Pages {
                url: request.shown(),
                reason: format!("cannot be asked for: {reason}"),
            })?;
            request.method = super::Method::Post;
            request.body = Some(body);
        }
    }
    Ok(())
}

/// The target of `rel="next"`, over all Link headers (RFC 8288).
fn links_next(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(link_next)
}

fn link_next(mut text: &str) -> Option<String> {
    while let Some((_, rest)) = text.split_once('<') {
        let (target, rest) = rest.split_once('>')?;
        let end = end_of_parameters(rest);
        let is_next =
            rest[..end].split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value
                        .trim()
                        .trim_matches('"')
                        .split_ascii_whitespace()
                        .any(|rel| rel.eq_ignore_ascii_case("next"))
            });
        if is_next {
            return Some(target.to_owned());
        }
        text = &rest[end..];
    }
    None
}

/// Up to the comma that parts links, which is not one inside quotes.
fn end_of_parameters(text: &str) -> usize {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;

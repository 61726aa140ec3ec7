//! Which request comes after which page. Pure: it neither sends nor waits.
//!
//! A page is never taken for the last one because something is odd: a request that was sent before, a page
//! that came before, pages without end, or the limit are errors. `next` links lead nowhere but to the origin
//! of the first page.
//!
//! Where the server tells the next place, that alone says whether there is one: totals, short and empty pages
//! do not, since filtered lists have such. Where pages are counted, an empty one is the end, and a short one
//! behind a full one.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::num::NonZeroU64;

use http::StatusCode;
use http::header::{HeaderMap, LINK};
use serde::{Deserialize, Serialize};
use url::Url;
use xxhash_rust::xxh3::Xxh3Default;

use super::error::HttpError;
use super::guess::Guess;
use super::links;
use super::origin::Origin;
use super::paginate::{By, CursorField, LastPage, Paginate, Param};
use super::pointer;
use super::query;
use super::request::Request;
use super::response_field::ResponseField;

/// Pages without a record in a row: some servers filter after they have paged; more than this is rather a
/// cursor without end.
const EMPTY_IN_A_ROW_MAX: u32 = 3;

/// What to do about pages that end otherwise than they say.
const END_EMPTY: &str = "if an empty page is their end, say so: add ;end=empty to --paginate";

/// What a page was like.
#[derive(Debug, Clone, Copy)]
pub struct PageSeen<'a> {
    /// Where it came from at last, behind redirects: links are relative to it.
    pub url: &'a Url,
    /// The headers of the response.
    pub headers: &'a HeaderMap,
    /// The body of the page, as text.
    pub text: &'a str,
    /// The number of records on the page.
    pub records: u64,
    /// A digest of its records; equal ones are the same page again.
    pub digest: u64,
    /// The text of its last record.
    pub last: Option<&'a str>,
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
    /// The number of the first record, where the server has told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// The rule, where the first page has told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// The requests of one paged endpoint.
#[derive(Debug, Clone)]
pub struct Pager {
    paginate: Paginate,
    pages_max: u64,
    /// The first page: links lead to its origin, or nowhere.
    home: Url,
    current: Request,
    records: u64,
    full_seen: bool,
    /// The number of the first record, where the server has told another than it was asked for.
    start: Option<u64>,
    /// Records in all, as the last page said.
    total: Option<u64>,
    /// Pages in all, likewise.
    pages: Option<u64>,
    /// The largest page so far.
    largest: u64,
    /// The last page said that there is more, by a rule.
    more_said: bool,
    empty_in_a_row: u32,
    requests_seen: HashSet<u64>,
    pages_seen: HashSet<u64>,
    /// The last page had the records of an earlier one.
    has_come_again: bool,
    /// A page had what the next one is named by, be it to say that there is none.
    named: bool,
    /// What the first page has told, if it was to tell it.
    found: Option<Guess>,
    /// The rule is what a first page has told.
    is_found: bool,
}

impl Pager {
    /// Begins with an endpoint. The first request is [`Pager::request`].
    ///
    /// # Errors
    /// When a parameter is to be set in a body that has no place for it.
    pub fn new(paginate: Paginate, first: &Request, pages_max: u64) -> Result<Self, HttpError> {
        let mut current = first.clone();
        match &paginate.by {
            By::Page { param, start } => set(&mut current, param, &PageCursor::Number(*start))?,
            By::Offset { param, start, limit_param, limit } => {
                set(&mut current, param, &PageCursor::Number(start.unwrap_or_default()))?;
                set(&mut current, limit_param, &PageCursor::Number(limit.get()))?;
            }
            By::Auto | By::Link | By::Next(_) | By::Cursor { .. } => {}
        }
        let state = PagerState { request: current, records: 0, full_seen: false, start: None, rule: None };
        Ok(Self::at(paginate, first, state, pages_max))
    }

    /// Goes on where another process stood. `first`: the endpoint, for its secrets and its origin.
    #[must_use]
    pub fn at(paginate: Paginate, first: &Request, state: PagerState, pages_max: u64) -> Self {
        let current = state.request.with_secrets(first);
        let told = state.rule.and_then(|rule| rule.parse::<Paginate>().ok());
        let is_found = told.is_some();
        let paginate = match told {
            Some(told) => Paginate { same_origin: paginate.same_origin, ..told },
            None => paginate,
        };
        let requests_seen = HashSet::from([identity(&current)]);
        let named = current.page > 0;
        Self {
            paginate,
            pages_max,
            home: first.url.clone(),
            current,
            records: state.records,
            full_seen: state.full_seen,
            start: state.start,
            total: None,
            pages: None,
            largest: 0,
            more_said: false,
            empty_in_a_row: 0,
            requests_seen,
            pages_seen: HashSet::new(),
            has_come_again: false,
            // Only a page that names the next one has led to a later one.
            named,
            found: None,
            is_found,
        }
    }

    /// The request of the page that is to be fetched.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.current
    }

    /// The failure of the current page, unless that is how the pages before it end: nothing there (204), and
    /// where they are counted, no such page (404).
    ///
    /// # Errors
    /// The failure.
    pub fn ends_with(&self, error: HttpError) -> Result<(), HttpError> {
        let behind = self.current.page > 0;
        let counted = self.paginate.is_counted() && behind;
        match &error {
            HttpError::NoContent { .. } if behind && !self.more_said => Ok(()),
            HttpError::Status { status: StatusCode::NOT_FOUND, .. } if counted && !self.more_said => Ok(()),
            HttpError::Status { status, .. }
                if counted && matches!(status.as_u16(), 400 | 404 | 416 | 422) =>
            {
                Err(HttpError::NoSuchPage { last: Box::new(error) })
            }
            _ => Err(error),
        }
    }

    /// Where it stands, to be stored.
    #[must_use]
    pub fn state(&self) -> PagerState {
        let (request, records) = (self.current.clone(), self.records);
        let rule = self.is_found.then(|| self.paginate.flag());
        PagerState { request, records, full_seen: self.full_seen, start: self.start, rule }
    }

    /// The request of a page further on, where it can be known before the pages in between: for reading
    /// ahead.
    #[must_use]
    pub fn ahead(&self, pages: u64) -> Option<Request> {
        if pages > 0 && self.is_behind_end(pages) {
            return None;
        }
        let mut request = self.current.clone();
        let (param, value) = match &self.paginate.by {
            By::Page { param, start } => (param, start + self.current.page + pages),
            // Only behind a full page: a server may give less than it is asked for.
            By::Offset { param, limit, .. } if self.full_seen => {
                (param, self.first() + self.records + pages * limit.get())
            }
            By::Offset { .. } | By::Auto | By::Link | By::Next(_) | By::Cursor { .. } => return None,
        };
        set(&mut request, param, &PageCursor::Number(value)).ok()?;
        request.page += pages;
        Some(request)
    }

    /// Whether a page so much further on is behind the end that the server has told.
    fn is_behind_end(&self, pages: u64) -> bool {
        let size = self.paginate.rules.size.map_or(self.largest, NonZeroU64::get);
        self.pages.is_some_and(|in_all| self.current.page + pages >= in_all)
            || self.total.is_some_and(|total| self.records + pages * size >= total)
    }

    /// The number of the first record.
    fn first(&self) -> u64 {
        match &self.paginate.by {
            By::Offset { start, .. } => start.or(self.start).unwrap_or_default(),
            _ => 0,
        }
    }

    /// Takes the current page, and says which one comes next; none behind the last.
    ///
    /// # Errors
    /// When the pages loop, repeat, have no end in sight, leave the origin, or do not say what they should.
    pub fn next(&mut self, seen: &PageSeen<'_>) -> Result<Option<Request>, HttpError> {
        self.learn_rule(seen)?;
        self.learn_start(seen);
        self.records += seen.records;
        self.largest = self.largest.max(seen.records);
        if seen.records > 0 {
            self.empty_in_a_row = 0;
            if !self.pages_seen.insert(seen.digest) {
                self.has_come_again = true;
                return Err(self.odd("come again: the same records were on an earlier page".to_owned()));
            }
        } else {
            self.empty_in_a_row += 1;
        }
        let Some(mut next) = self.candidate(seen)? else {
            self.named |= self.names(seen);
            return Ok(None);
        };
        self.named = true;
        next.page = self.current.page + 1;
        let wanted = identity(&next);
        if seen.records == 0 && wanted == identity(&self.current) {
            // The place that was asked for, and nothing behind it: where what is new will be some day.
            return Ok(None);
        }
        if !self.requests_seen.insert(wanted) && !self.paginate.rules.stateful {
            return Err(self.odd(format!(
                "go round in a circle: page {} leads back to an earlier one",
                self.current.page + 1
            )));
        }
        if self.empty_in_a_row > EMPTY_IN_A_ROW_MAX {
            let reason = format!(
                "do not end: more than {EMPTY_IN_A_ROW_MAX} in a row have no records, and there is always a next one"
            );
            return Err(HttpError::Pages { url: self.current.shown(), reason, hint: Some(END_EMPTY.into()) });
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

    /// What was looked for in vain on all pages so far, where the next page should be named: rather a mistake
    /// in `--paginate` than an end.
    #[must_use]
    pub fn never_found(&self) -> Option<String> {
        match &self.paginate.by {
            _ if self.named => None,
            By::Link => Some("no Link header".to_owned()),
            By::Next(field) | By::Cursor { first: CursorField { field, .. }, .. } => Some(match field {
                ResponseField::Header(name) => format!("no header {name}"),
                ResponseField::Body(_) | ResponseField::LastRecord(_) => format!("nothing at {field}"),
            }),
            By::Auto | By::Page { .. } | By::Offset { .. } => None,
        }
    }

    /// The last page had the records of an earlier one, and leads nowhere.
    #[must_use]
    pub const fn has_come_again(&self) -> bool {
        self.has_come_again
    }

    /// The first page is to tell how pages lead to each other, and has not.
    #[must_use]
    pub fn finds_out(&self) -> bool {
        self.paginate.by == By::Auto && self.current.page == 0
    }

    /// Why it cannot: the first page is read as one record, with so many in this member of it.
    #[must_use]
    pub fn not_found_out(&self, member: &str, records: u64) -> HttpError {
        HttpError::Pages {
            url: self.current.shown(),
            reason: format!(
                "cannot be found out: the first one was read as one record, with {records} in {member:?}"
            ),
            hint: Some(format!("--records {member} reads them").into()),
        }
    }

    /// The first page was an export, and lies here.
    pub fn moved(&mut self, url: &Url) {
        self.current.get_instead(url.clone());
        self.home = url.clone();
    }

    /// What the first page has told about pages, once.
    pub const fn take_found(&mut self) -> Option<Guess> {
        self.found.take()
    }

    /// Whether a page has the place where the next one is named.
    fn names(&self, seen: &PageSeen<'_>) -> bool {
        match &self.paginate.by {
            By::Link => seen.headers.contains_key(LINK),
            By::Next(field) | By::Cursor { first: CursorField { field, .. }, .. } => self.has(seen, field),
            By::Auto | By::Page { .. } | By::Offset { .. } => true,
        }
    }

    fn candidate(&mut self, seen: &PageSeen<'_>) -> Result<Option<Request>, HttpError> {
        if self.is_last_by_rule(seen)? {
            return Ok(None);
        }
        let mut next = self.current.clone();
        match &self.paginate.by {
            // The first page has told of no other.
            By::Auto => return Ok(None),
            By::Link => match links::next(seen.headers) {
                Some(link) => self.follow(seen.url, &link, &mut next)?,
                None => return Ok(None),
            },
            By::Next(field) => match self.link(seen, field)? {
                Some(link) => self.follow(seen.url, &link, &mut next)?,
                None => return Ok(None),
            },
            By::Cursor { first, others } => {
                if !self.send_back(seen, first, others, &mut next)? {
                    return Ok(None);
                }
            }
            By::Page { param, start } => {
                if self.ends_here(seen)? {
                    return Ok(None);
                }
                set(&mut next, param, &PageCursor::Number(start + self.current.page + 1))?;
            }
            By::Offset { param, .. } => {
                if self.ends_here(seen)? {
                    return Ok(None);
                }
                set(&mut next, param, &PageCursor::Number(self.first() + self.records))?;
            }
        }
        Ok(Some(next))
    }

    /// Pages by number end with an empty page, or with one that is shorter than a full one before it. A short
    /// *first* page may be all that the server gives at once: then the next one is asked for.
    fn ends_here(&self, seen: &PageSeen<'_>) -> Result<bool, HttpError> {
        if self.more_said && seen.records == 0 {
            let page = self.current.page + 1;
            let reason = format!("end too early: page {page} is empty, and the body says that there is more");
            return Err(HttpError::Pages { url: self.current.shown(), reason, hint: Some(END_EMPTY.into()) });
        }
        Ok(!self.more_said && (seen.records == 0 || (self.full_seen && !self.is_full(seen.records))))
    }

    fn is_full(&self, records: u64) -> bool {
        self.paginate.rules.size.is_none_or(|size| records >= size.get())
    }

    fn odd(&self, reason: String) -> HttpError {
        HttpError::Pages { url: self.current.shown(), reason, hint: None }
    }
}

/// What makes two requests the same.
fn identity(request: &Request) -> u64 {
    BuildHasherDefault::<Xxh3Default>::default().hash_one((request.url.as_str(), &request.body))
}

/// What names a page.
enum PageCursor {
    Number(u64),
    /// A text for a query.
    Text(String),
    /// A JSON text for a body: a number stays a number, a text a text, a list of sort keys a list.
    Json(String),
}

fn set(request: &mut Request, param: &Param, value: &PageCursor) -> Result<(), HttpError> {
    let (text, json) = match value {
        PageCursor::Number(number) => (number.to_string(), number.to_string()),
        PageCursor::Text(text) => (text.clone(), serde_json::Value::from(text.as_str()).to_string()),
        PageCursor::Json(json) => (json.clone(), json.clone()),
    };
    match param {
        Param::Query(name) => query::set(&mut request.url, name, &text),
        Param::Body(pointer) => {
            let body = pointer::set(request.body.as_deref().unwrap_or_default(), pointer, &json);
            let body = body.map_err(|reason| HttpError::Pages {
                url: request.shown(),
                reason: format!("cannot be asked for: {reason}"),
                hint: None,
            })?;
            request.method = super::Method::Post;
            request.body = Some(body);
        }
    }
    Ok(())
}

mod ends;
mod found;
mod place;
#[cfg(test)]
mod tests;

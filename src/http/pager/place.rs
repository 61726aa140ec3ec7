//! Where the next page is: links that are followed, tokens that are sent back.

use url::Url;

use super::{HttpError, Origin, PageCursor, PageSeen, Pager, Param, ResponseField, identity, set};
use crate::http::paginate::CursorField;
use crate::http::pointer;
use crate::http::post::BodyKind;
use crate::http::request::{Method, Request};

/// What to do about links to another origin.
const SAME_ORIGIN: &str = "if that is the same server by another name, --same-origin follows its links on the scheme and host of the first page";

impl Pager {
    /// Follows a link of the server: to the same origin, or not at all.
    pub(super) fn follow(&self, base: &Url, link: &str, next: &mut Request) -> Result<(), HttpError> {
        let mut url = base
            .join(link.trim())
            .map_err(|error| self.odd(format!("have a next link that is no URL ({error})")))?;
        if self.paginate.same_origin && matches!(url.scheme(), "http" | "https") {
            // What cannot be set is still elsewhere, and refused below.
            let _ = url.set_scheme(self.home.scheme());
            let _ = url.set_host(self.home.host_str());
            let _ = url.set_port(self.home.port());
        }
        let (home, there) = (Origin::of(&self.home), Origin::of(&url));
        if there != home {
            let reason = format!("lead from {home} to {there}, which was not named");
            return Err(HttpError::Pages {
                url: self.current.shown(),
                reason,
                hint: Some(SAME_ORIGIN.into()),
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.odd("have a next link with a user's name in it".to_owned()));
        }
        next.take_url(url);
        Ok(())
    }

    /// The URL of the next page; some have it in an object: `{"href": URL}`.
    pub(super) fn link(
        &self,
        seen: &PageSeen<'_>,
        field: &ResponseField,
    ) -> Result<Option<String>, HttpError> {
        if let ResponseField::Body(pointer) = field
            && let Ok(Some(found)) = pointer::find(seen.text, pointer)
            && found.get().starts_with('{')
        {
            return self.scalar(seen, &ResponseField::Body(format!("{pointer}/href")));
        }
        self.scalar(seen, field)
    }

    /// Sets the tokens of the next page in its request; false: the first one is not there, which is the end.
    pub(super) fn send_back(
        &self,
        seen: &PageSeen<'_>,
        first: &CursorField,
        others: &[CursorField],
        next: &mut Request,
    ) -> Result<bool, HttpError> {
        let Some(token) = self.token(seen, first)? else { return Ok(false) };
        if let Some(then) = &self.paginate.rules.then {
            (next.method, next.body, next.body_kind) = (Method::Get, None, BodyKind::Json);
            self.follow(seen.url, then, next)?;
        }
        set(next, &first.param, &token)?;
        for other in others {
            if let Some(token) = self.token(seen, other)? {
                set(next, &other.param, &token)?;
            }
        }
        Ok(true)
    }

    /// The token of the next page; none at the end, which servers spell as null, `""`, `false`, 0, `[]`, or
    /// not at all.
    fn token(&self, seen: &PageSeen<'_>, cursor: &CursorField) -> Result<Option<PageCursor>, HttpError> {
        let CursorField { field, param } = cursor;
        let (text, pointer) = match field {
            // The place is in the last record, and there is none.
            ResponseField::Body(pointer) if seen.records == 0 && pointer.contains("/-1") => return Ok(None),
            ResponseField::Body(pointer) => (seen.text, pointer),
            ResponseField::LastRecord(pointer) => match seen.last {
                Some(last) => (last, pointer),
                None => return Ok(None),
            },
            ResponseField::Header(_) => {
                let token = self.scalar(seen, field)?.filter(|token| token != "false").map(PageCursor::Text);
                return Ok(token.filter(|token| !self.is_zero(token, param)));
            }
        };
        if matches!(param, Param::Query(_)) {
            let token = self.scalar(seen, field)?.filter(|token| token != "false").map(PageCursor::Text);
            return Ok(token.filter(|token| !self.is_zero(token, param)));
        }
        let found =
            pointer::find(text, pointer).map_err(|error| self.odd(format!("are not JSON ({error})")))?;
        let token = found.map(|raw| raw.get().to_owned());
        Ok(token
            .filter(|raw| !matches!(raw.as_str(), "null" | "false" | "\"\"" | "[]" | "{}"))
            .map(PageCursor::Json)
            .filter(|token| !self.is_zero(token, param)))
    }

    /// Behind the last page some say 0: to begin again is no next page. Where 0 was a page of its own before,
    /// it is a circle, and on the first page it may be one.
    fn is_zero(&self, token: &PageCursor, param: &Param) -> bool {
        let is_zero = matches!(token, PageCursor::Text(text) | PageCursor::Json(text) if text == "0");
        let mut next = self.current.clone();
        is_zero
            && self.current.page > 0
            && set(&mut next, param, token).is_ok()
            && !self.requests_seen.contains(&identity(&next))
    }

    /// A text or the digits of a number where the answer has it; none for null, `""` and what is not there.
    pub(super) fn scalar(
        &self,
        seen: &PageSeen<'_>,
        field: &ResponseField,
    ) -> Result<Option<String>, HttpError> {
        let page = self.current.page + 1;
        let found = match field {
            ResponseField::Body(pointer) => pointer::scalar(seen.text, pointer),
            ResponseField::LastRecord(pointer) => {
                seen.last.map_or(Ok(None), |last| pointer::scalar(last, pointer))
            }
            ResponseField::Header(name) => match seen.headers.get(name).map(|value| value.to_str()) {
                None => Ok(None),
                Some(Ok(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
                Some(Err(_)) => Err(format!("has no text in the header {name}")),
            },
        };
        found.map_err(|reason| self.odd(format!("cannot be followed: page {page} {reason}")))
    }

    /// Whether a page has the place, be it to say that nothing is there.
    pub(super) fn has(&self, seen: &PageSeen<'_>, field: &ResponseField) -> bool {
        let is_there =
            |text: &str, pointer: &str| pointer::find(text, pointer).is_ok_and(|found| found.is_some());
        match field {
            ResponseField::Header(name) => seen.headers.contains_key(name),
            ResponseField::LastRecord(pointer) => seen.last.is_none_or(|last| is_there(last, pointer)),
            ResponseField::Body(pointer) => {
                let in_last_record = seen.records == 0 && pointer.contains("/-1");
                in_last_record || is_there(seen.text, pointer)
            }
        }
    }
}

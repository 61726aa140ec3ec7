//! The rule that the first page tells by itself (`--paginate auto`).

use super::{By, HttpError, PageCursor, PageSeen, Pager, set};
use crate::http::guess::{Clues, guess};
use crate::http::paginate::Paginate;

/// What to do about pages of which no rule can be told.
const NO_RULE: &str = "say how pages lead to each other: --paginate link, next:/POINTER, cursor:/POINTER=PARAM, page:PARAM or offset:PARAM,LIMIT_PARAM=N";

impl Pager {
    /// Takes the rule that the first page tells, where it was to be found out. A page that tells nothing of
    /// others is the only one.
    ///
    /// # Errors
    /// When there is more, and no rule that would follow it is known.
    pub(super) fn learn_rule(&mut self, seen: &PageSeen<'_>) -> Result<(), HttpError> {
        if self.paginate.by != By::Auto {
            return Ok(());
        }
        let clues = Clues { headers: seen.headers, text: seen.text, records: seen.records, list: None };
        let Some(found) = guess(&clues) else { return Ok(()) };
        let rule = found.rule.as_deref().and_then(|rule| rule.parse::<Paginate>().ok());
        let Some(rule) = rule else {
            let reason = format!("go on, and not in a way that is known: there is {}", found.seen);
            return Err(HttpError::Pages { url: self.current.shown(), reason, hint: Some(NO_RULE.into()) });
        };
        if let By::Offset { limit_param, limit, .. } = &rule.by {
            set(&mut self.current, limit_param, &PageCursor::Number(limit.get()))?;
        }
        self.paginate = Paginate { same_origin: self.paginate.same_origin, ..rule };
        self.is_found = true;
        self.found = Some(found);
        Ok(())
    }
}

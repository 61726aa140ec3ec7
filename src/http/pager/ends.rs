//! What a page says about the end beside its place for the next one: totals, flags, and where the first
//! record stands.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{By, HttpError, LastPage, PageSeen, Pager, Param, ResponseField};
use crate::http::pointer;

/// Ways to say that a number of records is at least so much, or about so much.
const INEXACT: [&str; 7] = ["gte", "gt", "estimate", "approx", "atleast", "lowerbound", "partial"];
/// Names of flags that say so.
const INEXACT_FLAGS: [&str; 6] = ["estimate", "approx", "lowerbound", "atleast", "incomplete", "capped"];

impl Pager {
    /// What total, number of pages, flags and the size say.
    pub(super) fn is_last_by_rule(&mut self, seen: &PageSeen<'_>) -> Result<bool, HttpError> {
        self.more_said = false;
        let rules = &self.paginate.rules;
        if (rules.end.is_some() || rules.stateful) && seen.records == 0 {
            return Ok(true);
        }
        if rules.end == Some(LastPage::Short) && self.full_seen && !self.is_full(seen.records) {
            return Ok(true);
        }
        let (more, last) = (rules.more.clone(), rules.last.clone());
        if let Some(field) = more {
            match self.flag(seen, &field)? {
                Some(true) => self.more_said = true,
                Some(false) => return Ok(true),
                None if self.current.page == 0 => {
                    return Err(self.odd(format!("have no flag at {field}")));
                }
                // It was there before. Where the next place is told, that says it.
                None if self.paginate.is_counted() => return Ok(true),
                None => {}
            }
        }
        if let Some(field) = last {
            // Some have it on the last page alone.
            match self.flag(seen, &field)? {
                Some(true) => return Ok(true),
                Some(false) => self.more_said = true,
                None => {}
            }
        }
        Ok(self.paginate.is_counted() && self.is_all(seen)?)
    }

    /// Whether as many records or pages have come as there are in all. A number that is said to be no exact
    /// one does not tell.
    fn is_all(&mut self, seen: &PageSeen<'_>) -> Result<bool, HttpError> {
        let (pages, total) = (self.paginate.rules.pages.clone(), self.paginate.rules.total.clone());
        if let Some(field) = pages {
            self.pages = self.in_all(seen, &field)?;
        }
        if let Some(field) = total {
            self.total = self.in_all(seen, &field)?;
            let is_reached = self.total.is_some_and(|total| self.records >= total);
            if is_reached && field.in_body().is_some_and(|pointer| is_inexact(seen.text, pointer)) {
                self.total = None;
            }
        }
        self.more_said |= self.pages.is_some() || self.total.is_some();
        Ok(self.pages.is_some_and(|pages| self.current.page + 1 >= pages)
            || self.total.is_some_and(|total| self.records >= total))
    }

    /// The number at a place; none where a later page does not repeat it, or it is at least so much
    /// (`1000+`).
    fn in_all(&self, seen: &PageSeen<'_>, field: &ResponseField) -> Result<Option<u64>, HttpError> {
        let text = match self.scalar(seen, field)? {
            None if self.current.page > 0 => return Ok(None),
            text => text.unwrap_or_default(),
        };
        // As in `Content-Range: items 0-99/5003`.
        let text = text.rsplit('/').next().unwrap_or_default().trim().to_owned();
        if text == "*" {
            return Ok(None);
        }
        // -1 is how some say that they do not know.
        if text.ends_with('+') || text.starts_with(['>', '~', '-']) {
            return Ok(None);
        }
        let digits = text.split_once('.').filter(|(_, rest)| rest.bytes().all(|digit| digit == b'0'));
        let number = digits.map_or(text.as_str(), |(digits, _)| digits).parse();
        number.map(Some).map_err(|_| self.odd(format!("have no number at {field}")))
    }

    fn flag(&self, seen: &PageSeen<'_>, field: &ResponseField) -> Result<Option<bool>, HttpError> {
        let Some(text) = self.scalar(seen, field)? else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "t" => Ok(Some(true)),
            "false" | "no" | "n" | "f" => Ok(Some(false)),
            number => {
                let number: Result<f64, _> = number.parse();
                number.map(|left| Some(left > 0.0)).map_err(|_| self.odd(format!("have no flag at {field}")))
            }
        }
    }

    /// Who was asked for the records from 0 on and says that they begin at 1 counts from 1: the second page
    /// begins one further on. Told by the reply's own member of the parameter's name. With a single record it
    /// may as well be the number of the next one.
    pub(super) fn learn_start(&mut self, seen: &PageSeen<'_>) {
        let By::Offset { param, start: None, .. } = &self.paginate.by else { return };
        if self.current.page > 0 || seen.records < 2 {
            return;
        }
        let name = match param {
            Param::Query(name) => name.as_str(),
            Param::Body(pointer) => pointer.rsplit('/').next().unwrap_or_default(),
        };
        let told = |object: &BTreeMap<String, &RawValue>| {
            let mut members = object.iter();
            let value = members.find(|(member, _)| plain(member) == plain(name))?.1.get().trim_matches('"');
            value.parse::<u64>().ok()
        };
        let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(seen.text) else { return };
        let inner = || {
            let objects = members.values().filter(|value| value.get().starts_with('{'));
            objects
                .filter_map(|value| serde_json::from_str(value.get()).ok())
                .find_map(|object| told(&object))
        };
        self.start = told(&members).or_else(inner).filter(|start| *start == 1);
    }
}

/// A name without case and signs.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether what stands beside a number of records says that it is no exact one.
fn is_inexact(text: &str, pointer: &str) -> bool {
    let Some((parent, _)) = pointer.rsplit_once('/') else { return false };
    let Ok(Some(object)) = pointer::find(text, parent) else { return false };
    let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(object.get()) else { return false };
    members.iter().any(|(name, value)| {
        let name = plain(name);
        let says = |words: &[&str], text: &str| words.iter().any(|word| text.contains(word));
        match value.get() {
            "true" => says(&INEXACT_FLAGS, &name),
            "false" => name.contains("exact") || name.contains("accurate"),
            value if value.starts_with('"') && value.len() < 40 => {
                says(&["relation", "total", "count", "precision"], &name) && says(&INEXACT, &plain(value))
            }
            _ => false,
        }
    })
}

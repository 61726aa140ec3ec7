//! The grammar of `--paginate`: how an endpoint names its next page, and how its last one is known.
//!
//! ```text
//! link                              the Link header, rel="next"
//! next:/POINTER                     a URL in the body
//! cursor:/POINTER=PARAM             a token in the body, sent back as a parameter
//! page:PARAM[=START]                1, 2, 3, .. (or from START)
//! offset:PARAM[=START],LIMIT_PARAM=N  0, N, 2N, .. (or from START)
//! ```
//!
//! Rules may follow, each behind a `;`: `total=/POINTER` (records in all), `pages=/POINTER` (pages in all),
//! `more=/POINTER` (a flag: is there more), `last=/POINTER` (a flag: is this the last one), `size=N` (records
//! of a full page), `end=empty` (an empty page is the end, also where it names a next one), `end=short` (so
//! is one of fewer than `size` records). A PARAM that begins with `/` is a pointer into the JSON body of a
//! POST.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// How the next page is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paginate {
    /// Where it is named.
    pub by: By,
    /// When it is the last.
    pub rules: Rules,
}

/// Where the next page is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The URL of the header `Link` with `rel="next"`.
    Link,
    /// A URL in the body, at this pointer.
    Next(String),
    /// A token in the body, sent back as a parameter.
    Cursor {
        /// JSON Pointer to the cursor in the body.
        pointer: String,
        /// The parameter that says where.
        param: Param,
    },
    /// Pages are asked for by their number.
    Page {
        /// The parameter that says where.
        param: Param,
        /// The first page's number.
        start: u64,
    },
    /// Records are asked for by the number of the first.
    Offset {
        /// The parameter for the first record.
        param: Param,
        /// The first record's number, if it was said: servers count from 0, or from 1 as SCIM does.
        start: Option<u64>,
        /// The parameter for how many.
        limit_param: Param,
        /// Records that are asked for with one request.
        limit: NonZeroU64,
    },
}

/// A parameter of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// In the query of the URL.
    Query(String),
    /// In the JSON body, at this pointer.
    Body(String),
}

/// When a page is the last one, beyond what its place says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Where the body says how many records there are.
    pub total: Option<String>,
    /// Where the body says how many pages there are.
    pub pages: Option<String>,
    /// Where the body says whether there is more.
    pub more: Option<String>,
    /// Where the body says whether this is the last one.
    pub last: Option<String>,
    /// Records of a full page.
    pub size: Option<NonZeroU64>,
    /// What ends pages that name a next one all the same.
    pub end: Option<LastPage>,
}

/// What a page is like that is the last one although it names a next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastPage {
    /// It has no records.
    Empty,
    /// It has fewer than a full one.
    Short,
}

impl FromStr for Paginate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(';');
        let by = by(parts.next().unwrap_or_default().trim())?;
        let mut rules = Rules::default();
        for rule in parts {
            let (name, value) = rule.trim().split_once('=').ok_or_else(|| {
                format!(
                    "{rule:?} is no rule; write ;total=/POINTER, ;pages=/POINTER, ;more=/POINTER, ;last=/POINTER, ;size=N or ;end=empty"
                )
            })?;
            match name.trim() {
                "total" => rules.total = Some(pointer(value)?),
                "pages" => rules.pages = Some(pointer(value)?),
                "more" => rules.more = Some(pointer(value)?),
                "last" => rules.last = Some(pointer(value)?),
                "size" => rules.size = Some(number(value)?),
                "end" => rules.end = Some(end(value)?),
                other => {
                    return Err(format!(
                        "{other:?} is no rule; there are total, pages, more, last, size and end"
                    ));
                }
            }
        }
        if let By::Offset { limit, .. } = &by {
            rules.size.get_or_insert(*limit);
        }
        if rules.end == Some(LastPage::Short) && rules.size.is_none() {
            return Err("end=short needs ;size=N: the records of a full page".to_owned());
        }
        Ok(Self { by, rules })
    }
}

/// The pagination, in words for people.
impl fmt::Display for Paginate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            By::Link => write!(out, "by the Link header")?,
            By::Next(pointer) => write!(out, "by the URL at {pointer}")?,
            By::Cursor { pointer, param } => write!(out, "by the token at {pointer}, sent back as {param}")?,
            By::Page { param, start } => {
                write!(out, "by number: {param} = {start}, {}, ..", start.saturating_add(1))?
            }
            By::Offset { param, start, limit_param, limit } => {
                let first = start.unwrap_or_default();
                let second = first.saturating_add(limit.get());
                write!(
                    out,
                    "by number of records: {param} = {first}, {second}, .. with {limit_param} = {limit}"
                )?;
            }
        }
        let Rules { total, pages, more, last, size, end } = &self.rules;
        let counts = self.is_counted();
        let told = match &self.by {
            By::Link | By::Next(_) => "to the one that names no next",
            By::Cursor { .. } => "to the one without such a token",
            By::Page { .. } | By::Offset { .. } => "to the first empty one",
        };
        write!(out, "; {told}")?;
        let said = [("records", total), ("pages", pages)];
        for (what, pointer) in said.iter().filter_map(|(what, pointer)| Some((what, (*pointer).as_ref()?))) {
            if counts {
                write!(out, ", or as many {what} as {pointer} says")?;
            }
        }
        if let Some(pointer) = more {
            write!(out, ", or where {pointer} says that there is no more")?;
        }
        if let Some(pointer) = last {
            write!(out, ", or where {pointer} says that it is the last")?;
        }
        if !counts && end.is_some() {
            write!(out, ", or an empty one")?;
        }
        match (size, end) {
            (Some(size), Some(LastPage::Short)) => write!(out, ", or one of fewer than {size} records"),
            (Some(size), _) if counts => {
                write!(out, ", or one of fewer than {size} records behind a full one")
            }
            _ => Ok(()),
        }
    }
}

impl Paginate {
    /// Whether pages are counted here: where they are not, the server tells where the next one is, and that
    /// alone says whether there is one.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        matches!(self.by, By::Page { .. } | By::Offset { .. })
    }

    /// As the flag is written.
    #[must_use]
    pub fn flag(&self) -> String {
        let by = match &self.by {
            By::Link => "link".to_owned(),
            By::Next(pointer) => format!("next:{pointer}"),
            By::Cursor { pointer, param } => format!("cursor:{pointer}={}", param.flag()),
            By::Page { param, start } => format!("page:{}={start}", param.flag()),
            By::Offset { param, start, limit_param, limit } => {
                let start = start.map_or_else(String::new, |start| format!("={start}"));
                format!("offset:{}{start},{}={limit}", param.flag(), limit_param.flag())
            }
        };
        let Rules { total, pages, more, last, size, end } = &self.rules;
        let places = [("total", total), ("pages", pages), ("more", more), ("last", last)];
        let places =
            places.iter().filter_map(|(name, place)| Some(format!(";{name}={}", (*place).as_ref()?)));
        let implied = matches!(&self.by, By::Offset { limit, .. } if Some(*limit) == *size);
        let size = size.filter(|_| !implied).map(|size| format!(";size={size}"));
        let end = end.map(|end| format!(";end={}", if end == LastPage::Empty { "empty" } else { "short" }));
        places.chain(size).chain(end).fold(by, |flag, rule| flag + &rule)
    }

    /// As 0.1.0 stored it with a run; `None` for what it could not say.
    #[must_use]
    pub fn stored_before(&self) -> Option<String> {
        let by = match &self.by {
            By::Offset { start: Some(_), .. } => return None,
            By::Offset { param, start: None, limit_param, limit } => {
                format!("Offset {{ param: {param:?}, limit_param: {limit_param:?}, limit: {limit:?} }}")
            }
            other => format!("{other:?}"),
        };
        let Rules { total, pages, more, last: None, size, end: None } = &self.rules else { return None };
        Some(format!(
            "Paginate {{ by: {by}, rules: Rules {{ total: {total:?}, pages: {pages:?}, more: {more:?}, size: {size:?} }} }}"
        ))
    }
}

impl Param {
    /// As it is written in the flag.
    fn flag(&self) -> &str {
        match self {
            Self::Query(text) | Self::Body(text) => text,
        }
    }
}

impl fmt::Display for Param {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(name) => write!(out, "{name}"),
            Self::Body(pointer) => write!(out, "{pointer} of the request"),
        }
    }
}

fn by(text: &str) -> Result<By, String> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "link" if rest.is_empty() => Ok(By::Link),
        "next" => Ok(By::Next(pointer(rest)?)),
        "cursor" => {
            let (at, name) = rest.rsplit_once('=').ok_or("write it as cursor:/POINTER=PARAM")?;
            Ok(By::Cursor { pointer: pointer(at)?, param: param(name)? })
        }
        "page" => {
            let (name, start) =
                rest.split_once('=').map_or((rest, Ok(1)), |(name, start)| (name, start.trim().parse()));
            let start = start.map_err(|_| format!("{rest:?}: the first page's number is not a number"))?;
            Ok(By::Page { param: param(name)?, start })
        }
        "offset" => {
            let wrong = "write it as offset:PARAM[=START],LIMIT_PARAM=N";
            let (name, limit) = rest.split_once(',').ok_or(wrong)?;
            let (limit_name, limit) = limit.split_once('=').ok_or(wrong)?;
            let (name, start) =
                name.split_once('=').map_or((name, None), |(name, start)| (name, Some(start)));
            let start = start.map(|start| start.trim().parse()).transpose();
            let start = start.map_err(|_| format!("{rest:?}: the first record's number is not a number"))?;
            let (limit_param, limit) = (param(limit_name)?, number(limit)?);
            Ok(By::Offset { param: param(name)?, start, limit_param, limit })
        }
        _ => Err(format!(
            "{text:?} is no way to paginate; write link, next:/POINTER, cursor:/POINTER=PARAM, page:PARAM[=START] or offset:PARAM[=START],LIMIT_PARAM=N"
        )),
    }
}

fn pointer(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.starts_with('/') && text.len() > 1 {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no JSON pointer; write it as /meta/next"))
}

fn param(text: &str) -> Result<Param, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the parameter has no name".to_owned());
    }
    if text.starts_with('/') { pointer(text).map(Param::Body) } else { Ok(Param::Query(text.to_owned())) }
}

fn end(text: &str) -> Result<LastPage, String> {
    match text.trim() {
        "empty" => Ok(LastPage::Empty),
        "short" => Ok(LastPage::Short),
        other => Err(format!("{other:?} is no end; there are empty and short")),
    }
}

fn number(text: &str) -> Result<NonZeroU64, String> {
    text.trim().parse().map_err(|_| format!("{text:?} is not a number of records"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let by = |text: &str| text.parse::<Paginate>().unwrap().by;
        let query = |name: &str| Param::Query(name.to_owned());
        assert_eq!(by("link"), By::Link);
        assert_eq!(by("next:/links/next"), By::Next("/links/next".to_owned()));
        assert_eq!(
            by("cursor:/meta/cursor=after"),
            By::Cursor { pointer: "/meta/cursor".to_owned(), param: query("after") }
        );
        assert_eq!(
            by("cursor:/c=/page/cursor"),
            By::Cursor { pointer: "/c".to_owned(), param: Param::Body("/page/cursor".to_owned()) }
        );
        assert_eq!(by("page:p"), By::Page { param: query("p"), start: 1 });
        assert_eq!(by("page:p=0"), By::Page { param: query("p"), start: 0 });
        let limit = NonZeroU64::new(50).unwrap();
        assert_eq!(
            by("offset:skip,take=50"),
            By::Offset { param: query("skip"), start: None, limit_param: query("take"), limit }
        );
        let scim =
            By::Offset { param: query("startIndex"), start: Some(1), limit_param: query("count"), limit };
        assert_eq!(by("offset:startIndex=1,count=50"), scim);
        let rules = "page:p;total=/t;more=/m;pages=/n;size=10".parse::<Paginate>().unwrap().rules;
        assert_eq!(
            (
                rules.total.as_deref(),
                rules.more.as_deref(),
                rules.pages.as_deref(),
                rules.size.map(NonZeroU64::get)
            ),
            (Some("/t"), Some("/m"), Some("/n"), Some(10))
        );
        assert_eq!("offset:o,l=7".parse::<Paginate>().unwrap().rules.size.map(NonZeroU64::get), Some(7));
    }

    #[test]
    fn in_words() {
        for (text, words) in [
            ("link", "by the Link header; to the one that names no next"),
            (
                "next:/n;more=/m",
                "by the URL at /n; to the one that names no next, or where /m says that there is no more",
            ),
            (
                "cursor:/c=/after;total=/t;last=/l;end=empty",
                "by the token at /c, sent back as /after of the request; to the one without such a token, or where /l says that it is the last, or an empty one",
            ),
            (
                "page:p=0;total=/t;pages=/n",
                "by number: p = 0, 1, ..; to the first empty one, or as many records as /t says, or as many pages as /n says",
            ),
            (
                "offset:o=1,l=50",
                "by number of records: o = 1, 51, .. with l = 50; to the first empty one, or one of fewer than 50 records behind a full one",
            ),
        ] {
            assert_eq!(text.parse::<Paginate>().unwrap().to_string(), words);
        }
    }

    #[test]
    fn flags_are_written_as_they_are_read_and_those_of_before_are_known() {
        for text in [
            "link",
            "next:/n;more=/m",
            "cursor:/c=/after;last=/l;end=empty",
            "page:p=0;total=/t;pages=/n;size=10",
            "offset:o=1,l=50;total=/t",
            "offset:o,l=50;size=20;end=short",
        ] {
            assert_eq!(text.parse::<Paginate>().unwrap().flag(), text);
        }
        let before = |text: &str| text.parse::<Paginate>().unwrap().stored_before();
        assert_eq!(
            before("offset:o,l=50").as_deref(),
            Some(
                "Paginate { by: Offset { param: Query(\"o\"), limit_param: Query(\"l\"), limit: 50 }, rules: Rules { total: None, pages: None, more: None, size: Some(50) } }"
            )
        );
        assert_eq!(
            before("cursor:/c=after;more=/m").as_deref(),
            Some(
                "Paginate { by: Cursor { pointer: \"/c\", param: Query(\"after\") }, rules: Rules { total: None, pages: None, more: Some(\"/m\"), size: None } }"
            )
        );
        assert_eq!(before("offset:o=1,l=50"), None);
        assert_eq!(before("link;last=/l"), None);
    }

    #[test]
    fn what_is_none_is_refused() {
        for wrong in [
            "",
            "links",
            "link:x",
            "next",
            "next:",
            "next:links",
            "next:/",
            "cursor:/a",
            "cursor:a=b",
            "cursor:/a=",
            "page:",
            "page:p=x",
            "page:p=-1",
            "offset:o",
            "offset:o,l",
            "offset:o,l=0",
            "offset:,l=1",
            "page:p;",
            "page:p;total=t",
            "page:p;size=0",
            "page:p;sum=/x",
            "offset:o=x,l=1",
            "link;end=never",
            "link;end=short",
        ] {
            assert!(wrong.parse::<Paginate>().is_err(), "{wrong}");
        }
    }
}

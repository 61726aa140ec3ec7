//! The grammar of `--paginate`: how an endpoint names its next page, and how its last one is known.
//!
//! ```text
//! link                              the Link header, rel="next"
//! next:FIELD                        a URL that the answer has
//! cursor:FIELD=PARAM[,FIELD=PARAM]  a token that it has, sent back as a parameter; the first one decides
//! page:PARAM[=START]                1, 2, 3, .. (or from START)
//! offset:PARAM[=START],LIMIT_PARAM=N  0, N, 2N, .. (or from START)
//! ```
//!
//! A FIELD is a `/POINTER` into the body, `header:NAME`, or `record:/POINTER` into the last record
//! ([`ResponseField`]). Rules may follow, each behind a `;`: `total=FIELD` (records in all), `pages=FIELD`
//! (pages in all), `more=FIELD` (a flag: is there more), `last=FIELD` (a flag: is this the last one),
//! `size=N` (records of a full page), `end=empty` (an empty page is the end, also where it names a next one),
//! `end=short` (so is one of fewer than `size` records), `then=URL` (later requests go there), `stateful`
//! (the server moves on by itself: the same request gives another page). A PARAM that begins with `/` is a
//! pointer into the JSON body of a POST.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::presets::{self, Expanded};
use super::response_field::{ResponseField, pointer};

/// How the next page is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paginate {
    /// Where it is named.
    pub by: By,
    /// When it is the last.
    pub rules: Rules,
    /// Links to later pages are followed on the scheme and the host of the first one, whatever they name: a
    /// server behind a proxy may not know its own address.
    pub same_origin: bool,
    /// Where the records are, in the answers of whom this is the name of.
    pub records: Option<String>,
}

/// Where the next page is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// As the first page says.
    Auto,
    /// The URL of the header `Link` with `rel="next"`.
    Link,
    /// A URL in the answer.
    Next(ResponseField),
    /// Tokens in the answer, sent back as parameters.
    Cursor {
        /// The one without which there is no next page.
        first: CursorField,
        /// Others that are sent back with it, where they are there.
        others: Vec<CursorField>,
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

/// A token of the answer, and the parameter that it is sent back as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorField {
    /// Where the answer has it.
    pub field: ResponseField,
    /// The parameter that says where the next page begins.
    pub param: Param,
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
    /// Where the answer says how many records there are.
    pub total: Option<ResponseField>,
    /// Where it says how many pages there are.
    pub pages: Option<ResponseField>,
    /// Where it says whether there is more.
    pub more: Option<ResponseField>,
    /// Where it says whether this is the last one.
    pub last: Option<ResponseField>,
    /// Records of a full page.
    pub size: Option<NonZeroU64>,
    /// What ends pages that name a next one all the same.
    pub end: Option<LastPage>,
    /// Where requests behind the first one go, with nothing but the cursors.
    pub then: Option<String>,
    /// The server moves on by itself: the same request gives another page.
    pub stateful: bool,
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
        if let Some(Expanded { rule, records }) = presets::expand(text)? {
            return Ok(Self { records, ..rule.parse()? });
        }
        let mut parts = text.split(';');
        let by = by(parts.next().unwrap_or_default().trim())?;
        if by == By::Auto && parts.clone().next().is_some() {
            return Err("auto takes no rules: what it finds says them".to_owned());
        }
        let mut rules = Rules::default();
        for rule in parts {
            if rule.trim() == "stateful" {
                rules.stateful = true;
                continue;
            }
            let (name, value) = rule.trim().split_once('=').ok_or_else(|| {
                format!(
                    "{rule:?} is no rule; write ;total=/POINTER, ;pages=/POINTER, ;more=/POINTER, ;last=/POINTER, ;size=N, ;end=empty, ;then=URL or ;stateful"
                )
            })?;
            match name.trim() {
                "total" => rules.total = Some(value.parse()?),
                "pages" => rules.pages = Some(value.parse()?),
                "more" => rules.more = Some(value.parse()?),
                "last" => rules.last = Some(value.parse()?),
                "size" => rules.size = Some(number(value)?),
                "end" => rules.end = Some(end(value)?),
                "then" if !value.trim().is_empty() => rules.then = Some(value.trim().to_owned()),
                other => {
                    return Err(format!(
                        "{other:?} is no rule; there are total, pages, more, last, size, end, then and stateful"
                    ));
                }
            }
        }
        let told_by_cursor = matches!(by, By::Cursor { .. });
        if !told_by_cursor && (rules.stateful || rules.then.is_some()) {
            return Err("then and stateful go with cursor:FIELD=PARAM".to_owned());
        }
        if let By::Offset { limit, .. } = &by {
            rules.size.get_or_insert(*limit);
        }
        if rules.end == Some(LastPage::Short) && rules.size.is_none() {
            return Err("end=short needs ;size=N: the records of a full page".to_owned());
        }
        Ok(Self { by, rules, same_origin: false, records: None })
    }
}

/// The pagination, in words for people.
impl fmt::Display for Paginate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            By::Auto => return write!(out, "as the first page says"),
            By::Link => write!(out, "by the Link header")?,
            By::Next(field) => write!(out, "by the URL at {field}")?,
            By::Cursor { first: CursorField { field, param }, others } => {
                write!(out, "by the token at {field}, sent back as {param}")?;
                for CursorField { field, param } in others {
                    write!(out, ", with {field} as {param}")?;
                }
            }
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
        let Rules { total, pages, more, last, size, end, then, stateful } = &self.rules;
        if let Some(then) = then {
            write!(out, ", asked of {then} behind the first page")?;
        }
        let counts = self.is_counted();
        let told = match &self.by {
            By::Auto | By::Link | By::Next(_) => "to the one that names no next",
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
        if !counts && (end.is_some() || *stateful) {
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

    /// The server moves through the pages by itself: a place in them is found again from their start alone.
    #[must_use]
    pub const fn is_stateful(&self) -> bool {
        self.rules.stateful
    }

    /// The end can be told before it: few pages are asked for in vain behind it.
    #[must_use]
    pub const fn tells_its_end(&self) -> bool {
        let Rules { total, pages, size, .. } = &self.rules;
        total.is_some() || pages.is_some() || size.is_some()
    }

    /// As the flag is written.
    #[must_use]
    pub fn flag(&self) -> String {
        let by = match &self.by {
            By::Auto => "auto".to_owned(),
            By::Link => "link".to_owned(),
            By::Next(field) => format!("next:{}", field.flag()),
            By::Cursor { first, others } => {
                let others = others.iter().map(|cursor| format!(",{}", cursor.flag()));
                others.fold(format!("cursor:{}", first.flag()), |flag, cursor| flag + &cursor)
            }
            By::Page { param, start } => format!("page:{}={start}", param.flag()),
            By::Offset { param, start, limit_param, limit } => {
                let start = start.map_or_else(String::new, |start| format!("={start}"));
                format!("offset:{}{start},{}={limit}", param.flag(), limit_param.flag())
            }
        };
        let Rules { total, pages, more, last, size, end, then, stateful } = &self.rules;
        let places = [("total", total), ("pages", pages), ("more", more), ("last", last)];
        let places =
            places.iter().filter_map(|(name, field)| Some(format!(";{name}={}", (*field).as_ref()?.flag())));
        let implied = matches!(&self.by, By::Offset { limit, .. } if Some(*limit) == *size);
        let size = size.filter(|_| !implied).map(|size| format!(";size={size}"));
        let end = end.map(|end| format!(";end={}", if end == LastPage::Empty { "empty" } else { "short" }));
        let then = then.as_ref().map(|url| format!(";then={url}"));
        let stateful = stateful.then(|| ";stateful".to_owned());
        places.chain(size).chain(end).chain(then).chain(stateful).fold(by, |flag, rule| flag + &rule)
    }

    /// As 0.1.0 stored it with a run; `None` for what it could not say.
    #[must_use]
    pub fn stored_before(&self) -> Option<String> {
        let by = match &self.by {
            By::Offset { start: Some(_), .. } => return None,
            By::Offset { param, start: None, limit_param, limit } => {
                format!("Offset {{ param: {param:?}, limit_param: {limit_param:?}, limit: {limit:?} }}")
            }
            By::Next(field) => format!("Next({:?})", field.in_body()?),
            By::Cursor { first: CursorField { field, param }, others } if others.is_empty() => {
                format!("Cursor {{ pointer: {:?}, param: {param:?} }}", field.in_body()?)
            }
            By::Auto | By::Cursor { .. } => return None,
            By::Link | By::Page { .. } => format!("{:?}", self.by),
        };
        let Rules { total, pages, more, last: None, size, end: None, then: None, stateful: false } =
            &self.rules
        else {
            return None;
        };
        let places = [total, pages, more].map(|field| match field {
            None => Some(None),
            Some(field) => field.in_body().map(Some),
        });
        let [Some(total), Some(pages), Some(more)] = places else { return None };
        Some(format!(
            "Paginate {{ by: {by}, rules: Rules {{ total: {total:?}, pages: {pages:?}, more: {more:?}, size: {size:?} }} }}"
        ))
    }
}

impl CursorField {
    /// As it is written in the flag.
    fn flag(&self) -> String {
        format!("{}={}", self.field.flag(), self.param.flag())
    }
}

impl FromStr for CursorField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A step of the pointer may have a `=` of its own, in brackets.
        let mut open = 0_usize;
        let mut parts = None;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'[' => open += 1,
                b']' => open = open.saturating_sub(1),
                b'=' if open == 0 => parts = Some(at),
                _ => {}
            }
        }
        let at = parts.ok_or("write it as cursor:/POINTER=PARAM")?;
        Ok(Self { field: text[..at].parse()?, param: param(&text[at + 1..])? })
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
        "auto" if rest.is_empty() => Ok(By::Auto),
        "link" if rest.is_empty() => Ok(By::Link),
        "next" => Ok(By::Next(rest.parse()?)),
        "cursor" => {
            let mut cursors = cursors_of(rest).into_iter().map(str::parse);
            let first = cursors.next().ok_or("write it as cursor:/POINTER=PARAM")??;
            Ok(By::Cursor { first, others: cursors.collect::<Result<_, _>>()? })
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
            "{text:?} is no way to paginate; write auto, link, next:/POINTER, cursor:/POINTER=PARAM, page:PARAM[=START] or offset:PARAM[=START],LIMIT_PARAM=N (header:NAME in the place of a pointer is a header), or the name of a preset: github, stripe, .."
        )),
    }
}

/// The cursors of a list: one begins behind a comma where another place does.
fn cursors_of(text: &str) -> Vec<&str> {
    let mut cursors = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices(',') {
        let begins = |start: &&str| text[at + 1..].trim_start().starts_with(*start);
        if ["/", "header:", "record:"].iter().any(begins) {
            cursors.push(&text[from..at]);
            from = at + 1;
        }
    }
    cursors.push(&text[from..]);
    cursors
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
        let body = |pointer: &str| ResponseField::Body(pointer.to_owned());
        let cursor = |field, param| By::Cursor { first: CursorField { field, param }, others: Vec::new() };
        assert_eq!(by("next:/links/next"), By::Next(body("/links/next")));
        assert_eq!(by("next:/l[rel=next]/href"), By::Next(body("/l[rel=next]/href")));
        assert_eq!(by("cursor:/meta/cursor=after"), cursor(body("/meta/cursor"), query("after")));
        let in_body = Param::Body("/page/cursor".to_owned());
        assert_eq!(by("cursor:/c=/page/cursor"), cursor(body("/c"), in_body));
        let header = ResponseField::Header("x-next".to_owned());
        assert_eq!(by("cursor:header:X-Next=after"), cursor(header, query("after")));
        assert_eq!(by("cursor:/l[rel=next]/c=after"), cursor(body("/l[rel=next]/c"), query("after")));
        assert_eq!(by("cursor:/next=page[cursor]"), cursor(body("/next"), query("page[cursor]")));
        let last = CursorField { field: ResponseField::LastRecord("/id".to_owned()), param: query("since") };
        let point = CursorField { field: body("/pit"), param: Param::Body("/pit/id".to_owned()) };
        assert_eq!(
            by("cursor:record:/id=since,/pit=/pit/id"),
            By::Cursor { first: last, others: vec![point] }
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
            (rules.total, rules.more, rules.pages, rules.size.map(NonZeroU64::get)),
            (Some(body("/t")), Some(body("/m")), Some(body("/n")), Some(10))
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
                "cursor:/id=/id,header:pit=/p;then=/scroll;stateful",
                "by the token at /id, sent back as /id of the request, with the header pit as /p of the request, asked of /scroll behind the first page; to the one without such a token, or an empty one",
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
            "auto",
            "link",
            "next:/n;more=/m",
            "cursor:/c=/after;last=/l;end=empty",
            "page:p=0;total=/t;pages=/n;size=10",
            "offset:o=1,l=50;total=/t",
            "offset:o,l=50;size=20;end=short",
            "cursor:header:x-next=after,record:/id=/id,/l[rel=next]/u=u;total=header:x-total;then=/s?a=b;stateful",
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
        for later in
            ["offset:o=1,l=50", "link;last=/l", "next:header:n", "page:p;total=header:t", "cursor:/a=b,/c=d"]
        {
            assert_eq!(before(later), None, "{later}");
        }
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
            "link;stateful",
            "auto:x",
            "auto;size=7",
            "page:p;then=/x",
            "cursor:/a=b;then=",
            "cursor:/a=b,/c",
            "next:header:a b",
            "link;end=short",
        ] {
            assert!(wrong.parse::<Paginate>().is_err(), "{wrong}");
        }
    }
}

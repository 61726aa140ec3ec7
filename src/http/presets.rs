//! Paginations by the names of those who have them: a rule, and where the records are. What everybody meets;
//! the table in docs/http.md is of these.

/// A pagination that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// How it is called.
    pub name: &'static str,
    /// The rule; `{}` stands for the pointer behind the name.
    pub rule: &'static str,
    /// Where the records are, if that is the same in all answers; `{}` likewise.
    pub records: Option<&'static str>,
}

const fn preset(name: &'static str, rule: &'static str, records: Option<&'static str>) -> Preset {
    Preset { name, rule, records }
}

/// All of them.
pub const PRESETS: [Preset; 30] = [
    preset("airtable", "cursor:/offset=offset", Some("records")),
    preset("ckan", "next:/result/_links/next;end=empty", Some("result.records")),
    preset("couchdb", "cursor:/last_seq=since;end=empty", Some("results")),
    preset("couchdb-find", "cursor:/bookmark=/bookmark;end=empty", Some("docs")),
    preset("drf", "next:/next", Some("results")),
    preset(
        "elasticsearch",
        "cursor:/hits/hits/-1/sort=/search_after,/pit_id=/pit/id",
        Some("hits.hits[]._source"),
    ),
    preset("fhir", "next:/link[relation=next]/url", Some("entry[].resource")),
    preset("github", "link", None),
    preset("gitlab", "cursor:header:x-next-page=page", None),
    preset("google", "cursor:/nextPageToken=pageToken", None),
    preset(
        "graphql",
        "cursor:{}/pageInfo/endCursor=/variables/after;more={}/pageInfo/hasNextPage",
        Some("{}/edges[]/node"),
    ),
    preset("hal", "next:/_links/next/href", None),
    preset("hubspot", "cursor:/paging/next/after=after", Some("results")),
    preset("jira", "offset:startAt,maxResults=100;total=/total", None),
    preset("jira-cloud", "cursor:/nextPageToken=nextPageToken;last=/isLast", Some("issues")),
    preset("jsonapi", "next:/links/next", Some("data")),
    preset("notion", "cursor:/next_cursor=/start_cursor;more=/has_more", Some("results")),
    preset("odata", "next:/@odata.nextLink", Some("value")),
    preset("odata2", "next:/d/__next", Some("d.results")),
    preset("ogc", "next:/links[rel=next]/href", Some("features")),
    preset("salesforce", "next:/nextRecordsUrl;last=/done", Some("records")),
    preset("scim", "offset:startIndex=1,count=100;total=/totalResults", Some("Resources")),
    preset(
        "scroll",
        "cursor:/_scroll_id=/scroll_id;then=/_search/scroll?scroll=1m;end=empty;stateful",
        Some("hits.hits[]._source"),
    ),
    preset("shopify", "link", None),
    preset("slack", "cursor:/response_metadata/next_cursor=cursor", None),
    preset("socrata", "offset:$offset,$limit=1000", None),
    preset("spring", "page:page=0;last=/last", Some("content")),
    preset("stripe", "cursor:record:/id=starting_after;more=/has_more", Some("data")),
    preset("wordpress", "page:page;pages=header:x-wp-totalpages", None),
    preset("zendesk", "next:/links/next;more=/meta/has_more", None),
];

/// A preset as it was asked for: what stands for its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expanded {
    /// The rule, with the rules that were given behind the name.
    pub(super) rule: String,
    /// Where the records are.
    pub(super) records: Option<String>,
}

/// What a name stands for, `NAME[:POINTER][;RULES]`; `None`: it is none.
///
/// # Errors
/// In words, when a pointer is missing or none is needed.
pub(super) fn expand(text: &str) -> Result<Option<Expanded>, String> {
    let (head, rules) = text.find(';').map_or((text, ""), |at| text.split_at(at));
    let (name, pointer) = head.split_once(':').map_or((head, None), |(name, rest)| (name, Some(rest.trim())));
    let Some(preset) = PRESETS.iter().find(|preset| preset.name == name.trim()) else { return Ok(None) };
    let pointer = match (pointer, preset.rule.contains("{}")) {
        (Some(pointer), true) if pointer.starts_with('/') && pointer.len() > 1 => pointer,
        (_, true) => return Err(format!("write it as {name}:/POINTER, such as {name}:/data/orders")),
        (Some(_), false) => return Err(format!("{name} takes no pointer")),
        (None, false) => "",
    };
    let rule = format!("{}{rules}", preset.rule.replace("{}", pointer));
    Ok(Some(Expanded { rule, records: preset.records.map(|path| path.replace("{}", pointer)) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Paginate;

    #[test]
    fn each_preset_is_a_rule_and_takes_more_of_them() {
        for preset in PRESETS {
            let pointer = if preset.rule.contains("{}") { ":/data/orders" } else { "" };
            let flag = format!("{}{pointer};size=7", preset.name);
            let paginate: Paginate = flag.parse().unwrap();
            assert_eq!(paginate.rules.size.map(std::num::NonZeroU64::get), Some(7), "{flag}");
            assert_eq!(paginate.records.is_some(), preset.records.is_some(), "{flag}");
            // What is stored is the rule.
            assert_eq!(paginate.flag().parse::<Paginate>().unwrap().by, paginate.by, "{flag}");
        }
        let graphql: Paginate = "graphql:/data/orders".parse().unwrap();
        assert_eq!(graphql.records.as_deref(), Some("/data/orders/edges[]/node"));
        assert_eq!(
            graphql.flag(),
            "cursor:/data/orders/pageInfo/endCursor=/variables/after;more=/data/orders/pageInfo/hasNextPage"
        );
        for wrong in ["graphql", "graphql:data", "stripe:/x", "strip"] {
            assert!(wrong.parse::<Paginate>().is_err(), "{wrong}");
        }
    }
}

//! The `Link` header (RFC 8288), as far as it names a next page. Pure.

use http::header::{HeaderMap, LINK};

/// The target of `rel="next"`, over all Link headers (RFC 8288).
pub(super) fn next(headers: &HeaderMap) -> Option<String> {
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
mod tests {
    use super::*;

    #[test]
    fn link_headers_are_read_as_they_occur() {
        let next = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(LINK, http::HeaderValue::from_str(value).unwrap());
            }
            super::next(&headers)
        };
        assert_eq!(next(&["<a>; rel=\"next\""]).as_deref(), Some("a"));
        assert_eq!(
            next(&["<a>; rel=prev, <b,c;d>; title=\"x, y; rel=next\"; REL=next"]).as_deref(),
            Some("b,c;d")
        );
        assert_eq!(next(&["<a>; rel=\"first\"", "<b>;rel=\"prev next\""]).as_deref(), Some("b"));
        assert_eq!(next(&["<a>; rel=\"nextish\"", "<b>", "c; rel=next", "<d; rel=next"]), None);
    }
}

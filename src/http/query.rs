//! The query of a URL, changed piece by piece: what is not touched stays byte by byte as it was written.

use url::Url;

/// The name of a piece, decoded.
pub(super) fn name(piece: &str) -> String {
    decode(piece.split_once('=').map_or(piece, |(name, _)| name))
}

/// The value of a piece, decoded.
pub(super) fn value(piece: &str) -> String {
    decode(piece.split_once('=').map_or("", |(_, value)| value))
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Whether there is a parameter of this name.
pub(super) fn has(url: &Url, wanted: &str) -> bool {
    url.query().is_some_and(|query| query.split('&').any(|piece| name(piece) == wanted))
}

/// Takes the pieces out for which `out` is true, and gives them back.
pub(super) fn take_out(url: &mut Url, out: impl Fn(&str) -> bool) -> Vec<String> {
    let Some(query) = url.query() else { return Vec::new() };
    let (taken, kept): (Vec<&str>, Vec<&str>) = query.split('&').partition(|piece| out(piece));
    let (taken, kept): (Vec<String>, String) =
        (taken.into_iter().map(str::to_owned).collect(), kept.join("&"));
    if !taken.is_empty() {
        url.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
    }
    taken
}

/// Sets a parameter: in its place if it is there, else at the end.
pub(super) fn set(url: &mut Url, wanted: &str, to: &str) {
    let piece: String = form_urlencoded(wanted, to);
    let mut pieces: Vec<String> = url
        .query()
        .filter(|query| !query.is_empty())
        .map_or_else(Vec::new, |query| query.split('&').map(str::to_owned).collect());
    match pieces.iter_mut().find(|piece| name(piece) == wanted) {
        Some(old) => *old = piece,
        None => pieces.push(piece),
    }
    url.set_query(Some(&pieces.join("&")));
}

/// Puts a parameter at the end, even if there is one of that name.
pub(super) fn add(url: &mut Url, name: &str, value: &str) {
    let piece = form_urlencoded(name, value);
    let query =
        url.query().filter(|query| !query.is_empty()).map_or_else(String::new, |query| format!("{query}&"));
    url.set_query(Some(&format!("{query}{piece}")));
}

fn form_urlencoded(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_stays_as_it_was() {
        let mut url = Url::parse("https://h/x?flag&q=a%20b+c&page=1&f={1}").unwrap();
        set(&mut url, "page", "2");
        set(&mut url, "cursor", "a b&c=/+");
        assert_eq!(url.as_str(), "https://h/x?flag&q=a%20b+c&page=2&f={1}&cursor=a+b%26c%3D%2F%2B");
        assert!(has(&url, "flag") && has(&url, "cursor") && !has(&url, "pag"));
        let taken = take_out(&mut url, |piece| name(piece) == "cursor");
        assert_eq!((taken.len(), value(&taken[0]).as_str()), (1, "a b&c=/+"));
        take_out(&mut url, |_| true);
        assert_eq!(url.as_str(), "https://h/x");
    }
}

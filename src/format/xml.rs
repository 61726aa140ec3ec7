//! Where the records are in an XML text: `//item` anywhere, `/feed/items/item` from its root on. A `*` is any
//! element; without a path the records are the children of the root. Pure.

/// A way to elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct XmlPath {
    steps: Vec<String>,
    /// It begins at any element.
    is_anywhere: bool,
}

/// Whether this is a path into XML and into nothing else.
#[must_use]
pub fn is_xml_path(path: &str) -> bool {
    path.starts_with("//")
}

impl XmlPath {
    /// Reads a path; what is between its slashes is the name of an element.
    pub(super) fn of(path: Option<&str>) -> Self {
        let Some(path) = path else {
            return Self { steps: vec!["*".to_owned(), "*".to_owned()], is_anywhere: false };
        };
        let is_anywhere = is_xml_path(path);
        let steps = path.trim_start_matches('/').split('/').filter(|step| !step.is_empty());
        let steps: Vec<String> = steps.map(str::to_owned).collect();
        Self { steps, is_anywhere }
    }

    /// Whether the innermost of these elements is one of the records.
    pub(super) fn leads_to(&self, open: &[String]) -> bool {
        let Some(rest) = open.len().checked_sub(self.steps.len()) else { return false };
        (rest == 0 || self.is_anywhere)
            && self.steps.iter().zip(&open[rest..]).all(|(step, name)| is(step, name))
    }
}

/// Whether a step names an element: whatever namespace it is in, if the step says none.
fn is(step: &str, name: &str) -> bool {
    step == "*" || step == name || name.split_once(':').is_some_and(|(_, local)| local == step)
}

/// The encoding that a text says of itself in its first line, if these bytes have it.
#[must_use]
pub fn said_encoding(head: &[u8]) -> Option<&str> {
    let declaration = head.strip_prefix(b"<?xml")?;
    let declaration = declaration.get(..memchr::memchr(b'>', declaration)?)?;
    let text = std::str::from_utf8(declaration).ok()?;
    let value = text.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split_once(quote).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_elements_anywhere_or_from_the_root_on() {
        for (path, open, expected) in [
            (Some("//item"), "rss/channel/item", true),
            (Some("//item"), "item", true),
            (Some("//item"), "rss/items", false),
            (Some("//items/item"), "a/items/item", true),
            (Some("//items/item"), "a/item", false),
            (Some("/a/b"), "a/b", true),
            (Some("a/b"), "a/b", true),
            (Some("/a/b"), "x/a/b", false),
            (Some("/a/*"), "a/c", true),
            (Some("//entry"), "ns:feed/ns:entry", true),
            (Some("//x:entry"), "ns:feed/ns:entry", false),
            (None, "feed/entry", true),
            (None, "feed", false),
            (None, "feed/a/b", false),
        ] {
            let open: Vec<String> = open.split('/').map(str::to_owned).collect();
            assert_eq!(XmlPath::of(path).leads_to(&open), expected, "{path:?} {open:?}");
        }
    }

    #[test]
    fn a_text_says_its_encoding() {
        for (head, expected) in [
            ("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>", Some("ISO-8859-1")),
            ("<?xml version='1.0' encoding = 'utf-8' ?>", Some("utf-8")),
            ("<?xml version=\"1.0\"?><a encoding=\"x\"/>", None),
            ("<a/>", None),
            ("<?xml encoding=\"cut", None),
        ] {
            assert_eq!(said_encoding(head.as_bytes()), expected, "{head}");
        }
    }
}

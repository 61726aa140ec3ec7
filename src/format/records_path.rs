//! What `--records` says: the way to what holds the records, what each of them is in it, and the way from
//! there to the record itself.
//!
//! ```text
//! data.items               the elements of the array at data.items, or the one object there
//! /data/items              the same, as a JSON Pointer
//! 1.items  rows[0].items   through an element of an array
//! edges[].node             of each element the member node
//! rates.{date}             the members of an object; their names become the field date
//! rates.{}                 the same without their names
//! ```

/// A path to records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordsPath {
    /// Names of members, and numbers of elements, on the way to what holds the records.
    pub steps: Vec<String>,
    /// What holds them.
    pub each: PieceOf,
    /// The way from one of its pieces to the record.
    pub inner: Vec<String>,
}

/// What the records are pieces of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PieceOf {
    /// Of an array; or they are one object.
    Element,
    /// Of an object whose members are records. Their names become this field, if it has a name.
    Member(Option<String>),
}

impl RecordsPath {
    /// Reads a path.
    ///
    /// # Errors
    /// In words, when it goes through two lists: the records of one are found.
    pub fn parse(path: &str) -> Result<Self, String> {
        let parts: Vec<String> = match path.strip_prefix('/') {
            Some(pointer) => {
                pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
            }
            None => path.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        };
        let mut found = Self { steps: Vec::new(), each: PieceOf::Element, inner: Vec::new() };
        let mut is_inside = false;
        for part in parts {
            for step in steps_of(&part) {
                let step = match step {
                    PathPart::Name(name) if is_inside => {
                        found.inner.push(name);
                        continue;
                    }
                    PathPart::Name(name) => {
                        found.steps.push(name);
                        continue;
                    }
                    PathPart::PieceOf(each) => each,
                };
                if is_inside {
                    return Err(format!("{path:?} goes through two lists, and one can be followed"));
                }
                (found.each, is_inside) = (step, true);
            }
        }
        Ok(found)
    }

    /// As it was stored; the second list of a path that has two is a name that is not there.
    #[must_use]
    pub fn of(path: &str) -> Self {
        Self::parse(path).unwrap_or_else(|_| Self {
            steps: vec![path.to_owned()],
            each: PieceOf::Element,
            inner: Vec::new(),
        })
    }

    /// The pieces of what holds the records are not the records themselves.
    #[must_use]
    pub fn has_shape(&self) -> bool {
        !self.inner.is_empty() || matches!(self.each, PieceOf::Member(_))
    }
}

enum PathPart {
    Name(String),
    PieceOf(PieceOf),
}

/// `rows[0]` is two steps, `edges[]` too.
fn steps_of(part: &str) -> Vec<PathPart> {
    if let Some(name) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        return vec![PathPart::PieceOf(PieceOf::Member(name))];
    }
    let mut steps = Vec::new();
    let mut rest = part;
    while let Some((before, index)) = rest.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        match index {
            "" => steps.push(PathPart::PieceOf(PieceOf::Element)),
            index if index.bytes().all(|byte| byte.is_ascii_digit()) => {
                steps.push(PathPart::Name(index.to_owned()));
            }
            _ => break,
        }
        rest = before;
    }
    if !rest.is_empty() {
        steps.push(PathPart::Name(rest.to_owned()));
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let shown = |path: &str| {
            let RecordsPath { steps, each, inner } = RecordsPath::parse(path).unwrap();
            let each = match each {
                PieceOf::Element => "[]".to_owned(),
                PieceOf::Member(name) => format!("{{{}}}", name.unwrap_or_default()),
            };
            format!("{} {each} {}", steps.join("/"), inner.join("/"))
        };
        for (path, expected) in [
            ("data.items", "data/items [] "),
            ("/data/items", "data/items [] "),
            ("/a~1b/~0c", "a/b/~c [] "),
            ("/1", "1 [] "),
            ("rows[0].items", "rows/0/items [] "),
            ("data.orders.edges[].node", "data/orders/edges [] node"),
            ("/hits[]/_source", "hits [] _source"),
            ("[].a.b", " [] a/b"),
            ("entry[]", "entry [] "),
            ("rates.{date}", "rates {date} "),
            ("/Time Series (1.min)/{at}", "Time Series (1.min) {at} "),
            ("{}", " {} "),
            ("data.{id}.quote.0", "data {id} quote/0"),
            ("a[b]", "a[b] [] "),
        ] {
            assert_eq!(shown(path), expected, "{path}");
        }
        for wrong in ["a[].b[].c", "a[][]", "{id}.rows[]", "a.{}.{}"] {
            assert!(RecordsPath::parse(wrong).is_err(), "{wrong}");
            assert!(!RecordsPath::of(wrong).has_shape());
        }
    }
}

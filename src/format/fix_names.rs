//! A header that names no columns of a table, made to: gaps and doubles are numbered, names that are longer
//! than a column's are cut, spaces around names are left out. Each change is said.

use std::collections::{HashMap, HashSet};

use super::shorten::shorten;

/// Bytes of a column's name in PostgreSQL, at most.
const NAME_BYTES: usize = 63;

/// Mends the names of a header; what was done, in words.
pub(crate) fn fix_names(names: &mut [String]) -> Vec<String> {
    let mut fixed = Vec::new();
    // Who has a name of his own keeps it.
    let own: HashSet<String> = names.iter().map(|name| cut(name.trim(), NAME_BYTES).to_owned()).collect();
    let mut used = HashSet::with_capacity(names.len());
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for (at, name) in names.iter_mut().enumerate() {
        let wanted = cut(name.trim(), NAME_BYTES).to_owned();
        let is_gap = wanted.is_empty();
        let found = if !is_gap && used.insert(wanted.clone()) {
            wanted
        } else {
            let base = if is_gap { "column".to_owned() } else { wanted };
            // Gaps by their place, doubles from 2 on.
            let number = match is_gap {
                true => numbers.entry(String::new()).or_default(),
                false => numbers.entry(base.clone()).or_insert(1),
            };
            *number = if is_gap { (at + 1).max(*number) } else { *number + 1 };
            loop {
                let suffix = format!("_{number}");
                let candidate = format!("{}{suffix}", cut(&base, NAME_BYTES - suffix.len()));
                if !own.contains(&candidate) && used.insert(candidate.clone()) {
                    break candidate;
                }
                *number += 1;
            }
        };
        if found != name.trim() {
            let place = at + 1;
            fixed.push(match is_gap {
                true => format!("column {place} has no name: {found:?}"),
                false => format!("column {place} is named {:?}: {found:?}", shorten(name.trim())),
            });
        }
        *name = found;
    }
    fixed
}

/// So many bytes of a text at most; no character is cut.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_doubles_and_long_names_become_names() {
        let fixed = |names: &[&str]| {
            let mut names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let said = fix_names(&mut names);
            (names, said)
        };
        assert_eq!(fixed(&["a", " b ", "C"]), (vec!["a".into(), "b".into(), "C".into()], vec![]));
        let (names, said) = fixed(&["", "id", "name", "id", "", "id_2", "id"]);
        assert_eq!(names, ["column_1", "id", "name", "id_3", "column_5", "id_2", "id_4"]);
        assert_eq!(said[0], "column 1 has no name: \"column_1\"");
        assert_eq!(said[1], "column 4 is named \"id\": \"id_3\"");
        let long = "\u{e9}".repeat(40);
        let (names, said) = fixed(&[&long, &long]);
        assert_eq!(names[0], "\u{e9}".repeat(31));
        assert_eq!(names[1], format!("{}_2", "\u{e9}".repeat(30)));
        assert_eq!(said.len(), 2);
        // Thousands of one name take no time beyond their number.
        let (names, _) = fixed(&["x"; 10_000]);
        assert_eq!(names[9_999], "x_10000");
    }
}

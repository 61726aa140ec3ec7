//! Names, first lines and arguments: what a reader meets first says something.

use super::source::sources;
use std::collections::BTreeMap;

#[test]
fn no_room_is_called_after_nothing() {
    for source in sources() {
        let parts: Vec<&str> = source.path.trim_end_matches(".rs").split('/').collect();
        let empty =
            parts.iter().find(|part| ["utils", "util", "common", "helpers", "misc", "types"].contains(part));
        assert!(empty.is_none(), "{}: name it by what it is about", source.path);
    }
}

/// Types of one name in two files: the name, and why.
const SHARE_A_NAME: &[(&str, &str)] = &[];

#[test]
fn a_type_is_found_by_its_name() {
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // Stand-ins for what a build leaves out have the names of what they stand for.
    for source in sources().iter().filter(|source| !source.path.contains("absent")) {
        for name in types_of(&source.code) {
            homes.entry(name).or_default().push(source.path.clone());
        }
    }
    assert!(homes.len() > 400, "the types are not where they are looked for");
    let shared: BTreeMap<String, Vec<String>> =
        homes.into_iter().filter(|(_, paths)| paths.len() > 1).collect();
    let may = |name: &str| SHARE_A_NAME.iter().any(|(shares, _)| *shares == name);
    let broken: Vec<_> = shared.iter().filter(|(name, _)| !may(name)).collect();
    assert!(broken.is_empty(), "one name, several types: {broken:#?}");
    for (name, _) in SHARE_A_NAME {
        assert!(shared.contains_key(*name), "{name} is no longer shared: take it off SHARE_A_NAME");
    }
}

/// The types that a file defines outside functions and traits.
fn types_of(code: &str) -> Vec<String> {
    let outside = code.lines().filter(|line| !line.starts_with(' '));
    let words =
        outside.map(|line| line.split([' ', '<', '(', ';', ':', '{']).filter(|word| !word.is_empty()));
    words
        .filter_map(|words| {
            let mut words = words.skip_while(|word| !["struct", "enum", "trait", "type"].contains(word));
            words.next()?;
            words.next().map(str::to_owned)
        })
        .collect()
}

#[test]
fn the_types_of_a_file_are_seen() {
    let code = "pub(super) struct A<'a>(&'a str);\nenum B {\n    C,\n}\ntype D = u8;\nimpl T for A {\n    type E = u8;\n}\n\
                pub trait F: Send {\nstruct G;\n";
    assert_eq!(types_of(code), ["A", "B", "D", "F", "G"]);
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{}: begins without //!", source.path);
    }
}

/// Parameters that are tuples taken apart: `(run, epoch): (&str, u64)`.
fn tuples_for_parameters(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in
        code.match_indices("fn ").filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric()))
    {
        let rest = &code[at + 3..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let Some(begin) = rest.find(['(', '{', ';']).filter(|&at| rest[at..].starts_with('(')) else {
            continue;
        };
        let mut depth = 0_i32;
        let mut before = ' ';
        for c in rest[begin..].chars() {
            match c {
                '(' if depth == 1 && matches!(before, '(' | ',') => found.push(name.clone()),
                _ => {}
            }
            depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
            if depth == 0 {
                break;
            }
            if !c.is_whitespace() {
                before = c;
            }
        }
    }
    found
}

#[test]
fn what_belongs_together_has_a_name_and_is_no_tuple_of_parameters() {
    let code = "fn a(x: (u8, u8), y: F) {}\nfn b(\n    x: u8,\n    (y, z): (u8, u8),\n) {}\nfn c((x, y): (u8, u8)) {}\nlet f = |(a, b)| a;";
    assert_eq!(tuples_for_parameters(code), ["b", "c"]);
    let all = sources();
    let found: Vec<(&str, String)> = all
        .iter()
        .flat_map(|source| {
            tuples_for_parameters(&source.code).into_iter().map(|name| (source.path.as_str(), name))
        })
        .collect();
    assert!(found.is_empty(), "a struct says what they are: {found:?}");
}

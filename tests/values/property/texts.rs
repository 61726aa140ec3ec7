//! Texts, and what is made of them.

use super::{Case, Kind};
use crate::support::Rng;

const BYTES: &str = "encode(convert_to(v, 'UTF8'), 'hex')";

pub(super) const KINDS: [Kind; 11] = [
    ("text", |rng| hex(words(rng)), BYTES),
    ("varchar", |rng| hex(words(rng)), BYTES),
    ("varchar(5)", padded, "v"),
    (
        "char(5)",
        |rng| {
            let Case { text, shown } = padded(rng);
            // Padding is no part of it; a word is never too long.
            Case::kept(text.clone(), shown.unwrap_or(text).trim_end_matches(' '))
        },
        "rtrim(v::text)",
    ),
    (
        "\"char\"",
        |rng| {
            let word = words(rng);
            if word.len() == 1 {
                Case::same(word)
            } else {
                Case { shown: word.is_empty().then(String::new), text: word }
            }
        },
        "v",
    ),
    ("name", name, "v"),
    ("json", |rng| hex(json(rng)), "encode(convert_to(v::text, 'UTF8'), 'hex')"),
    ("jsonb", members, "v"),
    (
        "mood",
        |rng| {
            let word = rng.pick(&["sad", "so so", "happy", "Happy", "sad "]);
            if matches!(word, "Happy" | "sad ") { Case::refused(word) } else { Case::same(word) }
        },
        "v",
    ),
    ("hstore", pairs, "v"),
    ("text[]", elements, "encode(convert_to(array_to_string(v, '|', '-'), 'UTF8'), 'hex')"),
];

fn words(rng: &mut Rng) -> String {
    const PIECES: [&str; 14] = ["a", "B", "0", " ", "  ", "\t", "\n", "\\", "\\N", "\"", "'", "é", "😀", ","];
    (0..rng.index(6)).map(|_| rng.pick(&PIECES)).collect()
}

fn to_hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

/// Shown as its bytes.
fn hex(text: String) -> Case {
    Case { shown: Some(to_hex(&text)), text }
}

fn padded(rng: &mut Rng) -> Case {
    let word: String = (0..1 + rng.index(5)).map(|_| rng.pick(&["a", "é", "€", "😀"])).collect();
    let text = format!("{word}{}", " ".repeat(rng.index(5)));
    Case { shown: (text.chars().count() <= 5).then(|| text.clone()), text }
}

/// Objects of short keys, some of them twice.
fn members(rng: &mut Rng) -> Case {
    let many = rng.index(5);
    let keys: Vec<&str> = (0..many).map(|_| rng.pick(&["a", "b", "c", "d", "e", "f", "g", "h"])).collect();
    let doubled = keys.iter().enumerate().any(|(i, key)| keys[..i].contains(key));
    let nested = rng.one_in(3);
    let spelt = |key: &&str| match *key {
        "a" => "\\u0061".to_owned(),
        key => key.to_owned(),
    };
    let object: Vec<String> = keys.iter().map(|key| format!("\"{}\":1", spelt(key))).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    let shown: Vec<String> = sorted.iter().map(|key| format!("\"{key}\": 1")).collect();
    let (text, shown) = (format!("{{{}}}", object.join(",")), format!("{{{}}}", shown.join(", ")));
    let wrap = |inner: &str, space: &str| format!("[{{\"x\":{space}{inner}}}]");
    let (text, shown) = if nested { (wrap(&text, ""), wrap(&shown, " ")) } else { (text, shown) };
    Case { text, shown: (!doubled).then_some(shown) }
}

fn name(rng: &mut Rng) -> Case {
    let length = 55 + rng.index(14);
    let text: String = (0..length).map(|_| rng.pick(&["n", "N", "é"])).collect();
    if text.len() <= 63 { Case::same(text) } else { Case::refused(text) }
}

/// Kept as it stands.
fn json(rng: &mut Rng) -> String {
    let space = rng.pick(&["", " ", "\n"]);
    let number = rng.pick(&["1", "1.0", "1.50", "1e3", "-0"]);
    format!("{{\"a\":{space}{number},{space}\"a\":[true,{space}null]}}")
}

fn pairs(rng: &mut Rng) -> Case {
    let many = rng.index(4);
    let keys: Vec<&str> = (0..many).map(|_| rng.pick(&["a", "b c", "d", "e", "f\"", "g,h"])).collect();
    let doubled = keys.iter().enumerate().any(|(i, key)| keys[..i].contains(key));
    let escaped = |key: &str| format!("\"{}\"", key.replace('"', "\\\""));
    let pair = |(i, key): (usize, &&str)| format!("{}=>{i}", escaped(key));
    let text: Vec<String> = keys.iter().enumerate().map(pair).collect();
    // Shorter keys come first.
    let mut sorted: Vec<(usize, &&str)> = keys.iter().enumerate().collect();
    sorted.sort_by_key(|(_, key)| (key.len(), **key));
    let shown: Vec<String> = sorted.iter().map(|(i, key)| format!("{}=>\"{i}\"", escaped(key))).collect();
    Case { text: text.join(rng.pick(&[",", ", "])), shown: (!doubled).then(|| shown.join(", ")) }
}

/// Elements and NULLs; the word NULL is quoted.
fn elements(rng: &mut Rng) -> Case {
    let (mut texts, mut shown) = (Vec::new(), Vec::new());
    for _ in 0..rng.index(4) {
        let word = if rng.one_in(4) { "NULL".to_owned() } else { words(rng) };
        if rng.one_in(4) {
            texts.push("NULL".to_owned());
            shown.push("-".to_owned());
        } else {
            texts.push(format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")));
            shown.push(word);
        }
    }
    Case::kept(format!("{{{}}}", texts.join(",")), to_hex(&shown.join("|")))
}

//! Generated texts whose meaning is known, since they are written from it: what is stored means the same, and what has
//! no loss is stored. Nothing here asks the program what it thinks of a text.
//!
//! `VALUES_PER_TYPE=100000 cargo test --test main values::property` for more of them.

use crate::rows;
use crate::support::{Rng, Scene};

/// A text, and how the server must show it; `None`: it is a reject.
struct Case {
    text: String,
    shown: Option<String>,
}

type Draw = fn(&mut Rng) -> Case;

/// Type, how its values are drawn, and what shows them.
const TYPES: [(&str, Draw, &str); 9] = [
    ("numeric(12,2)", |rng| decimal(rng, 2), "trim_scale(v)"),
    ("numeric(9,-2)", |rng| decimal(rng, -2), "trim_scale(v)"),
    ("timestamp", |rng| moment(rng, Zone::Dropped, 6), "to_char(v, 'YYYY-MM-DD HH24:MI:SS.US')"),
    ("timestamp(3)", |rng| moment(rng, Zone::Dropped, 3), "to_char(v, 'YYYY-MM-DD HH24:MI:SS.US')"),
    (
        "timestamptz",
        |rng| moment(rng, Zone::Heard, 6),
        "to_char(v AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    ),
    ("date", day, "v"),
    ("time", clock, "v"),
    ("varchar(5)", padded, "v"),
    ("jsonb", members, "v"),
];

fn values_per_type() -> usize {
    std::env::var("VALUES_PER_TYPE").ok().and_then(|n| n.parse().ok()).unwrap_or(1_200)
}

/// A number of some digits, times a power of ten, spelt with or without an exponent.
fn decimal(rng: &mut Rng, scale: i32) -> Case {
    let many = 1 + u32::try_from(rng.below(6)).unwrap();
    let digits = rng.below(10_u64.pow(many));
    let power = i32::try_from(rng.below(8)).unwrap() - 5;
    let negative = digits > 0 && rng.one_in(3);
    let plain = shifted(digits, power);
    let text = match rng.below(4) {
        0 => format!("{digits}e{power}"),
        1 => format!("{digits}.000E{power:+}"),
        2 if plain.contains('.') => format!("{plain}000"),
        _ => plain.clone(),
    };
    let sign = if negative { "-" } else { "" };
    // The power of ten of the last digit that counts.
    let (mut rest, mut last) = (digits, power);
    while rest > 0 && rest % 10 == 0 {
        (rest, last) = (rest / 10, last + 1);
    }
    let fits = digits == 0 || last >= -scale;
    let trimmed =
        if plain.contains('.') { plain.trim_end_matches('0').trim_end_matches('.') } else { &plain };
    Case { text: format!("{sign}{text}"), shown: fits.then(|| format!("{sign}{trimmed}")) }
}

/// The digits times a power of ten, without an exponent.
fn shifted(digits: u64, power: i32) -> String {
    let Ok(below) = usize::try_from(-power) else {
        let zeros = if digits == 0 { 0 } else { usize::try_from(power).unwrap() };
        return format!("{digits}{}", "0".repeat(zeros));
    };
    if below == 0 {
        return digits.to_string();
    }
    let text = format!("{digits:0width$}", width = below + 1);
    format!("{}.{}", &text[..text.len() - below], &text[text.len() - below..])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Zone {
    Dropped,
    Heard,
}

struct Fraction {
    text: String,
    micros: u32,
    /// Of digits beyond which there are but zeros.
    digits: usize,
}

fn fraction(rng: &mut Rng) -> Fraction {
    let many = if rng.one_in(2) { 0 } else { 1 + rng.index(9) };
    let digits: String = (0..many).map(|_| rng.pick(&["0", "0", "1", "5", "9"])).collect();
    let counted = digits.trim_end_matches('0').len();
    let micros = format!("{digits:0<6}")[..6].parse().unwrap();
    let text = if digits.is_empty() { digits } else { format!(".{digits}") };
    Fraction { text, micros, digits: counted }
}

/// A date and a time, in a spelling that the server reads.
fn moment(rng: &mut Rng, zone: Zone, precision: usize) -> Case {
    let (y, m, d) = (1_970 + rng.below(100), 1 + rng.below(12), 2 + rng.below(25));
    let (h, i) = (rng.below(24), rng.below(60));
    let s = if rng.one_in(20) { 60 } else { rng.below(60) };
    let f = fraction(rng);
    let hours = if rng.one_in(2) { 0 } else { rng.pick(&[-8, -1, 2, 5, 14]) };
    let none = rng.one_in(3);
    let month = MONTHS[usize::try_from(m).unwrap() - 1];
    let (date, clock) = match rng.below(6) {
        0 => (format!("{y}{m:02}{d:02}T"), format!("{h:02}{i:02}{s:02}{}", f.text)),
        1 => (format!("{d} {month} {y} "), format!("{h:02}:{i:02}:{s:02}{}", f.text)),
        2 => (format!("{month} {d}, {y} "), format!("{h:02}:{i:02}:{s:02}{}", f.text)),
        3 => (format!("{y}-{m:02}-{d:02}T"), format!("{h:02}:{i:02}:{s:02}{}", f.text)),
        4 => (format!("{y}/{m:02}/{d:02} "), format!("{h:02}:{i:02}:{s:02}{}", f.text)),
        _ => (format!("{y}-{m:02}-{d:02} "), format!("{h:02}:{i:02}:{s:02}{}", f.text)),
    };
    let offset = match (none, hours) {
        (true, _) => String::new(),
        (false, 0) => rng.pick(&["Z", "+00", "+00:00", " UTC", "-00"]).to_owned(),
        (false, n) => match rng.below(3) {
            0 => format!("{n:+03}"),
            1 => format!("{n:+03}:00"),
            _ => format!("{n:+03}00"),
        },
    };
    let dropped = zone == Zone::Dropped && !none && hours != 0;
    let fits = !dropped && s < 60 && f.digits <= precision;
    let minutes = i64::try_from(h * 60 + i).unwrap() - if none { 0 } else { hours * 60 };
    // No day is the first or the last of its month.
    let day = i64::try_from(d).unwrap() + minutes.div_euclid(1_440);
    let minutes = minutes.rem_euclid(1_440);
    let shown = format!("{y}-{m:02}-{day:02} {:02}:{:02}:{s:02}.{:06}", minutes / 60, minutes % 60, f.micros);
    Case { text: format!("{date}{clock}{offset}"), shown: fits.then_some(shown) }
}

const MONTHS: [&str; 12] =
    ["Jan", "February", "Mar", "april", "May", "JUN", "July", "Aug", "Sept", "Oct", "November", "Dec"];

/// A day, perhaps with a time.
fn day(rng: &mut Rng) -> Case {
    let (y, m, d) = (2_000 + rng.below(99), 1 + rng.below(12), 1 + rng.below(28));
    let shown = format!("{y}-{m:02}-{d:02}");
    let (text, fits) = match rng.below(9) {
        0 => (format!("{shown}T00:00:00"), true),
        1 => (format!("{shown} 00:00:00.000Z"), true),
        2 => (format!("{shown} 00:{:02}:01", rng.below(60)), false),
        3 => (format!("{shown}T00:00:00+0{}:00", 1 + rng.below(9)), false),
        4 => (format!("{y}{m:02}{d:02}"), true),
        5 => (format!("{:02}-{m:02}-{d:02}", y % 100), false),
        6 => (rng.pick(&["now", "today", "Tomorrow", "YESTERDAY"]).to_owned(), false),
        7 => (format!("{d} {} {y}", MONTHS[usize::try_from(m).unwrap() - 1]), true),
        _ => (shown.clone(), true),
    };
    Case { text, shown: fits.then_some(shown) }
}

fn clock(rng: &mut Rng) -> Case {
    let (h, i, s) = (rng.below(24), rng.below(60), rng.below(60));
    let f = fraction(rng);
    let plain = format!("{h:02}:{i:02}:{s:02}{}", f.text);
    let (text, fits) = match rng.below(6) {
        0 => (format!("2024-05-06 {plain}"), false),
        1 => (format!("{plain}+0{}", 1 + rng.below(9)), false),
        2 => (format!("{plain}Z"), true),
        3 => (format!("{h:02}{i:02}{s:02}{}", f.text), true),
        _ => (plain, true),
    };
    let micros = format!(".{:06}", f.micros);
    let micros = micros.trim_end_matches('0').trim_end_matches('.');
    Case { text, shown: (fits && f.digits <= 6).then(|| format!("{h:02}:{i:02}:{s:02}{micros}")) }
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

#[test]
fn what_is_stored_means_what_the_text_means_and_what_loses_nothing_is_stored() {
    let mut rng = Rng::new();
    let many = values_per_type();
    for (ty, draw, shown) in TYPES {
        let cases: Vec<Case> = (0..many).map(|_| draw(&mut rng)).collect();
        let scene = Scene::with(&format!("CREATE TABLE t (id int PRIMARY KEY, v {ty})"));
        let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let lines: String =
            cases.iter().enumerate().map(|(i, case)| format!("{i},{}\n", quote(&case.text))).collect();
        scene.file("t.csv", format!("id,v\n{lines}"));
        let outcome = scene.run("t.csv");
        let stored = scene.db.rows(&format!("SET TimeZone = 'UTC'; SELECT id, {shown} FROM t ORDER BY id"));
        let mut stored = stored.into_iter().peekable();
        for (i, case) in cases.iter().enumerate() {
            let found = stored.next_if(|row| row[0].as_deref() == Some(i.to_string().as_str()));
            let found = found.map(|mut row| row.remove(1).unwrap_or_default());
            assert_eq!(found, case.shown, "{ty}: {:?}", case.text);
        }
        let kept = cases.iter().filter(|case| case.shown.is_some()).count();
        let (many, rejected) = (many as u64, (many - kept) as u64);
        assert_eq!(outcome.rows(), rows!(read: many, inserted: many - rejected, rejected: rejected), "{ty}");
        let verified = scene.run("verify t.csv").exits(3);
        let found: serde_json::Value = serde_json::from_str(verified.stdout.trim()).unwrap();
        let counts = ["equal", "rejected"].map(|count| found[count].as_u64());
        assert_eq!(counts, [Some(many - rejected), Some(rejected)], "{ty}");
    }
}

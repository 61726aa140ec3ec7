//! Dates, times and intervals.

use super::{Case, Kind};
use crate::support::Rng;

const STAMP: &str = "to_char(v, 'YYYY-MM-DD HH24:MI:SS.US')";

pub(super) const KINDS: [Kind; 10] = [
    ("timestamp", |rng| moment(rng, Zone::Dropped, 6), STAMP),
    ("timestamp(3)", |rng| moment(rng, Zone::Dropped, 3), STAMP),
    (
        "timestamptz",
        |rng| moment(rng, Zone::Heard, 6),
        "to_char(v AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    ),
    ("date", day, "v"),
    ("time", clock, "v"),
    ("timetz", zoned_clock, "v"),
    ("interval", |rng| interval(rng, false), SPAN),
    ("interval day", |rng| interval(rng, true), SPAN),
    ("date[]", days, "v"),
    ("tsrange", span, "to_char(lower(v), 'YYYY-MM-DD HH24:MI:SS.US')"),
];

/// Months, days and microseconds.
const SPAN: &str = "(12 * extract(year FROM v) + extract(month FROM v))::int || ' ' || extract(day FROM v)::int || ' ' || \
    (3600000000 * extract(hour FROM v) + 60000000 * extract(minute FROM v) + extract(microseconds FROM v))::bigint";

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
    let form = rng.below(6);
    let (date, clock) = match form {
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
        // `101500-01:00` is no time for the server.
        (false, n) => match rng.below(if form == 0 { 2 } else { 3 }) {
            0 => format!("{n:+03}"),
            1 => format!("{n:+03}00"),
            _ => format!("{n:+03}:00"),
        },
    };
    let dropped = zone == Zone::Dropped && !none && hours != 0;
    let fits = !dropped && s < 60 && f.digits <= precision;
    let minutes = i64::try_from(h * 60 + i).unwrap() - if none { 0 } else { hours * 60 };
    if rng.one_in(8) {
        // What is no offset, or the name of a zone that turns its sign round.
        let (sign, hours) = (rng.pick(&["+", "-"]), 1 + rng.below(12));
        let odd = match rng.below(4) {
            0 => format!(" {sign} {hours:02}:00"),
            1 => format!(" {}{sign}{hours:02}:00", rng.pick(&["GMT", "UTC", "CET"])),
            2 => format!(" GMT{sign}{hours:02}00"),
            _ => format!(" {}{hours}", rng.pick(&["UTC", "Z+", "foo-", "PST"])),
        };
        return Case::refused(format!("{date}{clock}{odd}"));
    }
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
    let (text, fits) = match rng.below(11) {
        9 => (format!("{y}{m:02}{d:02}{:0width$}", rng.below(100), width = 1 + rng.index(4)), false),
        10 => {
            let is_leap = y % 4 == 0;
            return Case { text: format!("{y}-366"), shown: is_leap.then(|| format!("{y}-12-31")) };
        }
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

fn zoned_clock(rng: &mut Rng) -> Case {
    let (h, i, s) = (rng.below(24), rng.below(60), rng.below(60));
    let hours = 1 + rng.below(9);
    let plain = format!("{h:02}:{i:02}:{s:02}");
    match rng.below(5) {
        0 => Case::refused(format!("2024-05-06 {plain}+0{hours}")),
        1 => Case::kept(plain.clone(), format!("{plain}+00")),
        2 => Case::kept(format!("{plain}-0{hours}:00"), format!("{plain}-0{hours}")),
        3 => Case::refused(format!("{plain}.0000001+0{hours}")),
        _ => Case::same(format!("{plain}+0{hours}")),
    }
}

/// Of months, days and a time; perhaps with a part that is none.
fn interval(rng: &mut Rng, days_alone: bool) -> Case {
    let (y, m, d) = (rng.below(20), rng.below(12), rng.below(40));
    let (h, i, s) = if rng.one_in(3) { (0, 0, 0) } else { (rng.below(24), rng.below(60), rng.below(60)) };
    let f = fraction(rng);
    let micros = 1_000_000 * (3_600 * h + 60 * i + s) + u64::from(f.micros);
    let shown = |months: u64, days: u64, micros: u64| {
        let fits = f.digits <= 6 && !(days_alone && micros > 0);
        fits.then(|| format!("{months} {days} {micros}"))
    };
    let (text, shown) = match rng.below(7) {
        6 => {
            let unit = rng.pick(&["h", "min", " hours", "d"]);
            let text = match rng.below(4) {
                0 => format!("{h},{i} {unit}"),
                1 => format!("{h}{unit}{i}"),
                2 => format!("{h}{unit} {i}"),
                _ => format!("{y}-{m} {unit}"),
            };
            return Case::refused(text);
        }
        0 => (format!("P{y}Y{m}M{d}DT{h}H{i}M{s}{}S", f.text), shown(12 * y + m, d, micros)),
        1 => (
            format!("{y} years {m} mons {d} days {h:02}:{i:02}:{s:02}{}", f.text),
            shown(12 * y + m, d, micros),
        ),
        2 => (format!("{h} hours {i} min {s}{} secs", f.text), shown(0, 0, micros)),
        3 => return Case::refused(format!("{m}.{} months", rng.pick(&["1", "25", "5"]))),
        4 => {
            let half = 43_200_000_000_u64;
            let fits = !days_alone;
            return Case { text: format!("{d}.5 days"), shown: fits.then(|| format!("0 {d} {half}")) };
        }
        _ => return Case::kept(format!("{y}.5 years {d} days"), format!("{} {d} 0", 12 * y + 6)),
    };
    Case { text, shown }
}

fn days(rng: &mut Rng) -> Case {
    let cases: Vec<Case> = (0..rng.index(4)).map(|_| day(rng)).collect();
    let texts: Vec<String> = cases.iter().map(|case| format!("\"{}\"", case.text)).collect();
    let shown: Option<Vec<String>> = cases.into_iter().map(|case| case.shown).collect();
    Case {
        text: format!("{{{}}}", texts.join(",")),
        shown: shown.map(|all| format!("{{{}}}", all.join(","))),
    }
}

fn span(rng: &mut Rng) -> Case {
    let Case { text, shown } = moment(rng, Zone::Dropped, 6);
    Case { text: format!("[\"{text}\",)"), shown }
}

//! Numbers.

use super::{Case, Kind};
use crate::support::Rng;

pub(super) const KINDS: [Kind; 15] = [
    ("smallint", |rng| integer(rng, 15), "v"),
    ("int", |rng| integer(rng, 31), "v"),
    ("bigint", |rng| integer(rng, 63), "v"),
    ("numeric", |rng| decimal(rng, 40), "trim_scale(v)"),
    ("numeric(12,2)", |rng| decimal(rng, 2), "trim_scale(v)"),
    ("numeric(9,-2)", |rng| decimal(rng, -2), "trim_scale(v)"),
    ("price", |rng| decimal(rng, 2), "trim_scale(v)"),
    ("money", money, "v::numeric"),
    ("real", single, "encode(float4send(v), 'hex')"),
    ("double precision", double, "encode(float8send(v), 'hex')"),
    ("oid", |rng| unsigned(rng, 32), "v"),
    ("xid", |rng| unsigned(rng, 32), "v"),
    ("xid8", |rng| unsigned(rng, 64), "v"),
    ("tid", place, "v"),
    (
        "numeric(12,1)[]",
        array,
        "ARRAY(SELECT trim_scale(n) FROM unnest(v) WITH ORDINALITY u(n, i) ORDER BY i)",
    ),
];

/// Of so many bits, or of one more.
fn integer(rng: &mut Rng, bits: u32) -> Case {
    let beyond = rng.one_in(8);
    let limit = 1 << rng.below(u64::from(bits) + 1);
    let n = rng.below(limit);
    let n = if beyond { (1_i128 << bits) + i128::from(n) } else { i128::from(n) };
    let n = if rng.one_in(3) { -n } else { n };
    let sign = if n < 0 { "-" } else { "" };
    let text = match rng.below(4) {
        0 => format!("{sign}00{}", n.abs()),
        1 => format!("{n}.0"),
        _ => n.to_string(),
    };
    // The least has no opposite.
    let fits = n < 1 << bits && n >= -(1 << bits);
    if fits { Case::kept(text, n.to_string()) } else { Case::refused(text) }
}

/// A number of some digits, times a power of ten, spelt with or without an exponent.
fn decimal(rng: &mut Rng, scale: i32) -> Case {
    let digits = of_some_digits(rng, 6);
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

fn money(rng: &mut Rng) -> Case {
    let cents = of_some_digits(rng, 9);
    let (whole, rest) = (cents / 100, cents % 100);
    let grouped = grouped(whole);
    let negative = cents > 0 && rng.one_in(3);
    let shown = format!("{}{whole}.{rest:02}", if negative { "-" } else { "" });
    let plain = format!("{grouped}.{rest:02}");
    match (rng.below(6), negative) {
        (0, _) => Case::refused(format!("{plain}{}", 1 + rng.below(9))),
        // The comma of other countries.
        (1, _) => Case::refused(format!("{whole},{rest:02}")),
        (2, true) => Case::kept(format!("({plain})"), shown),
        (2 | 3, _) => Case::kept(format!("{}${plain}", if negative { "-" } else { "" }), shown),
        (_, true) => Case::kept(format!("-{whole}.{rest:02}00"), shown),
        (_, false) => Case::kept(format!("{whole}.{rest:02}"), shown),
    }
}

/// A number of at most so many digits.
fn of_some_digits(rng: &mut Rng, most: u64) -> u64 {
    let digits = 1 + rng.below(most);
    rng.below(10_u64.pow(u32::try_from(digits).unwrap()))
}

/// With a comma before each three digits.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// More digits than a float keeps, and not too near its ends.
fn float(rng: &mut Rng) -> String {
    let digits = of_some_digits(rng, 17);
    let sign = if digits > 0 && rng.one_in(3) { "-" } else { "" };
    match rng.below(3) {
        0 => format!("{sign}{digits}"),
        1 => format!("{sign}{digits}.{}", rng.below(1_000_000)),
        _ => format!("{sign}{digits}e{}", i64::try_from(rng.below(30)).unwrap() - 25),
    }
}

fn single(rng: &mut Rng) -> Case {
    if rng.one_in(10) {
        return Case::refused(format!("{}e{}", 1 + rng.below(9), 39 + rng.below(20)));
    }
    let text = float(rng);
    let bits = text.parse::<f32>().unwrap().to_bits();
    Case::kept(text, format!("{bits:08x}"))
}

fn double(rng: &mut Rng) -> Case {
    if rng.one_in(10) {
        return Case::refused(format!("{}e{}", 1 + rng.below(9), 309 + rng.below(20)));
    }
    let text = float(rng);
    let bits = text.parse::<f64>().unwrap().to_bits();
    Case::kept(text, format!("{bits:016x}"))
}

fn unsigned(rng: &mut Rng, bits: u32) -> Case {
    let n = u128::from(rng.next()) & ((1 << bits) - 1);
    match rng.below(8) {
        0 => Case::refused(format!("-{}", n.max(1))),
        1 => Case::refused(format!("0{}", n.max(1))),
        2 => Case::refused(((1_u128 << bits) + n).to_string()),
        3 => Case::refused(format!("{n}x")),
        _ => Case::same(n.to_string()),
    }
}

/// A block, and a place in it.
fn place(rng: &mut Rng) -> Case {
    let (block, place) = (rng.next() & 0xffff_ffff, 1 + rng.below(65_535));
    match rng.below(4) {
        0 => Case::refused(format!("(-{},{place})", block.max(1))),
        1 => Case::refused(format!("({block},{})", place + 65_536)),
        _ => Case::same(format!("({block},{place})")),
    }
}

fn array(rng: &mut Rng) -> Case {
    let (mut texts, mut shown, mut fits) = (Vec::new(), Vec::new(), true);
    for _ in 0..rng.index(4) {
        if rng.one_in(4) {
            texts.push(rng.pick(&["NULL", "null"]).to_owned());
            shown.push("NULL".to_owned());
            continue;
        }
        let case = decimal(rng, 1);
        let spaces = rng.pick(&["", " "]);
        texts.push(if rng.one_in(3) {
            format!("\"{}\"", case.text)
        } else {
            format!("{spaces}{}{spaces}", case.text)
        });
        fits &= case.shown.is_some();
        shown.extend(case.shown);
    }
    let text = format!("{{{}}}", texts.join(","));
    if fits { Case::kept(text, format!("{{{}}}", shown.join(","))) } else { Case::refused(text) }
}

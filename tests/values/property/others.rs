//! Bytes, bits, addresses and what else has a type of its own.

use super::{Case, Kind};
use crate::support::Rng;

pub(super) const KINDS: [Kind; 16] = [
    ("boolean", truth, "v"),
    ("uuid", uuid, "v"),
    ("bytea", bytes, "encode(v, 'hex')"),
    ("bit(8)", |rng| bits(rng, true), "v"),
    ("varbit(8)", |rng| bits(rng, false), "v"),
    ("inet", |rng| address(rng, false), "host(v) || '/' || masklen(v)"),
    ("cidr", |rng| address(rng, true), "host(v) || '/' || masklen(v)"),
    ("macaddr", macaddr, "v"),
    ("pg_lsn", lsn, "v"),
    ("point", point, "v"),
    ("int4range", integers, "v"),
    (
        "nummultirange",
        |rng| {
            let (a, b) = (rng.below(50), 50 + rng.below(50));
            Case::kept(format!("{{[{a}.5,{b}.25) , (200,]}}"), format!("{{[{a}.5,{b}.25),(200,)}}"))
        },
        "v",
    ),
    ("tsvector", lexemes, "v"),
    (
        "tsquery",
        |rng| {
            let (a, b) = (rng.pick(&["cat", "dog"]), rng.pick(&["fox", "hen"]));
            Case::kept(format!("{a}&!{b}"), format!("'{a}' & !'{b}'"))
        },
        "v",
    ),
    ("priced", priced, "'(' || (v).name || '|)' || trim_scale((v).price)"),
    (
        "oidvector",
        |rng| {
            let (a, b) = (rng.below(1 << 32), 1 + rng.below(100));
            if rng.one_in(3) { Case::refused(format!("{a} -{b}")) } else { Case::same(format!("{a} {b}")) }
        },
        "v",
    ),
];

fn truth(rng: &mut Rng) -> Case {
    let (word, shown) = rng.pick(&[
        ("t", Some("t")),
        ("TRUE", Some("t")),
        ("yes", Some("t")),
        ("On", Some("t")),
        ("1", Some("t")),
        ("f", Some("f")),
        ("False", Some("f")),
        ("no", Some("f")),
        ("off", Some("f")),
        ("0", Some("f")),
        ("2", None),
        ("o", None),
        ("J", None),
    ]);
    Case { text: word.to_owned(), shown: shown.map(ToOwned::to_owned) }
}

fn hex(rng: &mut Rng, bytes: usize) -> String {
    (0..bytes).map(|_| format!("{:02x}", rng.below(256))).collect()
}

fn uuid(rng: &mut Rng) -> Case {
    let digits = hex(rng, 16);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    let shown = parts.join("-");
    match rng.below(4) {
        0 => Case::kept(digits.to_uppercase(), shown),
        1 => Case::kept(format!("{{{shown}}}"), shown),
        2 => Case::refused(&digits[1..]),
        _ => Case::same(shown),
    }
}

fn bytes(rng: &mut Rng) -> Case {
    let many = rng.index(9);
    let digits = hex(rng, many);
    match rng.below(4) {
        0 => Case::kept(format!("\\x{}", digits.to_uppercase()), digits),
        // Letters stand for themselves.
        1 => Case::kept("SGVsbG8=", "534756736247383d"),
        2 => Case::refused(format!("\\x{digits}0")),
        _ => Case::kept(format!("\\x{digits}"), digits),
    }
}

fn bits(rng: &mut Rng, is_fixed: bool) -> Case {
    let many = 5 + rng.index(5);
    let text: String = (0..many).map(|_| rng.pick(&["0", "1"])).collect();
    let fits = if is_fixed { many == 8 } else { many <= 8 };
    if fits { Case::same(text) } else { Case::refused(text) }
}

fn address(rng: &mut Rng, is_network: bool) -> Case {
    let (a, b, c, d) = (1 + rng.below(223), rng.below(256), rng.below(256), rng.below(256));
    match rng.below(3) {
        0 => Case::kept(format!("{a}.{b}.{c}.{d}"), format!("{a}.{b}.{c}.{d}/32")),
        1 => Case::same(format!("{a}.{b}.0.0/16")),
        _ if is_network => Case::refused(format!("{a}.{b}.{c}.{}/16", d.max(1))),
        _ => Case::same(format!("{a}.{b}.{c}.{d}/16")),
    }
}

fn macaddr(rng: &mut Rng) -> Case {
    let digits = hex(rng, 6);
    let pairs: Vec<&str> = (0..6).map(|i| &digits[2 * i..2 * i + 2]).collect();
    let separator = rng.pick(&[":", "-", ""]);
    Case::kept(pairs.join(separator), pairs.join(":"))
}

fn lsn(rng: &mut Rng) -> Case {
    let (high, low) = (rng.below(1 << 32), rng.below(1 << 32));
    Case::kept(format!("{high:x}/{low:08x}"), format!("{high:X}/{low:X}"))
}

fn point(rng: &mut Rng) -> Case {
    let (x, y) = (rng.below(1_000), rng.below(1_000));
    Case::kept(format!("( {x}.50 , -{y}.25 )"), format!("({x}.5,-{y}.25)"))
}

fn integers(rng: &mut Rng) -> Case {
    let a = rng.below(1_000);
    let b = a + 1 + rng.below(1_000);
    match rng.below(4) {
        0 => Case::kept(format!("[{a},{b}]"), format!("[{a},{})", b + 1)),
        1 => Case::kept(format!("({a},)"), format!("[{},)", a + 1)),
        2 => Case::refused(format!("[{b},{a})")),
        _ => Case::same(format!("[{a},{b})")),
    }
}

fn lexemes(rng: &mut Rng) -> Case {
    let first = 1 + rng.below(16_383);
    let second = first + 1 + rng.below(2_000);
    let text = format!("fox:{first},{second}");
    match rng.below(3) {
        0 => Case::refused(format!("fox:{first}A,{first}")),
        1 => Case::kept("the quick the", "'quick' 'the'"),
        _ if second > 16_383 => Case::refused(text),
        _ => Case::kept(text, format!("'fox':{first},{second}")),
    }
}

/// A row: spaces belong to its values.
fn priced(rng: &mut Rng) -> Case {
    let (name, cents) = (rng.pick(&["a", "ab", "abc"]), rng.below(100_000));
    let padded = format!("{name}{}", " ".repeat(rng.index(3)));
    let is_short = padded.len() <= 3;
    let text =
        if rng.one_in(2) { format!("({padded},{cents}.5)") } else { format!("(\"{padded}\",{cents}.50)") };
    match rng.below(4) {
        0 => Case::refused(format!("({name},{cents}.55)")),
        _ if is_short => Case::kept(text, format!("({padded}|){cents}.5")),
        _ => Case::refused(text),
    }
}

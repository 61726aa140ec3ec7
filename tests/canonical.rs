//! What the server holds equal has one hash and one partition, or is known to be unread: for generated texts
//! of every type that a key is hashed by, by the server's own `=`. And what follows for loads with such keys.
//!
//! `VALUES_PER_TYPE=20000 cargo test --test main canonical::equal` for a long run of the property.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use dbload::internals::format::{Format, Layout, Limits, Splitter};
use dbload::internals::map::{Clocks, Extra, Mapping, Narrowing, Partitioner, Partitioning, encode_block};
use dbload::internals::pg::{ConnInfo, Ident, Session, TableName, catalog::read_table, connect_pool};
use dbload::internals::record::{Block, Position, Text};

use crate::rows;
use crate::support::{Database, Rng, Scene};

/// A type, its texts, and how many of them at least are read: else nothing is shown.
type Kind = (&'static str, fn(&mut Rng) -> String, f64);

const KINDS: [Kind; 20] = [
    ("numeric", number, 0.99),
    ("numeric(6,2)", number, 0.99),
    ("numeric(7,-1)", number, 0.99),
    ("date", date, 0.4),
    ("timestamp", moment, 0.4),
    ("timestamptz", moment, 0.4),
    ("timestamptz(2)", moment, 0.4),
    ("time", time, 0.4),
    ("timetz", time, 0.3),
    ("interval", interval, 0.4),
    ("inet", address, 0.7),
    ("macaddr", hardware_address, 0.7),
    ("bytea", bytes, 0.8),
    ("\"char\"", byte, 0.4),
    ("citext", letters, 0.99),
    ("text", letters, 0.99),
    ("varchar(4)", letters, 0.99),
    ("char(6)", letters, 0.99),
    ("bigint", integer, 0.99),
    ("uuid", uuid, 0.99),
];

const TAKE: &str = "CREATE EXTENSION citext; CREATE FUNCTION take(id int, v text) RETURNS void LANGUAGE plpgsql AS \
    $$ BEGIN EXECUTE format('INSERT INTO taken VALUES (%s, %L)', id, v); EXCEPTION WHEN data_exception THEN NULL; END $$";

#[test]
fn equal_values_have_one_hash() {
    let db = Database::fresh();
    db.sql(TAKE);
    let many: usize = std::env::var("VALUES_PER_TYPE").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let mut rng = Rng::new();
    for zone in ["UTC", "Europe/Berlin"] {
        for kind in KINDS {
            check(&db, kind, zone, many, &mut rng);
        }
    }
}

fn check(db: &Database, kind: Kind, zone: &str, many: usize, rng: &mut Rng) {
    let (ty, draw, least_read) = kind;
    let texts: Vec<String> = (0..many).map(|_| draw(rng)).collect();
    db.sql(&format!(
        "DROP TABLE IF EXISTS keyed, taken; CREATE TABLE keyed (v {ty} PRIMARY KEY); CREATE TABLE taken (id int, v {ty}); \
         SET TimeZone = '{zone}'; SET DateStyle = 'ISO, DMY'; SET IntervalStyle = 'postgres'"
    ));
    let mapping = mapping(db, zone == "UTC");
    let calls: Vec<String> = texts
        .iter()
        .enumerate()
        .map(|(id, text)| format!("SELECT take({id}, '{}')", text.replace('\'', "''")))
        .collect();
    db.sql(&format!("SET standard_conforming_strings = on; {}", calls.join("; ")));
    // By the default operator class of the type.
    let taken = db.rows("SELECT id, dense_rank() OVER (ORDER BY v) FROM taken ORDER BY id");
    let mut values: BTreeMap<u64, (u64, usize, &str)> = BTreeMap::new();
    let (mut read, mut equals) = (0_usize, 0_usize);
    for row in &taken {
        let [id, value] = row.as_slice() else { unreachable!("two columns") };
        let text = &texts[id.as_ref().unwrap().parse::<usize>().unwrap()];
        let Some((hash, partition)) = placed(&mapping, text) else { continue };
        read += 1;
        let (first, at, other) =
            *values.entry(value.as_ref().unwrap().parse().unwrap()).or_insert((hash, partition, text));
        equals += usize::from(text != other);
        assert_eq!((hash, partition), (first, at), "{ty} under {zone}: {text:?} is equal to {other:?}");
    }
    let hashes: HashSet<u64> = values.values().map(|(hash, ..)| *hash).collect();
    println!(
        "{ty}, {zone}: {} taken, {read} read, {equals} spelt otherwise, {} values, {} hashes",
        taken.len(),
        values.len(),
        hashes.len()
    );
    let zoned = zone != "UTC" && matches!(ty, "timestamptz" | "timestamptz(2)" | "timetz");
    let least = if zoned { least_read / 4.0 } else { least_read };
    assert!(read as f64 >= least * taken.len() as f64, "{ty}: {read} of {} are read", taken.len());
    assert!(many < 100 || taken.len() > many / 5, "{ty}: {} taken", taken.len());
    // A hash that tells nothing apart would be no fault otherwise; that of citext knows the letters of ASCII
    // alone.
    assert!(
        ty == "citext" || hashes.len() * 10 >= values.len() * 8,
        "{ty}: {} hashes of {} values",
        hashes.len(),
        values.len()
    );
}

/// The mapping of a load into the table `keyed`, as its catalog has it.
fn mapping(db: &Database, are_utc: bool) -> Mapping {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let table = runtime.block_on(async {
        let pool = connect_pool(&ConnInfo::parse(db.url()).unwrap(), 1).await.unwrap();
        let session = Session::open(&pool).await.unwrap();
        let name = TableName { schema: None, name: Ident::new("keyed").unwrap() };
        read_table(&session, &name).await.unwrap().unwrap()
    });
    let partitioner = Partitioner { by: Partitioning::Key, count: 7 };
    let mapping = Mapping::new(Arc::new(table), &[0], false, Extra::Refuse, partitioner).told_by(Some(0));
    assert_eq!(mapping.hashed, [0], "the key is hashed");
    mapping.judged(&Narrowing::allow(), Clocks { are_utc }, false)
}

/// Hash and partition of a record with such a key. `None`: unread.
fn placed(mapping: &Mapping, text: &str) -> Option<(u64, usize)> {
    let line = format!("{}\n", serde_json::json!({ "v": text }));
    let start = Position::start_of(0);
    let (mut splitter, mut spans) = (Splitter::new(&Format::Jsonl, Limits::default(), start), Vec::new());
    splitter.split(line.as_bytes(), true, &mut spans).unwrap();
    let text = Text { bytes: Bytes::copy_from_slice(line.as_bytes()), spans };
    let block = Arc::new(Block::of_text(start, splitter.position(), text));
    let layout = Layout { format: Format::Jsonl, header: Vec::new(), constants: Vec::new() };
    let encoded = encode_block(mapping, &layout, &[], block, &[]);
    let (partition, part) = encoded.parts.iter().enumerate().find(|(_, part)| !part.rows.is_empty())?;
    (!part.has_unread_keys).then(|| (part.rows[0].hash, partition))
}

fn sign(rng: &mut Rng) -> &'static str {
    rng.pick(&["", "", "", "-", "+"])
}

fn number(rng: &mut Rng) -> String {
    let n = rng.below(25);
    let zeros = "0".repeat(rng.index(4));
    let power = rng.index(30);
    let text = match rng.below(16) {
        0 => format!("{n}.{zeros}"),
        1 => format!("{n}e{}", rng.below(4)),
        2 => format!("{n}{zeros}e-{}", zeros.len()),
        3 => format!("0.00{n}E+{}", rng.below(6)),
        4 => format!("{zeros}{n}"),
        5 => format!("{n}.{}", rng.pick(&["5", "50", "49", "995", "999", "004", "005", "00500", "0049999"])),
        6 => format!("0x{n:x}"),
        7 => format!("0b{n:b}"),
        8 => format!("0o{n:o}"),
        9 => format!("1_0{n}.0_0"),
        10 => format!("10{n}"),
        11 => {
            return rng
                .pick(&["NaN", "nan", "inf", "-Infinity", "infinity", "", "abc", "1,5", "1e", "e5"])
                .to_owned();
        }
        12 => format!(" {n} "),
        13 => format!("{n}{}", "0".repeat(power)),
        14 => format!("{n}.{}{n}", "0".repeat(power)),
        _ => n.to_string(),
    };
    format!("{}{text}", sign(rng))
}

fn integer(rng: &mut Rng) -> String {
    let n = rng.below(50);
    let text = rng.pick(&["{n}", "0{n}", " {n}", "{n}.0", "{n}e0"]).replace("{n}", &n.to_string());
    format!("{}{}", if text.starts_with(' ') { "" } else { sign(rng) }, text)
}

fn date(rng: &mut Rng) -> String {
    let day = 1 + rng.below(28);
    let (month, year) = (rng.pick(&[1_u64, 2, 12]), rng.pick(&[1969_u64, 2000, 2024]));
    let name = rng.pick(&["Jan", "February", "dec"]);
    match rng.below(15) {
        0 => format!("{year}{month:02}{day:02}"),
        1 => format!("{year}-{month}-{day}"),
        2 => format!("{day:02}/{month:02}/{year}"),
        3 => format!("{name} {day}, {year}"),
        4 => format!("{year}-{month:02}-{day:02}T{:02}:15:00", rng.below(24)),
        5 => format!("{year}-{month:02}-{day:02} 23:30:00-05:00"),
        6 => format!(" {year}-{month:02}-{day:02}T00:00:00Z"),
        7 => format!("{year}-{month:02}-{day:02} 24:00"),
        8 => format!("{year}.{:03}", day),
        9 => format!("J{}", 2_460_000 + day),
        10 => format!("{year}{month:02}{day:02} 10:00"),
        11 => rng
            .pick(&["infinity", "-Infinity", "2024-02-30", "N/A", "epoch", "2024-13-01", "0044-03-15 BC"])
            .to_owned(),
        _ => format!("{year}-{month:02}-{day:02}"),
    }
}

/// Around noon, so that no offset leads into another day.
fn moment(rng: &mut Rng) -> String {
    let (minute, second) =
        (rng.below(3), rng.pick(&["", ":00", ":00.000", ":00.0000000", ":07", ":07.5", ":07.50"]));
    let day = rng.pick(&["2024-05-01", "2024-01-01", "20240501"]);
    let between = rng.pick(&[" ", "T"]);
    let offset = rng.below(8);
    let plus = |sign: &str, hours: u64| {
        let form =
            ["+HH", "+HH00", "+HH:00", " +HH", " +HH:00:00"][usize::try_from(minute + offset).unwrap() % 5];
        form.replace('+', sign).replace("HH", &format!("{hours:02}"))
    };
    let (hour, zone) = match rng.below(10) {
        0 => (12, "Z".to_owned()),
        1 => (12, rng.pick(&[" UTC", "utc", " z", "GMT", " Zulu"]).to_owned()),
        2 | 3 => (12 + offset, plus("+", offset)),
        4 => (12 - offset, plus("-", offset)),
        5 => (13, rng.pick(&[" Europe/Berlin", " CET", " CEST", " Europe/London"]).to_owned()),
        6 => (12 + offset, String::new()),
        7 => return format!("{day} 0{}:0{minute}:00 PM", 1 + offset % 3),
        8 => {
            return rng
                .pick(&[
                    "infinity",
                    "-infinity",
                    "May 1 2024 12:00:00",
                    "2024-05-01 23:59:60",
                    "2024-05-02",
                    "2024-05-01T24:00Z",
                    "1/5/2024 12:00",
                    "",
                    "nil",
                ])
                .to_owned();
        }
        _ => (12, String::new()),
    };
    let fraction = if rng.one_in(12) { ":00.1234567" } else { second };
    format!("{day}{between}{hour:02}:0{minute}{fraction}{zone}")
}

fn time(rng: &mut Rng) -> String {
    let (hour, minute) = (rng.below(25), rng.pick(&[0_u64, 0, 30]));
    let seconds = rng.pick(&["", ":00", ":00.00", ":07.5", ":07.500000", ":59.1234567", ":60"]);
    let zone = rng.pick(&["", "", "", "Z", "+00", "+02", "+0200", " +02:00", "-11:30", " UTC", " CET"]);
    match rng.below(10) {
        0 => format!("{hour}:{minute:02}{seconds}"),
        1 => format!("{hour:02}{minute:02}00"),
        2 => format!("{:02}:{minute:02} PM", 1 + hour % 12),
        3 => rng.pick(&["allballs", "24:00", "00:00", "23:59:60", "T10:00", "soon"]).to_owned(),
        _ => format!("{hour:02}:{minute:02}{seconds}{zone}"),
    }
}

fn interval(rng: &mut Rng) -> String {
    let n = rng.below(4);
    let (a, b) = (sign(rng), sign(rng));
    match rng.below(14) {
        0 => format!("{a}{n} month"),
        1 => format!("{a}{} days", n * 30),
        2 => format!("{a}{} HOURS", n * 24),
        3 => format!("{a}{n} day {b}02:30:00"),
        4 => format!("{a}{n} days {b}150 mins"),
        5 => format!("{a}{n} days {b}2 hours {b}30 minutes"),
        6 => format!("{a}0{n}:30:00.50"),
        7 => format!("{a}{n} hours {a}30 minutes {a}0.5 secs"),
        8 => format!("{a}{n} years {b}{n} mons"),
        9 => format!("{a}{} weeks {b}{n} day", n * 2),
        10 => format!("P{n}M"),
        11 => format!("{n}-0"),
        12 => format!("{n} days ago"),
        _ => rng
            .pick(&[
                "1.5 days",
                "36 hours",
                "1 day 12:00:00",
                "90",
                "P1DT12H",
                "@ 1 day",
                "0.5 month",
                "15 days",
                "1:30",
            ])
            .to_owned(),
    }
}

fn address(rng: &mut Rng) -> String {
    let n = rng.below(6);
    match rng.below(12) {
        0 => format!("10.0.0.{n}"),
        1 => format!("10.0.0.{n}/32"),
        2 => format!("010.00.000.{n:03}"),
        3 => format!("10.0.0.{n}/24"),
        4 => format!("10.{n}/16"),
        5 => format!("10.{n}.0.0/16"),
        6 => format!("fe80::{n}"),
        7 => format!("FE80:0:0:0:0:0:0:000{n}/128"),
        8 => format!("::ffff:10.0.0.{n}"),
        9 => format!("::FFFF:0a00:{n}"),
        10 => rng
            .pick(&[
                "::",
                "0::0/0",
                "0:0::/0",
                "10.0.0.",
                "10",
                "1.2.3.4/33",
                "none",
                "::1/10",
                "1:2:3:4:5:6:7::",
                "10.0.0./24",
            ])
            .to_owned(),
        _ => format!("10.0.0.{n}/0{}", 8),
    }
}

fn hardware_address(rng: &mut Rng) -> String {
    let n = rng.below(8);
    let text = match rng.below(9) {
        0 => format!("08:00:2b:0a:00:0{n}"),
        1 => format!("08-00-2b-0a-00-0{n}"),
        2 => format!("08002b:0a000{n}"),
        3 => format!("08002b-0a000{n}"),
        4 => format!("0800.2b0a.000{n}"),
        5 => format!("0800-2b0a-000{n}"),
        6 => format!("08002b0a000{n}"),
        7 => format!("8:0:2b:a:0:{n}"),
        _ => format!(" 08:00:2b:0a:00:0{n} "),
    };
    if rng.one_in(2) { text.to_uppercase() } else { text }
}

fn bytes(rng: &mut Rng) -> String {
    let many = rng.index(3);
    let bytes: Vec<u8> = (0..many).map(|_| rng.pick(&[0_u8, 65, 92, 255, 195])).collect();
    let octal = |b: &u8| format!("\\{b:03o}");
    match rng.below(5) {
        0 => format!("\\x{}", bytes.iter().map(|b| format!("{b:02X}")).collect::<String>()),
        1 => format!("\\x{}", bytes.iter().map(|b| format!(" {b:02x}\n")).collect::<String>()),
        2 => bytes.iter().map(octal).collect(),
        3 => bytes
            .iter()
            .map(|b| match b {
                65 => "A".to_owned(),
                92 => "\\\\".to_owned(),
                b => octal(b),
            })
            .collect(),
        _ => rng.pick(&["\\x4", "\\x4 1", "\\", "é", "A", "AA", "\\400"]).to_owned(),
    }
}

fn byte(rng: &mut Rng) -> String {
    rng.pick(&["a", "b", "A", " ", "", "ab", "é", "\\101", "\\141", "1"]).to_owned()
}

fn letters(rng: &mut Rng) -> String {
    let many = rng.index(5);
    let letter = |rng: &mut Rng| {
        rng.pick(&[
            "a", "A", "b", "i", "I", "K", "k", "é", "É", "ß", "Σ", "ς", "\u{130}", "\u{131}", "\u{212a}", " ",
        ])
    };
    (0..many).map(|_| letter(rng)).collect()
}

fn uuid(rng: &mut Rng) -> String {
    let n = rng.below(10);
    let plain = format!("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1{n}");
    match rng.below(4) {
        0 => plain.to_uppercase(),
        1 => plain.replace('-', ""),
        2 => format!("{{{plain}}}"),
        _ => plain,
    }
}

/// A table with a key of this type, and lines for it: its values by their number.
fn keyed(ty: &str, many: u64, key: impl Fn(u64) -> String) -> (Scene, String) {
    let scene = Scene::with(&format!("CREATE TABLE t (k {ty} PRIMARY KEY, v int)"));
    let lines = (0..many).map(|n| format!("{{\"k\":\"{}\",\"v\":{n}}}\n", key(n))).collect();
    (scene, lines)
}

/// Days of some years, none of them the last of a month.
fn day(n: u64) -> String {
    format!("{:04}-{:02}-{:02}", 1900 + n / 336, 1 + n / 28 % 12, 1 + n % 28)
}

fn minute(n: u64) -> String {
    format!("{}T{:02}:{:02}:00Z", day(n / 1_440), n / 60 % 24, n % 60)
}

#[test]
fn rows_of_such_keys_go_straight_by_all_connections() {
    let hex = |n: u64| format!("{n:08x}");
    for (ty, key) in [
        ("numeric", &(|n: u64| format!("{n}.{:03}", n % 1_000)) as &dyn Fn(u64) -> String),
        ("date", &day),
        ("timestamptz", &minute),
        ("timestamp", &minute),
        ("inet", &|n| format!("10.0.{}.{}", n / 256, n % 256)),
        ("macaddr", &|n| format!("08002b{:06x}", n)),
        ("bytea", &|n| format!("\\\\x{}", hex(n))),
        ("interval", &|n| format!("{n} days 00:00:{:02}", n % 60)),
    ] {
        let (scene, lines) = keyed(ty, 4_000, key);
        scene.file("t.jsonl", lines);
        let report = scene.load("t.jsonl --batch-rows 250 --pool-size 2").report();
        assert_eq!(report.rows, rows!(read: 4_000, inserted: 4_000), "{ty}");
        assert!(report.pool.direct >= report.pool.batches - 2, "{ty}: {:?}", report.pool);
        let least = scene.db.one("SELECT min(inserted) FROM _dbload.checkpoint");
        assert!(least.parse::<u64>().unwrap() > 1_000, "{ty}: {least} rows by one of two connections");
        assert_eq!(
            scene.db.one("SELECT count(*) || ' ' || sum(v) FROM t"),
            format!("4000 {}", 3_999 * 2_000),
            "{ty}"
        );
        scene.run("verify t.jsonl").exits(0);
        let again = scene.load("t.jsonl --batch-rows 250 --pool-size 2 --again").report();
        assert_eq!(again.rows, rows!(read: 4_000, unchanged: 4_000), "{ty}");
    }
}

#[test]
fn keys_that_the_server_alone_can_read_wait_for_those_before_them() {
    // Each day in words too, before or behind; among them some runs of words alone.
    let (scene, _) = keyed("date", 0, day);
    let spelt = |n: u64| {
        let day = 1 + n % 28;
        if n.is_multiple_of(7) || n % 400 > 360 {
            format!("May {day}, {}", 1900 + n / 28 % 20)
        } else {
            format!("{}-05-{day:02}", 1900 + n / 28 % 20)
        }
    };
    let lines: String =
        (0..1_200_u64).map(|n| format!("{{\"k\":\"{}\",\"v\":{n}}}\n", spelt(n * 11 % 560))).collect();
    scene.file("t.jsonl", &lines);
    let report = scene.load("t.jsonl --batch-rows 50 --pool-size 4").report();
    assert_eq!((report.rows.inserted, report.rows.read), (560, 1_200), "{:?}", report.rows);
    let expected = "SELECT count(*) FROM t JOIN (SELECT n * 11 % 560 AS d, max(n) AS n FROM generate_series(0, 1199) n GROUP BY 1) x \
                    ON t.k = make_date((1900 + d / 28)::int, 5, (1 + d % 28)::int) AND t.v = n";
    assert_eq!(scene.db.one(expected), "560");
    scene.run("verify t.jsonl --pool-size 4").exits(0);
}

#[test]
fn a_resume_finds_such_keys_where_they_were() {
    let (scene, _) = keyed("date", 0, day);
    let spelt = |n: u64| {
        if n.is_multiple_of(50) {
            format!("May {}, 2024", 1 + n % 28)
        } else {
            format!("2024-05-{:02}", 1 + n % 28)
        }
    };
    let lines: String = (0..600_u64).map(|n| format!("{{\"k\":\"{}\",\"v\":{n}}}\n", spelt(n * 5))).collect();
    scene.file("t.jsonl", &lines);
    let command = || scene.dbload("t.jsonl --batch-rows 20 --pool-size 3");
    for nth in [3, 5, 8] {
        let outcome = command().env("DBLOAD_CRASH_AT", format!("committed:{nth}")).run();
        assert!(outcome.was_killed(), "{outcome}");
    }
    let report = command().run().exits(0).report();
    assert_eq!(report.rows.read, 600);
    let expected = "SELECT count(*) FROM t JOIN (SELECT n * 5 % 28 AS d, max(n) AS n FROM generate_series(0, 599) n GROUP BY 1) x \
                    ON t.k = make_date(2024, 5, (1 + d)::int) AND t.v = n";
    assert_eq!(scene.db.one(expected), "28");
}

#[test]
fn a_run_of_before_goes_on_with_its_one_partition() {
    let (scene, lines) = keyed("numeric", 500, |n| format!("{n}.50"));
    scene.file("t.jsonl", lines);
    let outcome =
        scene.dbload("t.jsonl --batch-rows 50 --pool-size 1").env("DBLOAD_CRASH_AT", "committed:3").run();
    assert!(outcome.was_killed(), "{outcome}");
    // As 0.1.0 stored it.
    scene.sql("UPDATE _dbload.run SET settings = settings || '{\"partitioning\": \"One of 1 by \"}'");
    let report = scene.load("t.jsonl --batch-rows 50 --pool-size 4").report();
    assert_eq!((report.attempts, report.rows), (2, rows!(read: 500, inserted: 500)));
}

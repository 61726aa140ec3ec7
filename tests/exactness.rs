//! Exactness: generated values of every built-in type go from a table to a file, through dbload, into a
//! table, and are the same. The file is the server's own: COPY TO as CSV, and `row_to_json`.
//!
//! Among them: ids beyond 2^53, which a float would change; JSON null, SQL NULL and the empty string.

use crate::{
    rows,
    support::{Rng, Scene, database::literal},
};

/// Rows of a round trip.
const ROWS: usize = 120;

/// Types, and texts of their values: some fixed corners, the rest drawn.
const TYPES: [&str; 52] = [
    "smallint",
    "int",
    "bigint",
    "numeric",
    "numeric(12,4)",
    "numeric(5,-2)",
    "real",
    "double precision",
    "money",
    "boolean",
    "text",
    "varchar(12)",
    "char(6)",
    "\"char\"",
    "name",
    "bytea",
    "date",
    "time",
    "time(3)",
    "timetz",
    "timestamp",
    "timestamp(0)",
    "timestamptz",
    "interval",
    "uuid",
    "json",
    "jsonb",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "bit(8)",
    "varbit",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "int4range",
    "numrange",
    "tstzrange",
    "daterange",
    "int8multirange",
    "tsvector",
    "tsquery",
    "pg_lsn",
    "oid",
    "int[]",
    "text[]",
    "jsonb[]",
];

const TEXTS: [&str; 22] = [
    "",
    " ",
    "  a  ",
    "NULL",
    "null",
    "\\N",
    "\\.",
    "\\",
    "\"",
    "'",
    ",",
    "\t",
    "\n",
    "\r\n",
    "{}",
    "a\\nb",
    "\u{feff}x",
    "é",
    "e\u{301}",
    "😀",
    "\u{1}\u{7f}",
    "0012",
];

fn text(rng: &mut Rng) -> String {
    (0..rng.below(4)).map(|_| rng.pick(&TEXTS)).collect()
}

fn digits(rng: &mut Rng, many: u64) -> String {
    (0..=rng.below(many)).map(|_| char::from(b'0' + u8::try_from(rng.below(10)).unwrap())).collect()
}

fn decimal(rng: &mut Rng, whole: u64, fraction: u64) -> String {
    let sign = rng.pick(&["", "-"]);
    format!("{sign}{}.{}", digits(rng, whole), digits(rng, fraction))
}

fn date(rng: &mut Rng) -> String {
    match rng.below(12) {
        0 => rng.pick(&["infinity", "-infinity", "0044-03-15 BC", "5874897-12-31", "0001-01-01"]).to_owned(),
        _ => format!("{:04}-{:02}-{:02}", 1 + rng.below(9_999), 1 + rng.below(12), 1 + rng.below(28)),
    }
}

fn time(rng: &mut Rng) -> String {
    let micros = rng.pick(&["", ".5", ".000001", ".999999", ".123456"]);
    format!("{:02}:{:02}:{:02}{micros}", rng.below(24), rng.below(60), rng.below(60))
}

fn timestamp(rng: &mut Rng) -> String {
    match rng.below(10) {
        0 => {
            rng.pick(&["infinity", "-infinity", "0044-03-15 12:00:00 BC", "294276-01-01 00:00:00"]).to_owned()
        }
        _ => format!(
            "{:04}-{:02}-{:02} {}",
            1 + rng.below(9_999),
            1 + rng.below(12),
            1 + rng.below(28),
            time(rng)
        ),
    }
}

fn float(rng: &mut Rng, real: bool) -> String {
    match rng.below(8) {
        0 => rng.pick(&["NaN", "Infinity", "-Infinity", "-0", "0"]).to_owned(),
        1 if real => rng.pick(&["3.4028235e38", "1e-45", "16777217"]).to_owned(),
        1 => rng.pick(&["1.7976931348623157e308", "5e-324", "9007199254740993", "0.1"]).to_owned(),
        _ if real => format!("{}", f32::from_bits(u32::try_from(rng.below(0x7f00_0000)).unwrap())),
        _ => format!("{:e}", f64::from_bits(rng.below(0x7fe0_0000_0000_0000))),
    }
}

fn json(rng: &mut Rng, depth: u64) -> String {
    match rng.below(if depth > 2 { 5 } else { 7 }) {
        0 => rng.pick(&["null", "true", "false", "[]", "{}"]).to_owned(),
        1 => decimal(rng, 20, 20).trim_start_matches('-').trim_start_matches('0').replacen('.', "7.", 1),
        2 => rng.pick(&["1e400", "-0", "1.10", "12345678901234567890123"]).to_owned(),
        3 | 4 => serde_json::to_string(&text(rng)).unwrap(),
        5 => format!("[{}, {}]", json(rng, depth + 1), json(rng, depth + 1)),
        _ => format!("{{{}: {}}}", serde_json::to_string(&text(rng)).unwrap(), json(rng, depth + 1)),
    }
}

/// JSON's null at the top, and as an element of an array, is SQL's.
fn not_null(json: String) -> String {
    if json == "null" { "[null]".to_owned() } else { json }
}

fn signed(rng: &mut Rng, bits: u32) -> String {
    let least = -(1_i128 << (bits - 1));
    match rng.below(4) {
        0 => rng.pick(&[least, -least - 1, 0, -1]).to_string(),
        _ => (least + i128::from(rng.next()) * 2 % -(2 * least)).to_string(),
    }
}

fn hex(rng: &mut Rng, many: usize) -> String {
    (0..many).map(|_| format!("{:02x}", rng.below(256))).collect()
}

fn bits(rng: &mut Rng, many: u64) -> String {
    (0..many).map(|_| rng.pick(&['0', '1'])).collect()
}

fn point(rng: &mut Rng) -> String {
    format!("({},{})", decimal(rng, 3, 6), decimal(rng, 3, 6))
}

fn range(rng: &mut Rng, mut end: impl FnMut(&mut Rng, bool) -> String) -> String {
    match rng.below(6) {
        0 => "empty".to_owned(),
        1 => format!("[{},)", end(rng, false)),
        2 => format!("(,{}]", end(rng, true)),
        _ => format!(
            "{}{},{}{}",
            rng.pick(&["[", "("]),
            end(rng, false),
            end(rng, true),
            rng.pick(&["]", ")"])
        ),
    }
}

fn array(items: &[Option<String>]) -> String {
    let quoted = items.iter().map(|item| match item {
        None => "NULL".to_owned(),
        Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    });
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

fn items(rng: &mut Rng, mut item: impl FnMut(&mut Rng) -> String) -> Vec<Option<String>> {
    (0..rng.below(4)).map(|_| (!rng.one_in(4)).then(|| item(rng))).collect()
}

fn value(ty: &str, rng: &mut Rng) -> String {
    match ty {
        "smallint" => signed(rng, 16),
        "int" => signed(rng, 32),
        "bigint" => signed(rng, 64),
        "numeric" => match rng.below(6) {
            0 => rng.pick(&["NaN", "Infinity", "-Infinity", "0.0000", "1e-30", "1e100", "1.10"]).to_owned(),
            _ => decimal(rng, 60, 60),
        },
        "numeric(12,4)" => decimal(rng, 7, 3),
        "numeric(5,-2)" => format!("{}00", 1 + rng.below(90_000)),
        "real" => float(rng, true),
        "double precision" => float(rng, false),
        "money" => format!("{}.{:02}", rng.below(1 << 40), rng.below(100)),
        "boolean" => rng.pick(&["t", "f"]).to_owned(),
        "text" => text(rng),
        "varchar(12)" | "char(6)" => text(rng).chars().take(if ty == "char(6)" { 6 } else { 12 }).collect(),
        "\"char\"" => rng.pick(&["", "a", ",", "\\", "\"", " "]).to_owned(),
        "name" => text(rng).chars().take(12).collect(),
        "bytea" => {
            let many = rng.index(20);
            format!("\\x{}", hex(rng, many))
        }
        "date" => date(rng),
        "time" | "time(3)" => time(rng),
        "timetz" => format!("{}{}", time(rng), rng.pick(&["+00", "-05:30", "+14", "-15:59:59"])),
        "timestamp" | "timestamp(0)" => timestamp(rng),
        "timestamptz" => match timestamp(rng) {
            special if special.ends_with("infinity") || special.ends_with("BC") => special,
            at => format!("{at}{}", rng.pick(&["+00", "-08", "+05:45"])),
        },
        "interval" => format!(
            "{} mons {} days {}{}",
            rng.below(100_000),
            rng.below(1_000),
            rng.pick(&["", "-"]),
            time(rng)
        ),
        "uuid" => hex(rng, 16),
        // JSON's null at the top is SQL's.
        "json" | "jsonb" => {
            Some(json(rng, 0)).filter(|json| json != "null").unwrap_or_else(|| "[null]".to_owned())
        }
        "inet" => {
            rng.pick(&["10.0.0.1", "10.1.2.3/8", "::1", "2001:db8::ff00:42:8329/64", "0.0.0.0/0"]).to_owned()
        }
        "cidr" => rng.pick(&["10.0.0.0/8", "192.168.1.0/24", "2001:db8::/32", "::/0"]).to_owned(),
        "macaddr" => hex(rng, 6),
        "macaddr8" => hex(rng, 8),
        "bit(8)" => bits(rng, 8),
        "varbit" => {
            let many = rng.below(40);
            bits(rng, many)
        }
        _ => composed(ty, rng),
    }
}

/// Shapes, ranges, arrays, and types of a few odd texts.
fn composed(ty: &str, rng: &mut Rng) -> String {
    let number = |rng: &mut Rng, high: bool| (rng.below(1_000) + u64::from(high) * 1_000).to_string();
    match ty {
        "point" => point(rng),
        "line" => format!("{{{},{},{}}}", decimal(rng, 2, 3), 1 + rng.below(9), decimal(rng, 2, 3)),
        "lseg" => format!("[{},{}]", point(rng), point(rng)),
        "box" => format!("{},{}", point(rng), point(rng)),
        "path" => {
            let (open, close) = rng.pick(&[("[", "]"), ("(", ")")]);
            format!("{open}{},{},{}{close}", point(rng), point(rng), point(rng))
        }
        "polygon" => format!("({},{},{})", point(rng), point(rng), point(rng)),
        "circle" => format!("<{},{}>", point(rng), rng.below(100)),
        "int4range" => range(rng, number),
        "numrange" => range(rng, |rng, high| format!("{}.{}", number(rng, high), digits(rng, 20))),
        "tstzrange" => {
            range(rng, |rng, high| format!("\"{}-05-06 {}+00\"", if high { 2024 } else { 1999 }, time(rng)))
        }
        "daterange" => {
            range(rng, |rng, high| format!("{}-02-{:02}", if high { 2024 } else { 1999 }, 1 + rng.below(28)))
        }
        "int8multirange" => format!(
            "{{[{},{}),[5000,{}]}}",
            number(rng, false),
            number(rng, true),
            6_000 + rng.below(1 << 60)
        ),
        "tsvector" => rng.pick(&["", "'a':1A 'b c':2,3B", "'it''s' 'x\\\\y':4"]).to_owned(),
        "tsquery" => rng.pick(&["'a' & 'b'", "!'c' | 'd' <-> 'e'", "'it''s':*"]).to_owned(),
        "pg_lsn" => format!("{:X}/{:X}", rng.below(1 << 32), rng.below(1 << 32)),
        "oid" => rng.below(1 << 32).to_string(),
        "int[]" => match rng.below(4) {
            0 => "{{1,2},{3,NULL}}".to_owned(),
            1 => "[2:3]={7,8}".to_owned(),
            _ => array(&items(rng, |rng| signed(rng, 32))),
        },
        "text[]" => array(&items(rng, text)),
        "jsonb[]" => array(&items(rng, |rng| not_null(json(rng, 1)))),
        other => panic!("no values of type {other}"),
    }
}

#[test]
fn values_of_every_built_in_type_make_the_round_trip() {
    let mut rng = Rng::new();
    let scene = Scene::new();
    let columns: Vec<String> = TYPES.iter().enumerate().map(|(i, ty)| format!("c{i} {ty}")).collect();
    for table in ["source", "from_csv", "from_json"] {
        scene.sql(&format!("CREATE TABLE {table} (id int PRIMARY KEY, {})", columns.join(", ")));
    }
    scene.sql("SET TimeZone = 'UTC'; SET client_min_messages = error");
    for id in 0..ROWS {
        let values: Vec<String> = TYPES
            .iter()
            .map(|ty| if rng.one_in(8) { "NULL".to_owned() } else { literal(&value(ty, &mut rng)) })
            .collect();
        scene.sql(&format!("INSERT INTO source VALUES ({id}, {})", values.join(", ")));
    }
    // COPY writes an array with bounds as it is; JSON has none.
    let header: Vec<String> = (0..TYPES.len()).map(|i| format!("c{i}")).collect();
    let csv = scene.db.copy_out("COPY (SELECT * FROM source ORDER BY id) TO STDOUT (FORMAT csv)");
    scene.file("from_csv.csv", format!("id,{}\n{csv}", header.join(",")));
    let json = scene.db.lines("SELECT row_to_json(s) FROM source s ORDER BY id");
    scene.file("from_json.jsonl", json.join("\n"));
    for (file, table) in [("from_csv.csv", "from_csv"), ("from_json.jsonl", "from_json")] {
        assert_eq!(scene.load(file).rows(), rows!(read: ROWS as u64, inserted: ROWS as u64), "{file}");
        for (i, ty) in TYPES.iter().enumerate() {
            let copy = |from: &str| {
                let column = if *ty == "int[]" && table == "from_json" {
                    // Without its lower bounds.
                    format!("CASE WHEN array_ndims(c{i}) = 1 THEN c{i}[:] ELSE c{i} END")
                } else {
                    format!("c{i}")
                };
                scene.db.copy_out(&format!("COPY (SELECT id, {column} FROM {from} ORDER BY id) TO STDOUT"))
            };
            let (was, is) = (copy("source"), copy(table));
            let different = was.lines().zip(is.lines()).find(|(was, is)| was != is);
            assert_eq!(different, None, "{ty} by {file}");
        }
        // And so the same file again changes nothing.
        assert_eq!(scene.load(file).rows(), rows!(read: ROWS as u64, unchanged: ROWS as u64), "{file}");
    }
}

#[test]
fn empty_unquoted_empty_null_and_absent_are_four_things() {
    let table = "CREATE TABLE t (id int PRIMARY KEY, s text DEFAULT 'default', j jsonb DEFAULT '7')";
    let scene = Scene::with(table);
    scene.file(
        "t.jsonl",
        "{\"id\":1,\"s\":\"\",\"j\":\"\"}\n{\"id\":2,\"s\":null,\"j\":null}\n{\"id\":3}\n{\"id\":4,\"s\":\" \",\"j\":[null]}\n",
    );
    scene.load("t.jsonl");
    let all = "SELECT id, s, j FROM t ORDER BY id";
    assert_eq!(scene.db.lines(all), ["1||\"\"", "2|NULL|NULL", "3|default|7", "4| |[null]"]);
    let scene = Scene::with(table);
    scene.file("t.csv", "id,s\n1,\"\"\n2,\n4,\" \"\n5,null\n");
    scene.load("t.csv");
    assert_eq!(scene.db.lines(all), ["1||7", "2|NULL|7", "4| |7", "5|null|7"]);
}

#[test]
fn timestamps_without_a_zone_mean_the_zone_that_the_plan_says() {
    for (zone, stored) in
        [("UTC", "12:00:00"), ("America/New_York", "17:00:00"), ("Asia/Kathmandu", "06:15:00")]
    {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, z timestamptz, w timestamp)");
        scene.sql(&format!("ALTER DATABASE {} SET TimeZone = 'Asia/Tokyo'", scene.db.name()));
        scene.file("t.csv", "id,z,w\n1,2024-01-10 12:00:00,2024-01-10 12:00:00\n2,2024-01-10 12:00:00+02,2024-01-10 12:00:00+02\n");
        let plan = scene.plain(&format!("t.csv --timezone {zone} --dry-run")).run().exits(0);
        assert!(plan.stdout.contains(&format!("TimeZone {zone}")), "{plan}");
        scene.load(&format!("t.csv --timezone {zone} --narrowing w=allow"));
        assert_eq!(
            scene.db.lines("SET TimeZone = 'UTC'; SELECT z::timestamp, w FROM t ORDER BY id"),
            [
                format!("2024-01-10 {stored}|2024-01-10 12:00:00"),
                "2024-01-10 10:00:00|2024-01-10 12:00:00".to_owned()
            ]
        );
    }
}

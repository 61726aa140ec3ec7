//! Values of every type, good and bad, as a file spells them and as the server's input function should see
//! them.

use crate::support::Rng;

/// A field as it stands in a file, and what it means.
#[derive(Debug, Clone)]
pub struct Cell {
    /// In JSON, raw.
    pub json: String,
    /// In CSV, before quoting; nothing is NULL (unquoted and empty).
    pub text: Option<String>,
    /// What the server's input function gets; nothing is NULL.
    pub literal: Option<String>,
    pub quality: Quality,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    Good,
    /// The server refuses it, and its SQLSTATE is certain.
    Bad,
    /// It is refused, but perhaps by a decoder.
    Unreadable,
}

impl Cell {
    pub fn null() -> Self {
        Self { json: "null".to_owned(), text: None, literal: None, quality: Quality::Good }
    }

    /// A JSON string.
    pub fn string(text: &str) -> Self {
        let json = serde_json::to_string(text).unwrap();
        Self { json, text: Some(text.to_owned()), literal: Some(text.to_owned()), quality: Quality::Good }
    }

    /// Something else in JSON, spelled the same in CSV.
    fn raw(json: &str) -> Self {
        Self { json: json.to_owned(), ..Self::string(json) }
    }

    /// JSON of a shape of its own.
    fn shaped(json: String, literal: &str) -> Self {
        Self { json, ..Self::string(literal) }
    }

    fn meaning(mut self, literal: &str) -> Self {
        self.literal = Some(literal.to_owned());
        self
    }

    fn quality(mut self, quality: Quality) -> Self {
        self.quality = quality;
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Int4,
    Int8,
    Text,
    Varchar,
    Char,
    Citext,
    Uuid,
    Numeric,
    Money,
    Bool,
    Date,
    Timestamp,
    Float,
    Jsonb,
    Json,
    Ints,
    Texts,
    Mood,
    Positive,
    Code,
    Interval,
    Inet,
    Bytea,
    Range,
    Pair,
}

pub const KEYS: [Kind; 16] = [
    Kind::Int4,
    Kind::Int8,
    Kind::Text,
    Kind::Varchar,
    Kind::Char,
    Kind::Uuid,
    Kind::Numeric,
    Kind::Citext,
    Kind::Date,
    Kind::Mood,
    Kind::Int4,
    Kind::Money,
    Kind::Timestamp,
    Kind::Interval,
    Kind::Inet,
    Kind::Bytea,
];
pub const ALL: [Kind; 25] = [
    Kind::Int4,
    Kind::Int8,
    Kind::Text,
    Kind::Varchar,
    Kind::Char,
    Kind::Citext,
    Kind::Uuid,
    Kind::Numeric,
    Kind::Money,
    Kind::Bool,
    Kind::Date,
    Kind::Timestamp,
    Kind::Float,
    Kind::Jsonb,
    Kind::Json,
    Kind::Ints,
    Kind::Texts,
    Kind::Mood,
    Kind::Positive,
    Kind::Code,
    Kind::Interval,
    Kind::Inet,
    Kind::Bytea,
    Kind::Range,
    Kind::Pair,
];

/// What the columns are made of, in schema `{s}`.
pub const TYPES: &str = "CREATE TYPE {s}.mood AS ENUM ('sad', 'so so', 'glad', 'Glad', 'it''s'); \
    CREATE DOMAIN {s}.positive AS int CHECK (VALUE > 0); \
    CREATE DOMAIN {s}.code AS varchar(4) CHECK (VALUE <> 'bad'); \
    CREATE TYPE {s}.pair AS (x int, y text);";

impl Kind {
    pub fn sql(self) -> &'static str {
        match self {
            Self::Int4 => "int",
            Self::Int8 => "bigint",
            Self::Text => "text",
            Self::Varchar => "varchar(8)",
            Self::Char => "char(4)",
            Self::Citext => "citext",
            Self::Uuid => "uuid",
            Self::Numeric => "numeric",
            Self::Money => "numeric(6,2)",
            Self::Bool => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamptz",
            Self::Float => "double precision",
            Self::Jsonb => "jsonb",
            Self::Json => "json",
            Self::Ints => "int[]",
            Self::Texts => "text[]",
            Self::Mood => "{s}.mood",
            Self::Positive => "{s}.positive",
            Self::Code => "{s}.code",
            Self::Interval => "interval",
            Self::Inet => "inet",
            Self::Bytea => "bytea",
            Self::Range => "int4range",
            Self::Pair => "{s}.pair",
        }
    }

    /// A DEFAULT for a column of this type.
    pub fn default(self) -> Option<&'static str> {
        match self {
            Self::Int4 | Self::Int8 | Self::Positive | Self::Numeric | Self::Money => Some("42"),
            Self::Text | Self::Varchar | Self::Citext | Self::Char => Some("'dflt'"),
            Self::Bool => Some("true"),
            Self::Date => Some("'2000-01-01'"),
            Self::Jsonb => Some("'{}'"),
            Self::Ints | Self::Texts => Some("'{}'"),
            _ => None,
        }
    }
}

const STRINGS: [&str; 24] = [
    "a",
    "b",
    "B",
    "",
    " a ",
    "ä€😀",
    "a\"b",
    "line\nbreak",
    "tab\tx",
    "back\\slash",
    "\\N",
    "\\.",
    "NULL",
    "null",
    "0012",
    "a,b",
    "'quoted'",
    "{x}",
    "cr\r\nlf",
    "é",
    "e\u{301}",
    "\u{1}\u{7f}",
    "\\\\.",
    "x;y|z",
];
const SHORT: [&str; 8] = ["a", "b", "A", "ab ", "0012", "ä€", "x,y", "\\N"];

/// A value of the type, one of about `span`.
pub fn good(kind: Kind, rng: &mut Rng, span: u64) -> Cell {
    let n = rng.below(span);
    match kind {
        Kind::Int4 | Kind::Int8 | Kind::Positive => integer(rng, n + u64::from(kind == Kind::Positive)),
        Kind::Text => text(rng, span),
        Kind::Varchar | Kind::Char | Kind::Code if span > 16 => {
            padded(kind, rng, &format!("{:04}", n % 10_000))
        }
        Kind::Varchar | Kind::Char | Kind::Code => {
            let word = rng.pick(&SHORT);
            padded(kind, rng, word)
        }
        Kind::Citext => {
            let word = format!("word{n}");
            Cell::string(&if rng.one_in(2) { word } else { word.to_uppercase() })
        }
        Kind::Uuid => {
            let uuid = format!("{:08x}-abcd-4ef0-8abc-{:012x}", n.wrapping_mul(0x9E37_79B9) & 0xFFFF_FFFF, n);
            match rng.below(4) {
                0 => Cell::string(&uuid.to_uppercase()),
                1 => Cell::string(&uuid.replace('-', "")),
                _ => Cell::string(&uuid),
            }
        }
        Kind::Numeric => match rng.below(8) {
            6 => Cell::string(&format!("{n}0e-1")),
            0 => Cell::raw(&format!("{n}.0")),
            1 => Cell::raw(&format!("{n}.00")),
            2 => Cell::string(&n.to_string()),
            3 if span <= 16 => {
                Cell::raw(rng.pick(&["9007199254740993", "1e3", "-0.10", "123456789012345678901234567890.5"]))
            }
            _ => Cell::raw(&n.to_string()),
        },
        Kind::Money => Cell::raw(&format!("{n}.{}", rng.pick(&["5", "50", "500", "0500", "99"]))),
        Kind::Bool => match rng.below(4) {
            0 => Cell::string(rng.pick(&["t", "f", "yes", "off", "1", "0"])),
            _ => Cell::raw(rng.pick(&["true", "false"])),
        },
        Kind::Date => date(rng, n),
        Kind::Timestamp => {
            let (day, form) = (1 + n % 28, rng.below(4));
            // The server alone can read it.
            if rng.one_in(40) {
                return Cell::string(&format!("Mar {day} 2024 10:00:00"));
            }
            Cell::string(&match form {
                0 => format!("2024-03-{day:02}T10:00:00Z"),
                1 => format!("2024-03-{day:02} 12:00:00+02"),
                2 => format!("2024-03-{day:02} 10:00:00.000001+00"),
                _ => format!("2024-03-{day:02} 10:00:00"),
            })
        }
        _ => good_shape(kind, rng, n),
    }
}

fn good_shape(kind: Kind, rng: &mut Rng, n: u64) -> Cell {
    match kind {
        Kind::Float => {
            Cell::raw(rng.pick(&["0.1", "1e300", "-0", "0", "1.5", "1.50", "0.30000000000000004"]))
        }
        Kind::Jsonb | Kind::Json => Cell::raw(rng.pick(&[
            r#"{"a":1}"#,
            r#"{"a":1.0}"#,
            r#"{"b":[1,null,"x"],"a":{"c":true}}"#,
            "[]",
            "[1,2]",
            r#"{"big":12345678901234567890123}"#,
            "{}",
        ])),
        Kind::Ints => match rng.below(3) {
            0 => Cell::shaped("[1,null,3]".to_owned(), "{1,NULL,3}"),
            1 => Cell::shaped("[]".to_owned(), "{}"),
            _ => Cell::string(&format!("{{{n},2}}")),
        },
        Kind::Texts => {
            let words = [rng.pick(&STRINGS[..12]), rng.pick(&["x", "NULL", "y z", ""])];
            let json = serde_json::to_string(&words).unwrap();
            let quote = |w: &&str| format!("\"{}\"", w.replace('\\', "\\\\").replace('"', "\\\""));
            Cell::shaped(json, &format!("{{{}}}", words.iter().map(quote).collect::<Vec<_>>().join(",")))
        }
        Kind::Mood => Cell::string(rng.pick(&["sad", "so so", "glad", "Glad", "it's"])),
        Kind::Interval => {
            Cell::string(rng.pick(&["1 day", "24 hours", "1 mon", "30 days", "P1Y2M", "00:00:01.5"]))
        }
        Kind::Inet => Cell::string(rng.pick(&[
            "10.0.0.1",
            "10.0.0.1/32",
            "10.0.0.1/24",
            "::1",
            "0::1/128",
            "192.168.0.0/16",
        ])),
        Kind::Bytea => {
            Cell::string(rng.pick(&["\\x00ff", "\\x00FF", "\\x", "", "\\x5c4e", "\\\\N", "abc", "\\\\\\000"]))
        }
        Kind::Range => {
            let low = n % 40;
            Cell::string(&format!("[{low},{}{}", low + rng.below(4), rng.pick(&["]", ")"])))
        }
        Kind::Pair => {
            let y = rng.pick(&["a b", "q", "x,y", "\\"]);
            let json = format!(r#"{{"x":{n},"y":{}}}"#, serde_json::to_string(y).unwrap());
            Cell::shaped(json, &format!("({n},\"{}\")", y.replace('\\', "\\\\")))
        }
        _ => unreachable!("in good()"),
    }
}

/// Spaces at the end belong to a varchar as far as it is long enough, and never to a char.
fn padded(kind: Kind, rng: &mut Rng, word: &str) -> Cell {
    let spaces = if kind != Kind::Code && rng.one_in(4) { rng.pick(&[1, 2, 4, 9]) } else { 0 };
    // Beyond its length they would be dropped: that is a reject.
    let room = if kind == Kind::Varchar { 8 - word.chars().count() } else { spaces };
    Cell::string(&format!("{word}{}", " ".repeat(spaces.min(room))))
}

/// The same number in several spellings, all of them legal for an integer column.
fn integer(rng: &mut Rng, n: u64) -> Cell {
    let digits = n.to_string();
    match rng.below(8) {
        0 => Cell::string(&digits),
        1 => Cell::raw(&format!("{n}.0")).meaning(&digits),
        _ => Cell::raw(&digits),
    }
}

fn text(rng: &mut Rng, span: u64) -> Cell {
    // A key has as many values as it is asked for; other texts are the nasty ones.
    if span > STRINGS.len() as u64 || rng.one_in(3) {
        return match rng.below(4) {
            0 => Cell::raw(&rng.below(span).to_string()),
            // Letter case counts, but for indexes to which it does not.
            1 if rng.one_in(3) => Cell::string(&format!("T {}", rng.below(span))),
            _ => Cell::string(&format!("t {}", rng.below(span))),
        };
    }
    let word = rng.pick(&STRINGS);
    let mut cell = Cell::string(word);
    if rng.one_in(4) {
        cell.json = escaped(word);
    } else if rng.one_in(12) {
        cell = Cell::string(&format!("{} end", "long € ".repeat(200)));
    }
    cell
}

/// A JSON string with every character as `\u` escapes, in surrogates where needed.
fn escaped(word: &str) -> String {
    let units: String = word.encode_utf16().map(|u| format!("\\u{u:04x}")).collect();
    format!("\"{units}\"")
}

fn date(rng: &mut Rng, n: u64) -> Cell {
    let (year, month, day) = (2000 + n / 336, 1 + n / 28 % 12, 1 + n % 28);
    Cell::string(&match rng.below(60) {
        // The server alone can read it.
        0 => format!("{year}-{month}-{day}"),
        1..20 => format!("{year}{month:02}{day:02}"),
        _ => format!("{year}-{month:02}-{day:02}"),
    })
}

/// A value that the type refuses, if there is one.
pub fn bad(kind: Kind, rng: &mut Rng) -> Option<Cell> {
    let refused: &[&str] = match kind {
        Kind::Int4 => &["abc", "99999999999", "1 2", "12,5"],
        Kind::Int8 => &["x1", "99999999999999999999999"],
        Kind::Positive => &["0", "-5", "abc"],
        Kind::Text | Kind::Citext => return Some(Cell { json: "\"nul \\u0000 here\"".to_owned(), ..nul() }),
        Kind::Varchar => &["much too long", "123456789"],
        Kind::Char => &["12345"],
        Kind::Code => &["bad", "12345"],
        Kind::Uuid => &["not-a-uuid", "12345678-1234"],
        Kind::Numeric => &["1,5", "abc", "--1"],
        Kind::Money => &["123456.78", "1e9", "x"],
        Kind::Bool => &["maybe", "2"],
        Kind::Date => &["2024-02-30", "31.12.2024x", "soon"],
        Kind::Timestamp => &["2024-02-30 10:00", "later"],
        Kind::Float => &["1e400", "one"],
        Kind::Jsonb | Kind::Json => return None,
        Kind::Ints => &["{1,x}", "1,2"],
        Kind::Texts => &["{a", "a"],
        Kind::Mood => &["happy", "SAD"],
        Kind::Interval => &["1 fortnite", "x"],
        Kind::Inet => &["10.0.0.300", "host"],
        Kind::Bytea => &["\\xzz", "\\x1"],
        Kind::Range => &["[5,1]", "5"],
        Kind::Pair => &["(x,y)", "1,2"],
    };
    if matches!(kind, Kind::Int4 | Kind::Int8 | Kind::Date | Kind::Uuid) && rng.one_in(6) {
        return Some(Cell::raw(rng.pick(&["true", "1.5", r#"{"x":1}"#])).quality(Quality::Unreadable));
    }
    Some(Cell::string(rng.pick(refused)).quality(Quality::Bad))
}

/// A zero byte is refused wherever it comes from; the reference may see any other nonsense.
fn nul() -> Cell {
    Cell { literal: None, text: None, ..Cell::string("").quality(Quality::Unreadable) }
}

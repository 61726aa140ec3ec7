use std::borrow::Cow;

use super::*;
use crate::format::{DecodeLimits, Fields, MendedValue, json};

/// A table of text columns, but for these types.
struct Columns {
    names: Vec<&'static str>,
    shaping: Shaping,
}

impl KnownColumns for Columns {
    fn owner(&self, field: &str) -> Option<FieldOwner> {
        let column = self.shaping.column_of(field)?;
        self.names.contains(&column).then(|| FieldOwner {
            column: column.to_owned(),
            type_name: Some(
                if column == "naive" { "timestamp(3) without time zone" } else { "text" }.to_owned(),
            ),
            holds_nested: column == "doc",
        })
    }

    fn below(&self, begins: &str) -> Vec<String> {
        let names = self.names.iter().filter(|name| name.starts_with(begins));
        names.map(|name| (*name).to_owned()).collect()
    }
}

/// What a record becomes, `name=value` each; or why not.
fn shaped(shaping: &Shaping, columns: &[&'static str], record: &str) -> String {
    let known = Columns { names: columns.to_vec(), shaping: shaping.clone() };
    let mut shaper = Shaper::new(shaping, &known, DecodeLimits::default());
    let members: Vec<(Cow<'_, str>, &str)> = json::members(record).map(Result::unwrap).collect();
    match shaper.shape(&[], &Fields::Named(&members)) {
        Ok(fields) => fields.iter().map(|(name, value)| shown(name, value)).collect::<Vec<_>>().join(" "),
        Err(refusal) => format!("{} {:?}: {}", refusal.sqlstate, refusal.column, refusal.reason),
    }
}

fn shown(name: &str, value: &MendedValue<'_>) -> String {
    match value {
        MendedValue::Null => format!("{name}=NULL"),
        MendedValue::Text(text) => format!("{name}=<{text}>"),
        MendedValue::Json(raw) => format!("{name}={raw}"),
    }
}

fn shaping(maps: &[&str], flatten: bool) -> Shaping {
    let mut shaping = Shaping::default();
    maps.iter().for_each(|map| shaping.map(map).unwrap());
    if flatten {
        shaping.flatten("_");
    }
    shaping
}

#[test]
fn parts_of_nested_values_are_fields() {
    let map = shaping(&["user.id=uid", "/user/tags/1=tag", "/a~1b/~0=odd"], false);
    let check = |record: &str, expected: &str| {
        assert_eq!(shaped(&map, &["id", "uid", "tag", "odd"], record), expected)
    };
    check(r#"{"id":1,"user":{"id":1.50,"tags":["a","b"]}}"#, r#"id=1 user.id=1.50 /user/tags/1="b""#);
    check(r#"{"user":{}}"#, "");
    check(r#"{"user":{"id":null,"tags":[]}}"#, "user.id=NULL");
    check(r#"{"user":null}"#, "user.id=NULL /user/tags/1=NULL");
    check(r#"{"user":5,"id":2}"#, "user.id=NULL /user/tags/1=NULL id=2");
    check(r#"{"a/b":{"~":7}}"#, "/a~1b/~0=7");
    check(r#"{"user":{"id":1,"id":2}}"#, "22030 None: an object has two members \"id\"");
    // What has a column of its own goes there too, and a field that is so called is that field.
    assert_eq!(
        shaped(&shaping(&["user.id=uid"], false), &["user", "uid"], r#"{"user":{"id":1}}"#),
        r#"user.id=1 user={"id":1}"#
    );
    assert_eq!(shaped(&shaping(&["user.id=uid"], false), &["uid"], r#"{"user.id":3}"#), "user.id=3");
}

#[test]
fn nested_objects_become_columns() {
    let flatten = shaping(&[], true);
    let columns = ["id", "user_id", "user_geo_lat", "doc", "plain"];
    let check = |record: &str, expected: &str| assert_eq!(shaped(&flatten, &columns, record), expected);
    check(
        r#"{"id":1,"user":{"id":2,"geo":{"lat":1.0,"x":[{"y":1}]}}}"#,
        r#"id=1 user_id=2 user_geo_lat=1.0 user_geo_x=[{"y":1}]"#,
    );
    check(r#"{"user":null}"#, "user_id=NULL user_geo_lat=NULL");
    check(r#"{"user":"x"}"#, "user_id=NULL user_geo_lat=NULL");
    check(r#"{"user":{}}"#, "");
    check(r#"{"user":{"geo":null}}"#, "user_geo_lat=NULL");
    check(r#"{"user":[1]}"#, "user=[1]");
    check(r#"{"doc":{"a":1},"plain":{"a":1}}"#, r#"doc={"a":1} plain_a=1"#);
    check(r#"{"unknown":null}"#, "unknown=NULL");
    // Named by a flag, it stays; what a path has taken is not taken twice.
    let mut mapped = shaping(&["user=doc", "geo.lat=lat"], true);
    mapped.drop("junk");
    let columns = ["doc", "lat", "geo_lon"];
    let check = |record: &str, expected: &str| assert_eq!(shaped(&mapped, &columns, record), expected);
    check(r#"{"user":{"id":1}}"#, r#"user={"id":1}"#);
    check(r#"{"geo":{"lat":1,"lon":2},"junk":{"a":1}}"#, r#"geo.lat=1 geo_lon=2 junk={"a":1}"#);
    check(r#"{"geo":null}"#, "geo.lat=NULL geo_lon=NULL");
    let long = format!("{{\"{}\":{{\"b\":1}}}}", "n".repeat(1_000));
    assert!(shaped(&flatten, &columns, &long).starts_with("54000"));
}

#[test]
fn texts_are_trimmed_and_told_from_null() {
    let mut trim = Shaping::default();
    trim.trim();
    trim.null_strings(&["NA".to_owned(), String::new()]);
    let check = |record: &str, expected: &str| assert_eq!(shaped(&trim, &["a"], record), expected);
    check(r#"{"a":" x y\t"}"#, r#"a=" x y\t""#.replace(" x y\\t", "x y").as_str());
    check(r#"{"a":"\u00a0\"q\" "}"#, r#"a="\"q\"""#);
    check(r#"{"a":" NA "}"#, "a=NULL");
    check(r#"{"a":"  "}"#, "a=NULL");
    check(r#"{"a":{"b":" "}}"#, r#"a={"b":" "}"#);
    check(r#"{"a":12}"#, "a=12");
    check(r#"{"a":"\ud800 "}"#, r#"a="\ud800 ""#);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let refused = |text: &str| Shaping::default().map(text).unwrap_err();
    for text in ["a", "=b", "a=", "/a~2=b"] {
        refused(text);
    }
    let mut two = shaping(&["a=x"], false);
    assert!(two.map("b=x").unwrap_err().contains("a=x"));
    assert!(two.map("a=y").unwrap_err().contains("a=x"));
    two.drop("a");
    assert!(two.checked().unwrap_err().contains("dropped"));
    let mut formats = Shaping::default();
    formats.parse("a=epoch").unwrap();
    assert!(formats.parse("a=json").is_err() && formats.parse("json").is_err());
    let mut only = shaping(&["a=x"], false);
    only.only("b");
    let route = |name: &str| only.route(name);
    assert_eq!((route("a"), route("b"), route("c")), (Route::Column("x"), Route::ByName, Route::Dropped));
}

/// What a text becomes under a format; `-`: it does not fit.
fn read(format: &str, json: &str) -> String {
    read_into("c", format, json)
}

fn read_into(column: &'static str, format: &str, json: &str) -> String {
    let mut shaping = Shaping::default();
    shaping.parse(&format!("{column}={format}")).unwrap();
    let record = format!("{{\"{column}\":{json}}}");
    let shaped = shaped(&shaping, &[column], &record);
    match shaped.strip_prefix(&format!("{column}=")) {
        Some(value) => value.trim_matches(['<', '>']).to_owned(),
        None => {
            assert!(
                shaped.contains(&format!("Some({column:?}): the value is not written as --parse")),
                "{shaped}"
            );
            "-".to_owned()
        }
    }
}

#[test]
fn dates_are_read_by_their_directives() {
    let cases = [
        ("date:%d.%m.%Y", r#""31.12.2024""#, "2024-12-31"),
        ("date:%d.%m.%Y", r#""1.2.2024""#, "2024-02-01"),
        ("date:%d.%m.%Y", r#""30.02.2024""#, "-"),
        ("date:%d.%m.%Y", r#""31.12.2024 ""#, "-"),
        ("date:%d.%m.%Y", r#""31.12.2024 10:00""#, "-"),
        ("date:%d.%m.%Y", r#""""#, "-"),
        ("date:%d.%m.%Y", "null", "NULL"),
        ("date:%Y%m%d", "20240229", "2024-02-29"),
        ("date:%d.%m.%Y %H:%M", r#""01.02.1998 00:07""#, "1998-02-01 00:07:00"),
        ("date:%d.%m.%Y %H:%M:%S", r#""01.02.1998 23:59:60""#, "-"),
        ("date:%d.%m.%Y %H:%M:%S", r#""01.02.1998 23:59:59""#, "1998-02-01 23:59:59"),
        ("date:%m/%d/%Y %I:%M %p", r#""12/31/2024 12:30 AM""#, "2024-12-31 00:30:00"),
        (
            "date:%Y-%m-%dT%H:%M:%S%.f%:z",
            r#""2024-01-02T03:04:05.250+02:00""#,
            "2024-01-02 03:04:05.25+02:00",
        ),
        ("date:%b %d, %Y", r#""Feb 29, 2023""#, "-"),
        ("date:%b %d, %Y", r#""Feb 28, 2023""#, "2023-02-28"),
        ("date:%H:%M", r#""24:00""#, "-"),
        ("date:%H:%M", r#""07:05""#, "07:05:00"),
        ("date:%d.%m.%Y", "[1]", "-"),
    ];
    for (format, json, expected) in cases {
        assert_eq!(read(format, json), expected, "{format} {json}");
    }
    for format in
        ["date:%m/%Y", "date:%q %Y", "date:%I:%M", "date:", "date:%S", "date:%Y-%m-%d %M", "date:%Z"]
    {
        assert!(ParseFormat::of(format).is_err(), "{format}");
    }
}

#[test]
fn instants_are_exact() {
    let cases = [
        ("epoch", "0", "1970-01-01 00:00:00+00"),
        ("epoch", "1692352800", "2023-08-18 10:00:00+00"),
        ("epoch", r#""1692352800.123456""#, "2023-08-18 10:00:00.123456+00"),
        ("epoch", "1692352800.1234567", "-"),
        ("epoch", "-0.5", "1969-12-31 23:59:59.5+00"),
        ("epoch", "1.6923528e9", "2023-08-18 10:00:00+00"),
        ("epoch_ms", "1692352800000", "2023-08-18 10:00:00+00"),
        ("epoch_ms", "1692352800001.5", "2023-08-18 10:00:00.0015+00"),
        ("epoch", "1692352800000000000", "-"),
        ("epoch", r#""soon""#, "-"),
        ("epoch", r#""1.""#, "-"),
        ("epoch", "true", "-"),
        ("epoch", "-62135596800", "0001-01-01 00:00:00+00"),
        ("epoch", "-62135596801", "-"),
        ("epoch", "1e999999999999", "-"),
    ];
    for (format, json, expected) in cases {
        assert_eq!(read(format, json), expected, "{format} {json}");
    }
    assert_eq!(read_into("naive", "epoch", "0"), "1970-01-01 00:00:00");
}

#[test]
fn numbers_are_read_as_in_the_example() {
    let german = "number:1.234,56";
    let cases = [
        (german, r#""1.234,56""#, "1234.56"),
        (german, r#""-12,50""#, "-12.50"),
        (german, r#""7""#, "7"),
        (german, r#""1234567,8""#, "1234567.8"),
        (german, r#""1.234.567""#, "1234567"),
        (german, r#""1.5""#, "-"),
        (german, r#""0.123""#, "-"),
        (german, r#""1,234.56""#, "-"),
        (german, r#""1.234,""#, "-"),
        (german, r#"",5""#, "-"),
        (german, r#""""#, "-"),
        (german, r#""€ 5""#, "-"),
        (german, "1234.56", "1234.56"),
        ("number:$1,234.56", r#""-$25,000""#, "-25000"),
        ("number:$1,234.56", r#""$-25""#, "-25"),
        ("number:$1,234.56", r#""900""#, "900"),
        ("number:1 234,56 €", r#""12\u202f345,6 €""#, "12345.6"),
        ("number:1'234.5", r#""1’000""#, "1000"),
        ("number:12%", r#""12%""#, "12"),
        ("number:12%", r#""12.5%""#, "-"),
        ("number:12.5%", r#""0.5 %""#, "0.5"),
        ("number:1,234,567", r#""1,234.5""#, "1234.5"),
        ("number:0,123", r#""5,25""#, "5.25"),
        ("number:1,5", r#""\u22121,5""#, "-1.5"),
        (german, r#""--5""#, "-"),
        (german, r#""1e3""#, "-"),
    ];
    for (format, json, expected) in cases {
        assert_eq!(read(format, json), expected, "{format} {json}");
    }
    for format in [
        "number:1,234",
        "number:1.234",
        "number:",
        "number:x",
        "number:1,23,4.5",
        "number:1;2",
        "number:1.2,3.4",
    ] {
        assert!(ParseFormat::of(format).is_err(), "{format}");
    }
}

#[test]
fn words_bytes_and_json_are_read() {
    let cases = [
        ("bool:ja,Ja/nein", r#""ja""#, "true"),
        ("bool:ja,Ja/nein", r#""Ja""#, "true"),
        ("bool:ja,Ja/nein", r#""nein""#, "false"),
        ("bool:ja,Ja/nein", r#""JA""#, "-"),
        ("bool:ja/nein", "true", "true"),
        ("bool:1/0", "1", "true"),
        ("base64", r#""SGk+""#, "\\x48693e"),
        ("base64", r#""SGk""#, "-"),
        ("base64", r#""""#, "\\x"),
        ("base64", "12", "-"),
        ("json", r#""[1,\"a\"]""#, r#"[1,"a"]"#),
        ("json", r#""null""#, "NULL"),
        ("json", r#""[1""#, "-"),
        ("json", r#"{"a":1}"#, r#"{"a":1}"#),
    ];
    for (format, json, expected) in cases {
        assert_eq!(read(format, json), expected, "{format} {json}");
    }
    for format in ["bool:ja", "bool:a/b/c", "bool:a/a", "dates", "json:x", ""] {
        assert!(ParseFormat::of(format).is_err(), "{format}");
    }
}

/// Each format reads back what it says of itself, so that a stored run and a command for rejects mean it.
#[test]
fn formats_are_said_as_they_were_said() {
    for format in [
        "date:%d.%m.%Y %H:%M",
        "epoch",
        "epoch_ms",
        "number:€ 1.234,56",
        "bool:ja,j/nein,n",
        "base64",
        "json",
    ] {
        assert_eq!(ParseFormat::of(format).unwrap().to_string(), format);
    }
}

#[test]
fn a_format_is_proposed_for_what_has_the_look_of_one() {
    let cases = [
        ("numeric(10,2)", "1.234,56", Some("number:1.234,56")),
        ("numeric", "12,50", Some("number:12,50")),
        ("integer", "25,000", Some("number:1,234.56 (or number:1.234,56, if that comma is a decimal one)")),
        ("numeric", "$ 1,234.50", Some("number:$ 1,234.50")),
        ("numeric", "12%", Some("number:12%")),
        ("numeric", "numeric", None),
        ("numeric", "n/a 1", None),
        ("timestamp with time zone", "1692352800", Some("epoch")),
        ("timestamp(3) without time zone", "1692352800000", Some("epoch_ms")),
        ("date", "31.12.2024", Some("date:%d.%m.%Y")),
        ("timestamp with time zone", "01.02.1998 00:00:00", Some("date:%d.%m.%Y %H:%M:%S")),
        ("date", "12/31/2024", None),
        ("text", "1,5", None),
    ];
    for (type_name, value, expected) in cases {
        assert_eq!(proposal(type_name, value).as_deref(), expected, "{type_name} {value}");
    }
}

use super::{Clocks, Loss, loss, surely_keeps_all};
use crate::format::rng::for_a_while;
use crate::schema::{Field, Narrows, TimeOfDay};

const UTC: Clocks = Clocks { are_utc: true };
const ELSEWHERE: Clocks = Clocks { are_utc: false };

fn check(narrows: &Narrows, clocks: Clocks, cases: &[(&str, Option<Loss>)]) {
    for (text, expected) in cases {
        assert_eq!(loss(narrows, clocks, text), *expected, "{text:?} into {narrows:?}");
        let keeps = surely_keeps_all(narrows, clocks, text.as_bytes());
        assert!(!keeps || expected.is_none(), "{text:?} into {narrows:?} at a glance");
    }
}

#[test]
fn what_is_seen_at_a_glance_is_what_a_long_look_says() {
    let narrows = [
        Narrows::Scale(0),
        Narrows::Scale(2),
        Narrows::Scale(-1),
        Narrows::Length(10),
        Narrows::Date,
        Narrows::Timestamp(TimeOfDay { digits: 0, zoned: false }),
        Narrows::Timestamp(TimeOfDay { digits: 6, zoned: true }),
    ];
    let texts = ["2024-01-02", "2024-01-02T03:04:05", "2024-01-02 03:04:05Z", "123.45", "-1.", "1e5.00", ""];
    let bytes = [".", "-", ":", "T", " ", "Z", "0", "6", "9", "e", "\u{e9}", "/", "+"];
    let (kept, looked) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    for_a_while(|dice| {
        let mut text = dice.pick(&texts).to_owned();
        for _ in 0..dice.below(3) {
            let at = dice.below(text.chars().count() + 1);
            let at = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
            let end =
                text[at..].chars().next().filter(|_| dice.below(2) == 0).map_or(at, |c| at + c.len_utf8());
            text.replace_range(at..end, dice.pick(&bytes));
        }
        let (narrows, clocks) = (&narrows[dice.below(narrows.len())], [UTC, ELSEWHERE][dice.below(2)]);
        let count = if surely_keeps_all(narrows, clocks, text.as_bytes()) {
            // What is no number the server refuses.
            let is_value = !matches!(narrows, Narrows::Scale(_)) || text.parse::<f64>().is_ok();
            assert!(!is_value || loss(narrows, clocks, &text).is_none(), "{text:?} into {narrows:?}");
            &kept
        } else {
            &looked
        };
        count.set(count.get() + 1);
    });
    assert!(kept.get() > 0 && looked.get() > 0, "{kept:?} {looked:?}");
}

#[test]
fn decimals_beyond_the_scale() {
    let lost = Some(Loss::Decimals);
    let cases = [
        ("10.23", None),
        ("10.239", lost),
        ("10.2300000", None),
        ("1.239e1", None),
        ("1.2399e1", lost),
        ("1e-2", None),
        ("1e-3", lost),
        ("0e-9", None),
        ("0.000", None),
        ("1_000.5", None),
        ("NaN", None),
        ("Infinity", None),
        ("0x1F", None),
        (" 1.5 ", None),
        ("1e", None),
        ("words.", None),
        ("-10.235", lost),
        (".005", lost),
        // The server refuses these.
        ("$1,234.567", None),
        ("1.234,56", None),
        ("1,234.567", None),
        ("1.2.345", None),
        ("12.345 EUR", None),
        ("+12.345", lost),
        (" 12.345\n", lost),
    ];
    check(&Narrows::Scale(2), UTC, &cases);
    let hundreds = [
        ("1200", None),
        ("1250", lost),
        ("1.25e3", lost),
        ("1.2e3", None),
        ("1200.00", None),
        ("1200.01", lost),
        ("0x64", None),
        ("0x65", lost),
    ];
    check(&Narrows::Scale(-2), UTC, &hundreds);
    check(&Narrows::Scale(0), UTC, &[("1.0", None), ("1.5", lost), ("15e-1", lost), ("10e-1", None)]);
}

#[test]
fn what_a_date_drops() {
    let cases = [
        ("2024-01-02", None),
        ("2024-01-02T00:00:00", None),
        ("2024-01-02 00:00", None),
        ("2024-01-02T00:00:00Z", None),
        ("2024-01-02T00:00:00.000+00:00", None),
        ("2024-01-02T00:00:00+02:00", Some(Loss::Offset)),
        ("2024-01-02T10:00:00", Some(Loss::Clock)),
        ("2024-01-02 00:00:00.1", Some(Loss::Clock)),
        ("2024-01-02T10:00:00Z", Some(Loss::Clock)),
        ("2024-01-02 12:00 AM", None),
        ("2024-01-02 12:00 PM", Some(Loss::Clock)),
        ("20240102", None),
        ("20240102T030405", Some(Loss::Clock)),
        ("20240102 030405", Some(Loss::Clock)),
        ("240102", Some(Loss::ShortYear)),
        ("24-01-02", Some(Loss::ShortYear)),
        ("01/02/24", Some(Loss::ShortYear)),
        ("01/02/2024", None),
        ("0024-01-02", None),
        ("Jan 2 2024", None),
        ("2-Jan-24", Some(Loss::ShortYear)),
        ("Tuesday, January 2, 2024", None),
        ("44-03-15 BC", None),
        ("J2451187", None),
        ("J2451187.5", Some(Loss::Clock)),
        ("now", Some(Loss::Moment)),
        ("Today", Some(Loss::Moment)),
        ("yesterday", Some(Loss::Moment)),
        ("epoch", None),
        ("-infinity", None),
        ("infinity", None),
        ("soon", None),
        ("31.12.2024x", None),
        ("2024-01-02Z", None),
        ("2024-01-02 EST", Some(Loss::Offset)),
        ("2024-01-02 - 5", Some(Loss::Offset)),
        ("", None),
        ("2024010112", Some(Loss::FarYear)),
        ("202401011", Some(Loss::FarYear)),
        ("20240-01-01", None),
        ("2023-365", None),
        ("2024-366", None),
        ("2023-366", Some(Loss::NoSuchDay)),
        ("2023 366", Some(Loss::NoSuchDay)),
        ("2023.366", Some(Loss::NoSuchDay)),
        ("1900/366", Some(Loss::NoSuchDay)),
        ("2000/366", None),
    ];
    check(&Narrows::Date, UTC, &cases);
    check(&Narrows::Date, ELSEWHERE, &[("2024-01-02T00:00:00Z", Some(Loss::Offset))]);
}

#[test]
fn what_a_timestamp_drops() {
    let clock = TimeOfDay { digits: 6, zoned: false };
    let cases = [
        ("2024-01-02 10:00:00", None),
        ("2024-01-02T10:00:00.123456", None),
        ("2024-01-02T10:00:00.1234560", None),
        ("2024-01-02T10:00:00.1234567", Some(Loss::Fraction)),
        ("2024-01-02T10:00:00Z", None),
        ("2024-01-02T10:00:00+00", None),
        ("2024-01-02T10:00:00-00:00", None),
        ("2024-01-02T10:00:00 UTC", None),
        ("2024-01-02T10:00:00+02:00", Some(Loss::Offset)),
        ("2024-01-02T10:00:00+0200", Some(Loss::Offset)),
        ("2024-01-02 10:00 -5", Some(Loss::Offset)),
        ("2024-01-02T10:00:00 CET", Some(Loss::Offset)),
        ("2024-01-02 10:00:00 America/New_York", Some(Loss::Offset)),
        ("2024-01-02 10:00:00 UTC+3", Some(Loss::Offset)),
        ("2024-01-02 23:59:60", Some(Loss::LeapSecond)),
        ("2024-01-02T23:59:60Z", Some(Loss::LeapSecond)),
        ("20240102T235960", Some(Loss::LeapSecond)),
        ("2024-01-02 24:00:00", None),
        ("2024-01-02", None),
        ("Tue Jan  2 10:00:00 2024", None),
        ("24-01-02 10:00", Some(Loss::ShortYear)),
        ("294276-01-01 00:00:00", None),
        ("10/Oct/2000:13:55:36", None),
        ("Wed Oct 10 20:19:24 +0000 2018", None),
        ("now", Some(Loss::Moment)),
        ("tomorrow 10:00", Some(Loss::Moment)),
        ("2024-01-01 12:00 + 02:00", Some(Loss::Offset)),
        ("2024-01-01 12:00 - 13:00", Some(Loss::Offset)),
        ("2024-01-01 12:00 + 00:00", None),
        ("2024-01-01 12:00 GMT+0", None),
        ("2024-01-01 12:00 PM-2", Some(Loss::Offset)),
        ("2024-01-01 12:30.5", Some(Loss::OddClock)),
        ("2024-01-01 12:30:05.5", None),
        ("Jan-05-2024 12:30:05", None),
        ("2023-366 12:00", Some(Loss::NoSuchDay)),
    ];
    check(&Narrows::Timestamp(clock), UTC, &cases);
    let elsewhere = [("2024-01-02T10:00:00Z", Some(Loss::Offset)), ("2024-01-02T10:00:00", None)];
    check(&Narrows::Timestamp(clock), ELSEWHERE, &elsewhere);
    let zoned = Narrows::Timestamp(TimeOfDay { digits: 3, zoned: true });
    let cases = [
        ("2024-01-02T10:00:00.123+02:00", None),
        ("2024-01-02T10:00:00.1230+02:00", None),
        ("2024-01-02T10:00:00.1234+02:00", Some(Loss::Fraction)),
        ("20240102T100000.1234Z", Some(Loss::Fraction)),
        ("2024-01-02T10:00:00", None),
        ("now", Some(Loss::Moment)),
    ];
    check(&zoned, ELSEWHERE, &cases);
}

#[test]
fn offsets_that_the_server_reads_as_others() {
    let zoned = Narrows::Timestamp(TimeOfDay { digits: 3, zoned: true });
    let kept = [
        "+02",
        "+0200",
        "+02:00",
        "+5",
        " -05:30",
        "+02:00:30",
        "-0",
        "Z",
        " UTC",
        " GMT",
        " CET",
        " EST5EDT",
        "PM+2",
        " Etc/GMT+5",
        " America/Port-au-Prince",
        " GMT+0",
        " CET DST",
        " America/North_Dakota/New_Salem",
    ];
    let odd = [
        " + 02:00",
        " - 13:00",
        " UTC+2",
        " GMT+0100",
        " GMT-05:00",
        " UTC2",
        " Z+2",
        "Z+02:00",
        " PST8",
        " foo+5",
        " CET-1CEST",
        " utc/2",
        " UTC.2",
        "AM-2",
        "+123",
        "+01000",
        "+2:5",
        " CET+0",
    ];
    for (texts, expected) in [(&kept[..], None), (&odd[..], Some(Loss::OddOffset))] {
        for offset in texts {
            check(&zoned, UTC, &[(&format!("2024-01-01 11:00{offset}"), expected)]);
        }
    }
}

#[test]
fn what_a_time_drops() {
    let cases = [
        ("10:00", None),
        ("10:00:00.123456", None),
        ("10:00:00.1234567", Some(Loss::Fraction)),
        ("10:00:00Z", None),
        ("10:00+02", Some(Loss::Offset)),
        ("10:00-08", Some(Loss::Offset)),
        ("100000", None),
        ("100000-08", Some(Loss::Offset)),
        ("1000", None),
        ("4:05 PM", None),
        ("2024-01-02 10:00", Some(Loss::Day)),
        ("02.01.2024 10:00", Some(Loss::Day)),
        ("20240102 100000", Some(Loss::Day)),
        ("Jan 2 2024 10:00", Some(Loss::Day)),
        ("23:59:60", Some(Loss::LeapSecond)),
        ("24:00:00", None),
        ("now", Some(Loss::Moment)),
        ("allballs", None),
        ("25:00", None),
    ];
    check(&Narrows::Time(TimeOfDay { digits: 6, zoned: false }), UTC, &cases);
    let zoned = [
        ("10:00+02", None),
        ("10:00:00.5+02", None),
        ("10:00:00 EST", None),
        ("2024-01-02 10:00+02", Some(Loss::Day)),
    ];
    check(&Narrows::Time(TimeOfDay { digits: 6, zoned: true }), UTC, &zoned);
    check(&Narrows::Time(TimeOfDay { digits: 6, zoned: true }), UTC, &[("10:00", None)]);
    check(
        &Narrows::Time(TimeOfDay { digits: 6, zoned: true }),
        ELSEWHERE,
        &[("10:00", Some(Loss::NoOffset))],
    );
}

#[test]
fn what_an_interval_drops() {
    let part = Some(Loss::PartOfMonth);
    let fraction = Some(Loss::Fraction);
    let cases = [
        ("1 year 2 mons 3 days 04:05:06.789", None),
        ("1.5 months", part),
        ("0.5 years", None),
        ("1.3 years", part),
        ("P1.5M", part),
        ("P1Y2M3DT4H5M6.7S", None),
        ("P1.5Y", None),
        ("PT0.0000001S", fraction),
        ("PT1.5M", None),
        ("P0001-02-03T04:05:06", None),
        ("1.5 weeks", None),
        ("1.5 days", None),
        ("0.1 hours", None),
        ("0.0000001 seconds", fraction),
        ("1.0000000 seconds", None),
        ("1h30m", None),
        ("1-2", None),
        ("1 2:03:04", None),
        ("-1 day +02:03", None),
        ("@ 1 minute ago", None),
        ("1.5 ms", None),
        ("1.5 us", fraction),
        ("infinity", None),
        ("what", None),
        ("", None),
        ("1 day, 2 hours", None),
        ("(1) h", None),
        ("1 @ day", None),
        ("1 day - 5 h", None),
        ("+1-2", None),
        ("-1-2 +3 -4:05:06", None),
        ("1:30 ago", None),
        ("5", None),
        ("5 ago", None),
        ("1 day ago", None),
        ("P00010203T040506", None),
        ("PT04:30", None),
    ];
    check(&Narrows::Interval { least: Field::Second, digits: 6 }, UTC, &cases);
    let field = Some(Loss::LowerField);
    check(
        &Narrows::Interval { least: Field::Hour, digits: 6 },
        UTC,
        &[("1 day 2 hours", None), ("90 minutes", field), ("120 minutes", None), ("5", None), ("1 2", None)],
    );
    check(
        &Narrows::Interval { least: Field::Month, digits: 6 },
        UTC,
        &[("1-2", None), ("1 year 2 days", field), ("7", None)],
    );
    let days = Narrows::Interval { least: Field::Day, digits: 6 };
    check(&days, UTC, &[("P00010203", None), ("P00010203T040506", field)]);
    check(&Narrows::Interval { least: Field::Year, digits: 6 }, UTC, &[("12 months", None), ("1-2", field)]);
    let millis = [("1.234 s", None), ("1.2345 s", fraction)];
    check(&Narrows::Interval { least: Field::Second, digits: 3 }, UTC, &millis);
}

#[test]
fn numbers_and_units_that_an_interval_takes_for_others() {
    let odd = [
        "1,5 h",
        "1h30",
        "12h 30",
        "1-2 h",
        "1 5 h",
        "1_000 h",
        "1:30 min",
        "1:30 h",
        "h 5",
        "year 2024",
        "5 h h",
        "1 day day 2",
        "1 day ago 2 hours",
        "ago 1 day",
        "PT30",
        "PT0430",
        "P1",
        "P20240",
        "5-7 days",
        "5 - 7 h",
        "1 y 1 d 1",
        "1,2:03",
        "1+2 h",
        "1 h - 30",
        "1 .5 h",
    ];
    for text in odd {
        let all = Narrows::Interval { least: Field::Second, digits: 6 };
        check(&all, UTC, &[(text, Some(Loss::OddField))]);
    }
}

#[test]
fn what_texts_and_numbers_of_other_types_lose() {
    check(
        &Narrows::Length(3),
        UTC,
        &[
            ("abc", None),
            ("abc ", Some(Loss::Spaces)),
            ("äöü", None),
            ("äöü ", Some(Loss::Spaces)),
            ("abcd", None),
        ],
    );
    check(
        &Narrows::Char,
        UTC,
        // Before PostgreSQL 16 the last is a backslash.
        &[("x", None), ("xy", Some(Loss::Bytes)), ("ä", Some(Loss::Bytes)), ("\\377", Some(Loss::Bytes))],
    );
    let long = "n".repeat(64);
    check(&Narrows::Name, UTC, &[("n", None), (&long[1..], None), (&long, Some(Loss::Bytes))]);
}

#[test]
fn what_numbers_without_a_sign_and_money_lose() {
    check(
        &Narrows::Unsigned(32),
        UTC,
        &[
            ("1", None),
            ("0", None),
            (" 7 ", None),
            ("-0", None),
            ("4294967295", None),
            ("0xFF", None),
            ("-1", Some(Loss::Sign)),
            ("-0xA", Some(Loss::Sign)),
            ("010", Some(Loss::Octal)),
            ("4294967296", Some(Loss::NoUnsigned)),
            ("x", Some(Loss::NoUnsigned)),
            ("12x", Some(Loss::NoUnsigned)),
            ("", Some(Loss::NoUnsigned)),
        ],
    );
    check(
        &Narrows::Unsigned(64),
        UTC,
        &[("18446744073709551615", None), ("18446744073709551616", Some(Loss::NoUnsigned))],
    );
    let words = Narrows::Words(Box::new(Narrows::Unsigned(32)));
    check(&words, UTC, &[("1 2 3", None), ("", None), ("1 -2", Some(Loss::Sign))]);
    let commas = Some(Loss::Commas);
    check(
        &Narrows::Money,
        UTC,
        &[
            ("$1,234,567.89", None),
            ("(12.50)", None),
            ("-$1,234", None),
            ("1,5", commas),
            ("12,34,567", commas),
            ("1.234,50", None),
            ("1.2,3", commas),
            ("1.239", Some(Loss::Decimals)),
        ],
    );
}

#[test]
fn what_keys_and_positions_lose() {
    let pair = Some(Loss::DoubledPair);
    check(
        &Narrows::Pairs,
        UTC,
        &[
            ("a=>1, b=>2", None),
            ("a=>1,a=>2", pair),
            (r#""a b"=>"1", c => NULL, "a b"=>2"#, pair),
            (r#"a=>"x,a=>1""#, None),
            (r#""a\"b"=>1, "a"=>2"#, None),
            ("", None),
            ("a", None),
        ],
    );
    let position = Some(Loss::Position);
    check(
        &Narrows::Positions,
        UTC,
        &[
            ("the quick fox", None),
            ("'a b':1A,2 c:3", None),
            ("a:16383", None),
            ("a:16384", position),
            ("a:1 b:2,99999999999999999999", position),
            ("a:1A,1B", position),
            ("'a:20000'", None),
        ],
    );
    let doubled = Some(Loss::DoubledKey);
    check(
        &Narrows::Keys,
        UTC,
        &[
            (r#"{"a":1,"b":2}"#, None),
            (r#"{"a":1,"a":1}"#, doubled),
            (r#"{"a":{"a":1},"b":{"a":2}}"#, None),
            (r#"[{"a":1},{"a":2}]"#, None),
            (r#"[1,{"x":{"b":[{"c":1,"d":2,"c":3}]}}]"#, doubled),
            (r#"{"a":1,"\u0061":2}"#, doubled),
            (r#"{"a":"a","b":"a"}"#, None),
            (r#"{"a\"":1,"a":2}"#, None),
            (
                r#"{"k0":0,"k1":0,"k2":0,"k3":0,"k4":0,"k5":0,"k6":0,"k7":0,"k8":0,"k9":0,"ka":0,"kb":0,"k5":0}"#,
                doubled,
            ),
            (r#""text""#, None),
            (r#"{"a"#, None),
            (r#"}]{"a\"#, None),
        ],
    );
}

#[test]
fn what_a_column_that_was_made_from_a_sample_loses() {
    let zero = Some(Loss::LeadingZero);
    check(
        &Narrows::WrittenInteger,
        UTC,
        &[
            ("7", None),
            ("0", None),
            ("-7", None),
            ("1.0", None),
            ("01234", zero),
            ("-01", zero),
            ("1E5", Some(Loss::Exponent)),
            ("+49123", Some(Loss::Plus)),
            ("0x1F", zero),
            ("1_000", Some(Loss::Underscore)),
            ("abe", None),
        ],
    );
    check(&Narrows::WrittenNumber, UTC, &[("0.5", None), ("1e5", None), ("00.5", zero), ("007", zero)]);
    let digits = [
        ("9007199254740993", Some(Loss::Digits)),
        ("0.1000000000000000055511151231257827", Some(Loss::Digits)),
        ("1e400", Some(Loss::Digits)),
        ("0.1", None),
        // As they are written so that they read back.
        ("0.14285714285714285", None),
        ("-123456789.12345679", None),
        ("12345678901234567000.00", None),
        ("NaN", None),
    ];
    check(&Narrows::WrittenDouble, UTC, &digits);
}

#[test]
fn values_in_values_are_judged_too() {
    let lost = Some(Loss::Decimals);
    let array = Narrows::Array(Box::new(Narrows::Scale(1)), ',');
    check(
        &array,
        UTC,
        &[
            ("{1.5,2.5}", None),
            ("{1.5,NULL,2.55}", lost),
            ("{{1.5},{\"2.55\"}}", lost),
            ("[0:1]={1.5,2.5}", None),
            ("{}", None),
            ("{ 1.5 , 2.5 }", None),
            ("{\"a\\\"b", None),
        ],
    );
    let range = Narrows::Range(Box::new(Narrows::Date));
    check(
        &range,
        UTC,
        &[
            ("[2024-01-01,2024-01-02)", None),
            ("[\"2024-01-01 10:00\",)", Some(Loss::Clock)),
            ("empty", None),
            ("{[2024-01-01,2024-01-02),(2024-02-01 10:00,]}", Some(Loss::Clock)),
            ("[,today]", Some(Loss::Moment)),
        ],
    );
    let row = Narrows::Composite(vec![None, Some(Narrows::Scale(1))]);
    check(&row, UTC, &[("(2.55,2.5)", None), ("(,\"2.55\")", lost), ("(\"a, \"\"2.55\"\"\",1)", None)]);
}

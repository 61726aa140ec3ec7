//! Texts that are equal have one canonical text, and others another one. What the server holds equal is asked
//! of it by the tests on servers.

use super::{Canonical, read};
use crate::map::judge::Clocks;
use crate::schema::{CanonicalForm, TimeOfDay};

const UTC: Clocks = Clocks { are_utc: true };
const ELSEWHERE: Clocks = Clocks { are_utc: false };
const NUMBER: CanonicalForm = CanonicalForm::Number { scale: None };

const fn cents(scale: i32) -> CanonicalForm {
    CanonicalForm::Number { scale: Some(scale) }
}

const fn timestamp(digits: u8, zoned: bool) -> CanonicalForm {
    CanonicalForm::Timestamp(TimeOfDay { digits, zoned })
}

const fn time(zoned: bool) -> CanonicalForm {
    CanonicalForm::Time(TimeOfDay { digits: 6, zoned })
}

/// `None`: unread.
fn canonical(form: CanonicalForm, clocks: Clocks, text: &str) -> Option<String> {
    let mut out = b"before".to_vec();
    let read = read(&mut out, form, clocks, text);
    let appended = String::from_utf8(out.strip_prefix(b"before").unwrap().to_vec()).unwrap();
    match read {
        Canonical::Number(n) if appended.is_empty() => Some(n.to_string()),
        Canonical::Text => Some(appended),
        Canonical::Unread if appended.is_empty() => None,
        Canonical::Number(_) | Canonical::Unread => panic!("{text:?} has left {appended:?}"),
    }
}

/// The texts of a group are one value, and no two groups are.
#[track_caller]
fn check(form: CanonicalForm, clocks: Clocks, groups: &[&[&str]]) {
    let mut all = Vec::new();
    for group in groups {
        let one = canonical(form, clocks, group[0]);
        assert!(one.is_some(), "{:?} is unread", group[0]);
        for text in *group {
            assert_eq!(canonical(form, clocks, text), one, "{text:?} beside {:?}", group[0]);
        }
        assert!(!all.contains(&one), "{:?} is another value", group[0]);
        all.push(one);
    }
}

#[track_caller]
fn unread(form: CanonicalForm, clocks: Clocks, texts: &[&str]) {
    for text in texts {
        assert_eq!(canonical(form, clocks, text), None, "{text:?}");
    }
}

#[test]
fn numbers() {
    check(
        NUMBER,
        UTC,
        &[
            &["0", "-0", "0.000", "+0", "0e99", "00", "0x0", ".0"],
            &["1000", "1e3", "1000.0", "+1_000", "0x3E8", "10.00E2", " 1000 ", "0001000", "0b11_1110_1000"],
            &["-1000", "-1e3", "-0x3e8"],
            &["1.5", "1.50", "15e-1", "0.15E+1", "01.5"],
            &["-1.5", "-1.50"],
            &["0.001", "1e-3", ".00100"],
            &["123456789012345678", "0x1B69B4BA630F34E"],
            &["1234567890123456789", "1.234567890123456789e18"],
            &["99999999999999999999", "99999999999999999999.0", "0x56BC75E2D630FFFFF"],
            &["NaN", "nan", " NAN "],
            &["Infinity", "inf", "+INF"],
            &["-Infinity", "-inf"],
            &["abc"],
            &[""],
        ],
    );
    let great = format!("0b1{}", "0".repeat(1_000));
    let plain = canonical(NUMBER, UTC, &format!("1{}", "0".repeat(301)));
    assert_eq!(canonical(NUMBER, UTC, &great), plain);
    assert_eq!(canonical(NUMBER, UTC, &format!("1{}", "0".repeat(299))).unwrap(), "1e299");
    assert_eq!(canonical(NUMBER, UTC, &format!("0x{}", "f".repeat(100_000))), plain);
}

#[test]
fn numbers_are_rounded_as_their_column_rounds_them() {
    check(
        cents(2),
        UTC,
        &[
            &["10.24", "10.235", "10.239", "10.244999", "1024e-2"],
            &["-10.24", "-10.235"],
            &["10", "9.995", "9.999", "10.004"],
            &["0", "0.004", "-0.0049", "1e-9"],
            &["0.01", "0.005", "5e-3"],
            &["1000", "999.995", "1e3"],
        ],
    );
    check(cents(-2), UTC, &[&["1200", "1249", "1150", "12e2"], &["0", "49", "-49.9"], &["100", "50", "149"]]);
}

#[test]
fn dates() {
    check(
        CanonicalForm::Date,
        ELSEWHERE,
        &[
            &[
                "2024-02-29",
                "20240229",
                " 2024-02-29 ",
                "2024-02-29T00:00:00",
                "2024-02-29 00:00:00Z",
                "2024-02-29 23:59+14",
            ],
            &["2024-03-01"],
            &["1970-01-01"],
            &["0001-01-01"],
            &["9999-12-31"],
            &["infinity", "Infinity"],
            &["-infinity"],
            &["N/A"],
        ],
    );
    assert_eq!(canonical(CanonicalForm::Date, UTC, "1970-01-01").unwrap(), "0");
    assert_eq!(canonical(CanonicalForm::Date, UTC, "2000-03-01").unwrap(), "11017");
    assert_eq!(canonical(CanonicalForm::Date, UTC, "1600-02-29").unwrap(), "-135081");
    let odd = ["Feb 29 2024", "29.02.2024", "2024-2-29", "2024-060", "44-02-29 BC", "today", "epoch"];
    unread(CanonicalForm::Date, UTC, &odd);
}

#[test]
fn moments() {
    let of_utc = [
        "2024-05-01 08:00:00",
        "2024-05-01T08:00:00Z",
        "2024-05-01T08:00",
        "2024-05-01 08:00:00.000000000",
        "2024-05-01 10:00:00+02",
        "2024-05-01 13:30:00+0530",
        "2024-04-30T22:00:00 -10:00",
        "2024-05-01 08:00:00 utc",
    ];
    check(
        timestamp(6, true),
        UTC,
        &[&of_utc, &["2024-05-01 08:00:00.000001"], &["2024-05-02", "2024-05-01 24:00"]],
    );
    // Without an offset: in the zone of the session.
    unread(timestamp(6, true), ELSEWHERE, &["2024-05-01 08:00:00", "2024-05-01"]);
    check(timestamp(6, true), ELSEWHERE, &[&of_utc[4..7], &["2024-05-01 10:00:00Z"]]);
    // An offset is not heard.
    let plain = ["2024-05-01 08:00:00", "2024-05-01T08:00:00.000+02", "2024-05-01 08:00Z"];
    check(timestamp(6, false), ELSEWHERE, &[&plain, &["2024-05-01 10:00"]]);
    // Rounded by the server.
    unread(
        timestamp(6, true),
        UTC,
        &["2024-05-01 08:00:00.1234567Z", "2024-05-01 08:00:60Z", "2024-05-01 8:00"],
    );
    unread(timestamp(3, true), UTC, &["2024-05-01 08:00:00.1234Z"]);
    check(timestamp(3, true), UTC, &[&["2024-05-01 08:00:00.123Z", "2024-05-01 08:00:00.123000Z"]]);
    unread(
        timestamp(6, true),
        UTC,
        &["2024-05-01 08:00:00 Europe/Berlin", "2024-05-01 08:00:00 CEST", "May 1 08:00:00 2024", "now"],
    );
}

#[test]
fn times_of_day() {
    check(time(false), UTC, &[&["08:00", "08:00:00", "08:00:00.0", "08:00+02"], &["00:00"], &["24:00:00"]]);
    check(time(true), UTC, &[&["08:00", "08:00Z", "08:00:00+0000"], &["10:00+02", "10:00:00+02:00"]]);
    unread(time(true), ELSEWHERE, &["08:00"]);
    unread(time(false), UTC, &["8:00", "080000", "08:00 PM", "allballs", "2024-05-01 08:00"]);
}

#[test]
fn intervals() {
    check(
        CanonicalForm::Interval,
        UTC,
        &[
            &["1 month", "1 mon", "30 days", "720 hours", "29 days 24:00:00", "4 weeks 2 days"],
            &["1 year", "12 mons", "360 days"],
            &["1 day 02:30:00", "1 DAY 2 hours 30 minutes", "26 hours 1800 seconds", "+1 day +2:30:00"],
            &["-1 day 02:30:00", "-1 day 2 hours 30 minutes"],
            &["1.5 seconds", "00:00:01.500"],
            &["00:00:00", "0 days"],
        ],
    );
    let odd =
        ["P1D", "1-2", "1 day ago", "1.5 days", "90", "1h", "@ 1 day", "infinity", "1 century", "10:30"];
    unread(CanonicalForm::Interval, UTC, &odd);
}

#[test]
fn bytes() {
    check(
        CanonicalForm::Bytes,
        UTC,
        &[
            &["\\x00ff41", "\\x 00 FF\n41", "\\000\\377A", "\\000\\377\\101"],
            &["\\x5c", "\\\\", "\\134"],
            &["", "\\x"],
            &["\\x4"],
        ],
    );
    unread(CanonicalForm::Bytes, UTC, &["é"]);
    assert_eq!(canonical(CanonicalForm::Byte, UTC, "a").unwrap(), "a");
    unread(CanonicalForm::Byte, UTC, &["", "ab", "é"]);
}

#[test]
fn addresses() {
    check(
        CanonicalForm::Address,
        UTC,
        &[
            &["10.0.0.1", "10.0.0.1/32", "010.000.00.1"],
            &["10.0.0.1/24"],
            &["10.0.0.0/16", "10.0/16"],
            &["::1", "0:0:0:0:0:0:0:1/128", "0000::0001"],
            &["::ffff:10.0.0.1", "::FFFF:a00:1"],
            &["fe80::/10"],
            &["none"],
        ],
    );
    unread(CanonicalForm::Address, UTC, &["10.0", "10.0.0.", "1::2::3", "10.0.0.1/x"]);
    let spellings = [
        "08:00:2b:01:02:0A",
        "08-00-2b-01-02-0a",
        "08002b:01020a",
        "08002b-01020a",
        "0800.2b01.020a",
        "0800-2b01-020a",
        "08002B01020A",
    ];
    check(CanonicalForm::HardwareAddress, UTC, &[&spellings, &["08:00:2b:01:02:0b"], &["N/A"]]);
    unread(CanonicalForm::HardwareAddress, UTC, &["8:0:2b:1:2:a", "08:00:2b:01:02"]);
}

#[test]
fn letter_case_does_not_count() {
    check(
        CanonicalForm::CaseFolded,
        UTC,
        &[&["Kim", "KIM", "\u{212a}im", "K\u{130}M", "k\u{131}m", "kÌm"], &["kimm"], &["a b"], &[""]],
    );
}

//! JSON documents: the records of arrays, of arrays at a path, of objects behind one another.

use dbload::internals::format::Format;
use dbload::internals::record::Position;

use super::{Dials, oracle, split};

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let record_bytes = dials.pick(&[1 << 20, 1 << 20, 7, 60]);
    let path = dials.pick(&[None, None, Some("a"), Some("a.b"), Some("/a~1b/~0"), Some("\u{e9}")]);
    let (dial, text) = (dials.byte(), dials.rest());
    let format = Format::Json { records: path.map(str::to_owned) };
    let limits = split::limits(record_bytes);
    let start = Position::start_of(0);
    let (whole, places) = split::check_pieces(&format, limits, text, start, dial);
    let behind = (0..whole.records.len()).map(|i| split::behind(start, &whole.records, i));
    for at in behind
        .step_by(1 + whole.records.len() / 4)
        .chain(places.iter().copied().step_by(1 + places.len() / 2))
    {
        // Elsewhere the reader starts again from the beginning: see the entry `sources`.
        let next =
            usize::try_from(at.offset).ok().and_then(|from| text[from..].trim_ascii().first().copied());
        let first = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii().first().copied();
        if path.is_none() && first == Some(b'[') && matches!(next, Some(b',' | b']')) {
            split::check_resume(&format, limits, text, &whole, at, dial);
        }
    }
    if let Err(error) = &whole.result {
        let words = format!("{error} {}", error.hint().unwrap_or_default());
        assert!(!words.chars().any(char::is_control), "a message steers no terminal: {words:?}");
    }
    if record_bytes == 1 << 20 {
        against_the_oracle(text, path, &whole);
    }
}

fn against_the_oracle(text: &[u8], path: Option<&str>, whole: &split::Reading) {
    let body = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let Ok(body) = std::str::from_utf8(body) else { return };
    let Ok(document) = oracle::document(body) else { return };
    let names: Vec<&str> = match path {
        None => vec![],
        Some("/a~1b/~0") => vec!["a/b", "~"],
        Some(path) => path.split('.').collect(),
    };
    let (mut place, mut is_twice) = (document, false);
    for name in names {
        let members = oracle::object(place).unwrap_or_default();
        is_twice |= members.iter().filter(|(member, _)| member.as_deref() == Some(name)).count() > 1;
        match members.iter().find(|(member, _)| member.as_deref() == Some(name)) {
            Some((_, value)) => place = value,
            None => {
                assert!(whole.result.is_err(), "no {name:?} in {document:?}");
                return;
            }
        }
    }
    let expected: Vec<&str> = match place.as_bytes() {
        [b'[', ..] => oracle::elements(place),
        [b'{', ..] => vec![place],
        _ => {
            assert!(whole.result.is_err(), "no records in {document:?}");
            return;
        }
    };
    // The records of the first are read, and that there are others is said.
    if is_twice {
        return assert!(whole.result.is_err(), "there are records of another member of its name");
    }
    let found: Vec<_> = whole.records.iter().map(|record| String::from_utf8_lossy(&record.raw)).collect();
    assert_eq!((found.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), &whole.result), (expected, &Ok(())));
}

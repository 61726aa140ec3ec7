//! What the beginning of delimiter-separated text shows of its dialect: the delimiter, what ends lines,
//! whether quotes enclose fields, whether a delimiter ends each line. What was judged here holds for the rest
//! of the source: a later line that contradicts is refused by the decoder.

use super::decode::{DecodeErrorKind, fields};
use super::header::after_lines;
use super::split::{Limits, Splitter};
use super::{Dialect, Escape, Format, LineEnd, Sniffed};
use crate::record::Position;

/// Bytes of the decoded stream that are looked at: enough for some lines, cheap to keep.
pub const HEAD_BYTES: usize = 64 * 1024;

/// Lines that must agree on a delimiter, at most: enough to tell.
const LINES_SNIFFED: usize = 20;

const DELIMITERS: [u8; 4] = *b",\t;|";

/// The beginning of a source.
#[derive(Debug, Clone, Copy)]
pub struct SourceHead<'h> {
    /// Its first bytes, [`HEAD_BYTES`] if it has them.
    pub bytes: &'h [u8],
    /// They are all of it.
    pub is_whole: bool,
}

impl<'h> SourceHead<'h> {
    /// The first bytes of what was read of a source. `at_end`: nothing follows.
    #[must_use]
    pub fn of(read: &'h [u8], at_end: bool) -> Self {
        Self { bytes: &read[..read.len().min(HEAD_BYTES)], is_whole: at_end && read.len() <= HEAD_BYTES }
    }

    fn behind_lines(self, lines: u32) -> Self {
        Self { bytes: &self.bytes[after_lines(self.bytes, true, lines).unwrap_or_default()..], ..self }
    }

    /// The bytes of its records; of the last one only if it is whole. Whether all of it was cut into records.
    fn records(self, dialect: &Dialect) -> (Vec<&'h [u8]>, bool) {
        let mut spans = Vec::new();
        let format = Format::Csv(dialect.clone());
        let mut splitter = Splitter::new(&format, Limits::default(), Position::start_of(0));
        let done = splitter.split(self.bytes, self.is_whole, &mut spans).unwrap_or(0);
        let raw = |span: &crate::record::Span| &self.bytes[span.start as usize..span.end as usize];
        // What is cut off by the end of what was looked at is one record, as a rule.
        (spans.iter().map(raw).collect(), done * 2 >= self.bytes.len())
    }
}

/// What of a dialect the user has said.
#[derive(Debug, Clone, Copy, Default)]
pub struct SaidOfDialect {
    /// The quote.
    pub quote: bool,
    /// The delimiter.
    pub delimiter: bool,
}

impl Format {
    /// Completes what is not said of it by what the beginning of its source shows; what is worth saying of
    /// that. `before`: what it showed when the source was first read, which goes on to hold.
    pub fn settle(
        &mut self,
        said: SaidOfDialect,
        beginning: SourceHead<'_>,
        before: Option<Sniffed>,
    ) -> Option<String> {
        let Self::Csv(dialect) = self else { return None };
        let had_quotes = dialect.quote.is_some();
        let mut notes = Vec::new();
        if !said.delimiter && dialect.escape != Escape::Copy {
            notes.extend(rival_words(dialect, beginning));
        }
        match before {
            Some(before) => dialect.hold_to(before),
            None => sniff(dialect, said, beginning),
        }
        if dialect.trailing_delimiter {
            notes.push("the delimiter at the end of each line is left out".to_owned());
        }
        if had_quotes && dialect.quote.is_none() {
            notes.push(
                "its quotes are plain characters, as not each encloses a field (--quote '\"' if they do)"
                    .to_owned(),
            );
        }
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    /// Which of a source's first records is the first of those that stand under a title, and how many fields
    /// each of them has, where the title was taken for the header.
    #[must_use]
    pub fn under_title(&self, header: &[String], records: &[&[u8]]) -> Option<(usize, usize)> {
        match self {
            Self::Csv(dialect) => under_title(dialect, header, records),
            Self::Jsonl
            | Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Xml { .. }
            | Self::Bulk
            | Self::Fixed(_)
            | Self::Rejects
            | Self::Columns { .. } => None,
        }
    }

    /// What the beginning of its source has shown of it.
    #[must_use]
    pub const fn sniffed(&self) -> Option<Sniffed> {
        match self {
            Self::Csv(dialect) => Some(dialect.sniffed()),
            Self::Jsonl
            | Self::Json { .. }
            | Self::JsonColumns { .. }
            | Self::Xml { .. }
            | Self::Bulk
            | Self::Fixed(_)
            | Self::Rejects
            | Self::Columns { .. } => None,
        }
    }
}

/// Completes a dialect by what the beginning of its source shows.
fn sniff(dialect: &mut Dialect, said: SaidOfDialect, beginning: SourceHead<'_>) {
    dialect.line_end = line_end(beginning.bytes, dialect.quote);
    let beginning = beginning.behind_lines(dialect.skip_lines);
    if dialect.delimiter == b'\t' && !said.quote && dialect.escape == Escape::None {
        sniff_quotes(dialect, beginning);
    }
    if dialect.escape != Escape::Copy {
        dialect.trailing_delimiter = has_trailing_delimiter(dialect, beginning);
    }
}

/// Lines end with what is more of them, outside of quotes.
fn line_end(head: &[u8], quote: Option<u8>) -> LineEnd {
    let (mut feeds, mut returns, mut is_quoted) = (0, 0, false);
    for (at, &byte) in head.iter().enumerate() {
        is_quoted ^= Some(byte) == quote;
        feeds += u32::from(byte == b'\n' && !is_quoted);
        let is_lone = byte == b'\r' && head.get(at + 1).is_some_and(|next| *next != b'\n');
        returns += u32::from(is_lone && !is_quoted);
    }
    // The very last one may be the first half of two.
    if returns > feeds || feeds == 0 && head.ends_with(b"\r") { LineEnd::Return } else { LineEnd::Feed }
}

/// Text delimited by tabs has no quoting, unless each field that begins with a quote is a quoted one.
fn sniff_quotes(dialect: &mut Dialect, beginning: SourceHead<'_>) {
    if dialect.quote.is_none() {
        return;
    }
    let (records, are_all) = beginning.records(dialect);
    let mut is_seen = false;
    let mut is_whole = are_all;
    for record in records {
        let cut = fields(dialect, record, |_, quoting| is_seen |= quoting.has_quotes());
        is_whole &=
            !matches!(cut, Err((DecodeErrorKind::TextBehindQuote { .. } | DecodeErrorKind::NotOneRecord, _)));
    }
    if is_whole {
        dialect.quotes_unseen = !is_seen && beginning.bytes.len() >= HEAD_BYTES;
    } else {
        dialect.quote = None;
    }
}

/// Whether each line ends with a delimiter behind which there is no field: all of them but the header, or the
/// header as well.
fn has_trailing_delimiter(dialect: &Dialect, beginning: SourceHead<'_>) -> bool {
    let (records, _) = beginning.records(dialect);
    let mut lines = records.into_iter();
    let (columns, is_in_header) = match &dialect.columns {
        Some(columns) => (columns.len(), false),
        None => match lines.next().map(|header| count(dialect, header)) {
            Some(Some((found, true))) if found > 1 => (found - 1, true),
            Some(Some((found, false))) => (found, false),
            _ => return false,
        },
    };
    let (mut with, mut without) = (0, 0);
    for line in lines {
        match count(dialect, line) {
            Some((found, true)) if found == columns + 1 => with += 1,
            // Of another length, it is refused either way.
            Some((found, _)) if is_in_header && found != columns + 1 => {}
            _ if is_in_header => return false,
            _ => without += 1,
        }
        if without > 0 {
            return false;
        }
    }
    with > 0 || is_in_header
}

/// How many fields a record has, and whether the last one is nothing at all.
fn count(dialect: &Dialect, record: &[u8]) -> Option<(usize, bool)> {
    let (mut found, mut is_nothing) = (0, false);
    fields(dialect, record, |range, quoting| {
        found += 1;
        is_nothing = range.is_empty() && !quoting.has_quotes();
    })
    .ok()?;
    Some((found, is_nothing))
}

/// The delimiter that a text shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Divides {
    pub(super) delimiter: u8,
    /// It divides all lines that were looked at alike, and they are several.
    pub(super) alike: bool,
    /// For the plan.
    pub(super) because: &'static str,
}

/// One of the delimiters that occur in the first line as often as in most of those behind it.
struct Candidate {
    delimiter: u8,
    /// It divides all of the lines alike.
    all: bool,
    /// How often it occurs in a line.
    count: usize,
    /// Lines that were looked at.
    lines: usize,
    /// How much of another one that divides all lines alike its fields have, where nothing explains it.
    strays: usize,
}

impl Candidate {
    /// The larger, the better.
    const fn rank(&self) -> (bool, std::cmp::Reverse<usize>, usize) {
        (self.all, std::cmp::Reverse(self.strays), self.count)
    }

    const fn divides_lines(&self) -> bool {
        self.all && self.lines > 1
    }
}

/// The delimiter that occurs, outside quotes, as often in the first line as in most of those behind it: in
/// all of them before in most (a footer, a ragged row), then the one whose fields have least of the others
/// (`1,5` and `Name, first name` are fields), then the more often the better. A comma if none does.
pub(super) fn sniff_delimiter(head: &[u8], comment: Option<u8>) -> Divides {
    let found = candidates(head, comment);
    let (all, lines, count, delimiter) = best_of(&found)
        .map_or((false, 0, 0, b','), |best| (best.all, best.lines, best.count, best.delimiter));
    let because = match (count, delimiter) {
        (0, _) => "by its content: text of one column",
        (_, b'\t') => "by its content: text delimited by tabs",
        (_, b';') => "by its content: text delimited by `;`",
        (_, b'|') => "by its content: text delimited by `|`",
        _ => "by its content: text delimited by `,`",
    };
    Divides { delimiter, alike: all && lines > 1, because }
}

/// The first of the best.
fn best_of(found: &[Candidate]) -> Option<&Candidate> {
    found.iter().rev().max_by_key(|candidate| candidate.rank())
}

/// Lines in a row that must agree against the header: fewer are ragged, or a footer.
const LINES_AGAINST: usize = 3;

/// Where records begin that have more fields than the header has, as under a title: all from the `n`th on
/// have so many. None of a header of several names, or where they are as the header.
fn under_title(dialect: &Dialect, header: &[String], records: &[&[u8]]) -> Option<(usize, usize)> {
    let [name] = header else { return None };
    if dialect.columns.is_some() || dialect.escape != Escape::None {
        return None;
    }
    let found = DELIMITERS.iter().filter_map(|&delimiter| {
        let is_prose = |record: &&[u8]| record.windows(2).any(|two| two == [delimiter, b' ']);
        let last = count_unquoted(records.last()?, delimiter);
        if last == 0 || name.as_bytes().contains(&delimiter) {
            return None;
        }
        let alike = records.iter().rev().take_while(|record| count_unquoted(record, delimiter) == last);
        let alike = alike.take_while(|record| !is_prose(record)).count();
        let first = records.len() - alike;
        (alike >= LINES_AGAINST && first < LINES_SNIFFED && alike > first).then_some((first, last + 1))
    });
    // The one that divides the header too: decimals have commas only below it.
    found.min_by_key(|(first, _)| *first)
}

/// What to say where another delimiter divides the lines as well as the dialect's own.
fn rival_words(dialect: &Dialect, beginning: SourceHead<'_>) -> Option<String> {
    let head = beginning.behind_lines(dialect.skip_lines).bytes;
    let found = candidates(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head), dialect.comment);
    let own = found.iter().find(|one| one.delimiter == dialect.delimiter && one.divides_lines())?;
    let rival = found.iter().find(|other| {
        let as_good = own.strays > 0 || other.strays <= own.strays;
        other.delimiter != own.delimiter && other.divides_lines() && as_good
    })?;
    let shown = |delimiter: u8| match delimiter {
        b'\t' => "\\t".to_owned(),
        other => (other as char).to_string(),
    };
    let (own, other) = (shown(own.delimiter), shown(rival.delimiter));
    Some(format!(
        "its fields are those between `{own}`, and `{other}` divides its lines alike too: --delimiter '{other}' if that is \
         it, --delimiter '{own}' if not"
    ))
}

fn candidates(head: &[u8], comment: Option<u8>) -> Vec<Candidate> {
    let mut found = Vec::new();
    let is_whole = head.len() < HEAD_BYTES;
    let line_end = line_end(head, Some(b'"'));
    for delimiter in DELIMITERS {
        let dialect = Dialect { comment, line_end, ..Dialect::delimited_by(delimiter) };
        let (mut records, _) = SourceHead { bytes: head, is_whole }.records(&dialect);
        records.truncate(LINES_SNIFFED);
        let counts: Vec<usize> = records.iter().map(|record| count_unquoted(record, delimiter)).collect();
        let Some(&first) = counts.first().filter(|&&first| first > 0) else { continue };
        let behind = counts.iter().zip(&records).skip(1);
        // One at the end of each line but the header is no field.
        let trails = behind.clone().len() > 0
            && behind.clone().all(|(&count, line)| count == first + 1 && line.ends_with(&[delimiter]));
        let alike = match trails {
            true => counts.len(),
            false => counts.iter().filter(|&&count| count == first).count(),
        };
        let all = alike == counts.len();
        if 2 * alike > counts.len() {
            let candidate = Candidate { delimiter, all, count: first, lines: counts.len(), strays: 0 };
            found.push((candidate, records));
        }
    }
    let dividing: Vec<u8> =
        found.iter().filter(|(one, _)| one.divides_lines()).map(|(one, _)| one.delimiter).collect();
    for (one, lines) in &mut found {
        let others: Vec<u8> = dividing.iter().copied().filter(|other| *other != one.delimiter).collect();
        if !others.is_empty() {
            one.strays = lines.iter().map(|line| strays(line, one.delimiter, &others)).sum();
        }
    }
    found.into_iter().map(|(one, _)| one).collect()
}

/// Fields of a line that have one of these characters in them, which neither a blank behind it nor digits on
/// both sides of a comma explain. A tab counts twice: hardly a value has one.
fn strays(line: &[u8], delimiter: u8, others: &[u8]) -> usize {
    let (mut all, mut in_field) = (0, 0);
    each_unquoted(line, |at, byte| {
        let is_digit = |at: Option<usize>| at.and_then(|at| line.get(at)).is_some_and(u8::is_ascii_digit);
        if byte == delimiter {
            all += std::mem::take(&mut in_field);
        } else if byte == b'\t' && others.contains(&byte) {
            in_field = 2;
        } else if others.contains(&byte) {
            let is_prose = line.get(at + 1) == Some(&b' ');
            let is_number = byte == b',' && is_digit(at.checked_sub(1)) && is_digit(Some(at + 1));
            in_field = in_field.max(usize::from(!is_prose && !is_number));
        }
    });
    all + in_field
}

/// Delimiters outside of quotes, whichever of the delimiters it is that quotes stand beside.
pub(super) fn count_unquoted(record: &[u8], delimiter: u8) -> usize {
    let mut count = 0;
    each_unquoted(record, |_, byte| count += usize::from(byte == delimiter));
    count
}

/// Calls `each` for the place of each byte outside of quotes.
fn each_unquoted(record: &[u8], mut each: impl FnMut(usize, u8)) {
    let mut is_quoted = false;
    for (at, &byte) in record.iter().enumerate() {
        let beside = |byte: Option<&u8>| byte.is_none_or(|byte| DELIMITERS.contains(byte) || *byte == b'"');
        if byte != b'"' {
            if !is_quoted {
                each(at, byte);
            }
        } else if is_quoted {
            is_quoted = !beside(record.get(at + 1));
        } else {
            is_quoted = beside(at.checked_sub(1).and_then(|before| record.get(before)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(delimiter: u8, text: &str) -> Dialect {
        let mut dialect = Dialect::delimited_by(delimiter);
        sniff(&mut dialect, SaidOfDialect::default(), SourceHead::of(text.as_bytes(), true));
        dialect
    }

    #[test]
    fn lines_end_with_what_is_more_of_them() {
        for (text, expected) in [
            ("a,b\n1,2\n", LineEnd::Feed),
            ("a,b\r\n1,2\r\n", LineEnd::Feed),
            ("a,b\r\r\n1,2\r\r\n", LineEnd::Feed),
            ("a,b\r1,2\r", LineEnd::Return),
            ("a,b\r1,\"x\ny\nz\nu\"\r2,3", LineEnd::Return),
            ("a,b\n1,x\ry\n2,z\n", LineEnd::Feed),
            ("a\r", LineEnd::Return),
            ("a", LineEnd::Feed),
            ("", LineEnd::Feed),
        ] {
            assert_eq!(sniffed(b',', text).line_end, expected, "{text:?}");
        }
    }

    #[test]
    fn tabs_have_no_quoting_unless_quoted_fields_are_whole() {
        let long = "1\tx\n".repeat(HEAD_BYTES);
        for (text, quote, unseen) in [
            ("a\tb\n1\t\"Big\" Rock\n", None, false),
            ("a\tb\n1\t\"Big\n2\tx\n3\t\"y\n", None, false),
            ("a\tb\n1\t\"Big\n2\tx\n", None, false),
            ("a\tb\n1\t\"x\ty\n\"\n2\t12\"\n", Some(b'"'), false),
            ("a\tb\n1\tWilson\"s\n", Some(b'"'), false),
            (&long, Some(b'"'), true),
        ] {
            let dialect = sniffed(b'\t', text);
            let start: String = text.chars().take(40).collect();
            assert_eq!((dialect.quote, dialect.quotes_unseen), (quote, unseen), "{start:?}");
        }
        assert_eq!(sniffed(b',', "a,b\n1,\"Big\" Rock\n").quote, Some(b'"'));
    }

    #[test]
    fn a_delimiter_at_the_end_of_each_line_is_no_field() {
        for (text, expected) in [
            ("a,b,\n1,2,\n3,4,\n", true),
            ("a,b\n1,2,\n3,4,\n", true),
            ("a,b,\n", true),
            ("a,b,\n1,2,\n3\n", true),
            ("a,b,\n1,2,\n3,4,5\n", false),
            ("a,b,\n1,2,\"\"\n", false),
            ("a,b\n1,2,\n3,4\n", false),
            ("a,b\n1,\n", false),
            ("a,b\n", false),
            ("", false),
        ] {
            assert_eq!(sniffed(b',', text).trailing_delimiter, expected, "{text:?}");
        }
    }

    #[test]
    fn records_under_a_title_are_found() {
        let dialect = Dialect::delimited_by(b',');
        let found = |header: &str, lines: &str| {
            let lines: Vec<&[u8]> = lines.lines().map(str::as_bytes).collect();
            under_title(&dialect, &[header.to_owned()], &lines)
        };
        assert_eq!(found("Statistik", "Stand: 2024\nid;Wert\n1;2,5\n2;3,5\n3;4,5"), Some((1, 2)));
        assert_eq!(found("Report", "id,a,b\n1,2,3\n4,5,6"), Some((0, 3)));
        assert_eq!(found("id", "1\n2\n3\n4"), None);
        assert_eq!(found("text", "a; b\nc; d\ne; f"), None);
        assert_eq!(found("a;b", "1;2\n3;4\n5;6"), None);
        assert_eq!(found("id", "1\n2\n3\n4\n5\n6;a\n7;b\n8;c"), None);
    }

    #[test]
    fn a_delimiter_that_is_as_good_is_named() {
        let note = |text: &str, delimiter: u8, said: bool| {
            let mut format = Format::Csv(Dialect::delimited_by(delimiter));
            let said = SaidOfDialect { delimiter: said, ..SaidOfDialect::default() };
            format.settle(said, SourceHead::of(text.as_bytes(), true), None)
        };
        let tie = note("x;y,z\np;q,r\n", b',', false).unwrap();
        assert!(tie.contains("--delimiter ';'") && tie.contains("--delimiter ','"), "{tie}");
        assert_eq!(note("x;y,z\np;q,r\n", b',', true), None);
        assert_eq!(note("Name, Vorname;PLZ\nM, Hans;01067\n", b';', false), None);
        assert_eq!(note("a,b\n1,2\n", b',', false), None);
    }

    #[test]
    fn the_delimiter_divides_all_lines_alike() {
        let found = |text: &str| {
            let Divides { delimiter, alike, .. } = sniff_delimiter(text.as_bytes(), Some(b'#'));
            (delimiter as char, alike)
        };
        assert_eq!(found("id;price (EUR, net);name\n1;10;Anna\n2;20;Bert\n"), (';', true));
        assert_eq!(found("id;name;amount\r1;Anna;1,5\r2;Bert;2,5\r"), (';', true));
        assert_eq!(found("# a, b, c\nid;amount\n1;1,5\n"), (';', true));
        assert_eq!(found("a,b\n1,\"x;y\"\n2,5\" nail\n"), (',', true));
        assert_eq!(found("a,b\n1,2\n3\n"), (',', false));
        assert_eq!(found("id;name\n1;a;\n2;b;\n"), (';', true));
        assert_eq!(found("Datum;Betrag,EUR\n01.02.2024;1,5\n02.02.2024;2,5\n"), (';', true));
        assert_eq!(found("Name, Vorname;PLZ\nM, Hans;01067\nN, Eva;10115\n"), (';', true));
        assert_eq!(found("Netto, EUR;Brutto, EUR\n1,5;2,5\n3,5;4,5\n"), (';', true));
        assert_eq!(found("Name, Vorname\tPLZ\nM, Hans\t01067\n"), ('\t', true));
        assert_eq!(found("Preis,EUR|Ort\n1,5|x\n2,5|y\n"), ('|', true));
        assert_eq!(found("a,b,c;d\n1,2,x;y\n3,4,z;u\n"), (',', true));
        assert_eq!(found("x;y,z\np;q,r\n"), (',', true));
        assert_eq!(found("a|b\n"), ('|', false));
        assert_eq!(found("a\n1\n"), (',', false));
    }
}

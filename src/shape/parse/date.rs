//! Dates and times by directives, as strftime has them.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;

/// Directives that say one thing, whatever the machine: no names of zones, no weeks, no locale.
const KNOWN: [&str; 27] = [
    "%Y", "%y", "%m", "%d", "%e", "%j", "%b", "%B", "%h", "%a", "%A", "%F", "%D", "%H", "%k", "%I", "%l",
    "%M", "%S", "%T", "%R", "%f", "%p", "%P", "%z", "%n", "%t",
];

/// A date, a time of day or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    directives: String,
    parts: DateParts,
}

/// What a text of the format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DateParts {
    Date,
    Time,
    Both,
}

impl DateFormat {
    pub(super) fn of(directives: &str) -> Result<Self, String> {
        let used = used(directives)?;
        let has = |names: &[&str]| used.iter().any(|used| names.contains(used));
        let is_time = has(&["%H", "%k", "%I", "%l", "%T", "%R"]);
        let is_date = has(&["%Y", "%y", "%F", "%D"]);
        let parts = match (is_date, is_time) {
            (true, true) => DateParts::Both,
            (true, false) => DateParts::Date,
            (false, true) => DateParts::Time,
            (false, false) => {
                return Err(format!("date:{directives} has neither a year (%Y) nor an hour (%H)"));
            }
        };
        if has(&["%I", "%l"]) && !has(&["%p", "%P"]) {
            return Err(format!("date:{directives} does not tell morning from evening: %p, or %H for %I"));
        }
        if parts != DateParts::Both && (has(&["%z"]) || parts == DateParts::Date && has(&["%M", "%S", "%f"]))
        {
            return Err(format!("date:{directives} has parts of a time, and no date with an hour"));
        }
        let format = Self { directives: directives.to_owned(), parts };
        // It must read what it writes.
        let some = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
        let written =
            strtime::format(directives, &some).map_err(|error| format!("date:{directives}: {error}"))?;
        match format.read(&written) {
            Some(_) => Ok(format),
            None => Err(format!("date:{directives} does not say a whole date: year, month and day")),
        }
    }

    pub(super) const fn type_name(&self) -> &'static str {
        match self.parts {
            DateParts::Date => "date",
            DateParts::Time => "time without time zone",
            DateParts::Both => "timestamp with time zone",
        }
    }

    /// The text as ISO has it.
    pub(super) fn read(&self, text: &str) -> Option<String> {
        let read = strtime::parse(&self.directives, text).ok()?;
        if self.has_leap_second(&read, text) {
            return None;
        }
        let mut out = String::with_capacity(40);
        if self.parts != DateParts::Time {
            let date = read.to_date().ok().filter(|date| date.year() > 0)?;
            out.push_str(&format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()));
        }
        if self.parts == DateParts::Both {
            out.push(' ');
        }
        if self.parts != DateParts::Date {
            let time = read.to_time().ok()?;
            out.push_str(&format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second()));
            if time.subsec_nanosecond() != 0 {
                let digits = format!("{:09}", time.subsec_nanosecond());
                out.push('.');
                out.push_str(digits.trim_end_matches('0'));
            }
        }
        if let Some(offset) = read.offset() {
            let (seconds, sign) =
                (offset.seconds().unsigned_abs(), if offset.is_negative() { '-' } else { '+' });
            out.push_str(&format!("{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60));
            if seconds % 60 != 0 {
                out.push_str(&format!(":{:02}", seconds % 60));
            }
        }
        Some(out)
    }

    /// The reader takes a second 60 for 59: that would be another time.
    fn has_leap_second(&self, read: &BrokenDownTime, text: &str) -> bool {
        let sixties = |text: &str| {
            text.split(|c: char| !c.is_ascii_digit()).filter(|group| group.ends_with("60")).count()
        };
        read.second() == Some(59)
            && read.to_string(&self.directives).map_or(true, |again| sixties(text) > sixties(&again))
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.directives)
    }
}

/// The directives in a format. `%.f` is a fraction with its point, `%:z` an offset with a colon.
fn used(directives: &str) -> Result<Vec<&str>, String> {
    let mut used = Vec::new();
    let mut rest = directives;
    while let Some(at) = rest.find('%') {
        rest = &rest[at..];
        let length = match rest.as_bytes() {
            [b'%', b'%', ..] => {
                rest = &rest[2..];
                continue;
            }
            [b'%', b'.', b'f', ..] => {
                used.push("%f");
                rest = &rest[3..];
                continue;
            }
            [b'%', b':', b'z', ..] => {
                used.push("%z");
                rest = &rest[3..];
                continue;
            }
            _ => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        let directive = &rest[..length];
        if !KNOWN.contains(&directive) {
            return Err(format!(
                "date:{directives}: {directive:?} is not one of %Y %y %m %d %e %j %b %B %a %A %F %H %I %M %S %T %f %.f %p %z %:z"
            ));
        }
        used.push(directive);
        rest = &rest[length..];
    }
    Ok(used)
}

//! Windows of time: the steps of a load, which of them are due, and how they stand in its words.
//!
//! A step of days, weeks, months or years is one of the calendar, in the zone that the file names: a day is
//! 23 or 25 hours long where the clocks change. One of hours or minutes is elapsed time. Steps are counted
//! from `begin`, each by itself, so that a month that ends early does not shorten those behind it.

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, ZonedDateTime, civil};

/// More steps between `begin` and now are a wrong begin.
const STEPS_MAX: i64 = 50_000;

/// How long a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowStep {
    /// By the calendar.
    Calendar { months: i64, days: i64 },
    /// So many seconds.
    Elapsed(i64),
}

impl fmt::Display for WindowStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Calendar { months, days: 0 } if months % 12 == 0 => write!(f, "{}y", months / 12),
            Self::Calendar { months, days: 0 } => write!(f, "{months}mo"),
            Self::Calendar { days, .. } => write!(f, "{days}d"),
            Self::Elapsed(seconds) if seconds % 3_600 == 0 => write!(f, "{}h", seconds / 3_600),
            Self::Elapsed(seconds) => write!(f, "{}m", seconds / 60),
        }
    }
}

/// `1d`, `1w`, `1mo`, `1y` by the calendar; `24h`, `15m` of elapsed time.
pub(super) fn step(text: &str) -> Result<WindowStep, String> {
    let bad = || "must be a step such as 1d, 1w, 1mo, 1y, 24h or 15m".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let number: i64 = text[..digits].parse().map_err(|_| bad())?;
    if !(1..=10_000).contains(&number) {
        return Err(bad());
    }
    Ok(match &text[digits..] {
        "y" => WindowStep::Calendar { months: 12 * number, days: 0 },
        "mo" => WindowStep::Calendar { months: number, days: 0 },
        "w" => WindowStep::Calendar { months: 0, days: 7 * number },
        "d" => WindowStep::Calendar { months: 0, days: number },
        "h" => WindowStep::Elapsed(3_600 * number),
        "m" => WindowStep::Elapsed(60 * number),
        _ => return Err(bad()),
    })
}

/// A zone by its IANA name.
pub(super) fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| "must be a time zone such as Europe/Berlin or UTC".to_owned())
}

/// A date, or a date and a time, of the zone of the load.
pub(super) fn moment(text: &str) -> Result<civil::DateTime, String> {
    let date = text.parse::<civil::Date>().map(|date| date.to_datetime(civil::Time::midnight()));
    let moment = text.parse::<civil::DateTime>().or(date);
    moment.map_err(|_| "must be a date, or a date and a time: 2026-01-31 or 2026-01-31T06:00".to_owned())
}

/// An instant.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "must be an instant such as 2026-11-29T02:00:00Z".to_owned())
}

/// The windows of a load.
#[derive(Debug, Clone)]
pub(super) struct WindowRule {
    pub(super) every: WindowStep,
    pub(super) zone: TimeZone,
    /// The first one begins here. Without it only the last whole one is ever due.
    pub(super) begin: Option<civil::DateTime>,
    /// One is due when it has ended so long ago.
    pub(super) delay: Duration,
    /// So many that were loaded before are read again, with a new one.
    pub(super) lookback: u32,
}

/// A window: from its start on, up to its end, which is the next one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: ZonedDateTime,
    pub(super) end: ZonedDateTime,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DueWindows {
    /// The oldest first.
    pub(super) windows: Vec<Window>,
    /// Due as well, and left to later runs.
    pub(super) left: usize,
}

impl WindowRule {
    fn anchor(&self) -> Result<ZonedDateTime, String> {
        let by_default = match self.every {
            // A Monday.
            WindowStep::Calendar { months: 0, .. } | WindowStep::Elapsed(_) => civil::date(2001, 1, 1),
            WindowStep::Calendar { .. } => civil::date(2000, 1, 1),
        };
        let anchor = self.begin.unwrap_or_else(|| by_default.to_datetime(civil::Time::midnight()));
        anchor.to_zoned_datetime(self.zone.clone()).map_err(|error| error.to_string())
    }

    /// Where the step of this number begins.
    fn nth(&self, anchor: &ZonedDateTime, n: i64) -> Result<ZonedDateTime, String> {
        let step = match self.every {
            WindowStep::Calendar { months, days } => {
                0.days().try_months(months * n).and_then(|step| step.try_days(days * n))
            }
            WindowStep::Elapsed(seconds) => 0.days().try_seconds(seconds * n),
        };
        step.and_then(|step| anchor.checked_add(step)).map_err(|error| error.to_string())
    }

    /// How many steps have begun by then: those before it are whole.
    fn whole_by(&self, anchor: &ZonedDateTime, by: Timestamp) -> Result<i64, String> {
        if anchor.timestamp() > by {
            return Ok(0);
        }
        let (mut low, mut high) = (0, 1);
        // What lies out of the calendar has not begun either.
        while self.nth(anchor, high).is_ok_and(|begin| begin.timestamp() <= by) {
            low = high;
            high *= 2;
        }
        // The step `low` has begun, `high` has not.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let has_begun = self.nth(anchor, middle).is_ok_and(|begin| begin.timestamp() <= by);
            if has_begun { low = middle } else { high = middle }
        }
        Ok(low)
    }

    fn window(&self, anchor: &ZonedDateTime, n: i64) -> Result<Window, String> {
        Ok(Window { start: self.nth(anchor, n)?, end: self.nth(anchor, n + 1)? })
    }

    /// The windows that are due now, of which those in `complete` are not.
    pub(super) fn due(
        &self,
        now: Timestamp,
        complete: &[(Timestamp, Timestamp)],
        catch_up: usize,
    ) -> Result<DueWindows, String> {
        let anchor = self.anchor()?;
        let by = now.checked_sub(self.delay).map_err(|error| error.to_string())?;
        let whole = self.whole_by(&anchor, by)?;
        let first = if self.begin.is_some() { 0 } else { (whole - 1).max(0) };
        if whole - first > STEPS_MAX {
            return Err(format!("window: more than {STEPS_MAX} steps since begin"));
        }
        let complete = joined(complete);
        let mut missing = Vec::new();
        for n in first..whole {
            let window = self.window(&anchor, n)?;
            if !is_covered(&window, &complete) {
                missing.push((n, window));
            }
        }
        let left = missing.len().saturating_sub(catch_up);
        missing.truncate(catch_up);
        if let Some((newest, _)) = missing.last() {
            let newest = *newest;
            for n in (newest - i64::from(self.lookback)).max(0)..newest {
                if !missing.iter().any(|(other, _)| *other == n) {
                    missing.push((n, self.window(&anchor, n)?));
                }
            }
            missing.sort_by_key(|(n, _)| *n);
        }
        Ok(DueWindows { windows: missing.into_iter().map(|(_, window)| window).collect(), left })
    }

    /// The same by other steps, which are counted from where they are asked for.
    pub(super) fn by(self, step: Option<WindowStep>) -> Self {
        match step {
            Some(every) => Self { every, begin: None, ..self },
            None => self,
        }
    }

    /// The windows from a moment up to another, all that lie whole between them.
    pub(super) fn between(&self, from: civil::DateTime, to: civil::DateTime) -> Result<Vec<Window>, String> {
        let at = |moment: civil::DateTime| {
            moment.to_zoned_datetime(self.zone.clone()).map_err(|error| error.to_string())
        };
        self.whole_between(&at(from)?, &at(to)?)
    }

    /// The same from an instant up to another.
    pub(super) fn between_instants(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Window>, String> {
        let at = |instant: Timestamp| instant.to_zoned_datetime(self.zone.clone());
        self.whole_between(&at(from), &at(to))
    }

    fn whole_between(&self, from: &ZonedDateTime, to: &ZonedDateTime) -> Result<Vec<Window>, String> {
        // Its own grid, if it has one; else the one that begins there.
        let anchor = match self.begin {
            Some(_) if self.anchor()?.timestamp() <= from.timestamp() => self.anchor()?,
            _ => from.clone(),
        };
        let (from, to) = (from.timestamp(), to.timestamp());
        let whole = self.whole_by(&anchor, to)?;
        let mut first = self.whole_by(&anchor, from)?;
        if self.nth(&anchor, first)?.timestamp() < from {
            first += 1;
        }
        if whole - first > STEPS_MAX {
            return Err(format!("more than {STEPS_MAX} steps between --from and --to"));
        }
        (first..whole).map(|n| self.window(&anchor, n)).collect()
    }
}

/// What is complete, in order and without gaps that are none.
fn joined(complete: &[(Timestamp, Timestamp)]) -> Vec<(Timestamp, Timestamp)> {
    let mut sorted = complete.to_vec();
    sorted.sort_unstable();
    let mut out: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (start, end) in sorted {
        match out.last_mut() {
            Some((_, last)) if start <= *last => *last = (*last).max(end),
            _ => out.push((start, end)),
        }
    }
    out
}

fn is_covered(window: &Window, joined: &[(Timestamp, Timestamp)]) -> bool {
    let (start, end) = (window.start.timestamp(), window.end.timestamp());
    let at = joined.partition_point(|(other, _)| *other <= start);
    at > 0 && joined[at - 1].1 >= end
}

impl Window {
    /// Its ends as instants.
    pub(super) fn instants(&self) -> (Timestamp, Timestamp) {
        (self.start.timestamp(), self.end.timestamp())
    }

    /// A name of it for people.
    pub(super) fn name(&self) -> String {
        let ends = [&self.start, &self.end].map(|end| self.written(end, None).unwrap_or_default());
        ends.join("..")
    }

    /// Both ends are midnight: they are said as dates.
    fn has_dates(&self) -> bool {
        [&self.start, &self.end].iter().all(|end| end.time() == civil::Time::midnight())
    }

    /// Puts its ends, `escaped`, where they are named: `{window.start}`, `{window.end:%Y%m%d}`,
    /// `{window.start:unix}`.
    ///
    /// # Errors
    /// What is wrong with a form.
    pub(super) fn put(&self, text: &str, escaped: impl Fn(String) -> String) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(PREFIX) {
            out.push_str(&rest[..at]);
            let named = &rest[at + PREFIX.len()..];
            let close = named.find('}').ok_or_else(|| format!("`{PREFIX}` is not closed"))?;
            let (name, form) =
                named[..close].split_once(':').map_or((&named[..close], None), |(n, f)| (n, Some(f)));
            let end = match name {
                "start" => &self.start,
                "end" => &self.end,
                name => {
                    return Err(format!("{PREFIX}{name}}}: there are {{window.start}} and {{window.end}}"));
                }
            };
            out.push_str(&escaped(self.written(end, form)?));
            rest = &named[close + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    fn written(&self, end: &ZonedDateTime, form: Option<&str>) -> Result<String, String> {
        Ok(match form {
            None if self.has_dates() => end.date().to_string(),
            None => end.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            Some("unix") => end.timestamp().as_second().to_string(),
            Some("unix_ms") => end.timestamp().as_millisecond().to_string(),
            Some(form) => {
                jiff::fmt::strtime::format(form, end).map_err(|error| format!("`{form}`: {error}"))?
            }
        })
    }
}

/// Where a name of a window begins.
pub(super) const PREFIX: &str = "{window.";

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(every: &str, zone_name: &str, begin: Option<&str>) -> WindowRule {
        WindowRule {
            every: step(every).unwrap(),
            zone: zone(zone_name).unwrap(),
            begin: begin.map(|begin| moment(begin).unwrap()),
            delay: Duration::ZERO,
            lookback: 0,
        }
    }

    fn starts(windows: &[Window]) -> Vec<String> {
        windows.iter().map(|window| window.put("{window.start}", |value| value).unwrap()).collect()
    }

    #[test]
    fn days_are_those_of_the_zone_and_hours_are_elapsed() {
        let days = rule("1d", "Europe/Berlin", Some("2026-03-28"));
        let now = instant("2026-03-30T22:00:00Z").unwrap();
        let due = days.due(now, &[], 7).unwrap();
        assert_eq!(starts(&due.windows), ["2026-03-28", "2026-03-29", "2026-03-30"]);
        let hours = |window: &Window| {
            (window.end.timestamp().as_second() - window.start.timestamp().as_second()) / 3_600
        };
        assert_eq!(due.windows.iter().map(hours).collect::<Vec<_>>(), [24, 23, 24]);
        let autumn = rule("1d", "Europe/Berlin", Some("2026-10-25")).due(
            instant("2026-10-25T23:00:00Z").unwrap(),
            &[],
            7,
        );
        assert_eq!(autumn.unwrap().windows.iter().map(hours).collect::<Vec<_>>(), [25]);
        let elapsed = rule("24h", "Europe/Berlin", Some("2026-03-28")).due(now, &[], 7).unwrap();
        assert_eq!(elapsed.windows.iter().map(hours).collect::<Vec<_>>(), [24, 24]);
        assert_eq!(
            elapsed.windows[1].put("{window.end}", |value| value).unwrap(),
            "2026-03-30T01:00:00+02:00"
        );
    }

    #[test]
    fn months_are_counted_from_their_begin() {
        let months = rule("1mo", "UTC", Some("2026-01-31"));
        let due = months.due(instant("2026-05-01T00:00:00Z").unwrap(), &[], 10).unwrap();
        assert_eq!(starts(&due.windows), ["2026-01-31", "2026-02-28", "2026-03-31"]);
    }

    #[test]
    fn what_is_missing_is_due_the_oldest_first_and_no_more_than_is_caught_up() {
        let mut days = rule("1d", "UTC", Some("2026-01-01"));
        days.delay = Duration::from_secs(3 * 3_600);
        let at = |text: &str| instant(text).unwrap();
        assert_eq!(days.due(at("2026-01-02T02:59:59Z"), &[], 7).unwrap().windows, []);
        let all = days.due(at("2026-01-06T03:00:00Z"), &[], 7).unwrap();
        assert_eq!(starts(&all.windows).len(), 5);
        let complete: Vec<_> = [0, 2].iter().map(|&n| all.windows[n].instants()).collect();
        let due = days.due(at("2026-01-06T03:00:00Z"), &complete, 2).unwrap();
        assert_eq!(
            (starts(&due.windows), due.left),
            (vec!["2026-01-02".to_owned(), "2026-01-04".to_owned()], 1)
        );
        days.lookback = 2;
        let due = days.due(at("2026-01-06T03:00:00Z"), &complete, 2).unwrap();
        assert_eq!(starts(&due.windows), ["2026-01-02", "2026-01-03", "2026-01-04"]);
        // After a change of the step, what instants cover is complete.
        let hours = rule("12h", "UTC", Some("2026-01-01"));
        let due = hours.due(at("2026-01-02T12:00:00Z"), &complete, 9).unwrap();
        assert_eq!(starts(&due.windows), ["2026-01-02T00:00:00+00:00"]);
        // Without a begin it is the last one alone.
        let last = rule("1w", "UTC", None).due(at("2026-11-29T23:59:59Z"), &[], 7).unwrap();
        assert_eq!(starts(&last.windows), ["2026-11-16"]);
    }

    #[test]
    fn a_backfill_has_the_whole_steps_between_two_moments() {
        let between = |rule: &WindowRule, from: &str, to: &str| {
            starts(&rule.between(moment(from).unwrap(), moment(to).unwrap()).unwrap())
        };
        let weeks = rule("1w", "UTC", Some("2026-01-01"));
        assert_eq!(between(&weeks, "2026-01-02", "2026-01-23"), ["2026-01-08", "2026-01-15"]);
        assert_eq!(between(&weeks, "2025-12-01", "2025-12-15"), ["2025-12-01", "2025-12-08"]);
        assert_eq!(between(&weeks, "2026-02-01", "2026-01-01"), Vec::<String>::new());
    }

    #[test]
    fn ends_are_written_as_they_are_asked_for() {
        let window =
            rule("1h", "Europe/Berlin", None).due(instant("2026-07-01T00:10:00Z").unwrap(), &[], 1).unwrap();
        let put = |text: &str| window.windows[0].put(text, |value| value);
        assert_eq!(
            put("a/{window.start:%Y/%m/%d-%H}?{x}&to={window.end}").unwrap(),
            "a/2026/07/01-01?{x}&to=2026-07-01T02:00:00+02:00"
        );
        assert_eq!(put("{window.start:unix} {window.end:unix_ms}").unwrap(), "1782860400 1782864000000");
        for wrong in ["{window.begin}", "{window.start", "{window.start:%!}"] {
            assert!(put(wrong).is_err(), "{wrong}");
        }
        for wrong in ["1", "d", "0d", "1s", "-1d", "99999d"] {
            assert!(step(wrong).is_err(), "{wrong}");
        }
    }
}

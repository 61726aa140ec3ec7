//! `Retry-After`: how long a server asks us to stay away, in seconds or until a date. Pure.

use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderMap, RETRY_AFTER};

/// The shortest pause: `0` and dates that have passed would be a storm.
pub(super) const FLOOR: Duration = Duration::from_millis(100);

/// The pause that the headers ask for; none where they ask for nothing that can be understood.
/// A date is compared with the server's own clock, where it shows it.
pub(super) fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let Some(text) = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()) else {
        return reset(headers, now);
    };
    let text = text.trim();
    if let Some(seconds) = fraction(text) {
        return Some(seconds.max(FLOOR));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number can have are a very long time.
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs).max(FLOOR));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let theirs = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    Some(until.duration_since(theirs.unwrap_or(now)).unwrap_or_default().max(FLOOR))
}

/// `2.0`: seconds as programs write them.
fn fraction(text: &str) -> Option<Duration> {
    let (whole, rest) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: f64 = text.parse().ok().filter(|_| digits(whole) && digits(rest))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Names of limits, as they stand before `-reset` and `-remaining`.
const LIMITS: [&str; 3] = ["x-ratelimit", "ratelimit", "x-rate-limit"];
/// Numbers from here on are times since 1970, and from there on in milliseconds.
const EPOCH_SECONDS: f64 = 1e9;
const EPOCH_MILLIS: f64 = 1e12;

fn of_limit<'h>(headers: &'h HeaderMap, what: &str) -> Option<&'h str> {
    LIMITS.iter().find_map(|limit| headers.get(format!("{limit}-{what}"))?.to_str().ok()).map(str::trim)
}

/// When the limit is lifted, where that is said without `Retry-After`: in seconds, at a time since 1970, or
/// as `6m0s`.
fn reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = of_limit(headers, "reset-after").or_else(|| of_limit(headers, "reset"))?;
    let Ok(number) = text.parse::<f64>() else {
        return humantime::parse_duration(text).ok().map(|pause| pause.max(FLOOR));
    };
    let seconds = if number >= EPOCH_MILLIS { number / 1_000.0 } else { number };
    let pause = Duration::try_from_secs_f64(seconds).ok()?;
    if number < EPOCH_SECONDS {
        return Some(pause.max(FLOOR));
    }
    let theirs = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let until = SystemTime::UNIX_EPOCH.checked_add(pause)?;
    // It may be at any time of that second.
    let left = until.duration_since(theirs.unwrap_or(now)).unwrap_or_default();
    Some((left + Duration::from_secs(1)).max(FLOOR))
}

/// Whether a refusal is that of a limit, though its status (403) says that it may not be: nothing is left of
/// the limit and it says when there will be, or it asks to come again.
pub(super) fn is_limit(headers: &HeaderMap, now: SystemTime) -> bool {
    let is_used_up = of_limit(headers, "remaining").is_some_and(|left| left.parse::<f64>() == Ok(0.0));
    (is_used_up || headers.contains_key(RETRY_AFTER)) && asked(headers, now).is_some()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn pause(text: &str, date: Option<&str>) -> Option<u128> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        asked(&headers, now).map(|pause| pause.as_millis())
    }

    #[test]
    fn limits_that_are_used_up_say_when_they_are_lifted() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_784_111_777);
        let told = |headers: &[(&'static str, &'static str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
            let headers = HeaderMap::from_iter(headers);
            (is_limit(&headers, now), asked(&headers, now).map(|pause| pause.as_millis()))
        };
        let used_up = ("x-ratelimit-remaining", "0");
        assert_eq!(told(&[used_up, ("x-ratelimit-reset", "1784111779")]), (true, Some(3_000)));
        assert_eq!(told(&[used_up, ("x-ratelimit-reset", "1784111779000")]), (true, Some(3_000)));
        assert_eq!(told(&[used_up, ("x-ratelimit-reset", "2")]), (true, Some(2_000)));
        assert_eq!(told(&[used_up, ("x-ratelimit-reset-after", "0.5")]), (true, Some(500)));
        assert_eq!(told(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "1m2s")]), (true, Some(62_000)));
        assert_eq!(told(&[("retry-after", "3")]), (true, Some(3_000)));
        assert_eq!(told(&[("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "2")]), (false, Some(2_000)));
        assert_eq!(told(&[used_up]), (false, None));
    }

    #[test]
    fn pauses_are_read_in_all_their_forms() {
        assert_eq!(pause("2", None), Some(2_000));
        assert_eq!(pause(" 120 ", None), Some(120_000));
        assert_eq!(pause("0", None), Some(100));
        assert_eq!((pause("2.0", None), pause("1.5", None)), (Some(2_000), Some(1_500)));
        assert_eq!(pause("31536000", None), Some(31_536_000_000));
        assert_eq!(pause("99999999999999999999999", None), Some(Duration::MAX.as_millis()));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:40 GMT", None), Some(3_000));
        assert_eq!(pause("Sunday, 06-Nov-94 08:49:40 GMT", None), Some(3_000));
        assert_eq!(pause("Sun Nov  6 08:49:40 1994", None), Some(3_000));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:30 GMT", None), Some(100));
        assert_eq!(
            pause("Sun, 06 Nov 1994 08:49:40 GMT", Some("Sun, 06 Nov 1994 08:49:35 GMT")),
            Some(5_000)
        );
        for garbage in ["", "soon", "-1", "1.", ".5", "1.5e3", "1 s", "0x10", "Sun, 06 Nov", "2;3"] {
            assert_eq!(pause(garbage, None), None, "{garbage}");
        }
    }
}

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

/// How long to stay away where an answer that was no refusal says that nothing is left of a limit: the next
/// request would be refused.
pub(super) fn used_up(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if let Some(limit) = headers.get("ratelimit").and_then(|value| value.to_str().ok()) {
        return structured(limit);
    }
    let is_used_up = of_limit(headers, "remaining").is_some_and(|left| left.parse::<f64>() == Ok(0.0));
    if is_used_up { reset(headers, now) } else { None }
}

/// `RateLimit: "default";r=0;t=30`, or as it was drafted before `limit=100, remaining=0, reset=30`: the
/// longest time until there is something of a limit of which nothing is left.
fn structured(text: &str) -> Option<Duration> {
    let named = |part: &str, names: [&str; 2]| {
        let (name, value) = part.trim().split_once('=')?;
        names.contains(&name.trim()).then(|| value.trim().parse::<u64>().ok())?
    };
    // Policies are parted by commas, and so are the members of the draft.
    let policies: Vec<&str> = if text.contains(';') { text.split(',').collect() } else { vec![text] };
    let waits = policies.into_iter().filter_map(|policy| {
        let parts = || policy.split([';', ',']);
        let left = parts().find_map(|part| named(part, ["r", "remaining"]))?;
        let reset = parts().find_map(|part| named(part, ["t", "reset"]))?;
        (left == 0).then(|| Duration::from_secs(reset).max(FLOOR))
    });
    waits.max()
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
    fn an_answer_may_say_that_it_was_the_last_one_for_now() {
        let told = |headers: &[(&'static str, &'static str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
            used_up(&HeaderMap::from_iter(headers), SystemTime::UNIX_EPOCH).map(|pause| pause.as_millis())
        };
        assert_eq!(told(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2")]), Some(2_000));
        assert_eq!(told(&[("ratelimit", "\"default\";r=0;t=30")]), Some(30_000));
        assert_eq!(told(&[("ratelimit", "\"burst\";r=0;t=2, \"day\";r=0;t=9, \"x\";r=1;t=99")]), Some(9_000));
        assert_eq!(told(&[("ratelimit", "limit=100, remaining=0, reset=5")]), Some(5_000));
        for none in ["\"default\";r=1;t=30", "limit=100, remaining=7, reset=5", "", "r=0", "r=x;t=1"] {
            assert_eq!(told(&[("ratelimit", none)]), None, "{none}");
        }
        assert_eq!(told(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "2")]), None);
        assert_eq!(told(&[("x-ratelimit-remaining", "0")]), None);
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

//! `Retry-After`: how long a server asks us to stay away, in seconds or until a date. Pure.

use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderMap, RETRY_AFTER};

/// The shortest pause: `0` and dates that have passed would be a storm.
pub(super) const FLOOR: Duration = Duration::from_millis(100);

/// The pause that the headers ask for; none where they ask for nothing that can be understood.
/// A date is compared with the server's own clock, where it shows it.
pub(super) fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number can have are a very long time.
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs).max(FLOOR));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let theirs = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    Some(until.duration_since(theirs.unwrap_or(now)).unwrap_or_default().max(FLOOR))
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
    fn pauses_are_read_in_all_their_forms() {
        assert_eq!(pause("2", None), Some(2_000));
        assert_eq!(pause(" 120 ", None), Some(120_000));
        assert_eq!(pause("0", None), Some(100));
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
        for garbage in ["", "soon", "-1", "1.5", "1 s", "0x10", "Sun, 06 Nov", "2;3"] {
            assert_eq!(pause(garbage, None), None, "{garbage}");
        }
    }
}

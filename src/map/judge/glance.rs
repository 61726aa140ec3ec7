//! What is seen at a glance. Most values are written as their column keeps them, and are not looked through.

use crate::schema::{Narrows, TimeOfDay};

use super::clocks::Clocks;

/// Whether a text surely loses nothing. If not, it may still lose nothing.
#[inline]
pub(in crate::map) fn surely_keeps_all(narrows: &Narrows, clocks: Clocks, text: &[u8]) -> bool {
    match narrows {
        // As many bytes hold no more characters.
        Narrows::Length(length) => text.len() <= *length,
        Narrows::Scale(scale) => has_so_many_decimals(text, *scale),
        Narrows::Date => text.first_chunk().is_some_and(|day| text.len() == day.len() && is_day(day)),
        Narrows::Timestamp(clock) => is_day_and_time(text, *clock, clocks),
        _ => false,
    }
}

/// `12.34` and `12.3` for a scale of 2, and digits alone. Whatever stands before the point: what is no number
/// the server refuses.
fn has_so_many_decimals(text: &[u8], scale: i32) -> bool {
    let Ok(scale) = usize::try_from(scale) else { return false };
    let end = &text[text.len().saturating_sub(scale.saturating_add(1))..];
    match end.iter().position(|byte| !byte.is_ascii_digit()) {
        Some(at) if end[at] == b'.' => end[at + 1..].iter().all(u8::is_ascii_digit),
        _ => text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-'),
    }
}

/// `0001-01-01`.
#[inline]
fn is_day(text: &[u8; 10]) -> bool {
    is_like(text, 0, b"0000-00-") && is_like(text, 2, b"00-00-00")
}

/// A day, then `T` or a space and `00:00:00`, then nothing, or `Z` where the zone is kept or is UTC.
fn is_day_and_time(text: &[u8], clock: TimeOfDay, clocks: Clocks) -> bool {
    let Some((head, rest)) = text.split_first_chunk::<19>() else { return false };
    let is_kept = match rest {
        [] => true,
        [b'Z'] => clock.zoned || clocks.are_utc,
        _ => false,
    };
    let is_time = is_like(head, 11, b"00:00:00") && head[17] <= b'5';
    let is_day = head.first_chunk().is_some_and(is_day) && matches!(head[10], b' ' | b'T');
    is_kept && is_day && is_time
}

/// Eight bytes from `at` on: where the pattern has a zero there is a digit, and elsewhere the same byte.
#[inline]
fn is_like(text: &[u8], at: usize, pattern: &[u8; 8]) -> bool {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk) else { return false };
    // A byte differs from its own by nothing, a digit from zero by 9 at most: one more, and its high bit is
    // set.
    let differs = u64::from_le_bytes(*bytes) ^ u64::from_le_bytes(*pattern);
    let room = u64::from_le_bytes(pattern.map(|byte| if byte == b'0' { 0x7f - 9 } else { 0x7f }));
    (differs | differs.wrapping_add(room)) & HIGH_BITS == 0
}

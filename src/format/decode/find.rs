//! Where a byte is next, in records.

/// Where a byte is next, or the end. Fields and strings are short, mostly: a look at some words beats setting
/// up a search.
#[inline]
pub(super) fn find(byte: u8, raw: &[u8], from: usize) -> usize {
    const NEAR: usize = 3;
    let mut at = from;
    for _ in 0..NEAR {
        let Some(word) = raw.get(at..).and_then(<[u8]>::first_chunk) else { break };
        if let Some(i) = first_in(u64::from_le_bytes(*word), byte) {
            return at + i;
        }
        at += size_of::<u64>();
    }
    at + memchr::memchr(byte, &raw[at..]).unwrap_or(raw.len() - at)
}

/// The first byte of a little-endian word that is this one.
fn first_in(word: u64, byte: u8) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    // Where it stands there is nothing, from which one cannot be taken without a loan; only bytes above may
    // be wrong then.
    let rest = word ^ (ONES * u64::from(byte));
    let loans = rest.wrapping_sub(ONES) & !rest & (ONES << 7);
    (loans != 0).then(|| loans.trailing_zeros() as usize / 8)
}

//! Ids of traces and spans, and those of who has started this process (W3C Trace Context, by its variables).

/// Of a trace.
pub(super) type TraceId = [u8; 16];

/// Of a span.
pub(super) type SpanId = [u8; 8];

/// The span that has started this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParentSpan {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) is_sampled: bool,
    pub(super) state: Option<String>,
}

pub(super) fn new_trace() -> TraceId {
    fastrand::u128(1..).to_be_bytes()
}

pub(super) fn new_span() -> SpanId {
    fastrand::u64(1..).to_be_bytes()
}

impl ParentSpan {
    /// As the variables have it; one that is not well formed is none, as the standard has it.
    pub(super) fn parse(parent: &str, state: Option<String>) -> Option<Self> {
        let mut parts = parent.trim().split('-');
        let version = hex::<1>(parts.next()?)?[0];
        let (trace, span) = (hex::<16>(parts.next()?)?, hex::<8>(parts.next()?)?);
        let flags = hex::<1>(parts.next()?)?[0];
        // Later versions may say more behind it.
        let is_whole = version == 0 && parts.next().is_none() || version != 0 && version != 0xff;
        let is_valid = is_whole && trace != [0; 16] && span != [0; 8];
        is_valid.then_some(Self { trace, span, is_sampled: flags & 1 == 1, state })
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex =
        text.len() == 2 * N && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let mut bytes = [0; N];
    if !is_hex {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_that_is_not_well_formed_is_none() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent = ParentSpan::parse(good, None).unwrap();
        assert_eq!((parent.trace[0], parent.span[7], parent.is_sampled), (0x0a, 0x31, true));
        assert!(!ParentSpan::parse(&good.replace("-01", "-02"), None).unwrap().is_sampled);
        assert!(ParentSpan::parse(&format!("01{}-later", &good[2..]), None).is_some());
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319ü-b7ad6b7169203331-01",
        ] {
            assert_eq!(ParentSpan::parse(bad, None), None, "{bad}");
        }
    }
}

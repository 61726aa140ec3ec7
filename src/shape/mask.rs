//! Values that must not leave the loader as they are: null in their place, or a keyed digest, by which equal
//! ones are still equal.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::secret::Secret;

/// What stands in place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mask {
    Null,
    Sha256,
}

impl Mask {
    pub(super) fn of(text: &str) -> Result<Self, String> {
        match text {
            "null" => Ok(Self::Null),
            "sha256" => Ok(Self::Sha256),
            _ => Err(format!("{text:?} is no mask: they are null and sha256")),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Sha256 => "sha256",
        }
    }
}

/// The member that marks a value of a reject as masked, so that it is not masked twice.
const MARK: &str = "{\"dbload:masked\":\"";
const MARK_END: &str = "\"}";

/// The key of digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MaskKey(pub(super) Secret);

impl MaskKey {
    /// The digest of a text, as hexadecimal digits.
    pub(super) fn digest(&self, text: &str) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // A key may have any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.reveal().as_bytes()) else {
            return String::new();
        };
        mac.update(text.as_bytes());
        let digest = mac.finalize().into_bytes();
        let digits =
            digest.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        digits.map(char::from).collect()
    }

    /// What tells two keys apart, and says nothing of either.
    pub(super) fn fingerprint(&self) -> String {
        const SHOWN: usize = 8;
        self.digest("dbload mask key").chars().take(SHOWN).collect()
    }
}

/// A digest in a reject.
pub(super) fn marked(digest: &str) -> String {
    format!("{MARK}{digest}{MARK_END}")
}

/// The digest that a value of a reject is.
pub(super) fn digest_in(raw: &str) -> Option<&str> {
    let digest = raw.strip_prefix(MARK)?.strip_suffix(MARK_END)?;
    digest.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        // RFC 4231, test case 2.
        let key = MaskKey(Secret::new("Jefe".to_owned()));
        assert_eq!(
            key.digest("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(digest_in(&marked("0af9")), Some("0af9"));
        assert_eq!(digest_in("{\"dbload:masked\":\"a b\"}"), None);
        assert_ne!(key.fingerprint(), MaskKey(Secret::new("jefe".to_owned())).fingerprint());
    }
}

//! Bytes, and addresses of networks and of hardware: their canonical texts are digits of base 16.

// The address alone: nothing here opens a socket.
use core::net::Ipv6Addr;

use super::outcome::{Canonical, has_no_digit, push, unless_refused};

const HEX: &[u8; 16] = b"0123456789abcdef";

fn push_hex(out: &mut Vec<u8>, byte: u8) {
    out.push(HEX[usize::from(byte >> 4)]);
    out.push(HEX[usize::from(byte & 15)]);
}

/// bytea: `\x` and digits, or letters with escapes. Of letters beyond ASCII the bytes are those of the
/// database's encoding.
pub(super) fn bytes(out: &mut Vec<u8>, text: &str) -> Canonical {
    let start = out.len();
    let is_read = match text.strip_prefix("\\x") {
        Some(digits) => push_pairs(out, digits),
        None if !text.is_ascii() => return Canonical::Unread,
        None => push_unescaped(out, text.as_bytes()),
    };
    if is_read {
        return Canonical::Text;
    }
    out.truncate(start);
    push(out, text.as_bytes())
}

/// Pairs of digits, with space between them; false if it is something else, which the server refuses.
fn push_pairs(out: &mut Vec<u8>, text: &str) -> bool {
    let mut digits = 0;
    for byte in text.bytes() {
        match byte {
            _ if byte.is_ascii_hexdigit() => {
                out.push(byte.to_ascii_lowercase());
                digits += 1;
            }
            b' ' | b'\t' | b'\n' | b'\r' if digits % 2 == 0 => {}
            _ => return false,
        }
    }
    digits % 2 == 0
}

/// A backslash is doubled, or stands before three octal digits; false if it is not, which the server refuses.
fn push_unescaped(out: &mut Vec<u8>, text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = match (byte, behind) {
            (b'\\', [b'\\', behind @ ..]) => {
                push_hex(out, b'\\');
                behind
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..]) => {
                push_hex(out, (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                behind
            }
            (b'\\', _) => return false,
            _ => {
                push_hex(out, byte);
                behind
            }
        };
    }
    true
}

/// macaddr: six pairs of digits, with the same sign between all, or between two or three groups of them; or
/// without.
pub(super) fn hardware_address(out: &mut Vec<u8>, text: &str) -> Canonical {
    let start = out.len();
    let text = text.trim_ascii();
    let sign = text.bytes().find(|b| !b.is_ascii_hexdigit());
    let groups: Vec<&str> = match sign {
        Some(sign @ (b':' | b'-' | b'.')) => text.split(char::from(sign)).collect(),
        Some(_) => Vec::new(),
        None => vec![text],
    };
    let digits = match (groups.len(), sign) {
        (6, Some(b':' | b'-')) => 2,
        (3, Some(b'.' | b'-')) => 4,
        (2, Some(b':' | b'-')) => 6,
        (1, None) => 12,
        _ => 0,
    };
    let is_whole = |group: &&str| group.len() == digits && group.bytes().all(|b| b.is_ascii_hexdigit());
    if digits == 0 || !groups.iter().all(is_whole) {
        let numbers = text.bytes().filter(u8::is_ascii_hexdigit).count();
        return unless_refused(out, text, numbers < 6);
    }
    groups.iter().for_each(|group| out.extend_from_slice(group.as_bytes()));
    out[start..].make_ascii_lowercase();
    Canonical::Text
}

/// inet: four numbers with points, fewer with the bits of a network, or version 6.
pub(super) fn address(out: &mut Vec<u8>, text: &str) -> Canonical {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(bits) = bits.map(number).transpose() else { return unread(out, text) };
    if let Some((octets, many)) = version_4(address) {
        return match bits {
            None if many < 4 => unread(out, text),
            bits => {
                out.push(b'4');
                octets.iter().for_each(|octet| push_hex(out, *octet));
                push_hex(out, bits.unwrap_or(32));
                Canonical::Text
            }
        };
    }
    match address.parse::<Ipv6Addr>() {
        Ok(address) => {
            out.push(b'6');
            address.octets().iter().for_each(|octet| push_hex(out, *octet));
            push_hex(out, bits.unwrap_or(128));
            Canonical::Text
        }
        Err(_) => unread(out, text),
    }
}

fn unread(out: &mut Vec<u8>, text: &str) -> Canonical {
    unless_refused(out, text, has_no_digit(text) && !text.contains(':'))
}

/// A number below 256, perhaps with zeros before it.
fn number(text: &str) -> Result<u8, ()> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(());
    }
    text.parse().map_err(|_| ())
}

/// Four numbers, of which the first were given, and how many those are.
fn version_4(text: &str) -> Option<([u8; 4], usize)> {
    let (mut octets, mut many) = ([0; 4], 0);
    for part in text.split('.') {
        *octets.get_mut(many)? = number(part).ok()?;
        many += 1;
    }
    Some((octets, many))
}

//! Positions of a tsvector's words: `'a b':1A,2 c:3`.

/// The last position that there is.
const POSITION_MAX: u64 = 16_383;
/// Positions of a word that are kept.
const POSITIONS_MAX: usize = 255;

/// Whether some position lies beyond the last, is there twice, or is one too many.
pub(super) fn has_lost(text: &str) -> bool {
    let mut rest = text;
    while let Some(list) = next_list(&mut rest) {
        let positions: Vec<&str> = list.split(',').map(|p| p.trim_end_matches(is_weight)).collect();
        let is_beyond =
            |p: &&str| p.bytes().all(|b| b.is_ascii_digit()) && p.parse().unwrap_or(u64::MAX) > POSITION_MAX;
        if positions.len() > POSITIONS_MAX || positions.iter().any(is_beyond) {
            return true;
        }
        if positions.iter().enumerate().any(|(i, p)| positions[..i].contains(p)) {
            return true;
        }
    }
    false
}

const fn is_weight(c: char) -> bool {
    matches!(c, 'A'..='D' | 'a'..='d' | '*')
}

/// The next word's positions, where it has some.
fn next_list<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let mut quoted = false;
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '\'' => quoted = !quoted,
            ':' if !quoted => {
                let list = &rest[at + 1..];
                let end = list
                    .find(|c: char| !(c.is_ascii_digit() || c == ',' || is_weight(c)))
                    .unwrap_or(list.len());
                *rest = &list[end..];
                return Some(&list[..end]);
            }
            _ => {}
        }
    }
    None
}

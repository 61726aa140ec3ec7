//! Numbers as people write them: with marks between thousands and before decimals, and a currency around.

use std::fmt;

/// What stands between the digits of numbers, found in an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberFormat {
    example: String,
    group: Option<char>,
    decimal: Option<char>,
    before: String,
    behind: String,
}

/// Digits between two marks.
const GROUP: usize = 3;

impl NumberFormat {
    pub(super) fn of(example: &str) -> Result<Self, String> {
        let is_digit = |c: char| c.is_ascii_digit();
        let (Some(first), Some(last)) = (example.find(is_digit), example.rfind(is_digit)) else {
            return Err(format!("number:{example} has no digit: an example is 1.234,56"));
        };
        let sign = |text: &str| text.replace(['-', '+'], "").trim_matches(is_blank).to_owned();
        let (before, behind) = (sign(&example[..first]), sign(&example[last + 1..]));
        if before.contains(is_mark) || behind.contains(is_mark) {
            return Err(format!("number:{example}: a mark stands between digits"));
        }
        let core = &example[first..=last];
        let marks: Vec<char> = core.chars().filter(|c| !c.is_ascii_digit()).map(mark).collect();
        if let Some(other) = marks.iter().find(|mark| !is_mark(**mark)) {
            return Err(format!("number:{example}: {other:?} is no mark between digits"));
        }
        let (group, decimal) = marks_of(core, &marks).map_err(|why| format!("number:{example} {why}"))?;
        let format = Self { example: example.to_owned(), group, decimal, before, behind };
        match format.read(example) {
            Some(_) => Ok(format),
            None => Err(format!("number:{example}: between thousands there are three digits each")),
        }
    }

    /// The number as the server reads it.
    pub(super) fn read(&self, text: &str) -> Option<String> {
        let mut rest = text.trim_matches(is_blank);
        let mut negative = None;
        let sign = |rest: &mut &str, negative: &mut Option<bool>| {
            if negative.is_none()
                && let Some(sign) = rest.chars().next().filter(|c| matches!(c, '-' | '+' | '\u{2212}'))
            {
                *negative = Some(sign != '+');
                *rest = rest[sign.len_utf8()..].trim_start_matches(is_blank);
            }
        };
        sign(&mut rest, &mut negative);
        if !self.before.is_empty() {
            rest = rest.strip_prefix(self.before.as_str()).unwrap_or(rest).trim_start_matches(is_blank);
        }
        sign(&mut rest, &mut negative);
        if !self.behind.is_empty() {
            rest = rest.strip_suffix(self.behind.as_str()).unwrap_or(rest).trim_end_matches(is_blank);
        }
        let (whole, fraction) = match self.decimal.and_then(|decimal| rest.split_once(decimal)) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (rest, None),
        };
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if fraction.is_some_and(|fraction| !are_digits(fraction)) {
            return None;
        }
        let groups: Vec<&str> = whole.split(|c| self.group == Some(mark(c))).collect();
        if !groups.iter().all(|group| are_digits(group)) {
            return None;
        }
        if let [first, others @ ..] = groups.as_slice()
            && !others.is_empty()
            && (first.len() > GROUP
                || first.starts_with('0')
                || others.iter().any(|group| group.len() != GROUP))
        {
            return None;
        }
        let mut out = String::with_capacity(text.len());
        if negative == Some(true) {
            out.push('-');
        }
        groups.iter().for_each(|group| out.push_str(group));
        if let Some(fraction) = fraction {
            out.push('.');
            out.push_str(fraction);
        }
        Some(out)
    }
}

/// The mark between thousands and that before decimals, or why they cannot be told.
fn marks_of(core: &str, marks: &[char]) -> Result<(Option<char>, Option<char>), &'static str> {
    let is_decimal = |mark: char| matches!(mark, '.' | ',');
    let counterpart = |mark: char| match mark {
        '.' => Some(','),
        ',' => Some('.'),
        _ => None,
    };
    let Some(&last) = marks.last() else { return Ok((None, None)) };
    let first = marks[0];
    if first != last {
        let others = &marks[..marks.len() - 1];
        return match is_decimal(last) && others.iter().all(|mark| *mark == first) {
            true => Ok((Some(first), Some(last))),
            false => Err("has more than two marks: one between thousands, and one before decimals"),
        };
    }
    if marks.len() > 1 || !is_decimal(last) {
        return if marks.iter().all(|mark| *mark == last) {
            Ok((Some(last), counterpart(last)))
        } else {
            Err("has more than two marks: one between thousands, and one before decimals")
        };
    }
    let (whole, behind) = core.split_once(last).unwrap_or_default();
    let is_group = behind.len() == GROUP && whole.len() <= GROUP && !whole.starts_with('0');
    if is_group {
        return Err(
            "can be read in two ways: as an example take one with both marks, such as 1.234,56 or 1,234.56",
        );
    }
    Ok((None, Some(last)))
}

/// The spaces that stand between digits are one.
const fn mark(c: char) -> char {
    match c {
        '\u{a0}' | '\u{202f}' => ' ',
        '\u{2019}' => '\'',
        c => c,
    }
}

const fn is_mark(c: char) -> bool {
    matches!(c, '.' | ',' | ' ' | '\'' | '_')
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{a0}' | '\u{202f}')
}

impl fmt::Display for NumberFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.example)
    }
}

//! How sheets call their parts and columns.

use calamine::Dimensions;

/// `B2:F100`, or `B2:F`.
pub(super) fn part_of(range: &str) -> Option<Dimensions> {
    let (from, to) = range.split_once(':')?;
    let cell = |text: &str| {
        let text = text.replace('$', "").to_ascii_uppercase();
        let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
        let column = text[..letters].bytes().try_fold(0_u32, |column, letter| {
            column.checked_mul(26)?.checked_add(u32::from(letter - b'A') + 1)
        })?;
        let row = if text.len() == letters { None } else { Some(text[letters..].parse::<u32>().ok()?) };
        Some((row, column.checked_sub(1)?))
    };
    let ((from_row, from_column), (to_row, to_column)) = (cell(from)?, cell(to)?);
    let start = (from_row.unwrap_or(1).checked_sub(1)?, from_column);
    let end = (to_row.map_or(Some(u32::MAX), |row| row.checked_sub(1))?, to_column);
    (start.0 <= end.0 && start.1 <= end.1).then_some(Dimensions { start, end })
}

/// What a column is called in a sheet.
pub(super) fn letters(column: u32) -> String {
    let (mut rest, mut letters) = (column + 1, Vec::new());
    while rest > 0 {
        letters.push(char::from(b'A' + u8::try_from((rest - 1) % 26).unwrap_or(0)));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_sheets_name_them() {
        let part = |text| part_of(text).map(|part| (part.start, part.end));
        assert_eq!(part("B2:F100"), Some(((1, 1), (99, 5))));
        assert_eq!(part("$a$1:aa2"), Some(((0, 0), (1, 26))));
        assert_eq!(part("B:C"), Some(((0, 1), (u32::MAX, 2))));
        assert_eq!(part("B2:C"), Some(((1, 1), (u32::MAX, 2))));
        for wrong in ["", "A1", "2:3", "C1:A2", "A0:B2", "A1:B2:C3", "A1:ÄB"] {
            assert_eq!(part(wrong), None, "{wrong}");
        }
        assert_eq!(
            (letters(0), letters(25), letters(26), letters(701)),
            ("A".into(), "Z".into(), "AA".into(), "ZZ".into())
        );
    }
}

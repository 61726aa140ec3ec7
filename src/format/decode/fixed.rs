//! Fields at fixed places of a line, counted in characters. Blanks at the end of a field are no part of it. A
//! line that ends before a field has blanks there: editors and exports cut those off.

use super::text::{BlockText, text_of, whole};
use super::{DecodeErrorKind, DecodeLimits, Each, Fields};
use crate::format::fixed::FixedWidth;
use crate::format::nul::clean_bytes;
use crate::record::Text;

/// Decodes each record of a block.
pub(super) fn decode(fixed: &FixedWidth, records: &Text, limits: &DecodeLimits, each: &mut Each<'_>) {
    let dialect = fixed.lines();
    let nulls = dialect.nulls();
    let nulls = if limits.trims_nulls { nulls.trimmed() } else { nulls };
    let text = BlockText::new(records);
    let mut places = Vec::new();
    for i in 0..records.spans.len() {
        let raw = match whole(records, i) {
            Ok(raw) => clean_bytes(raw, limits.on_nul),
            Err(error) => {
                each(i, Err(error));
                continue;
            }
        };
        let line = match &raw {
            std::borrow::Cow::Borrowed(_) => text.of(i),
            std::borrow::Cow::Owned(raw) => text_of(raw),
        };
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                each(i, Err(error));
                continue;
            }
        };
        if let Some(at) = memchr::memchr(0, line.as_bytes()) {
            each(i, Err(DecodeErrorKind::Nul.at(line.as_bytes(), at)));
            continue;
        }
        places.clear();
        if !line.is_ascii() {
            places.extend(line.char_indices().map(|(at, _)| at));
        }
        // Where a character begins, or the line ends.
        let at = |n: usize| match line.is_ascii() {
            true => n.min(line.len()),
            false => places.get(n).copied().unwrap_or(line.len()),
        };
        let value = |field: &crate::format::fixed::FixedField| {
            let to = field.to.map_or(line.len(), at);
            let value = line.get(at(field.from - 1)..to).unwrap_or_default().trim_end_matches(' ');
            (!nulls.has(value)).then_some(value)
        };
        let values: Vec<Option<&str>> = fixed.fields.iter().map(value).collect();
        each(i, Ok(Fields::Positional(&values)));
    }
}

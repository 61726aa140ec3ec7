//! Reject files: the original of a record, read back from the reject that shows it, is the record.

use dbload::internals::format::{
    DecodeLimits, Dialect, Fields, Format, Layout, MendedValue, Values, decode_block,
};
use dbload::internals::map::original;
use dbload::internals::record::Block;
use dbload::internals::reject::Kept;

use super::{Dials, csv, split};

/// Fields of a record by name: the text of a CSV field, the JSON of a member.
type Shown = Vec<(String, Option<String>)>;

pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let header: Vec<String> = ["b", "a\"\\\n", "\u{e9}"].map(str::to_owned).to_vec();
    let shape = dials.byte();
    let is_csv = shape & 1 == 1;
    let format = if shape & 2 == 2 {
        Format::Json { records: None }
    } else if is_csv {
        Format::Csv(Dialect { columns: Some(header.clone()), ..csv::dialect(&mut dials) })
    } else {
        Format::Jsonl
    };
    let text = dials.rest();
    let Some(block) = split::block(&format, text, 0) else { return };
    for i in 0..block.len() {
        let layout = Layout { format: format.clone(), header: header.clone(), constants: Vec::new() };
        let kept = original(&DecodeLimits::default(), &layout, &block, i);
        let fields = decoded(&format, &header, &block, i);
        assert_eq!(kept.values == Values::Text, matches!(format, Format::Csv(_)));
        match (&kept.kept, fields) {
            (Kept::Record(record), Some(fields)) => {
                let values = if kept.values == Values::Text { "\"values\":\"text\"," } else { "" };
                let line = format!("{{\"dbload_reject\":1,{values}\"record\":{record},\"raw\":null}}");
                let rejects = split::block(&Format::Rejects, line.as_bytes(), 0).expect("a line");
                assert_eq!(rejects.len(), 1, "one line: {line:?}");
                let mut again = decoded(&Format::Rejects, &[], &rejects, 0)
                    .unwrap_or_else(|| panic!("the reject is refused: {line:?}"));
                let mut fields = fields;
                if matches!(format, Format::Csv(_)) {
                    again.sort();
                    fields.sort();
                }
                // Records of a document may have line ends between tokens; a reject is one line.
                let flat = |shown: &mut Shown| {
                    shown.iter_mut().filter(|_| !matches!(format, Format::Csv(_))).for_each(|(_, value)| {
                        *value = value.as_deref().map(|v| v.replace(['\n', '\r'], " "))
                    });
                };
                flat(&mut fields);
                flat(&mut again);
                assert_eq!(again, fields, "{line:?}");
            }
            (Kept::Record(record), None) => panic!("a record of what cannot be decoded: {record:?}"),
            (_, Some(_)) => panic!("a record that was split is shown by its fields: {kept:?}"),
            (_, None) => {}
        }
    }
    // Whatever stands in a reject file: lines, each a record or a reason.
    if let Some(block) = split::block(&Format::Rejects, text, 0) {
        (0..block.len()).for_each(|i| drop(decoded(&Format::Rejects, &[], &block, i)));
    }
}

fn decoded(format: &Format, header: &[String], block: &Block, i: usize) -> Option<Shown> {
    let one = block.alone(i);
    let mut shown = None;
    let mut calls = 0;
    decode_block(format, header, &one, &DecodeLimits::default(), &mut |_, fields| {
        calls += 1;
        shown = match fields {
            Ok(Fields::Named(members)) => {
                Some(members.iter().map(|(n, v)| (n.to_string(), Some((*v).to_owned()))).collect())
            }
            Ok(Fields::Mended(members)) => {
                let text = |value: &MendedValue<'_>| match value {
                    MendedValue::Null => None,
                    MendedValue::Text(text) => Some(text.to_string()),
                    MendedValue::Json(raw) => panic!("nothing was mended: {raw}"),
                };
                Some(members.iter().map(|(n, v)| (n.to_string(), text(v))).collect())
            }
            Ok(Fields::Positional(values)) => {
                Some(header.iter().zip(values).map(|(n, v)| (n.clone(), v.map(str::to_owned))).collect())
            }
            Err(error) => {
                assert!(
                    !error.to_string().chars().any(char::is_control),
                    "a reason steers no terminal: {error}"
                );
                None
            }
        };
    });
    assert_eq!(calls, 1, "each record once");
    shown
}

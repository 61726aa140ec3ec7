//! Files of columns: footers, page headers, pages, messages, blocks. Rows or a reason, never more memory than
//! there may be; each row is decoded once, and as a reject is one object of JSON.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dbload::internals::format::{ColumnFile, DecodeLimits, Format, Layout};
use dbload::internals::input::first_rows;

use super::Dials;

/// Memory that it may have.
const MEMORY_BYTES: u64 = 32 << 20;
/// More rows are not looked at: a few bytes may stand for as many as there are numbers.
const ROWS: u64 = 200;

#[expect(clippy::cast_possible_truncation, reason = "a few hundred")]
pub fn run(data: &[u8]) {
    let mut dials = Dials::new(data);
    let file = dials.pick(&[ColumnFile::Parquet, ColumnFile::Arrow, ColumnFile::Avro]);
    let bytes = bytes::Bytes::copy_from_slice(dials.rest());
    // A panic of a decoder is caught where it runs, and is an error of the source.
    let read = catch_unwind(AssertUnwindSafe(|| first_rows(file, bytes, MEMORY_BYTES, ROWS)));
    let Ok(Ok(blocks)) = read else { return };
    let layout = Layout { format: Format::Columns { file }, header: Vec::new(), constants: Vec::new() };
    for block in &blocks {
        let block = block.beginning(ROWS as usize);
        let mut count = 0;
        layout.decode(&block, &DecodeLimits::default(), &mut |i, _| {
            assert_eq!(i, count, "each once, in order");
            count += 1;
        });
        assert_eq!(count, block.len());
        for i in 0..block.len().min(5) {
            let shown = layout.shown(&block, i).expect("a row is shown");
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&shown)
                .unwrap_or_else(|error| panic!("{error}: {shown}"));
        }
    }
}

//! Parts of a batch that make blocks of a size.

use std::collections::VecDeque;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::DataType;

/// Bytes of a block, as text: see `blocks`.
pub(super) const BLOCK_BYTES: usize = 512 * 1024;
/// Rows of a block: of fewer columns more would be encoded by one thread while others wait.
pub(super) const BLOCK_ROWS_MAX: usize = 8 * 1024;

/// Parts of a batch that are blocks each.
pub(super) fn slices(batch: RecordBatch) -> VecDeque<RecordBatch> {
    let rows = batch.num_rows();
    let row_bytes = text_bytes(&batch).checked_div(rows).unwrap_or(0).max(1);
    let at_once = (BLOCK_BYTES / row_bytes).clamp(1, BLOCK_ROWS_MAX);
    if rows <= at_once {
        return VecDeque::from([batch]);
    }
    (0..rows).step_by(at_once).map(|from| batch.slice(from, at_once.min(rows - from))).collect()
}

/// What a batch comes to as text, or in memory, if that is more.
pub(super) fn text_bytes(batch: &RecordBatch) -> usize {
    const NUMBER_BYTES: usize = 12;
    // A view begins with the length of its text.
    let of_views = |views: &[u128]| {
        let lengths = views.iter().map(|view| usize::try_from(view & u128::from(u32::MAX)).unwrap_or(0));
        lengths.sum::<usize>() + size_of_val(views)
    };
    let of_column = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8View => of_views(column.as_string_view().views()),
        DataType::BinaryView => of_views(column.as_binary_view().views()),
        DataType::Utf8 | DataType::Binary | DataType::LargeUtf8 | DataType::LargeBinary => {
            column.to_data().get_slice_memory_size().unwrap_or_default()
        }
        of if of.is_nested() => column.to_data().get_slice_memory_size().unwrap_or_default() * 2,
        _ => NUMBER_BYTES * column.len(),
    };
    batch.columns().iter().map(of_column).sum()
}

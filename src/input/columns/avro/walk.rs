//! From a row to the next.

use super::schema::{AvroShape, AvroType};
use crate::input::columns::error::ColumnsError;

/// Why there is no next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Ends,
    Number,
    Length,
    Flag,
    Branch,
    Symbol,
    /// Items that would take so much.
    Claims(u64),
}

impl Fault {
    pub(super) fn error(self, limit: u64) -> ColumnsError {
        let how = match self {
            Self::Ends => "a block ends before its last row",
            Self::Number => "a number has too many bytes",
            Self::Length => "a length is below 0",
            Self::Flag => "a boolean is neither true nor false",
            Self::Branch => "a value is of no type of its union",
            Self::Symbol => "a value is no symbol of its enum",
            Self::Claims(needed) => return ColumnsError::TooMuchMemory { needed, limit },
        };
        ColumnsError::Damaged(how.to_owned())
    }
}

/// Passes over one value. `claimed`: memory that items take, up to `limit`.
pub(super) fn pass(kind: &AvroType, rest: &mut &[u8], claimed: &mut u64, limit: u64) -> Result<(), Fault> {
    match &kind.shape {
        AvroShape::Bytes(count) => skip(rest, *count),
        AvroShape::Number => number(rest).map(|_| ()),
        AvroShape::Text => text(rest),
        AvroShape::Flag => match rest.split_off_first().ok_or(Fault::Ends)? {
            0 | 1 => Ok(()),
            _ => Err(Fault::Flag),
        },
        AvroShape::Record(kinds) => kinds.iter().try_for_each(|kind| pass(kind, rest, claimed, limit)),
        AvroShape::Union(kinds) => {
            let branch = usize::try_from(number(rest)?).ok().and_then(|branch| kinds.get(branch));
            pass(branch.ok_or(Fault::Branch)?, rest, claimed, limit)
        }
        AvroShape::Symbol(count) => match u64::try_from(number(rest)?) {
            Ok(symbol) if symbol < *count => Ok(()),
            _ => Err(Fault::Symbol),
        },
        AvroShape::Array(item) => {
            while let Some(count) = items(rest)? {
                if !item.is_empty && count > rest.len() as u64 {
                    return Err(Fault::Ends);
                }
                claim(count, item.width, claimed, limit)?;
                // Where items take no bytes, there is nothing to pass over.
                for _ in 0..if item.is_empty { 0 } else { count } {
                    pass(item, rest, claimed, limit)?;
                }
            }
            Ok(())
        }
        AvroShape::Map(value) => {
            while let Some(count) = items(rest)? {
                if count > rest.len() as u64 {
                    return Err(Fault::Ends);
                }
                claim(count, value.width.saturating_add(KEY_BYTES), claimed, limit)?;
                for _ in 0..count {
                    text(rest)?;
                    pass(value, rest, claimed, limit)?;
                }
            }
            Ok(())
        }
    }
}

/// Where the text of a key lies.
const KEY_BYTES: u64 = 8;

fn claim(count: u64, width: u64, claimed: &mut u64, limit: u64) -> Result<(), Fault> {
    *claimed = claimed.saturating_add(count.saturating_mul(width));
    if *claimed > limit { Err(Fault::Claims(*claimed)) } else { Ok(()) }
}

fn skip(rest: &mut &[u8], count: usize) -> Result<(), Fault> {
    rest.split_off(..count).map(|_| ()).ok_or(Fault::Ends)
}

fn text(rest: &mut &[u8]) -> Result<(), Fault> {
    let length = number(rest)?;
    if length < 0 {
        return Err(Fault::Length);
    }
    skip(rest, usize::try_from(length).map_err(|_| Fault::Ends)?)
}

/// How many items stand in the next part of an array or a map; the bytes that a negative one says they take
/// are not believed, and not needed.
fn items(rest: &mut &[u8]) -> Result<Option<u64>, Fault> {
    let count = number(rest)?;
    if count < 0 && number(rest)? < 0 {
        return Err(Fault::Length);
    }
    Ok(Some(count.unsigned_abs()).filter(|count| *count > 0))
}

/// An int or a long.
pub(super) fn number(rest: &mut &[u8]) -> Result<i64, Fault> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *rest.split_off_first().ok_or(Fault::Ends)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            let is_over = shift == 63 && byte > 1;
            return if is_over { Err(Fault::Number) } else { Ok(signed(value)) };
        }
    }
    Err(Fault::Number)
}

/// As Avro has them: 0, -1, 1, -2, ..
pub(super) const fn signed(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

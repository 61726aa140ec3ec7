//! Lineitem as Parquet, with the types that a warehouse gives it.

use crate::Outcome;
use arrow_array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use std::{fmt::Display, fs::File, sync::Arc};
use tpchgen::generators::LineItem;

/// Rows that are made at once.
const ROWS: usize = 65_536;

pub(crate) fn write<'l>(out: File, mut lines: impl Iterator<Item = LineItem<'l>>) -> Outcome<()> {
    let mut writer = None;
    loop {
        let some: Vec<LineItem<'_>> = lines.by_ref().take(ROWS).collect();
        if some.is_empty() {
            break;
        }
        let batch = batch(&some)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .build();
                writer.insert(ArrowWriter::try_new(out.try_clone()?, batch.schema(), Some(properties))?)
            }
        };
        writer.write(&batch)?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}

fn batch(lines: &[LineItem<'_>]) -> Outcome<RecordBatch> {
    let long = |of: fn(&LineItem<'_>) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(lines.iter().map(of)))
    };
    let money = |of: fn(&LineItem<'_>) -> String| -> Outcome<ArrayRef> {
        let cents = lines.iter().map(|line| cents(&of(line))).collect::<Outcome<Vec<i128>>>()?;
        Ok(Arc::new(Decimal128Array::from(cents).with_precision_and_scale(15, 2)?))
    };
    let day = |of: fn(&LineItem<'_>) -> String| -> Outcome<ArrayRef> {
        let days = lines.iter().map(|line| days(&of(line))).collect::<Outcome<Vec<i32>>>()?;
        Ok(Arc::new(Date32Array::from(days)))
    };
    let text = |of: fn(&LineItem<'_>) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(lines.iter().map(of)))
    };
    let number: ArrayRef = Arc::new(Int32Array::from_iter_values(lines.iter().map(|line| line.l_linenumber)));
    Ok(RecordBatch::try_from_iter([
        ("l_orderkey", long(|l| l.l_orderkey)),
        ("l_partkey", long(|l| l.l_partkey)),
        ("l_suppkey", long(|l| l.l_suppkey)),
        ("l_linenumber", number),
        ("l_quantity", money(|l| shown(&l.l_quantity))?),
        ("l_extendedprice", money(|l| shown(&l.l_extendedprice))?),
        ("l_discount", money(|l| shown(&l.l_discount))?),
        ("l_tax", money(|l| shown(&l.l_tax))?),
        ("l_returnflag", text(|l| shown(&l.l_returnflag))),
        ("l_linestatus", text(|l| shown(&l.l_linestatus))),
        ("l_shipdate", day(|l| shown(&l.l_shipdate))?),
        ("l_commitdate", day(|l| shown(&l.l_commitdate))?),
        ("l_receiptdate", day(|l| shown(&l.l_receiptdate))?),
        ("l_shipinstruct", text(|l| shown(&l.l_shipinstruct))),
        ("l_shipmode", text(|l| shown(&l.l_shipmode))),
        ("l_comment", text(|l| shown(&l.l_comment))),
    ])?)
}

fn shown(value: &impl Display) -> String {
    value.to_string()
}

/// `17.5`, `17` or `17.05` in hundredths.
fn cents(text: &str) -> Outcome<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    Ok(format!("{whole}{fraction:0<2}").parse()?)
}

/// Days since 1970 of `1996-03-13`.
fn days(text: &str) -> Outcome<i32> {
    let mut parts = text.split('-').map(str::parse::<i32>);
    let mut next = || parts.next().ok_or("no date")?.map_err(|_| "no date");
    let (year, month, day) = (next()?, next()?, next()?);
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Ok(365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468)
}

//! The files: TPC-H orders and lineitem from the tpchgen crate, made once, kept in target/bench-data.

use crate::{Outcome, Wish, cases::big::TIMES, columns, note, shape::Shape};
use std::{
    fmt::Display,
    fs::{self, File},
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};
use tpchgen::{
    csv::{LineItemCsv, OrderCsv},
    generators::{LineItem, LineItemGenerator, Order, OrderGenerator},
};

/// Records of orders in the design's measured ground.
pub(crate) const ORDERS: usize = 300_000;
/// Small files, and records in each.
const FILES: usize = 5_000;
const RECORDS_A_FILE: usize = 20;
pub(crate) const IN_FILES: usize = FILES * RECORDS_A_FILE;
/// Records of lineitem where the whole 3 million were not asked for.
const LINES: usize = 600_000;
const LINES_FULL: usize = 3_000_000;
/// Rows of the table that shows whether cost grows with the table.
const BIG: usize = 10_000_000;
/// Orders of a TPC-H scale factor of 1; lineitem has a little over four times as many.
const ORDERS_A_SCALE: f64 = 1_500_000.0;
const LINES_A_SCALE: f64 = 6_000_000.0;
/// Orders in 80 MB of CSV.
const MB_80: usize = 720_000;
/// How far back a repeated key was first seen, at most: beyond a batch, but not by much.
const REPEAT_DISTANCE: usize = 50_000;

/// Where the files are.
pub(crate) struct Data {
    dir: PathBuf,
    /// Records in the lineitem files.
    pub(crate) lines: usize,
    /// Rows of the big table.
    pub(crate) big: usize,
}

impl Data {
    /// Makes what is missing.
    pub(crate) fn ready(wish: &Wish) -> Outcome<Self> {
        let dir = Self::dir();
        fs::create_dir_all(&dir)?;
        let lines = if wish.full { LINES_FULL } else { LINES };
        let data = Self { dir, lines, big: wish.big.unwrap_or(BIG).max(ORDERS) };
        data.orders("orders.csv", OrderCsv::header(), |o| OrderCsv::new(o).to_string())?;
        data.orders("orders.jsonl", "", |o| order_json(&o))?;
        data.repeated("repeated.csv", OrderCsv::header(), |o| OrderCsv::new(o).to_string())?;
        data.repeated("repeated.jsonl", "", |o| order_json(&o))?;
        let one = || orders(1.0).take(1);
        data.make("one.csv", OrderCsv::header(), one().map(OrderCsv::new))?;
        data.make("one.jsonl", "", one().map(|o| order_json(&o)))?;
        let few = || orders(scale(ORDERS, ORDERS_A_SCALE)).take(IN_FILES);
        data.make("few.csv", OrderCsv::header(), few().map(OrderCsv::new))?;
        data.small_files("few", few().map(|o| order_json(&o)))?;
        data.packed("orders.csv", "gz")?;
        data.packed("orders.csv", "zst")?;
        let lines = || LineItemGenerator::new(1.01 * scale(data.lines, LINES_A_SCALE), 1, 1);
        let name = data.lines_name("csv");
        data.make(&name, LineItemCsv::header(), lines().iter().take(data.lines).map(LineItemCsv::new))?;
        data.make(&data.lines_name("jsonl"), "", lines().iter().take(data.lines).map(|l| line_json(&l)))?;
        data.once(&data.lines_name("parquet"), |out| columns::write(out, lines().iter().take(data.lines)))?;
        for shape in &Shape::ALL {
            shape.ready(&data)?;
        }
        if wish.full {
            let all = || orders(scale(data.big, ORDERS_A_SCALE)).take(data.big);
            data.make(&data.big_name("big"), OrderCsv::header(), all().map(OrderCsv::new))?;
            for n in 1..=TIMES {
                let link = data.file(&data.again(n));
                if !link.exists() {
                    std::os::unix::fs::symlink(data.big_name("big"), link)?;
                }
            }
            data.make(&data.big_name("80mb"), OrderCsv::header(), all().take(MB_80).map(OrderCsv::new))?;
            let middle = all().skip((data.big - ORDERS) / 2).take(ORDERS);
            data.make(&data.big_name("contiguous"), OrderCsv::header(), middle.map(OrderCsv::new))?;
            let spread = all().step_by(data.big / ORDERS).take(ORDERS);
            data.make(&data.big_name("spread"), OrderCsv::header(), spread.map(OrderCsv::new))?;
        }
        Ok(data)
    }

    /// The folder: the build's own, so that `cargo clean` takes it along.
    pub(crate) fn dir() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-data")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn lines_name(&self, ending: &str) -> String {
        format!("lineitem-{}.{ending}", self.lines)
    }

    /// A file of the big table's rows, all or some.
    pub(crate) fn big_name(&self, which: &str) -> String {
        format!("{which}-{}.csv", self.big)
    }

    /// The file of the big table by another name: a source is named once. 0: the file itself.
    pub(crate) fn again(&self, n: usize) -> String {
        if n == 0 { self.big_name("big") } else { self.big_name(&format!("again-{n}")) }
    }

    fn orders(&self, name: &str, header: &str, line: impl Fn(Order<'_>) -> String) -> Outcome<()> {
        self.make(name, header, orders(scale(ORDERS, ORDERS_A_SCALE)).take(ORDERS).map(line))
    }

    /// Orders of which every tenth has the key of an earlier one.
    fn repeated(&self, name: &str, header: &str, line: impl Fn(Order<'_>) -> String) -> Outcome<()> {
        let mut keys = Vec::new();
        let repeated = orders(scale(ORDERS, ORDERS_A_SCALE)).take(ORDERS).enumerate().map(|(i, order)| {
            if i % 10 != 9 {
                keys.push(order.o_orderkey);
                return line(order);
            }
            // A prime step: spread well, and the same in each file.
            let back = 1 + (i * 7919) % keys.len().min(REPEAT_DISTANCE);
            line(Order { o_orderkey: keys[keys.len() - back], ..order })
        });
        self.make(name, header, repeated)
    }

    /// Writes a file, unless it is there.
    pub(crate) fn make(
        &self,
        name: &str,
        header: &str,
        lines: impl Iterator<Item = impl Display>,
    ) -> Outcome<()> {
        self.once(name, |out| {
            let mut out = BufWriter::with_capacity(1 << 20, out);
            if !header.is_empty() {
                writeln!(out, "{header}")?;
            }
            for line in lines {
                writeln!(out, "{line}")?;
            }
            Ok(out.flush()?)
        })
    }

    /// A folder of files, each an array of a few records.
    fn small_files(&self, name: &str, mut records: impl Iterator<Item = String>) -> Outcome<()> {
        if self.file(name).exists() {
            return Ok(());
        }
        note(&format!("making {FILES} files in {name}"));
        let part = self.file(&format!("{name}.part"));
        fs::create_dir_all(&part)?;
        for n in 0..FILES {
            let records: Vec<String> = records.by_ref().take(RECORDS_A_FILE).collect();
            fs::write(part.join(format!("{n:04}.json")), format!("[{}]", records.join(",\n")))?;
        }
        Ok(fs::rename(part, self.file(name))?)
    }

    fn packed(&self, name: &str, ending: &str) -> Outcome<()> {
        let mut plain = BufReader::new(File::open(self.file(name))?);
        self.once(&format!("{name}.{ending}"), |out| {
            if ending == "gz" {
                let mut out = flate2::write::GzEncoder::new(out, flate2::Compression::default());
                std::io::copy(&mut plain, &mut out)?;
                out.finish()?;
            } else {
                zstd::stream::copy_encode(&mut plain, out, 0)?;
            }
            Ok(())
        })
    }

    fn once(&self, name: &str, write: impl FnOnce(File) -> Outcome<()>) -> Outcome<()> {
        let path = self.file(name);
        if path.exists() {
            return Ok(());
        }
        note(&format!("making {name}"));
        let part = self.file(&format!("{name}.part"));
        write(File::create(&part)?)?;
        Ok(fs::rename(part, path)?)
    }
}

fn orders(scale: f64) -> impl Iterator<Item = Order<'static>> {
    OrderGenerator::new(scale, 1, 1).iter()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn scale(records: usize, a_scale: f64) -> f64 {
    records as f64 / a_scale
}

/// TPC-H's words hold neither quotes nor backslashes.
fn order_json(o: &Order<'_>) -> String {
    format!(
        r#"{{"o_orderkey":{},"o_custkey":{},"o_orderstatus":"{}","o_totalprice":{},"o_orderdate":"{}","o_orderpriority":"{}","o_clerk":"{}","o_shippriority":{},"o_comment":"{}"}}"#,
        o.o_orderkey,
        o.o_custkey,
        o.o_orderstatus,
        o.o_totalprice,
        o.o_orderdate,
        o.o_orderpriority,
        o.o_clerk,
        o.o_shippriority,
        o.o_comment
    )
}

fn line_json(l: &LineItem<'_>) -> String {
    format!(
        r#"{{"l_orderkey":{},"l_partkey":{},"l_suppkey":{},"l_linenumber":{},"l_quantity":{},"l_extendedprice":{},"l_discount":{},"l_tax":{},"l_returnflag":"{}","l_linestatus":"{}","l_shipdate":"{}","l_commitdate":"{}","l_receiptdate":"{}","l_shipinstruct":"{}","l_shipmode":"{}","l_comment":"{}"}}"#,
        l.l_orderkey,
        l.l_partkey,
        l.l_suppkey,
        l.l_linenumber,
        l.l_quantity,
        l.l_extendedprice,
        l.l_discount,
        l.l_tax,
        l.l_returnflag,
        l.l_linestatus,
        l.l_shipdate,
        l.l_commitdate,
        l.l_receiptdate,
        l.l_shipinstruct,
        l.l_shipmode,
        l.l_comment
    )
}

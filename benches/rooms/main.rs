//! The pure rooms alone, in bytes of input a second, beside the parsers that others build on:
//! `make bench-rooms`.
//!
//! On one thread, orders of TPC-H in blocks as the pipeline has them. Each group goes the data path one room
//! further: *split* finds records; *decode* finds their fields; *encode* maps them, partitions them by key
//! and makes COPY text; *batch* cuts batches. A parser of others does what is nearest to *decode*: it knows
//! neither places nor NULL nor the target.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

mod orders;

use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use dbload::internals::batch::{BatchLimits, Batcher, KeyHashes};
use dbload::internals::format::decode_block;
use dbload::internals::map::encode_block;
use dbload::internals::record::{Digest, Position};
use orders::Orders;
use serde::Deserialize;
use std::{hint::black_box, sync::Arc, time::Duration};

/// As the pipeline's with a pool of two and rows of this size.
const BATCH_ROWS: u64 = 20_000;
const BATCH_BYTES: usize = 6 * 1024 * 1024;

fn rooms(c: &mut Criterion) {
    for orders in [Orders::csv(), Orders::jsonl()] {
        let mut group = c.benchmark_group(format!("rooms/{}", orders.name));
        group.throughput(Throughput::Bytes(orders.text.len() as u64));
        group.bench_function("split", |b| b.iter(|| black_box(orders.blocks())));
        let blocks = orders.blocks();
        group.bench_function("decode", |b| decode(b, &orders));
        for partitions in [1, 2, 8] {
            let mapping = orders::mapping(partitions);
            let targets = orders.targets(&mapping);
            group.bench_function(format!("encode for {partitions}"), |b| {
                b.iter(|| {
                    for block in &blocks {
                        black_box(encode_block(&mapping, &orders.layout, &targets, Arc::clone(block), &[]));
                    }
                });
            });
        }
        group.bench_function("split, encode, batch", |b| path(b, &orders));
        group.finish();
    }
}

fn decode(b: &mut Bencher<'_>, orders: &Orders) {
    let (blocks, limits) = (orders.blocks(), orders::mapping(1).limits);
    b.iter(|| {
        for block in &blocks {
            decode_block(&orders.layout.format, &orders.layout.header, block, &limits, &mut |_, fields| {
                assert!(black_box(fields).is_ok());
            });
        }
    });
}

/// All that happens to a record before a writer sees it.
fn path(b: &mut Bencher<'_>, orders: &Orders) {
    let mapping = orders::mapping(2);
    let targets = orders.targets(&mapping);
    b.iter(|| {
        let limits = BatchLimits { rows: BATCH_ROWS, bytes: BATCH_BYTES };
        let mut batcher = Batcher::new(limits, KeyHashes::Telling, &[Position::start_of(0); 2]);
        for block in orders.blocks() {
            let digest = Digest { from: 0, to: block.end.offset, hash: 0 };
            black_box(batcher.push(encode_block(&mapping, &orders.layout, &targets, block, &[]), digest));
        }
        black_box(batcher.finish(Position::start_of(1), true))
    });
}

/// An order by the names of its fields, with values as they are written.
#[derive(Deserialize)]
struct Order<'a> {
    o_orderkey: i64,
    o_custkey: i64,
    o_orderstatus: &'a str,
    o_totalprice: f64,
    o_orderdate: &'a str,
    o_orderpriority: &'a str,
    o_clerk: &'a str,
    o_shippriority: i32,
    o_comment: &'a str,
}

impl Order<'_> {
    fn look(self) {
        let Self { o_orderkey, o_custkey, o_orderstatus, o_totalprice, o_orderdate, .. } = self;
        black_box((o_orderkey, o_custkey, o_orderstatus, o_totalprice, o_orderdate));
        black_box((self.o_orderpriority, self.o_clerk, self.o_shippriority, self.o_comment));
    }
}

fn parsers(c: &mut Criterion) {
    csv_parsers(c);
    let orders = Orders::jsonl();
    let lines = || orders.text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let mut group = c.benchmark_group("parsers/jsonl");
    group.throughput(Throughput::Bytes(orders.text.len() as u64));
    group.bench_function("memchr, lines only", |b| {
        b.iter(|| memchr::memchr_iter(b'\n', black_box(&orders.text)).count());
    });
    group.bench_function("serde_json to nothing", |b| {
        b.iter(|| {
            for line in lines() {
                black_box(serde_json::from_slice::<serde::de::IgnoredAny>(line)).unwrap();
            }
        });
    });
    group.bench_function("serde_json to a struct", |b| {
        b.iter(|| lines().for_each(|line| serde_json::from_slice::<Order<'_>>(line).unwrap().look()));
    });
    group.bench_function("sonic-rs to nothing", |b| {
        b.iter(|| {
            for line in lines() {
                black_box(sonic_rs::from_slice::<serde::de::IgnoredAny>(line)).unwrap();
            }
        });
    });
    group.bench_function("sonic-rs to a struct", |b| {
        b.iter(|| lines().for_each(|line| sonic_rs::from_slice::<Order<'_>>(line).unwrap().look()));
    });
    group.finish();
}

fn csv_parsers(c: &mut Criterion) {
    let orders = Orders::csv();
    let mut group = c.benchmark_group("parsers/csv");
    group.throughput(Throughput::Bytes(orders.text.len() as u64));
    group.bench_function("memchr, line ends and quotes only", |b| {
        b.iter(|| memchr::memchr3_iter(b'\n', b'\r', b'"', black_box(&orders.text)).count());
    });
    group.bench_function("csv, fields", |b| {
        b.iter(|| {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*orders.text);
            let mut record = csv::ByteRecord::new();
            while reader.read_byte_record(&mut record).unwrap() {
                black_box(&record);
            }
        });
    });
    group.bench_function("csv, text", |b| {
        b.iter(|| {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*orders.text);
            let mut record = csv::StringRecord::new();
            while reader.read_record(&mut record).unwrap() {
                black_box(&record);
            }
        });
    });
    group.bench_function("csv-async, fields", |b| {
        b.iter(|| {
            let mut reader =
                csv_async::AsyncReaderBuilder::new().has_headers(false).create_reader(&*orders.text);
            let mut record = csv_async::ByteRecord::new();
            // The bytes are in memory: the reader never waits.
            futures::executor::block_on(async {
                while reader.read_byte_record(&mut record).await.unwrap() {
                    black_box(&record);
                }
            });
        });
    });
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = rooms, parsers
}
criterion_main!(all);

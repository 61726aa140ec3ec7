//! Orders of TPC-H in memory, as blocks, and their table as the catalog would describe it.

use bytes::Bytes;
use dbload::internals::format::{Dialect, Format, Layout, Limits, Splitter};
use dbload::internals::input::BLOCK_BYTES;
use dbload::internals::map::{Extra, Mapping, Partitioner, Partitioning, Target};
use dbload::internals::record::{Block, Position, Text};
use dbload::internals::schema::{Column, Ident, Identity, PgType, Relation, Table, TableName, Tree};
use std::{fmt::Write as _, sync::Arc};
use tpchgen::{
    csv::OrderCsv,
    generators::{Order, OrderGenerator},
};

/// A few megabytes: more than a cache, less than a second.
const ORDERS: usize = 40_000;
const SCALE: f64 = 0.04;

const COLUMNS: [(&str, PgType, &str); 9] = [
    ("o_orderkey", PgType::Int, "bigint"),
    ("o_custkey", PgType::Int, "bigint"),
    ("o_orderstatus", PgType::Other, "character(1)"),
    ("o_totalprice", PgType::Other, "numeric(15,2)"),
    ("o_orderdate", PgType::Other, "date"),
    ("o_orderpriority", PgType::Other, "character(15)"),
    ("o_clerk", PgType::Other, "character(15)"),
    ("o_shippriority", PgType::Int, "integer"),
    ("o_comment", PgType::Other, "character varying(79)"),
];

/// Records of one format.
pub(crate) struct Orders {
    pub(crate) name: &'static str,
    pub(crate) layout: Layout,
    /// The records, without a header.
    pub(crate) text: Bytes,
}

impl Orders {
    pub(crate) fn csv() -> Self {
        let text = text(|out, order| writeln!(out, "{}", OrderCsv::new(order)));
        let header = COLUMNS.iter().map(|(name, ..)| (*name).to_owned()).collect();
        let format = Format::Csv(Dialect::delimited_by(b','));
        Self { name: "csv", layout: Layout { format, header, constants: Vec::new() }, text }
    }

    pub(crate) fn jsonl() -> Self {
        let text = text(|out, o| {
            writeln!(
                out,
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
        });
        let layout = Layout { format: Format::Jsonl, header: Vec::new(), constants: Vec::new() };
        Self { name: "jsonl", layout, text }
    }

    /// Where positional fields go.
    pub(crate) fn targets(&self, mapping: &Mapping) -> Vec<Target> {
        mapping.header(&self.layout.names()).unwrap().0
    }

    /// Cut as the reader cuts a file.
    pub(crate) fn blocks(&self) -> Vec<Arc<Block>> {
        let mut splitter = Splitter::new(&self.layout.format, Limits::default(), Position::start_of(0));
        let (mut blocks, mut from, mut first_seq) = (Vec::new(), 0, 0);
        while from < self.text.len() {
            let to = (from + BLOCK_BYTES).min(self.text.len());
            let (start, mut spans) = (splitter.position(), Vec::new());
            let part = self.text.slice(from..to);
            let taken = splitter.split(&part, to == self.text.len(), &mut spans).unwrap();
            let records = spans.len() as u64;
            let text = Text { bytes: part.slice(..taken), spans };
            let block = Block::of_text(start, splitter.position(), text);
            blocks.push(Arc::new(Block { first_seq, ..block }));
            first_seq += records;
            from += taken;
        }
        blocks
    }
}

fn text(write: impl Fn(&mut String, Order<'static>) -> std::fmt::Result) -> Bytes {
    let mut text = String::new();
    for order in OrderGenerator::new(SCALE, 1, 1).iter().take(ORDERS) {
        write(&mut text, order).unwrap();
    }
    text.into_bytes().into()
}

/// Onto orders, by their key.
pub(crate) fn mapping(partitions: u32) -> Mapping {
    let partitioner = Partitioner { by: Partitioning::Key, count: partitions };
    Mapping::new(Arc::new(table()), &[0], false, Extra::Refuse, partitioner)
}

fn table() -> Table {
    let column = |(name, ty, sql): (&str, PgType, &str)| Column {
        name: Ident::new(name).unwrap(),
        number: 0,
        type_name: sql.to_owned(),
        domain_base: None,
        domain_name: None,
        collation: None,
        ty,
        equal_is_alike: true,
        not_null: true,
        default: None,
        identity: Identity::No,
        generated: false,
        may_insert: true,
        may_update: true,
        narrows: None,
    };
    Table {
        name: TableName { schema: None, name: Ident::new("orders").unwrap() },
        oid: 1,
        relfilenode: 1,
        columns_version: String::new(),
        tree: Tree::default(),
        relation: Relation::Table,
        has_children: false,
        columns: COLUMNS.into_iter().map(column).collect(),
        unique: Vec::new(),
        has_checks: false,
        checks: Vec::new(),
        has_foreign_keys: false,
        foreign_keys: Vec::new(),
        references_itself: false,
        has_exclusions: false,
        has_index_expressions: false,
        has_generated: false,
        has_before_row_triggers: false,
        has_row_triggers: false,
        has_insert_triggers: false,
        has_row_security: false,
        has_no_pages: false,
        counts_rows: true,
        has_one_broken_bar: false,
    }
}

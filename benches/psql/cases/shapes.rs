//! Other tables than orders: narrow, wide, long texts, jsonb, several indexes, keys of other types.

use super::{COLUMNS, Case, FRESH, SETTLE, Way, copy, dbload, staged};
use crate::{data::Data, shape::Shape};

/// Fresh; and all changed where all was asked for, or where they differ in the type of their key. What is
/// allowed is what the issue allows of orders.
pub(super) fn cases(data: &Data, full: bool) -> Vec<Case> {
    let mut cases: Vec<Case> = Shape::ALL.iter().map(|shape| fresh(data, shape)).collect();
    cases.push(indexed(data));
    let is_by_key = |shape: &&Shape| shape.fresh.starts_with("keys of");
    cases
        .extend(Shape::ALL.iter().filter(|shape| full || is_by_key(shape)).map(|shape| changed(data, shape)));
    cases
}

fn fresh(data: &Data, shape: &'static Shape) -> Case {
    let Shape { name, base, .. } = shape;
    let make = format!("DROP TABLE IF EXISTS {name};\nCREATE TABLE {name} (LIKE {base} INCLUDING ALL);\n");
    ways(data, shape, shape.fresh, &make, [0.45, 0.50])
}

fn changed(data: &Data, shape: &'static Shape) -> Case {
    let Shape { name, base, .. } = shape;
    let columns = shape.columns();
    let other = columns.replacen(shape.changes, shape.changed_to, 1);
    let make = format!(
        "DROP TABLE IF EXISTS {name};\nCREATE TABLE {name} (LIKE {base} INCLUDING ALL);\n\
         INSERT INTO {name} ({columns}) SELECT {other} FROM {base};\nVACUUM ANALYZE {name};\nCHECKPOINT;\n"
    );
    ways(data, shape, shape.all_changed, &make, [0.55, 0.55])
}

fn ways(data: &Data, shape: &'static Shape, case: &'static str, make: &str, targets: [f64; 2]) -> Case {
    let (csv, jsonl) = (data.file(&shape.file("csv")), data.file(&shape.file("jsonl")));
    let way = |name: &str, program| Way::new(name, make, program).check(shape.name, shape.base);
    Case::new(
        case,
        vec![
            way("psql staged, CSV", staged(shape.name, &csv, &shape.columns(), "id")),
            way("psql \\copy, CSV", copy(shape.name, &csv)),
            way("dbload, CSV", dbload(shape.name, &csv, &[])).target(targets[0]),
            way("dbload, JSONL", dbload(shape.name, &jsonl, &[])).target(targets[1]),
        ]
        .into_iter()
        // Copying into the table itself changes no row.
        .filter(|way| case == shape.fresh || !way.name.starts_with("psql \\copy"))
        .collect(),
    )
    .rows(shape.rows)
}

/// Orders with four more indexes.
fn indexed(data: &Data) -> Case {
    let (csv, jsonl) = (data.file("orders.csv"), data.file("orders.jsonl"));
    let make = format!(
        "{FRESH}CREATE INDEX ON orders (o_custkey);\nCREATE INDEX ON orders (o_orderdate);\n\
         CREATE INDEX ON orders (o_clerk, o_orderpriority);\nCREATE INDEX ON orders (o_totalprice);\n{SETTLE}"
    );
    Case::new(
        "five indexes, fresh",
        vec![
            Way::new("psql staged, CSV", &make, staged("orders", &csv, COLUMNS, "o_orderkey")),
            Way::new("psql \\copy, CSV", &make, copy("orders", &csv)),
            Way::new("dbload, CSV", &make, dbload("orders", &csv, &[])).target(0.45),
            Way::new("dbload, JSONL", &make, dbload("orders", &jsonl, &[])).target(0.50),
        ],
    )
}

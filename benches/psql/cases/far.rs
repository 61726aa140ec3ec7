//! A server that is far away, and whether other sizes of pool and batch would do better there.

use super::{Case, FRESH, Way, dbload, orders::both};
use crate::data::Data;

/// Fresh, with defaults but for the pool, which is the one of all cases.
pub(super) fn cases(data: &Data) -> Vec<Case> {
    let slow = |name, ms, most| both(name, FRESH, data, [most, most]).round_trip_ms(ms);
    vec![
        slow("5 ms away, fresh", 5, 1.0),
        slow("50 ms away, fresh", 50, 0.60),
        slow("100 ms away, fresh", 100, 0.60),
    ]
}

/// The first way is the default; the others are compared with it.
pub(super) fn sweeps(data: &Data) -> Vec<Case> {
    let csv = data.file("orders.csv");
    let sweep = |name, ms| {
        let way = |name: &str, words: &[&str]| Way::new(name, FRESH, dbload("orders", &csv, words));
        let mut ways = vec![way("dbload, pool 2, batches by default", &[])];
        for pool in ["1", "4", "8"] {
            ways.push(way(&format!("dbload, pool {pool}"), &["--pool-size", pool]));
        }
        for rows in ["2000", "5000", "10000", "50000"] {
            ways.push(way(&format!("dbload, batches of {rows}"), &["--batch-rows", rows]));
        }
        Case::new(name, ways).round_trip_ms(ms)
    };
    vec![sweep("sizes, next door", 0), sweep("sizes, 5 ms away", 5), sweep("sizes, 50 ms away", 50)]
}

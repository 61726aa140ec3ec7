//! Whether cost grows with the table or with the input: a table of 10 million rows, gigabytes of records.

use super::{
    COLUMNS, Case, Target, Way, changed, changed_in_big, dbload, dbload_all, orders::PEAK_MIB, staged,
};
use crate::data::Data;
use std::path::Path;

/// How often the file of the big table is read again to make a long input: over 8 GB.
pub(crate) const TIMES: usize = 7;

pub(super) fn cases(data: &Data) -> Vec<Case> {
    let (contiguous, spread) = (data.file(&data.big_name("contiguous")), data.file(&data.big_name("spread")));
    let in_big = |way: Way| way.check("base.big", "base.big");
    let staged_big = |file: &Path| staged("base.big", file, COLUMNS, "o_orderkey");
    let near = |prepare: &str| {
        [
            Way::new(
                "dbload, CSV, into 300,000",
                &changed(1, "true"),
                dbload("orders", &data.file("orders.csv"), &[]),
            ),
            in_big(Way::new("psql staged, CSV", prepare, staged_big(&contiguous))),
            in_big(Way::new("dbload, CSV", prepare, dbload("base.big", &contiguous, &[]))),
        ]
    };
    vec![
        memory(data),
        Case::new("into a big table, contiguous keys", {
            let [small, psql, dbload] = near(&changed_in_big(1, "contiguous"));
            vec![small, psql, dbload.target(1.25)]
        })
        .table_rows(data.big),
        Case::new(
            "into a big table, spread keys",
            vec![
                in_big(Way::new("psql staged, CSV", &changed_in_big(1, "spread"), staged_big(&spread))),
                in_big(Way::new(
                    "dbload, CSV",
                    &changed_in_big(1, "spread"),
                    dbload("base.big", &spread, &[]),
                ))
                .target(0.80)
                .at_most(Target::Wal(1.0)),
            ],
        )
        .table_rows(data.big),
        // The new versions of its rows go to pages all over the table.
        Case::new(
            "into a big table with gaps, contiguous keys",
            near(&(changed_in_big(0, "spread") + &changed_in_big(1, "contiguous"))).into(),
        )
        .table_rows(data.big),
    ]
}

/// Peak memory for 80 MB and for over 8 GB of records, all stored already: the table need not hold them all.
fn memory(data: &Data) -> Case {
    let short = data.file(&data.big_name("80mb"));
    let long: Vec<_> = (0..=TIMES).map(|n| data.file(&data.again(n))).collect();
    let long: Vec<&Path> = long.iter().map(|path| &**path).collect();
    let in_big = |name: &str, program| Way::new(name, "", program).check("base.big", "base.big");
    Case::new(
        "memory, all unchanged",
        vec![
            in_big("dbload, CSV, 80 MB", dbload("base.big", &short, &[])).at_most(Target::Peak(PEAK_MIB)),
            in_big("dbload, CSV, over 8 GB", dbload_all("base.big", &long, &[]))
                .at_most(Target::Peak(PEAK_MIB))
                .at_most(Target::PeakRatio(1.10)),
        ],
    )
    .rows(1)
    .table_rows(data.big * (TIMES + 1))
    .once()
}

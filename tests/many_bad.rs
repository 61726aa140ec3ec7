//! Many bad records of mixed kinds: the set of rejects is the generator's, and what they cost is said.
//!
//! CASES.md, row 42: 500 MB with 1% bad records. Ignored in the usual run: `make hostile`, or
//! `HOSTILE_SCALE=n cargo test --release --test main many_bad:: -- --ignored --nocapture` for an n-th of the
//! size.

use crate::support::{Rng, Scene};
use std::{collections::BTreeSet, fmt::Write as _, io::Write as _, time::Duration};

const TABLE: &str = "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(0, 99); \
    CREATE TABLE t (id bigint PRIMARY KEY, qty int CHECK (qty >= 0), code varchar(8), at timestamptz NOT NULL, \
    amount numeric(10,2), p int REFERENCES parent, mail text UNIQUE, note text); \
    INSERT INTO t (id, at, mail) VALUES (-1, now(), 'taken')";

/// What is wrong with a record, and the SQLSTATE that says so.
const KINDS: [(&str, &str); 9] = [
    ("cast", "22P02"),
    ("out of range", "22003"),
    ("too long", "22001"),
    ("not a time", "22007"),
    ("null", "23502"),
    ("check", "23514"),
    ("parent", "23503"),
    ("unique", "23505"),
    ("malformed", "22032"),
];

/// A record of about 250 bytes; with something wrong, if so.
fn record(out: &mut String, id: u64, wrong: Option<&str>) {
    out.clear();
    let is = |kind: &str| wrong == Some(kind);
    let qty = if is("cast") {
        "\"many\"".to_owned()
    } else if is("check") {
        "-5".to_owned()
    } else {
        (id % 1_000).to_string()
    };
    let code = if is("too long") { "longer than eight" } else { "abc" };
    let at = if is("not a time") {
        "\"soon\""
    } else if is("null") {
        "null"
    } else {
        "\"2024-02-29T12:00:00Z\""
    };
    let amount = if is("out of range") { "123456789012.5" } else { "1234.50" };
    let parent = if is("parent") { 500 } else { id % 100 };
    let mail = if is("unique") { "taken".to_owned() } else { format!("user{id}@example.org") };
    let _ = write!(
        out,
        "{{\"id\":{id},\"qty\":{qty},\"code\":\"{code}\",\"at\":{at},\"amount\":{amount},\"p\":{parent},\"mail\":\"{mail}\",\"note\":\"{:80}\"{}",
        "some text",
        if is("malformed") { "\n" } else { "}\n" }
    );
}

/// Loads so many records, of which one in `one_in` has one of these wrong; seconds, and the lines and states
/// refused.
fn load(many: u64, one_in: u64, kinds: &[(&str, &str)], words: &str) -> (f64, u64) {
    let scene = Scene::with(TABLE);
    let mut rng = Rng::new();
    let mut expected = BTreeSet::new();
    let path = scene.file("t.jsonl", "");
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut text = String::new();
    let mut bytes = 0;
    for id in 0..many {
        let wrong = (one_in > 0 && rng.one_in(one_in)).then(|| rng.pick(kinds));
        record(&mut text, id, wrong.map(|(kind, _)| kind));
        file.write_all(text.as_bytes()).unwrap();
        bytes += text.len() as u64;
        if let Some((_, state)) = wrong {
            expected.insert((id + 1, state.to_owned()));
        }
    }
    file.flush().unwrap();
    drop(file);
    let outcome = scene
        .dbload(&format!("t.jsonl --rejects bad.jsonl {words}"))
        .timeout(Duration::from_secs(1_800))
        .run()
        .exits(if expected.is_empty() { 0 } else { 3 });
    let report = outcome.report();
    let found: BTreeSet<(u64, String)> =
        report.rejected(scene.cwd()).into_iter().map(|r| (r.line, r.sqlstate.unwrap())).collect();
    let difference: Vec<_> = found.symmetric_difference(&expected).take(5).collect();
    assert!(
        difference.is_empty(),
        "{} expected, {} found, such as {difference:?}",
        expected.len(),
        found.len()
    );
    let inserted = many - expected.len() as u64;
    assert_eq!(
        (report.rows.read, report.rows.inserted, report.rows.rejected),
        (many, inserted, expected.len() as u64)
    );
    let refused: BTreeSet<u64> = expected.iter().map(|(line, _)| line - 1).collect();
    let good = || (0..many).filter(|id| !refused.contains(id));
    let sums = format!("{inserted}|{}|{}", good().sum::<u64>(), good().map(|id| id % 1_000).sum::<u64>());
    assert_eq!(
        scene.db.one("SELECT count(*) || '|' || sum(id) || '|' || sum(qty) FROM t WHERE id >= 0"),
        sums
    );
    (outcome.elapsed.as_secs_f64(), bytes)
}

#[test]
#[ignore = "minutes: make hostile"]
fn half_a_gigabyte_with_one_bad_record_in_a_hundred() {
    let scale: u64 = std::env::var("HOSTILE_SCALE").map_or(10, |s| s.parse().unwrap());
    let many = 2_400_000 / scale;
    let (seconds, bytes) = load(many, 100, &KINDS, "");
    println!("{many} records, {} MB, one bad in 100: {seconds:.2} s", bytes / 1_000_000);
}

#[test]
#[ignore = "minutes: make hostile"]
fn bad_records_cost_no_more_than_they_may() {
    let scale: u64 = std::env::var("HOSTILE_SCALE").map_or(10, |s| s.parse().unwrap());
    let many = 400_000 / scale;
    let conversion = &KINDS[..4];
    let constraints = &KINDS[4..8];
    let (clean, _) = load(many, 0, &[], "");
    println!("{many} records: clean {clean:.2} s");
    for (what, kinds) in [("conversion", conversion), ("constraints", constraints)] {
        for (share, one_in, many) in
            [("10%", 10, many), ("50%", 2, many), ("50% of twice as many", 2, 2 * many)]
        {
            let (seconds, _) = load(many, one_in, kinds, "");
            println!("  {what}, {share}: {seconds:.2} s, {:.2} x clean", seconds / clean);
        }
    }
}

//! Memory stays bounded whatever a source holds. Inputs are made as they are read, through a pipe.
//!
//! CASES.md, rows 36, 39 and 40. A tenth of the size by default; `make hostile` (HOSTILE_SCALE=1 and a
//! release build) has the full sizes, and holds the process to 64 MiB. In a debug build, whose code alone
//! takes that much, what counts is how much more a load takes than one of a single record.

use crate::support::{Scene, compress};
use std::{
    io::{Result, Write},
    time::Duration,
};

const MIB: u64 = 1 << 20;

/// A release build stays below this, all in all.
const PEAK_BYTES: u64 = 64 * MIB;
/// And any build below this, more than it has for one record. Records of 8 MiB may wait to be cut.
const GROWTH_BYTES: u64 = 44 * MIB;

/// The share of the full sizes.
fn scale() -> u64 {
    std::env::var("HOSTILE_SCALE").map_or(10, |s| s.parse().expect("HOSTILE_SCALE is a divisor"))
}

/// Loads what `feed` writes with these words; its exit code, and how many of its records went where.
#[track_caller]
fn bounded(
    what: &str,
    words: &str,
    (code, inserted, rejected): (i32, u64, u64),
    feed: impl Fn(&mut dyn Write) -> Result<()> + Send + Sync + 'static,
) {
    type Feed = Box<dyn Fn(&mut dyn Write) -> Result<()> + Send + Sync>;
    let load = |feed: Feed, words: &str| {
        let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, s text)");
        let running = scene.dbload(&format!("- -t t {words}")).stdin_stream(feed);
        let (outcome, peak) = running.timeout(Duration::from_secs(600)).spawn().wait_with_peak();
        (outcome, peak, scene.db.count("t"))
    };
    let (one, least, _) = load(Box::new(|out| out.write_all(b"{\"id\":1}\n")), "");
    one.exits(0);
    let (outcome, peak, stored) = load(Box::new(feed), words);
    println!(
        "{what}: {} KiB at most, {} more than for one record, {:?}",
        peak / 1024,
        peak.saturating_sub(least) / 1024,
        outcome.elapsed
    );
    let outcome = outcome.exits(code);
    assert_eq!((stored, outcome.rows().rejected), (inserted, rejected), "{what}: {outcome}");
    assert!(peak > 0 && peak < least + GROWTH_BYTES, "{what} takes {peak} bytes, one record {least}");
    assert!(cfg!(debug_assertions) || peak < PEAK_BYTES, "{what} takes {peak} bytes");
}

/// Writes `part` until so many bytes are out.
fn fill(out: &mut dyn Write, part: &[u8], bytes: u64) -> Result<()> {
    let many = part.repeat((1 << 16) / part.len() + 1);
    let mut left = bytes;
    while left > 0 {
        let now = left.min(many.len() as u64);
        out.write_all(&many[..usize::try_from(now).unwrap()])?;
        left -= now;
    }
    Ok(())
}

#[test]
fn a_line_of_300_mb_is_one_reject() {
    let bytes = 300_000_000 / scale();
    bounded("a line of 300 MB", "", (3, 2, 1), move |out| {
        out.write_all(b"{\"id\":1}\n{\"id\":2,\"s\":\"")?;
        fill(out, b"x", bytes)?;
        out.write_all(b"\"}\n{\"id\":3}\n")
    });
    bounded("an element of 300 MB", "", (3, 2, 1), move |out| {
        out.write_all(b"[{\"id\":1},{\"id\":2,\"s\":[")?;
        fill(out, b"[\"x\"],", bytes)?;
        out.write_all(b"1]},{\"id\":3}]")
    });
}

#[test]
fn a_quote_that_is_never_closed_in_a_gigabyte_is_one_reject() {
    let bytes = 1_000_000_000 / scale();
    bounded("an unclosed quote in 1 GB", "--format csv", (3, 1, 1), move |out| {
        out.write_all(b"id,s\n1,a\n2,\"b\n")?;
        fill(out, b"3,some text that looks like a record\n", bytes)
    });
}

#[test]
fn a_gzip_of_1000_to_1_is_read_in_bounded_memory_or_given_up() {
    let members = 1_000 / scale();
    let blank = compress::gzip_best(&vec![b' '; 1_000_000]);
    let (begin, end) =
        (compress::gzip(b"{\"id\":1}\n{\"id\":2,\"s\":\""), compress::gzip(b"\"}\n{\"id\":3}\n"));
    let feed = move |out: &mut dyn Write| {
        out.write_all(&begin)?;
        for _ in 0..members {
            out.write_all(&blank)?;
        }
        out.write_all(&end)
    };
    bounded("a bomb of 1000 to 1", "--max-ratio 5000", (3, 2, 1), feed.clone());
    bounded("a bomb that is given up", "--max-ratio 500 --mode upsert", (4, 1, 0), feed);
}

#[test]
fn nesting_and_fields_beyond_any_sense_are_one_reject_each() {
    bounded("100,000 levels", "", (3, 1, 2), |out| {
        let deep = |out: &mut dyn Write, levels: u64| {
            out.write_all(b"{\"id\":7,\"s\":")?;
            fill(out, b"[", levels)?;
            fill(out, b"]", levels)?;
            out.write_all(b"}\n")
        };
        deep(out, 100_000)?;
        deep(out, 4_000_000)?;
        out.write_all(b"{\"id\":3}\n")
    });
    bounded("a million names", "--extra ignore", (3, 1, 3), |out| {
        let wide = |out: &mut dyn Write, names: u32| {
            out.write_all(b"{\"id\":7")?;
            for name in 0..names {
                write!(out, ",\"{name}\":1")?;
            }
            out.write_all(b"}\n")
        };
        let mut out = std::io::BufWriter::new(out);
        for names in [600_000, 1_000_000, 10_001] {
            wide(&mut out, names)?;
        }
        out.write_all(b"{\"id\":3}\n")?;
        out.flush()
    });
    bounded("a million names in each of many records", "--extra ignore", (0, 40, 0), |out| {
        let mut out = std::io::BufWriter::new(out);
        for id in 0..40 {
            write!(out, "{{\"id\":{id}")?;
            for name in 0..9_000 {
                write!(out, ",\"n{id}_{name}\":1")?;
            }
            out.write_all(b"}\n")?;
        }
        out.flush()
    });
    bounded("eight million fields", "--format csv --columns id,s", (3, 1, 2), |out| {
        fill(out, b",", 8_000_000)?;
        out.write_all(b"\n")?;
        fill(out, b"\"\",", 8_000_000)?;
        out.write_all(b"\n3,c\n")
    });
}

#[test]
fn long_records_that_are_refused_do_not_pile_up() {
    // Each is kept whole: together they are more than the memory, in the batches and in the reject file.
    for ledger in ["", "--no-ledger"] {
        let many = 1_200 / scale();
        bounded(&format!("records of 500 kB, all refused {ledger}"), ledger, (3, 1, many), move |out| {
            for _ in 0..many {
                out.write_all(b"{\"id\":\"x\",\"s\":\"")?;
                fill(out, b"y", 500_000)?;
                out.write_all(b"\"}\n")?;
            }
            out.write_all(b"{\"id\":3}\n")
        });
    }
}

/// Just below the limit on records.
const LONG_BYTES: u64 = 8_300_000;

#[test]
fn the_longest_records_that_are_refused_do_not_pile_up() {
    let many = 60 / scale();
    for ledger in ["", "--no-ledger"] {
        bounded(&format!("records of 8 MB, all refused {ledger}"), ledger, (3, 1, many), move |out| {
            for _ in 0..many {
                out.write_all(b"{\"id\":\"x\",\"s\":\"")?;
                fill(out, b"y", LONG_BYTES)?;
                out.write_all(b"\"}\n")?;
            }
            out.write_all(b"{\"id\":3}\n")
        });
        bounded(
            &format!("malformed records of 8 MB {ledger}"),
            &format!("--format jsonl {ledger}"),
            (3, 1, many),
            move |out| {
                for _ in 0..many {
                    out.write_all(b"{\"id\":7,\"s\":\"")?;
                    fill(out, b"y", LONG_BYTES)?;
                    out.write_all(b"\n")?;
                }
                out.write_all(b"{\"id\":3}\n")
            },
        );
    }
}

#[test]
fn the_longest_records_that_are_good_do_not_pile_up() {
    let many = 60 / scale();
    bounded("records of 8 MB", "", (0, many, 0), move |out| {
        for id in 0..many {
            write!(out, "{{\"id\":{id},\"s\":\"")?;
            fill(out, b"y", LONG_BYTES)?;
            out.write_all(b"\"}\n")?;
        }
        Ok(())
    });
}

#[test]
fn a_partition_that_is_hardly_ever_met_does_not_hold_all_that_was_read() {
    // Every other record is ignored but for its key, so that batches fill slowly while their input does not.
    let many = 40_000 / scale();
    bounded("records with 4 kB that no column wants", "--extra ignore", (0, many, 0), move |out| {
        let mut out = std::io::BufWriter::new(out);
        for id in 0..many {
            writeln!(out, "{{\"id\":{id},\"none\":\"{:4000}\"}}", "")?;
        }
        out.flush()
    });
}

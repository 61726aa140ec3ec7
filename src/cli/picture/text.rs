//! The picture in words: each figure of the page as a table.

use std::fmt::Write as _;

use super::escape::{count, time};
use super::figures::Loaded;
use super::lanes::{Axis, lanes};
use super::page::LoadPage;
use super::read::EventRecord;

/// Rows of a list that are shown.
const SHOWN: usize = 20;

/// What there is to be said of all loads of a record.
pub(crate) fn text(recorded: &EventRecord) -> String {
    let mut out = String::new();
    for load in &recorded.loads {
        of_load(&mut out, &LoadPage::of_record(load), load);
    }
    if recorded.passed_over > 0 {
        let _ =
            writeln!(out, "{} lines were passed over: they are no events of this form", recorded.passed_over);
    }
    out
}

fn of_load(out: &mut String, page: &LoadPage, load: &Loaded) {
    let _ = writeln!(out, "{}\n{}\n\n{}", page.title, page.subtitle, page.verdict.sentence);
    for advice in &page.verdict.advice {
        let _ = writeln!(out, "- {advice}");
    }
    let books = &page.books;
    let _ = writeln!(out, "\nread {}", count(books.read));
    for (name, n) in [
        ("inserted", books.inserted),
        ("updated", books.updated),
        ("unchanged", books.unchanged),
        ("deleted", books.deleted),
        ("deduplicated", books.deduplicated),
        ("skipped", books.skipped),
        ("rejected", books.rejected),
    ] {
        if n > 0 {
            let _ = writeln!(out, "  {name:<14}{:>14}", count(n));
        }
    }
    let axis = Axis::of(load, 100);
    let all: f64 = axis.stretches.iter().map(|stretch| stretch.seconds).sum();
    let _ = writeln!(out, "\nwhere the time went, of {}", time(all));
    for lane in lanes(load, &axis) {
        let parts = lane.states.iter().zip(lane.seconds).filter(|(_, seconds)| *seconds > 0.0);
        let parts: Vec<String> =
            parts.map(|((name, _), seconds)| format!("{name} {}", time(seconds))).collect();
        let _ = writeln!(out, "  {:<22}{}", lane.name, parts.join(", "));
    }
    if !page.rejects.is_empty() {
        let _ = writeln!(out, "\nrejects");
    }
    for row in page.rejects.iter().take(SHOWN) {
        let _ = writeln!(out, "  {}  {}, first {}  {}", row.sqlstate, count(row.count), row.first, row.what);
    }
    if let Some(replay) = &page.replay {
        let _ = writeln!(out, "  once mended: {replay}");
    }
    section(out, "sources", &page.sources);
    section(out, "attempts", &page.attempts);
    let _ = writeln!(out, "\nfigures");
    for (name, value) in &page.facts {
        let _ = writeln!(out, "  {name:<26}{value}");
    }
    out.push('\n');
}

fn section(out: &mut String, name: &str, rows: &[[String; 4]]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{name}");
    for row in rows.iter().take(SHOWN) {
        let cells: Vec<&str> = row.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
        let _ = writeln!(out, "  {}", cells.join("  "));
    }
    if rows.len() > SHOWN {
        let _ = writeln!(out, "  and {} more", rows.len() - SHOWN);
    }
}

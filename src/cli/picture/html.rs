//! The page: one file that opens anywhere, without script and without anything from elsewhere, which its
//! Content-Security-Policy says. Never larger than a limit: what is many is drawn by columns, and lists are
//! cut.

use std::fmt::Write as _;

use dbload::internals::account::Books;

use super::advice::Shares;
use super::chart::{BarPart, bar, gantt, timeline};
use super::escape::{count, escaped, time};
use super::figures::{Attempt, Loaded};
use super::lanes::{ATTEMPTS_MAX, Axis, curves, lanes};
use super::page::LoadPage;
use super::read::EventRecord;

/// No page is larger.
pub(crate) const BYTES_MAX: usize = 200_000;

const STYLE: &str = include_str!("page.css");

/// How much of a load is shown.
#[derive(Clone, Copy)]
struct Depth {
    /// Columns of lanes; none, no lanes.
    columns: usize,
    /// Rows of a list.
    rows: usize,
    /// Loads of which more than a line is said.
    loads: usize,
    /// Loads that are named at all.
    named: usize,
}

const DEPTHS: [Depth; 6] = [
    Depth { columns: 300, rows: 100, loads: 12, named: 300 },
    Depth { columns: 200, rows: 50, loads: 6, named: 300 },
    Depth { columns: 120, rows: 20, loads: 2, named: 150 },
    Depth { columns: 60, rows: 10, loads: 0, named: 80 },
    Depth { columns: 0, rows: 5, loads: 0, named: 30 },
    Depth { columns: 0, rows: 0, loads: 0, named: 10 },
];

/// The page of a record, or of a run that only the ledger knows.
pub(crate) fn html(recorded: &EventRecord, of_ledger: Option<&LoadPage>) -> String {
    let mut page = String::new();
    for depth in DEPTHS {
        page = at_depth(recorded, of_ledger, depth);
        if page.len() <= BYTES_MAX {
            break;
        }
    }
    page
}

fn at_depth(recorded: &EventRecord, of_ledger: Option<&LoadPage>, depth: Depth) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n<meta http-equiv=Content-Security-Policy \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<meta name=viewport \
         content=\"width=device-width\">\n<meta name=color-scheme content=\"light dark\">\n<title>dbload</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    let loads = &recorded.loads;
    if let Some(page) = of_ledger {
        section(&mut out, page, None, depth);
    } else if let [load] = loads.as_slice() {
        section(&mut out, &LoadPage::of_record(load), Some(load), depth);
    } else {
        job(&mut out, loads, depth);
    }
    if recorded.passed_over > 0 {
        let n = count(recorded.passed_over);
        let _ =
            write!(out, "<p class=small>{n} lines were passed over: they are no events of this form.</p>");
    }
    out.push_str("</body>\n</html>\n");
    out
}

/// Many loads: when they ran, and each of them.
fn job(out: &mut String, loads: &[Loaded], depth: Depth) {
    let bad = loads.iter().filter(|load| {
        !load.last().and_then(|attempt| attempt.end.as_ref()).is_some_and(|end| matches!(end.code, 0 | 3))
    });
    let bad = bad.count();
    let mut words = if bad == 0 {
        "All came to a good end.".to_owned()
    } else {
        format!("{bad} of them did not come to a good end.")
    };
    let books = loads.iter().fold(Books::default(), |mut all, load| {
        all.add(&load.books());
        all
    });
    let _ = write!(words, " {} records were read", count(books.read));
    if books.rejected > 0 {
        let _ = write!(words, ", {} of them rejected", count(books.rejected));
    }
    let took = |load: &&Loaded| load.attempts.iter().map(Attempt::seconds).sum::<f64>();
    if let Some(longest) = loads.iter().max_by(|a, b| took(a).total_cmp(&took(b))) {
        let name = escaped(longest.name.as_deref().unwrap_or("load"));
        let _ = write!(words, "; {name} took longest, {}", time(took(&longest)));
    }
    words.push('.');
    let _ = write!(
        out,
        "<h1>{} loads</h1><p class=verdict>{words}</p>{}",
        loads.len(),
        gantt(loads, depth.named)
    );
    for (n, load) in loads.iter().take(depth.named).enumerate() {
        let _ = write!(out, "<section id=l{n}>");
        let page = LoadPage::of_record(load);
        if loads.len() <= depth.loads {
            section(out, &page, Some(load), Depth { columns: depth.columns / 2, rows: 10, ..depth });
        } else {
            let _ = write!(
                out,
                "<h3>{}</h3><p>{} <span class=small>{}</span></p>",
                escaped(&page.title),
                escaped(&page.verdict.sentence),
                escaped(&books_words(&page))
            );
        }
        out.push_str("</section>");
    }
    if loads.len() > depth.loads {
        out.push_str(
            "<p>The lanes of one of them: <code>dbload show FILE --load JOB/LOAD --html OUT</code></p>",
        );
    }
}

fn section(out: &mut String, page: &LoadPage, load: Option<&Loaded>, depth: Depth) {
    let _ = write!(
        out,
        "<h1>{}</h1><p class=small>{}</p><p class=verdict>{}</p>",
        escaped(&page.title),
        escaped(&page.subtitle),
        escaped(&page.verdict.sentence)
    );
    if !page.verdict.advice.is_empty() {
        out.push_str("<ul class=advice>");
        for advice in &page.verdict.advice {
            // A sentence of our own; it is longer than a name may be.
            let _ = write!(out, "<li>{}</li>", advice.split_inclusive(' ').map(escaped).collect::<String>());
        }
        out.push_str("</ul>");
    }
    if let Some(shares) = page.shares {
        let _ = write!(out, "<h2>Who was waited for</h2>{}", bar("who was waited for", &share_parts(shares)));
    }
    let _ = write!(out, "<h2>Books: {} records read</h2>", count(page.books.read));
    if page.books.read > 0 {
        out.push_str(&bar("what became of the records", &book_parts(page)));
    }
    if let Some(load) = load.filter(|_| depth.columns > 0) {
        picture(out, load, depth);
    }
    rejects(out, page, depth);
    let more = page.sources_all.saturating_sub(page.sources.len().min(depth.rows) as u64);
    table(out, "Sources", ["source", "records", "time", "state"], &page.sources, depth.rows, more);
    let attempts = page.attempts.len().saturating_sub(depth.rows);
    table(out, "Attempts", ["attempt", "began", "took", "end"], &page.attempts, depth.rows, attempts as u64);
    out.push_str("<details open><summary>Settings and figures</summary><table>");
    for (name, value) in page.facts.iter().take(100) {
        let _ = write!(out, "<tr><th>{}</th><td>{}</td></tr>", escaped(name), escaped(value));
    }
    out.push_str("</table></details>");
}

fn picture(out: &mut String, load: &Loaded, depth: Depth) {
    let axis = Axis::of(load, depth.columns);
    let lanes = lanes(load, &axis);
    out.push_str("<h2>When</h2>");
    if load.attempts.len() > ATTEMPTS_MAX {
        let _ =
            write!(out, "<p class=small>The last {ATTEMPTS_MAX} of {} attempts.</p>", load.attempts.len());
    }
    out.push_str(&timeline(load, &axis, &lanes, &curves(load, &axis)));
    out.push_str("<ul class=legend>");
    for (name, class) in
        super::lanes::SOURCE.iter().chain(&super::lanes::DECODE).chain(&super::lanes::CONNECTION)
    {
        let _ = write!(out, "<li><i class={class}></i>{name}</li>");
    }
    out.push_str("</ul>");
    let all: f64 = axis.stretches.iter().map(|stretch| stretch.seconds).sum();
    let _ = write!(
        out,
        "<details><summary>The same as a table, of {}</summary><table><tr><th>lane</th><th>busy</th><th>with</th></tr>",
        time(all)
    );
    for lane in &lanes {
        let parts = lane.states.iter().zip(lane.seconds).filter(|(_, seconds)| *seconds > 0.0);
        let parts: Vec<String> =
            parts.map(|((name, _), seconds)| format!("{name} {}", time(seconds))).collect();
        let busy = lane.busy(all) * 100.0;
        let (name, parts) = (escaped(&lane.name), parts.join(", "));
        let _ = write!(out, "<tr><th>{name}</th><td>{busy:.0}%</td><td>{parts}</td></tr>");
    }
    out.push_str("</table></details>");
}

fn rejects(out: &mut String, page: &LoadPage, depth: Depth) {
    if page.rejects.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<h2>Rejects: {}</h2><table><tr><th>SQLSTATE</th><th>records</th><th>what</th><th>first</th></tr>",
        count(page.books.rejected)
    );
    for row in page.rejects.iter().take(depth.rows.max(3)) {
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=n>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&row.sqlstate),
            count(row.count),
            escaped(&row.what),
            escaped(&row.first)
        );
    }
    out.push_str("</table>");
    if let Some(replay) = &page.replay {
        let _ = write!(out, "<p>Once they are mended: <code>{}</code></p>", escaped(replay));
    }
}

fn table(out: &mut String, name: &str, heads: [&str; 4], rows: &[[String; 4]], shown: usize, more: u64) {
    if rows.is_empty() {
        return;
    }
    let is_open = if rows.len() <= 10 { " open" } else { "" };
    let _ = write!(out, "<details{is_open}><summary>{name}</summary><table><tr>");
    for head in heads {
        let _ = write!(out, "<th>{head}</th>");
    }
    out.push_str("</tr>");
    for row in rows.iter().take(shown) {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{}</td>", escaped(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table>");
    if more > 0 {
        let _ = write!(out, "<p class=small>and {} more</p>", count(more));
    }
    out.push_str("</details>");
}

fn share_parts(shares: Shares) -> Vec<BarPart> {
    let source = if shares.is_limit { "limits on requests" } else { "the source" };
    [(source, shares.source, "w"), ("this program", shares.loader, "d"), ("the server", shares.server, "m")]
        .into_iter()
        .map(|(name, value, class)| BarPart {
            name: name.to_owned(),
            value,
            words: format!("{:.0}%", value * 100.0),
            class,
        })
        .collect()
}

fn book_parts(page: &LoadPage) -> Vec<BarPart> {
    let books = &page.books;
    let fates = [
        ("inserted", books.inserted, "m"),
        ("updated", books.updated, "c"),
        ("unchanged", books.unchanged, "d"),
        ("deleted", books.deleted, "c"),
        ("deduplicated", books.deduplicated, "r"),
        ("skipped", books.skipped, "w"),
        ("rejected", books.rejected, "bad"),
    ];
    #[expect(clippy::cast_precision_loss, reason = "a bar")]
    let part = |(name, n, class): (&str, u64, &'static str)| BarPart {
        name: name.to_owned(),
        value: n as f64,
        words: count(n),
        class,
    };
    fates.into_iter().map(part).collect()
}

fn books_words(page: &LoadPage) -> String {
    let books = &page.books;
    let mut words = format!("{} read", count(books.read));
    let told = [
        ("inserted", books.inserted),
        ("updated", books.updated),
        ("deleted", books.deleted),
        ("rejected", books.rejected),
    ];
    for (name, n) in told {
        if n > 0 {
            let _ = write!(words, ", {} {name}", count(n));
        }
    }
    words
}

//! What is drawn of a record: it is small, it opens anywhere, it says what the record says, and nothing of a
//! name is acted upon.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::{events, numbers, of_kind};
use crate::support::{Folder, Scene, audit};

/// No page is larger.
const BYTES_MAX: usize = 200_000;

/// The page of a record, after what holds for every page was looked at.
#[track_caller]
fn page(scene: &Scene, line: &str) -> String {
    scene.plain(line).run().exits(0);
    let (_, out) = line.split_once("--html ").unwrap();
    let html = scene.folder.read(out.split_whitespace().next().unwrap());
    assert!(html.len() <= BYTES_MAX, "{} bytes", html.len());
    println!("{line}: a page of {} bytes", html.len());
    assert!(html.contains("default-src 'none'; style-src 'unsafe-inline'"));
    for word in ["<script", "http:", "https:", "@import", "url("] {
        assert!(!html.contains(word), "{word}");
    }
    html
}

#[test]
fn a_page_says_what_the_table_says_and_how_to_load_the_rejects_again() {
    let scene = Scene::new();
    numbers(&scene, 20_000);
    scene
        .run("t.jsonl --key id --events e.jsonl --batch-rows 500 --pool-size 2 --rejects bad.jsonl")
        .exits(3);
    let html = page(&scene, "show e.jsonl --html out.html");
    let stored: u64 = scene.db.one("SELECT count(*) FROM t").parse().unwrap();
    assert_eq!(stored, 18_000);
    for words in [
        "Books: 20,000 records read",
        "inserted <b>18,000</b>",
        "rejected <b>2,000</b>",
        "was the bound for",
        "connection 1",
        "connection 2",
        "<td>22P02</td><td class=n>2,000</td><td>column n</td><td>t.jsonl:10</td>",
        "dbload bad.jsonl --table public.t",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    let text = scene.plain("show e.jsonl").run().exits(0).stdout;
    for words in ["read 20,000", "inserted", "18,000", "22P02", "merge ", "once mended: dbload bad.jsonl"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!html.contains("canary") && !text.contains("canary"));
    // By the run: what the ledger knows.
    let run = scene.db.one("SELECT run FROM _dbload.run");
    let html = page(&scene, &format!("show {run} --html ledger.html"));
    assert!(html.contains("Books: 20,000 records read") && html.contains("The run is complete."), "{html}");
    let refused = scene.plain(&format!("show {run} --trace out.json")).run().exits(2);
    refused.says("the ledger keeps no batches").says("a load writes them with --events FILE, and show FILE");
    scene.plain("show e.jsonl --html e.jsonl").run().exits(2).says("is the file that is to be drawn");
    scene
        .plain("show e.jsonl --html x.html --run 0123")
        .run()
        .exits(2)
        .says("without --run and --load all of");
    scene.dbload("show e.jsonl").run().exits(2).says("a file of events is JSON already");
    audit(&scene.db);
}

#[test]
fn names_that_attack_the_page_are_shown_and_do_nothing() {
    const NAME: &str = "\"'><img src=x onerror=\"document.title='owned'\"><b>.jsonl";
    let scene =
        Scene::with("CREATE TABLE \"<svg/onload=alert(1)>\" (id int PRIMARY KEY, \"</title><script>\" int)");
    scene.file(NAME, "{\"id\":1,\"</title><script>\":\"x\"}\n{\"id\":2}\n");
    let outcome = scene
        .plain("--key id --events e.jsonl --rejects r.jsonl")
        .arg("--table")
        .arg("\"<svg/onload=alert(1)>\"")
        .arg(NAME)
        .run();
    outcome.exits(3);
    let html = page(&scene, "show e.jsonl --html out.html");
    for word in ["<img", "<svg/", "</title><script", "<b>.jsonl"] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("&lt;img") && html.contains("&lt;svg/onload"), "{html}");
    // By lines that nobody of us has written.
    let evil = "</text></svg><script>alert(1)</script>";
    let text: String = [
        line(0.1, 1, plan(evil, 2)),
        line(0.2, 1, json!({"kind": "source_opened", "name": evil})),
        line(0.3, 1, json!({"kind": "held", "partition": 0, "sqlstate": evil, "relief": evil})),
        line(0.3, 1, json!({"kind": "rejected", "sqlstate": evil, "column": evil, "constraint": evil, "count": 1,
                            "source": 0, "name": evil, "line": 1})),
        line(0.4, 1, batch(u32::MAX, 0.1, 0.3)),
        line(0.4, 1, batch(7, f64::MAX, -1e300)),
        "not JSON\u{1b}[31m\n".to_owned(),
        line(0.5, 1, json!({"kind": "end", "began_at": evil, "outcome": evil, "code": 9, "sqlstate": evil, "cpu": -1.0,
                            "report": {"rows": evil, "seconds": {"pipeline": evil}, "rejects": {"file": evil}}})),
    ]
    .concat();
    scene.file("evil.jsonl", text);
    let html = page(&scene, "show evil.jsonl --html evil.html");
    assert!(html.contains("&lt;script&gt;") && html.contains("2 lines were passed over"), "{html}");
    let shown = scene.plain("show evil.jsonl").run().exits(0).stdout;
    assert!(!shown.contains('\u{1b}'), "{shown}");
    scene.plain("show evil.jsonl --trace t.json").run().exits(0);
    // Loads of a job: their names are in its sentence, its picture and its sections.
    let of_job = |n: u32| {
        let mut line: Value = serde_json::from_str(&line(0.1, 1, plan(evil, 2))).unwrap();
        line["load"] = format!("{evil}/{evil}{n}").into();
        format!("{line}\n")
    };
    scene.file("evil-job.jsonl", [of_job(1), of_job(2)].concat());
    let html = page(&scene, "show evil-job.jsonl --html evil-job.html");
    assert!(html.contains("took longest") && html.contains("&lt;script&gt;"), "{html}");
    if let Some(chromium) = chromium() {
        for file in ["out.html", "evil.html", "evil-job.html"] {
            let dom = dumped(&chromium, &scene.cwd().join(file));
            assert!(dom.contains("<title>dbload</title>") && !dom.contains("<img"), "{dom}");
        }
    }
}

#[test]
fn a_run_that_was_killed_five_times_is_one_page_with_six_attempts() {
    let scene = Scene::new();
    numbers(&scene, 30_000);
    let load = "t.jsonl --key id --events e.jsonl --batch-rows 100 --pool-size 2";
    for n in 1..=5 {
        let before = scene.db.count("t");
        let running = scene.dbload(load).spawn();
        let began = std::time::Instant::now();
        while scene.db.count("t") < before + 200 {
            assert!(began.elapsed() < Duration::from_secs(60), "attempt {n}");
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(running.kill9_after(Duration::ZERO).was_killed());
        scene.db.until_alone();
    }
    let killed = page(&scene, "show e.jsonl --html killed.html");
    assert!(killed.contains("has no end: it was killed"), "{killed}");
    scene.run(load).exits(3);
    let html = page(&scene, "show e.jsonl --html out.html");
    let rejected = "<td>22P02</td><td class=n>3,000</td><td>column n</td><td>t.jsonl:10</td>";
    for words in [
        "attempt 6, ",
        "What the 5 before it had committed was not done again",
        "Books: 30,000 records read",
        "inserted <b>27,000</b>",
        rejected,
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert_eq!(html.matches("no end: killed, or still running").count(), 5, "{html}");
    audit(&scene.db);
    shoot(&scene.cwd().join("out.html"), "killed");
}

#[test]
fn a_job_of_a_hundred_loads_is_one_page_and_each_leads_to_its_own() {
    let scene = Scene::new();
    let mut file = "name = \"x\"\n[metrics]\nevents = \"e.jsonl\"\n".to_owned();
    for n in 0..100 {
        let _ = write!(file, "[load.t{n}]\nsource = \"{n}.jsonl\"\nkey = [\"id\"]\n");
        scene.file(&format!("{n}.jsonl"), (0..=n).map(|id| format!("{{\"id\":{id}}}\n")).collect::<String>());
    }
    scene.file("dbload.toml", file);
    scene.plain("run").run().exits(0);
    let html = page(&scene, "show e.jsonl --html out.html");
    for n in 0..100 {
        assert!(
            html.contains(&format!("href=\"#l{n}\"")) && html.contains(&format!("<section id=l{n}>")),
            "{n}"
        );
    }
    assert!(
        html.contains("All came to a good end. 5,050 records were read; x/t") && html.contains("x/t99 into"),
        "{html}"
    );
    let one = page(&scene, "show e.jsonl --load t42 --html one.html");
    assert!(one.contains("Books: 43 records read") && one.contains("class=lanes"), "{one}");
    shoot(&scene.cwd().join("out.html"), "job");
}

/// Lines of JSON, so many of ten of which are no numbers, written one by one: ten million are half a
/// gigabyte.
fn write_numbers(scene: &Scene, records: u64, rejected_of_ten: u64) {
    use std::io::Write as _;
    scene.sql("CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n < 100000000), note text)");
    let mut out = std::io::BufWriter::new(std::fs::File::create(scene.cwd().join("t.jsonl")).unwrap());
    for id in 0..records {
        let n = if id % 10 < rejected_of_ten { "\"no\"".to_owned() } else { id.to_string() };
        writeln!(out, "{{\"id\":{id},\"n\":{n},\"note\":\"of {id}\"}}").unwrap();
    }
    out.flush().unwrap();
}

fn pages_of(records: u64) {
    for (name, rejected_of_ten) in [("large", 0), ("rejects", 3)] {
        let scene = Scene::new();
        write_numbers(&scene, records, rejected_of_ten);
        let load = scene.dbload("t.jsonl --key id --events e.jsonl --rejects bad.jsonl --pool-size 4");
        let code = if rejected_of_ten == 0 { 0 } else { 3 };
        let outcome = load.timeout(Duration::from_secs(3_600)).run().exits(code);
        let html = page(&scene, "show e.jsonl --html out.html");
        let good = records / 10 * (10 - rejected_of_ten);
        assert_eq!(scene.db.count("t"), good);
        assert!(html.contains("was the bound for") && html.contains("class=lanes"), "{html}");
        let said = html.contains("of the records (30%) were rejected");
        assert_eq!((said, html.contains(">preparing, closing<")), (rejected_of_ten == 3, true), "{html}");
        let rejected = outcome.rows().rejected;
        assert_eq!(
            html.contains("once mended: ") || html.contains("dbload bad.jsonl"),
            rejected > 0,
            "{html}"
        );
        let events = std::fs::metadata(scene.cwd().join("e.jsonl")).unwrap().len();
        println!(
            "{name}: {records} records in {:?}, {} of them rejected: {events} bytes of events, a page of {} bytes",
            outcome.elapsed,
            rejected,
            html.len()
        );
        shoot(&scene.cwd().join("out.html"), name);
    }
}

#[test]
fn a_load_and_one_with_a_third_of_its_records_rejected_are_pages_that_a_browser_draws() {
    pages_of(20_000);
}

/// `ROWS=10000000 DBLOAD_PICTURES=DIR cargo test --release --test main -- --ignored --nocapture pages_of_a_large`.
#[test]
#[ignore = "a million rows, or ROWS: minutes"]
fn pages_of_a_large_load() {
    pages_of(std::env::var("ROWS").map_or(1_000_000, |rows| rows.parse().unwrap()));
}

/// A line as dbload writes it.
fn line(t: f64, attempt: u32, what: Value) -> String {
    let mut line = json!({"v": 1, "t": t, "run": "0123456789ab", "attempt": attempt, "pid": 7});
    line.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    format!("{line}\n")
}

fn plan(table: &str, partitions: u32) -> Value {
    json!({"kind": "plan", "began_at": "2026-01-01T02:00:00Z", "version": "0", "database": "h:1/d", "server": "15",
           "table": table, "mode": "upsert", "key": ["id"], "partitions": partitions, "one_partition": null,
           "guarantee": "exactly-once", "connections": partitions, "batch_rows": 20000, "batch_bytes": 1,
           "records_before": 0, "sources": [table], "sources_all": 1, "bytes": null, "cores": 4})
}

fn batch(partition: u32, began: f64, ended: f64) -> Value {
    let part = (ended - began) / 4.0;
    json!({"kind": "batch", "partition": partition, "began": began, "ended": ended, "copied": part,
           "merged": part * 2.0, "committed": part / 2.0, "bytes": 100, "way": "merged", "refused": false,
           "retries": 0, "rows": {"read": 1000, "inserted": 700, "updated": 0, "unchanged": 0, "deduplicated": 0,
                                  "skipped": 0, "rejected": 300}})
}

/// However much there is in a record, a page is no larger; the worst is asked for: uneven batches, many
/// connections, many reasons, long names.
#[test]
fn a_page_has_its_limit_whatever_the_load() {
    let scene = Scene::new();
    let long = "é<&\"".repeat(60);
    let mut text = line(0.0, 1, plan(&long, 64));
    for n in 0..60_000_u32 {
        let at = f64::from(n / 64) + f64::from(n % 7) / 9.0;
        text.push_str(&line(at + 1.0, 1, batch(n % 64, at, at + 0.1 + f64::from(n % 11) / 13.0)));
        if n % 20 == 0 {
            let name = format!("{long}{n}");
            text.push_str(&line(at, 1, json!({"kind": "source_opened", "name": name})));
            text.push_str(&line(
                at,
                1,
                json!({"kind": "rejected", "sqlstate": "22P02", "column": name,
                "constraint": null, "count": 3, "source": 0, "name": name, "line": n}),
            ));
            text.push_str(&line(
                at,
                1,
                json!({"kind": "held", "partition": 3, "sqlstate": "40001", "relief": null}),
            ));
            text.push_str(&line(
                at,
                1,
                json!({"kind": "block", "source": 0, "records": 9, "bytes": 9,
                "read": [at, at + 0.7], "reading": 0.2, "decoded": [at, at + 0.3], "decoding": 0.1}),
            ));
        }
    }
    scene.file("e.jsonl", &text);
    let html = page(&scene, "show e.jsonl --html out.html");
    assert!(
        html.contains("connections 57 to 64") && html.contains("Books: 60,000,000 records read"),
        "{html}"
    );
    // A thousand loads, each with long names.
    let mut text = String::new();
    for n in 0..1_000 {
        let of = |what: Value| {
            let mut line: Value = serde_json::from_str(&line(1.0, 1, what)).unwrap();
            line["load"] = format!("{long}/{n}").into();
            format!("{line}\n")
        };
        text.push_str(&of(plan(&long, 4)));
        text.push_str(&of(batch(n % 4, 0.1, 0.9)));
    }
    scene.file("e.jsonl", &text);
    let html = page(&scene, "show e.jsonl --html out.html");
    assert!(html.contains("1000 loads"), "{html}");
}

/// Nothing overlaps on a track, and the parts of a batch are as long as the record has them.
#[test]
fn a_trace_has_a_track_a_connection_on_which_nothing_overlaps() {
    let scene = Scene::new();
    numbers(&scene, 20_000);
    scene.run("t.jsonl --key id --events e.jsonl --batch-rows 300 --pool-size 3").exits(3);
    scene.plain("show e.jsonl --trace t.json").run().exits(0);
    let trace: Value = serde_json::from_str(&scene.folder.read("t.json")).unwrap();
    let mut tracks: BTreeMap<(u64, u64), Vec<(i64, i64)>> = BTreeMap::new();
    let mut merged = 0;
    for event in trace["traceEvents"].as_array().unwrap() {
        let n = |name: &str| event[name].as_i64().unwrap();
        if event["ph"] == "X" {
            let track = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
            tracks.entry(track).or_default().push((n("ts"), n("ts") + n("dur")));
            merged += if event["name"] == "merge" { n("dur") } else { 0 };
        }
    }
    for (track, spans) in &mut tracks {
        spans.sort_unstable();
        assert!(spans.is_sorted_by(|a, b| a.1 <= b.0), "{track:?}: {spans:?}");
    }
    assert!(tracks.len() >= 5, "read, decode, three connections: {:?}", tracks.keys());
    let told = events(&scene.cwd().join("e.jsonl"));
    let of_record: f64 = of_kind(&told, "batch").map(|event| event["merged"].as_f64().unwrap()).sum();
    #[expect(clippy::cast_precision_loss, reason = "microseconds")]
    let difference = (merged as f64 / 1e6 - of_record).abs();
    assert!(difference < 0.001, "{merged} and {of_record}");
}

/// A browser, if this machine has one: it is said where a test goes without.
fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let paths = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&paths).flat_map(|folder| names.map(|name| folder.join(name)));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        println!("no Chromium here: pages are not opened in a browser");
    }
    found
}

fn browse(chromium: &Path, args: &[&str], page: &Path) -> std::process::Output {
    let profile = Folder::new();
    Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-background-networking",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(args)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap()
}

/// What the browser has made of a page.
fn dumped(chromium: &Path, page: &Path) -> String {
    String::from_utf8(browse(chromium, &["--dump-dom"], page).stdout).unwrap()
}

/// A picture of a page: a browser draws more than one colour of it. Kept where `DBLOAD_PICTURES` says.
fn shoot(page: &Path, name: &str) {
    let Some(chromium) = chromium() else { return };
    let folder = Folder::new();
    let out = std::env::var_os("DBLOAD_PICTURES").map_or_else(|| folder.path().to_owned(), PathBuf::from);
    let out = out.join(format!("{name}.png"));
    let shot = format!("--screenshot={}", out.display());
    let done = browse(&chromium, &[&shot, "--window-size=1040,1500"], page);
    let bytes = std::fs::read(&out).unwrap_or_default();
    assert!(
        bytes.starts_with(b"\x89PNG") && bytes.len() > 10_000,
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

//! What job files are for, in figures: slow sources side by side, and a hundred loads with four connections,
//! one of which hangs and one fails, beside as many processes. For a machine with nothing else to do, and a
//! release build of the program (`DBLOAD_TEST_PROGRAM`):
//! `cargo test --test main -- --ignored --nocapture jobs::figures`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Said, run, scene};
use crate::support::api::{Api, Ask, Reply};

const LOADS: usize = 100;
const RECORDS: u64 = 2_000;

#[test]
#[ignore = "figures"]
fn a_hundred_loads_share_four_connections_and_the_memory_of_the_file() {
    let hangs = Api::serve(|_| Reply::json("[]").after(Duration::from_secs(600)));
    let mut file =
        "name = \"x\"\n[target]\npool_size = 4\nmax_memory = \"128MiB\"\n[defaults]\nkey = [\"id\"]\ntimeout = \"20s\"\n".to_owned();
    for i in 0..LOADS {
        let source = match i {
            0 => format!("{}\"\nformat = \"json", hangs.url("/")),
            1 => "not-there.jsonl".to_owned(),
            _ => format!("{i}.jsonl"),
        };
        let _ = writeln!(file, "[load.t{i}]\nsource = \"{source}\"");
    }
    let scene = scene(&file);
    let tables: String =
        (0..LOADS).map(|i| format!("CREATE TABLE t{i} (id int PRIMARY KEY, note text);")).collect();
    scene.sql(&tables);
    let records: String =
        (1..=RECORDS).map(|id| format!("{{\"id\":{id},\"note\":\"note {id}\"}}\n")).collect();
    for i in 2..LOADS {
        scene.file(&format!("{i}.jsonl"), &records);
    }
    let (over, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let watching = {
        let (over, most, db) = (Arc::clone(&over), Arc::clone(&most), scene.db.another());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'";
                // Two are of this test.
                most.fetch_max(db.one(sql).parse::<u64>().unwrap().saturating_sub(2), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        })
    };
    let (outcome, peak) = run(&scene, "").spawn().wait_with_peak();
    over.store(true, Ordering::Relaxed);
    watching.join().unwrap();
    let said = Said::by(&outcome);
    let good = said.loads.values().filter(|load| load["state"] == "complete").count();
    assert_eq!((good, said.state("t0"), said.state("t1")), (LOADS - 2, "failed", "failed"), "{outcome}");
    assert!((0..LOADS).skip(2).all(|i| scene.db.count(&format!("t{i}")) == RECORDS));
    let most = most.load(Ordering::Relaxed);
    eprintln!(
        "100 loads, one hangs for 20 s: {:?}, {most} connections, {} MiB at most",
        outcome.elapsed,
        peak >> 20
    );
    assert!((1..=4).contains(&most), "{most} connections");
    assert!(peak <= 128 << 20, "{} MiB", peak >> 20);
    // Side by side with as many processes, without those two.
    let again = run(&scene, "--except t0,t1").run().exits(0);
    let began = Instant::now();
    for i in 2..LOADS {
        scene.dbload(&format!("load {i}.jsonl --table t{i} --key id --pool-size 4")).run().exits(0);
    }
    let processes = began.elapsed();
    eprintln!(
        "98 loads of {RECORDS} records that are there: {:?} in one process, {processes:?} in 98; {:?} and {:?} a load",
        again.elapsed,
        again.elapsed / 98,
        processes / 98
    );
}

/// Pages of a source, each of which takes a second; behind the fifth there are none, which is said at once.
fn page(ask: &Ask) -> Reply {
    let (page, since) = (ask.number("p").unwrap_or(1), ask.number("since").unwrap_or(0));
    let records: Vec<String> = (page * 10 - 9..=page * 10)
        .filter(|id| *id > since && page <= 5)
        .map(|id| format!("{{\"id\":{id}}}"))
        .collect();
    let pause = if records.is_empty() { Duration::ZERO } else { Duration::from_secs(1) };
    Reply::json(format!("[{}]", records.join(","))).after(pause)
}

#[test]
#[ignore = "figures"]
fn slow_sources_take_as_long_as_the_slowest_and_later_starts_fetch_what_is_missing() {
    for (sources, goal) in [(3, 1.1), (12, 1.2)] {
        let api = Api::serve(page);
        let mut file = "name = \"x\"\n[target]\npool_size = 4\n[defaults]\nkey = [\"id\"]\n".to_owned();
        let mut tables = String::new();
        for i in 0..sources {
            let url = api.url(&format!("/{i}"));
            let _ = writeln!(
                file,
                "[load.t{i}]\nsource = \"{url}?since={{watermark}}\"\npaginate = \"page:p\"\nbatch_rows = 10\n\
                 watermark = {{ field = \"id\", initial = \"0\" }}"
            );
            tables.push_str(&format!("CREATE TABLE t{i} (id int PRIMARY KEY);"));
        }
        file.push_str("[load.f]\nsource = \"f.jsonl\"\n[load.g]\nsource = \"g.jsonl\"\n");
        let files: String = (1..=50_000).map(|id| format!("{{\"id\":{id}}}\n")).collect();
        let fresh = || {
            let scene = scene(&file);
            scene.sql(&tables);
            scene.file("f.jsonl", &files);
            scene.file("g.jsonl", &files);
            scene
        };
        let at_once = fresh();
        let outcome = run(&at_once, "").run().exits(0);
        let ratio = outcome.elapsed.as_secs_f64() / 5.0;
        eprintln!(
            "{sources} sources of 5 s and two files: {:?}, {ratio:.3} times the slowest",
            outcome.elapsed
        );
        assert!(ratio <= goal, "{ratio}");
        // The second night: nothing is new, and one page is asked for of each.
        let before = api.requests();
        run(&at_once, "").run().exits(0);
        let asked = api.asked().split_off(before);
        assert!(asked.iter().all(|ask| ask.query["since"] == "50"), "only from the watermark on");
        // Killed in the middle, twice: the third start fetches what is missing.
        let killed = fresh();
        let before = api.requests();
        let _ = run(&killed, "").spawn().kill9_after(Duration::from_millis(2_500));
        let _ = run(&killed, "").spawn().kill9_after(Duration::from_millis(1_500));
        let third = api.requests();
        run(&killed, "").run().exits(0);
        let of_third: Vec<u64> =
            api.asked().split_off(third).iter().map(|ask| ask.number("p").unwrap_or(1)).collect();
        let all = u64::try_from(api.requests() - before).unwrap();
        eprintln!("killed twice: the third start asked for pages {of_third:?}; {all} requests in all");
        assert!(of_third.iter().all(|page| *page >= 2), "{of_third:?}");
        assert!((0..sources).all(|i| killed.db.count(&format!("t{i}")) == 50));
    }
}

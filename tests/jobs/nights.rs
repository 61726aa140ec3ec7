//! Nights in fast motion: a source that sends ties and late records, over a change of the clocks, with kills,
//! two schedulers, a night that is skipped, a window that fails for a while and a column that comes in the
//! middle. At the end the tables hold what one full load would have put there.
//!
//! `make nights SEEDS=200` plays many; one with a seed of its own is in every run. `DBLOAD_TEST_SEED` plays
//! one again.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Said, run, scene};
use crate::support::api::{Api, Ask, Reply};
use crate::support::generate::{Rng, fresh_seed};
use crate::support::{Scene, audit};

const DAY: u64 = 86_400;

/// A record of the source: when it was changed last, and what it says.
#[derive(Debug, Clone)]
struct Sold {
    id: u64,
    changed: u64,
    n: u64,
    has_note: bool,
    /// It comes late: who asks for what is new does not get it before.
    shown_from: u64,
}

impl Sold {
    fn json(&self) -> String {
        let note = if self.has_note { ",\"note\":\"x\"" } else { "" };
        let Self { id, changed, n, .. } = self;
        format!("{{\"id\":{id},\"changed\":\"{}\",\"n\":{n}{note}}}", iso(*changed))
    }
}

/// What the source has.
#[derive(Default)]
struct Shop {
    sold: Vec<Sold>,
    now: u64,
    /// The day of the window that it does not give.
    broken: Option<u64>,
}

impl Shop {
    /// Three records on a page, of those that are asked for.
    fn answer(&self, ask: &Ask) -> Reply {
        let number = |name: &str| ask.number(name).unwrap_or(0);
        let page = usize::try_from(ask.number("p").unwrap_or(1)).unwrap() - 1;
        if self.broken.is_some_and(|broken| ask.path == "/window" && number("from") / DAY == broken) {
            return Reply::new(500, "text/plain", "not today");
        }
        let is_asked = |sold: &&Sold| match ask.path.as_str() {
            "/window" => (number("from")..number("to")).contains(&sold.changed),
            _ => sold.shown_from <= self.now && iso(sold.changed) >= ask.query["since"],
        };
        let items: Vec<String> =
            self.sold.iter().filter(is_asked).skip(3 * page).take(3).map(Sold::json).collect();
        Reply::json(format!("[{}]", items.join(",")))
    }
}

fn file(api: &Api, begin: &str) -> String {
    let (window, changed) = (api.url("/window"), api.url("/changed"));
    format!(
        "name = \"nights\"\n[target]\npool_size = 2\n[defaults]\nkey = [\"id\"]\nextra = \"ignore\"\npaginate = \"page:p\"\nnewer_by = \"changed\"\n\
         http_tries = 1\nbatch_rows = 2\n\
         [load.by_window]\nsource = \"{window}?from={{window.start:unix}}&to={{window.end:unix}}\"\n\
         window = {{ every = \"1d\", timezone = \"Europe/Berlin\", begin = \"{begin}\", lookback = 2 }}\n\
         [load.by_mark]\nsource = \"{changed}?since={{watermark}}\"\nwatermark = {{ field = \"changed\", lag = \"2h\", initial = \"2025-01-01T00:00:00Z\" }}\n"
    )
}

/// Plays so many nights.
fn play(seed: u64, nights: u64) {
    let mut rng = Rng::from_seed(seed);
    // The clocks change in the night to the 30th of March, and to the 26th of October.
    let (begin, mut now) =
        if seed.is_multiple_of(2) { ("2025-03-26", 1_742_943_600) } else { ("2025-10-22", 1_761_084_000) };
    let shop = Arc::new(Mutex::new(Shop::default()));
    let shared = Arc::clone(&shop);
    let api = Api::serve(move |ask| shared.lock().unwrap().answer(ask));
    let scene = scene(&file(&api, begin));
    for table in ["by_window", "by_mark"] {
        scene.sql(&format!("CREATE TABLE {table} (id int PRIMARY KEY, changed timestamptz, n int)"));
    }
    let (skipped, twice, broken, column) =
        (rng.below(nights), rng.below(nights), rng.below(nights), nights / 2);
    for night in 0..nights {
        for _ in 0..rng.below(6) {
            sell(&mut shop.lock().unwrap(), &mut rng, now, night >= column);
        }
        now += DAY;
        if night == column {
            for table in ["by_window", "by_mark"] {
                scene.sql(&format!("ALTER TABLE {table} ADD note text"));
            }
        }
        {
            let mut shop = shop.lock().unwrap();
            shop.now = now;
            // The window that ends in the first of these nights.
            let day = (now - (night.saturating_sub(broken) + 1) * DAY) / DAY;
            shop.broken = (broken..broken + 3).contains(&night).then_some(day);
        }
        let words = format!("--now {}", iso(now));
        if night == skipped {
            continue;
        }
        if night == twice {
            let both = [run(&scene, &words).spawn(), run(&scene, &words).spawn()];
            for one in both {
                let ended = one.wait();
                assert!([0, 4, 8].contains(&ended.code()), "seed {seed}, night {night}: {ended}");
            }
        } else if rng.one_in(3) {
            let _ = run(&scene, &words).spawn().kill9_after(Duration::from_millis(rng.below(250)));
        } else {
            let ended = run(&scene, &words).run();
            assert!([0, 4].contains(&ended.code()), "seed {seed}, night {night}: {ended}");
        }
    }
    {
        let mut shop = shop.lock().unwrap();
        (shop.broken, shop.now) = (None, now + DAY);
    }
    // A run that died is finished first, as it was begun.
    let _ = run(&scene, &format!("--now {} --catch-up 100", iso(now + DAY))).run().exits(0);
    let last = run(&scene, &format!("--now {} --catch-up 100", iso(now + DAY))).run().exits(0);
    let said = Said::by(&last);
    assert_eq!(said.loads["by_window"]["windows_left"].as_u64().unwrap_or(0), 0, "seed {seed}: {last}");
    check(&scene, &shop.lock().unwrap(), seed);
}

/// A new record, or another state of one, some at the same second, some shown a night later.
fn sell(shop: &mut Shop, rng: &mut Rng, now: u64, has_note: bool) {
    let changed = now + rng.below(24) * 3_600;
    // Late by no more than the lag.
    let is_late = rng.one_in(5) && changed + 7_200 > now + DAY;
    let shown_from = now + if is_late { 2 * DAY } else { DAY };
    if !shop.sold.is_empty() && rng.one_in(4) {
        let i = rng.index(shop.sold.len());
        let sold = &mut shop.sold[i];
        if sold.changed < changed {
            *sold = Sold { changed, n: sold.n + 1, has_note, shown_from, ..sold.clone() };
        }
        return;
    }
    let id = shop.sold.len() as u64 + 1;
    shop.sold.push(Sold { id, changed, n: 0, has_note, shown_from });
}

/// An instant as `--now` takes it.
fn iso(seconds: u64) -> String {
    let (mut days, of_day) = (seconds / DAY, seconds % DAY);
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    // 2025-01-01, and no leap year behind it in these tests.
    days -= 20_089;
    let (mut year, mut month) = (2025, 0);
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
        if month == 12 {
            (year, month) = (year + 1, 0);
        }
    }
    format!("{year}-{:02}-{:02}T{:02}:{:02}:00Z", month + 1, days + 1, of_day / 3_600, of_day / 60 % 60)
}

fn check(scene: &Scene, shop: &Shop, seed: u64) {
    let mut all = String::new();
    for Sold { id, changed, n, has_note, .. } in &shop.sold {
        let _ = writeln!(all, "{id}|{changed}|{n}|{}", if *has_note { "x" } else { "" });
    }
    for table in ["by_window", "by_mark"] {
        let rows = scene.db.lines(&format!(
            "SELECT id, extract(epoch FROM changed)::int, n, coalesce(note, '') FROM {table} ORDER BY id"
        ));
        let rows = rows.iter().fold(String::new(), |text, row| text + row + "\n");
        assert_eq!(rows, all, "seed {seed}: {table}");
    }
    let twice = "SELECT count(*) FROM _dbload.job_window a JOIN _dbload.job_window b USING (job, load) \
                 WHERE a.starts_at < b.starts_at AND a.ends_at > b.starts_at";
    assert_eq!(scene.db.one(twice), "0", "seed {seed}: windows overlap");
    audit(&scene.db);
}

#[test]
fn a_fortnight_ends_as_one_full_load_would() {
    play(fresh_seed(), 14);
}

#[test]
#[ignore = "a campaign: make nights"]
fn sixty_nights_end_as_one_full_load_would() {
    let seeds = std::env::var("NIGHTS_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    for _ in 0..seeds {
        play(fresh_seed(), 60);
    }
}

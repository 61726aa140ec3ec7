//! Failovers: a primary is lost under a load, and its standby promoted. Of two seeds one has a standby that
//! lags: commits that were acknowledged are lost with the primary, and must be noticed and loaded again.

use super::{load::Load, tally::Tally};
use crate::support::{
    Database, Folder, Rng,
    pair::{Pair, SYNCHRONOUS},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Plays a seed; a failure is told and counted, not raised.
pub fn seed(seed: u64) -> Tally {
    let mut tally = Tally::default();
    let played = catch_unwind(AssertUnwindSafe(|| promote(seed, &mut tally)));
    tally.seeds = 1;
    if let Err(panic) = played {
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        tally.hangs += u64::from(text.starts_with("no end"));
        tally.failed.push(format!("seed {seed} ({})", text.lines().next().unwrap_or_default()));
        println!("--- FAILED; again with: PROMOTIONS=1 SEED={seed} make torture\n{text}\n---");
    }
    tally
}

fn promote(seed: u64, tally: &mut Tally) {
    let mut rng = Rng::from_seed(seed);
    let lags = seed % 2 == 1;
    let pair = Pair::with("pair", if lags { "wal_level = replica" } else { SYNCHRONOUS });
    let (old, folder) = (Database::connect(&pair.primary.dsn("pair")), Folder::new());
    let load = Load::draw(&mut rng, 0).longer();
    load.lay_out(&old, &folder);
    // Some three seconds, whatever the pool and the batches.
    let seconds = 3.0 / load.records as f64 * (load.batch_rows * load.pool) as f64;
    old.sql(&format!(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({seconds}); \
         RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT ON t0 FOR EACH STATEMENT EXECUTE FUNCTION slow()"
    ));
    pair.catch_up();
    let mut running = load.dbload(&folder, &pair.url("pair")).spawn();
    tally.starts += 1;
    let mut further = |batches: u64| {
        let (from, until) = (committed(&old), Instant::now() + PATIENCE);
        while committed(&old) < from + batches && running.is_running() {
            assert!(Instant::now() < until, "no batches");
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    further(1 + rng.below(4));
    if lags {
        pair.catch_up();
        pair.standby.stop_fast().unwrap();
        further(1 + rng.below(4));
    }
    let acknowledged = committed(&old);
    pair.primary.kill9();
    let was_running = running.is_running();
    std::thread::sleep(Duration::from_millis(rng.below(500)));
    if lags {
        pair.standby.restart().unwrap();
    }
    pair.standby.promote().unwrap();
    let new = Database::connect(&pair.standby.dsn("pair"));
    // It may have committed again since.
    let has_lost = committed(&new) < acknowledged;
    let outcome = running.wait();
    if lags {
        tally.count("promotion, lagging", u64::from(was_running && has_lost));
    } else {
        tally.count("promotion", u64::from(was_running));
    }
    tally.loads += 1;
    tally.records += load.records;
    let wrong = load.check(&new, &outcome, None);
    tally.wrong(&wrong);
    assert!(wrong.words.is_empty(), "wrong: {}\n{load:?}\n{outcome}", wrong.words.join("; "));
}

fn committed(db: &Database) -> u64 {
    db.try_rows("SELECT coalesce(sum(batches), 0) FROM _dbload.checkpoint")
        .map_or(0, |(rows, _)| rows[0][0].as_ref().unwrap().parse().unwrap())
}

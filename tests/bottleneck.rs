//! Where the time went: the report names what stood in the way of a faster load.
//!
//! Each scene makes one of source, loader and server slow by means that have nothing to do with how it is
//! measured, and the figures are held against clocks of the test's own.

use crate::support::{Outcome, Scene};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

const ITEMS: &str = "CREATE UNLOGGED TABLE items (id int PRIMARY KEY, name text)";

struct Where {
    seconds: serde_json::Value,
    bottleneck: String,
}

impl Where {
    #[track_caller]
    fn of(outcome: &Outcome) -> Self {
        let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        let bottleneck = report["bottleneck"].as_str().unwrap_or_default().to_owned();
        Self { seconds: report["seconds"].clone(), bottleneck }
    }

    #[track_caller]
    fn seconds(&self, what: &str) -> f64 {
        self.seconds[what].as_f64().unwrap_or_else(|| panic!("no {what} in {}", self.seconds))
    }
}

fn items(n: u32) -> String {
    (0..n).fold(String::new(), |mut text, id| {
        let _ = writeln!(text, r#"{{"id":{id},"name":"item {id}"}}"#);
        text
    })
}

#[test]
fn a_pipe_that_gives_its_records_slowly_is_the_bottleneck() {
    const PAUSE: Duration = Duration::from_millis(150);
    const PAUSES: u32 = 10;
    let scene = Scene::with(ITEMS);
    let outcome = scene
        .dbload("- --format jsonl --table items")
        .stdin_stream(|pipe| {
            for line in items(PAUSES).lines() {
                writeln!(pipe, "{line}")?;
                pipe.flush()?;
                std::thread::sleep(PAUSE);
            }
            Ok(())
        })
        .run()
        .exits(0);
    let found = Where::of(&outcome);
    assert_eq!(found.bottleneck, "source", "{}", found.seconds);
    // The sample takes some of the pauses, before the pipeline.
    let waited = found.seconds("waiting_for_source");
    let most = (PAUSE * PAUSES).as_secs_f64();
    assert!(waited > most * 0.5 && waited < outcome.elapsed.as_secs_f64(), "{waited} of {most}: {outcome}");
    assert!(found.seconds("waiting_for_writer") < most * 0.5, "{}", found.seconds);
    assert_eq!(scene.db.one("SELECT count(*) FROM items"), PAUSES.to_string());
}

#[test]
fn a_server_that_takes_its_time_is_the_bottleneck() {
    const STATEMENT_SECONDS: f64 = 0.25;
    let scene = Scene::with(ITEMS);
    scene.sql(&format!(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({STATEMENT_SECONDS}); \
         RETURN NULL; END $$;
         CREATE TRIGGER wait AFTER INSERT ON items FOR EACH STATEMENT EXECUTE FUNCTION wait()"
    ));
    scene.file("items.jsonl", items(2_000));
    let outcome = scene.dbload("items.jsonl --batch-rows 200 --pool-size 1").run().exits(0);
    let (found, batches) = (Where::of(&outcome), outcome.report().pool.batches);
    assert_eq!(found.bottleneck, "server", "{}", found.seconds);
    assert!(batches >= 10, "{batches}");
    // All batches slept in the table's trigger; the first ones did before anybody waited for them.
    let slept = 10.0 * STATEMENT_SECONDS;
    let written = found.seconds("copying") + found.seconds("merging");
    assert!(written >= slept && written < outcome.elapsed.as_secs_f64(), "{written} of {slept}: {outcome}");
    assert!(found.seconds("waiting_for_writer") > slept * 0.6, "{}", found.seconds);
    assert!(found.seconds("waiting_for_source") < slept * 0.3, "{}", found.seconds);

    // People are told as well.
    scene.sql("TRUNCATE items");
    let told = scene.plain("items.jsonl --batch-rows 200 --pool-size 1 --restart").run().exits(0);
    assert!(told.stdout.contains("bottleneck: the server ("), "{told}");
}

#[test]
fn records_that_are_dear_to_decode_make_the_loader_the_bottleneck() {
    let scene = Scene::with(ITEMS);
    // Nine parts in ten of each record have no column: bytes that only this program ever sees.
    let others = (0..300).fold(String::new(), |mut text, n| {
        let _ = write!(text, r#","field_{n}":{{"deep":[{n},"text \u00e9 \" {n}",null]}}"#);
        text
    });
    let text = (0..1_500).fold(String::new(), |mut text, id| {
        let _ = writeln!(text, r#"{{"id":{id}{others},"name":"item {id}"}}"#);
        text
    });
    scene.file("wide.jsonl", text);
    let began = Instant::now();
    let outcome = scene.dbload("wide.jsonl --table items --extra ignore").run().exits(0);
    let found = Where::of(&outcome);
    assert_eq!(found.bottleneck, "loader", "{}", found.seconds);
    let decoding = found.seconds("decoding");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let all = began.elapsed().as_secs_f64() * f64::from(u32::try_from(cores).unwrap());
    assert!(decoding > 0.0 && decoding < all, "{decoding} of {all}: {outcome}");
    assert!(decoding > found.seconds("copying") + found.seconds("merging"), "{}", found.seconds);
    assert_eq!(scene.db.one("SELECT count(*) FROM items"), "1500");
}

#[test]
fn the_parts_of_the_pipelines_time_are_within_it_and_a_short_load_says_nothing_to_people() {
    let scene = Scene::with(ITEMS);
    scene.file("items.jsonl", items(100));
    let outcome = scene.dbload("items.jsonl").run().exits(0);
    let found = Where::of(&outcome);
    let pipeline = found.seconds("pipeline");
    assert!(pipeline > 0.0 && pipeline < outcome.elapsed.as_secs_f64(), "{}", found.seconds);
    let waited = found.seconds("waiting_for_source") + found.seconds("waiting_for_writer");
    assert!(waited <= pipeline, "{}", found.seconds);
    for part in ["reading", "decoding", "copying", "committing"] {
        assert!(found.seconds(part) > 0.0, "{part}: {}", found.seconds);
    }
    assert!(["source", "loader", "server"].contains(&&*found.bottleneck));
    if pipeline < 1.0 {
        let told = scene.plain("items.jsonl --again").run().exits(0);
        assert!(!told.stdout.contains("bottleneck"), "{told}");
    }
}

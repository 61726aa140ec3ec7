//! What is seen of a load: its record of events, and what is drawn from it.

mod events;
mod lineage;
mod metrics;
mod otel;
mod picture;
mod progress;
mod receivers;
mod resources;

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Scene;

/// The events of a file, each checked by the schema that docs/events.md names.
#[track_caller]
fn events(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| checked(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
}

fn checked(line: &str) -> Result<Value, String> {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.schema.json");
        let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    });
    let event: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    SCHEMA.validate(&event).map_err(|error| error.to_string())?;
    Ok(event)
}

/// Waits for what another process does.
#[track_caller]
fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < Duration::from_secs(60), "no {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Those of one kind.
fn of_kind<'e>(events: &'e [Value], kind: &'e str) -> impl Iterator<Item = &'e Value> {
    events.iter().filter(move |event| event["kind"] == kind)
}

/// The sum of a field.
fn sum<'e>(events: impl Iterator<Item = &'e Value>, pointer: &str) -> u64 {
    events.map(|event| event.pointer(pointer).unwrap().as_u64().unwrap()).sum()
}

/// A table of numbers, and so many lines of JSON for it, each tenth of which is no number.
fn numbers(scene: &Scene, records: u64) {
    scene.sql("CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n < 1000000))");
    let line = |id: u64| match id % 10 {
        0 => format!("{{\"id\":{id},\"n\":\"canary{id}\"}}\n"),
        _ => format!("{{\"id\":{id},\"n\":{id}}}\n"),
    };
    scene.file("t.jsonl", (1..=records).map(line).collect::<String>());
}

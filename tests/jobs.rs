//! `dbload run`: the loads of a job file, with one budget, in their order, resumable by name.

mod backfill;
mod figures;
mod file;
mod look;
mod morning;
mod nights;
mod order;
mod references;
mod runs;
mod shared;
mod show;
mod told;
mod warehouse;
mod watermarks;
mod windows;

use crate::support::{Dbload, Outcome, Scene};
use serde_json::Value;
use std::collections::BTreeMap;

/// A scene with a job file.
fn scene(file: &str) -> Scene {
    let scene = Scene::new();
    scene.file("dbload.toml", file);
    scene
}

/// `dbload run` with these words, for a program.
fn run(scene: &Scene, line: &str) -> Dbload {
    scene.dbload(&format!("run {line}"))
}

/// What `--json` said: each load's line, and the file's.
struct Said {
    loads: BTreeMap<String, Value>,
    job: Value,
}

impl Said {
    #[track_caller]
    fn by(outcome: &Outcome) -> Self {
        let mut lines: Vec<Value> = outcome
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {outcome}")))
            .collect();
        let job = lines.pop().unwrap_or_else(|| panic!("no line: {outcome}"));
        let loads = lines.into_iter().map(|line| (line["load"].as_str().unwrap().to_owned(), line)).collect();
        Self { loads, job }
    }

    fn state(&self, load: &str) -> &str {
        assert_eq!(self.loads[load]["state"], self.job["loads"][load]);
        self.loads[load]["state"].as_str().unwrap()
    }

    fn rows(&self, load: &str, book: &str) -> u64 {
        self.loads[load]["report"]["rows"][book].as_u64().unwrap()
    }
}

//! Generated texts whose meaning is known, since they are written from it: what is stored means the same, and
//! what has no loss is stored. Nothing here asks the program what it thinks of a text.
//!
//! `VALUES_PER_TYPE=20000 cargo test --test main values::property` for a million of them.

mod numbers;
mod others;
mod texts;
mod times;

use crate::rows;
use crate::support::{Rng, Scene};

/// A text, and how the server must show it; `None`: it is a reject.
struct Case {
    text: String,
    shown: Option<String>,
}

impl Case {
    fn kept(text: impl Into<String>, shown: impl Into<String>) -> Self {
        Self { text: text.into(), shown: Some(shown.into()) }
    }

    /// It is shown as it is.
    fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { shown: Some(text.clone()), text }
    }

    fn refused(text: impl Into<String>) -> Self {
        Self { text: text.into(), shown: None }
    }
}

type Draw = fn(&mut Rng) -> Case;

/// Type, how its values are drawn, and what shows them.
type Kind = (&'static str, Draw, &'static str);

/// What the types above need to be there.
const OWN: &str = "CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy'); \
    CREATE TYPE priced AS (name varchar(3), price numeric(9,1)); CREATE DOMAIN price AS numeric(12,2)";

fn values_per_type() -> usize {
    std::env::var("VALUES_PER_TYPE").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

#[track_caller]
fn check(kinds: &[Kind]) {
    let mut rng = Rng::new();
    let many = values_per_type();
    let scene = Scene::with(OWN);
    for (n, (ty, draw, shown)) in kinds.iter().enumerate() {
        let cases: Vec<Case> = (0..many).map(|_| draw(&mut rng)).collect();
        scene.sql(&format!("CREATE TABLE t{n} (id int PRIMARY KEY, v {ty})"));
        let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        // Beside each a record without a value: of a sample that is mostly rejects nothing is loaded.
        let line = |(i, case): (usize, &Case)| format!("{i},{}\n-{},\n", quote(&case.text), i + 1);
        let lines: String = cases.iter().enumerate().map(line).collect();
        scene.file(&format!("t{n}.csv"), format!("id,v\n{lines}"));
        let outcome = scene.run(&format!("t{n}.csv"));
        let stored = format!("SET TimeZone = 'UTC'; SELECT id, {shown} FROM t{n} WHERE id >= 0 ORDER BY id");
        let mut stored = scene.db.rows(&stored).into_iter().peekable();
        for (i, case) in cases.iter().enumerate() {
            let found = stored.next_if(|row| row[0].as_deref() == Some(i.to_string().as_str()));
            let found = found.map(|mut row| row.remove(1).unwrap_or_default());
            assert_eq!(found, case.shown, "{ty}: {:?}", case.text);
        }
        let kept = cases.iter().filter(|case| case.shown.is_some()).count();
        let (many, rejected) = (2 * many as u64, (many - kept) as u64);
        assert_eq!(outcome.rows(), rows!(read: many, inserted: many - rejected, rejected: rejected), "{ty}");
        // A comparison says the same.
        let verified = scene.run(&format!("verify t{n}.csv")).exits(if rejected > 0 { 3 } else { 0 });
        let found: serde_json::Value = serde_json::from_str(verified.stdout.trim()).unwrap();
        let counts = ["equal", "rejected"].map(|count| found[count].as_u64());
        assert_eq!(counts, [Some(many - rejected), Some(rejected)], "{ty}");
    }
}

#[test]
fn numbers_that_are_stored_are_the_numbers_of_their_texts() {
    check(&numbers::KINDS);
}

#[test]
fn times_that_are_stored_are_the_times_of_their_texts() {
    check(&times::KINDS);
}

#[test]
fn texts_that_are_stored_are_their_texts() {
    check(&texts::KINDS);
}

#[test]
fn values_of_other_types_that_are_stored_are_those_of_their_texts() {
    check(&others::KINDS);
}

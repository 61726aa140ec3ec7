//! Faults inside the server: a trigger that strikes while a sequence is in a range. Sequences do not roll
//! back, so "fails k times, then works" is deterministic.

use super::Database;

/// What a trigger does, in PL/pgSQL.
pub fn raise(sqlstate: &str) -> String {
    format!("RAISE 'injected' USING ERRCODE = '{sqlstate}'")
}

/// The session that it runs in ends.
pub const TERMINATE: &str = "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5)";

pub fn sleep(seconds: f64) -> String {
    format!("PERFORM pg_sleep({seconds})")
}

/// A trigger that counts its calls and strikes in some of them.
pub struct Inject<'a> {
    /// `AFTER INSERT ON t FOR EACH STATEMENT`, `BEFORE ..`, or a constraint trigger's.
    pub when: &'a str,
    /// Calls in which it strikes, from 1.
    pub calls: std::ops::RangeInclusive<u64>,
    /// What it does then.
    pub what: &'a str,
}

impl Inject<'_> {
    /// Creates the trigger; one a database.
    #[track_caller]
    pub fn create_in(&self, db: &Database) {
        let kind = if self.when.contains("DEFERRABLE") { "CONSTRAINT TRIGGER" } else { "TRIGGER" };
        let (from, to) = (self.calls.start(), self.calls.end());
        let returns = if self.when.starts_with("BEFORE") { "NEW" } else { "NULL" };
        // The role that loads owns none of it.
        db.sql(&format!(
            "CREATE SEQUENCE inject; GRANT USAGE ON SEQUENCE inject TO PUBLIC; \
             CREATE FUNCTION inject() RETURNS trigger LANGUAGE plpgsql AS $$ \
             DECLARE call bigint := nextval('public.inject'); BEGIN \
             IF call BETWEEN {from} AND {to} THEN {}; END IF; RETURN {returns}; END $$; \
             CREATE {kind} inject {} EXECUTE FUNCTION inject()",
            self.what, self.when
        ));
    }
}

/// How often the trigger was called: it struck if that is beyond the first of its calls.
#[track_caller]
pub fn calls(db: &Database) -> u64 {
    db.one("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM inject").parse().unwrap()
}

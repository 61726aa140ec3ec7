//! The target is changed under a load, and what was done is undone: the load goes on where the change means
//! nothing to it, else it ends with 5 or 8, and the same command (or what the hint says) completes it.

use super::{load::Load, play::Play};
use crate::support::Rng;
use std::time::{Duration, Instant};

/// A load that must end has ended by then.
const END: Duration = Duration::from_secs(60);
/// Commits of a load that goes on, or as long as this.
const FURTHER: (u64, Duration) = (3, Duration::from_secs(5));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ddl {
    /// A trigger that changes nothing.
    Trigger,
    /// A unique index that no two rows have a quarrel about.
    UniqueIndex,
    /// The primary key goes.
    KeyDropped,
    /// It goes, and is there again at once.
    KeyMadeAgain,
    ColumnRenamed,
    /// Another table has the name.
    Swapped,
    /// SET UNLOGGED, or LOGGED where it is unlogged.
    Logging,
    PartitionDetached,
    PartitionAttached,
    /// The table, or its first partition.
    Truncated,
}

/// How a change is made and undone, and what it must come to.
struct Change {
    made: String,
    undone: String,
    /// The load must end.
    matters: bool,
    /// Nobody can tell afterwards whose rows these are: the hint is to begin anew.
    rewrites: bool,
}

impl Ddl {
    /// One that this load's table can be changed by.
    pub fn draw(rng: &mut Rng, load: &Load) -> Self {
        let all = [
            Self::Trigger,
            Self::UniqueIndex,
            Self::KeyDropped,
            Self::KeyMadeAgain,
            Self::ColumnRenamed,
            Self::Swapped,
            Self::Logging,
            Self::PartitionDetached,
            Self::PartitionAttached,
            Self::Truncated,
        ];
        rng.pick(&all.into_iter().filter(|ddl| ddl.of(load).is_some()).collect::<Vec<_>>())
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Trigger => "ddl, trigger",
            Self::UniqueIndex => "ddl, unique index",
            Self::KeyDropped => "ddl, key dropped",
            Self::KeyMadeAgain => "ddl, key made again",
            Self::ColumnRenamed => "ddl, column renamed",
            Self::Swapped => "ddl, swapped",
            Self::Logging => "ddl, logging",
            Self::PartitionDetached => "ddl, partition detached",
            Self::PartitionAttached => "ddl, partition attached",
            Self::Truncated => "ddl, truncated",
        }
    }

    /// The change of the table of a load, where it can be made.
    fn of(self, load: &Load) -> Option<Change> {
        let t = &load.table;
        let change = |made: String, undone: String, matters: bool| {
            Some(Change { made, undone, matters, rewrites: false })
        };
        match self {
            Self::Trigger => change(
                format!(
                    "CREATE OR REPLACE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
                     CREATE TRIGGER pass BEFORE INSERT OR UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION pass()"
                ),
                format!("DROP TRIGGER pass ON {t}"),
                false,
            ),
            Self::UniqueIndex => change(
                format!("CREATE UNIQUE INDEX {t}_odd ON {t} (id, v)"),
                format!("DROP INDEX {t}_odd"),
                false,
            ),
            Self::KeyDropped | Self::KeyMadeAgain if !load.keyed => None,
            Self::KeyDropped => change(
                format!("ALTER TABLE {t} DROP CONSTRAINT {t}_pkey"),
                format!("ALTER TABLE {t} ADD PRIMARY KEY (id)"),
                true,
            ),
            Self::KeyMadeAgain => change(
                format!("ALTER TABLE {t} DROP CONSTRAINT {t}_pkey; ALTER TABLE {t} ADD PRIMARY KEY (id)"),
                String::new(),
                false,
            ),
            Self::ColumnRenamed => change(
                format!("ALTER TABLE {t} RENAME COLUMN note TO gone"),
                format!("ALTER TABLE {t} RENAME COLUMN gone TO note"),
                true,
            ),
            // The other one is dropped only where nothing of the load has come to lie in it.
            Self::Swapped => change(
                format!("ALTER TABLE {t} RENAME TO {t}_old; CREATE TABLE {t} (LIKE {t}_old INCLUDING ALL)"),
                format!(
                    "DO 'BEGIN ASSERT NOT EXISTS (SELECT FROM {t}), ''rows in the other table''; END'; \
                     DROP TABLE {t}; ALTER TABLE {t}_old RENAME TO {t}"
                ),
                true,
            ),
            Self::Logging if load.parted => None,
            Self::Logging => {
                let (made, undone) =
                    if load.unlogged { ("LOGGED", "UNLOGGED") } else { ("UNLOGGED", "LOGGED") };
                Some(Change {
                    made: format!("ALTER TABLE {t} SET {made}"),
                    undone: format!("ALTER TABLE {t} SET {undone}"),
                    matters: true,
                    rewrites: true,
                })
            }
            Self::PartitionDetached | Self::PartitionAttached if !load.parted => None,
            Self::PartitionDetached => change(
                format!("ALTER TABLE {t} DETACH PARTITION {t}_high"),
                format!(
                    "ALTER TABLE {t} ATTACH PARTITION {t}_high FOR VALUES FROM ({}) TO (MAXVALUE)",
                    load.keys / 2
                ),
                true,
            ),
            Self::PartitionAttached => change(
                format!("CREATE TABLE {t}_below PARTITION OF {t} FOR VALUES FROM (MINVALUE) TO (-9)"),
                String::new(),
                false,
            ),
            Self::Truncated => {
                let part = if load.parted { format!("{t}_low") } else { t.clone() };
                Some(Change {
                    made: format!("CREATE TABLE {t}_saved AS SELECT * FROM {part}; TRUNCATE {part}"),
                    undone: format!("INSERT INTO {part} SELECT * FROM {t}_saved"),
                    matters: true,
                    rewrites: true,
                })
            }
        }
    }
}

impl Play<'_> {
    pub fn change(&mut self, ddl: Ddl) -> u64 {
        // Before there is a batch in it the table is nobody's: what is planned then is planned for the table
        // as it is.
        let batches = format!(
            "SELECT count(*) FROM _dbload.checkpoint JOIN _dbload.run USING (run) \
             WHERE state = 'running' AND target_oid = '{}'::regclass AND batches > 0",
            self.load.table
        );
        let is_begun =
            self.control.try_rows(&batches).is_ok_and(|(rows, _)| rows[0][0].as_deref() != Some("0"));
        let twice = self.control.has_table(&format!("{}_saved", self.load.table))
            || self.control.has_table(&format!("{}_below", self.load.table));
        let Some(change) = ddl.of(&self.load).filter(|_| is_begun && !twice) else { return 0 };
        let made = format!("BEGIN; SET LOCAL lock_timeout = '3s'; {}; COMMIT", change.made);
        if let Err(error) = self.control.try_sql(&made) {
            // It has waited too long, or was the victim of a deadlock.
            self.note(&format!("not made: {error}"));
            let _ = self.control.try_sql("ROLLBACK");
            return 0;
        }
        self.is_changed = true;
        let (from, began) = (self.proxy.commits(), Instant::now());
        let goes_on = loop {
            if let Some(running) = &mut self.running
                && !running.is_running()
            {
                break false;
            }
            assert!(began.elapsed() < END, "no end of a load whose target was changed: {ddl:?}");
            let (commits, long) = FURTHER;
            if !change.matters && (self.proxy.commits() >= from + commits || began.elapsed() > long) {
                break true;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        self.undo(&change);
        if goes_on {
            return 1;
        }
        let outcome = self.running.take().unwrap().wait();
        match outcome.code() {
            5 | 8 => {
                // A start that had not planned yet finds another table than its run has written to.
                let said =
                    ["was changed while it was loaded", "the target of the unfinished run", "other settings"];
                assert!(said.iter().any(|said| outcome.stderr.contains(said)), "{ddl:?}: {outcome}");
                self.note(&outcome.stderr);
                if change.rewrites {
                    self.must_begin_anew(false);
                }
                1
            }
            // It had not planned yet, and the table did not fit.
            6 if change.matters => {
                self.note(&outcome.stderr);
                1
            }
            // It was at its end.
            _ => {
                self.ended(outcome);
                0
            }
        }
    }

    /// Whoever still uses the table is waited for.
    fn undo(&mut self, change: &Change) {
        let until = Instant::now() + END;
        while !change.undone.is_empty() {
            let Err(error) = self.control.try_sql(&format!("BEGIN; {}; COMMIT", change.undone)) else {
                return;
            };
            self.control.try_sql("ROLLBACK").unwrap();
            let is_deadlock = error.code().is_some_and(|code| code.code() == "40P01");
            assert!(is_deadlock && Instant::now() < until, "{}: {error:?}", change.undone);
        }
    }
}

//! Which path a batch may take: judged from the catalog's facts about the table, each with its reason in words.

use super::{Mode, Table, Unusable};

/// Facts of the table that decide the path of a batch.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Every batch takes the careful path, for this reason.
    pub always_careful: Option<&'static str>,
    /// Rows that are new may be copied straight into the table; or why not.
    pub straight: Result<(), &'static str>,
    /// Something besides the key ties records together: which of two is refused may depend on their order.
    pub tied: bool,
    /// Folding records of one key would show, for this reason: batches with repeated keys take the careful path.
    pub folding_shows: Option<&'static str>,
    /// A trigger or policy may swallow rows: what was not stored must be counted, not assumed.
    pub may_swallow: bool,
    /// Ordinals in [`Table::unique`] of the other unique indexes whose values a batch may move between keys.
    pub other_unique: Vec<usize>,
}

impl Paths {
    /// Judges a table.
    #[must_use]
    pub fn of(table: &Table, key_index: Option<usize>, mode: Mode) -> Self {
        let merges = matches!(mode, Mode::Upsert | Mode::Update);
        let others: Vec<usize> = (0..table.unique.len()).filter(|&i| Some(i) != key_index).collect();
        let opaque = others.iter().any(|&i| {
            let index = &table.unique[i];
            // Of a partial one, a record may let another's value in or out without touching the value.
            index.columns.is_empty()
                || index.unusable == Some(Unusable::Partial)
                || index.columns.iter().any(|&c| table.columns[c].generated)
        });
        let always_careful = if table.references_itself {
            Some("a foreign key to the table itself makes the order of records matter")
        } else if merges && table.has_exclusions {
            Some("an exclusion constraint ties records of different keys together")
        } else if merges && opaque {
            Some(
                "a unique index that is partial, or over an expression or generated column, ties records together",
            )
        } else {
            None
        };
        let folding_shows = [
            (table.has_checks, "CHECK constraints judge each record"),
            (table.has_foreign_keys, "foreign keys judge each record"),
            (table.has_exclusions, "exclusion constraints judge each record"),
            (!others.is_empty(), "another unique index judges each record"),
            (table.has_row_triggers, "row triggers see each record"),
            (table.has_row_security, "row-level security judges each record"),
            (table.has_generated, "generated columns may refuse a record"),
            (table.has_index_expressions, "index expressions may refuse a record"),
            (table.columns.iter().any(|c| c.domain_base.is_some()), "domains judge each record"),
        ]
        .into_iter()
        .find_map(|(holds, why)| holds.then_some(why));
        let straight = if let Some(why) = always_careful {
            Err(why)
        } else if table.has_row_security {
            Err("the server takes none where row-level security applies")
        } else if table.has_row_triggers {
            Err("row triggers of the table see each record")
        } else {
            Ok(())
        };
        Self {
            always_careful,
            straight,
            tied: table.references_itself || table.has_exclusions || !others.is_empty(),
            folding_shows,
            may_swallow: table.has_before_row_triggers || table.has_row_security,
            other_unique: if merges { others } else { Vec::new() },
        }
    }
}

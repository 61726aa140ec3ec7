//! Which path a batch may take: judged from the catalog's facts about the table, each with its reason in
//! words.

use super::{Identity, MergePolicy, Mode, Table};

/// Facts of the table that decide the path of a batch.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Every batch takes the careful path, for this reason.
    pub always_careful: Option<&'static str>,
    /// Rows that are new may be copied straight into the table; or why not.
    pub straight: Result<(), &'static str>,
    /// Something besides the key ties records together: which of two is refused may depend on their order.
    pub tied: bool,
    /// Folding records of one key would show, for this reason: batches with repeated keys take the careful
    /// path.
    pub folding_shows: Option<&'static str>,
    /// A trigger or policy may swallow rows: what was not stored must be counted, not assumed.
    pub may_swallow: bool,
    /// A trigger may put rows into child tables: what an insert does not count may be there.
    pub moves_rows: bool,
    /// Ordinals in [`Table::unique`] of the other unique indexes whose values a batch may move between keys.
    pub other_unique: Vec<usize>,
}

impl Paths {
    /// Tells which paths a table allows.
    #[must_use]
    pub fn of(table: &Table, key_index: Option<usize>, mode: Mode) -> Self {
        let merges = matches!(mode, Mode::Upsert | Mode::Update);
        let others = table.ties(key_index);
        let opaque = others.iter().any(|&i| {
            let index = &table.unique[i];
            index.is_opaque() || index.columns.iter().any(|&c| table.columns[c].generated)
        });
        let own_equality = key_index.is_some_and(|key| table.unique[key].is_opaque());
        // What a BEFORE trigger returns nothing for it may have put into a child table.
        let moves_rows = table.has_children && table.has_before_row_triggers;
        let always_careful = if table.references_itself {
            Some("a foreign key to the table itself makes the order of records matter")
        } else if merges && table.has_exclusions {
            Some("an exclusion constraint ties records of different keys together")
        } else if merges && opaque {
            Some(
                "a unique index that is partial, or over an expression or generated column, or of an operator class with an equality of its \
                 own, ties records together",
            )
        } else if own_equality {
            Some("the key's index has an operator class with an equality of its own")
        } else if moves_rows {
            Some("a BEFORE trigger may put rows into child tables")
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
        } else if table.has_children && key_index.is_some() {
            Err("keys may be stored in child tables, whose rows the key's index does not know")
        } else {
            Ok(())
        };
        Self {
            always_careful,
            straight,
            tied: table.references_itself || table.has_exclusions || !others.is_empty(),
            folding_shows,
            moves_rows,
            may_swallow: table.has_before_row_triggers || table.has_row_security,
            other_unique: if merges { others } else { Vec::new() },
        }
    }

    /// The same, where columns (by their ordinals) have policies of their own.
    #[must_use]
    pub fn with_policies(
        mut self,
        table: &Table,
        key_index: Option<usize>,
        policies: &[(usize, MergePolicy)],
    ) -> Self {
        let others = table.ties(key_index);
        let is_tied = |column: &usize| others.iter().any(|&i| table.unique[i].columns.contains(column));
        if policies.iter().any(|(column, _)| is_tied(column)) {
            self.always_careful = self
                .always_careful
                .or(Some("a merge policy decides which value of another unique index is stored"));
            self.straight = self.straight.and(Err("a merge policy is of a column of another unique index"));
        }
        let has_default = |column: usize| {
            let column = &table.columns[column];
            column.default.is_some() || column.identity != Identity::No
        };
        for &(column, policy) in policies {
            let shows = match policy {
                MergePolicy::Overwrite => None,
                MergePolicy::InsertOnly => Some("what is written by inserts only is the first record's"),
                policy if policy.goes_record_by_record() => {
                    Some("a merge policy builds on what each record before has left")
                }
                _ => has_default(column).then_some("a policy sees the default that a first record has left"),
            };
            self.folding_shows = self.folding_shows.or(shows);
            if policy == MergePolicy::Patch {
                self.straight = self.straight.and(Err("a patch is applied to nothing, and that is stored"));
            }
        }
        self
    }
}

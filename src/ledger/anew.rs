//! What it would mean to give an unfinished run up and begin anew: by what it did with records, and what of
//! it is stored.

use super::run::ACCUMULATING;

/// An unfinished run, as somebody must know it who would begin anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anew {
    /// The id of the run.
    pub run: String,
    /// The name of its mode.
    pub mode: String,
    /// The table, as SQL has it.
    pub table: String,
    /// Rows that it has inserted (or changed, where that counts once more each time), by its committed books,
    /// and that are still there, as far as is known.
    pub rows: u64,
    /// They are there, and can be seen.
    pub is_sure: bool,
}

impl Anew {
    /// All that it has inserted would be there twice.
    #[must_use]
    pub fn doubles(&self) -> bool {
        matches!(self.mode.as_str(), "append" | ACCUMULATING) && self.rows > 0
    }

    /// What becomes of its rows when it is given up.
    #[must_use]
    pub fn left(&self) -> Option<String> {
        let Self { rows, table, is_sure, .. } = self;
        let if_so = if *is_sure { "" } else { ", if they are there" };
        (*rows > 0).then(|| format!("{} that it has inserted stay in {table}{if_so}", counted(*rows)))
    }

    /// How to begin anew.
    #[must_use]
    pub fn advice(&self) -> String {
        let Self { mode, table, rows, .. } = self;
        let many = counted(*rows);
        match mode.as_str() {
            _ if *rows == 0 => "--restart loads all sources from their start".to_owned(),
            "append" | ACCUMULATING => format!("to begin anew, {}", self.delete_first()),
            "ignore" => format!(
                "--restart loads all sources from their start, and leaves {many} that it has inserted into {table} \
                 as they are (mode ignore)"
            ),
            _ => format!(
                "--restart loads all sources from their start, over {many} that it has inserted into {table}; a row whose \
                 key is not in the sources any more stays"
            ),
        }
    }

    /// What an append needs before it may begin anew.
    #[must_use]
    pub(super) fn delete_first(&self) -> String {
        let Self { table, rows, is_sure, mode, .. } = self;
        let rows = counted(*rows);
        if mode == ACCUMULATING {
            return format!(
                "put back what {rows} of {table} held that it has inserted or changed, then add --restart --again"
            );
        }
        if !is_sure {
            return format!(
                "look whether {rows} that it has inserted are in {table}, and delete those that are, then add --restart --again"
            );
        }
        format!(
            "delete {rows} that it has inserted into {table} (TRUNCATE {table}, if there are no others), then add --restart \
             --again"
        )
    }
}

/// `1 row`, `the 5 rows`.
pub(super) fn counted(rows: u64) -> String {
    if rows == 1 { "the 1 row".to_owned() } else { format!("the {rows} rows") }
}

//! Names and expressions that all statements of a batch share.
//!
//! Staging columns are named by slot (`c0`, `c1`, ..), so that no column of the target can clash: `s0` is the
//! sequence number, `h0`, `h1`, .. are the presence words. Everything is qualified: `search_path` is not
//! ours.

use std::fmt::Write as _;

use crate::batch::Batch;
use crate::ledger::{EPOCH_SETTING, LedgerRef, merge_patch};
use crate::map::{PRESENCE_WORD_BITS, Slot};
use crate::pg::mark;
use crate::schema::{Column, Equality, Identity, MergePolicy, PgType};

use super::settings;
use crate::write::plan::{Staging, WritePlan};

/// The typed staging table.
pub(in crate::write) const STAGE: &str = "pg_temp.dbload_stage";
/// Staging of rows whose values are yet to be converted, all text.
pub(in crate::write) const TEXT: &str = "pg_temp.dbload_text";
/// Staged rows that were [set aside](super::aside).
pub(in crate::write) const ASIDE: &str = "pg_temp.dbload_aside";
/// What the server refused in this transaction.
pub(in crate::write) const REFUSED: &str = "pg_temp.dbload_refused";

/// Removes tables of these names that somebody else has left in the session: behind a pooler that keeps
/// sessions, another load, of another table. What is then made has the shape that it must have.
pub(in crate::write) const CLEAR: &str = "DROP TABLE IF EXISTS pg_temp.dbload_stage, pg_temp.dbload_text, pg_temp.dbload_aside, \
                                pg_temp.dbload_refused";

/// BEGIN with the settings of a batch: the same for all batches of a partition.
pub(in crate::write) fn begin(plan: &WritePlan, partition: u32, ledger: Option<&LedgerRef>) -> String {
    let marks = ledger.map(|ledger| mark(&ledger.run, partition));
    let mut sets = ledger.map_or_else(String::new, |l| settings::set(EPOCH_SETTING, &l.epoch.to_string()));
    // Behind a pooler, COPY's prepared statement may meet the name of another client's, and staging what
    // another left.
    let clear = match plan.staging {
        Staging::Transaction => {
            sets.push_str("DEALLOCATE ALL;\n");
            format!(";\n{CLEAR}")
        }
        Staging::Session => String::new(),
    };
    settings::begin(plan, &sets, marks.into_iter().collect()) + &clear
}

/// The last batch of a partition commits as the server would have it.
pub(in crate::write) const SYNCHRONOUS: &str = "SET LOCAL synchronous_commit TO DEFAULT";

/// The server's own counter of the rows that a session has put into the table. It is set back between
/// transactions, but not between any two: what this one has done is the difference.
pub(in crate::write) fn rows_inserted(plan: &WritePlan) -> String {
    format!("pg_catalog.pg_stat_get_xact_tuples_inserted({})", plan.table().oid)
}

fn on_commit(plan: &WritePlan) -> &'static str {
    match plan.staging {
        Staging::Session => "DELETE ROWS",
        Staging::Transaction => "DROP",
    }
}

fn presence_columns(plan: &WritePlan, select: impl Fn(usize) -> String) -> String {
    (0..words(plan)).fold(String::new(), |mut out, word| {
        let _ = write!(out, ", {}", select(word));
        out
    })
}

/// The typed staging table: types, lengths and collations of the target, without its constraints. Domains
/// stage as their base type: the domain's verdict belongs to the record's turn in the merge.
pub(in crate::write) fn staging(plan: &WritePlan) -> String {
    let table = plan.table();
    let columns: String = plan.mapping.slots.iter().enumerate().fold(String::new(), |mut out, (slot, &c)| {
        let column = &table.columns[c];
        let type_name = column.staged_type();
        let collate = column.collation.as_ref().map_or(String::new(), |name| format!(" COLLATE {name}"));
        let _ = write!(out, ", NULL::{type_name}{collate} AS c{slot}");
        out
    });
    format!(
        "CREATE TEMPORARY TABLE IF NOT EXISTS dbload_stage ON COMMIT {} AS SELECT 0::bigint AS s0{}{columns} WITH NO DATA",
        on_commit(plan),
        presence_columns(plan, |word| format!("0::bigint AS h{word}")),
    )
}

/// The staging table for values that are yet to be converted.
pub(in crate::write) fn text_staging(plan: &WritePlan) -> String {
    let columns: String = (0..plan.mapping.slots.len()).fold(String::new(), |mut out, slot| {
        let _ = write!(out, ", c{slot} pg_catalog.text");
        out
    });
    format!(
        "CREATE TEMPORARY TABLE IF NOT EXISTS dbload_text (s0 bigint{}{columns}) ON COMMIT {}",
        presence_columns(plan, |word| format!("h{word} bigint")),
        on_commit(plan),
    )
}

/// The table of staged rows that are set aside.
pub(in crate::write) fn aside_table(plan: &WritePlan) -> String {
    format!(
        "CREATE TEMPORARY TABLE IF NOT EXISTS dbload_aside ON COMMIT {} AS SELECT * FROM {STAGE} WITH NO DATA",
        on_commit(plan)
    )
}

/// The table of what the server refused.
pub(in crate::write) fn refused_table(plan: &WritePlan) -> String {
    format!(
        "CREATE TEMPORARY TABLE IF NOT EXISTS dbload_refused (s0 bigint, slot int, sqlstate pg_catalog.text, constraint_name pg_catalog.text, \
         column_name pg_catalog.text, reason pg_catalog.text) ON COMMIT {}",
        on_commit(plan)
    )
}

/// The COPY into a staging table for rows with these columns.
pub(in crate::write) fn copy(into: &str, columns: &[Slot], skip_errors: bool) -> String {
    let mut words: Vec<usize> = columns.iter().map(|slot| slot / PRESENCE_WORD_BITS).collect();
    words.dedup();
    let mut list = String::from("s0");
    for word in words {
        let _ = write!(list, ", h{word}");
    }
    for slot in columns {
        let _ = write!(list, ", c{slot}");
    }
    let options = if skip_errors { "FORMAT text, ON_ERROR ignore" } else { "FORMAT text" };
    format!("COPY {into} ({list}) FROM STDIN WITH ({options})")
}

fn words(plan: &WritePlan) -> usize {
    plan.mapping.slots.len().div_ceil(PRESENCE_WORD_BITS)
}

/// Whether a row of `source` has a value for this slot.
pub(in crate::write) fn presence(plan: &WritePlan, source: &str, slot: Slot) -> String {
    let word = slot / PRESENCE_WORD_BITS;
    let bit = 1_u64 << (slot % PRESENCE_WORD_BITS);
    let word = if words(plan) == 1 {
        format!("{source}.h{word}")
    } else {
        // Rows of a block without any column of this word leave it NULL.
        format!("coalesce({source}.h{word}, 0)")
    };
    format!("({word} OPERATOR(pg_catalog.&) {bit}::bigint) OPERATOR(pg_catalog.<>) 0::bigint")
}

/// How the key's index compares a column of the key.
pub(in crate::write) fn key_equality(plan: &WritePlan, slot: Slot) -> Equality {
    let index = plan.key_index.map(|i| &plan.table().unique[i]);
    let equality = index.and_then(|index| index.equality_of(plan.mapping.slots[slot]));
    equality.cloned().unwrap_or_else(Equality::plain)
}

/// The columns of the key in a staging table, as GROUP BY must have them to tell keys apart as their index
/// does.
pub(in crate::write) fn key_grouped(plan: &WritePlan, of: &str) -> String {
    let columns =
        plan.mapping.key.iter().map(|&slot| key_equality(plan, slot).grouped(&format!("{of}c{slot}")));
    columns.collect::<Vec<_>>().join(", ")
}

/// Two staged rows have the same key.
pub(in crate::write) fn same_key(plan: &WritePlan, one: &str, other: &str) -> String {
    let equal = |&slot: &Slot| {
        let (one, other) = (format!("{one}.c{slot}"), format!("{other}.c{slot}"));
        let equal = key_equality(plan, slot).of(&one, &other);
        if plan.mapping.null_keys { format!("({equal} OR {one} IS NULL AND {other} IS NULL)") } else { equal }
    };
    plan.mapping.key.iter().map(equal).collect::<Vec<_>>().join(" AND ")
}

/// A stored row and a staged row have the same key.
pub(in crate::write) fn key_equals(plan: &WritePlan, target: &str, source: &str) -> String {
    let conditions: Vec<String> = plan
        .mapping
        .key
        .iter()
        .map(|&slot| {
            let column = &plan.table().columns[plan.mapping.slots[slot]];
            let equal = key_equality(plan, slot)
                .of(&format!("{target}.{}", column.name), &format!("{source}.c{slot}"));
            if plan.mapping.null_keys && !column.not_null {
                format!("({equal} OR {target}.{} IS NULL AND {source}.c{slot} IS NULL)", column.name)
            } else {
                equal
            }
        })
        .collect();
    conditions.join(" AND ")
}

/// Columns that a batch may update: present in some row, not of the key, not an identity that is always
/// generated.
pub(in crate::write) fn updatable(plan: &WritePlan, batch: &Batch) -> Vec<Slot> {
    written(plan, batch)
        .into_iter()
        .filter(|slot| !plan.mapping.key.contains(slot))
        .filter(|&slot| plan.policy(slot) != MergePolicy::InsertOnly)
        .filter(|&slot| plan.table().columns[plan.mapping.slots[slot]].identity != Identity::Always)
        .collect()
}

/// Columns that a batch has values for.
pub(in crate::write) fn written(plan: &WritePlan, batch: &Batch) -> Vec<Slot> {
    (0..plan.mapping.slots.len()).filter(|&slot| batch.ever_present(slot)).collect()
}

/// The value that a stored row `t` should have in this column.
pub(in crate::write) fn new_value(plan: &WritePlan, batch: &Batch, source: &str, slot: Slot) -> String {
    let column = &plan.table().columns[plan.mapping.slots[slot]];
    let (given, stored) = (format!("{source}.c{slot}"), stored(column));
    // These are words of SQL's own: no schema can have others.
    let value = match plan.policy(slot) {
        MergePolicy::Keep => format!("coalesce({stored}, {given})"),
        MergePolicy::Fill => format!("coalesce({given}, {stored})"),
        // Of two that are equal the stored one: it comes first.
        MergePolicy::Greatest => format!("greatest({stored}, {given})"),
        MergePolicy::Least => format!("least({stored}, {given})"),
        MergePolicy::Add => of_both(&given, &stored, &format!("{stored} OPERATOR(pg_catalog.+) {given}")),
        MergePolicy::Append => appended(column, &given, &stored),
        MergePolicy::Union => of_both(&given, &stored, &united(&given, &stored)),
        MergePolicy::Patch => {
            format!("CASE WHEN {given} IS NOT NULL THEN {} END", merge_patch(&stored, &given))
        }
        MergePolicy::Overwrite | MergePolicy::InsertOnly => given,
    };
    if batch.always_present(slot) {
        return value;
    }
    format!("CASE WHEN {} THEN {value} ELSE {stored} END", presence(plan, source, slot))
}

/// Of two values of which a null is none.
fn of_both(given: &str, stored: &str, both: &str) -> String {
    format!("CASE WHEN {given} IS NULL THEN {stored} WHEN {stored} IS NULL THEN {given} ELSE {both} END")
}

/// Texts without the length of their column: what is too long for it is refused, not cut.
fn appended(column: &Column, given: &str, stored: &str) -> String {
    let both = format!("{stored} OPERATOR(pg_catalog.||) {given}");
    match column.ty {
        PgType::Array(..) => of_both(given, stored, &both),
        _ => {
            let is_text = column.staged_type() == "pg_catalog.text";
            let base = if is_text { "pg_catalog.text" } else { "pg_catalog.\"varchar\"" };
            let both = of_both(given, stored, &format!("({both})::{base}"));
            format!("({both})::{base}")
        }
    }
}

/// Elements are equal as their type's default operator class has it, which GROUP BY takes wherever it is.
fn united(given: &str, stored: &str) -> String {
    format!(
        "{stored} OPERATOR(pg_catalog.||) coalesce((SELECT pg_catalog.array_agg(u.x ORDER BY u.o) FROM \
         (SELECT e.x, pg_catalog.min(e.o) AS o FROM (SELECT k.x, 0::bigint AS o, true AS is_stored FROM pg_catalog.unnest({stored}) k(x) \
           UNION ALL SELECT n.x, n.o, false FROM pg_catalog.unnest({given}) WITH ORDINALITY n(x, o)) e \
          GROUP BY e.x HAVING NOT pg_catalog.bool_or(e.is_stored)) u), '{{}}')"
    )
}

/// The value that a row gets in this column where it is inserted.
pub(in crate::write) fn first_value(plan: &WritePlan, source: &str, slot: Slot) -> String {
    let given = format!("{source}.c{slot}");
    match plan.policy(slot) {
        MergePolicy::Patch => {
            format!("CASE WHEN {given} IS NOT NULL THEN {} END", merge_patch("NULL", &given))
        }
        _ => given,
    }
}

/// The SET list of an update from `source`.
pub(in crate::write) fn sets(plan: &WritePlan, batch: &Batch, source: &str) -> String {
    let sets: Vec<String> = updatable(plan, batch)
        .into_iter()
        .map(|slot| {
            let name = &plan.table().columns[plan.mapping.slots[slot]].name;
            format!("{name} = {}", new_value(plan, batch, source, slot))
        })
        .collect();
    sets.join(", ")
}

/// The stored value, a domain as its base type.
fn stored(column: &Column) -> String {
    match &column.domain_base {
        Some(_) => format!("t.{}::{}", column.name, column.staged_type()),
        None => format!("t.{}", column.name),
    }
}

/// The stored row's image would change. Bit for bit: `=` would call citext case and numeric scale equal.
/// Where `=` tells as much it is asked, column by column: it costs half of comparing two rows that must be
/// put together first.
pub(in crate::write) fn differs(plan: &WritePlan, batch: &Batch, source: &str) -> Option<String> {
    let (mut either, mut new, mut old) = (Vec::new(), Vec::new(), Vec::new());
    for slot in updatable(plan, batch) {
        let column = &plan.table().columns[plan.mapping.slots[slot]];
        let (value, stored) = (new_value(plan, batch, source, slot), stored(column));
        if !column.equal_is_alike {
            new.push(value);
            old.push(stored);
        } else if column.not_null {
            either.push(format!("({value} OPERATOR(pg_catalog.=) {stored}) IS NOT TRUE"));
        } else {
            either.push(format!(
                "({value} OPERATOR(pg_catalog.=) {stored}) IS NOT TRUE AND ({value} IS NOT NULL OR {stored} IS NOT NULL)"
            ));
        }
    }
    if !new.is_empty() {
        let (new, old) = (new.join(", "), old.join(", "));
        either.push(format!("ROW({new})::record OPERATOR(pg_catalog.*<>) ROW({old})::record"));
    }
    (!either.is_empty()).then(|| format!("({})", either.join(" OR ")))
}

/// `--newer-by`: the staged row is newer than the stored one.
pub(in crate::write) fn newer(plan: &WritePlan, source: &str) -> Option<String> {
    let slot = plan.newer_by?;
    let name = &plan.table().columns[plan.mapping.slots[slot]].name;
    let greater = plan.newer_operator();
    Some(format!("(t.{name} IS NULL OR {source}.c{slot} {greater} t.{name})"))
}

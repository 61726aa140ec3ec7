//! The key and the mode: what the user said, else the table's primary key, else none.

use crate::map::Mapping;
use crate::schema::{Mode, Table, UniqueIndex, Unusable};

use super::refusal::Refusal;
use super::wishes::Wishes;

/// The conflict target: columns and their unique index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// Ordinals in [`Table::columns`], in the order of the index; empty: no key.
    pub columns: Vec<usize>,
    /// Ordinal in [`Table::unique`] of its index.
    pub index: Option<usize>,
    /// NULL is a legal key value.
    pub null_keys: bool,
}

/// Chooses mode and key.
pub fn choose_key(
    table: &Table,
    fields: &[&str],
    wishes: &Wishes<'_>,
    notes: &mut Vec<String>,
) -> Result<(Mode, Key), Refusal> {
    if wishes.mode == Some(Mode::Append) {
        if wishes.key.is_some() {
            return Err(Refusal::new("--mode append has no key", "leave --key out, or use --mode upsert"));
        }
        return Ok((Mode::Append, Key::default()));
    }
    if let Some(names) = wishes.key {
        return Ok((wishes.mode.unwrap_or(Mode::Upsert), named_key(table, names)?));
    }
    let primary = table.unique.iter().position(|index| index.primary);
    match (primary, wishes.mode) {
        (Some(index), mode) => {
            let unique = &table.unique[index];
            if let Some(why) = unique.unusable {
                return Err(unusable(table, unique, why, &unique.columns));
            }
            if mode.is_none() && lacks_all(table, unique, fields) {
                notes.push(format!(
                    "no field for the primary key ({}): records are appended, the server fills it",
                    list(table, &unique.columns)
                ));
                return Ok((Mode::Append, Key::default()));
            }
            Ok((mode.unwrap_or(Mode::Upsert), key_of(table, index)?))
        }
        (None, None) => Ok((Mode::Append, Key::default())),
        (None, Some(mode)) => Err(Refusal::new(
            format!(
                "--mode {} needs a key, and table {} has no primary key",
                wishes.rest.mode_name(mode),
                table.name.plain()
            ),
            "name the columns of a unique index with --key, or use --mode append",
        )),
    }
}

/// The sources have no field for any column of the key, and the server fills them all.
fn lacks_all(table: &Table, unique: &UniqueIndex, fields: &[&str]) -> bool {
    !fields.is_empty()
        && unique.columns.iter().all(|&c| {
            table.columns[c].has_default()
                && !fields
                    .iter()
                    .any(|field| Mapping::column_of(table, field).is_some_and(|found| found == c))
        })
}

/// ON CONFLICT can mean this index alone, or at least none that is deferrable.
fn is_told_apart(table: &Table, index: usize) -> bool {
    table.unique[index].constraint.is_some()
        || !table.rivals(index).iter().any(|rival| rival.unusable == Some(Unusable::Deferrable))
}

fn key_of(table: &Table, index: usize) -> Result<Key, Refusal> {
    let unique = &table.unique[index];
    if !is_told_apart(table, index) {
        return Err(Refusal::new(
            format!(
                "unique index {:?} of table {} cannot be the key of an upsert: a deferrable constraint has the same columns, and the server \
                 cannot tell the two apart",
                unique.name, table.name
            ),
            add_constraint(table, &unique.columns),
        ));
    }
    Ok(Key { columns: unique.columns.clone(), index: Some(index), null_keys: unique.nulls_not_distinct })
}

fn named_key(table: &Table, names: &[String]) -> Result<Key, Refusal> {
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let Some(column) = Mapping::column_of(table, name) else {
            let known: Vec<&str> = table.columns.iter().map(|c| c.name.raw()).take(30).collect();
            return Err(Refusal::new(
                format!("--key: table {} has no column {name:?}", table.name.plain()),
                format!("it has {}", known.join(", ")),
            ));
        };
        if columns.contains(&column) {
            return Err(Refusal::new(format!("--key names column {name:?} twice"), "name each column once"));
        }
        columns.push(column);
    }
    let same = |index: &&UniqueIndex| {
        !index.of_part
            && index.columns.len() == columns.len()
            && columns.iter().all(|c| index.columns.contains(c))
    };
    // Of several the one that compares as the columns do, unless that cannot be told from the others.
    let usable = |index: &&UniqueIndex| same(index) && index.unusable.is_none();
    let ordinals = |plain: bool| {
        let index = table.unique.iter().enumerate().filter(move |(_, i)| usable(i) && i.is_plain() == plain);
        index.map(|(ordinal, _)| ordinal)
    };
    let candidates: Vec<usize> = ordinals(true).chain(ordinals(false)).collect();
    if let Some(&index) = candidates.iter().find(|&&i| is_told_apart(table, i)).or(candidates.first()) {
        return key_of(table, index);
    }
    if let Some((index, why)) = table.unique.iter().find(same).and_then(|i| Some((i, i.unusable?))) {
        return Err(unusable(table, index, why, &columns));
    }
    let expression = table.unique.iter().find(|index| !index.of_part && index.columns.is_empty());
    if let Some(index) = expression {
        return Err(unusable(table, index, Unusable::Expression, &columns));
    }
    Err(Refusal::new(
        format!("table {} has no unique index on ({})", table.name.plain(), list(table, &columns)),
        create_index(table, &columns),
    ))
}

/// The key would be these columns.
fn unusable(table: &Table, index: &UniqueIndex, why: Unusable, columns: &[usize]) -> Refusal {
    let hint = match why {
        _ if columns.is_empty() => "name the columns of another unique index with --key".to_owned(),
        // An index beside it could not be told from it.
        Unusable::Deferrable => add_constraint(table, columns),
        Unusable::Partial | Unusable::Expression | Unusable::Invalid | Unusable::Temporal => {
            create_index(table, columns)
        }
    };
    // Without --key it is the primary key that is taken.
    let named =
        if index.primary { format!("; then --key {}", key_word(table, columns)) } else { String::new() };
    Refusal::new(
        format!(
            "unique index {:?} of table {} {}: it cannot be the key of an upsert",
            index.name,
            table.name,
            why.words()
        ),
        hint + &named,
    )
}

fn add_constraint(table: &Table, columns: &[usize]) -> String {
    format!("ALTER TABLE {} ADD UNIQUE ({})", table.name, sql_list(table, columns))
}

/// A unique index of a partitioned table has the columns that decide the partition.
fn create_index(table: &Table, columns: &[usize]) -> String {
    let lacking = |name: &&String| !columns.iter().any(|&c| table.columns[c].name.raw() == name.as_str());
    let lacking: Vec<&str> = table.tree.partitioned_by.iter().filter(lacking).map(String::as_str).collect();
    let lacking: Option<Vec<usize>> = lacking.into_iter().map(|name| table.column(name)).collect();
    let create =
        |columns: &[usize]| format!("CREATE UNIQUE INDEX ON {} ({})", table.name, sql_list(table, columns));
    match lacking {
        Some(lacking) if lacking.is_empty() => create(columns),
        Some(lacking) => {
            let all = [columns, &lacking].concat();
            format!(
                "{}, and --key {}: the key of a partitioned table has the columns that it is partitioned by",
                create(&all),
                key_word(table, &all)
            )
        }
        // By an expression.
        None => "--mode append needs no key: a table that is partitioned by an expression can have no unique index".to_owned(),
    }
}

fn sql_list(table: &Table, columns: &[usize]) -> String {
    table.names(columns).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn key_word(table: &Table, columns: &[usize]) -> String {
    table.names(columns).iter().map(|name| name.raw()).collect::<Vec<_>>().join(",")
}

fn list(table: &Table, columns: &[usize]) -> String {
    table.names(columns).iter().map(|name| name.raw()).collect::<Vec<_>>().join(", ")
}

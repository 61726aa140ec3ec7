//! Columns of stored rows that are not simply overwritten: what of it must be refused.

use crate::map::listed;
use crate::schema::{MergePolicy, Mode, PgType, Table};

use super::key::Key;
use super::refusal::Refusal;
use super::wishes::Wishes;

/// The policies of columns, by their ordinals.
pub(super) fn of_columns(
    table: &Table,
    key: &Key,
    mode: Mode,
    wishes: &Wishes<'_>,
) -> Result<Vec<(usize, MergePolicy)>, Refusal> {
    let mut policies = Vec::new();
    for (name, policy) in wishes.policies.iter() {
        let flag = flag(name, policy);
        let Some(column) = table.column(name) else {
            let names: Vec<&str> = table.columns.iter().map(|column| column.name.raw()).collect();
            return Err(Refusal::new(
                format!("{flag}: table {} has no column of this name", table.name.plain()),
                format!("name the column as the table has it: {}", listed(&names)),
            ));
        };
        if matches!(mode, Mode::Append | Mode::Ignore) {
            return Err(Refusal::new(
                format!("{flag}: --mode {} never updates a stored row", mode.name()),
                "a policy is of --mode upsert or update, which need a key",
            ));
        }
        if key.columns.contains(&column) {
            return Err(Refusal::new(
                format!("{flag}: the column is part of the key, by which a stored row is found"),
                "give a policy to columns besides the key",
            ));
        }
        if wishes.newer_by == Some(name) {
            return Err(Refusal::new(
                format!("{flag}: by --newer-by this column says which record is newer"),
                "a newer record always brings its own value of it: leave the policy out",
            ));
        }
        if table.columns[column].generated {
            return Err(Refusal::new(
                format!("{flag}: the column is generated"),
                "the server computes its values: leave the policy out",
            ));
        }
        let described = &table.columns[column];
        let type_name = described.domain_base.as_ref().unwrap_or(&described.type_name);
        if !policy.suits(type_name, matches!(described.ty, PgType::Array(..))) {
            return Err(Refusal::new(
                format!("{flag}: the column is {type_name}"),
                format!("{} is of {}", policy.name(), policy.types()),
            ));
        }
        policies.push((column, policy));
    }
    Ok(policies)
}

/// What a policy was said by.
fn flag(column: &str, policy: MergePolicy) -> String {
    match policy {
        MergePolicy::InsertOnly => format!("--insert-only {column}"),
        _ => format!("--merge {column}={}", policy.name()),
    }
}

/// The refusal of a union of elements that cannot be compared.
#[must_use]
pub fn no_equal(column: &str) -> Refusal {
    Refusal::new(
        format!("{}: elements of its type cannot be told to be equal", flag(column, MergePolicy::Union)),
        "append puts them behind each other",
    )
}

/// The refusal of patches without the ledger, whose function applies them.
#[must_use]
pub fn no_patches(column: &str) -> Refusal {
    Refusal::new(
        format!("{}: a function of the ledger applies patches", flag(column, MergePolicy::Patch)),
        "leave --no-ledger out",
    )
}

/// The refusal of a policy that compares what has no order.
#[must_use]
pub fn no_greater(column: &str, policy: MergePolicy) -> Refusal {
    Refusal::new(
        format!("{}: values of its type have no order", flag(column, policy)),
        "keep and fill need none",
    )
}

//! What must be refused of a load that is about the whole content of a table, and what is to be known of it.
//!
//! The records are loaded into a table beside it, and one transaction puts them in its place. That is a
//! DELETE and an INSERT; where rows of other tables refer to it, only what differs is touched.

use crate::map::{Extra, Target};
use crate::pg::contents::ContentFacts;
use crate::schema::{Identity, Reference, Relation, Rest, Table};

use super::Plan;
use super::contents::Exchange;
use super::refusal::Refusal;
use super::refuse::quoted;

/// What a load that is about the whole table cannot be combined with.
pub fn refuse_part(plan: &Plan) -> Result<(), Refusal> {
    let (mode, table) = (plan.mode_name(), &plan.table);
    let is_odd = |what: &str, why: &str, hint: &str| {
        Err(Refusal::new(format!("--mode {mode} with {what}: {why}"), hint.to_owned()))
    };
    if plan.rest == Rest::Replaced && !plan.policies.is_empty() {
        return is_odd(
            "--merge or --insert-only",
            "they are about stored rows, and none of those stays",
            "leave them out, or use --mode upsert",
        );
    }
    if plan.rest == Rest::Replaced && plan.newer_by.is_some() {
        return is_odd(
            "--newer-by",
            "it is about stored rows, and none of those stays",
            "leave it out, or use --mode upsert",
        );
    }
    if plan.extra == Extra::Add {
        return is_odd(
            "--extra add",
            "what becomes of the other rows is judged for the table as it is",
            "add the columns first, or use another rule",
        );
    }
    if plan.accumulates() {
        return is_odd(
            "--merge add or append",
            "a file that is loaded would be left out the next time, and its rows would go",
            "leave them out, or use --mode upsert",
        );
    }
    if table.has_children && table.relation == Relation::Table {
        return Err(Refusal::new(
            format!(
                "--mode {mode}: other tables inherit from table {}, and it is not known whose rows are meant",
                table.name.plain()
            ),
            "load into a table without children",
        ));
    }
    Ok(())
}

/// Refuses what cannot be right, and says which way it goes and what is to be known of it.
pub fn refuse_replacing(
    plan: &Plan,
    facts: &ContentFacts,
    role: &str,
    allows_cascade: bool,
) -> Result<(Exchange, Vec<String>), Refusal> {
    let table = &plan.table;
    let name = table.name.plain();
    if table.has_row_security {
        return Err(Refusal::new(
            format!(
                "--mode replace: row-level security of table {name} applies to the role {role}, and rows that it \
                 hides would stay"
            ),
            "load as the owner of the table, or as a role with BYPASSRLS",
        ));
    }
    refuse_rights(table, facts, role)?;
    if let Some(parent) = &facts.closed_parent {
        return Err(Refusal::new(
            format!("--mode replace: table {name} refers to {parent}, and so must the table beside it"),
            format!("GRANT REFERENCES ON {parent} TO {}", quoted(role)),
        ));
    }
    let from_others: Vec<&Reference> = facts.references.iter().filter(|key| !key.is_own).collect();
    let way = if from_others.is_empty() { Exchange::Anew } else { Exchange::ByDifference };
    let mut notes = vec![match way {
        Exchange::Anew => format!(
            "the records are loaded beside {name}; at their end one transaction deletes all of its rows and inserts \
             those: who reads sees the old content or the new one, who writes waits meanwhile"
        ),
        Exchange::ByDifference => format!(
            "the records are loaded beside {name}; at their end one transaction deletes, updates and inserts what \
             differs, since {} refers to it: who reads sees the old content or the new one, who writes waits meanwhile",
            from_others.first().map_or("", |key| key.table.as_str())
        ),
    }];
    if way == Exchange::ByDifference {
        refuse_difference(plan, &from_others, allows_cascade)?;
        let reaching = from_others.iter().filter(|key| key.reaches());
        notes.extend(reaching.map(|key| format!("{}: where a row of {name} goes", words(key))));
    }
    if facts.has_before_insert_triggers {
        notes.push(format!(
            "a BEFORE INSERT trigger of {name} sees the rows in that last transaction: what the table refuses is refused \
             as the records have it"
        ));
    }
    Ok((way, notes))
}

fn refuse_rights(table: &Table, facts: &ContentFacts, role: &str) -> Result<(), Refusal> {
    let name = table.name.plain();
    let inserts = table.columns.iter().all(|column| column.generated || column.may_insert);
    let updates = table.columns.iter().all(|column| column.generated || column.may_update);
    let lacking: Vec<&str> = [
        ("SELECT", facts.may_select),
        ("INSERT", inserts),
        ("UPDATE", updates),
        ("DELETE", facts.may_delete),
    ]
    .into_iter()
    .filter_map(|(right, has)| (!has).then_some(right))
    .collect();
    let to = quoted(role);
    if !lacking.is_empty() {
        return Err(Refusal::new(
            format!("--mode replace: the role {role} has no {} on table {name}", lacking.join(", ")),
            format!("GRANT {} ON {} TO {to}", lacking.join(", "), table.name),
        ));
    }
    if !facts.may_create {
        let schema = table.name.schema.as_ref().map_or_else(String::new, ToString::to_string);
        return Err(Refusal::new(
            format!(
                "--mode replace: the role {role} may make no table in schema {schema}, and the records are loaded into \
                 one beside {name}"
            ),
            format!("GRANT CREATE ON SCHEMA {schema} TO {to}"),
        ));
    }
    Ok(())
}

/// Refuses to remove rows where that cannot be right, and says what is to be known of it.
pub fn refuse_removing(
    plan: &Plan,
    facts: &ContentFacts,
    role: &str,
    allows_cascade: bool,
) -> Result<Vec<String>, Refusal> {
    let table = &plan.table;
    let name = table.name.plain();
    if !facts.may_delete {
        return Err(Refusal::new(
            format!("--mode sync: the role {role} has no DELETE on table {name}"),
            format!("GRANT DELETE ON {} TO {}", table.name, quoted(role)),
        ));
    }
    if let Some(key) = facts.references.iter().find(|key| key.is_own && key.reaches()) {
        return Err(Refusal::new(
            format!(
                "--mode sync: {}, and it refers to itself: a row that a record is about would go with another one",
                words(key)
            ),
            "make that foreign key NO ACTION: then the rows that it holds stay",
        ));
    }
    if let Some(key) = facts.references.iter().find(|key| key.reaches() && !allows_cascade) {
        return Err(Refusal::new(
            format!("--mode sync: {}, where a row of {name} goes", words(key)),
            "--allow-cascade lets it",
        ));
    }
    let mut notes = vec![format!(
        "once all records are in, rows of {name} that none was about are removed, in one transaction: who writes waits \
         meanwhile"
    )];
    let reaching = facts.references.iter().filter(|key| key.reaches());
    notes.extend(reaching.map(|key| format!("{}: where a row of {name} goes", words(key))));
    Ok(notes)
}

/// Where rows stay that others refer to.
fn refuse_difference(plan: &Plan, references: &[&Reference], allows_cascade: bool) -> Result<(), Refusal> {
    let table = &plan.table;
    let name = table.name.plain();
    let first = references.first().map_or("", |key| key.table.as_str());
    if plan.key.columns.is_empty() {
        return Err(Refusal::new(
            format!("--mode replace: {first} refers to table {name}, and without a key no row can be kept"),
            "name the columns of a unique index with --key",
        ));
    }
    if let Some(key) = references.iter().find(|key| key.reaches() && !allows_cascade) {
        return Err(Refusal::new(
            format!("--mode replace: {}, where a row of {name} goes", words(key)),
            "--allow-cascade lets it",
        ));
    }
    let is_given = |at: usize| {
        let mapping = plan.mapping();
        plan.fields
            .iter()
            .any(|(_, target)| matches!(target, Target::Slot(slot) if mapping.slots.get(*slot) == Some(&at)))
    };
    for (at, column) in table.columns.iter().enumerate() {
        if plan.key.columns.contains(&at) {
            continue;
        }
        if column.identity == Identity::Always {
            return Err(Refusal::new(
                format!(
                    "--mode replace: {first} refers to table {name}, so its rows are updated, and the server lets \
                     nobody update column {}, GENERATED ALWAYS AS IDENTITY",
                    column.name
                ),
                format!("make it GENERATED BY DEFAULT, or name it with --key {}", column.name.raw()),
            ));
        }
        if column.is_drawn() && !is_given(at) {
            return Err(Refusal::new(
                format!(
                    "--mode replace: {first} refers to table {name}, and its column {} has no field: each row would \
                     get another value of it",
                    column.name
                ),
                "give it a field, or use --mode upsert",
            ));
        }
    }
    Ok(())
}

/// What a foreign key does where a row goes that it points at.
fn words(key: &Reference) -> String {
    format!("foreign key {:?} of {} is {}", key.constraint, key.table, key.on_delete.words())
}

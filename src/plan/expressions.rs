//! Expressions over records: what of it must be refused, and what is worth knowing.

use std::collections::HashSet;

use crate::map::{AskedExpressions, Mapping, Target, listed};
use crate::pg::expressions::{ExpressionMisfit, said};
use crate::pg::sqlstate::about_expression;

use super::refusal::Refusal;
use super::sample::Sample;

/// The refusal of an expression that is none over a record; `None`: the server could not be asked.
#[must_use]
pub fn refuse_expression(asked: &AskedExpressions, misfit: &ExpressionMisfit) -> Option<Refusal> {
    let words = |nth: usize| asked.expressions.get(nth).map_or("", |expression| expression.words.as_str());
    match misfit {
        ExpressionMisfit::Refused { nth, error } => {
            Some(Refusal::new(format!("{}: {}", words(*nth), said(error)), about_expression(error)))
        }
        ExpressionMisfit::Changing { nth, function } => Some(Refusal::new(
            format!(
                "{}: {function} has another value each time, and a resume would store another",
                words(*nth)
            ),
            "leave it to the table: a column that no field goes to takes its DEFAULT; \
             a field of such a name is record.NAME",
        )),
        ExpressionMisfit::Catalog(_) => None,
    }
}

/// Columns that are set are such as can be.
pub(super) fn set_columns(asked: &AskedExpressions, mapping: &Mapping) -> Result<(), Refusal> {
    for (column, set) in asked.sets() {
        if mapping.column_target(column) == Target::Generated {
            return Err(Refusal::new(
                format!("{}: the column is generated", set.words),
                "the server computes its values: leave it out",
            ));
        }
    }
    Ok(())
}

/// Names that no record of the sample has.
pub(super) fn unknown_names(asked: &AskedExpressions, sample: &Sample) -> Option<String> {
    let fields = sample.fields();
    if fields.is_empty() {
        return None;
    }
    let mut known = HashSet::new();
    let columns = asked.columns.iter().filter(|column| known.insert(column.field.name.as_str()));
    let missing = columns.filter(|column| !fields.iter().any(|field| column.field.is_of(field)));
    let missing: Vec<&str> = missing.map(|column| column.field.name.as_str()).collect();
    (!missing.is_empty()).then(|| {
        format!(
            "no record of the sample has a field {}, which expressions name: it is absent",
            listed(&missing)
        )
    })
}

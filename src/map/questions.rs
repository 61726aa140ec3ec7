//! Questions about the records of a block: what of their fields is sent, and what came back.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::format::Layout;
use crate::record::{Block, Operation};
use crate::reject_codes;
use crate::shape::{ShapedRecord, field_text};

use super::asked::{AskedExpression, AskedExpressions, AskedFor};
use super::deletions::{MarkKind, MarkTexts};
use super::infer::InferredColumn;
use super::mapping::Mapping;
use super::names::BLANKS;
use super::rows::WhyNot;

impl AskedExpressions {
    /// Columns of a new table that are set have the types of their expressions; one that marks is a boolean.
    pub fn define(&self, columns: &mut Vec<InferredColumn>) {
        for (name, set) in self.sets() {
            let type_name = Cow::Owned(set.type_name.clone());
            match columns.iter_mut().find(|column| column.name.trim_matches(BLANKS) == name) {
                Some(column) => column.type_name = type_name,
                None => columns.push(InferredColumn { name: name.to_owned(), type_name }),
            }
        }
        let Some(mark) = &self.mark else { return };
        let type_name = Cow::Borrowed("boolean");
        match columns.iter_mut().find(|column| column.name.trim_matches(BLANKS) == mark) {
            // Its field is for expressions alone.
            Some(column) if MarkKind::of(&column.type_name).is_none() => column.type_name = type_name,
            Some(_) => {}
            None => columns.push(InferredColumn { name: mark.clone(), type_name }),
        }
    }

    /// Whether an expression has a value for a record with these fields.
    fn is_there(&self, expression: &AskedExpression, row: &AskedRow) -> bool {
        expression.names.is_empty()
            || expression.names.iter().any(|&at| self.columns[at].is_presence || row.fields[at].is_some())
    }
}

/// What a record has for the columns of expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedRow {
    /// Index of the record in its block.
    pub i: usize,
    /// By column: nothing, where the record lacks the field; else its text, if it is not null.
    pub fields: Vec<Option<Option<String>>>,
}

impl AskedRow {
    /// What its texts take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let texts = self.fields.iter().flatten().flatten().map(String::len);
        self.fields.len() * size_of::<Option<Option<String>>>() + texts.sum::<usize>()
    }
}

/// Why a record is refused that expressions were asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedRefusal {
    /// The column that the expression is for.
    pub column: Option<String>,
    /// Five characters.
    pub sqlstate: String,
    /// Why.
    pub reason: String,
}

/// What the expressions come to for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordAnswer {
    /// Nobody was asked: it cannot be cut into fields.
    Unasked,
    /// The condition is not true.
    LeftOut,
    /// An expression failed.
    Refused(AskedRefusal),
    /// The values of the columns that are set, in their order: nothing, where the record lacks all fields of
    /// the expression; else the text, if it is not null.
    Values(Vec<Option<Option<String>>>),
    /// The record deletes; the values likewise, of columns that are needed for it.
    Deletes(Vec<Option<Option<String>>>),
}

impl RecordAnswer {
    /// Why the record is not sent to its table, if it is not.
    pub(super) fn why_not(&self) -> Option<WhyNot> {
        match self {
            Self::Unasked | Self::Values(_) | Self::Deletes(_) => None,
            Self::LeftOut => Some(WhyNot::LeftOut),
            Self::Refused(AskedRefusal { column, sqlstate, reason }) => Some(WhyNot::Refused {
                column: column.clone(),
                sqlstate: Cow::Owned(sqlstate.clone()),
                reason: reason.clone(),
            }),
        }
    }

    /// The record deletes.
    pub(super) const fn deletes(&self) -> bool {
        matches!(self, Self::Deletes(_))
    }

    /// Behind what is set stands what the column gets by which rows are marked.
    pub fn mark(&mut self, texts: &MarkTexts) {
        match self {
            Self::Unasked | Self::LeftOut | Self::Refused(_) => {}
            Self::Values(values) => values.push(Some(texts.kept.clone())),
            Self::Deletes(values) => values.push(Some(Some(texts.deleted.clone()))),
        }
    }

    /// The values of the columns that are set.
    pub(super) fn values(&self) -> &[Option<Option<String>>] {
        match self {
            Self::Values(values) | Self::Deletes(values) => values,
            Self::Unasked | Self::LeftOut | Self::Refused(_) => &[],
        }
    }
}

/// Asks about the records of a block.
#[derive(Debug)]
pub struct Questions {
    /// What is sent.
    pub rows: Vec<AskedRow>,
    /// By record, what is known by now.
    pub answers: Vec<RecordAnswer>,
}

impl Questions {
    /// Takes the answer for one of the [rows](Self::rows) that are kept: whether it deletes, and the texts of
    /// what is set.
    pub fn keep(&mut self, asked: &AskedExpressions, row: usize, deletes: bool, texts: Vec<Option<String>>) {
        let row = &self.rows[row];
        let value = |set: &AskedExpression, text| {
            let is_left_out = deletes && matches!(set.asked_for, AskedFor::Value { is_needed: false, .. });
            (!is_left_out && asked.is_there(set, row)).then_some(text)
        };
        let values = asked.sets().zip(texts).map(|((_, set), text)| value(set, text)).collect();
        self.answers[row.i] = match deletes {
            true => RecordAnswer::Deletes(values),
            false => RecordAnswer::Values(values),
        };
    }

    /// One of the rows gets no values.
    pub fn settle(&mut self, row: usize, answer: RecordAnswer) {
        self.answers[self.rows[row].i] = answer;
    }
}

/// What is to be asked about the records of a block.
#[must_use]
pub fn asking(mapping: &Mapping, asked: &AskedExpressions, layout: &Layout, block: &Arc<Block>) -> Questions {
    let mut asking = Questions { rows: Vec::new(), answers: vec![RecordAnswer::Unasked; block.len()] };
    let Some(mut shaper) = mapping.shaper(layout) else { return asking };
    let mut columns = ColumnsOf { asked, known: HashMap::new() };
    layout.decode(block, &mapping.limits, &mut |i, fields| {
        let (Ok(fields), Operation::Upsert) = (fields, block.operation(i)) else { return };
        let Ok(members) = shaper.shape(&fields) else { return };
        match columns.row(i, &members) {
            Ok(row) => asking.rows.push(row),
            Err(refusal) => asking.answers[i] = RecordAnswer::Refused(refusal),
        }
    });
    asking
}

/// Names of fields whose columns are kept: hostile records may have thousands each.
pub(super) const NAMES_KEPT: usize = 4_096;

/// Finds the columns of fields.
struct ColumnsOf<'a> {
    asked: &'a AskedExpressions,
    known: HashMap<String, Vec<usize>>,
}

impl ColumnsOf<'_> {
    fn row(&mut self, i: usize, members: &ShapedRecord<'_>) -> Result<AskedRow, AskedRefusal> {
        let mut fields = vec![None; self.asked.columns.len()];
        for (name, value) in members {
            for at in self.of(name).to_vec() {
                let column = &self.asked.columns[at];
                let refused = |(sqlstate, reason): (&str, String)| AskedRefusal {
                    column: None,
                    sqlstate: sqlstate.to_owned(),
                    reason: format!("field {name:?} of an expression: {reason}"),
                };
                // Of one that is only asked for, the text is nobody's business.
                let text = match column.is_presence {
                    true => None,
                    false => field_text(value).map_err(refused)?.map(Cow::into_owned),
                };
                if fields[at].replace(text).is_some() && !column.is_presence {
                    let reason =
                        "the record has two of this name: in double quotes upper and lower case count";
                    return Err(refused((reject_codes::DUPLICATE_COLUMN, reason.to_owned())));
                }
            }
        }
        Ok(AskedRow { i, fields })
    }

    fn of(&mut self, name: &str) -> &[usize] {
        if !self.known.contains_key(name) {
            if self.known.len() >= NAMES_KEPT {
                self.known.clear();
            }
            let columns = self.asked.columns.iter().enumerate();
            let of = columns.filter(|(_, column)| column.field.is_of(name)).map(|(at, _)| at).collect();
            self.known.insert(name.to_owned(), of);
        }
        &self.known[name]
    }
}

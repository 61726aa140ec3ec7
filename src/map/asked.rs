//! What the server is asked of records before they are mapped: the expressions of a load, and the fields that
//! they name.

use crate::shape::{Expression, FieldName, Shaping, quoted};

/// A column of the record, as expressions see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedColumn {
    /// Its name, unquoted.
    pub name: String,
    /// The field.
    pub field: FieldName,
    /// It says whether the record has the field; else it is the field's text.
    pub is_presence: bool,
}

impl AskedColumn {
    /// Its name as SQL has it.
    #[must_use]
    pub fn quoted(&self) -> String {
        quoted(&self.name)
    }
}

/// What an expression is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedFor {
    /// Whether a record is loaded.
    Condition,
    /// Whether it deletes.
    Deletion,
    /// The value of a column.
    Value {
        /// The column that is set.
        column: String,
        /// Of a record that deletes too.
        is_needed: bool,
    },
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedExpression {
    /// What it is asked for.
    pub asked_for: AskedFor,
    /// As the server gets it.
    pub sql: String,
    /// As the user has said it, with its flag.
    pub words: String,
    /// The columns of the record that it names, by their place.
    pub names: Vec<usize>,
    /// The type of its values.
    pub type_name: String,
}

impl AskedExpression {
    /// It must be true or false.
    #[must_use]
    pub const fn is_condition(&self) -> bool {
        matches!(self.asked_for, AskedFor::Condition | AskedFor::Deletion)
    }

    /// The column that is set; none of a condition.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        match &self.asked_for {
            AskedFor::Condition | AskedFor::Deletion => None,
            AskedFor::Value { column, .. } => Some(column),
        }
    }
}

/// The expressions of a load, conditions first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedExpressions {
    /// Columns of the record.
    pub columns: Vec<AskedColumn>,
    /// The expressions.
    pub expressions: Vec<AskedExpression>,
    /// The column by which rows are marked in place of deleted: each record has a value for it.
    pub mark: Option<String>,
}

/// What the server says of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The columns that it names, by their place among those that it may name.
    pub names: Vec<usize>,
    /// The type of its values.
    pub type_name: String,
}

impl AskedExpressions {
    /// What is to be judged of a shaping; `None`: nothing is asked.
    #[must_use]
    pub fn of(shaping: &Shaping) -> Option<Self> {
        let condition = shaping.condition().map(|condition| (AskedFor::Condition, condition));
        let deletion = shaping.deletion().map(|deletion| (AskedFor::Deletion, deletion));
        let sets = shaping
            .sets()
            .map(|(column, set)| (AskedFor::Value { column: column.to_owned(), is_needed: false }, set));
        let mark = shaping.mark().map(str::to_owned);
        let mut asked = Self { columns: Vec::new(), expressions: Vec::new(), mark };
        for (asked_for, expression) in condition.into_iter().chain(deletion).chain(sets) {
            asked.add(asked_for, expression);
        }
        (!asked.expressions.is_empty()).then_some(asked)
    }

    fn add(&mut self, asked_for: AskedFor, expression: &Expression) {
        let names = expression.names().iter().map(|field| (field, false));
        for (field, is_presence) in names.chain(expression.present().iter().map(|field| (field, true))) {
            let name = if is_presence { field.presence() } else { field.name.clone() };
            match self.columns.iter_mut().find(|known| known.name == name) {
                Some(known) => known.field.is_exact &= field.is_exact,
                None => self.columns.push(AskedColumn { name, field: field.clone(), is_presence }),
            }
        }
        self.expressions.push(AskedExpression {
            words: match &asked_for {
                AskedFor::Condition => format!("--where {}", expression.text()),
                AskedFor::Deletion => format!("--delete-when {}", expression.text()),
                AskedFor::Value { column, .. } => format!("--set {column}={}", expression.text()),
            },
            asked_for,
            sql: expression.sql().to_owned(),
            names: Vec::new(),
            type_name: String::new(),
        });
    }

    /// The same, with what the server says of each expression: of the columns those are left that are named.
    #[must_use]
    pub fn judged(mut self, judgements: &[Judgement]) -> Self {
        let is_named = |at: usize| judgements.iter().any(|judgement| judgement.names.contains(&at));
        let named: Vec<usize> = (0..self.columns.len()).filter(|&at| is_named(at)).collect();
        for (expression, judgement) in self.expressions.iter_mut().zip(judgements) {
            expression.names = (0..named.len()).filter(|&at| judgement.names.contains(&named[at])).collect();
            expression.type_name.clone_from(&judgement.type_name);
        }
        self.columns = named.iter().map(|&at| self.columns[at].clone()).collect();
        self
    }

    /// Whether of some records less than all is converted: those that are left out, or delete.
    #[must_use]
    pub fn has_condition(&self) -> bool {
        self.expressions.iter().any(AskedExpression::is_condition)
    }

    /// Whether records may delete.
    #[must_use]
    pub fn has_deletion(&self) -> bool {
        self.expression(&AskedFor::Deletion).is_some()
    }

    /// The one that is asked for this.
    #[must_use]
    pub fn expression(&self, asked_for: &AskedFor) -> Option<&AskedExpression> {
        self.expressions.iter().find(|expression| expression.asked_for == *asked_for)
    }

    /// The values of these columns alone are needed of records that delete.
    pub(super) fn need(&mut self, needed: &[&str]) {
        for expression in &mut self.expressions {
            if let AskedFor::Value { column, is_needed } = &mut expression.asked_for {
                *is_needed = needed.contains(&column.as_str());
            }
        }
    }

    /// Columns that are set, each with its expression.
    pub fn sets(&self) -> impl Iterator<Item = (&str, &AskedExpression)> {
        self.expressions.iter().filter_map(|set| Some((set.column()?, set)))
    }

    /// A field that expressions name.
    #[must_use]
    pub fn names(&self, field: &str) -> bool {
        self.columns.iter().any(|column| column.field.is_of(field))
    }
}

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

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedExpression {
    /// The column that is set; none of a condition.
    pub column: Option<String>,
    /// As the server gets it.
    pub sql: String,
    /// As the user has said it, with its flag.
    pub words: String,
    /// The columns of the record that it names, by their place.
    pub names: Vec<usize>,
    /// The type of its values.
    pub type_name: String,
}

/// The expressions of a load, a condition first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedExpressions {
    /// Columns of the record.
    pub columns: Vec<AskedColumn>,
    /// The expressions.
    pub expressions: Vec<AskedExpression>,
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
        let condition = shaping.condition().map(|condition| (None, condition));
        let sets = shaping.sets().map(|(column, set)| (Some(column), set));
        let mut asked = Self { columns: Vec::new(), expressions: Vec::new() };
        for (column, expression) in condition.into_iter().chain(sets) {
            asked.add(column, expression);
        }
        (!asked.expressions.is_empty()).then_some(asked)
    }

    fn add(&mut self, column: Option<&str>, expression: &Expression) {
        let names = expression.names().iter().map(|field| (field, false));
        for (field, is_presence) in names.chain(expression.present().iter().map(|field| (field, true))) {
            let name = if is_presence { field.presence() } else { field.name.clone() };
            match self.columns.iter_mut().find(|known| known.name == name) {
                Some(known) => known.field.is_exact &= field.is_exact,
                None => self.columns.push(AskedColumn { name, field: field.clone(), is_presence }),
            }
        }
        self.expressions.push(AskedExpression {
            column: column.map(str::to_owned),
            sql: expression.sql().to_owned(),
            words: match column {
                Some(column) => format!("--set {column}={}", expression.text()),
                None => format!("--where {}", expression.text()),
            },
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

    /// Whether records are left out by a condition.
    #[must_use]
    pub fn has_condition(&self) -> bool {
        self.expressions.iter().any(|expression| expression.column.is_none())
    }

    /// Columns that are set, each with its expression.
    pub fn sets(&self) -> impl Iterator<Item = (&str, &AskedExpression)> {
        self.expressions.iter().filter_map(|set| Some((set.column.as_deref()?, set)))
    }

    /// A field that expressions name.
    #[must_use]
    pub fn names(&self, field: &str) -> bool {
        self.columns.iter().any(|column| column.field.is_of(field))
    }
}

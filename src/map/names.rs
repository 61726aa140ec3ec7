//! Field names to column names: exactly, else without the spaces around them, else whatever their case, else
//! as snake_case.

use crate::schema::Table;

/// How a field name met its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// The names are the same bytes.
    Exact,
    /// The same but for spaces around the field's.
    Trimmed,
    /// The same but for case.
    CaseInsensitive,
    /// `orderId`, `Order ID` and `order-id` meet `order_id`.
    SnakeCase,
}

/// Blanks around the name of a field, which no column has for them.
pub const BLANKS: [char; 2] = [' ', '\t'];

/// Names that a message shows at most.
const NAMES_SHOWN: usize = 30;
/// Characters of a name that a message shows at most: a name of PostgreSQL has 63 bytes.
const NAME_CHARS_SHOWN: usize = 80;

/// Names as a message lists them: quoted, and not thousands of them.
#[must_use]
pub fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).map(|name| {
        let name = name.as_ref();
        match name.char_indices().nth(NAME_CHARS_SHOWN) {
            Some((end, _)) => format!("{:?}..", &name[..end]),
            None => format!("{name:?}"),
        }
    });
    let mut list = shown.collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_SHOWN {
        list.push_str(&format!(" and {} more", names.len() - NAMES_SHOWN));
    }
    list
}

/// The column that a field of this name goes to. Two columns that would do equally well are none.
pub(super) fn find(table: &Table, field: &str) -> Option<(usize, Match)> {
    if let Some(column) = table.column(field) {
        return Some((column, Match::Exact));
    }
    if field.contains('\0') {
        // No column has such a name, however it is read.
        return None;
    }
    let field = field.trim_matches(BLANKS);
    if let Some(column) = table.column(field) {
        return Some((column, Match::Trimmed));
    }
    let lower = field.to_lowercase();
    let snake = snake_case(field);
    let one = |wanted: &str| {
        let mut found =
            table.columns.iter().enumerate().filter(|(_, c)| c.name.raw().to_lowercase() == wanted);
        match (found.next(), found.next()) {
            (Some((column, _)), None) => Some(column),
            _ => None,
        }
    };
    one(&lower).map(|c| (c, Match::CaseInsensitive)).or_else(|| one(&snake).map(|c| (c, Match::SnakeCase)))
}

/// Columns whose names begin so: exactly, else whatever their case, else as snake_case.
pub(super) fn below(table: &Table, begins: &str) -> Vec<String> {
    let (lower, mut snake) = (begins.to_lowercase(), snake_case(begins));
    snake.push('_');
    let all = |is: &dyn Fn(&str) -> bool| -> Vec<String> {
        let names = table.columns.iter().map(|column| column.name.raw());
        names.filter(|name| is(name)).map(str::to_owned).collect()
    };
    let is_below = |name: &str, begins: &str| name.len() > begins.len() && name.starts_with(begins);
    let exact = all(&|name| is_below(name, begins));
    if !exact.is_empty() {
        return exact;
    }
    let alike = all(&|name| is_below(&name.to_lowercase(), &lower));
    if alike.is_empty() { all(&|name| is_below(&name.to_lowercase(), &snake)) } else { alike }
}

/// `HTTPStatusCode` → `http_status_code`, `Order ID` → `order_id`.
fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.trim().chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (i, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            continue;
        }
        let previous = i.checked_sub(1).and_then(|p| chars.get(p)).copied();
        let next_is_lower = chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        let starts_word = c.is_uppercase()
            && previous
                .is_some_and(|p| p.is_lowercase() || p.is_numeric() || (p.is_uppercase() && next_is_lower));
        if starts_word && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn names_of_the_wild_become_snake_case() {
        for (name, snake) in [
            ("orderId", "order_id"),
            ("Order ID", "order_id"),
            ("order-id", "order_id"),
            ("HTTPStatusCode", "http_status_code"),
            ("address2Line", "address2_line"),
            (" padded ", "padded"),
            ("Größe (cm)", "größe_cm"),
            ("", ""),
        ] {
            assert_eq!(snake_case(name), snake, "{name}");
        }
    }
}

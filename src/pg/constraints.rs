//! What the catalog says of constraints that a row can be asked about before it is stored.

use crate::schema::{Check, Column, ForeignKey};

use super::answer::{AnswerRow, CatalogError, ordinal};
use super::outcome::StatementResult;

/// CHECK constraints of a table: the numbers of the columns that they read, and the expression.
pub(super) fn checks_query(oid: u32) -> String {
    format!(
        "SELECT pg_catalog.array_to_string(k.conkey, ' '), pg_catalog.pg_get_expr(k.conbin, k.conrelid) \
         FROM pg_catalog.pg_constraint k WHERE k.conrelid = {oid} AND k.contype = 'c' ORDER BY k.conname"
    )
}

/// Foreign keys of a table, a row a column. The parent's collation is what counts, where the two differ. (A
/// partitioned parent has one more for each partition, with the same columns.)
pub(super) fn foreign_keys_query(oid: u32) -> String {
    format!(
        "SELECT k.oid, pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.relname), k.conkey[i], \
           pg_catalog.quote_ident(a.attname) || coalesce((SELECT ' COLLATE ' || pg_catalog.quote_ident(xn.nspname) || '.' \
                || pg_catalog.quote_ident(x.collname) FROM pg_catalog.pg_collation x \
              JOIN pg_catalog.pg_namespace xn ON xn.oid = x.collnamespace WHERE x.oid = a.attcollation AND f.attcollation <> x.oid), ''), \
           'OPERATOR(' || pg_catalog.quote_ident(n.nspname) || '.' || o.oprname || ')' \
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class p ON p.oid = k.confrelid \
         JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace \
         CROSS JOIN LATERAL pg_catalog.generate_subscripts(k.conkey, 1) i \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = k.confkey[i] \
         JOIN pg_catalog.pg_attribute f ON f.attrelid = k.conrelid AND f.attnum = k.conkey[i] \
         JOIN pg_catalog.pg_operator o ON o.oid = k.conpfeqop[i] \
         JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace \
         WHERE k.conrelid = {oid} AND k.contype = 'f' AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint up \
            WHERE up.oid = k.conparentid AND up.conrelid = k.conrelid) ORDER BY k.oid, i"
    )
}

/// The constraints that name none but columns of the table: 0 is the whole row, less than 0 a system column.
pub(super) fn read_checks(
    outcome: &StatementResult,
    columns: &[(i32, Column)],
) -> Result<Vec<Check>, CatalogError> {
    let mut checks = Vec::with_capacity(outcome.rows.len());
    for row in &outcome.rows {
        let mut row = AnswerRow::of(row);
        let Some(numbers) = row.next() else { continue };
        let ordinals = numbers.split(' ').map(|n| ordinal(columns, n.parse().ok()?));
        if let Some(columns) = ordinals.collect() {
            checks.push(Check { columns, expression: row.text()? });
        }
    }
    Ok(checks)
}

/// A row a column; the rows of a constraint follow each other.
pub(super) fn read_foreign_keys(
    outcome: &StatementResult,
    columns: &[(i32, Column)],
) -> Result<Vec<ForeignKey>, CatalogError> {
    let mut keys: Vec<(u32, ForeignKey)> = Vec::new();
    for row in &outcome.rows {
        let mut row = AnswerRow::of(row);
        let (constraint, parent) = (row.number()?, row.text()?);
        let own = ordinal(columns, row.number()?).ok_or(CatalogError::Answer)?;
        let column = (own, row.text()?, row.text()?);
        match keys.last_mut() {
            Some((last, key)) if *last == constraint => key.columns.push(column),
            _ => keys.push((constraint, ForeignKey { parent, columns: vec![column] })),
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

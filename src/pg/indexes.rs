//! What the catalog says of unique indexes: the table's own, and those that a partition or child has for
//! itself.

use crate::schema::{Column, Equality, UniqueIndex, Unusable};

use super::answer::{AnswerRow, CatalogError, ordinal};
use super::outcome::StatementResult;

/// The table and all that inherits from it, partitions and children alike, as `tree(oid)`: for behind `WITH
/// RECURSIVE`.
pub(super) fn tree(root: &str) -> String {
    format!(
        "tree(oid) AS ({root} \
           UNION SELECT h.inhrelid FROM tree JOIN pg_catalog.pg_inherits h ON h.inhparent OPERATOR(pg_catalog.=) tree.oid)"
    )
}

/// Unique indexes of a table without parts, as [`indexes_query`] would give them where each column is
/// compared as its type has it; behind that, whether each is. `target`: the table, as SQL. Such are types of
/// the server's own under their default operator class, without a collation or under one that is
/// deterministic: default, C, POSIX.
pub(super) fn plain_query(target: &str) -> String {
    format!(
        "SELECT ic.relname, false, k.conname, i.indisprimary, i.indisvalid, i.indpred IS NOT NULL, i.indexprs IS NOT NULL, \
           NOT i.indimmediate, i.indnullsnotdistinct, i.indisexclusion, of.columns, of.are_plain \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid \
         LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u') \
         CROSS JOIN LATERAL (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(a.attnum, 'OPERATOR(pg_catalog.=)', NULL, \
               true, true, 'pg_catalog.' || pg_catalog.quote_ident(c.opcname)) ORDER BY n) AS columns, \
             pg_catalog.bool_and(c.opcmethod = 403 AND c.opcdefault AND c.opcnamespace = 'pg_catalog'::pg_catalog.regnamespace \
               AND (c.opcintype = a.atttypid OR c.opcintype = 'pg_catalog.text'::pg_catalog.regtype \
                                                AND a.atttypid = 'pg_catalog.varchar'::pg_catalog.regtype) \
               AND i.indcollation[n] = a.attcollation AND a.attcollation IN (0, 100, 950, 951)) AS are_plain \
            FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) n JOIN pg_catalog.pg_opclass c ON c.oid = i.indclass[n] \
            LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n]) of \
         WHERE i.indrelid = {target} AND i.indisunique ORDER BY i.indisprimary DESC, ic.relname"
    )
}

/// Whether the answer to [`plain_query`] says all of them.
pub(super) fn are_plain(outcome: &StatementResult) -> bool {
    outcome.rows.iter().all(|row| row.last().and_then(Option::as_deref) == Some("t"))
}

/// Unique indexes, the primary key first, those of parts last. Of each column: its number in the table, the
/// equality operator of the operator class, the collation where it is another than the column's, whether that
/// is deterministic, whether GROUP BY compares by the same operator (that of the default class of the
/// column's type, or of the type that the class is for), and the class.
pub(super) fn indexes_query(oid: u32) -> String {
    format!(
        "WITH RECURSIVE {tree} \
         SELECT ic.relname, i.indrelid <> {oid}, k.conname, i.indisprimary AND i.indrelid = {oid}, i.indisvalid, \
           i.indpred IS NOT NULL, i.indexprs IS NOT NULL, NOT i.indimmediate, \
           coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false), i.indisexclusion, \
           (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(a.attnum, \
                'OPERATOR(' || pg_catalog.quote_ident(pn.nspname) || '.' || p.oprname || ')', \
                CASE WHEN i.indcollation[n] NOT IN (0, a.attcollation) \
                     THEN pg_catalog.quote_ident(xn.nspname) || '.' || pg_catalog.quote_ident(x.collname) END, \
                coalesce(x.collisdeterministic, true), \
                (SELECT e.amopopr = p.oid FROM pg_catalog.pg_opclass d JOIN pg_catalog.pg_amop e ON e.amopfamily = d.opcfamily \
                    AND e.amoplefttype = d.opcintype AND e.amoprighttype = d.opcintype AND e.amopstrategy = 3 \
                  WHERE d.opcmethod = 403 AND d.opcdefault AND d.opcintype IN (b.oid, c.opcintype) \
                  ORDER BY d.opcintype = b.oid DESC LIMIT 1), \
                pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(c.opcname)) ORDER BY n) \
              FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) n \
              JOIN pg_catalog.pg_opclass c ON c.oid = i.indclass[n] JOIN pg_catalog.pg_namespace cn ON cn.oid = c.opcnamespace \
              LEFT JOIN pg_catalog.pg_amop m ON c.opcmethod = 403 AND m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype \
               AND m.amoprighttype = c.opcintype AND m.amopstrategy = 3 \
              LEFT JOIN pg_catalog.pg_operator p ON p.oid = m.amopopr LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.oprnamespace \
              LEFT JOIN pg_catalog.pg_collation x ON x.oid = i.indcollation[n] \
              LEFT JOIN pg_catalog.pg_namespace xn ON xn.oid = x.collnamespace \
              LEFT JOIN pg_catalog.pg_attribute o ON o.attrelid = i.indrelid AND o.attnum = i.indkey[n] \
              LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = {oid} AND a.attname = o.attname AND NOT a.attisdropped \
              LEFT JOIN LATERAL (WITH RECURSIVE up(oid) AS (SELECT a.atttypid \
                  UNION ALL SELECT t.typbasetype FROM up JOIN pg_catalog.pg_type t ON t.oid = up.oid WHERE t.typtype = 'd') \
                SELECT up.oid FROM up JOIN pg_catalog.pg_type t ON t.oid = up.oid AND t.typtype <> 'd') b ON true) \
         FROM tree JOIN pg_catalog.pg_index i ON i.indrelid = tree.oid \
         JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid \
         LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u') \
         WHERE i.indisunique AND (i.indrelid = {oid} \
            OR NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)) \
         ORDER BY i.indrelid <> {oid}, i.indisprimary DESC, ic.relname",
        tree = tree(&format!("SELECT {oid}::pg_catalog.oid")),
    )
}

/// A column of an index as the query gives it.
type Compared = (Option<i32>, Option<String>, Option<String>, bool, Option<bool>, String);

pub(super) fn read_indexes(
    outcome: &StatementResult,
    columns: &[(i32, Column)],
) -> Result<Vec<UniqueIndex>, CatalogError> {
    outcome.rows.iter().map(|row| read_index(AnswerRow::of(row), columns)).collect()
}

fn read_index(mut row: AnswerRow<'_>, columns: &[(i32, Column)]) -> Result<UniqueIndex, CatalogError> {
    let name = row.text()?;
    let of_part = row.flag();
    let constraint = row.next();
    let (primary, valid) = (row.flag(), row.flag());
    let (partial, expression, deferrable) = (row.flag(), row.flag(), row.flag());
    let nulls_not_distinct = row.flag();
    let temporal = row.flag();
    let compared: Vec<Compared> = serde_json::from_str(&row.text()?).map_err(|_| CatalogError::Answer)?;
    let unusable = [
        (expression, Unusable::Expression),
        (partial, Unusable::Partial),
        (temporal, Unusable::Temporal),
        (deferrable, Unusable::Deferrable),
        (!valid, Unusable::Invalid),
    ]
    .into_iter()
    .find_map(|(holds, why)| holds.then_some(why));
    let ordinals = compared.iter().map(|column| ordinal(columns, column.0?)).collect::<Option<Vec<_>>>();
    let equality = |(_, operator, collation, is_deterministic, is_default, class): Compared| Equality {
        // Without an operator of a B-tree there is nothing to compare by.
        is_default: operator.is_some() && is_default == Some(true),
        operator: operator.unwrap_or_else(|| Equality::plain().operator),
        collation,
        is_deterministic,
        class,
    };
    Ok(UniqueIndex {
        name,
        of_part,
        constraint,
        columns: if expression { Vec::new() } else { ordinals.unwrap_or_default() },
        equality: compared.into_iter().map(equality).collect(),
        primary,
        nulls_not_distinct,
        unusable,
    })
}

//! Several tables at once, as far as rows with references between them need to know: in two questions,
//! however many tables there are (three, where columns are of composite types).

use std::collections::HashMap;

use crate::schema::{Ident, Link, LinkedColumn, LinkedSequence, LinkedTable, TableName, literal};

use super::answer::{AnswerRow, CatalogError};
use super::catalog::{Types, attributes_query, columns_query, read_columns, types_query};
use super::outcome::StatementResult;
use super::session::Session;

/// Describes these tables, in this order; `None`: there is no table of this name.
///
/// # Errors
/// The server refuses a question, or is gone.
pub async fn read_linked(
    session: &Session,
    names: &[TableName],
) -> Result<Vec<Option<LinkedTable>>, CatalogError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = session.run(&found_query(names)).await?;
    let mut tables: Vec<Option<LinkedTable>> = Vec::new();
    tables.resize_with(names.len(), || None);
    for row in found.first().map(|outcome| outcome.rows.as_slice()).unwrap_or_default() {
        let mut row = AnswerRow::of(row);
        let at: usize = row.number()?;
        let oid = row.number()?;
        let name = TableName { schema: Some(Ident::new(row.text()?)?), name: Ident::new(row.text()?)? };
        let has_before_row_triggers = row.flag();
        let table = LinkedTable {
            name,
            oid,
            columns: Vec::new(),
            primary: Vec::new(),
            key: Vec::new(),
            links: Vec::new(),
            sequences: Vec::new(),
            has_before_row_triggers,
        };
        *tables.get_mut(at).ok_or(CatalogError::Answer)? = Some(table);
    }
    let oids: Vec<String> = tables.iter().flatten().map(|table| table.oid.to_string()).collect();
    if oids.is_empty() {
        return Ok(tables);
    }
    let oids = oids.join(", ");
    let answers = session.ask(&details_queries(&oids)).await?;
    let [columns, types, keys, links, sequences] = answers.as_slice() else {
        return Err(CatalogError::Answer);
    };
    let mut types = Types::read(types)?;
    if types.has_composites() {
        types.read_attributes(session.ask(&attributes_query(&oids)).await?.first())?;
    }
    add_columns(&mut tables, columns, &types)?;
    add_keys(&mut tables, keys)?;
    add_links(&mut tables, links)?;
    add_sequences(&mut tables, sequences)?;
    Ok(tables)
}

/// A foreign key between two of several tables, by their places in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableReference {
    /// The one that refers to the other.
    pub child: usize,
    /// The one that is referred to.
    pub parent: usize,
}

/// The foreign keys between these tables; those that are not there have none.
///
/// # Errors
/// The server refuses the question, or is gone.
pub async fn references_between(
    session: &Session,
    names: &[TableName],
) -> Result<Vec<TableReference>, CatalogError> {
    let found = session
        .run(&format!(
            "WITH t AS ({}) SELECT DISTINCT child.i, parent.i FROM pg_catalog.pg_constraint k \
             JOIN t child ON child.oid OPERATOR(pg_catalog.=) k.conrelid \
             JOIN t parent ON parent.oid OPERATOR(pg_catalog.=) k.confrelid \
             WHERE k.contype OPERATOR(pg_catalog.=) 'f' AND k.conrelid OPERATOR(pg_catalog.<>) k.confrelid ORDER BY 1, 2",
            found_query(names)
        ))
        .await?;
    let rows = found.first().map(|outcome| outcome.rows.as_slice()).unwrap_or_default();
    let reference = |row: &Vec<Option<String>>| {
        let mut row = AnswerRow::of(row);
        Ok(TableReference { child: row.number()?, parent: row.number()? })
    };
    rows.iter().map(reference).collect()
}

/// The names of all tables that this role sees without saying a schema, and of all others with it.
///
/// # Errors
/// The server refuses the question, or is gone.
pub async fn names_of_tables(session: &Session) -> Result<Vec<String>, CatalogError> {
    let all = session
        .run(
            "SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname::pg_catalog.text \
               ELSE pg_catalog.concat(n.nspname, '.', c.relname) END \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
             WHERE (c.relkind OPERATOR(pg_catalog.=) 'r' OR c.relkind OPERATOR(pg_catalog.=) 'p') AND NOT c.relispartition \
               AND n.nspname OPERATOR(pg_catalog.!~) '^(pg_|information_schema$)' \
             ORDER BY 1",
        )
        .await?;
    let rows = all.first().map(|outcome| outcome.rows.as_slice()).unwrap_or_default();
    Ok(rows.iter().filter_map(|row| row.first()?.clone()).collect())
}

/// The name of a table by its number: qualified, and as this role would say it.
///
/// # Errors
/// There is no such table, or the server does not answer.
pub async fn name_of_table(session: &Session, oid: u32) -> Result<(TableName, String), CatalogError> {
    let answer = session
        .run(&format!(
            "SELECT n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid) FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
             WHERE c.oid OPERATOR(pg_catalog.=) {oid}::pg_catalog.oid"
        ))
        .await?;
    let mut row = AnswerRow::first(answer.first()).ok_or(CatalogError::Answer)?;
    let (schema, name) = (Ident::new(row.text()?)?, Ident::new(row.text()?)?);
    let bare = TableName { schema: None, name: name.clone() };
    let full = TableName { schema: Some(schema), name };
    let said = if row.flag() { bare.plain() } else { full.plain() };
    Ok((full, said))
}

/// The tables of these names, as this role would find them.
fn found_query(names: &[TableName]) -> String {
    let wanted: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            format!("({i}, pg_catalog.to_regclass({})::pg_catalog.oid)", literal(&name.to_string()))
        })
        .collect();
    format!(
        "SELECT v.i, c.oid, n.nspname, c.relname, EXISTS (SELECT FROM pg_catalog.pg_trigger g \
           WHERE g.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT g.tgisinternal AND g.tgtype OPERATOR(pg_catalog.&) 3::smallint OPERATOR(pg_catalog.=) 3) \
         FROM (VALUES {}) v(i, oid) JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) v.oid \
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
         WHERE c.relkind OPERATOR(pg_catalog.=) 'r' OR c.relkind OPERATOR(pg_catalog.=) 'p'",
        wanted.join(", ")
    )
}

/// Columns, types, unique indexes, foreign keys, sequences.
fn details_queries(oids: &str) -> String {
    format!(
        "{};\n{};\n\
         SELECT i.indrelid, i.indisprimary, i.indimmediate AND i.indisvalid AND NOT i.indisexclusion, \
           (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY n) FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) n \
              JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n]) \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid IN ({oids}) AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL \
         ORDER BY i.indrelid, i.indisprimary DESC, c.relname;\n\
         SELECT k.conrelid, k.conname, k.confrelid, \
           (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY i) FROM pg_catalog.generate_subscripts(k.conkey, 1) i \
              JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[i]), \
           (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY i) FROM pg_catalog.generate_subscripts(k.confkey, 1) i \
              JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = k.confkey[i]) \
         FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conrelid IN ({oids}) \
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint up WHERE up.oid = k.conparentid AND up.conrelid = k.conrelid) \
         ORDER BY k.conrelid, k.conname;\n\
         SELECT used.relation, a.attname, pg_catalog.format('%I.%I', n.nspname, s.relname), q.seqincrement > 0 \
         FROM (SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attnum FROM pg_catalog.pg_depend d \
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i') \
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid IN ({oids}) \
             UNION SELECT d.refobjid, f.adrelid, f.adnum FROM pg_catalog.pg_attrdef f \
             JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid \
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass WHERE f.adrelid IN ({oids})) used \
         JOIN pg_catalog.pg_class s ON s.oid = used.sequence AND s.relkind = 'S' \
         JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = used.relation AND a.attnum = used.attnum \
         ORDER BY used.relation, a.attnum, s.oid",
        columns_query(oids),
        types_query(oids),
    )
}

/// The rows of an answer by the number of the table in this field.
fn by_table(answer: &StatementResult, field: usize) -> HashMap<u32, Vec<&Vec<Option<String>>>> {
    let mut rows: HashMap<u32, Vec<_>> = HashMap::new();
    for row in &answer.rows {
        if let Some(oid) = row.get(field).and_then(|oid| oid.as_deref()?.parse().ok()) {
            rows.entry(oid).or_default().push(row);
        }
    }
    rows
}

/// Fields of an answer to [`columns_query`]: the table's number, and the type without length or scale.
const OF_TABLE: usize = 15;

fn add_columns(
    tables: &mut [Option<LinkedTable>],
    answer: &StatementResult,
    types: &Types,
) -> Result<(), CatalogError> {
    let rows = by_table(answer, OF_TABLE);
    for table in tables.iter_mut().flatten() {
        let of_table: Vec<Vec<Option<String>>> =
            rows.get(&table.oid).into_iter().flatten().map(|row| (*row).clone()).collect();
        let casts: Vec<String> = of_table.iter().filter_map(|row| row.get(OF_TABLE + 1)?.clone()).collect();
        let read = read_columns(&StatementResult { rows: of_table, affected: 0 }, types)?;
        table.columns =
            read.into_iter().zip(casts).map(|((_, column), cast)| LinkedColumn { column, cast }).collect();
    }
    Ok(())
}

/// The ordinals of columns that are listed as a JSON array of names; `None`: one of them is not known.
fn ordinals(table: &LinkedTable, names: &str) -> Result<Option<Vec<usize>>, CatalogError> {
    Ok(list(names)?.iter().map(|name| table.column(name)).collect())
}

fn list(names: &str) -> Result<Vec<String>, CatalogError> {
    serde_json::from_str(names).map_err(|_| CatalogError::Answer)
}

fn add_keys(tables: &mut [Option<LinkedTable>], answer: &StatementResult) -> Result<(), CatalogError> {
    let rows = by_table(answer, 0);
    for table in tables.iter_mut().flatten() {
        for row in rows.get(&table.oid).into_iter().flatten() {
            let mut row = AnswerRow::of(row);
            row.next();
            let (is_primary, is_usable) = (row.flag(), row.flag());
            let Some(columns) = row.next().map(|names| ordinals(table, &names)).transpose()?.flatten() else {
                continue;
            };
            if is_primary {
                table.primary.clone_from(&columns);
            }
            if is_usable && table.key.is_empty() {
                table.key = columns;
            }
        }
    }
    Ok(())
}

fn add_links(tables: &mut [Option<LinkedTable>], answer: &StatementResult) -> Result<(), CatalogError> {
    let rows = by_table(answer, 0);
    for table in tables.iter_mut().flatten() {
        for row in rows.get(&table.oid).into_iter().flatten() {
            let mut row = AnswerRow::of(row);
            row.next();
            let (constraint, parent) = (row.text()?, row.number()?);
            let (own, theirs) = (row.text()?, row.text()?);
            let columns = ordinals(table, &own)?.ok_or(CatalogError::Answer)?;
            table.links.push(Link { constraint, columns, parent, parent_columns: list(&theirs)? });
        }
    }
    Ok(())
}

fn add_sequences(tables: &mut [Option<LinkedTable>], answer: &StatementResult) -> Result<(), CatalogError> {
    let rows = by_table(answer, 0);
    for table in tables.iter_mut().flatten() {
        for row in rows.get(&table.oid).into_iter().flatten() {
            let mut row = AnswerRow::of(row);
            row.next();
            let column = row.text()?;
            let (name, ascends) = (row.text()?, row.flag());
            if let Some(column) = table.column(&column) {
                table.sequences.push(LinkedSequence { column, name, ascends });
            }
        }
    }
    Ok(())
}

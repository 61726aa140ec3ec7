//! Questions about the target that only some loads have: what an operator is called, which rights are
//! missing.

use std::fmt::Write as _;

use crate::schema::{Ident, TableName, literal};

use super::answer::CatalogError;
use super::outcome::StatementResult;
use super::session::Session;
use super::sqlstate::is_of_encoding;

/// Whether the database's encoding has all characters of a text. (Asked as bytes, which it can hold whatever
/// they are.)
pub async fn holds(session: &Session, text: &str) -> Result<bool, CatalogError> {
    let bytes = text.bytes().fold(String::with_capacity(2 * text.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    });
    let sql = format!(
        "SELECT pg_catalog.length(pg_catalog.convert(pg_catalog.decode('{bytes}', 'hex'), 'UTF8', pg_catalog.getdatabaseencoding()))"
    );
    match session.run(&sql).await {
        Ok(_) => Ok(true),
        Err(error) if is_of_encoding(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether elements of an array of this type can be told to be equal. Where they cannot, a transaction is
/// over.
pub async fn has_equal_elements(session: &Session, array: &str) -> Result<bool, CatalogError> {
    let sql = format!(
        "SELECT pg_catalog.count(*) FROM (SELECT e FROM pg_catalog.unnest(NULL::{array}) u(e) GROUP BY e) g"
    );
    match session.run(&sql).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_lost() => Err(error.into()),
        Err(_) => Ok(false),
    }
}

/// Whether there is a schema of this name.
pub async fn has_schema(session: &Session, name: &Ident) -> Result<bool, CatalogError> {
    let name = literal(name.raw());
    let sql = format!("SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = {name})");
    let outcomes = session.ask(&sql).await?;
    Ok(outcomes.first().and_then(StatementResult::value) == Some("t"))
}

/// A table of the same schema whose name differs from this one by its letters' case alone, quoted.
pub async fn named_alike(session: &Session, name: &TableName) -> Result<Option<String>, CatalogError> {
    let Some(schema) = &name.schema else { return Ok(None) };
    let table = literal(name.name.raw());
    let sql = format!(
        "SELECT pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relkind IN ('r', 'p') AND c.relname <> {table} \
           AND pg_catalog.lower(c.relname) = pg_catalog.lower({table}) ORDER BY c.relname LIMIT 1",
        literal(schema.raw())
    );
    let outcomes = session.ask(&sql).await?;
    Ok(outcomes.first().and_then(StatementResult::value).map(ToOwned::to_owned))
}

/// A sequence that one of these columns takes its default from and that the role may not use, quoted.
pub async fn forbidden_sequence(
    session: &Session,
    oid: u32,
    columns: &[&str],
) -> Result<Option<String>, CatalogError> {
    let names: Vec<String> = columns.iter().map(|name| literal(name)).collect();
    let sql = format!(
        "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname) \
         FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum \
         JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid \
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
         JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' \
         JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace \
         WHERE f.adrelid = {oid} AND a.attname IN ({}) \
           AND CASE WHEN s.relkind = 'S' THEN NOT pg_catalog.has_sequence_privilege(s.oid, 'USAGE, UPDATE') END ORDER BY s.oid LIMIT 1",
        names.join(", ")
    );
    let outcomes = session.ask(&sql).await?;
    Ok(outcomes.first().and_then(StatementResult::value).map(ToOwned::to_owned))
}

/// Whether the role may delete rows of a table.
pub async fn may_delete(session: &Session, oid: u32) -> Result<bool, CatalogError> {
    let sql = format!("SELECT pg_catalog.has_table_privilege({oid}, 'DELETE')");
    let outcomes = session.ask(&sql).await?;
    Ok(outcomes.first().and_then(StatementResult::value) == Some("t"))
}

/// The operator that says whether one value of a column is greater than another, qualified
/// (`OPERATOR(pg_catalog.>)`): of the default B-tree operator class of its type, or of the one that its
/// values are taken for. `None`: they have no order.
pub async fn greater_operator(
    session: &Session,
    oid: u32,
    column: &str,
) -> Result<Option<String>, CatalogError> {
    let sql = format!(
        "WITH RECURSIVE base(oid, level) AS (SELECT a.atttypid, 0 FROM pg_catalog.pg_attribute a \
            WHERE a.attrelid = {oid} AND a.attname = {} \
          UNION ALL SELECT t.typbasetype, base.level + 1 FROM base JOIN pg_catalog.pg_type t ON t.oid = base.oid \
            WHERE t.typtype = 'd') \
         SELECT 'OPERATOR(' || pg_catalog.quote_ident(n.nspname) || '.' || o.oprname || ')' \
         FROM (SELECT oid FROM base ORDER BY level DESC LIMIT 1) b JOIN pg_catalog.pg_type t ON t.oid = b.oid \
         JOIN pg_catalog.pg_opclass c ON c.opcmethod = 403 AND c.opcdefault AND (c.opcintype = t.oid \
            OR EXISTS (SELECT FROM pg_catalog.pg_cast k WHERE k.castsource = t.oid AND k.casttarget = c.opcintype \
                AND k.castmethod = 'b' AND k.castcontext = 'i') \
            OR c.opcintype = CASE t.typtype WHEN 'e' THEN 'pg_catalog.anyenum'::pg_catalog.regtype \
                WHEN 'r' THEN 'pg_catalog.anyrange'::pg_catalog.regtype \
                WHEN 'm' THEN 'pg_catalog.anymultirange'::pg_catalog.regtype \
                WHEN 'c' THEN 'pg_catalog.record'::pg_catalog.regtype \
                ELSE CASE WHEN t.typcategory = 'A' THEN 'pg_catalog.anyarray'::pg_catalog.regtype END END) \
         JOIN pg_catalog.pg_amop m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype \
            AND m.amoprighttype = c.opcintype AND m.amopstrategy = 5 \
         JOIN pg_catalog.pg_operator o ON o.oid = m.amopopr \
         JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace \
         JOIN pg_catalog.pg_type i ON i.oid = c.opcintype \
         ORDER BY c.opcintype = t.oid DESC, i.typispreferred DESC, c.opcintype LIMIT 1",
        literal(column)
    );
    let outcomes = session.ask(&sql).await?;
    Ok(outcomes.first().and_then(StatementResult::value).map(ToOwned::to_owned))
}

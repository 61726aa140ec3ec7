//! What decides how the content of a table may be exchanged: who refers to it, who hears of it, and which
//! rights the role has.

use crate::schema::{OnDelete, Reference, literal};

use super::answer::{AnswerRow, CatalogError};
use super::session::Session;

/// What a table has around it, as far as all of its rows may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of the catalog, not states")]
pub struct ContentFacts {
    /// The foreign keys that point at it, or at a part of it.
    pub references: Vec<Reference>,
    /// A new table of its schema would be published at once.
    pub publishes_new_tables: bool,
    /// A trigger of users sees rows before they are inserted, and may change them.
    pub has_before_insert_triggers: bool,
    /// The role may read all of it.
    pub may_select: bool,
    /// The role may delete from it.
    pub may_delete: bool,
    /// The role may make tables in its schema.
    pub may_create: bool,
    /// A table that it refers to, and that the role may make no foreign key to.
    pub closed_parent: Option<String>,
}

impl ContentFacts {
    /// Of a table that this role is about to make.
    #[must_use]
    pub fn of_new() -> Self {
        Self { may_select: true, may_delete: true, may_create: true, ..Self::default() }
    }
}

/// Asks for it, of the table with this number.
pub async fn content_facts(session: &Session, oid: u32) -> Result<ContentFacts, CatalogError> {
    let tree = format!(
        "WITH RECURSIVE tree(oid) AS (SELECT {oid}::oid UNION SELECT h.inhrelid FROM tree \
           JOIN pg_inherits h ON h.inhparent = tree.oid)"
    );
    // The parts of a partitioned table have copies of its keys, and so have those of one that is referred to.
    let references = format!(
        "{tree} SELECT DISTINCT k.conname, concat(quote_ident(n.nspname), '.', quote_ident(c.relname)), k.confdeltype, \
           k.conrelid IN (SELECT t.oid FROM tree t) \
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE k.contype = 'f' AND k.confrelid IN (SELECT t.oid FROM tree t) AND NOT EXISTS ( \
           SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.confrelid IN (SELECT t.oid FROM tree t)) \
         ORDER BY 2, 1"
    );
    let facts = format!(
        "{tree} SELECT EXISTS (SELECT FROM pg_publication p WHERE p.puballtables) \
             OR EXISTS (SELECT FROM pg_publication_namespace p WHERE p.pnnspid = c.relnamespace), \
           EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid IN (SELECT t.oid FROM tree t) AND NOT g.tgisinternal \
             AND g.tgtype::int & 7 = 7), \
           has_table_privilege(c.oid, 'SELECT'), has_table_privilege(c.oid, 'DELETE'), \
           has_schema_privilege(c.relnamespace, 'CREATE'), \
           (SELECT concat(quote_ident(pn.nspname), '.', quote_ident(p.relname)) FROM pg_constraint k \
              JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace \
             WHERE k.contype = 'f' AND k.conrelid = c.oid AND k.confrelid <> c.oid \
               AND NOT has_table_privilege(p.oid, 'REFERENCES') LIMIT 1) \
         FROM pg_class c WHERE c.oid = {oid}"
    );
    let answers = session.ask(&format!("{references};\n{facts}")).await?;
    let [references, facts] = answers.as_slice() else { return Err(CatalogError::Answer) };
    let reference = |row: &Vec<Option<String>>| {
        let mut row = AnswerRow::of(row);
        let (constraint, table, on_delete) = (row.text()?, row.text()?, row.text()?);
        let on_delete = OnDelete::of_letter(&on_delete).ok_or(CatalogError::Answer)?;
        Ok::<_, CatalogError>(Reference { constraint, table, on_delete, is_own: row.flag() })
    };
    let references = references.rows.iter().map(reference).collect::<Result<_, _>>()?;
    let Some(mut row) = AnswerRow::first(Some(facts)) else { return Err(CatalogError::Answer) };
    Ok(ContentFacts {
        references,
        publishes_new_tables: row.flag(),
        has_before_insert_triggers: row.flag(),
        may_select: row.flag(),
        may_delete: row.flag(),
        may_create: row.flag(),
        closed_parent: row.next(),
    })
}

/// The columns of a foreign key, each beside the one that it refers to, quoted.
pub async fn reference_columns(
    session: &Session,
    key: &Reference,
) -> Result<Vec<(String, String)>, CatalogError> {
    let sql = format!(
        "SELECT DISTINCT u.at, quote_ident(a.attname), quote_ident(f.attname) \
         FROM pg_constraint k, LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS u(own, other, at), \
           pg_attribute a, pg_attribute f \
         WHERE k.conrelid = to_regclass({}) AND k.conname = {} AND k.contype = 'f' \
           AND a.attrelid = k.conrelid AND a.attnum = u.own AND f.attrelid = k.confrelid AND f.attnum = u.other \
         ORDER BY u.at",
        literal(&key.table),
        literal(&key.constraint)
    );
    let answers = session.ask(&sql).await?;
    let pair = |row: &Vec<Option<String>>| {
        let mut row = AnswerRow::of(row);
        row.next();
        Ok::<_, CatalogError>((row.text()?, row.text()?))
    };
    answers.first().map(|answer| answer.rows.as_slice()).unwrap_or_default().iter().map(pair).collect()
}

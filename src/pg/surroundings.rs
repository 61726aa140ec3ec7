//! What stands around a table: partitions and children, constraints, triggers, policies. The table's own row
//! in the catalog says whether there can be any of it; most tables have nothing, and then nothing more is
//! asked, since a new session takes ten milliseconds to plan these questions.

use std::fmt;

use crate::schema::{Ident, Member, Relation, TableName};

use super::answer::{AnswerRow, CatalogError};
use super::outcome::StatementResult;
use super::session::{Session, TARGET};
use super::{constraints, indexes, target};

/// What the table's own row says.
#[expect(clippy::struct_excessive_bools, reason = "independent facts of the catalog, not states")]
pub(super) struct OwnFacts {
    pub(super) name: TableName,
    pub(super) member: Member,
    pub(super) relation: Relation,
    pub(super) has_no_pages: bool,
    pub(super) counts_rows: bool,
    pub(super) columns_version: String,
    pub(super) has_one_broken_bar: bool,
    /// Nothing is around it but unique indexes of columns.
    pub(super) is_plain: bool,
    may_have_checks: bool,
    may_have_foreign_keys: bool,
}

/// One row, if there is such a relation. (The access method of heaps has a number of its own, 2.)
pub(super) fn own_query() -> String {
    format!(
        "SELECT n.nspname, c.relname, c.relkind, c.oid, {}, c.relfilenode, c.relpersistence, \
           c.relkind = 'r' AND c.relchecks = 0 AND NOT (c.relhassubclass OR c.relispartition OR c.relhasrules \
               OR c.relhastriggers OR c.relrowsecurity) \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid \
               AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR i.indisexclusion)), \
           c.relchecks > 0 OR c.relhassubclass, c.relhastriggers OR c.relhassubclass, \
           c.relkind = 'r' AND NOT c.relhassubclass AND pg_catalog.pg_relation_size(c.oid) = 0, \
           c.relkind = 'r' AND NOT c.relhassubclass AND current_setting('track_counts')::bool AND c.relam = 2, ({}), \
           pg_catalog.current_setting('server_encoding') = 'EUC_JP' \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = pg_catalog.current_setting('{TARGET}')::pg_catalog.oid",
        target::qualified_name("c"),
        columns_version("c.oid"),
    )
}

/// Changes whenever a column of the relation is added, dropped, renamed or retyped.
#[must_use]
pub fn columns_version(relation: impl fmt::Display) -> String {
    format!(
        "SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.sum(a.xmin::pg_catalog.text::bigint)) \
         FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) {relation}::pg_catalog.oid AND a.attnum OPERATOR(pg_catalog.>) 0::smallint"
    )
}

impl OwnFacts {
    /// Reads the answer to [`own_query`].
    pub(super) fn read(outcome: &StatementResult) -> Result<Option<Self>, CatalogError> {
        let Some(mut row) = AnswerRow::first(Some(outcome)) else { return Ok(None) };
        let (schema, table) = (row.text()?, row.text()?);
        let name = TableName { schema: Some(Ident::new(schema)?), name: Ident::new(table)? };
        let relation = match row.text()?.as_str() {
            "r" => Relation::Table,
            "p" => Relation::Partitioned,
            other => return Err(refused(&name, kind_words(other))),
        };
        let (oid, shown, file) = (row.number()?, row.text()?, row.number()?);
        let persistence = row.text()?;
        if persistence == "t" {
            return Err(refused(
                &name,
                "a temporary table: what is loaded into it is gone when its session ends",
            ));
        }
        Ok(Some(Self {
            name,
            member: Member { oid, name: shown, file, unlogged: persistence == "u" },
            relation,
            is_plain: row.flag(),
            may_have_checks: row.flag(),
            may_have_foreign_keys: row.flag(),
            has_no_pages: row.flag(),
            counts_rows: row.flag(),
            columns_version: row.text()?,
            has_one_broken_bar: row.flag(),
        }))
    }
}

fn refused(name: &TableName, what: &'static str) -> CatalogError {
    CatalogError::NotATable { name: name.to_string(), what }
}

fn kind_words(kind: &str) -> &'static str {
    match kind {
        "v" => "a view",
        "m" => "a materialized view",
        "f" => "a foreign table",
        "S" => "a sequence",
        "i" | "I" => "an index",
        "c" => "a composite type",
        _ => "not a table",
    }
}

/// What stands around a table, and its unique indexes.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of the catalog, not states")]
pub(super) struct Surroundings {
    pub(super) members: Vec<Member>,
    pub(super) partitioned_by: Vec<String>,
    pub(super) has_children: bool,
    pub(super) has_checks: bool,
    pub(super) has_foreign_keys: bool,
    pub(super) references_itself: bool,
    pub(super) has_exclusions: bool,
    pub(super) has_index_expressions: bool,
    pub(super) has_before_row_triggers: bool,
    pub(super) has_row_triggers: bool,
    pub(super) has_insert_triggers: bool,
    pub(super) has_row_security: bool,
    /// Answers about unique indexes, CHECK constraints and foreign keys.
    pub(super) unique: StatementResult,
    pub(super) checked: StatementResult,
    pub(super) referring: StatementResult,
}

impl Surroundings {
    /// Of a table with nothing around it.
    pub(super) fn of_plain(own: &OwnFacts, unique: StatementResult) -> Self {
        Self { members: vec![own.member.clone()], unique, ..Self::default() }
    }

    /// Asks for all of it; `None`: the table is gone.
    pub(super) async fn ask(session: &Session, own: &OwnFacts) -> Result<Option<Self>, CatalogError> {
        let oid = own.member.oid;
        let mut sql = format!(
            "SELECT pg_catalog.set_config('{TARGET}', '{oid}', true);\n{};\n{};\n{}",
            target::members_query(),
            facts_query(),
            indexes::indexes_query(oid)
        );
        if own.may_have_checks {
            sql = sql + ";\n" + &constraints::checks_query(oid);
        }
        if own.may_have_foreign_keys {
            sql = sql + ";\n" + &constraints::foreign_keys_query(oid);
        }
        let answers = session.ask(&sql).await?;
        let [_, members, facts, unique, judges @ ..] = answers.as_slice() else {
            return Err(CatalogError::Answer);
        };
        let mut judges = judges.iter().cloned();
        let mut asked =
            |was: bool| if was { judges.next().unwrap_or_default() } else { StatementResult::default() };
        let (checked, referring) = (asked(own.may_have_checks), asked(own.may_have_foreign_keys));
        let Some(mut row) = AnswerRow::first(Some(facts)) else { return Ok(None) };
        if row.flag() {
            return Err(refused(
                &own.name,
                "a table with a foreign table among its partitions or children: what is written there does not commit with \
                 the load",
            ));
        }
        let has_children = row.flag();
        if row.flag() {
            return Err(refused(&own.name, "a table with rewrite rules"));
        }
        Ok(Some(Self {
            members: target::read_members(members)?,
            has_children,
            has_checks: row.flag(),
            has_foreign_keys: row.flag(),
            references_itself: row.flag(),
            has_exclusions: row.flag(),
            has_index_expressions: row.flag(),
            has_before_row_triggers: row.flag(),
            has_row_triggers: row.flag(),
            has_insert_triggers: row.flag(),
            has_row_security: row.flag(),
            partitioned_by: match row.next() {
                Some(names) => serde_json::from_str(&names).map_err(|_| CatalogError::Answer)?,
                None => Vec::new(),
            },
            unique: unique.clone(),
            checked,
            referring,
        }))
    }
}

/// One row: the facts that decide paths. Partitions and children count with their parent. A
/// trigger that is enabled for replicas alone counts as any other: what the session's role fires is the
/// server's to say.
fn facts_query() -> String {
    format!(
        "WITH RECURSIVE target AS (SELECT pg_catalog.current_setting('{TARGET}')::pg_catalog.oid AS oid), {}, \
         above(oid) AS (SELECT oid FROM tree UNION SELECT h.inhparent FROM above JOIN pg_catalog.pg_inherits h ON h.inhrelid = above.oid) \
         SELECT EXISTS (SELECT FROM tree JOIN pg_catalog.pg_class p ON p.oid = tree.oid WHERE p.relkind = 'f'), \
           c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid), \
           EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'), \
           EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN tree ON tree.oid = k.conrelid WHERE k.contype = 'c') \
             OR EXISTS (SELECT FROM tree JOIN pg_catalog.pg_attribute p ON p.attrelid = tree.oid AND p.attnotnull AND NOT p.attisdropped \
                  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = p.attname AND NOT a.attnotnull), \
           EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN tree ON tree.oid = k.conrelid WHERE k.contype = 'f'), \
           EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN tree ON tree.oid = k.conrelid \
                    WHERE k.contype = 'f' AND k.confrelid IN (SELECT oid FROM above)), \
           EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN tree ON tree.oid = k.conrelid WHERE k.contype = 'x'), \
           EXISTS (SELECT FROM pg_catalog.pg_index i JOIN tree ON tree.oid = i.indrelid \
                    WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL), \
           EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN tree ON tree.oid = g.tgrelid \
                    WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 3 = 3), \
           EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN tree ON tree.oid = g.tgrelid \
                    WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 1 = 1), \
           EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN tree ON tree.oid = g.tgrelid \
                    WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 4 = 4), \
           pg_catalog.row_security_active(c.oid), \
           (SELECT pg_catalog.jsonb_agg(DISTINCT coalesce(a.attname::pg_catalog.text, '')) \
              FROM tree JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = tree.oid \
              CROSS JOIN LATERAL pg_catalog.unnest(p.partattrs) k(n) \
              LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.n AND k.n <> 0) \
         FROM target JOIN pg_catalog.pg_class c ON c.oid = target.oid",
        indexes::tree("SELECT oid FROM target"),
    )
}

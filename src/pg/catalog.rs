//! The catalog: what the target is, read once before the first row, through a session's text protocol.
//!
//! Reads only. Every name is qualified, every value that differs between versions (15 to 18) is asked for in
//! a way that all of them answer. Judging what was read is `write::plan`'s and the wiring's.

use std::collections::HashMap;
use std::fmt;

use crate::schema::{CanonicalForm, Column, Identity, Narrows, PgType, Relation, Table};

use super::answer::AnswerRow;
use super::outcome::StatementResult;
use super::session::{Session, TARGET};
use super::{constraints, indexes, target};
use crate::schema::{Ident, TableName};

pub use super::answer::CatalogError;

/// Deepest nesting of array and composite types that is looked into; below, values are passed as text.
const TYPE_DEPTH_MAX: u32 = 16;

/// Describes a table; `None`: there is none of this name.
pub async fn read_table(session: &Session, name: &TableName) -> Result<Option<Table>, CatalogError> {
    let head = session.ask_about(name, &format!("{};\n{}", target::tree_queries(), head_query())).await?;
    let Some((head, tree)) = head.split_last() else { return Err(CatalogError::Answer) };
    let Some(mut row) = AnswerRow::first(Some(head)) else { return Ok(None) };
    let mut tree = target::read_tree(tree)?;
    let oid: u32 = row.number()?;
    let (schema, table) = (row.text()?, row.text()?);
    let qualified = TableName { schema: Some(Ident::new(schema)?), name: Ident::new(table)? };
    let kind = row.text()?;
    let refused = |what| CatalogError::NotATable { name: qualified.to_string(), what };
    let relation = match kind.as_str() {
        "r" => Relation::Table,
        "p" => Relation::Partitioned,
        other => return Err(refused(kind_words(other))),
    };
    let relfilenode = row.number()?;
    if row.text()? == "t" {
        return Err(refused("a temporary table: what is loaded into it is gone when its session ends"));
    }
    if row.flag() {
        return Err(refused(
            "a table with a foreign table among its partitions or children: what is written there does not commit with the load",
        ));
    }
    let has_children = row.flag();
    if row.flag() {
        return Err(refused("a table with rewrite rules"));
    }
    let mut flag = || row.flag();
    let (checks, fks, itself, exclusions, expressions) = (flag(), flag(), flag(), flag(), flag());
    let (before, any_trigger, security) = (flag(), flag(), flag());
    let (no_pages, counts_rows) = (flag(), flag());
    let columns_version = row.text()?;
    if let Some(names) = row.next() {
        tree.partitioned_by = serde_json::from_str(&names).map_err(|_| CatalogError::Answer)?;
    }
    let details = session.ask(&detail_queries(oid, checks, fks)).await?;
    let [columns, types, uniques, judges @ ..] = details.as_slice() else {
        return Err(CatalogError::Answer);
    };
    let none = StatementResult::default();
    let mut judges = judges.iter();
    let mut asked = |was: bool| if was { judges.next().unwrap_or(&none) } else { &none };
    let (judged, referring) = (asked(checks), asked(fks));
    let mut types = Types::read(types)?;
    if types.has_composites() {
        types.read_attributes(session.ask(&attributes_query(&oid.to_string())).await?.first())?;
    }
    let columns = read_columns(columns, &types)?;
    let unique = indexes::read_indexes(uniques, &columns)?;
    let (own_checks, own_fks) =
        (constraints::read_checks(judged, &columns)?, constraints::read_foreign_keys(referring, &columns)?);
    let columns: Vec<Column> = columns.into_iter().map(|(_, column)| column).collect();
    Ok(Some(Table {
        name: qualified,
        oid,
        relfilenode,
        has_no_pages: no_pages,
        counts_rows,
        columns_version,
        tree,
        relation,
        has_children,
        has_generated: columns.iter().any(|c| c.generated),
        columns,
        unique,
        has_checks: checks,
        checks: own_checks,
        has_foreign_keys: fks,
        foreign_keys: own_fks,
        references_itself: itself,
        has_exclusions: exclusions,
        has_index_expressions: expressions,
        has_before_row_triggers: before,
        has_row_triggers: any_trigger,
        has_row_security: security,
    }))
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

/// One row: the relation and the facts that decide paths. Partitions and children count with their parent. A
/// trigger that is enabled for replicas alone counts as any other: what the session's role fires is the
/// server's to say.
fn head_query() -> String {
    format!(
        "WITH RECURSIVE target AS (SELECT pg_catalog.current_setting('{TARGET}')::pg_catalog.oid AS oid), {}, \
         above(oid) AS (SELECT oid FROM tree UNION SELECT h.inhparent FROM above JOIN pg_catalog.pg_inherits h ON h.inhrelid = above.oid) \
         SELECT c.oid, n.nspname, c.relname, c.relkind, c.relfilenode, c.relpersistence, \
           EXISTS (SELECT FROM tree JOIN pg_catalog.pg_class p ON p.oid = tree.oid WHERE p.relkind = 'f'), \
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
           pg_catalog.row_security_active(c.oid), \
           c.relkind = 'r' AND NOT c.relhassubclass AND pg_catalog.pg_relation_size(c.oid) = 0, \
           c.relkind = 'r' AND NOT c.relhassubclass AND current_setting('track_counts')::bool \
             AND EXISTS (SELECT FROM pg_catalog.pg_am a WHERE a.oid = c.relam AND a.amname = 'heap'), ({}), \
           (SELECT pg_catalog.jsonb_agg(DISTINCT coalesce(a.attname::pg_catalog.text, '')) \
              FROM tree JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = tree.oid \
              CROSS JOIN LATERAL pg_catalog.unnest(p.partattrs) k(n) \
              LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.n AND k.n <> 0) \
         FROM target JOIN pg_catalog.pg_class c ON c.oid = target.oid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
        // A view has no tree, but is to be named for what it is.
        indexes::tree("SELECT oid FROM target"),
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

/// How many rows this transaction has inserted into what inherits from a table.
#[must_use]
pub fn rows_inserted_below(oid: u32) -> String {
    format!(
        "WITH RECURSIVE {} SELECT coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_inserted(tree.oid)), 0) \
         FROM tree WHERE tree.oid OPERATOR(pg_catalog.<>) {oid}::pg_catalog.oid",
        indexes::tree(&format!("SELECT {oid}::pg_catalog.oid"))
    )
}

/// The types that the columns of tables are made of. `oids`: one, or several with commas between them.
fn reached_types(oids: &str) -> String {
    format!(
        "WITH RECURSIVE reached(oid) AS (SELECT a.atttypid FROM pg_catalog.pg_attribute a \
           WHERE a.attrelid IN ({oids}) AND a.attnum > 0 AND NOT a.attisdropped \
         UNION SELECT next.oid FROM reached JOIN pg_catalog.pg_type t ON t.oid = reached.oid, \
           LATERAL (SELECT t.typbasetype AS oid UNION SELECT t.typelem \
             UNION SELECT r.rngsubtype FROM pg_catalog.pg_range r \
                    WHERE t.typtype IN ('r', 'm') AND t.oid IN (r.rngtypid, r.rngmultitypid) \
             UNION SELECT a.atttypid FROM pg_catalog.pg_attribute a \
                    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) next \
          WHERE next.oid <> 0)"
    )
}

/// Attributes of the composite types among them.
pub(super) fn attributes_query(oids: &str) -> String {
    format!(
        "{} SELECT t.oid, a.attname, a.atttypid, a.atttypmod FROM reached JOIN pg_catalog.pg_type t ON t.oid = reached.oid \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE t.typtype = 'c' ORDER BY t.oid, a.attnum",
        reached_types(oids)
    )
}

/// The columns of tables, behind them the number of the table and the type without length or scale.
pub(super) fn columns_query(oids: &str) -> String {
    format!(
        "SELECT a.attnum, a.attname, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod), \
           a.attnotnull, pg_catalog.pg_get_expr(d.adbin, d.adrelid), \
           pg_catalog.pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_class'::pg_catalog.regclass), \
           a.attidentity, a.attgenerated <> '', \
           coalesce(o.collisdeterministic, true), \
           CASE WHEN o.oid IS NOT NULL AND a.attcollation <> coalesce(b.collation, t.typcollation) \
                THEN pg_catalog.quote_ident(x.nspname) || '.' || pg_catalog.quote_ident(o.collname) END, \
           pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'INSERT'), \
           pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'UPDATE'), \
           b.name, a.attrelid, pg_catalog.format_type(a.atttypid, -1) \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation \
         LEFT JOIN pg_catalog.pg_namespace x ON x.oid = o.collnamespace \
         LEFT JOIN LATERAL (WITH RECURSIVE up(oid, typmod, level) AS ( \
             SELECT t.typbasetype, t.typtypmod, 1 WHERE t.typtype = 'd' \
             UNION ALL SELECT u.typbasetype, CASE WHEN up.typmod = -1 THEN u.typtypmod ELSE up.typmod END, up.level + 1 \
               FROM up JOIN pg_catalog.pg_type u ON u.oid = up.oid WHERE u.typtype = 'd') \
           SELECT pg_catalog.format_type(up.oid, up.typmod) AS name, \
              (SELECT u.typcollation FROM pg_catalog.pg_type u WHERE u.oid = up.oid) AS collation \
             FROM up ORDER BY level DESC LIMIT 1) b ON true \
         WHERE a.attrelid IN ({oids}) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum"
    )
}

/// The types of their columns.
pub(super) fn types_query(oids: &str) -> String {
    let closure = reached_types(oids);
    format!(
        "{closure} SELECT t.oid, t.typname, t.typtype, t.typelem, t.typdelim, t.typbasetype, t.typcategory, t.typtypmod, \
           CASE WHEN t.typtype IN ('r', 'm') THEN (SELECT r.rngsubtype FROM pg_catalog.pg_range r \
             WHERE t.oid IN (r.rngtypid, r.rngmultitypid)) END \
         FROM reached JOIN pg_catalog.pg_type t ON t.oid = reached.oid"
    )
}

/// Columns, types, unique indexes; and where there are any, CHECK constraints, and foreign keys column by
/// column: a new session takes milliseconds to plan that.
fn detail_queries(oid: u32, checks: bool, fks: bool) -> String {
    let oids = oid.to_string();
    let mut sql =
        format!("{};\n{};\n{}", columns_query(&oids), types_query(&oids), indexes::indexes_query(oid));
    if checks {
        sql += ";\n";
        sql += &constraints::checks_query(oid);
    }
    if fks {
        sql += ";\n";
        sql += &constraints::foreign_keys_query(oid);
    }
    sql
}

pub(super) fn read_columns(
    outcome: &StatementResult,
    types: &Types,
) -> Result<Vec<(i32, Column)>, CatalogError> {
    outcome
        .rows
        .iter()
        .map(|row| {
            let mut row = AnswerRow::of(row);
            let number: i32 = row.number()?;
            let name = Ident::new(row.text()?)?;
            let type_oid: u32 = row.number()?;
            let typmod: i32 = row.number()?;
            let type_name = row.text()?;
            let not_null = row.flag();
            let own_default = row.next();
            let domain_default = row.next();
            let identity = match row.next().as_deref() {
                Some("a") => Identity::Always,
                Some("d") => Identity::ByDefault,
                _ => Identity::No,
            };
            let generated = row.flag();
            let deterministic = row.flag();
            let collation = row.next();
            let (may_insert, may_update) = (row.flag(), row.flag());
            let domain_base = row.next();
            let ty = match types.of(type_oid, 0) {
                // Equal bytes are equal values only under a deterministic collation.
                PgType::Text | PgType::Padded if !deterministic => PgType::Other,
                PgType::Text if typmod != -1 => PgType::Padded,
                PgType::Other => types.canonical(type_oid, typmod).map_or(PgType::Other, PgType::Canonical),
                ty => ty,
            };
            let default = if generated { None } else { own_default.or(domain_default) };
            let equal_is_alike = ty == PgType::Enum || equal_is_alike(type_oid, typmod, deterministic);
            let column = Column {
                name,
                type_name,
                domain_name: domain_base.is_some().then(|| types.name(type_oid)).flatten(),
                domain_base,
                collation,
                ty,
                narrows: types.narrows(type_oid, typmod, 0),
                equal_is_alike,
                not_null,
                default,
                identity,
                generated,
                may_insert,
                may_update,
            };
            Ok((number, column))
        })
        .collect()
}

/// See `Column::equal_is_alike`; for types by their fixed numbers.
const fn equal_is_alike(type_oid: u32, typmod: i32, deterministic: bool) -> bool {
    match type_oid {
        // bool, bytea, int8, int2, int4, oid, date, time, timestamp, timestamptz, uuid
        16 | 17 | 20 | 21 | 23 | 26 | 1082 | 1083 | 1114 | 1184 | 2950 => true,
        // text, varchar
        25 | 1043 => deterministic,
        // char(n) is padded, numeric(p, s) has its scale
        1042 => deterministic && typmod != -1,
        1700 => typmod != -1,
        _ => false,
    }
}

/// The types that the columns reach, by oid.
pub(super) struct Types {
    types: HashMap<u32, TypeRow>,
    attributes: HashMap<u32, Vec<Attribute>>,
}

struct Attribute {
    name: String,
    type_oid: u32,
    typmod: i32,
}

struct TypeRow {
    name: String,
    kind: String,
    element: u32,
    delimiter: char,
    base: u32,
    category: String,
    /// Of a domain: that of its base.
    typmod: i32,
    /// Of a range or multirange: the type of its bounds.
    subtype: Option<u32>,
}

impl Types {
    pub(super) fn read(types: &StatementResult) -> Result<Self, CatalogError> {
        let mut read = Self { types: HashMap::new(), attributes: HashMap::new() };
        for row in &types.rows {
            let mut row = AnswerRow::of(row);
            let oid = row.number()?;
            let entry = TypeRow {
                name: row.text()?,
                kind: row.text()?,
                element: row.number()?,
                delimiter: row.text()?.chars().next().unwrap_or(','),
                base: row.number()?,
                category: row.text()?,
                typmod: row.number()?,
                subtype: row.next().and_then(|oid| oid.parse().ok()),
            };
            read.types.insert(oid, entry);
        }
        Ok(read)
    }

    fn has_composites(&self) -> bool {
        self.types.values().any(|row| row.kind == "c")
    }

    pub(super) fn read_attributes(
        &mut self,
        attributes: Option<&StatementResult>,
    ) -> Result<(), CatalogError> {
        for row in attributes.map(|outcome| outcome.rows.as_slice()).unwrap_or_default() {
            let mut row = AnswerRow::of(row);
            let oid = row.number()?;
            let attribute = Attribute { name: row.text()?, type_oid: row.number()?, typmod: row.number()? };
            self.attributes.entry(oid).or_default().push(attribute);
        }
        Ok(())
    }

    fn name(&self, oid: u32) -> Option<String> {
        self.types.get(&oid).map(|row| row.name.clone())
    }

    /// What a text may lose in a column of this type.
    fn narrows(&self, oid: u32, typmod: i32, depth: u32) -> Option<Narrows> {
        let own = Narrows::of(oid, typmod);
        let Some(row) = self.types.get(&oid).filter(|_| own.is_none() && depth < TYPE_DEPTH_MAX) else {
            return own;
        };
        match row.kind.as_str() {
            "d" if row.typmod == -1 => self.narrows(row.base, typmod, depth + 1),
            "d" => self.narrows(row.base, row.typmod, depth + 1),
            "c" => {
                let attributes = self.attributes.get(&oid).map_or(&[][..], Vec::as_slice);
                let of = |a: &Attribute| self.narrows(a.type_oid, a.typmod, depth + 1);
                let narrows: Vec<_> = attributes.iter().map(of).collect();
                narrows.iter().any(Option::is_some).then_some(Narrows::Composite(narrows))
            }
            "r" | "m" => {
                let bound = self.narrows(row.subtype?, -1, depth + 1)?;
                Some(Narrows::Range(Box::new(bound)))
            }
            "b" if row.name == "hstore" => Some(Narrows::Pairs),
            _ if row.category == "A" && row.element != 0 => {
                let element = self.narrows(row.element, typmod, depth + 1)?;
                Some(Narrows::Array(Box::new(element), row.delimiter))
            }
            _ => None,
        }
    }

    fn canonical(&self, oid: u32, typmod: i32) -> Option<CanonicalForm> {
        let is_citext = || self.types.get(&oid).is_some_and(|row| row.kind == "b" && row.name == "citext");
        CanonicalForm::of(oid, typmod).or_else(|| is_citext().then_some(CanonicalForm::CaseFolded))
    }

    fn of(&self, oid: u32, depth: u32) -> PgType {
        let Some(row) = self.types.get(&oid).filter(|_| depth < TYPE_DEPTH_MAX) else { return PgType::Other };
        match (row.kind.as_str(), row.name.as_str()) {
            ("d", _) => self.of(row.base, depth + 1),
            ("e", _) => PgType::Enum,
            ("c", _) => {
                let attributes = self.attributes.get(&oid).map_or(&[][..], Vec::as_slice);
                PgType::Composite(
                    attributes.iter().map(|a| (a.name.clone(), self.of(a.type_oid, depth + 1))).collect(),
                )
            }
            (_, "int2" | "int4" | "int8") => PgType::Int,
            (_, "text" | "varchar") => PgType::Text,
            (_, "bpchar") => PgType::Padded,
            (_, "uuid") => PgType::Uuid,
            (_, "json" | "jsonb") => PgType::Json,
            (_, "hstore") => PgType::Hstore,
            (_, "int2vector" | "oidvector") => PgType::Other,
            _ if row.category == "A" && row.element != 0 => {
                PgType::Array(Box::new(self.of(row.element, depth + 1)), row.delimiter)
            }
            _ => PgType::Other,
        }
    }
}

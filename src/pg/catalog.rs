//! The catalog: what the target is, read once before the first row, through a session's text protocol.
//!
//! Reads only. Every name is qualified, every value that differs between versions (15 to 18) is asked for in
//! a way that all of them answer. Judging what was read is `write::plan`'s and the wiring's.

use std::collections::HashMap;

use crate::schema::{CanonicalForm, Column, Identity, Narrows, PgType, Table, Tree};

use super::answer::AnswerRow;
use super::outcome::StatementResult;
use super::session::{Session, TARGET};
use super::surroundings::{OwnFacts, Surroundings, own_query};
use super::{constraints, indexes, target};
use crate::schema::{Ident, TableName};

pub use super::answer::CatalogError;
pub use super::surroundings::columns_version;

/// Deepest nesting of array and composite types that is looked into; below, values are passed as text.
const TYPE_DEPTH_MAX: u32 = 16;

/// Describes a table; `None`: there is none of this name.
pub async fn read_table(session: &Session, name: &TableName) -> Result<Option<Table>, CatalogError> {
    let target = format!("pg_catalog.current_setting('{TARGET}')::pg_catalog.oid");
    let first = [
        target::version_queries(),
        own_query(),
        columns_query(&target),
        types_query(&target),
        indexes::plain_query(&target),
    ];
    let first = session.ask_about(name, &first.join(";\n")).await?;
    let [version, counting, own, columns, types, uniques] = first.as_slice() else {
        return Err(CatalogError::Answer);
    };
    let Some(own) = OwnFacts::read(own)? else { return Ok(None) };
    let around = if own.is_plain && indexes::are_plain(uniques) {
        Surroundings::of_plain(&own, uniques.clone())
    } else {
        match Surroundings::ask(session, &own).await? {
            Some(around) => around,
            None => return Ok(None),
        }
    };
    let mut types = Types::read(types)?;
    if types.has_composites() {
        types.read_attributes(session.ask(&attributes_query(&own.member.oid.to_string())).await?.first())?;
    }
    let columns = read_columns(columns, &types)?;
    let unique = indexes::read_indexes(&around.unique, &columns)?;
    let (own_checks, own_fks) = (
        constraints::read_checks(&around.checked, &columns)?,
        constraints::read_foreign_keys(&around.referring, &columns)?,
    );
    let columns: Vec<Column> = columns.into_iter().map(|(_, column)| column).collect();
    Ok(Some(Table {
        name: own.name,
        oid: own.member.oid,
        relfilenode: own.member.file,
        has_no_pages: own.has_no_pages,
        counts_rows: own.counts_rows,
        columns_version: own.columns_version,
        tree: Tree {
            version: version.value().unwrap_or_default().to_owned(),
            counting_since: counting.value().unwrap_or_default().to_owned(),
            members: around.members,
            partitioned_by: around.partitioned_by,
        },
        relation: own.relation,
        has_children: around.has_children,
        has_generated: columns.iter().any(|c| c.generated),
        columns,
        unique,
        has_checks: around.has_checks,
        checks: own_checks,
        has_foreign_keys: around.has_foreign_keys,
        foreign_keys: own_fks,
        references_itself: around.references_itself,
        has_exclusions: around.has_exclusions,
        has_index_expressions: around.has_index_expressions,
        has_before_row_triggers: around.has_before_row_triggers,
        has_row_triggers: around.has_row_triggers,
        has_insert_triggers: around.has_insert_triggers,
        has_row_security: around.has_row_security,
        has_one_broken_bar: own.has_one_broken_bar,
    }))
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
        "WITH RECURSIVE reached(oid) AS (SELECT DISTINCT a.atttypid FROM pg_catalog.pg_attribute a \
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
                number,
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

    pub(super) fn has_composites(&self) -> bool {
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

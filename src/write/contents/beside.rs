//! The table beside a target that records are loaded into until all of them are there: what the target would
//! refuse, it refuses too, record by record.
//!
//! It has the columns, defaults, generated columns, NOT NULL and CHECK constraints, indexes and foreign keys
//! of the target, and as a constraint what a row must be like to have a partition. It has no triggers and no
//! policies: what those do is done when its rows go into the target. What a column draws from a sequence it
//! draws from that of the target. Nobody but its owner may read it, whatever default privileges say.

use crate::schema::{Table, TableName, literal};

/// The statements that make it. They stand in a transaction with nothing but `pg_catalog` in `search_path`,
/// so that the catalog gives names in full. `is_hidden`: it is published to nobody, and a crash of the server
/// empties it.
#[must_use]
pub fn create_beside(target: &Table, beside: &TableName, comment: &str, is_hidden: bool) -> String {
    let unlogged = if is_hidden || target.tree.unlogged().is_some() { "UNLOGGED " } else { "" };
    let (oid, of) = (target.oid, &target.name);
    // What the server has no LIKE for, as statements that it makes of its own catalog.
    let rest = format!(
        "DECLARE
    dbload_sql pg_catalog.text;
BEGIN
    FOR dbload_sql IN
        SELECT format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT nextval(%L::regclass)', {beside_text}, a.attname,
                      pg_get_serial_sequence({of_text}, a.attname))
          FROM pg_attribute a WHERE a.attrelid = {oid} AND a.attnum > 0 AND a.attidentity <> ''
        UNION ALL
        SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', {beside_text}, k.conname,
                      CASE WHEN k.confrelid = {oid} THEN replace(pg_get_constraintdef(k.oid), concat(' REFERENCES ', {oid}::regclass, '('),
                                                                 concat(' REFERENCES ', {beside_text}, '('))
                           ELSE pg_get_constraintdef(k.oid) END)
          FROM pg_constraint k
         WHERE k.contype = 'f' AND k.conrelid = {oid} AND NOT EXISTS (
               SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
        UNION ALL
        SELECT format('ALTER TABLE %s ADD CONSTRAINT \"no partition for this row\" CHECK (%s)', {beside_text}, p.judged)
          FROM (SELECT string_agg(concat('(', coalesce(pg_get_partition_constraintdef(l.relid), 'true'), ')'), ' OR ') AS judged
                  FROM pg_partition_tree({oid}) l WHERE l.isleaf) p
         WHERE p.judged <> '(true)'
        UNION ALL
        SELECT format('REVOKE ALL ON %s FROM %s', {beside_text},
                      CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END)
          FROM pg_class c, LATERAL aclexplode(c.relacl) g
         WHERE c.oid = to_regclass({beside_text}) AND g.grantee <> c.relowner
    LOOP
        EXECUTE dbload_sql;
    END LOOP;
END",
        beside_text = literal(&beside.to_string()),
        of_text = literal(&of.to_string()),
    );
    format!(
        "CREATE {unlogged}TABLE {beside} (LIKE {of} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS EXCLUDING COMMENTS);\n\
         COMMENT ON TABLE {beside} IS {};\n\
         DO LANGUAGE plpgsql {}",
        literal(comment),
        literal(&rest)
    )
}

//! Whose the ledger is: what stands in schema `_dbload` runs with the rights of whoever loads, so it must be
//! of somebody trusted.
//!
//! Whoever may create schemas in a database can make one of this name first, with triggers, rules or
//! functions of their own. Trusted are superusers, the owner of the database and the role itself; nobody else
//! may own the schema, anything in it, or a function that a trigger on one of its tables calls. Asked at
//! every start, before anything of it is used.

/// Whether the role lacks a right on the ledger that a load may come to need. The CASE: of the three thousand
/// functions that there are only ours are asked about, which is a matter of 8 ms.
pub(super) const LACKS_RIGHTS: &str = "\
SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
     WHERE n.nspname OPERATOR(pg_catalog.=) '_dbload' AND c.relkind OPERATOR(pg_catalog.=) 'r' \
       AND c.relname OPERATOR(pg_catalog.<>) 'migration' \
       AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT') \
            AND pg_catalog.has_table_privilege(c.oid, 'UPDATE'))) \
  OR EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE CASE \
     WHEN p.pronamespace OPERATOR(pg_catalog.=) (SELECT n.oid FROM pg_catalog.pg_namespace n \
                                                  WHERE n.nspname OPERATOR(pg_catalog.=) '_dbload') \
     THEN NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE') END)";

/// What is wrong with the ledger first of all, and whose it is; no row: nothing.
pub(super) const UNTRUSTED: &str = "\
WITH theirs AS ( \
    SELECT 'schema _dbload' AS what, n.oid AS schema, n.nspowner AS owner FROM pg_catalog.pg_namespace n \
     WHERE n.nspname OPERATOR(pg_catalog.=) '_dbload'), \
  owned AS ( \
    SELECT what, owner FROM theirs \
    UNION ALL SELECT 'relation _dbload.' OPERATOR(pg_catalog.||) c.relname::pg_catalog.text, c.relowner FROM theirs \
      JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) theirs.schema \
    UNION ALL SELECT 'function _dbload.' OPERATOR(pg_catalog.||) p.proname::pg_catalog.text, p.proowner FROM theirs \
      JOIN pg_catalog.pg_proc p ON p.pronamespace OPERATOR(pg_catalog.=) theirs.schema \
    UNION ALL SELECT 'type _dbload.' OPERATOR(pg_catalog.||) t.typname::pg_catalog.text, t.typowner FROM theirs \
      JOIN pg_catalog.pg_type t ON t.typnamespace OPERATOR(pg_catalog.=) theirs.schema \
    UNION ALL SELECT 'operator _dbload.' OPERATOR(pg_catalog.||) o.oprname::pg_catalog.text, o.oprowner FROM theirs \
      JOIN pg_catalog.pg_operator o ON o.oprnamespace OPERATOR(pg_catalog.=) theirs.schema \
    UNION ALL SELECT 'the function of trigger ' OPERATOR(pg_catalog.||) g.tgname::pg_catalog.text \
        OPERATOR(pg_catalog.||) ' on _dbload.' OPERATOR(pg_catalog.||) c.relname::pg_catalog.text, p.proowner FROM theirs \
      JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) theirs.schema \
      JOIN pg_catalog.pg_trigger g ON g.tgrelid OPERATOR(pg_catalog.=) c.oid \
      JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) g.tgfoid) \
SELECT o.what, r.rolname::pg_catalog.text FROM owned o JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) o.owner \
 WHERE NOT r.rolsuper AND r.rolname OPERATOR(pg_catalog.<>) CURRENT_USER \
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_database d \
        WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND d.datdba OPERATOR(pg_catalog.=) o.owner) \
   AND NOT (r.rolname OPERATOR(pg_catalog.=) 'pg_database_owner') LIMIT 1";

-- The target is asked, in the transaction of every batch, whether it is still what the load was planned for:
-- the table of that name, its columns, indexes, triggers, rules, policies, children and partitions, and their
-- files.
--
-- The answer is made of the versions (xmin) of the catalog's own rows: whatever changes one of these things
-- leaves a new version. Some changes mean nothing to a load (a GRANT, say); who finds another answer looks
-- closer.

ALTER TABLE _dbload.run ADD COLUMN target_files jsonb;  -- [[oid, relfilenode, persistence], ..] of the table and all below it
ALTER TABLE _dbload.run ADD COLUMN failure jsonb;       -- how the last start failed: stage, SQLSTATE, and where the checkpoints were

COMMENT ON COLUMN _dbload.run.target_files IS 'oid, relfilenode and persistence of the target and of what is below it; NULL: a run of before';
COMMENT ON COLUMN _dbload.run.failure IS 'how the last start failed: a second one like it will not go away by itself';

-- A crash of the server, or a failover, empties unlogged tables: this one along with an unlogged target.
CREATE UNLOGGED TABLE _dbload.alive (
    run text PRIMARY KEY
);
-- Who may use the ledger may use it too.
DO $$
DECLARE
    grantee oid;
BEGIN
    FOR grantee IN SELECT DISTINCT g.grantee FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) g
                    WHERE c.oid = '_dbload.run'::pg_catalog.regclass AND g.privilege_type = 'INSERT' AND g.grantee <> c.relowner
    LOOP
        EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON _dbload.alive TO %s',
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END);
    END LOOP;
END
$$;

-- The version of a table; NULL: there is none of this name. Raises DL003 if it is not `a_expected`, where
-- that is given. `a_alive`: a run that has left a row in _dbload.alive, if the target is unlogged.
CREATE FUNCTION _dbload.target_version(a_schema name, a_table name, a_alive text, a_expected text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found text;
BEGIN
    found := (
-- version: begin
SELECT pg_catalog.format('%s.%s %s.%s c%s i%s t%s r%s p%s m%s', c.oid, c.xmin, n.oid, n.xmin,
    (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.sum(a.xmin::pg_catalog.text::pg_catalog.int8))
       FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0),
    (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', i.indexrelid, i.xmin), 0))
       FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid
        AND (i.indisunique OR i.indisexclusion OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)),
    CASE WHEN c.relhastriggers THEN
    (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', g.oid, g.xmin), 0))
       FROM pg_catalog.pg_trigger g WHERE g.tgrelid OPERATOR(pg_catalog.=) c.oid) END,
    CASE WHEN c.relhasrules THEN
    (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', r.oid, r.xmin), 0))
       FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid) END,
    CASE WHEN c.relrowsecurity THEN
    (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', p.oid, p.xmin), 0))
       FROM pg_catalog.pg_policy p WHERE p.polrelid OPERATOR(pg_catalog.=) c.oid) END,
    CASE WHEN c.relhassubclass THEN
    (WITH RECURSIVE tree(oid, detaching) AS (
         SELECT h.inhrelid, h.inhdetachpending FROM pg_catalog.pg_inherits h WHERE h.inhparent OPERATOR(pg_catalog.=) c.oid
         UNION SELECT h.inhrelid, h.inhdetachpending FROM tree
           JOIN pg_catalog.pg_inherits h ON h.inhparent OPERATOR(pg_catalog.=) tree.oid)
     SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', m.oid, m.xmin, tree.detaching,
         (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', i.indexrelid, i.xmin), 0))
            FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) m.oid
             AND (i.indisunique OR i.indisexclusion OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)),
         CASE WHEN m.relhastriggers THEN
         (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', g.oid, g.xmin), 0))
            FROM pg_catalog.pg_trigger g WHERE g.tgrelid OPERATOR(pg_catalog.=) m.oid) END), 0))
       FROM tree JOIN pg_catalog.pg_class m ON m.oid OPERATOR(pg_catalog.=) tree.oid) END)
  FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid
-- version: end
 WHERE n.nspname OPERATOR(pg_catalog.=) a_schema AND c.relname OPERATOR(pg_catalog.=) a_table
    );
    IF a_alive IS NOT NULL AND NOT EXISTS (SELECT FROM _dbload.alive l WHERE l.run OPERATOR(pg_catalog.=) a_alive) THEN
        found := pg_catalog.concat(found, ' emptied');
    END IF;
    IF a_expected IS NOT NULL AND found IS DISTINCT FROM a_expected THEN
        RAISE EXCEPTION 'table %.% is not what it was', a_schema, a_table USING ERRCODE = 'DL003';
    END IF;
    RETURN found;
END
$$;

-- Watermarks: up to where a load of a job file has come, by a field of its records. Each checkpoint has that of its
-- partition, moved in the transaction of the batch; a run that completes makes the greatest of them that of its load.
ALTER TABLE _dbload.checkpoint ADD COLUMN mark text;
ALTER TABLE _dbload.checkpoint ADD COLUMN mark_order numeric;
COMMENT ON COLUMN _dbload.checkpoint.mark IS 'the greatest value of the watermark field that this partition has committed, as it arrived';
COMMENT ON COLUMN _dbload.checkpoint.mark_order IS 'a number that orders marks: the value itself, or nanoseconds since 1970';

CREATE TABLE _dbload.watermark (
    job          text NOT NULL,
    load         text NOT NULL,
    value        text NOT NULL,                 -- as it arrived
    value_order  numeric NOT NULL,
    target_oid   oid NOT NULL,                  -- of this table it says how far it is loaded, and of no other
    run          text NOT NULL,                 -- the run that moved it last; empty: set by hand
    moved_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job, load)
);

-- Who may use the ledger may use it too.
DO $$
DECLARE
    grantee oid;
BEGIN
    FOR grantee IN SELECT DISTINCT g.grantee FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) g
                    WHERE c.oid = '_dbload.run'::pg_catalog.regclass AND g.privilege_type = 'INSERT' AND g.grantee <> c.relowner
    LOOP
        EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON _dbload.watermark TO %s',
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END);
    END LOOP;
END
$$;

-- What became of each load of a job file the last time that it was run, also where it did not come as far as a run.
CREATE TABLE _dbload.turn (
    job          text NOT NULL,
    load         text NOT NULL,
    state        text NOT NULL,                 -- complete, rejected, nothing_new, failed, skipped, interrupted, not_started
    code         int NOT NULL,                  -- what it counted as in the exit code
    ended_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
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
        EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON _dbload.turn TO %s',
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END);
    END LOOP;
END
$$;

-- Windows of time that a load of a job file has completed, as instants: a step is complete where they cover it,
-- whatever steps they were loaded in.
CREATE TABLE _dbload.job_window (
    job          text NOT NULL,
    load         text NOT NULL,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL CHECK (ends_at > starts_at),
    target_oid   oid NOT NULL,                  -- of this table it says what is in it, and of no other
    records      bigint NOT NULL,
    run          text NOT NULL,
    completed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job, load, starts_at, ends_at)
);

-- Who may use the ledger may use it too.
DO $$
DECLARE
    grantee oid;
BEGIN
    FOR grantee IN SELECT DISTINCT g.grantee FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) g
                    WHERE c.oid = '_dbload.run'::pg_catalog.regclass AND g.privilege_type = 'INSERT' AND g.grantee <> c.relowner
    LOOP
        EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON _dbload.job_window TO %s',
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END);
    END LOOP;
END
$$;

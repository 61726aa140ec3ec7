-- What proves that a table was not emptied where a batch went record by record: its rows are of subtransactions, whose
-- numbers (xmin) nothing else keeps. The first row that such a batch writes leaves a row here in the same one.
CREATE TABLE _dbload.witness (
    run          text NOT NULL REFERENCES _dbload.run ON DELETE CASCADE,
    partition    int NOT NULL,
    PRIMARY KEY (run, partition)
) WITH (fillfactor = 50);

-- Who may use the ledger may use it too.
DO $$
DECLARE
    grantee oid;
BEGIN
    FOR grantee IN SELECT DISTINCT g.grantee FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) g
                    WHERE c.oid = '_dbload.run'::pg_catalog.regclass AND g.privilege_type = 'INSERT' AND g.grantee <> c.relowner
    LOOP
        EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON _dbload.witness TO %s',
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END);
    END LOOP;
END
$$;

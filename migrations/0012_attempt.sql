-- A row for each start of a run: what one wants to know in the morning of those that died. As long as a start is
-- under way its last sign of life is that of the run, so that no batch has more to do for it; whoever takes the run
-- over keeps it.

-- From here on: who may use the ledger may use a new table of it too.
CREATE FUNCTION _dbload.grant_as_ledger(a_table pg_catalog.regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    grantee oid;
BEGIN
    FOR grantee IN SELECT DISTINCT g.grantee FROM pg_class c, LATERAL aclexplode(c.relacl) g
                    WHERE c.oid = '_dbload.run'::regclass AND g.privilege_type = 'INSERT' AND g.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %s', a_table,
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END);
    END LOOP;
END
$$;

CREATE TABLE _dbload.attempt (
    run          text NOT NULL REFERENCES _dbload.run ON DELETE CASCADE,
    attempt      int NOT NULL,                  -- 1-based
    epoch        bigint NOT NULL,               -- what it does is done under this one
    owner        jsonb NOT NULL,                -- host, process, version of dbload
    began_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    read_before  bigint NOT NULL DEFAULT 0,     -- records that were accounted for when it began
    seen_at      timestamptz,                   -- its last sign of life; NULL: that of the run
    ended_at     timestamptz,                   -- NULL: it died, or is under way
    code         int,                           -- the exit code that it came to
    error        text,
    seconds      jsonb,                         -- where its time went, as the report has it
    PRIMARY KEY (run, attempt)
);
SELECT _dbload.grant_as_ledger('_dbload.attempt'::pg_catalog.regclass);

-- Takes a run over (or on), as before, and keeps when its former owner was last heard of.
CREATE OR REPLACE FUNCTION _dbload.take_over(a_run text, a_owner jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last_seen timestamptz;
    new_epoch bigint;
    new_attempt int;
BEGIN
    SELECT r.heartbeat INTO last_seen FROM _dbload.run r WHERE r.run = a_run AND r.state = 'running' FOR UPDATE;
    UPDATE _dbload.run r
       SET epoch = greatest(r.epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint),
           owner = a_owner, heartbeat = clock_timestamp(), attempts = r.attempts + 1
     WHERE r.run = a_run AND r.state = 'running'
    RETURNING r.epoch, r.attempts INTO new_epoch, new_attempt;
    IF new_epoch IS NULL THEN
        RAISE EXCEPTION 'run % is not unfinished', a_run USING ERRCODE = 'DL001';
    END IF;
    UPDATE _dbload.checkpoint c SET epoch = new_epoch WHERE c.run = a_run;
    UPDATE _dbload.attempt a SET seen_at = greatest(last_seen, a.began_at) WHERE a.run = a_run AND a.seen_at IS NULL;
    INSERT INTO _dbload.attempt (run, attempt, epoch, owner, read_before)
    SELECT a_run, new_attempt, new_epoch, a_owner, coalesce(sum(c.read), 0) FROM _dbload.checkpoint c WHERE c.run = a_run;
    RETURN new_epoch;
END
$$;

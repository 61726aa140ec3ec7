-- An epoch belongs to one owner for ever, also where the server loses commits: a standby that is promoted may not have
-- the last take-over, and the next one must not give its epoch away again while that owner may still be alive. So it
-- is a time in microseconds, and counted on only where the clock is behind.
CREATE OR REPLACE FUNCTION _dbload.take_over(a_run text, a_owner jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    new_epoch bigint;
BEGIN
    UPDATE _dbload.run r
       SET epoch = greatest(r.epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint),
           owner = a_owner, heartbeat = clock_timestamp(), attempts = r.attempts + 1
     WHERE r.run = a_run AND r.state = 'running'
    RETURNING r.epoch INTO new_epoch;
    IF new_epoch IS NULL THEN
        RAISE EXCEPTION 'run % is not unfinished', a_run USING ERRCODE = 'DL001';
    END IF;
    UPDATE _dbload.checkpoint c SET epoch = new_epoch WHERE c.run = a_run;
    RETURN new_epoch;
END
$$;

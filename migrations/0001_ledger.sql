-- The ledger of dbload: runs, their sources, one checkpoint a partition, and the rejects.
--
-- Applied by sqlx in one transaction, with its own table _dbload.migration. Every function has the rights of
-- its caller and names everything in full, so that no search_path can bend it.

CREATE TABLE _dbload.run (
    run          text PRIMARY KEY,
    identity     text NOT NULL,                 -- --load-id, or a digest of what is loaded into what
    target       text NOT NULL,                 -- schema.table, for people
    target_oid   oid NOT NULL,
    target_file  oid NOT NULL,                  -- relfilenode: a TRUNCATE changes it
    mode         text NOT NULL,
    key          text[] NOT NULL,
    partitions   int NOT NULL CHECK (partitions > 0),
    settings     jsonb NOT NULL,                -- parser and mapping: a resume with others is refused
    guarantee    text NOT NULL,
    state        text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'complete', 'abandoned')),
    epoch        bigint NOT NULL DEFAULT 1,     -- raised by every take-over; a batch of an older one is fenced
    owner        jsonb NOT NULL,                -- host, boot, pid namespace, pid, its start time
    heartbeat    timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts     int NOT NULL DEFAULT 1,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz
);
CREATE UNIQUE INDEX run_one_unfinished ON _dbload.run (identity) WHERE state = 'running';
CREATE INDEX run_target ON _dbload.run (target_oid);

CREATE TABLE _dbload.source (
    run          text NOT NULL REFERENCES _dbload.run ON DELETE CASCADE,
    source       int NOT NULL,                  -- its place in the order
    name         text NOT NULL,
    description  jsonb NOT NULL,                -- path, format, compression, fingerprint
    begin_at     jsonb,                         -- where this entry begins, if not at the start: the rest of a source set aside
    set_aside    jsonb,                         -- where it failed for good: stored before any checkpoint moves past it
    moved_to     int,                           -- the entry at the end of the order that fetches the rest
    PRIMARY KEY (run, source)
);

-- One row a partition: the resume point, the idempotence key, the fence and the counts of what was committed.
CREATE TABLE _dbload.checkpoint (
    run          text NOT NULL REFERENCES _dbload.run ON DELETE CASCADE,
    partition    int NOT NULL,
    epoch        bigint NOT NULL,
    source       int NOT NULL DEFAULT 0,
    byte_offset  bigint NOT NULL DEFAULT 0,
    record       bigint NOT NULL DEFAULT 0,
    line         bigint NOT NULL DEFAULT 1,
    done         boolean NOT NULL DEFAULT false,
    read         bigint NOT NULL DEFAULT 0,
    inserted     bigint NOT NULL DEFAULT 0,
    updated      bigint NOT NULL DEFAULT 0,
    unchanged    bigint NOT NULL DEFAULT 0,
    deduplicated bigint NOT NULL DEFAULT 0,
    skipped      bigint NOT NULL DEFAULT 0,
    rejected     bigint NOT NULL DEFAULT 0,
    batches      bigint NOT NULL DEFAULT 0,
    careful      bigint NOT NULL DEFAULT 0,
    digest_from  bigint,                        -- digest of the decoded bytes of `source` in [digest_from, digest_to)
    digest_to    bigint,
    digest       text,
    PRIMARY KEY (run, partition)
) WITH (fillfactor = 50);

CREATE TABLE _dbload.source_count (
    run          text NOT NULL REFERENCES _dbload.run ON DELETE CASCADE,
    partition    int NOT NULL,
    source       int NOT NULL,
    read         bigint NOT NULL,
    rejected     bigint NOT NULL,
    PRIMARY KEY (run, source, partition)
) WITH (fillfactor = 50);

CREATE TABLE _dbload.reject (
    run          text NOT NULL REFERENCES _dbload.run ON DELETE CASCADE,
    source       int NOT NULL,
    record       bigint NOT NULL,               -- ordinal in its source, 1-based
    line         bigint NOT NULL,
    byte_offset  bigint NOT NULL,
    column_name  text,
    sqlstate     text NOT NULL,
    constraint_name text,
    reason       text NOT NULL,
    original     text,                          -- the record as a JSON object, where it could be split
    raw          text,                          -- else its bytes, as far as they are text
    PRIMARY KEY (run, source, record)           -- a reject cannot be stored twice
);

-- The fence. Moves the checkpoint of one partition from `before` to `after` and adds the counts of the batch, or
-- raises DL001: another process has taken the run over, or this very batch is committed already.
-- It must raise: with COMMIT pipelined behind it, an update of no row would let the batch commit a second time.
CREATE FUNCTION _dbload.advance(
    a_run text, a_partition int, a_epoch bigint,
    a_before bigint[],       -- source, byte_offset, record
    a_after bigint[],        -- source, byte_offset, record, line
    a_done boolean,
    a_counts bigint[],       -- read, inserted, updated, unchanged, deduplicated, skipped, rejected, careful
    a_sources bigint[],      -- source, read, rejected; flattened
    a_digest text[]          -- from, to, digest of the decoded bytes; or NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moved bigint;
BEGIN
    UPDATE _dbload.checkpoint c
       SET source = a_after[1], byte_offset = a_after[2], record = a_after[3], line = a_after[4], done = a_done,
           read = c.read + a_counts[1], inserted = c.inserted + a_counts[2], updated = c.updated + a_counts[3],
           unchanged = c.unchanged + a_counts[4], deduplicated = c.deduplicated + a_counts[5],
           skipped = c.skipped + a_counts[6], rejected = c.rejected + a_counts[7],
           batches = c.batches + 1, careful = c.careful + a_counts[8],
           digest_from = a_digest[1]::bigint, digest_to = a_digest[2]::bigint, digest = a_digest[3]
     WHERE c.run = a_run AND c.partition = a_partition AND c.epoch = a_epoch AND NOT c.done
       AND c.source = a_before[1] AND c.byte_offset = a_before[2] AND c.record = a_before[3];
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> 1 THEN
        RAISE EXCEPTION 'checkpoint of partition % of run % is not where this batch begins', a_partition, a_run
            USING ERRCODE = 'DL001';
    END IF;
    IF a_counts[1] <> a_counts[2] + a_counts[3] + a_counts[4] + a_counts[5] + a_counts[6] + a_counts[7] THEN
        RAISE EXCEPTION 'books of a batch of run % do not balance: %', a_run, a_counts USING ERRCODE = 'DL002';
    END IF;
    FOR i IN 1 .. coalesce(array_length(a_sources, 1), 0) / 3 LOOP
        INSERT INTO _dbload.source_count AS s (run, partition, source, read, rejected)
        VALUES (a_run, a_partition, a_sources[3 * i - 2], a_sources[3 * i - 1], a_sources[3 * i])
        ON CONFLICT (run, source, partition)
        DO UPDATE SET read = s.read + EXCLUDED.read, rejected = s.rejected + EXCLUDED.rejected;
    END LOOP;
    -- A sign of life every few seconds; never waits for another writer that is giving one.
    UPDATE _dbload.run r SET heartbeat = clock_timestamp()
     WHERE r.run IN (SELECT b.run FROM _dbload.run b
                      WHERE b.run = a_run AND b.heartbeat < clock_timestamp() - interval '3 seconds'
                        FOR UPDATE SKIP LOCKED);
    RETURN moved;
END
$$;

-- Takes a run over (or on): every checkpoint gets the new epoch, so that whatever the former owner still has in
-- flight is fenced. Waits for a batch of his that is about to commit.
CREATE FUNCTION _dbload.take_over(a_run text, a_owner jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    new_epoch bigint;
BEGIN
    UPDATE _dbload.run r
       SET epoch = r.epoch + 1, owner = a_owner, heartbeat = clock_timestamp(), attempts = r.attempts + 1
     WHERE r.run = a_run AND r.state = 'running'
    RETURNING r.epoch INTO new_epoch;
    IF new_epoch IS NULL THEN
        RAISE EXCEPTION 'run % is not unfinished', a_run USING ERRCODE = 'DL001';
    END IF;
    UPDATE _dbload.checkpoint c SET epoch = new_epoch WHERE c.run = a_run;
    RETURN new_epoch;
END
$$;

-- Completes a run: every checkpoint of this epoch at the end, all books balanced; or raises.
CREATE FUNCTION _dbload.complete(a_run text, a_epoch bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    finished bigint;
BEGIN
    UPDATE _dbload.run r SET state = 'complete', finished_at = clock_timestamp()
     WHERE r.run = a_run AND r.epoch = a_epoch AND r.state = 'running'
       AND r.partitions = (SELECT count(*) FROM _dbload.checkpoint c
                            WHERE c.run = a_run AND c.epoch = a_epoch AND c.done);
    GET DIAGNOSTICS finished = ROW_COUNT;
    IF finished <> 1 THEN
        RAISE EXCEPTION 'run % is not at its end under this owner', a_run USING ERRCODE = 'DL001';
    END IF;
    IF EXISTS (SELECT 1 FROM _dbload.checkpoint c
                WHERE c.run = a_run
               HAVING sum(c.read) <> sum(c.inserted + c.updated + c.unchanged + c.deduplicated + c.skipped + c.rejected)
                   OR sum(c.rejected) <> (SELECT count(*) FROM _dbload.reject j WHERE j.run = a_run)) THEN
        RAISE EXCEPTION 'books of run % do not balance', a_run USING ERRCODE = 'DL002';
    END IF;
    RETURN finished;
END
$$;

-- Records that delete (--delete-when) have a line of the books of their own. A batch of a build of before names no
-- count for it: none of its records did.
ALTER TABLE _dbload.checkpoint ADD COLUMN deleted bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN _dbload.checkpoint.deleted IS 'records whose stored row was deleted, or marked as deleted';

-- The fence, as before, with the count of what was deleted behind the others.
CREATE OR REPLACE FUNCTION _dbload.advance(
    a_run text, a_partition int, a_epoch bigint,
    a_before bigint[],       -- source, byte_offset, record
    a_after bigint[],        -- source, byte_offset, record, line
    a_done boolean,
    a_counts bigint[],       -- read, inserted, updated, unchanged, deduplicated, skipped, rejected, careful, deleted
    a_sources bigint[],      -- source, read, rejected; flattened
    a_digest text[],         -- from, to, digest of the decoded bytes; or NULL
    a_page jsonb DEFAULT NULL -- how `after` is found again in a source from the network; NULL for a file
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    moved bigint;
    gone bigint := coalesce(a_counts[9], 0);
BEGIN
    UPDATE _dbload.checkpoint c
       SET source = a_after[1], byte_offset = a_after[2], record = a_after[3], line = a_after[4], done = a_done,
           read = c.read + a_counts[1], inserted = c.inserted + a_counts[2], updated = c.updated + a_counts[3],
           unchanged = c.unchanged + a_counts[4], deduplicated = c.deduplicated + a_counts[5],
           skipped = c.skipped + a_counts[6], rejected = c.rejected + a_counts[7], deleted = c.deleted + gone,
           batches = c.batches + 1, careful = c.careful + a_counts[8],
           digest_from = a_digest[1]::bigint, digest_to = a_digest[2]::bigint, digest = a_digest[3],
           page = a_page
     WHERE c.run = a_run AND c.partition = a_partition AND c.epoch = a_epoch AND NOT c.done
       AND c.source = a_before[1] AND c.byte_offset = a_before[2] AND c.record = a_before[3];
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> 1 THEN
        RAISE EXCEPTION 'checkpoint of partition % of run % is not where this batch begins', a_partition, a_run
            USING ERRCODE = 'DL001';
    END IF;
    IF a_counts[1] <> a_counts[2] + a_counts[3] + a_counts[4] + a_counts[5] + a_counts[6] + a_counts[7] + gone THEN
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

-- The completion, as before, with what was deleted in the balance.
CREATE OR REPLACE FUNCTION _dbload.complete(a_run text, a_epoch bigint) RETURNS bigint
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
               HAVING sum(c.read) <> sum(c.inserted + c.updated + c.unchanged + c.deleted + c.deduplicated + c.skipped
                                         + c.rejected)
                   OR sum(c.rejected) <> (SELECT count(*) FROM _dbload.reject j WHERE j.run = a_run)) THEN
        RAISE EXCEPTION 'books of run % do not balance', a_run USING ERRCODE = 'DL002';
    END IF;
    RETURN finished;
END
$$;

-- Resume points of sources from the network: a checkpoint also says by which request its place is found again.
--
-- A page of an API, or a version of a body: what was asked for (without secret parameters), where the page begins in
-- its source, and a digest of it. It moves with the checkpoint, in the batch's own transaction.

ALTER TABLE _dbload.checkpoint ADD COLUMN page jsonb;

DROP FUNCTION _dbload.advance(text, int, bigint, bigint[], bigint[], boolean, bigint[], bigint[], text[]);

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
    a_digest text[],         -- from, to, digest of the decoded bytes; or NULL
    a_page jsonb DEFAULT NULL -- how `after` is found again in a source from the network; NULL for a file
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
           digest_from = a_digest[1]::bigint, digest_to = a_digest[2]::bigint, digest = a_digest[3],
           page = a_page
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

-- What a run in mode sync has met: the keys of its records, a row a batch. It is written in the transaction of
-- the batch, read when rows that no record met are removed, and gone with the completion of the run.
CREATE TABLE _dbload.met (
    run          text NOT NULL REFERENCES _dbload.run ON DELETE CASCADE,
    partition    int NOT NULL,
    unread       bigint NOT NULL,               -- records of the batch whose key could not be read
    keys         text[] NOT NULL                -- the values of the first column of the key, then those of the second, ..
);
CREATE INDEX met_run ON _dbload.met (run);
SELECT _dbload.grant_as_ledger('_dbload.met'::pg_catalog.regclass);

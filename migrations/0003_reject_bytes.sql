-- Originals of rejected records that are no text: invalid UTF-8, or with NUL. Nothing is replaced in them.
ALTER TABLE _dbload.reject ADD COLUMN raw_bytes bytea;
COMMENT ON COLUMN _dbload.reject.raw_bytes IS 'the record, where it is neither an object (original) nor text (raw)';

-- Rows that a run has taken away, where its mode is about those that are in no source.
ALTER TABLE _dbload.run ADD COLUMN removed bigint;
COMMENT ON COLUMN _dbload.run.removed IS 'rows that were in the table and in no source, and were deleted; NULL: the mode is not about them, or it was not done yet';

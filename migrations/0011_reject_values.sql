-- What the values of a rejected record were written as: delimited text, or JSON. The field {"a":1} of a CSV file is an object
-- for a jsonb column, the JSON string "{\"a\":1}" is a string. Rejects of before this column count as JSON, as they did.
ALTER TABLE _dbload.reject ADD COLUMN is_text boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN _dbload.reject.is_text IS 'the values of the record are text of delimited fields, not JSON';

-- What --merge COLUMN=patch does (RFC 7396): a jsonb with another applied to it. Members that are null in the patch
-- are taken away, objects go into objects, all else replaces what was there.
CREATE FUNCTION _dbload.merge_patch(a_target jsonb, a_patch jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member record;
    merged jsonb;
BEGIN
    IF a_patch IS NULL OR jsonb_typeof(a_patch) <> 'object' THEN
        RETURN a_patch;
    END IF;
    merged := CASE WHEN jsonb_typeof(a_target) = 'object' THEN a_target ELSE '{}' END;
    FOR member IN SELECT m.key, m.value FROM jsonb_each(a_patch) m LOOP
        IF jsonb_typeof(member.value) = 'null' THEN
            merged := merged - member.key;
        ELSE
            merged := merged || jsonb_build_object(member.key, _dbload.merge_patch(merged -> member.key, member.value));
        END IF;
    END LOOP;
    RETURN merged;
END
$$;

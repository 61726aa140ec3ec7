CREATE SCHEMA IF NOT EXISTS dbload;
CREATE TABLE IF NOT EXISTS dbload.changed (name name NOT NULL, at xid8 NOT NULL);
CREATE TABLE IF NOT EXISTS dbload.bases (base name PRIMARY KEY, used date NOT NULL);
CREATE TABLE IF NOT EXISTS dbload.counts (base name, relname name, rows bigint NOT NULL, PRIMARY KEY (base, relname));
CREATE TABLE IF NOT EXISTS dbload.sequences (
  base name, relname name, last_value bigint NOT NULL, is_called boolean NOT NULL, PRIMARY KEY (base, relname));
CREATE TABLE IF NOT EXISTS dbload.ready (name name PRIMARY KEY, base name NOT NULL, mark xid8 NOT NULL);

-- Definitions were changed; where it is not said in which schema, in any. Schemas themselves come and go.
CREATE OR REPLACE FUNCTION dbload.note_change() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_EVENT = 'sql_drop' THEN
    INSERT INTO dbload.changed SELECT DISTINCT coalesce(schema_name, '')::name, pg_current_xact_id()
      FROM pg_event_trigger_dropped_objects() WHERE NOT is_temporary AND object_type <> 'schema';
  ELSE
    INSERT INTO dbload.changed SELECT DISTINCT coalesce(schema_name, '')::name, pg_current_xact_id()
      FROM pg_event_trigger_ddl_commands() WHERE schema_name IS DISTINCT FROM 'pg_temp' AND object_type <> 'schema';
  END IF;
END $$;

-- From here on its definitions are right.
CREATE OR REPLACE FUNCTION dbload.note_ready(schema name, base name) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM dbload.changed c WHERE c.name = schema;
  DELETE FROM dbload.ready r WHERE r.name = schema;
  INSERT INTO dbload.ready VALUES (schema, base, pg_current_xact_id());
  INSERT INTO dbload.bases AS b VALUES (base, current_date)
    ON CONFLICT ON CONSTRAINT bases_pkey DO UPDATE SET used = current_date WHERE b.used <> current_date;
$$;

-- Bases that were not used for a week go.
CREATE OR REPLACE FUNCTION dbload.sweep() RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE old name;
BEGIN
  FOR old IN DELETE FROM dbload.bases b WHERE b.used < current_date - 7 RETURNING b.base LOOP
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', old);
    DELETE FROM dbload.counts c WHERE c.base = old;
    DELETE FROM dbload.sequences q WHERE q.base = old;
  END LOOP;
END $$;

-- It is dropped.
CREATE OR REPLACE FUNCTION dbload.forget(schema name) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM dbload.changed c WHERE c.name = schema;
  DELETE FROM dbload.ready r WHERE r.name = schema;
$$;

-- Keeps the rows of a schema, and where its sequences stand, as those that its likes begin with. Types that are
-- the schema's own are kept as text.
CREATE OR REPLACE FUNCTION dbload.note_base(base name, schema name) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE t name; columns text; n bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(base, 0));
  IF to_regnamespace(quote_ident(base)) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE SCHEMA %I', base);
  FOR t IN SELECT c.relname FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
           WHERE s.nspname = schema AND c.relkind = 'r' LOOP
    SELECT string_agg(CASE WHEN y.typnamespace = 'pg_catalog'::regnamespace THEN quote_ident(a.attname)
             ELSE format('%I::text AS %1$I', a.attname) END, ', ' ORDER BY a.attnum) INTO columns
      FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
      WHERE a.attrelid = format('%I.%I', schema, t)::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    EXECUTE format('CREATE TABLE %I.%I AS SELECT %s FROM ONLY %I.%I', base, t, coalesce(columns, ''), schema, t);
    GET DIAGNOSTICS n = ROW_COUNT;
    INSERT INTO dbload.counts VALUES (base, t, n);
  END LOOP;
  FOR t IN SELECT c.relname FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
           WHERE s.nspname = schema AND c.relkind = 'S' LOOP
    EXECUTE format('INSERT INTO dbload.sequences SELECT %L, %L, last_value, is_called FROM %I.%I', base, t, schema, t);
  END LOOP;
END $$;

-- Sessions that hold locks in it would be waited for.
CREATE OR REPLACE FUNCTION dbload.free(schema name) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
  SELECT pg_terminate_backend(held.pid, 5000) FROM (SELECT DISTINCT l.pid FROM pg_locks l
    JOIN pg_database d ON d.oid = l.database JOIN pg_class c ON c.oid = l.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.datname = current_database() AND n.nspname = schema AND l.pid <> pg_backend_pid()) held
$$;

-- Gives it the rows of its base, and another name; false: that cannot be done. It is new: none of its rows is
-- known to be right.
CREATE OR REPLACE FUNCTION dbload.recycle(old name, new name, is_new boolean) RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET session_replication_role = replica AS $$
DECLARE
  ready dbload.ready; t record; t_name name; names text; texts text; dirty name[];
BEGIN
  SELECT * INTO ready FROM dbload.ready r WHERE r.name = old;
  IF NOT FOUND
     OR EXISTS (SELECT FROM dbload.changed c WHERE c.at > ready.mark AND c.name IN (old, ''))
     OR EXISTS (SELECT FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
                LEFT JOIN pg_trigger g ON g.tgrelid = c.oid AND g.tgenabled IN ('A', 'R')
                LEFT JOIN pg_rewrite w ON w.ev_class = c.oid AND w.ev_enabled IN ('A', 'R') AND c.relkind = 'r'
                WHERE s.nspname = old AND (c.relkind IN ('m', 'f') OR g.oid IS NOT NULL OR w.oid IS NOT NULL))
     OR EXISTS (SELECT FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace
                WHERE s.nspname = old AND p.proconfig::text LIKE '%search_path%') THEN
    RETURN false;
  END IF;
  -- A row that was written since has a transaction that is younger than the mark; rows that went are missing.
  SELECT string_agg(format('ONLY %I.%I', old, c.relname), ', '), string_agg(format(
      'SELECT %L::name AS relname FROM ONLY %I.%I HAVING count(*) <> %s OR count(*) FILTER (WHERE %s) > 0',
      c.relname, old, c.relname, coalesce(k.rows, 0), CASE WHEN is_new THEN 'true'
        ELSE format('age(xmin) < age(%L::xid)', ready.mark::text::bigint & 4294967295) END), ' UNION ALL ')
    INTO names, texts
    FROM pg_class c LEFT JOIN dbload.counts k ON k.base = ready.base AND k.relname = c.relname
    WHERE c.relnamespace = (SELECT s.oid FROM pg_namespace s WHERE s.nspname = old) AND c.relkind = 'r';
  IF names IS NOT NULL THEN
    EXECUTE 'LOCK TABLE ' || names || ' IN ACCESS EXCLUSIVE MODE';
    EXECUTE 'SELECT array_agg(relname) FROM (' || texts || ') d' INTO dirty;
  END IF;
  FOREACH t_name IN ARRAY coalesce(dirty, '{}') LOOP
    EXECUTE format('DELETE FROM ONLY %I.%I', old, t_name);
  END LOOP;
  FOR t IN SELECT d.relname FROM unnest(dirty) d(relname) LOOP
    -- Types of the schema are not those of its base, but have the same texts.
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), string_agg(
        CASE WHEN y.typnamespace = 'pg_catalog'::regnamespace THEN quote_ident(a.attname)
             ELSE format('%I::text::%s', a.attname, format_type(a.atttypid, a.atttypmod)) END, ', ' ORDER BY a.attnum)
      INTO names, texts
      FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
      WHERE a.attrelid = format('%I.%I', old, t.relname)::regclass AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attgenerated = '';
    IF names IS NOT NULL THEN
      EXECUTE format('INSERT INTO %I.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM ONLY %I.%I',
                     old, t.relname, names, texts, ready.base, t.relname);
    END IF;
  END LOOP;
  FOR t IN SELECT relname, last_value, is_called FROM dbload.sequences q WHERE q.base = ready.base LOOP
    EXECUTE format('SELECT setval(%L::regclass, %s, %L) FROM %I.%I o WHERE (o.last_value, o.is_called) IS DISTINCT FROM (%2$s, %3$L)',
                   format('%I.%I', old, t.relname), t.last_value, t.is_called, old, t.relname);
  END LOOP;
  EXECUTE format('ALTER SCHEMA %I RENAME TO %I', old, new);
  UPDATE dbload.ready r SET name = new, mark = pg_current_xact_id() WHERE r.name = old;
  RETURN true;
END $$;

DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname = 'dbload_drops') THEN
    CREATE EVENT TRIGGER dbload_changes ON ddl_command_end EXECUTE FUNCTION dbload.note_change();
    CREATE EVENT TRIGGER dbload_drops ON sql_drop EXECUTE FUNCTION dbload.note_change();
  END IF;
END $$

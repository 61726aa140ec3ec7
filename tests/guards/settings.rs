//! Settings of a role do not change what is stored.

use super::Clerk;
use crate::support::Scene;

/// NULL in an array is the word "NULL" under `array_nulls = off`.
#[test]
fn a_null_in_an_array_is_a_null_whatever_the_role_has_set() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY, a text[])");
    let clerk = Clerk::new(
        &scene,
        "GRANT SELECT, INSERT, UPDATE ON t TO {role}; ALTER ROLE {role} SET array_nulls = off",
    );
    scene.file("t.jsonl", "{\"id\":1,\"a\":[\"x\",null]}\n{\"id\":2,\"a\":[null]}\n");
    clerk.run("t.jsonl --no-ledger").exits(0);
    clerk.run("t.jsonl --no-ledger").exits(0);
    assert_eq!(scene.db.lines("SELECT id, array_position(a, NULL) FROM t ORDER BY id"), ["1|2", "2|1"]);
}

/// Values that settings of a role could have, each as odd as it may be.
const ODD: [(&str, &str); 36] = [
    ("array_nulls", "off"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-15"),
    ("xmlbinary", "hex"),
    ("xmloption", "document"),
    ("intervalstyle", "sql_standard"),
    ("datestyle", "German, DMY"),
    ("timezone", "Asia/Kathmandu"),
    ("timezone_abbreviations", "India"),
    ("lc_monetary", "C.UTF-8"),
    ("lc_numeric", "C.UTF-8"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "off"),
    ("escape_string_warning", "off"),
    ("transform_null_equals", "on"),
    ("quote_all_identifiers", "on"),
    ("default_transaction_isolation", "repeatable read"),
    ("default_transaction_deferrable", "on"),
    ("row_security", "off"),
    ("check_function_bodies", "off"),
    ("constraint_exclusion", "on"),
    ("plan_cache_mode", "force_custom_plan"),
    ("gin_fuzzy_search_limit", "1"),
    ("exit_on_error", "on"),
    ("client_min_messages", "debug1"),
    ("enable_indexscan", "off"),
    ("enable_nestloop", "off"),
    ("enable_sort", "off"),
    ("enable_hashagg", "off"),
    ("from_collapse_limit", "1"),
    ("join_collapse_limit", "1"),
    ("work_mem", "64kB"),
    ("temp_buffers", "800kB"),
    ("default_statistics_target", "1"),
    ("synchronous_commit", "off"),
    ("statement_timeout", "90s"),
];

const TYPES: &str = "id int PRIMARY KEY, a text[], b bytea, f float8, iv interval, d date, ts timestamptz, tm timestamp, m money, \
                     n numeric(12, 3), j jsonb, s text UNIQUE, r int4range, c int CHECK (c > 0), k int DEFAULT 7";

fn typed(id: u32, version: u32) -> String {
    let mut record = serde_json::json!({
        "id": id, "a": ["x", null, "NULL"], "b": "\\x00ff41", "f": 0.1 + f64::from(id), "iv": format!("-1 days {version} hours"),
        "d": "2024-02-03", "ts": "2024-02-03T04:05:06 IST", "tm": "2024-02-03 04:05:06.5", "m": "$1,234.56", "n": "12.345",
        "j": {"a": [1.50, null, "\\"]}, "s": format!("back\\slash 'quoted' {id}"), "r": "[1,5)", "c": id,
    });
    if id.is_multiple_of(3) {
        record["k"] = serde_json::json!(id);
    }
    record.to_string() + "\n"
}

/// A load under the oddest settings of a role stores what one under the server's own does.
#[test]
fn the_settings_of_a_role_change_nothing_that_is_stored() {
    let scene = Scene::with(&format!("CREATE TABLE plain ({TYPES}); CREATE TABLE odd ({TYPES})"));
    let database = scene.db.name();
    let clerk = Clerk::new(
        &scene,
        &format!(
            "GRANT SELECT, INSERT, UPDATE ON odd, plain TO {{role}}; GRANT CREATE ON DATABASE {database} TO {{role}}"
        ),
    );
    let first: String = (1..=300).map(|id| typed(id, 1)).collect();
    let second: String = (1..=400).map(|id| typed(id, 1 + id % 2)).collect();
    let refused = typed(500, 1).replace("\"c\":500", "\"c\":-1") + &typed(501, 1).replace("[1,5)", "[9,5)");
    let steps =
        [(first, "", 0), (second.clone() + &refused, "--max-rejects 9", 3), (second, "--pool-size 1", 0)];
    let load = |table: &str| {
        for (text, flags, code) in &steps {
            scene.file("t.jsonl", text);
            let line = format!("t.jsonl --table {table} {flags}");
            clerk.run(&line).exits(*code);
        }
    };
    // One role makes the ledger and owns it.
    load("plain");
    for (name, value) in ODD {
        clerk.sql(&format!("ALTER ROLE {{role}} SET {name} = '{value}'"));
    }
    load("odd");
    scene.sql("UPDATE plain SET k = k; UPDATE odd SET k = k");
    assert_eq!(scene.db.digest("odd"), scene.db.digest("plain"));
    assert_eq!(
        scene.db.lines("SELECT a[2] IS NULL, a[3] = 'NULL', b = '\\x00ff41', iv FROM odd WHERE id = 1"),
        ["t|t|t|-1 days +02:00:00"]
    );
    clerk.run("verify t.jsonl --table odd").exits(0);
}

/// Settings that a batch does not set, and why they cannot matter.
const HARMLESS: [(&str, &[&str]); 12] = [
    (
        "how fast a plan is, never what it gives",
        &[
            "backend_flush_after",
            "constraint_exclusion",
            "cpu_index_tuple_cost",
            "cpu_operator_cost",
            "cpu_tuple_cost",
            "cursor_tuple_fraction",
            "debug_parallel_query",
            "default_statistics_target",
            "effective_cache_size",
            "effective_io_concurrency",
            "enable_async_append",
            "enable_bitmapscan",
            "enable_distinct_reordering",
            "enable_gathermerge",
            "enable_group_by_reordering",
            "enable_hashagg",
            "enable_incremental_sort",
            "enable_indexonlyscan",
            "enable_material",
            "enable_memoize",
            "enable_parallel_append",
            "enable_parallel_hash",
            "enable_partition_pruning",
            "enable_partitionwise_aggregate",
            "enable_partitionwise_join",
            "enable_presorted_aggregate",
            "enable_self_join_elimination",
            "enable_tidscan",
            "force_parallel_mode",
            "from_collapse_limit",
            "geqo",
            "geqo_effort",
            "geqo_generations",
            "geqo_pool_size",
            "geqo_seed",
            "geqo_selection_bias",
            "geqo_threshold",
            "hash_mem_multiplier",
            "io_combine_limit",
            "jit_above_cost",
            "jit_dump_bitcode",
            "jit_expressions",
            "jit_inline_above_cost",
            "jit_optimize_above_cost",
            "jit_tuple_deforming",
            "join_collapse_limit",
            "maintenance_io_concurrency",
            "maintenance_work_mem",
            "max_parallel_maintenance_workers",
            "max_parallel_workers",
            "max_parallel_workers_per_gather",
            "min_parallel_index_scan_size",
            "min_parallel_table_scan_size",
            "parallel_leader_participation",
            "parallel_setup_cost",
            "parallel_tuple_cost",
            "random_page_cost",
            "recursive_worktable_factor",
            "seq_page_cost",
            "synchronize_seqscans",
            "temp_buffers",
            "work_mem",
            "logical_decoding_work_mem",
            "gin_pending_list_limit",
            "file_copy_method",
        ],
    ),
    (
        "the server's log and counters",
        &[
            "backtrace_functions",
            "compute_query_id",
            "debug_logical_replication_streaming",
            "debug_pretty_print",
            "debug_print_parse",
            "debug_print_plan",
            "debug_print_rewritten",
            "log_duration",
            "log_error_verbosity",
            "log_executor_stats",
            "log_lock_failures",
            "log_lock_waits",
            "log_min_duration_sample",
            "log_min_duration_statement",
            "log_min_error_statement",
            "log_min_messages",
            "log_parameter_max_length",
            "log_parameter_max_length_on_error",
            "log_parser_stats",
            "log_planner_stats",
            "log_replication_commands",
            "log_statement",
            "log_statement_sample_rate",
            "log_statement_stats",
            "log_temp_files",
            "log_transaction_sample_rate",
            "stats_fetch_consistency",
            "trace_notify",
            "trace_sort",
            "track_activities",
            "track_cost_delay_timing",
            "track_functions",
            "track_io_timing",
            "track_wal_io_timing",
            "update_process_title",
        ],
    ),
    ("asked for in the plan: without it the server's counters are not used", &["track_counts"]),
    (
        "vacuum's",
        &[
            "vacuum_buffer_usage_limit",
            "vacuum_cost_delay",
            "vacuum_cost_limit",
            "vacuum_cost_page_dirty",
            "vacuum_cost_page_hit",
            "vacuum_cost_page_miss",
            "vacuum_failsafe_age",
            "vacuum_freeze_min_age",
            "vacuum_freeze_table_age",
            "vacuum_max_eager_freeze_failure_rate",
            "vacuum_multixact_failsafe_age",
            "vacuum_multixact_freeze_min_age",
            "vacuum_multixact_freeze_table_age",
            "vacuum_truncate",
        ],
    ),
    (
        "how the log is written, not what is stored",
        &[
            "commit_delay",
            "commit_siblings",
            "wal_compression",
            "wal_consistency_checking",
            "wal_init_zero",
            "wal_recycle",
            "wal_sender_timeout",
            "wal_skip_threshold",
            "synchronous_commit",
        ],
    ),
    (
        "the connection",
        &[
            "application_name",
            "client_connection_check_interval",
            "client_encoding",
            "deadlock_timeout",
            "idle_session_timeout",
            "local_preload_libraries",
            "session_preload_libraries",
            "tcp_keepalives_count",
            "tcp_keepalives_idle",
            "tcp_keepalives_interval",
            "tcp_user_timeout",
            "dynamic_library_path",
            "extension_control_path",
            "extension_destdir",
        ],
    ),
    (
        "where or how a table that is made is kept; a new target is made as the role would",
        &[
            "default_tablespace",
            "default_toast_compression",
            "temp_tablespaces",
            "allow_in_place_tablespaces",
            "temp_file_limit",
        ],
    ),
    (
        "BEGIN names the level; a session that may not write is told so (25006)",
        &[
            "default_transaction_deferrable",
            "default_transaction_isolation",
            "default_transaction_read_only",
            "transaction_deferrable",
            "transaction_isolation",
            "transaction_read_only",
        ],
    ),
    (
        "no statement of ours depends on it: no name is looked up by it, no string has a backslash-quote, nothing is spelt by locale",
        &[
            "search_path",
            "backslash_quote",
            "escape_string_warning",
            "lc_messages",
            "lc_numeric",
            "lc_time",
            "default_text_search_config",
            "icu_validation_level",
            "lo_compat_privileges",
            "createrole_self_grant",
            "password_encryption",
            "md5_password_warnings",
            "scram_iterations",
            "restrict_nonsystem_relation_kind",
        ],
    ),
    (
        "a superuser's choice which triggers fire; the plan reads the table under it",
        &["session_replication_role", "event_triggers"],
    ),
    (
        "a superuser's, for damaged servers",
        &["allow_system_table_mods", "ignore_checksum_failure", "zero_damaged_pages", "debug_discard_caches"],
    ),
    (
        "beyond it is an error of its own (54001, 25P04), which halves the batch or is said",
        &["max_stack_depth", "transaction_timeout"],
    ),
];

/// Each setting that a session can have is set by a batch, or has a reason here. One of a new version has
/// neither.
#[test]
fn every_setting_of_a_session_is_set_or_cannot_matter() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE seen (name text, setting text); \
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN \
           INSERT INTO seen SELECT s.name, s.setting FROM pg_settings s WHERE s.source = 'session'; RETURN NEW; END$$; \
         CREATE TRIGGER look BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION look()",
    );
    let clerk =
        Clerk::new(&scene, "GRANT SELECT, INSERT, UPDATE ON t TO {role}; GRANT INSERT ON seen TO {role}");
    for (name, value) in ODD {
        clerk.sql(&format!("ALTER ROLE {{role}} SET {name} = '{value}'"));
    }
    scene.file("t.csv", "id\n1\n");
    clerk.run("t.csv --no-ledger").exits(0);
    let set = scene.db.lines("SELECT name FROM seen");
    let all =
        scene.db.lines("SELECT name FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY 1");
    let known = |name: &String| {
        let by_us = set.contains(name) && name != "synchronous_commit";
        by_us || HARMLESS.iter().any(|(_, names)| names.contains(&name.as_str()))
    };
    let unknown: Vec<&String> = all.iter().filter(|name| !known(name) && !name.contains('.')).collect();
    assert!(unknown.is_empty(), "neither set by a batch nor known to be harmless: {unknown:?}");
}

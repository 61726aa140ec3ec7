//! Runs: killed, interrupted, resumed, refused, owned by one.
//!
//! Killed (also by kill -9 at 20 random moments), stopped by signals, terminated, restarted, deadlocked,
//! started twice; sources and targets that changed meanwhile (CASES.md, rows 44 and 47); `logs/*.jsonl`
//! appended every night, a table emptied by hand after a failed load, an append repeated.

use crate::{
    rows,
    support::{
        Database, Dbload, Outcome, Rng, Scene,
        api::{Api, Ask, Reply},
        audit, generate, until,
    },
};
use dbload::internals::local::{Options, TempServer};
use rustix::process::Signal;
use std::{
    fmt::Write,
    time::{Duration, Instant},
};

/// A table that takes about so many milliseconds a row: an AFTER trigger, which leaves the plan as it is.
fn slow(milliseconds: f64) -> String {
    format!(
        "CREATE TABLE t (id bigint PRIMARY KEY, v text); \
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep({}); RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION slow()",
        milliseconds / 1000.0
    )
}

fn numbered(ids: std::ops::Range<u64>) -> String {
    ids.fold(String::new(), |mut text, id| {
        let _ = writeln!(text, "{{\"id\":{id},\"v\":\"v{id}\"}}");
        text
    })
}

/// Starts a load, waits for its first rows, and stops it by a signal.
#[track_caller]
fn stopped(scene: &Scene, dbload: Dbload, signal: Signal) -> Outcome {
    let running = dbload.spawn();
    until("rows appear", || scene.db.count("t") > 0);
    running.signal(signal);
    let outcome = running.wait();
    assert!(!outcome.status.success(), "it was to be stopped in the middle: {outcome}");
    // What it sent at last may still commit, behind a pooler above all.
    scene.db.until_quiet();
    outcome
}

/// Starts of the run that have reached the ledger.
fn attempts(scene: &Scene) -> u64 {
    let attempts =
        scene.db.try_rows("SELECT coalesce(sum(attempts), 0) FROM _dbload.run").unwrap_or_default().0;
    attempts.first().and_then(|row| row.first()?.as_deref()?.parse().ok()).unwrap_or(0)
}

/// Kills a load. Every other one wherever it may be, at its start too; the rest when it is on its way.
fn kill_one(scene: &Scene, command: Dbload, hit: u64, delay: Duration) -> Outcome {
    let before = attempts(scene);
    let running = command.spawn();
    for _ in 0..500 {
        if hit.is_multiple_of(2) || attempts(scene) > before {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    running.kill9_after(delay)
}

#[test]
fn killed_at_twenty_random_moments_nothing_is_lost_and_nothing_twice() {
    let scene = Scene::with(&format!(
        "{}; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.0002); RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT OR UPDATE ON events FOR EACH ROW EXECUTE FUNCTION slow()",
        generate::EVENTS_TABLE
    ));
    // Every id twice, the second version wins; some lines are no records at all.
    let many = 6_000;
    let mut text = String::new();
    for version in [1, 2] {
        for id in 1..=many {
            text += &generate::event(id, version);
            text += if id % 500 == 0 { "\nbroken\n" } else { "\n" };
        }
    }
    scene.file("events.jsonl", text);
    let command = || scene.dbload("events.jsonl --pool-size 4 --batch-rows 100");
    let mut rng = Rng::new();
    let mut hits = 0;
    while hits < 20 {
        let outcome = kill_one(&scene, command(), hits, Duration::from_millis(20 + rng.below(200)));
        if !outcome.was_killed() {
            panic!("ended after {hits} kills, make the load longer: {outcome}");
        }
        hits += 1;
    }
    let outcome = command().run().exits(3);
    let (report, rows) = (outcome.report(), outcome.rows());
    let broken = 2 * many / 500;
    assert_eq!(
        (rows.read, rows.inserted, rows.stored_before(), rows.rejected),
        (2 * many + broken, many, many, broken),
        "{outcome}"
    );
    assert!(report.attempts > 10 && report.attempts <= 21, "{outcome}");
    assert!(report.complete && report.guarantee == "exactly-once");
    assert_eq!(scene.db.digest("events"), scene.db.digest(&generate::event_rows(1, many, 2)));
    let lines: Vec<_> = report.rejected(scene.cwd()).iter().map(|r| r.line).collect();
    assert_eq!(lines, (1..=broken).map(|n| n * 501).collect::<Vec<_>>());
}

#[test]
fn an_append_killed_at_random_moments_appends_each_record_once() {
    let scene = Scene::with(
        "CREATE TABLE t (id bigint, v text); \
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    scene.file("in/a.jsonl", numbered(0..2_000));
    scene.file("in/b.jsonl", numbered(2_000..4_000));
    let command = || scene.dbload("in -t t --pool-size 3 --batch-rows 50");
    let mut rng = Rng::new();
    for hit in 0..10 {
        let outcome = kill_one(&scene, command(), hit, Duration::from_millis(20 + rng.below(150)));
        assert!(outcome.was_killed(), "ended after {hit} kills, make the load longer: {outcome}");
    }
    let outcome = command().run().exits(0).says("resum");
    assert_eq!(outcome.rows(), rows!(read: 4_000, inserted: 4_000));
    assert_eq!(
        scene.db.one("SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || max(id) FROM t"),
        "4000 4000 3999"
    );
}

#[test]
fn ctrl_c_ends_soon_with_130_and_the_same_command_resumes() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let scene = Scene::with(&slow(2.0));
        scene.file("t.jsonl", numbered(0..1_000));
        let command = || scene.dbload("t.jsonl --batch-rows 20 --pool-size 2");
        let running = command().spawn();
        until("rows appear", || scene.db.count("t") > 0);
        running.signal(signal);
        let start = Instant::now();
        let outcome = running.wait().exits(code);
        assert!(start.elapsed() < Duration::from_secs(15), "{outcome}");
        let report = outcome.report();
        assert!(!report.complete, "{outcome}");
        assert_eq!(report.rows.inserted, scene.db.count("t"), "what it says is what there is: {outcome}");
        assert!(report.rows.inserted < 1_000);
        let resumed = command().run().exits(0).says("resum");
        assert_eq!(resumed.rows(), rows!(read: 1_000, inserted: 1_000));
        assert_eq!(resumed.report().attempts, 2);
        assert_eq!(scene.db.count("t"), 1_000);
    }
}

#[test]
fn the_second_ctrl_c_ends_it_at_once() {
    let scene = Scene::with(&slow(4_000.0));
    scene.file("t.jsonl", numbered(0..10));
    let running = scene.dbload("t.jsonl --batch-rows 10").spawn();
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'";
    until("a batch is in flight", || scene.db.one(busy) != "0");
    running.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    running.signal(Signal::INT);
    let outcome = running.wait();
    assert!(start.elapsed() < Duration::from_secs(4), "{outcome}");
    assert_eq!(outcome.code(), 130, "{outcome}");
}

#[test]
fn the_same_load_twice_at_once_has_one_owner() {
    let scene = Scene::with(&slow(2.0));
    scene.file("t.jsonl", numbered(0..1_500));
    let command = || scene.dbload("t.jsonl --batch-rows 50 --pool-size 2");
    let owner = command().spawn();
    until("rows appear", || scene.db.count("t") > 0);
    let pid = owner.pid().to_string();
    command().run().exits(8).says(&pid).says("hint:");
    assert_eq!(owner.wait().exits(0).rows(), rows!(read: 1_500, inserted: 1_500));
}

#[test]
fn of_eight_starts_at_once_one_loads_and_the_others_say_who() {
    let scene = Scene::with(&slow(3.0));
    scene.file("t.jsonl", numbered(0..1_000));
    let all: Vec<_> =
        (0..8).map(|_| scene.dbload("t.jsonl --batch-rows 100 --pool-size 1").spawn()).collect();
    let mut codes: Vec<_> = all.into_iter().map(|r| r.wait().code()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 8, 8, 8, 8, 8, 8, 8]);
    assert_eq!(scene.db.count("t"), 1_000);
}

#[test]
fn an_owner_that_was_stopped_and_taken_over_is_fenced_when_it_goes_on() {
    let scene = Scene::with(&slow(1.0));
    scene.file("t.jsonl", numbered(0..2_000));
    let command = || scene.dbload("t.jsonl --batch-rows 50 --pool-size 2").timeout(Duration::from_secs(150));
    let owner = command().spawn();
    until("rows appear", || scene.db.count("t") > 100);
    owner.signal(Signal::STOP);
    let heir = command().arg("--take-over").run().exits(0);
    assert_eq!(heir.rows(), rows!(read: 2_000, inserted: 2_000), "{heir}");
    owner.signal(Signal::CONT);
    owner.wait().exits(8).says("the other process goes on; nothing is lost");
    assert_eq!(scene.db.one("SELECT count(*) || ' ' || count(DISTINCT id) FROM t"), "2000 2000");
    assert_eq!(command().run().exits(0).rows(), rows!(read: 2_000, unchanged: 2_000));
}

#[test]
fn who_waits_goes_on_when_the_owner_is_done() {
    let scene = Scene::with(&slow(2.0));
    scene.file("t.jsonl", numbered(0..500));
    let owner = scene.dbload("t.jsonl --batch-rows 50").spawn();
    until("rows appear", || scene.db.count("t") > 0);
    let second = scene.run("t.jsonl --batch-rows 50 --wait 30s").exits(0);
    assert_eq!(second.rows(), rows!(read: 500, unchanged: 500));
    owner.wait().exits(0);
}

#[test]
fn a_resume_may_change_pool_and_batch_but_not_the_meaning_of_the_file() {
    let scene = Scene::with(&slow(2.0));
    scene.file("t.csv", (0..600).fold("id,v\n".to_owned(), |t, id| t + &format!("{id},v{id}\n")));
    stopped(&scene, scene.dbload("t.csv --batch-rows 20 --pool-size 2"), Signal::KILL);
    let before = scene.db.digest("t");
    scene.run("t.csv --null-as NA").exits(8).says("NA").says("null-as").says("hint:");
    scene.run("t.csv --extra ignore").exits(8).says("refuse").says("ignore");
    assert_eq!(scene.db.digest("t"), before);
    let outcome = scene.run("t.csv --batch-rows 7 --pool-size 5 --max-rejects 10").exits(0);
    assert_eq!(outcome.rows(), rows!(read: 600, inserted: 600));
    assert_eq!(outcome.report().attempts, 2);
}

#[test]
fn a_target_changed_by_hand_between_crash_and_resume_is_refused() {
    let changes = [
        "TRUNCATE t",
        "DELETE FROM t",
        "DROP TABLE t; CREATE TABLE t (id bigint PRIMARY KEY, v text)",
        "ALTER TABLE t ALTER COLUMN v TYPE varchar(3) USING 'x'",
        "DROP TABLE t",
    ];
    for change in changes {
        let scene = Scene::with(&slow(2.0));
        scene.file("t.jsonl", numbered(0..600));
        stopped(&scene, scene.dbload("t.jsonl --batch-rows 20 --pool-size 2"), Signal::KILL);
        // The killed one's backends may still be busy.
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        until("its backends end", || scene.db.one(busy) == "0");
        scene.sql(change);
        let outcome = scene.run("t.jsonl").exits(8).says("--restart");
        assert!(outcome.stdout.is_empty() || !outcome.report().complete, "{change}");
        if !change.starts_with("DROP TABLE t;") && !change.starts_with("TRUNCATE") {
            continue;
        }
        assert_eq!(scene.db.count("t"), 0, "{change}");
        let outcome = scene.run("t.jsonl --restart").exits(0);
        assert_eq!(outcome.rows(), rows!(read: 600, inserted: 600), "{change}");
    }
}

#[test]
fn a_file_replaced_between_crash_and_resume_is_refused_and_a_longer_one_is_loaded_to_its_old_end() {
    let scene = Scene::with(&slow(2.0));
    let command = || scene.dbload("t.jsonl --batch-rows 20 --pool-size 2");
    scene.file("t.jsonl", numbered(0..600));
    stopped(&scene, command(), Signal::KILL);
    scene.file("t.jsonl", numbered(1_000..1_600));
    command().run().exits(8).says("t.jsonl").says("hint:");
    scene.file("t.jsonl", numbered(0..300));
    command().run().exits(8).says("t.jsonl");
    scene.file("t.jsonl", numbered(0..700));
    let grown = command().run().exits(0);
    assert_eq!(grown.rows(), rows!(read: 600, inserted: 600), "{grown}");
    assert_eq!(command().run().exits(0).rows(), rows!(read: 700, inserted: 100, unchanged: 600));
}

#[test]
fn files_that_are_new_at_a_resume_are_named_and_wait_for_the_next_run() {
    let scene = Scene::with(&slow(2.0));
    let command = || scene.dbload("in -t t --batch-rows 20 --pool-size 2");
    scene.file("in/b.jsonl", numbered(0..600));
    stopped(&scene, command(), Signal::KILL);
    scene.file("in/a.jsonl", numbered(600..700));
    let resumed = command().run().exits(0).says("a.jsonl");
    assert_eq!(resumed.rows(), rows!(read: 600, inserted: 600));
    assert_eq!(command().run().exits(0).rows(), rows!(read: 700, inserted: 100, unchanged: 600));
}

#[test]
fn a_run_is_known_by_its_words_as_absolute_paths_or_by_its_load_id() {
    let scene = Scene::with(&slow(2.0));
    scene.file("t.jsonl", numbered(0..400));
    stopped(&scene, scene.dbload("t.jsonl --batch-rows 20 --pool-size 2"), Signal::KILL);
    let absolute = scene.cwd().join("t.jsonl");
    let outcome = scene.dbload("").arg(absolute).run().exits(0);
    assert_eq!((outcome.report().attempts, outcome.rows().inserted), (2, 400));
    scene.sql("TRUNCATE t");
    scene.file("a.jsonl", numbered(0..400));
    stopped(
        &scene,
        scene.dbload("a.jsonl -t t --load-id nightly --batch-rows 20 --pool-size 2"),
        Signal::KILL,
    );
    let outcome = scene.run("a.jsonl -t t --load-id nightly").exits(0);
    assert_eq!((outcome.report().attempts, outcome.rows().inserted), (2, 400));
}

#[test]
fn restart_forgets_the_unfinished_run() {
    let scene = Scene::with(&slow(2.0));
    scene.file("t.jsonl", numbered(0..400));
    stopped(&scene, scene.dbload("t.jsonl --batch-rows 20 --pool-size 2"), Signal::INT);
    let there = scene.db.count("t");
    let outcome = scene.run("t.jsonl --restart").exits(0);
    assert_eq!(outcome.rows(), rows!(read: 400, inserted: 400 - there, unchanged: there));
    assert_eq!(outcome.report().attempts, 1);
}

#[test]
fn an_append_skips_files_that_it_has_loaded_and_refuses_when_there_are_no_others() {
    let scene = Scene::with("CREATE TABLE logs (n int)");
    scene.file("logs/1.jsonl", "{\"n\":1}\n");
    scene.load("logs/*.jsonl -t logs");
    scene.run("logs/*.jsonl -t logs").exits(8).says("--again").says("1.jsonl");
    scene.file("logs/2.jsonl", "{\"n\":2}\n");
    let outcome = scene.run("logs/*.jsonl -t logs").exits(0).says("1.jsonl");
    assert_eq!(outcome.rows(), rows!(read: 1, inserted: 1));
    assert_eq!(scene.db.lines("SELECT n FROM logs ORDER BY n"), ["1", "2"]);
    assert_eq!(scene.load("logs/*.jsonl -t logs --again").rows(), rows!(read: 2, inserted: 2));
}

#[test]
fn an_append_from_stdin_that_is_stopped_names_the_first_record_that_is_not_in_the_table() {
    let scene = Scene::with(
        "CREATE TABLE t (id bigint, v text); \
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.002); RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let text = numbered(0..1_000);
    let command = || scene.dbload("- -t t --batch-rows 20 --pool-size 4").stdin(text.clone());
    let outcome = stopped(&scene, command(), Signal::INT).exits(130).says("--skip-records");
    let said = outcome.stderr.split("--skip-records").nth(1).unwrap();
    let many: u64 = said
        .trim_start_matches([' ', '='])
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap()
        .parse()
        .unwrap();
    // What is there is a prefix.
    assert_eq!(scene.db.one("SELECT count(*) || ' ' || max(id) FROM t"), format!("{many} {}", many - 1));
    let rest = command().arg(format!("--skip-records={many}")).run().exits(0);
    assert_eq!(rest.rows().inserted, 1_000 - many);
    assert_eq!(rest.report().guarantee, "at-least-once");
    assert_eq!(scene.db.one("SELECT count(*) || ' ' || count(DISTINCT id) FROM t"), "1000 1000");
}

#[test]
fn records_can_be_skipped_at_the_beginning() {
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, v text)");
    scene.file("t.jsonl", numbered(0..10));
    scene.load("t.jsonl --skip-records 4");
    assert_eq!(scene.db.one("SELECT count(*) || ' ' || min(id) FROM t"), "6 4");
}

#[test]
fn backends_that_are_terminated_are_replaced_and_their_batches_replayed() {
    let scene = Scene::with(&slow(1.0));
    scene.file("t.jsonl", numbered(0..1_000));
    let running = scene.dbload("t.jsonl --batch-rows 50 --pool-size 3").spawn();
    until("rows appear", || scene.db.count("t") > 0);
    for _ in 0..4 {
        scene.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'");
        std::thread::sleep(Duration::from_millis(120));
    }
    let outcome = running.wait().exits(0);
    assert_eq!(outcome.rows(), rows!(read: 1_000, inserted: 1_000), "{outcome}");
    assert!(outcome.report().pool.retries > 0, "{outcome}");
    assert_eq!(scene.db.count("t"), 1_000);
}

#[test]
fn a_server_that_restarts_is_waited_for() {
    let server = TempServer::start(Options::default()).unwrap();
    for how in ["fast", "immediate", "kill"] {
        let table = format!("t_{how}");
        let db = Database::connect(&server.url());
        db.sql(
            &slow(1.0)
                .replace("TABLE t ", &format!("TABLE {table} "))
                .replace("ON t ", &format!("ON {table} "))
                .replace("slow()", &format!("slow_{how}()")),
        );
        let scene = Scene { db, folder: crate::support::Folder::new() };
        scene.file("t.jsonl", numbered(0..1_000));
        let running = scene.dbload(&format!("t.jsonl -t {table} --batch-rows 50 --pool-size 2")).spawn();
        until("rows appear", || scene.db.count(&table) > 0);
        match how {
            "fast" => server.stop_fast().unwrap(),
            "immediate" => server.stop_immediate().unwrap(),
            _ => server.kill9(),
        }
        std::thread::sleep(Duration::from_millis(300));
        server.restart().unwrap();
        let outcome = running.wait().exits(0);
        assert_eq!(outcome.rows(), rows!(read: 1_000, inserted: 1_000), "{how}: {outcome}");
        let db = Database::connect(&server.url());
        assert_eq!(
            db.one(&format!("SELECT count(*) || ' ' || count(DISTINCT id) FROM {table}")),
            "1000 1000",
            "{how}"
        );
    }
}

#[test]
fn states_that_pass_are_replayed_and_counted_once() {
    for state in ["40001", "40P01", "55P03"] {
        let scene = Scene::with(&format!(
            "CREATE TABLE t (id bigint PRIMARY KEY, v text); CREATE SEQUENCE inject; \
             CREATE FUNCTION inject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               IF NEW.id = 55 AND nextval('inject') <= 3 THEN RAISE 'injected' USING ERRCODE = '{state}'; END IF; RETURN NULL; END $$; \
             CREATE TRIGGER inject AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION inject()"
        ));
        scene.file("t.jsonl", numbered(0..200));
        let outcome = scene.run("t.jsonl --batch-rows 20 --pool-size 2").exits(0);
        assert_eq!(outcome.rows(), rows!(read: 200, inserted: 200), "{state}: {outcome}");
        assert!(outcome.report().pool.retries > 0, "{state}: {outcome}");
    }
}

#[test]
fn a_locked_table_is_waited_for() {
    let scene = Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, v text)");
    scene.file("t.jsonl", numbered(0..200));
    let other = scene.db.another();
    other.sql("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    let running = scene.dbload("t.jsonl").spawn();
    std::thread::sleep(Duration::from_millis(1_500));
    other.sql("COMMIT");
    assert_eq!(running.wait().exits(0).rows(), rows!(read: 200, inserted: 200));
}

#[test]
fn without_a_ledger_it_loads_and_says_what_it_cannot_promise() {
    let scene =
        Scene::with("CREATE TABLE t (id bigint PRIMARY KEY, v text); CREATE TABLE log (id bigint, v text)");
    scene.file("t.jsonl", numbered(0..200));
    let report = scene.load("t.jsonl --no-ledger").report();
    assert_eq!(
        (report.rows, report.guarantee.as_str()),
        (rows!(read: 200, inserted: 200), "effectively-once")
    );
    let report = scene.load("t.jsonl -t log --no-ledger").report();
    assert_eq!((report.rows, report.guarantee.as_str()), (rows!(read: 200, inserted: 200), "at-least-once"));
    assert_eq!(scene.db.one("SELECT count(*) FROM pg_namespace WHERE nspname = '_dbload'"), "0");
}

/// Tables of the runs in `tests/data/0.1.0.sql`, with the rows that 0.1.0 had committed when it was killed.
const OF_0_1_0: [&str; 3] = ["plain", "packed", "pages"];

/// A database as 0.1.0 has left it: killed in the middle of a file, of a gz file and of pages. Its ledger is
/// made by the migrations of then, whose checksums it has stored, and its rows are those that it wrote; only
/// folder, port, machine, day and the tables' numbers are others.
fn left_by_0_1_0(api: &Api) -> Scene {
    let scene = Scene::with(
        "CREATE TABLE plain (id int, v int); CREATE TABLE packed (id int PRIMARY KEY, v int); \
         CREATE TABLE pages (id int PRIMARY KEY, v int); CREATE SCHEMA _dbload; \
         CREATE TABLE _dbload.migration (version bigint PRIMARY KEY, description text NOT NULL, \
           installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, \
           execution_time bigint NOT NULL)",
    );
    for migration in [
        include_str!("../migrations/0001_ledger.sql"),
        include_str!("../migrations/0002_page.sql"),
        include_str!("../migrations/0003_reject_bytes.sql"),
        include_str!("../migrations/0004_epoch.sql"),
    ] {
        scene.sql(migration);
    }
    let left = include_str!("data/0.1.0.sql").replace("{FOLDER}", scene.cwd().to_str().unwrap());
    scene.sql(&left.replace("{API}", &api.url("")));
    scene.sql(
        "UPDATE _dbload.run SET target_oid = to_regclass(target), \
           target_file = (SELECT relfilenode FROM pg_class c WHERE c.oid = to_regclass(target))",
    );
    let plain = (0..3_000).fold("id,v\n".to_owned(), |text, id| text + &format!("{id},{}\n", id * 7));
    for file in
        [scene.file("plain.csv", plain), scene.file("packed.jsonl.gz", include_bytes!("data/0.1.0.jsonl.gz"))]
    {
        let then = std::time::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
        std::fs::File::options().append(true).open(file).unwrap().set_modified(then).unwrap();
    }
    scene
}

/// What it has not read yet may be read; of what it has, what its checkpoints cannot prove is taken as it is.
#[test]
fn a_run_stored_by_0_1_0_goes_on_where_it_was_killed() {
    let api = Api::serve(|ask: &Ask| {
        let from = (ask.number("page").unwrap_or(1) - 1) * 100;
        let records: Vec<String> =
            (from..(from + 100).min(1_000)).map(|id| format!("{{\"id\":{id},\"v\":{}}}", id * 7)).collect();
        Reply::json(format!("[{}]", records.join(",")))
    });
    let scene = left_by_0_1_0(&api);
    let before: Vec<u64> = OF_0_1_0.iter().map(|table| scene.db.count(table)).collect();
    assert!(
        before.iter().zip([3_000, 3_000, 1_000]).all(|(rows, all)| 0 < *rows && *rows < all),
        "{before:?}"
    );
    let url = api.url("/page");
    for (table, line, records) in [
        ("plain", "plain.csv -t plain --mode append --load-id plain --batch-rows 300 --pool-size 1", 3_000),
        ("packed", "packed.jsonl.gz -t packed --load-id packed --batch-rows 300 --pool-size 2", 3_000),
        (
            "pages",
            &format!("{url} -t pages --paginate page:page --load-id pages --batch-rows 100 --pool-size 2"),
            1_000,
        ),
    ] {
        let outcome = scene.load(line);
        let whole = format!("(SELECT i AS id, i * 7 AS v FROM generate_series(0, {records} - 1) i) x");
        assert_eq!(scene.db.digest(table), scene.db.digest(&whole), "{outcome}");
        let (report, rows) = (outcome.report(), outcome.rows());
        assert_eq!(rows, rows!(read: records, inserted: records), "{outcome}");
        // Pages are not promised to be what they were.
        let guarantee = if table == "pages" { "effectively-once" } else { "exactly-once" };
        assert_eq!(
            (report.complete, report.guarantee.as_str(), report.attempts),
            (true, guarantee, 2),
            "{outcome}"
        );
    }
    audit(&scene.db);
    assert_eq!(scene.db.one("SELECT count(*) FROM _dbload.run"), "3", "none was begun anew");
}

/// Where the role may not do it itself: the administrator's SQL does what a start would.
#[test]
fn a_ledger_of_0_1_0_is_brought_up_to_date_by_the_administrators_sql() {
    let shape = |db: &Database| {
        db.lines(
            "SELECT concat_ws(' ', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull) \
               FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
              WHERE c.relnamespace = '_dbload'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped \
             UNION ALL SELECT oid::regprocedure || prosrc FROM pg_proc WHERE pronamespace = '_dbload'::regnamespace \
             UNION ALL SELECT version || encode(checksum, 'hex') FROM _dbload.migration ORDER BY 1",
        )
    };
    let fresh = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    fresh.file("t.csv", "id\n1\n");
    fresh.load("t.csv");
    let scene = left_by_0_1_0(&Api::serve(|_: &Ask| Reply::json("[]")));
    assert_ne!(shape(&scene.db), shape(&fresh.db));
    let sql = Dbload::new(scene.cwd()).line("ledger sql --role=public").run().exits(0).stdout;
    scene.db.another().sql(&sql);
    assert_eq!(shape(&scene.db), shape(&fresh.db));
    let outcome =
        scene.load("plain.csv -t plain --mode append --load-id plain --batch-rows 300 --pool-size 1");
    assert_eq!((outcome.report().attempts, scene.db.count("plain")), (2, 3_000), "{outcome}");
}

/// What its checkpoints do prove is compared: a file that was replaced since is refused.
#[test]
fn a_run_stored_by_0_1_0_does_not_go_on_with_another_file() {
    let api = Api::serve(|_: &Ask| Reply::json("[]"));
    let scene = left_by_0_1_0(&api);
    let before = scene.db.count("plain");
    let other = (0..3_000).fold("id,v\n".to_owned(), |text, id| text + &format!("{id},{}\n", id * 8));
    scene.file("plain.csv", other);
    scene.run("plain.csv -t plain --mode append --load-id plain --batch-rows 300 --pool-size 1").exits(8);
    assert_eq!(scene.db.count("plain"), before);
}

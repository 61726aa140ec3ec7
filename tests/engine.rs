//! Loads that share an engine: within one limit of connections and memory, and none touches another.
//!
//! The loads run in a process of their own, this program once more, so that its memory is theirs alone. What
//! they say is not believed: the tables and the ledger are asked, and the servers are asked all the time how
//! many connections there are.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dbload::internals::local::{Options, TempServer};
use dbload::{Dsn, Engine, EngineOptions, Error, ErrorKind, Load, Report};
use tokio_util::sync::CancellationToken;

use crate::support::http::{HttpServer, Step, send};
use crate::support::{Database, Folder, Scene, audit};

const CONNECTIONS: usize = 4;
const MEMORY_BYTES: u64 = 64 << 20;
const RECORDS: u64 = 6_000;
/// Of each record: all together are far more than the memory.
const PAD_BYTES: usize = 3_000;
const LIMIT: Duration = Duration::from_secs(300);

/// What becomes of the loads.
const WHOLE: [&str; 2] = ["one", "two"];
/// Stopped in the middle, and run again.
const STOPPED: &str = "stopped";
/// Its table is changed in the middle.
const CHANGED: &str = "changed";
/// Its server sends a little, and then nothing.
const HANGING: &str = "hanging";
/// Their database is killed in the middle.
const KILLED: [&str; 3] = ["five", "six", "seven"];

fn engine() -> Engine {
    let mut options = EngineOptions::default();
    options.connections = CONNECTIONS;
    options.max_memory_bytes = MEMORY_BYTES;
    Engine::new(&options)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// `VmHWM`: the most there ever was; `RssFile`: what of it now is the program's own code.
fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn load_of(dir: &Path, table: &str, engine: &Engine) -> Load {
    Load::from([dir.join(format!("{table}.jsonl")).to_str().unwrap()])
        .into_table(table)
        .connections(CONNECTIONS)
        .batch_rows(400)
        .reject_file(dir.join(format!("{table}.rejects")))
        .retry_for(LIMIT)
        .engine(engine)
}

fn say(table: &str, ended: Result<Report, Error>) {
    match ended {
        Ok(report) => println!("ended {table} complete {}", report.rows.inserted),
        Err(error) => println!("ended {table} {:?} {error}", error.kind()),
    }
}

/// The child of the test below: eight loads at once.
#[test]
#[ignore = "run by eight_loads_at_once_keep_to_one_limit_and_do_not_touch_each_other"]
fn child_with_eight_loads() {
    let of = |name: &str| std::env::var(name).unwrap();
    let (stable, doomed) = (Dsn::parse(&of("TEST_STABLE")).unwrap(), Dsn::parse(&of("TEST_DOOMED")).unwrap());
    let folder = of("TEST_FOLDER");
    let dir = Path::new(&folder);
    let shared = engine();
    // What the test is to find: each load with limits of its own.
    let apart = std::env::var_os("TEST_APART").is_some();
    let engine_of = || if apart { engine() } else { shared.clone() };
    runtime().block_on(async {
        let server = HttpServer::start(|_| {
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 9999\r\n\r\n";
            let few = "{\"id\":1,\"pad\":\"a\"}\n{\"id\":2,\"pad\":\"b\"}\n";
            vec![send(format!("{head}{few}")), Step::Wait(LIMIT * 2)]
        })
        .await;
        let hangs = CancellationToken::new();
        let hanging = Load::from([server.url("/hanging.jsonl")])
            .into_table(HANGING)
            .engine(&engine_of())
            .stop(hangs.clone())
            .reject_file(dir.join("hanging.rejects"))
            .run(&stable);
        let stop = CancellationToken::new();
        let stops = stop.clone();
        let stopped = load_of(dir, STOPPED, &engine_of()).stop(stop).on_event(move |_, totals| {
            if totals.books.inserted > 0 {
                stops.cancel();
            }
        });
        let mut others = tokio::task::JoinSet::new();
        for (table, dsn) in WHOLE.map(|t| (t, &stable)).into_iter().chain(KILLED.map(|t| (t, &doomed))) {
            let (load, dsn) = (load_of(dir, table, &engine_of()), dsn.clone());
            others.spawn(async move { say(table, load.run(&dsn).await) });
        }
        let (load, dsn) = (load_of(dir, CHANGED, &engine_of()), stable.clone());
        others.spawn(async move { say(CHANGED, load.run(&dsn).await) });
        let (load, dsn, again) = (stopped, stable.clone(), load_of(dir, STOPPED, &engine_of()));
        others.spawn(async move {
            let ended = load.run(&dsn).await;
            println!("halted {:?}", ended.unwrap_err().kind());
            say(STOPPED, again.run(&dsn).await);
        });
        let all = async {
            while let Some(done) = others.join_next().await {
                done.unwrap();
            }
            hangs.cancel();
        };
        let (ended, ()) = tokio::join!(hanging, all);
        say(HANGING, ended);
        println!("memory {} {}", memory("VmHWM"), memory("RssFile"));
    });
}

/// A server of its own, with the tables of these loads, slowed down so that they meet.
fn server_with(tables: &[&str]) -> TempServer {
    let server = TempServer::start(Options::default()).unwrap();
    server.create_database("many").unwrap();
    let db = Database::connect(&server.dsn("many"));
    db.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$",
    );
    for table in tables {
        db.sql(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, pad text, extra int); \
             CREATE TRIGGER slow AFTER INSERT ON {table} EXECUTE FUNCTION slow()"
        ));
    }
    server
}

/// Asks a server all the time how many connections of dbload there are, until told to end; the most.
fn count(url: String, is_over: Arc<AtomicBool>) -> thread::JoinHandle<(u64, u64)> {
    thread::spawn(move || {
        let (mut most, mut times) = (0, 0);
        while !is_over.load(Ordering::SeqCst) {
            let Ok(db) = Database::try_connect(&url) else {
                thread::sleep(Duration::from_millis(20));
                continue;
            };
            let sql = "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'dbload'";
            while let (false, Ok((rows, _))) = (is_over.load(Ordering::SeqCst), db.try_rows(sql)) {
                most = most.max(rows[0][0].as_ref().unwrap().parse().unwrap());
                times += 1;
                thread::sleep(Duration::from_millis(1));
            }
        }
        (most, times)
    })
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Rows of a table as far as they can be asked for.
fn stored(url: &str, table: &str) -> u64 {
    let rows =
        Database::try_connect(url).and_then(|db| db.try_rows(&format!("SELECT count(*)::text FROM {table}")));
    rows.map_or(0, |(rows, _)| rows[0][0].as_ref().unwrap().parse().unwrap())
}

fn start(stable: &str, doomed: &str, folder: &Path) -> Child {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "engine::child_with_eight_loads", "--nocapture"])
        .env("TEST_STABLE", stable)
        .env("TEST_DOOMED", doomed)
        .env("TEST_FOLDER", folder)
        // As the program itself tells the C library (`cli/allocator.rs`): without it each thread keeps a
        // heap.
        .env("MALLOC_ARENA_MAX", "2")
        .env("MALLOC_MMAP_THRESHOLD_", "1048576")
        .env("MALLOC_TRIM_THRESHOLD_", "4194304")
        .stdout(Stdio::piped())
        .spawn();
    child.unwrap()
}

/// What the child says, by its first two words.
fn heard(child: &mut Child) -> thread::JoinHandle<BTreeMap<String, String>> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    thread::spawn(move || {
        let mut heard = BTreeMap::new();
        for line in lines.map_while(Result::ok) {
            println!("{line}");
            for word in ["ended ", "halted ", "memory "] {
                if let Some(rest) = line.find(word).map(|at| &line[at..]) {
                    let (name, rest) = match word {
                        "ended " => rest[word.len()..].split_once(' ').unwrap(),
                        _ => (word.trim(), &rest[word.len()..]),
                    };
                    heard.insert(name.to_owned(), rest.to_owned());
                }
            }
        }
        heard
    })
}

/// The books of the run of a table: its state, what was read, and what became of it.
fn books(db: &Database, table: &str) -> (String, u64, u64) {
    let rows = db.rows(&format!(
        "SELECT r.state, sum(c.read)::text, \
           sum(c.inserted + c.updated + c.unchanged + c.deduplicated + c.skipped + c.rejected)::text \
         FROM _dbload.run r JOIN _dbload.checkpoint c USING (run) \
         WHERE r.target_oid = '{table}'::regclass GROUP BY r.run, r.state"
    ));
    assert_eq!(rows.len(), 1, "{table} has one run: {rows:?}");
    let of = |i: usize| rows[0][i].clone().unwrap();
    (of(0), of(1).parse().unwrap(), of(2).parse().unwrap())
}

/// The hanging server has not given enough for a run to begin: then nothing is stored either.
fn heard_nothing(db: &Database) -> bool {
    let runs = format!("SELECT count(*)::text FROM _dbload.run WHERE target_oid = '{HANGING}'::regclass");
    db.one(&runs) == "0" && db.count(HANGING) == 0
}

#[test]
#[ignore = "it measures memory: make test runs it by itself, behind the others"]
fn eight_loads_at_once_keep_to_one_limit_and_do_not_touch_each_other() {
    let stable = server_with(&[WHOLE[0], WHOLE[1], STOPPED, CHANGED, HANGING]);
    let doomed = server_with(&KILLED);
    let (calm, killed) = (stable.dsn("many"), doomed.dsn("many"));
    let folder = Folder::new();
    let pad = "x".repeat(PAD_BYTES);
    for table in WHOLE.iter().chain(&KILLED).chain(&[STOPPED, CHANGED]) {
        let file = std::fs::File::create(folder.path().join(format!("{table}.jsonl"))).unwrap();
        let mut out = std::io::BufWriter::new(file);
        for id in 1..=RECORDS {
            writeln!(out, "{{\"id\":{id},\"pad\":\"{pad}\",\"extra\":{id}}}").unwrap();
        }
        out.flush().unwrap();
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let counting = [&calm, &killed].map(|url| count(url.clone(), Arc::clone(&is_over)));
    let mut child = start(&calm, &killed, folder.path());
    let hearing = heard(&mut child);

    until("records are stored in the doomed database", || KILLED.iter().all(|t| stored(&killed, t) > 0));
    doomed.kill9();
    until("the changed table has rows", || stored(&calm, CHANGED) > 0);
    Database::connect(&calm).sql("ALTER TABLE changed DROP COLUMN extra");
    doomed.restart().unwrap();

    let status = child.wait().unwrap();
    let heard = hearing.join().unwrap();
    is_over.store(true, Ordering::SeqCst);
    let counted = counting.map(|thread| thread.join().unwrap());
    println!("connections: {counted:?}");
    assert!(status.success(), "{heard:?}");
    for (most, times) in counted {
        assert!(times > 50, "{times} times is not all the time");
        assert_eq!(most, CONNECTIONS as u64, "all of them are used, and never more");
    }
    for table in WHOLE.iter().chain(&KILLED).chain(&[STOPPED]) {
        assert!(heard[*table].starts_with("complete"), "{table}: {heard:?}");
    }
    assert_eq!(heard["halted"], format!("{:?}", ErrorKind::Stopped));
    assert!(heard[CHANGED].starts_with(&format!("{:?}", ErrorKind::Database)), "{heard:?}");
    assert!(heard[CHANGED].contains("was changed while it was loaded"), "{heard:?}");
    assert!(heard[HANGING].starts_with(&format!("{:?}", ErrorKind::Stopped)), "{heard:?}");

    let all = format!(
        "(SELECT id, repeat('x', {PAD_BYTES}) AS pad, id AS extra FROM generate_series(1, {RECORDS}) id) y"
    );
    let (stable_db, doomed_db) = (Database::connect(&calm), Database::connect(&killed));
    let complete = WHOLE.iter().chain(&[STOPPED]).map(|t| (&stable_db, t));
    for (db, table) in complete.chain(KILLED.iter().map(|t| (&doomed_db, t))) {
        assert_eq!(db.digest(table), db.digest(&all), "{table}");
        assert_eq!(books(db, table), ("complete".to_owned(), RECORDS, RECORDS), "{table}");
    }
    for table in [CHANGED, HANGING] {
        if table == HANGING && heard_nothing(&stable_db) {
            continue;
        }
        let (state, read, accounted) = books(&stable_db, table);
        assert_eq!((state.as_str(), read), ("running", accounted), "{table}");
        assert_eq!(read, stable_db.count(table), "{table} holds what its books say");
    }
    let memory: Vec<u64> = heard["memory"].split(' ').map(|n| n.parse().unwrap()).collect();
    println!("memory: {} KiB at most, of it {} of code", memory[0] / 1024, memory[1] / 1024);
    // The pages of the program's code aside: of a debug build with all the tests they are some 35 MiB.
    assert!(memory[0] - memory[1] < MEMORY_BYTES, "{memory:?}");
}

#[test]
fn a_load_that_runs_in_the_same_process_is_not_taken_over_and_one_that_has_ended_is() {
    let scene = Scene::with(
        "CREATE TABLE t (id int PRIMARY KEY); \
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$; \
         CREATE TRIGGER slow AFTER INSERT ON t EXECUTE FUNCTION slow()",
    );
    let records: String = (1..=20_000).map(|id| format!("{{\"id\":{id}}}\n")).collect();
    scene.file("t.jsonl", records);
    let dsn = Dsn::parse(scene.db.url()).unwrap();
    let engine = engine();
    let load = || {
        Load::from([scene.cwd().join("t.jsonl").to_str().unwrap()])
            .into_table("t")
            .batch_rows(100)
            .reject_file(scene.cwd().join("rejects"))
            .engine(&engine)
    };
    runtime().block_on(async {
        let (stop, committed) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
        let counts = Arc::clone(&committed);
        let first = load().stop(stop.clone()).on_event(move |_, totals| {
            counts.store(totals.books.inserted, Ordering::SeqCst);
        });
        let second = async {
            while committed.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let refused = load().run(&dsn).await;
            stop.cancel();
            refused
        };
        let (first, second) = tokio::join!(first.run(&dsn), second);
        let second = second.unwrap_err();
        assert_eq!(second.kind(), ErrorKind::Ledger, "{second}");
        assert!(second.to_string().contains("process"), "{second}");
        assert_eq!(first.unwrap_err().kind(), ErrorKind::Stopped);
    });
    assert!(scene.db.count("t") < 20_000, "it was stopped in the middle");
    scene.sql("ALTER TABLE t DISABLE TRIGGER slow");
    // Ended: whoever comes next goes on with it, in this process too.
    assert!(runtime().block_on(load().run(&dsn)).unwrap().complete);
    assert_eq!(scene.db.count("t"), 20_000);
    assert_eq!(audit(&scene.db).read, 20_000);
}

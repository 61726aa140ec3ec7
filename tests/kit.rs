//! The kit itself: a tool that does not bite proves nothing about what it is held against.

use crate::support::{
    Database, Dbload, Fake, Folder, Inject, Proxy, Rng, Scene, audit,
    fake::{authentication, message, ready, report, rows},
    inject,
    pair::{Pair, SYNCHRONOUS},
    proxy::{Act, End, Fault, From, Message, query},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

fn fails(check: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(check)).is_err()
}

#[test]
fn the_digest_is_equal_for_equal_rows_and_for_no_others() {
    let db = Database::fresh();
    db.sql("CREATE TABLE a (id int, t text); INSERT INTO a VALUES (1, 'x'), (2, NULL), (2, NULL)");
    db.sql("CREATE TABLE b AS SELECT * FROM a ORDER BY id DESC");
    assert_eq!(db.digest("a"), db.digest("b"));
    for change in [
        "DELETE FROM b WHERE id = 1",
        "INSERT INTO b VALUES (1, 'x')",
        "UPDATE b SET t = '' WHERE ctid = (SELECT ctid FROM b WHERE id = 2 LIMIT 1)",
        "UPDATE b SET t = 'X' WHERE id = 1",
    ] {
        db.sql(&format!("BEGIN; {change}"));
        assert_ne!(db.digest("a"), db.digest("b"), "{change}");
        db.sql("ROLLBACK");
    }
}

#[test]
fn the_auditor_notices_books_that_do_not_balance_and_runs_that_are_not_complete() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":1}\n{\"id\":2}\nx\n");
    scene.run("t.jsonl").exits(3);
    audit(&scene.db);
    for wrong in [
        "UPDATE _dbload.checkpoint SET inserted = inserted + 1",
        "UPDATE _dbload.checkpoint SET read = read + 1, inserted = inserted + 1",
        "UPDATE _dbload.source_count SET rejected = rejected + 1",
        "DELETE FROM _dbload.reject",
        "UPDATE _dbload.checkpoint SET done = false",
        "UPDATE _dbload.run SET state = 'running'",
        "UPDATE _dbload.run SET epoch = epoch + 1",
    ] {
        scene.db.sql(&format!("BEGIN; {wrong}"));
        assert!(fails(|| _ = audit(&scene.db)), "{wrong}");
        scene.db.sql("ROLLBACK");
    }
}

#[test]
fn the_watchdog_ends_a_hang_and_says_so() {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    scene.file("t.jsonl", "{\"id\":1}\n");
    let other = scene.db.another();
    other.sql("BEGIN; LOCK TABLE t");
    let (began, limit) = (Instant::now(), Duration::from_secs(1));
    let command = scene.dbload("t.jsonl").timeout(limit);
    let panic = catch_unwind(AssertUnwindSafe(|| command.run())).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().starts_with("no end after"));
    assert!(began.elapsed() >= limit && began.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_injected_fault_strikes_in_the_calls_that_were_asked_for_and_rolling_back_does_not_undo_that() {
    let db = Database::fresh();
    db.sql("CREATE TABLE t (id int)");
    let when = "AFTER INSERT ON t FOR EACH STATEMENT";
    Inject { when, calls: 2..=3, what: &inject::raise("40001") }.create_in(&db);
    let insert = |n| {
        db.try_sql(&format!("INSERT INTO t VALUES ({n})")).map_err(|e| e.code().unwrap().code().to_owned())
    };
    let serialization = Err("40001".to_owned());
    assert_eq!([1, 2, 3, 4].map(insert), [Ok(()), serialization.clone(), serialization, Ok(())]);
    assert_eq!((inject::calls(&db), db.count("t")), (4, 2));
}

#[test]
fn seeds_next_to_each_other_draw_different_numbers_and_the_same_seed_the_same() {
    let draw = |seed| {
        (0..4)
            .map({
                let mut rng = Rng::from_seed(seed);
                move |_| rng.next()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

fn hit(m: &Message) -> bool {
    query("hit")(m)
}

/// What becomes of three statements through a proxy: the answers, and how often the fault struck.
fn through(fault: Fault) -> (Vec<bool>, u64, Proxy, Database) {
    let db = Database::fresh();
    db.sql("CREATE TABLE t (id int)");
    let proxy = Proxy::to(db.url(), vec![fault]);
    let mut client = Database::connect(&proxy.url());
    let answers = (1..=3)
        .map(|n| {
            let answer = client.try_sql(&format!("INSERT INTO t VALUES ({n}) /* hit */"));
            if answer.is_err() {
                client = Database::connect(&proxy.url());
            }
            answer.is_ok()
        })
        .collect();
    (answers, proxy.struck(), proxy, db)
}

#[test]
fn the_proxy_cuts_before_the_server_hears_or_after_it_has_done_it() {
    for how in [End::Rst, End::Fin] {
        let (answers, struck, _, db) = through(Fault::on(hit, Act::Cut(how)).nth(2));
        assert_eq!((answers, struck), (vec![true, false, true], 1));
        assert_eq!(db.lines("SELECT id FROM t ORDER BY 1"), ["1", "3"]);
        // Swallowing the answer: it is done, and nobody is told.
        let done = |m: &Message| {
            m.from == From::Server && m.kind == b'C' && hit(&Message { kind: b'Q', from: From::Client, ..*m })
        };
        let (answers, struck, _, db) = through(Fault::on(done, Act::Cut(how)).nth(2));
        assert_eq!((answers, struck), (vec![true, false, true], 1));
        assert_eq!(db.lines("SELECT id FROM t ORDER BY 1"), ["1", "2", "3"]);
    }
}

#[test]
fn the_proxy_forwards_and_resets_and_the_server_works_on() {
    let (answers, struck, _, db) = through(Fault::on(hit, Act::ForwardThenReset).nth(2));
    assert_eq!((answers, struck), (vec![true, false, true], 1));
    let until = Instant::now() + Duration::from_secs(10);
    while db.count("t") < 3 {
        assert!(Instant::now() < until, "the server did not do it");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_proxy_delays_dribbles_and_acts_behind_the_clients_back() {
    let began = Instant::now();
    let (answers, struck, ..) = through(Fault::on(hit, Act::Delay(Duration::from_millis(300))).among(2..=3));
    assert_eq!((answers, struck), (vec![true; 3], 2));
    assert!(began.elapsed() >= Duration::from_millis(600));
    let (answers, struck, ..) = through(Fault::on(hit, Act::Dribble).every(2));
    assert_eq!((answers, struck), (vec![true; 3], 1));
    let (answers, _, _, db) = through(Fault::on(hit, Act::After("INSERT INTO t VALUES (99)")).nth(3));
    assert_eq!((answers, db.count("t")), (vec![true; 3], 4));
}

#[test]
fn the_proxy_swallows_a_message_and_puts_others_in_its_place() {
    let tag = |m: &Message| m.from == From::Server && m.kind == b'C' && m.query.contains("hit");
    let refusal = report(b'E', &[(b'S', b"ERROR"), (b'C', b"40001"), (b'M', b"made up")]);
    let (answers, struck, _, db) = through(Fault::on(tag, Act::Instead(refusal)).nth(2));
    assert_eq!((answers, struck), (vec![true, false, true], 1));
    // Done all the same.
    assert_eq!(db.lines("SELECT id FROM t ORDER BY 1"), ["1", "2", "3"]);
    let (answers, struck, _, db) = through(Fault::on(tag, Act::Swallow).among(1..=3));
    assert_eq!((answers, struck, db.count("t")), (vec![true; 3], 3, 3));
}

#[test]
fn the_fake_server_says_what_it_was_told_to_and_a_client_of_others_understands_it() {
    let fake = Fake::new(|caller| {
        caller.let_in()?;
        let answer = [rows(2, 3), message(b'C', b"SELECT 3\0"), ready()].concat();
        caller.answer_all(&answer)
    });
    let url = |fake: &Fake| format!("postgres://u@127.0.0.1:{}/db", fake.port());
    let client = Database::connect(&url(&fake));
    assert_eq!(client.lines("SELECT whatever"), ["x|x"; 3]);
    assert_eq!(fake.callers(), 1);
    let refuses = Fake::new(|caller| {
        caller.greeting()?;
        caller.say(&report(b'E', &[(b'S', b"FATAL"), (b'C', b"28000"), (b'M', b"not you")]))
    });
    let error = Database::try_connect(&url(&refuses)).err().unwrap();
    assert_eq!(error.as_db_error().map(|e| (e.code().code(), e.message())), Some(("28000", "not you")));
    let asks = Fake::new(|caller| {
        caller.greeting()?;
        caller.say(&authentication(99, b""))
    });
    assert!(Database::try_connect(&url(&asks)).is_err_and(|error| format!("{error:?}").contains("99")));
}

#[test]
fn a_proxied_server_that_is_away_refuses_until_it_comes_back_and_faults_can_be_armed_later() {
    let (answers, _, proxy, _db) = through(Fault::on(|_| false, Act::Stall));
    assert_eq!(answers, [true; 3]);
    let armed = proxy.arm(Fault::on(hit, Act::Cut(End::Rst)).nth(1).then_away());
    let client = Database::connect(&proxy.url());
    assert!(client.try_sql("SELECT 1 /* hit */").is_err() && armed.struck() == 1);
    assert!(Database::try_connect(&proxy.url()).is_err());
    proxy.come_back();
    proxy.disarm(&armed);
    Database::connect(&proxy.url()).sql("SELECT 1 /* hit */");
    assert_eq!(armed.struck(), 1);
}

#[test]
fn a_pair_follows_and_its_standby_takes_writes_once_promoted() {
    let pair = Pair::with("pair", SYNCHRONOUS);
    let url = pair.url("pair");
    assert!(url.contains("target_session_attrs=read-write"));
    let primary = Database::connect(&pair.primary.dsn("pair"));
    primary.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    pair.catch_up();
    let standby = Database::connect(&pair.standby.dsn("pair"));
    assert_eq!(standby.count("t"), 1);
    assert!(standby.try_sql("INSERT INTO t VALUES (2)").is_err());
    pair.primary.kill9();
    pair.standby.promote().unwrap();
    Database::connect(&pair.standby.dsn("pair")).sql("INSERT INTO t VALUES (2)");
    // And the program finds it.
    let folder = Folder::new();
    folder.file("t.jsonl", "{\"id\":3}\n");
    Dbload::new(folder.path()).line("t.jsonl --mode append -d").arg(&url).run().exits(0);
}

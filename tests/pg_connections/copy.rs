//! COPY on a session: what is sent along with it, and what is left on the connection where it fails.

use std::time::Duration;

use dbload::internals::pg::{BeginOrCopy, ConnInfo, CopyOrStatement, Lease, Sent, Session, connect_pool};

use super::runtime;

#[test]
fn a_session_whose_transaction_could_not_be_begun_keeps_no_answer_for_the_next_one() {
    let database = crate::support::Database::fresh();
    runtime().block_on(async {
        let pool = connect_pool(&ConnInfo::parse(database.url()).unwrap(), 1).await.unwrap();
        for begin in ["BEGIN; LOCK TABLE no_such_table", "BEGIN; SELECT 1 / 0"] {
            let session = Session::open(&pool).await.unwrap();
            session.run("CREATE TEMPORARY TABLE IF NOT EXISTS s (n int)").await.unwrap();
            let copied = session
                .begin_and_send(begin, None, &|_| Ok(()), "COPY s FROM STDIN", std::iter::empty())
                .await;
            assert!(matches!(copied, Err(BeginOrCopy::Begin(_))), "{begin}");
            session.roll_back().await;
            drop(session);
            for n in ["1", "2", "3"] {
                let session = Session::open(&pool).await.unwrap();
                let answer = session.run(&format!("SELECT {n}")).await.unwrap();
                assert_eq!(answer[0].value(), Some(n), "{begin}");
            }
        }
    });
}

/// The database, asked from a thread without a runtime.
fn ask<T: Send>(ask: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(ask).join().unwrap())
}

/// A session with a table of its own.
async fn copying(database: &crate::support::Database) -> (Lease, Session) {
    ask(|| database.sql("CREATE TABLE IF NOT EXISTS c (n int PRIMARY KEY)"));
    let pool = connect_pool(&ConnInfo::parse(database.url()).unwrap(), 1).await.unwrap();
    let session = Session::open(&pool).await.unwrap();
    (pool, session)
}

async fn send(session: &Session, begin: &str, rows: &'static str) -> Sent {
    let rows = std::iter::once(bytes::Bytes::from_static(rows.as_bytes()));
    let sent = session.begin_and_send(begin, None, &|_| Ok(()), "COPY c FROM STDIN", rows).await;
    sent.unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn a_copy_ends_with_its_commit_and_the_next_one_is_begun_along_with_it() {
    let database = crate::support::Database::fresh();
    runtime().block_on(async {
        let (pool, session) = copying(&database).await;
        let copying = "SELECT state || ' ' || query FROM pg_stat_activity \
                       WHERE datname = current_database() AND query LIKE 'COPY c%'";
        let sent = send(&session, "BEGIN", "1\n2\n").await;
        assert_eq!(session.commit("SELECT 1; COMMIT", Some(sent), true).await.unwrap().unwrap().0, 2);
        assert_eq!(ask(|| database.lines("SELECT n FROM c ORDER BY n")), ["1", "2"]);
        assert!(session.is_ahead());
        assert_eq!(ask(|| database.lines(copying)), ["active COPY c FROM STDIN"]);
        // It is the next one's, if that begins alike; ..
        let sent = send(&session, "BEGIN", "3\n").await;
        assert!(!session.is_ahead());
        assert_eq!(session.commit("COMMIT", Some(sent), true).await.unwrap().unwrap().0, 1);
        // .. else it is called off, and none is begun ahead behind that one.
        let sent = send(&session, "BEGIN ISOLATION LEVEL SERIALIZABLE", "4\n").await;
        assert_eq!(session.commit("COMMIT", Some(sent), true).await.unwrap().unwrap().0, 1);
        assert!(!session.is_ahead());
        // Statements of another kind call it off too.
        let sent = send(&session, "BEGIN", "5\n").await;
        session.commit("COMMIT", Some(sent), true).await.unwrap();
        session.begin("BEGIN; INSERT INTO c VALUES (6)").await.unwrap();
        assert!(session.commit("COMMIT", None, false).await.unwrap().is_none());
        assert_eq!(ask(|| database.lines("SELECT n FROM c ORDER BY n")), ["1", "2", "3", "4", "5", "6"]);
        // One that nobody comes for ends with its session.
        let sent = send(&session, "BEGIN", "7\n").await;
        session.commit("COMMIT", Some(sent), true).await.unwrap();
        drop(session);
        while !ask(|| database.lines(copying)).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(Session::open(&pool).await.unwrap().run("SELECT 8").await.unwrap()[0].value(), Some("8"));
    });
}

#[test]
fn what_was_sent_behind_a_failure_is_not_done_and_nothing_is_answered_twice() {
    let database = crate::support::Database::fresh();
    runtime().block_on(async {
        let (pool, session) = copying(&database).await;
        drop(session);
        ask(|| database.sql("INSERT INTO c VALUES (1)"));
        ask(|| database.sql("CREATE TABLE d (n int REFERENCES c DEFERRABLE INITIALLY DEFERRED)"));
        // The COPY, a statement behind it, the COMMIT itself.
        for (rows, statements, is_copy) in [
            ("9\n1\n", "INSERT INTO c VALUES (10); COMMIT", true),
            ("9\n", "SELECT 1 / 0; COMMIT", false),
            ("9\n", "INSERT INTO d VALUES (11); COMMIT", false),
        ] {
            for and_begin in [false, true] {
                let session = Session::open(&pool).await.unwrap();
                let sent = send(&session, "BEGIN", rows).await;
                let error = session.commit(statements, Some(sent), and_begin).await.unwrap_err();
                assert_eq!(matches!(error, CopyOrStatement::Copy(_)), is_copy, "{statements}: {error:?}");
                assert!(!session.is_ahead());
                session.roll_back().await;
                drop(session);
                assert_eq!(ask(|| database.lines("SELECT n FROM c")), ["1"], "{statements}");
                for n in ["1", "2", "3"] {
                    let session = Session::open(&pool).await.unwrap();
                    let answer = session.run(&format!("SELECT {n}")).await.unwrap();
                    assert_eq!(answer[0].value(), Some(n), "{statements}, {and_begin}");
                }
            }
        }
    });
}

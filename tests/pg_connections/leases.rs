//! Loads that share a pool: each acts on its own sessions alone, and all of them together keep to its size.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dbload::internals::pg::{DbError, Lease, Pool, Session, connect_sqlx};

use super::cluster::{Cluster, WithTls};
use super::runtime;

async fn pid(session: &Session) -> String {
    session.run("SELECT pg_backend_pid()").await.unwrap()[0].value().unwrap().to_owned()
}

/// Gives a lease's work up and cancels it, as a load that fails does.
async fn cancel_all(lease: &Lease) {
    for session in lease.give_up() {
        lease.cancel(&session).await;
    }
}

#[test]
fn a_lease_cancels_its_own_sessions_and_no_others() {
    let cluster = Cluster::start(WithTls::No);
    runtime().block_on(async {
        let pool = Pool::new(&cluster.dsn("boss", "db"), 2).unwrap();
        let (one, other) = (pool.lease(2), pool.lease(2));
        let (ours, theirs) = (Session::open(&one).await.unwrap(), Session::open(&other).await.unwrap());
        let ending = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            cancel_all(&one).await;
        };
        let (cancelled, finished, ()) =
            tokio::join!(ours.run("SELECT pg_sleep(20)"), theirs.run("SELECT pg_sleep(1)"), ending);
        assert_eq!(cancelled.unwrap_err().sqlstate(), Some("57014"));
        finished.unwrap();

        // A request to cancel that comes late meets nobody: what was given up is not given back.
        let given_up = pid(&ours).await;
        drop(ours);
        let next = Session::open(&other).await.unwrap();
        assert_ne!(pid(&next).await, given_up);
        drop(next);
        // What was not given up is.
        let kept = pid(&theirs).await;
        drop(theirs);
        let again = [Session::open(&other).await.unwrap(), Session::open(&other).await.unwrap()];
        let pids = [pid(&again[0]).await, pid(&again[1]).await];
        assert!(pids.contains(&kept), "{pids:?} without {kept}");
    });
}

#[test]
fn relief_acts_on_the_lease() {
    let cluster = Cluster::start(WithTls::No);
    runtime().block_on(async {
        let pool = Pool::new(&cluster.dsn("boss", "db"), 2).unwrap();
        let (one, other) = (pool.lease(2), pool.lease(2));
        let held = Session::open(&one).await.unwrap();
        let second = Session::open(&one).await.unwrap();
        one.shrink();
        assert_eq!((one.max_size(), other.max_size()), (1, 2));
        drop(second);
        assert!(tokio::time::timeout(Duration::from_millis(200), Session::open(&one)).await.is_err());
        // The other one's second session, as before.
        let theirs = Session::open(&other).await.unwrap();
        let before = pid(&theirs).await;
        drop(held);
        let _two = [theirs, Session::open(&other).await.unwrap()];

        // A lease that wants fresh connections opens one; nobody else has to.
        drop(_two);
        one.refresh();
        let fresh = Session::open(&one).await.unwrap();
        let theirs = Session::open(&other).await.unwrap();
        let pids = [pid(&fresh).await, pid(&theirs).await];
        assert_ne!(pids[0], before);
        one.shrink();
        assert_eq!(one.max_size(), 1, "never none");
    });
}

#[test]
fn whoever_waits_gets_the_next_one_and_reserving_takes_all_at_once() {
    let cluster = Cluster::start(WithTls::No);
    runtime().block_on(async {
        let pool = Pool::new(&cluster.dsn("boss", "db"), 2).unwrap();
        assert_eq!(pool.lease(4).max_size(), 2);
        // Each would take one of two and wait for the other for ever.
        let both = [pool.lease(2), pool.lease(2)].into_iter().map(|lease| async move {
            lease.reserve(2).await;
            let _first = Session::open(&lease).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            let _second = Session::open(&lease).await.unwrap();
        });
        tokio::time::timeout(Duration::from_secs(10), futures::future::join_all(both)).await.unwrap();
    });
}

#[test]
fn a_connection_that_becomes_idle_makes_room_for_one_that_is_waited_for() {
    let cluster = Cluster::start(WithTls::No);
    runtime().block_on(async {
        let lease = Pool::new(&cluster.dsn("boss", "db"), 2).unwrap().lease(2);
        let first = Session::open(&lease).await.unwrap();
        // Polled in this order: the second has a place while it is opened, and is no connection of the pool
        // yet; the first becomes idle, and the ledger's connection finds no place and nothing to close that
        // it knows of.
        let second = async { drop(Session::open(&lease).await.unwrap()) };
        let ledger = async {
            drop(first);
            drop(connect_sqlx(&lease).await.unwrap());
        };
        let both = async { tokio::join!(second, ledger) };
        tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    });
}

#[test]
fn the_server_never_counts_more_connections_than_the_pool_may_have() {
    const SIZE: usize = 3;
    let cluster = Cluster::start(WithTls::No);
    runtime().block_on(async {
        let pool = Pool::new(&cluster.dsn("boss", "db?application_name=counted"), SIZE).unwrap();
        let watch = Pool::new(&cluster.dsn("boss", "db"), 1).unwrap().lease(1);
        let watch = Session::open(&watch).await.unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let loads = (0..6).map(|load| {
            let lease = pool.lease(SIZE);
            async move {
                for turn in 0..12 {
                    if (load + turn) % 3 == 0 {
                        // The ledger's way: one at a time, closed behind it.
                        let mut ledger = connect_sqlx(&lease).await.unwrap();
                        sqlx::query("SELECT 1").execute(&mut ledger).await.unwrap();
                        continue;
                    }
                    let session = Session::open(&lease).await.unwrap();
                    session.run("SELECT pg_sleep(0.01)").await.unwrap();
                    if (load + turn) % 4 == 0 {
                        // Dropped in its transaction: closed, not given back.
                        session.begin("BEGIN").await.unwrap();
                    }
                }
            }
        });
        let counting = async {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                let count = watch
                    .run("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'")
                    .await
                    .map_err(|error: DbError| error.to_string())
                    .unwrap();
                most = most.max(count[0].value().unwrap().parse::<usize>().unwrap());
            }
            most
        };
        let loading = async {
            futures::future::join_all(loads).await;
            is_over.store(true, Ordering::Relaxed);
        };
        let ((), most) = tokio::join!(loading, counting);
        assert_eq!(most, SIZE, "all of them are used, and never more");
    });
}

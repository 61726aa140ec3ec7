//! A server that is far away: forwards a socket both ways with a delay, and counts round trips.
//!
//! A round trip is counted where the program says something after an answer has reached it: with the delay in
//! between, what it sent without waiting left before that. It knows nothing of the protocol. Its threads end
//! with their connections.

use crate::Outcome;
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks under way: what a link of 1 GB/s holds in 50 ms.
const CHUNKS_UNDER_WAY: usize = 1024;

pub(crate) struct Proxy {
    dir: PathBuf,
    round_trips: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens in a folder of its own, under the name of the server's socket.
    pub(crate) fn start(server: &Path, round_trip: Duration) -> Outcome<Self> {
        /// One folder for each proxy of this process.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("dbload-far-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir)?;
        let listener = UnixListener::bind(dir.join(server.file_name().unwrap_or_default()))?;
        let round_trips = Arc::new(AtomicUsize::new(0));
        let (server, counter) = (server.to_owned(), Arc::clone(&round_trips));
        thread::spawn(move || {
            for program in listener.incoming().flatten() {
                if let Ok(server) = UnixStream::connect(&server) {
                    let _ = connect(program, server, round_trip / 2, &counter);
                }
            }
        });
        Ok(Self { dir, round_trips })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Round trips so far, of all connections.
    pub(crate) fn round_trips(&self) -> usize {
        self.round_trips.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn connect(
    program: UnixStream,
    server: UnixStream,
    delay: Duration,
    round_trips: &Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let answered = Arc::new(AtomicBool::new(true));
    let (asked, counter) = (Arc::clone(&answered), Arc::clone(round_trips));
    let on_ask = move || {
        if asked.swap(false, Ordering::SeqCst) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    };
    let on_answer = move || answered.store(true, Ordering::SeqCst);
    pump(program.try_clone()?, server.try_clone()?, delay, on_ask, || ());
    pump(server, program, delay, || (), on_answer);
    Ok(())
}

/// Forwards one way: `read` is called when something has come, `written` when it is about to arrive.
fn pump(
    mut from: UnixStream,
    mut to: UnixStream,
    delay: Duration,
    read: impl Fn() + Send + 'static,
    written: impl Fn() + Send + 'static,
) {
    let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(CHUNKS_UNDER_WAY);
    thread::spawn(move || {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(bytes @ 1..) = from.read(&mut chunk) {
            read();
            if sender.send((Instant::now() + delay, chunk[..bytes].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, chunk) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            written();
            if to.write_all(&chunk).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}

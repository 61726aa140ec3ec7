//! Bodies before their turn: slow ones come side by side, by way of files of which nothing is left; and
//! bodies whose end nothing shows.

use super::{check, lines, scene, wait_until};
use crate::support::Outcome;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A server that sends its bodies as slowly as it likes, with no more between it and its reader than a socket
/// must have.
struct Slow {
    address: std::net::SocketAddr,
    /// When each body had been taken, since the first was asked for.
    taken: Arc<Mutex<Vec<Duration>>>,
}

impl Slow {
    /// `answer`: the head and the body for a path; the body is sent in pieces, each after a pause.
    fn serve(
        answer: impl Fn(&str) -> (String, Vec<u8>) + Send + Sync + 'static,
        piece: usize,
        pause: Duration,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (taken, answer) = (Arc::<Mutex<Vec<Duration>>>::default(), Arc::new(answer));
        let told = Arc::clone(&taken);
        std::thread::spawn(move || {
            let mut first = None;
            for stream in listener.incoming() {
                let began = *first.get_or_insert_with(Instant::now);
                let (answer, told) = (Arc::clone(&answer), Arc::clone(&told));
                std::thread::spawn(move || {
                    // Who hangs up has had enough.
                    if send(stream?, &*answer, piece, pause).is_ok() {
                        told.lock().unwrap().push(began.elapsed());
                    }
                    Ok::<_, std::io::Error>(())
                });
            }
        });
        Self { address, taken }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn send(
    mut stream: TcpStream,
    answer: &dyn Fn(&str) -> (String, Vec<u8>),
    piece: usize,
    pause: Duration,
) -> std::io::Result<()> {
    rustix::net::sockopt::set_socket_send_buffer_size(&stream, 32 * 1024)?;
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        asked.push(byte[0]);
    }
    let asked = String::from_utf8_lossy(&asked).into_owned();
    let (head, body) = answer(asked.split_whitespace().nth(1).unwrap_or_default());
    stream.write_all(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n").as_bytes())?;
    for piece in body.chunks(piece) {
        stream.write_all(piece)?;
        std::thread::sleep(pause);
    }
    Ok(())
}

/// Records of about a kilobyte; `path` ends in the number of the first thousand.
fn wide(path: &str, records: u64) -> Vec<u8> {
    let from = path.trim_start_matches("/b/").parse::<u64>().unwrap() * records;
    let pad = "x".repeat(1_000);
    let mut text = Vec::new();
    for i in from..from + records {
        writeln!(text, r#"{{"id":{i},"v":{},"note":"r{i}","pad":"{pad}"}}"#, i * 7).unwrap();
    }
    text
}

fn slow_bodies(records: u64) -> Slow {
    let answer = move |path: &str| {
        let body = wide(path, records);
        (format!("Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n", body.len()), body)
    };
    // Somewhat over a megabyte a second.
    Slow::serve(answer, 50_000, Duration::from_millis(40))
}

#[test]
fn slow_bodies_come_side_by_side_whatever_memory_there_is() {
    const BODIES: u64 = 10;
    const RECORDS: u64 = 3_000;
    let server = slow_bodies(RECORDS);
    let scene = scene();
    let line = format!(
        "{} -t t --extra ignore --format jsonl --max-memory 16MiB --pool-size 1",
        server.url(&format!("/b/{{0..{}}}", BODIES - 1))
    );
    let outcome = scene.load(&line);
    check(&scene, BODIES * RECORDS, &outcome);
    let taken = server.taken.lock().unwrap().clone();
    assert_eq!(taken.len() as u64, BODIES);
    // Each takes 2.4 s by itself; one behind the other they would take ten times as long.
    let last = taken.iter().max().unwrap();
    assert!(*last < Duration::from_secs(20), "{taken:?}");
}

#[test]
fn nothing_is_left_of_what_waited_in_a_file_and_without_room_for_one_the_load_is_the_same() {
    let server = slow_bodies(2_000);
    let scene = scene();
    let folder = scene.cwd().join("large");
    std::fs::create_dir(&folder).unwrap();
    let names = || std::fs::read_dir(&folder).unwrap().count();
    let line = format!(
        "{} -t t --extra ignore --format jsonl --max-memory 8MiB --pool-size 1 --batch-rows 500",
        server.url("/b/{0..7}")
    );
    let running = scene.dbload(&line).env("TMPDIR", folder.to_str().unwrap()).spawn();
    let open_files = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", running.pid())).into_iter().flatten();
        let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().contains("/large/")).count()
    };
    wait_until("a body waits in a file", || open_files() > 0);
    // Where the file system makes no file without a name, it has one for a moment.
    wait_until("no file has a name", || names() == 0);
    super::kill_beyond(&scene, running, 500);
    assert_eq!(names(), 0, "a killed load has left a file");
    let resumed = scene.load(&format!("{line} --max-spool 0"));
    check(&scene, 16_000, &resumed);
    assert_eq!(names(), 0);
}

/// Answers that end with their connection, and say nothing of their length.
fn without_end(content_type: &'static str, body: Vec<u8>) -> Slow {
    let answer = move |_: &str| (format!("Content-Type: {content_type}\r\n"), body.clone());
    Slow::serve(answer, 1 << 20, Duration::ZERO)
}

/// Requests and bodies that were given up, as the report counts them.
fn failed(outcome: &Outcome) -> u64 {
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    report["http"]["failed"].as_u64().unwrap()
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole_where_it_shows_that_or_where_it_is_said() {
    let csv = (0..100).fold("id,v,note\n".to_owned(), |text, i| format!("{text}{i},{},r{i}\n", i * 7));
    for (content_type, body) in [("application/x-ndjson", lines(0, 100)), ("text/csv", csv)] {
        let (server, scene) = (without_end(content_type, body.into_bytes()), scene());
        let line = format!("{} -t t", server.url("/x"));
        let refused = scene.run(&line).exits(4);
        assert!(refused.stderr.contains("--accept-unproven-end"), "{refused}");
        // What came is there, as with every source that fails.
        check(&scene, 100, &refused);
        let outcome = scene.run(&format!("{line} --accept-unproven-end")).exits(0);
        check(&scene, 100, &outcome);
    }
    let (server, scene) = (without_end("application/json", super::array(0, 100).into_bytes()), scene());
    let outcome = scene.load(&format!("{} -t t", server.url("/x")));
    check(&scene, 100, &outcome);
    assert_eq!(failed(&outcome), 0, "{outcome}");
}

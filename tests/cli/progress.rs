//! Progress on a terminal: a bar, unless nobody wants one.

use crate::support::{Scene, dbload::program};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// What a load with these words draws on a terminal while its records come slowly.
fn drawn(words: &[&str]) -> String {
    let scene = Scene::with("CREATE TABLE t (id int PRIMARY KEY)");
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).open(slave.to_str().unwrap()).unwrap();
    let mut command = Command::new(program());
    command.args(["-", "-t", "t", "--format", "jsonl", "--no-ledger", "--dsn", scene.db.url()]).args(words);
    command.env("TERM", "xterm").env_remove("NO_COLOR").current_dir(scene.cwd());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(slave);
    let mut child = command.spawn().unwrap();
    // The terminal's other end is the child's alone from here on: reading ends with it.
    drop(command);
    let screen = thread::spawn(move || {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        let mut master = File::from(master);
        // Linux says EIO once nobody has the other end any more.
        while let Ok(n @ 1..) = master.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..n]);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let mut stdin = child.stdin.take().unwrap();
    for id in 0..30 {
        writeln!(stdin, "{{\"id\":{id}}}").unwrap();
        stdin.flush().unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(scene.db.count("t"), 30);
    screen.join().unwrap()
}

#[test]
fn a_terminal_gets_a_bar_unless_nobody_wants_one() {
    assert!(drawn(&[]).contains("rows"), "a bar counts rows");
    let without = drawn(&["--no-progress"]);
    assert!(!without.contains("rows/s") && !without.contains('\u{1b}'), "{without:?}");
}

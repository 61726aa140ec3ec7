//! A server that is none, or means harm: every answer that no PostgreSQL gives ends in words, in time, and in
//! little memory.
//!
//! Before the login by `support::fake`; in the middle of a load a proxy puts such an answer in place of a
//! real one.

use super::{KINDS, Kind, Load, POOLS, cases, cases_of};
use crate::support::{
    Dbload, Fake, Folder, Outcome, Proxy,
    fake::{Caller, authentication, message, ready, report, rows},
    proxy::{Act, End, Fault, From, Message, answer},
};
use std::{io, time::Duration};

/// Never to be seen in any words.
const CANARY: &str = "canary-4711";
/// Nothing that a server says may take more: a load of this size has some 30 MB.
const PEAK_MAX_BYTES: u64 = 200 << 20;
/// Limits of the commands below, a start of a debug build on a busy machine, and as much again.
const TIME_MAX: Duration = Duration::from_secs(40);

type Script = fn(&mut Caller) -> io::Result<()>;

/// A load into such a server: its exit code and what it says.
#[track_caller]
fn check(name: &str, parameters: &str, script: Script, code: i32, words: &str) -> Outcome {
    let fake = Fake::new(script);
    let folder = Folder::new();
    folder.file("t.jsonl", "{\"id\":1}\n");
    let url = format!("postgres://u:{CANARY}@127.0.0.1:{}/db?connect_timeout=2{parameters}", fake.port());
    let command = Dbload::new(folder.path())
        .line("t.jsonl --json --pool-size 1 --statement-timeout 1s --retry-for 1s --dsn")
        .arg(&url);
    let (outcome, peak) = command.spawn().wait_with_peak();
    let outcome = outcome.exits(code).says(words);
    assert!(fake.callers() > 0, "{name}: nobody called: {outcome}");
    assert!(outcome.elapsed < TIME_MAX, "{name}: {outcome}");
    assert!(peak < PEAK_MAX_BYTES, "{name}: {} MiB: {outcome}", peak >> 20);
    assert!(outcome.stdout.is_empty(), "{name}: {outcome}");
    assert!(!outcome.stderr.contains(CANARY), "{name}: {outcome}");
    let acted_on = |c: char| c.is_control() && c != '\n';
    assert!(!outcome.stderr.contains(acted_on), "{name}: a terminal would act on it: {outcome}");
    println!("{name}: {}", outcome.stderr.lines().next().unwrap_or_default());
    outcome
}

/// It says where that server is.
#[track_caller]
fn ends(name: &str, script: Script, words: &str) {
    check(name, "&sslmode=disable", script, 5, words).says("127.0.0.1:");
}

#[test]
fn what_is_no_greeting_ends_the_load() {
    ends("garbage", |c| c.greeting().and_then(|_| c.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "cannot");
    ends("nothing", |c| c.greeting().and_then(|_| c.fall_silent()), "no answer within 2 s");
    ends("the end", |c| c.greeting().map(|_| ()), "cannot connect");
    ends("half a message", |c| c.greeting().and_then(|_| c.say(b"R\0\0\0")), "cannot connect");
    ends("no length", |c| c.greeting().and_then(|_| c.say(b"R\0\0\0\x03\0\0\0\0")), "length");
    ends("an unknown type", |c| c.greeting().and_then(|_| c.say(&message(b'?', b"x"))), "cannot");
    ends("a row", |c| c.greeting().and_then(|_| c.say(&rows(1, 1))), "unexpected message");
    ends("ready at once", |c| c.greeting().and_then(|_| c.say(&ready())), "unexpected message");
}

#[test]
fn an_answer_to_the_request_for_tls_is_s_or_n_and_what_comes_behind_it_is_no_session() {
    let tls = |name: &str, script: Script, words: &str| {
        for mode in ["require", "prefer"] {
            let outcome = check(name, &format!("&sslmode={mode}"), script, 5, words);
            outcome.says("127.0.0.1:");
        }
    };
    tls("neither S nor N", |c| c.first().and_then(|_| c.say(b"X")), "not an answer of PostgreSQL");
    tls(
        "an error of old",
        |c| c.first().and_then(|_| c.say(&report(b'E', &[(b'M', b"x")]))),
        "not an answer of PostgreSQL",
    );
    tls("nothing", |c| c.first().and_then(|_| c.fall_silent()), "no answer within 2 s");
    // What somebody in the middle puts behind the S in clear text is never taken for the server's
    // (CVE-2021-23222).
    let stuffed: Script = |c| {
        c.first()?;
        let session = [b"S".to_vec(), authentication(0, b""), ready()].concat();
        c.say(&session)?;
        c.fall_silent()
    };
    check("bytes behind the S", "&sslmode=require", stuffed, 5, "with TLS");
    // Without the check the login would go on in clear text.
    check("bytes behind the S", "&sslmode=verify-full", stuffed, 5, "with TLS");
    check("no TLS at all", "&sslmode=require", |c| c.first().and_then(|_| c.say(b"N")), 5, "does not offer");
}

#[test]
fn a_login_that_cannot_be_is_refused_and_gives_nothing_away() {
    let login = |name: &str, script: Script, words: &str| {
        let outcome = check(name, "&sslmode=disable", script, 5, words);
        outcome.says("127.0.0.1:");
    };
    login("a method unheard of", |c| ask(c, 99, b""), "unknown authentication tag");
    for (name, script) in [
        ("Kerberos", (|c| ask(c, 2, b"")) as Script),
        ("GSSAPI", |c| ask(c, 7, b"")),
        ("SSPI", |c| ask(c, 9, b"")),
    ] {
        login(name, script, "authentication");
    }
    login("MD5 with half a salt", |c| ask(c, 5, b"xy"), "cannot");
    login("SASL of nobody", |c| ask(c, 10, b"NONE-OF-THESE\0\0"), "SASL");
    login("SASL goes on before it began", |c| ask(c, 11, b"r=x,s=eA==,i=4096"), "unexpected message");
    login("the nonce of somebody else", |c| scram(c, "r=mine,s=c2FsdA==,i=4096", ""), "nonce");
    login("a count that takes years", |c| scram(c, "r={nonce}x,s=c2FsdA==,i=2000000000", ""), "iteration");
    login("a count of nothing", |c| scram(c, "r={nonce}x,s=c2FsdA==,i=", ""), "cannot log in");
    login("SCRAM without a word", |c| scram(c, "", ""), "authentication error");
    const SIGNATURE: &str = "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    login(
        "a signature that proves nothing",
        |c| scram(c, "r={nonce}x,s=c2FsdA==,i=4096", SIGNATURE),
        "SCRAM",
    );
    // Who skips the proof is no server of ours either.
    login("no signature", |c| scram(c, "r={nonce}x,s=c2FsdA==,i=4096", "skip"), "unexpected message");
}

fn ask(caller: &mut Caller, code: u32, data: &[u8]) -> io::Result<()> {
    caller.greeting()?;
    caller.say(&authentication(code, data))?;
    caller.fall_silent()
}

/// SCRAM up to its last message, with these of the server.
fn scram(caller: &mut Caller, first: &str, last: &str) -> io::Result<()> {
    caller.greeting()?;
    caller.say(&authentication(10, b"SCRAM-SHA-256\0\0"))?;
    let (_, initial) = caller.hear()?;
    let initial = String::from_utf8_lossy(&initial).into_owned();
    let nonce = initial.split("r=").nth(1).unwrap_or_default();
    caller.say(&authentication(11, first.replace("{nonce}", nonce).as_bytes()))?;
    caller.hear()?;
    if last != "skip" {
        caller.say(&authentication(12, last.as_bytes()))?;
    }
    caller.say(&authentication(0, b""))?;
    caller.say(&ready())?;
    caller.fall_silent()
}

#[test]
fn a_login_without_end_or_measure_takes_neither_time_nor_memory() {
    ends("a length of 4 GiB", |c| c.greeting().and_then(|_| c.say(b"R\xff\xff\xff\xff")), "cannot");
    ends(
        "2 GiB that do come",
        |c| {
            c.greeting()?;
            c.say(b"S\x7f\xff\xff\xff")?;
            c.say_for_ever(b"x")
        },
        "longer than any",
    );
    ends(
        "1 GiB that do come",
        |c| {
            c.greeting()?;
            c.say(b"E\x3f\xff\xff\xff")?;
            c.say_for_ever(b"x")
        },
        "before the login was over",
    );
    let notice: Script = |c| {
        c.greeting()?;
        c.say(&authentication(0, b""))?;
        c.say_for_ever(&report(b'N', &[(b'S', b"NOTICE"), (b'C', b"00000"), (b'M', b"and on and on")]))
    };
    ends("notices without end", notice, "before the login was over");
    let statuses: Script = |c| {
        c.greeting()?;
        c.say(&authentication(0, b""))?;
        c.say_for_ever(&message(b'S', b"name\0value\0"))
    };
    ends("parameters without end", statuses, "before the login was over");
    let unready: Script = |c| {
        c.greeting()?;
        c.say(&authentication(0, b""))?;
        c.fall_silent()
    };
    ends("never ready", unready, "no answer within 2 s");
}

#[test]
fn an_error_that_is_malformed_or_steers_a_terminal_is_words_all_the_same() {
    type Fields = &'static [(u8, &'static [u8])];
    const ERRORS: [(&str, Fields, &str); 6] = [
        ("no field", &[], "cannot"),
        ("no code", &[(b'S', b"FATAL"), (b'M', b"x")], "cannot"),
        ("no message", &[(b'S', b"FATAL"), (b'C', b"28000")], "cannot"),
        ("no UTF-8", &[(b'S', b"FATAL"), (b'C', b"28000"), (b'M', b"\xff\xfe")], "cannot"),
        (
            "escape sequences",
            &[(b'S', b"FATAL"), (b'C', b"28000"), (b'M', b"\x1b[2J\x1b]0;owned\x07\r\xe2\x80\xaegnorw")],
            r"\u{1b}[2j",
        ),
        ("a code that is none", &[(b'S', b"FATAL"), (b'C', b"\x1b[31m"), (b'M', b"x")], "cannot"),
    ];
    for (i, (name, _, words)) in ERRORS.into_iter().enumerate() {
        const SCRIPTS: [Script; 6] = [
            |c| refuse(c, 0),
            |c| refuse(c, 1),
            |c| refuse(c, 2),
            |c| refuse(c, 3),
            |c| refuse(c, 4),
            |c| refuse(c, 5),
        ];
        check(name, "&sslmode=disable", SCRIPTS[i], 5, words);
    }
    fn refuse(caller: &mut Caller, error: usize) -> io::Result<()> {
        caller.greeting()?;
        caller.say(&report(b'E', ERRORS[error].1))
    }
}

#[test]
fn a_server_that_lets_us_in_and_then_answers_no_question_ends_the_load() {
    let after = |name: &str, script: Script, words: &str| ends(name, script, words);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            after("silence", |c| c.let_in().and_then(|()| c.fall_silent()), "no answer within 6 s")
        });
        scope.spawn(|| {
            let nothing: Script = |c| c.let_in().and_then(|()| c.answer_all(&message(b'C', b"SELECT 1\0")));
            after("an answer without an end", nothing, "no answer within 6 s");
        });
        scope.spawn(|| {
            let notices: Script = |c| {
                c.let_in()?;
                c.hear()?;
                c.say_for_ever(&report(b'N', &[(b'S', b"NOTICE"), (b'C', b"00000"), (b'M', b"and on")]))
            };
            after("notices without end", notices, "no answer within 6 s");
        });
    });
    let answers: [(&str, Script, &str); 6] = [
        ("no rows", |c| talk(c, &[message(b'C', b"SELECT 0\0"), ready()].concat()), ""),
        ("one column", |c| talk(c, &[rows(1, 1), message(b'C', b"SELECT 1\0"), ready()].concat()), ""),
        ("many columns", |c| talk(c, &[rows(90, 1), message(b'C', b"SELECT 1\0"), ready()].concat()), ""),
        ("no tag", |c| talk(c, &[rows(1, 1), message(b'C', b""), ready()].concat()), "error parsing"),
        (
            "a tag of nonsense",
            |c| talk(c, &[message(b'C', b"\xff\xfe 99999999999999999999\0"), ready()].concat()),
            "",
        ),
        ("4 GiB", |c| talk(c, b"D\xff\xff\xff\xff"), "connection closed"),
    ];
    for (name, script, words) in answers {
        ends(name, script, words);
    }
    fn talk(caller: &mut Caller, bytes: &[u8]) -> io::Result<()> {
        caller.let_in()?;
        caller.answer_all(bytes)
    }
}

/// A message of the server of this type, in a batch or not.
fn of_server(kind: u8) -> impl Fn(&Message) -> bool + Send + Sync {
    move |m| m.from == From::Server && m.kind == kind
}

/// Of a batch's transaction.
fn in_batch(kind: u8) -> impl Fn(&Message) -> bool + Send + Sync {
    move |m| of_server(kind)(m) && m.query.starts_with("BEGIN ISOLATION LEVEL")
}

/// With such an answer once in the middle of a load the load is right all the same: the session is given up,
/// and what became of the batch is asked.
#[track_caller]
fn survives(name: &str, (kind, pool): (Kind, u32), fault: Fault) {
    let load = Load::new(kind, 3_000);
    let proxy = Proxy::to(load.scene.db.url(), vec![fault]);
    let flags = format!("--pool-size {pool} --statement-timeout 1s");
    let outcome = load.through(&proxy.url(), &flags).run();
    assert_eq!(proxy.struck(), 1, "{name}: {outcome}");
    assert!(outcome.elapsed < TIME_MAX, "{name}: {outcome}");
    load.check(outcome);
}

#[test]
fn an_answer_that_no_server_gives_costs_the_session_and_no_record() {
    let committed = || answer("SELECT _dbload.advance(", "COMMIT");
    let tags: [(&str, &[u8]); 3] =
        [("no tag", b""), ("no UTF-8", b"\xff\xfe\0"), ("ROLLBACK, though it did commit", b"ROLLBACK\0")];
    for (i, (name, tag)) in tags.into_iter().enumerate() {
        for case in cases([(KINDS[i], 2)]) {
            survives(name, case, Fault::on(committed(), Act::Instead(message(b'C', tag))).nth(2));
        }
    }
    let untold = report(b'E', &[(b'M', b"neither code nor severity")]);
    let instead: [(&str, Vec<u8>); 4] = [
        ("an error without fields", untold),
        ("an unknown type", message(b'?', b"x")),
        ("4 GiB", b"D\xff\xff\xff\xff".to_vec()),
        ("no length", b"Z\0\0\0\x03I".to_vec()),
    ];
    for (i, (name, bytes)) in instead.into_iter().enumerate() {
        for case in cases([(KINDS[i % 3], 2)]) {
            survives(name, case, Fault::on(committed(), Act::Instead(bytes.clone())).nth(2));
            survives(name, case, Fault::on(in_batch(b'Z'), Act::Instead(bytes.clone())).nth(2));
        }
    }
    // COPY is answered by rows, by the end, or by a count that is none.
    for (name, kind, bytes) in [
        ("rows in place of a COPY", b'G', rows(1, 1)),
        ("the end in place of a COPY", b'G', ready()),
        ("a COPY of bananas", b'C', message(b'C', b"COPY bananas\0")),
        ("a COPY of too many", b'C', message(b'C', b"COPY 4711\0")),
    ] {
        let moment = move |m: &Message| of_server(kind)(m) && (kind == b'G' || m.body.starts_with(b"COPY "));
        survives(name, (Kind::Append, 2), Fault::on(moment, Act::Instead(bytes)).nth(2));
    }
}

#[test]
fn an_answer_that_never_comes_is_waited_for_no_longer_than_the_limit() {
    type Moment = fn(&Message) -> bool;
    // Appends: their rows are in nobody's way while the old backend keeps its transaction open.
    let moments: [(&str, Moment); 3] = [
        ("no COPY", |m| of_server(b'G')(m)),
        ("not ready", |m| in_batch(b'Z')(m)),
        ("no tag", |m| in_batch(b'C')(m) && m.body.starts_with(b"COPY ")),
    ];
    for (name, moment) in moments {
        for case in cases_of(&[Kind::Append], &POOLS, [(Kind::Append, 2)]) {
            survives(name, case, Fault::on(moment, Act::Swallow).nth(2));
        }
    }
}

#[test]
fn a_server_that_dies_after_any_message_is_waited_for_or_named() {
    // What the server sends in a load: authentication, parameters, its key, ready; parsed, bound, described;
    // rows; COPY; tags.
    for (i, &kind) in b"RSKZ12tTDCGn".iter().enumerate() {
        for (how, nth) in [(End::Fin, 1), (End::Rst, 3)] {
            // So many that both partitions have rows, and ask for a connection each.
            let load = Load::new(KINDS[i % 3], 6_000);
            let proxy =
                Proxy::to(load.scene.db.url(), vec![Fault::on(of_server(kind), Act::Cut(how)).nth(nth)]);
            let url = proxy.url();
            let outcome = load.through(&url, "--pool-size 2 --statement-timeout 5s").run();
            let name = char::from(kind);
            assert_eq!(proxy.struck(), 1, "{name}, time {nth}: {outcome}");
            assert!(outcome.elapsed < TIME_MAX, "{name}: {outcome}");
            println!("dead at {name}, time {nth}: {}", outcome.code());
            if outcome.code() == 3 {
                load.check(outcome);
                continue;
            }
            // Before the first batch it is said at once, as where nobody is there at the start.
            let outcome = outcome.exits(5).says("error: ");
            assert!(load.batches() == 0 && outcome.stdout.is_empty(), "{name}: {outcome}");
            load.check(load.through(&url, "").run());
        }
    }
}

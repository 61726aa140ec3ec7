//! The entries of `tests/fuzz/entry`, and a connection for those that ask a server.

#[path = "../../tests/fuzz/entry/mod.rs"]
pub mod entry;

use std::cell::RefCell;

use entry::server::{QUESTIONS, Server};

thread_local! {
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

/// Offers an input to the server that `DBLOAD_FUZZ_DSN` names.
pub fn on_the_server(name: &str, data: &[u8]) {
    SERVER.with_borrow_mut(|server| {
        let server = server.get_or_insert_with(|| {
            let url = std::env::var("DBLOAD_FUZZ_DSN").expect("DBLOAD_FUZZ_DSN names a server");
            let (_, question) = QUESTIONS.into_iter().find(|(known, _)| *known == name).expect("a question");
            Server::connect(&url, question)
        });
        server.offer(data);
    });
}

//! Messages to somebody outside who wants to hear of loads: sent one behind the other while the loads run.
//! Nothing waits for it but the end, and that for a short time; whatever becomes of a message, the loads are
//! as they are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dbload::internals::http::{ProxyVariables, Webhook};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Messages that wait to be sent: of more loads than a job file has at once.
const WAITING_MAX: usize = 1_000;

/// Both tries of a message.
const MESSAGE_LIMIT: Duration = Duration::from_secs(6);

/// What is not sent so long after the end is given up.
const END_LIMIT: Duration = Duration::from_secs(2);

/// The same behind a stop from outside: whoever stops a process kills it when that takes long.
const STOPPED_LIMIT: Duration = Duration::from_secs(1);

/// Where messages of one kind go.
pub(crate) struct Outbox {
    /// What it is, for people.
    name: &'static str,
    queue: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    sending: Mutex<Option<JoinHandle<()>>>,
    counts: Arc<Mutex<Deliveries>>,
}

#[derive(Default)]
struct Deliveries {
    told: u64,
    taken: u64,
    /// Why the first was not taken.
    why: Option<String>,
}

impl Outbox {
    /// Begins to send what it will be given. Needs a runtime.
    pub(crate) fn new(name: &'static str, receiver: Webhook) -> Self {
        let (queue, mut messages) = mpsc::channel::<Vec<u8>>(WAITING_MAX);
        let counts = Arc::new(Mutex::new(Deliveries::default()));
        let counting = Arc::clone(&counts);
        let sending = tokio::spawn(async move {
            let proxies = ProxyVariables::read(|name| std::env::var(name).ok());
            while let Some(message) = messages.recv().await {
                let sent = receiver.post(message, &proxies, MESSAGE_LIMIT).await;
                let mut counts = counting.lock().unwrap_or_else(PoisonError::into_inner);
                match sent {
                    Ok(()) => counts.taken += 1,
                    Err(why) => _ = counts.why.get_or_insert(why),
                }
            }
        });
        let (queue, sending) = (Mutex::new(Some(queue)), Mutex::new(Some(sending)));
        Self { name, queue, sending, counts }
    }

    /// Sends a message when those before it are sent.
    pub(crate) fn tell(&self, message: Vec<u8>) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).told += 1;
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // What finds no room is missing in the counts.
        let _ = queue.as_ref().map(|queue| queue.try_send(message));
    }

    /// No message follows: waits for those on their way, but not long. What is to be said of those that did
    /// not arrive.
    pub(crate) async fn close(&self, was_stopped: bool) -> Option<String> {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut sending) = sending {
            let limit = if was_stopped { STOPPED_LIMIT } else { END_LIMIT };
            if tokio::time::timeout(limit, &mut sending).await.is_err() {
                sending.abort();
            }
        }
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = counts.told - counts.taken;
        let why = counts.why.as_deref().unwrap_or("no answer in time");
        (missing > 0)
            .then(|| format!("{}: {missing} of {} messages were not taken: {why}", self.name, counts.told))
    }
}

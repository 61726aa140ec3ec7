//! Standard output, which gets what a command is for: a report, a plan, a script. What nobody got is no
//! success.
//!
//! The standard library opens a closed stdout anew before `main`, on /dev/null, and then every write is well.
//! So whether it was open is looked at before that.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use super::terminal::error_words;

/// The process was started without a stdout (`>&-`).
static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no safe form of a hook before main")]
// SAFETY: the C library calls each pointer of this section once, before `main`; the function has that
// signature, and touches no more than the descriptor and a static.
#[unsafe(link_section = ".init_array")]
#[used]
static LOOK: extern "C" fn() = look;

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no safe form of fcntl on a descriptor that may be closed")]
extern "C" fn look() {
    // SAFETY: asks for the flags of a descriptor, which need not be open.
    let is_closed = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1;
    WAS_CLOSED.store(is_closed, Ordering::Relaxed);
}

/// Writes to stdout; false if that cannot be done (it is closed, the disk is full), which stderr says.
pub(crate) fn print(text: &str) -> bool {
    let failure = if text.is_empty() {
        None
    } else if WAS_CLOSED.load(Ordering::Relaxed) {
        Some("it is closed".to_owned())
    } else {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).err().map(|error| error.to_string())
    };
    if let Some(failure) = &failure {
        super::say(&error_words(&format!("write to stdout: {failure}"), None));
    }
    failure.is_none()
}

//! What the C library does with memory that was given back to it.
//!
//! Left alone, glibc raises the size from which it asks the system for memory of its own, and gives that
//! back, up to 32 MiB, as soon as pieces of so many bytes were freed; each heap then keeps twice as much for
//! the next time, and there are up to eight heaps a core. A few records of 8 MB and the process has 300 MB of
//! which it uses 50. And what is free between pieces in use stays with it: gaps that are hardly ever used
//! again grow by half a megabyte a million records.

use std::time::Duration;

/// How often free memory is given back. In between a load touches again what it needs, a few thousand pages.
const EVERY: Duration = Duration::from_secs(1);

/// To be called before there are threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "there is no safe form of mallopt")]
pub(crate) fn tune() {
    /// Larger pieces are the system's: given back at once, and grown without a copy. Blocks of usual records
    /// are smaller.
    const OF_THE_SYSTEM_BYTES: i32 = 1 << 20;
    /// A heap keeps so much at its end.
    const KEPT_BYTES: i32 = 4 << 20;
    /// Blocks go from thread to thread: what one heap has free is no use to the others.
    const HEAPS: i32 = 2;
    // SAFETY: no other thread runs yet, and the parameters take any size.
    unsafe {
        // What it does not take stays as it was.
        let _ = libc::mallopt(libc::M_MMAP_THRESHOLD, OF_THE_SYSTEM_BYTES);
        let _ = libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        let _ = libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}

/// Gives back what is free in the middle of the heaps, again and again.
pub(crate) async fn keep_small() {
    loop {
        tokio::time::sleep(EVERY).await;
        if tokio::task::spawn_blocking(give_back).await.is_err() {
            return;
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "there is no safe form of malloc_trim")]
fn give_back() {
    // SAFETY: it may be called at any time, by any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other C libraries do otherwise.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn tune() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}

//! What the C library does with memory that was given back to it.
//!
//! Left alone, glibc raises the size from which it asks the system for memory of its own, and gives that back, up to 32 MiB,
//! as soon as pieces of so many bytes were freed; each heap then keeps twice as much for the next time, and there are up to
//! eight heaps a core. A few records of 8 MB and the process has 300 MB of which it uses 50.

/// To be called before there are threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "there is no safe form of mallopt")]
pub(crate) fn tune() {
    /// Larger pieces are the system's: given back at once, and grown without a copy. Blocks of usual records are smaller.
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

/// Other C libraries do otherwise.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn tune() {}

//! See `tests/fuzz/entry/`.
#![no_main]

use std::sync::LazyLock;

use dbload_fuzz::entry::{Entry, pure};

static ENTRY: LazyLock<Entry> = LazyLock::new(|| pure("archives"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| ENTRY(data));

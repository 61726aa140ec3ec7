//! See `tests/fuzz/entry/server.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dbload_fuzz::on_the_server("server_types", data));

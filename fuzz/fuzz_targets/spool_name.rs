#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waypost_spool::fuzz::spool_name(data));

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waypost_wire::fuzz::smtp_path(data));

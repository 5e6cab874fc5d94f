#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waypost_directory::fuzz::server_message(data));

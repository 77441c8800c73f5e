//! See `mesh_upgrade_tests::fuzz::version`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mesh_upgrade_tests::fuzz::version::run(input));

//! See `mesh_upgrade_tests::fuzz::release`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mesh_upgrade_tests::fuzz::release::run(input));

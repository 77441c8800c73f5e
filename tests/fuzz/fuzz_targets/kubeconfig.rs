//! See `mesh_upgrade_tests::fuzz::kubeconfig`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mesh_upgrade_tests::fuzz::kubeconfig::run(input));

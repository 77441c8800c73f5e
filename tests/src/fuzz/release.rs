//! Stored helm releases: at each of their layers, with errors that tell nothing of what stands in them.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use shared::helm;

/// What stands in the corpus where passwords stand.
const PASSWORD: &str = "hunter2";

/// Reads an input as what is stored, as gzip within it, and as JSON within that.
pub fn run(input: &[u8]) {
    read(input);
    read(STANDARD.encode(input).as_bytes());
    // Stored and not deflated, which is quick and read by the same code.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    if encoder.write_all(input).is_ok()
        && let Ok(gzip) = encoder.finish()
    {
        read(STANDARD.encode(gzip).as_bytes());
    }
}

fn read(payload: &[u8]) {
    match helm::decode(payload) {
        Ok(release) => assert!(!format!("{:?}", release.values).contains(PASSWORD)),
        Err(error) => {
            let told = format!("{error} {error:?}");
            assert!(told.len() < 300 && !told.contains(PASSWORD), "{told}");
        }
    }
}

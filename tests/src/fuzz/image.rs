//! References of images: the version is that of the tag, and nothing but a tag gives one.

use shared::version::IstioVersion;

/// Reads an input as a reference.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let read = IstioVersion::from_image(&text);
    let name = text.split('@').next().unwrap_or_default();
    let pinned = IstioVersion::from_image(&format!("{name}@sha256:00"));
    assert_eq!(
        pinned.as_ref().ok(),
        read.as_ref().ok(),
        "a digest changes nothing: {text:?}"
    );
    let elsewhere = IstioVersion::from_image(&format!("registry:5000/{text}"));
    assert_eq!(
        elsewhere.as_ref().ok(),
        read.as_ref().ok(),
        "a registry changes nothing: {text:?}"
    );
    match read {
        Ok(version) => {
            let last = name.rsplit('/').next().unwrap_or_default();
            let tag = last.split_once(':').map(|(_, tag)| tag.parse::<IstioVersion>());
            assert_eq!(tag, Some(Ok(version)), "{text:?}");
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < 1000, "{message}");
        }
    }
}

//! Which version something runs, out of what it reports, its image and its label.

use serde::Deserialize;
use shared::{
    inventory::{ObservedVersion, VersionSource},
    version::{Flavor, IstioVersion},
};

/// How Istio ends the version it reports: state of the source tree it was built from.
const BUILD_STATES: [&str; 3] = ["Clean", "Modified", "unknown"];

/// The version in the body of `:15014/version`: `1.31.0-<revision>-Clean` or JSON with a `version`.
pub(super) fn reported(body: &str) -> String {
    #[derive(Deserialize)]
    struct Report {
        version: String,
    }
    let body = body.trim();
    if body.starts_with('{') {
        return serde_json::from_str::<Report>(body)
            .map_or_else(|_| body.to_owned(), |report| without_build(&report.version).to_owned());
    }
    without_build(body).to_owned()
}

/// Cuts `-<revision>-<state of the tree>` off.
fn without_build(text: &str) -> &str {
    let Some((rest, state)) = text.rsplit_once('-') else {
        return text;
    };
    match rest.rsplit_once('-') {
        Some((version, _revision)) if BUILD_STATES.contains(&state) => version,
        _ => text,
    }
}

/// What a pod reports, with the flavor of its image's tag where a vendor has only given Istio's own build a tag of its own:
/// whatever else runs by such tags can tell its flavor by them alone.
pub(super) fn flavored(reported: String, image: &str) -> String {
    // Istio's own is less than every flavor, and `solo` less than `solo-fips`.
    let is_less = |said: &Flavor, tag: &Flavor| match (said.suffix(), tag.suffix()) {
        (None, _) => true,
        (Some(said), Some(tag)) => tag.strip_prefix(said).is_some_and(|rest| rest.starts_with('-')),
        (Some(_), None) => false,
    };
    let release = |version: &IstioVersion| (version.minor(), version.patch, version.pre.clone());
    match (reported.parse::<IstioVersion>(), IstioVersion::from_image(image)) {
        (Ok(said), Ok(tag)) if is_less(&said.flavor, &tag.flavor) && release(&said) == release(&tag) => tag.to_string(),
        _ => reported,
    }
}

/// The most trusted reading. Pods that disagree are in the middle of a rollout; the oldest of them counts, because
/// that is what an upgrade starts from.
pub(super) fn choose(running: &[String], image: &str, label: Option<&str>) -> ObservedVersion {
    let oldest = running
        .iter()
        .filter_map(|text| text.parse::<IstioVersion>().ok())
        .min_by(IstioVersion::cmp_release);
    if oldest.is_some() {
        let mut all: Vec<&str> = running.iter().map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        return ObservedVersion {
            version: oldest,
            source: Some(VersionSource::Running),
            raw: all.join(", "),
        };
    }
    if let Ok(version) = IstioVersion::from_image(image) {
        return ObservedVersion {
            version: Some(version),
            source: Some(VersionSource::ImageTag),
            raw: image.to_owned(),
        };
    }
    match label.and_then(|label| Some((label, label.parse().ok()?))) {
        Some((label, version)) => ObservedVersion {
            version: Some(version),
            source: Some(VersionSource::Label),
            raw: label.to_owned(),
        },
        None => ObservedVersion {
            version: None,
            source: None,
            raw: image.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_istiod_reports() {
        for (body, expected) in [
            ("1.31.0-62ea5d6e0e4d-Clean", "1.31.0"),
            ("1.31.0-unknown-Clean\n", "1.31.0"),
            ("1.31.0-mspider-62ea5d6-Modified", "1.31.0-mspider"),
            ("1.32.0-rc.0-62ea5d6-Clean", "1.32.0-rc.0"),
            ("1.27.1-tetrate-v0-62ea5d6-Clean", "1.27.1-tetrate-v0"),
            ("1.31.0", "1.31.0"),
            ("1.31.0-mspider", "1.31.0-mspider"),
            ("unknown-unknown-unknown", "unknown"),
            (
                r#"{"version":"1.31.0","revision":"62ea5d6","golang_version":"go1.26"}"#,
                "1.31.0",
            ),
            (r#"{"version":"1.31.0-62ea5d6-Clean"}"#, "1.31.0"),
            (r#"{"other":1}"#, r#"{"other":1}"#),
            ("", ""),
        ] {
            assert_eq!(reported(body), expected, "{body}");
        }
    }

    #[test]
    fn a_vendors_tag_on_istios_own_build_tells_the_flavor() {
        for (reported, image, expected) in [
            ("1.30.3", "registry.example.com/pilot:1.30.3-corp", "1.30.3-corp"),
            ("1.30.3", "registry.example.com/pilot:1.30.3", "1.30.3"),
            ("1.30.3", "registry.example.com/pilot:1.30.3-distroless", "1.30.3"),
            ("1.32.0-rc.0", "registry.example.com/pilot:1.32.0-corp", "1.32.0-rc.0"),
            // Of another template than the one that stands in the Deployment.
            ("1.30.3", "registry.example.com/pilot:1.31.0-corp", "1.30.3"),
            (
                "1.30.3-mspider",
                "registry.example.com/pilot:1.30.3-corp",
                "1.30.3-mspider",
            ),
            ("1.30.3-mspider", "registry.example.com/pilot:1.30.3", "1.30.3-mspider"),
            (
                "1.30.3-solo",
                "registry.example.com/pilot:1.30.3-solo-fips-distroless",
                "1.30.3-solo-fips",
            ),
            (
                "1.30.3-solo-fips",
                "registry.example.com/pilot:1.30.3-solo",
                "1.30.3-solo-fips",
            ),
            ("1.30.3", "registry.example.com/pilot@sha256:00", "1.30.3"),
            ("unknown", "registry.example.com/pilot:1.30.3-corp", "unknown"),
        ] {
            assert_eq!(flavored(reported.to_owned(), image), expected, "{reported} {image}");
        }
    }

    #[test]
    fn trusts_the_process_then_the_tag_then_the_label() {
        let image = "docker.io/istio/pilot:1.30.3-distroless";
        let running = |versions: &[&str]| versions.iter().map(|version| (*version).to_owned()).collect::<Vec<_>>();
        for (pods, image, label, version, source, raw) in [
            (
                running(&["1.31.0"]),
                image,
                Some("1.29.0"),
                Some("1.31.0"),
                Some(VersionSource::Running),
                "1.31.0",
            ),
            (
                running(&["1.31.0", "1.30.3", "1.31.0"]),
                image,
                None,
                Some("1.30.3"),
                Some(VersionSource::Running),
                "1.30.3, 1.31.0",
            ),
            (
                running(&["unknown"]),
                image,
                None,
                Some("1.30.3"),
                Some(VersionSource::ImageTag),
                image,
            ),
            (
                running(&[]),
                image,
                Some("1.29.0"),
                Some("1.30.3"),
                Some(VersionSource::ImageTag),
                image,
            ),
            (
                running(&[]),
                "istio/pilot@sha256:00",
                Some("1.29.0"),
                Some("1.29.0"),
                Some(VersionSource::Label),
                "1.29.0",
            ),
            (
                running(&[]),
                "istio/pilot:latest",
                Some("x"),
                None,
                None,
                "istio/pilot:latest",
            ),
            (running(&[]), "", None, None, None, ""),
        ] {
            let chosen = choose(&pods, image, label);
            assert_eq!(
                chosen.version.map(|version| version.to_string()).as_deref(),
                version,
                "{pods:?} {image}"
            );
            assert_eq!((chosen.source, chosen.raw.as_str()), (source, raw), "{pods:?} {image}");
        }
    }
}

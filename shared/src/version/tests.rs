//! Versions as tags, releases and people write them, compared and told from each other.

use super::*;

fn v(text: &str) -> IstioVersion {
    text.parse().unwrap()
}

#[test]
fn reads_the_tags_that_vendors_use() {
    for (tag, flavor, revision, shown) in [
        ("1.31.4", None, None, "1.31.4"),
        ("1.31.4-mspider", Some("mspider"), None, "1.31.4-mspider"),
        ("1.31.4-distroless", None, None, "1.31.4"),
        ("1.31.4-debug", None, None, "1.31.4"),
        ("1.31.4-mspider-distroless", Some("mspider"), None, "1.31.4-mspider"),
        ("1.28.2-asm.4", Some("asm"), Some(".4"), "1.28.2-asm.4"),
        ("1.27.1-tetrate-v0", Some("tetrate"), Some("v0"), "1.27.1-tetrate-v0"),
        (
            "1.27.1-tetratefips-v0",
            Some("tetratefips"),
            Some("v0"),
            "1.27.1-tetratefips-v0",
        ),
        ("1.29.0-solo", Some("solo"), None, "1.29.0-solo"),
        ("1.18.7-r4", Some("r"), Some("4"), "1.18.7-r4"),
        ("1.18.7-r-a", Some("r-a"), None, "1.18.7-r-a"),
        ("1.18.7-r4-a", Some("r"), Some("4-a"), "1.18.7-r4-a"),
        ("1.30.3-solo-fips", Some("solo-fips"), None, "1.30.3-solo-fips"),
        (
            "1.30.3-solo-fips-distroless",
            Some("solo-fips"),
            None,
            "1.30.3-solo-fips",
        ),
        (
            "1.30.3-solo-distroless-fips",
            Some("solo-fips"),
            None,
            "1.30.3-solo-fips",
        ),
        ("1.30.3-fips-distroless", Some("fips"), None, "1.30.3-fips"),
        ("1.30.3-distroless-fips", Some("fips"), None, "1.30.3-fips"),
        (
            "1.30.3-solo-fips-v2",
            Some("solo-fips"),
            Some("v2"),
            "1.30.3-solo-fips-v2",
        ),
        ("1.30.3-solo-beta", Some("solo"), Some("beta"), "1.30.3-solo-beta"),
        (
            "1.30.3-mspider-hotfix",
            Some("mspider-hotfix"),
            None,
            "1.30.3-mspider-hotfix",
        ),
        // Solo's builds of a patch, its standard ones without a flavor's name.
        ("1.22.3-patch0-solo", Some("solo"), None, "1.22.3-patch0-solo"),
        (
            "1.22.3-patch0-solo-fips-distroless",
            Some("solo-fips"),
            None,
            "1.22.3-patch0-solo-fips",
        ),
        ("1.22.3-patch0-fips", Some("fips"), None, "1.22.3-patch0-fips"),
        ("1.22.3-patch0", Some("patch"), Some("0"), "1.22.3-patch0"),
        ("1.22.3-patch12-distroless", Some("patch"), Some("12"), "1.22.3-patch12"),
        ("1.22.3-rc.0-patch0-solo", Some("solo"), None, "1.22.3-rc.0-patch0-solo"),
        ("1.22.3-solo-patch0", Some("solo"), Some("patch0"), "1.22.3-solo-patch0"),
        ("1.22.3-patch-3", Some("patch"), Some("3"), "1.22.3-patch3"),
        ("1.22.3-patch-3-x", Some("patch"), Some("3-x"), "1.22.3-patch-3-x"),
        (
            "1.22.3-patch0-patch-3",
            Some("patch"),
            Some("3"),
            "1.22.3-patch0-patch-3",
        ),
    ] {
        let version = v(tag);
        assert_eq!(version.flavor.suffix(), flavor, "{tag}");
        assert_eq!(version.vendor_revision.as_deref(), revision, "{tag}");
        assert_eq!(version.to_string(), shown, "{tag}");
        assert_eq!(v(shown), version, "{tag}");
    }
}

#[test]
fn pre_releases_are_no_flavors_and_come_first() {
    let rc = v("1.32.0-rc.2");
    assert_eq!((rc.flavor.clone(), rc.pre.as_deref()), (Flavor::Native, Some("rc.2")));
    assert_eq!(rc.cmp_release(&v("1.32.0")), Ordering::Less);
    assert_eq!(rc.cmp_release(&v("1.32.0-rc.10")), Ordering::Less);
    assert_eq!(v("1.32.0-alpha.0").cmp_release(&v("1.32.0-beta.0")), Ordering::Less);
}

#[test]
fn refuses_what_is_no_version() {
    for text in [
        "",
        "latest",
        "1.31",
        "1",
        "1.31.x",
        "1.31.0.1",
        "01.31.0",
        "1.31.0-",
        "1.31.0--x",
        "1.31.0-1",
        "1.31.0-patch0-1",
        "1.31.0-patch0-rc.1",
        "1.31.0-a b",
        "1.31.0+x",
        "٣.1.0",
        "99999999999999999999.1.0",
    ] {
        assert!(text.parse::<IstioVersion>().is_err(), "{text:?}");
    }
    assert!("1.".repeat(500).parse::<IstioVersion>().is_err());
}

#[test]
fn reads_images_and_refuses_bare_digests() {
    assert_eq!(
        IstioVersion::from_image("registry:5000/istio/pilot:1.30.3-distroless").unwrap(),
        v("1.30.3")
    );
    assert_eq!(
        IstioVersion::from_image("docker.io/istio/pilot:1.30.3@sha256:00").unwrap(),
        v("1.30.3")
    );
    for image in [
        "registry:5000/istio/pilot",
        "istio/pilot@sha256:00",
        "istio/pilot:latest",
        "",
    ] {
        assert!(IstioVersion::from_image(image).is_err(), "{image}");
    }
}

#[test]
fn tells_moves_apart() {
    for (from, to, expected) in [
        ("1.30.3", "1.30.3", Move::None),
        ("1.30.3", "1.30.3-debug", Move::None),
        ("1.30.3", "1.30.10", Move::Patch),
        ("1.30.3", "1.31.0", Move::OneMinor),
        ("1.30.3", "1.32.0", Move::Skip),
        ("1.30.3", "2.0.0", Move::Skip),
        ("1.30.3", "1.30.2", Move::Downgrade),
        ("1.31.0", "1.30.9", Move::Downgrade),
        ("1.31.0", "1.31.0-rc.1", Move::Downgrade),
        ("1.30.3", "1.31.0-mspider", Move::OtherFlavor),
        ("1.30.3-mspider", "1.31.0-mspider", Move::OneMinor),
        ("1.30.3-solo-fips", "1.31.0-solo", Move::OtherFlavor),
        ("1.30.3-solo", "1.30.3-solo-fips", Move::OtherFlavor),
        ("1.30.3-solo-fips", "1.31.0-solo-fips-distroless", Move::OneMinor),
        ("1.30.3-asm.1", "1.30.3-asm.2", Move::Patch),
        ("1.22.3-solo", "1.22.3-patch0-solo", Move::Patch),
        ("1.22.3-patch2-solo", "1.22.3-patch10-solo-distroless", Move::Patch),
        ("1.22.3-patch1-solo", "1.22.4-solo", Move::Patch),
        ("1.22.3-patch1-solo", "1.23.0-patch0-solo", Move::OneMinor),
        ("1.22.3-patch1-solo", "1.22.3-patch0-solo", Move::Downgrade),
        ("1.22.3-patch1-solo", "1.22.3-solo", Move::Downgrade),
        ("1.22.3-rc.0-patch1-solo", "1.22.3-solo", Move::Patch),
        ("1.22.3-patch0", "1.22.3-patch1", Move::Patch),
        ("1.22.3-patch1", "1.23.0-patch0", Move::OneMinor),
        ("1.22.3", "1.22.3-patch0", Move::OtherFlavor),
        ("1.22.3-patch0", "1.22.3-patch0-solo", Move::OtherFlavor),
        ("1.30.3-asm.10", "1.30.3-asm.2", Move::Downgrade),
    ] {
        assert_eq!(Move::between(&v(from), &v(to)), expected, "{from} -> {to}");
    }
}

#[test]
fn reads_kubernetes_versions() {
    for (text, minor) in [
        ("v1.36.3", 36),
        ("v1.33.1-eks-1-33", 33),
        ("1.27+", 27),
        ("v1.31.5+k3s1", 31),
    ] {
        assert_eq!(
            text.parse::<KubernetesVersion>().unwrap().minor,
            Minor::new(1, minor),
            "{text}"
        );
    }
    assert!("v1".parse::<KubernetesVersion>().is_err());
}

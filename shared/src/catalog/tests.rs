//! Tests of the catalog: the embedded one, and what is said of broken ones.

use super::*;

fn embedded() -> Catalog {
    Catalog::embedded().unwrap()
}

fn v(text: &str) -> IstioVersion {
    text.parse().unwrap()
}

fn minor(text: &str) -> Minor {
    text.parse().unwrap()
}

/// A small catalog with one field of its only release replaced.
fn with(field: &str, value: &str) -> String {
    let mut text = String::from(
        "flavors:\n  - sources: {images: r.example.com/i, charts: https://c.example.com}\n    releases:\n",
    );
    let fields = [
        ("minor", "\"1.31\""),
        ("newestPatch", "1.31.3"),
        ("released", "2026-08-31"),
        ("endOfLife", "{date: 2027-04-30, kind: estimate}"),
        ("kubernetes", "[\"1.35\", \"1.36\"]"),
    ];
    for (index, (name, default)) in fields.iter().enumerate() {
        let lead = if index == 0 { "      - " } else { "        " };
        let value = if *name == field { value } else { default };
        text.push_str(&format!("{lead}{name}: {value}\n"));
    }
    if !fields.iter().any(|(name, _)| *name == field) {
        text.push_str(&format!("        {field}: {value}\n"));
    }
    text
}

#[test]
fn the_embedded_catalog_holds_every_minor_from_1_10_to_1_31() {
    let catalog = embedded();
    let minors: Vec<Minor> = catalog
        .releases(&Flavor::Native)
        .iter()
        .map(|release| release.minor)
        .collect();
    assert_eq!(minors, (10..=31).map(|n| Minor::new(1, n)).collect::<Vec<_>>());
    let release = catalog.release(&Flavor::Native, minor("1.31")).unwrap();
    assert_eq!(release.newest_patch, v("1.31.3"));
    assert_eq!(release.range().unwrap().to_string(), "1.32 to 1.36");
    assert_eq!(release.gateway_api["tcproutes"], semver::Version::new(1, 6, 0));
    assert_eq!(release.minimum_kubernetes, Some(minor("1.32")));
    let before = catalog.release(&Flavor::Native, minor("1.29")).unwrap();
    assert_eq!(before.gateway_api_below["tlsroutes"], semver::Version::new(1, 5, 0));
}

#[test]
fn every_release_says_below_which_kubernetes_it_is_not_installed() {
    for flavor in embedded().flavors {
        for release in &flavor.releases {
            let minimum = release.minimum_kubernetes.unwrap();
            assert!(minimum <= release.range().unwrap().min, "{}", release.newest_patch);
        }
    }
}

#[test]
fn both_ends_of_a_range_belong_to_it() {
    let range = embedded().kubernetes_range(&v("1.29.10")).unwrap();
    for (kubernetes, expected) in [("1.30", false), ("1.31", true), ("1.35", true), ("1.36", false)] {
        assert_eq!(range.contains(minor(kubernetes)), expected, "{kubernetes}");
    }
}

#[test]
fn tells_known_versions_from_unknown_ones() {
    let catalog = embedded();
    assert_eq!(catalog.knowledge(&v("1.31.3")), Knowledge::Known);
    assert_eq!(catalog.knowledge(&v("1.31.4")), Knowledge::NewerPatch(v("1.31.3")));
    assert!(matches!(catalog.knowledge(&v("1.32.0")), Knowledge::UnknownMinor(minors) if minors.len() == 22));
    assert!(matches!(catalog.knowledge(&v("1.31.3-solo")), Knowledge::UnknownFlavor(flavors) if flavors.len() == 2));
    for (version, known) in [
        ("1.31.9", true),
        ("1.9.9", false),
        ("1.31.0-mspider", true),
        ("1.28.0-mspider", false),
    ] {
        assert_eq!(catalog.knows(&v(version)), known, "{version}");
    }
}

#[test]
fn the_newest_reachable_is_one_hop_of_the_same_flavor() {
    for (from, expected) in [
        ("1.30.3", Some("1.31.3")),
        ("1.31.0", Some("1.31.3")),
        ("1.31.3", None),
        ("1.31.9", None),
        ("1.28.1", Some("1.29.10")),
        ("1.30.3-mspider", Some("1.31.3-mspider")),
        ("1.30.3-solo", None),
        ("1.9.9", Some("1.10.6")),
    ] {
        assert_eq!(
            embedded().reachable(&v(from)).next().cloned(),
            expected.map(v),
            "{from}"
        );
    }
}

#[test]
fn choices_follow_kubernetes() {
    let catalog = embedded();
    let choices = |kubernetes| -> Vec<String> {
        let choices = catalog.choices_for_kubernetes(&Flavor::Native, minor(kubernetes));
        choices.iter().map(|release| release.minor.to_string()).collect()
    };
    assert_eq!(choices("1.36"), ["1.30", "1.31"]);
    assert_eq!(choices("1.35"), ["1.29", "1.30", "1.31"]);
    assert!(choices("1.37").is_empty());
}

#[test]
fn an_estimated_end_is_never_past() {
    let past = |kind| EndOfLife {
        date: Date::constant(2026, 1, 1),
        kind,
    };
    let today = Date::constant(2026, 1, 2);
    assert!(past(DateKind::Actual).is_past(today) && past(DateKind::Announced).is_past(today));
    assert!(!past(DateKind::Estimate).is_past(today));
    assert!(
        !past(DateKind::Actual).is_past(Date::constant(2026, 1, 1)),
        "the day itself still counts"
    );
}

#[test]
fn retired_registries_match_whole_path_segments() {
    let catalog = embedded();
    for (image, expected) in [
        ("gcr.io/istio-release/pilot:1.30.3", Some("docker.io/istio")),
        ("registry.istio.io/release/proxyv2:1.30.3", Some("docker.io/istio")),
        (
            "https://istio-release.storage.googleapis.com/charts",
            Some("https://blob.istio.io/istio-release/charts"),
        ),
        (
            "oci://gcr.io/istio-release/charts",
            Some("oci://ghcr.io/istio/release/charts"),
        ),
        (
            "oci://gcr.io/istio-release/charts/istiod",
            Some("oci://ghcr.io/istio/release/charts"),
        ),
        ("gcr.io/istio-release/charts-of-another:1", Some("docker.io/istio")),
        ("gcr.io/istio-release-mirror/pilot:1.30.3", None),
        ("docker.io/istio/pilot:1.30.3", None),
        ("mirror.example.com/gcr.io/istio-release/pilot:1", None),
    ] {
        let found = catalog
            .retired_registry(image)
            .map(|registry| registry.replacement.as_str());
        assert_eq!(found, expected, "{image}");
    }
}

#[test]
fn what_extends_replaces_minors_and_adds_flavors() {
    let other = with("kubernetes", "[\"1.35\", \"1.36\", \"1.37\"]");
    let catalog = embedded().extended_by(Catalog::from_yaml(&other, "mine.yaml").unwrap());
    assert_eq!(catalog.releases(&Flavor::Native).len(), 22);
    assert_eq!(catalog.kubernetes_range(&v("1.31.0")).unwrap().max, minor("1.37"));
    assert_eq!(catalog.chart_source(&Flavor::Native), Some("https://c.example.com"));
    assert_eq!(catalog.retired_registries.len(), 4);
    // What a wider range leaves out is checked as before.
    let (embedded_of, release) = (embedded(), catalog.release_of(&v("1.31.0")).unwrap());
    let known = embedded_of.release_of(&v("1.31.0")).unwrap();
    assert!(!known.gateway_api.is_empty() && known.minimum_kubernetes.is_some());
    assert_eq!(release.gateway_api, known.gateway_api);
    assert_eq!(release.gateway_api_below, known.gateway_api_below);
    assert_eq!(release.minimum_kubernetes, known.minimum_kubernetes);
    assert!(release.tested.iter().all(|minor| !release.kubernetes.contains(minor)));
    let stricter = other.replace(
        "        kubernetes:",
        "        gatewayApi: {tcproutes: 2.0.0}\n        kubernetes:",
    );
    assert_ne!(stricter, other);
    let catalog = embedded().extended_by(Catalog::from_yaml(&stricter, "mine.yaml").unwrap());
    let release = catalog.release_of(&v("1.31.0")).unwrap();
    assert_eq!(release.gateway_api.len(), 1);

    let vendor = with("newestPatch", "1.31.3-solo").replace("  - sources", "  - suffix: solo\n    sources");
    let catalog = embedded().extended_by(Catalog::from_yaml(&vendor, "solo.yaml").unwrap());
    assert!(catalog.knows(&v("1.31.1-solo")) && catalog.knows(&v("1.31.1")));
    // Another build of the same vendor's is a flavor of its own.
    assert!(!catalog.knows(&v("1.31.1-solo-fips")));
    let vendor = vendor.replace("solo", "solo-fips");
    let catalog = embedded().extended_by(Catalog::from_yaml(&vendor, "solo.yaml").unwrap());
    assert!(catalog.knows(&v("1.31.1-solo-fips-distroless")) && !catalog.knows(&v("1.31.1-solo")));
}

#[test]
fn broken_catalogs_are_refused_with_line_and_reason() {
    let plain = with("minor", "\"1.31\"");
    let twice = format!("{plain}{}", plain.split_once("releases:\n").unwrap().1);
    for (text, line, part) in [
        (with("kubernetes", "[\"1.36\", \"1.35\"]"), 8, "1.35 follows 1.36"),
        (
            with("kubernetes", "[\"1.34\", \"1.36\"]"),
            8,
            "must have no gap, but 1.36 follows 1.34",
        ),
        (with("kubernetes", "[\"1.36\", \"1.36\"]"), 8, "1.36 follows 1.36"),
        (with("kubernetes", "[]"), 8, "names no version"),
        (with("kubernetes", "[\"1.x\"]"), 8, "\"1.x\" is not a version"),
        (with("tested", "[\"1.31\", \"1.30\"]"), 9, "tested must ascend"),
        (with("newestPatch", "1.30.3"), 5, "no patch of 1.31"),
        (with("newestPatch", "1.31.3-solo"), 5, "flavor solo, expected community"),
        (with("newestPatch", "1.31.0-rc.1"), 5, "pre-release"),
        (with("newestPatch", "latest"), 5, "\"latest\" is not a version"),
        (
            with("endOfLife", "{date: 2026-01-01, kind: actual}"),
            7,
            "before the release",
        ),
        (with("endOfLife", "{date: 2026-13-01, kind: actual}"), 7, ""),
        (
            with("minimumKubernetes", "\"1.40\""),
            9,
            "above every supported version",
        ),
        (with("kubernetis", "[]"), 9, "unknown field"),
        (
            with("minor", "1.31").replace("      - minor", "      - minor: \"1.31\"\n        minor"),
            5,
            "duplicate",
        ),
        (twice, 9, "second time"),
        ("flavors: []\nretiredRegistries: 3\n".to_owned(), 2, ""),
        ("flavors: [\n".to_owned(), 1, "unclosed bracket"),
        (
            "flavors:\n  - sources: {images: i, charts: c}\n    releases: []\n".to_owned(),
            3,
            "has no release",
        ),
    ] {
        let error = Catalog::from_yaml(&text, "mine.yaml").unwrap_err();
        assert_eq!(
            (error.origin.as_str(), error.line),
            ("mine.yaml", Some(line)),
            "{error}\n{text}"
        );
        assert!(error.to_string().contains(part), "{error}\n{text}");
        assert!(!error.reason.is_empty() && !error.reason.contains('\n'), "{error}");
    }
}

#[test]
fn suffixes_that_are_no_flavor_are_refused() {
    let with_suffix =
        |suffix: &str| with("minor", "\"1.31\"").replace("  - sources", &format!("  - suffix: {suffix}\n    sources"));
    for suffix in [
        "distroless",
        "debug",
        "rc",
        "beta",
        "alpha.1",
        "\"\"",
        "9",
        "my-v1",
        "my-beta",
        "\"a b\"",
        "asm.9",
        "r4",
    ] {
        let error = Catalog::from_yaml(&with_suffix(suffix), "mine.yaml").unwrap_err();
        assert!(error.reason.contains("cannot be a flavor"), "{suffix}: {error}");
        assert_eq!(error.line, Some(2), "{suffix}");
    }
}

#[test]
fn a_file_says_itself_whether_it_extends_or_replaces() {
    let plain = with("kubernetes", "[\"1.35\", \"1.36\", \"1.37\"]");
    let replaced = Catalog::from_yaml(&plain, "mine.yaml").unwrap();
    assert_eq!(
        (replaced.releases(&Flavor::Native).len(), replaced.edition().as_str()),
        (1, "mine.yaml")
    );

    let extending = format!("extends: embedded\nasOf: 2026-12-01\nfrom: [our platform team]\n{plain}");
    let extended = Catalog::from_yaml(&extending, "mine.yaml").unwrap();
    assert_eq!(extended.releases(&Flavor::Native).len(), 22);
    assert_eq!(extended.kubernetes_range(&v("1.31.0")).unwrap().max, minor("1.37"));
    assert_eq!(extended.edition(), "mine.yaml over the embedded catalog of 2026-12-01");
    assert!(extended.from.contains(&"our platform team".to_owned()) && extended.from.len() > 3);

    let without = "    sources: {images: r.example.com/i, charts: https://c.example.com}\n    releases";
    let no_sources = extending.replace(
        "  - sources: {images: r.example.com/i, charts: https://c.example.com}\n    releases",
        "  - releases",
    );
    assert!(!no_sources.contains(without));
    let kept = Catalog::from_yaml(&no_sources, "mine.yaml").unwrap();
    assert_eq!(
        kept.flavor(&Flavor::Native),
        extended
            .flavor(&Flavor::Native)
            .map(|mine| FlavorCatalog {
                sources: embedded().flavor(&Flavor::Native).unwrap().sources.clone(),
                ..mine.clone()
            })
            .as_ref()
    );
    let alone = no_sources.replace("extends: embedded\n", "");
    let error = Catalog::from_yaml(&alone, "mine.yaml").unwrap_err();
    assert!(
        error.reason.contains("names no sources") && error.line.is_some(),
        "{error}"
    );
    let error = Catalog::from_yaml(&extending.replace("embedded", "cluster"), "mine.yaml").unwrap_err();
    assert_eq!(error.line, Some(1), "{error}");
}

#[test]
fn the_embedded_catalog_names_its_day_its_sources_and_a_vendors_whole_build() {
    let catalog = embedded();
    assert!(catalog.as_of.is_some() && catalog.from.len() >= 4);
    let vendor = catalog.flavor(&Flavor::Custom("mspider".to_owned())).unwrap();
    let names: Vec<&str> = vendor
        .components
        .iter()
        .map(|component| component.name.as_str())
        .collect();
    assert_eq!(names, ["Merbridge", "the SpringCloud adapter", "the Dubbo adapter"]);
    assert_eq!(vendor.components[0].kind, WorkloadKind::DaemonSet);
    assert_eq!(
        vendor.sidecar_hot_upgrade.as_ref().map(|hot| hot.minimum_kubernetes),
        Some(minor("1.25"))
    );
    for (version, hub) in [
        ("1.30.1", "registry.istio.io/release"),
        ("1.31.1", "docker.io/istio"),
        ("1.31.1-mspider", "registry.example.com/mspider"),
    ] {
        assert_eq!(catalog.default_hub(&v(version)), Some(hub), "{version}");
    }
}

#[test]
fn the_example_of_the_documents_is_a_catalog() {
    const HOWTO: &str = include_str!("../../../docs/howto.md");
    let blocks = HOWTO.split("```yaml\n").skip(1);
    let mut blocks = blocks.filter_map(|rest| Some(rest.split_once("```")?.0));
    let example = blocks.find(|block| block.starts_with("# catalog.yaml")).unwrap();
    let catalog = Catalog::from_yaml(example, "catalog.yaml").unwrap();
    let newest = v("1.31.3-mspider");
    assert_eq!(catalog.knowledge(&newest), Knowledge::Known);
    assert_eq!(
        catalog.chart_source(&newest.flavor),
        Some("https://charts.example.com/mspider")
    );
    let flavor = catalog.flavor(&newest.flavor).unwrap();
    assert_eq!(flavor.components.len(), 1, "laid over those that are built in");
    assert_eq!(flavor.releases.len(), 3, "1.29 stays");
    assert!(catalog.release(&Flavor::Native, minor("1.31")).is_some());
}

//! Foreign helm, stopped at its first write: the release that it is about to install.

use super::{
    super::decide::{KnownControlPlane, KnownInjector, KnownMesh, KnownNodeComponent, KnownUpgrade},
    *,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;

/// A release as helm writes it into its Secret.
fn payload(chart: &str, version: &str, status: &str, config: Value) -> String {
    let mut release = json!({
        "name": "x", "namespace": "istio-system", "version": 7, "info": {"status": status},
        "chart": {"metadata": {"name": chart, "version": version, "appVersion": version},
            "templates": [{"name": "a", "data": "QUFBQQ=="}], "values": {}},
        "manifest": "kind: Deployment",
    });
    release["config"] = config;
    pack(release.to_string().as_bytes())
}

fn pack(json: &[u8]) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(json).unwrap();
    STANDARD.encode(encoder.finish().unwrap())
}

/// Helm's first write of a release: in a Secret there is Kubernetes' base64 around helm's.
fn first_write(release: &str, payload: &str) -> Ask {
    secret("CREATE", &format!("istio-system/sh.helm.release.v1.{release}.v7"))
        .set("object.metadata.labels", helm_labels(release))
        .set("object.data", json!({"release": STANDARD.encode(payload)}))
}

fn upgrade(release: &str, chart: &str, version: &str) -> Ask {
    first_write(release, &payload(chart, version, "pending-upgrade", json!({})))
}

fn facts() -> Facts {
    let release = |name: &str| Some(("istio-system".to_owned(), name.to_owned()));
    let plane = |namespace: &str, name: &str, version: &str| KnownControlPlane {
        namespace: namespace.to_owned(),
        version: version.parse().ok(),
        release: release(name),
        ..KnownControlPlane::default()
    };
    Facts {
        control_planes: vec![
            plane("istio-system", "istiod", "1.30.3"),
            plane("istio-system", "canary", "1.31.0"),
        ],
        node_components: vec![KnownNodeComponent {
            version: "1.31.0".parse().ok(),
            release: release("ztunnel"),
        }],
        ..Facts::default()
    }
}

#[test]
fn a_foreign_upgrade_ends_before_it_has_changed_anything() {
    use Code::{AheadOfControlPlane, Downgrade, MixedFlavor, SkipVersion};
    let driven = KnownUpgrade {
        name: "default-1".to_owned(),
        mesh: "default".to_owned(),
        phase: Phase::Upgrading,
        epoch: 3,
    };
    let facts = Facts {
        upgrades: vec![driven],
        ..facts()
    };
    for (what, release, chart, version, expected) in [
        ("one minor", "istiod", "istiod", "1.31.0", None),
        ("a patch of the older of two", "istiod", "istiod", "1.30.4", None),
        ("two minors", "istiod", "istiod", "1.32.0", Some(SkipVersion)),
        ("a rollback", "canary", "istiod", "1.30.3", Some(Downgrade)),
        ("a vendor's", "istiod", "istiod", "1.31.0-mspider", Some(MixedFlavor)),
        (
            "another release, an older one",
            "third",
            "istiod",
            "1.30.9",
            Some(Downgrade),
        ),
        ("another release, one ahead", "third", "istiod", "1.32.0", None),
        (
            "another release, two ahead",
            "third",
            "istiod",
            "1.33.0",
            Some(SkipVersion),
        ),
        ("base with what runs", "base", "base", "1.31.0", None),
        ("base one ahead", "base", "base", "1.32.1", None),
        ("base two ahead", "base", "base", "1.33.0", Some(SkipVersion)),
        ("base behind", "base", "base", "1.30.9", Some(Downgrade)),
        ("a vendor's base", "base", "base", "1.31.0-mspider", Some(MixedFlavor)),
        ("ztunnel by one", "ztunnel", "ztunnel", "1.32.0", None),
        ("ztunnel back", "ztunnel", "ztunnel", "1.30.3", Some(Downgrade)),
        ("ztunnel by two", "ztunnel", "ztunnel", "1.33.0", Some(SkipVersion)),
        ("a new CNI", "cni", "cni", "1.30.0", None),
        ("a new CNI, too new", "cni", "cni", "1.33.0", Some(SkipVersion)),
        ("a gateway with what runs", "gateway", "gateway", "1.31.0", None),
        ("a gateway that trails", "gateway", "gateway", "1.29.0", None),
        (
            "a gateway ahead",
            "gateway",
            "gateway",
            "1.32.0",
            Some(AheadOfControlPlane),
        ),
        (
            "a gateway of a vendor",
            "gateway",
            "gateway",
            "1.31.0-mspider",
            Some(MixedFlavor),
        ),
        ("no chart of Istio's", "istiod", "grafana", "9.9.9", None),
    ] {
        let ask = upgrade(release, chart, version);
        assert_eq!(ask.code(&facts), expected, "{what}");
        assert_eq!(ask.driver("3").code(&facts), expected, "{what}, by the driver");
    }
}

#[test]
fn the_tag_counts_and_a_chart_need_not_name_its_builder() {
    let mut facts = facts();
    for plane in &mut facts.control_planes {
        plane.version = "1.30.3-mspider".parse().ok();
    }
    let with = |chart: &str, config: Value| first_write("istiod", &payload(chart, "1.31.0", "pending-upgrade", config));
    let tag = |tag: &str| json!({"global": {"tag": tag, "hub": "registry.example"}});
    for (what, ask, expected) in [
        ("the vendor's tag", with("istiod", tag("1.31.0-mspider")), None),
        (
            "the vendor's tag, too far",
            with("istiod", tag("1.32.0-mspider")),
            Some(Code::SkipVersion),
        ),
        (
            "the community's tag",
            with("istiod", tag("1.31.0")),
            Some(Code::MixedFlavor),
        ),
        (
            "an unreadable tag",
            with("istiod", tag("nightly")),
            Some(Code::UnreadableVersion),
        ),
        ("a chart that says nothing", with("istiod", json!({})), None),
        ("nor does its base", with("base", json!({})), None),
        (
            "another vendor's",
            with("istiod", tag("1.31.0-solo")),
            Some(Code::MixedFlavor),
        ),
    ] {
        assert_eq!(ask.code(&facts), expected, "{what}");
    }
}

#[test]
fn helm_may_keep_its_books() {
    let facts = facts();
    let stored = |status: &str, version: &str| json!({"release": STANDARD.encode(payload("istiod", version, status, json!({})))});
    let update = |old: Value, new: Value| {
        secret("UPDATE", "istio-system/sh.helm.release.v1.canary.v1")
            .set("oldObject.metadata.labels", helm_labels("canary"))
            .set("object.metadata.labels", helm_labels("canary"))
            .set("oldObject.data", old)
            .set("object.data", new)
    };
    let garbage = || json!({"release": "%%%"});
    for (what, ask, expected) in [
        (
            "superseded, older than what runs",
            update(stored("deployed", "1.30.3"), stored("superseded", "1.30.3")),
            None,
        ),
        ("other labels", update(garbage(), garbage()), None),
        (
            "another chart under an old revision",
            update(stored("deployed", "1.31.0"), stored("deployed", "1.33.0")),
            Some(Code::SkipVersion),
        ),
        (
            "garbage over a release",
            update(stored("deployed", "1.31.0"), garbage()),
            Some(Code::UnreadableVersion),
        ),
        (
            "a release over garbage",
            update(garbage(), stored("deployed", "1.33.0")),
            Some(Code::SkipVersion),
        ),
        ("taken away", update(stored("deployed", "1.31.0"), json!(null)), None),
        (
            "deleted",
            secret("DELETE", "istio-system/sh.helm.release.v1.canary.v1")
                .set("oldObject.data", stored("deployed", "1.20.0")),
            None,
        ),
        (
            "a canary without contents",
            secret("CREATE", "istio-system/sh.helm.release.v1.istiod.v0"),
            None,
        ),
        (
            "no release of helm's",
            secret("CREATE", "istio-system/release").set("object.data", garbage()),
            None,
        ),
    ] {
        assert_eq!(ask.code(&facts), expected, "{what}");
    }
}

#[test]
fn a_release_in_a_config_map_or_by_its_labels_is_the_same() {
    let facts = facts();
    let payload = payload("istiod", "1.33.0", "pending-upgrade", json!({}));
    let map = Ask::new("CREATE", "", "configmaps", "istio-system/sh.helm.release.v1.istiod.v7");
    assert_eq!(
        map.set("object.data", json!({"release": payload})).code(&facts),
        Some(Code::SkipVersion)
    );
    let renamed = first_write("istiod", &payload).set("object.metadata.name", json!("innocent"));
    assert_eq!(renamed.code(&facts), Some(Code::SkipVersion));
    let unlabelled = first_write("istiod", &payload).set("object.metadata.labels", json!({}));
    assert_eq!(unlabelled.code(&facts), Some(Code::SkipVersion));
}

#[test]
fn garbage_is_never_let_through_and_never_quoted() {
    let facts = facts();
    let bomb = pack(format!(r#"{{"manifest":"{}"}}"#, "hunter2 ".repeat((33 << 20) / 8)).as_bytes());
    let secretive =
        pack(br#"{"chart":{"metadata":{"name":"istiod","version":"hunter2"}},"config":{"password":"hunter2"},"x"}"#);
    for (what, data) in [
        ("no base64", json!({"release": "%%%"})),
        ("a number", json!({"release": 7})),
        ("no base64 within", json!({"release": STANDARD.encode("hunter2!")})),
        ("a bomb", json!({"release": STANDARD.encode(&bomb)})),
        ("no JSON", json!({"release": STANDARD.encode(&secretive)})),
        ("too long", json!({"release": STANDARD.encode(vec![b'A'; 3 << 20])})),
    ] {
        let ask = first_write("istiod", "").set("object.data", data);
        let body = ask.0.to_string();
        let request = review::parse(body.as_bytes()).unwrap();
        let Verdict::Deny(ruling) = decide(&request, &facts, NOW) else {
            panic!("{what} was let through");
        };
        assert_eq!(ruling.code, Code::UnreadableVersion, "{what}");
        assert!(!ruling.message.contains("hunter2"), "{what}: {}", ruling.message);
        assert!(!format!("{request:?}").contains("hunter2"), "{what}");
    }
}

#[test]
fn after_the_last_control_plane_is_gone_its_record_counts() {
    let facts = Facts {
        meshes: vec![KnownMesh {
            name: "default".to_owned(),
            istio_namespace: "istio-system".to_owned(),
            version: "1.31.0".parse().ok(),
            ..KnownMesh::default()
        }],
        ..Facts::default()
    };
    assert_eq!(
        upgrade("istiod", "istiod", "1.30.3").code(&facts),
        Some(Code::Downgrade)
    );
    assert_eq!(upgrade("istiod", "istiod", "1.31.0").code(&facts), None);
    assert_eq!(
        upgrade("istio-base", "base", "1.30.3").code(&facts),
        Some(Code::Downgrade)
    );
    assert_eq!(
        upgrade("istiod", "istiod", "1.28.0").code(&Facts::default()),
        None,
        "the first"
    );
}

#[test]
fn without_a_control_plane_here_charts_are_compared() {
    use Code::{Downgrade, MixedFlavor, SkipVersion};
    let injected = |version: &str| Facts {
        injectors: vec![KnownInjector {
            version: version.parse().ok(),
            release: Some(("istio-system".to_owned(), "istiod".to_owned())),
        }],
        ..Facts::default()
    };
    for (what, release, chart, from, to, expected) in [
        ("one minor", "istiod", "istiod", "1.30.3", "1.31.0", None),
        ("two minors", "istiod", "istiod", "1.30.3", "1.32.0", Some(SkipVersion)),
        ("back", "istiod", "istiod", "1.30.3", "1.29.9", Some(Downgrade)),
        (
            "a vendor's",
            "istiod",
            "istiod",
            "1.30.3",
            "1.31.0-mspider",
            Some(MixedFlavor),
        ),
        (
            "a vendor's own",
            "istiod",
            "istiod",
            "1.30.3-mspider",
            "1.31.0-mspider",
            None,
        ),
        ("base by one", "base", "base", "1.30.3", "1.31.0", None),
        ("base by two", "base", "base", "1.30.3", "1.32.0", Some(SkipVersion)),
        ("base behind", "base", "base", "1.31.0", "1.30.9", Some(Downgrade)),
        ("no version on the labels", "istiod", "istiod", "", "1.32.0", None),
        (
            "of another release",
            "other",
            "gateway",
            "1.30.3",
            "1.31.0",
            Some(Code::AheadOfControlPlane),
        ),
    ] {
        assert_eq!(upgrade(release, chart, to).code(&injected(from)), expected, "{what}");
    }
    // What was recorded of the mesh before it was frozen is behind what the driver has brought since.
    let mut driven = injected("1.31.0");
    driven.meshes.push(KnownMesh {
        name: "default".to_owned(),
        version: "1.30.3".parse().ok(),
        ..KnownMesh::default()
    });
    let gateway = |facts: &Facts| upgrade("ingress", "gateway", "1.31.0").code(facts);
    assert_eq!(gateway(&driven), None);
    driven.injectors[0].release = None;
    driven.meshes[0].istio_namespace = "external-istiod".to_owned();
    assert_eq!(gateway(&driven), None);
    driven.injectors.clear();
    assert_eq!(gateway(&driven), Some(Code::AheadOfControlPlane));
    // The tag of a release that installs no istiod is of no image: its chart counts.
    let tag = json!({"global": {"tag": "1.31.0-mspider"}});
    let tagged = first_write("istiod", &payload("istiod", "1.31.0", "pending-upgrade", tag));
    assert_eq!(tagged.code(&injected("1.30.3")), None);
    // Where a control plane runs, it alone is compared with.
    let mut both = facts();
    both.injectors = injected("1.28.0").injectors;
    assert_eq!(upgrade("istiod", "istiod", "1.31.0").code(&both), None);
}

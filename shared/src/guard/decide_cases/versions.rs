//! The guard on versions, frozen or not.

use super::{
    super::decide::{KnownControlPlane, KnownMesh},
    *,
};
use crate::version::Flavor;

/// A pod template of istiod with this image.
fn istiod(image: &str) -> Value {
    template(&json!({"app": "istiod", "istio": "pilot"}), "discovery", image)
}

fn template(labels: &Value, container: &str, image: &str) -> Value {
    json!({"template": {"metadata": {"labels": labels}, "spec": {"containers": [
        {"name": "first", "image": "other:9.9.9"}, {"name": container, "image": image}]}}})
}

fn update(old: Value, new: Value) -> Ask {
    Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod")
        .set("oldObject.spec", old)
        .set("object.spec", new)
}

fn create(new: Value) -> Ask {
    Ask::new("CREATE", "apps", "deployments", "istio-system/istiod").set("object.spec", new)
}

fn daemon_set(operation: &str, new: Value) -> Ask {
    Ask::new(operation, "apps", "daemonsets", "istio-system/ztunnel").set("object.spec", new)
}

/// A control plane that runs beside what was recorded of its mesh.
fn both(running_version: &str, recorded_version: &str) -> Facts {
    Facts {
        meshes: recorded(Some(recorded_version), None).meshes,
        ..running(running_version)
    }
}

fn running(version: &str) -> Facts {
    Facts {
        control_planes: vec![KnownControlPlane {
            namespace: "istio-system".to_owned(),
            name: "istiod".to_owned(),
            revision: "default".to_owned(),
            version: version.parse().ok(),
            ..KnownControlPlane::default()
        }],
        ..Facts::default()
    }
}

fn recorded(version: Option<&str>, flavor: Option<&str>) -> Facts {
    Facts {
        meshes: vec![KnownMesh {
            name: "default".to_owned(),
            istio_namespace: "istio-system".to_owned(),
            flavor: Flavor::from_suffix(flavor),
            version: version.map(|version| version.parse().unwrap()),
            ..KnownMesh::default()
        }],
        ..Facts::default()
    }
}

#[test]
fn versions_are_guarded_at_all_times() {
    use Code::{Downgrade, MixedFlavor, SkipVersion, UnreadableVersion};
    let ztunnel = |image: &str| template(&json!({"app": "ztunnel"}), "istio-proxy", image);
    let cni = |image: &str| template(&json!({"k8s-app": "istio-cni-node"}), "install-cni", image);
    let pilot = |tag: &str| istiod(&format!("docker.io/istio/pilot:{tag}"));
    let none = Facts::default();
    for (what, expected, facts, ask) in [
        ("one minor", None, &none, update(pilot("1.30.3"), pilot("1.31.0"))),
        ("a patch", None, &none, update(pilot("1.30.3"), pilot("1.30.10"))),
        (
            "another setting",
            None,
            &none,
            update(pilot("1.30.3"), pilot("1.30.3-distroless")),
        ),
        (
            "two minors",
            Some(SkipVersion),
            &none,
            update(pilot("1.29.2"), pilot("1.31.0")),
        ),
        (
            "a minor back",
            Some(Downgrade),
            &none,
            update(pilot("1.31.0"), pilot("1.30.3")),
        ),
        (
            "a patch back",
            Some(Downgrade),
            &none,
            update(pilot("1.30.10"), pilot("1.30.9")),
        ),
        (
            "to a vendor",
            Some(MixedFlavor),
            &none,
            update(pilot("1.30.3"), pilot("1.30.3-mspider")),
        ),
        (
            "from a vendor",
            Some(MixedFlavor),
            &none,
            update(pilot("1.30.3-mspider"), pilot("1.31.0")),
        ),
        (
            "a vendor's own step",
            None,
            &none,
            update(pilot("1.30.3-mspider"), pilot("1.31.0-mspider")),
        ),
        (
            "to a digest",
            Some(UnreadableVersion),
            &none,
            update(pilot("1.30.3"), istiod("istio/pilot@sha256:00")),
        ),
        (
            "to latest",
            Some(UnreadableVersion),
            &none,
            update(pilot("1.30.3"), pilot("latest")),
        ),
        (
            "tag and digest",
            None,
            &none,
            update(pilot("1.30.3"), pilot("1.31.0@sha256:00")),
        ),
        (
            "the container renamed",
            Some(UnreadableVersion),
            &none,
            update(
                pilot("1.30.3"),
                template(&json!({"app": "istiod"}), "pilot", "istio/pilot:1.31.0"),
            ),
        ),
        (
            "the template's labels off",
            Some(UnreadableVersion),
            &none,
            update(pilot("1.30.3"), template(&json!({}), "discovery", "istio/pilot:1.31.0")),
        ),
        (
            "the container without an image",
            Some(UnreadableVersion),
            &none,
            update(pilot("1.30.3"), istiod("")),
        ),
        (
            "unknown to known, beside a newer one",
            Some(Downgrade),
            &running("1.31.0"),
            update(pilot("latest"), pilot("1.30.0")),
        ),
        (
            "unknown to known",
            None,
            &running("1.31.0"),
            update(pilot("latest"), pilot("1.31.0")),
        ),
        (
            "unknown to unknown",
            None,
            &running("1.31.0"),
            update(pilot("latest"), istiod("istio/pilot@sha256:00")),
        ),
        (
            "an old revision's patch beside a canary",
            None,
            &running("1.31.0"),
            update(pilot("1.30.3"), pilot("1.30.4")),
        ),
        ("the first", None, &none, create(pilot("1.31.0"))),
        ("a canary", None, &running("1.30.3"), create(pilot("1.31.0"))),
        (
            "a canary over a minor",
            Some(SkipVersion),
            &running("1.29.1"),
            create(pilot("1.31.0")),
        ),
        (
            "an older one beside",
            Some(Downgrade),
            &running("1.31.0"),
            create(pilot("1.30.3")),
        ),
        (
            "a vendor's beside",
            Some(MixedFlavor),
            &running("1.30.3"),
            create(pilot("1.31.0-asm.1")),
        ),
        (
            "an unreadable one beside",
            Some(UnreadableVersion),
            &running("1.30.3"),
            create(pilot("nightly")),
        ),
        (
            "deleted and made anew, older",
            Some(Downgrade),
            &recorded(Some("1.31.0"), None),
            create(pilot("1.30.3")),
        ),
        (
            "deleted and made anew",
            None,
            &recorded(Some("1.31.0"), None),
            create(pilot("1.31.0")),
        ),
        (
            "deleted and made anew, too new",
            Some(SkipVersion),
            &recorded(Some("1.29.0"), None),
            create(pilot("1.31.0")),
        ),
        (
            "the first of a vendor's mesh",
            Some(MixedFlavor),
            &recorded(None, Some("mspider")),
            create(pilot("1.31.0")),
        ),
        (
            "the vendor's first",
            None,
            &recorded(None, Some("mspider")),
            create(pilot("1.31.0-mspider")),
        ),
        (
            "unreadable, and only scaled",
            None,
            &running("1.31.0"),
            update(pilot("latest"), pilot("latest")).set("object.spec.replicas", json!(3)),
        ),
        (
            "a canary gone again, and the old one made anew",
            Some(Downgrade),
            &both("1.30.3", "1.31.0"),
            create(pilot("1.30.4")),
        ),
        (
            "another namespace's mesh",
            None,
            &running("1.31.0"),
            create(pilot("1.28.0")).set("namespace", json!("team-b")),
        ),
        (
            "an application's discovery",
            None,
            &none,
            update(
                template(&json!({"app": "shop"}), "discovery", "shop:1.0.0"),
                template(&json!({"app": "shop"}), "discovery", "shop:9.0.0"),
            ),
        ),
        (
            "an application named istiod",
            None,
            &none,
            update(
                template(&json!({"app": "istiod"}), "web", "shop:1.0.0"),
                template(&json!({"app": "istiod"}), "web", "shop:9.0.0"),
            ),
        ),
        (
            "a revision without istio=pilot",
            Some(SkipVersion),
            &none,
            update(
                template(&json!({"app": "istiod"}), "discovery", "p:1.28.0"),
                template(&json!({"app": "istiod"}), "discovery", "p:1.31.0"),
            ),
        ),
        (
            "metadata labels do not matter",
            Some(SkipVersion),
            &none,
            update(pilot("1.28.0"), pilot("1.31.0")).set("object.metadata.labels", json!({})),
        ),
        (
            "ztunnel over a minor",
            Some(SkipVersion),
            &none,
            daemon_set("UPDATE", ztunnel("z:1.31.0")).set("oldObject.spec", ztunnel("z:1.29.0")),
        ),
        (
            "ztunnel by one",
            None,
            &none,
            daemon_set("UPDATE", ztunnel("z:1.31.0")).set("oldObject.spec", ztunnel("z:1.30.0")),
        ),
        (
            "a new ztunnel a minor behind",
            None,
            &running("1.31.0"),
            daemon_set("CREATE", ztunnel("z:1.30.0")),
        ),
        (
            "a new ztunnel two behind",
            Some(Downgrade),
            &running("1.31.0"),
            daemon_set("CREATE", ztunnel("z:1.29.0")),
        ),
        (
            "a vendor's ztunnel",
            Some(MixedFlavor),
            &running("1.31.0"),
            daemon_set("CREATE", ztunnel("z:1.31.0-solo")),
        ),
        (
            "CNI back",
            Some(Downgrade),
            &none,
            daemon_set("UPDATE", cni("c:1.30.0")).set("oldObject.spec", cni("c:1.31.0")),
        ),
        (
            "a DaemonSet that is none of these",
            None,
            &none,
            daemon_set("UPDATE", template(&json!({"app": "logs"}), "istio-proxy", "l:9.0.0")).set(
                "oldObject.spec",
                template(&json!({"app": "logs"}), "istio-proxy", "l:1.0.0"),
            ),
        ),
        (
            "a template that cannot be read",
            Some(UnreadableVersion),
            &none,
            create(json!({"template": {"spec": {"containers": 7}}})),
        ),
        (
            "scale says nothing of versions",
            None,
            &none,
            update(pilot("1.28.0"), pilot("1.31.0")).sub("scale"),
        ),
    ] {
        assert_eq!(ask.code(facts), expected, "{what}");
    }
}

#[test]
fn the_holder_passes_the_freeze_but_never_the_guard_on_versions() {
    let skip = update(istiod("p:1.29.0"), istiod("p:1.31.0"));
    let step = update(istiod("p:1.30.0"), istiod("p:1.31.0"));
    assert_eq!(skip.clone().driver("3").code(&frozen()), Some(Code::SkipVersion));
    assert_eq!(step.clone().driver("3").code(&frozen()), None);
    assert_eq!(step.code(&frozen()), Some(Code::MeshFrozen));
    assert_eq!(
        skip.code(&frozen()),
        Some(Code::MeshFrozen),
        "the freeze is said first, as the policy would"
    );
}

#[test]
fn an_unreadable_first_version_is_warned_about() {
    let ask = create(istiod("istio/pilot:latest"));
    let body = ask.0.to_string();
    let request = review::parse(body.as_bytes()).unwrap();
    assert!(
        matches!(decide(&request, &Facts::default(), NOW), Verdict::Warn(ruling) if ruling.code == Code::UnreadableVersion)
    );
}

#[test]
fn a_new_component_in_a_container_of_another_name_has_no_version_that_can_be_read() {
    let pods = |labels: Value| template(&labels, "main", "docker.io/istio/x:1.33.0");
    let facts = running("1.31.0");
    let cases = || {
        let ztunnel = daemon_set("CREATE", pods(json!({"app": "ztunnel"})));
        let cni = daemon_set("CREATE", pods(json!({"k8s-app": "istio-cni-node"})));
        vec![
            ("istiod", create(pods(json!({"app": "istiod"})))),
            ("istiod by its other label", create(pods(json!({"istio": "pilot"})))),
            ("ztunnel", ztunnel),
            ("the CNI agent", cni),
        ]
    };
    check(&facts, Some(Code::UnreadableVersion), cases());
    let other = pods(json!({"app": "istiod-dashboard", "istio": "ingressgateway"}));
    let scaled = update(pods(json!({"app": "istiod"})), pods(json!({"app": "istiod"})));
    check(
        &facts,
        None,
        vec![("an application", create(other)), ("one that was there before", scaled)],
    );
}

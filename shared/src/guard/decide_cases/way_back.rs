//! The way back of an external mesh: who may allow it, who may go it, and what it never opens.

use super::{
    super::decide::{KnownControlPlane, KnownMesh, KnownUpgrade},
    *,
};
use crate::api::{Downgrade, Management};
use k8s_openapi::jiff::SignedDuration;

const SAIL: &str = "system:serviceaccount:sail-operator:sail-operator";

fn hours(hours: i64) -> Timestamp {
    NOW + SignedDuration::from_hours(hours)
}

fn downgrade(to: &str) -> Downgrade {
    Downgrade {
        to: to.to_owned(),
        by: "alice".to_owned(),
        reason: "pager 7".to_owned(),
        expires: Time(hours(4)),
        writers: vec![SAIL.to_owned()],
    }
}

/// An external mesh that runs 1.31.0, with the way back to a version.
fn external(to: &str) -> Facts {
    Facts {
        control_planes: vec![KnownControlPlane {
            namespace: "istio-system".to_owned(),
            name: "istiod".to_owned(),
            revision: "default".to_owned(),
            version: "1.31.0".parse().ok(),
            release: Some(("istio-system".to_owned(), "istiod".to_owned())),
            ..KnownControlPlane::default()
        }],
        meshes: vec![KnownMesh {
            name: "default".to_owned(),
            istio_namespace: "istio-system".to_owned(),
            version: "1.31.0".parse().ok(),
            management: Some(Management::External),
            downgrade: Some(downgrade(to)),
            ..KnownMesh::default()
        }],
        ..Facts::default()
    }
}

fn with(change: impl FnOnce(&mut KnownMesh)) -> Facts {
    let mut facts = external("1.30.3");
    change(&mut facts.meshes[0]);
    facts
}

fn template(labels: &Value, container: &str, image: &str) -> Value {
    json!({"template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": container, "image": image}]}}})
}

fn istiod(from: &str, to: &str) -> Ask {
    let pods = |tag: &str| template(&json!({"app": "istiod"}), "discovery", &format!("istio/pilot:{tag}"));
    Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod")
        .set("oldObject.spec", pods(from))
        .set("object.spec", pods(to))
        .by("alice")
}

fn gateway(path: &str, from: &str, to: &str) -> Ask {
    let pods = |tag: &str| {
        template(
            &json!({"istio": "ingress"}),
            "istio-proxy",
            &format!("istio/proxyv2:{tag}"),
        )
    };
    Ask::new("UPDATE", "apps", "deployments", path)
        .set("oldObject.spec", pods(from))
        .set("object.spec", pods(to))
        .by("alice")
}

fn sail(from: &str, to: &str) -> Ask {
    Ask::new("UPDATE", "sailoperator.io", "istios", "default")
        .set("oldObject.spec", json!({"version": from, "namespace": "istio-system"}))
        .set("object.spec", json!({"version": to, "namespace": "istio-system"}))
        .by("alice")
}

#[test]
fn the_owner_goes_back_to_one_version_and_nobody_else_or_further() {
    use Code::{Downgrade, MixedFlavor, SkipVersion};
    let open = external("1.30.3");
    for (what, expected, ask) in [
        ("who allowed it", None, istiod("1.31.0", "1.30.3")),
        ("a variant of its image", None, istiod("1.31.0", "1.30.3-distroless")),
        ("a writer that it names", None, istiod("1.31.0", "1.30.3").by(SAIL)),
        ("the operator's object", None, sail("v1.31.0", "v1.30.3")),
        ("a gateway", None, gateway("istio-ingress/gateway", "1.31.0", "1.30.3")),
        ("somebody else", Some(Downgrade), istiod("1.31.0", "1.30.3").by("bob")),
        ("nobody", Some(Downgrade), istiod("1.31.0", "1.30.3").by("")),
        ("another patch", Some(Downgrade), istiod("1.31.0", "1.30.2")),
        (
            "a newer patch, which is no way back either",
            Some(Downgrade),
            istiod("1.31.0", "1.30.4"),
        ),
        ("over a minor", Some(Downgrade), istiod("1.32.0", "1.30.3")),
        ("to an alias", Some(Downgrade), sail("v1.31.0", "v1.30-latest")),
        (
            "to a vendor's build",
            Some(MixedFlavor),
            istiod("1.31.0", "1.30.3-mspider"),
        ),
        ("forward over a minor", Some(SkipVersion), istiod("1.28.0", "1.30.3")),
    ] {
        assert_eq!(ask.code(&open), expected, "{what}");
    }
    assert_eq!(
        istiod("1.31.0", "1.29.3").code(&external("1.29.3")),
        Some(Downgrade),
        "what is allowed in writing never reaches over a minor"
    );
    assert_eq!(
        istiod("1.31.4", "1.31.0").code(&external("1.31.0")),
        None,
        "a patch back"
    );
}

#[test]
fn it_counts_only_while_it_is_open_and_for_external_meshes() {
    let ask = istiod("1.31.0", "1.30.3");
    let upgrade = |phase| KnownUpgrade {
        name: "default-1".to_owned(),
        mesh: "default".to_owned(),
        phase,
        epoch: 3,
    };
    let upgraded = |phase| Facts {
        upgrades: vec![upgrade(phase)],
        ..external("1.30.3")
    };
    let beside = |other: KnownMesh| {
        let mut facts = external("1.30.3");
        facts.meshes.push(other);
        facts
    };
    let other = |namespace: &str| KnownMesh {
        name: "other".to_owned(),
        istio_namespace: namespace.to_owned(),
        management: Some(Management::Dedicated),
        ..KnownMesh::default()
    };
    for (what, allowed, facts) in [
        ("open", true, external("1.30.3")),
        (
            "over",
            false,
            with(|mesh| mesh.downgrade.as_mut().unwrap().expires = Time(NOW)),
        ),
        (
            "for longer than it may",
            false,
            with(|mesh| mesh.downgrade.as_mut().unwrap().expires = Time(hours(25))),
        ),
        ("of nothing", false, with(|mesh| mesh.downgrade = None)),
        (
            "a mesh that this tool upgrades",
            false,
            with(|mesh| mesh.management = Some(Management::Dedicated)),
        ),
        ("a mesh without an object", false, with(|mesh| mesh.management = None)),
        ("in an upgrade", false, upgraded(Phase::Upgrading)),
        ("after an upgrade", true, upgraded(Phase::Succeeded)),
        ("beside a mesh elsewhere", true, beside(other("elsewhere"))),
        (
            "where a mesh that this tool upgrades has the same namespace",
            false,
            beside(other("istio-system")),
        ),
    ] {
        assert_eq!(ask.code(&facts), (!allowed).then_some(Code::Downgrade), "{what}");
    }
    assert_eq!(
        gateway("istio-ingress/gateway", "1.31.0", "1.30.3").code(&beside(other("elsewhere"))),
        Some(Code::Downgrade),
        "of two meshes nothing says whose gateway it is"
    );
}

#[test]
fn it_opens_no_freeze_and_is_told_of() {
    let facts = Facts {
        freezes: frozen().freezes,
        ..external("1.30.3")
    };
    assert_eq!(istiod("1.31.0", "1.30.3").code(&facts), Some(Code::MeshFrozen));
    let body = istiod("1.31.0", "1.30.3").0.to_string();
    let request = review::parse(body.as_bytes()).unwrap();
    let Verdict::Warn(ruling) = decide(&request, &external("1.30.3"), NOW) else {
        panic!("not told");
    };
    assert_eq!(ruling.allowed_for.as_deref(), Some("default"));
    assert_eq!(
        ruling.message,
        "MG012 allowed-downgrade: Deployment istio-system/istiod goes from 1.31.0 (it runs) to 1.30.3: alice goes back, as \
         alice allowed for mesh \"default\" until 1970-01-01T04:00:00Z: pager 7"
    );
}

fn mesh(spec: &Value) -> Value {
    let mut whole = json!({"management": "External", "istioNamespace": "istio-system"});
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    whole
}

fn update(old: &Value, new: &Value) -> Ask {
    Ask::new("UPDATE", names::GROUP, "meshes", "default")
        .set("oldObject.spec", mesh(old))
        .set("object.spec", mesh(new))
        .by("alice")
}

#[test]
fn it_is_written_by_whoever_allows_it_in_their_own_name() {
    let allowed = |change: &dyn Fn(&mut Downgrade)| {
        let mut downgrade = downgrade("1.30.3");
        change(&mut downgrade);
        json!({"downgrade": downgrade})
    };
    let good = allowed(&|_| {});
    let none = json!({});
    let cases: Vec<(&str, bool, Ask)> = vec![
        ("allowed", true, update(&none, &good)),
        ("in somebody else's name", false, update(&none, &good).by("bob")),
        (
            "without a reason",
            false,
            update(&none, &allowed(&|downgrade| downgrade.reason = " \t".to_owned())),
        ),
        (
            "over already",
            false,
            update(&none, &allowed(&|downgrade| downgrade.expires = Time(NOW))),
        ),
        (
            "for more than a day",
            false,
            update(&none, &allowed(&|downgrade| downgrade.expires = Time(hours(25)))),
        ),
        (
            "to no version",
            false,
            update(&none, &allowed(&|downgrade| downgrade.to = "1.30".to_owned())),
        ),
        (
            "to another flavor",
            false,
            update(&none, &allowed(&|downgrade| downgrade.to = "1.30.3-asm.1".to_owned())),
        ),
        (
            "of a mesh that this tool upgrades",
            false,
            update(&none, &good).set("object.spec.management", json!("Dedicated")),
        ),
        (
            "of a mesh that this tool upgraded until now",
            false,
            update(&none, &good).set("oldObject.spec.management", json!("Dedicated")),
        ),
        (
            "a label by somebody else",
            true,
            update(&good, &good)
                .set("object.metadata.labels", json!({"x": "y"}))
                .by("bob"),
        ),
        (
            "another namespace by somebody else",
            false,
            update(&good, &good)
                .set("object.spec.istioNamespace", json!("other"))
                .by("bob"),
        ),
        (
            "a later end by somebody else",
            false,
            update(&good, &allowed(&|downgrade| downgrade.expires = Time(hours(8)))).by("bob"),
        ),
        ("taken out by somebody else", true, update(&good, &none).by("bob")),
        (
            "a new mesh",
            true,
            Ask::new("CREATE", names::GROUP, "meshes", "default")
                .set("object.spec", mesh(&good))
                .by("alice"),
        ),
        (
            "what is none",
            false,
            update(&json!({}), &json!({"downgrade": {"to": "1.30.3"}})),
        ),
    ];
    for (what, passes, ask) in cases {
        let expected = (!passes).then_some(Code::OwnObjects);
        assert_eq!(ask.code(&Facts::default()), expected, "{what}");
    }
    let under_way = Facts {
        upgrades: vec![KnownUpgrade {
            name: "default-1".to_owned(),
            mesh: "default".to_owned(),
            phase: Phase::Upgrading,
            epoch: 3,
        }],
        ..Facts::default()
    };
    assert_eq!(update(&json!({}), &good).code(&under_way), Some(Code::OwnObjects));
}

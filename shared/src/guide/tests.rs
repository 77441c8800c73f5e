//! Runbooks of meshes as they are met: what is run, in which order, and what is refused.

use super::*;
use crate::{
    api::Component,
    catalog::Catalog,
    inventory::{
        DataPlane, GitOpsOwner, Inventory, MeshedWorkload, NamespaceRevision, OperatorObject, Owner, ProxyKind, sample,
    },
    mesh::{self, MeshView},
};
use std::{collections::BTreeSet, sync::LazyLock};

pub(super) static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());

fn the_mesh(inventory: &Inventory) -> MeshView {
    mesh::meshes(inventory).remove(0)
}

pub(super) fn wish(to: &str, strategy: Option<Strategy>) -> Wish {
    Wish {
        to: to.parse().unwrap(),
        strategy,
        charts: Charts::Folder("/charts".to_owned(), Vec::new()),
        contexts: BTreeMap::from([("east".to_owned(), "admin@east".to_owned())]),
    }
}

pub(super) fn guide(inventory: &Inventory, to: &str, strategy: Option<Strategy>) -> Result<Runbook, GuideError> {
    let today = "2026-11-28".parse().unwrap();
    build(&the_mesh(inventory), inventory, &wish(to, strategy), &CATALOG, today)
}

pub(super) fn sidecars(owner: Owner, version: &str) -> MeshedWorkload {
    MeshedWorkload {
        namespace: "shop".to_owned(),
        owner,
        kind: ProxyKind::Sidecar,
        version: sample::version(version),
        revision: Some("default".to_owned()),
        pods: 2,
        example: "reviews-1".to_owned(),
        held_by: BTreeSet::new(),
    }
}

/// Helm's base, istiod and what ambient adds, with one Deployment that has sidecars.
pub(super) fn inventory(istio: &str) -> Inventory {
    let mut inventory = sample::one(istio, "v1.34.1");
    inventory.seen(0).data_plane = Some(Box::new(DataPlane {
        workloads: vec![sidecars(Owner::Deployment("reviews".to_owned()), istio)],
        injected: vec!["shop".to_owned()],
    }));
    inventory
}

fn titles(runbook: &Runbook) -> Vec<String> {
    let titled = |chapter: &Chapter| {
        let steps = chapter.steps.iter().map(|step| format!("  {}", step.title));
        std::iter::once(chapter.title.clone()).chain(steps).collect::<Vec<_>>()
    };
    runbook.chapters.iter().flat_map(titled).collect()
}

pub(super) fn commands(runbook: &Runbook) -> Vec<String> {
    let steps = runbook.chapters.iter().skip(1).flat_map(|chapter| &chapter.steps);
    let actions = steps.flat_map(|step| &step.run);
    actions
        .map(|action| match action {
            Action::Run(command) => command.clone(),
            Action::ByHand(what) => format!("by hand: {what}"),
        })
        .collect()
}

#[test]
fn in_place_each_release_goes_in_its_turn() {
    let mut inventory = inventory("1.30.3");
    sample::add_ambient(&mut inventory.clusters[0], "1.30.3");
    let runbook = guide(&inventory, "1.31.0", None).unwrap();
    assert_eq!(runbook.strategy, Strategy::InPlace);
    let helm = |release: &str, chart: &str, namespace: &str| {
        format!(
            "helm --kube-context=admin@east upgrade {release} /charts/{chart} --namespace={namespace} \
             --reset-then-reuse-values --wait --timeout=10m"
        )
    };
    assert_eq!(
        commands(&runbook),
        [
            helm("istio-base", "base", "istio-system"),
            helm("istiod", "istiod", "istio-system"),
            helm("istio-cni", "cni", "istio-system"),
            helm("ztunnel", "ztunnel", "istio-system"),
            helm("ingress", "gateway", "istio-ingress"),
            "kubectl --context=admin@east rollout restart deployment/ingress --namespace=istio-ingress".to_owned(),
            "kubectl --context=admin@east rollout restart deployment/reviews --namespace=shop".to_owned(),
        ]
    );
    let istiod = &runbook.chapters[1].steps[1];
    assert_eq!(
        istiod.back.commands,
        ["helm --kube-context=admin@east rollback istiod 3 --namespace=istio-system --wait --timeout=10m"]
    );
    assert!(
        istiod.back.says.contains("MG003") && istiod.back.says.contains("management: External first"),
        "the guard stands there: {}",
        istiod.back.says
    );
}

#[test]
fn an_external_control_plane_is_proved_where_its_configuration_is() {
    let mut inventory = inventory("1.30.3");
    let mut west = sample::cluster("west", "1.30.3", "v1.34.1");
    sample::seen(&mut west).control_planes.clear();
    inventory.clusters.push(west);
    inventory.seen(0).hosted = vec![crate::inventory::Hosted {
        namespace: "istio-system".to_owned(),
        cluster: "west".to_owned(),
    }];
    let mut wish = wish("1.31.0", None);
    wish.contexts.insert("west".to_owned(), "admin@west".to_owned());
    let today = "2026-11-28".parse().unwrap();
    let runbook = build(&the_mesh(&inventory), &inventory, &wish, &CATALOG, today).unwrap();
    assert!(
        runbook
            .notes
            .iter()
            .any(|note| note.contains("configuration, Istio's definitions and its webhooks are in west")),
        "{:?}",
        runbook.notes
    );
    let mut steps = runbook.chapters.iter().flat_map(|chapter| &chapter.steps);
    let istiod = steps
        .find(|step| step.title.starts_with("istiod: ") && step.cluster.as_deref() == Some("east"))
        .unwrap();
    let injection = istiod.look.iter().filter_map(|look| look.command.as_deref());
    let injection: Vec<&str> = injection.filter(|command| command.contains(" run ")).collect();
    assert!(
        injection.iter().all(|command| command.contains("--context=admin@west")) && !injection.is_empty(),
        "{injection:?}"
    );
    let validation = istiod.after.iter().find(|check| check.says.contains("validation"));
    assert!(validation.unwrap().command.contains("--context=admin@west"));
}

#[test]
fn the_owner_of_an_external_mesh_goes_back_past_the_guard() {
    let mut inventory = inventory("1.30.3");
    let mut record = sample::record("default");
    record.management = Management::External;
    inventory.seen(0).meshes = vec![record];
    let runbook = guide(&inventory, "1.31.0", None).unwrap();
    let back = &runbook.chapters[1].steps[1].back;
    let [reason, allow, seen, rollback, close] = back.commands.as_slice() else {
        panic!("{back:#?}");
    };
    assert_eq!(reason, ": \"${REASON:?say why the mesh goes back}\"");
    assert!(
        allow.starts_with("kubectl --context=admin@east patch meshes.meshupgrade.io/default --type=merge --patch=")
            && allow.contains(" 1.30.3 \"$(kubectl --context=admin@east auth whoami "),
        "{allow}"
    );
    assert!(seen.contains("wait --for=condition=DowngradeAllowed"), "{seen}");
    assert!(rollback.contains("rollback istiod 3"), "{rollback}");
    assert!(
        close.contains(r#"'--patch=[{"op":"remove","path":"/spec/downgrade"}]'"#),
        "{close}"
    );
    assert!(back.says.contains("mesh-upgrade-downgrader"), "{}", back.says);
    assert_eq!(runbook.chapters[1].steps[0].back.commands, Vec::<String>::new(), "base");
    // Without a guard nothing is in the way.
    inventory.seen(0).guard.webhook = false;
    let runbook = guide(&inventory, "1.31.0", None).unwrap();
    assert_eq!(runbook.chapters[1].steps[1].back.commands.len(), 1);
}

#[test]
fn pinned_tags_and_what_helm_4_made_are_respected() {
    let mut inventory = inventory("1.30.3");
    let values = serde_json::json!({"global": {"tag": "1.30.3-distroless", "password": "hunter2"}});
    inventory.seen(0).helm_releases[1].settings = crate::helm::ReleaseSettings::read(&values, true);
    let runbook = guide(&inventory, "1.31.0", None).unwrap();
    let istiod = &commands(&runbook)[1];
    assert!(
        istiod.ends_with(" --force-conflicts --set-string=global.tag=1.31.0-distroless"),
        "{istiod}"
    );
    let everything = markdown(&runbook, &str::to_owned)
        + &script(&runbook, &str::to_owned)
        + &serde_json::to_string(&runbook).unwrap();
    assert!(!everything.contains("hunter2"));
    assert!(everything.contains("helm is version 4"));
}

#[test]
fn a_journey_goes_hop_by_hop_with_kubernetes_between() {
    let mut inventory = inventory("1.28.5");
    inventory.seen(0).kubernetes = "v1.31.2".parse().unwrap();
    let runbook = guide(&inventory, "1.31.0", None).unwrap();
    let chapters: Vec<&str> = runbook.chapters.iter().map(|chapter| chapter.title.as_str()).collect();
    assert_eq!(
        chapters,
        [
            "Before you begin",
            "Istio 1.28.5 to 1.29.10",
            "Kubernetes of east: 1.31 to 1.32",
            "Istio 1.29.10 to 1.30.7",
            "Istio 1.30.7 to 1.31.0",
        ]
    );
    assert!(runbook.notes.iter().any(|note| note.contains("not tested by Istio")));
    // Helm counts on: the revision to go back to is known for the first hop alone.
    assert!(runbook.chapters[1].steps[1].back.commands[0].contains(" rollback istiod 3 "));
    assert!(runbook.chapters[3].steps[1].back.commands[0].contains(" rollback istiod --namespace"));
}

#[test]
fn a_canary_moves_everything_before_the_old_one_goes() {
    let mut inventory = inventory("1.30.3");
    let around = inventory.around(0);
    let mut tag = sample::webhook("istio-revision-tag-prod");
    tag.tag = Some("prod".to_owned());
    let mut validator = sample::webhook("x");
    validator.configuration = "ValidatingWebhookConfiguration istiod-default-validator".to_owned();
    around.webhooks.extend([tag, validator]);
    around.namespaces = vec![NamespaceRevision {
        namespace: "pay".to_owned(),
        revision: "prod".to_owned(),
    }];
    let runbook = guide(&inventory, "1.31.0", Some(Strategy::Canary)).unwrap();
    assert_eq!(
        titles(&runbook)[3..],
        [
            "Istio 1.30.3 to 1.31.0",
            "  base: helm release istio-base in istio-system to 1.31.0",
            "  istiod: revision 1-31-0 beside default",
            "  Tag prod from default to 1-31-0",
            "  Namespace shop to 1-31-0",
            "  Proof that nothing uses default any more",
            "  Default revision: default to 1-31-0",
            "  Remove revision default",
        ]
    );
    let commands = commands(&runbook);
    let has = |part: &str| commands.iter().any(|command| command.contains(part));
    for part in [
        "get values istiod --namespace=istio-system --output=yaml > \"$WORK\"/1-istiod.yaml",
        "upgrade --install istiod-1-31-0 /charts/istiod",
        "'--set-json=revisionTags=[\"prod\"]'",
        "label namespace shop --overwrite istio.io/rev=1-31-0 istio-injection-",
        "rollout restart deployment/reviews --namespace=shop",
        "--set-string=defaultRevision=1-31-0",
        "uninstall istiod --namespace=istio-system --wait",
        "'--set-json=revisionTags=[\"default\"]'",
    ] {
        assert!(has(part), "{part} is not in {commands:#?}");
    }
}

#[test]
fn the_second_hop_of_a_canary_leaves_the_first_ones_revision() {
    let mut inventory = inventory("1.29.3");
    let plane = &mut inventory.seen(0).control_planes[0];
    plane.revision = "1-29-3".to_owned();
    plane.workload.name = "istiod-1-29-3".to_owned();
    plane.helm_release = Some(("istio-system".to_owned(), "istiod-1-29-3".to_owned()));
    inventory.seen(0).helm_releases[1].name = "istiod-1-29-3".to_owned();
    let runbook = guide(&inventory, "1.31.0", None).unwrap();
    assert_eq!(
        runbook.strategy,
        Strategy::Canary,
        "a revision of its own is followed by the next"
    );
    let commands = commands(&runbook).join("\n");
    for part in [
        "uninstall istiod-1-29-3 ",
        "get values istiod-1-30-7 ",
        "upgrade --install istiod-1-31-0 ",
        "uninstall istiod-1-30-7 ",
    ] {
        assert!(commands.contains(part), "{part} is not in {commands}");
    }
}

#[test]
fn each_installer_has_its_own_way() {
    for (mark, part) in [
        (
            "istioctl",
            "istioctl --context=admin@east install --skip-confirmation --filename=\"${ISTIO_FILE:?",
        ),
        (
            "operator",
            "kubectl --context=admin@east patch istio.sailoperator.io prod --type=merge \
             '--patch={\"spec\":{\"version\":\"v1.31.0\"}}'",
        ),
        (
            "gitops",
            "by hand: in the repository that Argo CD application mesh follows, move the chart istiod",
        ),
        (
            "nobody",
            "by hand: upgrade istiod to 1.31.0 with the tool that installed it",
        ),
    ] {
        let mut inventory = inventory("1.30.3");
        inventory.seen(0).helm_releases.clear();
        let plane = &mut inventory.seen(0).control_planes[0];
        plane.helm_release = None;
        match mark {
            "istioctl" => plane.ownership.istioctl = true,
            "operator" => plane.ownership.operator = Some(OperatorObject::new("IstioRevision", "prod-v1-30-3")),
            "gitops" => plane.ownership.gitops = Some(GitOpsOwner::application("mesh")),
            _ => {}
        }
        let commands = commands(&guide(&inventory, "1.31.0", None).unwrap());
        assert!(
            commands.iter().any(|command| command.starts_with(part)),
            "{mark}: {commands:#?}"
        );
    }
}

#[test]
fn the_sail_operator_brings_a_revision_beside_and_namespaces_are_led_to_it() {
    let mut inventory = crate::gitops::sample::by_sail_revisions("1.30.3");
    let old = inventory.seen(0).control_planes[0].clone();
    inventory.seen(0).data_plane = Some(Box::new(DataPlane {
        workloads: vec![sidecars(Owner::Deployment("reviews".to_owned()), "1.30.3")],
        injected: Vec::new(),
    }));
    inventory.around(0).namespaces.push(NamespaceRevision {
        namespace: "shop".to_owned(),
        revision: old.revision.clone(),
    });
    let told = commands(&guide(&inventory, "1.31.0", None).unwrap()).join("\n");
    for part in [
        "patch istio.sailoperator.io default --type=merge '--patch={\"spec\":{\"version\":\"v1.31.0\"}}'",
        "label namespace shop --overwrite istio.io/rev=default-v1-31-0",
        "rollout restart deployment/reviews --namespace=shop",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let runbook = guide(&inventory, "1.31.0", None).unwrap();
    let titles = titles(&runbook).join("\n");
    assert!(titles.contains("istiod: deployment/istiod-default-v1-31-0"), "{titles}");
    assert!(!titles.contains("istiod-default-v1-30-3"), "{titles}");
    // In several hops each revision is followed by the next, whatever was observed.
    let mut older = crate::gitops::sample::by_sail_revisions("1.29.3");
    older.seen(0).data_plane.clone_from(&inventory.seen(0).data_plane);
    let told = commands(&guide(&older, "1.31.0", None).unwrap()).join("\n");
    assert_eq!(
        told.matches("patch istio.sailoperator.io default ").count(),
        2,
        "{told}"
    );
    // The one that goes by itself has no step of its own.
    let standing = crate::gitops::sample::beside_by_sail("1.30.3", "1.31.0");
    let titles = self::titles(&guide(&standing, "1.31.1", None).unwrap()).join("\n");
    assert_eq!(titles.matches("istiod: deployment/").count(), 1, "{titles}");
}

#[test]
fn what_has_no_way_says_why() {
    let mut ambient = inventory("1.30.3");
    sample::add_ambient(&mut ambient.clusters[0], "1.30.3");
    let mut unreadable = inventory("1.30.3");
    unreadable.seen(0).control_planes[0].version = sample::version("latest");
    for (inventory, to, strategy, part) in [
        (inventory("1.31.0"), "1.31.0", None, "runs 1.31.0 already"),
        (inventory("1.31.0"), "1.30.7", None, "newer than 1.30.7"),
        (inventory("1.30.3"), "1.31.0-mspider", None, "another flavor"),
        (inventory("1.30.3"), "1.35.0", None, "does not know 1.32"),
        (unreadable, "1.31.0", None, "no control plane whose version can be read"),
        (ambient, "1.31.0", Some(Strategy::Canary), "ztunnel"),
    ] {
        let error = guide(&inventory, to, strategy).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let mut inventory = inventory("1.30.3");
    inventory.clusters.push(sample::unknown("west"));
    let error = guide(&inventory, "1.31.0", None).unwrap_err().to_string();
    assert!(error.contains("west"), "{error}");
}

#[test]
fn charts_are_named_as_helm_takes_them() {
    let to = "1.31.0".parse().unwrap();
    for (charts, words) in [
        (
            Charts::Remote("oci://x/charts/".to_owned()),
            vec!["oci://x/charts/istiod", "--version=1.31.0"],
        ),
        (
            Charts::Remote("https://x/c".to_owned()),
            vec!["istiod", "--repo=https://x/c", "--version=1.31.0"],
        ),
        (Charts::Folder("/c".to_owned(), Vec::new()), vec!["/c/istiod"]),
        (
            Charts::Folder("/c".to_owned(), vec!["istiod-1.31.0.tgz".to_owned()]),
            vec!["/c/istiod-1.31.0.tgz"],
        ),
    ] {
        assert_eq!(charts.words(Component::Istiod, &to), words);
    }
}

#[test]
fn names_stay_text_on_the_page() {
    let mut inventory = inventory("1.30.3");
    inventory.seen(0).control_planes[0].image = "registry.corp/```\n# x/pilot:1.30.3".to_owned();
    let page = markdown(&guide(&inventory, "1.31.0", None).unwrap(), &str::to_owned);
    assert!(!page.contains("\n# x"), "{page}");
    assert!(page.contains("\\`\\`\\` # x: the images"), "{page}");
}

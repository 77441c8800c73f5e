//! What is to be merged, and what cannot be waited for.

use super::{Application, Followed, HelmRelease, patch, sample};
use crate::{
    api::{InstallerKind, PlanStep},
    arrival::{self, Arrival},
    catalog::Catalog,
    inventory::{GitOpsOwner, Inventory},
    mesh::meshes,
    plan,
    preflight::{
        Target,
        tests::{check, found, ids},
    },
};
use serde_json::{Value, json};

pub(super) fn application(change: impl FnOnce(&mut Value)) -> Option<Followed> {
    let mut object = json!({
        "metadata": {"namespace": "argocd", "name": "istiod"},
        "spec": {
            "source": {"repoURL": "https://charts.example.com", "chart": "istiod", "targetRevision": "1.31.0"},
            "destination": {"server": "https://kubernetes.default.svc"},
            "syncPolicy": {"automated": {}},
        },
        "status": {
            "sync": {"status": "Synced", "revision": "1.31.0"},
            "health": {"status": "Healthy"},
            "operationState": {"phase": "Succeeded", "message": "successfully synced"},
        },
    });
    change(&mut object);
    let read: Application = serde_json::from_value(object).unwrap();
    read.followed(&[sample::ARGO_CD_USER.to_owned()])
}

pub(super) fn release(change: impl FnOnce(&mut Value)) -> Option<Followed> {
    let mut object = json!({
        "metadata": {"namespace": "mesh", "name": "istiod", "generation": 3},
        "spec": {"chart": {"spec": {"chart": "istiod", "version": "1.31.0"}}},
        "status": {
            "observedGeneration": 3,
            "history": [{"chartName": "istiod", "chartVersion": "1.31.0"}, {"chartName": "istiod", "chartVersion": "1.30.3"}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "UpgradeSucceeded", "message": "",
                "lastTransitionTime": "2026-11-24T04:00:00Z"}],
        },
    });
    change(&mut object);
    let read: HelmRelease = serde_json::from_value(object).unwrap();
    read.followed(Some("system:serviceaccount:flux-system:helm-controller"))
}

/// What is waited for; empty where it has arrived.
pub(super) fn waits(followed: Option<Followed>) -> String {
    match followed.unwrap().arrival("1.31.0") {
        Arrival::Arrived(_) => String::new(),
        Arrival::Waiting(what) => what,
    }
}

/// What has to be merged, where nothing pins a tag.
fn merged(followed: &Followed) -> String {
    let step = steps(&sample::by_argo_cd("1.30.3")).remove(1);
    patch(followed, None, &step)
}

#[test]
fn the_change_to_merge_is_told_as_a_patch() {
    let old = application(|it| it["spec"]["source"]["targetRevision"] = json!("1.30.3")).unwrap();
    assert_eq!(
        merged(&old),
        "--- Application argocd/istiod\n+++ Application argocd/istiod\n spec:\n   source:\n     chart: istiod\n\
         -    targetRevision: 1.30.3\n+    targetRevision: 1.31.0\n"
    );
    assert_eq!(merged(&application(|_| {}).unwrap()), "", "it is merged");
    let several = application(|it| {
        it["spec"]["source"] = json!(null);
        it["spec"]["sources"] = json!([{"repoURL": "https://git", "ref": "values"},
            {"repoURL": "oci://registry/charts/istiod", "targetRevision": "1.30.3"}]);
    });
    assert_eq!(
        merged(&several.unwrap()),
        "--- Application argocd/istiod\n+++ Application argocd/istiod\n spec:\n   sources:\n   - # the source of index 1\n     \
         chart: istiod\n-    targetRevision: 1.30.3\n+    targetRevision: 1.31.0\n"
    );
    let flux = release(|it| it["spec"]["chart"]["spec"]["version"] = json!("1.30.3")).unwrap();
    assert_eq!(
        merged(&flux),
        "--- HelmRelease mesh/istiod\n+++ HelmRelease mesh/istiod\n spec:\n   chart:\n     spec:\n       chart: istiod\n\
         -      version: 1.30.3\n+      version: 1.31.0\n"
    );
    let elsewhere = release(|it| it["spec"] = json!({"chartRef": {"kind": "OCIRepository", "name": "istiod"}}));
    assert_eq!(
        merged(&elsewhere.unwrap()),
        "--- OCIRepository mesh/istiod\n+++ OCIRepository mesh/istiod\n spec:\n   ref:\n+    tag: 1.31.0\n"
    );
}

#[test]
fn what_cannot_be_waited_for_says_why() {
    type Change = fn(&mut Value);
    let applications: [(Change, Option<&str>); 4] = [
        (|_| {}, None),
        (
            |it| it["spec"]["destination"] = json!({"server": "https://east.example.com"}),
            Some("to another cluster"),
        ),
        (|it| it["spec"]["destination"] = json!({"name": "in-cluster"}), None),
        (
            |it| it["spec"]["destination"] = json!({"namespace": "x"}),
            Some("to another cluster"),
        ),
    ];
    for (change, expected) in applications {
        let obstacle = application(change).unwrap().obstacle;
        assert_eq!(obstacle.is_some(), expected.is_some(), "{obstacle:?}");
        assert!(obstacle.unwrap_or_default().contains(expected.unwrap_or_default()));
    }
    let releases: [(Change, Option<&str>); 6] = [
        (|_| {}, None),
        (|it| it["spec"]["suspend"] = json!(true), Some("it is suspended")),
        (
            |it| it["spec"]["kubeConfig"] = json!({"secretRef": {"name": "x"}}),
            Some("to another cluster"),
        ),
        (
            |it| it["spec"]["chart"]["spec"]["sourceRef"] = json!({"kind": "HelmRepository", "name": "istio"}),
            None,
        ),
        (
            |it| {
                let sources =
                    json!({"chart": "./charts/istiod", "sourceRef": {"kind": "GitRepository", "name": "mesh"}});
                it["spec"]["chart"]["spec"] = sources;
            },
            Some("is a folder of a GitRepository"),
        ),
        (
            |it| it["spec"]["storageNamespace"] = json!("flux-system"),
            Some("in another namespace"),
        ),
    ];
    for (change, expected) in releases {
        let obstacle = release(change).unwrap().obstacle;
        assert_eq!(obstacle.is_some(), expected.is_some(), "{obstacle:?}");
        assert!(obstacle.unwrap_or_default().contains(expected.unwrap_or_default()));
    }
    assert_eq!(application(|it| it["spec"]["source"]["chart"] = json!("kiali")), None);
    assert_eq!(application(|it| it["spec"]["source"] = json!({"path": "mesh"})), None);
    assert_eq!(
        release(|it| it["spec"]["chart"]["spec"]["chart"] = json!("kiali")),
        None
    );
}

#[test]
fn an_application_is_let_written_for_by_one_controller_alone() {
    for (status, home) in [
        (json!({}), "argocd"),
        (json!({"controllerNamespace": "openshift-gitops"}), "openshift-gitops"),
    ] {
        let object = json!({"metadata": {"namespace": "argocd", "name": "istiod"}, "status": status, "spec": {
            "source": {"chart": "istiod", "targetRevision": "1.30.3"}, "destination": {"name": "in-cluster"}}});
        let read: Application = serde_json::from_value(object).unwrap();
        assert_eq!(read.home(), home);
        for (writers, user, obstacle) in [
            (&["a"][..], Some("a"), ""),
            (&[], None, "no pod of Argo CD's application controller"),
            (&["a", "b"], None, "knows which one to let write: a, b"),
        ] {
            let writers: Vec<String> = writers.iter().map(|one| (*one).to_owned()).collect();
            let followed = read.followed(&writers).unwrap();
            let why = followed.obstacle.unwrap_or_default();
            assert_eq!(followed.user.as_deref(), user);
            assert!(why.contains(obstacle) && why.is_empty() == obstacle.is_empty(), "{why}");
        }
    }
}

#[test]
fn a_helm_release_names_its_release_and_its_writer_as_flux_does() {
    for (spec, expected, user) in [
        (
            json!({}),
            "mesh/istiod",
            "system:serviceaccount:flux-system:helm-controller",
        ),
        (
            json!({"targetNamespace": "istio-system", "storageNamespace": "istio-system", "serviceAccountName": "deploys"}),
            "istio-system/istio-system-istiod",
            "system:serviceaccount:mesh:deploys",
        ),
        (
            json!({"releaseName": "control"}),
            "mesh/control",
            "system:serviceaccount:flux-system:helm-controller",
        ),
    ] {
        let found = release(|it| {
            let fields = it["spec"].as_object_mut().unwrap();
            fields.extend(spec.as_object().unwrap().clone());
        });
        let found = found.unwrap();
        let release = found.release.unwrap();
        assert_eq!(format!("{}/{}", release.namespace, release.name), expected);
        assert_eq!((found.user.as_deref(), found.obstacle), (Some(user), None));
    }
}

pub(super) fn steps(inventory: &Inventory) -> Vec<PlanStep> {
    let mesh = meshes(inventory).remove(0);
    let target = Target::new("1.31.0".parse().unwrap());
    plan::plan(&mesh, inventory, &target, "", &Catalog::embedded().unwrap())
        .map_or_else(|error| panic!("{error}"), |plan| plan.steps)
}

#[test]
fn each_application_is_a_step_in_the_order_of_an_upgrade() {
    let inventory = sample::by_argo_cd("1.30.3");
    assert_eq!(ids(&check(&inventory, "1.31.0")), [""; 0]);
    let steps = steps(&inventory);
    let shown: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(
        shown,
        [
            "east/base/argocd/base",
            "east/istiod/argocd/istiod",
            "east/cni/argocd/cni",
            "east/ztunnel/argocd/ztunnel",
            "east/gateway/argocd/gateway"
        ]
    );
    assert!(
        steps
            .iter()
            .all(|step| step.installer == InstallerKind::ArgoCd && step.from == "1.30.3")
    );
    assert_eq!(steps[1].workloads[0].name, "istiod");
}

#[test]
fn what_helm_left_behind_an_application_is_never_upgraded_by_helm() {
    let by_argo_cd = steps(&sample::by_argo_cd("1.30.3"));
    // The records may be as old as they like, and in any state.
    for once in ["1.30.3", "1.24.1"] {
        let mut inventory = sample::by_argo_cd_after_helm("1.30.3", once);
        inventory.seen(0).helm_releases[0].status = "failed".to_owned();
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), [""; 0]);
        let left = "helm release istio-system/istiod is left of what installed it before";
        assert!(report.passed.iter().any(|passed| passed.summary.contains(left)));
        assert_eq!(steps(&inventory), by_argo_cd);
    }
    let inventory = sample::by_argo_cd_after_helm("1.30.3", "1.30.3");
    let mesh = meshes(&inventory).remove(0);
    let target = Target::new("1.31.0".parse().unwrap());
    let plan = plan::plan(&mesh, &inventory, &target, "", &Catalog::embedded().unwrap()).unwrap();
    let frozen = &plan.clusters[0].scope.helm_releases;
    assert!(frozen.iter().any(|release| release.name == "istiod"), "{frozen:?}");
    // An Application that nothing can be waited for, and that somebody waived, has helm do it.
    let mut inventory = sample::by_argo_cd_after_helm("1.30.3", "1.30.3");
    inventory.seen(0).followed[1].obstacle = Some("it is elsewhere".to_owned());
    let kinds: Vec<_> = steps(&inventory).iter().map(|step| step.installer).collect();
    assert_eq!(kinds[1], InstallerKind::Helm, "{kinds:?}");
}

#[test]
fn flux_brings_the_helm_releases_that_it_keeps() {
    let mut inventory = sample::by_flux("1.30.3");
    assert_eq!(ids(&check(&inventory, "1.31.0")), [""; 0]);
    let kinds = |inventory: &Inventory| {
        let shown = steps(inventory).into_iter().map(|step| (step.release, step.installer));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(
        kinds(&inventory),
        [
            ("istio-base".to_owned(), InstallerKind::Flux),
            ("istiod".to_owned(), InstallerKind::Flux)
        ]
    );
    // Suspended, nothing would arrive: that blocks, and who waives it has helm do it.
    inventory.seen(0).followed[1].obstacle = Some("it is suspended".to_owned());
    let report = check(&inventory, "1.31.0");
    assert!(
        found(&report, "MU409")
            .cause
            .ends_with("cannot wait for it: it is suspended")
    );
    assert_eq!(kinds(&inventory)[1].1, InstallerKind::Helm);
}

#[test]
fn only_the_controller_that_a_step_waits_for_is_let_through() {
    let inventory = sample::by_argo_cd("1.30.3");
    let mesh = meshes(&inventory).remove(0);
    let target = Target::new("1.31.0".parse().unwrap());
    let plan = plan::plan(&mesh, &inventory, &target, "", &Catalog::embedded().unwrap()).unwrap();
    let scope = &plan.clusters[0].scope;
    assert!(scope.applications.contains(&"istiod".to_owned()) && scope.applications.contains(&"argocd_cni".to_owned()));
    assert_eq!(scope.controllers.len(), 5);
    let istiod = scope
        .controllers
        .iter()
        .find(|one| one.step == "east/istiod/argocd/istiod")
        .unwrap();
    assert_eq!(
        (istiod.user.as_str(), istiod.version.as_str()),
        (sample::ARGO_CD_USER, "1.31.0")
    );
    assert_eq!(istiod.applications, ["istiod", "argocd_istiod"]);
    assert_eq!(plan.journal_version(), 3);
}

#[test]
fn what_comes_all_at_once_is_refused() {
    let mut inventory = sample::by_argo_cd("1.30.3");
    let observed = inventory.seen(0);
    let base = observed.followed.remove(0);
    observed.followed[0].sources.extend(base.sources);
    let report = check(&inventory, "1.31.0");
    let finding = found(&report, "MU416");
    assert!(
        finding.cause.contains("Application argocd/istiod holds istiod, base"),
        "{}",
        finding.cause
    );
    assert!(!report.is_free());
}

#[test]
fn an_application_that_nobody_finds_blocks() {
    let mut inventory = sample::by_argo_cd("1.30.3");
    inventory.seen(0).followed.retain(|one| one.name != "ztunnel");
    let report = check(&inventory, "1.31.0");
    assert!(
        found(&report, "MU409")
            .cause
            .contains("Argo CD application ztunnel owns it")
    );
}

#[test]
fn what_only_a_common_label_tells_cannot_be_frozen_around() {
    let mut inventory = sample::by_argo_cd("1.30.3");
    inventory.seen(0).control_planes[0].ownership.gitops = Some(GitOpsOwner::by_instance_label("istiod"));
    let report = check(&inventory, "1.31.0");
    let cause = &found(&report, "MU409").cause;
    assert!(cause.contains("tracks by a label") && !report.is_free(), "{cause}");
}

#[test]
fn a_step_waits_for_the_object_and_for_what_runs() {
    let inventory = sample::by_argo_cd("1.30.3");
    let step = steps(&inventory).remove(1);
    let mut arrived = sample::by_argo_cd("1.31.0");
    let observed = arrived.seen(0);
    let arrival = |observed: &crate::inventory::Observed| match arrival::of_step(&step, observed) {
        Arrival::Arrived(_) => String::new(),
        Arrival::Waiting(what) => what,
    };
    assert_eq!(arrival(observed), "");
    observed.control_planes[0].rollout.ready = 1;
    assert!(
        arrival(observed).contains("to roll out"),
        "Argo CD says that it is healthy"
    );
    observed.followed[1] = sample::application("istiod", "1.30.3");
    assert!(arrival(observed).starts_with("the change to be merged"));
    observed.followed.remove(1);
    assert_eq!(
        arrival(observed),
        "the object that brings Application argocd/istiod to be found"
    );
}

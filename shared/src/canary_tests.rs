//! Tests of canaries: which revision goes, what hinders, what is due, and what still uses the old one; and of their plans.

use super::*;
use crate::{
    api::{Plan, PlanStep},
    arrival::{self, Arrival},
    catalog::Catalog,
    finding::Severity,
    inventory::{Inventory, NamespaceRevision, sample},
    mesh::meshes,
    plan::{PlanError, drift, plan},
    preflight::{
        Target,
        tests::{check_target, found},
    },
};

const OLD: &str = "1-30-3";
const NEW: &str = "1-31-0";

fn plane(revision: &str, version: &str) -> ControlPlane {
    let mut plane = sample::istiod("istio-system", version);
    plane.revision = revision.to_owned();
    plane.workload.name = format!("istiod-{revision}");
    plane.user = format!("system:serviceaccount:istio-system:istiod-{revision}");
    plane.config_maps = vec![
        format!("istio-{revision}"),
        format!("istio-sidecar-injector-{revision}"),
    ];
    plane.helm_release = Some(("istio-system".to_owned(), format!("istiod-{revision}")));
    plane
}

fn webhook(name: &str, revision: &str, tag: Option<&str>, release: Option<&str>) -> Webhook {
    let mut webhook = sample::webhook(name);
    webhook.revision = Some(revision.to_owned());
    webhook.tag = tag.map(str::to_owned);
    webhook.helm_release = release.map(|name| ("istio-system".to_owned(), name.to_owned()));
    webhook
}

/// A mesh of revision 1-30-3 with a tag that its release brought, another that istioctl set, and its default validator.
fn mesh() -> Inventory {
    let mut inventory = sample::one("1.30.3", "v1.36.3");
    let observed = inventory.seen(0);
    observed.control_planes = vec![plane(OLD, "1.30.3")];
    observed.helm_releases[1].name = format!("istiod-{OLD}");
    observed.proxies.clear();
    let mut validator = webhook("x", OLD, None, Some("istio-base"));
    validator.configuration = DEFAULT_VALIDATOR.to_owned();
    inventory.around(0).webhooks = vec![
        webhook("istio-sidecar-injector-1-30-3", OLD, None, Some("istiod-1-30-3")),
        webhook("istio-revision-tag-prod", OLD, Some("prod"), Some("istiod-1-30-3")),
        webhook("istio-revision-tag-test", OLD, Some("test"), None),
        validator,
    ];
    inventory
}

/// The same after the first upgrade.
fn placed() -> Inventory {
    let mut inventory = mesh();
    let observed = inventory.seen(0);
    observed.control_planes.push(plane(NEW, "1.31.0"));
    observed.helm_releases[0].chart_version = "1.31.0".to_owned();
    let release = sample::release("istio-system", "istiod-1-31-0", "istiod", "1.31.0");
    observed.helm_releases.push(release);
    for webhook in inventory.around(0).webhooks.iter_mut().skip(1) {
        webhook.revision = Some(NEW.to_owned());
        if webhook.tag.is_some() {
            webhook.helm_release = Some(("istio-system".to_owned(), "istiod-1-31-0".to_owned()));
        }
    }
    inventory
}

fn planned(inventory: &Inventory) -> Result<Plan, PlanError> {
    let target = Target::new("1.31.0".parse().unwrap()).as_canary(true);
    let meshes = meshes(inventory);
    plan(&meshes[0], inventory, &target, "charts", &Catalog::embedded().unwrap())
}

fn told(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(PlanStep::runs).collect()
}

#[test]
fn the_first_upgrade_installs_and_moves_in_this_order() {
    let mut inventory = mesh();
    sample::add_ambient(&mut inventory.clusters[0], "1.30.3");
    let observed = inventory.seen(0);
    observed.node_components.truncate(1);
    observed.helm_releases.retain(|release| release.name != "ztunnel");
    let gateway = observed.helm_releases.iter_mut().find(|one| one.name == "ingress");
    gateway.unwrap().settings.revision = Some(OLD.to_owned());
    let plan = planned(&inventory).unwrap();
    assert_eq!(
        told(&plan),
        [
            "helm upgrade istio-base",
            "helm install istiod-1-31-0 beside istiod-1-30-3",
            "tags prod, test to revision 1-31-0",
            "default validator to revision 1-31-0",
            "helm upgrade istio-cni",
            "helm upgrade ingress",
        ]
    );
    let settings: Vec<Vec<String>> = plan.steps.iter().map(PlanStep::settings).collect();
    assert_eq!(
        settings.concat(),
        [
            "--set-string=revision=1-31-0",
            "--set-json=revisionTags=[]",
            "--set-json=revisionTags=[\"prod\",\"test\"]",
            "--set-string=defaultRevision=1-31-0",
            "--set-string=revision=1-31-0",
        ]
    );
    assert_eq!(plan.steps[1].values_of(), "istiod-1-30-3");
    assert_eq!(plan.journal_version(), 4);
    assert_eq!(plan.clusters[0].beside[0].name, "istiod-1-30-3");
    assert_eq!(drift(&plan, &inventory), Vec::<String>::new());
    // Both revisions are frozen, and the new istiod passes.
    let scope = &plan.clusters[0].scope;
    let named = |list: &[crate::api::ObjectName], name: &str| list.iter().any(|one| one.name == name);
    for revision in [OLD, NEW] {
        assert!(named(&scope.helm_releases, &format!("istiod-{revision}")));
        assert!(named(&scope.config_maps, &format!("istio-{revision}")));
        assert!(
            scope
                .workloads
                .iter()
                .any(|one| one.name == format!("istiod-{revision}"))
        );
        assert!(scope.istiod_users.iter().any(|user| user.ends_with(revision)));
    }
}

#[test]
fn what_is_done_already_is_left_out_and_then_the_old_one_goes() {
    let mut inventory = placed();
    let plan = planned(&inventory).unwrap();
    assert_eq!(told(&plan), ["helm uninstall istiod-1-30-3"]);
    assert_eq!(plan.removal().unwrap().from, "1.30.3");
    assert_eq!(drift(&plan, &inventory), Vec::<String>::new());

    inventory.around(0).webhooks[1].revision = Some(OLD.to_owned());
    assert_eq!(
        told(&planned(&inventory).unwrap()),
        ["tags prod, test to revision 1-31-0"]
    );

    let mut inventory = placed();
    let gateway = sample::release("istio-ingress", "ingress", "gateway", "1.31.0");
    inventory.seen(0).helm_releases.push(gateway);
    inventory.seen(0).helm_releases[3].settings.revision = Some(OLD.to_owned());
    assert_eq!(told(&planned(&inventory).unwrap()), ["helm upgrade ingress"]);

    let mut inventory = placed();
    inventory.seen(0).control_planes.remove(0);
    inventory.seen(0).helm_releases.remove(1);
    assert!(matches!(planned(&inventory), Err(PlanError::NothingToDo { .. })));
}

#[test]
fn only_one_minor_lies_between_the_two() {
    let mut inventory = mesh();
    inventory.seen(0).control_planes = vec![plane("1-29-1", "1.29.1")];
    inventory.seen(0).helm_releases[1].name = "istiod-1-29-1".to_owned();
    inventory.seen(0).helm_releases[1].chart_version = "1.29.1".to_owned();
    inventory.around(0).webhooks.clear();
    assert!(matches!(planned(&inventory), Err(PlanError::Skip { .. })));
}

#[test]
fn steps_arrive_by_what_leads_where() {
    let before = mesh();
    let plan = planned(&before).unwrap();
    let mut after = placed();
    for step in &plan.steps {
        let mut before = before.clone();
        let waits = arrival::of_step(step, before.seen(0));
        assert!(matches!(waits, Arrival::Waiting(_)), "{}: {waits:?}", step.id);
        let there = arrival::of_step(step, after.seen(0));
        assert!(matches!(there, Arrival::Arrived(_)), "{}: {there:?}", step.id);
    }
    let removal = planned(&after).unwrap().steps[0].clone();
    let waits = |inventory: &mut Inventory, part: &str| match arrival::of_step(&removal, inventory.seen(0)) {
        Arrival::Waiting(what) => assert!(what.contains(part), "{what}"),
        Arrival::Arrived(evidence) => panic!("{evidence}"),
    };
    waits(&mut after, "helm release istiod-1-30-3 to be gone (now deployed)");
    after.seen(0).helm_releases.remove(1);
    waits(&mut after, "Deployment istio-system/istiod-1-30-3 to be gone");
    after.seen(0).control_planes.remove(0);
    waits(&mut after, "istio-sidecar-injector-1-30-3 to be gone");
    after.around(0).webhooks.remove(0);
    let tag = after.around(0).webhooks.remove(0);
    waits(&mut after, "the tag prod to lead to revision 1-31-0");
    after.around(0).webhooks.push(tag);
    let new = after
        .seen(0)
        .helm_releases
        .iter()
        .position(|release| release.name == "istiod-1-31-0");
    let new = new.unwrap();
    for status in ["pending-upgrade", "failed"] {
        after.seen(0).helm_releases[new].status = status.to_owned();
        waits(&mut after, "helm release istiod-1-31-0 to be deployed");
    }
    after.seen(0).helm_releases[new].status = "deployed".to_owned();
    assert!(matches!(arrival::of_step(&removal, after.seen(0)), Arrival::Arrived(_)));
}

type Spoil = fn(&mut Inventory);

#[test]
fn what_hinders_a_canary_is_said() {
    let cases: [(Spoil, &str); 9] = [
        (
            |it| it.seen(0).control_planes = vec![sample::istiod("istio-system", "1.30.3")],
            "has no revision of its own",
        ),
        (
            |it| it.seen(0).control_planes.push(plane("blue", "1.30.3")),
            "runs the revisions 1-30-3, blue already",
        ),
        (
            |it| it.seen(0).control_planes.push(plane(NEW, "1.30.4")),
            "the revision 1-31-0 runs 1.30.4 already",
        ),
        (
            |it| {
                it.seen(0).control_planes[0].helm_release = None;
                it.seen(0).control_planes[0].ownership.istioctl = true;
            },
            "installed by istioctl",
        ),
        (
            |it| it.seen(0).node_components = vec![sample::node(Component::Ztunnel, "1.30.3")],
            "runs ztunnel",
        ),
        (
            |it| it.around(0).webhooks[1].helm_release = Some(("ops".to_owned(), "tags".to_owned())),
            "the tag prod belongs to helm release ops/tags",
        ),
        (
            |it| it.around(0).webhooks[2].configuration = "MutatingWebhookConfiguration mine".to_owned(),
            "istio-revision-tag-test was expected",
        ),
        (
            |it| drop(it.seen(0).helm_releases.remove(0)),
            "no helm release of base could move it",
        ),
        (|it| it.seen(0).surroundings = None, "webhooks could not be looked at"),
    ];
    for (spoil, part) in cases {
        let mut inventory = mesh();
        spoil(&mut inventory);
        let error = planned(&inventory).unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
        let target = Target::new("1.31.0".parse().unwrap()).as_canary(true);
        let report = check_target(&inventory, &target);
        let finding = found(&report, "MU316");
        assert_eq!(finding.severity, Severity::Blocker);
        assert!(finding.cause.contains(part), "{}", finding.cause);
    }
}

#[test]
fn the_old_revision_goes_only_when_nothing_refers_to_it() {
    let target = Target::new("1.31.0".parse().unwrap()).as_canary(true);
    let mut inventory = placed();
    // How the one that goes does is nobody's concern.
    inventory.seen(0).control_planes[0].rollout = sample::rollout(0);
    assert!(check_target(&inventory, &target).is_free());

    let gateway = sample::release("istio-ingress", "ingress", "gateway", "1.31.0");
    inventory.seen(0).helm_releases.push(gateway);
    let cases: [(Spoil, &str); 4] = [
        (
            |it| {
                it.around(0).namespaces.push(NamespaceRevision {
                    namespace: "shop".to_owned(),
                    revision: OLD.to_owned(),
                });
            },
            "Namespace shop: its label istio.io/rev names it",
        ),
        (
            |it| {
                let mut proxies = sample::sidecars("1.30.3", 3);
                proxies.revision = Some(OLD.to_owned());
                it.seen(0).proxies.push(proxies);
            },
            "3 proxies (sidecar) in namespace shop, as Pod reviews-v1-0: injected by it",
        ),
        (
            |it| it.around(0).webhooks[1].revision = Some(OLD.to_owned()),
            "tag prod: it leads to it",
        ),
        (
            |it| it.seen(0).helm_releases[3].settings.revision = Some(OLD.to_owned()),
            "helm release istio-ingress/ingress: its value revision names it",
        ),
    ];
    let revisions = planned(&placed()).unwrap().steps[0].revisions.clone().unwrap();
    for (spoil, part) in cases {
        let mut inventory = inventory.clone();
        spoil(&mut inventory);
        assert_eq!(uses(inventory.seen(0), &revisions), [part]);
    }
    inventory
        .around(0)
        .namespaces
        .extend((0..30).map(|number| NamespaceRevision {
            namespace: format!("shop-{number}"),
            revision: OLD.to_owned(),
        }));
    let report = check_target(&inventory, &target);
    let told: Vec<_> = report.blockers().filter(|one| one.code.id() == "MU317").collect();
    assert_eq!(told.len(), 21);
    assert!(told.iter().any(|one| one.cause == "and 10 more like these"));
}

//! Tests of an Istio whose revisions the Sail Operator keeps beside each other: what is planned, what hinders, what is waited
//! for, and what is told while the old one stands.

use super::*;
use crate::{
    api::{ObjectName, Plan, PlanStep, StepAction},
    arrival::{self, Arrival},
    catalog::Catalog,
    finding::Severity,
    gitops::sample::{SAIL_USER, beside_by_sail, by_sail_revisions},
    inventory::{Inventory, NamespaceRevision, OperatorObject, Webhook, sample},
    mesh::meshes,
    plan::{PlanError, drift, images_of_step, plan},
    preflight::{
        Target,
        tests::{check, check_target, found, ids},
    },
};

const OLD: &str = "default-v1-30-3";
const NEW: &str = "default-v1-31-0";

type Spoil = fn(&mut Inventory);

fn planned(inventory: &Inventory, to: &str) -> Result<Plan, PlanError> {
    let target = Target::new(to.parse().unwrap());
    let meshes = meshes(inventory);
    plan(&meshes[0], inventory, &target, "", &Catalog::embedded().unwrap())
}

fn told(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(PlanStep::runs).collect()
}

fn release(name: &str) -> ObjectName {
    ObjectName {
        namespace: "istio-system".to_owned(),
        name: name.to_owned(),
    }
}

#[test]
fn a_new_revision_comes_beside_the_old_one() {
    let inventory = by_sail_revisions("1.30.3");
    let report = check(&inventory, "1.31.0");
    assert_eq!(ids(&report), [""; 0]);
    let plan = planned(&inventory, "1.31.0").unwrap();
    assert_eq!(
        told(&plan),
        [
            "Sail Operator for revision default-v1-31-0 beside default-v1-30-3",
            "Sail Operator for helm release istio-system/istio-cni",
        ]
    );
    let step = &plan.steps[0];
    assert_eq!(
        (step.action, step.release.as_str(), step.from.as_str()),
        (StepAction::Install, "default-v1-31-0-istiod", "1.30.3")
    );
    assert_eq!(step.workloads[0].name, "istiod-default-v1-31-0");
    assert_eq!(step.revisions.as_ref().unwrap().tags, ["default"]);
    assert_eq!(step.changes().name, "beside/default-v1-31-0-istiod");
    assert_eq!(
        (
            plan.journal_version(),
            plan.is_canary(),
            plan.steps.iter().any(|step| step.revisions.is_some())
        ),
        (4, false, true)
    );
    assert_eq!(plan.clusters[0].beside[0].name, "istiod-default-v1-30-3");
    assert_eq!(drift(&plan, &inventory), Vec::<String>::new());
    let mut seen = inventory.clone();
    assert_eq!(
        images_of_step(step, seen.seen(0)).unwrap(),
        ["docker.io/istio/pilot:1.31.0", "docker.io/istio/proxyv2:1.31.0"]
    );
}

#[test]
fn both_revisions_are_frozen_and_the_operator_is_let_through_for_them() {
    let plan = planned(&by_sail_revisions("1.30.3"), "1.31.0").unwrap();
    let scope = &plan.clusters[0].scope;
    assert_eq!(
        scope.operator_objects,
        [
            "istios/default",
            "istiorevisions/default-v1-30-3",
            "istiorevisiontags/default",
            "istiocnis/default",
            "istiorevisions/default-v1-31-0"
        ]
    );
    for revision in [OLD, NEW] {
        assert!(scope.helm_releases.contains(&release(&format!("{revision}-istiod"))));
        assert!(scope.config_maps.contains(&release(&format!("istio-{revision}"))));
        assert!(scope.istiod_users.iter().any(|user| user.ends_with(revision)));
        let workload = format!("istiod-{revision}");
        assert!(scope.workloads.iter().any(|one| one.name == workload));
    }
    let id = &plan.steps[0].id;
    let (of_revisions, others): (Vec<_>, Vec<_>) = scope.controllers.iter().partition(|one| one.step == *id);
    let [brings, takes_away] = of_revisions.as_slice() else {
        panic!("{of_revisions:?}");
    };
    for controller in [brings, takes_away] {
        assert_eq!(controller.user, SAIL_USER);
    }
    assert_eq!(brings.version, "1.31.0");
    assert_eq!(brings.helm_releases, [release("default-v1-31-0-istiod")]);
    assert_eq!(brings.operator_objects, ["istiorevisions/default-v1-31-0"]);
    assert_eq!(takes_away.version, "");
    assert_eq!(takes_away.helm_releases, [release("default-v1-30-3-istiod")]);
    assert_eq!(takes_away.operator_objects, ["istiorevisions/default-v1-30-3"]);
    assert_eq!(others.len(), 1);
    assert_eq!(others[0].helm_releases, [release("istio-cni")]);
}

#[test]
fn a_gateway_that_names_the_old_revision_is_led_to_the_new_one() {
    let mut inventory = by_sail_revisions("1.30.3");
    let mut gateway = sample::release("istio-ingress", "ingress", "gateway", "1.30.3");
    gateway.settings.revision = Some(OLD.to_owned());
    inventory.seen(0).helm_releases.push(gateway);
    let plan = planned(&inventory, "1.31.0").unwrap();
    assert_eq!(plan.steps[2].runs(), "helm upgrade ingress");
    assert_eq!(plan.steps[2].settings(), ["--set-string=revision=default-v1-31-0"]);
    assert!(!plan.is_canary());
    // At the target, and still injected by the old one.
    let mut inventory = beside_by_sail("1.30.3", "1.31.0");
    let mut gateway = sample::release("istio-ingress", "ingress", "gateway", "1.31.0");
    gateway.settings.revision = Some(OLD.to_owned());
    inventory.seen(0).helm_releases.push(gateway);
    let plan = planned(&inventory, "1.31.0").unwrap();
    assert_eq!(told(&plan), ["helm upgrade ingress"]);
    assert!(!plan.is_canary(), "nobody asked for one");
}

#[test]
fn the_step_arrives_with_the_revision_and_its_tags() {
    let before = by_sail_revisions("1.30.3");
    let step = planned(&before, "1.31.0").unwrap().steps.remove(0);
    let cases: [(Spoil, &str); 7] = [
        (|_| {}, ""),
        (
            |it| it.seen(0).followed[0].sources[0].version = Some("v1.30.3".to_owned()),
            "spec.version of Istio default to be 1.31.0 (now v1.30.3)",
        ),
        (
            |it| it.seen(0).followed[0].progress.is_done = false,
            "Istio default to bring 1.31.0",
        ),
        (
            |it| drop(it.seen(0).helm_releases.pop()),
            "helm release istio-system/default-v1-31-0-istiod to be found",
        ),
        (
            |it| drop(it.seen(0).control_planes.pop()),
            "Deployment istio-system/istiod-default-v1-31-0 to be found",
        ),
        (
            |it| it.seen(0).control_planes[1].rollout.ready = 1,
            "Deployment istio-system/istiod-default-v1-31-0 to roll out",
        ),
        (
            |it| it.around(0).webhooks[1].revision = Some(OLD.to_owned()),
            "the tag default to lead to revision default-v1-31-0",
        ),
    ];
    for (spoil, expected) in cases {
        let mut inventory = beside_by_sail("1.30.3", "1.31.0");
        spoil(&mut inventory);
        match arrival::of_step(&step, inventory.seen(0)) {
            Arrival::Arrived(evidence) => {
                assert!(expected.is_empty(), "{expected}: {evidence}");
                assert!(
                    evidence.contains("tags that lead to revision default-v1-31-0: default"),
                    "{evidence}"
                );
            }
            Arrival::Waiting(what) => assert!(what.contains(expected) && !expected.is_empty(), "{expected}: {what}"),
        }
    }
    let mut before = before;
    let waits = arrival::of_step(&step, before.seen(0));
    assert!(matches!(waits, Arrival::Waiting(_)), "{waits:?}");
}

fn leads_to_the_old_one(name: &str, tag: Option<&str>) -> Webhook {
    let mut webhook = sample::webhook(name);
    webhook.revision = Some(OLD.to_owned());
    webhook.tag = tag.map(str::to_owned);
    webhook
}

#[test]
fn what_the_operator_would_leave_behind_is_refused() {
    let cases: [(Spoil, &str); 6] = [
        (
            |it| {
                let tag = leads_to_the_old_one("istio-revision-tag-prod", Some("prod"));
                it.around(0).webhooks.push(tag);
            },
            "the tag prod leads to revision default-v1-30-3 and is no IstioRevisionTag",
        ),
        (
            |it| {
                let mut validator = leads_to_the_old_one("x", None);
                validator.configuration = DEFAULT_VALIDATOR.to_owned();
                validator.injects = None;
                it.around(0).webhooks.push(validator);
            },
            "istiod-default-validator leads to revision default-v1-30-3",
        ),
        (
            |it| {
                let ztunnel = sample::node(Component::Ztunnel, "1.30.3");
                it.seen(0).node_components.push(ztunnel);
            },
            "runs ztunnel",
        ),
        (
            |it| {
                let mut plane = it.seen(0).control_planes[0].clone();
                plane.revision = "default-v1-30-2".to_owned();
                plane.ownership.operator = Some(OperatorObject::new("IstioRevision", "default-v1-30-2"));
                plane.version = sample::version("1.30.2");
                it.seen(0).control_planes.insert(0, plane);
            },
            "Istio default has the revisions default-v1-30-2, default-v1-30-3 already",
        ),
        (
            |it| {
                let mut plane = sample::istiod("istio-system", "1.30.3");
                plane.revision = "blue".to_owned();
                it.seen(0).control_planes.push(plane);
            },
            "its control plane blue is no revision of Istio default",
        ),
        (
            |it| {
                let mut plane = it.seen(0).control_planes[0].clone();
                plane.revision = NEW.to_owned();
                it.seen(0).control_planes.push(plane);
            },
            "the revision default-v1-31-0 of Istio default runs 1.30.3 already",
        ),
    ];
    for (spoil, part) in cases {
        let mut inventory = by_sail_revisions("1.30.3");
        spoil(&mut inventory);
        let error = planned(&inventory, "1.31.0").unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
        let report = check(&inventory, "1.31.0");
        let finding = found(&report, "MU316");
        assert_eq!(finding.severity, Severity::Blocker);
        assert!(finding.cause.contains(part), "{}", finding.cause);
        assert!(!ids(&report).contains(&"MU305"), "{part}");
    }
    // A tag of the operator's that names a revision stays with it, and keeps it.
    let mut inventory = by_sail_revisions("1.30.3");
    inventory.seen(0).followed[0].revisions.as_mut().unwrap().tags.clear();
    let plan = planned(&inventory, "1.31.0").unwrap();
    assert!(plan.steps[0].revisions.as_ref().unwrap().tags.is_empty());
    let mut unseen = by_sail_revisions("1.30.3");
    unseen.seen(0).surroundings = None;
    let error = planned(&unseen, "1.31.0").unwrap_err().to_string();
    assert!(error.contains("could not be looked at"), "{error}");
}

#[test]
fn nobody_asks_for_a_canary_that_the_operator_makes() {
    let target = Target::new("1.31.0".parse().unwrap()).as_canary(true);
    let report = check_target(&by_sail_revisions("1.30.3"), &target);
    let cause = &found(&report, "MU316").cause;
    assert!(cause.contains("leave --strategy canary out"), "{cause}");
}

#[test]
fn the_old_one_stands_until_nothing_refers_to_it_and_hinders_nobody() {
    let mut inventory = beside_by_sail("1.30.3", "1.31.0");
    assert!(matches!(
        planned(&inventory, "1.31.0"),
        Err(PlanError::NothingToDo { .. })
    ));
    let report = check(&inventory, "1.31.0");
    assert!(report.is_free());
    assert_eq!(ids(&report), ["MU304"]);
    assert!(found(&report, "MU304").cause.contains("nothing refers to it"));

    inventory.around(0).namespaces.push(NamespaceRevision {
        namespace: "shop".to_owned(),
        revision: OLD.to_owned(),
    });
    let report = check(&inventory, "1.31.0");
    assert!(report.is_free());
    let finding = found(&report, "MU304");
    assert!(
        finding
            .cause
            .contains("still in use: Namespace shop: its label istio.io/rev names it"),
        "{}",
        finding.cause
    );
    assert!(
        finding.fix.contains("lead it to revision default-v1-31-0"),
        "{}",
        finding.fix
    );
    // What comes after has to wait.
    let report = check(&inventory, "1.31.1");
    assert!(!report.is_free() && found(&report, "MU316").cause.contains("already"));

    // And then one runs alone, which keeps its version to itself.
    let observed = inventory.seen(0);
    observed.control_planes.remove(0);
    observed.helm_releases.remove(0);
    inventory.around(0).webhooks.remove(0);
    inventory.around(0).namespaces.clear();
    assert_eq!(ids(&check(&inventory, "1.31.0")), ["MU104"]);
    assert!(matches!(
        planned(&inventory, "1.31.0"),
        Err(PlanError::NothingToDo { .. })
    ));
    assert_eq!(told(&planned(&inventory, "1.31.1").unwrap()).len(), 2);
}

#[test]
fn an_alias_may_call_the_target_otherwise() {
    let mut inventory = beside_by_sail("1.30.3", "1.31.0");
    let alias = "default-v1-31-latest";
    let observed = inventory.seen(0);
    observed.followed[0].revisions.as_mut().unwrap().active = alias.to_owned();
    observed.control_planes[1].revision = alias.to_owned();
    observed.control_planes[1].ownership.operator = Some(OperatorObject::new("IstioRevision", alias));
    observed.control_planes[1].helm_release = Some(("istio-system".to_owned(), format!("{alias}-istiod")));
    observed.helm_releases[2].name = format!("{alias}-istiod");
    assert!(matches!(
        planned(&inventory, "1.31.0"),
        Err(PlanError::NothingToDo { .. })
    ));
}

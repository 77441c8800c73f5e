//! MU5xx, MU6xx, MU905 and MU906: what people and the driver may do, what they may read, and the guard.

use super::case::{Case, Report, kubectl, wait_until_may};
use mesh_upgrade_tests::{
    harness::{Proxy, Treatment},
    product::mesh_upgrade,
};
use shared::names;

/// Everything that a check reads but EnvoyFilters, and no pod may be asked.
const ONLOOKER: &str = include_str!("../../fixtures/findings/onlooker.yaml");
/// Something that the driver may do by its own role alone.
const AS_DRIVER: &[&str] = &["patch", "deployments.apps"];
const DISCOVERY: &str = "/apis/admissionregistration.k8s.io/v1";

/// Before the webhook is installed.
pub const POLICY_ALONE: Case = Case {
    what: "the guard's policy without its webhook",
    shows: &[("MU603", "the policy is there without the webhook")],
    report: |cluster| {
        mesh_upgrade(cluster, &["guard", "install", "--policy-only"])?.ok()?;
        Report::of(cluster, &["--to", "1.31.0"])
    },
};

/// On the mesh of today.
pub const OF_PEOPLE: &[Case] = &[
    Case {
        what: "somebody who may look at nearly everything and change nothing",
        shows: &[
            ("MU501", "you may not do"),
            ("MU905", "version of pod istio-system/istiod"),
            ("MU906", "objects of the kind EnvoyFilter"),
        ],
        report: |cluster| {
            cluster.apply_stdin(ONLOOKER)?.ok()?;
            wait_until_may(cluster, "bob", &["list", "workloadentries.networking.istio.io"], true)?;
            Report::as_user(cluster, "bob", &["--to", "1.31.0"])
        },
    },
    Case {
        what: "a driver that lost its rights",
        shows: &[("MU502", "the driver's ServiceAccount may not do")],
        report: |cluster| {
            let subject = |name: &str| {
                let patch = format!(r#"[{{"op":"replace","path":"/subjects/0/name","value":"{name}"}}]"#);
                let binding = "clusterrolebinding/mesh-upgrade-driver";
                kubectl(cluster, &["patch", binding, "--type=json", "-p", &patch])
            };
            let driver = names::driver_user();
            subject("nobody")?;
            let lost = wait_until_may(cluster, &driver, AS_DRIVER, false);
            let report = lost.and_then(|()| Report::of(cluster, &["--to", "1.31.0"]));
            subject("mesh-upgrade-driver")?;
            wait_until_may(cluster, &driver, AS_DRIVER, true)?;
            report
        },
    },
    Case {
        what: "a guard of an earlier release, as its policy says",
        shows: &[("MU605", "the guard is of release 0.0.1, and too old for this plugin")],
        report: |cluster| {
            let label = |release: &str| {
                let policy = format!("validatingadmissionpolicy/{}", names::OWN_OBJECTS_POLICY);
                let label = format!("{}={release}", names::LABEL_VERSION);
                kubectl(cluster, &["label", &policy, &label, "--overwrite"])
            };
            label("0.0.1")?;
            let report = Report::of(cluster, &["--to", "1.31.0"]);
            label(names::VERSION)?;
            report
        },
    },
];

/// On the old mesh, which has no guard.
pub const OF_SERVERS: &[Case] = &[
    Case {
        what: "no guard",
        shows: &[("MU601", "the guard is not installed")],
        report: |cluster| Report::of(cluster, &["default", "--to", "1.31.0"]),
    },
    Case {
        what: "an API server without admission policies, by a proxy that hides them",
        shows: &[("MU602", "serves no ValidatingAdmissionPolicy")],
        report: |cluster| {
            let hidden = |path: &str| (path == DISCOVERY).then_some(Treatment::Answer(404, None));
            let proxy = Proxy::start(cluster, "alice", move |seen| hidden(&seen.path))?;
            Report::with_kubeconfig(cluster, proxy.kubeconfig(), &["default", "--to", "1.31.0"])
        },
    },
];

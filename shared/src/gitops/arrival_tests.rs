//! What counts as arrived, and what is said until then.

use super::tests::{application, release, waits};
use serde_json::{Value, json};

#[test]
fn an_application_has_arrived_when_it_says_so_of_the_target() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &str); 13] = [
        ("all of it", |_| {}, ""),
        (
            "nothing merged",
            |it| it["spec"]["source"]["targetRevision"] = json!("1.30.3"),
            "the change to be merged: spec.source.targetRevision of Application argocd/istiod to be 1.31.0 (now 1.30.3)",
        ),
        (
            "with helm's v",
            |it| it["spec"]["source"]["targetRevision"] = json!("v1.31.0"),
            "",
        ),
        (
            "a range",
            |it| it["spec"]["source"]["targetRevision"] = json!("1.31.x"),
            "to be 1.31.0 (now 1.31.x)",
        ),
        (
            "merged, and not looked at yet",
            |it| it["status"]["sync"]["revision"] = json!("1.30.3"),
            "Application argocd/istiod to bring 1.31.0 (it is Synced and Healthy)",
        ),
        (
            "not synced",
            |it| {
                it["status"]["sync"]["status"] = json!("OutOfSync");
                it["status"]["operationState"] = json!({"phase": "Failed", "message": "denied: MG001\nmore"});
            },
            "it is OutOfSync and Healthy, its last sync is Failed: denied: MG001 more",
        ),
        (
            "given up",
            |it| {
                it["status"]["sync"]["status"] = json!("OutOfSync");
                it["status"]["operationState"] = json!({"phase": "Error", "syncResult": {"revision": "1.31.0"}});
            },
            "; it does not try by itself again what has failed: argocd app sync istiod)",
        ),
        (
            "given up before something else was merged",
            |it| {
                it["status"]["sync"]["status"] = json!("OutOfSync");
                it["status"]["operationState"] = json!({"phase": "Failed", "syncResult": {"revision": "1.30.3"}});
            },
            "its last sync is Failed)",
        ),
        (
            "syncing",
            |it| it["status"]["operationState"] = json!({"phase": "Running"}),
            "its last sync is Running",
        ),
        (
            "rolling out",
            |it| it["status"]["health"]["status"] = json!("Progressing"),
            "it is Synced and Progressing",
        ),
        (
            "by hand",
            |it| {
                it["spec"]["syncPolicy"] = json!({"automated": {"enabled": false}});
                it["status"]["sync"]["status"] = json!("OutOfSync");
            },
            "it syncs when asked: argocd app sync istiod",
        ),
        (
            "nothing said",
            |it| it["status"] = json!({}),
            "it is Unknown and Unknown",
        ),
        (
            "an OCI artifact",
            |it| {
                it["status"]["sync"]["revision"] = json!("sha256:00");
                it["status"]["sync"]["comparedTo"] = json!({"source": {"targetRevision": "1.31.0"}});
            },
            "",
        ),
    ];
    for (what, change, expected) in cases {
        let found = waits(application(change));
        assert!(
            found.contains(expected) && found.is_empty() == expected.is_empty(),
            "{what}: {found}"
        );
    }
}

#[test]
fn a_helm_release_has_arrived_when_its_controller_says_so_of_the_target() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &str); 8] = [
        ("all of it", |_| {}, ""),
        (
            "nothing merged",
            |it| it["spec"]["chart"]["spec"]["version"] = json!("1.30.3"),
            "the change to be merged: spec.chart.spec.version of HelmRelease mesh/istiod to be 1.31.0 (now 1.30.3)",
        ),
        (
            "merged, and not looked at yet",
            |it| it["metadata"]["generation"] = json!(4),
            "its controller has not seen the change yet",
        ),
        (
            "failed",
            |it| {
                it["status"]["conditions"][0]["status"] = json!("False");
                it["status"]["conditions"][0]["reason"] = json!("UpgradeFailed");
                it["status"]["conditions"][0]["message"] = json!("MG001: frozen");
            },
            "it is not ready, UpgradeFailed: MG001: frozen",
        ),
        (
            "given up",
            |it| {
                it["status"]["conditions"][0]["status"] = json!("False");
                let stalled = json!({"type": "Stalled", "status": "True", "reason": "RetriesExceeded", "message": "",
                    "lastTransitionTime": "2026-11-24T04:00:00Z"});
                it["status"]["conditions"].as_array_mut().unwrap().push(stalled);
            },
            "has failed: flux reconcile helmrelease istiod -n mesh --reset",
        ),
        (
            "the old chart",
            |it| it["status"]["history"][0]["chartVersion"] = json!("1.30.3"),
            "HelmRelease mesh/istiod to bring 1.31.0 (it is ready)",
        ),
        (
            "a chart that stands elsewhere",
            |it| {
                it["spec"] = json!({"chartRef": {"kind": "OCIRepository", "name": "istiod"}});
                it["status"]["history"][0]["chartVersion"] = json!("1.30.3");
            },
            "to bring 1.31.0",
        ),
        (
            "of an OCI artifact, whose digest Flux writes behind the version",
            |it| {
                it["spec"] = json!({"chartRef": {"kind": "OCIRepository", "name": "istiod"}});
                it["status"]["history"][0]["chartVersion"] = json!("1.31.0+0123456789ab");
            },
            "",
        ),
    ];
    for (what, change, expected) in cases {
        let found = waits(release(change));
        assert!(
            found.contains(expected) && found.is_empty() == expected.is_empty(),
            "{what}: {found}"
        );
    }
}

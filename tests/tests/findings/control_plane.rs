//! MU3xx: control planes that are not at rest, and what they rest on. What a running one can be made to show stands in
//! `spoilt`.

use super::{
    case::{Case, Report},
    stand_ins,
};
use serde_json::json;

/// Of the old mesh, and beside it; see `stand_ins`.
pub const OF_CONTROL_PLANES: &[Case] = &[
    Case {
        what: "an istiod of one replica",
        shows: &[("MU302", "Deployment istio-system/istiod")],
        report: |cluster| Report::of(cluster, &["default", "--to", "1.31.0"]),
    },
    Case {
        what: "two revisions of one version that are scaled to nothing",
        shows: &[
            ("MU301", "Deployment twice/istiod: it is scaled to no replica"),
            (
                "MU304",
                "revision canary (docker.io/istio/pilot:1.30.3) runs beside default",
            ),
        ],
        report: |cluster| Report::of(cluster, &["twice", "--to", "1.31.0"]),
    },
    Case {
        what: "a canary of a mesh without a revision of its own",
        shows: &[("MU316", "has no revision of its own")],
        report: |cluster| Report::of(cluster, &["default", "--to", "1.31.0", "--strategy", "canary"]),
    },
    Case {
        what: "pods of one istiod that tell different versions",
        shows: &[("MU303", "its pods report 1.20.8 and 1.29.9")],
        report: |cluster| {
            stand_ins::pods_that_differ(cluster)?;
            Report::of(cluster, &["half-rolled", "--to", "1.31.0"])
        },
    },
    Case {
        what: "a webhook that trusts nobody",
        shows: &[(
            "MU310",
            "ValidatingWebhookConfiguration untrusting, webhook untrusting.validation.istio.io: it has no caBundle",
        )],
        report: |cluster| {
            // It is asked about nothing.
            let webhook = json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "untrusting"},
                "webhooks": [{"name": "untrusting.validation.istio.io", "admissionReviewVersions": ["v1"],
                    "sideEffects": "None", "failurePolicy": "Ignore",
                    "clientConfig": {"service": {"namespace": "istio-system", "name": "istiod", "path": "/validate"}},
                    "rules": [{"apiGroups": ["nothing.istio.io"], "apiVersions": ["v1"], "operations": ["CREATE"],
                        "resources": ["nothings"]}]}],
            });
            cluster.apply_stdin(&webhook.to_string())?.ok()?;
            Report::of(cluster, &["default", "--to", "1.31.0"])
        },
    },
];

//! Secrets by which istiod reaches other clusters.

use super::{super::policy_cases::agree, *};

fn labelled() -> Value {
    json!({"istio/multiCluster": "true"})
}

#[test]
fn what_leads_istiod_to_other_clusters_is_frozen() {
    let west = "istio-system/istio-remote-secret-west";
    let cases = vec![
        (
            "a new cluster",
            secret("CREATE", west).set("object.metadata.labels", labelled()),
        ),
        (
            "a cluster that goes",
            secret("DELETE", west).set("oldObject.metadata.labels", labelled()),
        ),
        (
            "another kubeconfig",
            secret("UPDATE", west)
                .set("oldObject.metadata.labels", labelled())
                .set("object.metadata.labels", labelled()),
        ),
        (
            "the label put on",
            secret("UPDATE", west).set("object.metadata.labels", labelled()),
        ),
        (
            "the label taken off",
            secret("UPDATE", west).set("oldObject.metadata.labels", labelled()),
        ),
        (
            "the way to the configuration",
            secret("UPDATE", "istio-system/istio-kubeconfig"),
        ),
        ("its end", secret("DELETE", "istio-system/istio-kubeconfig")),
    ];
    agree(&freeze(), &cases, true);
    check(&frozen(), Some(Code::MeshFrozen), cases);
}

#[test]
fn other_secrets_and_what_changes_nothing_are_let_through() {
    let west = "istio-system/istio-remote-secret-west";
    let cases = vec![
        ("a Secret beside it", secret("UPDATE", "istio-system/cacerts")),
        (
            "elsewhere",
            secret("CREATE", "shop/istio-remote-secret-west").set("object.metadata.labels", labelled()),
        ),
        ("a kubeconfig elsewhere", secret("UPDATE", "shop/istio-kubeconfig")),
    ];
    agree(&freeze(), &cases, false);
    check(&frozen(), None, cases);
    let applied = secret("UPDATE", west)
        .set("oldObject.metadata.labels", labelled())
        .same();
    let gone = secret("DELETE", west).set("oldObject.metadata.labels", labelled());
    let holder = gone.clone().driver("3");
    check(
        &frozen(),
        None,
        vec![
            ("applied again by GitOps", applied),
            ("by the holder", holder),
            ("with its namespace", gone.by(NAMESPACES)),
        ],
    );
}

//! What an installation of the guard consists of.

use super::*;

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
fn pods_are_restricted_spread_and_leave_in_order() {
    let objects = objects(&InstallOptions::default());
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
    assert_eq!(pod["topologySpreadConstraints"].as_array().unwrap().len(), 2);
    assert!(container["resources"]["limits"]["memory"].is_string());
    assert!(container["lifecycle"]["preStop"].is_object());
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(of_kind(&objects, "PodDisruptionBudget").len(), 1);
    assert_eq!(of_kind(&objects, "NetworkPolicy").len(), 1);
}

#[test]
fn pods_are_admitted_where_the_platform_chooses_users_and_counts_critical_pods() {
    let objects = objects(&InstallOptions::default());
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    for id in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert_eq!(pod["securityContext"].get(id), None, "{id}");
    }
    for volume in pod["volumes"].as_array().unwrap() {
        assert_eq!(volume["secret"]["defaultMode"], 0o444, "no group of files is set");
    }
    let at = |kind: &str| objects.iter().position(|object| object["kind"] == kind).unwrap();
    assert!(at("ResourceQuota") < at("Deployment"));
    let quota = &objects[at("ResourceQuota")]["spec"]["scopeSelector"]["matchExpressions"][0];
    assert_eq!(quota["values"], json!([pod["priorityClassName"]]));
    let policies = self::objects(&InstallOptions {
        policy_only: true,
        ..InstallOptions::default()
    });
    assert!(of_kind(&policies, "ResourceQuota").is_empty());
}

#[test]
fn pods_name_the_secrets_of_a_registry_only_where_there_are_any() {
    let secrets = |names: &[&str]| {
        let objects = objects(&InstallOptions {
            image_pull_secrets: names.iter().map(|name| (*name).to_owned()).collect(),
            ..InstallOptions::default()
        });
        let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
        pod.get("imagePullSecrets").cloned()
    };
    assert_eq!(secrets(&[]), None);
    assert_eq!(
        secrets(&["mirror", "other"]),
        Some(json!([{"name": "mirror"}, {"name": "other"}]))
    );
}

#[test]
fn pods_reach_api_servers_and_resolve_their_names() {
    let objects = objects(&InstallOptions::default());
    let egress = of_kind(&objects, "NetworkPolicy")[0]["spec"]["egress"].to_string();
    for wanted in [(53, "UDP"), (53, "TCP"), (5353, "UDP"), (443, "TCP"), (6443, "TCP")] {
        let rule = json!({"port": wanted.0, "protocol": wanted.1}).to_string();
        assert!(egress.contains(&rule), "{rule} in {egress}");
    }
}

#[test]
fn the_webhook_makes_its_certificates_or_cert_manager_does_and_never_both() {
    let own = objects(&InstallOptions::default());
    let managed = objects(&InstallOptions {
        certificates: Certificates::CertManager,
        ..InstallOptions::default()
    });
    assert_eq!(of_kind(&own, "Secret").len(), 1);
    assert!(
        of_kind(&own, "Secret")[0].get("data").is_none(),
        "it would undo what is in it"
    );
    assert!(of_kind(&own, "Certificate").is_empty());
    assert!(of_kind(&managed, "Secret").is_empty());
    assert_eq!(of_kind(&managed, "Certificate").len(), 2);
    let roles = |objects: &[Value]| {
        let bound = |object: &&Value| object.pointer("/metadata/name") == Some(&json!(names::CERTIFICATES));
        objects.iter().filter(bound).count()
    };
    assert_eq!((roles(&own), roles(&managed)), (5, 0));
    let annotation = "/metadata/annotations/cert-manager.io~1inject-ca-from";
    assert!(
        of_kind(&managed, "ValidatingWebhookConfiguration")[0]
            .pointer(annotation)
            .is_some()
    );
    assert!(
        of_kind(&own, "ValidatingWebhookConfiguration")[0]
            .pointer(annotation)
            .is_none()
    );
}

#[test]
fn what_is_taken_away_is_everything_that_is_ever_put_up_and_the_namespace_last() {
    let all = all_objects();
    assert_eq!(all[0]["kind"], "Namespace");
    for kind in [
        "Secret",
        "NetworkPolicy",
        "ResourceQuota",
        "Certificate",
        "Issuer",
        "Deployment",
    ] {
        assert!(!of_kind(&all, kind).is_empty(), "{kind}");
    }
}

#[test]
fn without_its_webhook_the_guard_keeps_its_policies_and_its_driver() {
    let taken = left_out(&InstallOptions {
        policy_only: true,
        ..InstallOptions::default()
    });
    for kind in [
        "ValidatingWebhookConfiguration",
        "Deployment",
        "Service",
        "Secret",
        "Issuer",
    ] {
        assert!(!of_kind(&taken, kind).is_empty(), "{kind}");
    }
    for kind in [
        "Namespace",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ] {
        assert!(of_kind(&taken, kind).is_empty(), "{kind}");
    }
    let accounts = of_kind(&taken, "ServiceAccount");
    assert_eq!(accounts.len(), 1);
    assert_eq!(accounts[0]["metadata"]["name"], names::WEBHOOK_SERVICE_ACCOUNT);
}

#[test]
fn a_webhook_outside_of_the_cluster_leaves_no_pods_in_it() {
    let taken = left_out(&InstallOptions {
        client: WebhookClient::Url("https://guard.example:8443".to_owned()),
        ..InstallOptions::default()
    });
    for kind in [
        "Deployment",
        "PodDisruptionBudget",
        "Service",
        "NetworkPolicy",
        "Issuer",
    ] {
        assert!(!of_kind(&taken, kind).is_empty(), "{kind}");
    }
    for kind in [
        "ValidatingWebhookConfiguration",
        "ServiceAccount",
        "ClusterRole",
        "Secret",
    ] {
        assert!(of_kind(&taken, kind).is_empty(), "{kind}");
    }
    let others = of_kind(&left_out(&InstallOptions::default()), "Deployment").len();
    assert_eq!(others, 0);
}

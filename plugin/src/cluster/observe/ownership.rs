//! Who beside helm has a hand in a workload, by its labels, owners and field managers.

use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt as _};
use serde_json::Value;
use shared::{
    api::ObjectName,
    gitops::{INSTANCE_LABEL, TRACKING_ANNOTATION, TRACKING_LABEL, is_last_by_argo_cd},
    inventory::{GitOpsOwner, HelmDriver, OperatorObject, Ownership, is_helms},
};
use std::collections::BTreeSet;

/// Kinds of the Sail Operator that own workloads.
const OPERATORS: [&str; 5] = ["Istio", "IstioRevision", "IstioCNI", "ZTunnel", "IstioOperator"];

/// Field managers that set specifications as a matter of course: helm 3 and 4, the controllers of Kubernetes, istiod,
/// GitOps controllers (told apart by their labels), restarts, and this tool.
const KNOWN: [&str; 10] = [
    "kube-controller-manager",
    "pilot-discovery",
    "istio-operator",
    "kubectl-rollout",
    "argocd-controller",
    "argocd-application-controller",
    "kustomize-controller",
    "before-first-apply",
    "sail-operator",
    shared::names::FIELD_MANAGER,
];

/// Annotation by which a restart makes a new pod template, whatever tool asks for it.
const RESTARTED: &str = "f:kubectl.kubernetes.io/restartedAt";

/// Who has a hand in an object.
pub(super) fn of(object: &impl Resource) -> Ownership {
    Ownership {
        gitops: gitops(object),
        operator: object
            .owner_references()
            .iter()
            .find(|owner| OPERATORS.contains(&owner.kind.as_str()))
            .map(|owner| OperatorObject::new(&owner.kind, &owner.name)),
        editors: editors(object),
        istioctl: by_istioctl(object),
        driven_by: driven_by(object),
    }
}

/// Whose helm wrote it last: fields of an earlier one stay its own for as long as nobody changes them.
fn driven_by(object: &impl Resource) -> Option<HelmDriver> {
    let by_helm = writers(object).filter(|(_, manager)| is_helms(manager));
    let (_, last) = by_helm.max_by_key(|(time, _)| *time)?;
    HelmDriver::of_manager(last)
}

/// istioctl writes as the manager `istio-operator`, and helm's labels and annotations for who installed it are not there.
fn by_istioctl(object: &impl Resource) -> bool {
    let managed = object.labels().get("operator.istio.io/managed").map(String::as_str) == Some("Reconcile");
    let mut managers = object.managed_fields().iter();
    managed || managers.any(|managed| managed.manager.as_deref() == Some("istio-operator"))
}

fn gitops(object: &impl Resource) -> Option<GitOpsOwner> {
    let labels = object.labels();
    let argo = object.annotations().get(TRACKING_ANNOTATION);
    let argo = argo.and_then(|id| id.split(':').next());
    let argo = argo.or_else(|| labels.get(TRACKING_LABEL).map(String::as_str));
    if let Some(application) = argo {
        return Some(GitOpsOwner::application(application));
    }
    let by_flux = |group: &str| {
        let name = labels.get(&format!("{group}.toolkit.fluxcd.io/name"))?;
        let namespace = labels.get(&format!("{group}.toolkit.fluxcd.io/namespace"));
        Some(ObjectName {
            namespace: namespace.cloned().unwrap_or_default(),
            name: name.clone(),
        })
    };
    let release = || by_flux("helm").map(GitOpsOwner::HelmRelease);
    let kustomization = || by_flux("kustomize").map(GitOpsOwner::Kustomization);
    release().or_else(kustomization).or_else(|| {
        let application = labels
            .get(INSTANCE_LABEL)
            .filter(|_| is_last_by_argo_cd(writers(object)))?;
        Some(GitOpsOwner::by_instance_label(application))
    })
}

/// Who wrote fields of an object, and when.
fn writers(object: &impl Resource) -> impl Iterator<Item = (Option<Timestamp>, &str)> {
    let managers = object.managed_fields().iter();
    managers.filter_map(|managed| {
        let manager = managed.manager.as_deref()?;
        Some((managed.time.as_ref().map(|time| time.0), manager))
    })
}

/// Whether a field manager is an installer, a controller or this tool, and nobody's own hand.
pub(super) fn is_expected(manager: &str) -> bool {
    KNOWN.contains(&manager) || is_helms(manager)
}

/// Managers of fields of the specification, scaling and status apart.
fn editors(object: &impl Resource) -> Vec<String> {
    let managers = object.managed_fields().iter().filter(|managed| {
        let fields = managed.fields_v1.as_ref().map(|fields| &fields.0);
        managed.subresource.as_deref().unwrap_or_default().is_empty()
            && fields
                .and_then(|fields| fields.get("f:spec"))
                .is_some_and(|specification| !only_restarts(specification))
    });
    let names: BTreeSet<String> = managers
        .filter_map(|managed| managed.manager.clone())
        .filter(|name| !is_expected(name))
        .collect();
    names.into_iter().collect()
}

/// Whether nothing of a specification belongs to a manager but the mark of a restart.
fn only_restarts(fields: &Value) -> bool {
    let Some(fields) = fields.as_object() else {
        return false;
    };
    let mut fields = fields.iter().filter(|(name, _)| *name != ".").peekable();
    fields.peek().is_some() && fields.all(|(name, below)| name == RESTARTED || only_restarts(below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    fn deployment(metadata: &serde_json::Value) -> Deployment {
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    #[test]
    fn owners_are_told_by_their_own_marks() {
        for (metadata, gitops, operator) in [
            (json!({}), None, None),
            (
                json!({"annotations": {"argocd.argoproj.io/tracking-id": "mesh:apps/Deployment:istio-system/istiod"}}),
                Some("Argo CD application mesh"),
                None,
            ),
            (json!({"labels": {INSTANCE_LABEL: "istiod"}}), None, None),
            (
                json!({"labels": {INSTANCE_LABEL: "mesh"}, "managedFields": [{"manager": "argocd-controller"}]}),
                Some("Argo CD application mesh (by the label app.kubernetes.io/instance)"),
                None,
            ),
            // It went, and helm came: some fields are its own still.
            (
                json!({"labels": {INSTANCE_LABEL: "mesh"}, "managedFields": [
                    {"manager": "argocd-controller", "time": "2026-01-01T00:00:00Z"},
                    {"manager": "helm", "time": "2026-02-01T00:00:00Z"}]}),
                None,
                None,
            ),
            (
                json!({"labels": {INSTANCE_LABEL: "mesh", "helm.toolkit.fluxcd.io/name": "istiod",
                    "helm.toolkit.fluxcd.io/namespace": "flux"},
                    "managedFields": [{"manager": "argocd-controller", "time": "2026-01-01T00:00:00Z"}]}),
                Some("Flux HelmRelease flux/istiod"),
                None,
            ),
            (
                json!({"labels": {"helm.toolkit.fluxcd.io/name": "istiod", "helm.toolkit.fluxcd.io/namespace": "flux"}}),
                Some("Flux HelmRelease flux/istiod"),
                None,
            ),
            (
                json!({"ownerReferences": [{"apiVersion": "sailoperator.io/v1", "kind": "IstioRevision",
                    "name": "default", "uid": "u"}]}),
                None,
                Some("IstioRevision default"),
            ),
            (
                json!({"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u"}]}),
                None,
                None,
            ),
        ] {
            let found = of(&deployment(&metadata));
            let told = (
                found.gitops.map(|owner| owner.to_string()),
                found.operator.map(|object| object.to_string()),
            );
            assert_eq!((told.0.as_deref(), told.1.as_deref()), (gitops, operator), "{metadata}");
        }
    }

    #[test]
    fn istioctl_is_told_by_its_label_or_its_manager() {
        for (metadata, expected) in [
            (json!({}), false),
            (json!({"labels": {"operator.istio.io/managed": "Reconcile"}}), true),
            (
                json!({"managedFields": [{"manager": "istio-operator", "operation": "Apply"}]}),
                true,
            ),
            (
                json!({"managedFields": [{"manager": "helm", "operation": "Apply"}]}),
                false,
            ),
        ] {
            assert_eq!(of(&deployment(&metadata)).istioctl, expected, "{metadata}");
        }
    }

    #[test]
    fn whose_helm_wrote_last_drives_the_release() {
        let managed =
            |manager: &str, time: Option<&str>| json!({"manager": manager, "operation": "Update", "time": time});
        let (early, late) = (Some("2026-10-01T00:00:00Z"), Some("2026-11-01T00:00:00Z"));
        let terraform = "terraform-provider-helm_v2.17.0_x5";
        for (managers, expected) in [
            (vec![], None),
            (vec![managed("helm", late)], None),
            (
                vec![managed("kubectl-edit", late), managed("argocd-controller", late)],
                None,
            ),
            (vec![managed(terraform, None)], Some(HelmDriver::Terraform)),
            (
                vec![managed("pulumi-resource-kubernetes", late), managed("helm", early)],
                Some(HelmDriver::Pulumi),
            ),
            (
                vec![managed("fleetagent", early), managed("kubectl-edit", late)],
                Some(HelmDriver::Fleet),
            ),
            (vec![managed("fleetagent", early), managed("helm-v4.0.1", late)], None),
        ] {
            let found = of(&deployment(&json!({"managedFields": managers})));
            assert_eq!(found.driven_by, expected, "{managers:?}");
            assert!(found.editors.is_empty());
        }
    }

    #[test]
    fn only_who_sets_the_specification_edits_it() {
        let managed = |manager: &str, subresource: &str, fields: serde_json::Value| {
            json!({"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                "subresource": subresource, "fieldsV1": fields})
        };
        let spec = json!({"f:spec": {"f:replicas": {}}});
        let restarted = |more: serde_json::Value| {
            let mut template = json!({"f:metadata": {"f:annotations": {".": {}, RESTARTED: {}}}});
            template
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            json!({"f:spec": {"f:template": template}})
        };
        let found = of(&deployment(&json!({"managedFields": [
            managed("helm", "", spec.clone()),
            managed("kubectl-edit", "", spec.clone()),
            managed("kubectl", "scale", spec.clone()),
            managed("kubectl-label", "", json!({"f:metadata": {}})),
            managed("kube-controller-manager", "status", json!({"f:status": {}})),
            managed("terraform-provider-helm_v2.13.0_x5", "", spec.clone()),
            managed("helm-v3.12", "", spec.clone()),
            managed("kubectl-edit", "", spec),
            managed("k9s", "", restarted(json!({}))),
            managed("node-fetch", "", restarted(json!({"f:spec": {"f:nodeName": {}}}))),
            managed("empty", "", json!({"f:spec": {}})),
        ]})));
        assert_eq!(found.editors, ["empty", "kubectl-edit", "node-fetch"]);
    }
}

//! Who beside an installer set fields of what the chart istiod brings beside its Deployment: metadata alone, a list for each
//! kind. A Service, a budget or the mesh's configuration that was mended by hand is overwritten by the upgrade.

use super::super::{ask::Asker, ownership};
use crate::cluster::error::ClusterError;
use k8s_openapi::api::{
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{ConfigMap, Service},
    policy::v1::PodDisruptionBudget,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{Api, Resource, ResourceExt as _, api::ListParams};
use serde_json::Value;
use shared::inventory::{EditedObject, Overlooked, is_helms};
use std::{collections::BTreeSet, fmt::Debug};

/// Label of what the chart istiod brings.
const OF_ISTIOD: &str = "operator.istio.io/component=Pilot";

/// A part of an object, and the fields of it that the chart sets (its templates, as of 1.31).
type Set = (&'static str, &'static [&'static str]);
/// The mesh's configuration, and injection's; what `values` says has no effect.
const CONFIG_MAP: Set = ("data", &["config", "mesh", "meshNetworks", "values"]);
const SERVICE: Set = (
    "spec",
    &[
        "ipFamilies",
        "ipFamilyPolicy",
        "ports",
        "selector",
        "trafficDistribution",
    ],
);
const AUTOSCALER: Set = (
    "spec",
    &["behavior", "maxReplicas", "metrics", "minReplicas", "scaleTargetRef"],
);
const BUDGET: Set = (
    "spec",
    &[
        "maxUnavailable",
        "minAvailable",
        "selector",
        "unhealthyPodEvictionPolicy",
    ],
);

/// What was edited, of the kinds that can be read; those that cannot are named.
pub(super) async fn read(asker: Asker<'_>, overlooked: &mut Vec<Overlooked>) -> Vec<EditedObject> {
    let (config_maps, services, autoscalers, budgets) = futures::join!(
        of_kind::<ConfigMap>(asker, "ConfigMap", CONFIG_MAP),
        of_kind::<Service>(asker, "Service", SERVICE),
        of_kind::<HorizontalPodAutoscaler>(asker, "HorizontalPodAutoscaler", AUTOSCALER),
        of_kind::<PodDisruptionBudget>(asker, "PodDisruptionBudget", BUDGET),
    );
    gathered([config_maps, services, autoscalers, budgets], overlooked)
}

/// What was read of one kind, by its name.
type OfKind = (&'static str, Result<Vec<EditedObject>, ClusterError>);

fn gathered(kinds: [OfKind; 4], overlooked: &mut Vec<Overlooked>) -> Vec<EditedObject> {
    let read = |(kind, answer)| {
        let what = format!("who set fields of a {kind} that istiod's chart brings");
        super::seen(&what, answer, overlooked)
    };
    kinds.into_iter().flat_map(read).collect()
}

async fn of_kind<K>(asker: Asker<'_>, kind: &'static str, set: Set) -> OfKind
where
    K: Resource<DynamicType = ()> + Clone + Debug,
{
    let api: Api<K> = Api::all(asker.cluster.client.clone());
    let of_istiod = ListParams::default().labels(OF_ISTIOD);
    let listed = asker.list_metadata(&format!("list {kind}s"), &api, &of_istiod).await;
    let found = listed.map(|listed| {
        let objects = listed.items.iter();
        objects.filter_map(|object| edited(object, kind, set)).collect()
    });
    (kind, found)
}

fn edited(object: &impl Resource, kind: &str, (part, fields): Set) -> Option<EditedObject> {
    let (mut editors, mut set) = (BTreeSet::new(), BTreeSet::new());
    // What helm 4 applied and another one set as well has the value of both, else one of them had lost it.
    let applied = |managed: &&ManagedFieldsEntry| {
        managed.operation.as_deref() == Some("Apply") && managed.manager.as_deref().is_some_and(is_helms)
    };
    let is_helms_too = |field: &str, below: &Value| {
        let mut applied = object.managed_fields().iter().filter(applied);
        applied.any(|managed| set_by(managed, part, field).is_some_and(|all| is_within(below, all)))
    };
    for managed in object.managed_fields() {
        let manager = managed.manager.as_deref().unwrap_or_default();
        if ownership::is_expected(manager) || !managed.subresource.as_deref().unwrap_or_default().is_empty() {
            continue;
        }
        let is_set = |field: &&&str| set_by(managed, part, field).is_some_and(|below| !is_helms_too(field, below));
        let own: Vec<&&str> = fields.iter().filter(is_set).collect();
        if !own.is_empty() {
            editors.insert(manager.to_owned());
            set.extend(own.into_iter().map(|field| format!("{part}.{field}")));
        }
    }
    let namespace = object.namespace().unwrap_or_default();
    let revision = object.labels().get("istio.io/rev").cloned();
    (!editors.is_empty()).then(|| EditedObject {
        object: format!("{kind} {namespace}/{}", object.name_any()),
        namespace,
        revision,
        editors: editors.into_iter().collect(),
        fields: set.into_iter().collect(),
    })
}

/// What of a field belongs to a manager.
fn set_by<'a>(managed: &'a ManagedFieldsEntry, part: &str, field: &str) -> Option<&'a Value> {
    let fields = &managed.fields_v1.as_ref()?.0;
    fields.get(format!("f:{part}"))?.get(format!("f:{field}"))
}

/// Whether all fields of one set stand in another one, too.
fn is_within(fields: &Value, all: &Value) -> bool {
    let mut fields = fields.as_object().into_iter().flatten();
    fields.all(|(name, below)| name == "." || all.get(name).is_some_and(|all| is_within(below, all)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_fields_that_the_chart_sets_are_lost() {
        let by = |manager: &str, subresource: &str, fields: Value| {
            json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
                "subresource": subresource, "fieldsV1": fields})
        };
        let applied = |manager: &str, fields: Value| {
            let mut entry = by(manager, "", fields);
            entry["operation"] = json!("Apply");
            entry
        };
        let mesh = || json!({"f:data": {"f:mesh": {}}});
        for (managed, expected) in [
            (vec![], None),
            (vec![by("helm", "", mesh())], None),
            (vec![by("helm", "", mesh()), by("istio-operator", "", mesh())], None),
            (
                vec![by("helm", "", json!({"f:data": {}})), by("kubectl-edit", "", mesh())],
                Some((vec!["kubectl-edit"], vec!["data.mesh"])),
            ),
            (
                vec![
                    by("kubectl-edit", "", mesh()),
                    by(
                        "a",
                        "",
                        json!({"f:data": {"f:mesh": {}, "f:meshNetworks": {}, "f:own": {}}}),
                    ),
                ],
                Some((vec!["a", "kubectl-edit"], vec!["data.mesh", "data.meshNetworks"])),
            ),
            (vec![by("kubectl-edit", "", json!({"f:data": {"f:own": {}}}))], None),
            (
                vec![by("kubectl-label", "", json!({"f:metadata": {"f:labels": {}}}))],
                None,
            ),
            (vec![by("x", "status", mesh())], None),
            // What helm applies as well is the same.
            (vec![applied("helm", mesh()), by("x", "", mesh())], None),
            (
                vec![
                    applied("helm", mesh()),
                    by("x", "", json!({"f:data": {"f:mesh": {}, "f:config": {}}})),
                ],
                Some((vec!["x"], vec!["data.config"])),
            ),
            (
                vec![
                    applied("helm", json!({"f:data": {"f:mesh": {"k:1": {"f:a": {}}}}})),
                    by("x", "", json!({"f:data": {"f:mesh": {".": {}, "k:2": {}}}})),
                ],
                Some((vec!["x"], vec!["data.mesh"])),
            ),
            (
                vec![applied("other", mesh()), by("helm", "", mesh())],
                Some((vec!["other"], vec!["data.mesh"])),
            ),
            (
                vec![by("helm", "", mesh()), by("x", "", mesh())],
                Some((vec!["x"], vec!["data.mesh"])),
            ),
        ] {
            let metadata = json!({"name": "istio", "namespace": "istio-system", "managedFields": managed,
                "labels": {"istio.io/rev": "1-30"}});
            let object: ConfigMap = serde_json::from_value(json!({"metadata": metadata})).unwrap();
            let found = edited(&object, "ConfigMap", CONFIG_MAP);
            let told = found.as_ref().map(|found| {
                let texts = |list: &[String]| list.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
                (texts(&found.editors), texts(&found.fields))
            });
            let expected = expected.map(|(editors, fields)| (editors.join(" "), fields.join(" ")));
            assert_eq!(told, expected, "{managed:?}");
            let is_named = found.is_none_or(|found| {
                found.object == "ConfigMap istio-system/istio" && found.revision.as_deref() == Some("1-30")
            });
            assert!(is_named);
        }
    }

    #[test]
    fn a_kind_that_cannot_be_read_is_named_and_the_others_are_kept() {
        let one = EditedObject {
            object: "Service istio-system/istiod".to_owned(),
            namespace: "istio-system".to_owned(),
            revision: None,
            editors: vec!["x".to_owned()],
            fields: vec!["spec.ports".to_owned()],
        };
        let refused = ClusterError::Forbidden {
            what: "list ConfigMaps".to_owned(),
            message: "no".to_owned(),
        };
        let mut overlooked = Vec::new();
        let kinds = [
            ("ConfigMap", Err(refused)),
            ("Service", Ok(vec![one.clone()])),
            ("HorizontalPodAutoscaler", Ok(Vec::new())),
            ("PodDisruptionBudget", Ok(Vec::new())),
        ];
        assert_eq!(gathered(kinds, &mut overlooked), [one]);
        assert_eq!(overlooked.len(), 1);
        assert!(
            overlooked[0].told.starts_with("who set fields of a ConfigMap that"),
            "{overlooked:?}"
        );
    }
}

//! Who beside an installer set fields of what the chart istiod brings beside its Deployment: metadata alone, a list for each
//! kind. A Service, a budget or the mesh's configuration that was mended by hand is overwritten by the upgrade.

use super::super::{ask::Asker, ownership};
use crate::cluster::error::ClusterError;
use k8s_openapi::api::{
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{ConfigMap, Service},
    policy::v1::PodDisruptionBudget,
};
use kube::{Api, Resource, ResourceExt as _, api::ListParams};
use serde_json::Value;
use shared::inventory::EditedObject;
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

/// What was edited.
pub(super) async fn read(asker: Asker<'_>) -> Result<Vec<EditedObject>, ClusterError> {
    let (config_maps, services, autoscalers, budgets) = futures::try_join!(
        of_kind::<ConfigMap>(asker, "ConfigMap", CONFIG_MAP),
        of_kind::<Service>(asker, "Service", SERVICE),
        of_kind::<HorizontalPodAutoscaler>(asker, "HorizontalPodAutoscaler", AUTOSCALER),
        of_kind::<PodDisruptionBudget>(asker, "PodDisruptionBudget", BUDGET),
    )?;
    Ok([config_maps, services, autoscalers, budgets].concat())
}

async fn of_kind<K>(asker: Asker<'_>, kind: &str, set: Set) -> Result<Vec<EditedObject>, ClusterError>
where
    K: Resource<DynamicType = ()> + Clone + Debug,
{
    let api: Api<K> = Api::all(asker.cluster.client.clone());
    let of_istiod = ListParams::default().labels(OF_ISTIOD);
    let listed = asker.list_metadata(&format!("list {kind}s"), &api, &of_istiod).await?;
    Ok(listed
        .items
        .iter()
        .filter_map(|object| edited(object, kind, set))
        .collect())
}

fn edited(object: &impl Resource, kind: &str, (part, fields): Set) -> Option<EditedObject> {
    let (mut editors, mut set) = (BTreeSet::new(), BTreeSet::new());
    for managed in object.managed_fields() {
        let manager = managed.manager.as_deref().unwrap_or_default();
        if ownership::is_expected(manager) || !managed.subresource.as_deref().unwrap_or_default().is_empty() {
            continue;
        }
        let below = managed
            .fields_v1
            .as_ref()
            .and_then(|fields| fields.0.get(format!("f:{part}")));
        let below = below.and_then(Value::as_object);
        let has = |field: &&&str| below.is_some_and(|below| below.contains_key(&format!("f:{field}")));
        let own: Vec<&&str> = fields.iter().filter(has).collect();
        if !own.is_empty() {
            editors.insert(manager.to_owned());
            set.extend(own.into_iter().map(|field| format!("{part}.{field}")));
        }
    }
    let namespace = object.namespace().unwrap_or_default();
    (!editors.is_empty()).then(|| EditedObject {
        object: format!("{kind} {namespace}/{}", object.name_any()),
        namespace,
        editors: editors.into_iter().collect(),
        fields: set.into_iter().collect(),
    })
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
        ] {
            let metadata = json!({"name": "istio", "namespace": "istio-system", "managedFields": managed});
            let object: ConfigMap = serde_json::from_value(json!({"metadata": metadata})).unwrap();
            let found = edited(&object, "ConfigMap", CONFIG_MAP);
            let told = found.as_ref().map(|found| {
                let texts = |list: &[String]| list.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
                (texts(&found.editors), texts(&found.fields))
            });
            let expected = expected.map(|(editors, fields)| (editors.join(" "), fields.join(" ")));
            assert_eq!(told, expected, "{managed:?}");
            let is_named = found.is_none_or(|found| found.object == "ConfigMap istio-system/istio");
            assert!(is_named);
        }
    }
}

//! What istioctl installed, recovered: the values out of istiod's ConfigMap, the components out of what runs.

use crate::{
    cluster::list,
    error::{api_code, api_message},
};
use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment},
        core::v1::ConfigMap,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::Value;
use shared::{
    api::{ObjectName, PlanStep},
    istioctl::{
        COMPONENT_LABEL, Installed, MANAGED, MANAGED_LABEL, OWNER_LABEL, OWNER_NAMESPACE_LABEL, REVISION_LABEL,
        VALUES_KEY, recovered, values_config_map,
    },
};

/// The IstioOperator that brings a step's installation to a version.
///
/// # Errors
/// When what is installed cannot be read.
pub async fn operator(client: &Client, step: &PlanStep, to: &str) -> Result<Value, String> {
    let installation = ObjectName {
        namespace: step.namespace.clone(),
        name: step.release.clone(),
    };
    let values = values(client, &installation).await?;
    let installed = installed(client, &installation).await?;
    Ok(recovered(&installation, values, &installed, &step.from, to))
}

async fn values(client: &Client, installation: &ObjectName) -> Result<Value, String> {
    let name = values_config_map(&installation.name);
    let unreadable = |why: &str| {
        format!(
            "the values that istioctl installed cannot be read from ConfigMap {}/{name}: {why}",
            installation.namespace
        )
    };
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &installation.namespace);
    let found = config_maps.get(&name).await.map_err(|error| match api_code(&error) {
        404 => unreadable("there is none, as old releases of Istio leave none"),
        _ => unreadable(&api_message(&error)),
    })?;
    let text = found.data.unwrap_or_default().remove(VALUES_KEY);
    let text = text.ok_or_else(|| unreadable(&format!("it has no {VALUES_KEY}")))?;
    match serde_json::from_str(&text) {
        Ok(values @ Value::Object(_)) => Ok(values),
        // Without quoting it: values may be secret.
        Ok(_) | Err(_) => Err(unreadable(&format!("its {VALUES_KEY} are no JSON object"))),
    }
}

async fn installed(client: &Client, installation: &ObjectName) -> Result<Vec<Installed>, String> {
    let ObjectName { namespace, name } = installation;
    let selector = format!(
        "{MANAGED_LABEL}={MANAGED},{OWNER_NAMESPACE_LABEL}={namespace},{REVISION_LABEL}={name},{COMPONENT_LABEL}"
    );
    let selector = ListParams::default().labels(&selector);
    let unreadable = |error: kube::Error| format!("what istioctl installed cannot be listed: {}", api_message(&error));
    let deployments: Api<Deployment> = Api::all(client.clone());
    let daemon_sets: Api<DaemonSet> = Api::all(client.clone());
    let (deployments, daemon_sets) =
        futures::try_join!(list(&deployments, &selector), list(&daemon_sets, &selector)).map_err(unreadable)?;
    let deployments = deployments.items.into_iter().map(|object| {
        let selector = object.spec.as_ref().map(|spec| spec.selector.clone());
        one(&object, selector)
    });
    let daemon_sets = daemon_sets.items.into_iter().map(|object| {
        let selector = object.spec.as_ref().map(|spec| spec.selector.clone());
        one(&object, selector)
    });
    let mut all: Vec<Installed> = deployments.chain(daemon_sets).collect();
    all.sort_by(|a, b| (&a.component, &a.namespace, &a.name).cmp(&(&b.component, &b.namespace, &b.name)));
    if !all.iter().any(|one| one.component == "Pilot") {
        return Err(format!(
            "no Deployment carries istioctl's labels of revision {name} in {namespace}: what it installed is not known"
        ));
    }
    Ok(all)
}

fn one(object: &impl ResourceExt, selector: Option<LabelSelector>) -> Installed {
    let label = |key: &str| object.labels().get(key).cloned();
    Installed {
        component: label(COMPONENT_LABEL).unwrap_or_default(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        selector: selector.and_then(|selector| selector.match_labels).unwrap_or_default(),
        owner: label(OWNER_LABEL),
    }
}

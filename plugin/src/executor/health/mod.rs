//! Health that means something: reported versions, and Istio's own validation and injection, tried in dry runs before
//! the upgrade and after it.

pub mod connections;
mod injection;
mod remote;
mod validation;

use crate::{
    cluster::{self, Cluster, ObserveOptions},
    error::{api_code, api_message},
    executor::{
        frozen::Telling,
        wait::{Waiting, once_each, telling, within},
    },
    ui::Ui,
};
use kube::{
    Api, Client,
    api::{DynamicObject, PostParams},
};
use serde_json::Value;
use shared::{
    api::{Abilities, PlanCluster},
    injection::is_served,
    inventory::{ClusterState, ControlPlane, Observed, Rollout},
    managed::{self, Managed},
    names,
    version::IstioVersion,
};
use std::time::Duration;

/// How long nothing may come on.
const DEADLINE: Duration = Duration::from_secs(180);
/// A mesh at rest answers at once; a moment is left for an istiod that has just been restarted.
const ABILITIES_DEADLINE: Duration = Duration::from_secs(30);

/// Proves the health of one cluster at the target, with its `gateways` once they had their turn. Returns the evidence in a
/// sentence.
///
/// # Errors
/// What was waited for in vain.
pub async fn prove(
    news: &Telling,
    cluster: &Cluster,
    writer: &Client,
    planned: &PlanCluster,
    target: &str,
    abilities: &[Abilities],
    gateways: bool,
) -> Result<String, String> {
    let proved = within(DEADLINE, once_each(telling(news)));
    let try_once = || at_target(cluster, writer, planned, target, abilities, gateways);
    proved
        .wait_for(try_once)
        .await
        .map_err(|why| format!("{}: {why}", cluster.name))
}

/// What each control plane of a cluster does now, and what the one that serves a remote cluster does there; it has to work
/// where the cluster `configures` it. Changes nothing.
///
/// # Errors
/// What is switched on and does not work.
pub async fn abilities(
    ui: Ui,
    cluster: &Cluster,
    writer: &Client,
    planned: &PlanCluster,
    configures: bool,
) -> Result<Vec<Abilities>, String> {
    let proved = within(ABILITIES_DEADLINE, |_: &str| {});
    let try_once = || async {
        let (observed, gateways) = futures::try_join!(observe(cluster, false), kept_gateways(cluster))?;
        let mut abilities = Vec::new();
        // One that is to go, beside a new one, has to do nothing any more.
        let alone = own(&observed, planned).next().is_none();
        let asked = planes(&observed, planned).filter(|plane| alone || !planned.beside.contains(&plane.workload));
        for plane in asked {
            let place = Place::of(plane);
            if !planned.has_webhooks_of(&place.namespace) {
                continue;
            }
            let mut able = Abilities {
                cluster: cluster.name.clone(),
                namespace: place.namespace.clone(),
                name: place.name.clone(),
                validates: validation::is_installed(writer, &place).await?,
                injects: is_served(&plane.config_maps, &plane.revision)
                    && injection::is_installed(writer, &place).await?,
                keeps: Vec::new(),
            };
            if able.validates {
                validation::works(writer, &place).await?;
            }
            if able.injects {
                let (proxy, _) = injection::proxy(writer, &place).await?;
                // Which of two that share a name in one cluster keeps a gateway, nothing of the gateway tells.
                let same = observed
                    .control_planes
                    .iter()
                    .filter(|other| other.revision == plane.revision);
                if same.count() == 1 {
                    able.keeps = managed::kept(&gateways, &place.revision, &proxy);
                }
            }
            abilities.push(able);
        }
        if planes(&observed, planned).next().is_none() {
            abilities = remote::abilities(ui, cluster, writer, (&observed, planned), configures, &gateways).await?;
        }
        Ok::<_, String>(abilities)
    };
    proved
        .wait_for(try_once)
        .await
        .map_err(|why| format!("before the upgrade, {why}; mend that first: after it, it could not be proved"))
}

/// Where validation and injection of a control plane are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// Namespace of its Deployment; in a remote cluster, where that would be.
    namespace: String,
    /// Name of its Deployment; in a remote cluster, the revision that serves it.
    name: String,
    revision: String,
    /// An image that runs here already, for a pod that is never created: policies on registries take it.
    image: String,
}

impl Place {
    fn of(plane: &ControlPlane) -> Self {
        Self {
            namespace: plane.workload.namespace.clone(),
            name: plane.workload.name.clone(),
            revision: plane.revision.clone(),
            image: plane.image.clone(),
        }
    }

    fn is_of(&self, able: &Abilities) -> bool {
        able.namespace == self.namespace && able.name == self.name
    }
}

async fn at_target(
    cluster: &Cluster,
    writer: &Client,
    planned: &PlanCluster,
    target: &str,
    abilities: &[Abilities],
    gateways: bool,
) -> Result<String, Waiting> {
    let observed = observe(cluster, true).await?;
    let abilities: Vec<&Abilities> = abilities.iter().filter(|able| able.cluster == cluster.name).collect();
    let (mut reports, mut proofs) = (0, Vec::new());
    // Revisions at the target, with what has to be kept by them.
    let mut keeping: Vec<(&str, &[String])> = Vec::new();
    for plane in own(&observed, planned) {
        reports += reports_target(plane, target)?;
        let place = Place::of(plane);
        if !planned.has_webhooks_of(&place.namespace) {
            continue;
        }
        let before = abilities.iter().copied().find(|able| place.is_of(able));
        // A new revision does what the one that it stands beside was proved to do.
        let before = before.or_else(|| abilities.iter().copied().find(|able| is_beside(planned, able)));
        let asked = before.map_or((true, true), |able| (able.validates, able.injects));
        keeping.extend(before.map(|able| (plane.revision.as_str(), able.keeps.as_slice())));
        proofs.extend(prove_place(writer, &place, asked, target).await?);
    }
    let what = if own(&observed, planned).next().is_some() {
        format!("{reports} istiod report {target}")
    } else {
        // Its istiod is another cluster's, and was judged there.
        for able in abilities {
            let asked = (able.validates, able.injects);
            keeping.push((&able.name, &able.keeps));
            proofs.extend(prove_place(writer, &remote::place(able, &observed), asked, target).await?);
        }
        remote::rollouts(
            &observed.node_components,
            gateways.then_some(&observed.gateways),
            planned,
        )?
    };
    proofs.dedup();
    proofs.extend(keep(cluster, &keeping, target).await?);
    let proofs: String = proofs.iter().map(|proof| format!(", {proof}")).collect();
    Ok(format!("{}: {what}{proofs}", cluster.name))
}

/// Proves that the istiods of some revisions have brought to the target what they keep themselves. They do so on their own, as soon
/// as they have begun, and in what order is theirs to say.
async fn keep(cluster: &Cluster, keeping: &[(&str, &[String])], target: &str) -> Result<Option<String>, Waiting> {
    if keeping.iter().all(|(_, kept)| kept.is_empty()) {
        return Ok(None);
    }
    let gateways = kept_gateways(cluster).await?;
    let mut arrived = Vec::new();
    for (revision, kept) in keeping {
        arrived.extend(managed::arrived(&gateways, kept, revision, target)?);
    }
    Ok((!arrived.is_empty()).then(|| format!("gateways that istiod keeps run {target}: {}", managed::named(&arrived))))
}

async fn kept_gateways(cluster: &Cluster) -> Result<Vec<Managed>, String> {
    let found = cluster::managed(cluster).await;
    found.map_err(|why| format!("the list of gateways that istiod keeps ({why})"))
}

/// Proves validation and injection, as far as they are asked for.
async fn prove_place(
    writer: &Client,
    place: &Place,
    (validates, injects): (bool, bool),
    target: &str,
) -> Result<Vec<String>, String> {
    let mut proofs = Vec::new();
    if validates {
        validation::works(writer, place).await?;
        proofs.push("validation refuses the bad and accepts the good".to_owned());
    }
    if injects {
        let (image, found) = injection::proxy(writer, place).await?;
        if !is_version(&found.to_string(), target) {
            return Err(format!("injection to yield the proxy of {target} (it yields {image})"));
        }
        proofs.push(format!("injection yields {target}"));
    }
    Ok(proofs)
}

async fn observe(cluster: &Cluster, ask: bool) -> Result<Box<Observed>, String> {
    let options = ObserveOptions {
        ask_running_versions: ask,
        // Neither releases nor the guard say anything of health, and each look would decode them all.
        installation: false,
        ..ObserveOptions::default()
    };
    match cluster::observe(cluster, &options).await.state {
        ClusterState::Observed(observed) => Ok(observed),
        ClusterState::Unknown { reason } => Err(format!("the cluster to answer ({reason})")),
    }
}

/// The control planes that the plan takes to the target.
fn own<'a>(observed: &'a Observed, planned: &'a PlanCluster) -> impl Iterator<Item = &'a ControlPlane> {
    planes(observed, planned).filter(|plane| !planned.beside.contains(&plane.workload))
}

fn is_beside(planned: &PlanCluster, able: &Abilities) -> bool {
    let mut beside = planned.beside.iter();
    beside.any(|one| one.namespace == able.namespace && one.name == able.name)
}

/// The control planes that the plan covers in this cluster.
fn planes<'a>(observed: &'a Observed, planned: &'a PlanCluster) -> impl Iterator<Item = &'a ControlPlane> {
    let namespaces = &planned.scope.istio_namespaces;
    observed
        .control_planes
        .iter()
        .filter(|plane| namespaces.contains(&plane.workload.namespace))
}

fn reports_target(plane: &ControlPlane, target: &str) -> Result<usize, String> {
    let name = format!("{}/{}", plane.workload.namespace, plane.workload.name);
    report_target(&name, plane.rollout, &plane.running, target)
}

/// How many istiods of a Deployment say themselves that they are the target; all of them have to. Whoever does not answer has
/// not agreed.
fn report_target(name: &str, rollout: Rollout, running: &[String], target: &str) -> Result<usize, String> {
    if !rollout.is_complete() {
        return Err(format!("Deployment {name} to roll out"));
    }
    if let Some(other) = running.iter().find(|running| !is_version(running, target)) {
        return Err(format!(
            "every istiod of {name} to report {target} (one reports {other})"
        ));
    }
    let asked = usize::try_from(rollout.ready).unwrap_or_default();
    if running.is_empty() || running.len() < asked {
        return Err(format!(
            "the pods of {name} to report their version ({} of {asked} do)",
            running.len()
        ));
    }
    Ok(running.len())
}

fn is_version(text: &str, target: &str) -> bool {
    match (text.parse::<IstioVersion>(), target.parse::<IstioVersion>()) {
        (Ok(running), Ok(target)) => running == target,
        _ => text == target,
    }
}

/// What a dry run of a creation came to: the object as it would be, or the refusal's code and message.
type DryAnswer = Result<DynamicObject, (u16, String)>;

async fn create_dry(api: &Api<DynamicObject>, object: &Value) -> Result<DryAnswer, String> {
    let object = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let dry_run = PostParams {
        dry_run: true,
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
    };
    match api.create(&dry_run, &object).await {
        Ok(object) => Ok(Ok(object)),
        Err(error) => Ok(Err((api_code(&error), api_message(&error)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_istiod_has_to_say_itself_that_it_is_the_target() {
        let complete = Rollout {
            observed: true,
            desired: 2,
            updated: 2,
            ready: 2,
        };
        let reports = |running: &[&str], rollout: Rollout| {
            let running: Vec<String> = running.iter().map(|version| (*version).to_owned()).collect();
            report_target("istio-system/istiod", rollout, &running, "1.31.0")
        };
        assert_eq!(reports(&["1.31.0", "1.31.0"], complete), Ok(2));
        let wrong = reports(&["1.31.0", "1.30.3"], complete).unwrap_err();
        assert!(wrong.contains("to report 1.31.0 (one reports 1.30.3)"), "{wrong}");
        assert!(reports(&[], complete).unwrap_err().contains("to report their version"));
        // One that does not answer may be anything.
        let silent = reports(&["1.31.0"], complete).unwrap_err();
        assert!(silent.contains("to report their version (1 of 2 do)"), "{silent}");
        let many = Rollout {
            desired: 17,
            updated: 17,
            ready: 17,
            ..complete
        };
        let all = vec!["1.31.0"; 17];
        assert_eq!(reports(&all, many), Ok(17));
        assert!(reports(&all[1..], many).is_err());
        let last_is_old = [&all[1..], &["1.30.3"]].concat();
        let wrong = reports(&last_is_old, many).unwrap_err();
        assert!(wrong.contains("(one reports 1.30.3)"), "{wrong}");
        assert!(reports(&["1.31.0-mspider"], complete).is_err());
        assert!(
            reports(&["1.31.0"], Rollout::default())
                .unwrap_err()
                .contains("to roll out")
        );
    }
}

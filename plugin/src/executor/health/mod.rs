//! Health that means something: reported versions, and Istio's own validation and injection, tried in dry runs before
//! the upgrade and after it.

pub mod connections;
mod injection;
mod remote;
mod validation;

use crate::{
    cluster::{self, Cluster, ObserveOptions},
    error::{api_code, api_message},
    executor::{frozen::Telling, pauses::Pauses},
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
    machine::News,
    names,
    patience::Patience,
    version::IstioVersion,
};
use std::time::{Duration, Instant};

/// How long nothing may come on.
const DEADLINE: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(500);
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
        let observed = observe(cluster, false).await?;
        let mut abilities = Vec::new();
        // One that is to go, beside a new one, has to do nothing any more.
        let alone = own(&observed, planned).next().is_none();
        let asked = planes(&observed, planned).filter(|plane| alone || !planned.beside.contains(&plane.workload));
        for plane in asked {
            let place = Place::of(plane);
            if !planned.has_webhooks_of(&place.namespace) {
                continue;
            }
            let able = Abilities {
                cluster: cluster.name.clone(),
                namespace: place.namespace.clone(),
                name: place.name.clone(),
                validates: validation::is_installed(writer, &place).await?,
                injects: is_served(&plane.config_maps, &plane.revision)
                    && injection::is_installed(writer, &place).await?,
            };
            if able.validates {
                validation::works(writer, &place).await?;
            }
            if able.injects {
                injection::proxy(writer, &place).await?;
            }
            abilities.push(able);
        }
        if planes(&observed, planned).next().is_none() {
            abilities = remote::abilities(ui, cluster, writer, (&observed, planned), configures).await?;
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

/// What is waited for.
struct Waiting {
    /// In words.
    what: String,
    /// How many are left to come, where they can be counted: with each that comes the deadline begins anew.
    left: Option<i64>,
}

impl From<String> for Waiting {
    fn from(what: String) -> Self {
        Self { what, left: None }
    }
}

/// A wait with a deadline that tells what it waits for.
struct Wait<S> {
    deadline: Duration,
    say: S,
}

/// Says what is waited for to whoever shows it; nobody listens any more only when the upgrade is being left.
fn telling(news: &Telling) -> impl FnMut(&str) {
    |what| drop(news.send(News::Waits(Some(what.to_owned()))))
}

/// Says what is waited for when it changes.
fn once_each(mut say: impl FnMut(&str)) -> impl FnMut(&str) {
    let mut said = String::new();
    move |what| {
        if what != said {
            say(what);
            what.clone_into(&mut said);
        }
    }
}

fn within<S: FnMut(&str)>(deadline: Duration, say: S) -> Wait<S> {
    Wait { deadline, say }
}

impl<S: FnMut(&str)> Wait<S> {
    async fn wait_for<T, W: Into<Waiting>, F: Future<Output = Result<T, W>>>(
        mut self,
        mut try_once: impl FnMut() -> F,
    ) -> Result<T, String> {
        let started = Instant::now();
        let mut pauses = Pauses::up_to(LOOK_EVERY);
        let mut patience = Patience::of(self.deadline);
        loop {
            let Waiting { what, left } = match try_once().await {
                Ok(found) => return Ok(found),
                Err(waiting) => waiting.into(),
            };
            if patience.is_over(started.elapsed(), left.map(i64::saturating_neg)) {
                return Err(format!("waited {} s in vain for {what}", self.deadline.as_secs()));
            }
            (self.say)(&what);
            pauses.pause().await;
        }
    }
}

async fn at_target(
    cluster: &Cluster,
    writer: &Client,
    planned: &PlanCluster,
    target: &str,
    abilities: &[Abilities],
    gateways: bool,
) -> Result<String, String> {
    let observed = observe(cluster, true).await?;
    let abilities: Vec<&Abilities> = abilities.iter().filter(|able| able.cluster == cluster.name).collect();
    let (mut reports, mut proofs) = (0, Vec::new());
    for plane in own(&observed, planned) {
        reports += reports_target(plane, target)?;
        let place = Place::of(plane);
        if !planned.has_webhooks_of(&place.namespace) {
            continue;
        }
        let before = abilities.iter().find(|able| place.is_of(able));
        // A new revision does what the one that it stands beside was proved to do.
        let before = before.or_else(|| abilities.iter().find(|able| is_beside(planned, able)));
        let asked = before.map_or((true, true), |able| (able.validates, able.injects));
        proofs.extend(prove_place(writer, &place, asked, target).await?);
    }
    let what = if own(&observed, planned).next().is_some() {
        format!("{reports} istiod report {target}")
    } else {
        // Its istiod is another cluster's, and was judged there.
        for able in abilities {
            let asked = (able.validates, able.injects);
            proofs.extend(prove_place(writer, &remote::place(able, &observed), asked, target).await?);
        }
        remote::rollouts(
            &observed.node_components,
            gateways.then_some(&observed.gateways),
            planned,
        )?
    };
    proofs.dedup();
    let proofs: String = proofs.iter().map(|proof| format!(", {proof}")).collect();
    Ok(format!("{}: {what}{proofs}", cluster.name))
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

/// How many istiods of a Deployment say themselves that they are the target; all of them have to, as far as so many are
/// asked. Whoever does not answer has not agreed.
fn report_target(name: &str, rollout: Rollout, running: &[String], target: &str) -> Result<usize, String> {
    if !rollout.is_complete() {
        return Err(format!("Deployment {name} to roll out"));
    }
    if let Some(other) = running.iter().find(|running| !is_version(running, target)) {
        return Err(format!(
            "every istiod of {name} to report {target} (one reports {other})"
        ));
    }
    let asked = usize::try_from(rollout.ready)
        .unwrap_or_default()
        .min(cluster::MOST_ASKED);
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

    #[tokio::test]
    async fn proxies_that_come_back_one_after_the_other_are_waited_for() {
        for (looks, expected) in [
            (&[5, 3, 1, 0][..], Ok(())),
            (&[5, 5], Err("5 to come")),
            (&[5, 3, 4], Err("4 to come")),
        ] {
            let mut looks = looks.iter().copied();
            // With no time at all, each look has to find fewer than the one before it.
            let wait = within(Duration::ZERO, |_: &str| {});
            let waited = wait.wait_for(|| {
                let left: i64 = looks.next().unwrap();
                std::future::ready(if left == 0 {
                    Ok(())
                } else {
                    Err(Waiting {
                        what: format!("{left} to come"),
                        left: Some(left),
                    })
                })
            });
            match (waited.await, expected) {
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                (waited, expected) => assert_eq!(waited, expected.map_err(str::to_owned)),
            }
        }
    }

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
            desired: 40,
            updated: 40,
            ready: 40,
            ..complete
        };
        let enough = vec!["1.31.0"; cluster::MOST_ASKED];
        assert_eq!(reports(&enough, many), Ok(cluster::MOST_ASKED));
        assert!(reports(&enough[1..], many).is_err());
        assert!(reports(&["1.31.0-mspider"], complete).is_err());
        assert!(
            reports(&["1.31.0"], Rollout::default())
                .unwrap_err()
                .contains("to roll out")
        );
    }
}

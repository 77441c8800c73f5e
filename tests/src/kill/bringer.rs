//! What brings a mesh that nobody installs by hand: a stand-in for its controller, and the person who merges.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::scenario::{FROM, Scenario, TO};
use crate::{
    harness::{Background, Cluster},
    product::{GitOpsKind, StandInGitOps, StandInSail},
    traffic::{BlockingCaller, Identity},
};

/// Name of each object that a GitOps controller follows, and its chart.
const CHARTS: [(&str, &str); 3] = [("istio-base", "base"), ("istiod", "istiod"), ("istio-cni", "cni")];
const JOURNALS: &str = "/apis/meshupgrade.io/v1alpha1/meshupgrades";
/// How often the person looks what is asked for.
const PAUSE: Duration = Duration::from_millis(100);

/// A controller.
pub(super) enum Bringer {
    GitOps(Arc<StandInGitOps>),
    Sail(Arc<StandInSail>),
}

impl Bringer {
    /// Puts up the controller and its objects, where a scenario has one.
    pub(super) fn install(scenario: Scenario, cluster: &Arc<Cluster>) -> Result<Option<Self>> {
        let follows = |kind| StandInGitOps::install(cluster, kind, &CHARTS, FROM).map(Self::GitOps);
        let bringer = match scenario {
            Scenario::ArgoCd => follows(GitOpsKind::ArgoCd)?,
            Scenario::Flux => follows(GitOpsKind::Flux)?,
            Scenario::Sail => Self::Sail(StandInSail::install(cluster, FROM, TO)?),
            Scenario::SailRevisions => {
                let sail = StandInSail::install_revision_based(cluster, FROM, TO)?;
                sail.follow_with_a_tag()?;
                Self::Sail(sail)
            }
            _ => return Ok(None),
        };
        Ok(Some(bringer))
    }

    /// Has it work, and somebody merge, for as long as what this gives is kept.
    pub(super) fn work(&self, cluster: &Cluster) -> Result<Vec<Background>> {
        Ok(match self {
            Self::GitOps(stand_in) => vec![stand_in.run(), merge_what_is_asked_for(stand_in, cluster)?],
            Self::Sail(stand_in) => vec![stand_in.run()],
        })
    }

    /// Waits until everything is as its objects ask for.
    pub(super) fn wait_for_all(&self) -> Result<()> {
        match self {
            Self::GitOps(stand_in) => stand_in.wait_for_all(),
            Self::Sail(stand_in) => stand_in.wait_for_all(),
        }
    }

    /// Sees that its objects ask for the target, and that all of it was brought.
    pub(super) fn is_at_the_target(&self) -> Result<()> {
        self.wait_for_all()?;
        match self {
            Self::GitOps(stand_in) => {
                for (name, _) in CHARTS {
                    let version = stand_in.version(name)?;
                    ensure!(version == TO, "{name} asks for {version}");
                }
            }
            Self::Sail(stand_in) => {
                for object in stand_in.told()? {
                    let version = object.pointer("/spec/version").and_then(Value::as_str);
                    ensure!(version == Some(&format!("v{TO}")), "{object}");
                }
            }
        }
        Ok(())
    }
}

/// A person who merges each change once the journal says that it is waited for, whether or not somebody waits still.
fn merge_what_is_asked_for(stand_in: &Arc<StandInGitOps>, cluster: &Cluster) -> Result<Background> {
    let reader = BlockingCaller::new(cluster.kubeconfig(), Identity::of("person"))?;
    let stand_in = Arc::clone(stand_in);
    let mut merged = BTreeSet::new();
    Ok(Background::every(PAUSE, move || {
        // Before the first upgrade there may be no journals; what fails is done in the next round.
        let Ok(asked) = reader.read(JOURNALS).map(|journals| notes(&journals)) else {
            return;
        };
        for (name, _) in CHARTS {
            let change = format!(" of {} {}/{name} ", stand_in.kind.kind(), stand_in.kind.namespace());
            let is_asked = |note: &String| note.contains("waits for the change to be merged") && note.contains(&change);
            if !merged.contains(name) && asked.iter().any(is_asked) && stand_in.merge(name, TO).is_ok() {
                merged.insert(name);
            }
        }
    }))
}

/// Everything that journals have noted.
fn notes(journals: &Value) -> Vec<String> {
    let items = journals.get("items").and_then(Value::as_array).into_iter().flatten();
    let histories = items.filter_map(|journal| journal.pointer("/status/history")?.as_array());
    let notes = histories.flatten().filter_map(|event| event.get("what")?.as_str());
    notes.map(str::to_owned).collect()
}

//! Guide: the runbook of an upgrade for whoever does it by hand, made for one mesh as it was observed.
//!
//! A plain value: what to check, what to run, what to look at and how to go back, hop by hop. Rendering is apart. No
//! command in it is run here, and none of it holds a value of a helm release: the commands recover those themselves.

mod before;
mod by_hand;
mod canary;
mod charts;
mod checks;
mod detected;
mod helm;
mod istioctl;
mod journey;
mod left;
mod markdown;
mod place;
mod restarts;
mod script;
pub mod shell;
mod way_back;

pub use crate::engine::Engine;
pub use charts::Charts;
pub use journey::build;
pub use markdown::markdown;
pub use script::script;

use crate::{api::Management, finding::Finding};
use serde::Serialize;
use std::collections::BTreeMap;

/// How a text of a runbook is told to people: in their language.
pub type Tell<'a> = &'a dyn Fn(&str) -> String;

/// How a control plane is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Strategy {
    /// The one that runs is upgraded where it stands.
    InPlace,
    /// A new revision is installed beside it, and the data plane moves over.
    Canary,
}

impl Strategy {
    /// The word of the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InPlace => "in-place",
            Self::Canary => "canary",
        }
    }
}

/// What a guide is asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Where to.
    pub to: crate::version::IstioVersion,
    /// How; what fits what was detected when left out.
    pub strategy: Option<Strategy>,
    /// Where the charts are.
    pub charts: Charts,
    /// The context that leads to each cluster, by the cluster's name; a cluster without one has no context of the
    /// operator's.
    pub contexts: BTreeMap<String, String>,
}

/// Why there is no guide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuideError {
    /// Everything is there.
    #[error("mesh {mesh} runs {to} already: there is nothing to guide to")]
    NothingToDo {
        /// Name of the mesh.
        mesh: String,
        /// The target.
        to: String,
    },
    /// A control plane is newer than the target.
    #[error("mesh {mesh} runs {from}, which is newer than {to}: Istio has no tested way back beyond the last hop")]
    Downgrade {
        /// Name of the mesh.
        mesh: String,
        /// What runs.
        from: String,
        /// The target.
        to: String,
    },
    /// The target is built by somebody else.
    #[error(
        "mesh {mesh} runs {from}, and {to} is of another flavor: a mesh is not converted, because the vendor's build \
         differs in more than its version; install a mesh of the other flavor and move the workloads"
    )]
    OtherFlavor {
        /// Name of the mesh.
        mesh: String,
        /// What runs.
        from: String,
        /// The target.
        to: String,
    },
    /// No control plane tells a version.
    #[error("mesh {mesh} has no control plane whose version can be read")]
    Unreadable {
        /// Name of the mesh.
        mesh: String,
    },
    /// A cluster could not be observed.
    #[error("cluster {cluster} could not be observed: {reason}; a guide names what is there, so it needs all clusters")]
    Unknown {
        /// Name of the cluster.
        cluster: String,
        /// Why.
        reason: String,
    },
    /// There is no way.
    #[error("mesh {mesh} has no way to {to}: {reason}")]
    NoWay {
        /// Name of the mesh.
        mesh: String,
        /// The target.
        to: String,
        /// Why.
        reason: String,
    },
    /// There is no canary of it.
    #[error("mesh {mesh} cannot be upgraded as a canary: {reason}")]
    NoCanary {
        /// Name of the mesh.
        mesh: String,
        /// Why.
        reason: String,
    },
}

/// A runbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Runbook {
    /// Name of the mesh.
    pub mesh: String,
    /// Who operates it.
    pub management: Management,
    /// Version that runs.
    pub from: String,
    /// Version to go to.
    pub to: String,
    /// How control planes are replaced.
    pub strategy: Strategy,
    /// What was detected in each cluster.
    pub clusters: Vec<ClusterFacts>,
    /// What to know before anything is done.
    pub notes: Vec<String>,
    /// What a check found in the way of the first hop.
    pub findings: Vec<Finding>,
    /// What is to be done, in this order.
    pub chapters: Vec<Chapter>,
}

/// What was detected in one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFacts {
    /// Name of the cluster.
    pub name: String,
    /// Context that the commands name; none where nothing but a Secret of Istio's leads there.
    pub context: Option<String>,
    /// Version of its Kubernetes.
    pub kubernetes: String,
    /// What installed Istio there.
    pub installer: String,
    /// Control planes, as `istiod of revision default in istio-system: 1.30.3`.
    pub control_planes: Vec<String>,
    /// Registry of Istio's images.
    pub hub: Option<String>,
}

/// One leg of the way, or what comes before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chapter {
    /// What it is about.
    pub title: String,
    /// What to know.
    pub notes: Vec<String>,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// One step: nothing more may go wrong in it than one can take back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it does.
    pub title: String,
    /// Cluster that it changes; none for all or none of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What to know.
    pub notes: Vec<String>,
    /// What has to hold before.
    pub before: Vec<Check>,
    /// What is done.
    pub run: Vec<Action>,
    /// What has to hold afterwards.
    pub after: Vec<Check>,
    /// What to look at afterwards.
    pub look: Vec<Look>,
    /// The way back.
    pub back: Back,
}

/// Something that has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What holds when the command ends with 0.
    pub says: String,
    /// The command.
    pub command: String,
    /// Whether it may take a while until it holds.
    pub patient: bool,
}

/// Something that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// A command.
    Run(String),
    /// Something that no command here can do.
    ByHand(String),
}

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    /// What to look for.
    pub says: String,
    /// A command that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The way back from a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Back {
    /// What it is, or why there is none.
    pub says: String,
    /// Commands, in this order.
    pub commands: Vec<String>,
}

impl Check {
    /// A check that holds at once or not.
    fn now(says: impl Into<String>, command: String) -> Self {
        Self {
            says: says.into(),
            command,
            patient: false,
        }
    }

    /// A check that may take a while.
    fn soon(says: impl Into<String>, command: String) -> Self {
        Self {
            patient: true,
            ..Self::now(says, command)
        }
    }
}

impl Look {
    fn at(says: impl Into<String>, command: String) -> Self {
        Self {
            says: says.into(),
            command: Some(command),
        }
    }
}

impl Back {
    fn none(says: impl Into<String>) -> Self {
        Self {
            says: says.into(),
            commands: Vec::new(),
        }
    }

    fn by(says: impl Into<String>, commands: Vec<String>) -> Self {
        Self {
            says: says.into(),
            commands,
        }
    }
}

#[cfg(test)]
mod rest_tests;
#[cfg(test)]
mod tests;

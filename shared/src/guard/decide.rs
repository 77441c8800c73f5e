//! The webhook's decision: the freeze by the same table as the policy, and at any time the guard on versions.

use super::{
    codes::Code,
    late,
    matching::{self, Stance},
    message, own_objects,
    review::Request,
    versions,
};
use crate::{
    api::{ClusterReport, Downgrade, Management, MeshCluster, MeshFreezeSpec},
    names,
    phase::Phase,
    version::{Flavor, IstioVersion},
};
use k8s_openapi::jiff::Timestamp;

/// What the webhook knows of its cluster.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Freezes that hold.
    pub freezes: Vec<Freeze>,
    /// Control planes that exist.
    pub control_planes: Vec<KnownControlPlane>,
    /// Webhooks of control planes that run in other clusters.
    pub injectors: Vec<KnownInjector>,
    /// CNI agents and ztunnels that exist.
    pub node_components: Vec<KnownNodeComponent>,
    /// What Mesh objects say.
    pub meshes: Vec<KnownMesh>,
    /// Journals of upgrades, over or not.
    pub upgrades: Vec<KnownUpgrade>,
    /// Flavors of which a catalog is known.
    pub flavors: Vec<Flavor>,
}

/// A freeze, and how far its upgrade is.
#[derive(Clone, Debug)]
pub struct Freeze {
    /// The MeshFreeze.
    pub spec: MeshFreezeSpec,
    /// Phase of its MeshUpgrade, when the journal is in this cluster.
    pub phase: Option<Phase>,
}

/// A control plane that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownControlPlane {
    /// Its namespace.
    pub namespace: String,
    /// Name of its Deployment.
    pub name: String,
    /// Its revision.
    pub revision: String,
    /// Its version, when its image says so.
    pub version: Option<IstioVersion>,
    /// User name of its service account.
    pub user: String,
    /// Helm release that owns it, as namespace and name.
    pub release: Option<(String, String)>,
}

/// What a cluster without the control plane has of it: the injector, of its chart's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownInjector {
    /// Version of the chart, when its labels say so.
    pub version: Option<IstioVersion>,
    /// Helm release that owns it, as namespace and name.
    pub release: Option<(String, String)>,
}

/// A CNI agent or a ztunnel that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownNodeComponent {
    /// Its version, when its image says so.
    pub version: Option<IstioVersion>,
    /// Helm release that owns it, as namespace and name.
    pub release: Option<(String, String)>,
}

/// What is known of a mesh: what its Mesh object says, and its upgrades.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownMesh {
    /// Its name.
    pub name: String,
    /// Namespace of its control plane.
    pub istio_namespace: String,
    /// Further namespaces with control planes of it.
    pub namespaces: Vec<String>,
    /// Its flavor.
    pub flavor: Flavor,
    /// The newest version that was recorded.
    pub version: Option<IstioVersion>,
    /// Who operates it; `None` of a mesh without a Mesh object.
    pub management: Option<Management>,
    /// The way back that its owner allows.
    pub downgrade: Option<Downgrade>,
    /// The clusters that its object lists.
    pub clusters: Vec<MeshCluster>,
    /// What the guards of its clusters report.
    pub reports: Vec<ClusterReport>,
    /// Name of this cluster, where the object says it.
    pub own_cluster: Option<String>,
}

impl KnownMesh {
    /// Whether its owner upgrades it, by what its Mesh object says.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.management == Some(Management::External)
    }

    /// Whether control planes in this namespace are the mesh's.
    #[must_use]
    pub fn has_namespace(&self, namespace: &str) -> bool {
        self.istio_namespace == namespace || self.namespaces.iter().any(|one| one == namespace)
    }
}

/// The journal of an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUpgrade {
    /// Its name.
    pub name: String,
    /// The mesh that it upgrades.
    pub mesh: String,
    /// How far it is.
    pub phase: Phase,
    /// Epoch of its last driver.
    pub epoch: i64,
}

/// A refusal or a warning: the code, and the message that begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Its code.
    pub code: Code,
    /// The whole message, on one line.
    pub message: String,
    /// Mesh whose owner allowed what is told of; for [`Code::AllowedDowngrade`] alone.
    pub allowed_for: Option<String>,
}

impl Ruling {
    /// A ruling with this code, which begins the message.
    #[must_use]
    pub fn new(code: Code, message: String) -> Self {
        Self {
            code,
            message,
            allowed_for: None,
        }
    }
}

/// The webhook's answer. A dry run gets the same as the real request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Nothing speaks against it.
    Allow,
    /// It passes, and the person reads why it should not have to.
    Warn(Ruling),
    /// It is refused.
    Deny(Ruling),
}

/// Decides a request that arrives now. Whoever passes the freeze is still judged by version: the holder too.
pub fn decide(request: &Request<'_>, facts: &Facts, now: Timestamp) -> Verdict {
    let mut warning = None;
    for freeze in &facts.freezes {
        let message = match matching::stance(request, &freeze.spec) {
            Stance::Free => continue,
            Stance::Refuse => {
                let message = message::frozen(&freeze.spec, freeze.phase);
                return Verdict::Deny(Ruling::new(Code::MeshFrozen, message));
            }
            Stance::Tell(what) => message::told(&freeze.spec, freeze.phase, what),
        };
        warning = Some(Ruling::new(Code::MeshFrozen, message));
    }
    if let Some(ruling) = late::judge(request, facts) {
        return Verdict::Deny(ruling);
    }
    let verdict = if *request.group == *names::GROUP {
        own_objects::judge(request, facts, now)
    } else {
        versions::judge(request, facts, now)
    };
    match (verdict, warning) {
        (Verdict::Allow, Some(ruling)) => Verdict::Warn(ruling),
        (verdict, _) => verdict,
    }
}

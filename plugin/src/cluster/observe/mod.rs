//! Observing a cluster: what of Istio and of the guard runs there, as plain values for the checks.

mod ask;
mod awaited;
mod catalog;
mod changes;
mod data_plane;
mod followed;
mod guard;
mod guard_release;
mod leads;
mod managed;
mod mesh_config;
mod needed;
mod ownership;
mod pace;
mod pages;
mod permissions;
mod pods;
mod protobuf;
mod proxies;
mod releases;
mod requests;
mod running;
mod second_look;
mod served;
mod stream;
mod surge;
mod surroundings;
mod vendor;
mod version;
mod workloads;

pub use awaited::awaited;
pub use catalog::catalog_text;
pub use changes::Marks;
pub use guard_release::guard_release;
pub use managed::managed;
pub use needed::{permissions_for_apply, permissions_for_unguarded_apply};
pub use permissions::{PermissionQuery, impersonation_arrives, whoami};
pub use served::{connected_to, served};

pub(super) use leads::{Known, Lead, Leads, leads};

use super::{client::Cluster, error::ClusterError};
use ask::Asker;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use running::IstiodPod;
use shared::{
    catalog::Catalog,
    gitops::Followed,
    inventory::{
        ClusterInventory, ClusterState, ControlPlane, Found, GuardPresence, Inventory, Observed, VendorComponent,
    },
    version::{KubernetesVersion, Minor},
};
use std::{sync::Arc, time::Duration};
use workloads::{Istiod, Workloads};

/// What is asked beyond the lists.
#[derive(Clone, Debug)]
pub struct ObserveOptions {
    /// Ask the pods of istiod which version they run, through port-forwards.
    pub ask_running_versions: bool,
    /// Count the proxies of the data plane, out of all pods.
    pub count_proxies: bool,
    /// Look at the data plane by what restarts it, out of all pods.
    pub data_plane: bool,
    /// Look at what stands around the workloads: configuration, webhooks, certificates, nodes.
    pub surroundings: bool,
    /// Look at how Istio and the guard are installed: helm's releases, what GitOps controllers follow, the guard's parts. Who
    /// only names meshes and versions needs nothing of it, and releases take long to decode.
    pub installation: bool,
    /// The minor that a mesh is to go to: objects that no rule on the way there looks at are then not read.
    pub to: Option<Minor>,
    /// Names what vendors run beside Istio's own components; without it, none of that is looked for.
    pub catalog: Option<Arc<Catalog>>,
    /// Whether the catalog counts instead that the first cluster brings which leads to others, where it brings one.
    pub own_catalog: bool,
    /// What the caller and the driver must be allowed to do.
    pub permissions: Vec<PermissionQuery>,
    /// How long each single question may take.
    pub deadline: Duration,
}

impl Default for ObserveOptions {
    fn default() -> Self {
        Self {
            ask_running_versions: false,
            count_proxies: false,
            data_plane: false,
            surroundings: false,
            installation: true,
            to: None,
            catalog: None,
            own_catalog: false,
            permissions: Vec::new(),
            deadline: Duration::from_secs(20),
        }
    }
}

/// How many times the deadline of one question a cluster may take in all.
const QUESTIONS_LONG: u32 = 3;
/// Pause before a server that is not ready yet is asked again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Observes one cluster. Never fails: a cluster that cannot be read is Unknown, with the reason.
pub async fn observe(cluster: &Cluster, options: &ObserveOptions) -> ClusterInventory {
    observe_further(cluster, options, &Known::default()).await
}

/// The same of a cluster of which something is known already.
pub(super) async fn observe_further(cluster: &Cluster, options: &ObserveOptions, known: &Known) -> ClusterInventory {
    let limit = options.deadline.saturating_mul(QUESTIONS_LONG);
    // Large, and a hundred of them are made: kept off the stack.
    let looking = Box::pin(look_until_ready(cluster, options, known));
    let reason = match tokio::time::timeout(limit, looking).await {
        Ok(Ok(observed)) => return of(cluster, ClusterState::Observed(Box::new(observed))),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("{} took longer than {} s in all", cluster.server(), limit.as_secs()),
    };
    of(cluster, ClusterState::Unknown { reason })
}

fn of(cluster: &Cluster, state: ClusterState) -> ClusterInventory {
    ClusterInventory {
        name: cluster.name.clone(),
        found: Found::Named,
        state,
    }
}

async fn look_until_ready(
    cluster: &Cluster,
    options: &ObserveOptions,
    known: &Known,
) -> Result<Observed, ClusterError> {
    let started = std::time::Instant::now();
    loop {
        match look(cluster, options, known).await {
            // A server that has just started or been given a CRD says so for a moment, while its caches fill.
            Err(ClusterError::Api { code: 429 | 503, .. }) if started.elapsed() < options.deadline => {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            looked => return looked,
        }
    }
}

/// Observes several clusters at the same time, each as a task of its own: reading what many answer takes the processor
/// longer than the network.
pub async fn observe_all(clusters: &[Cluster], options: &ObserveOptions) -> Inventory {
    let options = Arc::new(options.clone());
    let asked = clusters.iter().map(|cluster| {
        let (own, options) = (cluster.clone(), Arc::clone(&options));
        let observing = tokio::spawn(async move { observe(&own, &options).await });
        async move {
            observing.await.unwrap_or_else(|error| {
                let reason = format!("asking it broke off: {error}");
                of(cluster, ClusterState::Unknown { reason })
            })
        }
    });
    Inventory {
        clusters: join_all(asked).await,
    }
}

async fn look(cluster: &Cluster, options: &ObserveOptions, known: &Known) -> Result<Observed, ClusterError> {
    let asker = Asker {
        cluster,
        deadline: options.deadline,
    };
    // Alone and first: a cluster that cannot be reached then costs one timeout and gives one reason.
    let kubernetes = match known.kubernetes.clone() {
        Some(known) => known,
        None => kubernetes_version(asker).await?,
    };
    let meshes = async {
        match known.meshes.clone() {
            Some(known) => Ok(known),
            None => guard::meshes(asker).await,
        }
    };
    let guard = async {
        if options.installation {
            guard::presence(asker).await
        } else {
            (GuardPresence::default(), Vec::new())
        }
    };
    let proxies = async {
        if options.data_plane {
            let mut gathering = data_plane::Gathering::begin(asker).await?;
            let pods = proxies::read(asker, |pod| gathering.pod(pod)).await?;
            return Ok((pods, Some(Box::new(gathering.end()))));
        }
        if options.count_proxies {
            return Ok((proxies::read(asker, |_| {}).await?, None));
        }
        Ok((proxies::Pods::default(), None))
    };
    let istio = async {
        if !options.surroundings {
            return Ok((istio(asker, options).await?, None));
        }
        let (istio, around) = futures::join!(istio(asker, options), surroundings::read(asker));
        let istio = istio?;
        let around = around.complete(asker, &istio, options.to).await;
        Ok((istio, Some(around)))
    };
    let (uid, meshes, (guard, of_guard), permissions, istio, pods) = futures::join!(
        uid(asker),
        meshes,
        guard,
        permissions::ask(asker, &options.permissions),
        istio,
        proxies,
    );
    let (istio, around): (Istio, _) = istio?;
    let mut unreadable = istio.unreadable;
    unreadable.extend(of_guard);
    let permissions = permissions.unwrap_or_else(|error| {
        unreadable.push(format!("permissions: {error}"));
        Vec::new()
    });
    let (pods, data_plane) = pods.unwrap_or_else(|error: ClusterError| {
        unreadable.push(format!("proxies of the data plane: {error}"));
        (proxies::Pods::default(), None)
    });
    let mut gateways = istio.workloads.gateways;
    match workloads::unlabelled(asker, &pods.gateways, &gateways).await {
        Ok(found) if found.is_empty() => {}
        Ok(found) => {
            gateways.extend(found);
            gateways.sort_by(|a, b| workloads::key(&a.workload).cmp(&workloads::key(&b.workload)));
        }
        Err(error) => unreadable.push(format!("gateways without Istio's label: {error}")),
    }
    let surroundings = around.map(|around| Box::new(around.finish(pods.beside)));
    Ok(Observed {
        uid: uid?,
        kubernetes,
        control_planes: istio.control_planes,
        node_components: istio.workloads.node_components,
        vendor_components: istio.vendor_components,
        gateways,
        proxies: pods.proxies,
        data_plane,
        surroundings,
        helm_releases: istio.releases.known,
        old_releases: istio.releases.old,
        followed: istio.followed,
        meshes: meshes?,
        // Told by what leads there; see `members::hosts` and `members::remotes`.
        hosted: Vec::new(),
        remotes: Vec::new(),
        guard,
        permissions,
        unreadable,
    })
}

async fn kubernetes_version(asker: Asker<'_>) -> Result<KubernetesVersion, ClusterError> {
    let what = "tell its version";
    let info = asker.ask(what, asker.cluster.client.apiserver_version()).await?;
    info.git_version
        .parse()
        .map_err(|error: shared::version::VersionError| ClusterError::Protocol {
            server: asker.cluster.server(),
            what: what.to_owned(),
            reason: error.to_string(),
        })
}

async fn uid(asker: Asker<'_>) -> Result<String, ClusterError> {
    let api: Api<Namespace> = Api::all(asker.cluster.client.clone());
    let namespace = asker
        .ask("get the Namespace kube-system", api.get_metadata("kube-system"))
        .await?;
    Ok(namespace.metadata.uid.unwrap_or_default())
}

/// Istio's part of a cluster.
struct Istio {
    control_planes: Vec<ControlPlane>,
    workloads: Workloads,
    vendor_components: Vec<VendorComponent>,
    releases: releases::Releases,
    followed: Vec<Followed>,
    /// Ready pods of istiod; none where they were not asked.
    pods: Vec<IstiodPod>,
    unreadable: Vec<String>,
}

/// Lists first, then what the lists led to.
async fn istio(asker: Asker<'_>, options: &ObserveOptions) -> Result<Istio, ClusterError> {
    let pods = async {
        if options.ask_running_versions {
            running::pods(asker).await
        } else {
            Ok(Vec::new())
        }
    };
    let storage = async {
        if options.installation {
            releases::list(asker).await
        } else {
            releases::Storage::default()
        }
    };
    let (workloads, storage, pods) = futures::join!(second_look::workloads(asker), storage, pods);
    let mut workloads = workloads?;
    let mut unreadable = storage.unreadable.clone();
    let pods = pods.unwrap_or_else(|error| {
        unreadable.push(format!("versions that run: {error}"));
        Vec::new()
    });
    let control_planes = std::mem::take(&mut workloads.control_planes);
    let followed = async {
        if options.installation {
            followed::read(asker, &control_planes, &workloads).await
        } else {
            Ok(Vec::new())
        }
    };
    let (control_planes, mut releases, followed, (vendor_components, of_vendor)) = futures::join!(
        join_all(control_planes.iter().map(|istiod| complete(asker, istiod, &pods))),
        releases::read(asker, &storage, &control_planes, &workloads),
        followed,
        vendor::find(asker, &control_planes, &storage, options.catalog.as_deref()),
    );
    unreadable.extend(of_vendor);
    let followed = followed.unwrap_or_else(|error| {
        unreadable.push(format!("what a GitOps controller or operator follows: {error}"));
        Vec::new()
    });
    let mut completed = Vec::new();
    for (control_plane, reasons) in control_planes {
        completed.push(control_plane);
        unreadable.extend(reasons);
    }
    unreadable.append(&mut releases.unreadable);
    Ok(Istio {
        control_planes: completed,
        workloads,
        vendor_components,
        releases,
        followed,
        pods,
        unreadable,
    })
}

/// Adds to a control plane what is not in its Deployment; what could not be asked is said.
async fn complete(asker: Asker<'_>, istiod: &Istiod, pods: &[IstiodPod]) -> (ControlPlane, Vec<String>) {
    let mut control_plane = istiod.control_plane.clone();
    let namespace = &istiod.control_plane.workload.namespace;
    let (config, (running, mut unreadable)) = futures::join!(
        mesh_config::read(asker, istiod),
        running::versions(asker, pods, namespace, &istiod.control_plane.revision),
    );
    match config {
        Ok(config) => {
            control_plane.config_maps = config.names;
            control_plane.mesh_id = config.mesh_id;
            control_plane.settings.mesh = config.mesh;
            unreadable.extend(config.unreadable);
        }
        Err(error) => unreadable.push(format!("mesh configuration in {namespace}: {error}")),
    }
    let running = running.into_iter();
    let running: Vec<String> = running
        .map(|said| version::flavored(said, &control_plane.image))
        .collect();
    control_plane.version = version::choose(&running, &control_plane.image, istiod.label.as_deref());
    control_plane.running = running;
    (control_plane, unreadable)
}

//! Inventories for tests: a healthy mesh, to be spoilt in one place at a time.

use super::{
    ClusterInventory, ClusterState, ControlPlane, Election, Found, Gateway, GuardPresence, HelmRelease, Hosted,
    Inventory, MeshRecord, NodeComponent, NodeRoom, Nodes, Observed, ObservedVersion, Ownership, Pace, Permission,
    Proxies, ProxyKind, Resources, Rollout, Settings, Surge, Surroundings, VendorComponent, VersionSource, Webhook,
    WebhookTarget,
};
use crate::{
    api::{Component, FreezeSettings, Management, WorkloadKind, WorkloadName},
    helm::ReleaseSettings,
    version::IstioVersion,
};

/// A complete rollout.
pub fn rollout(replicas: i32) -> Rollout {
    Rollout {
        desired: replicas,
        updated: replicas,
        ready: replicas,
        observed: true,
    }
}

/// A version as its image's tag tells it.
pub fn version(text: &str) -> ObservedVersion {
    let version: Option<IstioVersion> = text.parse().ok();
    ObservedVersion {
        source: version.as_ref().map(|_| VersionSource::ImageTag),
        version,
        raw: text.to_owned(),
    }
}

/// A workload's name.
pub fn workload(kind: WorkloadKind, namespace: &str, name: &str) -> WorkloadName {
    WorkloadName {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// An update that adds a pod of so many thousandths of a CPU and MiB of memory before it removes one.
pub fn surge(milli_cpu: u64, mebibytes: u64) -> Surge {
    Surge {
        pod: Resources {
            milli_cpu,
            memory: mebibytes << 20,
            pods: 0,
        },
        adds_first: true,
        ..Surge::default()
    }
}

/// A node with room for one istiod and something more.
pub fn room(name: &str) -> NodeRoom {
    NodeRoom {
        name: name.to_owned(),
        free: Resources {
            milli_cpu: 700,
            memory: 4 << 30,
            pods: 20,
        },
        ..NodeRoom::default()
    }
}

/// An election of the namespace that is held and renewed.
pub fn election() -> Election {
    Election {
        namespace: "istio-system".to_owned(),
        object: "ConfigMap istio-system/istio-namespace-controller-election".to_owned(),
        of_revision: None,
        holder: "istiod-0".to_owned(),
        holder_is_there: true,
        revision: Some("default".to_owned()),
        age: Some(7),
    }
}

/// A healthy istiod of two replicas, installed by the helm release `istiod` of its namespace.
pub fn istiod(namespace: &str, running: &str) -> ControlPlane {
    ControlPlane {
        workload: workload(WorkloadKind::Deployment, namespace, "istiod"),
        revision: "default".to_owned(),
        version: version(running),
        running: vec![running.to_owned(), running.to_owned()],
        image: format!("docker.io/istio/pilot:{running}"),
        rollout: rollout(2),
        user: format!("system:serviceaccount:{namespace}:istiod"),
        config_maps: vec!["istio".to_owned(), "istio-sidecar-injector".to_owned()],
        mesh_id: None,
        helm_release: Some((namespace.to_owned(), "istiod".to_owned())),
        ownership: Ownership::default(),
        settings: Settings::default(),
        surge: surge(500, 2048),
    }
}

/// A healthy node component on three nodes, installed by the helm release of its own name.
pub fn node(component: Component, running: &str) -> NodeComponent {
    let (name, release, image) = match component {
        Component::Ztunnel => ("ztunnel", "ztunnel", "ztunnel"),
        _ => ("istio-cni-node", "istio-cni", "install-cni"),
    };
    NodeComponent {
        component,
        workload: workload(WorkloadKind::DaemonSet, "istio-system", name),
        version: version(running),
        image: format!("docker.io/istio/{image}:{running}"),
        rollout: rollout(3),
        helm_release: Some(("istio-system".to_owned(), release.to_owned())),
        ownership: Ownership::default(),
        pace: Pace {
            nodes_at_once: Some(1),
            grace_seconds: 30,
        },
    }
}

/// A vendor's node component, installed by a helm release of its own or by hand.
pub fn merbridge(running: &str, by_helm: bool) -> VendorComponent {
    VendorComponent {
        name: "Merbridge".to_owned(),
        workload: workload(WorkloadKind::DaemonSet, "kube-system", "merbridge"),
        image: format!("registry.example.com/mspider/merbridge:{running}"),
        version: version(running),
        rollout: rollout(3),
        release: by_helm.then(|| HelmRelease {
            component: Component::Vendor,
            chart: "merbridge".to_owned(),
            ..release("kube-system", "merbridge", "cni", running)
        }),
    }
}

/// A healthy injected gateway.
pub fn gateway(namespace: &str, name: &str) -> Gateway {
    Gateway {
        workload: workload(WorkloadKind::Deployment, namespace, name),
        image: "auto".to_owned(),
        rollout: rollout(2),
        helm_release: Some((namespace.to_owned(), name.to_owned())),
        ownership: Ownership::default(),
        surge: surge(100, 128),
    }
}

/// One healthy cluster with an ambient mesh and a gateway, all of it installed by one istioctl.
pub fn by_istioctl(istio: &str) -> Inventory {
    let mut inventory = one(istio, "v1.36.3");
    add_ambient(&mut inventory.clusters[0], istio);
    let observed = inventory.seen(0);
    observed.helm_releases.clear();
    let planes = observed.control_planes.iter_mut();
    let planes = planes.map(|plane| (&mut plane.helm_release, &mut plane.ownership));
    let nodes = observed.node_components.iter_mut();
    let nodes = nodes.map(|node| (&mut node.helm_release, &mut node.ownership));
    let gateways = observed.gateways.iter_mut();
    let gateways = gateways.map(|gateway| (&mut gateway.helm_release, &mut gateway.ownership));
    for (release, ownership) in planes.chain(nodes).chain(gateways) {
        *release = None;
        ownership.istioctl = true;
    }
    inventory
}

/// Pods in the namespace `shop`, with sidecars of the revision `default`.
pub fn sidecars(running: &str, count: u32) -> Proxies {
    Proxies {
        namespace: "shop".to_owned(),
        kind: ProxyKind::Sidecar,
        version: version(running),
        revision: Some("default".to_owned()),
        native: true,
        asks_native: None,
        count,
        example: "reviews-v1-0".to_owned(),
    }
}

/// A deployed release of one of Istio's charts.
pub fn release(namespace: &str, name: &str, chart: &str, chart_version: &str) -> HelmRelease {
    HelmRelease {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        revision: 3,
        status: "deployed".to_owned(),
        chart: chart.to_owned(),
        chart_version: chart_version.to_owned(),
        component: Component::from_chart(chart).expect("one of Istio's charts"),
        kinds: vec!["apps/v1 Deployment".to_owned()],
        removed_values: Vec::new(),
        settings: ReleaseSettings::default(),
    }
}

/// A Mesh object without a list of clusters.
pub fn record(name: &str) -> MeshRecord {
    MeshRecord {
        name: name.to_owned(),
        management: Management::Dedicated,
        istio_namespace: "istio-system".to_owned(),
        flavor: None,
        recorded_version: None,
        clusters: Vec::new(),
        waivers: None,
        freeze: FreezeSettings::default(),
    }
}

/// A permission that is granted to the caller.
pub fn permission(group: &str, resource: &str, verb: &str) -> Permission {
    Permission {
        group: group.to_owned(),
        resource: resource.to_owned(),
        verb: verb.to_owned(),
        namespace: None,
        name: None,
        allowed: true,
        needed_by_driver: false,
        of_charts: false,
    }
}

/// Nothing that a rule would hit: three nodes, one webhook.
pub fn surroundings(kubernetes: &str) -> Surroundings {
    Surroundings {
        nodes: vec![Nodes {
            kubelet: kubernetes.parse().expect("a Kubernetes version"),
            count: 3,
            example: "node-0".to_owned(),
        }],
        webhooks: vec![webhook("istio-sidecar-injector")],
        elections: vec![election()],
        room: vec![room("node-0")],
        ..Surroundings::default()
    }
}

/// A mutating webhook of the revision `default` that leads to istiod's Service.
pub fn webhook(configuration: &str) -> Webhook {
    Webhook {
        configuration: format!("MutatingWebhookConfiguration {configuration}"),
        name: "namespace.sidecar-injector.istio.io".to_owned(),
        revision: Some("default".to_owned()),
        tag: None,
        helm_release: None,
        target: WebhookTarget::Service("istio-system/istiod".to_owned()),
        ca: vec!["root".to_owned()],
        fails_closed: true,
        injects: Some(format!("what {configuration} selects")),
    }
}

/// A cluster with a helm-installed base and istiod in `istio-system`, and the guard.
pub fn cluster(name: &str, istio: &str, kubernetes: &str) -> ClusterInventory {
    ClusterInventory {
        name: name.to_owned(),
        found: Found::Named,
        state: ClusterState::Observed(Box::new(Observed {
            uid: format!("uid-of-{name}"),
            kubernetes: kubernetes.parse().expect("a Kubernetes version"),
            control_planes: vec![istiod("istio-system", istio)],
            node_components: Vec::new(),
            vendor_components: Vec::new(),
            gateways: Vec::new(),
            proxies: vec![sidecars(istio, 3)],
            data_plane: None,
            helm_releases: vec![
                release("istio-system", "istio-base", "base", istio),
                release("istio-system", "istiod", "istiod", istio),
            ],
            old_releases: Vec::new(),
            followed: Vec::new(),
            meshes: Vec::new(),
            hosted: Vec::new(),
            remotes: Vec::new(),
            guard: GuardPresence {
                crds: true,
                policies: true,
                driver: true,
                webhook: true,
                policy_api: true,
                release: Some(crate::names::VERSION.to_owned()),
            },
            permissions: vec![permission("", "secrets", "get")],
            surroundings: Some(Box::new(surroundings(kubernetes))),
            unreadable: Vec::new(),
        })),
    }
}

/// A cluster that did not answer.
pub fn unknown(name: &str) -> ClusterInventory {
    ClusterInventory {
        name: name.to_owned(),
        found: Found::Named,
        state: ClusterState::Unknown {
            reason: "connection refused".to_owned(),
        },
    }
}

/// One healthy cluster named `east`.
pub fn one(istio: &str, kubernetes: &str) -> Inventory {
    Inventory {
        clusters: vec![cluster("east", istio, kubernetes)],
    }
}

/// Namespace of the control plane of [`hosted`].
pub const HOSTED: &str = "external-istiod";

/// An external control plane in `host`, as Istio's documents install it: its configuration, webhooks and a gateway are in
/// `config`.
pub fn hosted(istio: &str) -> Inventory {
    let mut host = cluster("host", istio, "v1.36.3");
    let observed = seen(&mut host);
    observed.control_planes = vec![istiod(HOSTED, istio)];
    observed.helm_releases = vec![release(HOSTED, "istiod", "istiod", istio)];
    observed.hosted = vec![Hosted {
        namespace: HOSTED.to_owned(),
        cluster: "config".to_owned(),
    }];
    let mut config = cluster("config", istio, "v1.36.3");
    let observed = seen(&mut config);
    observed.control_planes.clear();
    observed.gateways = vec![gateway("istio-ingress", "ingress")];
    observed.helm_releases = vec![
        release("istio-system", "istio-base", "base", istio),
        release(HOSTED, "istiod", "istiod", istio),
        release("istio-ingress", "ingress", "gateway", istio),
    ];
    Inventory {
        clusters: vec![host, config],
    }
}

/// Adds CNI, ztunnel and an ingress gateway to a cluster.
pub fn add_ambient(cluster: &mut ClusterInventory, istio: &str) {
    let observed = seen(cluster);
    observed.node_components = vec![node(Component::Cni, istio), node(Component::Ztunnel, istio)];
    observed.gateways = vec![gateway("istio-ingress", "ingress")];
    observed.helm_releases.extend([
        release("istio-ingress", "ingress", "gateway", istio),
        release("istio-system", "ztunnel", "ztunnel", istio),
        release("istio-system", "istio-cni", "cni", istio),
    ]);
}

/// What was observed of a cluster that answered.
pub fn seen(cluster: &mut ClusterInventory) -> &mut Observed {
    match &mut cluster.state {
        ClusterState::Observed(observed) => observed,
        ClusterState::Unknown { .. } => panic!("{} did not answer", cluster.name),
    }
}

impl Inventory {
    /// What was observed of a cluster by its index.
    pub fn seen(&mut self, index: usize) -> &mut Observed {
        seen(&mut self.clusters[index])
    }

    /// What stands around a cluster's workloads, by its index.
    pub fn around(&mut self, index: usize) -> &mut Surroundings {
        self.seen(index).surroundings.as_mut().expect("looked at")
    }
}

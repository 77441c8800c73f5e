//! Who passes a frozen mesh besides its holder, and for what.

/// Who a writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Anybody.
    Anybody,
    /// The service accounts of istiod in the scope.
    Istiod,
    /// The users that the mesh's settings name.
    ExtraWriters,
    /// The controllers of the scope: those that the holder waits for.
    Controllers,
    /// One of these user names.
    Users(&'static [&'static str]),
}

/// What a writer is let do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Create, update and delete WorkloadEntries.
    WriteWorkloadEntries,
    /// Write what carries the label of a managed gateway, before and after the change.
    WriteManagedGateways,
    /// Create the object that istiod's own validation must refuse, in a dry run.
    ProbeIstiod,
    /// Delete objects in namespaces; never CRDs or namespaces themselves.
    DeleteNamespaced,
    /// Write the scale of a Deployment.
    Scale,
    /// Write EndpointSlices and Endpoints.
    WriteEndpoints,
    /// Write configuration, the Gateway API's too.
    WriteConfiguration,
    /// Create and update what its component owns, before and after the change, where the object bears the target's
    /// version; ask for that version in the operator's objects that are its own; delete of it what no longer belongs to
    /// the target, workloads, Services and identities apart; and keep its release's storage, but not delete the deployed
    /// one. Where the Sail Operator takes an old revision away: delete that, what its release owns, and its release's
    /// storage, after it has written there that it goes.
    BringComponent,
}

/// What a controller may delete of its component: a newer chart may leave these out, and the mesh goes on without.
pub const DELETABLE: &[(&str, &str)] = &[
    ("autoscaling", "horizontalpodautoscalers"),
    ("policy", "poddisruptionbudgets"),
    ("networking.k8s.io", "networkpolicies"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
];

/// A writer that passes besides the holder. Nobody else does, `system:masters` neither.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    /// Who.
    pub who: Who,
    /// What it may do.
    pub may: May,
    /// Whether it is told of each time, by a warning, an audit annotation, the log and a metric.
    pub reported: bool,
    /// Why it must.
    pub why: &'static str,
}

/// Every controller's user where the controller manager runs without a service account for each.
const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";

/// The user of GKE's autoscaler of pods, which is no part of the controller manager there; one program scales both ways.
const GKE_AUTOSCALER: &str = "system:vpa-recommender";

/// Who passes besides the holder.
pub const WRITERS: &[Writer] = &[
    Writer {
        who: Who::Istiod,
        may: May::WriteWorkloadEntries,
        reported: false,
        why: "virtual machines register by themselves and would lose their traffic",
    },
    Writer {
        who: Who::Istiod,
        may: May::WriteManagedGateways,
        reported: false,
        why: "istiod copies a Gateway's annotations, helm's too, to the Deployment and Service that it makes for it",
    },
    Writer {
        who: Who::Anybody,
        may: May::ProbeIstiod,
        reported: false,
        why: "istiod proves its validation by a refused dry run and must be refused by itself, not by the freeze",
    },
    Writer {
        who: Who::Users(&[
            "system:serviceaccount:kube-system:generic-garbage-collector",
            "system:serviceaccount:kube-system:namespace-controller",
            CONTROLLER_MANAGER,
        ]),
        may: May::DeleteNamespaced,
        reported: true,
        why: "a namespace of an application would hang in Terminating",
    },
    Writer {
        who: Who::Users(&[
            "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
            CONTROLLER_MANAGER,
            GKE_AUTOSCALER,
        ]),
        may: May::Scale,
        reported: false,
        why: "gateways follow their load, frozen or not",
    },
    Writer {
        who: Who::Users(&[
            "system:serviceaccount:kube-system:endpointslice-controller",
            "system:serviceaccount:kube-system:endpoint-controller",
            "system:serviceaccount:kube-system:endpointslicemirroring-controller",
            CONTROLLER_MANAGER,
        ]),
        may: May::WriteEndpoints,
        reported: false,
        why: "they copy the labels of Services, istioctl's and Argo CD's too, and the annotations of Endpoints, helm's too",
    },
    Writer {
        who: Who::Controllers,
        may: May::BringComponent,
        reported: false,
        why: "Argo CD, Flux or the Sail Operator brings the component that the upgrade waits for, and nothing else",
    },
    Writer {
        who: Who::ExtraWriters,
        may: May::WriteConfiguration,
        reported: false,
        why: "the operator named them in spec.freeze.extraWriters of the Mesh, as Flagger or cert-manager",
    },
];

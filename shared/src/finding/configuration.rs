//! MU7xx: what of the configuration the target breaks, changes or no longer knows, release by release.

use super::{Code, Rule, Severity};

/// 1.21 verifies certificates by default.
pub const EXTERNAL_NAME_TLS: Code = Code(&Rule {
    id: "MU701",
    title: "A DestinationRule starts TLS without saying what it trusts or whom it asks for",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.21 on the certificate of the other side is verified against the system's roots where a DestinationRule starts TLS without caCertificates, credentialName or insecureSkipVerify; and where it says no sni, that is set from the host that is asked for, which the certificate then has to bear.",
    evidence: "The specifications of the objects themselves, page by page, VERIFY_CERTIFICATE_AT_CLIENT and ENABLE_AUTO_SNI of istiod, and compatibilityVersion of its release.",
    fix: "Name the roots in caCertificates and the server in sni, or set insecureSkipVerify to true where nothing is to be verified.",
});
/// 1.21 and 1.22 match wildcard hosts otherwise.
pub const WILDCARD_HOSTS: Code = Code(&Rule {
    id: "MU702",
    title: "A VirtualService of the mesh has a wildcard host",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.21 on a VirtualService with a wildcard host applies to all services that match in a sidecar, the most specific host first, and no more to the oldest.",
    evidence: "The specifications of the objects themselves, page by page, PERSIST_OLDEST_FIRST_HEURISTIC_FOR_VIRTUAL_SERVICE_HOST_MATCHING of istiod, and compatibilityVersion of its release.",
    fix: "Name the hosts, or try in a test mesh that the routes are those that you mean.",
});
/// 1.22 scopes configuration.
pub const DISCOVERY_SELECTORS: Code = Code(&Rule {
    id: "MU703",
    title: "The mesh configuration has discoverySelectors",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.22 on discoverySelectors also select the configuration that istiod reads: VirtualServices and all others in namespaces that are not selected are no longer applied.",
    evidence: "The key discoverySelectors of the mesh configuration, ENABLE_ENHANCED_RESOURCE_SCOPING of istiod, and compatibilityVersion of its release.",
    fix: "Make sure that each namespace whose configuration is meant is selected, or set ENABLE_ENHANCED_RESOURCE_SCOPING to false for the time being.",
});
/// 1.22 ignores it.
pub const SERVICE_ENTRY_TARGET_PORT: Code = Code(&Rule {
    id: "MU704",
    title: "A ServiceEntry without resolution has a targetPort",
    severity: Severity::Warning,
    waivable: true,
    cause: "Up to 1.21 targetPort was ignored where resolution is NONE; from 1.22 on it is respected: traffic goes to another port than before.",
    evidence: "The specifications of the objects themselves, page by page, ENABLE_RESOLUTION_NONE_TARGET_PORT of istiod, and compatibilityVersion of its release.",
    fix: "Remove targetPort, or make sure that the other side serves that port.",
});
/// 1.22 has no default tracer.
pub const ZIPKIN_DEFAULT: Code = Code(&Rule {
    id: "MU705",
    title: "A Service zipkin stands in the control plane's namespace",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.22 on traces are no longer sent to zipkin.istio-system by default.",
    evidence: "The Service zipkin in the namespace of the control plane, unless a Telemetry configures tracing, or enableTracing, defaultProviders.tracing or defaultConfig.tracing of the mesh configuration says otherwise, or compatibilityVersion of the release.",
    fix: "Define an extension provider for it and choose it in a Telemetry, or in defaultProviders of the mesh configuration.",
});
/// 1.22 attaches waypoints otherwise.
pub const SERVICE_ACCOUNT_WAYPOINT: Code = Code(&Rule {
    id: "MU706",
    title: "A waypoint is attached to a service account",
    severity: Severity::Blocker,
    waivable: true,
    cause: "From 1.22 on waypoints are attached by the label istio.io/use-waypoint; what is attached by a service account is bypassed, with its policies.",
    evidence: "The annotation istio.io/for-service-account of Gateways.",
    fix: "Label the services or namespaces with istio.io/use-waypoint and take the annotation away.",
});
/// 1.23 excludes DNS.
pub const EXCLUDED_DNS: Code = Code(&Rule {
    id: "MU707",
    title: "Pods exclude outbound traffic, which now covers DNS",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.23 on the annotations that exclude outbound ports and ranges exclude DNS as well, which used to be captured nevertheless.",
    evidence: "The annotations traffic.sidecar.istio.io/excludeOutboundPorts, where it has 53, and excludeOutboundIPRanges of pods.",
    fix: "Take port 53 and the name servers out of the exclusions where DNS is to be captured.",
});
/// 1.24 has no operator.
pub const IN_CLUSTER_OPERATOR: Code = Code(&Rule {
    id: "MU708",
    title: "An operator of Istio, or an object for it, is there",
    severity: Severity::Blocker,
    waivable: true,
    cause: "The operator that ran in the cluster is gone from 1.24 on: nobody acts on IstioOperator objects any more, and one that still runs puts its own release back. Objects named installed-state are records that istioctl left before 1.24; these block nothing.",
    evidence: "Objects of the kind IstioOperator, and Deployments named istio-operator.",
    fix: "Move the installation to helm, istioctl or the Sail Operator, then delete the objects and the operator's Deployment.",
});
/// 1.24 renames attributes.
pub const WASM_PEER_EXPRESSION: Code = Code(&Rule {
    id: "MU709",
    title: "An expression reads attributes by names that are gone",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.24 on expressions of Telemetries read Envoy's own attributes: filter_state.upstream_peer and filter_state.downstream_peer in the place of wasm.upstream_peer and wasm.downstream_peer, xds.node in the place of node, and those of Istio's extensions by their whole names; the old ones give nothing.",
    evidence: "The expressions and tag overrides of Telemetries, and the specifications of EnvoyFilters.",
    fix: "Write filter_state.upstream_peer, filter_state.downstream_peer, xds.node or filter_state[\"wasm.istio_…\"]; with has() an expression can read both as long as old proxies run.",
});
/// 1.24 drops the label.
pub const GATEWAY_NAME_LABEL: Code = Code(&Rule {
    id: "MU710",
    title: "Something selects by the label istio.io/gateway-name",
    severity: Severity::Warning,
    waivable: true,
    cause: "Pods of Gateways are labelled gateway.networking.k8s.io/gateway-name; from 1.24 on those of Gateways made since the new label came have the old one no more, and what selects by it selects none of them.",
    evidence: "The specifications of the objects themselves, page by page.",
    fix: "Select by gateway.networking.k8s.io/gateway-name, or attach the policy with targetRefs.",
});
/// 1.24 drops an annotation.
pub const CORE_DUMP_ANNOTATION: Code = Code(&Rule {
    id: "MU711",
    title: "Pods have the annotation sidecar.istio.io/enableCoreDump",
    severity: Severity::Warning,
    waivable: true,
    cause: "The annotation is ignored from 1.24 on.",
    evidence: "The annotations of pods.",
    fix: "Take the annotation away; core dumps are switched on by the node's own means.",
});
/// Switches that releases removed.
pub const REMOVED_ENVIRONMENT: Code = Code(&Rule {
    id: "MU712",
    title: "istiod has an environment variable that the target does not know",
    severity: Severity::Warning,
    waivable: true,
    cause: "A switch that was removed is ignored: what it held back takes effect with the upgrade.",
    evidence: "The environment of istiod's container, against the list of switches that each release removed.",
    fix: "Prepare for the behaviour that the switch held back, then remove it from pilot.env or env of the chart's values.",
});
/// 1.27 removes tracers.
pub const REMOVED_TRACER: Code = Code(&Rule {
    id: "MU713",
    title: "The mesh configuration uses a tracer that is gone",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Envoy removed OpenCensus with 1.25, and Istio removed both OpenCensus and Lightstep in 1.27: no traces are sent, and a Telemetry that names them is ignored.",
    evidence: "The keys extensionProviders and defaultConfig.tracing of the mesh configuration.",
    fix: "Send traces with an opentelemetry provider.",
});
/// 1.25 and 1.26 name ztunnel otherwise.
pub const ZTUNNEL_RENAMED: Code = Code(&Rule {
    id: "MU714",
    title: "ztunnel's helm release has a name of its own",
    severity: Severity::Warning,
    waivable: true,
    cause: "1.25 named ztunnel's objects by its release, 1.26 by the fixed name ztunnel again: on the way two DaemonSets may run on each node, or none.",
    evidence: "The name of the helm release of the chart ztunnel.",
    fix: "Set resourceName in ztunnel's values to the name that its DaemonSet has now.",
});
/// 1.25 allocates addresses otherwise.
pub const DNS_AUTO_ALLOCATE: Code = Code(&Rule {
    id: "MU715",
    title: "ISTIO_META_DNS_AUTO_ALLOCATE is set",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.25 on addresses for ServiceEntries are given by istiod's own controller, and the setting in proxies is overruled: addresses change.",
    evidence: "proxyMetadata of the mesh configuration, ProxyConfigs, and the annotation proxy.istio.io/config of pods.",
    fix: "Remove the setting; label a ServiceEntry networking.istio.io/enable-autoallocate-ip=false where it shall have none.",
});
/// 1.25 captures DNS.
pub const AMBIENT_DNS_CAPTURE: Code = Code(&Rule {
    id: "MU716",
    title: "The upgrade changes how DNS of ambient pods is captured",
    severity: Severity::Info,
    waivable: true,
    cause: "From 1.25 on new pods of the ambient mode have their DNS captured, those that run do not: the two behave differently until they are restarted. Where DNS is captured before, a ztunnel of 1.24 does not answer pods whose rules an older CNI made.",
    evidence: "A DaemonSet of ztunnel, AMBIENT_DNS_CAPTURE in the ConfigMap of the CNI, and a hop that leads over 1.24 or 1.25.",
    fix: "Restart ambient workloads after the upgrade, or set cni.ambient.dnsCapture to false.",
});
/// 1.28 reads v1.
pub const INFERENCE_POOL_VERSION: Code = Code(&Rule {
    id: "MU717",
    title: "The InferencePool's definition is an old one",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.28 on istiod reads InferencePool v1 only, as the inference extension 1.0.0 brought it; its candidates had other fields.",
    evidence: "The versions that the definition inferencepools.inference.networking.x-k8s.io serves, and the annotation inference.networking.k8s.io/bundle-version of inferencepools.inference.networking.k8s.io.",
    fix: "Install the inference extension 1.0 or newer, and move the objects to v1.",
});
/// 1.28 changes mirrored hosts.
pub const MIRROR_HOST: Code = Code(&Rule {
    id: "MU718",
    title: "A VirtualService or HTTPRoute mirrors traffic",
    severity: Severity::Info,
    waivable: true,
    cause: "From 1.28 on the host of mirrored requests has no longer the suffix -shadow, unless it is switched on.",
    evidence: "The specifications of the objects themselves, page by page, DISABLE_SHADOW_HOST_SUFFIX of istiod, and compatibilityVersion of its release.",
    fix: "Look whether something behind the mirror tells requests apart by that suffix; DISABLE_SHADOW_HOST_SUFFIX=false, which may be set before the upgrade, keeps it.",
});
/// 1.28 serves them to ztunnel.
pub const PASSTHROUGH_NACK: Code = Code(&Rule {
    id: "MU719",
    title: "A ServiceEntry without resolution is served to an older ztunnel",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.28 on istiod sends ServiceEntries with resolution NONE to ztunnel, which refuses them until it is upgraded itself, and keeps what it had.",
    evidence: "The specifications of the objects themselves, page by page.",
    fix: "Upgrade ztunnel right after istiod; new ServiceEntries of this kind take effect only then.",
});
/// 1.29 drops an annotation.
pub const STATS_COMPRESSION: Code = Code(&Rule {
    id: "MU720",
    title: "Pods have the annotation sidecar.istio.io/statsCompression",
    severity: Severity::Warning,
    waivable: true,
    cause: "The annotation was removed in 1.29: metrics are compressed unless statsCompression of the proxy's configuration says otherwise.",
    evidence: "The annotations of pods.",
    fix: "Set statsCompression in the annotation proxy.istio.io/config.",
});
/// 1.29 sends them to ztunnel.
pub const DRY_RUN_POLICY: Code = Code(&Rule {
    id: "MU721",
    title: "A dry-run AuthorizationPolicy meets an older ztunnel",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.29 on istiod sends dry-run policies to ztunnel where AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY says so; one that is older does not know the flag and enforces them.",
    evidence: "The annotation istio.io/dry-run of AuthorizationPolicies, the environment of istiod, and whether there is a ztunnel.",
    fix: "Remove these policies, or the variable, until ztunnel is upgraded too.",
});
/// 1.29 drops metrics.
pub const REMAINING_METRICS: Code = Code(&Rule {
    id: "MU722",
    title: "A DestinationRule limits connections",
    severity: Severity::Info,
    waivable: false,
    cause: "From 1.29 on Envoy no longer tracks the remaining_ metrics of circuit breakers by default.",
    evidence: "The specifications of the objects themselves, page by page.",
    fix: "Look for dashboards and alerts on envoy_cluster_circuit_breakers_default_remaining_; the annotation proxy.istio.io/config can bring them back.",
});
/// 1.30 chooses otherwise.
pub const HOST_IN_SEVERAL_NAMESPACES: Code = Code(&Rule {
    id: "MU723",
    title: "A host is declared in several namespaces",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.30 on a sidecar takes the Kubernetes service or else the oldest ServiceEntry of a host, and no longer the first namespace by the alphabet.",
    evidence: "The hosts of ServiceEntries that other namespaces see, names of Services in other namespaces among them, defaultServiceExportTo of the mesh configuration, and PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE of istiod.",
    fix: "Declare each host once, or limit each declaration to its own namespace with exportTo; PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE=false keeps the old choice.",
});
/// 1.31 merges strictly.
pub const MANAGED_GATEWAY_SELECTED: Code = Code(&Rule {
    id: "MU724",
    title: "A Gateway selects the pods of a managed gateway",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.31 on an Istio Gateway is merged with a gateway that istiod made out of the Gateway API only within its namespace.",
    evidence: "The selectors of the Gateways, against the labels of the pods of managed gateways in other namespaces, and PILOT_ENABLE_STRICT_GATEWAY_MERGING and PILOT_SCOPE_GATEWAY_TO_NAMESPACE of istiod, and compatibilityVersion of its release.",
    fix: "Move the Gateway into the namespace of the pods that it selects, or define its servers in the Gateway API's own object; PILOT_ENABLE_STRICT_GATEWAY_MERGING=false, which may be set before the upgrade, goes on to merge across namespaces.",
});
/// 1.31 sends unhealthy endpoints.
pub const UNHEALTHY_ENDPOINTS: Code = Code(&Rule {
    id: "MU725",
    title: "A DestinationRule detects outliers without minHealthPercent",
    severity: Severity::Info,
    waivable: false,
    cause: "From 1.31 on istiod also sends endpoints that are not ready, unless minHealthPercent is set: outlier detection and panic thresholds see more hosts.",
    evidence: "The specifications of the objects themselves, page by page, PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS of istiod, and compatibilityVersion of its release.",
    fix: "Set outlierDetection.minHealthPercent, or PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS to false.",
});
/// 1.30.3 labels at registration.
pub const AUTO_REGISTERED: Code = Code(&Rule {
    id: "MU726",
    title: "A WorkloadEntry was registered without its tunnel",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.30.3 on the label that leads to a workload outside of Kubernetes through HBONE is set when it registers, if its agent takes HBONE; those that are registered already are reached in plain text until they register anew.",
    evidence: "WorkloadEntries that istiod registered, without the label networking.istio.io/tunnel=http, where an ambient mesh runs. Whether an agent takes HBONE they do not tell.",
    fix: "Let the workloads whose agent takes HBONE register anew after the upgrade, or label their WorkloadEntries networking.istio.io/tunnel=http. Label no others: whoever does not take HBONE could be reached no more.",
});
/// EnvoyFilters are not checked by anybody.
pub const ENVOY_FILTER: Code = Code(&Rule {
    id: "MU727",
    title: "EnvoyFilters patch what the target generates",
    severity: Severity::Warning,
    waivable: true,
    cause: "An EnvoyFilter matches what istiod generates and gives Envoy fields of its own version. Both change with every minor, and nothing checks them before a proxy refuses its configuration.",
    evidence: "Objects of the kind EnvoyFilter, and the filters, listeners and types that they name.",
    fix: "Try each of them with the target in a test mesh, and look for proxies that refuse: istioctl proxy-status. Remove those that an API of Istio has replaced.",
});
/// Istio ignores kinds of bundles that it does not know.
pub const GATEWAY_API_BUNDLE: Code = Code(&Rule {
    id: "MU728",
    title: "The Gateway API's bundle does not go with the target",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Istio ignores kinds of a bundle that is older than it needs, or newer than it knows: the routes stay where they are and lead nowhere. For a version of a kind that the bundle does not serve istiod waits, and never becomes ready. What each istiod that runs ignores already is only a warning.",
    evidence: "The annotation gateway.networking.k8s.io/bundle-version of the definitions, the versions that they serve, the number of objects, the catalog, and PILOT_ENABLE_GATEWAY_API, PILOT_ENABLE_ALPHA_GATEWAY_API, PILOT_IGNORE_RESOURCES and PILOT_INCLUDE_RESOURCES of istiod.",
    fix: "Install the bundle that the finding names right before the upgrade, in its experimental channel, which goes on to serve the older versions that the running istiod reads; do not restart istiod between the two.",
});
/// 1.21 makes aliases of them.
pub const EXTERNAL_NAME_ROUTED: Code = Code(&Rule {
    id: "MU729",
    title: "Traffic is routed to a Service of type ExternalName",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.21 on such a Service is an alias of the host that it names, and no service of its own: its ports are not looked at, and a VirtualService or DestinationRule for it takes effect only where that host is known to the mesh.",
    evidence: "Services of type ExternalName, against the hosts that VirtualServices and DestinationRules name, ENABLE_EXTERNAL_NAME_ALIAS of istiod, and compatibilityVersion of its release.",
    fix: "Declare the outside host in a ServiceEntry, and name that host in routes and rules.",
});
/// 1.30 takes them out of the mesh.
pub const EXCLUDED_AMBIENT_NAMESPACE: Code = Code(&Rule {
    id: "MU730",
    title: "The CNI excludes a namespace that is in the ambient mesh",
    severity: Severity::Blocker,
    waivable: true,
    cause: "From 1.30 on the CNI agent heeds excludeNamespaces, too: pods of these namespaces that are in the mesh are taken out of it, and their traffic is no longer encrypted or checked.",
    evidence: "EXCLUDE_NAMESPACES in the ConfigMap of the CNI, against namespaces with the label istio.io/dataplane-mode=ambient.",
    fix: "Take the namespace out of excludeNamespaces in the CNI's values, or take the label off it.",
});
/// 1.27.8, 1.28.5 and 1.29.1 ask who asks.
pub const DEBUG_ACCESS: Code = Code(&Rule {
    id: "MU731",
    title: "Kiali runs outside of the mesh's root namespace",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.27.8, 1.28.5 and 1.29.1 on istiod's debug endpoints ask for a service account of the mesh's root namespace, which is istiod's own unless the mesh configuration says otherwise; to others only their own namespace's proxies are shown.",
    evidence: "Deployments with the label app.kubernetes.io/name=kiali, rootNamespace of the mesh configuration, and the environment of istiod.",
    fix: "Name Kiali's namespace in DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES of istiod, by pilot.env of the chart's values.",
});
/// 1.29.7, 1.30.4 and 1.31 ask for more at once.
pub const LARGE_AMBIENT: Code = Code(&Rule {
    id: "MU732",
    title: "The ambient mesh may be too large for istiod's messages",
    severity: Severity::Blocker,
    waivable: true,
    cause: "From 1.29.7, 1.30.4 and 1.31 on a ztunnel that connects again tells the version of each workload and service that it knows, and it knows those outside of the mesh, too: from some 40,000 on that is more than the 4 MiB that istiod takes, and the ztunnel never gets its configuration.",
    evidence: "All pods of the clusters in which a ztunnel runs, and the environment of istiod.",
    fix: "Set pilot.env.ISTIO_GPRC_MAXRECVMSGSIZE in istiod's values to 1 MiB for each 10,000 workloads and services, as 33554432.",
});
/// What a release took out of Envoy, or sets itself.
pub const ENVOY_FILTER_OUTDATED: Code = Code(&Rule {
    id: "MU733",
    title: "An EnvoyFilter names what a release on the way has changed",
    severity: Severity::Warning,
    waivable: true,
    cause: "It patches a field or a type that the release removed, or sets or reads otherwise: proxies may refuse their configuration, or behave otherwise than before.",
    evidence: "The specifications of the EnvoyFilters, against a list of what each release changed.",
    fix: "Write the EnvoyFilter anew for the target, and try it in a test mesh.",
});
/// 1.24 resolves conflicts in one way.
pub const SIDECAR_SCOPE: Code = Code(&Rule {
    id: "MU734",
    title: "Sidecar objects meet hosts that are declared more than once",
    severity: Severity::Warning,
    waivable: true,
    cause: "From 1.24 on, whether a Sidecar is there or not, the service of the proxy's own namespace wins, then a Kubernetes Service, then any other.",
    evidence: "Objects of the kind Sidecar, the hosts of ServiceEntries that other namespaces see, defaultServiceExportTo of the mesh configuration, PILOT_UNIFIED_SIDECAR_SCOPE of istiod, and compatibilityVersion of its release.",
    fix: "Declare each host once, or name the namespace in the egress hosts of the Sidecars; PILOT_UNIFIED_SIDECAR_SCOPE=false, which may be set before the upgrade, keeps the old choice for the time being.",
});
/// 1.28 makes more spans.
pub const GATEWAY_SPANS: Code = Code(&Rule {
    id: "MU735",
    title: "Gateways trace by a Telemetry or a default provider",
    severity: Severity::Info,
    waivable: false,
    cause: "From 1.28 on gateways make a span of their own for each upstream request: traces get longer, and more are stored.",
    evidence: "The specifications of Telemetries, defaultProviders.tracing of the mesh configuration, PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY of istiod, which 1.31 no longer asks, and compatibilityVersion of its release.",
    fix: "Make room in the tracing backend, and look at alerts that count spans.",
});
/// 1.29 mends the rules in pods.
pub const IPTABLES_RECONCILED: Code = Code(&Rule {
    id: "MU736",
    title: "The CNI mends the rules in ambient pods from now on",
    severity: Severity::Info,
    waivable: false,
    cause: "From 1.29 on a CNI node agent that starts compares the iptables rules in each ambient pod with its own, and replaces them where they differ.",
    evidence: "A DaemonSet of ztunnel, and a hop that leads over 1.29.",
    fix: "Nothing, or set ambient.reconcileIptablesOnStartup to false in the CNI's values.",
});
/// Some releases read more of it than others.
pub const GATEWAY_API_READ: Code = Code(&Rule {
    id: "MU737",
    title: "Objects of the Gateway API begin or cease to take effect",
    severity: Severity::Warning,
    waivable: true,
    cause: "Istio reads more kinds from release to release without PILOT_ENABLE_ALPHA_GATEWAY_API: GRPCRoutes from 1.22 on, BackendTLSPolicies from 1.28, TLSRoutes and ListenerSets from 1.30, TCPRoutes from 1.31. What was there without effect then directs traffic. XListenerSets, which it read with that switch, it ignores from 1.30 on; this blocks.",
    evidence: "The number of objects, the bundle of their definitions, the catalog, and PILOT_ENABLE_GATEWAY_API, PILOT_ENABLE_ALPHA_GATEWAY_API, PILOT_IGNORE_RESOURCES and PILOT_INCLUDE_RESOURCES of istiod.",
    fix: "Look at these objects before the upgrade, and delete those that are not to take effect; make a ListenerSet of each XListenerSet.",
});

pub(super) const ALL: &[Code] = &[
    EXTERNAL_NAME_TLS,
    WILDCARD_HOSTS,
    DISCOVERY_SELECTORS,
    SERVICE_ENTRY_TARGET_PORT,
    ZIPKIN_DEFAULT,
    SERVICE_ACCOUNT_WAYPOINT,
    EXCLUDED_DNS,
    IN_CLUSTER_OPERATOR,
    WASM_PEER_EXPRESSION,
    GATEWAY_NAME_LABEL,
    CORE_DUMP_ANNOTATION,
    REMOVED_ENVIRONMENT,
    REMOVED_TRACER,
    ZTUNNEL_RENAMED,
    DNS_AUTO_ALLOCATE,
    AMBIENT_DNS_CAPTURE,
    INFERENCE_POOL_VERSION,
    MIRROR_HOST,
    PASSTHROUGH_NACK,
    STATS_COMPRESSION,
    DRY_RUN_POLICY,
    REMAINING_METRICS,
    HOST_IN_SEVERAL_NAMESPACES,
    MANAGED_GATEWAY_SELECTED,
    UNHEALTHY_ENDPOINTS,
    AUTO_REGISTERED,
    ENVOY_FILTER,
    GATEWAY_API_BUNDLE,
    EXTERNAL_NAME_ROUTED,
    EXCLUDED_AMBIENT_NAMESPACE,
    DEBUG_ACCESS,
    LARGE_AMBIENT,
    ENVOY_FILTER_OUTDATED,
    SIDECAR_SCOPE,
    GATEWAY_SPANS,
    IPTABLES_RECONCILED,
    GATEWAY_API_READ,
];

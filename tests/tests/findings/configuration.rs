//! MU7xx and what else crosses all releases: everything that 1.21 to 1.31 break, found on the way from 1.20.

use super::{
    case::{Case, Report},
    releases, spoilt,
};
use mesh_upgrade_tests::harness::Toolbox;

/// Values of the old mesh, as for helm's `--set`: selectors that select every namespace, a tracer, and what was removed.
pub fn old_values() -> Vec<String> {
    let selector = "meshConfig.discoverySelectors[0].matchExpressions[0]";
    let provider = "meshConfig.extensionProviders[0]";
    vec![
        format!("{selector}.key=kubernetes.io/metadata.name"),
        format!("{selector}.operator=Exists"),
        format!("{provider}.name=traces"),
        format!("{provider}.lightstep.service=lightstep.example.com"),
        format!("{provider}.lightstep.port=443"),
        "pilot.env.AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY=true".to_owned(),
        releases::REMOVED_VALUE.to_owned(),
    ]
}

/// Of the old mesh. ztunnel is newer than its control plane, and its release has a name of its own.
pub const OF_THE_LONG_WAY: &[Case] = &[Case {
    what: "everything that each release breaks",
    shows: &[
        ("MU101", "istiod runs 1.20.8; 1.31.0 is more than one minor ahead"),
        ("MU111", "1.20 gets no fixes since"),
        ("MU113", "runs 1.31.0, its control plane 1.20.8"),
        ("MU701", "DestinationRule seeded/outside"),
        ("MU702", "VirtualService seeded/wildcard"),
        ("MU703", "discoverySelectors is set"),
        ("MU704", "ServiceEntry seeded/target-port"),
        ("MU705", "Service istio-system/zipkin"),
        ("MU706", "Gateway seeded/of-an-account"),
        ("MU707", "Namespace seeded"),
        ("MU708", "IstioOperator istio-system/installed (nobody acts on it)"),
        ("MU708", "left over: IstioOperator istio-system/installed-state"),
        ("MU709", "Telemetry seeded/peers"),
        ("MU710", "AuthorizationPolicy seeded/old-label"),
        ("MU711", "Namespace seeded"),
        ("MU713", "the provider traces is of lightstep"),
        ("MU714", "helm release istio-system/mesh-ztunnel"),
        ("MU715", "ProxyConfig seeded/allocates"),
        ("MU716", "ztunnel runs"),
        (
            "MU717",
            "CustomResourceDefinition inferencepools.inference.networking.x-k8s.io",
        ),
        ("MU718", "mirrors to b.seeded.svc.cluster.local"),
        ("MU719", "ServiceEntry seeded/target-port"),
        ("MU720", "Namespace seeded"),
        ("MU721", "AuthorizationPolicy seeded/tried-out"),
        ("MU722", "DestinationRule seeded/outside"),
        ("MU723", "twice.example.com is declared in default"),
        ("MU724", "selects pods of the managed gateway default/edge"),
        ("MU725", "DestinationRule seeded/outside"),
        ("MU726", "WorkloadEntry seeded/vm-1"),
        ("MU727", "EnvoyFilter seeded/patched"),
        ("MU728", "tcproutes.gateway.networking.k8s.io"),
        ("MU737", "tlsroutes.gateway.networking.k8s.io"),
        ("MU801", "1.19.4"),
        ("MU804", "belong to the revision 1-28"),
        ("MU806", "1 sidecar, as left-behind, in seeded (1)"),
        ("MU807", "on up to 3 nodes at the same time"),
    ],
    report: |cluster| {
        spoilt::seed(cluster)?;
        let chart = Toolbox::get()?.charts("1.31.0")?.join("ztunnel").display().to_string();
        let pace = "updateStrategy.rollingUpdate.maxSurge=3";
        let install = [
            "install",
            "mesh-ztunnel",
            &chart,
            "--namespace",
            "istio-system",
            "--set",
            pace,
        ];
        cluster.helm(&install)?.ok()?;
        Report::of(cluster, &["default", "--to", "1.31.0"])
    },
}];

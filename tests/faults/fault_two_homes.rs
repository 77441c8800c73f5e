//! One mesh driven from two homes, since one of its clusters leads to no other and nobody wrote a Mesh object: the upgrade that
//! freezes a cluster second withdraws, and leaves the first one's freeze as it is.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{IstioOptions, Moment, Proxy, Started, Toolbox, no_leftovers},
    product::{FOREIGN_CHANGE, HeldHelm, SeveralClusters, mesh_upgrade_command},
};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(180);

#[test]
fn whoever_freezes_second_withdraws_and_opens_nothing() -> Result<()> {
    let mesh = SeveralClusters::two_primaries(&IstioOptions::version(FROM))?;
    mesh.cluster("east")?.kubectl(&["delete", "mesh", "shop"])?.ok()?;
    let leads = [
        "delete",
        "secrets",
        "-n",
        "istio-system",
        "-l",
        "istio/multiCluster=true",
    ];
    mesh.cluster("west")?.kubectl(&leads)?.ok()?;
    // The home is the first by its UID, of what somebody sees.
    let uid = |name: &str| -> Result<String> {
        let uid = ["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"];
        Ok(mesh.cluster(name)?.kubectl(&uid)?.ok()?.to_owned())
    };
    let [home, other] = if uid("east")? < uid("west")? {
        ["east", "west"]
    } else {
        ["west", "east"]
    };

    // One sees both clusters, and is held before it freezes the other one.
    let proxy = Proxy::holding(mesh.cluster(other)?, "alice", Some((1, Moment::Before)), |seen| {
        seen.method == "POST" && seen.path.contains("/meshfreezes")
    })?;
    let mut first = apply(&mesh, home, &["--contexts", &format!("{home},{other}")])?;
    first.env("KUBECONFIG", mesh.kubeconfig_with(other, proxy.kubeconfig())?);
    let mut first = Started::of(first)?;
    proxy.wait_until_reached(DEADLINE).with_context(|| first.said())?;

    // One sees its own cluster alone, freezes it meanwhile, and has begun.
    let helm = HeldHelm::before("istiod")?;
    let program = helm.program().display().to_string();
    let mut second = apply(&mesh, other, &["--context", other, "--helm", &program])?;
    let alone = mesh.kubeconfig_with(home, mesh.cluster(home)?.kubeconfig())?;
    second.env("KUBECONFIG", alone);
    let mut second = Started::of(second)?;
    let reached = helm.wait_until_reached_by(&mut second.child, DEADLINE);
    reached.with_context(|| second.said())?;

    proxy.let_go();
    let ended = first.ended()?;
    let said = first.said();
    ensure!(ended.code() == Some(3) && said.contains("withdrawn"), "{ended}: {said}");
    ensure!(said.contains("frozen by another upgrade"), "{said}");
    for (name, is_frozen) in [(home, false), (other, true)] {
        let foreign = mesh
            .cluster(name)?
            .kubectl_with("admin", &["create", "-f", "-"], Some(FOREIGN_CHANGE))?;
        ensure!(foreign.success() != is_frozen, "{name}: {foreign}\n{said}");
        ensure!(!is_frozen || foreign.refused()?.contains("MG001"), "{name}: {foreign}");
    }
    ensure!(mesh.charts(home)? == [FROM, FROM], "{said}");

    helm.release()?;
    let ended = second.ended()?;
    ensure!(ended.success(), "{ended}: {}", second.said());
    ensure!(mesh.charts(other)? == [TO, TO], "{}", second.said());
    mesh.is_open()?;
    drop(proxy);
    drop(mesh);
    no_leftovers()
}

fn apply(mesh: &SeveralClusters, from: &str, more: &[&str]) -> Result<Command> {
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let arguments = [&["apply", "--to", TO, "--charts", &charts, "--yes"], more].concat();
    mesh_upgrade_command(mesh.cluster(from)?, "alice", &arguments)
}

//! A whole upgrade of a mesh whose owner wants foreign configuration warned about and not refused: it passes with a
//! warning, what the upgrade itself changes stays frozen, and the upgrade arrives.

use std::time::Duration;

use anyhow::{Result, ensure};
use mesh_upgrade_tests::product::{HeldHelm, Upgradable};

const DEADLINE: Duration = Duration::from_secs(120);
const MESH: &str = "\
apiVersion: meshupgrade.io/v1alpha1
kind: Mesh
metadata: {name: shop}
spec: {freeze: {mode: Warn}}
";
const FOREIGN: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: foreign, namespace: default}
spec: {hosts: [foreign], http: [{route: [{destination: {host: foreign}}]}]}
";

#[test]
fn configuration_is_warned_about_and_the_upgrade_arrives() -> Result<()> {
    let mesh = Upgradable::start("warned", "1.31.0")?;
    mesh.cluster.apply_stdin(MESH)?.ok()?;
    let helm = HeldHelm::before("istiod")?;
    let program = helm.program().display().to_string();
    let run = std::thread::scope(|scope| {
        let apply = scope.spawn(|| mesh.apply(&["--helm", &program]));
        let judged = helm
            .wait_until_reached(DEADLINE)
            .and_then(|()| only_configuration_passes(&mesh));
        // Whatever was seen, the upgrade must end before the cluster does.
        helm.release()?;
        let run = apply.join().map_err(|_| anyhow::anyhow!("apply panicked"))??;
        judged.map(|()| run)
    })?;
    ensure!(run.stdout.contains("MU604"), "the check says so: {run}");
    mesh.arrived(&run)
}

fn only_configuration_passes(mesh: &Upgradable) -> Result<()> {
    let written = mesh.cluster.apply_stdin(FOREIGN)?;
    ensure!(
        written.success() && written.stderr.contains("Warning: MG001 mesh-frozen"),
        "foreign configuration passes with a warning: {written}"
    );
    // istiod's own ConfigMap is part of a component.
    mesh.is_frozen()
}

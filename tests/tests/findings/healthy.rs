//! A freshly installed, healthy mesh: nothing is found on the way to the next minor.

use std::time::Duration;

use super::case::{Case, Report, kubectl};
use anyhow::{Result, ensure};
use mesh_upgrade_tests::harness::{Cluster, wait_until};

/// The day on which it is checked, before anything in the embedded catalog ends; the ends of 1.30 and 1.31 are estimates,
/// which are no findings on any day.
const DAY: &str = "2026-11-24";

/// 1.30 with two istiods and their PodDisruptionBudget, to 1.31 on Kubernetes 1.36. Its own charts name a registry that is
/// shut down, which is the only thing to say of it.
pub const FRESH: Case = Case {
    what: "a fresh 1.30, with images from a registry that is shut down",
    shows: &[("MU405", "may not answer from 2026-12-01")],
    report: |cluster| {
        two_istiods(cluster)?;
        let report = Report::of(cluster, &["--to", "1.31.0", "--on", DAY])?;
        let others: Vec<&str> = report.codes().into_iter().filter(|code| *code != "MU405").collect();
        ensure!(others.is_empty(), "{others:?}: {}", report.told());
        // The day counts: istiod's own root lasts ten years.
        let later = Report::of(cluster, &["--to", "1.31.0", "--on", "2126-11-24"])?;
        for shown in [("MU311", "expired on 20"), ("MU405", "may not answer since")] {
            ensure!(later.shows(&shown), "{shown:?}: {}", later.told());
        }
        Ok(report)
    },
};

/// The autoscaler brings the second one, in its own time.
fn two_istiods(cluster: &Cluster) -> Result<()> {
    let wanted = [
        ("deployment/istiod", "{.status.readyReplicas}", "2"),
        ("pdb/istiod", "{.status.disruptionsAllowed}", "1"),
    ];
    for (object, path, value) in wanted {
        let what = format!("{path} of {object} to be {value}");
        wait_until(&what, Duration::from_secs(60), || {
            let path = format!("-o=jsonpath={path}");
            let found = kubectl(cluster, &["-n", "istio-system", "get", object, &path])?;
            Ok((found == value).then_some(()))
        })?;
    }
    Ok(())
}

//! Policies, quotas and objects of others that stand where the freeze is proved: a policy that hides it is named before
//! anything is frozen, and what comes after the guard keeps neither the freeze from closing nor the mesh from opening.

use std::time::Duration;

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Toolbox, no_leftovers, wait_until},
    product::{Guard, mesh_upgrade, wait_for_journal},
};
use serde_json::Value;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(60);
const POLICY: &str = "needs-a-team-label";
const FOREIGN: &str = "\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: needs-a-team-label}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  validations: [{expression: 'has(object.metadata.labels) && \"team\" in object.metadata.labels', message: no team}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: needs-a-team-label}
spec: {policyName: needs-a-team-label, validationActions: [Deny]}
";

#[test]
fn what_others_refuse_neither_hides_the_freeze_unsaid_nor_outlasts_it() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    Istio::install(&cluster, IstioOptions::version(FROM))?;
    let guard = Guard::install(&cluster)?;
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let apply = ["apply", "--to", TO, "--charts", &charts, "--yes"];

    cluster.apply_stdin(FOREIGN)?.ok()?;
    wait_until("the foreign policy to refuse", DEADLINE, || {
        let tried = create(&cluster, "tried", "--dry-run=server")?;
        Ok(tried.then_some(()))
    })?;
    let hidden = mesh_upgrade(&cluster, &apply)?;
    ensure!(hidden.code == 3 && hidden.stderr.contains(POLICY), "{hidden}");
    let freezes = cluster.kubectl(&["get", "meshfreezes", "-o", "name"])?;
    ensure!(freezes.ok()?.is_empty(), "{freezes}");
    let journal = wait_for_journal(&cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Withdrawn", "{journal:#}");
    let kinds = "validatingadmissionpolicybindings,validatingadmissionpolicies";
    cluster.kubectl(&["delete", kinds, POLICY])?.ok()?;

    // What a canary would create is there, which is seen only after whatever admits.
    wait_until("the foreign policy to be gone", DEADLINE, || {
        let refused = create(&cluster, "mesh-upgrade-canary", "--dry-run=none")?;
        Ok((!refused).then_some(()))
    })?;
    let done = mesh_upgrade(&cluster, &apply)?;
    done.ok()?;
    let freezes = cluster.kubectl(&["get", "meshfreezes", "-o", "name"])?;
    ensure!(freezes.ok()?.is_empty(), "{freezes}");

    let footprint = cluster.footprint();
    drop(guard);
    drop(cluster);
    footprint.gone()?;
    no_leftovers()
}

/// Tries to create a ConfigMap beside istiod; whether a policy refused.
fn create(cluster: &Cluster, name: &str, how: &str) -> Result<bool> {
    let run = cluster.kubectl(&["create", "configmap", name, "--namespace", "istio-system", how])?;
    if run.code != 0 {
        ensure!(run.stderr.contains(POLICY), "{run}");
    }
    Ok(run.code != 0)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

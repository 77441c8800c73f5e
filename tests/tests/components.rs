//! A whole ambient mesh of a vendor's build, under names of its own, by the very same apply; guarded by the policy alone, and
//! unguarded.

use std::{collections::BTreeSet, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    audit,
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Toolbox, wait_until},
    product::{HeldPulls, images_of_pod, journal_phase, make_waypoint, mesh_upgrade, mesh_upgrade_command},
};
use serde_json::{Value, json};

#[test]
fn every_component_of_a_vendor_build_is_upgraded_in_order_under_the_policy_alone() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions {
        nodes: 2,
        ..ClusterOptions::named("ambient")
    })?;
    // Names that nothing here could guess.
    let options = IstioOptions {
        namespace: "mesh-a".to_owned(),
        base_release: "b".to_owned(),
        istiod_release: "i".to_owned(),
        replicas: 2,
        cni: true,
        ztunnel: true,
        gateway: true,
        ..IstioOptions::version("1.30.3-mspider")
    };
    let istio = Istio::install(&cluster, options)?;
    let beside = cluster.dir().join("beside");
    vendor_chart(&beside, "1.30.3-mspider")?;
    let merbridge = beside.join("merbridge").display().to_string();
    cluster
        .helm(&[
            "install",
            "merbridge",
            &merbridge,
            "--namespace",
            "kube-system",
            "--wait",
        ])?
        .ok()?;
    make_waypoint(&cluster, "shop")?;
    mesh_upgrade(&cluster, &["guard", "install", "--policy-only"])?.ok()?;
    let status = mesh_upgrade(&cluster, &["guard", "status", "-o", "wide"])?;
    ensure!(
        status.code == 0 && status.stdout.contains("Not installed: the webhook"),
        "{status}"
    );
    ensure!(
        status.stdout.contains("not refused: MG002 skip-version"),
        "what the webhook alone refuses: {status}"
    );

    let to = "1.31.0-mspider";
    let charts = cluster.dir().join("charts");
    vendor_chart(&charts, to)?;
    for chart in std::fs::read_dir(Toolbox::get()?.charts(to)?)? {
        let chart = chart?;
        std::os::unix::fs::symlink(chart.path(), charts.join(chart.file_name()))?;
    }
    let charts = charts.display().to_string();
    let plan = mesh_upgrade(&cluster, &["plan", "--to", to, "--charts", &charts, "-o", "json"])?.json()?;
    let steps = plan.pointer("/plan/steps").and_then(|steps| steps.as_array()).cloned();
    let order: Vec<String> = steps
        .into_iter()
        .flatten()
        .filter_map(|step| step.get("component")?.as_str().map(str::to_owned))
        .collect();
    ensure!(
        order == ["Base", "Istiod", "Cni", "Ztunnel", "Vendor", "Gateway"],
        "{order:?}"
    );

    let cut = "connections through ztunnel that last longer than 30 s are cut when it is replaced, on one node after the other";
    let told = mesh_upgrade(&cluster, &["plan", "--to", to, "--charts", &charts])?;
    ensure!(told.stdout.contains(&format!("cluster ambient: {cut}")), "{told}");
    let pulls = HeldPulls::of(&cluster)?;
    let arguments = ["apply", "--to", to, "--charts", &charts, "--yes", "-o", "json"];
    let apply = pulls.run(&arguments, || each_node_pulls_everything(&pulls, &plan))?;
    let ztunnel = apply.stderr.split_once("ztunnel (ambient): ");
    ensure!(ztunnel.is_some_and(|(_, after)| after.contains(cut)), "{apply}");
    let lines = apply.stdout.lines().map(serde_json::from_str);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>().with_context(|| apply.to_string())?;
    let (result, events) = lines.split_last().context("a result")?;
    let is_event = |line: &Value| line.get("kind") == Some(&Value::from("UpgradeEvent"));
    let done = |line: &Value| line.get("componentsDone").and_then(Value::as_u64);
    ensure!(
        events.iter().all(is_event) && events.iter().filter_map(done).max() == Some(6),
        "{apply}"
    );
    ensure!(
        result.pointer("/status/phase").and_then(|phase| phase.as_str()) == Some("Succeeded"),
        "{apply}"
    );
    let history = result.pointer("/status/history").and_then(Value::as_array);
    let mut told = history
        .into_iter()
        .flatten()
        .filter_map(|event| event.get("what")?.as_str());
    ensure!(told.any(|what| what.contains("images pulled on 2 nodes")), "{apply}");
    ensure!(
        apply
            .stderr
            .contains("canaries refused by the policy (the webhook is not installed)"),
        "{apply}"
    );
    // By the istiod's own hand, and waited for.
    let kept = format!("gateways that istiod keeps run {to}: shop/waypoint");
    ensure!(apply.stdout.contains(&kept), "{apply}");
    let images = cluster.kubectl(&["get", "pods", "-A", "-o=jsonpath={.items[*].spec.containers[*].image}"])?;
    for image in ["pilot", "install-cni", "ztunnel", "merbridge"] {
        let expected = format!("/{image}:{to}");
        ensure!(images.ok()?.contains(&expected), "{expected} is not among {images}");
    }
    istio.wait_serving(&cluster, to)?;

    let proxies = mesh_upgrade(&cluster, &["dataplane", "status"])?;
    ensure!(
        proxies.stdout.contains("can exchange sidecars in running pods"),
        "{proxies}"
    );

    let again = mesh_upgrade(&cluster, &["apply", "--to", to, "--charts", &charts, "--yes"])?;
    ensure!(again.code == 0 && again.stdout.contains("nothing to do"), "{again}");
    mesh_upgrade(&cluster, &["guard", "uninstall", "--yes"])?.ok()?;
    let left = cluster.kubectl(&["get", "validatingadmissionpolicies,clusterroles", "-o", "name"])?;
    ensure!(!left.ok()?.contains("mesh-upgrade"), "{left}");
    Ok(())
}

/// One pod on each of the two, with all that the plan names.
fn each_node_pulls_everything(pulls: &HeldPulls<'_>, plan: &Value) -> Result<()> {
    let planned = plan.pointer("/plan/images").and_then(Value::as_array);
    let mut planned: Vec<&str> = planned.into_iter().flatten().filter_map(Value::as_str).collect();
    planned.sort_unstable();
    ensure!(planned.len() > 4, "{plan:#}");
    let pods = pulls.pods(2, |_| true)?;
    for pod in &pods {
        ensure!(images_of_pod(pod) == planned, "planned are {planned:?}: {pod:#}");
        ensure!(
            pod.pointer("/metadata/namespace") == Some(&Value::from("mesh-a")),
            "{pod:#}"
        );
    }
    let nodes: BTreeSet<_> = pods
        .iter()
        .filter_map(|pod| pod.pointer("/spec/nodeName")?.as_str())
        .collect();
    ensure!(nodes.len() == 2, "{pods:#?}");
    Ok(())
}

/// What the vendor runs beside Istio's own components, with the chart that the catalog names.
fn vendor_chart(charts: &Path, version: &str) -> Result<()> {
    let chart = charts.join("merbridge");
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::write(
        chart.join("Chart.yaml"),
        format!("apiVersion: v2\nname: merbridge\nversion: {version}\n"),
    )?;
    let labels = json!({"app": "merbridge"});
    let container = json!({"name": "merbridge", "image": format!("registry.example.com/mspider/merbridge:{version}")});
    let daemon_set = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "merbridge", "labels": &labels},
        "spec": {"selector": {"matchLabels": &labels}, "template": {"metadata": {"labels": &labels},
            "spec": {"containers": [container]}}}});
    std::fs::write(chart.join("templates/daemonset.yaml"), daemon_set.to_string())?;
    Ok(())
}

/// What `apply` says to somebody who may look at everything and change nothing, once the API server goes by that.
fn wait_for_the_onlooker(apply: &dyn Fn() -> Result<Run>) -> Result<Run> {
    wait_until("bob to be told what he may not", Duration::from_secs(60), || {
        let run = apply()?;
        Ok((run.code == 3 && run.stdout.contains("MU501")).then_some(run))
    })
}

/// Grants bob exactly the rules that MU501 printed, and waits until the API server goes by them.
fn grant_what_is_printed(cluster: &Cluster, refused: &Run) -> Result<()> {
    let printed = refused.stdout.lines().map(str::trim_start);
    let printed = printed.skip_while(|line| !line.contains("let an administrator of the cluster grant you"));
    let mut roles: Vec<(Option<String>, Vec<String>)> = Vec::new();
    for line in printed.skip(1) {
        let namespace = line.strip_prefix("# Role in the namespace ");
        if let Some(namespace) = namespace {
            roles.push((Some(namespace.to_owned()), Vec::new()));
        } else if line == "# ClusterRole" {
            roles.push((None, Vec::new()));
        } else if let Some((_, rules)) = roles.last_mut() {
            let is_rule = ["rules:", "- apiGroups:", "resources:", "resourceNames:", "verbs:"]
                .iter()
                .any(|field| line.starts_with(field));
            if !is_rule {
                break;
            }
            let indent = if line.starts_with("rules:") || line.starts_with('-') {
                ""
            } else {
                "  "
            };
            rules.push(format!("{indent}{line}"));
        }
    }
    ensure!(
        roles.len() == 2,
        "a ClusterRole and a Role were to be printed: {refused}"
    );
    cluster.kubectl(&["create", "namespace", "mesh-upgrade-system"])?.ok()?;
    for (namespace, rules) in roles {
        let (prefix, place) = match &namespace {
            Some(namespace) => ("", format!(", namespace: {namespace}")),
            None => ("Cluster", String::new()),
        };
        let (rules, group) = (rules.join("\n"), "rbac.authorization.k8s.io");
        let text = format!(
            "apiVersion: {group}/v1\nkind: {prefix}Role\nmetadata: {{name: upgrades{place}}}\n{rules}\n---\n\
             apiVersion: {group}/v1\nkind: {prefix}RoleBinding\nmetadata: {{name: upgrades{place}}}\n\
             roleRef: {{apiGroup: {group}, kind: {prefix}Role, name: upgrades}}\n\
             subjects: [{{apiGroup: {group}, kind: User, name: bob}}]\n"
        );
        cluster.apply_stdin(&text)?.ok()?;
    }
    wait_until("bob to be granted all of it", Duration::from_secs(60), || {
        let may = [
            "auth",
            "can-i",
            "update",
            "leases",
            "-n",
            "mesh-upgrade-system",
            "--as",
            "bob",
        ];
        Ok(cluster.kubectl(&may)?.stdout.starts_with("yes").then_some(()))
    })
}

/// Whatever Istio's charts render with values that are commonly set is in the rules that are printed.
fn the_rules_know_all_kinds_of_the_charts(refused: &Run, version: &str) -> Result<()> {
    let charts = Toolbox::get()?.charts(version)?;
    for (chart, values) in [
        ("base", ""),
        ("istiod", "autoscaleMin=2"),
        ("istiod", "revision=canary,autoscaleMin=2"),
        ("cni", ""),
        ("ztunnel", ""),
        ("gateway", "autoscaling.enabled=true,podDisruptionBudget.minAvailable=1"),
    ] {
        let mut command = std::process::Command::new(Toolbox::get()?.helm());
        command
            .arg("template")
            .arg("x")
            .arg(charts.join(chart))
            .args(["--include-crds", "--set", values]);
        let rendered = Run::of(command, None)?.ok()?.to_owned();
        let kinds: BTreeSet<&str> = rendered
            .lines()
            .filter_map(|line| line.strip_prefix("kind: "))
            .collect();
        ensure!(kinds.len() > 1, "{chart}: {kinds:?}");
        for kind in kinds {
            let plural = format!("resources: [\"{}s\"]", kind.trim_matches('"').to_lowercase());
            let mut lines = refused.stdout.lines().skip_while(|line| !line.contains(&plural));
            let verbs = lines
                .nth(1)
                .with_context(|| format!("{chart}: {plural} is not among {refused}"))?;
            // What he may look at already is not missing; definitions are kept whatever becomes of their chart.
            let is_kept = kind == "CustomResourceDefinition";
            for verb in ["create", "delete", "patch"] {
                let is_needed = verb != "delete" || !is_kept;
                ensure!(
                    verbs.contains(verb) == is_needed,
                    "{chart}: {verb} of {plural}: {verbs}"
                );
            }
        }
    }
    Ok(())
}

/// With helm 3, for whose releases objects are applied on the client.
#[test]
fn without_the_guard_it_goes_on_only_with_a_reason_on_the_record() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let options = IstioOptions {
        helm_3: true,
        ..IstioOptions::version("1.30.3")
    };
    let istio = Istio::install(&cluster, options)?;
    // Health has to be proved in another namespace than the one that every cluster has.
    cluster
        .kubectl(&["label", "namespace", "default", "istio-injection=disabled"])?
        .ok()?;
    cluster.kubectl(&["create", "namespace", "shop"])?.ok()?;
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let helm = Toolbox::get()?.helm_3().display().to_string();
    cluster
        .apply_stdin(include_str!("../fixtures/findings/onlooker.yaml"))?
        .ok()?;
    // What that leaves out on purpose is read, too: only what he may change is to be missing.
    let filters = ["--verb=get,list,watch", "--resource=envoyfilters.networking.istio.io"];
    cluster
        .kubectl(&[&["create", "clusterrole", "filters"][..], &filters].concat())?
        .ok()?;
    let to_bob = ["--clusterrole=filters", "--user=bob"];
    cluster
        .kubectl(&[&["create", "clusterrolebinding", "filters"][..], &to_bob].concat())?
        .ok()?;
    let arguments = [
        "apply",
        "--helm",
        &helm,
        "--to",
        "1.31.0",
        "--charts",
        &charts,
        "--yes",
        "--unguarded",
        "--reason",
        "a test cluster without admission",
        "--skip-image-pull",
    ];
    let as_bob = || Run::of(mesh_upgrade_command(&cluster, "bob", &arguments)?, None);
    let refused = wait_for_the_onlooker(&as_bob)?;
    for version in ["1.30.3", "1.31.0"] {
        the_rules_know_all_kinds_of_the_charts(&refused, version)?;
    }
    grant_what_is_printed(&cluster, &refused)?;
    let apply = as_bob()?;
    ensure!(apply.code == 0 && apply.stderr.contains("UNGUARDED"), "{apply}");
    ensure!(apply.stderr.contains("Images are NOT PULLED first"), "{apply}");
    let events = audit::read(&cluster.audit_log())?;
    let made = |event: &&audit::Event| {
        let is_ours = event.agent.starts_with("kubectl-mesh_upgrade/");
        is_ours && event.resource == "pods" && event.verb == "create" && !event.dry_run
    };
    let made: Vec<_> = events.iter().filter(made).collect();
    ensure!(made.is_empty(), "{made:?}");
    ensure!(!apply.stdout.contains("MU501"), "{apply}");
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));
    cluster
        .kubectl(&["label", "namespace", "default", "istio-injection-"])?
        .ok()?;
    istio.wait_serving(&cluster, "1.31.0")?;
    let status = mesh_upgrade(&cluster, &["status"])?;
    ensure!(status.stdout.contains("a test cluster without admission"), "{status}");

    mesh_upgrade(&cluster, &["guard", "install", "--policy-only"])?.ok()?;
    let needless = mesh_upgrade(
        &cluster,
        &["apply", "--to", "1.31.1", "--unguarded", "--reason", "again", "--yes"],
    )?;
    ensure!(
        needless.code == 64 && needless.stderr.contains("is installed"),
        "{needless}"
    );
    Ok(())
}

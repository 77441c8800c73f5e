//! Waivers: in a file and in the annotation of a Mesh, for `check` and for `apply`.

use super::case::{Case, Report, kubectl};
use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Toolbox},
    product::mesh_upgrade,
};
use serde_json::{Value, json};

/// Two findings of the spoilt mesh, of which one was accepted long ago.
const WAIVERS: &str = "\
waivers:
  - {code: MU727, owner: alice, reason: tried in staging, expires: 2999-12-31}
  - {code: MU724, owner: alice, reason: tried in staging, expires: 2020-12-31}
";

/// Of the mesh of today, spoilt.
pub const OF_A_FILE: &[Case] = &[Case {
    what: "a waiver that has expired, beside one that holds",
    shows: &[("MU904", "waiver of MU724 by alice: it expired on 2020-12-31")],
    report: |cluster| {
        let file = write(cluster, WAIVERS)?;
        let check = ["--to", "1.31.0", "--waivers", &file];
        let report = Report::of(cluster, &check)?;
        waives_one_of_two(&report)?;
        // On the day after the last the finding is back.
        let later = Report::of(cluster, &[&check[..], &["--on", "3000-01-01"]].concat())?;
        ensure!(later.codes().contains("MU727"), "{}", later.told());

        let file = write(cluster, &WAIVERS.replace("MU727", "MU101"))?;
        let refused = mesh_upgrade(cluster, &["check", "--to", "1.31.0", "--waivers", &file])?;
        ensure!(refused.code == 1 && refused.stderr.contains("line 2"), "{refused}");
        are_for_one_object_of_several(cluster)?;
        Ok(report)
    },
}];

fn waives_one_of_two(report: &Report) -> Result<()> {
    let codes = report.codes();
    ensure!(
        !codes.contains("MU727") && codes.contains("MU724") && codes.contains("MU904"),
        "{}",
        report.told()
    );
    let waived = report
        .document
        .pointer("/waived/0/finding/code")
        .and_then(Value::as_str);
    ensure!(waived == Some("MU727"), "{}", report.told());
    Ok(())
}

/// Of two EnvoyFilters one is accepted; and of three a baseline knows two.
fn are_for_one_object_of_several(cluster: &Cluster) -> Result<()> {
    let add = |name: &str| {
        let patch =
            json!({"applyTo": "CLUSTER", "patch": {"operation": "MERGE", "value": {"dns_lookup_family": "V4_ONLY"}}});
        let filter = json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
            "metadata": {"name": name, "namespace": "seeded"}, "spec": {"configPatches": [patch]}});
        cluster.apply_stdin(&filter.to_string())?.ok().map(drop)
    };
    let object = |report: &Report| {
        let mut findings = report.findings();
        let filters = findings.find(|one| one.get("code") == Some(&json!("MU727")));
        filters.and_then(|one| one.get("object")).cloned()
    };
    add("second")?;
    let file = write(
        cluster,
        "waivers: [{code: MU727, object: EnvoyFilter seeded/patched, owner: alice, reason: tried, expires: 2999-12-31}]",
    )?;
    let check = ["--to", "1.31.0"];
    let report = Report::of(cluster, &[&check[..], &["--waivers", &file]].concat())?;
    ensure!(
        object(&report) == Some(json!("EnvoyFilter seeded/second")),
        "{}",
        report.told()
    );
    let waived = report.document.pointer("/waived/0/finding/object");
    ensure!(
        waived == Some(&json!("EnvoyFilter seeded/patched")),
        "{:#}",
        report.document
    );

    let before = Report::of(cluster, &check)?;
    let file = cluster.dir().join("baseline.json");
    std::fs::write(&file, before.document.to_string())?;
    add("third")?;
    let file = file.display().to_string();
    let report = Report::of(cluster, &[&check[..], &["--baseline", &file]].concat())?;
    ensure!(
        object(&report) == Some(json!("EnvoyFilter seeded/third")),
        "{}",
        report.told()
    );
    ensure!(report.codes().len() == 1, "all else is known: {}", report.told());
    kubectl(cluster, &["-n", "seeded", "delete", "envoyfilter", "second", "third"]).map(drop)
}

/// The same text in the annotation of the Mesh, and a broken one, which waives nothing.
pub fn stand_in_an_annotation_too(cluster: &Cluster) -> Result<()> {
    let mesh = |waivers: &str| -> Result<()> {
        let mesh = json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "Mesh",
            "metadata": {"name": "shop", "annotations": {"meshupgrade.io/waivers": waivers}}, "spec": {}});
        cluster.apply_stdin(&mesh.to_string())?.ok().map(drop)
    };
    mesh(WAIVERS)?;
    waives_one_of_two(&Report::of(cluster, &["shop", "--to", "1.31.0"])?)?;
    mesh(&WAIVERS.replace("owner: alice, ", ""))?;
    let refused = mesh_upgrade(cluster, &["check", "shop", "--to", "1.31.0"])?;
    let told = "annotation meshupgrade.io/waivers of Mesh shop";
    ensure!(refused.code == 1 && refused.stderr.contains(told), "{refused}");
    Ok(())
}

/// A mesh that Argo CD owns: blocked; with a waiver past the check, the second one in the journal too, and only then
/// withdrawn, because its images cannot be pulled. What cannot be waived still blocks.
pub fn let_apply_through_or_not(cluster: &Cluster) -> Result<()> {
    let charts = cluster.dir().join("unpullable-charts");
    Toolbox::get()?.unpullable_charts("1.31.0", &charts)?;
    let charts = charts.display().to_string();
    let label = |label: &str| kubectl(cluster, &["-n", "istio-system", "label", "deployment/istiod", label]);
    label("argocd.argoproj.io/instance=mesh")?;
    let apply = |arguments: &[&str]| {
        let common = ["apply", "--charts", &charts, "--yes"];
        mesh_upgrade(cluster, &[&common[..], arguments].concat())
    };
    let journals = || kubectl(cluster, &["get", "meshupgrades", "-o", "name"]);

    let blocked = apply(&["--to", "1.31.0"])?;
    ensure!(blocked.code == 3 && blocked.stdout.contains("MU409"), "{blocked}");
    let waiver = "waivers: [{code: MU409, owner: alice, reason: the application is suspended, expires: 2999-12-31}]";
    let file = write(cluster, waiver)?;
    let downgrade = apply(&["--to", "1.30.2", "--waivers", &file])?;
    ensure!(
        downgrade.code == 3 && downgrade.stderr.contains("MU102") && !downgrade.stderr.contains("MU409"),
        "{downgrade}"
    );
    let never = write(cluster, &waiver.replace("MU409", "MU102"))?;
    let refused = apply(&["--to", "1.30.2", "--waivers", &never])?;
    ensure!(
        refused.code == 1 && refused.stderr.contains("MU102 cannot be waived"),
        "{refused}"
    );
    ensure!(journals()?.is_empty(), "{}", journals()?);

    let file = write(cluster, waiver)?;
    let through = apply(&["--to", "1.31.0", "--waivers", &file])?;
    ensure!(
        through.code == 3 && through.stderr.contains("ImagePullBackOff"),
        "{through}"
    );
    let journal = cluster
        .kubectl(&["get", "meshupgrades", "-o", "jsonpath={.items[0]}"])?
        .json()?;
    let waived = json!({"code": "MU409", "owner": "alice", "reason": "the application is suspended"});
    let recorded = |field: &str| journal.pointer(&format!("/spec/waivers/0/{field}"));
    for field in ["code", "owner", "reason"] {
        ensure!(recorded(field) == waived.get(field), "{field}: {journal:#}");
    }
    let phases = journal
        .pointer("/status/history")
        .map(Value::to_string)
        .unwrap_or_default();
    ensure!(phases.contains("Pulling"), "it did not get past Checking: {journal:#}");
    label("argocd.argoproj.io/instance-").map(drop)
}

fn write(cluster: &Cluster, text: &str) -> Result<String> {
    let file = cluster.dir().join("waivers.yaml");
    std::fs::write(&file, text)?;
    Ok(file.display().to_string())
}

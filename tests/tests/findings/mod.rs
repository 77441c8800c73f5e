//! Every finding of the catalog on the real control plane, each shown by a case: what is wrong is brought about, checked,
//! and told with what it is about. A finding without a case fails here. And healthy meshes, which have none.
//!
//! Three clusters: a guarded one of today with two istiods, a healthy one that is in use, and an old one without a guard,
//! from which every release is crossed: its charts are those of 1.30 under the number 1.20.8, so that what `check` reads of a
//! mesh that old is seeded beside them. Where the real thing would take another machine, the stand-in's name or its case
//! says so.

mod access;
mod case;
mod catalogs;
mod configuration;
mod control_plane;
mod data_plane;
mod healthy;
mod install;
mod kubernetes;
mod members;
mod plan_file;
mod printed;
mod releases;
mod spoilt;
mod stand_ins;
mod versions;
mod waivers;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use case::Case;
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions},
    product::{Guard, mesh_upgrade},
};
use shared::finding::Code;

/// On the mesh of today, in this order: first what leaves nothing behind, then what is spoilt, and what is waived of it.
const TODAY: &[&[Case]] = &[
    versions::OF_TARGETS,
    kubernetes::OF_CATALOGS,
    members::OF_A_MESH,
    access::OF_PEOPLE,
    releases::OF_CHARTS,
    spoilt::AT_ONCE,
    data_plane::OF_PODS,
    waivers::OF_A_FILE,
];

/// On the old mesh, in this order.
const OLD: &[&[Case]] = &[
    configuration::OF_THE_LONG_WAY,
    releases::OF_THE_OLD_MESH,
    versions::OF_CONTROL_PLANES,
    control_plane::OF_CONTROL_PLANES,
    kubernetes::OF_A_CLUSTER,
    install::OF_WORKLOADS,
    access::OF_SERVERS,
];

/// Before the webhook comes, and right after: cases that need a moment of their own in the life of the mesh of today.
const FIRST: [Case; 2] = [access::POLICY_ALONE, healthy::FRESH];

/// Cases that take a mesh of their own: the finding, and the test that shows it.
const BY_OTHERS: [(&str, &str); 2] = [
    ("MU317", include_str!("../canary.rs")),
    ("MU732", include_str!("../../faults/fault_large_ambient.rs")),
];

#[test]
fn a_healthy_mesh_has_no_finding_and_a_spoilt_one_has_them_all() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let options = IstioOptions {
        replicas: 2,
        ..IstioOptions::version("1.30.3")
    };
    let istio = Istio::install(&cluster, options)?;
    let [policy_alone, fresh] = FIRST;
    policy_alone.show(&cluster)?;
    let _guard = Guard::install(&cluster)?;
    fresh.show(&cluster)?;

    releases::the_operator_sees_everything(&cluster)?;
    plan_file::is_refused_when_it_no_longer_holds(&cluster, &istio)?;
    catalogs::extend_or_are_refused_with_their_line(&cluster)?;
    watch::checks_again_when_something_changes(&cluster)?;
    printed::of_a_free_mesh(&cluster)?;
    waivers::let_apply_through_or_not(&cluster)?;
    show(TODAY, &cluster)?;
    printed::of_a_blocked_mesh(&cluster)?;
    waivers::stand_in_an_annotation_too(&cluster)
}

#[test]
fn a_mesh_in_use_has_no_finding_either() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions {
        nodes: 2,
        ..ClusterOptions::named("in-use")
    })?;
    let options = IstioOptions {
        replicas: 2,
        cni: true,
        ztunnel: true,
        gateway: true,
        ..IstioOptions::version("1.30.3")
    };
    Istio::install(&cluster, options)?;
    let _guard = Guard::install(&cluster)?;
    healthy::IN_USE.show(&cluster)?;
    healthy::asks_as_often_in_many_namespaces(&cluster)
}

#[test]
fn the_long_way_from_1_20_shows_what_each_release_breaks() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("old"))?;
    let options = IstioOptions {
        values: configuration::old_values(),
        ..IstioOptions::version("1.20.8")
    };
    Istio::install(&cluster, options)?;
    stand_ins::apply(&cluster)?;
    show(OLD, &cluster)?;
    let path = mesh_upgrade(&cluster, &["plan", "default", "--to", "1.31.0"])?;
    ensure!(path.code == 0 && path.stdout.contains("in 11 hops"), "{path}");
    Ok(())
}

/// Shows one case after the other, and says of all that fail how.
fn show(stage: &[&[Case]], cluster: &Cluster) -> Result<()> {
    let cases = stage.iter().copied().flatten();
    let failed: Vec<String> = cases
        .filter_map(|case| case.show(cluster).err())
        .map(|error| format!("{error:#}"))
        .collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n\n"));
    Ok(())
}

/// Whether a literal with a code stands in a function of a test, and not in a comment.
fn asks_for(source: &str, code: &str) -> bool {
    let (_, functions) = source.split_once("\nfn ").unwrap_or_default();
    let mut lines = functions.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.any(|line| {
        let mut literals = line.split('"').skip(1).step_by(2);
        literals.any(|literal| literal == code)
    })
}

/// The tables are what the two tests above show, one case after the other: what stands in none is shown by nobody.
#[test]
fn every_finding_of_the_catalog_has_its_case() {
    let mut cases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for case in TODAY.iter().chain(OLD).copied().flatten().chain(&FIRST) {
        for (code, _) in case.shows {
            cases.entry(code).or_default().push(case.what);
        }
    }
    for (code, test) in BY_OTHERS {
        assert!(asks_for(test, code), "no test asks for {code}");
        cases.entry(code).or_default().push("a test of its own");
    }
    let known: BTreeSet<&str> = Code::all().map(Code::id).collect();
    let without: Vec<&&str> = known.iter().filter(|code| !cases.contains_key(**code)).collect();
    assert!(
        without.is_empty(),
        "no end-to-end case shows {without:?}: add each to a case in tests/tests/findings"
    );
    let unknown: Vec<_> = cases.iter().filter(|(code, _)| !known.contains(**code)).collect();
    assert!(unknown.is_empty(), "no findings of the catalog: {unknown:?}");
}

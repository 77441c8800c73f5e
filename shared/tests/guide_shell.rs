//! Whatever things in a cluster are called, a runbook's script runs nothing but what it says: tried with a real shell and
//! stand-ins for kubectl and helm.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use shared::{
    api::{Component, WorkloadKind, WorkloadName},
    catalog::Catalog,
    guide::{self, Charts, Strategy as How, Wish, shell},
    helm::ReleaseSettings,
    inventory::{
        ClusterInventory, ClusterState, ControlPlane, DataPlane, Found, Gateway, GuardPresence, HelmRelease, Inventory,
        MeshedWorkload, NamespaceRevision, Observed, ObservedVersion, Owner, Ownership, ProxyKind, Rollout, Settings,
        Surge, Surroundings, VersionSource, Webhook, WebhookTarget,
    },
    mesh,
};
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

/// Leaves a mark when it is run.
const ATTACK: &str = "touch pwned";

/// Names that would run something where they are not quoted.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(format!("$({ATTACK})")),
        Just(format!("`{ATTACK}`")),
        Just(format!("; {ATTACK} ;")),
        Just(format!("\n{ATTACK}\n")),
        Just(format!("' ; {ATTACK} ; '")),
        Just(format!("\" ; {ATTACK} ; \"")),
        Just(format!("' $({ATTACK}) \"")),
        Just(format!("EOF\n{ATTACK}\n")),
        Just(format!("| {ATTACK} &")),
        "[ -~]{0,6}",
        "\\PC{0,4}",
    ];
    proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

fn version(text: &str) -> ObservedVersion {
    ObservedVersion {
        version: text.parse().ok(),
        source: Some(VersionSource::ImageTag),
        raw: text.to_owned(),
    }
}

fn rollout() -> Rollout {
    Rollout {
        desired: 2,
        updated: 2,
        ready: 2,
        observed: true,
    }
}

fn release(name: &str, component: Component) -> HelmRelease {
    HelmRelease {
        namespace: name.to_owned(),
        name: name.to_owned(),
        revision: 3,
        status: "deployed".to_owned(),
        chart: component.as_str().to_owned(),
        chart_version: "1.30.3".to_owned(),
        component,
        kinds: Vec::new(),
        removed_values: Vec::new(),
        settings: ReleaseSettings::default(),
    }
}

fn webhook(kind: &str, name: &str, tag: Option<&str>) -> Webhook {
    Webhook {
        configuration: format!("{kind} {name}"),
        name: "rev.namespace.sidecar-injector.istio.io".to_owned(),
        revision: Some(name.to_owned()),
        tag: tag.map(str::to_owned),
        helm_release: Some((name.to_owned(), name.to_owned())),
        target: WebhookTarget::Url,
        ca: Vec::new(),
        fails_closed: true,
        injects: None,
    }
}

/// A mesh of which everything that can have a name has this one.
fn inventory(name: &str, istioctl: bool) -> Inventory {
    let own = |component| release(name, component);
    let owner = (!istioctl).then(|| (name.to_owned(), name.to_owned()));
    let workload = |kind| WorkloadName {
        kind,
        namespace: name.to_owned(),
        name: name.to_owned(),
    };
    let meshed = |owner| MeshedWorkload {
        namespace: name.to_owned(),
        owner,
        kind: ProxyKind::Sidecar,
        version: version("1.30.3"),
        revision: Some(name.to_owned()),
        pods: 1,
        example: name.to_owned(),
        held_by: [name.to_owned()].into(),
    };
    let observed = Observed {
        uid: "uid".to_owned(),
        kubernetes: "v1.34.1".parse().unwrap(),
        control_planes: vec![ControlPlane {
            workload: workload(WorkloadKind::Deployment),
            revision: name.to_owned(),
            version: version("1.30.3"),
            running: Vec::new(),
            image: format!("{name}/pilot:1.30.3"),
            rollout: rollout(),
            user: name.to_owned(),
            config_maps: Vec::new(),
            mesh_id: None,
            helm_release: owner,
            ownership: Ownership {
                istioctl,
                ..Ownership::default()
            },
            settings: Settings::default(),
            surge: Surge::default(),
        }],
        node_components: Vec::new(),
        vendor_components: Vec::new(),
        gateways: vec![Gateway {
            workload: workload(WorkloadKind::Deployment),
            image: "auto".to_owned(),
            rollout: rollout(),
            helm_release: None,
            ownership: Ownership::default(),
            surge: Surge::default(),
        }],
        proxies: Vec::new(),
        data_plane: Some(Box::new(DataPlane {
            workloads: vec![
                meshed(Owner::Deployment(name.to_owned())),
                meshed(Owner::Other(name.to_owned(), name.to_owned())),
                meshed(Owner::Nobody(name.to_owned())),
            ],
            injected: vec![name.to_owned()],
        })),
        helm_releases: [Component::Base, Component::Istiod, Component::Gateway]
            .into_iter()
            .filter(|_| !istioctl)
            .map(own)
            .collect(),
        old_releases: Vec::new(),
        followed: Vec::new(),
        meshes: Vec::new(),
        hosted: Vec::new(),
        remotes: Vec::new(),
        guard: GuardPresence::default(),
        permissions: Vec::new(),
        surroundings: Some(Box::new(Surroundings {
            webhooks: vec![
                webhook("MutatingWebhookConfiguration", name, Some(name)),
                webhook("ValidatingWebhookConfiguration", "istiod-default-validator", None),
            ],
            namespaces: vec![NamespaceRevision {
                namespace: name.to_owned(),
                revision: name.to_owned(),
            }],
            ..Surroundings::default()
        })),
        unreadable: Vec::new(),
    };
    Inventory {
        clusters: vec![ClusterInventory {
            name: name.to_owned(),
            found: Found::Named,
            state: ClusterState::Observed(Box::new(observed)),
        }],
    }
}

/// A folder with a stand-in for each program of a script: it does nothing, and succeeds. grep does not find what the proof
/// of a canary must not find.
fn stand_ins(folder: &Path) {
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    for (program, text) in [
        ("kubectl", "exit 0"),
        ("helm", "exit 0"),
        ("istioctl", "exit 0"),
        ("grep", "for word; do if [ \"$word\" = -e ]; then exit 1; fi; done"),
        ("sleep", "exit 0"),
    ] {
        let path = bin.join(program);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn run(script: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    stand_ins(folder.path());
    let file = folder.path().join("runbook.sh");
    fs::write(&file, script).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().join("bin").display());
    let output = Command::new("sh")
        .arg(&file)
        .arg("--yes")
        .env_clear()
        .env("PATH", path)
        .env("MESH_UPGRADE_TRIES", "2")
        .env("ISTIO_FILE", &file)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        !folder.path().join("pwned").exists(),
        "something else was run:\n{script}"
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    (output.status.success(), said)
}

fn script_for(name: &str, strategy: How, istioctl: bool) -> String {
    let inventory = inventory(name, istioctl);
    let mesh = mesh::meshes(&inventory).remove(0);
    let wish = Wish {
        to: "1.31.0".parse().unwrap(),
        strategy: Some(strategy),
        charts: Charts::Folder(format!("/{name}"), Vec::new()),
        contexts: BTreeMap::from([(name.to_owned(), name.to_owned())]),
    };
    let catalog = Catalog::embedded().unwrap();
    let day = "2026-11-28".parse().unwrap();
    guide::script(
        &guide::build(&mesh, &inventory, &wish, &catalog, day).unwrap(),
        &str::to_owned,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_script_runs_nothing_that_a_name_says(name in hostile(), istioctl in any::<bool>(), canary in any::<bool>()) {
        let strategy = if canary { How::Canary } else { How::InPlace };
        let (succeeded, said) = run(&script_for(&name, strategy, istioctl));
        prop_assert!(succeeded, "{said}");
    }

    #[test]
    fn a_quoted_word_is_what_the_shell_reads(words in proptest::collection::vec(hostile(), 1..5)) {
        let command = shell::command(std::iter::once("printf".to_owned()).chain(["%s\\0".to_owned()]).chain(words.clone()));
        let output = Command::new("sh").arg("-c").arg(&command).output().unwrap();
        let read = String::from_utf8(output.stdout).unwrap();
        let read: Vec<&str> = read.split_terminator('\0').collect();
        prop_assert_eq!(read, words);
    }
}

#[test]
fn a_script_without_yes_and_without_an_answer_does_nothing() {
    let script = script_for("plain", How::InPlace, false).replace("${1:-}", "");
    let (succeeded, said) = run(&script);
    assert!(!succeeded && said.contains("you did not say yes"), "{said}");
}

#[test]
fn a_check_that_does_not_hold_stops_the_script() {
    let script = script_for("plain", How::InPlace, false).replace("kubectl --context=plain version", "false");
    let (succeeded, said) = run(&script);
    assert!(
        !succeeded && said.contains("STOP: this does not hold: plain answers"),
        "{said}"
    );
    assert!(!said.contains("2. Istio"), "{said}");
}

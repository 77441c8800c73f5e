//! Which clusters are a mesh's, by tables.

use super::*;
use crate::{
    api::ClusterRole,
    inventory::sample::{cluster, record, unknown},
};

fn entry(context: &str) -> Entry {
    Entry {
        context: context.to_owned(),
        ..Entry::default()
    }
}

fn mesh(name: &str, clusters: &[(&str, Option<&str>)]) -> MeshRecord {
    let clusters = clusters.iter().map(|(name, context)| MeshCluster {
        name: (*name).to_owned(),
        role: ClusterRole::Primary,
        context: context.map(str::to_owned),
    });
    MeshRecord {
        clusters: clusters.collect(),
        ..record(name)
    }
}

fn secret(cluster: &str, server: &str) -> RemoteSecret {
    RemoteSecret {
        namespace: "istio-system".to_owned(),
        name: format!("istio-remote-secret-{cluster}"),
        cluster: cluster.to_owned(),
        server: Some(server.to_owned()),
        configures: false,
    }
}

fn known(name: &str, server: &str) -> KnownContext {
    KnownContext {
        name: name.to_owned(),
        server: server.to_owned(),
    }
}

#[test]
fn an_external_control_plane_is_known_with_the_cluster_of_its_configuration() {
    let configures = |cluster: &str, server: &str| RemoteSecret {
        name: "istio-kubeconfig".to_owned(),
        namespace: "external-istiod".to_owned(),
        configures: true,
        ..secret(cluster, server)
    };
    let contexts = [known("w", "https://west:6443"), known("home", "https://home:6443")];
    for (what, cluster, server, found) in [
        ("by a context to the same server", "remote", "https://west:6443/", "w"),
        ("by its own name", "remote", "https://elsewhere:6443", "remote"),
    ] {
        let mut home = entry("home");
        home.secrets.push(configures(cluster, server));
        let entries = [home, entry("w")];
        let members = members(&entries, &contexts).unwrap();
        let [host] = &hosts(&entries, &contexts, &members)[..] else {
            panic!("{what}");
        };
        assert_eq!(
            (host.cluster.as_str(), host.hosted.namespace.as_str()),
            ("home", "external-istiod"),
            "{what}"
        );
        assert_eq!(host.hosted.cluster, found, "{what}");
    }
    let mut home = entry("home");
    home.secrets.push(secret("w", "https://west:6443"));
    let entries = [home];
    let members = members(&entries, &contexts).unwrap();
    assert_eq!(hosts(&entries, &contexts, &members), [], "an ordinary remote");
}

#[test]
fn a_host_follows_when_two_names_become_one() {
    let mut inventory = Inventory {
        clusters: vec![
            cluster("home", "1.30.3", "v1.36.3"),
            cluster("config", "1.30.3", "v1.36.3"),
            cluster("w", "1.30.3", "v1.36.3"),
        ],
    };
    inventory.clusters[1].found = Found::RemoteSecret {
        cluster: "home".to_owned(),
        namespace: "external-istiod".to_owned(),
        name: "istio-kubeconfig".to_owned(),
    };
    inventory.seen(1).uid = inventory.seen(2).uid.clone();
    let hosted = Hosted {
        namespace: "external-istiod".to_owned(),
        cluster: "config".to_owned(),
    };
    tell_hosts(
        &mut inventory,
        vec![Host {
            cluster: "home".to_owned(),
            hosted,
        }],
    );
    assert_eq!(merge(&mut inventory)[0].dropped, "config");
    assert_eq!(inventory.seen(0).hosted[0].cluster, "w");
}

/// Name and way of each member, as text.
fn shown(entries: &[Entry], contexts: &[KnownContext]) -> String {
    let members = members(entries, contexts).unwrap();
    let shown: Vec<String> = members
        .iter()
        .map(|member| match &member.way {
            Way::Context(context) => format!("{}={context}", member.name),
            Way::Secret(entry, secret) => format!("{}=secret {entry}.{secret}", member.name),
        })
        .collect();
    shown.join(" ")
}

#[test]
fn a_mesh_object_lists_and_names_its_clusters() {
    let mut home = entry("admin@east");
    assert_eq!(shown(&[home.clone()], &[]), "admin@east=admin@east");
    home.meshes = vec![mesh(
        "shop",
        &[("east", Some("admin@east")), ("west", None), ("north", Some("n"))],
    )];
    assert_eq!(shown(&[home.clone()], &[]), "east=admin@east west=west north=n");
    let found = &members(&[home.clone()], &[]).unwrap()[0].found;
    assert_eq!(
        *found,
        Found::Listed {
            mesh: "shop".to_owned()
        }
    );
    // A list that leaves its home out; and another mesh with a cluster of the same name.
    home.meshes = vec![
        mesh("shop", &[("west", None)]),
        mesh("bank", &[("west", None), ("south", None)]),
    ];
    assert_eq!(
        shown(&[home.clone()], &[]),
        "admin@east=admin@east west=west south=south"
    );
    home.meshes = vec![
        mesh("shop", &[("west", None)]),
        mesh("bank", &[("west", Some("other"))]),
    ];
    let error = members(&[home], &[]).unwrap_err().to_string();
    assert!(
        error.contains("\"west\"") && error.contains("\"other\" (mesh bank)"),
        "{error}"
    );
}

#[test]
fn named_contexts_come_first_and_once() {
    let mut east = entry("east");
    east.meshes = vec![mesh(
        "shop",
        &[("e", Some("east")), ("w", Some("west")), ("n", Some("north"))],
    )];
    assert_eq!(shown(&[entry("west"), east], &[]), "w=west e=east n=north");
}

#[test]
fn a_secret_adds_what_nobody_named() {
    let mut home = entry("east");
    home.meshes = vec![mesh("shop", &[("east", None), ("west", Some("w"))])];
    home.secrets = vec![
        secret("west", "https://elsewhere:6443"),
        secret("by-server", "https://west:6443/"),
        secret("own", "https://own:6443"),
        secret("foreign", "https://foreign:6443"),
        secret("foreign", "https://foreign-again:6443"),
    ];
    home.secrets.push(RemoteSecret {
        server: None,
        ..secret("broken", "")
    });
    let contexts = [
        known("w", "https://west:6443"),
        known("mine", "https://own:6443/"),
        known("empty", ""),
    ];
    assert_eq!(
        shown(&[home.clone()], &contexts),
        "east=east west=w own=mine foreign=secret 0.3 broken=secret 0.5"
    );
    let found = members(&[home], &contexts).unwrap().pop().unwrap().found;
    assert!(matches!(found, Found::RemoteSecret { cluster, namespace, name }
        if cluster == "east" && namespace == "istio-system" && name == "istio-remote-secret-broken"));
}

#[test]
fn one_name_for_two_servers_is_two_clusters_until_their_uids_are_known() {
    let holds = |context: &str, secrets: &[RemoteSecret]| Entry {
        secrets: secrets.to_vec(),
        ..entry(context)
    };
    let (one, other) = ("https://one:6443", "https://other:6443");
    for (what, entries, contexts, members) in [
        (
            "two meshes",
            vec![
                holds("a", &[secret("cluster2", one)]),
                holds("b", &[secret("cluster2", other)]),
                holds("c", &[secret("cluster2", "https://other:6443/")]),
            ],
            vec![],
            "a=a b=b c=c cluster2=secret 0.0 cluster2@b=secret 1.0",
        ),
        (
            "one of them by a context",
            vec![
                holds("a", &[secret("cluster2", one)]),
                holds("b", &[secret("cluster2", other)]),
            ],
            vec![known("mine", one)],
            "a=a b=b cluster2=mine cluster2@b=secret 1.0",
        ),
        (
            "the same server",
            vec![
                holds("a", &[secret("cluster2", one)]),
                holds("b", &[secret("cluster2", one)]),
            ],
            vec![],
            "a=a b=b cluster2=secret 0.0",
        ),
        (
            "a person's own word",
            vec![entry("cluster2"), holds("b", &[secret("cluster2", other)])],
            vec![known("cluster2", one)],
            "cluster2=cluster2 b=b",
        ),
        (
            "the names that are left are taken",
            vec![
                entry("cluster2@b"),
                holds("a", &[secret("cluster2", one)]),
                holds("b", &[secret("cluster2", other)]),
            ],
            vec![],
            "cluster2@b=cluster2@b a=a b=b cluster2=secret 1.0 cluster2@b/istio-system=secret 2.0",
        ),
    ] {
        assert_eq!(shown(&entries, &contexts), members, "{what}");
    }
}

#[test]
fn who_was_given_a_kubeconfig_is_known_however_its_cluster_became_a_member() {
    let holds = |context: &str, secrets: &[RemoteSecret]| Entry {
        secrets: secrets.to_vec(),
        ..entry(context)
    };
    let entries = [
        holds(
            "a",
            &[secret("b", "https://inside-b:6443"), secret("w", "https://w:6443")],
        ),
        holds("b", &[secret("w", "https://another-w:6443")]),
        entry("mine"),
    ];
    let contexts = [known("mine", "https://w:6443")];
    let members = members(&entries, &contexts).unwrap();
    let led: Vec<String> = remotes(&entries, &contexts, &members)
        .iter()
        .map(|led| format!("{}/{} {}", led.holder, led.remote.namespace, led.remote.cluster))
        .collect();
    // Nobody is called w; the server of the one is that of a cluster that was named.
    assert_eq!(led, ["a/istio-system b", "a/istio-system mine", "b/istio-system w"]);
}

#[test]
fn what_was_found_under_the_name_that_goes_stays() {
    let mut inventory = Inventory {
        clusters: vec![
            cluster("context-of-a", "1.30.3", "v1.36.3"),
            cluster("a", "1.30.3", "v1.36.3"),
            cluster("b", "1.30.3", "v1.36.3"),
            cluster("secret-of-b", "1.30.3", "v1.36.3"),
        ],
    };
    inventory.clusters[1].found = Found::Listed {
        mesh: "shop".to_owned(),
    };
    inventory.clusters[3].found = Found::RemoteSecret {
        cluster: "context-of-a".to_owned(),
        namespace: "istio-system".to_owned(),
        name: "s".to_owned(),
    };
    for (one, other) in [(0, 1), (2, 3)] {
        inventory.seen(other).uid = inventory.seen(one).uid.clone();
    }
    let led = |holder: &str, cluster: &str| Led {
        holder: holder.to_owned(),
        remote: Remote {
            namespace: "istio-system".to_owned(),
            cluster: cluster.to_owned(),
        },
    };
    let leads = vec![
        led("context-of-a", "secret-of-b"),
        led("context-of-a", "b"),
        led("b", "context-of-a"),
        led("gone", "b"),
    ];
    tell_remotes(&mut inventory, leads);
    assert_eq!(merge(&mut inventory).len(), 2);
    let names: Vec<&str> = inventory.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(inventory.seen(0).remotes, [led("a", "b").remote]);
    assert_eq!(inventory.seen(1).remotes, [led("b", "a").remote]);
}

#[test]
fn one_cluster_under_two_names_is_counted_once() {
    let one = |name: &str, uid: &str, found: Found| {
        let mut cluster = cluster(name, "1.30.3", "v1.36.3");
        crate::inventory::sample::seen(&mut cluster).uid = uid.to_owned();
        cluster.found = found;
        cluster
    };
    let listed = || Found::Listed {
        mesh: "shop".to_owned(),
    };
    let secret = || Found::RemoteSecret {
        cluster: "named".to_owned(),
        namespace: "istio-system".to_owned(),
        name: "s".to_owned(),
    };
    let mut inventory = Inventory {
        clusters: vec![
            one("by-secret", "1", secret()),
            one("named", "1", Found::Named),
            one("named-again", "1", Found::Named),
            one("listed", "1", listed()),
            one("listed-again", "1", listed()),
            one("late-secret", "1", secret()),
            one("other", "2", Found::Named),
            one("remote", "3", secret()),
            one("no-uid", "", Found::Named),
            one("no-uid-either", "", Found::Named),
            unknown("silent"),
            unknown("silent-too"),
        ],
    };
    let merged = merge(&mut inventory);
    let names: Vec<&str> = inventory.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "listed",
            "listed-again",
            "other",
            "remote",
            "no-uid",
            "no-uid-either",
            "silent",
            "silent-too"
        ]
    );
    assert!(merged.iter().all(|same| same.kept == "listed"), "{merged:?}");
    assert_eq!(merged.len(), 4);
    assert!(matches!(&inventory.clusters[3].found, Found::RemoteSecret { cluster, .. } if cluster == "listed"));
}

//! What the kubeconfigs that istiods were given say about who is of which mesh.

use super::{meshes, strays};
use crate::inventory::{Inventory, Remote, sample};

fn two() -> Inventory {
    Inventory {
        clusters: vec![
            sample::cluster("east", "1.30.3", "v1.36.3"),
            sample::cluster("west", "1.30.3", "v1.36.3"),
        ],
    }
}

fn lead(inventory: &mut Inventory, holder: usize, cluster: &str) {
    inventory.seen(holder).remotes.push(Remote {
        namespace: "istio-system".to_owned(),
        cluster: cluster.to_owned(),
    });
}

fn shown(inventory: &Inventory) -> Vec<String> {
    let shown = meshes(inventory).into_iter().map(|mesh| {
        let clusters: Vec<&str> = mesh.clusters().collect();
        format!("{}: {}", mesh.name, clusters.join(","))
    });
    shown.collect()
}

#[test]
fn mesh_objects_keep_apart_what_a_secret_would_join() {
    let mut inventory = two();
    lead(&mut inventory, 0, "west");
    inventory.seen(0).meshes = vec![sample::record("shop")];
    inventory.seen(1).meshes = vec![sample::record("bank")];
    assert_eq!(shown(&inventory), ["shop: east", "bank: west"]);
    // Nor is a cluster without a control plane two meshes' at once.
    inventory.seen(1).control_planes.clear();
    assert_eq!(shown(&inventory), ["shop: east", "bank: west"]);
}

#[test]
fn a_second_address_of_a_member_that_does_not_answer_is_no_other_member() {
    let mut inventory = two();
    inventory.clusters.push(sample::unknown("west@north"));
    inventory.clusters[2].found = crate::inventory::Found::RemoteSecret {
        cluster: "north".to_owned(),
        namespace: "istio-system".to_owned(),
        name: "istio-remote-secret-west".to_owned(),
    };
    inventory.clusters.push(sample::cluster("north", "1.30.3", "v1.36.3"));
    lead(&mut inventory, 0, "north");
    lead(&mut inventory, 3, "west@north");
    // Nobody else knows a cluster of that name: it is one, and Unknown.
    assert_eq!(shown(&inventory)[0], "default: east,north,west@north");
    lead(&mut inventory, 0, "west");
    assert_eq!(shown(&inventory), ["default: east,north,west"]);
}

#[test]
fn a_cluster_whose_kubeconfig_an_istiod_was_given_is_of_its_mesh() {
    let mut inventory = two();
    inventory.clusters.push(sample::unknown("north"));
    inventory.clusters[2].found = crate::inventory::Found::RemoteSecret {
        cluster: "east".to_owned(),
        namespace: "istio-system".to_owned(),
        name: "istio-remote-secret-north".to_owned(),
    };
    lead(&mut inventory, 0, "west");
    lead(&mut inventory, 0, "north");
    assert_eq!(shown(&inventory), ["default: east,west,north"]);
    // Another control plane beside it has nothing to do with that Secret, whichever way it is looked at.
    let other = sample::istiod("other-istio", "1.30.3");
    inventory.seen(0).control_planes.insert(0, other);
    assert_eq!(shown(&inventory), ["other-istio: east", "default: east,west,north"]);
    lead(&mut inventory, 1, "east");
    assert_eq!(shown(&inventory), ["other-istio: east", "default: east,west,north"]);
    inventory.seen(0).control_planes.remove(0);
    inventory.seen(1).control_planes.clear();
    assert_eq!(shown(&inventory), ["default: east,west,north"]);
    inventory.seen(0).meshes = vec![sample::record("shop")];
    assert_eq!(shown(&inventory), ["shop: east,west,north"]);
    inventory = two();
    lead(&mut inventory, 0, "west");
    for (index, id) in ["shop", "bank"].into_iter().enumerate() {
        inventory.seen(index).control_planes[0].mesh_id = Some(id.to_owned());
    }
    assert_eq!(shown(&inventory), ["shop: east", "bank: west"]);
}

#[test]
fn it_is_so_when_somebody_names_the_cluster_too() {
    // Each was named, and each holds the other's kubeconfig.
    for leads in [&[(0, "west")][..], &[(1, "east")], &[(0, "west"), (1, "east")]] {
        let mut inventory = two();
        for (holder, cluster) in leads {
            lead(&mut inventory, *holder, cluster);
        }
        assert_eq!(shown(&inventory).len(), 1, "{leads:?}");
    }
    // Of the control planes there, the one in the same namespace.
    let mut inventory = two();
    inventory
        .seen(0)
        .control_planes
        .insert(0, sample::istiod("other-istio", "1.30.3"));
    lead(&mut inventory, 1, "east");
    assert_eq!(shown(&inventory), ["other-istio: east", "default: west,east"]);
}

#[test]
fn a_remote_of_one_of_several_meshes_is_of_that_one_and_of_none_without_a_kubeconfig() {
    let mut inventory = two();
    inventory.clusters.push(sample::cluster("remote", "1.30.3", "v1.36.3"));
    inventory.seen(2).control_planes.clear();
    assert_eq!(shown(&inventory), ["default: east", "default-west: west"]);
    let found = meshes(&inventory);
    assert_eq!(strays(&inventory, &found).collect::<Vec<_>>(), ["remote"]);
    lead(&mut inventory, 1, "remote");
    assert_eq!(shown(&inventory), ["default: east", "default-west: west,remote"]);
    let found = meshes(&inventory);
    assert_eq!(strays(&inventory, &found).count(), 0);
    inventory.seen(2).helm_releases.clear();
    inventory.seen(1).remotes.clear();
    let found = meshes(&inventory);
    assert_eq!(strays(&inventory, &found).count(), 0, "nothing of Istio's runs there");
}

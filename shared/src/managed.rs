//! Gateways that an istiod keeps itself, waypoints among them: it orders and replaces them, and an upgrade only waits for those
//! that ran before it.

use crate::{inventory::Rollout, patience::Left, version::IstioVersion};

/// More of them are not named in a sentence.
const NAMED: usize = 5;

/// The Deployment that an istiod has made of a Gateway object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// Namespace and name.
    pub name: String,
    /// Revision of the istiod that wrote it last.
    pub revision: String,
    /// Image of its proxy.
    pub image: String,
    /// How far it is.
    pub rollout: Rollout,
}

impl Managed {
    fn is_whole(&self) -> bool {
        self.rollout.is_complete() && self.rollout.desired > 0
    }
}

/// Those that the istiods of a revision keep, that run whole, and with the proxy that its injection gives: what has an image of
/// its own stays with that, and what is not ready before an upgrade need not be after it.
#[must_use]
pub fn kept(managed: &[Managed], revision: &str, proxy: &str) -> Vec<String> {
    let of_it = managed.iter().filter(|one| one.revision == revision && one.is_whole());
    let with_its_proxy =
        of_it.filter(|one| repository(&one.image) == repository(proxy) && is_same_version(&one.image, proxy));
    with_its_proxy.map(|one| one.name.clone()).collect()
}

/// Waits for those of `before` that the istiods of a revision, which are at the target, still keep. One that is gone by now, or
/// was scaled to nothing, is waited for no more, nor is one that another revision keeps. Returns those that have arrived.
///
/// # Errors
/// The first one that has not.
pub fn arrived(managed: &[Managed], before: &[String], revision: &str, target: &str) -> Result<Vec<String>, Left> {
    let kept = managed.iter();
    let kept = kept.filter(|one| one.revision == revision && one.rollout.desired > 0 && before.contains(&one.name));
    let (arrived, left): (Vec<&Managed>, Vec<&Managed>) =
        kept.partition(|one| one.is_whole() && is_version(&one.image, target));
    let Some(first) = left.first() else {
        return Ok(arrived.into_iter().map(|one| one.name.clone()).collect());
    };
    let Managed { name, rollout, .. } = first;
    // In pods, as one large gateway takes its time; one more while nothing of it has begun.
    let pods_left = |one: &&Managed| {
        let rollout = &one.rollout;
        if is_version(&one.image, target) {
            rollout
                .desired
                .saturating_sub(rollout.updated.min(rollout.ready))
                .max(1)
        } else {
            rollout.desired.saturating_add(1)
        }
    };
    Err(Left {
        count: left.iter().map(pods_left).map(i64::from).sum(),
        what: if is_version(&first.image, target) {
            format!(
                "Deployment {name}, a gateway that istiod keeps, to roll out ({} of {} pods are new and ready)",
                rollout.ready.min(rollout.updated),
                rollout.desired
            )
        } else {
            format!(
                "istiod to bring the gateway {name}, which it keeps, to {target} (it runs {}; if it keeps it no more: kubectl \
                 mesh-upgrade unlock --reason TEXT, then kubectl mesh-upgrade apply)",
                first.image
            )
        },
    })
}

/// Some of them, in words.
#[must_use]
pub fn named(names: &[String]) -> String {
    let some = names
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => some,
        more => format!("{some} and {more} more of them"),
    }
}

fn is_version(image: &str, target: &str) -> bool {
    let found = IstioVersion::from_image(image).ok();
    found.is_some() && found == target.parse().ok()
}

fn is_same_version(image: &str, other: &str) -> bool {
    let found = IstioVersion::from_image(image).ok();
    found.is_some() && found == IstioVersion::from_image(other).ok()
}

/// An image without its tag and digest; the port of a registry is no tag.
fn repository(image: &str) -> &str {
    let without_digest = image.split('@').next().unwrap_or_default();
    match without_digest.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => without_digest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn managed(name: &str, revision: &str, image: &str, (desired, ready): (i32, i32)) -> Managed {
        Managed {
            name: name.to_owned(),
            revision: revision.to_owned(),
            image: image.to_owned(),
            rollout: Rollout {
                desired,
                updated: ready,
                ready,
                observed: true,
            },
        }
    }

    #[test]
    fn what_does_not_run_whole_with_the_meshs_proxy_is_not_waited_for() {
        let proxy = "registry:5000/istio/proxyv2:1.30.3";
        for (revision, image, pods, expected) in [
            ("default", proxy, (1, 1), true),
            ("default", "registry:5000/istio/proxyv2:1.30.3-distroless", (1, 1), true),
            ("default", "registry:5000/istio/proxyv2:1.30.3@sha256:01", (1, 1), true),
            ("other", proxy, (1, 1), false),
            ("default", proxy, (2, 1), false),
            ("default", proxy, (0, 0), false),
            ("default", "registry.corp/own-proxy:1.30.3", (1, 1), false),
            ("default", "registry:5000/istio/proxyv2:1.29.1", (1, 1), false),
            ("default", "registry:5000/istio/proxyv2@sha256:01", (1, 1), false),
        ] {
            let kept = kept(&[managed("shop/waypoint", revision, image, pods)], "default", proxy);
            assert_eq!(kept == ["shop/waypoint"], expected, "{revision} {image} {pods:?}");
        }
    }

    #[test]
    fn those_that_ran_before_have_to_arrive() {
        let new = "hub/proxyv2:1.31.0";
        let before = ["shop/waypoint".to_owned()];
        for (name, revision, image, pods, expected) in [
            ("shop/waypoint", "default", new, (1, 1), Ok(1)),
            (
                "shop/waypoint",
                "default",
                new,
                (4, 1),
                Err((
                    "Deployment shop/waypoint, a gateway that istiod keeps, to roll out (1 of 4 pods",
                    3,
                )),
            ),
            (
                "shop/waypoint",
                "default",
                "hub/proxyv2:1.30.3",
                (1, 1),
                Err((
                    "shop/waypoint, which it keeps, to 1.31.0 (it runs hub/proxyv2:1.30.3;",
                    2,
                )),
            ),
            // Scaled to nothing, another revision's, or gone meanwhile, and one that was not whole before.
            ("shop/waypoint", "default", new, (0, 0), Ok(0)),
            ("shop/waypoint", "1-30-3", "hub/proxyv2:1.30.3", (1, 1), Ok(0)),
            ("shop/new", "default", new, (2, 1), Ok(0)),
        ] {
            let now = [managed(name, revision, image, pods)];
            match (arrived(&now, &before, "default", "1.31.0"), expected) {
                (Ok(arrived), Ok(count)) => assert_eq!(arrived.len(), count, "{now:?}"),
                (Err(left), Err((part, count))) => {
                    assert!(left.what.contains(part) && left.count == count, "{left:?}");
                }
                (found, _) => panic!("{found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn many_are_not_all_named() {
        let names: Vec<String> = (1..=7).map(|number| format!("a/{number}")).collect();
        assert_eq!(named(&names[..2]), "a/1, a/2");
        assert_eq!(named(&names), "a/1, a/2, a/3, a/4, a/5 and 2 more of them");
    }
}

//! Judgements on pods that pull images: pure, so that every state a kubelet reports can be tried.

use k8s_openapi::api::core::v1::{Container, ContainerState, Pod};

/// How many failures or nodes a sentence names; the rest is counted, because the journal has a limit.
const NAMED: usize = 5;
/// Letters of a kubelet's message that are kept: registries answer with whole pages.
const MESSAGE_LIMIT: usize = 240;
/// How the kubelet's reasons begin where a resource is used up, as `OutOfpods` on a node that has all the pods it may have.
const OUT_OF: &str = "OutOf";
/// Its other reasons for having no room: a more important pod, and that the node is shutting down. `Evicted` is none: a disk that
/// is full takes no image, and would not take it under the freeze either.
const NO_ROOM: [&str; 3] = ["Preempting", "NodeShutdown", "Terminated"];

/// One image on one node that could not be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The image.
    pub image: String,
    /// The node.
    pub node: String,
    /// The kubelet's reason.
    pub reason: String,
}

/// What became of one container's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// It is on the node.
    Yes,
    /// The kubelet is still at it; the reason it gives, if any.
    NotYet(Option<String>),
    /// It gave up for now; why.
    No(String),
}

/// What became of all images on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// They are there.
    Pulled,
    /// Some could not be pulled.
    Failed(Vec<Failure>),
    /// It takes no further pod, which says nothing of the images; why.
    Refused(String),
}

impl From<Vec<Failure>> for Judged {
    fn from(failures: Vec<Failure>) -> Self {
        if failures.is_empty() {
            Self::Pulled
        } else {
            Self::Failed(failures)
        }
    }
}

/// What became of the image of one container of a pod.
pub fn of_container(pod: &Pod, container: &str) -> Pulled {
    let Some(status) = pod.status.as_ref() else {
        return Pulled::NotYet(None);
    };
    let known = status
        .container_statuses
        .iter()
        .flatten()
        .find(|status| status.name == container);
    match known.and_then(|status| status.state.as_ref()) {
        Some(state) => of_state(state),
        None if status.phase.as_deref() == Some("Failed") => Pulled::No(format!(
            "the node refused the pod: {}: {}",
            status.reason.as_deref().unwrap_or("no reason"),
            shortened(status.message.as_deref().unwrap_or("no message"))
        )),
        None => Pulled::NotYet(None),
    }
}

fn of_state(state: &ContainerState) -> Pulled {
    if state.running.is_some() || state.terminated.is_some() {
        return Pulled::Yes;
    }
    let Some(waiting) = state.waiting.as_ref() else {
        return Pulled::NotYet(None);
    };
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let said = || {
        let message = shortened(waiting.message.as_deref().unwrap_or("no message"));
        format!("{reason}: {message}")
    };
    match reason {
        "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => Pulled::No(said()),
        // The image is there; that its process cannot start is not our question.
        "CrashLoopBackOff"
        | "RunContainerError"
        | "CreateContainerError"
        | "CreateContainerConfigError"
        | "PreCreateHookError"
        | "PreStartHookError"
        | "PostStartHookError"
        | "StartError" => Pulled::Yes,
        "" | "ContainerCreating" | "PodInitializing" => Pulled::NotYet(None),
        // A first failed try, as ErrImagePull, may be a hiccup; the back-off that follows says it was not.
        _ => Pulled::NotYet(Some(said())),
    }
}

/// On one line, and no longer than a journal can bear.
pub fn shortened(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(MESSAGE_LIMIT) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Judges a whole pod: `None` while a container is undecided.
pub fn of_pod(pod: &Pod, node: &str) -> Option<Judged> {
    if let Some(why) = refused(pod) {
        return Some(Judged::Refused(why));
    }
    let mut failures = Vec::new();
    for container in containers(pod) {
        match of_container(pod, &container.name) {
            Pulled::Yes => {}
            Pulled::NotYet(_) => return None,
            Pulled::No(reason) => failures.push(failure(container, node, reason)),
        }
    }
    Some(failures.into())
}

/// Why the kubelet takes no further pod; that it has no room for one is no failure of an image, and what Istio runs there
/// already gives its own place up.
fn refused(pod: &Pod) -> Option<String> {
    let status = pod
        .status
        .as_ref()
        .filter(|status| status.phase.as_deref() == Some("Failed"))?;
    let reason = status.reason.as_deref()?;
    let is_full = reason.starts_with(OUT_OF) || NO_ROOM.contains(&reason);
    is_full.then(|| {
        let message = shortened(status.message.as_deref().unwrap_or("no message"));
        format!("takes no further pod: {reason}: {message}")
    })
}

/// What is undecided at the deadline has failed too, with the last reason the kubelet gave.
pub fn at_deadline(pod: &Pod, node: &str, seconds: u64) -> Judged {
    let judge = |container: &Container| match of_container(pod, &container.name) {
        Pulled::Yes => None,
        Pulled::No(reason) => Some(failure(container, node, reason)),
        Pulled::NotYet(said) => {
            let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
            Some(failure(container, node, format!("not pulled within {seconds} s{said}")))
        }
    };
    containers(pod).iter().filter_map(judge).collect::<Vec<_>>().into()
}

fn containers(pod: &Pod) -> &[Container] {
    pod.spec.as_ref().map_or(&[], |spec| spec.containers.as_slice())
}

fn failure(container: &Container, node: &str, reason: String) -> Failure {
    Failure {
        image: container.image.clone().unwrap_or_default(),
        node: node.to_owned(),
        reason,
    }
}

/// The failures in a sentence that stays short at thousands of nodes.
pub fn sentence(failures: &[Failure], images: usize, nodes: usize) -> String {
    let named: Vec<String> = failures
        .iter()
        .map(|failure| format!("{} on node {}: {}", failure.image, failure.node, failure.reason))
        .collect();
    format!(
        "{} of {} image pulls failed ({images} images on {nodes} nodes): {}",
        failures.len(),
        images.saturating_mul(nodes),
        first(&named)
    )
}

/// The first of many, and how many more there are.
pub fn first(names: &[String]) -> String {
    let head: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMED);
    match more {
        0 => head.join("; "),
        more => format!("{}; and {more} more", head.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a literal reads better without a reference"
    )]
    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({
            "spec": { "containers": [{ "name": "pull-0", "image": "hub/a:1" }, { "name": "pull-1", "image": "hub/b:1" }] },
            "status": status,
        }))
        .unwrap()
    }

    fn waiting(reason: &str) -> Value {
        json!({ "waiting": { "reason": reason, "message": "why" } })
    }

    #[test]
    fn every_state_of_a_container_has_its_verdict() {
        let no = |reason: &str| Pulled::No(format!("{reason}: why"));
        let cases = [
            (json!({ "running": {} }), Pulled::Yes),
            (json!({ "terminated": { "exitCode": 1 } }), Pulled::Yes),
            (waiting("ContainerCreating"), Pulled::NotYet(None)),
            (
                waiting("ErrImagePull"),
                Pulled::NotYet(Some("ErrImagePull: why".to_owned())),
            ),
            (
                waiting("RegistryUnavailable"),
                Pulled::NotYet(Some("RegistryUnavailable: why".to_owned())),
            ),
            (waiting("ImagePullBackOff"), no("ImagePullBackOff")),
            (waiting("InvalidImageName"), no("InvalidImageName")),
            (waiting("ErrImageNeverPull"), no("ErrImageNeverPull")),
            (waiting("CreateContainerConfigError"), Pulled::Yes),
            (waiting("CrashLoopBackOff"), Pulled::Yes),
            (json!({}), Pulled::NotYet(None)),
        ];
        for (state, expected) in cases {
            let status = json!({ "name": "pull-0", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state });
            let pod = pod(json!({ "containerStatuses": [status] }));
            assert_eq!(of_container(&pod, "pull-0"), expected, "{state}");
        }
    }

    #[test]
    fn a_pod_is_judged_when_all_its_containers_are() {
        let status = |name: &str, state: Value| json!({ "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state });
        let failed = status("pull-1", waiting("ImagePullBackOff"));
        let half = pod(json!({ "containerStatuses": [status("pull-0", waiting("ErrImagePull")), failed] }));
        assert_eq!(of_pod(&half, "n"), None);
        let Judged::Failed(late) = at_deadline(&half, "n", 300) else {
            panic!("the deadline decides");
        };
        assert_eq!(late.len(), 2);
        assert_eq!(late[0].reason, "not pulled within 300 s (ErrImagePull: why)");
        let whole = pod(json!({ "containerStatuses": [status("pull-0", json!({ "running": {} })), failed] }));
        let Some(Judged::Failed(failures)) = of_pod(&whole, "n") else {
            panic!("one of them failed");
        };
        assert_eq!(failures.len(), 1);
        assert_eq!(
            (failures[0].image.as_str(), failures[0].node.as_str()),
            ("hub/b:1", "n")
        );
        let running = status("pull-1", json!({ "running": {} }));
        let done = pod(json!({ "containerStatuses": [status("pull-0", json!({ "running": {} })), running] }));
        assert_eq!(of_pod(&done, "n"), Some(Judged::Pulled));
        assert_eq!(of_pod(&pod(json!({ "phase": "Pending" })), "n"), None);
    }

    #[test]
    fn a_node_without_room_says_nothing_of_the_images() {
        for (reason, is_full) in [
            ("OutOfpods", true),
            ("OutOfcpu", true),
            ("OutOfmemory", true),
            ("Preempting", true),
            ("NodeShutdown", true),
            ("Evicted", false),
            ("UnexpectedAdmissionError", false),
            ("DeadlineExceeded", false),
        ] {
            let judged = of_pod(
                &pod(json!({ "phase": "Failed", "reason": reason, "message": "full" })),
                "n",
            );
            match judged {
                Some(Judged::Refused(why)) if is_full => {
                    assert_eq!(why, format!("takes no further pod: {reason}: full"));
                }
                Some(Judged::Failed(failures)) if !is_full => {
                    assert_eq!(failures[0].reason, format!("the node refused the pod: {reason}: full"));
                }
                other => panic!("{reason}: {other:?}"),
            }
        }
        // Its processes have ended, as they may.
        let ended = |name: &str| {
            json!({ "name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "terminated": { "exitCode": 1 } } })
        };
        let ended = pod(json!({ "phase": "Failed", "containerStatuses": [ended("pull-0"), ended("pull-1")] }));
        assert_eq!(of_pod(&ended, "n"), Some(Judged::Pulled));
    }

    #[test]
    fn thousands_of_failures_make_one_short_sentence() {
        let failures: Vec<Failure> = (0..5000)
            .map(|n| Failure {
                image: "hub/a:1".to_owned(),
                node: format!("n{n}"),
                reason: shortened(&"x ".repeat(9000)),
            })
            .collect();
        let sentence = sentence(&failures, 2, 5000);
        assert!(
            sentence.starts_with("5000 of 10000 image pulls failed (2 images on 5000 nodes): hub/a:1 on node n0: ")
        );
        assert!(sentence.ends_with("and 4995 more"), "{sentence}");
        assert!(sentence.len() < 2500, "{}", sentence.len());
    }
}

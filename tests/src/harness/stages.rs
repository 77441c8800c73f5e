//! kwok's stages with more: pods of istiod that become ready after a time, as real ones do, and registries that falter.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;

use super::cluster::ClusterOptions;
use super::toolbox::Toolbox;

/// A registry that gives no image to pods that pull, until [`REGISTRY_IS_BACK`] is put on them; to others it does.
pub const FALTERING_HUB: &str = "registry.example.com/falters";

/// The annotation, as kubectl takes it.
pub const REGISTRY_IS_BACK: &str = "registry=back";

/// A pull that fails once, before the kubelet backs off. When it no longer matches, kwok's own `pod-ready` does.
const FALTERS: &str = r#"
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: pod-image-pull-falters
spec:
  resourceRef:
    apiGroup: v1
    kind: Pod
  selector:
    matchLabels:
      app: mesh-upgrade-pull
    matchExpressions:
    - key: '.metadata.deletionTimestamp'
      operator: 'DoesNotExist'
    - key: '.metadata.annotations["registry"]'
      operator: 'DoesNotExist'
    - key: '.spec.containers[] | select(.image | contains("/falters/")) | .name'
      operator: 'Exists'
  weight: 1
  next:
    statusTemplate: |
      phase: Pending
      conditions:
      - type: Ready
        status: "False"
        reason: ContainersNotReady
      - type: ContainersReady
        status: "False"
        reason: ContainersNotReady
      containerStatuses:
      {{ range .spec.containers }}
      - image: {{ .image | Quote }}
        imageID: ""
        name: {{ .name | Quote }}
        ready: false
        restartCount: 0
        state:
          waiting:
            reason: ErrImagePull
            message: the registry falters
      {{ end }}
"#;

/// A copy of the stages with those more that a cluster is to have; nothing where it needs none.
pub(super) fn of(options: &ClusterOptions) -> Result<Option<NamedTempFile>> {
    let all = std::fs::read_to_string(Toolbox::get()?.program("kwok-stages.yaml"))?;
    let mut more = Vec::new();
    if let Some(ready_after) = options.istiod_ready_after {
        more.push(slow_istiod(&all, ready_after)?);
    }
    if options.registry_falters {
        more.push(FALTERS.to_owned());
    }
    if more.is_empty() {
        return Ok(None);
    }
    let mut file = NamedTempFile::new()?;
    write!(file, "{all}")?;
    for stage in more {
        write!(file, "\n---\n{stage}\n")?;
    }
    Ok(Some(file))
}

/// kwok's own `pod-ready` once more, for istiod alone and with a delay. Its weight makes it win, as that of the stage for images
/// that cannot be pulled does.
fn slow_istiod(all: &str, ready_after: Duration) -> Result<String> {
    let ready = all
        .split("\n---\n")
        .find(|stage| stage.contains("\n  name: pod-ready\n"))
        .context("no stage pod-ready")?;
    let (selector, next) = ready.split_once("\n  next:\n").context("a stage without next")?;
    let selector = selector.replace("name: pod-ready", "name: istiod-ready");
    let milliseconds = ready_after.as_millis();
    Ok(format!(
        "{selector}\n    - key: '.metadata.labels[\"app\"]'\n      operator: 'In'\n      values: ['istiod']\n  \
         weight: 1\n  delay: {{durationMilliseconds: {milliseconds}}}\n  next:\n{next}\n"
    ))
}

//! kwok's stages with one more: pods of istiod that become ready after a time, as real ones do.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;

use super::toolbox::Toolbox;

/// A copy of the stages with kwok's own `pod-ready` once more, for istiod alone and with a delay. Its weight makes it
/// win, as that of the stage for images that cannot be pulled does.
pub(super) fn stages(ready_after: Duration) -> Result<NamedTempFile> {
    let all = std::fs::read_to_string(Toolbox::get()?.program("kwok-stages.yaml"))?;
    let ready = all
        .split("\n---\n")
        .find(|stage| stage.contains("\n  name: pod-ready\n"))
        .context("no stage pod-ready")?;
    let (selector, next) = ready.split_once("\n  next:\n").context("a stage without next")?;
    let selector = selector.replace("name: pod-ready", "name: istiod-ready");
    let milliseconds = ready_after.as_millis();
    let mut file = NamedTempFile::new()?;
    write!(
        file,
        "{all}\n---\n{selector}\n    - key: '.metadata.labels[\"app\"]'\n      operator: 'In'\n      values: ['istiod']\n  \
         weight: 1\n  delay: {{durationMilliseconds: {milliseconds}}}\n  next:\n{next}\n"
    )?;
    Ok(file)
}

//! Which helm will do: one that keeps a release's values, and that applies its objects as they were applied before.

use super::Helm;
use crate::error::CommandError;

/// The first helm that knows `--reset-then-reuse-values`.
const KEEPS_VALUES: semver::Version = semver::Version::new(3, 14, 0);

/// The version that a helm answered, if it is one that will do; what did not succeed is only quoted.
pub(super) fn version(shown: &str, answer: Result<&str, &str>) -> Result<semver::Version, CommandError> {
    let version = answer
        .ok()
        .map(|text| semver::Version::parse(text.trim_start_matches('v')));
    match version {
        Some(Ok(version)) if version.major == 4 || (version.major == 3 && version >= KEEPS_VALUES) => Ok(version),
        Some(Ok(version)) if version.major == 3 => Err(CommandError::error(format!(
            "{shown} is helm {version}, which knows no --reset-then-reuse-values: without it a release would lose its values, \
             or keep the old chart's"
        ))
        .hint("install helm 3.14 or newer, or name one with --helm FILE")),
        _ => {
            let (Ok(text) | Err(text)) = answer;
            Err(CommandError::error(format!("{shown} is not helm 3 or 4: it answered {text:?}"))
                .hint("name another one with --helm FILE"))
        }
    }
}

impl Helm {
    /// Refuses what helm 4 applied on the server where this is helm 3, which would apply it on the client: fields that the
    /// target's chart no longer has would stay, as helm 4's.
    pub(super) fn refuse_other_way(&self, namespace: &str, release: &str, server_side: bool) -> Result<(), String> {
        if server_side && self.version.major < 4 {
            return Err(format!(
                "helm {} cannot go on with release {namespace}/{release}, whose objects helm 4 applied on the server: install \
                 helm 4, or name it with --helm FILE",
                self.version
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn a_helm_that_would_lose_values_is_refused_when_it_is_found() {
        for (answer, expected) in [
            (Ok("v2.17.0"), "is not helm 3 or 4"),
            (Ok("v3.0.0"), "which knows no --reset-then-reuse-values"),
            (Ok("v3.13.3"), "which knows no --reset-then-reuse-values"),
            (Ok("v3.14.0"), ""),
            (Ok("v4.3.1"), ""),
            (Ok("v5.0.0"), "is not helm 3 or 4"),
            (Ok("help"), "it answered \"help\""),
            (Err("v4.3.1"), "is not helm 3 or 4"),
        ] {
            let why = version("helm", answer).err().map(|error| error.to_string());
            let why = why.unwrap_or_default();
            assert!(
                why.contains(expected) && why.is_empty() == expected.is_empty(),
                "{answer:?}: {why}"
            );
        }
    }

    #[test]
    fn what_helm_4_applied_on_the_server_is_helm_4s() {
        for (version, server_side, refused) in [
            (semver::Version::new(3, 22, 0), true, true),
            (semver::Version::new(3, 22, 0), false, false),
            (semver::Version::new(4, 3, 1), true, false),
        ] {
            let helm = Helm {
                binary: PathBuf::from("helm"),
                version,
            };
            let found = helm.refuse_other_way("istio-system", "istiod", server_side);
            assert_eq!(found.is_err(), refused, "{found:?}");
        }
    }
}

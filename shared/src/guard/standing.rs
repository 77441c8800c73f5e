//! How the guard is installed already, read from its objects: whoever installs it once more, to bring it up to date, keeps
//! what they chose and do not name again.

use super::{
    belongings::pulled_by,
    install::{Certificates, InstallOptions, WebhookClient},
};
use crate::names;
use k8s_openapi::api::{admissionregistration::v1::ValidatingWebhookConfiguration, apps::v1::Deployment};
use std::fmt::Display;

/// What was asked for; what is `None` was not named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Only the policies.
    pub policy_only: bool,
    /// cert-manager makes the certificates.
    pub cert_manager: bool,
    /// Image of the webhook.
    pub image: Option<String>,
    /// Secrets by which it is pulled; none were named where it is empty.
    pub image_pull_secrets: Vec<String>,
    /// Where the API server reaches a webhook outside of the cluster.
    pub webhook_url: Option<String>,
    /// Pods of the webhook.
    pub replicas: Option<i32>,
}

/// The guard as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether its policy is there.
    policy: bool,
    /// Whether anything of the webhook is there.
    webhook: bool,
    /// The webhook's image, and the release of the plugin that chose it.
    image: Option<(String, String)>,
    image_pull_secrets: Vec<String>,
    replicas: Option<i32>,
    url: Option<String>,
    cert_manager: bool,
}

impl Standing {
    /// What these objects say; `account` is the webhook's ServiceAccount, which every way but `--policy-only` has.
    #[must_use]
    pub fn of(
        policy: bool,
        account: bool,
        deployment: Option<&Deployment>,
        configuration: Option<&ValidatingWebhookConfiguration>,
    ) -> Self {
        let annotations = configuration.and_then(|found| found.metadata.annotations.as_ref());
        let mut webhooks = configuration
            .into_iter()
            .flat_map(|found| found.webhooks.iter().flatten());
        let url = webhooks.find_map(|webhook| webhook.client_config.url.as_deref());
        let spec = deployment.and_then(|found| found.spec.as_ref());
        let pod = spec.and_then(|spec| spec.template.spec.as_ref());
        let image = pod.and_then(|pod| pod.containers.first()?.image.clone());
        let labels = deployment.and_then(|found| found.metadata.labels.as_ref());
        let release = labels.and_then(|labels| labels.get(names::LABEL_VERSION));
        Self {
            policy,
            webhook: account || deployment.is_some() || configuration.is_some(),
            image: image.map(|image| (image, release.cloned().unwrap_or_default())),
            image_pull_secrets: deployment.map(pulled_by).unwrap_or_default(),
            // None at all is a way to stop it for a while, and no way to install it.
            replicas: spec.and_then(|spec| spec.replicas).filter(|replicas| *replicas > 0),
            url: url.map(|url| url.strip_suffix(super::rules::PATH).unwrap_or(url).to_owned()),
            cert_manager: annotations.is_some_and(|found| found.contains_key(super::cert_manager::INJECT_FROM)),
        }
    }

    /// Whether there is a webhook to take away when only the policies are asked for.
    #[must_use]
    pub fn has_webhook(&self) -> bool {
        self.webhook
    }

    /// Whether the webhook runs in the cluster, whose pods nobody asks any more once it runs elsewhere.
    #[must_use]
    pub fn has_pods(&self) -> bool {
        self.image.is_some()
    }

    /// How to install: as was asked, and otherwise as it stands. With it, as flags, what was kept and is no default.
    #[must_use]
    pub fn options(&self, asked: &Asked) -> (InstallOptions, Vec<String>) {
        let defaults = InstallOptions::default();
        let mut kept = Vec::new();
        let in_the_cluster = asked.image.is_some()
            || !asked.image_pull_secrets.is_empty()
            || asked.replicas.is_some()
            || asked.cert_manager;
        let names_webhook = in_the_cluster || asked.webhook_url.is_some();
        if asked.policy_only || self.policy && !self.webhook && !names_webhook {
            if !asked.policy_only {
                kept.push("--policy-only".to_owned());
            }
            return (
                InstallOptions {
                    policy_only: true,
                    ..defaults
                },
                kept,
            );
        }
        let url = match (&asked.webhook_url, &self.url) {
            (Some(url), _) => Some(url.clone()),
            (None, Some(url)) if !in_the_cluster => Some(keep(&mut kept, "--webhook-url", url.clone())),
            (None, _) => None,
        };
        if let Some(url) = url {
            let options = InstallOptions {
                client: WebhookClient::Url(url),
                ..defaults
            };
            return (options, kept);
        }
        let image = match (&asked.image, &self.image) {
            (Some(image), _) => image.clone(),
            (None, Some((image, release))) => match of_this_release(image, release) {
                image if image == defaults.image => image,
                image => keep(&mut kept, "--image", image),
            },
            (None, None) => defaults.image,
        };
        let image_pull_secrets = if asked.image_pull_secrets.is_empty() {
            let standing = self.image_pull_secrets.iter().cloned();
            standing
                .map(|name| keep(&mut kept, "--image-pull-secret", name))
                .collect()
        } else {
            asked.image_pull_secrets.clone()
        };
        let replicas = match (asked.replicas, self.replicas) {
            (Some(replicas), _) => replicas,
            (None, Some(replicas)) if replicas != defaults.replicas => keep(&mut kept, "--replicas", replicas),
            (None, _) => defaults.replicas,
        };
        if self.cert_manager && !asked.cert_manager {
            kept.push("--cert-manager".to_owned());
        }
        let certificates = if self.cert_manager || asked.cert_manager {
            Certificates::CertManager
        } else {
            Certificates::Own
        };
        let options = InstallOptions {
            image,
            image_pull_secrets,
            replicas,
            certificates,
            ..InstallOptions::default()
        };
        (options, kept)
    }
}

fn keep<T: Display>(kept: &mut Vec<String>, flag: &str, value: T) -> T {
    kept.push(format!("{flag} {value}"));
    value
}

/// An image whose tag is the release that installed it follows the release, from whichever registry; another tag, or a
/// digest, was chosen, and stays.
fn of_this_release(image: &str, installed_by: &str) -> String {
    match image.rsplit_once(':') {
        Some((repository, tag)) if tag == installed_by && !repository.contains('@') => {
            format!("{repository}:{}", names::VERSION)
        }
        _ => image.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::install::objects, *};
    use serde_json::Value;

    fn installed(options: &InstallOptions, release: &str) -> Standing {
        let objects = objects(options);
        let of_kind = |kind: &str| objects.iter().find(|object| object["kind"] == kind);
        let read = |found: Option<&Value>| found.cloned().map(|found| serde_json::from_value(found).unwrap());
        let mut deployment: Option<Deployment> = of_kind("Deployment").map(|found| {
            let text = found.to_string().replace(names::VERSION, release);
            serde_json::from_str(&text).unwrap()
        });
        if let Some(spec) = deployment.as_mut().and_then(|found| found.spec.as_mut()) {
            spec.replicas = Some(options.replicas);
        }
        let configuration = of_kind("ValidatingWebhookConfiguration").map(|found| {
            let found: ValidatingWebhookConfiguration = serde_json::from_value(found.clone()).unwrap();
            found
        });
        let account = objects.iter().any(|object| {
            object["kind"] == "ServiceAccount" && object["metadata"]["name"] == names::WEBHOOK_SERVICE_ACCOUNT
        });
        let policy = read(of_kind("ValidatingAdmissionPolicy")).is_some_and(|_: Value| true);
        Standing::of(policy, account, deployment.as_ref(), configuration.as_ref())
    }

    fn again(standing: &Standing, asked: &Asked) -> (InstallOptions, Vec<String>) {
        standing.options(asked)
    }

    #[test]
    fn a_guard_is_brought_up_to_date_as_it_was_installed() {
        let defaults = InstallOptions::default();
        let nothing = Asked::default();
        assert_eq!(again(&Standing::default(), &nothing), (defaults.clone(), vec![]));
        // Of an older release, whose image had its tag.
        assert_eq!(
            again(&installed(&defaults, "0.0.1"), &nothing),
            (defaults.clone(), vec![])
        );
        let ways = [
            (
                InstallOptions {
                    policy_only: true,
                    ..defaults.clone()
                },
                vec!["--policy-only"],
            ),
            (
                InstallOptions {
                    client: WebhookClient::Url("https://guard.example:8443".to_owned()),
                    ..defaults.clone()
                },
                vec!["--webhook-url https://guard.example:8443"],
            ),
            (
                InstallOptions {
                    image: "registry.example/guard@sha256:abc".to_owned(),
                    image_pull_secrets: vec!["mirror".to_owned()],
                    replicas: 2,
                    certificates: Certificates::CertManager,
                    ..defaults.clone()
                },
                vec![
                    "--image registry.example/guard@sha256:abc",
                    "--image-pull-secret mirror",
                    "--replicas 2",
                    "--cert-manager",
                ],
            ),
        ];
        for (options, kept) in ways {
            let (got, told) = again(&installed(&options, "0.0.1"), &nothing);
            assert_eq!(got, options);
            assert_eq!(told, kept);
        }
    }

    #[test]
    fn a_mirror_follows_the_release_and_another_tag_stays() {
        let release = names::VERSION;
        for (image, expected) in [
            (
                "mirror.example:5000/guard:0.0.1",
                format!("mirror.example:5000/guard:{release}"),
            ),
            ("mirror.example/guard:ours", "mirror.example/guard:ours".to_owned()),
            ("mirror.example:5000/guard", "mirror.example:5000/guard".to_owned()),
            ("guard:0.0.1@sha256:0.0.1", "guard:0.0.1@sha256:0.0.1".to_owned()),
        ] {
            assert_eq!(of_this_release(image, "0.0.1"), expected);
        }
    }

    #[test]
    fn what_is_named_wins_over_what_stands() {
        let defaults = InstallOptions::default();
        let policies = installed(
            &InstallOptions {
                policy_only: true,
                ..defaults.clone()
            },
            "0.0.1",
        );
        let three = Asked {
            replicas: Some(3),
            ..Asked::default()
        };
        assert_eq!(again(&policies, &three), (defaults.clone(), vec![]));
        assert!(installed(&defaults, "0.0.1").has_pods() && !policies.has_pods());
        let outside = installed(
            &InstallOptions {
                client: WebhookClient::Url("https://guard.example".to_owned()),
                ..defaults.clone()
            },
            "0.0.1",
        );
        assert!(!outside.has_pods());
        assert_eq!(again(&outside, &three), (defaults.clone(), vec![]));
        let with_secret = |names: &[&str]| InstallOptions {
            image_pull_secrets: names.iter().map(|name| (*name).to_owned()).collect(),
            ..defaults.clone()
        };
        let others = Asked {
            image_pull_secrets: vec!["b".to_owned(), "c".to_owned()],
            ..Asked::default()
        };
        for standing in [installed(&with_secret(&["a"]), "0.0.1"), outside.clone()] {
            assert_eq!(again(&standing, &others), (with_secret(&["b", "c"]), vec![]));
        }
        let only = Asked {
            policy_only: true,
            ..Asked::default()
        };
        let full = installed(&defaults, "0.0.1");
        assert!(full.has_webhook() && !policies.has_webhook());
        let (options, kept) = again(&full, &only);
        assert!(options.policy_only && kept.is_empty());
        // Whoever took the webhook's configuration away took no choice away.
        let damaged = Standing::of(true, true, None, None);
        assert_eq!(again(&damaged, &Asked::default()), (defaults, vec![]));
    }
}

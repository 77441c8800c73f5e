//! What a row expects, and what the API server answered: who refused, with which of our codes.

use anyhow::{Context, Result};
use serde::Deserialize;
use shared::{
    guard::{
        WEBHOOK_DOMAIN, codes::Code, is_refused_by_policy, is_warned_by_policy, is_warned_by_webhook, webhook_refusal,
    },
    names,
};

/// How much of each end of a message is kept.
const KEPT: usize = 150;

/// Which barriers stand when a row is asked. The policy of our own objects stands always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barriers {
    /// The freeze policy and the webhook.
    Both,
    /// The freeze policy; the webhook is dead and ignored.
    PolicyAlone,
    /// The webhook; the freeze policy is gone, its record is not.
    WebhookAlone,
    /// Neither, and a webhook that is dead but not ignored: shows which requests it is asked about.
    AskedAtAll,
}

/// What the webhook by itself does with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// It is never asked.
    Unseen,
    /// It is asked and admits.
    Admits,
    /// It is asked, admits, and warns with `MG001`.
    Warns,
    /// It is asked and refuses.
    Refuses(Code),
}

/// What a row expects of each barrier by itself. Of both together it follows: policies are asked before webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// What the policies refuse it with: the freeze's `MG001`, or a code of the policy of our own objects.
    pub policy: Option<Code>,
    /// Whether the policy that warns does.
    pub policy_warns: bool,
    /// What the webhook does with it.
    pub webhook: WebhookAnswer,
    /// Words of somebody else who refuses it when both barriers let it pass.
    pub beyond: Option<String>,
}

/// As it stands in a row.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum ExpectationText {
    Short(String),
    Columns {
        policy: String,
        webhook: String,
        #[serde(default)]
        beyond: Option<String>,
    },
}

impl ExpectationText {
    pub(super) fn read(self) -> Result<Expectation> {
        let of = |policy, webhook| Expectation {
            policy,
            policy_warns: false,
            webhook,
            beyond: None,
        };
        let frozen = Some(Code::MeshFrozen);
        match self {
            Self::Short(word) => match word.as_str() {
                "frozen" => Ok(of(frozen, WebhookAnswer::Refuses(Code::MeshFrozen))),
                "frozen unseen" => Ok(of(frozen, WebhookAnswer::Unseen)),
                "own" => Ok(of(Some(Code::OwnObjects), WebhookAnswer::Unseen)),
                "admitted" => Ok(of(None, WebhookAnswer::Admits)),
                "unseen" => Ok(of(None, WebhookAnswer::Unseen)),
                "told" => Ok(of(None, WebhookAnswer::Warns)),
                "warned" => Ok(Expectation {
                    policy_warns: true,
                    ..of(None, WebhookAnswer::Warns)
                }),
                _ => anyhow::bail!("{word:?} is none of frozen, frozen unseen, own, admitted, unseen, told, warned"),
            },
            Self::Columns {
                policy,
                webhook,
                beyond,
            } => Ok(Expectation {
                policy: if policy == "admits" { None } else { Some(code(&policy)?) },
                policy_warns: false,
                webhook: match webhook.as_str() {
                    "unseen" => WebhookAnswer::Unseen,
                    "admits" => WebhookAnswer::Admits,
                    _ => WebhookAnswer::Refuses(code(&webhook)?),
                },
                beyond,
            }),
        }
    }
}

fn code(text: &str) -> Result<Code> {
    let found = Code::ALL.into_iter().find(|code| code.as_str() == text);
    found.with_context(|| format!("{text:?} is no code of the guard, and neither admits nor unseen"))
}

impl Expectation {
    /// Whether somebody of ours refuses the row when both barriers stand.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.policy.is_some() || matches!(self.webhook, WebhookAnswer::Refuses(_))
    }

    /// The answer while these barriers stand; `None` where several may speak first.
    #[must_use]
    pub fn answer(&self, barriers: Barriers) -> Option<Answer> {
        if let Some(code) = self.policy.filter(|code| *code != Code::MeshFrozen) {
            // A policy that refuses part of a collection lets the webhook be asked about the rest.
            if barriers == Barriers::AskedAtAll && self.webhook != WebhookAnswer::Unseen {
                return Some(Answer::AskedTheWebhook);
            }
            return Some(Answer::OwnObjects(code));
        }
        let policy = self.policy.map(|_| Answer::FreezePolicy);
        let webhook = match self.webhook {
            WebhookAnswer::Refuses(code) => Some(Answer::Webhook(code)),
            WebhookAnswer::Admits | WebhookAnswer::Warns | WebhookAnswer::Unseen => None,
        };
        let warned = Answer::warned(
            self.policy_warns && matches!(barriers, Barriers::Both | Barriers::PolicyAlone),
            self.webhook == WebhookAnswer::Warns && matches!(barriers, Barriers::Both | Barriers::WebhookAlone),
        );
        let refusal = match barriers {
            Barriers::Both => policy.or(webhook),
            Barriers::PolicyAlone => policy,
            Barriers::WebhookAlone => webhook,
            // Istio's webhook and ours are called at the same time, and either may answer first.
            Barriers::AskedAtAll if self.beyond.is_some() && self.webhook != WebhookAnswer::Unseen => return None,
            Barriers::AskedAtAll => (self.webhook != WebhookAnswer::Unseen).then_some(Answer::AskedTheWebhook),
        };
        Some(refusal.unwrap_or_else(|| match &self.beyond {
            Some(words) => Answer::Elsewhere(words.clone()),
            None => warned,
        }))
    }
}

/// What the API server answered, in terms of who refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done, or would have been.
    Admitted,
    /// The same, with our warning of a frozen mesh.
    Warned {
        /// By the policy that warns.
        policy: bool,
        /// By our webhook.
        webhook: bool,
    },
    /// The freeze policy refused it with `MG001`.
    FreezePolicy,
    /// The policy of our own objects refused it.
    OwnObjects(Code),
    /// Our webhook refused it.
    Webhook(Code),
    /// Our webhook would have been asked, but is dead.
    AskedTheWebhook,
    /// Somebody else refused it; in an expectation, words of what they say.
    Elsewhere(String),
}

impl Answer {
    fn warned(policy: bool, webhook: bool) -> Self {
        if policy || webhook {
            Self::Warned { policy, webhook }
        } else {
            Self::Admitted
        }
    }

    /// Reads the HTTP status, the message and the `Warning` headers of an answer, under the freeze policy of this name.
    #[must_use]
    pub fn read(status: u16, message: &str, warnings: &[String], policy: &str) -> Self {
        if (200..300).contains(&status) {
            let warning_policy = format!("{policy}{}", names::WARNING_POLICY_SUFFIX);
            let policy = |header: &String| is_warned_by_policy(header, &warning_policy);
            let webhook = |header: &String| is_warned_by_webhook(header);
            Self::warned(warnings.iter().any(policy), warnings.iter().any(webhook))
        } else if is_refused_by_policy(message, policy) {
            Self::FreezePolicy
        } else if let Some(code) = own_objects_refusal(message) {
            Self::OwnObjects(code)
        } else if let Some(code) = webhook_refusal(message) {
            Self::Webhook(code)
        } else if asked_a_dead_webhook(message) {
            Self::AskedTheWebhook
        } else {
            Self::Elsewhere(format!("{status} {}", shortened(message)))
        }
    }

    /// Whether this is what was expected.
    #[must_use]
    pub fn is(&self, expected: &Self) -> bool {
        match (self, expected) {
            (Self::Elsewhere(said), Self::Elsewhere(words)) => said.contains(words.as_str()),
            _ => self == expected,
        }
    }
}

/// The ends of a long message: the API server likes to quote whole objects in the middle.
fn shortened(message: &str) -> String {
    let length = message.chars().count();
    if length <= 2 * KEPT {
        return message.to_owned();
    }
    let head: String = message.chars().take(KEPT).collect();
    let tail: String = message.chars().skip(length - KEPT).collect();
    format!("{head} … {tail}")
}

fn own_objects_refusal(message: &str) -> Option<Code> {
    let head = format!(
        "ValidatingAdmissionPolicy '{}' with binding '",
        names::OWN_OBJECTS_POLICY
    );
    let (_, rest) = message.split_once(&head)?;
    let (_, rest) = rest.split_once("' denied request: ")?;
    Code::at_start_of(rest)
}

fn asked_a_dead_webhook(message: &str) -> bool {
    message
        .split_once("failed calling webhook \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .is_some_and(|(name, _)| name.ends_with(WEBHOOK_DOMAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_counts_only_in_the_words_of_its_barrier() {
        let own = "x is forbidden: ValidatingAdmissionPolicy 'mesh-upgrade-own-objects' with binding \
                   'mesh-upgrade-own-objects' denied request: MG006 own-objects: words";
        let dead = "Internal error occurred: failed calling webhook \"config.guard.meshupgrade.io\": refused";
        for (status, message, expected) in [
            (201, "", Answer::Admitted),
            (403, own, Answer::OwnObjects(Code::OwnObjects)),
            (500, dead, Answer::AskedTheWebhook),
            (
                403,
                "bob cannot create MG001 mesh-frozen",
                Answer::Elsewhere("MG001".to_owned()),
            ),
            (
                500,
                "failed calling webhook \"validation.istio.io\": refused",
                Answer::Elsewhere("istio".to_owned()),
            ),
        ] {
            let answer = Answer::read(status, message, &[], "mesh-freeze-default-3");
            assert!(answer.is(&expected), "{answer:?} is not {expected:?}");
        }
        assert!(!Answer::Elsewhere("403 RBAC".to_owned()).is(&Answer::Admitted));
    }

    #[test]
    fn of_both_together_the_policy_speaks_first() {
        let read = |text: &str| ExpectationText::Short(text.to_owned()).read().unwrap();
        let frozen = read("frozen");
        assert_eq!(frozen.answer(Barriers::Both), Some(Answer::FreezePolicy));
        assert_eq!(
            frozen.answer(Barriers::WebhookAlone),
            Some(Answer::Webhook(Code::MeshFrozen))
        );
        assert_eq!(read("unseen").answer(Barriers::AskedAtAll), Some(Answer::Admitted));
        assert_eq!(
            read("admitted").answer(Barriers::AskedAtAll),
            Some(Answer::AskedTheWebhook)
        );
        assert!(ExpectationText::Short("denied".to_owned()).read().is_err());
    }
}

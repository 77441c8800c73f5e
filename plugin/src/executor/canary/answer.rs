//! What the API server's answer to a canary means: whose refusal it is, and whether the freeze was asked at all.

use crate::executor::freeze::policies::epoch_of;
use shared::guard::{self, install::PORT};

/// What the API server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It would create the object.
    Admitted,
    /// The freeze policy of this name refused.
    RefusedByPolicy,
    /// Another freeze policy refused.
    RefusedByAnotherFreeze {
        /// Its epoch, where it is of the same mesh and refused because that is frozen.
        epoch: Option<i64>,
        /// What it said.
        message: String,
    },
    /// A policy that is no freeze's refused; of several the API server names one, so that what the freeze says is not known.
    RefusedByForeignPolicy(String),
    /// The guard's webhook refused.
    RefusedByWebhook,
    /// It would create the object, and the policy that warns warned.
    WarnedByPolicy,
    /// The same of the mesh's freezes of other epochs, of which this is the newest.
    WarnedByAnotherFreeze(i64),
    /// It would create the object, and the guard's webhook warned.
    WarnedByWebhook,
    /// The API server serves no such kind: there is nothing to freeze.
    NotServed,
    /// The guard let it pass, and something else stopped it, as Istio's own validation while istiod is down, or a quota.
    StoppedElsewhere(String),
    /// No answer at all: the connection broke, or the API server is not well.
    Unanswered(String),
    /// Something else: no proof of anything.
    NoProof(String),
}

impl Answer {
    /// Whether the guard has let the canary pass, as far as anybody can see.
    pub(super) fn is_past_the_guard(&self) -> bool {
        matches!(
            self,
            Self::Admitted | Self::StoppedElsewhere(_) | Self::RefusedByForeignPolicy(_)
        )
    }

    /// Whether a freeze may still stand behind it: it says so, or nothing was said.
    pub(super) fn may_be_a_freezes(&self) -> bool {
        match self {
            Self::RefusedByPolicy
            | Self::RefusedByAnotherFreeze { .. }
            | Self::RefusedByWebhook
            | Self::WarnedByPolicy
            | Self::WarnedByAnotherFreeze(_)
            | Self::WarnedByWebhook
            | Self::Unanswered(_) => true,
            Self::Admitted
            | Self::RefusedByForeignPolicy(_)
            | Self::NotServed
            | Self::StoppedElsewhere(_)
            | Self::NoProof(_) => false,
        }
    }
}

/// What an answer has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whoever asks gets past the guard. Whether istiod is well is not the question, nor what others ask of every object: a
    /// mesh with a sick one must be mended by the holder.
    Admitted,
    /// The policy of this freeze refuses.
    ByPolicy,
    /// A policy of this mesh refuses that has a later epoch than this one: of several the API server names one, and which is
    /// up to it.
    ByPolicyAfter(i64),
    /// The guard's webhook refuses.
    ByWebhook,
}

/// The two policies of one freeze.
#[derive(Clone, Debug)]
pub(super) struct Policies {
    pub(super) mesh: String,
    pub(super) epoch: i64,
    pub(super) refusing: String,
    pub(super) warning: String,
}

impl Policies {
    /// Whether an answer says what is expected. Of what the mesh `only_warns` about a warning stands for the refusal.
    pub(super) fn says(&self, answer: &Answer, expected: Expected, only_warns: bool) -> bool {
        match expected {
            Expected::Admitted => answer.is_past_the_guard(),
            Expected::ByPolicy if only_warns => *answer == Answer::WarnedByPolicy,
            Expected::ByPolicy => *answer == Answer::RefusedByPolicy,
            Expected::ByWebhook if only_warns => *answer == Answer::WarnedByWebhook,
            Expected::ByWebhook => *answer == Answer::RefusedByWebhook,
            Expected::ByPolicyAfter(epoch) => {
                let said = match answer {
                    Answer::RefusedByPolicy => Some(self.epoch),
                    Answer::WarnedByPolicy if only_warns => Some(self.epoch),
                    // Of a driver before, for which the mesh was stricter.
                    Answer::RefusedByAnotherFreeze { epoch, .. } => *epoch,
                    Answer::WarnedByAnotherFreeze(epoch) if only_warns => Some(*epoch),
                    _ => None,
                };
                said.is_some_and(|said| said > epoch)
            }
        }
    }

    /// What an answer means; `refusal` is the reason and the message of one that is no success.
    pub(super) fn read(
        &self,
        status: http::StatusCode,
        refusal: Option<(String, String)>,
        warnings: &[String],
    ) -> Answer {
        let is_warned = |by: &dyn Fn(&str) -> bool| warnings.iter().any(|warning| by(warning));
        let warned = if is_warned(&|header| guard::is_warned_by_policy(header, &self.warning)) {
            Some(Answer::WarnedByPolicy)
        } else if let Some(epoch) = self.newest_that_warns(warnings) {
            Some(Answer::WarnedByAnotherFreeze(epoch))
        } else if is_warned(&guard::is_warned_by_webhook) {
            Some(Answer::WarnedByWebhook)
        } else {
            None
        };
        let Some((reason, message)) = refusal else {
            return warned.unwrap_or(Answer::Admitted);
        };
        if guard::is_refused_by_policy(&message, &self.refusing) {
            Answer::RefusedByPolicy
        } else if guard::is_refused_by_webhook(&message) {
            Answer::RefusedByWebhook
        } else if guard::is_refused_by_a_freeze(&message) {
            let epoch = guard::refusing_freeze(&message).and_then(|policy| epoch_of(policy, &self.mesh));
            Answer::RefusedByAnotherFreeze { epoch, message }
        } else if let Some(policy) = guard::foreign_policy(&message) {
            // All policies are asked, and those that only warn have done so.
            warned.unwrap_or_else(|| Answer::RefusedByForeignPolicy(policy.to_owned()))
        } else if is_another_webhook(&message) || guard::is_past_admission(&reason, &message) {
            // Who warned was asked before, or at the same time.
            warned.unwrap_or(Answer::StoppedElsewhere(message))
        } else if status == http::StatusCode::NOT_FOUND && (reason.is_empty() || message.contains("requested resource"))
        {
            Answer::NotServed
        } else if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
            Answer::Unanswered(message)
        } else {
            Answer::NoProof(message)
        }
    }

    fn newest_that_warns(&self, warnings: &[String]) -> Option<i64> {
        let warning = warnings.iter().filter_map(|header| guard::warning_freeze(header));
        warning.filter_map(|policy| epoch_of(policy, &self.mesh)).max()
    }
}

/// Validating webhooks are asked together, after all policies have admitted; ours ignores failures to call it.
fn is_another_webhook(message: &str) -> bool {
    let ours = message.contains(guard::WEBHOOK_DOMAIN) || message.contains("MG0");
    !ours && (message.contains("failed calling webhook") || message.contains("admission webhook"))
}

/// What is told of something that only the webhook refuses and that was admitted: it fails open, so that of one that is not
/// reached an API server says nothing.
#[must_use]
pub fn unheard(said: &str) -> String {
    format!(
        "{said}, and the guard's webhook did not refuse it: are its pods ready, is it trusted by its configuration, and may API \
         servers reach TCP port {PORT} of its pods? Private clusters, as GKE's, need a firewall rule for that; where there is no way: \
         kubectl mesh-upgrade guard install --policy-only"
    )
}

pub(super) fn describe(answer: &Answer) -> String {
    match answer {
        Answer::Admitted => "admitted".to_owned(),
        Answer::RefusedByPolicy => "refused by the freeze policy".to_owned(),
        Answer::RefusedByForeignPolicy(policy) => format!(
            "refused by the ValidatingAdmissionPolicy {policy}, which is none of this tool's: what a freeze says cannot be \
             seen behind it"
        ),
        Answer::RefusedByWebhook => "refused by the guard's webhook".to_owned(),
        Answer::WarnedByPolicy | Answer::WarnedByAnotherFreeze(_) => {
            "admitted with a warning of the freeze policy".to_owned()
        }
        Answer::WarnedByWebhook => "admitted with a warning of the guard's webhook".to_owned(),
        Answer::NotServed => "not known to the API server".to_owned(),
        Answer::RefusedByAnotherFreeze { message, .. }
        | Answer::StoppedElsewhere(message)
        | Answer::Unanswered(message)
        | Answer::NoProof(message) => format!("answered with: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORBIDDEN: u16 = 403;

    fn policies() -> Policies {
        Policies {
            mesh: "default".to_owned(),
            epoch: 3,
            refusing: "mesh-freeze-default-3".to_owned(),
            warning: "mesh-freeze-default-3-warn".to_owned(),
        }
    }

    fn read(code: u16, reason: &str, message: &str, warnings: &[String]) -> Answer {
        let status = http::StatusCode::from_u16(code).unwrap();
        let refusal = (code >= 400).then(|| (reason.to_owned(), message.to_owned()));
        policies().read(status, refusal, warnings)
    }

    fn by_policy(policy: &str, says: &str) -> String {
        format!(
            "configmaps \"mesh-upgrade-canary\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding '{policy}' \
             denied request: {says}"
        )
    }

    #[test]
    fn whose_a_refusal_is_and_whether_a_freeze_may_stand_behind_it() {
        let frozen = "MG001 mesh-frozen: mesh \"default\" is being upgraded";
        let quota = "configmaps \"mesh-upgrade-canary\" is forbidden: exceeded quota: few, requested: count/configmaps=1, \
                     used: count/configmaps=5, limited: count/configmaps=5";
        let there = "configmaps \"mesh-upgrade-canary\" already exists";
        let istio = "admission webhook \"validation.istio.io\" denied the request: bad";
        let ours = "admission webhook \"helm.guard.meshupgrade.io\" denied the request: MG001 mesh-frozen: x";
        for (code, reason, message, past, freeze) in [
            (201, "", String::new(), true, false),
            (
                FORBIDDEN,
                "Forbidden",
                by_policy("mesh-freeze-default-3", frozen),
                false,
                true,
            ),
            // A later or an earlier epoch's, another mesh's, and one of ours that cannot be evaluated.
            (
                FORBIDDEN,
                "Forbidden",
                by_policy("mesh-freeze-default-2", frozen),
                false,
                true,
            ),
            (
                FORBIDDEN,
                "Forbidden",
                by_policy("mesh-freeze-other-1", frozen),
                false,
                true,
            ),
            (
                FORBIDDEN,
                "Forbidden",
                by_policy("mesh-freeze-default-3", "expression 'x' resulted in error: y"),
                false,
                true,
            ),
            (
                FORBIDDEN,
                "Invalid",
                by_policy("needs-a-team-label", "no label team"),
                true,
                false,
            ),
            (FORBIDDEN, "Forbidden", quota.to_owned(), true, false),
            (409, "AlreadyExists", there.to_owned(), true, false),
            (
                409,
                "Conflict",
                "Operation cannot be fulfilled".to_owned(),
                false,
                false,
            ),
            (FORBIDDEN, "Forbidden", istio.to_owned(), true, false),
            (FORBIDDEN, "Forbidden", ours.to_owned(), false, true),
            (
                500,
                "InternalError",
                "etcdserver: request timed out".to_owned(),
                false,
                true,
            ),
            (429, "TooManyRequests", "too many".to_owned(), false, true),
            (
                FORBIDDEN,
                "Forbidden",
                "configmaps is forbidden: User \"x\" cannot create".to_owned(),
                false,
                false,
            ),
        ] {
            let answer = read(code, reason, &message, &[]);
            assert_eq!(answer.is_past_the_guard(), past, "{message}: {answer:?}");
            assert_eq!(answer.may_be_a_freezes(), freeze, "{message}: {answer:?}");
        }
    }

    #[test]
    fn who_only_warns_was_asked_before_whatever_stops_the_canary() {
        let warning = "299 - \"Validation failed for ValidatingAdmissionPolicy 'mesh-freeze-default-3-warn' with binding \
            'mesh-freeze-default-3-warn': MG001 mesh-frozen: x\"";
        let warnings = [warning.to_owned()];
        for (code, reason, message) in [
            (201, "", String::new()),
            (FORBIDDEN, "Forbidden", by_policy("needs-a-team-label", "no label team")),
            (
                409,
                "AlreadyExists",
                "virtualservices \"mesh-upgrade-canary\" already exists".to_owned(),
            ),
        ] {
            assert_eq!(
                read(code, reason, &message, &warnings),
                Answer::WarnedByPolicy,
                "{message}"
            );
        }
    }

    #[test]
    fn of_several_freezes_any_later_one_proves_that_a_holder_is_refused() {
        let frozen = "MG001 mesh-frozen: mesh \"default\" is being upgraded";
        let refused = |policy: &str, says: &str| read(FORBIDDEN, "Forbidden", &by_policy(policy, says), &[]);
        let warned = |epochs: &[i64]| {
            let headers = epochs.iter().map(|epoch| {
                let policy = format!("mesh-freeze-default-{epoch}-warn");
                format!(
                    "299 - \"Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{policy}': {frozen}\""
                )
            });
            read(201, "", "", &headers.collect::<Vec<_>>())
        };
        // The answer, whether this canary is only warned about, and the holders of which epochs it proves to be refused.
        for (answer, only_warns, proved) in [
            (refused("mesh-freeze-default-3", frozen), false, &[1, 2][..]),
            (refused("mesh-freeze-default-2", frozen), false, &[1]),
            // Deleted already, or the asker's own.
            (refused("mesh-freeze-default-1", frozen), false, &[]),
            (refused("mesh-freeze-other-9", frozen), false, &[]),
            (
                refused("mesh-freeze-default-3", "expression 'x' resulted in error: y"),
                false,
                &[],
            ),
            (warned(&[3]), true, &[1, 2]),
            (warned(&[1, 2]), true, &[1]),
            (warned(&[2, 3]), false, &[]),
            (refused("mesh-freeze-default-2", frozen), true, &[1]),
            (read(201, "", "", &[]), false, &[]),
        ] {
            for holder in 1..=3 {
                let says = policies().says(&answer, Expected::ByPolicyAfter(holder), only_warns);
                assert_eq!(says, proved.contains(&holder), "holder {holder}: {answer:?}");
            }
        }
        // The freeze's own proof stays what it was: another epoch's refusal says nothing of it.
        let another = refused("mesh-freeze-default-2", frozen);
        assert!(!policies().says(&another, Expected::ByPolicy, false));
        assert!(!policies().says(&another, Expected::Admitted, false));
        assert!(!policies().says(&warned(&[2]), Expected::Admitted, true));
    }

    #[test]
    fn the_policy_that_hides_the_freeze_is_named() {
        let answer = read(
            FORBIDDEN,
            "Forbidden",
            &by_policy("needs-a-team-label", "no label team"),
            &[],
        );
        assert_eq!(answer, Answer::RefusedByForeignPolicy("needs-a-team-label".to_owned()));
        assert!(describe(&answer).contains("needs-a-team-label"), "{answer:?}");
    }
}

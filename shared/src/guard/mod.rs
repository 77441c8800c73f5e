//! The guard: the freeze as a policy of the API server, and the decisions of the webhook, from one table.

pub mod asked;
pub mod belongings;
pub mod cel;
mod cert_manager;
pub mod certificates;
pub mod chart;
pub mod codes;
pub mod coverage;
pub mod decide;
#[cfg(test)]
mod decide_cases;
pub mod install;
mod late;
mod matching;
pub mod message;
pub mod own_objects;
mod policy;
#[cfg(test)]
mod policy_cases;
mod rbac;
mod reference;
mod refusal;
pub mod release;
pub mod review;
#[cfg(test)]
mod review_cases;
pub mod rules;
pub mod standing;
pub mod table;
mod versions;

pub use decide::{Facts, Ruling, Verdict, decide};
pub use policy::freeze_policies;
pub use rbac::{DOWNGRADER_ROLE, REPORTER_ROLE, UNLOCKER_ROLE};
pub use refusal::{
    WEBHOOK_DOMAIN, foreign_policy, is_past_admission, is_refused_by_a_freeze, is_refused_by_policy,
    is_refused_by_rbac, is_refused_by_webhook, is_warned_by_policy, is_warned_by_webhook, refusing_freeze,
    warning_freeze, webhook_refusal,
};
pub use versions::{OPERATOR_KINDS, OperatorKind, Unrecorded, recorded, unrecorded};

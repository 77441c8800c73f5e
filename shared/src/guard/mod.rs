//! The guard: the freeze as a policy of the API server, and the decisions of the webhook, from one table.

pub mod cel;
pub mod codes;
pub mod install;
pub mod message;
mod policy;
mod refusal;
pub mod table;

pub use policy::freeze_policy;
pub use refusal::{WEBHOOK_DOMAIN, is_refused_by_policy, is_refused_by_webhook, webhook_refusal};

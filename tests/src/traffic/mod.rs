//! Traffic beside an upgrade: foreigners who try every guarded kind, and the writers of a cluster at their work.
//!
//! Nothing here judges an answer: `audit` does that, from the API server's log.

mod call;
mod foreign;
mod system;

pub use call::{BlockingCaller, Caller, Identity};
pub use foreign::{FOREIGNERS, try_everything};
pub use system::{prepare, work};

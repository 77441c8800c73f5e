//! What happened in a cluster, told by the API server's audit log and by nothing else.

mod event;
mod judge;

pub use event::{Event, Part, read};
pub use judge::{Judged, Period, changed_by_the_driver, changed_unfrozen, judge};

//! Journals as they are found: those of newer plugins, too.

mod outline;

pub use outline::{Outline, read};

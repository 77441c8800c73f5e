//! The end-to-end tests, as one program: what several tests wait for, three of them wait for at the same time, and what they
//! share is built and linked once. `cargo test --test end_to_end upgrade::` runs those of one file.

mod bypass;
mod canary;
mod completion;
mod components;
mod controlplane;
mod delivery;
mod documents;
mod external_control_plane;
mod findings;
mod fuzz;
mod getting_started;
mod guide;
mod images;
mod kill;
mod members;
mod prompt;
mod refusals;
mod restarts;
mod several_clusters;
mod upgrade;
mod wizard;
mod wrong_input;

//! This project's own programs in a test cluster: the plugin, run by kubectl, and the webhook, run by the API server.

mod binaries;
mod by_istioctl;
mod cargo;
mod foreign_change;
mod guard;
mod held_helm;
mod held_pulls;
mod journal;
mod language;
mod restarts;
mod several_clusters;
mod stand_in_gitops;
mod stand_in_sail;
pub mod two_revisions;
mod upgradable;
mod workloads;

pub(crate) use binaries::build_programs;
pub use binaries::{Binaries, kubectl_command, mesh_upgrade, mesh_upgrade_command};
pub use by_istioctl::installed_by_istioctl;
pub use cargo::Built;
pub use foreign_change::FOREIGN_CHANGE;
pub use guard::{Guard, kubeconfig_of};
pub use held_helm::HeldHelm;
pub use held_pulls::{HeldPulls, images as images_of_pod};
pub use journal::{journal_phase, journals, newest, tells_in_order, wait_for_journal};
pub use language::english_left;
pub use restarts::survive_restarts;
pub use several_clusters::SeveralClusters;
pub(crate) use several_clusters::contexts;
pub use stand_in_gitops::{GitOpsKind, StandInGitOps};
pub use stand_in_sail::StandInSail;
pub use upgradable::Upgradable;
pub use workloads::{images, install_gateway_api, make_managed_gateway, make_waypoint};

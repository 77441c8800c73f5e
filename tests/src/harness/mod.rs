//! Runs real clusters with real Istio for tests: etcd, the Kubernetes API server with its controllers and scheduler,
//! kwok for nodes, helm, and istiod, all as processes on loopback.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use mesh_upgrade_tests::harness::{Cluster, ClusterOptions, Istio, IstioOptions};
//!
//! let east = Cluster::start(ClusterOptions::named("east"))?;
//! let istio = Istio::install(&east, IstioOptions::version("1.30.3"))?;
//! istio.upgrade(&east, "1.31.0")?;
//! # Ok(())
//! # }
//! ```

mod background;
mod build;
mod cache;
mod charts;
mod cluster;
mod contexts;
mod end;
mod external_istiod;
mod istio;
mod leftovers;
mod on_demand;
mod ports;
mod probes;
mod proxy;
mod recipe;
mod run;
mod snapshot;
mod stages;
mod stand_in_proxy;
mod stand_ins;
mod started;
mod supervisor;
mod terminal;
mod toolbox;
mod wait;

pub use background::Background;
pub use build::copy_folder;
pub use cluster::{Cluster, ClusterOptions};
pub use contexts::Contexts;
pub use end::{Signal, children, group, signal};
pub use external_istiod::ExternalIstiod;
pub use istio::{Istio, IstioOptions};
pub use leftovers::{Footprint, no_leftovers};
pub use on_demand::OnDemand;
pub use ports::free_port;
pub use proxy::{Moment, Proxy, Seen, Treatment};
pub use run::Run;
pub use snapshot::Snapshot;
pub use stages::{FALTERING_HUB, REGISTRY_IS_BACK};
pub use stand_in_proxy::StandInProxy;
pub use stand_ins::{stand_in_that_hangs, stand_in_that_refuses, stand_in_with_an_expired_certificate};
pub use started::Started;
pub use terminal::Terminal;
pub use toolbox::{Toolbox, UNPULLABLE_HUB};
pub use wait::wait_until;

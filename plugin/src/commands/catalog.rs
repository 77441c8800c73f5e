//! Which catalog counts: the one of --catalog, else the cluster's own, else the one that is built in.

use crate::{
    cli::Global,
    cluster::{self, Cluster, ClusterError},
    error::CommandError,
};
use shared::{
    catalog::{CONFIG_MAP, Catalog},
    names,
};

/// The catalog of `--catalog`, read before anything is asked.
///
/// # Errors
/// When the file cannot be read or is no catalog; with line and reason.
pub fn given(global: &Global) -> Result<Option<Catalog>, CommandError> {
    let Some(path) = &global.catalog else {
        return Ok(None);
    };
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        CommandError::error(format!("cannot read the catalog {shown}: {error}"))
            .hint("leave --catalog out to use the built-in one")
    })?;
    Catalog::from_yaml(&text, &shown).map(Some).map_err(|error| {
        CommandError::error(error.to_string()).hint("nothing was changed; mend the file, or leave --catalog out")
    })
}

/// The cluster's own catalog, else the one that is built in.
///
/// # Errors
/// When the cluster's own is broken, or the cluster does not say whether it has one.
pub async fn of(cluster: &Cluster) -> Result<Catalog, CommandError> {
    let place = format!("ConfigMap {}/{CONFIG_MAP}", names::NAMESPACE);
    let embedded = || Catalog::embedded().map_err(|error| CommandError::error(error.to_string()));
    match cluster::catalog_text(cluster).await {
        Ok(None) => embedded(),
        Ok(Some(text)) => Catalog::from_yaml(&text, &place).map_err(|error| {
            CommandError::error(error.to_string())
                .hint("nothing was changed; mend it, or pass another with --catalog FILE")
        }),
        // Most people may read no ConfigMap there, and most clusters have none: reports say which catalog was used.
        Err(ClusterError::Forbidden { .. }) => {
            let mut catalog = embedded()?;
            catalog.origin = format!("{} ({place} may not be read)", catalog.origin);
            Ok(catalog)
        }
        Err(error @ ClusterError::Protocol { .. }) => Err(CommandError::error(error.to_string())
            .hint("nothing was changed; mend it, or pass another with --catalog FILE")),
        // A cluster that does not answer is told by observing it, with its own words.
        Err(_) => embedded(),
    }
}

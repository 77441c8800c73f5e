//! Reports of this cluster to the Mesh of another one: which version its control planes run, and its Kubernetes. The guard
//! needs credentials for that one cluster, which let it read Meshes and write their status; nobody needs any for this one.

use crate::run::introduced;
use anyhow::Context as _;
use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Client, Config,
    api::{ListParams, PostParams},
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use shared::{
    api::Mesh,
    guard::Facts,
    names,
    prompt::{self, Here},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// The file with the name of this cluster.
const CLUSTER: &str = "cluster";
/// The file that leads to the cluster with the Mesh.
const KUBECONFIG: &str = "kubeconfig";
/// How long changes may follow each other before they are reported: rollouts come in many small steps.
const SETTLE: Duration = Duration::from_secs(2);
/// After a report that did not arrive.
const RETRY: Duration = Duration::from_secs(30);
/// After somebody else has written the Mesh meanwhile.
const CONFLICT: Duration = Duration::from_secs(1);

/// What a directory says of a cluster as a member of meshes.
#[derive(Debug)]
pub(crate) struct Membership {
    cluster: String,
    kubeconfig: Kubeconfig,
}

impl Membership {
    /// The cluster's name; `None` where no file says it.
    pub(crate) fn cluster_in(directory: &Path) -> Option<String> {
        let name = std::fs::read_to_string(directory.join(CLUSTER)).ok()?;
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// Reads it; `None` where the Mesh is in this cluster.
    fn read(directory: &Path) -> anyhow::Result<Option<Self>> {
        let path = directory.join(KUBECONFIG);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        // What stands in it is credentials: no error of the parser's is repeated.
        let kubeconfig =
            Kubeconfig::from_yaml(&text).map_err(|_| anyhow::anyhow!("{} cannot be read", path.display()))?;
        let runs_programs = kubeconfig.auth_infos.iter().any(|named| {
            let info = named.auth_info.as_ref();
            info.is_some_and(|info| info.exec.is_some() || info.auth_provider.is_some())
        });
        anyhow::ensure!(
            !runs_programs,
            "{} names a program that makes credentials; give it a token or a certificate",
            path.display()
        );
        let cluster = Self::cluster_in(directory).with_context(|| {
            format!(
                "{} does not say what this cluster is called",
                directory.join(CLUSTER).display()
            )
        })?;
        Ok(Some(Self { cluster, kubeconfig }))
    }

    async fn client(self) -> anyhow::Result<(String, Client)> {
        let config = Config::from_custom_kubeconfig(self.kubeconfig, &KubeConfigOptions::default())
            .await
            .context("the kubeconfig leads to no cluster")?;
        let client = ClientBuilder::try_from(introduced(config)).context("cannot make a client of the kubeconfig")?;
        Ok((self.cluster, client.build()))
    }
}

/// Reports for ever. The files are read each time, so that new credentials are taken without a restart.
pub(crate) async fn keep(
    directory: Option<PathBuf>,
    mut facts: watch::Receiver<Arc<Facts>>,
    mut here: watch::Receiver<Here>,
) {
    let Some(directory) = directory else {
        return std::future::pending().await;
    };
    let again = Duration::try_from(prompt::REPORT_AGAIN).unwrap_or(RETRY);
    loop {
        let (known, of_here) = (Arc::clone(&facts.borrow_and_update()), here.borrow_and_update().clone());
        let pause = match report(&directory, &known, &of_here).await {
            Ok(Reported::All) => again,
            Ok(Reported::Conflict) => CONFLICT,
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "this cluster is not reported; trying again"
                );
                RETRY
            }
        };
        tokio::select! {
            changed = facts.changed() => if changed.is_err() { return std::future::pending().await },
            changed = here.changed() => if changed.is_err() { return std::future::pending().await },
            () = tokio::time::sleep(pause) => continue,
        }
        tokio::time::sleep(SETTLE).await;
    }
}

/// How far a report came.
enum Reported {
    All,
    Conflict,
}

async fn report(directory: &Path, facts: &Facts, here: &Here) -> anyhow::Result<Reported> {
    let Some(membership) = Membership::read(directory)? else {
        return Ok(Reported::All);
    };
    let (cluster, client) = membership.client().await?;
    let meshes: Api<Mesh> = Api::all(client);
    for mut mesh in meshes
        .list(&ListParams::default())
        .await
        .context("cannot list Meshes")?
    {
        let now = Timestamp::now();
        let report = prompt::report_of_member(&mesh, &cluster, facts, here, now);
        let status = mesh.status.get_or_insert_default();
        let before = status.reports.clone();
        prompt::file(&mut status.reports, &mesh.spec.clusters, report);
        if status.reports == before {
            continue;
        }
        let name = mesh.metadata.name.clone().unwrap_or_default();
        let params = PostParams {
            dry_run: false,
            field_manager: Some(format!("{}-{cluster}", names::WEBHOOK)),
        };
        match meshes.replace_status(&name, &params, &mesh).await {
            Ok(_) => tracing::info!(mesh = name, cluster, "reported"),
            Err(kube::Error::Api(status)) if status.code == 409 => return Ok(Reported::Conflict),
            Err(error) => return Err(error).with_context(|| format!("cannot write the status of Mesh {name}")),
        }
    }
    Ok(Reported::All)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_is_whole_and_runs_no_program() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        assert!(
            Membership::read(directory.path()).unwrap().is_none(),
            "the Mesh is here"
        );
        assert_eq!(Membership::cluster_in(directory.path()), None);
        write(KUBECONFIG, "users: [{name: a, user: {token: geheim}}]");
        let error = Membership::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("does not say what this cluster is called"), "{error}");
        write(CLUSTER, "west\n");
        assert_eq!(Membership::read(directory.path()).unwrap().unwrap().cluster, "west");
        for bad in [
            "users: [{name: a, user: {exec: {command: /bin/sh, apiVersion: client.authentication.k8s.io/v1}}}]",
            "users: [{name: a, user: {auth-provider: {name: gcp, config: {}}}}]",
            "users: geheim",
        ] {
            write(KUBECONFIG, bad);
            let error = format!("{:#}", Membership::read(directory.path()).unwrap_err());
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}

//! The journal in the mesh's home cluster: finding, creating and writing MeshUpgrades.

use super::fault::{Fault, patiently};
use crate::{
    cluster,
    error::{CommandError, Exit, api_code, api_message},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, PostParams},
};
use shared::{
    api::{JOURNAL_VERSION, MeshUpgrade, MeshUpgradeSpec, MeshUpgradeStatus},
    guard::{codes::Code, webhook_refusal},
    journals::Listed,
    names, plan,
};

/// Characters of a home's UID in the names of its journals.
const MARK: usize = 5;

/// All journals, oldest first.
///
/// # Errors
/// When the API server refuses. A cluster without our CRDs has no journals: that is no error.
pub async fn all(client: &Client) -> Result<Vec<MeshUpgrade>, CommandError> {
    let api: Api<Listed> = Api::all(client.clone());
    let what = "read the journals of upgrades";
    let listed = patiently(|| async {
        match cluster::list(&api, &ListParams::default()).await {
            // Only a server that is there and not ready: one that is not there is told at once.
            Err(error) if matches!(api_code(&error), 429 | 503) => Err(Fault::of_api(what, &error)),
            settled => Ok(settled),
        }
    });
    let listed = listed.await?;
    let found = match listed {
        Ok(list) => list.items,
        Err(error) if api_code(&error) == 404 => return Ok(Vec::new()),
        // The API server asks for the right before it looks whether there is such a kind.
        Err(error) if api_code(&error) == 403 && serves_none(client).await => return Ok(Vec::new()),
        Err(error) => {
            return Err(unreadable(&api_message(&error)).hint(
                "the ClusterRole mesh-upgrade-operator allows it; it comes with: kubectl mesh-upgrade guard install",
            ));
        }
    };
    let read = found
        .iter()
        .map(Listed::read)
        .collect::<Result<Vec<MeshUpgrade>, String>>();
    let mut journals = read.map_err(|why| unreadable(&why))?;
    journals.sort_by_key(|journal| (journal.creation_timestamp(), sequence(&journal.name_any())));
    Ok(journals)
}

fn unreadable(why: &str) -> CommandError {
    CommandError::error(format!("cannot read the journals of upgrades: {why}"))
}

/// Whether the guard was never installed: its kinds are not served. Everybody may ask for that.
async fn serves_none(client: &Client) -> bool {
    let group = format!("{}/{}", names::GROUP, names::API_VERSION);
    let kinds = client.list_api_group_resources(&group).await;
    kinds.is_err_and(|error| api_code(&error) == 404)
}

/// Journals of upgrades that are not over yet: of all meshes, or of the one that is named.
///
/// # Errors
/// As [`all`]; and when a journal was written by a newer plugin.
pub async fn unfinished(client: &Client, mesh: Option<&str>) -> Result<Vec<MeshUpgrade>, CommandError> {
    let mut journals = all(client).await?;
    journals.retain(|journal| !journal.phase().is_final() && mesh.is_none_or(|mesh| mesh == journal.spec.mesh));
    journals.iter().try_for_each(refuse_newer)?;
    Ok(journals)
}

/// Refuses a journal that this plugin may misunderstand.
///
/// # Errors
/// When it was written by a newer plugin.
pub fn refuse_newer(journal: &MeshUpgrade) -> Result<(), CommandError> {
    if !is_newer(journal) {
        return Ok(());
    }
    Err(CommandError::error(format!(
        "the journal {} was written by a newer plugin (journal version {}, this one knows {JOURNAL_VERSION})",
        journal.name_any(),
        journal.spec.journal_version
    ))
    .hint("update this plugin: kubectl krew upgrade mesh-upgrade"))
}

/// Whether a newer plugin wrote it, so that not all that it says need be understood.
#[must_use]
pub fn is_newer(journal: &MeshUpgrade) -> bool {
    journal.spec.journal_version > JOURNAL_VERSION
}

/// Refuses to go on by a plan that nobody has confirmed. It stands in the journal as it was confirmed, whichever plugin wrote
/// it: what later ones add is left out where it is empty.
///
/// # Errors
/// When the plan is another than the one whose hash was written beside it.
pub fn refuse_other_plan(journal: &MeshUpgrade) -> Result<(), CommandError> {
    let spec = &journal.spec;
    if plan::is_as_confirmed(spec) {
        return Ok(());
    }
    let refused = CommandError::blocked(format!(
        "the plan is not the one that was confirmed: in the journal {}, planHash is not that of plan",
        journal.name_any()
    ))
    .hint(
        "nothing was changed now; if a newer plugin began it, this one does not read all of it: kubectl krew upgrade \
         mesh-upgrade",
    );
    Err(if journal.phase().is_past_return() {
        refused.hint(format!(
            "otherwise put the journal's plan back as it was, from a backup or the API server's audit log, then: kubectl \
             mesh-upgrade apply {}",
            spec.mesh
        ))
    } else {
        refused.hint(format!(
            "or give it up, since it has changed nothing yet: kubectl mesh-upgrade apply {} --withdraw",
            spec.mesh
        ))
    })
}

/// A journal as it stands now.
///
/// # Errors
/// When it is gone or the API server refuses.
pub async fn read(client: &Client, journal: &MeshUpgrade) -> Result<MeshUpgrade, CommandError> {
    let api: Api<MeshUpgrade> = Api::all(client.clone());
    let name = journal.name_any();
    let found = api.get(&name).await;
    found.map_err(|error| CommandError::error(format!("cannot read the journal {name}: {}", api_message(&error))))
}

/// The name of the next journal of a mesh, after those that there are; the home's identity is the UID of its kube-system.
///
/// What tells the journals of one home from those of another: of a mesh that people drive from two homes, since one of its
/// clusters does not lead to the other, both would have the same number, and take each other's freeze for their own.
#[must_use]
pub fn next_name<'j>(spec: &MeshUpgradeSpec, before: impl Iterator<Item = &'j MeshUpgrade>, home: &str) -> String {
    let of_mesh = before.filter(|journal| journal.spec.mesh == spec.mesh);
    let last = of_mesh.map(|journal| sequence(&journal.name_any())).max();
    let number = last.unwrap_or(0).saturating_add(1);
    let mut mark: String = home.chars().take(MARK).collect();
    if !mark.is_empty() {
        mark.push('-');
    }
    format!("{}-{}-{mark}{number}", spec.mesh, spec.to)
}

/// Creates the journal of a new upgrade, under its [`next_name`].
///
/// # Errors
/// When the API server refuses.
pub async fn create(client: &Client, name: &str, spec: MeshUpgradeSpec) -> Result<MeshUpgrade, CommandError> {
    let api: Api<MeshUpgrade> = Api::all(client.clone());
    let mesh = spec.mesh.clone();
    let journal = MeshUpgrade::new(name, spec);
    refuse_forgetful(&api, &journal).await?;
    let what = format!("create the journal {name}");
    let created = patiently(|| async {
        match api.create(&PostParams::default(), &journal).await {
            Ok(created) => Ok(created),
            // The answer to the first try may have been lost after the server had done it.
            Err(error) if api_code(&error) == 409 => match api.get(name).await {
                Ok(standing) if standing.spec == journal.spec => Ok(standing),
                Ok(_) | Err(_) => Err(Fault::of_api(&what, &error)),
            },
            Err(error) => {
                let refused = webhook_refusal(&api_message(&error)) == Some(Code::SecondUpgrade);
                // The webhook learns a moment later than the API server that the upgrade before this one is over.
                if refused
                    && unfinished(client, Some(&mesh))
                        .await
                        .is_ok_and(|begun| begun.is_empty())
                {
                    return Err(Fault::passing(format!("cannot {what}: {}", api_message(&error))));
                }
                Err(Fault::of_api(&what, &error))
            }
        }
    });
    created
        .await
        .map_err(|fault| CommandError::from(fault).hint("nothing was changed"))
}

/// An older definition drops fields that it does not know: a step that installs would be read as one that upgrades, and a waiver
/// or a control plane that is configured elsewhere as none.
async fn refuse_forgetful(api: &Api<MeshUpgrade>, journal: &MeshUpgrade) -> Result<(), CommandError> {
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match api.create(&dry_run, journal).await {
        Ok(kept) if kept.spec != journal.spec => Err(CommandError::blocked(
            "the definition of MeshUpgrade in the cluster is older than this plugin, and would lose a part of the plan",
        )
        .hint("nothing was changed; update it first: kubectl mesh-upgrade guard install")),
        // What else is wrong is told by the creation itself.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The number at the end of a journal's name.
fn sequence(name: &str) -> u32 {
    name.rsplit('-')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// What became of a write to the journal.
#[derive(Debug)]
pub enum Written {
    /// It stands.
    Done(MeshUpgrade),
    /// Not written: a driver before this one, which has lost its lease since, wrote in between. The journal as that left
    /// it, for who has the lease now to go on from.
    Before(MeshUpgrade),
}

/// Writes a status over the one that was read. The resource version refuses it when another driver wrote meanwhile.
///
/// # Errors
/// [`Exit::Held`] when a later driver wrote, or somebody who is none; otherwise when the API server cannot be reached or
/// refuses.
pub async fn persist(
    client: &Client,
    journal: &MeshUpgrade,
    status: MeshUpgradeStatus,
) -> Result<Written, CommandError> {
    let epoch = status.epoch;
    let api: Api<MeshUpgrade> = Api::all(client.clone());
    let name = journal.name_any();
    let mut changed = journal.clone();
    changed.status = Some(status);
    let what = format!("write to the journal {name}");
    let written = patiently(|| async {
        match api.replace_status(&name, &PostParams::default(), &changed).await {
            Ok(journal) => Ok(Written::Done(journal)),
            // The answer to a write may be lost after the server has done it: the next try then meets its own trace.
            Err(error) if api_code(&error) == 409 => {
                let current = api.get(&name).await.map_err(|error| Fault::of_api(&what, &error))?;
                Ok(if current.status == changed.status {
                    Written::Done(current)
                } else {
                    Written::Before(current)
                })
            }
            Err(error) => Err(Fault::of_api(&what, &error)),
        }
    });
    match written.await {
        Ok(Written::Before(current)) if current.status.as_ref().map_or(0, |status| status.epoch) >= epoch => Err(
            CommandError::new(Exit::Held, format!("another driver wrote to the journal {name}"))
                .hint("watch it with: kubectl mesh-upgrade status"),
        ),
        Ok(written) => Ok(written),
        Err(fault) if fault.is_not_found() => Err(gone(&name, &fault.to_string())),
        Err(fault) => {
            Err(CommandError::from(fault).hint("nothing further was done; resume with: kubectl mesh-upgrade apply"))
        }
    }
}

/// The journal is gone in mid-upgrade, which only somebody can have done who took the guard's policies away first.
/// Without a journal nothing may be changed, since nothing could be resumed.
#[must_use]
pub fn gone(name: &str, why: &str) -> CommandError {
    CommandError::error(format!(
        "the journal {name} is gone in the middle of its upgrade: {why}"
    ))
    .hint("nothing further was done, and the freeze policy was left in place: kubectl get validatingadmissionpolicies")
    .hint(
        "were the guard's CRDs deleted? put them back with kubectl mesh-upgrade guard install, see with kubectl \
             mesh-upgrade check what runs now, and begin anew",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response, StatusCode};
    use kube::client::Body;
    use shared::{api::Plan, phase::Phase};

    /// A server that denies custom resources, and answers a discovery of ours with this.
    fn denying(discovery: StatusCode) -> Client {
        let server = tower::service_fn(move |request: Request<Body>| async move {
            let is_discovery = request.uri().path().ends_with(names::API_VERSION);
            let code = if is_discovery { discovery } else { StatusCode::FORBIDDEN };
            let body = if code.is_success() {
                serde_json::json!({"kind": "APIResourceList", "groupVersion": "x/v1", "resources": []})
            } else {
                serde_json::json!({"kind": "Status", "status": "Failure", "message": "no", "code": code.as_u16()})
            };
            let response = Response::builder().status(code);
            response.body(Body::from(body.to_string().into_bytes()))
        });
        Client::new(server, "default")
    }

    #[test]
    fn a_plan_that_nobody_has_confirmed_is_not_gone_on_with() {
        let spec = MeshUpgradeSpec::of("shop", "1.30.3", "1.31.0", Plan::default(), "alice");
        let mut journal = MeshUpgrade::new("shop-1", spec);
        assert!(refuse_other_plan(&journal).is_ok());
        journal.spec.plan.charts.location = "/somebody/elses".to_owned();
        for (phase, way) in [
            (Phase::Freezing, "apply shop --withdraw"),
            (Phase::Upgrading, "put the journal's plan back"),
        ] {
            journal.status.get_or_insert_default().phase = phase;
            let refused = refuse_other_plan(&journal).unwrap_err();
            assert_eq!(refused.exit, Exit::Blocked);
            assert!(
                refused.to_string().contains("is not the one that was confirmed"),
                "{refused}"
            );
            assert!(
                refused.hints().iter().any(|hint| hint.contains(way)),
                "{:?}",
                refused.hints()
            );
        }
    }

    #[tokio::test]
    async fn who_may_read_nothing_sees_no_journals_where_the_guard_never_was() {
        assert!(all(&denying(StatusCode::NOT_FOUND)).await.unwrap().is_empty());
        for discovery in [StatusCode::OK, StatusCode::FORBIDDEN] {
            assert!(all(&denying(discovery)).await.is_err(), "{discovery}");
        }
    }

    #[test]
    fn journals_are_counted_for_each_mesh_and_named_by_their_home() {
        let spec = |mesh: &str| -> MeshUpgradeSpec {
            serde_json::from_value(serde_json::json!({
                "journalVersion": 1, "mesh": mesh, "from": "1.30.3", "to": "1.31.0", "planHash": "", "requestedBy": "alice",
                "plan": {"clusters": [], "steps": [], "charts": {"location": ""}},
            }))
            .unwrap()
        };
        let before = [
            MeshUpgrade::new("shop-1.30.3-0a1b2-9", spec("shop")),
            MeshUpgrade::new("shop-1.31.0-0a1b2-10", spec("shop")),
            MeshUpgrade::new("other-1.31.0-0a1b2-12", spec("other")),
        ];
        let next = |home: &str| next_name(&spec("shop"), before.iter(), home);
        assert_eq!(next("0a1b2c3d-4e5f"), "shop-1.31.0-0a1b2-11");
        assert_eq!(next(""), "shop-1.31.0-11");
        assert_eq!(next_name(&spec("shop"), [].iter(), "0a1b2c3d"), "shop-1.31.0-0a1b2-1");
    }

    /// A server with a journal of mesh `shop` that a newer plugin wrote, in words that this one does not know.
    fn newer(phase: &'static str) -> Client {
        let server = tower::service_fn(move |_: Request<Body>| async move {
            let body = serde_json::json!({
                "apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshUpgradeList", "metadata": {}, "items": [{
                    "apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshUpgrade", "metadata": { "name": "shop-2", "managedFields": [
                        // As anybody may write it who may write the journal.
                        {"manager": "x", "operation": "Update", "time": "9999-12-31T00:00:00Z"},
                    ] },
                    "spec": {
                        "journalVersion": JOURNAL_VERSION + 1, "mesh": "shop", "from": "1.30.3", "to": "1.31.0",
                        "plan": { "clusters": [], "steps": [{ "installer": "X" }], "charts": { "location": "" } },
                        "planHash": "", "requestedBy": "alice",
                    },
                    "status": { "phase": phase },
                }],
            });
            Ok::<_, std::convert::Infallible>(Response::new(Body::from(body.to_string().into_bytes())))
        });
        Client::new(server, "default")
    }

    #[tokio::test]
    async fn a_newer_plugins_journal_hinders_only_while_its_upgrade_is_under_way() {
        assert!(unfinished(&newer("Succeeded"), None).await.unwrap().is_empty());
        let begun = newer("Upgrading");
        let refused = unfinished(&begun, None).await.unwrap_err();
        assert!(
            refused.to_string().contains("was written by a newer plugin"),
            "{refused}"
        );
        assert!(unfinished(&begun, Some("other")).await.unwrap().is_empty());
    }
}

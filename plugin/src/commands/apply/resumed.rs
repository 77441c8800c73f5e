//! Going on with an upgrade. What that needs is found out before the lease is taken: another machine, or another day, may have
//! other charts, or none.

use super::{Task, drive};
use crate::{
    cli::HowTo,
    commands::chart_source::absolute,
    error::{CommandError, Exit},
    executor::{has_become_external, journal},
    installer::{AskedHelm, Engines, Installer as _},
    ui::Mark,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared::{
    api::{InstallerKind, Management, MeshUpgrade, PlanStep, StepAction},
    catalog::Catalog,
    charts::{self, Digests, Location},
    guide::shell::quote,
    journals,
    machine::progress,
    mesh, plan,
};
use std::collections::BTreeMap;

/// Charts that are asked for at the same time.
const CHARTS_AT_ONCE: usize = 8;

impl Task<'_> {
    /// Goes on with an upgrade that has begun, or gives it up.
    pub(super) async fn resume(&self, journal: &MeshUpgrade, helm: AskedHelm) -> Result<Exit, CommandError> {
        let Self { args, ui, home, .. } = self;
        let spec = &journal.spec;
        if let Some(to) = args.to.as_ref().filter(|to| to.to_string() != spec.to) {
            let refusal = CommandError::blocked(format!(
                "the upgrade of mesh {} to {} has begun: there is no new target {to} before it has arrived",
                spec.mesh, spec.to
            ))
            .hint(format!("go on with it: kubectl mesh-upgrade apply {}", spec.mesh));
            return Err(if journal.phase().is_past_return() {
                refusal
            } else {
                refusal.hint(format!(
                    "or give it up, since it has changed nothing yet: kubectl mesh-upgrade apply {} --withdraw",
                    spec.mesh
                ))
            });
        }
        if args.withdraw {
            return self.withdraw(journal, helm).await;
        }
        journal::refuse_other_plan(journal)?;
        let mut course = drive::Course {
            charts: folder_in_place(args.charts.as_deref(), &spec.plan.charts.location)?,
            ..drive::Course::default()
        };
        if let Some(how) = args.strategy
            && (how == HowTo::Canary) != spec.plan.is_canary()
        {
            return Err(CommandError::usage(format!(
                "the upgrade of mesh {} has begun the other way: its control planes are replaced as planned, to the end",
                spec.mesh
            ))
            .hint("leave --strategy out"));
        }
        refuse_unknown_vendor(journal, &self.scene.catalog)?;
        self.refuse_what_became_external(journal)?;
        let phase = journal.phase();
        let at = match spec.plan.clusters.len() {
            0 | 1 => String::new(),
            many => ui.lang.apply_over_clusters(many, &home.name),
        };
        let goes_on = ui.lang.apply_goes_on(&spec.mesh, &spec.to, phase);
        ui.progress(Mark::Info, &format!("{goes_on}{at}"));
        let guarded = spec.unguarded.is_none();
        let engines = self.engines(&spec.plan, helm).await?;
        course.chart_digests = look_at_charts(&engines, journal, course.charts.as_deref()).await?;
        self.refuse_other_contents(journal, &course)?;
        let lease = self.take_lease(&spec.mesh, guarded).await?;
        let driven = async {
            // Read again under the lease: whoever held it may have gone on, and even ended, while we waited.
            let journal = journal::read(&home.client, journal).await?;
            self.refuse_other_contents(&journal, &course)?;
            drive::to_the_end(self, &engines, journal, &lease, course).await
        };
        let driven = driven.await;
        lease.release().await;
        driven
    }

    /// Whose mesh has become his own meanwhile decides himself. Before the first change it is withdrawn for that, by the check.
    fn refuse_what_became_external(&self, journal: &MeshUpgrade) -> Result<(), CommandError> {
        let (spec, inventory) = (&journal.spec, &self.scene.inventory);
        let meshes = mesh::meshes(inventory);
        let mesh = journals::mesh_of(&spec.plan.clusters, &spec.mesh, &meshes, inventory);
        let is_external = mesh.is_some_and(|mesh| mesh.management == Management::External);
        if !is_external || !journal.phase().is_past_return() {
            return Ok(());
        }
        Err(CommandError::blocked(has_become_external(&spec.mesh))
            .hint("its upgrade has begun and its freeze stands: set management back in the Mesh and go on")
            .hint(format!(
                "or lift the freeze, and leave the rest to the owner: kubectl mesh-upgrade unlock {} --reason REASON",
                spec.mesh
            )))
    }

    /// A chart of the same name and version may have other contents by now: what is changed from here on would come of others than
    /// what was changed before. Whoever names them has decided that.
    fn refuse_other_contents(&self, journal: &MeshUpgrade, course: &drive::Course) -> Result<(), CommandError> {
        if self.names_charts {
            return Ok(());
        }
        other_contents(journal, &course.chart_digests).map_or(Ok(()), Err)
    }
}

/// What to do about charts with other contents than the upgrade goes by, if there are any.
fn other_contents(journal: &MeshUpgrade, at_hand: &Digests) -> Option<CommandError> {
    let others = charts::others(&journal.chart_digests(), at_hand);
    if others.is_empty() {
        return None;
    }
    let (spec, others) = (&journal.spec, others.join(", "));
    let location = &spec.plan.charts.location;
    let error = CommandError::error(format!(
        "charts have other contents than the upgrade of mesh {} goes by: {others}, from {location}",
        spec.mesh
    ));
    Some(
        error
            .hint("nothing was changed now; put back what was there when the upgrade began")
            .hint(format!(
                "or go on with what is there now, which the journal tells from then on: kubectl mesh-upgrade apply {} --charts {}",
                spec.mesh,
                quote(location)
            )),
    )
}

/// Where the charts are that a command line names, seen from those that were planned with.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// There, or nothing is named.
    Planned,
    /// In another folder, by its full path: a folder is moved, or checked out elsewhere, and its charts tell their version.
    Folder(String),
    /// Somewhere that cannot stand for it.
    Other,
}

/// Compares a `--charts` with the place that was planned with.
///
/// # Errors
/// When a folder that is named is not there.
pub fn place(given: Option<&str>, planned: &str) -> Result<Place, CommandError> {
    // The planned folder may be gone by now, which is told with what to do about it.
    let Some(given) = given.filter(|given| *given != planned) else {
        return Ok(Place::Planned);
    };
    let is_folder = |place: &str| Location::read(place).is_folder();
    let full = absolute(given)?;
    Ok(match (full == planned, is_folder(given) && is_folder(planned)) {
        (true, _) => Place::Planned,
        (false, true) => Place::Folder(full),
        (false, false) => Place::Other,
    })
}

/// The folder that is used in the place of the journal's, if another one is named.
///
/// # Errors
/// When it is not there, or cannot stand for the journal's place.
fn folder_in_place(given: Option<&str>, planned: &str) -> Result<Option<String>, CommandError> {
    match place(given, planned)? {
        Place::Planned => Ok(None),
        Place::Folder(folder) => Ok(Some(folder)),
        Place::Other => Err(CommandError::usage(format!(
            "the upgrade has begun with charts from {planned}: they stay the same to its end"
        ))
        .hint("leave --charts out")),
    }
}

/// Looks at the charts of what may still have to be changed: in mid-upgrade, with the mesh frozen, it would be too late. Returns
/// what tells their contents from others.
///
/// # Errors
/// When one is not there, or not the target's.
async fn look_at_charts(
    engines: &Engines,
    journal: &MeshUpgrade,
    named: Option<&str>,
) -> Result<Digests, CommandError> {
    let location = named.unwrap_or(&journal.spec.plan.charts.location);
    let by_helm = progress::may_be_due(journal).filter(|step| step.installer == InstallerKind::Helm);
    // Several clusters take the same one.
    let each: BTreeMap<_, &PlanStep> = by_helm
        .map(|step| {
            let moves_tags = step.action == StepAction::MoveTags;
            ((step.chart().to_owned(), step.to.clone(), moves_tags), step)
        })
        .collect();
    let looking = each.values().map(|step| async move {
        let at_hand = engines.prepare(step, location).await?;
        Ok(at_hand
            .digest
            .map(|digest| (charts::name(step.chart(), &step.to), digest)))
    });
    let looked = stream::iter(looking).buffered(CHARTS_AT_ONCE);
    let looked: Result<Vec<Option<(String, String)>>, String> = looked.try_collect().await;
    let to = &journal.spec.to;
    looked.map(|found| found.into_iter().flatten().collect()).map_err(|why| {
        let error = CommandError::error(why);
        if Location::read(location).is_address() {
            error.hint(format!("nothing was changed now; go on where the charts of {to} are to be had"))
        } else {
            error.hint(format!(
                "nothing was changed now; put the charts of {to} back at {location}, or name the folder that holds them here \
                 with --charts DIR"
            ))
        }
    })
}

/// Refuses to go on where what a vendor runs, and may still have to be changed, would never be seen to arrive.
///
/// # Errors
/// When the catalog at hand does not name it.
fn refuse_unknown_vendor(journal: &MeshUpgrade, catalog: &Catalog) -> Result<(), CommandError> {
    let Some(step) = plan::unknown_to(catalog, progress::may_be_due(journal)) else {
        return Ok(());
    };
    Err(CommandError::blocked(format!(
        "the catalog names no chart {} of {}, which the upgrade of mesh {} changes: it would never be seen to arrive",
        step.chart(),
        step.to,
        journal.spec.mesh
    ))
    .hint("nothing was changed now; go on with the catalog with which the upgrade began: --catalog FILE"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::api::{ChartSource, MeshUpgradeSpec, Plan};

    #[test]
    fn other_contents_are_told_with_both_ways_on() {
        let digests = |digest: &str| Digests::from([("istiod-1.31.0".to_owned(), digest.to_owned())]);
        let plan = Plan {
            charts: ChartSource {
                location: "/srv/istio charts".to_owned(),
                digests: digests("sha256:a"),
            },
            ..Plan::default()
        };
        let mut journal = MeshUpgrade::new("x", MeshUpgradeSpec::of("shop", "1.30.3", "1.31.0", plan, "alice"));
        assert!(other_contents(&journal, &digests("sha256:a")).is_none());
        assert!(other_contents(&journal, &Digests::new()).is_none());
        let error = other_contents(&journal, &digests("sha256:b")).unwrap();
        assert!(
            error.to_string().contains("istiod-1.31.0, from /srv/istio charts"),
            "{error}"
        );
        let hints = error.hints();
        assert!(hints[0].contains("put back"), "{hints:?}");
        assert!(
            hints[1].ends_with("kubectl mesh-upgrade apply shop --charts '/srv/istio charts'"),
            "{hints:?}"
        );
        // Named once, they are the ones that the upgrade goes by.
        journal.status.get_or_insert_default().chart_digests = digests("sha256:b");
        assert!(other_contents(&journal, &digests("sha256:b")).is_none());
        assert!(other_contents(&journal, &digests("sha256:a")).is_some());
    }

    #[test]
    fn another_folder_stands_for_the_planned_one_and_no_other_place_does() {
        let here = tempfile::tempdir().unwrap();
        let here = std::fs::canonicalize(here.path()).unwrap().display().to_string();
        let folder = |place: &str| Ok(Some(place.to_owned()));
        for (given, planned, expected) in [
            (None, "/builds/0/charts", Ok(None)),
            // Gone by now: told with the charts that are missing there.
            (Some("/builds/0/charts"), "/builds/0/charts", Ok(None)),
            (Some(here.as_str()), here.as_str(), Ok(None)),
            (Some(&*format!("{here}/.")), here.as_str(), Ok(None)),
            (Some(here.as_str()), "/builds/0/charts", folder(&here)),
            (Some("/nowhere/charts"), "/builds/0/charts", Err("no charts at")),
            (Some(here.as_str()), "oci://x/charts", Err("they stay the same")),
            (Some("oci://x/charts"), here.as_str(), Err("they stay the same")),
            (Some("oci://y/charts"), "oci://x/charts", Err("they stay the same")),
            (Some(here.as_str()), "", Err("they stay the same")),
        ] {
            match (folder_in_place(given, planned), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{given:?} {planned}"),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, _) => panic!("{given:?} {planned}: {found:?}"),
            }
        }
    }
}

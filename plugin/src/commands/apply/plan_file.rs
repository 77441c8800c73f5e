//! A plan file: what was planned and read then is what is performed now, or nothing.

use super::resumed::{self, Place};
use crate::{
    cli::{ApplyArgs, HowTo, MeshArgs},
    error::CommandError,
};
use shared::{
    api::Plan,
    charts,
    inventory::Inventory,
    plan::{PlanFile, hash},
};

/// The plan file that stands where a mesh's name may stand. No mesh has a dot or a slash in its name.
///
/// # Errors
/// When it cannot be read, is no plan, or was edited.
pub fn read(args: &ApplyArgs) -> Result<Option<PlanFile>, CommandError> {
    let Some(path) = args.mesh.mesh.as_deref().filter(|name| name.contains(['.', '/'])) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        CommandError::usage(format!("cannot read the plan {path}: {error}"))
            .hint("make one with: kubectl mesh-upgrade plan --to VERSION --out FILE")
    })?;
    PlanFile::read(&text, path)
        .map(Some)
        .map_err(|error| CommandError::usage(error.to_string()).hint("nothing was changed"))
}

/// The same command line with what the file says in its place.
///
/// # Errors
/// When a flag says something else.
pub fn arguments(args: &ApplyArgs, file: &PlanFile) -> Result<ApplyArgs, CommandError> {
    if args.to.as_ref().is_some_and(|to| to.to_string() != file.to) {
        return Err(says_another("--to", &file.to));
    }
    let location = &file.plan.charts.location;
    let charts = match resumed::place(args.charts.as_deref(), location)? {
        Place::Planned => location.clone(),
        // Only where the upgrade has begun, which is not known yet.
        Place::Folder(folder) => folder,
        Place::Other => return Err(says_another("--charts", location)),
    };
    let to = file
        .to
        .parse()
        .map_err(|_| CommandError::usage(format!("the plan file's target {:?} is no version", file.to)))?;
    Ok(ApplyArgs {
        mesh: MeshArgs {
            mesh: Some(file.mesh.clone()),
        },
        to: Some(to),
        charts: Some(charts),
        strategy: args.strategy.or(file.plan.is_canary().then_some(HowTo::Canary)),
        ..args.clone()
    })
}

fn says_another(flag: &str, theirs: &str) -> CommandError {
    CommandError::usage(format!(
        "the plan file says {flag} {theirs}: the command line says another"
    ))
    .hint(format!("leave {flag} out, or make a new plan"))
}

/// Refuses to begin with charts from another folder than was planned with: what they run was read there.
///
/// # Errors
/// When the command line names one.
pub fn refuse_other_charts(args: &ApplyArgs, file: &PlanFile) -> Result<(), CommandError> {
    let location = &file.plan.charts.location;
    if args.charts.as_ref() == Some(location) {
        return Ok(());
    }
    Err(says_another("--charts", location))
}

/// Refuses a file whose clusters are not as it found them.
///
/// # Errors
/// With each thing that has changed.
pub fn refuse_drift(file: &PlanFile, inventory: &Inventory) -> Result<(), CommandError> {
    let changes = file.drift(inventory);
    if changes.is_empty() {
        return Ok(());
    }
    Err(stale(file, &changes.join("; ")))
}

/// Refuses a file whose plan would not be made now: its scope or its images have changed.
///
/// # Errors
/// When the plans differ.
pub fn refuse_other(file: &PlanFile, now: &Plan) -> Result<(), CommandError> {
    let planned = &file.plan;
    let mut now = now.clone();
    if planned.charts.digests.is_empty() {
        // An older plugin has made it, or nothing tells these charts from others.
        now.charts.digests.clear();
    }
    if hash(&now) == file.hash {
        return Ok(());
    }
    let others = charts::others(&planned.charts.digests, &now.charts.digests);
    let what = if planned.images != now.images {
        format!(
            "the charts run the images {}, planned were {}",
            now.images.join(", "),
            planned.images.join(", ")
        )
    } else if !others.is_empty() {
        format!("charts have other contents than were planned: {}", others.join(", "))
    } else if planned.steps != now.steps {
        "other steps are due than were planned".to_owned()
    } else {
        "other objects belong to the mesh than were planned".to_owned()
    };
    Err(stale(file, &what))
}

fn stale(file: &PlanFile, what: &str) -> CommandError {
    CommandError::blocked(format!(
        "the plan of {} no longer holds, nothing was changed: {what}",
        file.made
    ))
    .hint(format!(
        "make a new one: kubectl mesh-upgrade plan {} --to {}{} --out FILE",
        file.mesh,
        file.to,
        file.plan.strategy_flag()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{api::ChartSource, charts::Digests};

    fn plan(digest: Option<&str>) -> Plan {
        let digests = digest.map(|digest| ("istiod-1.31.0".to_owned(), digest.to_owned()));
        Plan {
            charts: ChartSource {
                location: "/srv/charts".to_owned(),
                digests: digests.into_iter().collect::<Digests>(),
            },
            ..Plan::default()
        }
    }

    #[test]
    fn charts_with_other_contents_than_were_planned_are_named() {
        for (planned, now, refused) in [
            (Some("a"), Some("a"), None),
            (None, None, None),
            // Of an older plugin.
            (None, Some("a"), None),
            (
                Some("a"),
                Some("b"),
                Some("charts have other contents than were planned: istiod-1.31.0"),
            ),
        ] {
            let planned = plan(planned);
            let file = PlanFile::new("m", "1.30.3", "1.31.0", "2026-11-25", planned, &Inventory::default());
            let found = refuse_other(&file, &plan(now)).map_err(|error| error.to_string());
            match (found, refused) {
                (Ok(()), None) => {}
                (Err(why), Some(part)) => assert!(why.ends_with(part), "{why}"),
                (found, _) => panic!("{now:?}: {found:?}"),
            }
        }
    }
}

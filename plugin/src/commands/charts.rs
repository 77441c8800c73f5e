//! Looking for the target's charts where an upgrade would take them, for `check`.

use super::{Scene, chart_source::charts_of, plan};
use crate::{
    cli::{CheckArgs, Global, TargetArgs},
    error::CommandError,
    installer::{Installer as _, helm::Helm, istioctl::Istioctl},
};
use futures::future::join_all;
use shared::{
    api::{Component, InstallerKind, PlanStep},
    mesh::MeshView,
    preflight::{ChartLookup, Target},
};
use std::{collections::BTreeMap, time::Duration};

/// How long one chart may take unless the flags say otherwise: the index of Istio's repository has some megabytes.
const DEADLINE: Duration = Duration::from_secs(20);

/// Charts that one command has asked for, by their source and component: many meshes take the same ones.
#[derive(Debug, Default)]
pub struct Asked(BTreeMap<(String, Component), Result<(), String>>);

/// Asks helm for the chart of each component that the plan would change, all at the same time and each once. `None` where
/// the catalog names no place, which is a finding of its own.
///
/// # Errors
/// When the place that was given cannot be used.
pub async fn lookup(
    scene: &Scene,
    mesh: &MeshView,
    args: &CheckArgs,
    helm: &Result<Helm, CommandError>,
    global: &Global,
    asked: &mut Asked,
) -> Result<Option<ChartLookup>, CommandError> {
    let TargetArgs { to, charts, .. } = &args.target;
    let given = charts.as_deref();
    let source = match charts_of(given, scene, mesh, to) {
        Ok(source) => source,
        Err(_) if given.is_none() && scene.catalog.chart_source(&to.flavor).is_none() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut lookup = ChartLookup {
        source,
        named: given.is_some(),
        ..ChartLookup::default()
    };
    // Where there is no plan something else stands in the way, and says so.
    let Ok(plan) = plan::build(scene, mesh, &Target::new(to.clone()), &lookup.source) else {
        return Ok(Some(lookup));
    };
    let of = |installer: InstallerKind| plan.steps.iter().filter(move |step| step.installer == installer);
    if let Some(step) = of(InstallerKind::Istioctl).next() {
        lookup.istioctl = Some(
            match Istioctl::find(args.programs.istioctl.as_deref(), &step.to).await {
                Ok(_) => Ok(format!("istioctl is of {}", step.to)),
                Err(error) => Err(error.to_string()),
            },
        );
    }
    let steps: BTreeMap<_, &PlanStep> = of(InstallerKind::Helm).map(|step| (step.component, step)).collect();
    if steps.is_empty() {
        return Ok(Some(lookup));
    }
    match helm {
        Ok(helm) => {
            let deadline = global.request_timeout.unwrap_or(DEADLINE);
            let key = |component: Component| (lookup.source.clone(), component);
            let unknown = steps
                .values()
                .filter(|step| !asked.0.contains_key(&key(step.component)));
            let found = join_all(unknown.map(|step| chart(helm, step, &lookup.source, deadline))).await;
            asked
                .0
                .extend(found.into_iter().map(|(component, found)| (key(component), found)));
            let known = |component| Some((component, asked.0.get(&key(component))?.clone()));
            lookup.charts = steps.into_keys().filter_map(known).collect();
        }
        Err(error) => lookup.no_installer = Some(error.to_string()),
    }
    Ok(Some(lookup))
}

async fn chart(helm: &Helm, step: &PlanStep, source: &str, deadline: Duration) -> (Component, Result<(), String>) {
    let found = match tokio::time::timeout(deadline, helm.prepare(step, source)).await {
        Ok(found) => found.map(drop),
        Err(_) => Err(format!(
            "chart {} {} was not to be had from {source} within {} s",
            step.chart(),
            step.to,
            deadline.as_secs()
        )),
    };
    (step.component, found)
}

//! Where the charts of a target are, and a look at each of them before anything is changed.

use super::{Scene, address};
use crate::{
    error::CommandError,
    installer::{Change, Engines, Hold, Installer as _, Writer},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared::{
    api::{Plan, PlanStep},
    catalog::Catalog,
    charts::{self, Digests, Location},
    mesh::MeshView,
    plan,
    version::IstioVersion,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Charts that are looked at together: each is a process that takes a processor for a moment.
const CHARTS_AT_ONCE: usize = 4;

/// Where the charts of a target are: the operator's word, or the catalog's.
///
/// # Errors
/// When neither knows, or it says more than a journal may keep.
pub fn chart_source(given: Option<&str>, catalog: &Catalog, target: &IstioVersion) -> Result<String, CommandError> {
    let source = given.or_else(|| catalog.chart_source(&target.flavor));
    let source = source.ok_or_else(|| {
        CommandError::usage(format!("the catalog names no charts for {target}"))
            .hint("say where they are: --charts DIR|oci://…|https://…")
    })?;
    let of_catalog = given.is_none().then_some(catalog.origin.as_str());
    address::refuse_user(source, of_catalog)?;
    Ok(source.to_owned())
}

/// The same for a mesh; nothing where no chart will be taken, and none is known.
///
/// # Errors
/// When a helm release is to be upgraded and nobody knows from where.
pub fn charts_of(
    given: Option<&str>,
    scene: &Scene,
    mesh: &MeshView,
    target: &IstioVersion,
) -> Result<String, CommandError> {
    let has_releases = mesh
        .observed(&scene.inventory)
        .any(|member| !member.releases().is_empty());
    match chart_source(given, &scene.catalog, target) {
        Err(_) if given.is_none() && !has_releases => Ok(String::new()),
        source => source,
    }
}

/// A folder of charts is remembered by its full path: whoever resumes may stand elsewhere.
///
/// # Errors
/// When it is not there.
pub fn absolute(charts: &str) -> Result<String, CommandError> {
    if !Location::read(charts).is_folder() {
        return Ok(charts.to_owned());
    }
    let path = std::fs::canonicalize(charts).map_err(|error| {
        CommandError::error(format!("no charts at {charts}: {error}"))
            .hint("nothing was changed; give a folder that holds base, istiod, … or a URL")
    })?;
    Ok(path.display().to_string())
}

/// Looks at the target's charts, istioctl's among them: each must be there and hold the target, and they tell which
/// images will run, and what tells their contents from others. Some at the same time: one after the other they would be what comes before an upgrade longest.
///
/// # Errors
/// When a chart is not to be had, or does not render with its release's values.
pub async fn look_at_charts(engines: &Engines, scene: &Scene, plan: &mut Plan) -> Result<(), String> {
    let location = plan.charts.location.as_str();
    let looking = plan
        .steps
        .iter()
        .map(|step| look_at_chart(engines, scene, step, location));
    let looked: Vec<(Option<String>, Vec<String>)> =
        stream::iter(looking).buffered(CHARTS_AT_ONCE).try_collect().await?;
    let mut images: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut digests = Digests::new();
    for (step, (digest, of_step)) in plan.steps.iter().zip(looked) {
        images.entry(step.cluster.clone()).or_default().extend(of_step);
        digests.extend(digest.map(|digest| (charts::name(step.chart(), &step.to), digest)));
    }
    plan::take_over_images(plan, &images);
    plan.charts.digests = digests;
    Ok(())
}

async fn look_at_chart(
    engines: &Engines,
    scene: &Scene,
    step: &PlanStep,
    charts: &str,
) -> Result<(Option<String>, Vec<String>), String> {
    let cluster = scene.clusters.iter().find(|cluster| cluster.name == step.cluster);
    let cluster = cluster.ok_or_else(|| format!("cluster {} was not asked", step.cluster))?;
    let digest = engines.prepare(step, charts).await?.digest;
    let change = Change {
        cluster,
        step,
        charts,
        digest: None,
        writer: &Writer::Caller,
        timeout: Duration::ZERO,
        hold: &Hold::default(),
        tenure: None,
    };
    Ok((digest, engines.images(&change).await?))
}

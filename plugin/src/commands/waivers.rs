//! Waivers: from --waivers FILE, and from the annotation of the Mesh object.

use super::Scene;
use crate::error::CommandError;
use shared::{
    catalog::Date,
    finding::Report,
    inventory::ClusterState,
    mesh::MeshView,
    waiver::{self, Waiver},
};
use std::path::Path;

/// The report with what is accepted in writing on a day taken out of its findings.
///
/// # Errors
/// When a file or an annotation cannot be read; with line and reason.
pub fn apply(
    report: Report,
    file: Option<&Path>,
    scene: &Scene,
    mesh: &MeshView,
    day: Date,
) -> Result<Report, CommandError> {
    let waivers = read(file, scene, mesh)?;
    Ok(waiver::apply(report, &waivers, day))
}

/// All of them, also those of other findings and days.
///
/// # Errors
/// As [`apply`].
pub fn read(file: Option<&Path>, scene: &Scene, mesh: &MeshView) -> Result<Vec<Waiver>, CommandError> {
    let broken = |error: &dyn std::fmt::Display| {
        CommandError::error(error.to_string())
            .hint("nothing was changed; mend it: a waiver that is not understood waives nothing")
    };
    let mut waivers = Vec::new();
    if let Some(path) = file {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| CommandError::error(format!("cannot read the waivers {shown}: {error}")))?;
        waivers.extend(waiver::read(&text, &shown).map_err(|error| broken(&error))?);
    }
    for cluster in &scene.inventory.clusters {
        let ClusterState::Observed(observed) = &cluster.state else {
            continue;
        };
        let records = observed.meshes.iter().filter(|record| record.name == mesh.name);
        for text in records.filter_map(|record| record.waivers.as_deref()) {
            let origin = format!("annotation {} of Mesh {}", waiver::ANNOTATION, mesh.name);
            waivers.extend(waiver::read(text, &origin).map_err(|error| broken(&error))?);
        }
    }
    Ok(waivers)
}

//! What may be written of a Mesh: a flavor that somebody knows, and a way back only by its owner, for a while.

use super::judge::{Change, Refusal, refuse};
use crate::{
    api::{Downgrade, LONGEST_DOWNGRADE, Management},
    guard::{codes::Code, decide::Facts, message::one_line},
    version::{Flavor, IstioVersion},
};
use serde::Deserialize as _;
use serde_json::Value;

const GUIDE: &str = "See: kubectl mesh-upgrade guide";
const EXTERNAL: &str = Management::External.as_str();

/// Judges a Mesh that is written.
pub(super) fn mesh(change: &Change<'_>, facts: &Facts) -> Result<(), Refusal> {
    flavor(change, facts)?;
    downgrade(change, facts)
}

fn named_flavor(mesh: &Value) -> Flavor {
    Flavor::from_suffix(mesh.pointer("/spec/flavor").and_then(Value::as_str))
}

/// A word that no catalog knows would stand for ever: a mesh's flavor never changes. Known meshes are left alone.
fn flavor(change: &Change<'_>, facts: &Facts) -> Result<(), Refusal> {
    let named = named_flavor(&change.new);
    let is_old = !change.old.is_null() && named_flavor(&change.old) == named;
    if is_old || named == Flavor::Native || facts.flavors.contains(&named) {
        return Ok(());
    }
    let known: Vec<String> = facts.flavors.iter().map(ToString::to_string).collect();
    Err((
        Code::UnknownFlavor,
        format!(
            "mesh \"{}\" names the flavor \"{}\"; known are: {}. See: kubectl mesh-upgrade explain \
             MG007",
            one_line(change.request.object_name()),
            one_line(&named.to_string()),
            known.join(", "),
        ),
    ))
}

/// A way back is written by whoever allows it, in their own name. While one stands, nobody else changes what it is about:
/// another namespace would make it the way back of another mesh. Taking it out is everybody's.
fn downgrade(change: &Change<'_>, facts: &Facts) -> Result<(), Refusal> {
    let spec = |mesh: &Value, field: &str| mesh.get("spec").and_then(|spec| spec.get(field)).cloned();
    let Some(written) = spec(&change.new, "downgrade").filter(|written| !written.is_null()) else {
        return Ok(());
    };
    if !change.old.is_null() && change.old.get("spec") == change.new.get("spec") {
        return Ok(());
    }
    let Ok(written) = Downgrade::deserialize(&written) else {
        return refuse(&format!("spec.downgrade cannot be read. {GUIDE}"));
    };
    let is_external = |mesh: &Value| spec(mesh, "management").as_ref().and_then(Value::as_str) == Some(EXTERNAL);
    let by_its_owner = written.by == *change.request.username
        && written
            .reason
            .contains(|c: char| !matches!(c, ' ' | '\t' | '\r' | '\n'))
        && is_external(&change.new)
        && (change.old.is_null() || is_external(&change.old));
    if !by_its_owner {
        return refuse(super::ALLOWS_A_DOWNGRADE);
    }
    let flavor = named_flavor(&change.new);
    if !written.to.parse().is_ok_and(|to: IstioVersion| to.flavor == flavor) {
        return refuse(&format!(
            "spec.downgrade.to is {:?}, which is no version of the flavor {flavor}. {GUIDE}",
            one_line(&written.to),
        ));
    }
    if !written.is_open(change.now) {
        return refuse(&format!(
            "spec.downgrade.expires is {}: it lies ahead, and by {} hours at most. {GUIDE}",
            written.expires.0,
            LONGEST_DOWNGRADE.as_hours(),
        ));
    }
    let name = change.request.object_name();
    let mut upgrades = facts.upgrades.iter();
    match upgrades.find(|upgrade| upgrade.mesh == name && !upgrade.phase.is_final()) {
        None => Ok(()),
        Some(upgrade) => refuse(&format!(
            "the upgrade {} of this mesh is in phase {}: it goes on to its end, and never back. See: kubectl \
             mesh-upgrade status",
            one_line(&upgrade.name),
            upgrade.phase,
        )),
    }
}

//! The way back past the guard: what the owner of an external mesh allows in writing, for as long as it takes.

use super::{
    Back,
    journey::{Hop, Seat},
    place::Place,
    shell,
};
use crate::{
    api::Management,
    guard::DOWNGRADER_ROLE,
    mesh::{MeshView, ObservedMember},
    names,
    prompt::DOWNGRADE_ALLOWED,
};

/// What a cluster's guard says to a way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// There is none that would say anything.
    Absent,
    /// It makes an exception for the owner of the Mesh object of this name.
    Owner(String),
    /// It makes none: no Mesh object in this cluster says that the mesh is external.
    Closed,
}

impl Guard {
    pub fn of(mesh: &MeshView, member: &ObservedMember<'_>) -> Self {
        if !member.observed.guard.webhook {
            return Self::Absent;
        }
        let mut records = member.observed.meshes.iter();
        let external = records.any(|record| record.name == mesh.name && record.management == Management::External);
        if external {
            Self::Owner(mesh.name.clone())
        } else {
            Self::Closed
        }
    }
}

/// A way back as the guard lets it be gone; `writer` is who makes the change where it is not whoever reads this.
pub(super) fn past_the_guard(hop: &Hop<'_>, seat: &Seat<'_>, writer: Option<&str>, back: Back) -> Back {
    let Back { mut says, commands } = back;
    match &seat.guard {
        Guard::Absent => Back { says, commands },
        Guard::Closed => {
            says.push_str(
                "; the guard in this cluster refuses a downgrade (MG003), and lets nobody but the owner of an external mesh \
                 go back: a Mesh object there has to say management: External first (kubectl mesh-upgrade adopt \
                 --management external)",
            );
            Back { says, commands }
        }
        Guard::Owner(mesh) => {
            says.push_str(&match writer {
                None => format!(
                    "; the guard in this cluster refuses a downgrade (MG003) but to the owner of the mesh, who allows it in \
                     writing, for four hours here (ClusterRole {DOWNGRADER_ROLE}). REASON says why"
                ),
                Some(writer) => format!(
                    "; the guard in this cluster refuses a downgrade (MG003) but to the owner of the mesh, who allows it in \
                     writing, for four hours here (ClusterRole {DOWNGRADER_ROLE}). REASON says why, and WRITER which user \
                     makes the change for {writer}, as system:serviceaccount:NAMESPACE:NAME"
                ),
            });
            // By hand, nobody here knows when it is over: it closes by itself.
            let close = (!commands.is_empty()).then(|| close(&seat.place, mesh));
            let all = allow(&seat.place, mesh, &hop.from.to_string(), writer.is_some());
            Back {
                says,
                commands: all.into_iter().chain(commands).chain(close).collect(),
            }
        }
    }
}

/// Escapes of JSON's strings, for what the shell puts into one.
const ESCAPED: &str = "sed 's/[\\\\\"]/\\\\&/g'";

/// Writes the exception, and waits until the guard has seen it.
fn allow(place: &Place, mesh: &str, to: &str, by_somebody_else: bool) -> Vec<String> {
    let who = place.kubectl(&["auth", "whoami", "--output=jsonpath={.status.userInfo.username}"]);
    let mut format = r#"{"spec":{"downgrade":{"to":"%s","by":"%s","reason":"%s","expires":"%s""#.to_owned();
    let mut values = vec![
        shell::quote(to),
        format!("\"$({who} | {ESCAPED})\""),
        format!("\"$(printf %s \"$REASON\" | {ESCAPED})\""),
        // GNU's date and BusyBox's, or else BSD's.
        "\"$(t=$(($(date +%s) + 14400)); date -u -d \"@$t\" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r \"$t\" \
         +%Y-%m-%dT%H:%M:%SZ)\""
            .to_owned(),
    ];
    let mut needed = vec![": \"${REASON:?say why the mesh goes back}\"".to_owned()];
    if by_somebody_else {
        format.push_str(r#","writers":["%s"]"#);
        values.push(format!("\"$(printf %s \"$WRITER\" | {ESCAPED})\""));
        needed.push(": \"${WRITER:?name the user that makes the change}\"".to_owned());
    }
    format.push_str("}}}");
    let patch = place.kubectl(&["patch", &resource(mesh), "--type=merge"]);
    needed.extend([
        format!(
            "{patch} --patch=\"$(printf {} {})\"",
            shell::quote(&format),
            values.join(" ")
        ),
        place.kubectl(&[
            "wait",
            &format!("--for=condition={DOWNGRADE_ALLOWED}"),
            "--timeout=60s",
            &resource(mesh),
        ]),
    ]);
    needed
}

fn close(place: &Place, mesh: &str) -> String {
    let out = r#"--patch=[{"op":"remove","path":"/spec/downgrade"}]"#;
    place.kubectl(&["patch", &resource(mesh), "--type=json", out])
}

fn resource(mesh: &str) -> String {
    format!("meshes.{}/{mesh}", names::GROUP)
}

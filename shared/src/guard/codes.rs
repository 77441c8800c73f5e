//! Stable codes of the guard's refusals: used by the policies, the webhook, its metrics and the documents.

/// Why the guard refuses a change. The code is stable; the words after it may improve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The mesh is frozen, and the writer does not hold the freeze.
    MeshFrozen,
    /// The change goes over at least one minor of Istio.
    SkipVersion,
    /// The change goes to an older Istio.
    Downgrade,
    /// The change goes to another builder's Istio.
    MixedFlavor,
    /// The change replaces a version that can be read by one that cannot.
    UnreadableVersion,
    /// The change touches an object of this tool that only the driver writes.
    OwnObjects,
    /// A Mesh names a flavor of which no catalog is known.
    UnknownFlavor,
    /// Another upgrade of the same mesh has begun and is not over.
    SecondUpgrade,
    /// A phase is written that may not follow the one that stands.
    IllegalPhase,
    /// A gateway would run a later minor than every control plane.
    AheadOfControlPlane,
    /// A driver writes whose upgrade is over.
    LateDriver,
    /// The change goes back to an older Istio, as the owner of the mesh allowed; a warning, never a refusal.
    AllowedDowngrade,
}

impl Code {
    /// All codes, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::MeshFrozen,
        Self::SkipVersion,
        Self::Downgrade,
        Self::MixedFlavor,
        Self::UnreadableVersion,
        Self::OwnObjects,
        Self::UnknownFlavor,
        Self::SecondUpgrade,
        Self::IllegalPhase,
        Self::AheadOfControlPlane,
        Self::LateDriver,
        Self::AllowedDowngrade,
    ];

    /// The code itself, as `MG001`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MeshFrozen => "MG001",
            Self::SkipVersion => "MG002",
            Self::Downgrade => "MG003",
            Self::MixedFlavor => "MG004",
            Self::UnreadableVersion => "MG005",
            Self::OwnObjects => "MG006",
            Self::UnknownFlavor => "MG007",
            Self::SecondUpgrade => "MG008",
            Self::IllegalPhase => "MG009",
            Self::AheadOfControlPlane => "MG010",
            Self::LateDriver => "MG011",
            Self::AllowedDowngrade => "MG012",
        }
    }

    /// The code's name, as `mesh-frozen`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MeshFrozen => "mesh-frozen",
            Self::SkipVersion => "skip-version",
            Self::Downgrade => "downgrade",
            Self::MixedFlavor => "mixed-flavor",
            Self::UnreadableVersion => "unreadable-version",
            Self::OwnObjects => "own-objects",
            Self::UnknownFlavor => "unknown-flavor",
            Self::SecondUpgrade => "second-upgrade",
            Self::IllegalPhase => "illegal-phase",
            Self::AheadOfControlPlane => "ahead-of-control-plane",
            Self::LateDriver => "late-driver",
            Self::AllowedDowngrade => "allowed-downgrade",
        }
    }

    /// Whether no policy refuses with it: it takes more than one object to see, or more than CEL.
    #[must_use]
    pub fn is_the_webhooks_alone(self) -> bool {
        match self {
            Self::MeshFrozen | Self::OwnObjects | Self::IllegalPhase => false,
            Self::SkipVersion
            | Self::Downgrade
            | Self::MixedFlavor
            | Self::UnreadableVersion
            | Self::UnknownFlavor
            | Self::SecondUpgrade
            | Self::AheadOfControlPlane
            | Self::LateDriver
            | Self::AllowedDowngrade => true,
        }
    }

    /// What the code means and what to do, for the documents and for `explain`.
    #[must_use]
    pub fn documentation(self) -> &'static str {
        match self {
            Self::MeshFrozen => {
                "The mesh is being upgraded, and until the upgrade ends only its holder changes mesh configuration, \
                 the control plane, Istio's CRDs and the helm releases of the mesh. See who holds it with \
                 `kubectl mesh-upgrade status`. When the upgrade was abandoned, take it over with \
                 `kubectl mesh-upgrade apply`, or, with the RBAC verb `unlock` on meshfreezes, lift the freeze with \
                 `kubectl mesh-upgrade unlock --reason TEXT`."
            }
            Self::AheadOfControlPlane => {
                "A gateway would run a later minor of Istio than any control plane of its mesh. Istio supports proxies \
                 that trail their control plane, never the reverse: upgrade the control plane first and the gateways \
                 last, or leave the image `auto`, and istiod injects its own."
            }
            Self::LateDriver => {
                "A driver of an upgrade writes although that upgrade is over: it was suspended, as on a machine that \
                 slept, another driver took the upgrade over and brought it to its end, and now it goes on where it \
                 stood. What it writes could undo what came after it. In a cluster that does not hold the mesh's journal \
                 a driver changes something only while its freeze stands there. Nothing is to be done: it ends by itself, and \
                 `kubectl mesh-upgrade status` shows what the upgrade came to."
            }
            Self::SkipVersion => {
                "Istio is upgraded one minor at a time: the configuration and the proxies of a mesh are tested by \
                 Istio only from one minor to the next. Plan the way hop by hop with `kubectl mesh-upgrade plan`."
            }
            Self::Downgrade => {
                "A control plane is not taken back to an older Istio: resources written by the newer one may mean \
                 something else, or nothing, to the older one. Choose the version that runs, or a newer one. The owner of \
                 a mesh whose `management` is `External` may allow the way back from an upgrade that went wrong for a \
                 while (MG012); the runbook of `kubectl mesh-upgrade guide` says how."
            }
            Self::AllowedDowngrade => {
                "A component goes back to the version that the owner of its mesh allowed in `spec.downgrade` of the Mesh: \
                 `to`, `by`, `reason`, `expires` (at most 24 hours ahead) and `writers`, who may go back beside `by`. It is no \
                 refusal: whoever goes back is warned, and the audit log, an Event of the Mesh and the webhook's log and \
                 metrics tell of it. Only a Mesh whose `management` is `External` may have it, only while none of its \
                 upgrades is under way, and writing it takes the RBAC verb `downgrade` on meshes (ClusterRole \
                 `mesh-upgrade-downgrader`). It goes back by one minor at most, within the flavor, to that one version, and \
                 opens no freeze."
            }
            Self::MixedFlavor => {
                "A mesh keeps the builder of its Istio (its flavor) for life: builds of different vendors are not \
                 tested against each other. Use an image of the mesh's own flavor."
            }
            Self::UnreadableVersion => {
                "The new image does not say which Istio it is (a digest alone, or a tag that is no version), while \
                 the old one did, so that a skip or a downgrade could not be seen. Use an image with a version tag; \
                 a digest may follow it, as `istio/pilot:1.31.0@sha256:…`."
            }
            Self::OwnObjects => {
                "MeshFreeze and MeshUpgrade objects are the lock and the journal of an upgrade; only the driver \
                 writes them, with the epoch that holds the upgrade. To lift a freeze by hand use \
                 `kubectl mesh-upgrade unlock --reason TEXT`."
            }
            Self::UnknownFlavor => {
                "A Mesh names the builder of its Istio, and of this one the guard knows no releases, so that no \
                 upgrade of it could be checked. A word that was mistyped would moreover stand for ever: a mesh's \
                 flavor never changes. Leave `spec.flavor` out for community Istio, or make the flavor known with a \
                 catalog of its releases, in the ConfigMap `mesh-upgrade-catalog` in the namespace \
                 `mesh-upgrade-system`."
            }
            Self::SecondUpgrade => {
                "A mesh is upgraded by one upgrade at a time, and one that has begun goes on to its end. See it with \
                 `kubectl mesh-upgrade status`, and go on with it with `kubectl mesh-upgrade apply`; afterwards the \
                 next can begin."
            }
            Self::IllegalPhase => {
                "A MeshUpgrade goes through its phases in their order, and never back: what has been changed stays \
                 changed, and what was not proved is not done. Only the driver writes phases; let it go on with \
                 `kubectl mesh-upgrade apply`."
            }
        }
    }

    /// The code at the beginning of a message, if it begins with one.
    #[must_use]
    pub fn at_start_of(message: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| {
            message
                .strip_prefix(code.as_str())
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        })
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.as_str(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_without_gaps_and_documented() {
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code.as_str(), format!("MG{:03}", index + 1));
            assert!(code.documentation().len() > 80, "{code} is not documented");
            assert_eq!(Code::at_start_of(&format!("{code}: words")), Some(code));
        }
    }

    #[test]
    fn a_code_is_read_only_where_it_stands_whole_and_first() {
        assert_eq!(Code::at_start_of("MG0011 something"), None);
        assert_eq!(Code::at_start_of("see MG001"), None);
        assert_eq!(Code::at_start_of("MG001"), Some(Code::MeshFrozen));
    }
}

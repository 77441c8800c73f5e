//! What a change of a version amounts to, for every family alike.

use super::{
    super::{
        codes::Code,
        decide::{Facts, Ruling, Verdict},
        message::one_line,
        review::Request,
    },
    known::{Known, of_namespace},
    way_back,
};
use crate::version::{Flavor, IstioVersion, Minor, Move};
use k8s_openapi::jiff::Timestamp;
use std::fmt;

/// What is guarded, by what it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A control plane: with itself, and a new one with the newest of its mesh.
    Istiod,
    /// A component of the nodes: with itself, and a new one may differ from a control plane by a minor.
    Node,
    /// A gateway: with itself, and it is never ahead of the control planes; it may trail them.
    Gateway,
    /// CRDs and cluster-wide roles: never behind the newest control plane, and at most one minor ahead of it.
    Base,
}

/// What an object says of its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stated {
    /// A version.
    Version(IstioVersion),
    /// The newest patch of a minor, whatever that is.
    Latest(Minor),
    /// That of the control plane that injects it.
    Injected,
    /// Nothing that could be read.
    Unreadable,
}

impl fmt::Display for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => version.fmt(f),
            Self::Latest(minor) => write!(f, "the latest {minor}"),
            Self::Injected => f.write_str("what is injected"),
            Self::Unreadable => f.write_str("something unreadable"),
        }
    }
}

impl Stated {
    pub(super) fn minor(&self) -> Option<Minor> {
        match self {
            Self::Version(version) => Some(version.minor()),
            Self::Latest(minor) => Some(*minor),
            Self::Injected | Self::Unreadable => None,
        }
    }
}

/// A change of a version.
pub(super) struct Change<'a> {
    /// The request that makes it.
    pub request: &'a Request<'a>,
    /// Kind of the object, for people.
    pub kind: &'static str,
    /// Name of what changes where it is not the object's own.
    pub name: Option<&'a str>,
    /// What it is compared with.
    pub part: Part,
    /// Namespace of its control plane, or its own.
    pub home: &'a str,
    /// What was there before; `None` for something new.
    pub before: Option<Stated>,
    /// How `before` is known, as `it runs`.
    pub source: &'static str,
    /// What is there afterwards.
    pub after: Stated,
    /// Whether a version without a flavor may be anybody's: charts need not say whose images they install.
    pub may_lack_flavor: bool,
    /// When it is asked for.
    pub now: Timestamp,
}

impl Change<'_> {
    pub(super) fn judge(&self, facts: &Facts) -> Verdict {
        let known = match self.part {
            Part::Istiod | Part::Base => Known::of_mesh(self.home, facts),
            Part::Node | Part::Gateway => Known::of_cluster(self.home, facts),
        };
        let Some(after_minor) = self.after.minor() else {
            return match self.after {
                Stated::Injected => Verdict::Allow,
                _ => self.judge_unreadable(&known),
            };
        };
        let own = match &self.before {
            Some(before @ (Stated::Version(_) | Stated::Latest(_))) => {
                self.judge_move(before, self.source, &known, facts)
            }
            Some(Stated::Injected) => self.judge_pinning(&known, facts),
            Some(Stated::Unreadable) | None if self.part != Part::Gateway => return self.judge_new(&known, facts),
            Some(Stated::Unreadable) | None => Verdict::Allow,
        };
        if matches!(own, Verdict::Deny(_)) || self.part != Part::Gateway {
            return own;
        }
        match self.judge_beside(after_minor, &known, facts) {
            Verdict::Allow => own,
            verdict => verdict,
        }
    }

    /// From one version to another of the same thing.
    fn judge_move(&self, before: &Stated, source: &str, known: &Known<'_>, facts: &Facts) -> Verdict {
        let movement = self.movement(before);
        let known_patch = known.newest().filter(|(newest, _)| {
            // `Latest` names no patch; a control plane of that minor does.
            matches!(before, Stated::Latest(minor) if *minor == newest.minor())
        });
        match (movement, known_patch) {
            (Move::None | Move::Patch, Some((newest, place))) => {
                let before = Stated::Version(newest.clone());
                self.rule(self.movement(&before), &before, place, facts)
            }
            _ => self.rule(movement, before, source, facts),
        }
    }

    /// Something new, or something of which nothing could be read.
    fn judge_new(&self, known: &Known<'_>, facts: &Facts) -> Verdict {
        let Some((newest, place)) = known.newest() else {
            return self.judge_flavor(facts);
        };
        let before = Stated::Version(newest.clone());
        let movement = match self.part {
            Part::Istiod | Part::Gateway => self.movement(&before),
            Part::Node if known.all().any(|one| self.is_beside(one)) => Move::None,
            Part::Node => self.beyond_a_minor(&before),
            // Its patches need not be those of the control plane.
            Part::Base => match self.movement(&before) {
                Move::Downgrade if self.after.minor() == before.minor() => Move::None,
                movement => movement,
            },
        };
        self.rule(movement, &before, place, facts)
    }

    /// Whether this differs from a control plane by a minor at most.
    fn is_beside(&self, plane: &IstioVersion) -> bool {
        let before = Stated::Version(plane.clone());
        self.movement(&before) != Move::OtherFlavor && self.beyond_a_minor(&before) == Move::None
    }

    fn beyond_a_minor(&self, before: &Stated) -> Move {
        let movement = self.movement(before);
        if movement == Move::OtherFlavor {
            return movement;
        }
        let distance = before.minor().zip(self.after.minor()).and_then(|(a, b)| a.distance(b));
        match distance {
            Some(-1..=1) => Move::None,
            Some(..=-2) => Move::Downgrade,
            _ => Move::Skip,
        }
    }

    /// A gateway that was injected ran at least what the oldest control plane injects.
    fn judge_pinning(&self, known: &Known<'_>, facts: &Facts) -> Verdict {
        let Some(oldest) = known.oldest() else {
            return Verdict::Allow;
        };
        let before = Stated::Version(oldest.clone());
        match self.movement(&before) {
            Move::Downgrade => self.rule(Move::Downgrade, &before, "the oldest control plane that injects", facts),
            _ => Verdict::Allow,
        }
    }

    /// A gateway beside the control planes: of a flavor among theirs, and of no later minor.
    fn judge_beside(&self, after: Minor, known: &Known<'_>, facts: &Facts) -> Verdict {
        let Some((newest, place)) = known.newest() else {
            return self.judge_flavor(facts);
        };
        let fits = |one: &IstioVersion| self.movement(&Stated::Version(one.clone())) != Move::OtherFlavor;
        if !known.all().any(fits) {
            return self.rule(Move::OtherFlavor, &Stated::Version(newest.clone()), place, facts);
        }
        if after > newest.minor() {
            return self.deny(
                Code::AheadOfControlPlane,
                &format!(
                    "would run {}, ahead of {newest} ({place}): gateways are upgraded last. See: kubectl mesh-upgrade plan",
                    self.after
                ),
            );
        }
        Verdict::Allow
    }

    fn judge_unreadable(&self, known: &Known<'_>) -> Verdict {
        let says = "has an image without a version tag: skips and downgrades of it cannot be seen";
        let (before, source) = match (&self.before, known.newest()) {
            (Some(before @ (Stated::Version(_) | Stated::Latest(_))), _) => (before.clone(), self.source),
            // Gateways of images that people build themselves are many, and nothing of theirs was known before.
            (None, Some((newest, place))) if self.part != Part::Gateway => (Stated::Version(newest.clone()), place),
            _ => return Verdict::Warn(self.ruling(Code::UnreadableVersion, says)),
        };
        self.deny(
            Code::UnreadableVersion,
            &format!("goes from {before} ({source}) to an image without a version tag; use one with a tag"),
        )
    }

    /// Without any version to compare with, a Mesh object still says whose builds it takes.
    fn judge_flavor(&self, facts: &Facts) -> Verdict {
        let Stated::Version(after) = &self.after else {
            return Verdict::Allow;
        };
        let lacks = self.may_lack_flavor && after.flavor == Flavor::Native;
        match of_namespace(self.home, facts).find(|mesh| mesh.flavor != after.flavor && !lacks) {
            Some(mesh) => self.deny(
                Code::MixedFlavor,
                &format!(
                    "has version {after}, but mesh \"{}\" takes builds of flavor {}. See: kubectl mesh-upgrade list",
                    one_line(&mesh.name),
                    mesh.flavor
                ),
            ),
            None => Verdict::Allow,
        }
    }

    /// What going from `before` to this amounts to.
    fn movement(&self, before: &Stated) -> Move {
        match (before, &self.after) {
            (Stated::Version(before), Stated::Version(after)) => {
                if self.may_lack_flavor && after.flavor == Flavor::Native {
                    let flavor = before.flavor.clone();
                    Move::between(
                        before,
                        &IstioVersion {
                            flavor,
                            ..after.clone()
                        },
                    )
                } else {
                    Move::between(before, after)
                }
            }
            _ => match before.minor().zip(self.after.minor()) {
                Some((before, after)) if after < before => Move::Downgrade,
                Some((before, after)) => match before.distance(after) {
                    Some(0) => Move::None,
                    Some(1) => Move::OneMinor,
                    _ => Move::Skip,
                },
                None => Move::None,
            },
        }
    }

    fn rule(&self, movement: Move, before: &Stated, source: &str, facts: &Facts) -> Verdict {
        let says = |what: &str| format!("goes from {before} ({source}) to {}: {what}", self.after);
        match movement {
            Move::None | Move::Patch | Move::OneMinor => Verdict::Allow,
            Move::Skip => self.deny(
                Code::SkipVersion,
                &says("Istio is upgraded one minor at a time. See: kubectl mesh-upgrade plan"),
            ),
            Move::Downgrade => match way_back::allowed(self, before, facts) {
                Some((mesh, downgrade)) => Verdict::Warn(Ruling {
                    allowed_for: Some(mesh.name.clone()),
                    ..self.ruling(
                        Code::AllowedDowngrade,
                        &says(&way_back::told(&mesh.name, downgrade, &self.request.username)),
                    )
                }),
                None => self.deny(
                    Code::Downgrade,
                    &says("a mesh never goes back to an older Istio. See: kubectl mesh-upgrade list"),
                ),
            },
            Move::OtherFlavor => self.deny(
                Code::MixedFlavor,
                &says("a mesh keeps the flavor of its Istio. See: kubectl mesh-upgrade list"),
            ),
        }
    }

    pub(super) fn deny(&self, code: Code, says: &str) -> Verdict {
        Verdict::Deny(self.ruling(code, says))
    }

    fn ruling(&self, code: Code, says: &str) -> Ruling {
        let name = self.name.unwrap_or_else(|| self.request.object_name());
        let namespace = &self.request.namespace;
        let separator = if namespace.is_empty() { "" } else { "/" };
        let message = format!(
            "{code}: {} {}{separator}{} {says}",
            self.kind,
            one_line(namespace),
            one_line(name),
        );
        Ruling::new(code, message)
    }
}

//! Whether the target reads the kinds of the Gateway API that are there: bundles too old or too new for it, and definitions
//! that do not serve what it reads.

use super::{Subject, configuration::planes, overlooked, rules};
use crate::{
    catalog::{Catalog, Release},
    finding::{Code, Finding, Report, Severity, codes},
    inventory::{ControlPlane, Crd, Surroundings},
    mesh::ObservedMember,
    version::{IstioVersion, Minor},
};

/// Versions in which Istio reads definitions of the Gateway API (`pkg/config/schema/gvr` of release 1.31), whether or not
/// there is an object of the kind. `istioctl x precheck` reports the same as IST0156 and IST0172.
const READ_AS: [(&str, &str); 4] = [
    ("gatewayclasses", "v1"),
    ("gateways", "v1"),
    ("httproutes", "v1"),
    ("referencegrants", "v1beta1"),
];

/// Kinds that a release reads only where istiod is told to, in which version, and the last minor of Istio 1 that does.
const READ_AS_ALPHA: [(&str, &str, u64); 1] = [("tcproutes", "v1alpha2", 30)];
/// Kinds that istiod read only where it was told to, and the first minor of Istio 1 that reads them without.
const ALPHA_BEFORE: [(&str, u64); 4] = [
    ("grpcroutes", 22),
    ("backendtlspolicies", 28),
    ("tlsroutes", 30),
    ("tcproutes", 31),
];
/// Kinds that no istiod read before a minor of Istio 1, whatever it was told.
const NOT_BEFORE: [(&str, u64); 1] = [("listenersets", 30)];
/// Kinds that istiod read where it was told to, from a minor of Istio 1 on and until another, and what it reads then.
const UNTIL: [(&str, u64, u64, &str); 1] = [("xlistenersets", 27, 30, "ListenerSets")];
/// What tells it to; kinds that a release reads from a bundle on are read without it since then.
const ALPHA: &str = "PILOT_ENABLE_ALPHA_GATEWAY_API";
/// Without it istiod reads nothing of the Gateway API, but for the classes where it serves an ambient mesh.
const ANY: &str = "PILOT_ENABLE_GATEWAY_API";
const AMBIENT: &str = "PILOT_ENABLE_AMBIENT";
/// Definitions that istiod leaves alone, and those among them that it reads nevertheless, with commas between
/// (`pkg/kube/kclient/crdwatcher.go` of release 1.31); known since 1.29.
const IGNORED: &str = "PILOT_IGNORE_RESOURCES";
const INCLUDED: &str = "PILOT_INCLUDE_RESOURCES";
const HEEDS_IGNORED: Minor = Minor::new(1, 29);

/// A member, and who reads its configuration.
struct Read<'a> {
    member: &'a ObservedMember<'a>,
    around: &'a Surroundings,
    catalog: &'a Catalog,
    /// The target's.
    release: &'a Release,
    planes: Vec<&'a ControlPlane>,
}

pub(super) fn check(subject: &Subject<'_>, member: &ObservedMember<'_>, around: &Surroundings, report: &mut Report) {
    let Some(release) = subject.catalog.release_of(&subject.target.version) else {
        return;
    };
    let read = Read {
        member,
        around,
        catalog: subject.catalog,
        release,
        planes: planes(subject, member).collect(),
    };
    let is_on = |plane: &&ControlPlane| rules::switch(&plane.settings, ANY) != Some(false);
    if read.planes.is_empty() || read.planes.iter().any(is_on) {
        read.bundles(report);
        read.beginning(report);
        read.ceasing(report);
        read.served(|_| true, report);
    } else if read.any_says(AMBIENT) {
        read.served(|resource| resource == "gatewayclasses", report);
    }
}

impl Read<'_> {
    fn any_says(&self, switch: &str) -> bool {
        self.planes.iter().any(|plane| says(plane, switch))
    }

    /// Those that will not leave a definition alone as the target.
    fn readers<'r>(&'r self, crd: &'r Crd) -> impl Iterator<Item = &'r ControlPlane> {
        let heeds = self.release.minor >= HEEDS_IGNORED;
        let planes = self.planes.iter().copied();
        planes.filter(move |plane| !heeds || !leaves_alone(plane, &crd.name))
    }

    /// The definition of a kind, where nobody says that it is left alone.
    fn definition(&self, resource: &str) -> Option<&Crd> {
        let mut names = rules::COUNTED.into_iter();
        let counted = names.find(|name| name.split('.').next() == Some(resource));
        let name = counted.map_or_else(|| format!("{resource}.gateway.networking.k8s.io"), str::to_owned);
        let crd = self.around.crds.iter().find(|crd| crd.name == name)?;
        (self.planes.is_empty() || self.readers(crd).next().is_some()).then_some(crd)
    }

    fn used(&self, resource: &str) -> u64 {
        self.around.gateway_api.get(resource).copied().unwrap_or_default()
    }

    fn find(&self, crd: &Crd, cause: String, fix: impl Into<String>) -> Finding {
        self.find_of(codes::GATEWAY_API_BUNDLE, crd, cause, fix)
    }

    fn find_of(&self, code: Code, crd: &Crd, cause: String, fix: impl Into<String>) -> Finding {
        Finding::new(code, cause, fix)
            .in_cluster(self.member.name())
            .about(format!("CustomResourceDefinition {}", crd.name))
    }

    /// Definitions that do not serve what Istio reads: istiod then waits for them and never becomes ready.
    fn served(&self, is_read: fn(&str) -> bool, report: &mut Report) {
        let minor = self.release.minor;
        if minor < Minor::new(1, 22) {
            return;
        }
        let of_alpha = READ_AS_ALPHA
            .into_iter()
            .filter(|(_, _, last)| minor <= Minor::new(1, *last))
            .map(|(resource, read, _)| (resource, read, true));
        let all = READ_AS.into_iter().map(|(resource, read)| (resource, read, false));
        for (resource, read, alpha) in all.chain(of_alpha).filter(|(resource, ..)| is_read(resource)) {
            let crd = self.definition(resource);
            let crd = crd.filter(|crd| !alpha || self.readers(crd).any(|plane| says(plane, ALPHA)));
            let Some(crd) = crd.filter(|crd| !crd.served.iter().any(|version| version == read)) else {
                continue;
            };
            let cause = format!(
                "{} is served as {}: Istio {minor} reads {read}",
                crd.kind,
                crd.served.join(", ")
            );
            let fix = if read == "v1alpha2" {
                "install the bundle's experimental channel before the upgrade: it goes on to serve v1alpha2, which the \
                 standard channel no longer does"
            } else {
                "install the Gateway API 1.0 or newer before the upgrade, with the channel that you use now"
            };
            report.find(self.find(crd, cause, fix));
        }
    }

    /// Kinds in use whose bundle is older or newer than the target reads.
    fn bundles(&self, report: &mut Report) {
        for (resource, minimum) in &self.release.gateway_api {
            self.at_least(resource, minimum, report);
        }
        for (resource, below) in &self.release.gateway_api_below {
            self.below(resource, below, report);
        }
    }

    fn at_least(&self, resource: &str, minimum: &semver::Version, report: &mut Report) {
        let Some(crd) = self.definition(resource) else {
            return;
        };
        let (used, bundle, minor) = (self.used(resource), bundle(crd), self.release.minor);
        let summary = format!(
            "{used} {resource}, bundle {}",
            crd.bundle.as_deref().unwrap_or("unknown")
        );
        if used == 0 && overlooked::hides_objects(self.around, &crd.name) {
            // That they could not be counted is a finding of its own.
            return;
        }
        if used == 0 || bundle.as_ref().is_some_and(|bundle| bundle >= minimum) {
            return report.pass(codes::GATEWAY_API_BUNDLE, Some(self.member.name()), summary);
        }
        let found = crd.bundle.as_deref().unwrap_or("an unknown version");
        if !self.planes.is_empty()
            && self
                .readers(crd)
                .all(|plane| self.ignores(plane, resource, bundle.as_ref()))
        {
            let cause = format!(
                "{used} {} come with the bundle {found}: Istio {minor} ignores them below {minimum}, as the istiod that \
                 runs does already",
                crd.kind
            );
            let fix = format!(
                "the upgrade changes nothing for them; where they are wanted, install the Gateway API {minimum} or newer \
                 once Istio {minor} runs"
            );
            return report.find(self.find(crd, cause, fix).weighing(Severity::Warning));
        }
        let cause = format!(
            "{used} {} come with the bundle {found}: Istio {minor} ignores them below {minimum}",
            crd.kind
        );
        let fix = format!(
            "right before the upgrade install the Gateway API {minimum} or newer in its experimental channel, which goes \
             on to serve what the running istiod reads; do not restart istiod between the two: once restarted, an older \
             one may ignore these objects"
        );
        report.find(self.find(crd, cause, fix));
    }

    /// Whether an istiod that runs ignores the objects of a kind; not where nobody knows.
    fn ignores(&self, plane: &ControlPlane, resource: &str, bundle: Option<&semver::Version>) -> bool {
        let Some(version) = &plane.version.version else {
            return false;
        };
        let is_off = |name: &str| rules::switch(&plane.settings, name) == Some(false);
        let waits_for_alpha = ALPHA_BEFORE
            .iter()
            .any(|(kind, since)| *kind == resource && version.minor() < Minor::new(1, *since));
        let is_not_told = is_off(ALPHA) || !plane.settings.environment.contains_key(ALPHA);
        let is_too_early = NOT_BEFORE
            .iter()
            .any(|(kind, since)| *kind == resource && version.minor() < Minor::new(1, *since));
        if is_off(ANY) || waits_for_alpha && is_not_told || is_too_early {
            return true;
        }
        let release = self.catalog.release_of(version);
        release.is_some_and(|release| is_ignored(release, resource, bundle))
    }

    /// Kinds in use that an istiod ignores today and the target reads.
    fn beginning(&self, report: &mut Report) {
        let minor = self.release.minor;
        let read = ALPHA_BEFORE.into_iter().chain(NOT_BEFORE);
        for (resource, _) in read.filter(|(_, since)| minor >= Minor::new(1, *since)) {
            let Some(crd) = self.definition(resource) else {
                continue;
            };
            let (used, bundle) = (self.used(resource), bundle(crd));
            let is_on = |plane: &&ControlPlane| rules::switch(&plane.settings, ANY) != Some(false);
            let mut planes = self.readers(crd).filter(is_on);
            let ignored = planes.any(|plane| self.ignores(plane, resource, bundle.as_ref()));
            if used == 0 || !ignored || is_ignored(self.release, resource, bundle.as_ref()) {
                continue;
            }
            let cause = format!(
                "{used} {} are ignored by the istiod that runs, and read by Istio {minor}: those of its \
                 gateways and services take effect with the upgrade",
                crd.kind
            );
            let fix = format!(
                "look at them before the upgrade with kubectl get {} -A, and delete those that are not to take effect",
                crd.name
            );
            report.find(self.find_of(codes::GATEWAY_API_READ, crd, cause, fix));
        }
    }

    /// Kinds in use that an istiod reads today and the target no longer.
    fn ceasing(&self, report: &mut Report) {
        let minor = self.release.minor;
        for (resource, since, until, instead) in UNTIL {
            let reads = |plane: &ControlPlane| {
                let running = plane.version.version.as_ref().map(IstioVersion::minor);
                let says = |name: &str| rules::switch(&plane.settings, name);
                running.is_some_and(|running| (Minor::new(1, since)..Minor::new(1, until)).contains(&running))
                    && says(ANY) != Some(false)
                    && says(ALPHA) == Some(true)
            };
            let used = self.used(resource);
            let Some(crd) = self
                .definition(resource)
                .filter(|_| used > 0 && minor >= Minor::new(1, until))
            else {
                continue;
            };
            if !self.readers(crd).any(reads) {
                continue;
            }
            let cause = format!(
                "{used} {} are read by the istiod that runs, and ignored by Istio {minor}, which reads {instead}: those of \
                 its gateways cease to take effect with the upgrade",
                crd.kind
            );
            let fix = format!(
                "right before the upgrade install the Gateway API 1.5 or newer, make {instead} that say the same, and let \
                 routes name them as parents, too"
            );
            let finding = self.find_of(codes::GATEWAY_API_READ, crd, cause, fix);
            report.find(finding.weighing(Severity::Blocker));
        }
    }

    fn below(&self, resource: &str, below: &semver::Version, report: &mut Report) {
        let Some(crd) = self.definition(resource) else {
            return;
        };
        let used = self.used(resource);
        let Some(found) = bundle(crd).filter(|bundle| used > 0 && bundle >= below) else {
            return;
        };
        if !self.readers(crd).any(|plane| says(plane, ALPHA)) {
            return;
        }
        let cause = format!(
            "{used} {} come with the bundle {found}: Istio {} ignores them from {below} on",
            crd.kind, self.release.minor
        );
        let fix = format!(
            "keep a bundle below {below}, in its experimental channel, until a newer Istio runs that reads the later ones"
        );
        report.find(self.find(crd, cause, fix));
    }
}

fn says(plane: &ControlPlane, switch: &str) -> bool {
    rules::switch(&plane.settings, switch) == Some(true)
}

/// Whether an istiod is told to leave a definition alone.
fn leaves_alone(plane: &ControlPlane, definition: &str) -> bool {
    let is_among = |variable: &str| {
        let listed = plane.settings.environment.get(variable);
        let mut listed = listed.into_iter().flat_map(|listed| listed.split(','));
        listed.any(|one| {
            let one = one.trim();
            let is_in_group = one.strip_prefix("*.").map(|group| definition.ends_with(group));
            is_in_group.unwrap_or(one == definition)
        })
    };
    is_among(IGNORED) && !is_among(INCLUDED)
}

/// Whether a release ignores a kind for its bundle.
fn is_ignored(release: &Release, resource: &str, bundle: Option<&semver::Version>) -> bool {
    let (minimum, below) = (
        release.gateway_api.get(resource),
        release.gateway_api_below.get(resource),
    );
    minimum.is_some_and(|minimum| bundle.is_none_or(|bundle| bundle < minimum))
        || below.is_some_and(|below| bundle.is_some_and(|bundle| bundle >= below))
}

/// The version of a bundle; a pre-release counts as its release, as for Istio.
fn bundle(crd: &Crd) -> Option<semver::Version> {
    let mut bundle = semver::Version::parse(crd.bundle.as_deref()?.trim_start_matches('v')).ok()?;
    bundle.pre = semver::Prerelease::EMPTY;
    Some(bundle)
}

#[cfg(test)]
#[path = "gateway_api_tests.rs"]
mod tests;

//! MU0xx: what will be pulled, and from where.

use super::{Code, Rule, Severity};

/// The target's default registry goes.
pub const RETIRED_DEFAULT_HUB: Code = Code(&Rule {
    id: "MU001",
    title: "The target's charts take images from a registry that is shut down",
    severity: Severity::Warning,
    waivable: true,
    cause: "Where the values name no hub, the chart's own default counts, and that of the target is being shut down.",
    evidence: "The registry of the images that run, of each control plane, node component and gateway that names one, against the default of the charts that run and of the target's, and whether the values of its release name another.",
    fix: "Set global.hub in the values of each chart to the registry that the finding names.",
});

pub(super) const ALL: &[Code] = &[RETIRED_DEFAULT_HUB];

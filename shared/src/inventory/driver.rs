//! Who helm is by its field managers, and the tools that have it built in and keep a release at the version in their own
//! configuration.

/// How helm of any version writes, and Flux's helm-controller; others that have it built in are [`HelmDriver`]s.
const HELMS: [&str; 2] = ["helm", "Helm"];

/// Whether a field manager is some helm.
#[must_use]
pub fn is_helms(manager: &str) -> bool {
    HELMS.iter().any(|helm| manager.starts_with(helm)) || HelmDriver::of_manager(manager).is_some()
}

/// A tool that drives helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelmDriver {
    /// Terraform, by its provider `helm`.
    Terraform,
    /// Pulumi, by a `helm.v3.Release`.
    Pulumi,
    /// Rancher's Fleet, by its agent in the cluster.
    Fleet,
}

impl HelmDriver {
    /// How its programs begin: helm writes by the name of the program that it is built into (helm's `pkg/kube/client.go`,
    /// `getManagedFieldsManager`).
    const PROGRAMS: [(&'static str, Self); 3] = [
        ("terraform-provider-helm", Self::Terraform),
        ("pulumi-resource-kubernetes", Self::Pulumi),
        ("fleetagent", Self::Fleet),
    ];

    /// Whose a field manager is; `None` for all others.
    #[must_use]
    pub fn of_manager(manager: &str) -> Option<Self> {
        let mut programs = Self::PROGRAMS.iter();
        let found = programs.find(|(program, _)| manager.starts_with(program));
        found.map(|(_, driver)| *driver)
    }

    /// As people say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terraform => "Terraform",
            Self::Pulumi => "Pulumi",
            Self::Fleet => "Fleet",
        }
    }

    /// Whether it acts by itself, and not when somebody runs it.
    #[must_use]
    pub fn acts_by_itself(self) -> bool {
        self == Self::Fleet
    }
}

//! Tools that have helm built in and keep a release at the version in their own configuration.

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

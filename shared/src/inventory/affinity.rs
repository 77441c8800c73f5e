//! Which nodes a pod's required node affinity allows, as the scheduler reads it.

use std::collections::BTreeMap;

/// What one requirement asks of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// It is one of these.
    In(Vec<String>),
    /// It is none of these, or not there.
    NotIn(Vec<String>),
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It is a number above this one.
    Above(i64),
    /// It is a number below this one.
    Below(i64),
    /// What this tool does not know: it is taken to be met, so that nothing is said of what was not understood.
    Unknown,
}

impl Demand {
    /// Reads an operator with its values, in the words of the Kubernetes API.
    #[must_use]
    pub fn of(operator: &str, values: &[String]) -> Self {
        let number = || match values {
            [number] => number.parse().ok(),
            _ => None,
        };
        match operator {
            "In" => Self::In(values.to_vec()),
            "NotIn" => Self::NotIn(values.to_vec()),
            "Exists" => Self::Exists,
            "DoesNotExist" => Self::DoesNotExist,
            "Gt" => number().map_or(Self::Unknown, Self::Above),
            "Lt" => number().map_or(Self::Unknown, Self::Below),
            _ => Self::Unknown,
        }
    }

    pub(super) fn is_met_by(&self, value: Option<&String>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
            Self::Above(than) => number().is_some_and(|number| number > *than),
            Self::Below(than) => number().is_some_and(|number| number < *than),
            Self::Unknown => true,
        }
    }
}

/// Requirements that a node must all meet; one without any fits no node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTerm {
    /// Of its labels, by their keys.
    pub labels: Vec<(String, Demand)>,
    /// Of its name, the only field that Kubernetes lets one ask for.
    pub name: Vec<Demand>,
}

impl NodeTerm {
    /// Whether a node of this name with these labels meets all of it.
    #[must_use]
    pub fn fits(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        if self.labels.is_empty() && self.name.is_empty() {
            return false;
        }
        let name = name.to_owned();
        let labelled = |(key, demand): &(String, Demand)| demand.is_met_by(labels.get(key));
        self.name.iter().all(|demand| demand.is_met_by(Some(&name))) && self.labels.iter().all(labelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_judged_as_by_the_scheduler() {
        let labels = [("zone", "a"), ("cores", "16"), ("empty", "")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let values = |values: &[&str]| values.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        for (key, operator, asked, expected) in [
            ("zone", "In", &["b", "a"][..], true),
            ("zone", "In", &["b"], false),
            ("zone", "In", &[], false),
            ("none", "In", &["a"], false),
            ("zone", "NotIn", &["b"], true),
            ("zone", "NotIn", &["a"], false),
            ("none", "NotIn", &["a"], true),
            ("empty", "Exists", &[], true),
            ("none", "Exists", &[], false),
            ("empty", "DoesNotExist", &[], false),
            ("none", "DoesNotExist", &[], true),
            ("cores", "Gt", &["15"], true),
            ("cores", "Gt", &["16"], false),
            ("cores", "Lt", &["17"], true),
            ("cores", "Lt", &["16"], false),
            ("zone", "Gt", &["1"], false),
            ("none", "Lt", &["1"], false),
            // Neither is taken by the API server.
            ("zone", "Near", &["a"], true),
            ("cores", "Gt", &["many"], true),
        ] {
            let term = NodeTerm {
                labels: vec![(key.to_owned(), Demand::of(operator, &values(asked)))],
                name: Vec::new(),
            };
            assert_eq!(term.fits("node-0", &labels), expected, "{key} {operator} {asked:?}");
        }
        let named = |demand: Demand| NodeTerm {
            labels: Vec::new(),
            name: vec![demand],
        };
        assert!(named(Demand::In(values(&["node-0"]))).fits("node-0", &labels));
        assert!(!named(Demand::NotIn(values(&["node-0"]))).fits("node-0", &labels));
        assert!(
            !NodeTerm::default().fits("node-0", &labels),
            "an empty term fits nothing"
        );
        let both = NodeTerm {
            labels: vec![("zone".to_owned(), Demand::Exists)],
            name: vec![Demand::In(values(&["node-1"]))],
        };
        assert!(!both.fits("node-0", &labels) && both.fits("node-1", &labels));
    }
}

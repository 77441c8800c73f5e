//! Room on nodes: what they can take, and what a rolling update asks of them.

use super::{affinity::NodeTerm, apart::Apart};
use std::{collections::BTreeMap, fmt};

/// Requests of a pod, or what a node has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a CPU.
    pub milli_cpu: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Pods.
    pub pods: u64,
}

impl Resources {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            milli_cpu: self.milli_cpu.saturating_add(other.milli_cpu),
            memory: self.memory.saturating_add(other.memory),
            pods: self.pods.saturating_add(other.pods),
        }
    }

    /// What is left when another is taken; nothing where it is more.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            milli_cpu: self.milli_cpu.saturating_sub(other.milli_cpu),
            memory: self.memory.saturating_sub(other.memory),
            pods: self.pods.saturating_sub(other.pods),
        }
    }

    /// The greater of the two in each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            milli_cpu: self.milli_cpu.max(other.milli_cpu),
            memory: self.memory.max(other.memory),
            pods: self.pods.max(other.pods),
        }
    }

    /// Whether another fits into this.
    #[must_use]
    pub fn has_room_for(self, other: Self) -> bool {
        self.milli_cpu >= other.milli_cpu && self.memory >= other.memory && self.pods >= other.pods
    }

    /// Notes an amount of a resource by Kubernetes' name of it; others, and what is no quantity, are passed over.
    pub fn set(&mut self, name: &str, quantity: &str) {
        let Some(milli) = milli(quantity) else {
            return;
        };
        match name {
            "cpu" => self.milli_cpu = milli,
            "memory" => self.memory = milli / 1000,
            "pods" => self.pods = milli / 1000,
            _ => {}
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m CPU and {} MiB memory", self.milli_cpu, self.memory >> 20)
    }
}

/// Thousandths of a quantity as Kubernetes writes it, rounded up: `500m`, `2Gi`, `1.5`, `1e3`. `None` for what is none,
/// or less than nothing; what is beyond measure is as much as can be counted
/// (k8s.io/apimachinery, `pkg/api/resource/quantity.go`).
#[must_use]
pub fn milli(quantity: &str) -> Option<u64> {
    let at = quantity
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at_checked(at)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // Nine digits behind the point are as fine as quantities get.
    let fraction = fraction.get(..fraction.len().min(9))?;
    let nano = |digits: &str| format!("{digits:0<9}").parse::<u128>().ok();
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let nano = whole.checked_mul(1_000_000_000)?.checked_add(nano(fraction)?)?;
    let power = |base: u128, exponent: u32| base.checked_pow(exponent);
    let (times, by) = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (power(1000, 2)?, 1),
        "G" => (power(1000, 3)?, 1),
        "T" => (power(1000, 4)?, 1),
        "P" => (power(1000, 5)?, 1),
        "E" => (power(1000, 6)?, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => {
            let exponent: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let scale = power(10, exponent.unsigned_abs().min(30))?;
            if exponent < 0 { (1, scale) } else { (scale, 1) }
        }
    };
    let milli = nano.saturating_mul(times).div_ceil(by).div_ceil(1_000_000);
    Some(u64::try_from(milli).unwrap_or(u64::MAX))
}

/// A taint that keeps pods away, and how one tolerates it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// `NoSchedule` or `NoExecute`.
    pub effect: String,
}

/// What a pod tolerates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toleration {
    /// Key; empty for every key.
    pub key: String,
    /// Value; `None` where any will do.
    pub value: Option<String>,
    /// Effect; empty for every effect.
    pub effect: String,
}

impl Toleration {
    fn covers(&self, taint: &Taint) -> bool {
        (self.key.is_empty() || self.key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
            && (self.effect.is_empty() || self.effect == taint.effect)
    }
}

/// A node that is ready and takes pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRoom {
    /// Its name.
    pub name: String,
    /// What its pods have left of what it can allocate.
    pub free: Resources,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints that keep pods away.
    pub taints: Vec<Taint>,
}

/// How a Deployment is updated, and what one of its pods asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surge {
    /// Requests of one pod.
    pub pod: Resources,
    /// Labels that a node must have.
    pub selector: BTreeMap<String, String>,
    /// Required node affinity: terms of which a node must fit one; `None` where there is none.
    pub affinity: Option<Vec<NodeTerm>>,
    /// Required pod anti-affinity.
    pub apart: Vec<Apart>,
    /// What it tolerates.
    pub tolerations: Vec<Toleration>,
    /// Whether the update adds a pod before it removes one; otherwise it makes its own room.
    pub adds_first: bool,
}

impl Surge {
    /// Whether a node has room for one more pod and allows it, as far as it does not depend on other pods.
    #[must_use]
    pub fn fits(&self, node: &NodeRoom) -> bool {
        node.free.has_room_for(Resources { pods: 1, ..self.pod }) && self.may_run_on(node)
    }

    /// Whether selector, required node affinity and taints allow a node.
    #[must_use]
    pub fn may_run_on(&self, node: &NodeRoom) -> bool {
        let selected = self
            .selector
            .iter()
            .all(|(key, value)| node.labels.get(key) == Some(value));
        let attracted = self
            .affinity
            .as_ref()
            .is_none_or(|terms| terms.iter().any(|term| term.fits(&node.name, &node.labels)));
        let tolerated = |taint: &Taint| self.tolerations.iter().any(|toleration| toleration.covers(taint));
        selected && attracted && node.taints.iter().all(tolerated)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::affinity::Demand, *};

    #[test]
    fn reads_quantities_as_kubernetes_does() {
        for (text, expected) in [
            ("500m", Some(500)),
            ("1", Some(1000)),
            ("1.5", Some(1500)),
            (".5", Some(500)),
            ("2Gi", Some(2 * 1024 * 1024 * 1024 * 1000)),
            ("1k", Some(1_000_000)),
            ("1e3", Some(1_000_000)),
            ("1E-3", Some(1)),
            ("1E", Some(u64::MAX)),
            ("100n", Some(1)),
            ("0", Some(0)),
            ("1e999999", Some(u64::MAX)),
            ("99999999999999999999999999999999999999999", None),
            ("", None),
            ("-1", None),
            ("Gi", None),
            ("1Xi", None),
            ("1.2.3", None),
        ] {
            assert_eq!(milli(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_pod_fits_where_nothing_keeps_it_away() {
        let surge = |spoil: fn(&mut Surge)| {
            let mut surge = Surge {
                pod: Resources {
                    milli_cpu: 500,
                    memory: 1 << 30,
                    pods: 0,
                },
                ..Surge::default()
            };
            spoil(&mut surge);
            surge
        };
        let node = |spoil: fn(&mut NodeRoom)| {
            let mut node = NodeRoom {
                free: Resources {
                    milli_cpu: 500,
                    memory: 1 << 30,
                    pods: 1,
                },
                labels: [("disk".to_owned(), "fast".to_owned())].into(),
                ..NodeRoom::default()
            };
            spoil(&mut node);
            node
        };
        let taint: fn(&mut NodeRoom) = |node| {
            node.taints = vec![Taint {
                key: "gpu".to_owned(),
                value: "yes".to_owned(),
                effect: "NoSchedule".to_owned(),
            }];
        };
        let tolerates = |key: &'static str, value: Option<&'static str>, effect: &'static str| Toleration {
            key: key.to_owned(),
            value: value.map(str::to_owned),
            effect: effect.to_owned(),
        };
        assert!(surge(|_| {}).fits(&node(|_| {})));
        assert!(!surge(|_| {}).fits(&node(|node| node.free.milli_cpu = 499)));
        assert!(!surge(|_| {}).fits(&node(|node| node.free.memory -= 1)));
        assert!(!surge(|_| {}).fits(&node(|node| node.free.pods = 0)));
        assert!(!surge(|surge| drop(surge.selector.insert("disk".to_owned(), "slow".to_owned()))).fits(&node(|_| {})));
        assert!(surge(|surge| drop(surge.selector.insert("disk".to_owned(), "fast".to_owned()))).fits(&node(|_| {})));
        let zone = |zone: &str| NodeTerm {
            labels: vec![("zone".to_owned(), Demand::In(vec![zone.to_owned()]))],
            name: Vec::new(),
        };
        let in_zone_a: fn(&mut NodeRoom) = |node| drop(node.labels.insert("zone".to_owned(), "a".to_owned()));
        for (terms, expected) in [
            (vec![zone("a")], true),
            (vec![zone("b")], false),
            (vec![zone("b"), zone("a")], true),
            (Vec::new(), false),
        ] {
            let mut surge = surge(|_| {});
            surge.affinity = Some(terms.clone());
            assert_eq!(surge.fits(&node(in_zone_a)), expected, "{terms:?}");
        }
        for (toleration, expected) in [
            (None, false),
            (Some(tolerates("gpu", Some("yes"), "NoSchedule")), true),
            (Some(tolerates("gpu", Some("no"), "NoSchedule")), false),
            (Some(tolerates("gpu", None, "")), true),
            (Some(tolerates("", None, "NoExecute")), false),
            (Some(tolerates("", None, "")), true),
        ] {
            let mut surge = surge(|_| {});
            surge.tolerations.extend(toleration.clone());
            assert_eq!(surge.fits(&node(taint)), expected, "{toleration:?}");
        }
    }
}

//! Rules on the annotations of pods, looked at while the pods are counted.

use crate::finding::{Code, codes};

/// An annotation that a rule asks pods for.
#[derive(Clone, Copy, Debug)]
pub struct Annotation {
    /// The rule.
    pub code: Code,
    /// Its name.
    pub name: &'static str,
    /// What a finding says of it; never its value, which anybody may have written.
    pub detail: &'static str,
    /// Whether a value is one that the rule is about.
    matters: fn(&str) -> bool,
}

impl Annotation {
    /// Whether the rule is about an annotation of a pod.
    #[must_use]
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.name == name && (self.matters)(value)
    }
}

/// Annotations of pods that a release drops or reads otherwise.
pub const ANNOTATIONS: [Annotation; 5] = [
    Annotation {
        code: codes::EXCLUDED_DNS,
        name: "traffic.sidecar.istio.io/excludeOutboundPorts",
        detail: "53 of traffic.sidecar.istio.io/excludeOutboundPorts",
        matters: has_dns_port,
    },
    Annotation {
        code: codes::EXCLUDED_DNS,
        name: "traffic.sidecar.istio.io/excludeOutboundIPRanges",
        detail: "traffic.sidecar.istio.io/excludeOutboundIPRanges",
        matters: has_ranges,
    },
    Annotation {
        code: codes::CORE_DUMP_ANNOTATION,
        name: "sidecar.istio.io/enableCoreDump",
        detail: "sidecar.istio.io/enableCoreDump",
        matters: whatever,
    },
    Annotation {
        code: codes::STATS_COMPRESSION,
        name: "sidecar.istio.io/statsCompression",
        detail: "sidecar.istio.io/statsCompression",
        matters: whatever,
    },
    Annotation {
        code: codes::DNS_AUTO_ALLOCATE,
        name: "proxy.istio.io/config",
        detail: "ISTIO_META_DNS_AUTO_ALLOCATE of proxy.istio.io/config",
        matters: allocates,
    },
];

fn whatever(_: &str) -> bool {
    true
}

fn has_dns_port(ports: &str) -> bool {
    ports.split(',').any(|port| port.trim() == "53")
}

/// Whether there are ranges: in which of them name servers are is not known.
fn has_ranges(ranges: &str) -> bool {
    ranges.split(',').any(|range| !range.trim().is_empty())
}

fn allocates(configuration: &str) -> bool {
    configuration.contains("ISTIO_META_DNS_AUTO_ALLOCATE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_hit_by_what_it_says() {
        const PORTS: &str = "traffic.sidecar.istio.io/excludeOutboundPorts";
        const RANGES: &str = "traffic.sidecar.istio.io/excludeOutboundIPRanges";
        for (name, value, expected) in [
            (PORTS, "53", Some("MU707")),
            (PORTS, "3306, 53", Some("MU707")),
            (PORTS, "3306,5353", None),
            (PORTS, "", None),
            (RANGES, "10.0.0.10/32", Some("MU707")),
            (RANGES, "", None),
            ("sidecar.istio.io/enableCoreDump", "true", Some("MU711")),
            ("sidecar.istio.io/enableCoreDump", "false", Some("MU711")),
            ("sidecar.istio.io/statsCompression", "false", Some("MU720")),
            ("sidecar.istio.io/statsInclusionPrefixes", "x", None),
            (
                "proxy.istio.io/config",
                "proxyMetadata:\n  ISTIO_META_DNS_CAPTURE: \"true\"\n  ISTIO_META_DNS_AUTO_ALLOCATE: \"true\"\n",
                Some("MU715"),
            ),
            ("proxy.istio.io/config", "holdApplicationUntilProxyStarts: true", None),
        ] {
            let found = ANNOTATIONS.iter().find(|known| known.is(name, value));
            assert_eq!(found.map(|known| known.code.id()), expected, "{name}: {value}");
        }
    }
}

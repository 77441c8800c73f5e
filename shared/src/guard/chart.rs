//! The guard as a Helm chart and as a kustomize base, made from the objects of `guard install`, so that whoever delivers
//! with those gets the same.
//!
//! The templates are the objects themselves, printed once for each way to install, with a few marks that are then
//! exchanged for the chart's values; an object that is not the same in every way stands under its condition.

use super::install::{Certificates, InstallOptions, objects};
use crate::names;
use serde_json::Value;
use std::collections::BTreeMap;

/// Name of the chart.
pub const CHART: &str = "mesh-upgrade-guard";

/// Marks for values. The numbers stand for nothing else in any object.
const IMAGE: &str = "MARK-OF-THE-IMAGE";
const PULL_SECRET: &str = "MARK-OF-THE-PULL-SECRET";
const REPLICAS: i32 = 987_001;
const PORT: u16 = 65_001;
const PRIORITY_CLASS: &str = "MARK-OF-THE-PRIORITY-CLASS";
const USER: u32 = 987_002;

/// A way to install: with the webhook making its certificates, without a webhook, or with cert-manager making them.
const WAYS: usize = 3;

/// The files of the chart by their path in it, without the CRDs, which it takes as they are.
#[must_use]
pub fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([
        ("Chart.yaml".to_owned(), description()),
        ("values.yaml".to_owned(), values()),
        ("templates/NOTES.txt".to_owned(), NOTES.to_owned()),
    ]);
    for (file, objects) in templates() {
        let documents: Vec<String> = objects.iter().map(|(object, ways)| document(object, *ways)).collect();
        files.insert(
            format!("templates/{file}.yaml"),
            format!("{HEAD}{}", documents.concat()),
        );
    }
    files
}

const HEAD: &str = "# Made from the code; do not edit. See shared/tests/manifests.rs.\n";

/// The objects of all ways by the file they belong to, each with the ways in which it is just so.
fn templates() -> BTreeMap<&'static str, Vec<(Value, [bool; WAYS])>> {
    let marked = |policy_only: bool, certificates: Certificates| {
        objects(&InstallOptions {
            policy_only,
            certificates,
            image: IMAGE.to_owned(),
            image_pull_secrets: vec![PULL_SECRET.to_owned()],
            replicas: REPLICAS,
            api_server_ports: vec![PORT],
            priority_class: PRIORITY_CLASS.to_owned(),
            user: Some(USER),
            ..InstallOptions::default()
        })
    };
    let ways = [
        marked(false, Certificates::Own),
        marked(true, Certificates::Own),
        marked(false, Certificates::CertManager),
    ];
    let mut templates: BTreeMap<&'static str, Vec<(Value, [bool; WAYS])>> = BTreeMap::new();
    for object in ways.iter().flatten() {
        let of_file = templates.entry(file_of(object)).or_default();
        if !of_file.iter().any(|(known, _)| known == object) {
            let found = std::array::from_fn(|way| ways.get(way).is_some_and(|objects| objects.contains(object)));
            of_file.push((object.clone(), found));
        }
    }
    templates
}

/// The file that an object of the guard belongs to, in the manifests and in the chart alike.
#[must_use]
pub fn file_of(object: &Value) -> &'static str {
    match object.get("kind").and_then(Value::as_str).unwrap_or_default() {
        "Namespace" => "namespace",
        "ServiceAccount" | "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => "rbac",
        "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding" => "own-objects-policy",
        "Certificate" | "Issuer" => "certificates",
        _ => "webhook",
    }
}

/// One document of a template.
fn document(object: &Value, ways: [bool; WAYS]) -> String {
    // Objects of ours are always written: they are made of maps, lists and texts.
    let text = serde_saphyr::to_string(object).unwrap_or_default();
    let text = text.replace("{{", "{{ \"{{\" }}");
    let text = text.replace(IMAGE, IMAGE_TEMPLATE);
    let text = text.replace(&REPLICAS.to_string(), "{{ .Values.replicas }}");
    let text = with_platform(&with_ports(&text));
    let condition = match object.get("kind").and_then(Value::as_str) {
        Some("Namespace") => Some(".Values.namespace.create"),
        // Nothing but a class of priority needs it.
        Some("ResourceQuota") => Some("and .Values.priorityClassName (not .Values.policyOnly)"),
        _ => condition(ways),
    };
    match condition {
        None => format!("---\n{text}"),
        Some(condition) => format!("{{{{- if {condition} }}}}\n---\n{text}{{{{- end }}}}\n"),
    }
}

const IMAGE_TEMPLATE: &str = "\"{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ \
                              .Values.image.tag | default .Chart.AppVersion }}{{ end }}\"";

/// The list with the one marked port becomes a list of the values' ports.
fn with_ports(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text.lines();
    while let Some(line) = rest.next() {
        let marked = line.trim_start() == format!("- port: {PORT}");
        let Some(protocol) = marked.then(|| rest.next()).flatten() else {
            lines.push(line.to_owned());
            continue;
        };
        lines.push("{{- range .Values.apiServerPorts }}".to_owned());
        lines.push(line.replace(&PORT.to_string(), "{{ . }}"));
        lines.push(protocol.to_owned());
        lines.push("{{- end }}".to_owned());
    }
    lines.join("\n") + "\n"
}

/// What platforms and registries differ in: the class of priority, and the secrets to pull by, which are left out when they are
/// empty, and the pods' users, of which nothing is said unless the values do.
fn with_platform(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if line.ends_with(&format!(": {PRIORITY_CLASS}")) {
            lines.push("{{- with .Values.priorityClassName }}".to_owned());
            lines.push(line.replace(PRIORITY_CLASS, "{{ . }}"));
            lines.push("{{- end }}".to_owned());
        } else if line.trim_start() == "imagePullSecrets:" {
            lines.push("{{- with .Values.imagePullSecrets }}".to_owned());
            lines.push(line.to_owned());
        } else if line.trim_start() == format!("- name: {PULL_SECRET}") {
            lines.push(format!("{{{{- toYaml . | nindent {indent} }}}}"));
            lines.push("{{- end }}".to_owned());
        } else if line.trim_start() == format!("fsGroup: {USER}") {
            lines.push("{{- with .Values.podSecurityContext }}".to_owned());
            lines.push(format!("{{{{- toYaml . | nindent {indent} }}}}"));
            lines.push("{{- end }}".to_owned());
        } else if !line.ends_with(&format!(": {USER}")) {
            lines.push(line.replace(PRIORITY_CLASS, "{{ .Values.priorityClassName }}"));
        }
    }
    lines.join("\n") + "\n"
}

/// What of the values makes these ways, and no others.
fn condition(ways: [bool; WAYS]) -> Option<&'static str> {
    Some(match ways {
        [true, true, true] | [false, false, false] => return None,
        [true, false, true] => "not .Values.policyOnly",
        [true, false, false] => "not (or .Values.policyOnly .Values.certManager)",
        [false, false, true] => "and .Values.certManager (not .Values.policyOnly)",
        [false, true, false] => ".Values.policyOnly",
        [true, true, false] => "or .Values.policyOnly (not .Values.certManager)",
        [false, true, true] => "or .Values.policyOnly .Values.certManager",
    })
}

fn description() -> String {
    let version = names::VERSION;
    format!(
        "{HEAD}apiVersion: v2\n\
         name: {CHART}\n\
         description: \"Guard of kubectl mesh-upgrade: admission policies and webhook that freeze an Istio mesh while it is upgraded\"\n\
         type: application\n\
         version: {version}\n\
         appVersion: \"{version}\"\n\
         kubeVersion: \">=1.30.0-0\"\n\
         home: https://github.com/kubectl-mesh-upgrade/kubectl-mesh-upgrade\n"
    )
}

fn values() -> String {
    let defaults = InstallOptions::default();
    let repository = defaults
        .image
        .rsplit_once(':')
        .map_or(defaults.image.as_str(), |(name, _)| name);
    let ports: Vec<String> = defaults.api_server_ports.iter().map(ToString::to_string).collect();
    format!(
        "{HEAD}\
         # Only the policies: no pod and no image in the cluster.\n\
         policyOnly: false\n\
         # cert-manager makes the webhook's certificates; otherwise the webhook makes and renews them itself.\n\
         certManager: false\n\
         image:\n  \
           # A registry of your own, where the cluster reaches no other.\n  \
           repository: {repository}\n  \
           # The chart's version when empty.\n  \
           tag: \"\"\n  \
           # Wins over the tag, as sha256:…\n  \
           digest: \"\"\n\
         # Secrets in the guard's namespace by which its nodes may pull that, as [{{name: mirror}}].\n\
         imagePullSecrets: []\n\
         # Pods of the webhook.\n\
         replicas: {}\n\
         # Ports at which the webhook's pods reach an API server.\n\
         apiServerPorts: [{}]\n\
         # Class of the pods' priority, with the ResourceQuota that GKE wants for it; none when empty.\n\
         priorityClassName: {}\n\
         # Added to the pods' security context, as runAsUser. Empty: the image's user, 65532, or what the platform gives.\n\
         podSecurityContext: {{}}\n\
         namespace:\n  \
           # The guard's own namespace, {}, with its labels; the release itself belongs into another one.\n  \
           create: true\n",
        defaults.replicas,
        ports.join(", "),
        defaults.priority_class,
        names::NAMESPACE,
    )
}

const NOTES: &str = "\
The guard of kubectl mesh-upgrade is installed. Prove it:

  kubectl mesh-upgrade guard status

Helm never changes CRDs after the first installation: after an upgrade of this chart, apply those of its folder crds.
The webhook is asked about Istio's helm releases under their usual names; kubectl mesh-upgrade apply adds what it finds.
";

/// The kustomization of the manifests, with their files in the order in which they are applied.
#[must_use]
pub fn kustomization(files: &[String]) -> String {
    let resources: Vec<String> = files.iter().map(|file| format!("- {file}\n")).collect();
    format!(
        "{HEAD}# The image is exchanged as in: images: [{{name: {}, newName: …, digest: sha256:…}}]\n\
         apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{}",
        InstallOptions::default()
            .image
            .rsplit_once(':')
            .map_or("", |(name, _)| name),
        resources.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mark_is_left_and_each_value_is_used() {
        let files = files();
        let all = files.iter().filter(|(name, _)| name.starts_with("templates/"));
        let all: String = all.map(|(_, text)| text.as_str()).collect();
        assert!(
            !all.contains("MARK-OF") && !all.contains("98700") && !all.contains("65001"),
            "{all}"
        );
        for value in [
            "policyOnly",
            "certManager",
            "image.repository",
            "image.tag",
            "image.digest",
            "replicas",
            "imagePullSecrets",
            "priorityClassName",
            "podSecurityContext",
        ] {
            assert!(all.contains(&format!(".Values.{value}")), "{value} is not used");
        }
        assert!(all.contains("range .Values.apiServerPorts"));
    }

    #[test]
    fn what_platforms_differ_in_is_left_out_where_the_values_are_empty() {
        let webhook = files().remove("templates/webhook.yaml").unwrap();
        let optional = "{{- with .Values.priorityClassName }}\n      priorityClassName: {{ . }}\n{{- end }}\n";
        assert!(webhook.contains(optional), "{webhook}");
        let added = "      securityContext:\n{{- with .Values.podSecurityContext }}\n{{- toYaml . | nindent 8 }}\n{{- end }}\n        \
                     runAsNonRoot: true\n";
        assert!(webhook.contains(added), "{webhook}");
        let secrets =
            "{{- with .Values.imagePullSecrets }}\n      imagePullSecrets:\n{{- toYaml . | nindent 6 }}\n{{- end }}\n";
        assert!(webhook.contains(secrets), "{webhook}");
        assert!(webhook.contains("{{- if and .Values.priorityClassName (not .Values.policyOnly) }}\n---\n"));
    }

    #[test]
    fn an_object_of_some_ways_stands_under_their_condition() {
        let webhook = files().remove("templates/webhook.yaml").unwrap();
        assert!(webhook.contains("{{- if not .Values.policyOnly }}\n---\n"), "{webhook}");
        let policy = files().remove("templates/own-objects-policy.yaml").unwrap();
        assert!(!policy.contains("{{- if"), "{policy}");
    }
}

//! What the control plane rests on: webhooks that lead somewhere and trust it, tags, certificates, evictions.

use super::Subject;
use crate::{
    catalog::Date,
    finding::{Finding, Report, Severity, codes},
    inventory::{CertificateRole, Surroundings, Webhook, WebhookTarget},
    mesh::ObservedMember,
};
use k8s_openapi::jiff::{ToSpan as _, tz::TimeZone};
use std::collections::BTreeSet;

/// A certificate that ends within this many days is told.
const WARN_DAYS: i64 = 30;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        let Some(around) = &member.observed.surroundings else {
            continue;
        };
        for webhook in &around.webhooks {
            leads(member, webhook, report);
            trusts(member, around, webhook, report);
        }
        tags(member, around, report);
        certificates(member, around, subject.today, report);
        budgets(member, around, report);
    }
}

fn object(webhook: &Webhook) -> String {
    format!("{}, webhook {}", webhook.configuration, webhook.name)
}

fn leads(member: &ObservedMember<'_>, webhook: &Webhook, report: &mut Report) {
    let WebhookTarget::Missing(service) = &webhook.target else {
        let summary = format!("{} leads somewhere", object(webhook));
        return report.pass(codes::WEBHOOK_LEADS_NOWHERE, Some(member.name()), summary);
    };
    let (effect, severity) = if webhook.fails_closed {
        ("everything that it is asked about is refused", Severity::Blocker)
    } else {
        ("everything that it is asked about passes unseen", Severity::Warning)
    };
    report.find(
        Finding::new(
            codes::WEBHOOK_LEADS_NOWHERE,
            format!("its Service {service} is not there: {effect}"),
            "delete the configuration if its control plane is gone, otherwise bring the Service back",
        )
        .in_cluster(member.name())
        .about(object(webhook))
        .weighing(severity),
    );
}

fn trusts(member: &ObservedMember<'_>, around: &Surroundings, webhook: &Webhook, report: &mut Report) {
    let mut roots = around
        .certificates
        .iter()
        .filter(|certificate| certificate.role == CertificateRole::Root)
        .peekable();
    if roots.peek().is_none() || matches!(webhook.target, WebhookTarget::Missing(_)) {
        return;
    }
    let cause = if webhook.ca.is_empty() {
        // Behind a URL may stand a certificate that the API server trusts anyway.
        if webhook.target == WebhookTarget::Url {
            return;
        }
        "it has no caBundle"
    } else if roots.any(|root| webhook.ca.contains(&root.fingerprint)) {
        let summary = format!("{} trusts the mesh's root", object(webhook));
        return report.pass(codes::WEBHOOK_CA_WRONG, Some(member.name()), summary);
    } else {
        "its caBundle is not the root in the ConfigMap istio-ca-root-cert"
    };
    report.find(
        Finding::new(
            codes::WEBHOOK_CA_WRONG,
            cause,
            "see in istiod's log why it does not patch the webhook; somebody else may own the field caBundle",
        )
        .in_cluster(member.name())
        .about(object(webhook)),
    );
}

fn tags(member: &ObservedMember<'_>, around: &Surroundings, report: &mut Report) {
    let planes = member.observed.control_planes.iter();
    let revisions: BTreeSet<&str> = planes.map(|plane| plane.revision.as_str()).collect();
    if revisions.is_empty() {
        return;
    }
    let shown = revisions.iter().copied().collect::<Vec<_>>().join(", ");
    let mut told = BTreeSet::new();
    let mut tags = BTreeSet::new();
    for webhook in &around.webhooks {
        let (Some(tag), Some(revision)) = (&webhook.tag, &webhook.revision) else {
            continue;
        };
        tags.insert(tag.as_str());
        if !revisions.contains(revision.as_str()) && told.insert(tag) {
            report.find(
                Finding::new(
                    codes::TAG_LEADS_NOWHERE,
                    format!("the tag {tag} points to the revision {revision}, which is not there; there are {shown}"),
                    format!("istioctl tag set {tag} --revision REVISION --overwrite, or istioctl tag remove {tag}"),
                )
                .in_cluster(member.name())
                .about(webhook.configuration.clone()),
            );
        }
    }
    for asking in &around.namespaces {
        let revision = asking.revision.as_str();
        if !revisions.contains(revision) && !tags.contains(revision) {
            report.find(
                Finding::new(
                    codes::REVISION_OF_NOBODY,
                    format!("it asks for the revision {revision}, which is not there; there are {shown}"),
                    format!(
                        "kubectl label namespace {} istio.io/rev=REVISION --overwrite",
                        asking.namespace
                    ),
                )
                .in_cluster(member.name())
                .about(format!("Namespace {}", asking.namespace)),
            );
        }
    }
}

fn certificates(member: &ObservedMember<'_>, around: &Surroundings, today: Date, report: &mut Report) {
    let mut told = BTreeSet::new();
    for certificate in &around.certificates {
        let last = certificate.not_after.to_zoned(TimeZone::UTC).date();
        let soon = today.checked_add(WARN_DAYS.days()).unwrap_or(Date::MAX);
        if last > soon {
            let summary = format!("{} holds until {last}", certificate.place);
            report.pass(codes::CERTIFICATE_EXPIRES, Some(member.name()), summary);
            continue;
        }
        // The same certificate stands in several places.
        if !told.insert(&certificate.fingerprint) {
            continue;
        }
        let what = match certificate.role {
            CertificateRole::Root => "the mesh's root",
            CertificateRole::Issuer => "the issuer of the workloads' certificates",
            CertificateRole::WebhookCa => "what the API server trusts this webhook by",
        };
        let (cause, severity) = if last < today {
            (format!("{what} expired on {last}"), Severity::Blocker)
        } else {
            (format!("{what} expires on {last}"), Severity::Warning)
        };
        report.find(
            Finding::new(codes::CERTIFICATE_EXPIRES, cause, codes::CERTIFICATE_EXPIRES.fix())
                .in_cluster(member.name())
                .about(certificate.place.clone())
                .weighing(severity),
        );
    }
}

fn budgets(member: &ObservedMember<'_>, around: &Surroundings, report: &mut Report) {
    let namespaces: BTreeSet<&str> = member
        .control_planes()
        .map(|plane| plane.workload.namespace.as_str())
        .collect();
    for budget in &around.budgets {
        if !namespaces.contains(budget.namespace.as_str()) || budget.expected == 0 {
            continue;
        }
        let object = format!("PodDisruptionBudget {}/{}", budget.namespace, budget.name);
        if budget.allowed > 0 {
            let summary = format!("{object} allows {} of {} evictions", budget.allowed, budget.expected);
            report.pass(codes::NO_DISRUPTION_ALLOWED, Some(member.name()), summary);
            continue;
        }
        report.find(
            Finding::new(
                codes::NO_DISRUPTION_ALLOWED,
                format!(
                    "none of the {} pods that it covers may be evicted: draining a node waits for ever",
                    budget.expected
                ),
                "set autoscaleMin (or replicaCount, without autoscaling) to 2 in the istiod chart's values",
            )
            .in_cluster(member.name())
            .about(object),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        finding::Severity,
        inventory::{Budget, Certificate, CertificateRole, NamespaceRevision, WebhookTarget, sample},
        preflight::tests::{check, found, ids},
    };

    fn certificate(role: CertificateRole, fingerprint: &str, until: &str) -> Certificate {
        Certificate {
            place: format!("Secret istio-system/cacerts, {fingerprint}"),
            role,
            fingerprint: fingerprint.to_owned(),
            not_after: format!("{until}T12:00:00Z").parse().unwrap(),
        }
    }

    #[test]
    fn a_webhook_without_its_service_blocks_where_it_fails_closed() {
        for (target, closed, expected) in [
            (WebhookTarget::Url, true, None),
            (WebhookTarget::Service("istio-system/istiod".to_owned()), true, None),
            (
                WebhookTarget::Missing("istio-system/istiod-old".to_owned()),
                true,
                Some(Severity::Blocker),
            ),
            (
                WebhookTarget::Missing("istio-system/istiod-old".to_owned()),
                false,
                Some(Severity::Warning),
            ),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let webhook = &mut inventory.around(0).webhooks[0];
            webhook.target = target;
            webhook.fails_closed = closed;
            let report = check(&inventory, "1.31.0");
            let severity = report
                .findings
                .iter()
                .find(|one| one.code.id() == "MU309")
                .map(|one| one.severity);
            assert_eq!(severity, expected);
        }
    }

    #[test]
    fn a_webhook_trusts_the_meshs_root() {
        for (ca, target, expected) in [
            (&["root"][..], WebhookTarget::Url, false),
            (&["other", "root"], WebhookTarget::Url, false),
            (&["other"], WebhookTarget::Url, true),
            (&[], WebhookTarget::Url, false),
            (&[], WebhookTarget::Service("a/b".to_owned()), true),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let around = inventory.around(0);
            around.certificates = vec![certificate(CertificateRole::Root, "root", "2036-01-01")];
            around.webhooks[0].ca = ca.iter().map(|one| (*one).to_owned()).collect();
            around.webhooks[0].target = target;
            assert_eq!(ids(&check(&inventory, "1.31.0")).contains(&"MU310"), expected, "{ca:?}");
        }
    }

    #[test]
    fn tags_and_namespaces_lead_to_revisions() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let around = inventory.around(0);
        for (tag, revision) in [("prod", "default"), ("canary", "1-29")] {
            let mut webhook = sample::webhook(&format!("istio-revision-tag-{tag}"));
            webhook.tag = Some(tag.to_owned());
            webhook.revision = Some(revision.to_owned());
            around.webhooks.push(webhook.clone());
            around.webhooks.push(webhook);
        }
        for revision in ["default", "prod", "canary", "1-28"] {
            around.namespaces.push(NamespaceRevision {
                namespace: format!("ns-{revision}"),
                revision: revision.to_owned(),
            });
        }
        let report = check(&inventory, "1.31.0");
        assert!(
            found(&report, "MU308")
                .cause
                .contains("the tag canary points to the revision 1-29")
        );
        assert_eq!(found(&report, "MU312").object.as_deref(), Some("Namespace ns-1-28"));
    }

    #[test]
    fn certificates_are_told_a_month_before() {
        for (until, expected) in [
            ("2036-01-01", None),
            ("2026-12-25", None),
            ("2026-12-24", Some(Severity::Warning)),
            ("2026-11-24", Some(Severity::Warning)),
            ("2026-11-23", Some(Severity::Blocker)),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let twice = certificate(CertificateRole::Issuer, "one", until);
            inventory.around(0).certificates = vec![twice.clone(), twice];
            let report = check(&inventory, "1.31.0");
            let severity = report
                .findings
                .iter()
                .find(|one| one.code.id() == "MU311")
                .map(|one| one.severity);
            assert_eq!(severity, expected, "{until}");
            assert!(report.findings.len() <= 1);
        }
    }

    #[test]
    fn a_budget_has_to_leave_one_over() {
        for (allowed, expected_pods, namespace, expected) in [
            (1, 2, "istio-system", false),
            (0, 1, "istio-system", true),
            (0, 0, "istio-system", false),
            (0, 1, "other", false),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.around(0).budgets = vec![Budget {
                namespace: namespace.to_owned(),
                name: "istiod".to_owned(),
                allowed,
                expected: expected_pods,
            }];
            assert_eq!(ids(&check(&inventory, "1.31.0")).contains(&"MU307"), expected);
        }
    }
}

//! What the control plane rests on: webhooks that lead somewhere and trust it, tags, certificates, evictions.

use super::Subject;
use crate::{
    catalog::Date,
    finding::{Finding, Report, Severity, codes},
    inventory::{Certificate, CertificateRole, Surroundings, Webhook, WebhookTarget},
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
    if member.observed.control_planes.is_empty() {
        return;
    }
    let revisions = member.revisions();
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

/// Last day on which a certificate holds.
fn last_day(certificate: &Certificate) -> Date {
    certificate.not_after.to_zoned(TimeZone::UTC).date()
}

/// Whether another certificate in the same bundle still holds: one that is trusted is enough, one that signs is not.
fn has_follower(around: &Surroundings, certificate: &Certificate, today: Date) -> bool {
    let mut others = around.certificates.iter();
    certificate.role != CertificateRole::Issuer
        && others.any(|other| other.place == certificate.place && last_day(other) >= today)
}

/// Namespace that a certificate stands in; those of webhooks stand in none.
fn namespace(certificate: &Certificate) -> Option<&str> {
    let (_, name) = certificate.place.split_once(' ')?;
    Some(name.split_once('/')?.0)
}

/// Whether what istiod signs with is signed by this root, and by no other of its bundle that holds: a new istiod verifies
/// that when it starts (istio/istio, `security/pkg/pki/util/keycertbundle.go`), and does not go on.
fn is_needed(around: &Surroundings, root: &Certificate, today: Date) -> bool {
    let here = namespace(root);
    let mut issuers = around.certificates.iter().filter(|one| {
        let is_beside = here.is_none() || namespace(one) == here;
        one.role == CertificateRole::Issuer && is_beside && one.issuer.may_be(&root.subject)
    });
    let holds = |issuer: &Certificate| {
        let mut others = around.certificates.iter();
        others.any(|one| one.place == root.place && last_day(one) >= today && issuer.issuer.may_be(&one.subject))
    };
    issuers.any(|issuer| !holds(issuer))
}

fn certificates(member: &ObservedMember<'_>, around: &Surroundings, today: Date, report: &mut Report) {
    let mut told = BTreeSet::new();
    for certificate in &around.certificates {
        let last = last_day(certificate);
        let soon = today.checked_add(WARN_DAYS.days()).unwrap_or(Date::MAX);
        if last > soon {
            let summary = format!("{} holds until {last}", certificate.place);
            report.pass(codes::CERTIFICATE_EXPIRES, Some(member.name()), summary);
            continue;
        }
        let has_follower = last < today && has_follower(around, certificate, today);
        let is_needed = has_follower && is_needed(around, certificate, today);
        let is_former = has_follower && !is_needed;
        // The same certificate stands in several places.
        if !told.insert((&certificate.fingerprint, is_former)) {
            continue;
        }
        let what = match certificate.role {
            CertificateRole::Root => "the mesh's root",
            CertificateRole::Issuer => "the issuer of the workloads' certificates",
            CertificateRole::WebhookCa => "what the API server trusts this webhook by",
        };
        let renew = codes::CERTIFICATE_EXPIRES.fix();
        let (cause, fix, severity) = if is_former {
            (
                format!("{what} has a successor in the same bundle; this one expired on {last}"),
                "take it out of the bundle: nothing that it signed is trusted any more",
                Severity::Warning,
            )
        } else if is_needed {
            (
                format!(
                    "{what} has a successor in the same bundle, but signed what istiod signs with, and expired on {last}: a \
                     new istiod does not start"
                ),
                "let the successor sign a new certificate for istiod to sign with, and put that into the Secret cacerts",
                Severity::Blocker,
            )
        } else if last < today {
            (format!("{what} expired on {last}"), renew, Severity::Blocker)
        } else {
            (format!("{what} expires on {last}"), renew, Severity::Warning)
        };
        report.find(
            Finding::new(codes::CERTIFICATE_EXPIRES, cause, fix)
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
#[path = "trust_tests.rs"]
mod tests;

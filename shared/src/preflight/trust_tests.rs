//! Webhooks, tags, certificates and budgets: each is told where it is in the way, and left alone where it is not.

use crate::{
    finding::{Finding, Severity},
    inventory::{Budget, Certificate, CertificateParty, CertificateRole, NamespaceRevision, WebhookTarget, sample},
    preflight::tests::{check, found, ids},
};

fn party(name: &str, key: Option<&str>) -> CertificateParty {
    CertificateParty {
        name: name.as_bytes().to_vec(),
        key: key.map(|key| key.as_bytes().to_vec()),
    }
}

fn certificate(role: CertificateRole, fingerprint: &str, until: &str) -> Certificate {
    Certificate {
        place: format!("Secret istio-system/cacerts, {fingerprint}"),
        role,
        fingerprint: fingerprint.to_owned(),
        subject: party(fingerprint, None),
        issuer: party(fingerprint, None),
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
fn a_revision_that_an_istiod_elsewhere_injects_is_there() {
    for (target, injects, expected) in [
        (WebhookTarget::Url, true, &["MU308"][..]),
        (
            WebhookTarget::Missing("istio-system/istiod".to_owned()),
            true,
            &["MU308", "MU308", "MU312"],
        ),
        (WebhookTarget::Url, false, &["MU308", "MU308", "MU312"]),
        (
            WebhookTarget::Elsewhere("istio-system/istiod".to_owned()),
            true,
            &["MU308"],
        ),
        // What kubectl delete deployment leaves.
        (
            WebhookTarget::Service("istio-system/istiod-asm-managed".to_owned()),
            true,
            &["MU308", "MU308", "MU312"],
        ),
    ] {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let around = inventory.around(0);
        let mut managed = sample::webhook("istiod-asm-managed");
        managed.revision = Some("asm-managed".to_owned());
        managed.target = target.clone();
        managed.injects = managed.injects.filter(|_| injects);
        around.webhooks.push(managed);
        for (tag, revision) in [("prod", "asm-managed"), ("old", "gone")] {
            let mut webhook = sample::webhook(&format!("istio-revision-tag-{tag}"));
            webhook.tag = Some(tag.to_owned());
            webhook.revision = Some(revision.to_owned());
            around.webhooks.push(webhook);
        }
        around.namespaces.push(NamespaceRevision {
            namespace: "shop".to_owned(),
            revision: "asm-managed".to_owned(),
        });
        let report = check(&inventory, "1.31.0");
        let told: Vec<&str> = ids(&report)
            .into_iter()
            .filter(|id| ["MU308", "MU312"].contains(id))
            .collect();
        assert_eq!(told, expected, "{target:?} {injects}");
    }
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
fn each_certificate_is_told_as_what_it_is_for() {
    const BUNDLE: &str = "ValidatingWebhookConfiguration istio-validator, webhook v";
    for (place, role, until, severity, part) in [
        (
            "Secret istio-system/cacerts, ca-cert.pem",
            CertificateRole::Issuer,
            "2026-12-01",
            Severity::Warning,
            "the issuer of the workloads' certificates expires on 2026-12-01",
        ),
        (
            "Secret istio-system/cacerts, cert-chain.pem",
            CertificateRole::Issuer,
            "2026-11-23",
            Severity::Blocker,
            "the issuer of the workloads' certificates expired on 2026-11-23",
        ),
        (
            BUNDLE,
            CertificateRole::WebhookCa,
            "2026-12-01",
            Severity::Warning,
            "what the API server trusts this webhook by expires on 2026-12-01",
        ),
        (
            BUNDLE,
            CertificateRole::WebhookCa,
            "2026-11-23",
            Severity::Blocker,
            "what the API server trusts this webhook by expired on 2026-11-23",
        ),
    ] {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let ends = Certificate {
            place: place.to_owned(),
            ..certificate(role, "one", until)
        };
        // Another place's does not stand in for it.
        inventory.around(0).certificates = vec![ends, certificate(role, "another", "2036-01-01")];
        let report = check(&inventory, "1.31.0");
        let finding = found(&report, "MU311");
        assert_eq!(
            (finding.severity, finding.cause.as_str(), finding.object.as_deref()),
            (severity, part, Some(place))
        );
    }
}

#[test]
fn an_expired_root_blocks_only_where_no_other_is_trusted_in_its_place() {
    for (role, others, expected) in [
        (CertificateRole::Root, &[][..], Severity::Blocker),
        (CertificateRole::Root, &[("here", "2036-01-01")], Severity::Warning),
        (CertificateRole::Root, &[("here", "2026-11-24")], Severity::Warning),
        (CertificateRole::Root, &[("here", "2026-01-02")], Severity::Blocker),
        (CertificateRole::Root, &[("there", "2036-01-01")], Severity::Blocker),
        (CertificateRole::WebhookCa, &[("here", "2036-01-01")], Severity::Warning),
        (CertificateRole::Issuer, &[("here", "2036-01-01")], Severity::Blocker),
    ] {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let mut all = vec![certificate(role, "former", "2026-01-01")];
        all.extend(others.iter().map(|(_, until)| certificate(role, "next", until)));
        all[0].place = "here".to_owned();
        for (one, (place, _)) in all.iter_mut().skip(1).zip(others) {
            one.place = (*place).to_owned();
        }
        inventory.around(0).certificates = all;
        let report = check(&inventory, "1.31.0");
        let former = |one: &&Finding| one.code.id() == "MU311" && one.cause.contains("2026-01-01");
        let finding = report.findings.iter().find(former).unwrap();
        assert_eq!(finding.severity, expected, "{role:?} beside {others:?}");
        let is_former = finding.severity == Severity::Warning;
        assert_eq!(finding.fix.contains("take it out"), is_former, "{}", finding.fix);
    }
}

#[test]
fn an_expired_root_blocks_beside_another_while_what_istiod_signs_with_is_signed_by_it() {
    let (former, next) = (party("root", Some("1")), party("root", Some("2")));
    let nameless = party("root", None);
    for (issuer, roots, namespace, expected) in [
        (
            &party("former", None),
            ["former", "next"].map(|name| party(name, None)),
            "istio-system",
            Severity::Blocker,
        ),
        (
            &party("next", None),
            ["former", "next"].map(|name| party(name, None)),
            "istio-system",
            Severity::Warning,
        ),
        // Another istiod's, which has other roots.
        (
            &party("former", None),
            ["former", "next"].map(|name| party(name, None)),
            "other",
            Severity::Warning,
        ),
        // Renewed under the same name.
        (
            &former,
            [former.clone(), next.clone()],
            "istio-system",
            Severity::Blocker,
        ),
        (&next, [former.clone(), next.clone()], "istio-system", Severity::Warning),
        (
            &nameless,
            [former.clone(), next.clone()],
            "istio-system",
            Severity::Warning,
        ),
        (
            &former,
            [nameless.clone(), nameless.clone()],
            "istio-system",
            Severity::Warning,
        ),
    ] {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let mut all = vec![
            certificate(CertificateRole::Issuer, "issuer", "2036-01-01"),
            certificate(CertificateRole::Root, "former", "2026-01-01"),
            certificate(CertificateRole::Root, "next", "2036-01-01"),
        ];
        all[0].issuer = issuer.clone();
        all[0].place = format!("Secret {namespace}/cacerts, ca-cert.pem");
        for (one, subject) in all.iter_mut().skip(1).zip(&roots) {
            one.subject = subject.clone();
            one.place = "ConfigMap istio-system/istio-ca-root-cert".to_owned();
        }
        inventory.around(0).certificates = all;
        let report = check(&inventory, "1.31.0");
        let finding = found(&report, "MU311");
        assert_eq!(finding.severity, expected, "{issuer:?} {roots:?} {namespace}");
        let is_needed = finding.cause.contains("a new istiod does not start");
        assert_eq!(is_needed, expected == Severity::Blocker, "{}", finding.cause);
    }
}

#[test]
fn an_expired_root_that_stands_alone_elsewhere_blocks_too() {
    let mut inventory = sample::one("1.30.3", "v1.36.3");
    let root = |place: &str, fingerprint: &str, until: &str| Certificate {
        place: place.to_owned(),
        ..certificate(CertificateRole::Root, fingerprint, until)
    };
    inventory.around(0).certificates = vec![
        root("bundle", "former", "2026-01-01"),
        root("bundle", "next", "2036-01-01"),
        root("alone", "former", "2026-01-01"),
    ];
    let report = check(&inventory, "1.31.0");
    let told = report.findings.iter().filter(|one| one.code.id() == "MU311");
    let told: Vec<_> = told.map(|one| (one.severity, one.object.as_deref())).collect();
    let expected = [(Severity::Blocker, Some("alone")), (Severity::Warning, Some("bundle"))];
    assert_eq!(told, expected);
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

//! What the settings of a mesh change in its freeze, and what they never change.

use super::*;
use crate::{api::FreezeMode, guard::freeze_policies};

const FLAGGER: &str = "system:serviceaccount:flagger-system:flagger";

fn with(settings: FreezeSettings) -> Facts {
    let mut facts = frozen();
    facts.freezes[0].spec.scope.configuration = settings;
    facts
}

fn warning() -> FreezeSettings {
    FreezeSettings {
        mode: FreezeMode::Warn,
        ..FreezeSettings::default()
    }
}

fn route(operation: &str) -> Ask {
    Ask::new(operation, "gateway.networking.k8s.io", "httproutes", "shop/cart")
}

/// The message of a warning; `None` for what passes without one.
fn warned(ask: &Ask, facts: &Facts) -> Option<String> {
    let body = ask.0.to_string();
    match decide(&review::parse(body.as_bytes()).unwrap(), facts, NOW) {
        Verdict::Warn(ruling) => {
            assert_eq!(Code::at_start_of(&ruling.message), Some(ruling.code));
            Some(ruling.message)
        }
        Verdict::Allow => None,
        Verdict::Deny(ruling) => panic!("refused: {}", ruling.message),
    }
}

#[test]
fn a_mesh_that_warns_refuses_all_but_configuration() {
    let facts = with(warning());
    for ask in [config("CREATE"), config("UPDATE"), config("DELETE")] {
        assert!(warned(&ask, &facts).unwrap().contains("should wait"), "{}", ask.0);
        assert_eq!(warned(&ask.driver("3"), &facts), None);
    }
    assert_eq!(warned(&config("UPDATE").same(), &facts), None);
    let frozen = Some(Code::MeshFrozen);
    check(
        &facts,
        frozen,
        vec![
            (
                "istiod",
                Ask::new("DELETE", "apps", "deployments", "istio-system/istiod"),
            ),
            ("helm", secret("CREATE", "istio-system/sh.helm.release.v1.istiod.v4")),
            (
                "a CRD",
                Ask::new(
                    "DELETE",
                    "apiextensions.k8s.io",
                    "customresourcedefinitions",
                    "gateways.networking.istio.io",
                ),
            ),
            (
                "the mesh configuration",
                Ask::new("UPDATE", "", "configmaps", "istio-system/istio"),
            ),
            ("its namespace", Ask::new("DELETE", "", "namespaces", "istio-system")),
            (
                "configuration that a release of the mesh brought",
                config("UPDATE").old_release("istio-system", "istiod"),
            ),
        ],
    );
}

#[test]
fn of_two_freezes_the_stricter_one_decides() {
    let mut facts = with(warning());
    facts.freezes.extend(frozen().freezes);
    check(
        &facts,
        Some(Code::MeshFrozen),
        vec![("configuration", config("CREATE"))],
    );
}

#[test]
fn named_namespaces_are_frozen_and_those_of_control_planes() {
    let facts = with(FreezeSettings {
        namespaces: vec!["shop".to_owned()],
        ..FreezeSettings::default()
    });
    let rule = |path: &str| Ask::new("CREATE", "networking.istio.io", "destinationrules", path);
    let frozen = Some(Code::MeshFrozen);
    check(
        &facts,
        frozen,
        vec![
            ("named", config("DELETE")),
            ("the root namespace", rule("istio-system/all")),
            ("a kind in no namespace", rule("all")),
            (
                "components elsewhere",
                Ask::new("DELETE", "apps", "deployments", "istio-ingress/gateway"),
            ),
        ],
    );
    check(&facts, None, vec![("not named", rule("team/all"))]);
    assert_eq!(warned(&rule("team/all"), &facts), None);
    assert!(warned(&Ask::new("DELETE", "", "namespaces", "shop"), &facts).is_some());
    assert_eq!(warned(&Ask::new("DELETE", "", "namespaces", "team"), &facts), None);
}

#[test]
fn the_gateway_api_is_frozen_where_the_mesh_says_so() {
    let definition = || {
        let name = "httproutes.gateway.networking.k8s.io";
        Ask::new("DELETE", "apiextensions.k8s.io", "customresourcedefinitions", name)
    };
    check(
        &frozen(),
        None,
        vec![("by default", route("CREATE")), ("its CRD, by default", definition())],
    );
    let facts = with(FreezeSettings {
        gateway_api: true,
        ..FreezeSettings::default()
    });
    let experimental = Ask::new("DELETE", "gateway.networking.x-k8s.io", "xlistenersets", "shop/more");
    check(
        &facts,
        Some(Code::MeshFrozen),
        vec![
            ("a route", route("CREATE")),
            ("a route of cert-manager's", route("DELETE").by("cert-manager")),
            ("an experimental kind", experimental),
            ("its CRD, and with it all routes", definition()),
        ],
    );
    check(
        &facts,
        None,
        vec![
            ("status", route("UPDATE").sub("status")),
            (
                "istiod's class",
                Ask::new("CREATE", "gateway.networking.k8s.io", "gatewayclasses", "istio").by(ISTIOD),
            ),
            ("the holder", route("CREATE").driver("3")),
        ],
    );
}

#[test]
fn extra_writers_write_configuration_and_nothing_else() {
    let facts = with(FreezeSettings {
        gateway_api: true,
        extra_writers: vec![FLAGGER.to_owned(), String::new()],
        ..FreezeSettings::default()
    });
    for ask in [config("CREATE"), config("UPDATE"), config("DELETE"), route("UPDATE")] {
        assert_eq!(ask.clone().by(FLAGGER).code(&facts), None);
        assert_eq!(ask.clone().by("flagger").code(&facts), Some(Code::MeshFrozen));
        assert_eq!(
            ask.by("").code(&facts),
            Some(Code::MeshFrozen),
            "nobody's name is on no list"
        );
    }
    check(
        &facts,
        Some(Code::MeshFrozen),
        vec![
            (
                "istiod",
                Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod").by(FLAGGER),
            ),
            (
                "mesh configuration",
                Ask::new("UPDATE", "", "configmaps", "istio-system/istio").by(FLAGGER),
            ),
        ],
    );
    check(
        &frozen(),
        Some(Code::MeshFrozen),
        vec![("by default", config("UPDATE").by(FLAGGER))],
    );
}

#[test]
fn what_a_system_account_deletes_is_told() {
    let told = "deleted all the same";
    for user in [COLLECTOR, NAMESPACES, MANAGER] {
        let message = warned(&config("DELETE").by(user), &frozen()).unwrap();
        assert!(message.contains(told), "{message}");
    }
    let application = Ask::new("DELETE", "", "namespaces", "shop");
    assert!(warned(&application, &frozen()).unwrap().contains(told));
    assert_eq!(warned(&application.driver("3"), &frozen()), None);
    // The autoscaler and the mirroring controller do their daily work.
    let scale = Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod").sub("scale");
    assert_eq!(warned(&scale.by(MANAGER), &frozen()), None);
    let slice = Ask::new("DELETE", "discovery.k8s.io", "endpointslices", "istio-system/x");
    let slice = slice.old_release("istio-system", "istiod");
    assert_eq!(warned(&slice.by(MANAGER), &frozen()), None);
}

/// Names of the policies of a freeze, and what their bindings do.
fn bindings(settings: FreezeSettings) -> Vec<(String, Vec<String>)> {
    let mut freeze = freeze();
    freeze.scope.configuration = settings;
    freeze_policies(&freeze)
        .into_iter()
        .map(|(policy, binding)| {
            assert_eq!(policy.metadata.name, binding.metadata.name);
            let actions = binding.spec.unwrap().validation_actions.unwrap();
            (policy.metadata.name.unwrap(), actions)
        })
        .collect()
}

#[test]
fn only_a_mesh_that_warns_has_a_policy_that_warns() {
    let refusing = ("mesh-freeze-default-3".to_owned(), vec!["Deny".to_owned()]);
    assert_eq!(bindings(FreezeSettings::default()), std::slice::from_ref(&refusing));
    let warning_one = (
        "mesh-freeze-default-3-warn".to_owned(),
        vec!["Warn".to_owned(), "Audit".to_owned()],
    );
    assert_eq!(bindings(warning()), [refusing, warning_one]);
}

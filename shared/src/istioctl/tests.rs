//! Tests of what is recovered of an installation, and of what would be lost.

use super::*;

fn object(namespace: &str, name: &str) -> ObjectName {
    ObjectName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn installed(component: &str, namespace: &str, name: &str, selector: &[(&str, &str)]) -> Installed {
    Installed {
        component: component.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        selector: selector
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        owner: None,
    }
}

#[test]
fn what_runs_is_what_is_asked_for_again_at_the_target() {
    let values = json!({
        "global": { "hub": "mirror/istio", "tag": "1.30.3-distroless" }, "revision": "blue",
        "meshConfig": { "accessLogFile": "/dev/stdout" },
    });
    let mut pilot = installed("Pilot", "istio-system", "istiod-blue", &[("istio", "pilot")]);
    pilot.owner = Some("shop".to_owned());
    let parts = [
        pilot,
        installed("Cni", "kube-system", "istio-cni-node", &[]),
        installed("IngressGateways", "edge", "web", &[("app", "web"), ("istio", "web")]),
    ];
    let recovered = recovered(&object("istio-system", "blue"), values, &parts, "1.30.3", "1.31.0");
    let expected = json!({
        "apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator",
        "metadata": { "namespace": "istio-system", "name": "shop" },
        "spec": {
            "profile": "empty",
            "components": {
                "base": { "enabled": true }, "pilot": { "enabled": true },
                "cni": { "enabled": true, "namespace": "kube-system" },
                "ingressGateways": [{
                    "name": "web", "namespace": "edge", "enabled": true, "label": { "app": "web", "istio": "web" },
                }],
            },
            "values": {
                "global": { "hub": "mirror/istio", "tag": "1.31.0-distroless" }, "revision": "blue",
                "meshConfig": { "accessLogFile": "/dev/stdout" },
            },
        },
    });
    assert_eq!(recovered, expected);
}

#[test]
fn a_mesh_that_is_half_there_gives_the_same_again() {
    let once = |tag: &str, owner: Option<&str>| {
        let mut pilot = installed("Pilot", "istio-system", "istiod", &[]);
        pilot.owner = owner.map(str::to_owned);
        let values = json!({ "global": { "tag": tag } });
        recovered(&object("istio-system", "default"), values, &[pilot], "1.30.3", "1.31.0")
    };
    assert_eq!(once("1.30.3", None), once("1.31.0", Some("unknown")));
}

#[test]
fn only_the_targets_own_istioctl_will_do() {
    let answer = |version: &str, tag: &str| json!({ "clientVersion": { "version": version, "tag": tag } }).to_string();
    for (answer, wanted, expected) in [
        (answer("1.31.0", "1.31.0"), "1.31.0", Ok(())),
        (answer("0123abc", "1.31.0-mspider"), "1.31.0-mspider", Ok(())),
        (
            answer("1.31.0", "1.31.0"),
            "1.31.0-mspider",
            Err("it is version \"1.31.0\""),
        ),
        (answer("1.30.3", "1.30.3"), "1.31.0", Err("it is version \"1.30.3\"")),
        ("{}".to_owned(), "1.31.0", Err("it tells no version")),
        ("no json".to_owned(), "1.31.0", Err("it tells no version")),
    ] {
        assert_eq!(
            is_of_version(&answer, wanted),
            expected.map_err(str::to_owned),
            "{answer}"
        );
    }
}

#[test]
fn what_would_be_taken_away_is_told_without_its_value() {
    let live = |container: Value, more: Value| {
        let mut spec = json!({ "template": { "metadata": { "labels": { "version": "1.0" } }, "spec": { "containers": [container] } } });
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        json!({ "metadata": { "annotations": { "a/b": "c" }, "labels": { "operator.istio.io/version": "1" } }, "spec": spec })
    };
    let plain = |image: &str| json!({ "name": "discovery", "image": image, "args": ["discovery"], "env": [{ "name": "A", "value": "1" }] });
    let after = live(plain("pilot:1.31.0"), json!({}));
    let with = |key: &str, value: Value| {
        let mut container = plain("pilot:1.30.3");
        container[key] = value;
        live(container, json!({}))
    };
    let env = json!([{ "name": "A", "value": "2" }, { "name": "TOKEN", "value": "hunter2" }]);
    let at = "spec.template.spec.containers[discovery]";
    for (live, expected) in [
        (live(plain("pilot:1.30.3"), json!({})), vec![]),
        (
            with("env", env),
            vec![format!("{at}.env[A].value"), format!("{at}.env[TOKEN]")],
        ),
        (
            with("resources", json!({ "requests": { "cpu": "9m" } })),
            vec![format!("{at}.resources")],
        ),
        (with("resources", json!({})), vec![]),
        (with("args", json!(["discovery", "--more"])), vec![format!("{at}.args")]),
        (
            live(plain("pilot:1.30.3"), json!({ "maxReplicas": 9 })),
            vec!["spec.maxReplicas".to_owned()],
        ),
    ] {
        assert_eq!(losses(&live, &after), expected, "{live}");
    }
    let mut annotated = live(plain("pilot:1.30.3"), json!({}));
    annotated["metadata"]["annotations"]["cloud/lb"] = json!("internal");
    assert_eq!(losses(&annotated, &after), ["metadata.annotations.cloud/lb"]);
}

#[test]
fn ports_and_mounts_are_told_apart_by_what_they_are() {
    let service = |ports: Value| json!({ "spec": { "ports": ports } });
    let named =
        json!([{ "port": 80, "name": "web", "targetPort": 8080 }, { "port": 443, "name": "tls", "targetPort": 8443 }]);
    let fewer = json!([{ "port": 443, "name": "tls", "targetPort": 8443 }]);
    assert_eq!(
        losses(&service(named.clone()), &service(fewer.clone())),
        ["spec.ports[web]"]
    );
    assert!(losses(&service(fewer), &service(named)).is_empty());
}

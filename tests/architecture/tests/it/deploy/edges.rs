use super::manifests::{Overlay, list, name_of, services, words};
use serde_json::Value;
use std::collections::BTreeSet;
use stoa_config::Config;
use stoa_policy::feeds;
use stoa_proto::METHODS;

/// `(from, to)`: the first may call the second.
type Edges = BTreeSet<(String, String)>;

/// Name of the service that owns an RPC: `/stoa.event_log.v1.EventLog/Query` is one of `event-log`.
fn owner(path: &str) -> String {
    path.split('.').nth(1).unwrap().replace('_', "-")
}

/// Programs of the owner that call services; not a process of the installation.
const CLIENT: &str = "client";

/// Who may call whom, as the contract and the list of feeds say. A service follows its own feed
/// inside its process, so that is no way through the network.
fn declared() -> Edges {
    let mut edges = Edges::new();
    for method in METHODS {
        for caller in method.callers {
            if owner(method.path) == "feed" {
                edges.extend(
                    feeds::followed_by(caller).map(|of| ((*caller).to_owned(), of.to_owned())),
                );
            } else {
                edges.insert(((*caller).to_owned(), owner(method.path)));
            }
        }
    }
    edges.retain(|(from, to)| from != to);
    edges
}

/// Names that a list of peers selects by label inside the namespace.
fn selected(peers: &Value) -> Vec<&str> {
    list(peers)
        .iter()
        .filter_map(|peer| peer.pointer("/podSelector/matchLabels"))
        .map(|labels| {
            if labels["stoa/client"] == "true" {
                return CLIENT;
            }
            assert_eq!(labels["app.kubernetes.io/part-of"], "stoa");
            labels["app.kubernetes.io/name"].as_str().unwrap()
        })
        .collect()
}

fn port(config: impl Fn(&Config) -> std::net::SocketAddr) -> Value {
    let port = config(&Config::default()).port();
    serde_json::json!([{ "port": port, "protocol": "TCP" }])
}

// contract: security S74 (policy compared with the edge list), S66 (edge list)
#[test]
fn processes_reach_each_other_exactly_where_the_contract_says_so() {
    let rpc = port(|c| c.rpc.listen);
    for overlay in Overlay::all() {
        let (mut taken, mut made) = (Edges::new(), Edges::new());
        for service in services() {
            let policy = overlay.object("NetworkPolicy", service);
            for rule in list(&policy["spec"]["ingress"]) {
                assert_eq!(rule["ports"], rpc);
                let callers = selected(&rule["from"]);
                taken.extend(
                    callers
                        .iter()
                        .map(|c| ((*c).to_owned(), service.to_owned())),
                );
            }
        }
        for process in super::manifests::PROCESSES {
            let policy = overlay.object("NetworkPolicy", process);
            let labels = &policy["spec"]["podSelector"]["matchLabels"];
            assert_eq!(labels["app.kubernetes.io/name"], process);
            assert_eq!(words(&policy["spec"]["policyTypes"]), ["Ingress", "Egress"]);
            for rule in list(&policy["spec"]["egress"]) {
                assert_eq!(rule["ports"], rpc);
                let called = selected(&rule["to"]);
                assert_eq!(called.len(), list(&rule["to"]).len());
                made.extend(called.iter().map(|c| (process.to_owned(), (*c).to_owned())));
            }
        }
        assert_eq!(taken, declared(), "{}: who is let in", overlay.name);
        let from_inside = declared().into_iter().filter(|(from, _)| from != CLIENT);
        assert_eq!(
            made,
            from_inside.collect(),
            "{}: who is let out",
            overlay.name
        );
    }
}

// contract: security S74 (default deny in both directions)
#[test]
fn everything_that_is_not_listed_is_refused_in_both_directions() {
    for overlay in Overlay::all() {
        let deny = &overlay.object("NetworkPolicy", "default-deny")["spec"];
        assert_eq!(deny["podSelector"], serde_json::json!({}));
        assert_eq!(words(&deny["policyTypes"]), ["Ingress", "Egress"]);
        assert!(deny.get("ingress").is_none() && deny.get("egress").is_none());
        let mut known = vec!["default-deny", "names", "metrics", "database"];
        known.extend(super::manifests::PROCESSES);
        if overlay.name == "dev" {
            known.push("postgres");
        }
        known.sort_unstable();
        assert_eq!(overlay.names("NetworkPolicy"), known, "{}", overlay.name);
    }
}

// contract: security S74 (only the gateway reachable from outside, metadata address for nobody)
#[test]
fn only_the_gateway_is_reachable_from_another_namespace_and_only_listed_things_outside() {
    let public = port(|c| c.http.listen);
    let management = port(|c| c.http.management);
    for overlay in Overlay::all() {
        for policy in overlay.of_kind("NetworkPolicy") {
            let name = name_of(policy);
            for rule in list(&policy["spec"]["ingress"]) {
                assert!(!list(&rule["from"]).is_empty(), "{name} lets everyone in");
                for from in list(&rule["from"]) {
                    assert!(from.get("ipBlock").is_none(), "{name}");
                    let Some(namespaces) = from.get("namespaceSelector") else {
                        continue;
                    };
                    let labels = &namespaces["matchLabels"];
                    match name {
                        "gateway" => {
                            assert_eq!(labels, &serde_json::json!({ "stoa/ingress": "true" }));
                            assert_eq!(rule["ports"], public);
                        }
                        "metrics" => {
                            assert_eq!(labels, &serde_json::json!({ "stoa/monitoring": "true" }));
                            assert_eq!(rule["ports"], management);
                        }
                        // Programs of the owner, with both labels.
                        _ => {
                            assert_eq!(labels, &serde_json::json!({ "stoa/clients": "true" }));
                            assert_eq!(from["podSelector"]["matchLabels"]["stoa/client"], "true");
                        }
                    }
                }
            }
            for rule in list(&policy["spec"]["egress"]) {
                assert!(!list(&rule["to"]).is_empty(), "{name} lets out to everyone");
                for to in list(&rule["to"]) {
                    let outside = to.get("ipBlock").is_some();
                    assert!(!outside || name == "database", "{name}");
                    if let Some(block) = to.pointer("/ipBlock/cidr") {
                        let (_, length) = block.as_str().unwrap().split_once('/').unwrap();
                        // So wide a block would hold the metadata address.
                        assert!(length.parse::<u8>().unwrap() >= 24, "{block}");
                    }
                }
            }
        }
        let ingresses = if overlay.name == "dev" { 0 } else { 1 };
        assert_eq!(overlay.of_kind("Ingress").count(), ingresses);
        for service in overlay.of_kind("Service") {
            assert!(
                ["ClusterIP", ""].contains(&service["spec"]["type"].as_str().unwrap_or_default()),
                "{} is open to the outside",
                name_of(service)
            );
        }
    }
}

#[test]
fn only_services_and_the_jobs_reach_the_database() {
    let mut expected: BTreeSet<&str> = services().collect();
    expected.extend(["migrate", "restore"]);
    let selected = |selector: &'static Value| -> BTreeSet<&str> {
        let expression = &selector["matchExpressions"][0];
        assert_eq!(expression["key"], "app.kubernetes.io/name");
        assert_eq!(expression["operator"], "In");
        words(&expression["values"]).into_iter().collect()
    };
    for overlay in Overlay::all() {
        let policy = overlay.object("NetworkPolicy", "database");
        assert_eq!(selected(&policy["spec"]["podSelector"]), expected);
    }
    let inside = Overlay::get("dev").object("NetworkPolicy", "postgres");
    let from = &inside["spec"]["ingress"][0]["from"][0]["podSelector"];
    assert_eq!(selected(from), expected);
    assert!(inside["spec"].get("egress").is_none());
}

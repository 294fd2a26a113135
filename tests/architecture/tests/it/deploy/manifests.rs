//! The objects of an overlay, as `kubectl apply -k` would send them.

use super::programs::{kustomize, root};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
pub(crate) use stoa_rpc::PROCESSES;

/// The overlays, by the names of their folders.
pub(crate) const OVERLAYS: [&str; 2] = ["dev", "production"];

/// The services among them: those with a database.
pub(crate) fn services() -> impl Iterator<Item = &'static str> {
    PROCESSES.into_iter().filter(|name| *name != "gateway")
}

/// Every object whose pods run the binary.
pub(crate) fn workloads() -> impl Iterator<Item = (&'static str, &'static str)> {
    let processes = PROCESSES.into_iter().map(|name| ("Deployment", name));
    processes.chain([
        ("StatefulSet", "ledger"),
        ("Job", "migrate"),
        ("CronJob", "restore"),
    ])
}

/// Everything that an overlay consists of.
pub(crate) struct Overlay {
    pub(crate) name: &'static str,
    pub(crate) yaml: String,
    objects: Vec<Value>,
}

static RENDERED: LazyLock<BTreeMap<&str, Overlay>> = LazyLock::new(|| {
    OVERLAYS
        .into_iter()
        .map(|name| {
            let folder = root().join("deploy/kubernetes/overlays").join(name);
            (name, Overlay::of(name, kustomize(&folder)))
        })
        .collect()
});

impl Overlay {
    pub(crate) fn of(name: &'static str, yaml: String) -> Self {
        let objects = serde_saphyr::from_multiple(&yaml).unwrap();
        Self {
            name,
            yaml,
            objects,
        }
    }

    pub(crate) fn get(name: &str) -> &'static Self {
        &RENDERED[name]
    }

    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        RENDERED.values()
    }

    /// All objects of a kind.
    pub(crate) fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |o| o["kind"] == kind)
    }

    /// The object of a kind and a name.
    pub(crate) fn object(&self, kind: &'static str, name: &str) -> &Value {
        self.of_kind(kind)
            .find(|o| name_of(o) == name)
            .unwrap_or_else(|| panic!("{}: there is no {kind} {name}", self.name))
    }

    /// The generated object of a kind whose name begins so; a hash of its content follows.
    pub(crate) fn generated(&self, kind: &'static str, name: &str) -> &Value {
        self.of_kind(kind)
            .find(|o| {
                name_of(o)
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('-') && rest.len() == 11)
            })
            .unwrap_or_else(|| panic!("{}: there is no {kind} {name}-<hash>", self.name))
    }

    /// Names of all objects of a kind, in order.
    pub(crate) fn names(&self, kind: &'static str) -> Vec<&str> {
        let mut names: Vec<_> = self.of_kind(kind).map(name_of).collect();
        names.sort_unstable();
        names
    }

    /// Every object with pods, with the template of its pods.
    pub(crate) fn pods(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.objects
            .iter()
            .filter_map(|object| Some((name_of(object), template_of(object)?)))
    }

    /// The pods of an object.
    pub(crate) fn pod(&self, kind: &'static str, name: &str) -> &Value {
        &template_of(self.object(kind, name)).unwrap()["spec"]
    }

    /// The one container of the pods of an object.
    pub(crate) fn container(&self, kind: &'static str, name: &str) -> &Value {
        let containers = &self.pod(kind, name)["containers"];
        assert_eq!(
            list(containers).len(),
            1,
            "{name} has more than one container"
        );
        &containers[0]
    }

    /// The shared configuration file.
    pub(crate) fn configuration(&self) -> &str {
        let map = self.generated("ConfigMap", "stoa-config");
        map["data"]["stoa.toml"].as_str().unwrap()
    }
}

/// The template of an object's pods; nothing for one that has none.
fn template_of(object: &Value) -> Option<&Value> {
    let template = object.pointer("/spec/template");
    template.or_else(|| object.pointer("/spec/jobTemplate/spec/template"))
}

/// The name of an object.
pub(crate) fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// The items of a list; none when there is no list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The words of a list.
pub(crate) fn words(value: &Value) -> Vec<&str> {
    list(value).iter().map(|v| v.as_str().unwrap()).collect()
}

/// The plain variables of a container.
pub(crate) fn environment(container: &Value) -> Vec<(&str, &str)> {
    list(&container["env"])
        .iter()
        .map(|variable| {
            let name = variable["name"].as_str().unwrap();
            let value = variable["value"].as_str();
            (
                name,
                value.unwrap_or_else(|| panic!("{name} is no plain value")),
            )
        })
        .collect()
}

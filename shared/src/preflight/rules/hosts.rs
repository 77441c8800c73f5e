//! Hosts that ServiceEntries of several namespaces declare, as far as other namespaces see them.

use super::{
    Object,
    objects::{self, SERVICE_ENTRIES},
};
use crate::{finding::codes, inventory::Hits};
use std::collections::BTreeMap;

/// Hosts that are remembered; enough for any mesh, and no more than some megabytes.
const MAX: usize = 50_000;

/// Namespaces that declare a host.
#[derive(Debug)]
struct Declared {
    /// The first.
    first: String,
    /// The first whose object says itself that it is exported, and does not leave that to the mesh.
    exported: Option<String>,
}

/// What is known of hosts while objects are listed.
#[derive(Debug, Default)]
pub(super) struct Hosts(BTreeMap<String, Declared>);

impl Hosts {
    /// Notes the hosts of a ServiceEntry, and tells which of them another namespace has as well.
    pub(super) fn look(&mut self, object: &Object<'_>, named: &str, hits: &mut Hits) {
        if object.definition != SERVICE_ENTRIES {
            return;
        }
        let is_exported = objects::is_exported(object);
        if is_exported == Some(false) {
            return;
        }
        let says_so = is_exported.is_some();
        let mut tell = |is_certain: bool, detail: String| {
            let code = codes::HOST_IN_SEVERAL_NAMESPACES;
            if is_certain {
                hits.add(code, named.to_owned(), detail);
            } else {
                hits.add_exported(code, named.to_owned(), detail);
            }
        };
        for host in objects::texts(object.spec.get("hosts")) {
            if let Some(other) = objects::namespace_of_service(host).filter(|other| *other != object.namespace) {
                // The Service may say in an annotation that it is exported.
                tell(says_so, format!("{host} has the form of a Service's name in {other}"));
            }
            let Some(known) = self.0.get_mut(host) else {
                if self.0.len() < MAX {
                    let first = object.namespace.to_owned();
                    let exported = says_so.then(|| first.clone());
                    self.0.insert(host.to_owned(), Declared { first, exported });
                }
                continue;
            };
            let of_another = |namespace: &&String| **namespace != object.namespace;
            let certain = known.exported.as_ref().filter(|_| says_so).filter(of_another);
            if let Some(other) = certain.or(Some(&known.first).filter(of_another)) {
                tell(certain.is_some(), format!("{host} is declared in {other} as well"));
            }
            if says_so && known.exported.is_none() {
                known.exported = Some(object.namespace.to_owned());
            }
        }
    }

    /// Adds what was noted elsewhere.
    pub(super) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

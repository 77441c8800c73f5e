//! The members of a mesh, connected to and not observed: for what concerns journals and freezes alone.

use super::{Asked, MembersError, Shared, enter_all, entries, named, refuse_none};
use crate::cluster::{
    client::{self, Cluster, ClusterFlags},
    kubeconfig::Kubeconfigs,
    observe::ObserveOptions,
};
use shared::members::{self, Member, Way};
use std::sync::Arc;

/// A member that was reached, or why it was not.
pub struct Reached {
    /// Its name.
    pub name: String,
    /// The cluster, connected to.
    pub cluster: Result<Cluster, String>,
}

/// Connects to the clusters of the contexts named (the current one if none is), and to all that they lead to, without
/// observing what runs there. The first that the operator named comes first.
///
/// # Errors
/// As [`observe_members`].
pub async fn reach_members(
    flags: &ClusterFlags,
    contexts: &[String],
    options: &ObserveOptions,
) -> Result<Vec<Reached>, MembersError> {
    let source = Kubeconfigs::read(flags.kubeconfig.as_deref())?;
    let mut named = named(&source, flags, contexts)?;
    let shared = Arc::new(Shared {
        limit: client::AT_ONCE,
        source,
        flags: flags.clone(),
        options: options.clone(),
        secrets: Vec::new(),
    });
    let mut entered = enter_all(&shared, &named).await;
    refuse_none(&mut entered)?;
    loop {
        let members = members::members(&entries(&named, &entered), &shared.source.known())?;
        let further: Vec<String> = members
            .iter()
            .filter_map(|member| match &member.way {
                Way::Context(context) if !named.contains(context) => Some(context.clone()),
                Way::Context(_) | Way::Secret(..) => None,
            })
            .collect();
        if further.is_empty() {
            let mut entered = entered.into_iter();
            return Ok(members
                .into_iter()
                .map(|member| reached(entered.next(), member))
                .collect());
        }
        entered.extend(enter_all(&shared, &further).await);
        named.extend(further);
    }
}

fn reached(entered: Option<Asked>, member: Member) -> Reached {
    let cluster = match entered {
        Some(Asked {
            cluster: Some(mut cluster),
            failure: None,
            ..
        }) => {
            cluster.name.clone_from(&member.name);
            Ok(cluster)
        }
        Some(Asked { failure: Some(why), .. }) => Err(why.to_string()),
        Some(_) => Err("it could not be connected to".to_owned()),
        None => Err(
            "only a Secret of Istio's leads there, with Istio's rights: name a context of yours that reaches it"
                .to_owned(),
        ),
    };
    Reached {
        name: member.name,
        cluster,
    }
}

//! Events that every replica may write: one name for all of them, so that the API server keeps one.

use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::PostParams};

/// Writes an Event; that another replica has said it, or this one before it was restarted, is fine.
pub(crate) async fn create(events: &Api<Event>, event: &Event) -> Result<(), kube::Error> {
    match events.create(&PostParams::default(), event).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error),
    }
}

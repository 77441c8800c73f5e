//! How the webhook's certificates are renewed without one failed call: what to do next, from what stands in the Secret
//! and in the webhook configuration.
//!
//! Each serving certificate has an authority of its own, whose key is thrown away once it has signed. So no key that
//! could sign another one is kept anywhere, and each renewal goes the whole way of a rotation: a way that is gone every
//! two months works; one that is gone every ten years does not. The way: the next pair is made and stored; its
//! authority is written beside the present one into the webhook configuration; when that has stood there long enough
//! for each API server to have read it, the next pair becomes the current one; and the authority of the former one
//! leaves the configuration when its certificate has expired, so that a replica that is behind, by however long, is
//! never called in vain.
//!
//! The Secret is the only truth. Any replica performs any step, by compare and set on what it has read, and whoever
//! loses reads again. For that to be safe the configuration is read before the Secret: a replica that is late then
//! never writes a narrower bundle than the Secret asks for, because the configuration has changed since.

use k8s_openapi::{
    api::admissionregistration::v1::{ValidatingWebhookConfiguration, WebhookClientConfig},
    jiff::{SignedDuration, Timestamp},
};
use std::collections::BTreeSet;

/// Former authorities that are kept. One is enough for renewals; each change of the webhook's address adds another, and
/// the Secret must not grow without bound where somebody changes it to and fro.
const MAX_PREVIOUS: usize = 16;

/// How long certificates last, and how long an authority is known before its certificate is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    lifetime: SignedDuration,
    settle: SignedDuration,
}

/// Times that leave no room for a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimesError {
    /// Outside of half a minute to ten years.
    #[error("a serving certificate lasts between 30 s and 10 years")]
    Lifetime,
    /// The wait would eat up the last third of the certificate's life.
    #[error("an authority settles in at most a sixth of the serving certificate's lifetime")]
    Settle,
}

impl Times {
    /// Lifetime of a serving certificate, renewed when a third of it is left; and how long the next authority stands in
    /// the webhook configuration before a certificate of it is served.
    ///
    /// # Errors
    /// When the last third would be too short for a rotation.
    pub fn new(lifetime: SignedDuration, settle: SignedDuration) -> Result<Self, TimesError> {
        if lifetime < SignedDuration::from_secs(30) || lifetime > SignedDuration::from_hours(3653 * 24) {
            return Err(TimesError::Lifetime);
        }
        if settle.is_negative() || settle > lifetime / 6 {
            return Err(TimesError::Settle);
        }
        Ok(Self { lifetime, settle })
    }

    /// Lifetime of a serving certificate and of its authority.
    #[must_use]
    pub const fn lifetime(&self) -> SignedDuration {
        self.lifetime
    }

    /// How long the next authority stands in the webhook configuration before a certificate of it is served.
    #[must_use]
    pub const fn settle(&self) -> SignedDuration {
        self.settle
    }

    /// When a certificate is renewed.
    fn renewal(&self, pair: &Pair) -> Timestamp {
        pair.not_after.checked_sub(self.lifetime / 3).unwrap_or(Timestamp::MIN)
    }
}

/// A serving certificate with the authority that signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The authority's certificate (PEM).
    pub authority: String,
    /// Names and addresses that the serving certificate is for.
    pub hosts: BTreeSet<String>,
    /// Last moment at which both are valid.
    pub not_after: Timestamp,
}

/// An authority whose certificate is no longer the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its certificate (PEM).
    pub pem: String,
    /// Last moment at which it, and whatever it has signed, is valid.
    pub not_after: Timestamp,
}

/// What stands in the Secret. What cannot be read there is `None`, and is made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Served by every replica.
    pub current: Option<Pair>,
    /// Served by nobody yet.
    pub next: Option<Pair>,
    /// Of former pairs; a replica that is behind may serve one of them.
    pub previous: Vec<Authority>,
}

impl State {
    /// What API servers must trust: the authority of every certificate that is, was or will be served, and still lasts.
    #[must_use]
    pub fn bundle(&self, now: Timestamp) -> String {
        let pairs = self.current.iter().chain(&self.next).map(|pair| &pair.authority);
        let lasting = self.previous.iter().filter(|authority| now <= authority.not_after);
        let mut bundle = String::new();
        for pem in pairs.chain(lasting.map(|authority| &authority.pem)) {
            if !authorities(&bundle).is_superset(&authorities(pem)) {
                bundle.push_str(pem.trim());
                bundle.push('\n');
            }
        }
        bundle
    }

    /// The state after the next pair has become the current one; the same when there is none.
    #[must_use]
    pub fn promoted(mut self, now: Timestamp) -> Self {
        if let Some(next) = self.next.take() {
            let former = self.current.replace(next);
            self.previous.extend(former.map(|pair| Authority {
                pem: pair.authority,
                not_after: pair.not_after,
            }));
        }
        let mut kept = self.without_expired(now);
        let surplus = kept.previous.len().saturating_sub(MAX_PREVIOUS);
        kept.previous.drain(..surplus);
        kept
    }

    /// The state without former authorities that have expired.
    #[must_use]
    pub fn without_expired(mut self, now: Timestamp) -> Self {
        self.previous.retain(|authority| now <= authority.not_after);
        self
    }
}

/// What stands in the webhook configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Names by which API servers call the webhook.
    pub hosts: BTreeSet<String>,
    /// The authorities that each of its webhooks trusts.
    bundles: Vec<BTreeSet<String>>,
    /// How long this replica has seen it unchanged, by its own clock that never jumps.
    pub unchanged_for: SignedDuration,
}

impl Published {
    /// Reads a configuration that has been unchanged for so long.
    #[must_use]
    pub fn read(configuration: &ValidatingWebhookConfiguration, unchanged_for: SignedDuration) -> Self {
        let clients = || {
            configuration
                .webhooks
                .iter()
                .flatten()
                .map(|webhook| &webhook.client_config)
        };
        Self {
            hosts: clients().filter_map(host).collect(),
            bundles: clients()
                .map(|client| {
                    let bundle = client.ca_bundle.as_ref().map_or(&[][..], |bundle| &bundle.0);
                    authorities(&String::from_utf8_lossy(bundle))
                })
                .collect(),
            unchanged_for,
        }
    }

    /// Whether each webhook trusts exactly these authorities.
    fn trusts(&self, bundle: &str) -> bool {
        let wanted = authorities(bundle);
        self.bundles.iter().all(|trusted| *trusted == wanted)
    }
}

/// The host that an API server calls, and that the certificate must be for.
fn host(client: &WebhookClientConfig) -> Option<String> {
    if let Some(service) = &client.service {
        return Some(format!("{}.{}.svc", service.name, service.namespace));
    }
    let (_, rest) = client.url.as_deref()?.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    // An IPv6 address stands in brackets; elsewhere a colon begins the port.
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => authority.split(':').next(),
    };
    host.filter(|host| !host.is_empty()).map(str::to_owned)
}

/// The certificates in a PEM text, without their line breaks; what is no certificate counts as one that nobody trusts.
fn authorities(pem: &str) -> BTreeSet<String> {
    pem.split("-----END CERTIFICATE-----")
        .map(|block| block.trim().trim_start_matches("-----BEGIN CERTIFICATE-----"))
        .map(|block| block.split_whitespace().collect::<String>())
        .filter(|block| !block.is_empty())
        .collect()
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a pair for these hosts, valid for the lifetime from now, and store it as the next one.
    Issue(BTreeSet<String>),
    /// Write this bundle (PEM) into every webhook of the configuration.
    Publish(String),
    /// Make the next pair the current one.
    Promote,
    /// Take former authorities that have expired out of the Secret.
    Forget,
    /// Nothing, for so long at most.
    Wait(SignedDuration),
}

/// The next step, performed by compare and set on the very objects that were read, the configuration first.
#[must_use]
pub fn next(state: &State, published: &Published, times: &Times, now: Timestamp) -> Step {
    if published.hosts.is_empty() {
        // Without a webhook there is nobody to serve.
        return Step::Wait(times.settle);
    }
    let fit = |pair: &Pair| pair.hosts == published.hosts && now < times.renewal(pair);
    match (&state.current, &state.next) {
        (_, Some(next)) if !fit(next) => return Step::Issue(published.hosts.clone()),
        (Some(current), None) if !fit(current) => return Step::Issue(published.hosts.clone()),
        (None, None) => return Step::Issue(published.hosts.clone()),
        _ => {}
    }
    let bundle = state.bundle(now);
    if !published.trusts(&bundle) {
        return Step::Publish(bundle);
    }
    if state.next.is_some() {
        // Where no valid certificate is served every call fails already: waiting would only prolong that.
        let served = state.current.as_ref().is_some_and(|current| now <= current.not_after);
        return if served && published.unchanged_for < times.settle {
            Step::Wait(times.settle - published.unchanged_for)
        } else {
            Step::Promote
        };
    }
    if state.previous.iter().any(|authority| authority.not_after < now) {
        return Step::Forget;
    }
    let renewal = state.current.iter().map(|pair| times.renewal(pair));
    let expiries = state.previous.iter().map(|authority| authority.not_after);
    let soonest = renewal.chain(expiries).min();
    Step::Wait(soonest.map_or(times.settle, |moment| moment.duration_since(now)))
}

#[cfg(test)]
mod tests;

//! The rows, as they stand in the fixtures.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use shared::names;

use super::answer::{Expectation, ExpectationText, WebhookAnswer};

/// Who asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// User name.
    pub user: String,
    /// Groups. Who lacks rights is put into `system:masters`: the corpus is about admission, not about RBAC.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Extras, as `meshupgrade.io/epoch`.
    #[serde(default)]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// POST of `body`; what is missing of apiVersion, name and namespace is taken from `on`.
    Create,
    /// PUT of the live object, changed by `body` as a merge patch.
    Update,
    /// JSON merge patch.
    Merge,
    /// Strategic merge patch, as kubectl patches built-in kinds.
    Strategic,
    /// JSON patch.
    Json,
    /// Server-side apply, forced, by a field manager of its own.
    Apply,
    /// DELETE; `body` is DeleteOptions.
    Delete,
    /// DELETE of a collection.
    DeleteCollection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowText {
    name: String,
    #[serde(rename = "as")]
    identity: String,
    #[serde(rename = "do")]
    verb: Verb,
    on: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    body: Value,
    expect: ExpectationText,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is, in words; unique.
    pub name: String,
    /// Name of who asks.
    pub identity: String,
    /// What is asked for.
    pub verb: Verb,
    /// API version, as `apps/v1`.
    pub api_version: String,
    /// Resource, with a subresource after a slash.
    pub resource: String,
    /// Namespace; empty for what is in none.
    pub namespace: String,
    /// Name; empty for collections and generated names.
    pub object: String,
    /// More of the query, as `labelSelector=app`.
    pub query: String,
    /// Body of the request.
    pub body: Value,
    /// What must come of it.
    pub expect: Expectation,
}

impl Row {
    /// A request that stands in no fixture; `on` as there.
    ///
    /// # Errors
    /// When `on` cannot be read.
    pub fn new(name: &str, identity: &str, verb: Verb, on: &str, body: Value) -> Result<Self> {
        let words: Vec<&str> = on.split(' ').collect();
        let (api_version, resource, path) = match words.as_slice() {
            [api_version, resource] => (*api_version, *resource, ""),
            [api_version, resource, path] => (*api_version, *resource, *path),
            _ => anyhow::bail!("`on` is API version, resource and path, not {on:?}"),
        };
        let (namespace, object) = path.split_once('/').unwrap_or(("", path));
        Ok(Self {
            name: name.to_owned(),
            identity: identity.to_owned(),
            verb,
            api_version: api_version.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            object: object.to_owned(),
            query: String::new(),
            body,
            expect: Expectation {
                policy: None,
                policy_warns: false,
                webhook: WebhookAnswer::Unseen,
                beyond: None,
            },
        })
    }

    fn read(text: RowText) -> Result<Self> {
        Ok(Self {
            query: text.query,
            expect: text.expect.read()?,
            ..Self::new(&text.name, &text.identity, text.verb, &text.on, text.body)?
        })
    }
}

/// All rows, and who asks in them.
#[derive(Clone, Debug)]
pub struct Table {
    /// Who asks, by name.
    pub identities: BTreeMap<String, Identity>,
    /// The attempts.
    pub rows: Vec<Row>,
}

/// Fixtures with rows, one family of attempts each.
const FAMILIES: &[&str] = &[
    "configuration.yaml",
    "components.yaml",
    "helm.yaml",
    "istioctl.yaml",
    "gitops.yaml",
    "crds-and-namespaces.yaml",
    "controllers.yaml",
    "gateway-api.yaml",
    "own-objects.yaml",
    "unrelated.yaml",
];

/// Fixture with the rows that are asked under [`super::Freeze::change_settings`].
const UNDER_OTHER_SETTINGS: &str = "settings.yaml";

impl Table {
    /// Reads the fixtures.
    ///
    /// # Errors
    /// When one cannot be read, a name is used twice, or nobody has an identity's name.
    pub fn read() -> Result<Self> {
        Self::of(FAMILIES)
    }

    /// Reads the rows that are asked of a mesh with other settings.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn under_other_settings() -> Result<Self> {
        Self::of(&[UNDER_OTHER_SETTINGS])
    }

    fn of(families: &[&str]) -> Result<Self> {
        let identities: BTreeMap<String, Identity> = fixture("identities.yaml")?;
        let mut rows: Vec<Row> = Vec::new();
        for family in families {
            let texts: Vec<RowText> = fixture(family)?;
            for text in texts {
                let name = text.name.clone();
                let row = Row::read(text).with_context(|| format!("{family}: {name}"))?;
                ensure!(
                    identities.contains_key(&row.identity),
                    "{family}: {name}: nobody is called {}",
                    row.identity
                );
                ensure!(
                    rows.iter().all(|known| known.name != name),
                    "{family}: there are two rows {name:?}"
                );
                rows.push(row);
            }
        }
        Ok(Self { identities, rows })
    }

    /// Whether a row is a canary that the policy lets pass, so that the webhook is proved alone.
    #[must_use]
    pub fn is_webhook_probe(&self, row: &Row) -> bool {
        let identity = self.identities.get(&row.identity);
        let probes = identity.and_then(|identity| identity.extra.get(names::EXTRA_PROBE));
        matches!(probes.map(Vec::as_slice), Some([probe]) if probe == names::PROBE_WEBHOOK)
    }
}

/// Folder of the fixtures.
pub(super) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/bypass"))
}

/// Rows that say when something ends say it by these words.
fn with_times(mut text: String) -> Result<String> {
    for (words, hours) in [("@an-hour-ago", -1), ("@in-an-hour", 1), ("@in-two-days", 48)] {
        text = text.replace(words, &hours_ahead(hours)?);
    }
    Ok(text)
}

/// A time so many hours ahead, as Kubernetes writes it.
///
/// # Errors
/// When there is no such time.
pub fn hours_ahead(hours: i64) -> Result<String> {
    let time = Timestamp::now().checked_add(SignedDuration::from_hours(hours))?;
    Ok(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn fixture<T: DeserializeOwned>(name: &str) -> Result<T> {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_saphyr::from_str(&with_times(text)?).with_context(|| path.display().to_string())
}

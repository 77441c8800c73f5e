//! Rows as HTTP requests to the API server, several at a time: hundreds of kubectl processes would take minutes.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use futures::{StreamExt as _, stream};
use http::{Method, Request, request::Builder};
use http_body_util::BodyExt as _;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    answer::Answer,
    table::{Identity, Row, Verb},
};
use crate::harness::Cluster;

/// How many rows are asked at the same time.
const AT_A_TIME: usize = 8;
/// How often an update is tried again after somebody else has written the object meanwhile.
const CONFLICTS: usize = 10;

/// The API server, asked as anybody by impersonation.
#[derive(Debug)]
pub struct Api {
    runtime: Runtime,
    identities: BTreeMap<String, Identity>,
    kubeconfig: std::path::PathBuf,
}

/// Status and body of an answer, and its warnings.
type Reply = (u16, Value, Vec<String>);

impl Api {
    /// Of this cluster, as one of these identities at a time.
    ///
    /// # Errors
    /// When no runtime can be started.
    pub fn new(cluster: &Cluster, identities: BTreeMap<String, Identity>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            runtime,
            identities,
            kubeconfig: cluster.kubeconfig().to_owned(),
        })
    }

    /// Asks every row, as a dry run, and returns the answers in the order of the rows.
    ///
    /// # Errors
    /// When the API server cannot be reached.
    pub fn ask(&self, rows: &[Row], policy: &str) -> Result<Vec<Answer>> {
        self.runtime.block_on(async {
            let client = self.client().await?;
            let answers = stream::iter(rows)
                .map(|row| {
                    let client = client.clone();
                    async move {
                        // A row that cannot even be asked is a wrong row, and the others are told all the same.
                        match self.row(&client, row, true).await {
                            Ok((status, body, warnings)) => Answer::read(status, message(&body), &warnings, policy),
                            Err(error) => Answer::Elsewhere(format!("{error:#}")),
                        }
                    }
                })
                .buffered(AT_A_TIME)
                .collect()
                .await;
            Ok(answers)
        })
    }

    /// Makes a request that is stored.
    ///
    /// # Errors
    /// When it is refused.
    pub fn write(&self, row: &Row) -> Result<Value> {
        let (status, body, _) = self
            .runtime
            .block_on(async { self.row(&self.client().await?, row, false).await })?;
        anyhow::ensure!(
            (200..300).contains(&status),
            "{}: {status} {}",
            row.name,
            message(&body)
        );
        Ok(body)
    }

    async fn client(&self) -> Result<Client> {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.proxy_url = None;
        Ok(Client::try_from(config)?)
    }

    async fn row(&self, client: &Client, row: &Row, dry_run: bool) -> Result<Reply> {
        let mut last = (0, Value::Null, Vec::new());
        for _ in 0..CONFLICTS {
            last = self.once(client, row, dry_run).await?;
            let conflict = last.0 == 409 && row.verb == Verb::Update;
            if !conflict {
                break;
            }
        }
        Ok(last)
    }

    async fn once(&self, client: &Client, row: &Row, dry_run: bool) -> Result<Reply> {
        let identity = self.identities.get(&row.identity).context("nobody has this name")?;
        let path = path(row);
        let mut query = String::from("?fieldManager=bypass-corpus");
        if dry_run {
            query.push_str("&dryRun=All");
        }
        if !row.query.is_empty() {
            query.push('&');
            query.push_str(&row.query);
        }
        let (method, content, body) = match row.verb {
            Verb::Create => (Method::POST, "application/json", whole(row)),
            Verb::Update => {
                let live = Request::builder().method(Method::GET).uri(&path);
                let (status, mut live, _) = send(client, live, None).await?;
                if status != 200 {
                    return Err(anyhow!("cannot read it: {status} {}", message(&live)));
                }
                merge(&mut live, &row.body);
                (Method::PUT, "application/json", live)
            }
            Verb::Merge => (Method::PATCH, "application/merge-patch+json", row.body.clone()),
            Verb::Strategic => (
                Method::PATCH,
                "application/strategic-merge-patch+json",
                row.body.clone(),
            ),
            Verb::Json => (Method::PATCH, "application/json-patch+json", row.body.clone()),
            Verb::Apply => {
                query.push_str("&force=true");
                (Method::PATCH, "application/apply-patch+yaml", whole(row))
            }
            Verb::Delete | Verb::DeleteCollection => (Method::DELETE, "application/json", row.body.clone()),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{path}{query}"))
            .header("Content-Type", content)
            .header("Impersonate-User", &identity.user);
        for group in &identity.groups {
            request = request.header("Impersonate-Group", group);
        }
        for (key, values) in &identity.extra {
            for value in values {
                request = request.header(format!("Impersonate-Extra-{}", key.replace('/', "%2F")), value);
            }
        }
        send(client, request, Some(&body)).await
    }
}

async fn send(client: &Client, request: Builder, body: Option<&Value>) -> Result<Reply> {
    let bytes = match body {
        None | Some(Value::Null) => Vec::new(),
        Some(body) => serde_json::to_vec(body)?,
    };
    let response = client.send(request.body(Body::from(bytes))?).await?;
    let status = response.status().as_u16();
    let warnings = response.headers().get_all("Warning").iter();
    let warnings = warnings
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    let bytes = response.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::String(text));
    Ok((status, body, warnings))
}

/// What the API server says, out of a Status or, where it is none, as it is.
fn message(body: &Value) -> &str {
    body.get("message")
        .and_then(Value::as_str)
        .or(body.as_str())
        .unwrap_or_default()
}

fn path(row: &Row) -> String {
    let root = if row.api_version.contains('/') { "apis" } else { "api" };
    let mut path = format!("/{root}/{}", row.api_version);
    if !row.namespace.is_empty() {
        path.push_str(&format!("/namespaces/{}", row.namespace));
    }
    let (resource, subresource) = row.resource.split_once('/').unwrap_or((&row.resource, ""));
    path.push_str(&format!("/{resource}"));
    // A new object is posted to its collection, but for subresources such as a token.
    if !row.object.is_empty() && (row.verb != Verb::Create || !subresource.is_empty()) {
        path.push_str(&format!("/{}", row.object));
    }
    if !subresource.is_empty() {
        path.push_str(&format!("/{subresource}"));
    }
    path
}

/// A body with the API version and the name that the row tells.
fn whole(row: &Row) -> Value {
    let mut object = json!({"apiVersion": row.api_version, "metadata": {}});
    if !row.object.is_empty() {
        merge(&mut object, &json!({"metadata": {"name": row.object}}));
    }
    if !row.namespace.is_empty() {
        merge(&mut object, &json!({"metadata": {"namespace": row.namespace}}));
    }
    merge(&mut object, &row.body);
    object
}

/// A JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        if !patch.is_null() {
            *target = patch.clone();
        }
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(target) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

//! Decoding of a stored helm release: base64 of gzip of JSON, of which its manifests are not kept.
//!
//! Whoever may write a Secret can write a hostile one, so every layer is bounded.

use super::kinds::Kinds;
use base64::{Engine as _, engine::general_purpose::STANDARD, read::DecoderReader};
use flate2::{bufread, read::GzDecoder};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{
    fmt,
    io::{self, Read},
};

/// Longest stored payload; etcd takes objects of about 1.5 MiB, and the API server Secrets of 1 MiB.
const MAX_STORED: usize = 2 << 20;
/// Longest JSON after inflating. Istio's largest chart stores about one MiB.
const MAX_INFLATED: u64 = 32 << 20;
/// How many times its stored size a release of Istio's inflates to.
const USUAL_RATIO: usize = 6;
/// Longest JSON of the values that the user set.
const MAX_VALUES: usize = 4 << 20;

/// A revision of a release.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Helm's count.
    pub revision: i64,
    /// Helm's word, as `deployed` or `pending-upgrade`.
    pub status: String,
    /// When this revision was made, as helm wrote it.
    pub last_deployed: Option<String>,
    /// Name of the chart.
    pub chart_name: String,
    /// Version of the chart, without build metadata.
    pub chart_version: String,
    /// Whether the chart says that it is about Istio, as all of Istio's do; others may have the same short names.
    pub is_about_istio: bool,
    /// Version of what the chart installs.
    pub app_version: Option<String>,
    /// Whether helm 4 applied it on the server; a release without this was made by helm 3 or on the client.
    pub server_side: bool,
    /// Kinds in its manifest, as `policy/v1 PodDisruptionBudget`, each once.
    pub kinds: Vec<String>,
    /// Values that the user set, without the chart's defaults.
    pub values: Values,
}

/// Values of a release. They may hold passwords, so they are never printed.
#[derive(Clone, Default, PartialEq)]
pub struct Values(serde_json::Value);

impl Values {
    /// The values, for helm alone.
    #[must_use]
    pub fn as_value(&self) -> &serde_json::Value {
        &self.0
    }

    /// The values, for helm alone.
    #[must_use]
    pub fn into_value(self) -> serde_json::Value {
        self.0
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Values(not shown)")
    }
}

/// Why a stored release cannot be read; never with any of its contents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// Longer than a cluster stores.
    #[error("the stored release has {0} bytes, more than the {MAX_STORED} that a cluster stores")]
    TooLong(usize),
    /// It inflates beyond any real release.
    #[error("the stored release inflates to more than {MAX_INFLATED} bytes")]
    TooLarge,
    /// The values alone are beyond any real release.
    #[error("the values of the stored release have more than {MAX_VALUES} bytes")]
    ValuesTooLarge,
    /// Not base64, or not gzip, or cut off.
    #[error("the stored release is not base64 of gzip, or it is cut off")]
    NotGzip,
    /// The JSON within is not a release.
    #[error("the stored release is not helm's JSON at line {line} column {column}")]
    NotARelease {
        /// Line within the JSON.
        line: usize,
        /// Column within the line.
        column: usize,
    },
}

/// Name of the Secret or ConfigMap in which helm stores a revision of a release.
#[must_use]
pub fn storage_name(release: &str, revision: i64) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

/// Decodes the payload at key `release` of helm's Secret (after Kubernetes' own base64) or ConfigMap.
///
/// # Errors
/// When a layer is not what helm writes, or exceeds its bound.
pub fn decode(payload: &[u8]) -> Result<Release, ReleaseError> {
    // Unpacked as a whole, for a moment: in pieces, base64 and inflating take half as long again.
    let packed = STANDARD.decode(stored(payload)?).map_err(|_| ReleaseError::NotGzip)?;
    let mut bounded = Bounded::new(bufread::GzDecoder::new(packed.as_slice()));
    let mut json = Vec::with_capacity(payload.len().saturating_mul(USUAL_RATIO).min(MAX_STORED * 2));
    // Reading JSON byte by byte takes five times as long as the inflating.
    bounded.read_to_end(&mut json).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => ReleaseError::TooLarge,
        _ => ReleaseError::NotGzip,
    })?;
    let stored: Stored = serde_json::from_slice(&json).map_err(|error| ReleaseError::NotARelease {
        line: error.line(),
        column: error.column(),
    })?;
    stored.release()
}

/// The payload, of a length that a cluster can store.
fn stored(payload: &[u8]) -> Result<&[u8], ReleaseError> {
    if payload.len() > MAX_STORED {
        return Err(ReleaseError::TooLong(payload.len()));
    }
    Ok(payload.trim_ascii())
}

/// Reads as much of a payload as `T` asks for, within all bounds; the rest is skipped while it is inflated, so that many
/// at once, as in a server, take no memory.
pub(super) fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, ReleaseError> {
    // The buffer comes last: serde_json asks for single bytes.
    let unpacked = GzDecoder::new(DecoderReader::new(stored(payload)?, &STANDARD));
    let bounded = io::BufReader::with_capacity(64 << 10, Bounded::new(unpacked));
    let mut json = serde_json::Deserializer::from_reader(bounded);
    let read = T::deserialize(&mut json).and_then(|stored| json.end().map(|()| stored));
    read.map_err(|error| match error.io_error_kind() {
        Some(io::ErrorKind::FileTooLarge) => ReleaseError::TooLarge,
        Some(_) => ReleaseError::NotGzip,
        None => ReleaseError::NotARelease {
            line: error.line(),
            column: error.column(),
        },
    })
}

/// Stops with an error of its own where `Read::take` would feign an end.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R> Bounded<R> {
    fn new(inner: R) -> Self {
        let left = MAX_INFLATED;
        Self { inner, left }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

/// Helm's JSON, only the parts that are needed; templates and manifests are skipped.
#[derive(Deserialize)]
struct Stored {
    name: String,
    #[serde(default)]
    namespace: String,
    version: i64,
    info: Info,
    chart: Chart,
    #[serde(default)]
    config: Option<Box<RawValue>>,
    #[serde(default)]
    apply_method: Option<String>,
    #[serde(default)]
    manifest: Kinds,
}

#[derive(Deserialize)]
struct Info {
    status: String,
    #[serde(default)]
    last_deployed: Option<String>,
}

#[derive(Deserialize)]
struct Chart {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
    #[serde(default, rename = "appVersion")]
    app_version: Option<String>,
    #[serde(default)]
    keywords: Option<Vec<String>>,
    #[serde(default)]
    sources: Option<Vec<String>>,
}

impl Metadata {
    fn is_about_istio(&self) -> bool {
        let mut words = self.keywords.iter().chain(&self.sources).flatten();
        words.any(|word| word.to_ascii_lowercase().contains("istio"))
    }
}

impl Stored {
    fn release(self) -> Result<Release, ReleaseError> {
        let values = match self.config {
            None => serde_json::Value::Null,
            Some(raw) if raw.get().len() > MAX_VALUES => return Err(ReleaseError::ValuesTooLarge),
            Some(raw) => serde_json::from_str(raw.get()).map_err(|error| ReleaseError::NotARelease {
                line: error.line(),
                column: error.column(),
            })?,
        };
        // Helm writes `null` for a release without values of its own.
        let values = if values.is_null() {
            serde_json::Value::Object(serde_json::Map::new())
        } else {
            values
        };
        Ok(Release {
            name: self.name,
            namespace: self.namespace,
            revision: self.version,
            status: self.info.status,
            last_deployed: self.info.last_deployed,
            is_about_istio: self.chart.metadata.is_about_istio(),
            chart_name: self.chart.metadata.name,
            chart_version: super::without_build(&self.chart.metadata.version).to_owned(),
            app_version: self.chart.metadata.app_version,
            // `ssa` or `csa`: ApplyMethod in pkg/release/v1/release.go of helm 4.
            kinds: self.manifest.names,
            server_side: self.apply_method.as_deref() == Some("ssa"),
            values: Values(values),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use serde_json::json;
    use std::io::Write as _;

    fn gzip(json: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(json).unwrap();
        encoder.finish().unwrap()
    }

    fn stored(json: &[u8]) -> Vec<u8> {
        STANDARD.encode(gzip(json)).into_bytes()
    }

    fn release() -> serde_json::Value {
        json!({
            "name": "istiod",
            "info": {
                "first_deployed": "2026-10-01T08:00:00Z", "last_deployed": "2026-11-01T08:00:00Z",
                "deleted": "", "description": "Upgrade complete", "status": "deployed",
            },
            "chart": {
                "metadata": {"name": "istiod", "version": "1.31.0", "appVersion": "1.31.0", "apiVersion": "v2"},
                "lock": null,
                "templates": [{"name": "templates/deployment.yaml", "data": "AAAA"}],
                "values": {"pilot": {"replicas": 1}},
                "schema": null,
            },
            "config": {"meshConfig": {"accessLogFile": "/dev/stdout"}, "password": "hunter2"},
            "manifest": "---\nkind: Deployment\n",
            "version": 7,
            "namespace": "istio-system",
        })
    }

    #[test]
    fn reads_what_helm_writes() {
        let read = decode(&stored(release().to_string().as_bytes())).unwrap();
        assert_eq!(
            (
                read.name.as_str(),
                read.namespace.as_str(),
                read.revision,
                read.status.as_str()
            ),
            ("istiod", "istio-system", 7, "deployed")
        );
        assert_eq!(
            (read.chart_name.as_str(), read.chart_version.as_str()),
            ("istiod", "1.31.0")
        );
        assert_eq!(read.app_version.as_deref(), Some("1.31.0"));
        assert_eq!(read.last_deployed.as_deref(), Some("2026-11-01T08:00:00Z"));
        assert_eq!(read.values.as_value().pointer("/password"), Some(&json!("hunter2")));
        assert_eq!(storage_name(&read.name, read.revision), "sh.helm.release.v1.istiod.v7");
    }

    #[test]
    fn the_digest_that_flux_adds_is_no_part_of_the_charts_version() {
        let mut document = release();
        document["chart"]["metadata"]["version"] = json!("1.31.0+0123456789ab");
        let read = decode(&stored(document.to_string().as_bytes())).unwrap();
        assert_eq!(read.chart_version, "1.31.0");
    }

    #[test]
    fn a_chart_tells_whether_it_is_about_istio() {
        for (metadata, expected) in [
            (json!({"keywords": ["istio", "gateways"]}), true),
            (json!({"sources": ["https://github.com/istio/istio"]}), true),
            (json!({"sources": null, "keywords": ["api-gateway"]}), false),
            (json!({}), false),
        ] {
            let mut document = release();
            let known = document["chart"]["metadata"].as_object_mut().unwrap();
            known.remove("keywords");
            known.remove("sources");
            known.extend(metadata.as_object().unwrap().clone());
            let read = decode(&stored(document.to_string().as_bytes())).unwrap();
            assert_eq!(read.is_about_istio, expected, "{metadata}");
        }
    }

    #[test]
    fn values_are_never_printed() {
        let read = decode(&stored(release().to_string().as_bytes())).unwrap();
        let printed = format!("{read:?} {read:#?} {:?}", read.values);
        assert!(
            !printed.contains("hunter2") && !printed.contains("accessLogFile"),
            "{printed}"
        );
    }

    #[test]
    fn a_release_without_values_has_an_empty_object() {
        for config in [json!(null), json!({})] {
            let mut document = release();
            document["config"] = config;
            assert_eq!(
                decode(&stored(document.to_string().as_bytes()))
                    .unwrap()
                    .values
                    .into_value(),
                json!({})
            );
        }
        let mut document = release();
        document.as_object_mut().unwrap().remove("config");
        assert_eq!(
            decode(&stored(document.to_string().as_bytes()))
                .unwrap()
                .values
                .into_value(),
            json!({})
        );
    }

    #[test]
    fn refuses_what_is_no_release() {
        let whole = stored(release().to_string().as_bytes());
        let cut = whole.get(..whole.len() / 2).unwrap();
        let unfinished = STANDARD.encode(gzip(b"{\"name\": \"hunter2\", "));
        for (what, payload) in [
            ("nothing", &b""[..]),
            ("no base64", b"%%%%"),
            ("no gzip", b"aGVsbG8="),
            ("cut off", cut),
        ] {
            assert_eq!(decode(payload).unwrap_err(), ReleaseError::NotGzip, "{what}");
        }
        for (what, json) in [
            ("an array", "[]".to_owned()),
            ("text", "\"hunter2\"".to_owned()),
            ("another shape", json!({"name": "hunter2"}).to_string()),
            ("two documents", format!("{}{}", release(), release())),
        ] {
            let error = decode(&stored(json.as_bytes())).unwrap_err();
            assert!(matches!(error, ReleaseError::NotARelease { .. }), "{what}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{what}: {error}");
        }
        assert!(decode(unfinished.as_bytes()).is_err());
    }

    #[test]
    fn a_wrong_checksum_is_noticed() {
        let mut packed = gzip(release().to_string().as_bytes());
        let at = packed.len() - 6;
        packed[at] ^= 1;
        assert_eq!(
            decode(STANDARD.encode(packed).as_bytes()).unwrap_err(),
            ReleaseError::NotGzip
        );
    }

    #[test]
    fn bounds_hold() {
        assert_eq!(
            decode(&vec![b'A'; MAX_STORED + 1]).unwrap_err(),
            ReleaseError::TooLong(MAX_STORED + 1)
        );
        let mut bomb = br#"{"manifest": ""#.to_vec();
        bomb.resize(usize::try_from(MAX_INFLATED).unwrap() + 1, b' ');
        assert_eq!(decode(&stored(&bomb)).unwrap_err(), ReleaseError::TooLarge);
        let mut document = release();
        document["config"] = json!({"a": " ".repeat(MAX_VALUES)});
        assert_eq!(
            decode(&stored(document.to_string().as_bytes())).unwrap_err(),
            ReleaseError::ValuesTooLarge
        );
        // Deeper than serde_json recurses, in a part that is skipped and in one that is kept.
        for part in ["manifest", "config"] {
            let deep = format!(r#"{{"{part}": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
            assert!(decode(&stored(deep.as_bytes())).is_err(), "{part}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_at_every_layer(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(decode(&bytes).is_err());
            prop_assert!(decode(STANDARD.encode(&bytes).as_bytes()).is_err());
            prop_assert!(decode(&stored(&bytes)).is_err());
        }

        #[test]
        fn a_changed_byte_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut payload = stored(release().to_string().as_bytes());
            let at = at.index(payload.len());
            payload[at] = byte;
            if let Ok(read) = decode(&payload) {
                prop_assert_eq!(read.name, "istiod");
            }
        }
    }
}

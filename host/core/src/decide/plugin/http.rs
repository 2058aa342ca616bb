//! The port through which plugins send requests; who sends them is somebody else's.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::Allowed;

/// A request of a plugin, allowed by its manifest.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The plugin's id.
    pub plugin: String,
    /// `GET`, `POST`, …
    pub method: String,
    /// Where to.
    pub url: String,
    /// Names and values; secrets are not in yet.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// The manifest's allow-list.
    pub allowed: Vec<Allowed>,
    /// The secrets that the manifest names.
    pub secrets: Vec<String>,
    /// When the answer must be there.
    pub until: Instant,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body. Recorded as text, or, where it is not UTF-8, as `{"base64": …}`.
    #[serde(with = "recorded")]
    pub body: Vec<u8>,
}

/// How a body is recorded.
mod recorded {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Body {
        Text(String),
        Binary { base64: String },
    }

    pub fn serialize<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(body) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Body::Binary { base64: STANDARD.encode(body) }.serialize(serializer),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        match Body::deserialize(deserializer)? {
            Body::Text(text) => Ok(text.into_bytes()),
            Body::Binary { base64 } => STANDARD.decode(base64).map_err(D::Error::custom),
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpError {
    /// It is not allowed, and why.
    Denied(String),
    /// No whole answer in time.
    Timeout,
    /// The answer is larger than allowed.
    TooLarge,
    /// Anything else.
    Failed(String),
}

/// What comes of a request.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<HttpAnswer, HttpError>> + Send + 'a>>;

/// Sends requests of plugins.
pub trait Http: Send + Sync {
    /// Sends one, with all checks of where it goes.
    fn send(&self, request: HttpRequest) -> Answering<'_>;
}

/// How long is left until then.
pub fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

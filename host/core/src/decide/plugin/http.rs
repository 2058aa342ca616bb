//! The port through which plugins send requests.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::Allowed;

/// A request of a plugin.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// Id of the plugin.
    pub plugin: String,
    /// Method, for example `GET`.
    pub method: String,
    /// URL.
    pub url: String,
    /// Names and values, with `{{secret:NAME}}` in place of secrets.
    pub headers: Vec<(String, String)>,
    /// Body, if any.
    pub body: Option<Vec<u8>>,
    /// Addresses that the manifest allows.
    pub allowed: Vec<Allowed>,
    /// Names of the secrets in the manifest.
    pub secrets: Vec<String>,
    /// Deadline of the whole answer.
    pub until: Instant,
}

/// An answer of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Body. Recorded as text, or, if it is not UTF-8, as `{"base64": …}`.
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

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpError {
    /// The request is not allowed, for this reason.
    Denied(String),
    /// The whole answer did not arrive in time.
    Timeout,
    /// The answer is larger than allowed.
    TooLarge,
    /// Any other reason.
    Failed(String),
}

/// The future answer to a request.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<HttpAnswer, HttpError>> + Send + 'a>>;

/// Sends requests of plugins.
pub trait Http: Send + Sync {
    /// Sends a request, after checking its address.
    fn send(&self, request: HttpRequest) -> Answering<'_>;
}

/// The time left until a deadline.
pub fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

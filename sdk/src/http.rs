//! Requests to addresses that `plugin.yaml` requests and the operator grants.
//!
//! ```
//! use hookswitch_sdk::{http, testing::World};
//!
//! let world = World::new().answer("https://stock.example.com/items/7", 200, r#"{"left": 3}"#);
//! let left = world.run(|| http::get("https://stock.example.com/items/7").timeout_ms(80).send());
//! assert_eq!(left.unwrap().json::<serde_json::Value>().unwrap()["left"], 3);
//! ```

use serde::de::DeserializeOwned;

#[cfg(not(target_arch = "wasm32"))]
use crate::testing;

pub use crate::bindings::hookswitch::plugin::http::Error;

/// A request. [`Request::send`] sends it.
///
/// ```
/// use hookswitch_sdk::http::Request;
///
/// let request = Request::new("POST", "https://stock.example.com/items").header("x-key", "{{secret:STOCK}}").body("{}");
/// assert_eq!(request.method, "POST");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method: `GET`, `HEAD`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// URL.
    pub url: String,
    /// Names and values. The host replaces `{{secret:NAME}}` in a value; the plugin never sees the secret.
    pub headers: Vec<(String, String)>,
    /// Body, at most 256 KiB with the URL and the headers.
    pub body: Option<Vec<u8>>,
    /// Maximum time to wait for the answer, in milliseconds (default and maximum: the remaining time of the call).
    pub timeout_ms: Option<u32>,
}

/// Creates a `GET` request.
///
/// ```
/// assert_eq!(hookswitch_sdk::http::get("https://example.com").method, "GET");
/// ```
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

impl Request {
    /// Creates a request with this method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Request {
        let (method, url) = (method.into(), url.into());
        Request { method, url, headers: Vec::new(), body: None, timeout_ms: None }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(body.into());
        self
    }

    /// Sets the maximum time to wait for the answer, in milliseconds.
    pub fn timeout_ms(mut self, milliseconds: u32) -> Request {
        self.timeout_ms = Some(milliseconds);
        self
    }

    /// Sends the request and waits for the whole answer.
    ///
    /// # Errors
    /// If the request is not allowed, or the answer does not arrive in time.
    pub fn send(self) -> Result<Response, Error> {
        #[cfg(target_arch = "wasm32")]
        {
            use crate::bindings::hookswitch::plugin::http as host;
            let request = host::Request {
                method: self.method,
                url: self.url,
                headers: self.headers,
                body: self.body,
                timeout_ms: self.timeout_ms,
                hints: Vec::new(),
            };
            host::send(&request).map(|answer| Response {
                status: answer.status,
                headers: answer.headers,
                body: answer.body,
            })
        }
        #[cfg(not(target_arch = "wasm32"))]
        testing::current(|world| world.ask(self))
    }
}

/// An answer.
///
/// ```
/// use hookswitch_sdk::http::Response;
///
/// let answer = Response { status: 200, headers: vec![], body: b"[1]".to_vec() };
/// assert_eq!(answer.json::<Vec<u8>>(), Ok(vec![1]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names and values, at most 64 KiB.
    pub headers: Vec<(String, String)>,
    /// Body, at most 1 MiB; invalid UTF-8 is replaced.
    pub body: Vec<u8>,
}

impl Response {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// If it is not JSON, or has another type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("cannot read the answer: {error}"))
    }
}

//! Requests to the addresses that `plugin.yaml` allows.
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

/// A request. Nothing is sent before [`Request::send`].
///
/// ```
/// use hookswitch_sdk::http::Request;
///
/// let request = Request::new("POST", "https://stock.example.com/items").header("x-key", "{{secret:STOCK}}").body("{}");
/// assert_eq!(request.method, "POST");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Where to.
    pub url: String,
    /// A value `{{secret:NAME}}` is replaced by the host; the plugin never sees it.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// How long to wait; at most what is left of the call's time.
    pub timeout_ms: Option<u32>,
}

/// A `GET` request.
///
/// ```
/// assert_eq!(hookswitch_sdk::http::get("https://example.com").method, "GET");
/// ```
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

impl Request {
    /// A request with this method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Request {
        let (method, url) = (method.into(), url.into());
        Request { method, url, headers: Vec::new(), body: None, timeout_ms: None }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Gives it a body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(body.into());
        self
    }

    /// How long to wait, in milliseconds.
    pub fn timeout_ms(mut self, milliseconds: u32) -> Request {
        self.timeout_ms = Some(milliseconds);
        self
    }

    /// Sends it, and waits for the whole answer.
    ///
    /// # Errors
    /// Where the manifest does not allow it, or no answer comes in time.
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
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as JSON.
    ///
    /// # Errors
    /// Where it is none, or not of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("read the answer: {error}"))
    }
}

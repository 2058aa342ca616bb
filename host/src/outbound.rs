//! Sends requests of plugins: only to addresses that their manifests request and the operator grants, and into a private
//! network only if the operator allows it.
//!
//! A name is resolved once, by the client that connects, and only its public addresses are returned: a second look-up
//! cannot give another answer.

mod links;
mod redact;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::StreamExt;
use hookswitch_core::decide::plugin::{
    Answering, Grants, Http, HttpAnswer, HttpError, HttpRequest, is_public, left,
};
use reqwest::{
    Client, Method, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use tokio::time::timeout;

pub use self::links::broken;
use self::redact::Redactor;
use crate::config::Secret;

/// Maximum size of the body of an answer, in bytes.
const BODY: usize = 1024 * 1024;
/// Maximum size of the headers of an answer, in bytes.
const HEADERS: usize = 64 * 1024;
/// Maximum size of the body of a request, in bytes.
const REQUEST: usize = 256 * 1024;
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Sends requests of plugins.
pub struct Outbound {
    public: Client,
    private: Client,
    /// Hosts that may have private addresses, as `host:port`.
    private_hosts: Vec<String>,
    secrets: BTreeMap<String, Secret>,
    redactor: Redactor,
    grants: Arc<Grants>,
}

impl Outbound {
    /// Creates a client with the secrets by name, the hosts (`host:port`) that may have private addresses, and the grants.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(
        secrets: BTreeMap<String, Secret>,
        private_hosts: Vec<String>,
        grants: Arc<Grants>,
    ) -> Result<Arc<Outbound>, String> {
        // Fails if one is already installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(concat!("hookswitch-plugin/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                // A proxy would resolve names itself.
                .no_proxy()
        };
        let failed = |error: reqwest::Error| format!("cannot set up TLS for plugins: {error}");
        Ok(Arc::new(Outbound {
            public: builder().dns_resolver(Arc::new(PublicOnly)).build().map_err(failed)?,
            private: builder().build().map_err(failed)?,
            private_hosts,
            redactor: Redactor::new(&secrets),
            secrets,
            grants,
        }))
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpAnswer, HttpError> {
        let denied = |why: String| Err(HttpError::Denied(why));
        let Ok(url) = Url::parse(&request.url) else {
            return denied(format!("{:?} is not a valid URL", request.url));
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return denied(format!("{:?} has no host", request.url));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return denied("URLs with a user name are not allowed".to_owned());
        }
        let Some(allowed) = request.allowed.iter().find(|entry| entry.allows(url.scheme(), host, port))
        else {
            return denied(format!("plugin.yaml does not allow {}://{host}:{port}", url.scheme()));
        };
        if !self.grants.allows(&request.plugin, url.scheme(), host, port) {
            let grant = format!("{}={}://{host}:{port}", request.plugin, url.scheme());
            return denied(format!("not granted by the operator: HOOKSWITCH_PLUGIN_GRANTS lacks {grant}"));
        }
        let private =
            allowed.is_literal() && self.private_hosts.iter().any(|known| *known == format!("{host}:{port}"));
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if let Ok(address) = address
            && !private
            && !is_public(address)
        {
            return denied(format!("{address} is not a public address"));
        }
        let Some(method) = METHODS.into_iter().find(|method| method.as_str() == request.method) else {
            return denied(format!("unsupported method {:?}", request.method));
        };
        if request.body.as_ref().is_some_and(|body| body.len() > REQUEST) {
            return denied(format!("the body of the request is larger than {} KiB", REQUEST / 1024));
        }
        let client = if private { &self.private } else { &self.public };
        let headers = self.headers(&request, (url.scheme(), host, port))?;
        let mut sending = client.request(method, url.clone()).headers(headers);
        if let Some(body) = request.body {
            sending = sending.body(body);
        }
        let answer = sending.send().await.map_err(|error| in_words(&error))?;
        let status = answer.status().as_u16();
        let size: usize =
            answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size > HEADERS {
            return Err(HttpError::TooLarge);
        }
        let headers = answer
            .headers()
            .iter()
            .filter_map(|(name, value)| {
                Some((name.to_string(), self.redactor.redact(value.to_str().ok()?.to_owned())))
            })
            .collect();
        let mut body = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| in_words(&error))?;
            if body.len() + chunk.len() > BODY {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpAnswer { status, headers, body: self.redactor.redact_bytes(body) })
    }

    /// The headers, with secrets filled in if they are granted for this address.
    fn headers(
        &self,
        request: &HttpRequest,
        (scheme, host, port): (&str, &str, u16),
    ) -> Result<HeaderMap, HttpError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let denied = |why: &str| HttpError::Denied(format!("the header {name:?} {why}"));
            let parsed = HeaderName::try_from(name).map_err(|_| denied("is not a valid header name"))?;
            if ["host", "content-length", "transfer-encoding", "connection"].contains(&parsed.as_str()) {
                return Err(denied("cannot be set by a plugin"));
            }
            let mut text = String::new();
            let mut rest = value.as_str();
            while let Some((before, named)) = rest.split_once("{{secret:") {
                let (secret, after) =
                    named.split_once("}}").ok_or_else(|| denied("has `{{secret:` without `}}`"))?;
                let known = request.secrets.iter().any(|known| known == secret);
                let value = self.secrets.get(secret).filter(|_| known).ok_or_else(|| {
                    denied(&format!(
                        "uses the secret {secret}, which plugin.yaml does not list or HOOKSWITCH_SECRET_{secret} does not set"
                    ))
                })?;
                if !self.grants.gives(&request.plugin, secret, scheme, host, port) {
                    let grant = format!("{}:{secret}={scheme}://{host}:{port}", request.plugin);
                    return Err(denied(&format!(
                        "uses the secret {secret}, which the operator has not granted: \
                         HOOKSWITCH_PLUGIN_GRANTS lacks {grant}"
                    )));
                }
                text.push_str(before);
                text.push_str(value.expose());
                rest = after;
            }
            text.push_str(rest);
            let mut parsed_value = HeaderValue::try_from(text).map_err(|_| denied("has an invalid value"))?;
            parsed_value.set_sensitive(true);
            headers.append(parsed, parsed_value);
        }
        Ok(headers)
    }
}

fn in_words(error: &reqwest::Error) -> HttpError {
    let mut root: &dyn std::error::Error = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    if root.downcast_ref::<NotPublic>().is_some() {
        return HttpError::Denied(root.to_string());
    }
    HttpError::Failed(root.to_string())
}

impl Http for Outbound {
    fn send(&self, request: HttpRequest) -> Answering<'_> {
        Box::pin(async move {
            let time = left(request.until);
            timeout(time, self.answer(request)).await.unwrap_or(Err(HttpError::Timeout))
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0} has no public address")]
struct NotPublic(String);

/// Resolves names to their public addresses only.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> =
                found.iter().copied().filter(|found| is_public(found.ip())).collect();
            if public.is_empty() && !found.is_empty() {
                return Err(Box::new(NotPublic(host)) as Box<dyn std::error::Error + Send + Sync>);
            }
            if public.is_empty() {
                return Err(Box::new(io::Error::other(format!("{host} has no address"))) as _);
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

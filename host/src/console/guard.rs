//! What holds for each answer of the console: headers that keep a page to itself, and no change from another site.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::refusal::Refusal;

/// Nothing is loaded from elsewhere, no text becomes markup, no other page frames this one or posts for it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types hookswitch";
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Forms need an Origin; a page that is left for another site says nothing.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
];
/// The content type of a stream of events.
pub const EVENT_STREAM: &str = "text/event-stream";
/// Maximum size of a page; larger ones get no ETag.
const PAGE: usize = 256 * 1024;

/// Refuses changes from other sites, and sets the headers of each answer.
pub async fn guard(request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let mut response = if changes && !is_own(request.headers()) {
        Refusal::new(StatusCode::FORBIDDEN, "This request came from another site, so nothing was changed.")
            .into_response()
    } else {
        next.run(request).await
    };
    // A stream has no end to wait for, and a file may be large.
    let is_stream = response.headers().get(header::CONTENT_TYPE).is_some_and(|of| of == EVENT_STREAM)
        || response.headers().contains_key(header::CONTENT_DISPOSITION);
    if !changes && !is_stream && response.status() == StatusCode::OK {
        response = tagged(response, known).await;
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a request comes from a page of this listener, or from no browser.
fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let site = text(&HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    let Some(origin) = text(&header::ORIGIN) else { return true };
    // Browsers that send Sec-Fetch-Site have compared the origins themselves, also behind a proxy that renames the host.
    let authority = origin.parse::<Uri>().ok().and_then(|uri| uri.authority().cloned());
    site.is_some() || authority.is_some_and(|authority| text(&header::HOST) == Some(authority.as_str()))
}

/// The answer with an ETag; 304 if the client has it.
async fn tagged(response: Response, known: Option<HeaderValue>) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, PAGE).await else {
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "This page is too large.").into_response();
    };
    let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&body)[..16]));
    if known.is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        parts.headers.insert(header::ETAG, etag);
    }
    Response::from_parts(parts, Body::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_comes_from_a_page_of_this_listener() {
        let is_own = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static("127.0.0.1:8422"));
            pairs.iter().for_each(|(name, value)| {
                headers.insert(*name, HeaderValue::from_static(value));
            });
            is_own(&headers)
        };
        assert!(is_own(&[]));
        assert!(is_own(&[("sec-fetch-site", "same-origin")]));
        assert!(is_own(&[("origin", "http://127.0.0.1:8422")]));
        for site in ["cross-site", "same-site", ""] {
            assert!(!is_own(&[("sec-fetch-site", site)]), "{site}");
        }
        for origin in
            ["null", "http://evil.example", "http://127.0.0.1:9", "", "http://127.0.0.1:8422.evil.example"]
        {
            assert!(!is_own(&[("origin", origin)]), "{origin}");
        }
    }
}

//! A file as an answer: to be stored, and never to be shown or run in place.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What a browser may do with a file that it shows all the same: nothing.
const POLICY: &str = "default-src 'none'; sandbox";
const UNKNOWN: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A file with its type, its name, and its size in bytes if that is known.
pub fn attachment(mime_type: &str, filename: &str, size: Option<u64>, content: Body) -> Response {
    let mut response = content.into_response();
    let headers = response.headers_mut();
    let is_type = mime_type.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
    let content_type = HeaderValue::from_str(mime_type).ok().filter(|_| is_type);
    headers.insert(header::CONTENT_TYPE, content_type.unwrap_or(UNKNOWN));
    if let Some(size) = size {
        headers.insert(header::CONTENT_LENGTH, size.into());
    }
    let disposition =
        format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(filename, NON_ALPHANUMERIC));
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_stored_under_its_name_and_never_guessed() {
        let headers = |mime_type: &str, name: &str| {
            attachment(mime_type, name, Some(3), Body::empty()).headers().clone()
        };
        let found = headers("image/jpeg", "Dach \"1\"\r\n.jpg");
        assert_eq!(found[header::CONTENT_TYPE], "image/jpeg");
        assert_eq!(
            found[header::CONTENT_DISPOSITION],
            "attachment; filename*=UTF-8''Dach%20%221%22%0D%0A%2Ejpg"
        );
        assert_eq!(found[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers("text\n/html", "x")[header::CONTENT_TYPE], UNKNOWN);
        assert_eq!(headers("html", "x")[header::CONTENT_TYPE], UNKNOWN);
    }
}

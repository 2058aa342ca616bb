//! Files at Meta: uploaded before they are sent, and fetched after somebody has sent them.

use std::time::Duration;

use hookswitch_core::catalog::MediaFile;
use jiff::{SignedDuration, Timestamp};
use reqwest::{
    Response, Url,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Client, SendError,
    answers::{refusal, retry_after},
    client::{causes, read_within},
    content,
};

/// How long Meta keeps an upload ("Media": 30 days).
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Largest file at Meta, in bytes: a document.
pub const LARGEST: u64 = 100 * 1024 * 1024;
/// How long an upload or a download may take: that of a large file takes longer.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of a large file for which there is another second.
const A_SECOND: u64 = 256 * 1024;
/// Maximum size of an answer about a file, in bytes.
const ANSWER: usize = 64 * 1024;
/// Where Meta keeps files.
const DOMAINS: [&str; 3] = ["fbsbx.com", "facebook.com", "whatsapp.net"];

/// Meta's errors for an id of a file that it does not know any more.
const UNKNOWN_ID: [i32; 3] = [100, 131_009, 131_053];

/// A file to upload.
#[derive(Clone, Copy, Debug)]
pub struct Upload<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its MIME type.
    pub mime_type: &'a str,
    /// Its content.
    pub file: &'a MediaFile,
}

/// Where a file is at Meta.
#[derive(Clone, Debug, Deserialize)]
pub struct MediaAddress {
    url: String,
    /// Its MIME type.
    pub mime_type: Option<String>,
    #[serde(default)]
    file_size: Value,
}

impl MediaAddress {
    /// Its size in bytes, if Meta says so: as a string in its description, as a number elsewhere.
    pub fn size(&self) -> Option<u64> {
        self.file_size.as_u64().or_else(|| self.file_size.as_str()?.parse().ok())
    }
}

#[derive(Deserialize)]
struct Uploaded {
    id: String,
}

/// Whether Meta refused a message because it does not know the id of its file, as far as can be told.
pub fn is_about_media(error: &SendError) -> bool {
    matches!(error, SendError::Refused { code, .. } if UNKNOWN_ID.contains(code))
}

impl Client {
    /// Uploads a file for the messages of a number, within two minutes and a second for each 256 KiB, and returns Meta's id of
    /// it.
    ///
    /// # Errors
    /// As for a message that was certainly not sent.
    pub async fn upload(&self, phone_number_id: &str, file: Upload<'_>) -> Result<String, SendError> {
        let boundary = format!("hookswitch-{:032x}", rand::random::<u128>());
        let (before, after) = form(&boundary, file);
        let size = file.file.size;
        let request = self
            .http
            .post(self.at(&[phone_number_id, "media"]))
            .timeout(TIMEOUT + Duration::from_secs(size / A_SECOND))
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .header(CONTENT_LENGTH, before.len() as u64 + size + after.len() as u64)
            .body(content::body(file.file, before, after));
        let uploaded: Uploaded = answered(request).await?;
        Ok(uploaded.id)
    }

    /// Where a file is that somebody has sent: Meta gives out an address for five minutes.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn media_address(&self, id: &str) -> Result<MediaAddress, SendError> {
        answered(self.http.get(self.at(&[id]))).await
    }

    /// Begins to download a file, within two minutes.
    ///
    /// # Errors
    /// See [`SendError`]. The token is sent to no address but Meta's.
    pub async fn download(&self, address: &MediaAddress) -> Result<Response, SendError> {
        let url = Url::parse(&address.url).ok().filter(|url| is_metas(url, &self.url));
        let url =
            url.ok_or_else(|| SendError::NotSent("the file is not at an address of Meta's".to_owned()))?;
        let failed = |error: reqwest::Error| SendError::NotSent(causes(&error.without_url()));
        let response = self.http.get(url).timeout(TIMEOUT).send().await.map_err(failed)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = read_within(response, ANSWER).await.unwrap_or_default();
        Err(refusal(status, &body, None))
    }

    fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

/// Whether an address is one of Meta's, or at the API itself, as with a simulator.
fn is_metas(url: &Url, api: &Url) -> bool {
    let of_meta = |host: &str| {
        DOMAINS.iter().any(|domain| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    let is_secure = url.scheme() == "https" && url.port().is_none();
    url.origin() == api.origin() || (is_secure && url.host_str().is_some_and(of_meta))
}

async fn answered<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, SendError> {
    let not_sent = |error: reqwest::Error| SendError::NotSent(causes(&error.without_url()));
    let response = request.send().await.map_err(not_sent)?;
    let status = response.status();
    let retry_after = retry_after(response.headers(), Timestamp::now());
    let body = read_within(response, ANSWER).await.map_err(SendError::NotSent)?;
    if !status.is_success() {
        return Err(refusal(status, &body, retry_after));
    }
    serde_json::from_slice(&body)
        .map_err(|error| SendError::NotSent(format!("Meta's answer is not what its documents say: {error}")))
}

/// The form of an upload before and after its content.
fn form(boundary: &str, Upload { name, mime_type, .. }: Upload<'_>) -> (Vec<u8>, Vec<u8>) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let part = |head: &str| format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n");
    let before = [
        part("name=\"messaging_product\""),
        "\r\nwhatsapp\r\n".to_owned(),
        part("name=\"type\""),
        format!("\r\n{mime_type}\r\n"),
        part(&format!("name=\"file\"; filename=\"{name}\"")),
        format!("Content-Type: {mime_type}\r\n\r\n"),
    ]
    .concat();
    (before.into_bytes(), format!("\r\n--{boundary}--\r\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_to_addresses_of_metas_only() {
        let is_metas = |url: &str, api: &str| {
            Url::parse(url).is_ok_and(|url| Url::parse(api).is_ok_and(|api| is_metas(&url, &api)))
        };
        let (meta, local) = ("https://graph.facebook.com/v25.0", "http://127.0.0.1:8421/v25.0");
        assert!(is_metas("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1", meta));
        assert!(is_metas("https://fbsbx.com/x", meta) && is_metas("http://127.0.0.1:8421/x", local));
        for url in [
            "http://lookaside.fbsbx.com/x",
            "https://lookaside.fbsbx.com:8443/x",
            "https://evilfbsbx.com/x",
            "https://fbsbx.com.example.org/x",
            "http://127.0.0.1:8422/x",
        ] {
            assert!(!is_metas(url, meta) && !is_metas(url, local), "{url}");
        }
    }

    #[test]
    fn a_size_is_a_string_or_a_number() {
        for (json, size) in [
            (r#"{"url": "x", "mime_type": "image/jpeg", "file_size": "303833"}"#, Some(303_833)),
            (r#"{"url": "x", "file_size": 7}"#, Some(7)),
            (r#"{"url": "x"}"#, None),
        ] {
            let address: Option<MediaAddress> = serde_json::from_str(json).ok();
            assert_eq!(address.map(|address| address.size()), Some(size), "{json}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        let file = MediaFile::of(b"%PDF");
        let file = Upload { name: "a\"\r\nx: y.pdf", mime_type: "application/pdf", file: &file };
        let (form, _) = form("b", file);
        assert!(String::from_utf8_lossy(&form).contains("filename=\"a___x__y.pdf\""));
    }
}

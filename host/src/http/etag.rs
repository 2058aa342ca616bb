//! Entity tags (RFC 9110, sections 8.8.3 and 13.1.1): a change that is meant for what was read, and not for what somebody
//! else has made of it.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Problem;

/// The `ETag` of a representation: the same as long as the representation is.
pub fn etag(representation: &impl Serialize) -> [(HeaderName, HeaderValue); 1] {
    let tag = HeaderValue::from_str(&tag(representation));
    [(header::ETAG, tag.unwrap_or(HeaderValue::from_static("\"\"")))]
}

fn tag(representation: &impl Serialize) -> String {
    let json = serde_json::to_vec(representation).unwrap_or_default();
    format!("\"{}\"", hex::encode(&Sha256::digest(json)[..16]))
}

/// The condition `If-Match` of a request; without it, anything matches.
pub struct IfMatch(Option<Vec<String>>);

impl IfMatch {
    fn of(headers: &HeaderMap) -> IfMatch {
        let values = headers.get_all(header::IF_MATCH).iter();
        let tags: Vec<String> = values
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .map(|tag| tag.trim().to_owned())
            .collect();
        IfMatch((!tags.is_empty() && !tags.iter().any(|tag| tag == "*")).then_some(tags))
    }

    /// Whether there is a condition that must hold until the change is made.
    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// Checks the condition for the representation as it is.
    ///
    /// # Errors
    /// 412 if it does not hold.
    pub fn check(&self, representation: &impl Serialize) -> Result<(), Problem> {
        match &self.0 {
            Some(tags) if !tags.contains(&tag(representation)) => Err(changed()),
            _ => Ok(()),
        }
    }
}

/// 412: somebody else has changed it.
pub fn changed() -> Problem {
    let detail = "It was changed after it was read; read it again for its ETag, then send the change again.";
    Problem::new(StatusCode::PRECONDITION_FAILED, "changed", detail)
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(IfMatch::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn if_match(values: &[&'static str]) -> IfMatch {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|value| {
            headers.append(header::IF_MATCH, HeaderValue::from_static(value));
        });
        IfMatch::of(&headers)
    }

    #[test]
    fn a_condition_holds_for_what_was_read() {
        let known = tag(&"one");
        let with = |tags: &str| IfMatch(Some(tags.split(',').map(|tag| tag.trim().to_owned()).collect()));
        assert!(with(&format!("\"x\", {known}")).check(&"one").is_ok());
        assert!(with(&known).check(&"two").is_err());
        assert!(if_match(&["\"x\""]).check(&"one").is_err());
        assert!(if_match(&[]).check(&"one").is_ok() && !if_match(&[]).is_given());
        assert!(if_match(&["*"]).check(&"one").is_ok());
    }
}

//! Meta's Resumable Upload API: how the example in a template's header gets to the reviewers.
//!
//! `POST /{app-id}/uploads` opens a session, `POST /upload:…` takes the file and answers a handle. The session's id says
//! what it was opened for, so nothing has to be remembered.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::kinds::{self, LARGEST};
use crate::{error::GraphError, templates::Query};

/// How the id of a session begins.
pub const SESSION: &str = "upload:";

/// Opens a session.
///
/// # Errors
/// 100 where the file is not one that Meta takes.
pub fn open(query: &Query) -> Result<Value, GraphError> {
    let parameter = |name: &str| {
        let value = query.get(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| GraphError::parameter(format!("The parameter {name} is required.")))
    };
    let (length, mime_type) = (parameter("file_length")?, parameter("file_type")?);
    if !length.parse::<usize>().is_ok_and(|length| (1..=LARGEST).contains(&length)) {
        return Err(GraphError::parameter(format!("Param file_length must be from 1 to {LARGEST}.")));
    }
    if kinds::kind(mime_type).is_none() {
        return Err(GraphError::parameter(format!("Param file_type must be one of {}.", kinds::all())));
    }
    Ok(json!({"id": format!("{SESSION}{}", hex::encode(format!("{length} {mime_type}")))}))
}

/// Takes the file of a session.
///
/// # Errors
/// 100 where there is no such session, or the file has another length.
pub fn take(session: &str, content: &[u8]) -> Result<Value, GraphError> {
    let opened = session.strip_prefix(SESSION).and_then(|id| hex::decode(id).ok());
    let opened = opened.and_then(|opened| String::from_utf8(opened).ok());
    let length = opened.as_deref().and_then(|opened| opened.split(' ').next()?.parse::<usize>().ok());
    match length {
        None => Err(GraphError::no_object("POST", session)),
        Some(length) if length != content.len() => Err(GraphError::parameter(format!(
            "The file has {} bytes, the session was opened for {length}.",
            content.len()
        ))),
        Some(_) => Ok(json!({"h": format!("4::{}", hex::encode(Sha256::digest(content)))})),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_session_takes_the_file_that_it_was_opened_for() {
        let query = |kind: &str| -> Query {
            [("file_length", "3"), ("file_type", kind)].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
        };
        let opened = open(&query("image/png")).unwrap();
        let session = opened["id"].as_str().unwrap();
        assert!(take(session, b"png").unwrap()["h"].as_str().unwrap().starts_with("4::"));
        assert!(take(session, b"longer").is_err());
        assert!(take("upload:x", b"png").is_err());
        assert!(open(&query("image/tiff")).is_err());
    }
}

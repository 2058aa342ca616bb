//! `GET` and `DELETE /{media-id}`, and the download.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::link;
use crate::{Simulator, error::GraphError, templates::Query};

/// `GET /{media-id}`: where it can be downloaded, at a host; `None` where there is no such media.
pub fn get(simulator: &Simulator, id: &str, query: &Query, base: &str) -> Option<Value> {
    let now = Timestamp::now();
    let state = simulator.state();
    let media = state.media.find(id, query.get("phone_number_id").map(String::as_str), now)?;
    Some(json!({
        "messaging_product": "whatsapp",
        "url": link::url(base, &simulator.settings().app_secret, id, now),
        "mime_type": media.kind.mime_type,
        "sha256": media.sha256,
        "file_size": media.content.len(),
        "id": media.id,
    }))
}

/// `DELETE /{media-id}`.
///
/// # Errors
/// 100 where there is no such media.
pub fn delete(simulator: &Simulator, id: &str, query: &Query) -> Result<Value, GraphError> {
    let number = query.get("phone_number_id").map(String::as_str);
    match simulator.state().media.delete(id, number, Timestamp::now()) {
        true => Ok(json!({"success": true})),
        false => Err(GraphError::no_object("DELETE", id)),
    }
}

/// The file itself, at an address that [`get`] gave out.
///
/// # Errors
/// 404 when the address has expired or was never given out, or the media is gone.
pub fn download(simulator: &Simulator, query: &Query) -> Result<Response, GraphError> {
    let now = Timestamp::now();
    let parameter = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let id = parameter("mid");
    let is_good =
        link::is_good(&simulator.settings().app_secret, id, parameter("ext"), parameter("hash"), now);
    let state = simulator.state();
    match state.media.find(id, None, now).filter(|_| is_good) {
        Some(media) => {
            Ok(([(header::CONTENT_TYPE, media.kind.mime_type)], media.content.clone()).into_response())
        }
        None => Err(GraphError { status: 404, ..GraphError::no_object("GET", id) }),
    }
}

//! Files that people have sent.

use axum::{
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

use super::{Console, refusal::Refusal, session::Viewer};
use crate::{
    http::{attachment, sentence},
    operate::MediaError,
};

/// A file, to be stored.
pub async fn get(
    viewer: Viewer,
    State(console): State<Console>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    if !viewer.sees_personal {
        let detail = "The key of this session lacks the scope personal.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    if id.contains('\0') {
        return Err(Refusal::unknown("No stored event names this file."));
    }
    let media = console.setup.received_media(&id).await.map_err(|error| match error {
        MediaError::Store(error) => error.into(),
        MediaError::Unknown(_) => Refusal::unknown("No stored event names this file."),
        MediaError::Gone(_) => Refusal::new(StatusCode::GONE, sentence(&error.to_string())),
        MediaError::TooLarge | MediaError::Meta(_) => {
            Refusal::new(StatusCode::BAD_GATEWAY, sentence(&error.to_string()))
        }
    })?;
    let (mime_type, filename, size) = (media.mime_type.clone(), media.filename.clone(), media.size);
    Ok(attachment(&mime_type, &filename, size, Body::from_stream(media.content())))
}

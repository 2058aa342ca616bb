//! `GET /v1/media/{id}`: files that people have sent.

use axum::{
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};

use super::Host;
use crate::{
    http::{Problem, Viewing, attachment, from_path, invalid, sentence},
    operate::MediaError,
};

/// Get a file that somebody has sent: an image, a video, a voice message, a document or a sticker.
///
/// `id` is `data.media.id` of an event `message.received`. The file is streamed from Meta, which keeps it for 30 days at
/// most. The key needs the scopes `read` and `personal`.
#[utoipa::path(get, path = "/v1/media/{id}", operation_id = "getMedia", tag = "messages", security(("key" = [])),
    params(("id" = String, Path, description = "Meta's id of the file")),
    responses(
        (status = 200, description = "The file, at most 100 MiB, with its type and name",
            content_type = "application/octet-stream", body = [u8]),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No stored event names a file with this id"),
        (status = 410, description = "Meta no longer has the file"),
        (status = 502, description = "Meta did not answer, or refused"),
    ))]
pub async fn get(
    _: Viewing,
    State(host): State<Host>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = from_path(id)?;
    if id.contains('\0') {
        return Err(invalid("The request must not contain the character U+0000."));
    }
    let media = host.setup.received_media(&id).await.map_err(problem)?;
    let (mime_type, filename, size) = (media.mime_type.clone(), media.filename.clone(), media.size);
    Ok(attachment(&mime_type, &filename, size, Body::from_stream(media.content())))
}

fn problem(error: MediaError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        MediaError::Unknown(_) => Problem::new(StatusCode::NOT_FOUND, "media_unknown", detail),
        MediaError::Gone(_) => Problem::new(StatusCode::GONE, "media_gone", detail),
        MediaError::TooLarge | MediaError::Meta(_) => {
            Problem::new(StatusCode::BAD_GATEWAY, "meta_failed", detail)
        }
        MediaError::Store(error) => error.into(),
    }
}

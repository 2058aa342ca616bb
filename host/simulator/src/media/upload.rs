//! `POST /{phone-number-id}/media`: a file as multipart/form-data.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
};
use jiff::Timestamp;
use multer::{Constraints, Field, Multipart, SizeLimit};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    kinds::{self, Kind, LARGEST, kind},
    store::{Media, MediaStore},
};
use crate::{Simulator, error::GraphError, ids, templates::Query};

/// What may stand around the file: other fields, boundaries and headers, in bytes.
const AROUND: u64 = 64 * 1024;
/// The longest value of another field, in bytes.
const FIELD: u64 = 1024;
/// How long an upload may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Uploads that are read at once, so that few files are in memory before they are kept.
const AT_ONCE: usize = 2;

/// Lets few uploads be read at once.
pub struct Uploads(Semaphore);

impl Default for Uploads {
    fn default() -> Self {
        Uploads(Semaphore::new(AT_ONCE))
    }
}

/// A file with its type.
struct File {
    kind: Kind,
    content: Bytes,
}

/// Takes an upload; answers its id. `messaging_product` may stand in the query too, as any parameter of Graph's.
///
/// # Errors
/// 100 where Meta refuses it.
pub async fn upload(
    simulator: &Simulator,
    phone_number_id: &str,
    headers: &HeaderMap,
    query: &Query,
    body: Body,
) -> Result<Value, GraphError> {
    let file = {
        let _turn = simulator.uploads().0.acquire().await;
        timeout(TIMEOUT, read(headers, query, body))
            .await
            .map_err(|_| GraphError::parameter("Invalid parameter: the upload takes too long."))??
    };
    let now = Timestamp::now();
    let id = ids::object_id();
    let mut state = simulator.state();
    state.stats.uploads += 1;
    state.media.add(Media {
        id: id.clone(),
        phone_number_id: phone_number_id.to_owned(),
        kind: file.kind,
        sha256: hex::encode(Sha256::digest(&file.content)),
        content: file.content,
        expires_at: MediaStore::expiry(now),
    });
    Ok(json!({"id": id}))
}

async fn read(headers: &HeaderMap, query: &Query, body: Body) -> Result<File, GraphError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(content_type.unwrap_or_default()).map_err(|_| missing("file"))?;
    let limit = SizeLimit::new()
        .whole_stream(LARGEST as u64 + AROUND)
        .per_field(FIELD)
        .for_field("file", LARGEST as u64 + AROUND);
    let constraints = Constraints::new().size_limit(limit);
    let mut parts = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    let (mut file, mut product) = (None, query.get("messaging_product").cloned());
    while let Some(part) = parts.next_field().await.map_err(unreadable)? {
        match part.name() {
            Some("file") => file = Some(content(part).await?),
            Some("messaging_product") => product = Some(part.text().await.map_err(unreadable)?),
            // `type` says once more what the file's own header says.
            _ => {}
        }
    }
    match product.as_deref() {
        Some("whatsapp") => file.ok_or_else(|| missing("file")),
        Some(_) => Err(GraphError::parameter("Param messaging_product must be one of {WHATSAPP}.")),
        None => Err(missing("messaging_product")),
    }
}

/// Reads a file to its end, whatever is wrong with it: who is still sending does not read an answer. What will not be
/// kept is not kept in memory either.
async fn content(mut part: Field<'_>) -> Result<File, GraphError> {
    let mime_type =
        part.content_type().map_or("application/octet-stream", |mime_type| mime_type.essence_str());
    let kind = kind(mime_type).ok_or_else(|| unknown(mime_type));
    let most = kind.as_ref().map_or(0, |kind| kind.limit);
    let (mut content, mut size) = (Vec::new(), 0);
    while let Some(chunk) = part.chunk().await.map_err(unreadable)? {
        size += chunk.len();
        if size <= most {
            content.extend_from_slice(&chunk);
        } else {
            content = Vec::new();
        }
    }
    let kind = kind?;
    match kind.limit_of(&content) {
        _ if size == 0 => Err(GraphError::parameter("Param file must not be empty.")),
        _ if size > most => Err(too_large(kind.mime_type, most)),
        limit if size > limit => Err(too_large(kind.mime_type, limit)),
        // Without the room that the vector has left.
        _ => Ok(File { kind, content: content.into_boxed_slice().into() }),
    }
}

fn unknown(mime_type: &str) -> GraphError {
    GraphError::parameter(format!(
        "Param file must be a file with one of the following types: {}. Received file of type '{mime_type}'.",
        kinds::all()
    ))
}

fn missing(parameter: &str) -> GraphError {
    GraphError::parameter(format!("The parameter {parameter} is required."))
}

fn unreadable(error: multer::Error) -> GraphError {
    match error {
        multer::Error::StreamSizeExceeded { .. } => too_large("A file", LARGEST),
        error => GraphError::parameter(format!("Invalid parameter: the upload cannot be read: {error}")),
    }
}

fn too_large(what: &str, limit: usize) -> GraphError {
    let text = format!("The file you uploaded is too large. {what} may have at most {limit} bytes.");
    GraphError {
        user: Some(Box::new(("File Too Large".into(), text))),
        ..GraphError::parameter("Invalid parameter")
    }
}

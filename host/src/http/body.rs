//! Bodies of requests: read within limits of size, time and speed, and all together within a number of bytes.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{self, Bytes},
    extract::{FromRef, FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use super::Problem;

/// Bytes.
pub const KIB: usize = 1024;
/// Bytes.
pub const MIB: usize = 1024 * KIB;

/// Bodies of at most 256 KiB that are in memory at once, over all connections.
const SMALL: usize = 16 * MIB;
/// Larger bodies that came with a key: two of the largest.
const LARGE: usize = 32 * MIB;
/// Bodies of which nobody knows yet whether Meta sent them.
const UNSIGNED: usize = 12 * MIB;

/// How long a body may take.
const TIME: Duration = Duration::from_secs(30);
/// After this long, a body must have come at [`RATE`] on average.
const GRACE: Duration = Duration::from_secs(5);
/// Bytes a second.
const RATE: usize = 16 * KIB;
/// How long a request waits for memory.
const WAIT: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Of a body that is too large, how much more is read and discarded: a client that is cut off while sending does not
/// read the answer.
const DISCARDED: usize = 4 * MIB;
/// The largest JSON body of the operator's endpoints.
const JSON_LIMIT: usize = 256 * KIB;

/// Which share of the memory a body takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// At most 256 KiB, with a key. Taken as it comes in: a slow client holds what it has sent.
    Small,
    /// Larger, with a key. Taken whole before it is read, so that two half-read ones never wait for each other.
    Large,
    /// Without a key, taken as it comes in.
    Unsigned,
}

/// The memory that bodies may take, over all connections: 60 MiB. Cheap to clone.
#[derive(Clone)]
pub struct Bodies {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    unsigned: Arc<Semaphore>,
}

impl Default for Bodies {
    fn default() -> Self {
        let of = |bytes: usize| Arc::new(Semaphore::new(bytes / KIB));
        Bodies { small: of(SMALL), large: of(LARGE), unsigned: of(UNSIGNED) }
    }
}

/// A body, with its share of the memory. Keep it as long as what is made of it: that is about as large.
pub struct Body {
    /// What came in.
    pub bytes: Bytes,
    /// Given back when it is dropped.
    pub share: Share,
}

/// A share of the memory for bodies.
pub struct Share {
    semaphore: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Share {
    /// Takes memory for so many bytes in all.
    async fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let more = bytes.div_ceil(KIB) - self.bytes.div_ceil(KIB);
        self.bytes = bytes;
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).map_err(|_| busy())?;
        let permit = match self.semaphore.clone().try_acquire_many_owned(more) {
            Ok(permit) => permit,
            Err(_) => match timeout(WAIT, self.semaphore.clone().acquire_many_owned(more)).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => return Err(busy()),
            },
        };
        match &mut self.held {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }
}

impl Bodies {
    /// Reads a body of at most `limit` bytes; `too_large` is the refusal of a larger one.
    ///
    /// # Errors
    /// 408 where it takes longer than 30 seconds or comes slower than 16 KiB a second, 413 where it is too large,
    /// 503 where bodies of others take all memory.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        body: body::Body,
        budget: Budget,
        limit: usize,
        too_large: impl Fn() -> Problem,
    ) -> Result<Body, Problem> {
        let semaphore = match budget {
            Budget::Small => &self.small,
            Budget::Large => &self.large,
            Budget::Unsigned => &self.unsigned,
        };
        let mut share = Share { semaphore: semaphore.clone(), held: None, bytes: 0 };
        let declared = declared(headers);
        if budget == Budget::Large {
            share.grow(declared.unwrap_or(limit).min(limit)).await?;
        }
        let bytes = read(body, &mut share, limit).await?.ok_or_else(too_large)?;
        Ok(Body { bytes, share })
    }
}

fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Nothing where it is too large.
async fn read(body: body::Body, share: &mut Share, limit: usize) -> Result<Option<Bytes>, Problem> {
    let mut chunks = body.into_data_stream();
    let (mut first, mut all, mut length) = (Bytes::new(), Vec::new(), 0);
    let start = Instant::now();
    loop {
        // At most GRACE after the time at which the bytes that are there would have come at RATE.
        let due = GRACE + Duration::from_millis(length as u64 * 1_000 / RATE as u64);
        let chunk = match timeout_at(start + due.min(TIME), chunks.next()).await {
            Err(_) => return Err(too_slow()),
            Ok(None) => break,
            Ok(Some(chunk)) => chunk.map_err(|error| {
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    "body_unread",
                    format!("The body ended before it was complete: {error}."),
                )
            })?,
        };
        length += chunk.len();
        if length > limit + DISCARDED {
            break;
        } else if length > limit {
            (first, all) = (Bytes::new(), Vec::new());
            continue;
        }
        if length > share.bytes {
            share.grow(length).await?;
        }
        if first.is_empty() && all.is_empty() {
            // Usually there is no second one, and nothing to copy.
            first = chunk;
            continue;
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&chunk);
    }
    if length > limit {
        return Ok(None);
    }
    Ok(Some(if all.is_empty() { first } else { all.into() }))
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "body_timeout",
        "The body must arrive within 30 seconds, at 16 KiB per second or faster; send the request again.",
    )
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "Too many requests are in progress, and this one was not read; send it again.",
    )
    .retry_after(RETRY_AFTER)
}

/// A JSON body of at most 256 KiB. Stands after [`super::Admin`] among a handler's arguments: extractors run in
/// order, so the key is checked first.
pub struct JsonBody<T>(pub T);

impl<S, T: DeserializeOwned> FromRequest<S> for JsonBody<T>
where
    S: Send + Sync,
    Bodies: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let media_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let detail =
                format!("The content type must be application/json, not {}.", media_type.unwrap_or("absent"));
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        let too_large = || {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is larger than 256 KiB.")
        };
        let bodies = Bodies::from_ref(state);
        let body = bodies.read(&head.headers, body, Budget::Small, JSON_LIMIT, too_large).await?;
        let wrong = |error: serde_json::Error| {
            let detail = format!("The body is invalid: {error}.");
            let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail);
            problem.at(error.line(), error.column())
        };
        serde_json::from_slice(&body.bytes).map(JsonBody).map_err(wrong)
    }
}

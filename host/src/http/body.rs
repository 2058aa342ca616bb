//! Bodies of requests: read within limits of size, time and speed, and all together within a number of bytes.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{self, Bytes},
    extract::{FromRef, FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    Problem,
    gzip::is_gzip,
    incoming::{Room, read_packed, read_plain},
};

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

/// How long a request waits for memory.
const WAIT: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// What unpacking a body takes besides what comes out: the window and a buffer. Large shares have room for it.
const UNPACKER: usize = 80 * KIB;
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
    pub(super) bytes: usize,
}

impl Share {
    /// Takes memory for so many bytes in all.
    pub(super) async fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
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

/// What a body may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The share of the memory.
    pub budget: Budget,
    /// The maximum size, in bytes, after unpacking.
    pub bytes: usize,
    /// The maximum size of a JSON array, in bytes, where that is more: beyond `bytes` it takes a large share.
    pub array: Option<usize>,
}

impl Limits {
    /// At most so many bytes.
    pub fn new(budget: Budget, bytes: usize) -> Limits {
        Limits { budget, bytes, array: None }
    }
}

impl Bodies {
    pub(super) fn share(&self, budget: Budget) -> Share {
        let semaphore = match budget {
            Budget::Small => &self.small,
            Budget::Large => &self.large,
            Budget::Unsigned => &self.unsigned,
        };
        Share { semaphore: semaphore.clone(), held: None, bytes: 0 }
    }

    /// Reads a body, and unpacks it if it is compressed; `too_large` is the refusal of one that is larger than the limit
    /// that it is given. A body without a key is never unpacked: its signature is about what was sent.
    ///
    /// # Errors
    /// 400 where it cannot be unpacked, 408 where it takes longer than 30 seconds or comes slower than 16 KiB a second, 413
    /// where it is too large, 415 for an encoding other than gzip, 503 where bodies of others take all memory.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        body: body::Body,
        limits: Limits,
        too_large: impl Fn(usize) -> Problem,
    ) -> Result<Body, Problem> {
        let is_gzip = limits.budget != Budget::Unsigned && is_gzip(headers)?;
        let mut share = self.share(limits.budget);
        let declared = declared(headers).filter(|_| !is_gzip);
        if limits.budget == Budget::Large {
            share.grow(declared.unwrap_or(limits.bytes).min(limits.bytes)).await?;
        }
        let overhead = if is_gzip && limits.budget == Budget::Small { UNPACKER } else { 0 };
        let mut room =
            Room { bodies: self, share, limit: limits.bytes, array: limits.array, declared, overhead };
        let read = match is_gzip {
            true => read_packed(body, &mut room).await?,
            false => read_plain(body, &mut room).await?,
        };
        let bytes = read.ok_or_else(|| too_large(room.limit))?;
        Ok(Body { bytes, share: room.share })
    }
}

fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
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
        let too_large = |_| {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is larger than 256 KiB.")
        };
        let bodies = Bodies::from_ref(state);
        let limits = Limits::new(Budget::Small, JSON_LIMIT);
        let body = bodies.read(&head.headers, body, limits, too_large).await?;
        let wrong = |error: serde_json::Error| {
            let detail = format!("The body is invalid: {error}.");
            let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail);
            problem.at(error.line(), error.column())
        };
        serde_json::from_slice(&body.bytes).map(JsonBody).map_err(wrong)
    }
}

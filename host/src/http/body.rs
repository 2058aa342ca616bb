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

use super::{
    Problem,
    gzip::{Unpacker, is_gzip},
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
    fn share(&self, budget: Budget) -> Share {
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

/// The memory that one body has and may get.
struct Room<'a> {
    bodies: &'a Bodies,
    share: Share,
    limit: usize,
    array: Option<usize>,
    declared: Option<usize>,
    /// What unpacking takes besides, in bytes.
    overhead: usize,
}

impl Room<'_> {
    /// Makes room for so many bytes in all, of a body that has these parts so far; false if it is too large.
    async fn fits(&mut self, length: usize, parts: &[&[u8]]) -> Result<bool, Problem> {
        if length > self.limit
            && let Some(limit) = self.array
            && is_array(parts, self.limit)
        {
            // Taken whole, and nobody with a large share waits for a small one.
            let mut large = self.bodies.share(Budget::Large);
            large.grow(self.declared.unwrap_or(limit).clamp(length.min(limit), limit)).await?;
            (self.share, self.limit, self.array, self.overhead) = (large, limit, None, 0);
        }
        if length > self.limit {
            return Ok(false);
        }
        if length + self.overhead > self.share.bytes {
            self.share.grow(length + self.overhead).await?;
        }
        Ok(true)
    }
}

/// Whether the first so many bytes of a body show that it is an array, however it is cut into parts.
fn is_array(parts: &[&[u8]], shown: usize) -> bool {
    let mut bytes = parts.iter().flat_map(|part| part.iter()).take(shown);
    bytes.find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// A body as it comes in: in time, and fast enough.
struct Incoming {
    chunks: body::BodyDataStream,
    start: Instant,
    length: usize,
}

impl Incoming {
    fn new(body: body::Body) -> Incoming {
        Incoming { chunks: body.into_data_stream(), start: Instant::now(), length: 0 }
    }

    /// The next chunk; nothing at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        // At most GRACE after the time at which the bytes that are there would have come at RATE.
        let due = GRACE + Duration::from_millis(self.length as u64 * 1_000 / RATE as u64);
        let chunk = match timeout_at(self.start + due.min(TIME), self.chunks.next()).await {
            Err(_) => return Err(too_slow()),
            Ok(None) => return Ok(None),
            Ok(Some(chunk)) => chunk.map_err(|error| {
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    "body_unread",
                    format!("The body ended before it was complete: {error}."),
                )
            })?,
        };
        self.length += chunk.len();
        Ok(Some(chunk))
    }

    /// Reads on for a while, after the body was found to be too large.
    async fn discard(mut self, limit: usize) -> Result<(), Problem> {
        while self.length <= limit + DISCARDED && self.next().await?.is_some() {}
        Ok(())
    }
}

/// Nothing where it is too large.
async fn read_plain(body: body::Body, room: &mut Room<'_>) -> Result<Option<Bytes>, Problem> {
    let mut incoming = Incoming::new(body);
    let (mut first, mut all) = (Bytes::new(), Vec::new());
    while let Some(chunk) = incoming.next().await? {
        if !room.fits(incoming.length, &[&all, &first, &chunk]).await? {
            drop((first, all));
            return incoming.discard(room.limit).await.map(|()| None);
        }
        if first.is_empty() && all.is_empty() {
            // Usually there is no second one, and nothing to copy.
            first = chunk;
            continue;
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&chunk);
    }
    Ok(Some(if all.is_empty() { first } else { all.into() }))
}

/// The same for one that is compressed.
async fn read_packed(body: body::Body, room: &mut Room<'_>) -> Result<Option<Bytes>, Problem> {
    let mut incoming = Incoming::new(body);
    room.fits(0, &[]).await?;
    let mut unpacker = Unpacker::new();
    while let Some(chunk) = incoming.next().await? {
        let mut packed = &chunk[..];
        while !packed.is_empty() {
            match unpacker.take(packed) {
                Ok(taken) => packed = &packed[taken..],
                Err(broken) => return incoming.discard(room.limit).await.and(Err(broken)),
            }
            let unpacked = unpacker.unpacked();
            let fits =
                incoming.length <= room.limit + DISCARDED && room.fits(unpacked.len(), &[unpacked]).await?;
            if !fits {
                drop(unpacker);
                return incoming.discard(room.limit).await.map(|()| None);
            }
        }
    }
    let bytes = unpacker.finish()?;
    Ok(room.fits(bytes.len(), &[&bytes]).await?.then(|| bytes.into()))
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

//! A body as it comes in, and the room that it takes.

use std::time::Duration;

use axum::{
    body::{self, Bytes},
    http::StatusCode,
};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::{Bodies, Budget, KIB, MIB, Problem, body::Share, gzip::Unpacker};

/// How long a body may take.
const TIME: Duration = Duration::from_secs(30);
/// After this long, a body must have come at [`RATE`] on average.
const GRACE: Duration = Duration::from_secs(5);
/// Bytes a second.
const RATE: usize = 16 * KIB;
/// Of a body that is too large, how much more is read and discarded: a client that is cut off while sending does not
/// read the answer.
const DISCARDED: usize = 4 * MIB;

/// The memory that one body has and may get.
pub struct Room<'a> {
    /// Where more comes from.
    pub bodies: &'a Bodies,
    /// What it has.
    pub share: Share,
    /// The maximum size, in bytes, after unpacking.
    pub limit: usize,
    /// See [`Limits::array`](super::Limits::array).
    pub array: Option<usize>,
    /// The size that the client declared.
    pub declared: Option<usize>,
    /// What unpacking takes besides, in bytes.
    pub overhead: usize,
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

/// Reads a body; nothing where it is too large.
pub async fn read_plain(body: body::Body, room: &mut Room<'_>) -> Result<Option<Bytes>, Problem> {
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
pub async fn read_packed(body: body::Body, room: &mut Room<'_>) -> Result<Option<Bytes>, Problem> {
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

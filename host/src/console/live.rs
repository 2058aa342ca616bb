//! The stream that tells a page that something has changed: the page then asks for itself again.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};

use super::{Console, guard::EVENT_STREAM, refusal::Refusal, session::Viewer};
use crate::metrics::Totals;

/// Maximum number of streams of a host.
pub const STREAMS: usize = 64;
/// A change is told within this time, and at most so often.
const OFTEN: Duration = Duration::from_secs(1);
/// Of all streams of a host, one is told in this time: where many people look, each page follows less often, so that what
/// they see is not paid for by what is sent.
const EACH: Duration = Duration::from_millis(250);
/// A page asks again after these times even if nothing is known to have changed, as other hosts send and hear, too: soon
/// after it was opened, then seldom.
const SOON: Duration = Duration::from_secs(2);
const SELDOM: Duration = Duration::from_secs(15);
/// How long a stream lasts. The browser opens the next one, if its session is still in force.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// The first byte comes at once, so that a browser knows that the stream is open.
const OPEN: Bytes = Bytes::from_static(b":\n\n");
const CHANGED: Bytes = Bytes::from_static(b"event: changed\ndata:\n\n");

/// What the streams look at, and how many more there may be. Cheap to clone.
#[derive(Clone)]
pub struct Changes {
    totals: Totals,
    places: Arc<Semaphore>,
}

impl Changes {
    /// Changes of what a host counts.
    pub fn new(totals: Totals) -> Changes {
        Changes { totals, places: Arc::new(Semaphore::new(STREAMS)) }
    }

    /// How often each stream is told, by the number of streams.
    fn often(&self) -> Duration {
        let open = STREAMS.saturating_sub(self.places.available_permits());
        OFTEN.max(EACH * u32::try_from(open).unwrap_or(u32::MAX))
    }

    /// Grows with everything that this host does.
    fn sum(&self) -> u64 {
        self.totals.read().map(|(_, n)| n).fold(0, u64::wrapping_add)
    }
}

/// A stream, and its place among the streams of the host.
struct Watch {
    changes: Changes,
    sum: u64,
    told: Instant,
    /// How long nothing is told after that, unless something is counted; nothing was told yet if it is absent.
    rest: Option<Duration>,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

/// Whether a page is told now, and the rest after that: `ago` is the time since it was told last.
fn told(ago: Duration, often: Duration, rest: Duration, has_changed: bool) -> Option<Duration> {
    if ago < often {
        return None;
    }
    match has_changed {
        true => Some(SOON),
        false => (ago >= rest).then(|| (rest * 2).min(SELDOM)),
    }
}

/// Says `changed` when this host has counted something, and every 15 seconds.
pub async fn live(_: Viewer, State(console): State<Console>) -> Result<Response, Refusal> {
    let changes = console.changes.clone();
    let place = changes.places.clone().try_acquire_owned().map_err(|_| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open that show changes at once.")
    })?;
    let now = Instant::now();
    let watch =
        Watch { sum: changes.sum(), changes, told: now, rest: None, until: now + LIFE, _place: place };
    let told = stream::unfold(watch, async |mut watch| {
        let Some(rest) = watch.rest else {
            watch.rest = Some(SOON);
            return Some((Ok::<Bytes, Infallible>(OPEN), watch));
        };
        loop {
            let (now, sum) = (Instant::now(), watch.changes.sum());
            if now >= watch.until {
                return None;
            }
            if let Some(rest) = told(now - watch.told, watch.changes.often(), rest, sum != watch.sum) {
                (watch.rest, watch.sum, watch.told) = (Some(rest), sum, now);
                return Some((Ok(CHANGED), watch));
            }
            sleep(OFTEN).await;
        }
    });
    let headers = [
        (header::CONTENT_TYPE, EVENT_STREAM),
        // A proxy is not to collect what is told.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(told)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a page is told, in seconds.
    fn times(often: u64, has_changed: impl Fn(u64) -> bool) -> Vec<u64> {
        let (mut last, mut rest, mut times) = (0, SOON, Vec::new());
        for now in 0..=30 {
            let ago = Duration::from_secs(now - last);
            if let Some(next) = told(ago, Duration::from_secs(often), rest, has_changed(now)) {
                (last, rest) = (now, next);
                times.push(now);
            }
        }
        times
    }

    #[test]
    fn a_page_is_told_of_changes_and_seldom_without() {
        assert_eq!(times(1, |now| now == 3 || now == 4), [2, 3, 4, 6, 10, 18]);
    }

    #[test]
    fn where_many_look_each_page_is_told_less_often() {
        assert_eq!(times(5, |_| true), [5, 10, 15, 20, 25, 30]);
        assert_eq!(times(5, |_| false), [5, 10, 18]);
    }
}

//! Closes digests: what was collected becomes an event, and goes the way of all events.

use hookswitch_core::domain::{DIGEST_TYPE, Digest, Event, EventKey, Unreadable};
use jiff::Timestamp;
use serde_json::{Value, json, value::RawValue};

use super::Routing;
use crate::{
    store::{DueDigest, StoreError},
    system::{SOURCE, fingerprint},
};

/// Digests that close in one transaction, at most.
const BATCH: usize = 64;
/// Items that a digest shows, at most; all are counted.
const ITEMS: i64 = 1_000;
/// Bytes of items that a digest shows, at most, as an event's payload may have.
const BYTES: i64 = 256 * 1024;

impl Routing {
    /// Closes digests whose time has come, one batch of them; tells whether there may be more. The event's id is the
    /// digest's: nobody closes it twice.
    pub(super) async fn close_digests(&self) -> Result<bool, StoreError> {
        let now = self.store.now();
        let closed = self.store.close_digests(BATCH, ITEMS, BYTES, |due| event(due, now)).await?;
        if closed > 0 {
            self.wake.notify_one();
        }
        Ok(closed == BATCH)
    }
}

/// The digest's event. Of one that cannot be read it says why, so that it holds up no other.
fn event(due: DueDigest, now: Timestamp) -> (Event, [u8; 32]) {
    let id = due.id.to_string();
    let data = data(due).unwrap_or_else(|error| {
        let why = format!("read what was collected: {error}");
        tracing::error!(digest = id, why, "failed to close a digest");
        json!(Unreadable { why }).to_string()
    });
    let sha256 = fingerprint(DIGEST_TYPE, &id);
    let event = Event {
        key: EventKey { id, source: SOURCE.to_owned() },
        kind: DIGEST_TYPE.to_owned(),
        subject: None,
        time: now,
        data: RawValue::from_string(data).unwrap_or_default(),
        extensions: None,
    };
    (event, sha256)
}

fn data(due: DueDigest) -> Result<String, serde_json::Error> {
    let mut digest = Digest {
        decision: serde_json::from_str(&due.decision)?,
        items: Vec::new(),
        count: due.count,
        events: Vec::new(),
    };
    for (context, id, source) in due.items {
        digest.items.push(serde_json::from_str::<Value>(&context)?);
        digest.events.push((id, source));
    }
    serde_json::to_string(&digest)
}

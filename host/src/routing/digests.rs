//! Closes digests: what was collected becomes an event, and goes the way of all events.

use jiff::Timestamp;
use serde_json::{Value, value::RawValue};
use sha2::{Digest as _, Sha256};

use super::Routing;
use crate::{
    decide::DIGEST_TYPE,
    domain::{Digest, Event, EventKey},
    store::{DueDigest, StoreError},
    system::SOURCE,
};

/// So many close in one transaction at most.
const BATCH: i64 = 64;
/// A digest shows so many items at most; all are counted.
const ITEMS: i64 = 1_000;
/// And so many bytes of them, as an event's payload may have.
const BYTES: usize = 256 * 1024;

impl Routing {
    /// Closes the digests whose time has come. The event's id is the digest's: nobody closes it twice.
    pub(super) async fn close_digests(&self) -> Result<(), StoreError> {
        let now = self.store.now();
        while self.store.close_digests(now, BATCH, ITEMS, |due| event(due, now)).await? > 0 {
            self.wake.notify_one();
        }
        Ok(())
    }
}

fn event(due: DueDigest, now: Timestamp) -> Result<(Event, [u8; 32]), StoreError> {
    let wrong = |error: serde_json::Error| StoreError::Row(format!("what was collected: {error}"));
    let mut digest = Digest {
        decision: serde_json::from_str(&due.decision).map_err(wrong)?,
        items: Vec::new(),
        count: due.count,
        events: Vec::new(),
    };
    let mut bytes = 0;
    for (context, id, source) in due.items {
        bytes += context.len();
        if bytes > BYTES {
            break;
        }
        digest.items.push(serde_json::from_str::<Value>(&context).map_err(wrong)?);
        digest.events.push((id, source));
    }
    let data = serde_json::to_string(&digest).map_err(wrong)?;
    let sha256 = Sha256::digest(&data).into();
    let event = Event {
        key: EventKey { id: due.id.to_string(), source: SOURCE.to_owned() },
        kind: DIGEST_TYPE.to_owned(),
        subject: None,
        time: now,
        data: RawValue::from_string(data).map_err(wrong)?,
        extensions: None,
    };
    Ok((event, sha256))
}

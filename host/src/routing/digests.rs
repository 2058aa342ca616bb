//! Closes digests: collected decisions become an event, which is routed like any other.

use hookswitch_core::domain::{DIGEST_TYPE, Digest, Event, EventKey, Unreadable};
use jiff::Timestamp;
use serde_json::{Value, json, value::RawValue};

use super::Routing;
use crate::{
    lanes::Unread,
    store::{DueDigest, DueItem, StoreError},
    system::{SOURCE, fingerprint},
};

/// Maximum number of digests closed in one transaction.
const BATCH: usize = 64;
/// Maximum number of items of a digest; all are counted.
const ITEMS: i64 = 1_000;
/// Maximum number of events whose traces a digest is linked with.
const TRACES: usize = 32;
/// Maximum size of the items of a digest, in bytes: that of an event's payload.
const BYTES: i64 = 256 * 1024;

impl Routing {
    /// Closes one batch of due digests. Returns whether there may be more. The id of the event is that of the digest, so
    /// that it is closed only once.
    pub(super) async fn close_digests(&self) -> Result<bool, StoreError> {
        let now = self.store.now();
        let closed = self.store.close_digests(BATCH, ITEMS, BYTES, |due| self.digest_event(due, now)).await?;
        if closed > 0 {
            self.wake.tell(Unread::All);
        }
        Ok(closed == BATCH)
    }

    /// The event of a digest. If the digest cannot be read, its event says why, so that it does not block others.
    fn digest_event(&self, due: DueDigest, now: Timestamp) -> (Event, [u8; 32]) {
        let id = due.id.to_string();
        let traces = self.traces_of(&due.items);
        let data = data(due, traces).unwrap_or_else(|error| {
            let why = format!("cannot read the digest: {error}");
            tracing::error!(digest = id, why, "cannot close a digest");
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

    /// Where the first of these events were routed, if that is traced.
    fn traces_of(&self, items: &[DueItem]) -> Vec<String> {
        if !self.tracer.is_on() {
            return Vec::new();
        }
        let trace = |item: &DueItem| {
            let extensions = item.extensions.clone().map(RawValue::from_string).transpose().ok()?;
            let event = Event {
                key: item.event.clone(),
                kind: String::new(),
                subject: None,
                time: Timestamp::UNIX_EPOCH,
                data: Box::default(),
                extensions,
            };
            self.tracer.continued(&event, None)
        };
        items.iter().take(TRACES).filter_map(trace).collect()
    }
}

fn data(due: DueDigest, traces: Vec<String>) -> Result<String, serde_json::Error> {
    let mut digest = Digest {
        decision: serde_json::from_str(&due.decision)?,
        items: Vec::new(),
        count: due.count,
        events: Vec::new(),
        traces,
    };
    for DueItem { context, event: EventKey { id, source }, .. } in due.items {
        digest.items.push(serde_json::from_str::<Value>(&context)?);
        digest.events.push((id, source));
    }
    serde_json::to_string(&digest)
}

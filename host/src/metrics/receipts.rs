//! Counts of Meta's webhooks.

use hookswitch_core::domain::NotificationId;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Status {
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WebhookResult {
    result: &'static str,
}

use super::{
    exemplar::{self, Delays, delays},
    totals::{Reached, Totals},
};

/// Counts of Meta's webhooks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReceiptMetrics {
    receipts: Family<Status, Counter>,
    delay: Delays<Status>,
    requests: Family<WebhookResult, Counter>,
    last_accepted: Gauge,
    totals: Totals,
}

impl Default for ReceiptMetrics {
    fn default() -> ReceiptMetrics {
        ReceiptMetrics {
            receipts: Family::default(),
            delay: delays(),
            requests: Family::default(),
            last_accepted: Gauge::default(),
            totals: Totals::default(),
        }
    }
}

/// What a report says of a message that this installation sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    /// The message.
    pub id: NotificationId,
    /// The template of the message; empty if an older host sent it.
    pub template: String,
    /// The status, for example `delivered`.
    pub status: &'static str,
    /// From the event, or the time that its rule set, to the report, in seconds; `None` if the message waited for quiet
    /// hours, a window or a limit.
    pub after: Option<f64>,
}

impl ReceiptMetrics {
    pub(super) fn with(totals: Totals) -> ReceiptMetrics {
        ReceiptMetrics { totals, ..ReceiptMetrics::default() }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        // An increase can only be seen from zero.
        for result in ["accepted", "unsigned", "unreadable", "unavailable"] {
            drop(self.requests.get_or_create(&WebhookResult { result }));
        }
        for status in ["sent", "delivered", "read", "failed"] {
            drop(self.receipts.get_or_create(&Status { status }));
        }
        registry.register("receipts", "Statuses of messages that Meta reported", self.receipts.clone());
        registry.register(
            "receipt_delay_seconds",
            "From the event, or the time that its rule set, until Meta's report that a message reached a status; without \
             messages that waited for quiet hours, a window or a limit",
            self.delay.clone(),
        );
        registry.register(
            "webhook_requests",
            "Webhooks, by result: accepted, unsigned, unreadable, unavailable",
            self.requests.clone(),
        );
        registry.register(
            "webhook_last_accepted_timestamp_seconds",
            "When this host last accepted a webhook, in Unix time; 0 if it has not yet",
            self.last_accepted.clone(),
        );
    }

    /// Counts a status that was written.
    pub fn receipt(&self, status: &'static str) {
        self.totals.add("receipt", status, 1);
        self.receipts.get_or_create(&Status { status }).inc();
    }

    /// Records what was reported of a message.
    pub fn reported(&self, reported: &Reported) {
        let Reported { id, template, status, after } = reported;
        if let Some(seconds) = after {
            let exemplar = exemplar::of(None, *id);
            self.delay.get_or_create(&Status { status }).observe(*seconds, Some(exemplar), None);
            if *status == "delivered" {
                self.totals.on_phone_after(*seconds);
            }
        }
        let reached = match *status {
            "delivered" => Reached::Delivered,
            "read" => Reached::Read,
            "failed" => Reached::Failed,
            _ => return,
        };
        if !template.is_empty() {
            self.totals.reached(template, reached);
        }
    }

    /// Counts a webhook that was accepted at this Unix time.
    pub fn accepted(&self, second: i64) {
        self.requests.get_or_create(&WebhookResult { result: "accepted" }).inc();
        self.last_accepted.set(second);
    }

    /// Counts another webhook.
    pub fn not_accepted(&self, result: &'static str) {
        self.requests.get_or_create(&WebhookResult { result }).inc();
    }
}

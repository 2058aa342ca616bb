//! Counts of Meta's webhooks.

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

use super::totals::Totals;

/// Counts of Meta's webhooks. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ReceiptMetrics {
    receipts: Family<Status, Counter>,
    requests: Family<WebhookResult, Counter>,
    last_accepted: Gauge,
    totals: Totals,
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

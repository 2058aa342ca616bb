//! Counts of sends.

use std::sync::Arc;

use hookswitch_core::domain::NotificationId;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    exemplar::{self, Delays, delays},
    routing::NotSent,
    totals::{Reached, Totals},
};

/// Meta takes about a tenth of a second, and the client gives up after some.
const SENDS: [f64; 11] = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 20.0, 30.0];

/// The id of one of our own numbers at Meta.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Number {
    number: Arc<str>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Send {
    number: Arc<str>,
    result: &'static str,
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Priority {
    priority: &'static str,
}

/// Counts of sends. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DispatchMetrics {
    sends: Family<Send, Counter>,
    duration: Family<Number, Histogram, fn() -> Histogram>,
    accept_delay: Delays<Priority>,
    resting: Family<Number, Gauge>,
    pace: Family<Number, Gauge>,
    not_sent: NotSent,
    totals: Totals,
}

impl Default for DispatchMetrics {
    fn default() -> DispatchMetrics {
        DispatchMetrics {
            sends: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(SENDS)),
            accept_delay: delays(),
            resting: Family::default(),
            pace: Family::default(),
            not_sent: NotSent::default(),
            totals: Totals::default(),
        }
    }
}

impl DispatchMetrics {
    /// Metrics that count what is never sent together with routing's.
    pub(super) fn with(totals: Totals, not_sent: NotSent) -> DispatchMetrics {
        DispatchMetrics { totals, not_sent, ..DispatchMetrics::default() }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "sends",
            "Attempts to send, by number, result (accepted, retry, failed, unknown) and Meta's code",
            self.sends.clone(),
        );
        registry.register(
            "send_duration_seconds",
            "How long Meta took to answer, by number",
            self.duration.clone(),
        );
        registry.register(
            "accept_delay_seconds",
            "From the event, or the time that its rule set, until Meta accepted the message, by priority; without \
             messages that waited for quiet hours, a window or a limit",
            self.accept_delay.clone(),
        );
        registry.register("number_resting", "1 while Meta refuses a number", self.resting.clone());
        registry.register(
            "number_pace_limit",
            "Maximum messages per second of a number, across all hosts",
            self.pace.clone(),
        );
    }

    /// The metrics of one of our numbers.
    pub fn of_number(&self, number: &str, pace: u32) -> NumberMetrics {
        let label = Number { number: number.into() };
        self.pace.get_or_create(&label).set(pace.into());
        // An increase can only be seen from zero.
        for result in ["retry", "failed", "unknown"] {
            drop(self.sends.get_or_create(&label.send(result, String::new())));
        }
        NumberMetrics {
            accepted: self.sends.get_or_create_owned(&label.send("accepted", String::new())),
            duration: self.duration.get_or_create_owned(&label),
            resting: self.resting.get_or_create_owned(&label),
            sends: self.sends.clone(),
            totals: self.totals.clone(),
            label,
        }
    }

    /// Records how long a message took until Meta accepted it. `trace` is its trace id, if it has one.
    pub fn accepted_after(
        &self,
        priority: &'static str,
        seconds: f64,
        trace: Option<&str>,
        id: NotificationId,
    ) {
        let delay = self.accept_delay.get_or_create(&Priority { priority });
        delay.observe(seconds.max(0.0), Some(exemplar::of(trace, id)), None);
    }

    /// Counts a notification that is never sent.
    pub fn not_sent(&self, reason: &'static str) {
        self.not_sent.add(reason, 1);
    }
}

impl Number {
    fn send(&self, result: &'static str, code: String) -> Send {
        Send { number: self.number.clone(), result, code }
    }
}

/// The metrics of one of our numbers. The usual case needs no look-up.
#[derive(Clone, Debug)]
pub struct NumberMetrics {
    label: Number,
    sends: Family<Send, Counter>,
    accepted: Counter,
    duration: Histogram,
    resting: Gauge,
    totals: Totals,
}

impl NumberMetrics {
    /// Counts an attempt that Meta accepted, of a message of this template.
    pub fn accepted(&self, template: &str) {
        self.accepted.inc();
        self.totals.add("send", "accepted", 1);
        self.totals.reached(template, Reached::Sent);
    }

    /// Counts a message of this template that failed permanently when it was sent.
    pub fn failed(&self, template: &str) {
        self.totals.reached(template, Reached::Failed);
    }

    /// Counts another attempt: `retry`, `failed` or `unknown`. `code` is one of Meta's that are known; `None` if there was
    /// none, and `Some(None)` if Meta gave another.
    pub fn not_accepted(&self, result: &'static str, code: Option<Option<i32>>) {
        self.totals.add("send", result, 1);
        let code = match code {
            None => String::new(),
            Some(None) => "other".to_owned(),
            Some(Some(code)) => code.to_string(),
        };
        self.sends.get_or_create(&self.label.send(result, code)).inc();
    }

    /// Records how long Meta took to answer.
    pub fn answered_after(&self, seconds: f64) {
        self.duration.observe(seconds);
    }

    /// Sets whether the number rests.
    pub fn rests(&self, rests: bool) {
        self.resting.set(rests.into());
    }
}

//! Traces, by OpenTelemetry's protocol: what was done about an event, from its producer's span to the report that it was
//! read. Spans are written by hand from what the database knows: their ids follow from those of events and messages
//! (`context`), so that whichever host does the next thing knows its parent.
//!
//! Attributes have OpenTelemetry's names where there are any, and nothing personal. Nothing about traces is sent to Meta.

mod context;
mod export;
mod span;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hookswitch_core::domain::{
    Cause, DIGEST_TYPE, Digest, Engine, Event, NotificationId, Outcome, RuleRef, Verdict,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::mpsc::{Sender, channel};

pub use self::{
    context::{Context, Place},
    export::Exporter,
    span::{Kind, Span},
};
use crate::config::TracesConfig;

/// Maximum number of spans that wait for the exporter; more are dropped.
const QUEUE: usize = 8_192;

/// Records spans, if there is a collector. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Recorder>>);

struct Recorder {
    spans: Sender<Span>,
    dropped: Arc<AtomicU64>,
    share: f64,
}

/// An attempt to send.
pub struct Attempt<'a> {
    /// The message.
    pub id: NotificationId,
    /// The attempt, from 1.
    pub attempt: i16,
    /// Whether the message waited before its first attempt.
    pub waited: bool,
    /// Where the message comes from.
    pub cause: Option<&'a Cause>,
}

impl Attempt<'_> {
    fn place(&self) -> Option<Place> {
        context::send(self.id, self.attempt, self.waited, self.cause)
    }
}

/// How an event was decided.
pub struct Decided<'a> {
    /// The event.
    pub event: &'a Event,
    /// The ordinal of the decision that is made again, where an operator has it made again.
    pub again: Option<i16>,
    /// When that began.
    pub from: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How long each rule took, in order.
    pub rules: &'a [(RuleRef, Duration)],
    /// The verdicts.
    pub verdicts: &'a [Verdict],
}

/// Where the events of a digest were routed.
fn collected(event: &Event) -> Vec<Context> {
    if event.kind != DIGEST_TYPE {
        return Vec::new();
    }
    let digest = serde_json::from_str::<Digest>(event.data.get());
    let traces = digest.map(|digest| digest.traces).unwrap_or_default();
    traces.iter().filter_map(|trace| Context::parse(trace)).filter(|trace| trace.is_sampled).collect()
}

impl Tracer {
    /// A tracer for this collector, and what sends to it. `instance` tells this host from others.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub fn new(config: TracesConfig, instance: &str) -> Result<(Tracer, Exporter), reqwest::Error> {
        let (spans, recorded) = channel(QUEUE);
        let dropped = Arc::<AtomicU64>::default();
        let recorder = Recorder { spans, dropped: dropped.clone(), share: config.share };
        let exporter = Exporter::new(config, instance, recorded, dropped)?;
        Ok((Tracer(Some(Arc::new(recorder))), exporter))
    }

    /// Whether spans are recorded.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    fn record(&self, span: Span) {
        if let Some(recorder) = &self.0
            && span.place.context.is_sampled
            && recorder.spans.try_send(span).is_err()
        {
            recorder.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records that an event was accepted over HTTP.
    pub fn accepted(&self, event: &Event, from: Timestamp, to: Timestamp) {
        let Some(recorder) = &self.0 else { return };
        let place = context::intake(event, recorder.share);
        let span = Span::new(place, "POST /v1/events".to_owned(), Kind::Server, from, to).with([
            ("http.request.method", json!("POST")),
            ("http.route", json!("/v1/events")),
            ("http.response.status_code", json!(202)),
            ("hookswitch.event.id", json!(event.key.id)),
            ("hookswitch.event.source", json!(event.key.source)),
            ("hookswitch.event.type", json!(event.kind)),
        ]);
        self.record(span);
    }

    /// The `traceparent` that the messages of an event continue: that of its routing, or else that of its producer.
    pub fn continued(&self, event: &Event, again: Option<i16>) -> Option<String> {
        match &self.0 {
            Some(recorder) => Some(context::route(event, again, recorder.share).context.to_string()),
            None => event.traceparent(),
        }
    }

    /// Records that an event was decided: its routing, each rule, and the calls of plugins.
    pub fn decided(&self, decided: &Decided<'_>) {
        let Some(recorder) = &self.0 else { return };
        let Decided { event, again, from, took, rules, verdicts } = decided;
        let place = context::route(event, *again, recorder.share);
        if !place.context.is_sampled {
            return;
        }
        let after = |from: Timestamp, took: Duration| {
            from.checked_add(SignedDuration::try_from(took).unwrap_or_default()).unwrap_or(from)
        };
        let mut span =
            Span::new(place, format!("route {}", event.kind), Kind::Consumer, *from, after(*from, *took));
        span.more_links = collected(event);
        self.record(span.with([
            ("hookswitch.event.id", json!(event.key.id)),
            ("hookswitch.event.source", json!(event.key.source)),
            ("hookswitch.decisions", json!(verdicts.len())),
        ]));
        let mut began = *from;
        for (rule, took) in *rules {
            let ended = after(began, *took);
            let name = rule.to_string();
            let below = |what: &str, parent: Context| {
                let span = context::span_id(what, &[name.as_bytes(), parent.span.to_string().as_bytes()]);
                Place { context: Context { span, ..parent }, parent: Some(parent.span), link: None }
            };
            let own = || verdicts.iter().filter(|verdict| verdict.rule.as_ref() == Some(rule));
            let mut span = Span::new(
                below("decide", place.context),
                format!("decide {name}"),
                Kind::Internal,
                began,
                ended,
            )
            .with([
                ("hookswitch.engine", json!(rule.engine.as_str())),
                ("hookswitch.verdicts", json!(own().count())),
            ]);
            span.error = own().find_map(|verdict| match &verdict.outcome {
                Outcome::Failed(_) => Some("the rule failed".to_owned()),
                Outcome::Parked { .. } => Some("the plugin failed".to_owned()),
                _ => None,
            });
            let decide = span.place.context;
            self.record(span);
            if rule.engine == Engine::Plugin {
                let id = rule.file.split('/').rev().nth(1).unwrap_or(&rule.file);
                let place = below("plugin", decide);
                self.record(Span::new(place, format!("plugin {id}"), Kind::Internal, began, ended));
            }
            began = ended;
        }
    }

    /// Records an attempt to send that ended now; `failed` is why Meta did not accept it: its code, or a word.
    pub fn sent(
        &self,
        attempt: &Attempt<'_>,
        template: &str,
        to: Timestamp,
        took: Duration,
        failed: Option<String>,
    ) {
        if !self.is_on() {
            return;
        }
        let Some(place) = attempt.place() else { return };
        let took = SignedDuration::try_from(took).unwrap_or_default();
        let from = to.checked_sub(took).unwrap_or(to);
        let mut span = Span::new(place, format!("send {template}"), Kind::Client, from, to).with([
            ("messaging.system", json!("whatsapp")),
            ("messaging.operation.name", json!("send")),
            ("messaging.operation.type", json!("send")),
            ("hookswitch.notification.id", json!(attempt.id.to_string())),
            ("hookswitch.attempt", json!(attempt.attempt)),
        ]);
        if let Some(why) = &failed {
            span = span.with([("error.type", json!(why))]);
        }
        span.error = failed;
        self.record(span);
    }

    /// Records that Meta reported this status of an attempt.
    pub fn reported(&self, attempt: &Attempt<'_>, status: &'static str, at: Timestamp) {
        if !self.is_on() {
            return;
        }
        let Some(sent) = attempt.place() else { return };
        let which = [attempt.id.0.as_bytes().as_slice(), &attempt.attempt.to_be_bytes(), status.as_bytes()];
        let context = Context { span: context::span_id("receipt", &which), ..sent.context };
        let place = Place { context, parent: Some(sent.context.span), link: None };
        let span = Span::new(place, format!("receipt {status}"), Kind::Consumer, at, at).with([
            ("messaging.system", json!("whatsapp")),
            ("hookswitch.notification.id", json!(attempt.id.to_string())),
        ]);
        self.record(span);
    }
}

//! Ids of traces and spans. They are derived from what is stored, so that each host knows the parent of what it does without
//! asking for it, also after a restart.

use std::fmt;

use hookswitch_core::domain::{Cause, Event, EventKey, NotificationId};
use sha2::{Digest, Sha256};

/// The id of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

/// The id of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId([u8; 8]);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A span that others continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Its trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether the trace is recorded.
    pub is_sampled: bool,
}

impl Context {
    /// Reads a `traceparent`.
    pub fn parse(text: &str) -> Option<Context> {
        let mut fields = text.split('-').skip(1);
        let mut trace = [0; 16];
        let mut span = [0; 8];
        hex::decode_to_slice(fields.next()?, &mut trace).ok()?;
        hex::decode_to_slice(fields.next()?, &mut span).ok()?;
        let flags = u8::from_str_radix(fields.next()?, 16).ok()?;
        Some(Context { trace: TraceId(trace), span: SpanId(span), is_sampled: flags & 1 == 1 })
    }
}

/// As a `traceparent`.
impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.is_sampled))
    }
}

/// The span in which something is done: its parent, or what it is linked with where it begins a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The span.
    pub context: Context,
    /// Its parent.
    pub parent: Option<SpanId>,
    /// What came before, in another trace.
    pub link: Option<Context>,
}

fn digest(what: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [what.as_bytes()].iter().chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

pub(super) fn span_id(what: &str, parts: &[&[u8]]) -> SpanId {
    let [a, b, c, d, e, f, g, h, ..] = digest(what, parts);
    SpanId([a, b, c, d, e, f, g, h])
}

fn trace_id(what: &str, parts: &[&[u8]]) -> TraceId {
    let mut id = [0; 16];
    id.iter_mut().zip(digest(what, parts)).for_each(|(to, from)| *to = from);
    TraceId(id)
}

fn parts(key: &EventKey) -> [&[u8]; 2] {
    [key.source.as_bytes(), key.id.as_bytes()]
}

/// Where an event came in: within the span of its producer, or else at the beginning of a trace, of which `share` are
/// recorded.
pub fn intake(event: &Event, share: f64) -> Place {
    let of_producer = event.traceparent().as_deref().and_then(Context::parse);
    let span = span_id("intake", &parts(&event.key));
    match of_producer {
        Some(Context { trace, span: parent, is_sampled }) => {
            Place { context: Context { trace, span, is_sampled }, parent: Some(parent), link: None }
        }
        None => {
            let trace = trace_id("event", &parts(&event.key));
            let [a, b, c, d, ..] = trace.0;
            let is_sampled = f64::from(u32::from_be_bytes([a, b, c, d])) < share * f64::from(u32::MAX);
            Place { context: Context { trace, span, is_sampled }, parent: None, link: None }
        }
    }
}

/// Where an event is routed: below its intake, or, where an operator has it routed again, in a trace that is linked with it.
/// `again` is the ordinal of the decision that is made again.
pub fn route(event: &Event, again: Option<i16>, share: f64) -> Place {
    let came = intake(event, share).context;
    match again {
        None => Place {
            context: Context { span: span_id("route", &parts(&event.key)), ..came },
            parent: Some(came.span),
            link: None,
        },
        Some(ordinal) => {
            let [source, id] = parts(&event.key);
            let which = [source, id, &ordinal.to_be_bytes()];
            let context = Context {
                trace: trace_id("route again", &which),
                span: span_id("route again", &which),
                is_sampled: came.is_sampled,
            };
            Place { context, parent: None, link: Some(came) }
        }
    }
}

/// Where an attempt to send is made: the first one below the routing of its event, unless the message had to wait; others in
/// a trace of their own that is linked with it. `None` if that is not traced.
pub fn send(id: NotificationId, attempt: i16, waited: bool, cause: Option<&Cause>) -> Option<Place> {
    let cause = cause?;
    let routed = Context::parse(cause.trace.as_deref()?).filter(|routed| routed.is_sampled)?;
    let which: [&[u8]; 2] = [id.0.as_bytes(), &attempt.to_be_bytes()];
    let span = span_id("send", &which);
    if attempt == 1 && !waited && !cause.again {
        return Some(Place { context: Context { span, ..routed }, parent: Some(routed.span), link: None });
    }
    let context = Context { trace: trace_id("send", &which), span, is_sampled: true };
    Some(Place { context, parent: None, link: Some(routed) })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::value::RawValue;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn event(id: &str, parent: Option<&str>) -> Event {
        let extensions = parent.map(|parent| format!("{{\"traceparent\":\"{parent}\"}}"));
        Event {
            key: EventKey { id: id.to_owned(), source: "/shop".to_owned() },
            kind: "order.created".to_owned(),
            subject: None,
            time: jiff::Timestamp::UNIX_EPOCH,
            data: Box::default(),
            extensions: extensions.map(|text| RawValue::from_string(text).unwrap()),
        }
    }

    fn cause(trace: Context, again: bool) -> Cause {
        Cause { received_at: None, trace: Some(trace.to_string()), again }
    }

    #[test]
    fn an_event_continues_the_trace_of_its_producer() {
        let parent = Context::parse(PARENT).unwrap();
        assert_eq!(parent.to_string(), PARENT);
        let event = event("1", Some(PARENT));
        let (came, routed) = (intake(&event, 1.0), route(&event, None, 1.0));
        assert_eq!((came.context.trace, came.parent), (parent.trace, Some(parent.span)));
        assert_eq!((routed.context.trace, routed.parent), (parent.trace, Some(came.context.span)));
        let id = NotificationId(uuid::Uuid::nil());
        let of =
            |attempt, waited, again| send(id, attempt, waited, Some(&cause(routed.context, again))).unwrap();
        let first = of(1, false, false);
        assert_eq!((first.context.trace, first.parent), (parent.trace, Some(routed.context.span)));
        for other in [of(2, false, false), of(1, true, false), of(1, false, true)] {
            assert_ne!(other.context.trace, parent.trace);
            assert_eq!((other.parent, other.link), (None, Some(routed.context)));
        }
        let again = route(&event, Some(0), 1.0);
        assert_eq!((again.parent, again.link), (None, Some(came.context)));
        assert_ne!(again.context.trace, parent.trace);
    }

    #[test]
    fn what_its_producer_does_not_record_is_not_recorded() {
        let event = event("1", Some(&PARENT.replace("-01", "-00")));
        let routed = route(&event, None, 1.0).context;
        assert!(!routed.is_sampled);
        assert_eq!(send(NotificationId(uuid::Uuid::nil()), 1, false, Some(&cause(routed, false))), None);
    }

    #[test]
    fn of_the_others_a_share_is_recorded() {
        let recorded = |share| {
            (0..1_000).filter(|n| intake(&event(&n.to_string(), None), share).context.is_sampled).count()
        };
        assert_eq!((recorded(1.0), recorded(0.0)), (1_000, 0));
        assert!((200..300).contains(&recorded(0.25)), "{}", recorded(0.25));
        assert_eq!(intake(&event("1", None), 1.0), intake(&event("1", None), 1.0));
        assert_ne!(intake(&event("1", None), 1.0), intake(&event("2", None), 1.0));
    }
}

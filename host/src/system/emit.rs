//! How the system's own events look. Pure.

use hookswitch_core::{
    catalog::Schedule,
    decide::plugin::Parked,
    domain::{Event, EventKey, SERVICE_WINDOW},
};
use jiff::Timestamp;
use serde_json::{Value, json, value::RawValue};
use sha2::{Digest, Sha256};

use crate::{
    store::{ExpiringWindow, Failure, NewEvent, RuleFailure},
    whatsapp::{meaning, webhooks::NumberQuality},
};

/// The source of the system's own events.
pub const SOURCE: &str = "/hookswitch";
/// The type of the event that tells of a rule that failed.
pub const RULE_FAILED: &str = "rule.failed";
/// Of messages that failed for one cause, an event names so many.
const NAMED: usize = 20;

/// An event of the system itself.
#[derive(Clone, Debug)]
pub struct SystemEvent {
    /// The event.
    pub event: Event,
    sha256: [u8; 32],
}

/// Events as the log takes them.
pub fn new_events(events: &[SystemEvent]) -> Vec<NewEvent<'_>> {
    events.iter().map(|made| NewEvent { event: &made.event, sha256: &made.sha256, has_time: true }).collect()
}

/// Of an own event: what tells a repeated one from another event with its id.
pub fn fingerprint(kind: &str, id: &str) -> [u8; 32] {
    Sha256::digest(format!("{SOURCE} {kind} {id}")).into()
}

fn made(
    id: String,
    kind: &str,
    subject: Option<String>,
    time: Timestamp,
    data: &Value,
) -> Option<SystemEvent> {
    from(SOURCE, id, kind, subject, time, data)
}

/// An event of one of the system's own sources.
pub(super) fn from(
    source: &str,
    id: String,
    kind: &str,
    subject: Option<String>,
    time: Timestamp,
    data: &Value,
) -> Option<SystemEvent> {
    let data: Box<RawValue> = serde_json::value::to_raw_value(data).ok()?;
    // The id says what it tells of: who tells the same in other words repeats it.
    let sha256 = fingerprint(kind, &id);
    let event = Event {
        key: EventKey { id, source: source.to_owned() },
        kind: kind.to_owned(),
        subject,
        time,
        data,
        extensions: None,
    };
    Some(SystemEvent { event, sha256 })
}

/// `message.failed`: messages that failed for one cause, the first of which it is about.
///
/// ```json
/// {"contact": {"name": "Rutendo", "username": null, "whatsapp_id": "263770000205"},
///  "error": {"code": 131026, "message": "what Meta's code means", "details": "what Meta said"},
///  "template": "hanna_new_order_created", "event": {"type": "order.created", "id": "1", "source": "/shop"},
///  "count": 3, "notifications": ["019…", "019…", "019…"]}
/// ```
///
/// `notifications` names the first 20.
pub fn message_failed(failures: &[&Failure]) -> Option<SystemEvent> {
    let first = failures.first()?;
    let ids: Vec<String> =
        failures.iter().take(NAMED).map(|failure| failure.notification_id.to_string()).collect();
    let data = json!({
        "contact": {
            "name": first.name.as_ref().or(first.username.as_ref()),
            "username": first.username,
            "whatsapp_id": first.recipient,
        },
        "error": {
            "code": first.code,
            "message": first.code.map(meaning),
            "details": first.detail,
        },
        "template": first.template,
        "event": {"type": first.event_kind, "id": first.event.id, "source": first.event.source},
        "count": failures.len(),
        "notifications": ids,
    });
    let subject = first.recipient.as_ref().map(|recipient| format!("contact-{recipient}"));
    let id = format!("message.failed:{}:{}", first.notification_id, first.attempt);
    made(id, "message.failed", subject, first.at, &data)
}

/// `rule.failed`: a rule that failed on events, and the last of these.
///
/// ```json
/// {"rule": "rules/orders/routes.yaml:4", "reason": "no function `len` for nothing", "count": 3,
///  "event": {"type": "order.created", "id": "1", "source": "/shop"}}
/// ```
///
/// `rule` is null where no rule is to blame; `event` is null where it was dropped meanwhile.
pub fn rule_failed(failure: &RuleFailure) -> Option<SystemEvent> {
    let rule = Some(&failure.rule).filter(|rule| !rule.is_empty());
    let event = failure.event.as_ref();
    let data = json!({
        "rule": rule,
        "reason": failure.reason,
        "count": failure.count,
        "event": event.map(|(kind, key)| json!({"type": kind, "id": key.id, "source": key.source})),
    });
    let id = format!("{RULE_FAILED}:{}:{}", failure.rule, failure.failed_at);
    let subject = rule.map(|rule| format!("rule-{rule}"));
    made(id, RULE_FAILED, subject, failure.failed_at, &data)
}

/// The event of a schedule's slot: its data as the schedule says.
pub fn scheduled(schedule: &Schedule, slot: Timestamp) -> Option<SystemEvent> {
    let subject = schedule.subject.clone().unwrap_or_else(|| format!("schedule-{}", schedule.name));
    let data = Value::Object(schedule.data.clone());
    made(format!("schedule:{}:{slot}", schedule.name), &schedule.kind, Some(subject), slot, &data)
}

/// `window.expiring` (or as the schedule calls it): a member of the staff whose 24-hour window closes soon. Once for
/// each window, whatever the schedule's times are; the store looks by this id whether one was told lately.
///
/// ```json
/// {"username": "rudo", "name": "Rudo Ncube", "groups": ["Technical Admin"],
///  "contact": {"whatsapp_id": "263770000001"},
///  "last_inbound_at": "2026-11-23T09:00:00Z", "closes_at": "2026-11-24T09:00:00Z"}
/// ```
pub fn window_expiring(kind: &str, window: &ExpiringWindow, slot: Timestamp) -> Option<SystemEvent> {
    let data = json!({
        "username": window.username,
        "name": window.name,
        "groups": window.groups,
        "contact": {"whatsapp_id": window.recipient},
        "last_inbound_at": window.last_inbound_at,
        "closes_at": window.last_inbound_at + SERVICE_WINDOW,
    });
    let id = format!("{kind}:{}:{}", window.contact, window.last_inbound_at);
    made(id, kind, Some(format!("person-{}", window.username)), slot, &data)
}

/// What Meta has done to a version of a message template.
#[derive(Clone, Copy, Debug)]
pub struct TemplateStatus<'a> {
    /// The template's name in the catalog.
    pub template: &'a str,
    /// The version's name at Meta.
    pub name: &'a str,
    /// Its language, such as `en_US`.
    pub language: &'a str,
    /// Counts this version's changes, from 1.
    pub ordinal: i32,
    /// Meta's word for where it stood, where that was known.
    pub from: Option<&'a str>,
    /// Meta's word for where it stands: `REJECTED`, `PAUSED`, `DISABLED` …
    pub status: &'a str,
    /// Meta's word for its category.
    pub category: Option<&'a str>,
    /// Whether the category is not the one in the template's file.
    pub recategorised: bool,
    /// Why, where Meta says so.
    pub reason: Option<&'a str>,
    /// When it was seen.
    pub at: Timestamp,
}

/// `template.status_changed`. Once for each change.
///
/// ```json
/// {"template": "hanna_new_order_created", "name": "hanna_new_order_created_v2", "language": "en_US",
///  "from": "PENDING", "status": "REJECTED", "category": "UTILITY", "recategorised": false,
///  "reason": "INVALID_FORMAT"}
/// ```
pub fn template_status_changed(change: &TemplateStatus<'_>) -> Option<SystemEvent> {
    let data = json!({
        "template": change.template,
        "name": change.name,
        "language": change.language,
        "from": change.from,
        "status": change.status,
        "category": change.category,
        "recategorised": change.recategorised,
        "reason": change.reason,
    });
    let id = format!("template.status_changed:{}:{}:{}", change.name, change.language, change.ordinal);
    made(id, "template.status_changed", Some(format!("template-{}", change.template)), change.at, &data)
}

/// `number.quality_changed`.
///
/// ```json
/// {"number": "263 77 000 0001", "event": "FLAGGED", "limit": "TIER_1K", "old_limit": "TIER_10K"}
/// ```
pub fn number_quality_changed(change: &NumberQuality) -> Option<SystemEvent> {
    let data = json!({
        "number": change.display_phone_number,
        "event": change.event,
        "limit": change.limit,
        "old_limit": change.old_limit,
    });
    let number = change.display_phone_number.as_deref().unwrap_or("number");
    let limit = change.limit.as_deref().unwrap_or_default();
    let id = format!("number.quality_changed:{number}:{}:{limit}:{}", change.event, change.at);
    made(id, "number.quality_changed", Some(format!("number-{number}")), change.at, &data)
}

/// `plugin.parked`: a revision of a plugin is not called any more, because it kept failing. Once an hour for each
/// revision at most, whichever hosts park it.
///
/// ```json
/// {"plugin": "fraud-triage", "version": "1.2.0", "revision": "3f2a91bc04de", "resumed": "1.1.0",
///  "reason": "trapped: out of memory"}
/// ```
///
/// `resumed` is the version that works in its place; null where there is none, and its events wait.
pub fn plugin_parked(parked: &Parked, at: Timestamp) -> Option<SystemEvent> {
    let data = json!({
        "plugin": parked.plugin,
        "version": parked.version,
        "revision": parked.revision,
        "resumed": parked.resumed,
        "reason": parked.reason,
    });
    let hour = at.as_second().div_euclid(3_600);
    let id = format!("plugin.parked:{}:{}:{hour}", parked.plugin, parked.revision);
    made(id, "plugin.parked", Some(format!("plugin-{}", parked.plugin)), at, &data)
}

//! What users write, press and choose, as events that rules can be for. Pure.

use hookswitch_core::domain::{ANSWERS, Preference};
use serde_json::{Value, json};

use super::emit::{SystemEvent, from};
use crate::{
    store::{Answered, Writer},
    whatsapp::webhooks::Inbound,
};

/// The source of the events that tell what users do in WhatsApp.
pub const WHATSAPP: &str = ANSWERS;
/// The type of the event of a pressed button.
const PRESSED: &str = "button.pressed";
/// The type of the event of a chosen row of a list.
const SELECTED: &str = "list.selected";
/// The type of the event of any other message.
const RECEIVED: &str = "message.received";

/// The type of the event of a user's message.
pub fn answer_type(inbound: &Inbound) -> &'static str {
    let content = &inbound.content;
    match (&content.button, &content.list) {
        (Some(_), _) => PRESSED,
        (None, Some(_)) => SELECTED,
        (None, None) => RECEIVED,
    }
}

/// `message.received`, `button.pressed` or `list.selected`.
///
/// ```json
/// {"id": "wamid.…", "type": "interactive", "text": "I take it", "button": {"id": "take", "title": "I take it"},
///  "contact": {"whatsapp_id": "263770000205", "user_id": null, "name": "Rutendo"},
///  "person": {"username": "rudo", "name": "Rudo Ncube", "groups": ["Technical Admin"]},
///  "number": "106540352242922",
///  "answers": {"id": "wamid.…", "notification": "019…", "template": "hanna_handover_alert",
///              "event": {"type": "handover.requested", "id": "1", "source": "/bot", "subject": "chat-7"}}}
/// ```
///
/// A text has `text`; a file `media` (`id`, `mime_type`, `sha256`, `filename`) and its caption as `text`; a place `location`
/// (`latitude`, `longitude`, `name`, `address`); a reaction `reaction` (`emoji`, `message_id`); a chosen row `list` (`id`,
/// `title`). `person` is null where nobody of the staff is linked to the user; `answers` where the message quotes none, and
/// its `notification` and what follows where the quoted message is not ours.
pub fn answer(
    inbound: &Inbound,
    person: Option<&Writer>,
    answered: Option<&Answered>,
) -> Option<SystemEvent> {
    let mut data = serde_json::to_value(&inbound.content).ok()?;
    let members = data.as_object_mut()?;
    let event = answered.and_then(|answered| answered.event.as_ref());
    let answers = inbound.answers.as_ref().or(inbound.content.reaction.as_ref().map(|of| &of.message_id));
    members.extend([
        ("id".to_owned(), json!(inbound.wamid)),
        ("type".to_owned(), json!(inbound.kind)),
        (
            "contact".to_owned(),
            json!({"whatsapp_id": inbound.from, "user_id": inbound.user_id, "name": inbound.name}),
        ),
        ("person".to_owned(), person_of(person)),
        ("number".to_owned(), json!(inbound.phone_number_id)),
        (
            "answers".to_owned(),
            json!(answers.map(|id| {
                json!({
                    "id": id,
                    "notification": answered.map(|answered| answered.notification),
                    "template": answered.map(|answered| &answered.template),
                    "event": event.map(|(kind, key, subject)| {
                        json!({"type": kind, "id": key.id, "source": key.source, "subject": subject})
                    }),
                })
            })),
        ),
    ]);
    let kind = answer_type(inbound);
    let contact = inbound.from.as_ref().or(inbound.user_id.as_ref())?;
    from(WHATSAPP, inbound.wamid.clone(), kind, Some(format!("contact-{contact}")), inbound.at, &data)
}

/// The type of the event of an opt-out or opt-in.
pub fn preference_type(preference: &Preference) -> &'static str {
    if preference.stop { "contact.opted_out" } else { "contact.opted_in" }
}

/// `contact.opted_out` or `contact.opted_in`.
///
/// ```json
/// {"contact": {"whatsapp_id": "263770000205", "user_id": null}, "person": null, "scope": "all",
///  "reason": "they wrote \"STOP\""}
/// ```
///
/// `scope` is `all` or `marketing`.
pub fn preference_set(preference: &Preference, person: Option<&Writer>) -> Option<SystemEvent> {
    let is_number = |id: &&String| id.bytes().all(|byte| byte.is_ascii_digit());
    let first = preference.recipients.first()?;
    let data = json!({
        "contact": {
            "whatsapp_id": preference.recipients.iter().find(is_number),
            "user_id": preference.recipients.iter().find(|id| !is_number(id)),
        },
        "person": person_of(person),
        "scope": preference.scope.as_str(),
        "reason": preference.source,
    });
    let kind = preference_type(preference);
    let id = format!("{kind}:{first}:{}:{}", preference.at, preference.message_id);
    from(WHATSAPP, id, kind, Some(format!("contact-{first}")), preference.at, &data)
}

fn person_of(person: Option<&Writer>) -> Value {
    json!(person.map(|Writer { username, name, groups }| {
        json!({"username": username, "name": name, "groups": groups})
    }))
}

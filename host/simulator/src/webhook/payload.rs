//! The body of a webhook. Typed, because a benchmark has three updates for each message.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::{
    escape::to_escaped_json,
    queue::{Inbound, Update},
};
use crate::{Settings, WebhookShape, codes, message::Sent, status::Status};

/// Meta's page that errors link to.
const ERROR_PAGE: &str = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/";
/// The window of the conversation that a message opens.
const CONVERSATION_SECONDS: i64 = 24 * 60 * 60;

#[derive(Serialize)]
struct Body<'a> {
    object: &'static str,
    entry: [Entry<'a>; 1],
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<i64>,
    changes: Vec<Change<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "field", content = "value", rename_all = "snake_case")]
enum Change<'a> {
    Messages(Messages<'a>),
    MessageTemplateStatusUpdate(&'a Value),
}

#[derive(Serialize)]
struct Messages<'a> {
    messaging_product: &'static str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<Contact<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<StatusUpdate<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    display_phone_number: &'a str,
    phone_number_id: &'a str,
}

#[derive(Serialize)]
struct Contact<'a> {
    profile: Profile<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wa_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Profile<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_user_id: Option<&'a str>,
    #[serde(flatten)]
    content: &'a Value,
}

#[derive(Serialize)]
struct StatusUpdate<'a> {
    id: &'a str,
    status: &'static str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_opaque_callback_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<Conversation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pricing: Option<Pricing<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<[StatusError; 1]>,
}

#[derive(Serialize)]
struct Conversation<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_timestamp: Option<String>,
    origin: Origin<'a>,
}

#[derive(Serialize)]
struct Origin<'a> {
    r#type: &'a str,
}

#[derive(Serialize)]
struct Pricing<'a> {
    billable: bool,
    pricing_model: &'static str,
    r#type: &'static str,
    category: &'a str,
}

#[derive(Serialize)]
struct StatusError {
    code: u32,
    title: &'static str,
    message: &'static str,
    error_data: ErrorData,
    href: &'static str,
}

#[derive(Serialize)]
struct ErrorData {
    details: &'static str,
}

/// The body of one POST: for each number one change for users' messages and one for the statuses, and one for each
/// template, each in the order in which things happened. `time` is when it is made, in Unix seconds.
///
/// # Errors
/// When something cannot be written as JSON.
pub fn body(
    settings: &Settings,
    shape: WebhookShape,
    updates: &[Update],
    time: i64,
) -> serde_json::Result<Vec<u8>> {
    // By number; users' messages first.
    let mut collected: BTreeMap<(&str, bool), Collected<'_>> = BTreeMap::new();
    let mut changes = Vec::new();
    for update in updates {
        match update {
            Update::Status { sent, status, at, code } => {
                let outbound = collected.entry((&sent.phone_number_id, true)).or_default();
                outbound.statuses.push(status_update(shape, sent, *status, at.as_second(), *code));
                // Meta's page says that a failure comes without contacts; clients' captures have them.
                // Both are found here.
                let shown = match shape {
                    WebhookShape::V2025 => false,
                    WebhookShape::V2026 => true,
                    WebhookShape::V2026Phoneless => *status != Status::Failed,
                };
                if shown {
                    let name = sent.name.as_deref().or(sent.wa_id.as_deref()).unwrap_or_default();
                    outbound.contact(shape, name, sent.wa_id.as_deref(), &sent.user_id);
                }
            }
            Update::Inbound(written) => {
                let inbound = collected.entry((&written.phone_number_id, false)).or_default();
                inbound.messages.push(message(shape, written));
                // What Meta itself tells of a user comes without contacts.
                if written.message["type"] != "system" {
                    inbound.contact(shape, &written.name, written.wa_id.as_deref(), &written.user_id);
                }
            }
            Update::Template(value) => changes.push(Change::MessageTemplateStatusUpdate(value)),
        }
    }
    let time = (!changes.is_empty()).then_some(time);
    for ((phone_number_id, _), collected) in collected {
        changes.push(Change::Messages(collected.into_value(settings, phone_number_id)));
    }
    let entry = Entry { id: &settings.waba_id, time, changes };
    to_escaped_json(&Body { object: "whatsapp_business_account", entry: [entry] })
}

/// What goes into one change.
#[derive(Default)]
struct Collected<'a> {
    seen: HashSet<&'a str>,
    contacts: Vec<Contact<'a>>,
    messages: Vec<Message<'a>>,
    statuses: Vec<StatusUpdate<'a>>,
}

impl<'a> Collected<'a> {
    /// Each user once.
    fn contact(&mut self, shape: WebhookShape, name: &'a str, wa_id: Option<&'a str>, user_id: &'a str) {
        if self.seen.insert(user_id) {
            self.contacts.push(Contact {
                profile: Profile { name },
                wa_id: number(shape, wa_id),
                user_id: user(shape, user_id),
            });
        }
    }

    fn into_value(self, settings: &'a Settings, phone_number_id: &'a str) -> Messages<'a> {
        Messages {
            messaging_product: "whatsapp",
            metadata: Metadata {
                display_phone_number: settings.number(phone_number_id).unwrap_or_default(),
                phone_number_id,
            },
            contacts: self.contacts,
            messages: self.messages,
            statuses: self.statuses,
        }
    }
}

/// The number, where this shape shows it.
fn number(shape: WebhookShape, wa_id: Option<&str>) -> Option<&str> {
    wa_id.filter(|_| shape != WebhookShape::V2026Phoneless)
}

/// The user id, where this shape shows it.
fn user(shape: WebhookShape, user_id: &str) -> Option<&str> {
    (shape != WebhookShape::V2025).then_some(user_id)
}

fn message(shape: WebhookShape, written: &Inbound) -> Message<'_> {
    Message {
        from: number(shape, written.wa_id.as_deref()),
        from_user_id: user(shape, &written.user_id),
        content: &written.message,
    }
}

fn status_update(
    shape: WebhookShape,
    sent: &Sent,
    status: Status,
    at: i64,
    code: Option<u32>,
) -> StatusUpdate<'_> {
    // Conversations are gone since v24.0.
    let conversation = (shape == WebhookShape::V2025 && status != Status::Failed).then(|| Conversation {
        id: format!("{:032x}", sent.seq),
        expiration_timestamp: (status == Status::Sent).then(|| (at + CONVERSATION_SECONDS).to_string()),
        origin: Origin { r#type: &sent.category },
    });
    StatusUpdate {
        id: &sent.wamid,
        status: status.as_str(),
        timestamp: at.to_string(),
        recipient_id: number(shape, sent.wa_id.as_deref()),
        recipient_user_id: user(shape, &sent.user_id),
        biz_opaque_callback_data: sent.callback_data.as_deref(),
        conversation,
        // Told with `sent` and one of the later two.
        pricing: matches!(status, Status::Sent | Status::Delivered).then(|| pricing(shape, sent)),
        errors: code.map(|code| [status_error(code)]),
    }
}

/// Until 1 October 2026 it was free to answer a user, and to send utility templates within their window.
fn pricing(shape: WebhookShape, sent: &Sent) -> Pricing<'_> {
    let free = shape == WebhookShape::V2025
        && (sent.category == "service" || (sent.category == "utility" && sent.in_window));
    Pricing {
        billable: !free,
        pricing_model: "PMP",
        r#type: if free { "free_customer_service" } else { "regular" },
        category: &sent.category,
    }
}

fn status_error(code: u32) -> StatusError {
    let title = codes::known(code).map_or("Unknown error", |(_, title)| title);
    StatusError { code, title, message: title, error_data: ErrorData { details: title }, href: ERROR_PAGE }
}

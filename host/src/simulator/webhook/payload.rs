//! The body of a webhook.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    escape::to_escaped_json,
    queue::{Inbound, Update},
};
use crate::{
    domain::Status,
    simulator::{Settings, WebhookShape, error, state::Sent},
};

/// Meta's page that errors link to.
const ERROR_PAGE: &str = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/";
/// The window of the conversation that a message opens.
const CONVERSATION_SECONDS: i64 = 24 * 60 * 60;

#[derive(Serialize)]
struct Change {
    field: &'static str,
    value: Value,
}

/// The signed body of one POST: all updates, in their order, one change for the statuses, one for users'
/// messages and one for each template.
pub fn body(settings: &Settings, shape: WebhookShape, updates: &[Update]) -> serde_json::Result<Vec<u8>> {
    let (mut statuses, mut status_contacts) = (Vec::new(), Contacts::default());
    let (mut messages, mut message_contacts) = (Vec::new(), Contacts::default());
    let mut changes = Vec::new();
    let mut time = None;
    for update in updates {
        match update {
            Update::Status { sent, status, at, code } => {
                statuses.push(status_value(shape, sent, *status, at.as_second(), *code));
                // Meta's page says that a failure comes without contacts; clients' captures have them.
                // Both are found here.
                let shown = match shape {
                    WebhookShape::V2025 => false,
                    WebhookShape::V2026 => true,
                    WebhookShape::V2026Phoneless => *status != Status::Failed,
                };
                if shown {
                    let name = sent.name.as_deref().or(sent.wa_id.as_deref()).unwrap_or_default();
                    status_contacts.add(shape, name, sent.wa_id.as_deref(), &sent.user_id);
                }
            }
            Update::Inbound(inbound) => {
                messages.push(message_value(shape, inbound));
                message_contacts.add(shape, &inbound.name, inbound.wa_id.as_deref(), &inbound.user_id);
            }
            Update::Template(value) => {
                time = Some(jiff::Timestamp::now().as_second());
                changes.push(Change { field: "message_template_status_update", value: value.clone() });
            }
        }
    }
    let mut messaging = |key: &str, items: Vec<Value>, contacts: Contacts| {
        if items.is_empty() {
            return;
        }
        let mut value = json!({
            "messaging_product": "whatsapp",
            "metadata": {
                "display_phone_number": settings.display_phone_number,
                "phone_number_id": settings.phone_number_id,
            },
        });
        if !contacts.values.is_empty() {
            value["contacts"] = contacts.values.into();
        }
        value[key] = items.into();
        changes.push(Change { field: "messages", value });
    };
    messaging("messages", messages, message_contacts);
    messaging("statuses", statuses, status_contacts);
    let mut entry = json!({"id": settings.waba_id, "changes": changes});
    if let Some(time) = time {
        entry["time"] = time.into();
    }
    to_escaped_json(&json!({"object": "whatsapp_business_account", "entry": [entry]}))
}

/// Each user once.
#[derive(Default)]
struct Contacts {
    seen: HashSet<String>,
    values: Vec<Value>,
}

impl Contacts {
    fn add(&mut self, shape: WebhookShape, name: &str, wa_id: Option<&str>, user_id: &str) {
        if !self.seen.insert(user_id.to_owned()) {
            return;
        }
        let mut contact = json!({"profile": {"name": name}});
        if let Some(wa_id) = visible(shape, wa_id) {
            contact["wa_id"] = wa_id.into();
        }
        if shape != WebhookShape::V2025 {
            contact["user_id"] = user_id.into();
        }
        self.values.push(contact);
    }
}

/// The number, where this shape shows it.
fn visible(shape: WebhookShape, wa_id: Option<&str>) -> Option<&str> {
    wa_id.filter(|_| shape != WebhookShape::V2026Phoneless)
}

fn message_value(shape: WebhookShape, inbound: &Inbound) -> Value {
    let mut message = inbound.message.clone();
    if let Some(wa_id) = visible(shape, inbound.wa_id.as_deref()) {
        message["from"] = wa_id.into();
    }
    if shape != WebhookShape::V2025 {
        message["from_user_id"] = inbound.user_id.as_str().into();
    }
    message
}

fn status_value(shape: WebhookShape, sent: &Sent, status: Status, at: i64, code: Option<u32>) -> Value {
    let mut value = json!({"id": sent.wamid, "status": status.as_str(), "timestamp": at.to_string()});
    if let Some(wa_id) = visible(shape, sent.wa_id.as_deref()) {
        value["recipient_id"] = wa_id.into();
    }
    if shape != WebhookShape::V2025 {
        value["recipient_user_id"] = sent.user_id.as_str().into();
    }
    if let Some(data) = &sent.callback_data {
        value["biz_opaque_callback_data"] = data.as_str().into();
    }
    // Conversations are gone since v24.0; prices come with `sent` and one of the later two.
    if shape == WebhookShape::V2025 && status != Status::Failed {
        value["conversation"] =
            json!({"id": format!("{:032x}", sent.seq), "origin": {"type": sent.category}});
        if status == Status::Sent {
            value["conversation"]["expiration_timestamp"] = (at + CONVERSATION_SECONDS).to_string().into();
        }
    }
    if matches!(status, Status::Sent | Status::Delivered) {
        // Free until 1 October 2026: what answers a user, and utility templates within their window.
        let free = shape == WebhookShape::V2025
            && (sent.category == "service" || (sent.category == "utility" && sent.in_window));
        value["pricing"] = json!({
            "billable": !free,
            "pricing_model": "PMP",
            "type": if free { "free_customer_service" } else { "regular" },
            "category": sent.category,
        });
    }
    if let Some(code) = code {
        let title = error::known(code).map_or("Unknown error", |(_, title)| title);
        value["errors"] = json!([{
            "code": code,
            "title": title,
            "message": title,
            "error_data": {"details": title},
            "href": ERROR_PAGE,
        }]);
    }
    value
}

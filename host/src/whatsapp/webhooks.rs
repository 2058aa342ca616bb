//! Reads Meta's webhooks: statuses of messages, messages of users, and changes of identities.
//!
//! A post has up to 1,000 updates of any kind. Items are read one by one, so that an item that cannot be read does not
//! affect the others. Fields that Meta omits in some versions (`wa_id` of users with a username, from 2026 on; `contacts`
//! of failed messages) may be missing everywhere.

mod content;
mod inbound;
mod loose;
mod preference;
mod quality;

use std::borrow::Cow;

use hookswitch_core::domain::{IdentityChange, Status};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::warn;

use self::loose::{loose, phone, text, time, user};

pub use content::Content;
pub use preference::MarketingPreference;
pub use quality::NumberQuality;

/// The contents of a post.
#[derive(Debug, Default, PartialEq)]
pub struct Webhook {
    /// Updates in the order of the post, which is not chronological.
    pub updates: Vec<Update>,
    /// Number of items that could not be read.
    pub skipped: usize,
}

/// An update reported by Meta.
#[derive(Debug, PartialEq)]
pub enum Update {
    /// The status of a message.
    Status(StatusUpdate),
    /// A user wrote.
    Inbound(Box<Inbound>),
    /// A user changed their number or user id.
    Identity(IdentityChange),
    /// An error of the account or the number, not of a message.
    Error(ReportedError),
    /// A template with this name changed at Meta.
    Template(String),
    /// A sending number's quality, or what it may send, has changed.
    Quality(NumberQuality),
    /// A change of the whole account that an operator should know, for example a restriction: Meta's field, and Meta's name
    /// of the event.
    Account(&'static str, Option<String>),
    /// A user stopped or resumed marketing messages.
    Preference(MarketingPreference),
    /// An update that Hookswitch does not use, by the name of Meta's field.
    Other(String),
}

/// The status of a sent message.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusUpdate {
    /// Meta's id of the message.
    pub wamid: String,
    /// Sent, delivered, read, played or failed.
    pub status: Status,
    /// By Meta's clock.
    pub at: Timestamp,
    /// The recipient's number.
    pub recipient_id: Option<String>,
    /// The recipient's user id.
    pub user_id: Option<String>,
    /// `biz_opaque_callback_data` of the send.
    pub callback_data: Option<String>,
    /// Why it failed.
    pub error: Option<ReportedError>,
}

/// An error in a webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedError {
    /// Meta's code.
    pub code: i32,
    /// Meta's title.
    pub title: String,
    /// Meta's details.
    pub details: Option<String>,
}

/// A message from a user, with at least one of `from` and `user_id`.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbound {
    /// Meta's id of the message.
    pub wamid: String,
    /// The number that it was sent to, by Meta's id.
    pub phone_number_id: Option<String>,
    /// The user's number, as they wrote from it.
    pub from: Option<String>,
    /// Another number that Meta calls the same user's `wa_id` in the same webhook.
    pub other_wa_id: Option<String>,
    /// The user's user id.
    pub user_id: Option<String>,
    /// The user's profile name.
    pub name: Option<String>,
    /// When it was sent.
    pub at: Timestamp,
    /// Meta's type: `text`, `button`, `image` …
    pub kind: String,
    /// What it holds.
    pub content: Content,
    /// Meta's id of the message that it answers: they quoted it, or pressed its button.
    pub answers: Option<String>,
    /// Whether it was written in a group.
    pub in_group: bool,
}

impl Inbound {
    /// Whether it opens the user's 24-hour window. In doubt it does not: templates can always be sent.
    pub fn opens_window(&self) -> bool {
        !self.in_group && !matches!(self.kind.as_str(), "edit" | "revoke" | "system")
    }
}

/// A post that is not a webhook of Meta.
#[derive(Debug, thiserror::Error)]
#[error("read a webhook: {0}")]
pub struct NotAWebhook(#[from] serde_json::Error);

#[derive(Deserialize)]
struct Post<'a> {
    #[serde(borrow)]
    entry: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(default, deserialize_with = "loose")]
    time: Option<String>,
    #[serde(borrow)]
    changes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    field: Cow<'a, str>,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    // Lists, but one that is none must not cost the others.
    #[serde(borrow)]
    contacts: Option<&'a RawValue>,
    #[serde(borrow)]
    statuses: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
    #[serde(borrow)]
    user_preferences: Option<&'a RawValue>,
    #[serde(borrow)]
    user_id_update: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, deserialize_with = "loose")]
    phone_number_id: Option<String>,
}

/// Meta's webhooks about templates.
const TEMPLATE_FIELDS: [&str; 4] = [
    "message_template_status_update",
    "message_template_quality_update",
    "message_template_components_update",
    "template_category_update",
];

/// Meta's webhooks about the whole account.
const ACCOUNT_FIELDS: [&str; 5] =
    ["account_alerts", "account_review_update", "account_update", "business_capability_update", "security"];

#[derive(Deserialize)]
struct Account {
    #[serde(default, deserialize_with = "loose")]
    event: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    decision: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    alert_type: Option<String>,
}

#[derive(Deserialize)]
struct Template {
    #[serde(default, deserialize_with = "loose")]
    message_template_name: Option<String>,
}

#[derive(Deserialize)]
struct RawStatus<'a> {
    id: String,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default, deserialize_with = "loose")]
    timestamp: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    recipient_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    recipient_user_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    biz_opaque_callback_data: Option<String>,
    #[serde(borrow)]
    errors: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct RawError {
    code: i32,
    #[serde(default)]
    title: String,
    error_data: Option<ErrorData>,
}

#[derive(Deserialize)]
struct ErrorData {
    details: Option<String>,
}

#[derive(Default)]
struct Reader {
    webhook: Webhook,
}

/// Reads a post. `now` replaces missing times.
///
/// # Errors
/// If the body is not JSON, or does not have the outer shape of Meta's webhooks.
pub fn parse(body: &[u8], now: Timestamp) -> Result<Webhook, NotAWebhook> {
    let post: Post = serde_json::from_slice(body)?;
    let mut reader = Reader::default();
    for entry in post.entry {
        let Some(entry) = reader.read::<Entry>("entry", entry) else { continue };
        for change in entry.changes {
            let Some(change) = reader.read::<Change>("change", change) else { continue };
            match &*change.field {
                "messages" => reader.messages(change.value, now),
                "user_preferences" => reader.preferences(change.value, now),
                "user_id_update" => reader.user_ids(change.value, now),
                "phone_number_quality_update" => {
                    if let Some(value) = reader.read::<quality::Value>("quality", change.value) {
                        let at = time(entry.time.as_deref(), now);
                        reader.webhook.updates.push(Update::Quality(value.at(at)));
                    }
                }
                field if TEMPLATE_FIELDS.contains(&field) => {
                    if let Some(template) = reader.read::<Template>("template", change.value) {
                        let name = template.message_template_name.as_deref().map(text).unwrap_or_default();
                        reader.webhook.updates.push(Update::Template(name));
                    }
                }
                field => match ACCOUNT_FIELDS.iter().find(|known| **known == field) {
                    Some(known) => {
                        if let Some(said) = reader.read::<Account>("account", change.value) {
                            let what = said.event.or(said.decision).or(said.alert_type);
                            reader.webhook.updates.push(Update::Account(known, what.as_deref().map(text)));
                        }
                    }
                    None => reader.webhook.updates.push(Update::Other(change.field.into_owned())),
                },
            }
        }
    }
    Ok(reader.webhook)
}

impl Reader {
    fn read<'a, T: Deserialize<'a>>(&mut self, item: &'static str, json: &'a RawValue) -> Option<T> {
        match serde_json::from_str(json.get()) {
            Ok(value) => Some(value),
            Err(error) => {
                // Its words would quote what people wrote.
                let (column, kind) = (error.column(), error.classify());
                warn!(item, column, ?kind, "skipped a part of a webhook in an unexpected form");
                self.webhook.skipped += 1;
                None
            }
        }
    }

    fn push(&mut self, item: &'static str, update: Option<Update>) {
        match update {
            Some(update) => self.webhook.updates.push(update),
            None => {
                warn!(item, "skipped a part of a webhook without a user, or with unknown contents");
                self.webhook.skipped += 1;
            }
        }
    }

    fn messages(&mut self, value: &RawValue, now: Timestamp) {
        let Some(value) = self.read::<Value>("value", value) else { return };
        for status in self.list("statuses", value.statuses) {
            if let Some(status) = self.read::<RawStatus>("status", status) {
                let update = self.status(status, now);
                self.webhook.updates.push(update);
            }
        }
        for error in self.list("errors", value.errors) {
            if let Some(error) = self.read::<RawError>("error", error) {
                self.webhook.updates.push(Update::Error(error.into()));
            }
        }
        let messages: Vec<inbound::Message> = self.items("messages", "message", value.messages);
        if messages.is_empty() {
            return;
        }
        let number = value.metadata.and_then(|raw| self.read::<Metadata>("metadata", raw));
        let number = number.and_then(|metadata| metadata.phone_number_id);
        let contacts: Vec<inbound::Contact> = self.items("contacts", "contact", value.contacts);
        let one_sender =
            messages.iter().all(|message| messages.first().is_some_and(|m| m.same_sender(message)));
        for message in &messages {
            self.push("message", message.update(&contacts, one_sender, number.as_deref(), now));
        }
    }

    fn preferences(&mut self, value: &RawValue, now: Timestamp) {
        let Some(value) = self.read::<Value>("value", value) else { return };
        for preference in
            self.items::<preference::Preference>("preferences", "preference", value.user_preferences)
        {
            self.push("preference", preference.read(now).map(Update::Preference));
        }
    }

    fn user_ids(&mut self, value: &RawValue, now: Timestamp) {
        let Some(value) = self.read::<Value>("value", value) else { return };
        for update in
            self.items::<inbound::UserIdUpdate>("user id updates", "user id update", value.user_id_update)
        {
            self.push("user id update", update.read(now).map(Update::Identity));
        }
    }

    fn list<'a>(&mut self, list: &'static str, json: Option<&'a RawValue>) -> Vec<&'a RawValue> {
        json.and_then(|json| self.read::<Option<Vec<&RawValue>>>(list, json)).flatten().unwrap_or_default()
    }

    fn items<'a, T: Deserialize<'a>>(
        &mut self,
        list: &'static str,
        item: &'static str,
        json: Option<&'a RawValue>,
    ) -> Vec<T> {
        self.list(list, json).into_iter().filter_map(|json| self.read(item, json)).collect()
    }

    fn status(&mut self, raw: RawStatus<'_>, now: Timestamp) -> Update {
        let status = match &*raw.status {
            "sent" => Status::Sent,
            "delivered" => Status::Delivered,
            "read" => Status::Read,
            "played" => Status::Played,
            "failed" => Status::Failed,
            other => return Update::Other(format!("messages/statuses/{other}")),
        };
        let mut errors = raw.errors.unwrap_or_default().into_iter();
        Update::Status(StatusUpdate {
            wamid: text(&raw.id),
            status,
            at: time(raw.timestamp.as_deref(), now),
            recipient_id: raw.recipient_id.as_deref().and_then(phone),
            user_id: raw.recipient_user_id.as_deref().and_then(user),
            callback_data: raw.biz_opaque_callback_data,
            error: errors.find_map(|error| self.read::<RawError>("error", error)).map(Into::into),
        })
    }
}

impl From<RawError> for ReportedError {
    fn from(raw: RawError) -> Self {
        ReportedError {
            code: raw.code,
            title: text(&raw.title),
            details: raw.error_data.and_then(|data| data.details).map(|details| text(&details)),
        }
    }
}

#[cfg(test)]
mod tests;

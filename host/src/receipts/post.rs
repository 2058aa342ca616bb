//! Sorts the updates of a webhook into rows to write. Pure.

use hookswitch_core::domain::{
    Contact, Delivery, IdentityChange, IdentityNews, NotificationId, OptOutScope, Preference, Senders,
    Sighting, Status, wish,
};
use jiff::Timestamp;
use tracing::{debug, warn};

use crate::{
    store::Opened,
    whatsapp::{
        CallbackData, Treatment, meaning, treatment,
        webhooks::{Inbound, MarketingPreference, NumberQuality, StatusUpdate, Update, Webhook},
    },
};

/// Rows to write.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Post {
    /// Statuses that identify their notification.
    pub deliveries: Vec<Delivery>,
    /// What these are counted as.
    pub ours: Vec<(Status, CallbackData)>,
    /// Statuses with only Meta's message id.
    pub by_wamid: Vec<StatusUpdate>,
    /// Users who wrote, or changed their number or user id.
    pub identities: Vec<IdentityNews>,
    /// Number and user id of recipients named together in statuses, with the time.
    pub recipients: Vec<(String, String, Timestamp)>,
    /// Users whose window opened.
    pub opened: Vec<Opened>,
    /// Whether a template changed at Meta.
    pub template_updated: bool,
    /// Opt-outs and opt-ins.
    pub preferences: Vec<Preference>,
    /// Changes of a number's quality.
    pub quality: Vec<NumberQuality>,
    /// Messages of users, for rules.
    pub answers: Vec<Inbound>,
}

impl Post {
    /// Sorts the updates of a post. `senders` are the sending numbers: a message to another number opens no window.
    pub(super) fn new(webhook: Webhook, senders: &Senders) -> Post {
        let mut post = Post::default();
        for update in webhook.updates {
            match update {
                Update::Status(status) => post.status(status),
                Update::Preference(preference) => {
                    post.identities.push(named(&preference));
                    post.preferences.push(marketing(preference));
                }
                Update::Inbound(inbound) => {
                    post.preferences.extend(wished(&inbound));
                    let number = match inbound.phone_number_id.clone() {
                        None => Some(senders.usual().to_owned()),
                        number => number.filter(|to| senders.ids().any(|ours| ours == to)),
                    };
                    post.identities.extend(same_user(&inbound));
                    if number.is_some() && inbound.opens_window() {
                        post.answers.push((*inbound).clone());
                    }
                    let at = inbound.at;
                    let contact = contact(*inbound, number.is_some());
                    if let Some((number, at)) = number.zip(contact.last_inbound_at) {
                        let ids = contact.wa_id.iter().chain(&contact.user_id);
                        post.opened.extend(ids.map(|id| Opened {
                            phone_number_id: number.clone(),
                            recipient: id.clone(),
                            at,
                        }));
                    }
                    post.identities.push(IdentityNews::Seen(Sighting { contact, at, creates: true }));
                }
                Update::Identity(change) => post.identities.push(IdentityNews::Changed(change)),
                Update::Quality(change) => post.quality.push(change),
                Update::Error(error) => warn!(
                    code = error.code,
                    title = error.title,
                    details = error.details,
                    meaning = meaning(error.code),
                    "Meta reports an error of the account"
                ),
                Update::Template(name) => {
                    debug!(name, "a template changed at Meta");
                    post.template_updated = true;
                }
                Update::Account(field, what) => {
                    warn!(field, what, "Meta reports a change of the account; see WhatsApp Manager");
                }
                Update::Other(field) => debug!(field, "ignored a webhook"),
            }
        }
        post
    }

    fn status(&mut self, mut status: StatusUpdate) {
        let parked = |code| treatment(code, None) == Treatment::ParkTemplate;
        self.template_updated |= status.error.as_ref().is_some_and(|error| parked(error.code));
        // Each message is sent once: looking at its other statuses would triple the work.
        if status.status == Status::Sent
            && let Some(pair) = status.recipient_id.take().zip(status.user_id.take())
        {
            self.recipients.push((pair.0, pair.1, status.at));
        }
        match status.callback_data.as_deref().and_then(|data| data.parse::<CallbackData>().ok()) {
            Some(data) => {
                let of = status.status;
                self.deliveries.push(delivery(status, data.id, data.attempt));
                self.ours.push((of, data));
            }
            None => self.by_wamid.push(status),
        }
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && self.recipients.is_empty()
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.deliveries.len()
            + self.by_wamid.len()
            + self.identities.len()
            + self.quality.len()
            + self.preferences.len()
    }

    /// Adds another post's rows.
    pub(super) fn extend(&mut self, other: Post) {
        self.deliveries.extend(other.deliveries);
        self.ours.extend(other.ours);
        self.by_wamid.extend(other.by_wamid);
        self.identities.extend(other.identities);
        self.recipients.extend(other.recipients);
        self.opened.extend(other.opened);
        self.quality.extend(other.quality);
        self.preferences.extend(other.preferences);
        self.answers.extend(other.answers);
    }
}

/// A status as a row of the delivery log.
pub(super) fn delivery(status: StatusUpdate, notification_id: NotificationId, attempt: i16) -> Delivery {
    let error = status.error.as_ref();
    Delivery {
        notification_id,
        attempt,
        status: status.status,
        at: status.at,
        code: error.map(|error| error.code),
        detail: error.map(|error| match &error.details {
            Some(details) if *details != error.title => format!("{}: {details}", error.title),
            _ => error.title.clone(),
        }),
        wamid: Some(status.wamid),
    }
}

/// The opt-out or opt-in in a user's message, if any.
fn wished(inbound: &Inbound) -> Option<Preference> {
    let is_words = matches!(inbound.kind.as_str(), "text" | "button" | "interactive");
    let text = inbound.content.text.as_deref().filter(|_| is_words && inbound.opens_window())?;
    let (stop, scope) = wish(text, inbound.kind == "text")?;
    Some(Preference {
        recipients: inbound
            .from
            .iter()
            .chain(&inbound.other_wa_id)
            .chain(&inbound.user_id)
            .cloned()
            .collect(),
        stop,
        scope,
        source: format!("they wrote {:?}", text.trim()),
        at: inbound.at,
        message_id: inbound.wamid.clone(),
    })
}

fn marketing(MarketingPreference { wa_id, user_id, stop, at }: MarketingPreference) -> Preference {
    Preference {
        recipients: wa_id.into_iter().chain(user_id).collect(),
        stop,
        scope: OptOutScope::Marketing,
        source: "they chose so in WhatsApp".to_owned(),
        at,
        message_id: if stop { "stop" } else { "resume" }.to_owned(),
    }
}

/// The ids in a preference.
fn named(MarketingPreference { wa_id, user_id, at, .. }: &MarketingPreference) -> IdentityNews {
    let contact = Contact { wa_id: wa_id.clone(), user_id: user_id.clone(), ..Contact::default() };
    IdentityNews::Seen(Sighting { contact, at: *at, creates: true })
}

/// The change of identity of a user who writes from another number than Meta's `wa_id`.
fn same_user(inbound: &Inbound) -> Option<IdentityNews> {
    let old_wa_id = Some(inbound.other_wa_id.clone()?);
    let (wa_id, user_id, at) = (inbound.from.clone(), inbound.user_id.clone(), inbound.at);
    Some(IdentityNews::Changed(IdentityChange { old_wa_id, old_user_id: None, wa_id, user_id, at }))
}

fn contact(inbound: Inbound, is_ours: bool) -> Contact {
    Contact {
        last_inbound_at: (is_ours && inbound.opens_window()).then_some(inbound.at),
        wa_id: inbound.from,
        user_id: inbound.user_id,
        name: inbound.name,
        ..Contact::default()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::whatsapp::webhooks::parse;

    const ID: &str = "0198a5c0-0000-7000-8000-000000000001";

    fn post(value: Value) -> Post {
        let body = json!({"entry": [{"changes": [{"field": "messages", "value": value}]}]});
        Post::new(parse(body.to_string().as_bytes(), Timestamp::UNIX_EPOCH).unwrap(), &Senders::only("106"))
    }

    #[test]
    fn a_status_with_callback_data_is_a_delivery() {
        let post = post(json!({"statuses": [
            {"id": "wamid.1", "status": "failed", "timestamp": "60", "biz_opaque_callback_data": format!("{ID}:2"),
             "errors": [{"code": 131026, "title": "Message undeliverable", "error_data": {"details": "why"}}]},
            {"id": "wamid.2", "status": "read", "timestamp": "61", "biz_opaque_callback_data": format!("{ID}:1")},
        ]}));
        let row = |attempt, status, second, wamid: &str| Delivery {
            notification_id: NotificationId(ID.parse().unwrap()),
            attempt,
            status,
            at: Timestamp::from_second(second).unwrap(),
            wamid: Some(wamid.to_owned()),
            code: None,
            detail: None,
        };
        let failed = Delivery {
            code: Some(131026),
            detail: Some("Message undeliverable: why".to_owned()),
            ..row(2, Status::Failed, 60, "wamid.1")
        };
        assert_eq!(post.deliveries, [failed, row(1, Status::Read, 61, "wamid.2")]);
        assert_eq!(post.len(), 2);
    }

    #[test]
    fn what_dispatch_did_not_write_is_looked_up() {
        for data in
            ["", "hello", ID, "hello:1", &format!("{ID}:0"), &format!("{ID}:-1"), &format!("{ID}:99999")]
        {
            let post = post(json!({"statuses": [
                {"id": "wamid.1", "status": "sent", "biz_opaque_callback_data": data}]}));
            assert_eq!((post.deliveries.len(), post.by_wamid.len()), (0, 1));
        }
    }

    #[test]
    fn a_message_opens_the_window_of_the_number_it_was_sent_to() {
        for (number, opens) in [(json!("106"), true), (json!("107"), false), (json!(null), true)] {
            let post = post(json!({"metadata": {"phone_number_id": number},
                "messages": [{"id": "w", "from": "16505551234", "timestamp": "60", "type": "text"}]}));
            let [IdentityNews::Seen(seen)] = &post.identities[..] else { panic!("{:?}", post.identities) };
            assert_eq!(seen.contact.last_inbound_at.is_some(), opens, "{number}");
        }
    }

    #[test]
    fn recipients_are_learnt_where_both_ids_are_told() {
        let status = |status: &str| json!({"id": "w", "status": status, "recipient_id": "16505551234", "recipient_user_id": "US.1"});
        let post = post(json!({"statuses": [status("sent"), status("read"), {"id": "w", "status": "sent"}]}));
        assert_eq!(post.recipients, [("16505551234".to_owned(), "US.1".to_owned(), Timestamp::UNIX_EPOCH)]);
    }
}

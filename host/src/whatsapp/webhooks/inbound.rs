//! The messages of users, and the system's messages about them.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    IdentityChange, Inbound, Update,
    loose::{loose, phone, text, time, user},
};
use crate::domain::clean_name;

#[derive(Deserialize)]
pub(super) struct Contact {
    profile: Option<Profile>,
    #[serde(default, deserialize_with = "loose")]
    wa_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    user_id: Option<String>,
}

impl Contact {
    fn wa_id(&self) -> Option<String> {
        self.wa_id.as_deref().and_then(phone)
    }

    fn user_id(&self) -> Option<String> {
        self.user_id.as_deref().and_then(user)
    }

    fn is(&self, wa_id: Option<&str>, user_id: Option<&str>) -> bool {
        wa_id.is_some() && self.wa_id().as_deref() == wa_id
            || user_id.is_some() && self.user_id().as_deref() == user_id
    }
}

#[derive(Deserialize)]
struct Profile {
    name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Message<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "loose")]
    from: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    from_user_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    timestamp: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    group_id: Option<String>,
    // What depends on the type is read only where the type says so: a surprise in it must not cost the message.
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    button: Option<&'a RawValue>,
    #[serde(borrow)]
    interactive: Option<&'a RawValue>,
    #[serde(borrow)]
    system: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text {
    body: String,
}

#[derive(Deserialize)]
struct Button {
    text: String,
}

#[derive(Deserialize)]
struct Interactive {
    button_reply: Option<Pressed>,
    list_reply: Option<Pressed>,
}

#[derive(Deserialize)]
struct Pressed {
    title: String,
}

#[derive(Deserialize)]
struct System {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    body: String,
    #[serde(default, deserialize_with = "loose")]
    wa_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    user_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    previous_user_id: Option<String>,
}

fn read<'a, T: Deserialize<'a>>(json: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(json?.get()).ok()
}

impl Message<'_> {
    /// `None` where it does not say who wrote.
    pub(super) fn update(
        &self,
        contacts: &[Contact],
        phone_number_id: Option<&str>,
        now: Timestamp,
    ) -> Option<Update> {
        if self.kind == "system" {
            return self.system(read::<System>(self.system)?);
        }
        let (from, user_id) = (self.from(), self.user_id());
        let contact = match contacts {
            // The only user that the post speaks of.
            [only] if self.from.is_none() && self.from_user_id.is_none() => Some(only),
            _ => contacts.iter().find(|contact| contact.is(from.as_deref(), user_id.as_deref())),
        };
        let from = from.or_else(|| contact?.wa_id());
        let user_id = user_id.or_else(|| contact?.user_id());
        if from.is_none() && user_id.is_none() {
            return None;
        }
        let name = contact.and_then(|c| clean_name(c.profile.as_ref()?.name.as_deref()?));
        Some(Update::Inbound(Inbound {
            wamid: text(&self.id),
            phone_number_id: phone_number_id.map(str::to_owned),
            from,
            user_id,
            name: name.map(|name| text(&name)),
            at: time(self.timestamp.as_deref(), now),
            kind: text(&self.kind),
            text: self.text(),
            in_group: self.group_id.is_some(),
        }))
    }

    fn from(&self) -> Option<String> {
        self.from.as_deref().and_then(phone)
    }

    fn user_id(&self) -> Option<String> {
        self.from_user_id.as_deref().and_then(user)
    }

    fn text(&self) -> Option<String> {
        match self.kind.as_str() {
            "text" => read::<Text>(self.text).map(|text| text.body),
            "button" => read::<Button>(self.button).map(|button| button.text),
            "interactive" => read::<Interactive>(self.interactive)
                .and_then(|reply| reply.button_reply.or(reply.list_reply))
                .map(|pressed| pressed.title),
            _ => None,
        }
    }

    /// A change of identity. The old one stands in `from`, or only in the text: "… changed from OLD to NEW".
    fn system(&self, system: System) -> Option<Update> {
        if !matches!(system.kind.as_str(), "user_changed_number" | "user_changed_user_id") {
            return Some(Update::Other(format!("messages/system/{}", text(&system.kind))));
        }
        let said = system.body.rsplit_once(" changed from ").and_then(|(_, ids)| ids.split_once(" to "));
        let (old, new) = said.map_or(("", ""), |(old, new)| (old.trim(), new.trim()));
        let change = IdentityChange {
            old_wa_id: self.from().or_else(|| phone(old)),
            old_user_id: self
                .user_id()
                .or_else(|| system.previous_user_id.as_deref().and_then(user))
                .or_else(|| user(old)),
            wa_id: system.wa_id.as_deref().and_then(phone).or_else(|| phone(new)),
            user_id: system.user_id.as_deref().and_then(user).or_else(|| user(new)),
        };
        let has_old = change.old_wa_id.is_some() || change.old_user_id.is_some();
        let has_new = change.wa_id.is_some() || change.user_id.is_some();
        (has_old && has_new).then_some(Update::Identity(change))
    }
}

//! Messages from users, and WhatsApp's system messages about them.

use hookswitch_core::domain::{IdentityChange, clean_name, spellings};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Inbound, Update,
    content::Content,
    loose::{loose, phone, text, time, user},
};

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
        self.user_id.as_deref().or(self.wa_id.as_deref()).and_then(user)
    }

    fn is(&self, wa_id: Option<&str>, user_id: Option<&str>) -> bool {
        wa_id.is_some_and(|wa_id| spellings(wa_id).any(|wa_id| self.wa_id() == Some(wa_id)))
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
    system: Option<&'a RawValue>,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    button: Option<&'a RawValue>,
    #[serde(borrow)]
    interactive: Option<&'a RawValue>,
    #[serde(borrow)]
    image: Option<&'a RawValue>,
    #[serde(borrow)]
    video: Option<&'a RawValue>,
    #[serde(borrow)]
    audio: Option<&'a RawValue>,
    #[serde(borrow)]
    voice: Option<&'a RawValue>,
    #[serde(borrow)]
    document: Option<&'a RawValue>,
    #[serde(borrow)]
    sticker: Option<&'a RawValue>,
    #[serde(borrow)]
    location: Option<&'a RawValue>,
    #[serde(borrow)]
    reaction: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Context {
    #[serde(default, deserialize_with = "loose")]
    id: Option<String>,
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
    /// Whether both are from the same user.
    pub(super) fn same_sender(&self, other: &Message<'_>) -> bool {
        (&self.from, &self.from_user_id) == (&other.from, &other.from_user_id)
    }

    /// `None` if the sender is unknown. `one_sender`: whether all messages of this value are from one user.
    pub(super) fn update(
        &self,
        contacts: &[Contact],
        one_sender: bool,
        phone_number_id: Option<&str>,
        now: Timestamp,
    ) -> Option<Update> {
        if self.kind == "system" {
            return self.system(read::<System>(self.system)?, now);
        }
        let (from, user_id) = (self.from(), self.user_id());
        let named = contacts.iter().find(|contact| contact.is(from.as_deref(), user_id.as_deref()));
        let contact = named.or(match contacts {
            // The only user that the post speaks of; Meta says that `from` and `wa_id` may differ.
            [only] if one_sender && (user_id.is_none() || only.user_id().is_none()) => Some(only),
            _ => None,
        });
        let of_contact = contact.and_then(Contact::wa_id);
        let other_wa_id = of_contact
            .clone()
            .filter(|wa_id| from.as_deref().is_some_and(|from| !spellings(from).any(|from| from == *wa_id)));
        let from = from.or(of_contact);
        let user_id = user_id.or_else(|| contact?.user_id());
        if from.is_none() && user_id.is_none() {
            return None;
        }
        let name = contact.and_then(|c| clean_name(c.profile.as_ref()?.name.as_deref()?));
        Some(Update::Inbound(Box::new(Inbound {
            wamid: text(&self.id),
            phone_number_id: phone_number_id.map(str::to_owned),
            from,
            other_wa_id,
            user_id,
            name: name.map(|name| text(&name)),
            at: time(self.timestamp.as_deref(), now),
            kind: text(&self.kind),
            content: Content::read(&self.kind, self.member()),
            answers: read::<Context>(self.context).and_then(|context| context.id).map(|id| text(&id)),
            in_group: self.group_id.is_some(),
        })))
    }

    fn from(&self) -> Option<String> {
        self.from.as_deref().and_then(phone)
    }

    fn user_id(&self) -> Option<String> {
        self.from_user_id.as_deref().or(self.from.as_deref()).and_then(user)
    }

    /// What the message holds, which stands under its type.
    fn member(&self) -> Option<&RawValue> {
        match self.kind.as_str() {
            "text" => self.text,
            "button" => self.button,
            "interactive" => self.interactive,
            "image" => self.image,
            "video" => self.video,
            "audio" => self.audio,
            "voice" => self.voice,
            "document" => self.document,
            "sticker" => self.sticker,
            "location" => self.location,
            "reaction" => self.reaction,
            _ => None,
        }
    }

    /// A change of identity. The old one is in `from`, or only in the text: "… changed from OLD to NEW".
    fn system(&self, system: System, now: Timestamp) -> Option<Update> {
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
            at: time(self.timestamp.as_deref(), now),
        };
        complete(change).map(Update::Identity)
    }
}

/// `user_id_update`: a user's id changed.
#[derive(Deserialize)]
pub(super) struct UserIdUpdate {
    #[serde(default, deserialize_with = "loose")]
    wa_id: Option<String>,
    user_id: Option<FromTo>,
    #[serde(default, deserialize_with = "loose")]
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct FromTo {
    #[serde(default, deserialize_with = "loose")]
    previous: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    current: Option<String>,
}

impl UserIdUpdate {
    /// `None` unless it names an old id and a new one.
    pub(super) fn read(self, now: Timestamp) -> Option<IdentityChange> {
        let FromTo { previous, current } = self.user_id?;
        let wa_id = self.wa_id.as_deref().and_then(phone);
        complete(IdentityChange {
            // Without the id before, the number says who it is.
            old_wa_id: wa_id.clone().filter(|_| previous.is_none()),
            old_user_id: previous.as_deref().and_then(user),
            wa_id,
            user_id: Some(current.as_deref().and_then(user)?),
            at: time(self.timestamp.as_deref(), now),
        })
    }
}

fn complete(change: IdentityChange) -> Option<IdentityChange> {
    let has_old = change.old_wa_id.is_some() || change.old_user_id.is_some();
    let has_new = change.wa_id.is_some() || change.user_id.is_some();
    (has_old && has_new).then_some(change)
}

//! A user writes to the business.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Simulator, check, ids,
    state::User,
    webhook::{Inbound, Update},
};
use crate::ids::is_user_id;

/// What a user writes: by number or user id, and one of `text`, `button` and `message`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InboundMessage {
    /// The user's number.
    pub from: Option<String>,
    /// The user's business-scoped user id; made from the number where it is missing.
    pub user_id: Option<String>,
    /// The profile name.
    pub name: Option<String>,
    /// A text.
    pub text: Option<String>,
    /// A template's quick reply is pressed: its `payload`, and its label as `text`.
    pub button: Option<PressedButton>,
    /// A message of any type as Meta's webhook has it, such as
    /// `{"type": "interactive", "interactive": {"type": "button_reply", …}}`.
    pub message: Option<Value>,
    /// The number that they write to, by its id; the first one where it is missing.
    pub to: Option<String>,
    /// The wamid of the message that is answered.
    pub reply_to: Option<String>,
}

/// A pressed button.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PressedButton {
    /// What comes back.
    pub payload: String,
    /// What the button says; the payload where it is missing.
    pub text: Option<String>,
}

impl Simulator {
    /// A user writes a text, which opens their 24-hour window. Returns the wamid.
    ///
    /// # Errors
    /// When `from` is no phone number.
    pub fn inbound(&self, from: &str, name: &str, text: &str) -> Result<String, String> {
        self.receive(InboundMessage {
            from: Some(from.into()),
            name: Some(name.into()),
            text: Some(text.into()),
            ..InboundMessage::default()
        })
    }

    /// A user writes anything. Returns the wamid.
    ///
    /// # Errors
    /// Says what is missing or wrong.
    pub fn receive(&self, inbound: InboundMessage) -> Result<String, String> {
        let wa_id = match &inbound.from {
            Some(from) => {
                Some(check::digits(from).map_err(|_| format!("read from: {from:?} is no phone number"))?)
            }
            None => None,
        };
        let user_id = match (&inbound.user_id, &wa_id) {
            (Some(user_id), _) if is_user_id(user_id) => user_id.clone(),
            (Some(user_id), _) => {
                return Err(format!("read user_id: {user_id:?} is no business-scoped user id"));
            }
            (None, Some(wa_id)) => ids::user_id(wa_id),
            (None, None) => return Err("read the message: from or user_id is needed".into()),
        };
        let to = inbound.to.clone().unwrap_or_else(|| self.settings().phone_number_id.clone());
        let Some(digits) = self.settings().number(&to) else {
            return Err(format!("read to: {to:?} is no number of the business"));
        };
        let at = Timestamp::now();
        let wamid = ids::inbound_wamid(wa_id.as_deref().unwrap_or(&user_id));
        let mut message = content(&inbound)?;
        message["id"] = wamid.as_str().into();
        message["timestamp"] = at.as_second().to_string().into();
        if let Some(reply_to) = &inbound.reply_to {
            message["context"] = json!({"from": digits, "id": reply_to});
        }
        let size = message.to_string().len();
        let mut state = self.state();
        let known = state.user(wa_id.as_deref().unwrap_or(&user_id)).and_then(|user| user.name.clone());
        let name = inbound.name.or(known);
        let user = User { wa_id: wa_id.clone(), user_id: user_id.clone(), name: name.clone() };
        // What no user has written opens no window.
        if !matches!(message["type"].as_str(), Some("system" | "edit" | "revoke")) {
            state.wrote(&to, user, at);
        }
        state.stats.inbound += 1;
        let name = name.or_else(|| wa_id.clone()).unwrap_or_default();
        let inbound = Inbound { phone_number_id: to, wa_id, user_id, name, size, message };
        state.tell(Update::Inbound(Arc::new(inbound)), Instant::now());
        drop(state);
        self.wake();
        Ok(wamid)
    }
}

fn content(inbound: &InboundMessage) -> Result<Value, String> {
    match (&inbound.text, &inbound.button, &inbound.message) {
        (Some(text), None, None) => Ok(json!({"type": "text", "text": {"body": text}})),
        (None, Some(PressedButton { payload, text }), None) => {
            let text = text.as_ref().unwrap_or(payload);
            Ok(json!({"type": "button", "button": {"payload": payload, "text": text}}))
        }
        (None, None, Some(message)) if message["type"].is_string() => Ok(message.clone()),
        (None, None, Some(_)) => Err("read message: it needs a type, such as \"text\"".into()),
        _ => Err("read the message: exactly one of text, button and message is needed".into()),
    }
}

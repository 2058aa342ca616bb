//! `user_preferences` (Meta, "Webhooks: user_preferences"): what users choose in WhatsApp about marketing messages.

use jiff::Timestamp;
use serde::Deserialize;

use super::loose::{loose, phone, time, user};

/// A user stopped or resumed marketing messages from us. At least one of the two ids is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketingPreference {
    /// The user's number.
    pub wa_id: Option<String>,
    /// The user's user id.
    pub user_id: Option<String>,
    /// Whether they stopped them.
    pub stop: bool,
    /// Time of the choice.
    pub at: Timestamp,
}

#[derive(Deserialize)]
pub(super) struct Preference {
    #[serde(default, deserialize_with = "loose")]
    wa_id: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    user_id: Option<String>,
    category: String,
    value: String,
    #[serde(default, deserialize_with = "loose")]
    timestamp: Option<String>,
}

impl Preference {
    /// `None` if it names no user or its value is unknown.
    pub(super) fn read(self, now: Timestamp) -> Option<MarketingPreference> {
        let (wa_id, user_id) =
            (self.wa_id.as_deref().and_then(phone), self.user_id.as_deref().and_then(user));
        let stop = match (&*self.category, &*self.value) {
            ("marketing_messages", "stop") => true,
            // Who signs up for them by a link wants them too.
            ("marketing_messages", "resume" | "signup") => false,
            _ => return None,
        };
        let at = time(self.timestamp.as_deref(), now);
        (wa_id.is_some() || user_id.is_some()).then_some(MarketingPreference { wa_id, user_id, stop, at })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::super::{Update, parse};
    use super::*;

    #[test]
    fn a_user_stops_marketing_and_another_resumes_it() {
        let body = json!({"entry": [{"id": "1", "changes": [{"field": "user_preferences", "value": {
            "messaging_product": "whatsapp", "metadata": {"phone_number_id": "106"},
            "user_preferences": [
                {"wa_id": "16505551234", "detail": "User requested to stop marketing messages",
                 "category": "marketing_messages", "value": "stop", "timestamp": 1_731_617_831},
                {"user_id": "US.134", "category": "marketing_messages", "value": "resume", "timestamp": 60},
                {"wa_id": "16505551234", "value": "stop"},
                {"wa_id": "+1 650-555-1234", "category": "marketing_messages", "value": "signup", "timestamp": "61"},
                {"wa_id": "16505551234", "category": "something_else", "value": "stop"}]}}]}]});
        let webhook = parse(body.to_string().as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
        let preference = |wa_id: Option<&str>, user_id: Option<&str>, stop, second| {
            Update::Preference(MarketingPreference {
                wa_id: wa_id.map(str::to_owned),
                user_id: user_id.map(str::to_owned),
                stop,
                at: Timestamp::from_second(second).unwrap(),
            })
        };
        assert_eq!(
            webhook.updates,
            [
                preference(Some("16505551234"), None, true, 1_731_617_831),
                preference(None, Some("US.134"), false, 60),
                preference(Some("16505551234"), None, false, 61),
            ]
        );
        assert_eq!(webhook.skipped, 2);
    }
}

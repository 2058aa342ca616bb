//! `phone_number_quality_update`: Meta, "Webhooks: phone_number_quality_update".

use jiff::Timestamp;
use serde::Deserialize;

use super::loose::{loose, text};

/// A change of a sending number's quality or of its daily limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberQuality {
    /// The number as Meta displays it.
    pub display_phone_number: Option<String>,
    /// Meta's name of the change: `ONBOARDING`, `UPGRADE`, `DOWNGRADE`, `FLAGGED`, `UNFLAGGED`,
    /// `THROUGHPUT_UPGRADE`.
    pub event: String,
    /// The daily limit now, for example `TIER_10K`.
    pub limit: Option<String>,
    /// The daily limit before.
    pub old_limit: Option<String>,
    /// Time of the change.
    pub at: Timestamp,
}

#[derive(Deserialize)]
pub(super) struct Value {
    #[serde(default, deserialize_with = "loose")]
    display_phone_number: Option<String>,
    event: String,
    #[serde(default, deserialize_with = "loose")]
    current_limit: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    max_daily_conversations_per_business: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    old_limit: Option<String>,
}

impl Value {
    /// Converts the webhook's value; `at` is the time of its entry.
    pub(super) fn at(self, at: Timestamp) -> NumberQuality {
        let short = |value: Option<String>| value.map(|value| text(&value));
        NumberQuality {
            display_phone_number: short(self.display_phone_number),
            event: text(&self.event),
            limit: short(self.current_limit.or(self.max_daily_conversations_per_business)),
            old_limit: short(self.old_limit),
            at,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::super::{Update, parse};
    use super::*;

    #[test]
    fn a_change_of_quality_is_read_with_its_time() {
        let body = json!({"entry": [{"id": "1", "time": 1_739_321_024, "changes": [
            {"field": "phone_number_quality_update", "value": {"display_phone_number": "15550783881",
             "event": "DOWNGRADE", "old_limit": "TIER_10K", "current_limit": "TIER_1K"}},
            {"field": "phone_number_quality_update", "value": {"event": 3}}]}]});
        let webhook = parse(body.to_string().as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
        let quality = NumberQuality {
            display_phone_number: Some("15550783881".to_owned()),
            event: "DOWNGRADE".to_owned(),
            limit: Some("TIER_1K".to_owned()),
            old_limit: Some("TIER_10K".to_owned()),
            at: Timestamp::from_second(1_739_321_024).unwrap(),
        };
        assert_eq!(webhook.updates, [Update::Quality(quality)]);
        assert_eq!(webhook.skipped, 1);
    }
}

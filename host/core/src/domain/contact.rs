//! Contacts: WhatsApp users, as Meta identifies them.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// Meta's customer service window: free-form messages may be sent for 24 hours after the user last wrote
/// (Meta, "Send messages", customer service windows).
pub const SERVICE_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// A WhatsApp user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// Digits of the number; `None` if the user hides it.
    pub wa_id: Option<String>,
    /// Meta's business-scoped user id.
    pub user_id: Option<String>,
    /// Profile name.
    pub name: Option<String>,
    /// Language in which they read, for example `pt_BR`, if somebody has said so.
    pub language: Option<String>,
    /// When the user last wrote.
    pub last_inbound_at: Option<Timestamp>,
}

impl Contact {
    /// Address of messages: the last known `wa_id`, otherwise the user id.
    pub fn recipient(&self) -> Option<&str> {
        self.wa_id.as_deref().or(self.user_id.as_deref())
    }

    /// When the 24-hour window closes; `None` if the user never wrote.
    pub fn window_until(&self) -> Option<Timestamp> {
        self.last_inbound_at.and_then(|at| at.checked_add(SERVICE_WINDOW).ok())
    }
}

/// Whether this is one of Meta's business-scoped user ids (two letters of a country, a dot, `ENT.` for a parent, up to
/// 128 letters and digits) rather than a phone number.
pub fn is_user_id(recipient: &str) -> bool {
    let Some((country, rest)) = recipient.split_once('.') else { return false };
    let id = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::is_user_id;

    #[test]
    fn user_ids_are_told_from_numbers() {
        assert!(is_user_id("US.13491208655302741918"));
        assert!(is_user_id("US.ENT.11815799212886844830"));
        for no in ["16505551234", "+1.650", "us.134", "USA.1", "US.", "US.1.2", ""] {
            assert!(!is_user_id(no), "{no}");
        }
    }
}

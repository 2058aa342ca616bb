//! Opt-outs, and other reasons not to send a message.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Messages that an opt-out applies to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptOutScope {
    /// All messages.
    #[default]
    All,
    /// Messages whose template has the category `marketing`.
    Marketing,
}

impl OptOutScope {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            OptOutScope::All => "all",
            OptOutScope::Marketing => "marketing",
        }
    }
}

impl fmt::Display for OptOutScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OptOutScope {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "all" => Ok(OptOutScope::All),
            "marketing" => Ok(OptOutScope::Marketing),
            other => Err(format!("unknown opt-out scope {other:?}")),
        }
    }
}

/// The opt-out of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OptOut {
    /// The messages that are no longer sent.
    pub scope: OptOutScope,
    /// Where the opt-out came from, for example `wrote STOP`.
    pub source: String,
    /// When the contact opted out.
    pub at: Timestamp,
}

impl OptOut {
    /// Whether the opt-out applies to a message, by whether that is marketing.
    pub fn covers(&self, is_marketing: bool) -> bool {
        self.scope == OptOutScope::All || is_marketing
    }
}

impl fmt::Display for OptOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.scope {
            OptOutScope::All => "",
            OptOutScope::Marketing => " of marketing messages",
        };
        write!(f, "opted out{of} on {}: {}", self.at.strftime("%Y-%m-%d"), self.source)
    }
}

/// Why a message must not be sent, at the time of sending.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The recipient opted out.
    #[error("{0}")]
    OptedOut(OptOut),
    /// The person was deactivated.
    #[error("{0} is deactivated")]
    Deactivated(String),
    /// The person was deleted.
    #[error("no person named {0}")]
    NoPerson(String),
    /// The person is not linked to a WhatsApp user.
    #[error("{0} has no WhatsApp number linked")]
    Unlinked(String),
    /// The number of the recipient now belongs to another WhatsApp user, and the new one is unknown.
    #[error("the WhatsApp number now belongs to another user; link the person to the new number")]
    NumberLost,
    /// The recipient was erased on request.
    #[error("erased on request")]
    Erased,
    /// A later event, or an operator, withdrew it by its key; in words.
    #[error("{0}")]
    Withdrawn(String),
    /// An operator has stopped such messages and has them dropped; in words.
    #[error("{0}")]
    Stopped(String),
}

/// A change of an opt-out, by a user or an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    /// Numbers and user ids of the user; any of them identifies the contact.
    pub recipients: Vec<String>,
    /// Whether to opt out; otherwise to opt in.
    pub stop: bool,
    /// Messages that it applies to.
    pub scope: OptOutScope,
    /// Where it came from, for example `wrote STOP`.
    pub source: String,
    /// Time, by Meta's clock if it came from Meta.
    pub at: Timestamp,
    /// Meta's id of the message, to distinguish changes of the same second. A repeated one changes nothing.
    pub message_id: String,
}

/// Reads a user's message as an opt-out or opt-in: whether to stop, and which messages. The keywords are those of the
/// CTIA's handbook for text messages and of the FCC's rule on revoking consent (47 CFR 64.1200(a)(10)), and the title of
/// Meta's opt-out button. `typed`: whether the user wrote it; a button's title is ours, and "Cancel" or "End" on a button
/// means something else.
pub fn wish(text: &str, typed: bool) -> Option<(bool, OptOutScope)> {
    // All keywords are shorter, in any letters.
    if text.len() > 120 {
        return None;
    }
    // Full-width forms of ASCII, as typed on East Asian keyboards.
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        other => other,
    };
    let letters = text.chars().map(narrow).filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase);
    match letters.collect::<String>().as_str() {
        "STOP" | "STOPALL" | "UNSUBSCRIBE" | "OPTOUT" => Some((true, OptOutScope::All)),
        "CANCEL" | "END" | "QUIT" | "REVOKE" if typed => Some((true, OptOutScope::All)),
        "STOPPROMOTIONS" => Some((true, OptOutScope::Marketing)),
        "START" | "UNSTOP" | "SUBSCRIBE" | "OPTIN" => Some((false, OptOutScope::All)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_however_it_is_written() {
        for text in
            ["STOP", " stop. ", "Stop!", "stop all", "Unsubscribe", "opt-out", "ＳＴＯＰ", "ｓｔｏｐ！"]
        {
            assert_eq!(wish(text, false), Some((true, OptOutScope::All)), "{text}");
        }
        for text in ["Cancel", "END", "quit.", "Revoke"] {
            assert_eq!(wish(text, true), Some((true, OptOutScope::All)), "{text}");
            assert_eq!(wish(text, false), None, "a button that says {text}");
        }
        assert_eq!(wish("Stop promotions", false), Some((true, OptOutScope::Marketing)));
        assert_eq!(wish("start", true), Some((false, OptOutScope::All)));
        for text in ["please stop the installation", "", "stop the alarm", "Bus stop", &"stop ".repeat(40)] {
            assert_eq!(wish(text, true), None, "{text}");
        }
    }

    #[test]
    fn marketing_alone_leaves_the_rest() {
        let out = |scope| OptOut { scope, source: "wrote STOP".to_owned(), at: Timestamp::UNIX_EPOCH };
        assert!(out(OptOutScope::All).covers(false) && out(OptOutScope::Marketing).covers(true));
        assert!(!out(OptOutScope::Marketing).covers(false));
        let said = "opted out of marketing messages on 1970-01-01: wrote STOP";
        assert_eq!(out(OptOutScope::Marketing).to_string(), said);
    }
}

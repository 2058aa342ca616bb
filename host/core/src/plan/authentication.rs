//! Authentication templates: Meta words them, in each of its languages; only what the file chooses is ours.
//!
//! Source: Meta, "Authentication templates", and its OpenAPI description, "Create authentication template w/ OTP copy
//! code button". Meta translates these words.

use super::{
    meta_body::{MetaBody, MetaParameter, SEPARATOR},
    parts::Parts,
};

/// Meta's text, with the code.
const TEXT: &str = "*{{1}}* is your verification code.";
/// What Meta adds for `add_security_recommendation`.
const RECOMMENDATION: &str = " For your security, do not share this code.";

/// What a file chooses of an authentication template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// Whether Meta adds that the code must not be shared.
    pub security_recommendation: bool,
    /// Minutes after which the code expires, 1 to 90, which Meta says in the footer.
    pub expiration_minutes: Option<u8>,
}

impl Authentication {
    /// The text at Meta, in English.
    pub fn text(self) -> String {
        format!("{TEXT}{}", if self.security_recommendation { RECOMMENDATION } else { "" })
    }

    /// The footer at Meta, in English.
    pub fn footer(self) -> Option<String> {
        self.expiration_minutes.map(|minutes| format!("This code expires in {minutes} minutes."))
    }

    /// The body at Meta: its one value is the code.
    pub(super) fn body(self, parts: &Parts) -> MetaBody {
        let source = parts.one_time_code().unwrap_or_default();
        let inner = source.trim_start_matches("{{").trim_end_matches("}}").trim();
        let parameter = MetaParameter { line: 1, column: 1, source: inner.to_owned(), leaves_a_gap: false };
        MetaBody { text: self.text(), parameters: vec![parameter], values: format!("{source}{SEPARATOR}") }
    }
}

//! The access token.

use jiff::{SignedDuration, Timestamp};

use super::{
    report::Finding,
    words::{span, time},
};
use crate::{config::WhatsappConfig, whatsapp::management::Token};

const ENDS_SOON: SignedDuration = SignedDuration::from_hours(7 * 24);
pub(super) const NEW_TOKEN: &str = "set WHATSAPP_ACCESS_TOKEN to a valid token of a system user";
/// The permission to send messages.
pub(super) const SENDS: &str = "whatsapp_business_messaging";
/// The permission for the account and its templates.
pub(super) const MANAGES: &str = "whatsapp_business_management";

/// What is wrong with a token; adds what Meta said of it to the facts.
pub fn judge(
    config: &WhatsappConfig,
    token: &Token,
    now: Timestamp,
    facts: &mut Vec<(String, String)>,
) -> Vec<Finding> {
    if !token.is_valid {
        return vec![Finding::critical("token.invalid", "Meta rejects the access token").advice(NEW_TOKEN)];
    }
    let mut findings = Vec::new();
    let until = token.valid_until();
    let valid = until.map_or("until revoked".to_owned(), |at| format!("until {}", time(at)));
    facts.push(("token valid".to_owned(), valid));
    facts.push(("token permissions".to_owned(), token.scopes.join(", ")));
    if let Some(until) = until
        && until.duration_since(now) < ENDS_SOON
    {
        let what = format!("the access token expires in {}", span(until.duration_since(now)));
        findings.push(Finding::warning("token.ends", what).advice(NEW_TOKEN));
    }
    // Meta may not say which it has.
    let lacks = |scope: &str| !token.scopes.is_empty() && !token.scopes.iter().any(|held| held == scope);
    let add = |scope: &str| {
        format!(
            "create a token of the system user with the permission {scope}, and set WHATSAPP_ACCESS_TOKEN to it"
        )
    };
    if lacks(SENDS) {
        let what = format!("the access token cannot send: it lacks the permission {SENDS}");
        findings.push(Finding::critical("token.scope", what).advice(add(SENDS)));
    }
    if lacks(MANAGES) && config.whatsapp_business_account_id.is_some() {
        let what = format!(
            "the access token can neither submit templates nor see whether they are approved: it lacks the permission {MANAGES}"
        );
        findings.push(Finding::warning("token.management_scope", what).advice(add(MANAGES)));
    }
    findings
}

//! The Cloud API: the token, the numbers that send, and the account that they belong to.

use jiff::Timestamp;

use super::{
    number,
    report::{Finding, Section},
    token::{self, NEW_TOKEN},
};
use crate::{
    config::WhatsappConfig,
    whatsapp::management::{ManagementError, PhoneNumber, Token},
};

const NUMBER: &str = "set WHATSAPP_PHONE_NUMBER_ID to Meta's id of the number, not the number itself (WhatsApp Manager, \
                      Phone numbers), and give the token's system user access to it";
const ACCOUNT: &str = "set WHATSAPP_BUSINESS_ACCOUNT_ID to the id in WhatsApp Manager, Account settings, and give the \
                       token's system user access to that account";
const UNREACHABLE: &str =
    "look at DNS, the firewall and the proxy of this machine; WHATSAPP_API_URL is the address";
const GARBLED: &str = "set WHATSAPP_API_URL to the address of the Graph API with its version, for example \
                       https://graph.facebook.com/v25.0; if it is right, a proxy may be answering in Meta's place";

/// What Meta said.
pub struct Said<'a> {
    /// About the token.
    pub token: &'a Result<Token, ManagementError>,
    /// About the numbers, the usual one first.
    pub numbers: &'a [Result<PhoneNumber, ManagementError>],
    /// Why it said nothing of the account's templates or webhooks.
    pub account: Option<&'a ManagementError>,
}

/// The token, the numbers and the account.
pub fn judge(config: &WhatsappConfig, said: &Said<'_>, now: Timestamp) -> Section {
    let mut facts = vec![("address".to_owned(), config.whatsapp_api_url.clone())];
    let mut findings = match said.token {
        Ok(token) => token::judge(config, token, now, &mut facts),
        Err(error) => vec![failed(error, NUMBER)],
    };
    let mut summary = "not checked".to_owned();
    for (index, number) in said.numbers.iter().enumerate() {
        match number {
            Ok(number) if index == 0 => {
                summary = format!(
                    "{} ({}), quality {}",
                    shown(number),
                    text(&number.verified_name),
                    quality(number)
                );
                let limit = &number.whatsapp_business_manager_messaging_limit;
                facts.push(("number status".to_owned(), text(&number.status)));
                facts.push(("messaging limit".to_owned(), text(limit)));
                let throughput = number
                    .throughput
                    .as_ref()
                    .map_or("unknown".to_owned(), |throughput| text(&throughput.level));
                facts.push(("throughput".to_owned(), throughput));
                findings.extend(number::judge(config, number));
            }
            Ok(number) => {
                let value = format!("{}, quality {}", shown(number), quality(number));
                facts.push(("another number".to_owned(), value));
                let about = |finding: Finding| finding.about(shown(number));
                findings.extend(number::judge(config, number).into_iter().map(about));
            }
            // The same refusal once.
            Err(error) if said.token.is_ok() => findings.push(failed(error, NUMBER)),
            Err(_) => {}
        }
    }
    if let (Some(error), Ok(Token { is_valid: true, .. })) = (said.account, said.token) {
        findings.push(of_account(config, error));
    }
    // Without a connection each question fails alike.
    findings.dedup();
    Section::new("cloud_api", summary, findings).facts(facts)
}

fn shown(number: &PhoneNumber) -> &str {
    number.display_phone_number.as_deref().unwrap_or("a number")
}

fn quality(number: &PhoneNumber) -> &str {
    number.quality_rating.as_deref().unwrap_or("unknown")
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "unknown".to_owned())
}

/// Without the account, Hookswitch does not know which templates may be sent.
fn of_account(config: &WhatsappConfig, error: &ManagementError) -> Finding {
    let account = config.whatsapp_business_account_id.as_deref().unwrap_or_default();
    match error {
        ManagementError::Refused { code, message } => {
            let what = format!("Meta refuses the business account {account}: error {code}: {message}");
            Finding::critical("account.refused", what).about(account).advice(ACCOUNT)
        }
        ManagementError::Unreachable(_) | ManagementError::Garbled(_) => failed(error, ACCOUNT),
    }
}

fn failed(error: &ManagementError, refused: &str) -> Finding {
    match error {
        ManagementError::Refused { code: 0 | 190, .. } => {
            Finding::critical("token.invalid", format!("Meta rejects the access token: {error}"))
                .advice(NEW_TOKEN)
        }
        ManagementError::Refused { .. } => {
            Finding::critical("cloud_api.refused", error.to_string()).advice(refused)
        }
        ManagementError::Unreachable(_) => {
            Finding::critical("cloud_api.unreachable", error.to_string()).advice(UNREACHABLE)
        }
        ManagementError::Garbled(_) => {
            Finding::critical("cloud_api.not_meta", error.to_string()).advice(GARBLED)
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Value, json};

    use hookswitch_core::domain::Senders;

    use super::*;
    use crate::check::{
        Severity,
        token::{MANAGES, SENDS},
    };

    fn merged(mut good: Value, other: &Value) -> Value {
        good.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        good
    }

    /// The findings if Meta reports a usual token and number, except for these.
    fn told(token: &Value, number: &Value) -> Vec<(&'static str, Severity)> {
        told_with(token, number, None)
    }

    fn told_with(
        token: &Value,
        number: &Value,
        account: Option<&ManagementError>,
    ) -> Vec<(&'static str, Severity)> {
        let config = WhatsappConfig {
            whatsapp_api_url: "https://graph.facebook.com/v25.0".to_owned(),
            whatsapp_phone_number_id: Senders::only("1"),
            whatsapp_business_account_id: Some("2".to_owned()),
            whatsapp_access_token: "t".into(),
            whatsapp_app_secret: "s".into(),
            whatsapp_verify_token: "v".into(),
            whatsapp_messages_per_second: 80,
        };
        let good_token = json!({"is_valid": true, "expires_at": 0, "scopes": [SENDS, MANAGES]});
        let good_number = json!({"status": "CONNECTED", "quality_rating": "GREEN", "throughput": {"level": "STANDARD"},
            "whatsapp_business_manager_messaging_limit": "TIER_1K"});
        let token = serde_json::from_value(merged(good_token, token)).unwrap();
        let number = serde_json::from_value(merged(good_number, number)).unwrap();
        let said = Said { token: &Ok(token), numbers: &[Ok(number)], account };
        let section = judge(&config, &said, Timestamp::UNIX_EPOCH);
        section.findings.iter().map(|finding| (finding.id, finding.severity)).collect()
    }

    #[test]
    fn a_token_that_ends_or_may_not_send_is_found() {
        let none = json!({});
        assert_eq!(told(&none, &none), []);
        let days = |days: i64| json!({"expires_at": days * 86_400});
        assert_eq!(told(&days(8), &none), []);
        assert_eq!(told(&days(6), &none), [("token.ends", Severity::Warning)]);
        assert_eq!(told(&json!({"is_valid": false}), &none), [("token.invalid", Severity::Critical)]);
        assert_eq!(told(&json!({"scopes": [MANAGES]}), &none), [("token.scope", Severity::Critical)]);
        assert_eq!(told(&json!({"scopes": [SENDS]}), &none), [("token.management_scope", Severity::Warning)]);
        assert_eq!(told(&json!({"scopes": []}), &none), []);
    }

    #[test]
    fn an_account_that_meta_refuses_is_found_unless_the_token_is() {
        let refused = ManagementError::Refused { code: 100, message: "no such object".to_owned() };
        let none = json!({});
        assert_eq!(told_with(&none, &none, Some(&refused)), [("account.refused", Severity::Critical)]);
        let invalid = json!({"is_valid": false});
        assert_eq!(told_with(&invalid, &none, Some(&refused)), [("token.invalid", Severity::Critical)]);
        let silent = ManagementError::Unreachable("no response".to_owned());
        assert_eq!(told_with(&none, &none, Some(&silent)), [("cloud_api.unreachable", Severity::Critical)]);
        let other = ManagementError::Garbled("HTTP 404 without an error code".to_owned());
        assert_eq!(told_with(&none, &none, Some(&other)), [("cloud_api.not_meta", Severity::Critical)]);
    }

    #[test]
    fn a_number_that_is_off_of_low_quality_or_limited_is_found() {
        let number = |number: Value| told(&json!({}), &number);
        assert_eq!(number(json!({"status": "FLAGGED"})), [("number.status", Severity::Critical)]);
        assert_eq!(number(json!({"quality_rating": "RED"})), [("number.quality", Severity::Warning)]);
        assert_eq!(number(json!({"quality_rating": "YELLOW"})), [("number.quality", Severity::Info)]);
        let limit = json!({"whatsapp_business_manager_messaging_limit": "TIER_250"});
        assert_eq!(number(limit), [("number.limit", Severity::Info)]);
        assert_eq!(number(json!({"status": "CONNECTED", "quality_rating": "GREEN"})), []);
    }
}

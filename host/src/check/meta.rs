//! The Cloud API: the token, the number that sends, and the webhook.

use jiff::{SignedDuration, Timestamp};

use super::{
    report::{Finding, Section},
    words::{since, span, time},
};
use crate::{
    config::WhatsappConfig,
    store::WebhookFacts,
    whatsapp::management::{ManagementError, PhoneNumber, Token},
};

const TOKEN_ENDS_SOON: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Meta's default and its upgrade, in messages per second.
const STANDARD: u32 = 80;
const HIGH: u32 = 1_000;
/// Messages are sent within seconds; webhooks that are later than this have stopped.
const SILENT: SignedDuration = SignedDuration::from_mins(10);
const REFUSED_LATELY: SignedDuration = SignedDuration::from_hours(24);
const NEW_TOKEN: &str = "export WHATSAPP_ACCESS_TOKEN=…";

/// What Meta said about token and number.
pub fn cloud_api(
    config: &WhatsappConfig,
    token: Result<Token, ManagementError>,
    number: Result<PhoneNumber, ManagementError>,
    other_numbers: &[Result<PhoneNumber, ManagementError>],
    now: Timestamp,
) -> Section {
    let mut findings = Vec::new();
    let mut facts = vec![("address".to_owned(), config.whatsapp_api_url.clone())];
    match &token {
        Ok(token) if !token.is_valid => {
            findings
                .push(Finding::critical("token.invalid", "Meta rejects the access token").command(NEW_TOKEN));
        }
        Ok(token) => {
            let until = token.valid_until();
            facts.push((
                "token valid".to_owned(),
                until.map_or("until revoked".to_owned(), |at| format!("until {}", time(at))),
            ));
            facts.push(("token permissions".to_owned(), token.scopes.join(", ")));
            if let Some(until) = until
                && until.duration_since(now) < TOKEN_ENDS_SOON
            {
                let what = format!("the access token expires in {}", span(until.duration_since(now)));
                findings.push(Finding::warning("token.ends", what).command(NEW_TOKEN));
            }
            let scope = "whatsapp_business_messaging";
            if !token.scopes.is_empty() && !token.scopes.iter().any(|held| held == scope) {
                let what = format!("the access token cannot send: it lacks the permission {scope}");
                findings.push(Finding::critical("token.scope", what).command(NEW_TOKEN));
            }
        }
        Err(error) => findings.push(failed(error)),
    }
    let mut summary = "not checked".to_owned();
    match &number {
        Ok(number) => {
            summary = format!(
                "{} ({}), quality {}",
                number.display_phone_number.as_deref().unwrap_or("a number"),
                number.verified_name.as_deref().unwrap_or("no name"),
                number.quality_rating.as_deref().unwrap_or("unknown"),
            );
            let limit = number.whatsapp_business_manager_messaging_limit.as_deref();
            facts.push(("number status".to_owned(), text(&number.status)));
            facts.push(("messaging limit".to_owned(), limit.unwrap_or("unknown").to_owned()));
            facts.push((
                "throughput".to_owned(),
                number.throughput.as_ref().map_or("unknown".to_owned(), |throughput| text(&throughput.level)),
            ));
            findings.extend(number_findings(config, number));
        }
        // The same refusal once.
        Err(error) if token.is_ok() => findings.push(failed(error)),
        Err(_) => {}
    }
    for number in other_numbers {
        match number {
            Ok(number) => {
                let shown = number.display_phone_number.as_deref().unwrap_or("a number");
                let quality = number.quality_rating.as_deref().unwrap_or("unknown");
                facts.push(("another number".to_owned(), format!("{shown}, quality {quality}")));
                findings
                    .extend(number_findings(config, number).into_iter().map(|finding| finding.about(shown)));
            }
            Err(error) if token.is_ok() => findings.push(failed(error)),
            Err(_) => {}
        }
    }
    Section::new("cloud_api", summary, findings).facts(facts)
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "unknown".to_owned())
}

fn failed(error: &ManagementError) -> Finding {
    match error {
        ManagementError::Refused { code: 0 | 190, .. } => {
            Finding::critical("token.invalid", format!("Meta rejects the access token: {error}"))
                .command(NEW_TOKEN)
        }
        ManagementError::Refused { .. } => {
            Finding::critical("cloud_api.refused", error.to_string()).command("hookswitch serve --help")
        }
        ManagementError::Unreachable(_) => Finding::critical("cloud_api.unreachable", error.to_string())
            .command("curl -sS -o /dev/null -w '%{http_code}\\n' https://graph.facebook.com"),
    }
}

fn number_findings(config: &WhatsappConfig, number: &PhoneNumber) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(status) = number.status.as_deref().filter(|status| *status != "CONNECTED") {
        let what = format!("the number is {status}; it can send only when CONNECTED");
        findings
            .push(Finding::critical("number.status", what).command("open WhatsApp Manager, Phone numbers"));
    }
    match number.quality_rating.as_deref() {
        Some("RED") => findings.push(
            Finding::warning(
                "number.quality",
                "the number's quality is RED because people block it; Meta may limit it",
            )
            .command("hookswitch notifications --failed --since 24h"),
        ),
        Some("YELLOW") => findings.push(
            Finding::info("number.quality", "the number's quality is YELLOW")
                .command("hookswitch notifications --failed --since 24h"),
        ),
        _ => {}
    }
    let level = number.throughput.as_ref().and_then(|throughput| throughput.level.as_deref());
    let allowed = match level {
        Some("STANDARD") => Some(STANDARD),
        Some("HIGH") => Some(HIGH),
        _ => None,
    };
    let ours = config.whatsapp_messages_per_second;
    if let Some(allowed) = allowed.filter(|allowed| ours > *allowed) {
        let what = format!(
            "WHATSAPP_MESSAGES_PER_SECOND is {ours}, but Meta allows the number {allowed}: sends will be refused and retried"
        );
        findings.push(
            Finding::warning("number.throughput", what)
                .command(format!("export WHATSAPP_MESSAGES_PER_SECOND={allowed}")),
        );
    }
    if number.whatsapp_business_manager_messaging_limit.as_deref() == Some("TIER_250") {
        let what = "the business may message 250 people in 24 hours outside their windows; Meta raises this after \
                    verification";
        findings
            .push(Finding::info("number.limit", what).command("open Meta Business Suite, Security Centre"));
    }
    findings
}

/// Meta's webhooks. `subscribed` is the number of apps that get them, if known.
pub fn webhook(
    subscribed: Option<usize>,
    seen: &WebhookFacts,
    last_accepted: Option<Timestamp>,
    now: Timestamp,
) -> Section {
    let mut findings = Vec::new();
    if subscribed == Some(0) {
        let what = "no app is subscribed to the account's webhooks, so delivery and replies stay unknown";
        findings.push(Finding::critical("webhook.not_subscribed", what).command(
            "curl -X POST \"${WHATSAPP_API_URL:-https://graph.facebook.com/v25.0}/$WHATSAPP_BUSINESS_ACCOUNT_ID/\
             subscribed_apps\" -H \"Authorization: Bearer $WHATSAPP_ACCESS_TOKEN\"",
        ));
    }
    let silent = match (last_accepted, seen.accepted_at) {
        (Some(sent), None) => since(sent, now) > SILENT,
        (Some(sent), Some(seen)) => since(seen, sent) > SILENT,
        (None, _) => false,
    };
    if silent {
        let last =
            seen.accepted_at.map_or("none so far".to_owned(), |at| format!("the last at {}", time(at)));
        let what = format!(
            "no webhooks since messages were sent ({last}); the URL in Meta's app settings must be \
             https://YOUR-HOST/webhooks/whatsapp"
        );
        findings.push(
            Finding::warning("webhook.silent", what)
                .command("curl -sS -w '%{http_code}\\n' https://YOUR-HOST/webhooks/whatsapp"),
        );
    }
    if let Some(at) = seen.refused_at.filter(|at| since(*at, now) < REFUSED_LATELY) {
        let newer = seen.accepted_at.is_none_or(|accepted| accepted < at);
        let what = format!(
            "webhooks had a wrong signature, the last {} ago ({} in total): WHATSAPP_APP_SECRET is not the secret of the \
             app that posts them, or they are forged",
            span(since(at, now)),
            seen.refused
        );
        let finding = if newer {
            Finding::critical("webhook.signature", what)
        } else {
            Finding::warning("webhook.signature", what)
        };
        findings.push(finding.command("export WHATSAPP_APP_SECRET=…"));
    }
    let summary = match seen.accepted_at {
        Some(at) => format!("last received {} ago", span(since(at, now))),
        None => "none received yet".to_owned(),
    };
    let apps = subscribed.map_or("not checked".to_owned(), |apps| apps.to_string());
    Section::new("webhook", summary, findings).facts([
        ("subscribed apps".to_owned(), apps),
        ("last accepted".to_owned(), seen.accepted_at.map_or("never".to_owned(), time)),
        ("last refused".to_owned(), seen.refused_at.map_or("never".to_owned(), time)),
    ])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Value, json};

    use super::*;
    use crate::check::Severity;
    use hookswitch_core::domain::Senders;

    fn merged(mut good: Value, other: &Value) -> Value {
        good.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        good
    }

    /// What is found where Meta tells the usual of token and number, but for these.
    fn told(token: &Value, number: &Value) -> Vec<(&'static str, Severity)> {
        let config = WhatsappConfig {
            whatsapp_api_url: "https://graph.facebook.com/v25.0".to_owned(),
            whatsapp_phone_number_id: Senders::only("1"),
            whatsapp_business_account_id: None,
            whatsapp_access_token: "t".into(),
            whatsapp_app_secret: "s".into(),
            whatsapp_verify_token: "v".into(),
            whatsapp_messages_per_second: 80,
        };
        let good_token =
            json!({"is_valid": true, "expires_at": 0, "scopes": ["whatsapp_business_messaging"]});
        let good_number = json!({"status": "CONNECTED", "quality_rating": "GREEN", "throughput": {"level": "STANDARD"},
            "whatsapp_business_manager_messaging_limit": "TIER_1K"});
        let token = serde_json::from_value(merged(good_token, token)).unwrap();
        let number = serde_json::from_value(merged(good_number, number)).unwrap();
        let section = cloud_api(&config, Ok(token), Ok(number), &[], at(0));
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
        let other = json!({"scopes": ["whatsapp_business_management"]});
        assert_eq!(told(&other, &none), [("token.scope", Severity::Critical)]);
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

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn ids(section: Section) -> Vec<&'static str> {
        section.findings.iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn webhooks_that_stopped_are_found() {
        let seen =
            |minute: Option<i64>| WebhookFacts { accepted_at: minute.map(at), ..WebhookFacts::default() };
        assert_eq!(ids(webhook(Some(1), &seen(Some(100)), Some(at(101)), at(200))), Vec::<&str>::new());
        assert_eq!(ids(webhook(None, &seen(None), None, at(200))), Vec::<&str>::new());
        assert_eq!(ids(webhook(Some(1), &seen(Some(100)), Some(at(111)), at(200))), ["webhook.silent"]);
        assert_eq!(ids(webhook(Some(1), &seen(None), Some(at(111)), at(200))), ["webhook.silent"]);
        assert_eq!(ids(webhook(Some(0), &seen(None), None, at(200))), ["webhook.not_subscribed"]);
    }

    #[test]
    fn refused_webhooks_are_critical_while_none_is_accepted() {
        let seen = |accepted: Option<i64>| WebhookFacts {
            accepted_at: accepted.map(at),
            refused_at: Some(at(100)),
            refused: 3,
        };
        let severity =
            |accepted, now| webhook(Some(1), &seen(accepted), None, at(now)).status.map(|s| format!("{s:?}"));
        assert_eq!(severity(None, 110).as_deref(), Some("Critical"));
        assert_eq!(severity(Some(105), 110).as_deref(), Some("Warning"));
        assert_eq!(severity(Some(105), 100 + 25 * 60), None);
    }
}

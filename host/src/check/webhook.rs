//! Meta's webhooks.

use jiff::{SignedDuration, Timestamp};

use super::{
    report::{Finding, Section},
    words::{quoted, since, span, time},
};
use crate::{config::WhatsappConfig, store::WebhookFacts};

/// Messages are sent within seconds; webhooks that are later than this have stopped.
const SILENT: SignedDuration = SignedDuration::from_mins(10);
const REFUSED_LATELY: SignedDuration = SignedDuration::from_hours(24);

/// Whether an app of Meta's gets the account's webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// Not known.
    Unknown,
    /// This number of apps.
    Apps(usize),
    /// None; with the line for a shell that subscribes the token's app.
    Nobody(String),
}

impl Subscribed {
    /// From the number of apps.
    pub fn new(apps: Option<usize>, config: &WhatsappConfig) -> Subscribed {
        match (apps, &config.whatsapp_business_account_id) {
            (Some(0), Some(account)) => Subscribed::Nobody(subscribe(&config.whatsapp_api_url, account)),
            (Some(apps), _) => Subscribed::Apps(apps),
            (None, _) => Subscribed::Unknown,
        }
    }
}

/// The token is not in it: it stays out of the shell's history, and of the list of processes of others.
fn subscribe(api: &str, account: &str) -> String {
    let url = quoted(&format!("{api}/{account}/subscribed_apps"));
    let token = "${WHATSAPP_ACCESS_TOKEN:?set it first}";
    format!(
        "printf 'header = \"Authorization: Bearer %s\"' \"{token}\" | curl --fail --silent --show-error --config - \
         --request POST {url}"
    )
}

/// The webhooks.
pub fn judge(
    subscribed: &Subscribed,
    seen: &WebhookFacts,
    last_accepted: Option<Timestamp>,
    now: Timestamp,
) -> Section {
    let mut findings = Vec::new();
    if let Subscribed::Nobody(subscribe) = subscribed {
        let what = "no app is subscribed to the account's webhooks, so delivery and replies stay unknown";
        findings.push(Finding::critical("webhook.not_subscribed", what).shell(subscribe.clone()));
    }
    let silent = match (last_accepted, seen.accepted_at) {
        (Some(sent), None) => since(sent, now) > SILENT,
        (Some(sent), Some(seen)) => since(seen, sent) > SILENT,
        (None, _) => false,
    };
    if silent {
        let last =
            seen.accepted_at.map_or("none so far".to_owned(), |at| format!("the last at {}", time(at)));
        let what = format!("no webhooks since messages were sent ({last})");
        findings.push(Finding::warning("webhook.silent", what).advice(
            "set the callback URL in the settings of the app at Meta to https://YOUR-HOST/webhooks/whatsapp, which must \
             be reachable from the internet",
        ));
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
        findings
            .push(finding.advice("set WHATSAPP_APP_SECRET to the secret in the settings of the app at Meta"));
    }
    let summary = match seen.accepted_at {
        Some(at) => format!("last received {} ago", span(since(at, now))),
        None => "none received yet".to_owned(),
    };
    let apps = match subscribed {
        Subscribed::Unknown => "not checked".to_owned(),
        Subscribed::Apps(apps) => apps.to_string(),
        Subscribed::Nobody(_) => "0".to_owned(),
    };
    Section::new("webhook", summary, findings).facts([
        ("subscribed apps".to_owned(), apps),
        ("last accepted".to_owned(), seen.accepted_at.map_or("never".to_owned(), time)),
        ("last refused".to_owned(), seen.refused_at.map_or("never".to_owned(), time)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(
            ids(judge(&Subscribed::Apps(1), &seen(Some(100)), Some(at(101)), at(200))),
            Vec::<&str>::new()
        );
        assert_eq!(ids(judge(&Subscribed::Unknown, &seen(None), None, at(200))), Vec::<&str>::new());
        assert_eq!(
            ids(judge(&Subscribed::Apps(1), &seen(Some(100)), Some(at(111)), at(200))),
            ["webhook.silent"]
        );
        assert_eq!(ids(judge(&Subscribed::Apps(1), &seen(None), Some(at(111)), at(200))), ["webhook.silent"]);
        assert_eq!(
            ids(judge(&Subscribed::Nobody(String::new()), &seen(None), None, at(200))),
            ["webhook.not_subscribed"]
        );
    }

    #[test]
    fn refused_webhooks_are_critical_while_none_is_accepted() {
        let seen = |accepted: Option<i64>| WebhookFacts {
            accepted_at: accepted.map(at),
            refused_at: Some(at(100)),
            refused: 3,
        };
        let severity = |accepted, now| {
            judge(&Subscribed::Apps(1), &seen(accepted), None, at(now)).status.map(|s| format!("{s:?}"))
        };
        assert_eq!(severity(None, 110).as_deref(), Some("Critical"));
        assert_eq!(severity(Some(105), 110).as_deref(), Some("Warning"));
        assert_eq!(severity(Some(105), 100 + 25 * 60), None);
    }
}

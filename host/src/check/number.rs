//! The sending numbers.

use super::{command::Command, report::Finding};
use crate::{config::WhatsappConfig, whatsapp::management::PhoneNumber};

/// Meta's default and its upgrade, in messages per second.
const STANDARD: u32 = 80;
const HIGH: u32 = 1_000;

/// What is wrong with a number.
pub fn judge(config: &WhatsappConfig, number: &PhoneNumber) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(status) = number.status.as_deref().filter(|status| *status != "CONNECTED") {
        let what = format!("the number is {status}; it can send only when CONNECTED");
        findings
            .push(Finding::critical("number.status", what).advice("open Phone numbers in WhatsApp Manager"));
    }
    match number.quality_rating.as_deref() {
        Some("RED") => findings.push(
            Finding::warning(
                "number.quality",
                "the number's quality is RED because people block it; Meta may limit it",
            )
            .command(failed()),
        ),
        Some("YELLOW") => {
            findings.push(Finding::info("number.quality", "the number's quality is YELLOW").command(failed()))
        }
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
                .advice(format!("set WHATSAPP_MESSAGES_PER_SECOND to {allowed} or less")),
        );
    }
    if number.whatsapp_business_manager_messaging_limit.as_deref() == Some("TIER_250") {
        let what = "the business may message 250 people in 24 hours outside their windows; Meta raises this after \
                    verification";
        findings
            .push(Finding::info("number.limit", what).advice("open Security Centre in Meta Business Suite"));
    }
    findings
}

fn failed() -> Command {
    Command::new(&["notifications", "--failed", "--since", "24h"])
}

//! Messages that failed, and events whose ids clash with the system's own.

use hookswitch_core::domain::EventKey;
use jiff::Timestamp;

use super::{
    command::Command,
    report::{Finding, Section},
    words::{at_least, count, since, span},
};
use crate::{
    store::{COUNTED, FailureFacts, OldFailures},
    whatsapp,
};

/// What became of messages.
pub struct Delivery<'a> {
    /// Number of notifications of the last day, counted up to ten times [`COUNTED`].
    pub made: i64,
    /// Failures of the last day, by Meta's code.
    pub failures: &'a [FailureFacts],
    /// Older failures about which nobody decided.
    pub old: &'a OldFailures,
    /// Clashes of the last day with ids of the system's own events: their number, and the latest.
    pub own_clashes: &'a (i64, Vec<EventKey>),
}

/// Failures and clashes.
pub fn judge(delivery: &Delivery<'_>, now: Timestamp) -> Section {
    let findings = delivery.failures.iter().map(failed).chain(old(delivery.old, now));
    let findings = findings.chain(clashes(delivery.own_clashes)).collect();
    let failed: i64 = delivery.failures.iter().map(|failure| failure.count).sum();
    let made = at_least(delivery.made, delivery.made >= 10 * COUNTED, "notification", "notifications");
    Section::new("delivery", format!("{made} in 24 hours, {failed} failed"), findings)
}

fn failed(failure: &FailureFacts) -> Finding {
    let meaning = failure.code.map_or_else(
        || failure.detail.clone().unwrap_or_else(|| "no error code".to_owned()),
        |code| whatsapp::meaning(code).to_owned(),
    );
    let code = failure.code.map(|code| format!(" with Meta's error {code}")).unwrap_or_default();
    let what = format!("{} failed{code}: {meaning}", count(failure.count, "message", "messages"));
    let subject = failure.code.map_or("none".to_owned(), |code| code.to_string());
    Finding::warning("delivery.failed", what)
        .about(subject)
        .command(Command::new(&["explain", &failure.example.to_string()]))
}

fn old(old: &OldFailures, now: Timestamp) -> Option<Finding> {
    let oldest = old.oldest?;
    let what = format!(
        "{} more than 24 hours ago (the oldest {} ago) and {} neither sent again nor discarded",
        at_least(old.count, old.are_more, "message failed", "messages failed"),
        span(since(oldest, now)),
        if old.count == 1 { "was" } else { "were" },
    );
    let finding = Finding::warning("delivery.old_failures", what);
    Some(finding.command(Command::new(&["failed", "list"])).example(
        "then send them again, or discard those that are of no use any more",
        &Command::new(&["failed", "redrive", "ID"]),
    ))
}

fn clashes((all, last): &(i64, Vec<EventKey>)) -> Option<Finding> {
    let newest = last.first()?;
    let what = format!(
        "{} ids of the system's own events, which got other ids",
        count(*all, "event uses", "events use")
    );
    let details = last.iter().map(|key| format!("{} from {}", key.id, key.source)).collect();
    let explain = Command::new(&["explain"]).option("--source", &newest.source).operand(&newest.id);
    Some(Finding::warning("events.clash", what).details(details).command(explain))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn failures_are_told_in_plain_words() {
        let failure = FailureFacts {
            code: Some(131_047),
            count: 3,
            last_at: Timestamp::UNIX_EPOCH,
            example: uuid::Uuid::nil(),
            detail: None,
        };
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(72);
        let old = OldFailures { count: 1_000, are_more: true, oldest: Some(Timestamp::UNIX_EPOCH) };
        let delivery = Delivery { made: 10, failures: &[failure], old: &old, own_clashes: &(0, Vec::new()) };
        let section = judge(&delivery, now);
        assert!(section.findings[0].what.starts_with("3 messages failed with Meta's error 131047: "));
        assert!(!section.findings[0].what.contains("does not know"));
        let what = &section.findings[1].what;
        assert!(
            what.starts_with("1,000 or more messages failed more than 24 hours ago (the oldest 3 days ago)"),
            "{what}"
        );
    }
}

//! Waiting work.

use jiff::{SignedDuration, Timestamp};

use super::{
    command::Command,
    report::{Finding, Section},
    words::{at_least, count, grouped, since, span, time},
};
use crate::{
    store::{BacklogFacts, COUNTED, DeferredFacts, RefusedFacts},
    whatsapp,
};

/// Work is done within a second; after this it is late.
const LATE: SignedDuration = SignedDuration::from_secs(60);
const STUCK: SignedDuration = SignedDuration::from_mins(10);
/// Deferred messages should be picked up sooner after they are due.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);
const SEE_LOGS: &str = "see the logs of the hosts: one must run, reach PostgreSQL, and keep up";

/// Waiting work; `now` is PostgreSQL's clock.
pub fn judge(
    facts: &BacklogFacts,
    deferred: &[DeferredFacts],
    refused: &[RefusedFacts],
    now: Timestamp,
) -> Section {
    let mut findings: Vec<Finding> = refused.iter().filter_map(stopped).collect();
    findings.extend(late_events(facts, now));
    findings.extend(late_notifications(facts, now));
    findings.extend(deferred.iter().filter_map(|waiting| overdue(waiting, now)));
    findings.extend(deferred.iter().filter_map(by_reason));
    let total: i64 = deferred.iter().map(|waiting| waiting.count).sum();
    let summary = format!(
        "{} to route, {} to send, {} deferred",
        at_least(facts.events, facts.more_events, "event", "events"),
        at_least(facts.notifications, facts.more_notifications, "notification", "notifications"),
        grouped(total)
    );
    Section::new("backlog", summary, findings).facts(deferred.iter().map(|waiting| {
        let value = format!(
            "{}, due from {} to {}",
            waiting.count,
            time(waiting.first_due_at),
            time(waiting.last_due_at)
        );
        (format!("deferred: {}", waiting.reason), value)
    }))
}

/// What Meta refuses to send at all.
fn stopped(RefusedFacts { code, count: messages }: &RefusedFacts) -> Option<Finding> {
    let what = format!(
        "nothing is sent: Meta refuses the number with {code}, {}; {}",
        whatsapp::meaning(*code),
        count(*messages, "refused message waits", "refused messages wait")
    );
    let stops = whatsapp::treatment(*code, None) == whatsapp::Treatment::StopNumber;
    stops.then(|| {
        Finding::critical("backlog.stopped", what)
            .about(code.to_string())
            .advice("resolve it in Meta Business Suite; the messages are sent within minutes after that")
    })
}

fn late_events(facts: &BacklogFacts, now: Timestamp) -> Option<Finding> {
    let number = at_least(facts.events, facts.more_events, "event waits", "events wait");
    late("backlog.events", &format!("{number} to be routed"), facts.oldest_event?, now)
}

fn late_notifications(facts: &BacklogFacts, now: Timestamp) -> Option<Finding> {
    let (one, many) = ("notification waits", "notifications wait");
    let number = at_least(facts.notifications, facts.more_notifications, one, many);
    late("backlog.notifications", &format!("{number} to be sent"), facts.oldest_notification?, now)
}

fn late(id: &'static str, what: &str, oldest: Timestamp, now: Timestamp) -> Option<Finding> {
    let age = since(oldest, now);
    let what = format!("{what}, the oldest for {}", span(age));
    let finding = if age > STUCK { Finding::critical(id, what) } else { Finding::warning(id, what) };
    (age > LATE).then(|| finding.advice(SEE_LOGS))
}

fn overdue(waiting: &DeferredFacts, now: Timestamp) -> Option<Finding> {
    let late = since(waiting.first_due_at, now);
    let what = format!(
        "{} ({}) should have been picked up {} ago",
        at_least(waiting.count, waiting.count >= COUNTED, "deferred message", "deferred messages"),
        waiting.reason,
        span(late)
    );
    let finding = Finding::warning("backlog.overdue", what).about(waiting.reason.clone());
    (late > OVERDUE).then(|| finding.command(deferred_messages()).advice(SEE_LOGS))
}

fn deferred_messages() -> Command {
    Command::new(&["notifications", "--status", "deferred"])
}

fn by_reason(waiting: &DeferredFacts) -> Option<Finding> {
    let told = |one: &str, many: &str, what: &str| {
        format!("{} {what}", at_least(waiting.count, waiting.count >= COUNTED, one, many))
    };
    let unknown = Command::new(&["unknown", "list"]);
    match waiting.reason.as_str() {
        "unknown" => {
            let what = "sent without a response; a webhook may still confirm delivery";
            let what = told("message was", "messages were", what);
            Some(Finding::info("backlog.unknown", what).command(unknown))
        }
        "hold" => {
            let what = "sent without a response, and no webhook confirmed delivery";
            let what = told("message was", "messages were", what);
            let finding = Finding::warning("backlog.hold", what).command(unknown);
            Some(finding.example("then resend or drop each", &Command::new(&["unknown", "resend", "ID"])))
        }
        "window" => {
            let what = "for recipients to write in, or for approval of a template";
            let what = told("message waits", "messages wait", what);
            Some(Finding::info("backlog.window", what).command(deferred_messages()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn ids(section: &Section) -> Vec<&'static str> {
        section.findings.iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn work_that_waits_too_long() {
        let facts = |age: i64| BacklogFacts {
            events: 1,
            oldest_event: Some(at(1_000 - age)),
            ..BacklogFacts::default()
        };
        assert_eq!(ids(&judge(&facts(59), &[], &[], at(1_000))), Vec::<&str>::new());
        let late = judge(&facts(61), &[], &[], at(1_000));
        assert_eq!(
            (ids(&late), late.status),
            (vec!["backlog.events"], Some(crate::check::Severity::Warning))
        );
        assert_eq!(judge(&facts(601), &[], &[], at(1_000)).status, Some(crate::check::Severity::Critical));
        let unsent = |age: i64| BacklogFacts {
            notifications: 1,
            oldest_notification: Some(at(1_000 - age)),
            ..BacklogFacts::default()
        };
        assert_eq!(ids(&judge(&unsent(59), &[], &[], at(1_000))), Vec::<&str>::new());
        assert_eq!(ids(&judge(&unsent(61), &[], &[], at(1_000))), ["backlog.notifications"]);
        let waiting = |due: i64| DeferredFacts {
            reason: "unknown".to_owned(),
            count: 2,
            first_due_at: at(due),
            last_due_at: at(due),
            oldest: None,
            oldest_at: None,
        };
        let none = BacklogFacts::default();
        let refused = |code| RefusedFacts { code, count: 3 };
        let stopped = judge(&none, &[], &[refused(131_042), refused(131_016)], at(1_000));
        assert_eq!(
            (ids(&stopped), stopped.status),
            (vec!["backlog.stopped"], Some(crate::check::Severity::Critical))
        );
        assert!(stopped.findings[0].what.contains("payment"), "{}", stopped.findings[0].what);
        assert_eq!(ids(&judge(&none, &[waiting(990)], &[], at(1_000))), ["backlog.unknown"]);
        assert_eq!(
            ids(&judge(&none, &[waiting(900)], &[], at(1_000))),
            ["backlog.overdue", "backlog.unknown"]
        );
    }
}

//! Hosts, waiting work and failures.

use hookswitch_core::domain::{EventKey, LANES};
use jiff::{SignedDuration, Timestamp};

use super::{
    report::{Finding, Section},
    words::{at_least, count, quoted, since, span, time},
};
use crate::{
    store::{BacklogFacts, COUNTED, DeferredFacts, FailureFacts, HostFacts, LEASE, RefusedFacts},
    whatsapp,
};

/// Work is done within a second; after this it is late.
const LATE: SignedDuration = SignedDuration::from_secs(60);
const STUCK: SignedDuration = SignedDuration::from_mins(10);
/// Hosts use PostgreSQL's clock; a larger difference should be corrected.
const CLOCK_APART: SignedDuration = SignedDuration::from_secs(2);
/// Deferred messages should be picked up sooner after they are due.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);

/// Whether a host is alive.
pub fn lives(host: &HostFacts, now: Timestamp) -> bool {
    since(host.seen_at, now).unsigned_abs() < LEASE
}

/// The hosts; `now` is PostgreSQL's clock.
pub fn hosts(hosts: &[HostFacts], now: Timestamp) -> Section {
    let alive: Vec<&HostFacts> = hosts.iter().filter(|host| lives(host, now)).collect();
    let held: i64 = alive.iter().map(|host| host.lanes).sum();
    let mut findings = Vec::new();
    if alive.is_empty() {
        findings.push(
            Finding::critical("hosts.none", "no host is running: events are not received, routed or sent")
                .command("hookswitch serve"),
        );
    } else if held < i64::from(LANES) {
        let what = format!(
            "{} of {LANES} lanes have no host; their messages wait until a host takes them, seconds after another has ended",
            i64::from(LANES) - held
        );
        findings.push(Finding::warning("hosts.lanes_free", what).command("hookswitch check --verbose"));
    }
    for host in alive.iter().filter(|host| host.clock_ahead.abs() > CLOCK_APART) {
        let what = format!(
            "the clock of {} is {} {} PostgreSQL's, and so are the times in its logs",
            host.name,
            span(host.clock_ahead.abs()),
            if host.clock_ahead.is_positive() { "ahead of" } else { "behind" }
        );
        findings.push(
            Finding::warning("hosts.clock", what).about(host.name.clone()).command("timedatectl status"),
        );
    }
    let mut versions: Vec<&str> = alive.iter().filter_map(|host| host.version.as_deref()).collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.len() > 1 {
        let what = format!("hosts run different versions: {}", versions.join(", "));
        findings.push(Finding::info("hosts.versions", what).command("hookswitch check --verbose"));
    }
    let summary =
        format!("{}, {held} of {LANES} lanes held", count(alive.len(), "host running", "hosts running"));
    Section::new("hosts", summary, findings).facts(hosts.iter().map(|host| {
        let state = if lives(host, now) { "alive" } else { "gone" };
        let value = format!(
            "{state}, {} lanes, release {}, version {}, since {}, clock {} ms off",
            host.lanes,
            host.release.as_deref().unwrap_or("unknown"),
            host.version.as_deref().unwrap_or("unknown"),
            time(host.started_at),
            host.clock_ahead.as_millis().abs()
        );
        (host.name.clone(), value)
    }))
}

/// Waiting work; `now` is PostgreSQL's clock.
pub fn backlog(
    facts: &BacklogFacts,
    deferred: &[DeferredFacts],
    refused: &[RefusedFacts],
    now: Timestamp,
) -> Section {
    let mut findings = Vec::new();
    for RefusedFacts { code, count: messages } in refused {
        if whatsapp::treatment(*code, None) == whatsapp::Treatment::StopNumber {
            let what = format!(
                "nothing is sent: Meta refuses the number with {code}, {}; {}",
                whatsapp::meaning(*code),
                count(*messages, "refused message waits", "refused messages wait")
            );
            findings.push(
                Finding::critical("backlog.stopped", what)
                    .about(code.to_string())
                    .command("hookswitch check --verbose"),
            );
        }
    }
    for (id, what, number, oldest) in [
        (
            "backlog.events",
            "to be routed",
            at_least(facts.events, facts.more_events, "event waits", "events wait"),
            facts.oldest_event,
        ),
        (
            "backlog.notifications",
            "to be sent",
            at_least(
                facts.notifications,
                facts.more_notifications,
                "notification waits",
                "notifications wait",
            ),
            facts.oldest_notification,
        ),
    ] {
        let Some(age) = oldest.map(|oldest| since(oldest, now)).filter(|age| *age > LATE) else { continue };
        let what = format!("{number} {what}, the oldest for {}", span(age));
        let finding = if age > STUCK { Finding::critical(id, what) } else { Finding::warning(id, what) };
        findings.push(finding.command("hookswitch check --verbose"));
    }
    for waiting in deferred {
        let late = since(waiting.first_due_at, now);
        if late > OVERDUE {
            let what = format!(
                "{} ({}) should have been picked up {} ago",
                at_least(waiting.count, waiting.count >= COUNTED, "deferred message", "deferred messages"),
                waiting.reason,
                span(late)
            );
            findings.push(
                Finding::warning("backlog.overdue", what)
                    .about(waiting.reason.clone())
                    .command("hookswitch notifications --status deferred"),
            );
        }
        let told = |one: &str, many: &str, what: &str| {
            format!("{} {what}", at_least(waiting.count, waiting.count >= COUNTED, one, many))
        };
        match waiting.reason.as_str() {
            "unknown" => {
                let what = told(
                    "message was",
                    "messages were",
                    "sent without a response; a webhook may still confirm delivery",
                );
                findings.push(Finding::info("backlog.unknown", what).command("hookswitch unknown list"));
            }
            "hold" => {
                let what = told(
                    "message was",
                    "messages were",
                    "sent without a response, and no webhook confirmed delivery: resend or drop",
                );
                findings.push(Finding::warning("backlog.hold", what).command("hookswitch unknown list"));
            }
            "window" => {
                let what = told(
                    "message waits",
                    "messages wait",
                    "for recipients to write in, or for approval of a template",
                );
                findings.push(
                    Finding::info("backlog.window", what)
                        .command("hookswitch notifications --status deferred"),
                );
            }
            _ => {}
        }
    }
    let total: i64 = deferred.iter().map(|waiting| waiting.count).sum();
    let summary = format!(
        "{} to route, {} to send, {total} deferred",
        at_least(facts.events, facts.more_events, "event", "events"),
        at_least(facts.notifications, facts.more_notifications, "notification", "notifications"),
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

/// Clashes of the last day with ids of the system's own events: their number, and the latest.
fn clashes((all, last): &(i64, Vec<EventKey>)) -> Option<Finding> {
    let newest = last.first()?;
    let what = format!(
        "{} ids of the system's own events, which got other ids",
        count(*all, "event uses", "events use")
    );
    let details = last.iter().map(|key| format!("{} from {}", key.id, key.source)).collect();
    let explain = format!("hookswitch explain {} --source {}", quoted(&newest.id), quoted(&newest.source));
    Some(Finding::warning("events.clash", what).details(details).command(explain))
}

/// Failures of the last day, and clashes of the system's own events.
pub fn failures(made: i64, failures: &[FailureFacts], own_clashes: &(i64, Vec<EventKey>)) -> Section {
    let findings = failures.iter().map(|failure| {
        let meaning = failure.code.map_or_else(
            || failure.detail.clone().unwrap_or_else(|| "no error code".to_owned()),
            |code| whatsapp::meaning(code).to_owned(),
        );
        let code = failure.code.map(|code| format!(" with Meta's error {code}")).unwrap_or_default();
        let what = format!("{} failed{code}: {meaning}", count(failure.count, "message", "messages"));
        let subject = failure.code.map_or("none".to_owned(), |code| code.to_string());
        Finding::warning("delivery.failed", what)
            .about(subject)
            .command(format!("hookswitch explain {}", failure.example))
    });
    let failed: i64 = failures.iter().map(|failure| failure.count).sum();
    let made = at_least(made, made >= 10 * COUNTED, "notification", "notifications");
    let summary = format!("{made} in 24 hours, {failed} failed");
    Section::new("delivery", summary, findings.chain(clashes(own_clashes)).collect())
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

    fn host(lanes: i64, seen: i64) -> HostFacts {
        HostFacts {
            name: format!("m:{lanes}"),
            release: None,
            version: Some(format!("0.{lanes}")),
            started_at: at(0),
            seen_at: at(seen),
            lanes,
            clock_ahead: SignedDuration::ZERO,
        }
    }

    #[test]
    fn hosts_and_lanes() {
        assert_eq!(ids(&hosts(&[host(64, 100)], at(105))), Vec::<&str>::new());
        assert_eq!(ids(&hosts(&[host(64, 100)], at(200))), ["hosts.none"]);
        assert_eq!(ids(&hosts(&[host(60, 100)], at(105))), ["hosts.lanes_free"]);
        assert_eq!(
            ids(&hosts(&[host(32, 100), host(31, 100)], at(105))),
            ["hosts.lanes_free", "hosts.versions"]
        );
    }

    #[test]
    fn work_that_waits_too_long() {
        let facts = |age: i64| BacklogFacts {
            events: 1,
            oldest_event: Some(at(1_000 - age)),
            ..BacklogFacts::default()
        };
        assert_eq!(ids(&backlog(&facts(59), &[], &[], at(1_000))), Vec::<&str>::new());
        let late = backlog(&facts(61), &[], &[], at(1_000));
        assert_eq!(
            (ids(&late), late.status),
            (vec!["backlog.events"], Some(crate::check::Severity::Warning))
        );
        assert_eq!(backlog(&facts(601), &[], &[], at(1_000)).status, Some(crate::check::Severity::Critical));
        let unsent = |age: i64| BacklogFacts {
            notifications: 1,
            oldest_notification: Some(at(1_000 - age)),
            ..BacklogFacts::default()
        };
        assert_eq!(ids(&backlog(&unsent(59), &[], &[], at(1_000))), Vec::<&str>::new());
        assert_eq!(ids(&backlog(&unsent(61), &[], &[], at(1_000))), ["backlog.notifications"]);
        let waiting = |due: i64| DeferredFacts {
            reason: "unknown".to_owned(),
            count: 2,
            first_due_at: at(due),
            last_due_at: at(due),
        };
        let none = BacklogFacts::default();
        let refused = |code| RefusedFacts { code, count: 3 };
        let stopped = backlog(&none, &[], &[refused(131_042), refused(131_016)], at(1_000));
        assert_eq!(
            (ids(&stopped), stopped.status),
            (vec!["backlog.stopped"], Some(crate::check::Severity::Critical))
        );
        assert!(stopped.findings[0].what.contains("payment"), "{}", stopped.findings[0].what);
        assert_eq!(ids(&backlog(&none, &[waiting(990)], &[], at(1_000))), ["backlog.unknown"]);
        assert_eq!(
            ids(&backlog(&none, &[waiting(900)], &[], at(1_000))),
            ["backlog.overdue", "backlog.unknown"]
        );
    }

    #[test]
    fn failures_are_told_in_plain_words() {
        let failure = FailureFacts {
            code: Some(131_047),
            count: 3,
            last_at: at(0),
            example: uuid::Uuid::nil(),
            detail: None,
        };
        let section = failures(10, &[failure], &(0, Vec::new()));
        assert!(section.findings[0].what.starts_with("3 messages failed with Meta's error 131047: "));
        assert!(!section.findings[0].what.contains("does not know"));
    }
}

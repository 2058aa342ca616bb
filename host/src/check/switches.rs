//! What operators have stopped.

use hookswitch_core::domain::{SwitchKind, SwitchMode};
use jiff::Timestamp;

use super::{
    command::Command,
    report::{Finding, Section},
    words::{at_least, count, since, span},
};
use crate::store::{COUNTED, SwitchFacts};

/// What is stopped; `now` is PostgreSQL's clock.
pub fn judge(switches: &[SwitchFacts], now: Timestamp) -> Section {
    let stopped = switches.iter().filter(|switch| switch.mode != SwitchMode::Resuming).count();
    let resumed = switches.len() - stopped;
    let summary = match (stopped, resumed) {
        (0, 0) => "nothing is stopped".to_owned(),
        (_, 0) => count(stopped, "switch is set", "switches are set"),
        _ => format!("{} stopped, {} being resumed", stopped, resumed),
    };
    Section::new("switches", summary, switches.iter().map(|switch| finding(switch, now)).collect())
}

fn finding(switch: &SwitchFacts, now: Timestamp) -> Finding {
    let held = |one: &str, many: &str| at_least(switch.messages, switch.messages >= COUNTED, one, many);
    let about = switch.name.key();
    if switch.mode == SwitchMode::Resuming {
        let what = format!("{} is resumed: {}", switch.name, held("message is left", "messages are left"));
        return Finding::info("switch.resuming", what).about(about);
    }
    let age = span(since(switch.since, now));
    let becomes = match switch.mode {
        SwitchMode::Dropped => "its messages are dropped".to_owned(),
        _ => held("message is held", "messages are held"),
    };
    let events = match switch.events {
        0 => String::new(),
        events => format!(", {}", at_least(events, events >= COUNTED, "event waits", "events wait")),
    };
    let what = format!("{}, for {age}; {becomes}{events}", switch.name.stopped(&switch.by, &switch.reason));
    let resume = Command::new(&["resume", switch.name.kind.as_str()]);
    let resume = match switch.name.kind {
        SwitchKind::Sending => resume,
        _ => resume.operand(&switch.name.name),
    };
    Finding::warning("switch.stopped", what).about(about).command(resume)
}

#[cfg(test)]
mod tests {
    use hookswitch_core::domain::SwitchName;
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_finding_says_who_stopped_what_and_how_to_resume_it() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(5);
        let facts = |kind, name: &str, mode| SwitchFacts {
            name: SwitchName { kind, name: name.to_owned() },
            mode,
            reason: "a typo".to_owned(),
            by: "ana".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            per_second: None,
            messages: 3,
            events: 0,
        };
        let section = judge(
            &[
                facts(SwitchKind::Group, "Sales Team", SwitchMode::Held),
                facts(SwitchKind::Sending, SwitchName::ALL, SwitchMode::Dropped),
                facts(SwitchKind::Template, "thanks", SwitchMode::Resuming),
            ],
            now,
        );
        let said: Vec<_> =
            section.findings.iter().map(|of| (of.what.as_str(), of.command.as_deref())).collect();
        let group = "group Sales Team is stopped by ana: a typo, for 5 h; 3 messages are held";
        let all = "all sending is stopped by ana: a typo, for 5 h; its messages are dropped";
        assert_eq!(
            said,
            [
                (group, Some("hookswitch resume group 'Sales Team'")),
                (all, Some("hookswitch resume sending")),
                ("template thanks is resumed: 3 messages are left", None),
            ]
        );
        assert_eq!(judge(&[], now).status, None);
    }
}

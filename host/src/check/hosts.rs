//! The hosts: alive, in step, and with the same rules.

use std::collections::BTreeMap;

use hookswitch_core::domain::LANES;
use jiff::{SignedDuration, Timestamp};

use super::{
    command::Command,
    report::{Finding, Section},
    words::{count, since, some, span, time},
};
use crate::{
    releases::short,
    store::{Activation, HostFacts, LEASE},
};

/// Hosts use PostgreSQL's clock; a larger difference should be corrected.
const CLOCK_APART: SignedDuration = SignedDuration::from_secs(2);
/// Maximum number of hosts to name with a release.
const NAMED: usize = 3;
/// Maximum number of lines of an error to show.
const DETAILS: usize = 10;
pub(super) const SYNCHRONIZE: &str =
    "synchronize the clock of the machine, for example with chrony or systemd-timesyncd";

/// Whether a host is alive.
pub fn lives(host: &HostFacts, now: Timestamp) -> bool {
    since(host.seen_at, now).unsigned_abs() < LEASE
}

/// The hosts; `now` is PostgreSQL's clock.
pub fn judge(hosts: &[HostFacts], active: Option<&Activation>, now: Timestamp) -> Section {
    let alive: Vec<&HostFacts> = hosts.iter().filter(|host| lives(host, now)).collect();
    let held: i64 = alive.iter().map(|host| host.lanes).sum();
    let mut findings: Vec<Finding> = lanes(&alive, held).into_iter().collect();
    findings.extend(clocks(&alive));
    findings.extend(releases(&alive));
    let share = active.and_then(|active| active.share.as_ref());
    findings.extend(refusals(&alive, share.map(|share| short(&share.release))));
    findings.extend(versions(&alive));
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

fn lanes(alive: &[&HostFacts], held: i64) -> Option<Finding> {
    if alive.is_empty() {
        let what = "no host is running: events are not received, routed or sent";
        return Some(Finding::critical("hosts.none", what).command(Command::new(&["serve"])));
    }
    let free = i64::from(LANES) - held;
    let what = format!(
        "{free} of {LANES} lanes have no host; their messages wait until a host takes them, seconds after another has ended"
    );
    let advice = "check again in a minute; if lanes are still free, see the logs of the hosts";
    (free > 0).then(|| Finding::warning("hosts.lanes_free", what).advice(advice))
}

fn clocks(alive: &[&HostFacts]) -> Vec<Finding> {
    let apart = alive.iter().filter(|host| host.clock_ahead.abs() > CLOCK_APART);
    let finding = |host: &&HostFacts| {
        let what = format!(
            "the clock of {} is {} {} PostgreSQL's, and so are the times in its logs",
            host.name,
            span(host.clock_ahead.abs()),
            if host.clock_ahead.is_positive() { "ahead of" } else { "behind" }
        );
        Finding::warning("hosts.clock", what).about(host.name.clone()).advice(SYNCHRONIZE)
    };
    apart.map(finding).collect()
}

/// Hosts with different rules decide the same event differently, depending on its lane.
fn releases(alive: &[&HostFacts]) -> Option<Finding> {
    let mut releases: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for host in alive {
        let release = host.release.as_deref().unwrap_or("unknown");
        releases.entry(release).or_default().push(host.name.clone());
    }
    let details = releases.iter().map(|(release, names)| {
        let all = i64::try_from(names.len()).unwrap_or(i64::MAX);
        format!("release {release} on {}", some(&names[..names.len().min(NAMED)], all))
    });
    let what = "hosts run different rules, so the same event is decided differently, depending on the host";
    (releases.len() > 1).then(|| {
        Finding::warning("hosts.releases", what).details(details.collect()).advice(
            "deploy the same rules and plugins to all hosts; if they are the same, see the log of a host that \
             could not load them",
        )
    })
}

/// Hosts that follow the releases, and could not load the active one, or the one of a share.
fn refusals<'a>(alive: &'a [&HostFacts], share: Option<&'a str>) -> impl Iterator<Item = Finding> + 'a {
    alive.iter().filter_map(move |host| {
        let (release, why) = host.refused.as_ref()?;
        let kept = host.release.as_deref().unwrap_or("unknown");
        let name = &host.name;
        let what = match share == Some(release.as_str()) {
            false => format!("the host {name} could not load the active release {release}, and keeps {kept}"),
            true => format!(
                "the host {name} could not load the release {release}, which is to decide for a share of the lanes; there, \
                 {kept} decides for all"
            ),
        };
        let details = why.lines().filter(|line| !line.trim().is_empty()).take(DETAILS).map(str::to_owned);
        Some(
            Finding::warning("hosts.release_refused", what)
                .about(host.name.clone())
                .details(details.collect())
                .command(Command::new(&["release", "show"]).operand(release))
                .example("mend what is wrong there, or go back", &Command::new(&["release", "rollback"])),
        )
    })
}

fn versions(alive: &[&HostFacts]) -> Option<Finding> {
    let mut versions: Vec<&str> = alive.iter().filter_map(|host| host.version.as_deref()).collect();
    versions.sort_unstable();
    versions.dedup();
    let what = format!("hosts run different versions: {}", versions.join(", "));
    (versions.len() > 1).then(|| {
        Finding::info("hosts.versions", what).advice("install the same version on all hosts and restart them")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn ids(hosts: &[HostFacts], now: i64) -> Vec<&'static str> {
        judge(hosts, None, at(now)).findings.iter().map(|finding| finding.id).collect()
    }

    fn host(lanes: i64, seen: i64) -> HostFacts {
        HostFacts {
            name: format!("m:{lanes}"),
            release: Some("abc".to_owned()),
            version: Some("0.1".to_owned()),
            started_at: at(0),
            seen_at: at(seen),
            lanes,
            clock_ahead: SignedDuration::ZERO,
            follows: false,
            refused: None,
            share: None,
        }
    }

    #[test]
    fn hosts_and_lanes() {
        assert_eq!(ids(&[host(64, 100)], 105), Vec::<&str>::new());
        assert_eq!(ids(&[host(64, 100)], 200), ["hosts.none"]);
        assert_eq!(ids(&[host(60, 100)], 105), ["hosts.lanes_free"]);
    }

    #[test]
    fn hosts_that_differ() {
        let newer = HostFacts { version: Some("0.2".to_owned()), ..host(31, 100) };
        assert_eq!(ids(&[host(33, 100), newer], 105), ["hosts.versions"]);
        let ahead = HostFacts { clock_ahead: SignedDuration::from_secs(3), ..host(31, 100) };
        assert_eq!(ids(&[host(33, 100), ahead], 105), ["hosts.clock"]);
        let other = |lanes| HostFacts { release: Some("def".to_owned()), ..host(lanes, 100) };
        let section = judge(&[host(30, 100), other(20), other(14)], None, at(105));
        assert_eq!(section.findings[0].id, "hosts.releases");
        assert_eq!(section.findings[0].details, ["release abc on m:30", "release def on m:20, m:14"]);
        let refused = |at| HostFacts {
            follows: true,
            refused: Some(("def".to_owned(), "no such group".to_owned())),
            ..host(64, at)
        };
        let section = judge(&[refused(100)], None, at(105));
        assert_eq!(section.findings[0].id, "hosts.release_refused");
        assert_eq!(section.findings[0].details, ["no such group"]);
        assert_eq!(section.findings[0].command.as_deref(), Some("hookswitch release show def"));
        assert_eq!(ids(&[host(64, 100), refused(0)], 105), Vec::<&str>::new());
        // One that is gone runs nothing.
        assert_eq!(ids(&[host(64, 100), HostFacts { seen_at: at(0), ..other(0) }], 105), Vec::<&str>::new());
    }
}

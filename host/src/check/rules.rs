//! The catalog on disk, and whether the hosts run it.

use std::collections::BTreeSet;

use hookswitch_core::catalog::{self, Catalog, Findings, RouteUse};

use super::{
    command::Command,
    plugins::is_of_plugin,
    report::{Finding, Section},
    words::count,
};
use crate::store::HostFacts;

/// Rules that do not compile, or whose cases fail.
pub fn broken(findings: &Findings) -> Section {
    let are_cases_of_plugins = findings
        .findings
        .iter()
        .all(|finding| is_of_plugin(&finding.file) && finding.file.contains("/cases/"));
    let new_hosts = match are_cases_of_plugins {
        true => "new hosts leave the plugin out, and its events wait",
        false => "new hosts do not start",
    };
    let what = format!(
        "{} in {}; running hosts keep their old rules, and {new_hosts}",
        count(findings.errors(), "error", "errors"),
        findings.folder
    );
    let details = findings.findings.iter().map(place_and_message).collect();
    let finding =
        Finding::critical("rules.broken", what).details(details).command(Command::new(&["rules", "check"]));
    Section::new("rules", "invalid", vec![finding])
}

pub(super) fn place_and_message(finding: &catalog::Finding) -> String {
    match (finding.file.as_str(), finding.line) {
        ("", _) => finding.message.clone(),
        (file, 0) => format!("{file}: {}", finding.message),
        (file, line) => format!("{file}:{line}: {}", finding.message),
    }
}

/// A catalog that compiles, and the hosts that live.
pub fn judge(catalog: &Catalog, hosts: &[HostFacts]) -> Section {
    let mut findings: Vec<Finding> = catalog
        .warnings
        .iter()
        .filter(|warning| !is_of_plugin(&warning.file))
        .map(|warning| {
            Finding::info("rules.warning", place_and_message(warning))
                .command(Command::new(&["rules", "check"]))
        })
        .collect();
    for missing in &catalog.missing_variables {
        let place = format!("{}:{}", missing.file, missing.line);
        findings.push(
            Finding::warning("rules.variable_missing", place_and_message(missing))
                .about(place)
                .command(Command::new(&["rules", "check"])),
        );
    }
    // One that could not load the active release is found with the hosts.
    for host in hosts.iter().filter(|host| host.refused.is_none()) {
        if let Some(release) = host.release.as_ref().filter(|release| **release != catalog.release) {
            let (what, advice) = match host.follows {
                false => (
                    format!(
                        "the host {} runs release {release}, but on disk is {}: it could not load it, or it uses another folder",
                        host.name, catalog.release
                    ),
                    "if the host uses another folder, check with that one (--rules, --plugins); otherwise see its log",
                ),
                true => (
                    format!(
                        "the host {} follows the releases and runs {release}, but {} was checked",
                        host.name, catalog.release
                    ),
                    "make the checked rules live with hookswitch release create and activate, or check where there is no \
                     folder of rules",
                ),
            };
            findings.push(Finding::warning("rules.not_live", what).about(host.name.clone()).advice(advice));
        }
    }
    let counts = &catalog.counts;
    let summary = format!(
        "release {}: {}, {}, {} pass",
        catalog.release,
        count(counts.routes, "route", "routes"),
        count(counts.templates, "template", "templates"),
        count(counts.cases, "case", "cases"),
    );
    Section::new("rules", summary, findings)
        .facts(catalog.uses.iter().map(|used| (used.place.clone(), recipients(catalog, used))))
}

/// What a route does with which events, as far as that is known.
fn recipients(catalog: &Catalog, used: &RouteUse) -> String {
    let types = used.types.join(", ");
    let Some(template) = &used.template else {
        return format!("{types}: decided by {}, {}", used.rule, from_cases(catalog, used));
    };
    let named = used.others.then_some("people or contacts that the event names");
    let groups: Vec<&str> = used.groups.iter().map(String::as_str).chain(named).collect();
    format!("{types}: {template} to {}", groups.join(", "))
}

fn from_cases(catalog: &Catalog, used: &RouteUse) -> String {
    let told = || catalog.told.iter().filter(|told| told.rule == used.rule);
    let groups: BTreeSet<&str> = told().flat_map(|told| &told.groups).map(String::as_str).collect();
    let others = told().any(|told| told.others).then_some("people or contacts that it names");
    let all: Vec<&str> = groups.into_iter().chain(others).collect();
    match all.is_empty() {
        true => "no case shows for whom".to_owned(),
        false => format!("in its cases to {}", all.join(", ")),
    }
}

//! The catalog on disk, and whether the hosts run it.

use hookswitch_core::catalog::{self, Catalog, Findings};

use super::{
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
    let finding = Finding::critical("rules.broken", what).details(details).command("hookswitch rules check");
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
            Finding::info("rules.warning", place_and_message(warning)).command("hookswitch rules check")
        })
        .collect();
    for missing in &catalog.missing_variables {
        let place = format!("{}:{}", missing.file, missing.line);
        findings.push(
            Finding::warning("rules.variable_missing", place_and_message(missing))
                .about(place)
                .command("hookswitch rules check"),
        );
    }
    for host in hosts {
        if let Some(release) = host.release.as_ref().filter(|release| **release != catalog.release) {
            let what = format!(
                "the host {} runs release {release}, but on disk is {}: it could not load it, or it uses another folder; \
                 see its log",
                host.name, catalog.release
            );
            findings.push(
                Finding::warning("rules.not_live", what)
                    .about(host.name.clone())
                    .command("hookswitch rules check"),
            );
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
    Section::new("rules", summary, findings).facts(
        catalog
            .uses
            .iter()
            .map(|used| (used.place.clone(), format!("{} to {}", used.template, used.groups.join(", ")))),
    )
}

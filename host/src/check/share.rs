//! A release that decides for a share of the lanes: how far it is, and what is wrong with its rules only.

use hookswitch_core::catalog::Catalog;
use jiff::Timestamp;

use super::{
    command::Command,
    gather::{DatabaseFacts, MetaFacts},
    groups, hosts, plugins,
    report::{Finding, Section},
    rules, templates,
    words::time,
};
use crate::{
    releases::short,
    store::{Activation, ActivationShare},
};

/// The share that is under way; `catalogs` are the rules that were checked, and those of the share, as far as they compile.
pub fn judge(
    active: &Activation,
    share: &ActivationShare,
    (main, of_share): (Option<&Catalog>, Option<&Catalog>),
    facts: &DatabaseFacts,
    meta: Option<&MetaFacts>,
    now: Timestamp,
) -> Section {
    let (release, rest) = (short(&share.release), short(&active.release));
    let what = format!(
        "the release {release} decides for {} since {}, and {rest} for the rest",
        share.lanes,
        time(active.at)
    );
    let mut findings = vec![
        Finding::info("share.under_way", what)
            .about(release)
            .command(Command::new(&["release", "show"]).operand(release))
            .example("to complete it", &Command::new(&["release", "activate"]).operand(release)),
    ];
    for host in facts.hosts.iter().filter(|host| hosts::lives(host, now) && !host.follows) {
        let what = format!(
            "the host {} serves a folder, so the release {release} decides for none of the lanes that it holds",
            host.name
        );
        let advice = "start it without --rules, and it follows the releases";
        findings.push(Finding::warning("share.not_followed", what).about(host.name.clone()).advice(advice));
    }
    if let Some(of_share) = of_share.filter(|of_share| of_share.id == share.release) {
        let known = main.map(|main| of_rules(main, facts, meta, now)).unwrap_or_default();
        let own = of_rules(of_share, facts, meta, now).into_iter().filter(|finding| !known.contains(finding));
        findings.extend(
            own.map(|finding| Finding { what: format!("release {release}: {}", finding.what), ..finding }),
        );
    }
    Section::new("share", format!("release {release} decides for {}", share.lanes), findings)
}

/// What is found about rules.
fn of_rules(
    catalog: &Catalog,
    facts: &DatabaseFacts,
    meta: Option<&MetaFacts>,
    now: Timestamp,
) -> Vec<Finding> {
    let at_meta = meta.and_then(|meta| meta.account.as_ref()).map(|account| &account.templates);
    let sections = [
        rules::judge(catalog, &[]),
        plugins::judge(Some(catalog), &facts.parked, &facts.switches, now),
        groups::judge(Some(catalog), &facts.told, &facts.groups),
        templates::judge(catalog, at_meta, &[]),
    ];
    sections.into_iter().flat_map(|section| section.findings).collect()
}

//! The groups that rules name, and whether anybody is in them.

use std::collections::BTreeSet;

use hookswitch_core::catalog::{Catalog, RouteUse};

use super::{
    command::Command,
    report::{Finding, Section},
    words::count,
};

/// The advice where somebody is missing.
pub(super) const ADD: &str = "add somebody";

/// The groups: name, members, active members.
pub fn judge(catalog: Option<&Catalog>, groups: &[(String, i64, i64)]) -> Section {
    let mut findings = Vec::new();
    let named = catalog.map_or(&[][..], |catalog| &catalog.groups);
    let active = |name: &str| groups.iter().find(|(known, ..)| known == name).map(|(_, _, active)| *active);
    for group in named {
        match active(&group.name) {
            None => findings.push(
                Finding::critical("group.missing", format!("the group {} does not exist", group.name))
                    .about(group.name.clone())
                    .command(Command::new(&["groups", "create-defaults"])),
            ),
            Some(0) => findings.push(
                Finding::warning("group.empty", format!("the group {} has no active members", group.name))
                    .about(group.name.clone())
                    .example(ADD, &add_members(&group.name)),
            ),
            Some(_) => {}
        }
    }
    let nobody: Vec<(&RouteUse, Vec<&str>)> = catalog.map_or_else(Vec::new, |catalog| {
        let uses = catalog.uses.iter().filter_map(|used| Some((used, only_groups(catalog, used)?)));
        uses.filter(|(_, groups)| groups.iter().all(|group| active(group).unwrap_or(0) == 0)).collect()
    });
    if let Some(group) = nobody.first().and_then(|(_, groups)| groups.first()) {
        let what = format!(
            "{} no recipients: no group has an active member",
            count(nobody.len(), "route has", "routes have")
        );
        let details = nobody.iter().map(|(used, groups)| {
            format!("{} ({}) to {}", used.place, used.types.join(", "), groups.join(", "))
        });
        findings.push(
            Finding::critical("route.tells_nobody", what)
                .details(details.collect())
                .example(ADD, &add_members(group)),
        );
    }
    let staffed = groups.iter().filter(|(.., active)| *active > 0).count();
    let summary = format!("{}, {staffed} with active members", count(groups.len(), "group", "groups"));
    Section::new("groups", summary, findings).facts(groups.iter().map(|(name, members, active)| {
        (name.clone(), format!("{}, {active} active", count(*members, "member", "members")))
    }))
}

/// The groups of a route that tells nobody else, as far as that is known; of a script or plugin, those of its cases.
fn only_groups<'a>(catalog: &'a Catalog, used: &'a RouteUse) -> Option<Vec<&'a str>> {
    if used.template.is_some() {
        return (!used.others).then(|| used.groups.iter().map(String::as_str).collect());
    }
    let told = || catalog.told.iter().filter(|told| told.rule == used.rule);
    let groups: BTreeSet<&str> = told().flat_map(|told| &told.groups).map(String::as_str).collect();
    (!groups.is_empty() && told().all(|told| !told.others)).then(|| groups.into_iter().collect())
}

fn add_members(group: &str) -> Command {
    Command::new(&["groups", "add"]).operand(group).operand("USERNAME")
}

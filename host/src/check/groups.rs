//! The groups that rules name, and whether anybody is in them.

use std::collections::{BTreeSet, HashMap};

use hookswitch_core::catalog::{Catalog, RouteUse, Told};

use super::{
    command::Command,
    report::{Finding, Section},
    words::count,
};

/// The advice where somebody is missing.
pub(super) const ADD: &str = "add somebody";

/// The groups: name, members, active members. `history` is whom rules told lately.
pub fn judge(catalog: Option<&Catalog>, history: &BTreeSet<Told>, groups: &[(String, i64, i64)]) -> Section {
    let mut findings = Vec::new();
    let named = catalog.map_or(&[][..], |catalog| &catalog.groups);
    let actives: HashMap<&str, i64> =
        groups.iter().map(|(name, _, active)| (name.as_str(), *active)).collect();
    let active = |name: &str| actives.get(name).copied();
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
    if let Some(catalog) = catalog {
        let is_empty = |group: &str| active(group).unwrap_or(0) == 0;
        findings.extend(tells_nobody(catalog, history, &is_empty).into_iter().flatten());
    }
    let staffed = groups.iter().filter(|(.., active)| *active > 0).count();
    let summary = format!("{}, {staffed} with active members", count(groups.len(), "group", "groups"));
    Section::new("groups", summary, findings).facts(groups.iter().map(|(name, members, active)| {
        (name.clone(), format!("{}, {active} active", count(*members, "member", "members")))
    }))
}

/// Routes of which nobody is told. A script or plugin may tell others than in its cases and lately, so that is a warning.
fn tells_nobody(
    catalog: &Catalog,
    history: &BTreeSet<Told>,
    is_empty: &dyn Fn(&str) -> bool,
) -> [Option<Finding>; 2] {
    let routes = |decides_later: bool| {
        let routes = catalog.uses.iter().filter(|used| used.template.is_none() == decides_later);
        let routes = routes.filter_map(|used| Some((used, only_groups(catalog, history, used)?)));
        let routes = routes.filter(|(_, groups)| groups.iter().all(|group| is_empty(group)));
        routes.collect::<Vec<(&RouteUse, Vec<&str>)>>()
    };
    let told = |finding: Finding, routes: &[(&RouteUse, Vec<&str>)]| {
        let details = routes.iter().map(|(used, groups)| {
            format!("{} ({}) to {}", used.place, used.types.join(", "), groups.join(", "))
        });
        let group = routes.first().and_then(|(_, groups)| groups.first())?;
        Some(finding.details(details.collect()).example(ADD, &add_members(group)))
    };
    let (certain, possible) = (routes(false), routes(true));
    let what = count(certain.len(), "route has", "routes have");
    let what = format!("{what} no recipients: no group has an active member");
    let certain = told(Finding::critical("route.tells_nobody", what), &certain);
    let what =
        count(possible.len(), "route of a script or plugin tells", "routes of scripts or plugins tell");
    let what = format!("{what} only groups without an active member, in its cases and lately");
    [certain, told(Finding::warning("route.may_tell_nobody", what), &possible)]
}

/// The groups of a route that tells nobody else, as far as that is known.
fn only_groups<'a>(
    catalog: &'a Catalog,
    history: &'a BTreeSet<Told>,
    used: &'a RouteUse,
) -> Option<Vec<&'a str>> {
    if used.template.is_some() {
        return (!used.others).then(|| used.groups.iter().map(String::as_str).collect());
    }
    let told = || catalog.told.iter().chain(history).filter(|told| told.rule == used.rule);
    let groups: BTreeSet<&str> = told().flat_map(|told| &told.groups).map(String::as_str).collect();
    (!groups.is_empty() && told().all(|told| !told.others)).then(|| groups.into_iter().collect())
}

fn add_members(group: &str) -> Command {
    Command::new(&["groups", "add"]).operand(group).operand("USERNAME")
}

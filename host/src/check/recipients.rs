//! Whom rules tell about which events: groups × event types × members.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hookswitch_core::{
    catalog::{Catalog, Told},
    domain::People,
};
use serde::Serialize;
use utoipa::ToSchema;

/// Maximum number of members to name of each group.
pub const NAMED: usize = 10;

/// A group, its members, and the events that they are told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NotifiedGroup)]
pub struct GroupUse {
    /// The group's name; absent for people and contacts whom rules name themselves.
    pub group: Option<String>,
    /// Whether it exists.
    pub exists: bool,
    /// The number of members.
    pub members: i64,
    /// The number of active members: they get messages.
    pub active: i64,
    /// The usernames of some active members.
    pub usernames: Vec<String>,
    /// The events.
    pub events: Vec<EventUse>,
}

/// A type of event of which a group is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(as = NotifiedEvent)]
pub struct EventUse {
    /// The type, or a pattern of types, for example `payment.*`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `file:line` of the rule.
    pub rule: String,
    /// How that is known.
    pub known_from: KnownFrom,
}

/// How it is known that a rule tells a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KnownFrom {
    /// The route says so.
    Route,
    /// The script or plugin did so in a case.
    Cases,
    /// The script or plugin did so lately; no case shows it.
    History,
}

/// The groups of the rules and of the database; `sizes` are name, members, active members, and `people` some members.
pub fn table(
    catalog: Option<&Catalog>,
    history: &BTreeSet<Told>,
    sizes: &[(String, i64, i64)],
    people: &People,
) -> Vec<GroupUse> {
    let mut events = catalog.map(|catalog| told(catalog, history)).unwrap_or_default();
    let declared = catalog.map_or(&[][..], |catalog| &catalog.groups);
    let names = sizes.iter().map(|(name, ..)| name).chain(declared.iter().map(|group| &group.name));
    for name in names {
        events.entry(Some(name.clone())).or_default();
    }
    let sizes: HashMap<&str, (i64, i64)> =
        sizes.iter().map(|(name, members, active)| (name.as_str(), (*members, *active))).collect();
    let group = |(group, events): (Option<String>, BTreeSet<EventUse>)| {
        let size = group.as_deref().and_then(|name| sizes.get(name));
        let members = group.as_ref().and_then(|name| people.groups.get(name));
        let active = members.into_iter().flatten().filter(|person| person.active);
        GroupUse {
            exists: size.is_some() || group.is_none(),
            members: size.map_or(0, |(members, _)| *members),
            active: size.map_or(0, |(_, active)| *active),
            usernames: active.take(NAMED).map(|person| person.username.clone()).collect(),
            events: events.into_iter().collect(),
            group,
        }
    };
    let mut groups: Vec<GroupUse> = events.into_iter().map(group).collect();
    // Those without a group come last.
    groups.sort_by_key(|group| group.group.is_none());
    groups
}

/// The events by group. What a route says counts before what cases show, and that before what was decided.
fn told(catalog: &Catalog, history: &BTreeSet<Told>) -> BTreeMap<Option<String>, BTreeSet<EventUse>> {
    let mut events: BTreeMap<Option<String>, BTreeSet<EventUse>> = BTreeMap::new();
    let mut tell = |groups: &[String], others: bool, event: EventUse| {
        let names = groups.iter().cloned().map(Some).chain(others.then_some(None));
        for name in names {
            let known = events.entry(name).or_default();
            if !known.iter().any(|known| (&known.kind, &known.rule) == (&event.kind, &event.rule)) {
                known.insert(event.clone());
            }
        }
    };
    for used in &catalog.uses {
        for kind in &used.types {
            let others = used.others && used.template.is_some();
            let (kind, rule) = (kind.clone(), used.rule.clone());
            tell(&used.groups, others, EventUse { kind, rule, known_from: KnownFrom::Route });
        }
    }
    // Only rules that are there: what they decided before they were changed may still be so.
    let decides_later =
        |rule: &str| catalog.uses.iter().any(|used| used.template.is_none() && used.rule == rule);
    for (known_from, all) in [(KnownFrom::Cases, &catalog.told), (KnownFrom::History, history)] {
        for told in all.iter().filter(|told| decides_later(&told.rule)) {
            let (kind, rule) = (told.kind.clone(), told.rule.clone());
            tell(&told.groups, told.others, EventUse { kind, rule, known_from });
        }
    }
    events
}

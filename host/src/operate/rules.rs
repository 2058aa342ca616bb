//! The rules that are live, as a map that can be read without knowing their languages.

use std::collections::BTreeSet;

use hookswitch_core::catalog::{Catalog, RouteUse};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Setup;

/// A rule: for which event types which message goes to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Rule)]
pub struct MappedRule {
    /// Event types: `order.created`, `payment.*`, `*`.
    pub types: Vec<String>,
    /// `file:line` of the route.
    pub route: String,
    /// `file:line` of what decides, as in the history of events: the route itself, its script or its plugin's manifest.
    pub rule: String,
    /// The template; null if a script or a plugin chooses it.
    pub template: Option<String>,
    /// The groups that it notifies; those of its cases if a script or a plugin chooses them.
    pub groups: Vec<String>,
    /// Whether `groups` are only those of its cases.
    pub from_cases: bool,
    /// Whether it also notifies, or may notify, people or contacts that it names itself.
    pub others: bool,
}

/// The live rules of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleMap {
    /// The release: the same rules have the same release.
    pub release: String,
    /// Since when it is live on this host.
    pub live_since: Timestamp,
    /// Whether the files have changed since and have errors: then they are not live.
    pub has_errors: bool,
    /// A page of rules, in the order of the files.
    pub rules: Vec<MappedRule>,
    /// `after` of the next page; null on the last page.
    pub next: Option<usize>,
}

impl Setup {
    /// A page of the live rules, after so many of them.
    pub fn rules(&self, after: usize, limit: usize) -> RuleMap {
        let catalog = self.live.current();
        let rules: Vec<MappedRule> =
            catalog.uses.iter().skip(after).take(limit).map(|of| mapped(&catalog, of)).collect();
        let end = after.saturating_add(rules.len());
        RuleMap {
            release: catalog.release.clone(),
            live_since: self.live.since(),
            has_errors: self.live.has_errors(),
            next: (end < catalog.uses.len()).then_some(end),
            rules,
        }
    }
}

fn mapped(catalog: &Catalog, of: &RouteUse) -> MappedRule {
    let from_cases = of.template.is_none();
    let groups = match from_cases {
        false => of.groups.clone(),
        true => {
            let told = catalog.told.iter().filter(|told| told.rule == of.rule);
            told.flat_map(|told| told.groups.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
        }
    };
    MappedRule {
        types: of.types.clone(),
        route: of.place.clone(),
        rule: of.rule.clone(),
        template: of.template.clone(),
        groups,
        from_cases,
        others: of.others,
    }
}

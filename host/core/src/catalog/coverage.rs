//! What no case reaches.

use std::collections::BTreeMap;

use super::{
    Catalog,
    findings::{Finding, Severity},
    run::Shown,
};
use crate::decide::{Place, RouteSource, RuleSource, Source};

/// Routes, scripts, plugins and templates that no case reaches. A script or a plugin that several routes name is told
/// once.
pub fn not_reached(
    catalog: &Catalog,
    routes: &[RouteSource],
    scripts: &BTreeMap<String, Source>,
    shown: &Shown,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tell = |place: &Place, what: String| {
        findings.push(Finding { severity: Severity::Warning, ..Finding::at(place, what) });
    };
    let reaches = |file: &str| shown.rules.iter().any(|(reached, _)| reached == file);
    for route in routes {
        let Some(on) = route.on.first() else { continue };
        let is_reached = shown.rules.contains(&(on.place.file.to_string(), on.place.line));
        if matches!(route.rule, RuleSource::Plain(_)) && !is_reached {
            tell(&on.place, "no case reaches this route".to_owned());
        }
    }
    for (path, script) in scripts.iter().filter(|(path, _)| !reaches(path)) {
        tell(&script.place, format!("no case reaches the script `{path}`"));
    }
    for (id, plugin) in &catalog.plugins {
        let place = &plugin.manifest().place;
        if !reaches(&place.file) {
            tell(place, format!("no case reaches the plugin `{id}`"));
        }
    }
    for name in catalog.templates.names() {
        let Some(template) = catalog.templates.get(&name) else { continue };
        if !shown.templates.contains(&template.name) {
            tell(&Place::start_of(template.file.as_str()), format!("no case reaches the template `{name}`"));
        }
    }
    findings
}

//! What no case reaches.

use super::{
    Catalog,
    findings::{Finding, Severity},
    run::Shown,
};
use crate::{decide::Place, domain::Engine};

/// Routes, scripts, plugins and templates that no case reaches. A script or a plugin that several routes name is told
/// once.
pub fn not_reached(catalog: &Catalog, shown: &Shown) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tell = |file: &str, line: usize, what: String| {
        let place = Place { line, ..Place::start_of(file) };
        findings.push(Finding { severity: Severity::Warning, ..Finding::at(&place, what) });
    };
    for rule in catalog.routes.rules() {
        if shown.rules.contains(&(rule.file.clone(), rule.line)) {
            continue;
        }
        let what = match rule.engine {
            Engine::Route => "route",
            Engine::Script => "script",
            Engine::Plugin => "plugin",
        };
        tell(&rule.file, rule.line, format!("no case reaches this {what}"));
    }
    for name in catalog.templates.names().into_iter().filter(|name| !shown.templates.contains(*name)) {
        for template in catalog.templates.variants(name) {
            tell(&template.file, 1, format!("no case reaches the template `{name}`"));
        }
    }
    findings
}

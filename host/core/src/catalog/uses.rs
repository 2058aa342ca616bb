//! What routes name: templates, groups, scripts and variables.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    RouteUse, Told,
    findings::{Finding, Severity},
    people,
    routes::Group,
};
use crate::{
    decide::{Place, RouteSource, RuleSource, Source, is_of_library},
    domain::{Outcome, Verdict, closest},
    plan::Templates,
};

/// Reports the unknown templates and groups of plain routes.
pub fn check_names(
    routes: &[RouteSource],
    groups: &[Group],
    templates: &[String],
    findings: &mut Vec<Finding>,
) {
    for route in routes {
        let RuleSource::Plain(plain) = &route.rule else { continue };
        if let Some(template) = plain.template.plain().filter(|template| !templates.contains(&template.text))
        {
            let name = &template.text;
            let finding = Finding::at(&template.place, format!("unknown template `{name}`"));
            findings.push(match closest(name, templates.iter().map(String::as_str)) {
                Some(close) => finding.help(format!("did you mean `{close}`?")),
                None => finding.help(format!("create `{}/templates/{name}.j2`", route.folder)),
            });
        }
        for group in plain.all_groups().filter(|named| !groups.iter().any(|group| group.name == named.text)) {
            findings.push(people::unknown_group(&group.text, &group.place, groups));
        }
    }
}

/// Returns what a route is for, and what it names. A script and a plugin say that only when they run.
pub fn used(route: &RouteSource) -> Option<RouteUse> {
    let place = &route.on.first()?.place;
    let place = format!("{}:{}", place.file, place.line);
    let types = route.on.iter().map(|kind| kind.text.clone()).collect();
    Some(match &route.rule {
        RuleSource::Plain(plain) => RouteUse {
            rule: place.clone(),
            place,
            types,
            template: plain.template.plain().map(|template| template.text.clone()),
            groups: plain.all_groups().map(|group| group.text.clone()).collect(),
            others: plain.names_others(),
        },
        RuleSource::Cancel(_) => {
            RouteUse { rule: place.clone(), place, types, template: None, groups: Vec::new(), others: false }
        }
        RuleSource::Script(script) => {
            let rule = Place::start_of(script.text.as_str());
            RouteUse::decided_later(format!("{}:{}", rule.file, rule.line), place, types)
        }
        RuleSource::Plugin(id) => {
            RouteUse::decided_later(format!("{}:{}", id.place.file, id.place.line), place, types)
        }
    })
}

impl RouteUse {
    fn decided_later(rule: String, place: String, types: Vec<String>) -> RouteUse {
        RouteUse { rule, place, types, template: None, groups: Vec::new(), others: true }
    }
}

/// Returns whom a verdict about an event of this type tells.
pub fn told(kind: &str, verdict: &Verdict) -> Option<Told> {
    let (Some(rule), Outcome::Notify(decision)) = (&verdict.rule, &verdict.outcome) else { return None };
    Some(Told {
        rule: rule.to_string(),
        kind: kind.to_owned(),
        groups: decision.all_groups().cloned().collect(),
        others: decision.all_users().chain(decision.all_contacts()).next().is_some(),
    })
}

/// Warns about variables of templates that plain routes do not give: messages fail, or lack a part.
pub fn missing_variables(routes: &[RouteSource], templates: &Templates) -> Vec<Finding> {
    let mut findings = Vec::new();
    for route in routes {
        let RuleSource::Plain(plain) = &route.rule else { continue };
        let Some(template) = plain.template.plain() else { continue };
        let of_variants = templates.variants(&template.text).iter();
        let variables: BTreeSet<&String> = of_variants.flat_map(|variant| &variant.variables).collect();
        let given: Vec<&str> = match &plain.collect {
            None => plain.context.iter().map(|(name, _)| name.as_str()).collect(),
            Some(_) => vec!["items", "count"],
        };
        let needs = |name: &str| variables.iter().any(|variable| *variable == name);
        for variable in variables.iter().filter(|variable| !given.contains(&variable.as_str())) {
            let message = format!("`{}` needs `{variable}`, which this route does not give", template.text);
            let close = closest(variable, given.iter().copied().filter(|name| !needs(name)));
            let help = match close {
                Some(close) => format!("`context` has `{close}`; did you mean `{variable}`?"),
                None => format!("add `{variable}` to `context`"),
            };
            let finding = Finding::at(&template.place, message).help(help);
            findings.push(Finding { severity: Severity::Warning, ..finding });
        }
    }
    findings
}

/// Warns about scripts that no route uses.
pub fn unused(scripts: &BTreeMap<String, Source>, routes: &[RouteSource]) -> Vec<Finding> {
    let used = |path: &str| {
        routes.iter().any(|route| matches!(&route.rule, RuleSource::Script(script) if script.text == path))
    };
    let unused = scripts.keys().filter(|path| !(is_of_library(path) || used(path)));
    unused
        .map(|path| Finding {
            severity: Severity::Warning,
            ..Finding::of_file(path.as_str(), "no route uses this script")
                .help("set `script` to it in `routes.yaml`, or delete the file")
        })
        .collect()
}

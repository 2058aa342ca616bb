//! The catalog's templates, as they are pushed to Meta.

use std::{collections::BTreeMap, path::Path};

use super::{
    Catalog,
    findings::{Finding, Findings},
    run,
};
use crate::{
    decide::Place,
    domain::Mode,
    plan::{MetaTemplate, definitions},
};

/// The definitions for Meta, with examples from the cases, so that reviewers see realistic texts.
///
/// # Errors
/// Returns everything that Meta would reject.
pub fn meta_templates(folder: &Path, catalog: &Catalog) -> Result<Vec<MetaTemplate>, Findings> {
    let (definitions, errors) = definitions(&catalog.templates);
    if !errors.is_empty() {
        let names = catalog.templates.names();
        let templates: Vec<_> = names.iter().filter_map(|name| catalog.templates.get(name)).collect();
        let mut findings: Vec<Finding> = errors
            .into_iter()
            .map(|error| {
                let template = templates.iter().find(|template| template.file == error.file);
                let line = template.and_then(|t| t.source.lines().nth(error.line.saturating_sub(1)));
                let place =
                    Place { line: error.line, column: error.column, ..Place::start_of(error.file.as_str()) };
                let finding = Finding::at(&place, error.message)
                    .help("or set `mode: text` if it is only sent while the 24-hour window is open");
                match line {
                    Some(line) => finding.with_line(line),
                    None => finding,
                }
            })
            .collect();
        findings.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        return Err(Findings { folder: folder.display().to_string(), findings });
    }
    Ok(with_examples(catalog, definitions))
}

/// Replaces made-up examples by the values of each template's first case.
pub fn with_examples(catalog: &Catalog, mut definitions: Vec<MetaTemplate>) -> Vec<MetaTemplate> {
    let mut examples = examples(catalog);
    for definition in &mut definitions {
        let told = examples.remove(&definition.template).unwrap_or_default();
        for (example, told) in definition.examples.iter_mut().zip(told) {
            if !told.is_empty() {
                *example = told;
            }
        }
    }
    definitions
}

/// For each template, the parameters of the first message of a case.
fn examples(catalog: &Catalog) -> BTreeMap<String, Vec<String>> {
    let mut examples = BTreeMap::new();
    for case in &catalog.cases {
        for planned in run::planned(catalog, case).into_iter().flat_map(|planned| planned.notifications) {
            let notification = planned.notification;
            if notification.message.mode != Mode::Text {
                examples.entry(notification.template).or_insert(notification.message.parameters);
            }
        }
    }
    examples
}

//! The catalog's templates, as they are pushed to Meta.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    Catalog,
    findings::{Finding, Findings, Severity},
    media_file::MediaFile,
    run,
};
use crate::{
    domain::{Action, Header, HeaderText, Message, Mode},
    plan::{
        ExampleFile, MetaHeader, MetaTemplate, Template, TemplateError, Templates, definitions, doubts, notes,
    },
};

/// The definitions of the templates that Meta would take, with examples from the cases, so that reviewers see realistic
/// texts; and everything that Meta would reject in others.
pub fn meta_templates(folder: &Path, catalog: &Catalog) -> (Vec<MetaTemplate>, Findings) {
    let (mut definitions, mut errors) = definitions(&catalog.templates);
    errors.extend(definitions.iter().filter_map(|it| example_error(&catalog.templates, it, &catalog.files)));
    let files: BTreeSet<&str> = errors.iter().map(|error| error.file.as_str()).collect();
    definitions.retain(|definition| {
        catalog
            .templates
            .variant(&definition.template, &definition.language)
            .is_some_and(|it| !files.contains(it.file.as_str()))
    });
    let findings = of_templates(catalog, errors);
    (with_examples(catalog, definitions), Findings { folder: folder.display().to_string(), findings })
}

/// Warnings about templates that Meta would reject, or that would not read well at Meta, and notes about what people
/// read in another form in an open window.
pub fn warnings(templates: &Templates, files: &BTreeMap<String, MediaFile>) -> Vec<Finding> {
    let (definitions, errors) = definitions(templates);
    let of_files = definitions.iter().filter_map(|definition| example_error(templates, definition, files));
    let errors = errors.into_iter().chain(of_files).map(|error| TemplateError {
        message: format!("it cannot be pushed to Meta: {}", error.message),
        ..error
    });
    let warnings = errors.chain(doubts(templates)).map(|error| (Severity::Warning, error));
    let all = warnings.chain(notes(templates).into_iter().map(|note| (Severity::Note, note)));
    all.map(|(severity, error)| Finding { severity, ..Finding::from(error) }).collect()
}

/// What is wrong with the file that shows Meta's reviewers what stands in the header.
fn example_error(
    templates: &Templates,
    definition: &MetaTemplate,
    files: &BTreeMap<String, MediaFile>,
) -> Option<TemplateError> {
    let (Some(MetaHeader::Media(kind)), path) = (&definition.header, definition.header_example.as_str())
    else {
        return None;
    };
    if path.is_empty() {
        return None;
    }
    let template = templates.variant(&definition.template, &definition.language)?;
    // What is sent to everybody is an error already.
    if template.file_in_header().is_some_and(|(_, file)| file == path) {
        return None;
    }
    let message = match files.get(path) {
        Some(file) => kind.mime_type(path, file.size, file.head()).err()?,
        None => format!("the example {path} does not exist"),
    };
    Some(of_header(template, message))
}

/// What is wrong with the files that templates send.
pub fn file_errors(templates: &Templates, files: &BTreeMap<String, MediaFile>) -> Vec<TemplateError> {
    let wrong = templates.all().filter_map(|template| {
        let (kind, path) = template.file_in_header()?;
        match files.get(&path) {
            Some(file) => Some(of_header(template, kind.mime_type(&path, file.size, file.head()).err()?)),
            None => {
                let help = Some("put it into the folder `files` beside `templates`".to_owned());
                let message = format!("the file {path} does not exist");
                Some(TemplateError { help, ..of_header(template, message) })
            }
        }
    });
    wrong.collect()
}

fn of_header(template: &Template, message: String) -> TemplateError {
    let line =
        template.source.lines().position(|line| line.starts_with("header:")).map_or(1, |line| line + 1);
    TemplateError { file: template.file.clone(), line, column: 1, message, help: None }
}

fn of_templates(catalog: &Catalog, errors: Vec<TemplateError>) -> Vec<Finding> {
    let templates: Vec<_> = catalog.templates.all().collect();
    let mut findings: Vec<Finding> = errors
        .into_iter()
        .map(|error| {
            let template = templates.iter().find(|template| template.file == error.file);
            let line = template.and_then(|t| t.source.lines().nth(error.line.saturating_sub(1)));
            let finding = Finding::from(error);
            match line {
                Some(line) => finding.with_line(line),
                None => finding,
            }
        })
        .collect();
    findings.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    findings
}

/// Replaces made-up examples by the values of each template's first case.
pub fn with_examples(catalog: &Catalog, mut definitions: Vec<MetaTemplate>) -> Vec<MetaTemplate> {
    let mut examples = examples(catalog);
    for definition in &mut definitions {
        if let Some(MetaHeader::Media(kind)) = &definition.header
            && let Some(file) = catalog.files.get(&definition.header_example)
            && let Ok(mime_type) = kind.mime_type(&definition.header_example, file.size, file.head())
        {
            definition.header_file = Some(ExampleFile { mime_type, path: definition.header_example.clone() });
        }
        let Some(message) = examples.remove(&(definition.template.clone(), definition.language.clone()))
        else {
            continue;
        };
        let replace = |example: &mut String, told: &str| {
            if !told.is_empty() {
                told.clone_into(example);
            }
        };
        for (example, told) in definition.examples.iter_mut().zip(&message.parameters) {
            replace(example, told);
        }
        if let Some(Header::Text(HeaderText { value: Some(value), .. })) = &message.header {
            replace(&mut definition.header_example, value);
        }
        let buttons = message.buttons.iter().filter(|button| button.action.is_at_meta());
        for (example, button) in definition.button_examples.iter_mut().zip(buttons) {
            match (&button.action, &button.suffix) {
                (Action::Code(told), _) | (_, Some(told)) => replace(example, told),
                _ => {}
            }
        }
    }
    definitions
}

/// For each template, the first message of a case.
fn examples(catalog: &Catalog) -> BTreeMap<(String, String), Message> {
    let mut examples = BTreeMap::new();
    for case in &catalog.cases {
        for result in run::decided(catalog, case) {
            let Some(first) = result.planned.notifications.into_iter().next() else { continue };
            let notification = first.notification;
            if notification.message.mode != Mode::Text {
                let key = (notification.template, notification.message.language.clone());
                examples.entry(key).or_insert(notification.message);
            }
        }
    }
    examples
}

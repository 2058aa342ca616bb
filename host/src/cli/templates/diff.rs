//! `hookswitch templates diff`: what a push would change, line by line.

use std::process::ExitCode;

use anyhow::Result;
use console::style;

use super::Both;
use crate::{
    check::count,
    cli::output,
    operate::{DiffLine, LineChange, PartDifference, TemplateDifference, TemplateExample, TemplateReport},
    whatsapp::TemplateState,
};

/// Shows all; status 1 if something would change.
pub(super) fn run(both: &Both, json: bool) -> Result<ExitCode> {
    let changes: Vec<&TemplateState> = both.states.iter().filter(|state| state.needs_push()).collect();
    let code = if changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        output::json_lines(changes.iter().map(|state| TemplateReport::new(state, None)))?;
    } else if changes.is_empty() {
        println!("No changes: {} as here.", all_at_meta(both.states.len()));
    } else {
        changes.iter().for_each(|state| show(state));
    }
    Ok(code)
}

/// That all templates at Meta are up to date.
pub(super) fn all_at_meta(templates: usize) -> String {
    match templates {
        1 => "Meta has the template".to_owned(),
        templates => format!("Meta has all {}", count(templates, "template", "templates")),
    }
}

/// Prints a template that is new or changed.
pub(super) fn show(state: &TemplateState) {
    let TemplateDifference { language, category, from, to, parts, examples, .. } =
        TemplateDifference::new(state);
    match &from {
        Some(from) => println!("{}", style(format!("{from} → {to} ({language}, {category})")).bold()),
        None => println!("{}", style(format!("{to} ({language}, {category}) is new")).bold()),
    }
    let has_header = parts.iter().any(|part| part.part == "header");
    for PartDifference { part, lines } in &parts {
        // Of a new template, the body stands alone if nothing is above it.
        if from.is_some() || has_header || part != "body" {
            println!("  {part}:");
        }
        for DiffLine { change, text } in lines {
            match change {
                LineChange::Removed => println!("{}", style(format!("  - {text}")).red()),
                LineChange::Added => println!("{}", style(format!("  + {text}")).green()),
                LineChange::Same => println!("    {text}"),
            }
        }
    }
    if !examples.is_empty() {
        println!("  examples:");
        for TemplateExample { of, example } in examples {
            println!("    {of} {}", example.lines().collect::<Vec<_>>().join(" · "));
        }
    }
    println!();
}

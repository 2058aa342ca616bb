//! `hookswitch templates diff`: what a push would change, line by line.

use std::process::ExitCode;

use anyhow::Result;
use console::style;
use similar::{ChangeTag, TextDiff};

use super::{Both, TemplateJson};
use crate::whatsapp::{Difference, State, TemplateState, joined, management::category};
use crate::{check::count, cli::output};

/// Shows all; status 1 if something would change.
pub(super) fn run(both: &Both, json: bool) -> Result<ExitCode> {
    let changes: Vec<&TemplateState> = both.states.iter().filter(|state| state.needs_push()).collect();
    let code = if changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        output::json_lines(changes.iter().map(|state| TemplateJson::new(state, None)))?;
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
    let definition = &state.definition;
    let next = state.next_name();
    let (language, category) = (&definition.language, category(definition.category));
    match &state.state {
        State::Differs(differences) => {
            let newest = state.versions.first().map(|(_, version)| version.name.as_str()).unwrap_or_default();
            println!("{}", style(format!("{newest} → {next} ({language}, {category})")).bold());
            for Difference { part, on_meta, ours } in differences {
                println!("  {part}:");
                lines(on_meta, ours);
            }
        }
        _ => {
            println!("{}", style(format!("{next} ({language}, {category}) is new")).bold());
            if let Some(header) = &definition.header {
                println!("  header:");
                lines("", &header.to_string());
                println!("  body:");
            }
            lines("", &definition.body);
            if let Some(footer) = &definition.footer {
                println!("  footer:");
                lines("", footer);
            }
            if !definition.buttons.is_empty() {
                println!("  buttons:");
                lines("", &joined(&definition.buttons));
            }
        }
    }
    let mut examples: Vec<(String, &str)> = Vec::new();
    if !definition.header_example.is_empty() {
        examples.push(("header".to_owned(), &definition.header_example));
    }
    let body = (1..).zip(&definition.examples);
    examples.extend(body.map(|(number, example)| (format!("{{{{{number}}}}}"), example.as_str())));
    let buttons = definition.buttons.iter().zip(&definition.button_examples);
    let with_value = buttons.filter(|(_, example)| !example.is_empty());
    examples.extend(with_value.map(|(button, example)| (button.title().to_owned(), example.as_str())));
    if !examples.is_empty() {
        println!("  examples:");
        for (of, example) in examples {
            println!("    {of} {}", example.lines().collect::<Vec<_>>().join(" · "));
        }
    }
    println!();
}

fn lines(on_meta: &str, ours: &str) {
    for change in TextDiff::from_lines(on_meta, ours).iter_all_changes() {
        let line = change.value().trim_end_matches('\n');
        match change.tag() {
            ChangeTag::Delete => println!("{}", style(format!("  - {line}")).red()),
            ChangeTag::Insert => println!("{}", style(format!("  + {line}")).green()),
            ChangeTag::Equal => println!("    {line}"),
        }
    }
}

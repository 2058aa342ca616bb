//! `hookswitch templates diff`: what a push would change, line by line.

use std::process::ExitCode;

use console::style;
use similar::{ChangeTag, TextDiff};

use super::Both;
use crate::whatsapp::{Difference, State, TemplateState, management::category};

/// Shows all; status 1 where something would change.
pub(super) fn run(both: &Both) -> ExitCode {
    let changes: Vec<&TemplateState> = both.states.iter().filter(|state| state.needs_push()).collect();
    if changes.is_empty() {
        println!("Meta has all {} templates with these words.", both.states.len());
        return ExitCode::SUCCESS;
    }
    for state in changes {
        show(state);
    }
    ExitCode::FAILURE
}

/// One template that is new or changed.
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
            lines("", &definition.body);
            if let Some(footer) = &definition.footer {
                println!("  footer:");
                lines("", footer);
            }
            if !definition.buttons.is_empty() {
                println!("  buttons:");
                lines("", &definition.buttons.join("\n"));
            }
        }
    }
    if !definition.examples.is_empty() {
        println!("  examples:");
        for (number, example) in (1..).zip(&definition.examples) {
            println!("    {{{{{number}}}}} {}", example.lines().collect::<Vec<_>>().join(" · "));
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

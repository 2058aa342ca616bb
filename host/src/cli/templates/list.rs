//! `hookswitch templates list`.

use std::{collections::BTreeSet, process::ExitCode};

use super::{Both, words};
use crate::whatsapp::management::category;

/// Lists ours, then what else is at Meta.
pub(super) fn run(both: &Both) -> ExitCode {
    let width = both.states.iter().map(|state| state.definition.template.len()).max().unwrap_or(0).max(8);
    println!("{:<width$}  {:<8}  {:<14}  AT META", "TEMPLATE", "LANGUAGE", "CATEGORY");
    for state in &both.states {
        let definition = &state.definition;
        let name = state.current().map(|version| version.name.as_str()).unwrap_or(&definition.name);
        let name = if name == definition.template { String::new() } else { format!(" ({name})") };
        println!(
            "{:<width$}  {:<8}  {:<14}  {}{name}",
            definition.template,
            definition.language,
            category(definition.category),
            words(&state.state)
        );
    }
    let ours: BTreeSet<&str> = both
        .states
        .iter()
        .flat_map(|state| &state.versions)
        .map(|(_, version)| version.id.as_str())
        .collect();
    let others: Vec<_> = both.on_meta.iter().filter(|version| !ours.contains(version.id.as_str())).collect();
    if !others.is_empty() {
        println!("\nAt Meta, and not in the rules folder:");
        for other in others {
            println!("  {} ({}): {}", other.name, other.language, other.status);
        }
    }
    ExitCode::SUCCESS
}

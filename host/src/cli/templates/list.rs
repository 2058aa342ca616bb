//! `hookswitch templates list`: templates and their status at Meta.

use std::process::ExitCode;

use anyhow::Result;

use super::Both;
use crate::{
    cli::{output, table},
    operate::{TemplateReport, meaning_of, others},
    whatsapp::management::category,
};

/// Lists ours, then the others at Meta.
pub(super) fn run(both: &Both, json: bool) -> Result<ExitCode> {
    if json {
        output::json_lines(both.states.iter().map(|state| TemplateReport::new(state, None)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = table::table(&["TEMPLATE", "LANGUAGE", "CATEGORY", "AT META"]);
    for state in &both.states {
        let definition = &state.definition;
        let name = state.current().map(|version| version.name.as_str()).unwrap_or(&definition.name);
        let name = if name == definition.template { String::new() } else { format!(" ({name})") };
        table.add_row([
            definition.template.as_str(),
            &definition.language,
            category(definition.category),
            &format!("{}{name}", meaning_of(&state.state)),
        ]);
    }
    table::print(&table);
    let others = others(&both.states, &both.on_meta);
    if !others.is_empty() {
        println!("\nAt Meta, but not in the rules folder:");
        for other in others {
            println!("  {} ({}): {}", other.name, other.language, other.status);
        }
    }
    Ok(ExitCode::SUCCESS)
}

//! `hookswitch templates push`: submits new and changed templates to Meta, except those that Meta would reject.

use std::process::ExitCode;

use anyhow::Result;
use console::style;

use super::{
    Common,
    diff::{all_at_meta, show},
};
use crate::{
    check::count,
    cli::confirm::Confirmation,
    config::DatabaseConfig,
    operate::meaning_of,
    whatsapp::{State, TemplateState},
};

/// Submits what is new or changed: status 1 if Meta refuses one or would, or it is not confirmed.
pub(super) async fn run(
    common: &Common,
    database: &DatabaseConfig,
    dry_run: bool,
    confirmation: Confirmation,
) -> Result<ExitCode> {
    let Some(ours) = common.ours(database).await? else { return Ok(ExitCode::FAILURE) };
    let code = if ours.are_some_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    let both = common.both(&ours.right).await?;
    for state in &both.states {
        if matches!(state.state, State::Rejected(_) | State::Paused | State::Disabled | State::Other(_)) {
            println!("{}: {}", state.definition.template, meaning_of(&state.state));
        }
    }
    let changes: Vec<&TemplateState> = both.states.iter().filter(|state| state.needs_push()).collect();
    if changes.is_empty() {
        println!("Nothing to submit: {} as here.", all_at_meta(both.states.len()));
        return Ok(code);
    }
    changes.iter().for_each(|state| show(state));
    let templates = count(changes.len(), "template", "templates");
    let account = &common.account.whatsapp_business_account_id;
    if dry_run {
        println!("Would submit {templates} to the account {account}. Nothing was submitted.");
        return Ok(code);
    }
    if !confirmation.confirm(&format!("Submit {templates} to the account {account} for Meta's review?"))? {
        return Ok(ExitCode::FAILURE);
    }
    let account = common.account()?;
    let mut refused = 0;
    for state in &changes {
        let pushed = account.submit(&ours.catalog, &state.definition, state.next_name()).await;
        match (&pushed.status, &pushed.error) {
            (Some(status), _) => println!("{} {}: {status}", style("✓").green(), pushed.name),
            (None, error) => {
                refused += 1;
                let error = error.as_deref().unwrap_or_default();
                println!("{} {}: {error}", style("✗").red(), pushed.name);
            }
        }
    }
    if refused > 0 {
        println!("Meta refused {refused} of {templates}.");
        return Ok(ExitCode::FAILURE);
    }
    println!("Hosts use each template once Meta has approved it. To see: hookswitch templates status");
    Ok(code)
}

//! `hookswitch templates push`: new and changed templates go to Meta.

use std::{
    io::{self, BufRead, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};
use console::style;

use super::{Common, diff::show, words};
use crate::whatsapp::{State, TemplateState};

/// Sends what is new or changed: status 1 where Meta refuses one.
pub(super) async fn run(common: &Common, dry_run: bool, yes: bool) -> Result<ExitCode> {
    let Some(definitions) = common.definitions()? else { return Ok(ExitCode::FAILURE) };
    let both = common.both(&definitions).await?;
    for state in &both.states {
        if matches!(state.state, State::Rejected(_) | State::Paused | State::Disabled | State::Other(_)) {
            println!("{}: {}", state.definition.template, words(&state.state));
        }
    }
    let changes: Vec<&TemplateState> = both.states.iter().filter(|state| state.needs_push()).collect();
    if changes.is_empty() {
        println!("Nothing to send: Meta has all {} templates with these words.", both.states.len());
        return Ok(ExitCode::SUCCESS);
    }
    changes.iter().for_each(|state| show(state));
    let count = match changes.len() {
        1 => "1 template".to_owned(),
        count => format!("{count} templates"),
    };
    let account = &common.account.whatsapp_business_account_id;
    if dry_run {
        println!("Would send {count} to the account {account}. Nothing was sent.");
        return Ok(ExitCode::SUCCESS);
    }
    if !yes && !ask(&format!("Send {count} to the account {account}?"))? {
        println!("Nothing was sent.");
        return Ok(ExitCode::FAILURE);
    }
    let management = common.management()?;
    let mut refused = 0;
    for state in &changes {
        let name = state.next_name();
        match management.create_template(account, &name, &state.definition).await {
            Ok(status) => println!("{} {name}: {status}", style("✓").green()),
            Err(error) => {
                refused += 1;
                println!("{} {name}: failed to {error}", style("✗").red());
            }
        }
    }
    if refused > 0 {
        println!("Meta has not taken {refused} of {count}.");
        return Ok(ExitCode::FAILURE);
    }
    println!("Hosts use each as soon as Meta has approved it; `hookswitch templates status` tells.");
    Ok(ExitCode::SUCCESS)
}

/// Whether whoever is there says yes.
fn ask(question: &str) -> Result<bool> {
    print!("{question} [y/N] ");
    io::stdout().flush().context("ask on standard output")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("read the answer from standard input")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

//! `hookswitch templates`: the templates at Meta, kept as the rules folder has them.

mod diff;
mod list;
mod push;
mod status;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use hookswitch_core::{
    catalog::{self, meta_templates},
    plan::MetaTemplate,
};

use crate::{
    app,
    config::{AccountConfig, DatabaseConfig, RulesConfig},
    whatsapp::{
        State, TemplateState, compare,
        management::{Management, TemplateOnMeta},
    },
};

/// `hookswitch templates …`
#[derive(Args, Debug)]
pub struct TemplatesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Lists the templates, and how each stands at Meta.
    List(Common),
    /// Shows line by line what a push would change. Status 1 where it would change something.
    Diff(Common),
    /// Sends new and changed templates to Meta, which reviews them. A changed one becomes a new version with
    /// another name (_v2, _v3, …); the old version stays in use until the new one is approved.
    Push {
        #[command(flatten)]
        common: Common,
        /// Show what would be sent, and send nothing.
        #[arg(long)]
        dry_run: bool,
        /// Send without asking.
        #[arg(long, conflicts_with = "dry_run")]
        yes: bool,
    },
    /// Shows each version at Meta, its quality, and which one is in use.
    Status {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        database: DatabaseConfig,
    },
}

#[derive(Args, Debug)]
struct Common {
    #[command(flatten)]
    rules: RulesConfig,
    #[command(flatten)]
    account: AccountConfig,
}

/// Runs the command: status 1 for findings in the templates.
///
/// # Errors
/// Where Meta or the database does not answer, or refuses.
pub async fn run(args: TemplatesArgs) -> Result<ExitCode> {
    match args.command {
        Command::List(common) => with_both(&common, list::run).await,
        Command::Diff(common) => with_both(&common, diff::run).await,
        Command::Push { common, dry_run, yes } => push::run(&common, dry_run, yes).await,
        Command::Status { common, database } => status::run(&common, &database).await,
    }
}

/// Our templates beside Meta's.
struct Both {
    states: Vec<TemplateState>,
    on_meta: Vec<TemplateOnMeta>,
}

impl Common {
    /// Our templates; `None` where something is wrong with them, which is printed.
    fn definitions(&self) -> Result<Option<Vec<MetaTemplate>>> {
        let folders = app::folders(&self.rules, false)?;
        let definitions =
            catalog::load(&folders).and_then(|catalog| meta_templates(&folders.rules, &catalog));
        Ok(definitions.inspect_err(|findings| eprintln!("{findings}")).ok())
    }

    fn management(&self) -> Result<Management> {
        Ok(Management::new(&self.account.whatsapp_api_url, &self.account.whatsapp_access_token)?)
    }

    async fn both(&self, definitions: &[MetaTemplate]) -> Result<Both> {
        let on_meta = self.management()?.templates(&self.account.whatsapp_business_account_id).await?;
        Ok(Both { states: compare(definitions, &on_meta), on_meta })
    }
}

async fn with_both(common: &Common, show: impl Fn(&Both) -> ExitCode) -> Result<ExitCode> {
    let Some(definitions) = common.definitions()? else { return Ok(ExitCode::FAILURE) };
    Ok(show(&common.both(&definitions).await?))
}

/// How a template stands, in words.
fn words(state: &State) -> String {
    match state {
        State::Missing => "not at Meta; push it".to_owned(),
        State::Pending => "waits for Meta's review".to_owned(),
        State::Approved => "approved".to_owned(),
        State::Differs(_) => "changed; push it".to_owned(),
        State::Rejected(None) => "rejected; change its words and push it".to_owned(),
        State::Rejected(Some(reason)) => format!("rejected ({reason}); change its words and push it"),
        State::Paused => "paused by Meta for its quality".to_owned(),
        State::Disabled => "disabled by Meta; change its words and push it".to_owned(),
        State::Recategorised { category } => format!("approved, but as {category}"),
        State::Other(status) => format!("{status} at Meta"),
    }
}

//! `hookswitch groups`: who belongs together.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hookswitch_core::catalog;
use tokio::task::spawn_blocking;

use super::table;
use crate::{
    app::{self, Database},
    config::{DatabaseConfig, RulesConfig},
    directory::Directory,
};

/// Groups that are read at once.
const PAGE: i64 = 500;

/// Creates, lists and fills groups: what rules name as `groups`.
#[derive(Args, Debug)]
pub struct GroupsArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Creates those groups of the rules' groups.yaml that do not exist yet.
    CreateDefaults {
        #[command(flatten)]
        rules: RulesConfig,
    },
    /// Creates groups.
    Create {
        /// Their names.
        #[arg(required = true, value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Deletes a group; its people stay.
    Delete {
        /// The group's name.
        group: String,
    },
    /// Lists the groups with their members.
    List,
    /// Puts people into a group.
    Add {
        /// The group's name.
        group: String,
        /// Their usernames.
        #[arg(required = true, value_name = "PERSON")]
        people: Vec<String>,
    },
    /// Takes people out of a group.
    Remove {
        /// The group's name.
        group: String,
        /// Their usernames.
        #[arg(required = true, value_name = "PERSON")]
        people: Vec<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// Where the database cannot be reached, or something named does not exist.
pub async fn run(args: GroupsArgs) -> anyhow::Result<ExitCode> {
    let database = Database::open(&args.database, &mut |step| eprintln!("{step}")).await?;
    let done = command(args.command, &Directory::new(database.store.clone())).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn command(command: Command, directory: &Directory) -> anyhow::Result<()> {
    match command {
        Command::CreateDefaults { rules } => {
            let folders = app::folders(&rules, false)?;
            let catalog = spawn_blocking(move || catalog::load(&folders)).await?;
            let catalog = catalog.map_err(|findings| anyhow::anyhow!("load the rules:\n{findings}"))?;
            let names: Vec<&str> = catalog.groups.iter().map(|group| group.name.as_str()).collect();
            let created = directory.create_groups(&names).await?;
            let mut table = table::table(&["GROUP", "", "WHAT FOR"]);
            for group in &catalog.groups {
                let state = if created.contains(&group.name) { "created" } else { "was there" };
                table.add_row([group.name.as_str(), state, group.description.as_str()]);
            }
            table::print(&table);
            println!("\nPut people into them: hookswitch groups add GROUP PERSON…");
        }
        Command::Create { groups } => {
            let names: Vec<&str> = groups.iter().map(String::as_str).collect();
            let created = directory.create_groups(&names).await?;
            for group in &groups {
                let state = if created.contains(group) { "is created" } else { "was there" };
                println!("The group {group} {state}.");
            }
        }
        Command::Delete { group } => {
            directory.delete_group(&group).await?;
            println!("The group {group} is deleted.");
        }
        Command::List => {
            let mut groups = directory.groups("", PAGE).await?;
            if groups.is_empty() {
                println!("There are no groups yet: hookswitch groups create-defaults");
                return Ok(());
            }
            let mut table = table::table(&["GROUP", "ACTIVE", "MEMBERS"]);
            while let Some(last) = groups.last().map(|group| group.name.clone()) {
                for group in groups {
                    let mut members = group.members.join(", ");
                    let others = group.size - i64::try_from(group.members.len()).unwrap_or(i64::MAX);
                    if others > 0 {
                        members = format!("{members}, and {others} others");
                    }
                    table.add_row([group.name, group.active.to_string(), members]);
                }
                groups = directory.groups(&last, PAGE).await?;
            }
            table::print(&table);
        }
        Command::Add { group, people } => {
            let usernames: Vec<&str> = people.iter().map(String::as_str).collect();
            let added = directory.add_members(&group, &usernames).await?;
            for person in &people {
                let state = if added.contains(person) { "is in" } else { "was already in" };
                println!("{person} {state} {group}.");
            }
        }
        Command::Remove { group, people } => {
            let usernames: Vec<&str> = people.iter().map(String::as_str).collect();
            let removed = directory.remove_members(&group, &usernames).await?;
            for person in &people {
                let state = if removed.contains(person) { "is no longer in" } else { "was not in" };
                println!("{person} {state} {group}.");
            }
        }
    }
    Ok(())
}

//! `hookswitch groups`: the groups of people that rules name.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hookswitch_core::catalog::{self, Folders};
use tokio::task::spawn_blocking;

use super::{confirm::Confirmation, failure::Failure, output, table};
use crate::{
    app::{self, Database},
    check::count,
    config::{DatabaseConfig, RulesConfig},
    directory::{Directory, Editor, GroupJson, GroupUse},
    operate::Operate,
    store::StoredGroup,
};

/// Rows read at once.
const PAGE: i64 = 500;

/// The arguments of `hookswitch groups`.
#[derive(Args, Debug)]
pub struct GroupsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Create missing groups of the rules' groups.yaml
    CreateDefaults {
        #[command(flatten)]
        rules: RulesConfig,
    },
    /// Create groups
    Create {
        /// Names of the groups
        #[arg(required = true, value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Rename a group; its people stay in it
    ///
    /// Says which rules still name it as before. Digests that wait for it are sent to it; histories keep its former name.
    Rename {
        /// Name of the group
        group: String,
        /// Its new name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        rules: RulesConfig,
    },
    /// Delete a group, but not its people
    ///
    /// Asks for confirmation if rules name the group or digests wait for it.
    Delete {
        /// Name of the group
        group: String,
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        rules: RulesConfig,
    },
    /// List groups and their members
    List {
        /// Print each group as a JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Add people to a group
    Add {
        /// Name of the group
        group: String,
        /// Usernames
        #[arg(required = true, value_name = "PERSON")]
        people: Vec<String>,
    },
    /// Remove people from a group
    Remove {
        /// Name of the group
        group: String,
        /// Usernames
        #[arg(required = true, value_name = "PERSON")]
        people: Vec<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// If the database cannot be reached, or something named does not exist.
pub async fn run(args: GroupsArgs, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(settings, &mut |step| eprintln!("{step}")).await?;
    let operate = Operate::new(database.store.clone());
    let done = match operate.user().await {
        Ok(user) => command(args.command, settings, &operate.directory(&user)).await,
        Err(error) => Err(error.into()),
    };
    database.close().await;
    done
}

async fn command(
    command: Command,
    settings: &DatabaseConfig,
    directory: &Editor,
) -> anyhow::Result<ExitCode> {
    match command {
        Command::CreateDefaults { rules } => create_defaults(&rules, settings, directory).await?,
        Command::Create { groups } => {
            let names: Vec<&str> = groups.iter().map(String::as_str).collect();
            let created = directory.create_groups(&names).await?;
            for group in &groups {
                match created.contains(group) {
                    true => println!("Created group {group}."),
                    false => println!("Group {group} already exists."),
                }
            }
        }
        Command::Rename { group, name, rules } => {
            let (used, doubt) = used(&group, &rules, directory).await?;
            directory.rename_group(&group, &name, None).await?;
            println!("Renamed group {group} to {name}.");
            if group == name {
                return Ok(ExitCode::SUCCESS);
            }
            if !used.rules.is_empty() || !used.decided_by.is_empty() {
                let used = GroupUse { digests: 0, ..used };
                eprintln!(
                    "warning: {group} is still {used}; change it there, as these rules notify nobody now"
                );
            }
            if let Some(doubt) = doubt {
                eprintln!("warning: {doubt}");
            }
        }
        Command::Delete { group, confirmation, rules } => {
            let (used, doubt) = used(&group, &rules, directory).await?;
            let uses = Some(used.to_string()).filter(|uses| !uses.is_empty());
            let reasons: Vec<String> = uses.into_iter().chain(doubt).collect();
            let question = format!("Group {group} may be in use: {}. Delete it?", reasons.join("; "));
            if !reasons.is_empty() && !confirmation.confirm(&question)? {
                return Ok(ExitCode::FAILURE);
            }
            directory.delete_group(&group, None).await?;
            println!("Deleted group {group}.");
        }
        Command::List { json } => list(directory, json).await?,
        Command::Add { group, people } => {
            let usernames: Vec<&str> = people.iter().map(String::as_str).collect();
            let added = directory.add_members(&group, &usernames).await?;
            for person in &people {
                match added.contains(person) {
                    true => println!("Added {person} to {group}."),
                    false => println!("{person} is already in {group}."),
                }
            }
        }
        Command::Remove { group, people } => {
            let usernames: Vec<&str> = people.iter().map(String::as_str).collect();
            let removed = directory.remove_members(&group, &usernames).await?;
            for person in &people {
                match removed.contains(person) {
                    true => println!("Removed {person} from {group}."),
                    false => println!("{person} is not in {group}."),
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What uses a group; and why that may not be all, if the rules cannot be read.
async fn used(
    group: &str,
    rules: &RulesConfig,
    directory: &Directory,
) -> anyhow::Result<(GroupUse, Option<String>)> {
    // Without plugins: what these name shows only in their decisions.
    let folders = Folders::from(rules.rules.as_path());
    let catalog = spawn_blocking(move || catalog::load(&folders)).await?;
    let used = directory.group_use(group, catalog.as_ref().ok()).await?;
    let doubt = catalog.err().map(|findings| {
        format!(
            "whether the rules name it is unknown: {} in {} (--rules names another folder)",
            count(findings.errors(), "error", "errors"),
            findings.folder,
        )
    });
    Ok((used, doubt))
}

async fn create_defaults(
    rules: &RulesConfig,
    settings: &DatabaseConfig,
    directory: &Editor,
) -> anyhow::Result<()> {
    let folders = app::current_folders(rules, settings).await?;
    let catalog = spawn_blocking(move || catalog::load(&folders)).await?;
    let catalog = catalog.map_err(|findings| Failure::new(format!("invalid rules:\n{findings}")))?;
    let names: Vec<&str> = catalog.groups.iter().map(|group| group.name.as_str()).collect();
    let created = directory.create_groups(&names).await?;
    let mut table = table::table(&["GROUP", "STATE", "PURPOSE"]);
    for group in &catalog.groups {
        let state = if created.contains(&group.name) { "created" } else { "existed" };
        table.add_row([group.name.as_str(), state, group.description.as_str()]);
    }
    table::print(&table);
    println!("\nNext, add people: hookswitch groups add GROUP PERSON…");
    Ok(())
}

async fn list(directory: &Directory, json: bool) -> anyhow::Result<()> {
    let mut table = table::table(&["GROUP", "MEMBERS", "ACTIVE", "USERNAMES"]);
    let mut after = String::new();
    loop {
        let groups = directory.groups(&after, PAGE).await?;
        let Some(last) = groups.last() else { break };
        after.clone_from(&last.name);
        if json {
            output::json_lines(groups.into_iter().map(GroupJson::from))?;
        } else {
            table.add_rows(groups.iter().map(row));
        }
    }
    match (json, table.is_empty()) {
        (true, _) => {}
        (false, true) => {
            println!("No groups. To create those of the rules: hookswitch groups create-defaults")
        }
        (false, false) => table::print(&table),
    }
    Ok(())
}

fn row(group: &StoredGroup) -> [String; 4] {
    let mut members = group.members.join(", ");
    let others = group.size - i64::try_from(group.members.len()).unwrap_or(i64::MAX);
    if others > 0 {
        members = format!("{members} and {}", count(others, "other", "others"));
    }
    [group.name.clone(), group.size.to_string(), group.active.to_string(), members]
}

//! `hookswitch people`: the staff who get messages.

use std::{fs, io, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};
use hookswitch_core::domain::{QuietHours, is_user_id};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::{contacts, failure::Failure, forget, pages::Listing, table};
use crate::{
    app::Database,
    check::count,
    config::DatabaseConfig,
    directory::{Directory, Linked, PersonJson},
    store::{Store, StoredPerson},
};

/// The arguments of `hookswitch people`.
#[derive(Args, Debug)]
pub struct PeopleArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Add a person
    Add {
        /// Unique name for rules: letters, digits, or @ . + - _
        username: String,
        /// Full name
        #[arg(long)]
        name: String,
        /// WhatsApp number, with its country code
        #[arg(long, value_name = "NUMBER")]
        whatsapp: Option<String>,
        /// Group to add the person to (repeatable)
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Link a person to a WhatsApp number or user
    ///
    /// `hookswitch contacts list --unlinked` lists users who wrote in.
    Link {
        /// Username of the person
        username: String,
        /// Number with its country code, or Meta's user id
        number: String,
    },
    /// Remove a person's link: they receive nothing until linked again
    Unlink {
        /// Username of the person
        username: String,
    },
    /// Deactivate a person: no messages until reactivated
    Deactivate {
        /// Username of the person
        username: String,
    },
    /// Reactivate a person
    Activate {
        /// Username of the person
        username: String,
    },
    /// Set a person's quiet hours (urgent messages still go out)
    Quiet {
        /// Username of the person
        username: String,
        /// Two times of the day, for example 21:00-06:30
        #[arg(required_unless_present = "off", requires = "time_zone")]
        hours: Option<String>,
        /// Time zone of the person, for example Africa/Harare
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
        /// Remove the quiet hours
        #[arg(long, conflicts_with_all = ["hours", "time_zone"])]
        off: bool,
    },
    /// Erase what is stored about a person
    Forget(forget::ForgetArgs),
    /// List people
    List {
        /// Only members of this group
        #[arg(long)]
        group: Option<String>,
        /// Print each person as a JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Add or update people from a CSV file, all or nothing
    #[command(
        after_help = "The file has a header: username,name,whatsapp,groups,quiet_hours,time_zone. Separate several groups \
                      by semicolons. Only username and name are required. Example:\n\n  \
                      username,name,whatsapp,groups\n  \
                      tendai,Tendai Moyo,+263 77 123 4567,Sales Team; Finance Team"
    )]
    Import {
        /// The CSV file; - for standard input
        file: PathBuf,
    },
}

/// Runs the command.
///
/// # Errors
/// If the database cannot be reached, or a value is invalid or does not exist.
pub async fn run(args: PeopleArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let quiet = match &args.command {
        Command::Quiet { hours: Some(hours), time_zone: Some(zone), .. } => {
            Some(QuietHours::parse(hours, zone).map_err(Failure::usage)?)
        }
        _ => None,
    };
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    let done = command(args.command, quiet, &database.store).await;
    database.close().await;
    done
}

async fn command(command: Command, quiet: Option<QuietHours>, store: &Store) -> anyhow::Result<ExitCode> {
    let directory = &Directory::new(store.clone());
    match command {
        Command::Add { username, name, whatsapp, groups } => {
            let linked = directory.add_person(&username, &name, whatsapp.as_deref(), &groups).await?;
            println!("Added {username}.");
            match linked {
                Some(linked) => print_link(&username, &linked),
                None => println!(
                    "They receive nothing until linked to a WhatsApp number: hookswitch people link {username} NUMBER"
                ),
            }
        }
        Command::Link { username, number } => {
            let linked = directory.link(&username, &number).await?;
            print_link(&username, &linked);
        }
        Command::Unlink { username } => {
            directory.unlink(&username).await?;
            println!("Unlinked {username}: they receive nothing until linked again.");
        }
        Command::Deactivate { username } => {
            directory.update_person(&username, None, Some(false)).await?;
            println!("Deactivated {username}. Undo: hookswitch people activate {username}");
        }
        Command::Activate { username } => {
            directory.update_person(&username, None, Some(true)).await?;
            println!("Activated {username}.");
        }
        Command::Quiet { username, .. } => {
            directory.set_quiet_hours(&username, quiet.as_ref()).await?;
            match quiet {
                Some(quiet) => {
                    println!("Quiet hours for {username}: {quiet} (urgent messages still go out)");
                }
                None => println!("Quiet hours for {username} removed."),
            }
        }
        Command::Forget(args) => return forget::run(&args, store).await,
        Command::List { group, json } => list(directory, group.as_deref(), json).await?,
        Command::Import { file } => import(directory, &file).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_link(username: &str, linked: &Linked) {
    let plus = if is_user_id(&linked.address) { "" } else { "+" };
    println!("Linked {username} to {plus}{}. {}", linked.address, window(linked.window_until));
    if let Some(doubt) = &linked.doubt {
        eprintln!("warning: {doubt}");
    }
}

/// The state of the 24-hour window, as a sentence.
fn window(until: Option<Timestamp>) -> String {
    match until {
        None => "They have not written in yet, so only Meta templates reach them.".to_owned(),
        Some(until) if until > Timestamp::now() => {
            format!("Their 24-hour window is open until {}.", table::time(until))
        }
        Some(until) => {
            format!(
                "Their 24-hour window closed at {}, so only Meta templates reach them.",
                table::time(until)
            )
        }
    }
}

async fn list(directory: &Directory, group: Option<&str>, json: bool) -> anyhow::Result<()> {
    let heads = ["USERNAME", "NAME", "ACTIVE", "WHATSAPP", "WINDOW", "GROUPS", "QUIET HOURS"];
    let listing = Listing { heads, empty: "No people.", json };
    let page = async |after: &String, limit| directory.people(group, after, limit).await;
    listing.print(page, |person| person.username.clone(), row, PersonJson::from).await
}

fn row(person: &StoredPerson) -> [String; 7] {
    let contact = person.contact.as_ref();
    [
        person.username.clone(),
        table::one_line(&person.name).into_owned(),
        if person.active { "yes" } else { "no" }.to_owned(),
        contact.map_or_else(|| "not linked".to_owned(), contacts::address),
        contact.filter(|contact| contact.recipient().is_some()).map(contacts::window).unwrap_or_default(),
        person.groups.join(", "),
        person.quiet_hours.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}

async fn import(directory: &Directory, file: &PathBuf) -> anyhow::Result<()> {
    let csv = if file.as_os_str() == "-" {
        io::read_to_string(io::stdin()).context("cannot read standard input")?.into_bytes()
    } else {
        fs::read(file).with_context(|| format!("cannot read {}", file.display()))?
    };
    let lines = csv.iter().filter(|byte| **byte == b'\n').count();
    let bar = ProgressBar::new(lines as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} people")?;
    bar.set_style(style);
    let imported = directory.import(&csv, &mut |done| bar.set_position(done as u64)).await;
    bar.finish_and_clear();
    let imported = imported?;
    println!(
        "Added {}, updated {}.",
        count(imported.added, "person", "people"),
        count(imported.updated, "person", "people")
    );
    Ok(())
}

//! `hookswitch people`: the staff who get messages.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hookswitch_core::domain::{QuietHours, is_user_id};
use jiff::Timestamp;

use super::{contacts, failure::Failure, forget, pages::Listing, people_import, table};
use crate::{
    app::Database,
    config::DatabaseConfig,
    directory::{Directory, Linked, PersonChange, PersonJson, PersonToAdd, QuietHoursText},
    operate::Operate,
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
        /// Language in which they read, for example pt_BR
        #[arg(long)]
        language: Option<String>,
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
    /// Change the name that messages show
    Rename {
        /// Username of the person, which stays
        username: String,
        /// Full name
        name: String,
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
    /// Set the language of a person, which picks the variant of a template
    Language {
        /// Username of the person
        username: String,
        /// Language code, for example pt_BR
        #[arg(required_unless_present = "off")]
        language: Option<String>,
        /// Remove the language
        #[arg(long, conflicts_with = "language")]
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
    Import(people_import::ImportArgs),
}

/// Runs the command.
///
/// # Errors
/// If the database cannot be reached, or a value is invalid or does not exist.
pub async fn run(args: PeopleArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    if let Command::Quiet { hours: Some(hours), time_zone: Some(zone), .. } = &args.command {
        QuietHours::parse(hours, zone).map_err(Failure::usage)?;
    }
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    let done = command(args.command, &database.store).await;
    database.close().await;
    done
}

async fn command(command: Command, store: &Store) -> anyhow::Result<ExitCode> {
    let operate = Operate::new(store.clone());
    let directory = &operate.directory(&operate.user().await?);
    match command {
        Command::Add { username, name, whatsapp, groups, language } => {
            let person = PersonToAdd { username, name, whatsapp, groups, quiet_hours: None, language };
            let linked = directory.add_person(&person).await?;
            let username = person.username;
            println!("Added {username}.");
            match linked {
                Some(linked) => print_link(&username, &linked),
                None => println!(
                    "They receive nothing until linked to a WhatsApp number: hookswitch people link {username} NUMBER"
                ),
            }
        }
        Command::Link { username, number } => {
            let change = PersonChange { whatsapp: Some(Some(number)), ..PersonChange::default() };
            if let Some(linked) = directory.change(&username, &change).await? {
                print_link(&username, &linked);
            }
        }
        Command::Unlink { username } => {
            let change = PersonChange { whatsapp: Some(None), ..PersonChange::default() };
            directory.change(&username, &change).await?;
            println!("Unlinked {username}: they receive nothing until linked again.");
        }
        Command::Rename { username, name } => {
            let change = PersonChange { name: Some(name.clone()), ..PersonChange::default() };
            directory.change(&username, &change).await?;
            println!("The name of {username} is now {}.", name.trim());
        }
        Command::Deactivate { username } => {
            let change = PersonChange { active: Some(false), ..PersonChange::default() };
            directory.change(&username, &change).await?;
            println!("Deactivated {username}. Undo: hookswitch people activate {username}");
        }
        Command::Activate { username } => {
            let change = PersonChange { active: Some(true), ..PersonChange::default() };
            directory.change(&username, &change).await?;
            println!("Activated {username}.");
        }
        Command::Quiet { username, hours, time_zone, .. } => {
            let quiet = hours.zip(time_zone).map(|(hours, time_zone)| QuietHoursText { hours, time_zone });
            let change = PersonChange { quiet_hours: Some(quiet.clone()), ..PersonChange::default() };
            directory.change(&username, &change).await?;
            match quiet {
                Some(QuietHoursText { hours, time_zone }) => {
                    println!(
                        "Quiet hours for {username}: {hours} {time_zone} (urgent messages still go out)"
                    );
                }
                None => println!("Quiet hours for {username} removed."),
            }
        }
        Command::Language { username, language, .. } => {
            let change = PersonChange { language: Some(language.clone()), ..PersonChange::default() };
            directory.change(&username, &change).await?;
            match language {
                Some(language) => println!("{username} reads {}.", language.trim()),
                None => println!("Language of {username} removed."),
            }
        }
        Command::Forget(args) => return forget::run(&args, store).await,
        Command::List { group, json } => list(directory, group.as_deref(), json).await?,
        Command::Import(args) => return people_import::run(&args, directory).await,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_link(username: &str, linked: &Linked) {
    let plus = if is_user_id(&linked.address) { "" } else { "+" };
    println!("Linked {username} to {plus}{}. {}", linked.address, window(linked.window_until));
    if !linked.shared_with.is_empty() {
        let others = linked.shared_with.join(", ");
        eprintln!("warning: also linked to {others}; a message for several of them is sent once");
    }
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
    let heads = ["USERNAME", "NAME", "ACTIVE", "WHATSAPP", "WINDOW", "GROUPS", "LANGUAGE", "QUIET HOURS"];
    let listing = Listing { heads, empty: "No people.", json };
    let page = async |after: &String, limit| directory.people(group, after, limit).await;
    listing.print(page, |person| person.username.clone(), row, PersonJson::from).await
}

fn row(person: &StoredPerson) -> [String; 8] {
    let contact = person.contact.as_ref();
    [
        person.username.clone(),
        table::one_line(&person.name).into_owned(),
        if person.active { "yes" } else { "no" }.to_owned(),
        contact.map_or_else(|| "not linked".to_owned(), contacts::address),
        contact.filter(|contact| contact.recipient().is_some()).map(contacts::window).unwrap_or_default(),
        person.groups.join(", "),
        person.language.clone().or_else(|| contact?.language.clone()).unwrap_or_default(),
        person.quiet_hours.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}

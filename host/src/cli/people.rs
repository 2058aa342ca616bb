//! `hookswitch people` and `hookswitch contacts`: the staff, and the WhatsApp users they are reached as.

use std::{fs, io, path::PathBuf, process::ExitCode};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use hookswitch_core::domain::{Contact, OptOutScope, QuietHours, is_user_id};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{Timestamp, tz::TimeZone};

use super::{forget, table};
use crate::{
    app::Database,
    config::DatabaseConfig,
    directory::{Directory, Linked},
    store::Store,
};

/// So many are read at once.
const PAGE: i64 = 1_000;

/// Adds, links and lists the people who get messages.
#[derive(Args, Debug)]
pub struct PeopleArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Adds a person.
    Add {
        /// What rules name: letters, digits, and @ . + - _.
        username: String,
        /// As shown.
        #[arg(long)]
        name: String,
        /// The person's WhatsApp number, with its country code.
        #[arg(long, value_name = "NUMBER")]
        whatsapp: Option<String>,
        /// A group to put the person into; give it several times for several.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Links a person to a WhatsApp user, for example one who wrote in (see `contacts list`).
    Link {
        /// The person.
        username: String,
        /// The number, with its country code, or Meta's user id.
        number: String,
    },
    /// Takes a person's link away; without one they get nothing.
    Unlink {
        /// The person.
        username: String,
    },
    /// Lets a person get nothing, until they are activated again.
    Deactivate {
        /// The person.
        username: String,
    },
    /// Lets a person get messages again.
    Activate {
        /// The person.
        username: String,
    },
    /// Leaves a person alone at some hours of the day: what is not urgent waits until they end.
    Quiet {
        /// The person.
        username: String,
        /// Two times of the day, such as 21:00-06:30.
        #[arg(required_unless_present = "off", requires = "time_zone")]
        hours: Option<String>,
        /// Where they live, such as Africa/Harare.
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
        /// There are none any more.
        #[arg(long, conflicts_with_all = ["hours", "time_zone"])]
        off: bool,
    },
    /// Erases what is known of a person.
    Forget(forget::ForgetArgs),
    /// Lists people.
    List {
        /// Only members of this group.
        #[arg(long)]
        group: Option<String>,
    },
    /// Adds people from a CSV file, and brings those up to date whose usernames exist; all or nothing.
    #[command(
        after_help = "The file has a header: username,name,whatsapp,groups,quiet_hours,time_zone. Several groups are parted by \
                            semicolons; all but the first two may be empty or missing. Example:\n\n  \
                            username,name,whatsapp,groups\n  \
                            tendai,Tendai Moyo,+263 77 123 4567,Sales Team; Finance Team"
    )]
    Import {
        /// The file; - reads standard input.
        file: PathBuf,
    },
}

/// Lists WhatsApp users.
#[derive(Args, Debug)]
pub struct ContactsArgs {
    #[command(subcommand)]
    command: ContactsCommand,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Subcommand, Debug)]
enum ContactsCommand {
    /// Lists those who wrote in or were written to.
    List {
        /// Only those that no person is linked to.
        #[arg(long)]
        unlinked: bool,
    },
    /// Lets somebody have no messages any more, as if they had written STOP.
    OptOut {
        /// The number, Meta's user id, or a linked person's username.
        contact: String,
        /// Only none whose template has the category marketing.
        #[arg(long)]
        marketing: bool,
    },
    /// Lets somebody have messages again, as if they had written START.
    OptIn {
        /// The number, Meta's user id, or a linked person's username.
        contact: String,
    },
}

/// Runs `people`.
///
/// # Errors
/// Where the database cannot be reached, or something named is wrong or does not exist.
pub async fn run(args: PeopleArgs) -> anyhow::Result<ExitCode> {
    let database = Database::open(&args.database, &mut |step| eprintln!("{step}")).await?;
    let done = command(args.command, &database.store).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

/// Runs `contacts`.
///
/// # Errors
/// Where the database cannot be reached.
pub async fn contacts(args: ContactsArgs) -> anyhow::Result<ExitCode> {
    let database = Database::open(&args.database, &mut |step| eprintln!("{step}")).await?;
    let done = contacts_command(args.command, &Directory::new(database.store.clone())).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn contacts_command(command: ContactsCommand, directory: &Directory) -> anyhow::Result<()> {
    match command {
        ContactsCommand::List { unlinked } => list_contacts(directory, unlinked).await?,
        ContactsCommand::OptOut { contact, marketing } => {
            let scope = if marketing { OptOutScope::Marketing } else { OptOutScope::All };
            directory.opt_out(&contact, scope).await?;
            let of = if marketing { "marketing messages" } else { "messages" };
            println!("{contact} gets no {of} any more; hookswitch contacts opt-in {contact} turns it back.");
        }
        ContactsCommand::OptIn { contact } => {
            directory.opt_in(&contact).await?;
            println!("{contact} gets messages again.");
        }
    }
    Ok(())
}

async fn command(command: Command, store: &Store) -> anyhow::Result<()> {
    let directory = &Directory::new(store.clone());
    match command {
        Command::Add { username, name, whatsapp, groups } => {
            let linked = directory.add_person(&username, &name, whatsapp.as_deref(), &groups).await?;
            println!("{username} is added.");
            match linked {
                Some(linked) => tell_link(&username, &linked),
                None => println!(
                    "They get nothing before they are linked: hookswitch people link {username} NUMBER"
                ),
            }
        }
        Command::Link { username, number } => {
            let linked = directory.link(&username, &number).await?;
            tell_link(&username, &linked);
        }
        Command::Unlink { username } => {
            directory.unlink(&username).await?;
            println!("{username} is linked to no contact, and gets nothing.");
        }
        Command::Deactivate { username } => {
            directory.update_person(&username, None, Some(false)).await?;
            println!(
                "{username} gets nothing any more; hookswitch people activate {username} turns it back."
            );
        }
        Command::Activate { username } => {
            directory.update_person(&username, None, Some(true)).await?;
            println!("{username} is active.");
        }
        Command::Quiet { username, hours, time_zone, .. } => {
            let quiet = hours.zip(time_zone).map(|(hours, zone)| QuietHours::parse(&hours, &zone));
            let quiet = quiet.transpose().map_err(|error| anyhow!("take these quiet hours: {error}"))?;
            directory.set_quiet_hours(&username, quiet.as_ref()).await?;
            match quiet {
                Some(quiet) => println!("{username} is left alone {quiet}, but for what is urgent."),
                None => println!("{username} has no quiet hours."),
            }
        }
        Command::Forget(args) => forget::run(&args, store).await?,
        Command::List { group } => list(directory, group.as_deref()).await?,
        Command::Import { file } => import(directory, &file).await?,
    }
    Ok(())
}

fn tell_link(username: &str, linked: &Linked) {
    let plus = if is_user_id(&linked.address) { "" } else { "+" };
    println!("{username} is linked to {plus}{}, {}.", linked.address, window(linked.window_until));
    if let Some(doubt) = &linked.doubt {
        eprintln!("warning: {doubt}");
    }
}

/// The 24-hour window, in words.
fn window(until: Option<Timestamp>) -> String {
    match until {
        None => "who has not written in yet: only Meta templates reach them".to_owned(),
        Some(until) if until > Timestamp::now() => format!("whose window is open until {}", local(until)),
        Some(until) => format!("whose window closed on {}: only Meta templates reach them", local(until)),
    }
}

fn local(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

fn number_of(contact: &Contact) -> String {
    match (&contact.wa_id, &contact.user_id) {
        (Some(wa_id), _) => format!("+{wa_id}"),
        (None, Some(user_id)) => user_id.clone(),
        // The number is somebody else's by now.
        (None, None) => "none".to_owned(),
    }
}

fn window_column(contact: &Contact) -> String {
    match contact.window_until() {
        None => "never wrote".to_owned(),
        Some(until) if until > Timestamp::now() => format!("open until {}", local(until)),
        Some(until) => format!("closed {}", local(until)),
    }
}

async fn list(directory: &Directory, group: Option<&str>) -> anyhow::Result<()> {
    let mut table = table::table(&["USERNAME", "NAME", "ACTIVE", "WHATSAPP", "WINDOW", "GROUPS", "QUIET"]);
    let mut after = String::new();
    loop {
        let people = directory.people(group, &after, PAGE).await?;
        let Some(last) = people.last() else { break };
        after.clone_from(&last.username);
        for person in people {
            let contact = person.contact.as_ref();
            table.add_row([
                person.username,
                table::one_line(&person.name).into_owned(),
                if person.active { "yes" } else { "no" }.to_owned(),
                contact.map_or_else(|| "none".to_owned(), number_of),
                contact.map(window_column).unwrap_or_default(),
                person.groups.join(", "),
                person.quiet_hours.as_ref().map(ToString::to_string).unwrap_or_default(),
            ]);
        }
    }
    if table.is_empty() {
        println!("There is nobody yet: hookswitch people add USERNAME --name NAME --whatsapp NUMBER");
    } else {
        table::print(&table);
    }
    Ok(())
}

async fn list_contacts(directory: &Directory, unlinked: bool) -> anyhow::Result<()> {
    let mut table = table::table(&["WHATSAPP", "NAME", "WINDOW", "PEOPLE", "WANTS"]);
    let mut after = 0;
    loop {
        let contacts = directory.contacts(unlinked, after, PAGE).await?;
        let Some(last) = contacts.last() else { break };
        after = last.id;
        for contact in contacts {
            table.add_row([
                number_of(&contact.contact),
                table::one_line(contact.contact.name.as_deref().unwrap_or_default()).into_owned(),
                window_column(&contact.contact),
                contact.people.join(", "),
                contact.opt_out.map(|opt_out| opt_out.to_string()).unwrap_or_default(),
            ]);
        }
    }
    if table.is_empty() {
        println!("There are none.");
    } else {
        table::print(&table);
    }
    Ok(())
}

async fn import(directory: &Directory, file: &PathBuf) -> anyhow::Result<()> {
    let csv = if file.as_os_str() == "-" {
        io::read_to_string(io::stdin()).context("read standard input")?.into_bytes()
    } else {
        fs::read(file).with_context(|| format!("read the file {}", file.display()))?
    };
    let lines = csv.iter().filter(|byte| **byte == b'\n').count();
    let bar = ProgressBar::new(lines as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} people")?;
    bar.set_style(style);
    let imported = directory.import(&csv, &mut |done| bar.set_position(done as u64)).await;
    bar.finish_and_clear();
    let imported = imported?;
    println!("{} people are added, {} brought up to date.", imported.added, imported.updated);
    Ok(())
}

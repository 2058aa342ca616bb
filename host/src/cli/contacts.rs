//! `hookswitch contacts`: the WhatsApp users who wrote in or were written to.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hookswitch_core::domain::{Contact, OptOutScope};
use jiff::Timestamp;

use super::{pages::Listing, table};
use crate::{
    app::Database,
    config::DatabaseConfig,
    directory::{ContactJson, Directory},
    operate::Operate,
    store::{Store, StoredContact},
};

/// The arguments of `hookswitch contacts`.
#[derive(Args, Debug)]
pub struct ContactsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List WhatsApp users who wrote in or were written to
    List {
        /// Only users that no person is linked to
        #[arg(long)]
        unlinked: bool,
        /// Print each contact as a JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Opt a contact out, as if they had replied STOP
    OptOut {
        /// Number, Meta's user id, or the username of a linked person
        contact: String,
        /// Only from templates of the category marketing
        #[arg(long)]
        marketing: bool,
    },
    /// Opt a contact in again, as if they had replied START
    OptIn {
        /// Number, Meta's user id, or the username of a linked person
        contact: String,
    },
    /// Set the language of a contact, which picks the variant of a template
    Language {
        /// Number, Meta's user id, or the username of a linked person
        contact: String,
        /// Language code, for example pt_BR
        #[arg(required_unless_present = "off")]
        language: Option<String>,
        /// Remove the language
        #[arg(long, conflicts_with = "language")]
        off: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// If the database cannot be reached, or the contact is unknown.
pub async fn run(args: ContactsArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    let done = command(args.command, &database.store).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn command(command: Command, store: &Store) -> anyhow::Result<()> {
    let operate = Operate::new(store.clone());
    match command {
        Command::List { unlinked, json } => list(&Directory::new(store.clone()), unlinked, json).await?,
        Command::OptOut { contact, marketing } => {
            let scope = if marketing { OptOutScope::Marketing } else { OptOutScope::All };
            operate.opt_out(&operate.user().await?, &contact, scope).await?;
            let of = if marketing { " of marketing messages" } else { "" };
            println!("{contact} opted out{of}. Undo: hookswitch contacts opt-in {contact}");
        }
        Command::OptIn { contact } => {
            operate.opt_in(&operate.user().await?, &contact).await?;
            println!("{contact} opted in.");
        }
        Command::Language { contact, language, .. } => {
            let operate = Operate::new(store.clone());
            let directory = operate.directory(&operate.user().await?);
            directory.set_language(&contact, language.as_deref()).await?;
            match language {
                Some(language) => println!("{contact} reads {}.", language.trim()),
                None => println!("Language of {contact} removed."),
            }
        }
    }
    Ok(())
}

async fn list(directory: &Directory, unlinked: bool, json: bool) -> anyhow::Result<()> {
    let listing = Listing {
        heads: ["WHATSAPP", "NAME", "WINDOW", "PEOPLE", "LANGUAGE", "OPT-OUT"],
        empty: "No contacts.",
        json,
    };
    let page = async |after: &i64, limit| directory.contacts(unlinked, *after, limit).await;
    listing.print(page, |contact| contact.id, row, ContactJson::from).await
}

fn row(contact: &StoredContact) -> [String; 6] {
    [
        address(&contact.contact),
        table::one_line(contact.contact.name.as_deref().unwrap_or_default()).into_owned(),
        window(&contact.contact),
        contact.people.join(", "),
        contact.contact.language.clone().unwrap_or_default(),
        contact.opt_out.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}

/// The number of a contact, or Meta's user id.
pub fn address(contact: &Contact) -> String {
    match (&contact.wa_id, &contact.user_id) {
        (Some(wa_id), _) => format!("+{wa_id}"),
        (None, Some(user_id)) => user_id.clone(),
        // Another user has the number now.
        (None, None) => "number reassigned".to_owned(),
    }
}

/// The state of a contact's 24-hour window.
pub fn window(contact: &Contact) -> String {
    match contact.window_until() {
        None => "never wrote".to_owned(),
        Some(until) if until > Timestamp::now() => format!("open until {}", table::time(until)),
        Some(until) => format!("closed {}", table::time(until)),
    }
}

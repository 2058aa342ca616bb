//! People, groups and contacts, as operators manage them on the command line and over HTTP.
//!
//! A person is a member of staff; a contact is a WhatsApp user. A person gets messages while they are active and linked
//! to a contact. Numbers are stored as WhatsApp last reported them.

mod change;
mod csv;
mod editor;
mod error;
mod groups;
mod http;
mod import;

use std::collections::BTreeSet;

use hookswitch_core::{
    domain::{self, Contact, OptOutScope, Preference, number},
    plan::recipient,
};
use jiff::Timestamp;
use serde_json::json;

pub use self::{
    change::{PersonChange, PersonToAdd, QuietHoursText},
    csv::LineError,
    editor::{Editor, recorded},
    error::{DirectoryError, ValueError},
    groups::GroupUse,
    http::{ContactJson, GroupJson, PersonJson, router, routes},
    import::differences,
};
use crate::store::{Act, Store, StoreError, StoredContact, StoredPerson};

/// As long as usernames in Django, from which many systems take them.
const NAME_LIMIT: usize = 150;
/// Maximum number of groups to search for the one that was probably meant.
const MEANT: i64 = 1_000;

/// A link between a person and a WhatsApp contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The digits of the number, as WhatsApp has them if it is known, or the user id.
    pub address: String,
    /// The end of the 24-hour window; `None` if they never wrote.
    pub window_until: Option<Timestamp>,
    /// Why the number may be wrong.
    pub doubt: Option<String>,
    /// Usernames of other people who are linked to the same WhatsApp user: the first 10.
    pub shared_with: Vec<String>,
}

/// People, groups and contacts. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    store: Store,
}

impl Directory {
    /// The directory of a database.
    pub fn new(store: Store) -> Directory {
        Directory { store }
    }

    /// A page of people, ordered by username.
    ///
    /// # Errors
    /// If the group does not exist.
    pub async fn people(
        &self,
        group: Option<&str>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<StoredPerson>, DirectoryError> {
        if let Some(group) = group {
            self.groups_exist(&[group.to_owned()]).await?;
        }
        Ok(self.store.list_people(group, after, limit).await?)
    }

    /// The person with this username.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn person(&self, username: &str) -> Result<StoredPerson, DirectoryError> {
        self.store
            .find_person(username)
            .await?
            .ok_or_else(|| DirectoryError::PersonUnknown(vec![username.to_owned()]))
    }

    /// A page of contacts, oldest first; all, or those that no person is linked to.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn contacts(
        &self,
        unlinked: bool,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredContact>, DirectoryError> {
        Ok(self.store.list_contacts(unlinked, after, limit).await?)
    }

    /// Opts a WhatsApp user out of all messages, or of marketing. They are named by any present or former number or user
    /// id, or by the username of a linked person. The act is recorded.
    ///
    /// # Errors
    /// If it is none of these.
    pub async fn opt_out(&self, contact: &str, scope: OptOutScope, act: &Act) -> Result<(), DirectoryError> {
        self.prefer(contact, true, scope, act).await
    }

    /// Opts a WhatsApp user in again. The act is recorded.
    ///
    /// # Errors
    /// If it is not a number, a user id or the username of a linked person.
    pub async fn opt_in(&self, contact: &str, act: &Act) -> Result<(), DirectoryError> {
        self.prefer(contact, false, OptOutScope::All, act).await
    }

    async fn prefer(
        &self,
        contact: &str,
        stop: bool,
        scope: OptOutScope,
        act: &Act,
    ) -> Result<(), DirectoryError> {
        let asked = self.meant(contact).await?;
        let preference = Preference {
            recipients: vec![asked],
            stop,
            scope,
            source: "set by an operator".to_owned(),
            // PostgreSQL's clock, by which this is ordered among what recipients write.
            at: self.store.now(),
            message_id: String::new(),
        };
        Ok(self.store.set_preferences(&[preference], Some(act)).await?)
    }

    /// The present address of the user who has or had this number or user id, if they are known.
    async fn address(&self, text: &str) -> Result<Linked, DirectoryError> {
        let asked = recipient(text).map_err(DirectoryError::Invalid)?;
        let contact = self.store.contacts(&BTreeSet::from([asked.clone()])).await?.remove(&asked);
        let doubt = number(text)
            .is_ok_and(|number| !number.known)
            .then(|| format!("+{asked} matches no known numbering plan; check that it is correct"));
        Ok(Linked {
            window_until: contact.as_ref().and_then(Contact::window_until),
            address: contact.as_ref().and_then(Contact::recipient).map_or(asked, str::to_owned),
            doubt,
            shared_with: Vec::new(),
        })
    }

    /// The recipient that an operator names by number, user id or username.
    async fn meant(&self, contact: &str) -> Result<String, DirectoryError> {
        let why = match recipient(contact) {
            Ok(address) => return Ok(address),
            Err(why) => why,
        };
        let Some(person) = self.store.find_person(contact).await? else {
            return Err(DirectoryError::Invalid(why));
        };
        person
            .contact
            .as_ref()
            .and_then(Contact::recipient)
            .map(str::to_owned)
            .ok_or_else(|| DirectoryError::Invalid(format!("{contact} has no WhatsApp number linked")))
    }

    async fn groups_exist(&self, names: &[String]) -> Result<(), DirectoryError> {
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let known = self.store.group_names(&asked).await?;
        let unknown: Vec<String> = names.iter().filter(|name| !known.contains(name)).cloned().collect();
        if unknown.is_empty() { Ok(()) } else { Err(self.unknown_groups(unknown).await?) }
    }

    async fn unknown_groups(&self, unknown: Vec<String>) -> Result<DirectoryError, StoreError> {
        let known = self.store.first_groups(MEANT).await?;
        Ok(DirectoryError::GroupUnknown { unknown, known })
    }

    async fn people_exist(&self, usernames: &[&str]) -> Result<(), DirectoryError> {
        let known = self.store.usernames(usernames).await?;
        let unknown: Vec<String> = usernames
            .iter()
            .filter(|username| !known.iter().any(|known| known == *username))
            .map(|username| (*username).to_owned())
            .collect();
        if unknown.is_empty() { Ok(()) } else { Err(DirectoryError::PersonUnknown(unknown)) }
    }
}

fn check_username(username: &str) -> Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '+' | '-' | '_');
    if (1..=NAME_LIMIT).contains(&username.chars().count()) && username.chars().all(fits) {
        return Ok(());
    }
    let username = shown(username);
    Err(format!("invalid username {username}: expected 1 to {NAME_LIMIT} letters, digits, or @ . + - _"))
}

fn checked_name(what: &str, name: &str) -> Result<String, String> {
    let name = name.trim();
    if (1..=NAME_LIMIT).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(format!("{what} must have 1 to {NAME_LIMIT} characters on one line, got {}", shown(name)))
}

/// A value in quotes, cut where it is long.
fn shown(value: &str) -> String {
    let mut letters = value.chars();
    let start: String = letters.by_ref().take(NAME_LIMIT).collect();
    if letters.next().is_some() { format!("{start:?}…") } else { format!("{start:?}") }
}

impl Editor {
    /// Links a WhatsApp user who is known already, by any present or former number or user id, to a person.
    ///
    /// # Errors
    /// If the contact or the person does not exist.
    pub async fn link_contact(&self, contact: &str, username: &str) -> Result<(), DirectoryError> {
        let asked = recipient(contact).map_err(DirectoryError::Invalid)?;
        if self.store.contacts(&BTreeSet::from([asked])).await?.is_empty() {
            return Err(DirectoryError::ContactUnknown(contact.to_owned()));
        }
        let whatsapp = Some(Some(contact.to_owned()));
        self.apply(username, &PersonChange { whatsapp, ..PersonChange::default() }, None).await?;
        self.record("contact.link", json!({"contact": recorded(contact), "person": username}), 1).await
    }

    /// Sets the language in which a WhatsApp user reads, or removes it. They are named by any present or former number or
    /// user id, or by the username of a linked person.
    ///
    /// # Errors
    /// If it is none of these, or no language code.
    pub async fn set_language(&self, contact: &str, language: Option<&str>) -> Result<(), DirectoryError> {
        let asked = self.meant(contact).await?;
        let language = language.map(domain::language).transpose();
        let language =
            language.map_err(|why| DirectoryError::Values(vec![ValueError { member: "language", why }]))?;
        self.store.set_contact_language(&asked, language.as_deref()).await?;
        self.record("contact.language", json!({"contact": recorded(contact), "language": language}), 1).await
    }
}

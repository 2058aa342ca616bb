//! People, groups and contacts, as operators manage them on the command line and over HTTP.
//!
//! A person is a member of staff; a contact is a WhatsApp user. A person gets messages while they are active and linked
//! to a contact. Numbers are stored as WhatsApp last reported them.

mod error;
mod http;
mod import;

use std::collections::{BTreeSet, HashSet};

use hookswitch_core::{
    domain::{Contact, OptOutScope, Preference, QuietHours, number},
    plan::recipient,
};
use jiff::Timestamp;

pub use self::{
    error::DirectoryError,
    http::{ContactJson, GroupJson, PersonJson, router, routes},
    import::{Import, LineError, read_csv},
};
use crate::store::{Imported, NewPerson, Store, StoreError, StoredContact, StoredGroup, StoredPerson};

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

    /// Adds a person to these groups, linked to this number.
    ///
    /// # Errors
    /// If the username is taken, or a value is invalid or does not exist.
    pub async fn add_person(
        &self,
        username: &str,
        name: &str,
        whatsapp: Option<&str>,
        groups: &[String],
    ) -> Result<Option<Linked>, DirectoryError> {
        check_username(username).map_err(DirectoryError::Invalid)?;
        let name = checked_name("name", name).map_err(DirectoryError::Invalid)?;
        let linked = match whatsapp {
            Some(text) => Some(self.address(text).await?),
            None => None,
        };
        self.groups_exist(groups).await?;
        let person = NewPerson {
            username: username.to_owned(),
            name,
            address: linked.as_ref().map(|linked| linked.address.clone()),
            groups: groups.to_vec(),
            quiet_hours: None,
        };
        self.store.add_person(&person).await.map_err(|error| match error {
            StoreError::Conflict(_) => DirectoryError::PersonExists(username.to_owned()),
            error => error.into(),
        })?;
        Ok(linked)
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

    /// Renames, activates or deactivates a person; only active people get messages.
    ///
    /// # Errors
    /// If the person does not exist.
    pub async fn update_person(
        &self,
        username: &str,
        name: Option<&str>,
        active: Option<bool>,
    ) -> Result<(), DirectoryError> {
        let name =
            name.map(|name| checked_name("name", name)).transpose().map_err(DirectoryError::Invalid)?;
        if self.store.update_person(username, name.as_deref(), active).await? {
            return Ok(());
        }
        Err(DirectoryError::PersonUnknown(vec![username.to_owned()]))
    }

    /// Links a person to the WhatsApp user with this number or user id.
    ///
    /// # Errors
    /// If it is neither, or the person does not exist.
    pub async fn link(&self, username: &str, whatsapp: &str) -> Result<Linked, DirectoryError> {
        let linked = self.address(whatsapp).await?;
        if self.store.link_person(username, Some(&linked.address)).await? {
            return Ok(linked);
        }
        Err(DirectoryError::PersonUnknown(vec![username.to_owned()]))
    }

    /// Removes a person's link; the contact remains.
    ///
    /// # Errors
    /// If the person does not exist.
    pub async fn unlink(&self, username: &str) -> Result<(), DirectoryError> {
        if self.store.link_person(username, None).await? {
            return Ok(());
        }
        Err(DirectoryError::PersonUnknown(vec![username.to_owned()]))
    }

    /// A page of groups, ordered by name.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn groups(&self, after: &str, limit: i64) -> Result<Vec<StoredGroup>, DirectoryError> {
        Ok(self.store.list_groups(after, limit).await?)
    }

    /// The group with this name.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn group(&self, name: &str) -> Result<StoredGroup, DirectoryError> {
        match self.store.find_group(name).await? {
            Some(group) => Ok(group),
            None => Err(self.unknown_groups(vec![name.to_owned()]).await?),
        }
    }

    /// Creates the groups that do not exist yet and returns their names.
    ///
    /// # Errors
    /// If a name is invalid.
    pub async fn create_groups(&self, names: &[&str]) -> Result<Vec<String>, DirectoryError> {
        for name in names {
            let checked = checked_name("the group name", name).map_err(DirectoryError::Invalid)?;
            if checked != *name {
                return Err(DirectoryError::Invalid(format!(
                    "the group name {name:?} must not begin or end with spaces"
                )));
            }
        }
        Ok(self.store.create_groups(names).await?)
    }

    /// Deletes a group, but not its people.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn delete_group(&self, name: &str) -> Result<(), DirectoryError> {
        if self.store.delete_group(name).await? {
            return Ok(());
        }
        Err(self.unknown_groups(vec![name.to_owned()]).await?)
    }

    /// Adds people to a group, all or none, and returns those who were not in it.
    ///
    /// # Errors
    /// If the group or one of the people does not exist.
    pub async fn add_members(&self, group: &str, usernames: &[&str]) -> Result<Vec<String>, DirectoryError> {
        self.groups_exist(&[group.to_owned()]).await?;
        self.people_exist(usernames).await?;
        Ok(self.store.add_members(group, usernames).await?)
    }

    /// Removes people from a group, all or none, and returns those who were in it.
    ///
    /// # Errors
    /// If the group or one of the people does not exist.
    pub async fn remove_members(
        &self,
        group: &str,
        usernames: &[&str],
    ) -> Result<Vec<String>, DirectoryError> {
        self.groups_exist(&[group.to_owned()]).await?;
        self.people_exist(usernames).await?;
        Ok(self.store.remove_members(group, usernames).await?)
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
    /// id, or by the username of a linked person.
    ///
    /// # Errors
    /// If it is none of these.
    pub async fn opt_out(&self, contact: &str, scope: OptOutScope) -> Result<(), DirectoryError> {
        self.prefer(contact, true, scope).await
    }

    /// Opts a WhatsApp user in again.
    ///
    /// # Errors
    /// If it is not a number, a user id or the username of a linked person.
    pub async fn opt_in(&self, contact: &str) -> Result<(), DirectoryError> {
        self.prefer(contact, false, OptOutScope::All).await
    }

    async fn prefer(&self, contact: &str, stop: bool, scope: OptOutScope) -> Result<(), DirectoryError> {
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
        Ok(self.store.set_preferences(&[preference]).await?)
    }

    /// Sets or removes a person's quiet hours: messages that are not urgent wait until they end.
    ///
    /// # Errors
    /// If the person does not exist.
    pub async fn set_quiet_hours(
        &self,
        username: &str,
        quiet: Option<&QuietHours>,
    ) -> Result<(), DirectoryError> {
        if self.store.set_quiet_hours(username, quiet).await? {
            return Ok(());
        }
        Err(DirectoryError::PersonUnknown(vec![username.to_owned()]))
    }

    /// Adds people from CSV, and updates those whose usernames exist; all or nothing. `told` is called with the number of
    /// lines that are done.
    ///
    /// # Errors
    /// With each invalid line.
    pub async fn import(
        &self,
        csv: &[u8],
        told: &mut (dyn FnMut(usize) + Send),
    ) -> Result<Imported, DirectoryError> {
        let Import { people, mut errors } = read_csv(csv);
        let named: BTreeSet<&str> =
            people.iter().flat_map(|(_, person)| person.groups.iter().map(String::as_str)).collect();
        let known = self.store.group_names(&Vec::from_iter(named)).await?;
        let known: HashSet<String> = known.into_iter().collect();
        for (line, person) in &people {
            for group in person.groups.iter().filter(|group| !known.contains(*group)) {
                let unknown = self.unknown_groups(vec![group.clone()]).await?;
                errors.push(LineError { line: *line, detail: unknown.with_help() });
            }
        }
        if !errors.is_empty() {
            errors.sort_by_key(|error| error.line);
            return Err(DirectoryError::Lines(errors));
        }
        let people: Vec<NewPerson> = people.into_iter().map(|(_, person)| person).collect();
        Ok(self.store.import_people(&people, told).await?)
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
    Err(format!("invalid username {username:?}: expected 1 to {NAME_LIMIT} letters, digits, or @ . + - _"))
}

fn checked_name(what: &str, name: &str) -> Result<String, String> {
    let name = name.trim();
    if (1..=NAME_LIMIT).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(format!("{what} must have 1 to {NAME_LIMIT} characters on one line, got {name:?}"))
}

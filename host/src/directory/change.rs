//! Adding and changing a person: all that is wrong is reported at once, and a refusal changes nothing.

use hookswitch_core::domain::{QuietHours, language};
use serde_json::json;

use super::{Directory, DirectoryError, Editor, Linked, ValueError, check_username, checked_name};
use crate::store::{ChangedPerson, NewPerson, StoreError};

/// Quiet hours as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHoursText {
    /// Two times of the day, for example `21:00-06:30`.
    pub hours: String,
    /// A time zone of the IANA database.
    pub time_zone: String,
}

impl QuietHoursText {
    fn parse(&self) -> Result<QuietHours, String> {
        QuietHours::parse(&self.hours, &self.time_zone)
    }
}

/// A person to add, as an operator writes it.
#[derive(Clone, Debug, Default)]
pub struct PersonToAdd {
    /// Unique.
    pub username: String,
    /// The name that messages show.
    pub name: String,
    /// A number with its country code, or Meta's user id.
    pub whatsapp: Option<String>,
    /// Names of existing groups.
    pub groups: Vec<String>,
    /// When only urgent messages are sent.
    pub quiet_hours: Option<QuietHoursText>,
    /// Language in which they read, for example `pt_BR`.
    pub language: Option<String>,
}

/// Changes to a person, as an operator writes them. What is absent stays; `Some(None)` removes.
#[derive(Clone, Debug, Default)]
pub struct PersonChange {
    /// The new name.
    pub name: Option<String>,
    /// Whether they get messages.
    pub active: Option<bool>,
    /// A number with its country code, or Meta's user id, to link them to.
    pub whatsapp: Option<Option<String>>,
    /// When only urgent messages are sent.
    pub quiet_hours: Option<Option<QuietHoursText>>,
    /// Language in which they read, for example `pt_BR`.
    pub language: Option<Option<String>>,
}

impl PersonChange {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    /// The names of what changes. Numbers are not recorded.
    fn members(&self) -> Vec<&'static str> {
        let PersonChange { name, active, whatsapp, quiet_hours, language } = self;
        let members = [
            ("name", name.is_some()),
            ("active", active.is_some()),
            ("whatsapp", whatsapp.is_some()),
            ("quiet_hours", quiet_hours.is_some()),
            ("language", language.is_some()),
        ];
        members.into_iter().filter_map(|(name, changes)| changes.then_some(name)).collect()
    }
}

/// What is wrong with the values of a request.
#[derive(Default)]
struct Wrong(Vec<ValueError>);

impl Wrong {
    /// The value, or nothing where it is wrong.
    fn take<T>(&mut self, member: &'static str, value: Result<T, String>) -> Option<T> {
        value.map_err(|why| self.0.push(ValueError { member, why })).ok()
    }
}

impl Editor {
    /// Adds a person to these groups, linked to this number.
    ///
    /// # Errors
    /// If the username is taken, or values are invalid or do not exist.
    pub async fn add_person(&self, person: &PersonToAdd) -> Result<Option<Linked>, DirectoryError> {
        let mut wrong = Wrong::default();
        wrong.take("username", check_username(&person.username));
        let name = wrong.take("name", checked_name("name", &person.name));
        let linked = self.linked(person.whatsapp.as_deref(), &mut wrong).await?;
        let quiet_hours = person.quiet_hours.as_ref().map(QuietHoursText::parse).transpose();
        let quiet_hours = wrong.take("quiet_hours", quiet_hours).flatten();
        let language = person.language.as_deref().map(language).transpose();
        let language = wrong.take("language", language).flatten();
        let (Some(name), true) = (name, wrong.0.is_empty()) else {
            return Err(DirectoryError::Values(wrong.0));
        };
        self.groups_exist(&person.groups).await?;
        let new = NewPerson {
            username: person.username.clone(),
            name,
            address: linked.as_ref().map(|linked| linked.address.clone()),
            groups: person.groups.clone(),
            quiet_hours,
            language,
        };
        self.store.add_person(&new).await.map_err(|error| match error {
            StoreError::Conflict(_) => DirectoryError::PersonExists(person.username.clone()),
            error => error.into(),
        })?;
        self.record("person.add", json!({"person": person.username, "groups": person.groups}), 1).await?;
        self.shared(&person.username, linked).await
    }

    /// Changes a person, all or nothing. Returns the new link if it was changed.
    ///
    /// # Errors
    /// If the person does not exist, or values are invalid.
    pub async fn change(
        &self,
        username: &str,
        change: &PersonChange,
    ) -> Result<Option<Linked>, DirectoryError> {
        self.change_version(username, change, None).await
    }

    /// Like [`Editor::change`], but only this version of the person.
    ///
    /// # Errors
    /// Also if somebody else has changed the person.
    pub async fn change_version(
        &self,
        username: &str,
        change: &PersonChange,
        version: Option<&str>,
    ) -> Result<Option<Linked>, DirectoryError> {
        let linked = self.apply(username, change, version).await?;
        self.record("person.change", json!({"person": username, "changed": change.members()}), 1).await?;
        Ok(linked)
    }

    pub(super) async fn apply(
        &self,
        username: &str,
        change: &PersonChange,
        version: Option<&str>,
    ) -> Result<Option<Linked>, DirectoryError> {
        let mut wrong = Wrong::default();
        let name = change.name.as_ref().map(|name| checked_name("name", name)).transpose();
        let name = wrong.take("name", name).flatten();
        let linked = self.linked(change.whatsapp.as_ref().and_then(Option::as_deref), &mut wrong).await?;
        let quiet_hours = match &change.quiet_hours {
            None => None,
            Some(None) => Some(None),
            Some(Some(text)) => wrong.take("quiet_hours", text.parse()).map(Some),
        };
        let language = match &change.language {
            None => None,
            Some(None) => Some(None),
            Some(Some(text)) => wrong.take("language", language(text)).map(Some),
        };
        if !wrong.0.is_empty() {
            return Err(DirectoryError::Values(wrong.0));
        }
        let changed = ChangedPerson {
            name,
            active: change.active,
            address: change.whatsapp.as_ref().map(|_| linked.as_ref().map(|linked| linked.address.clone())),
            quiet_hours,
            language,
        };
        if !self.store.change_person(username, &changed, version).await? {
            if version.is_some() {
                return Err(DirectoryError::Changed);
            }
            return Err(DirectoryError::PersonUnknown(vec![username.to_owned()]));
        }
        self.shared(username, linked).await
    }
}

impl Directory {
    async fn linked(
        &self,
        whatsapp: Option<&str>,
        wrong: &mut Wrong,
    ) -> Result<Option<Linked>, DirectoryError> {
        let Some(text) = whatsapp else { return Ok(None) };
        match self.address(text).await {
            Ok(linked) => Ok(Some(linked)),
            Err(DirectoryError::Invalid(why)) => Ok(wrong.take("whatsapp", Err(why))),
            Err(error) => Err(error),
        }
    }

    /// A link with the others who have it.
    async fn shared(&self, username: &str, linked: Option<Linked>) -> Result<Option<Linked>, DirectoryError> {
        let Some(linked) = linked else { return Ok(None) };
        let person = self.store.find_person(username).await?;
        let shared_with = person.map(|person| person.shared_with).unwrap_or_default();
        Ok(Some(Linked { shared_with, ..linked }))
    }
}

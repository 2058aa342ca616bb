//! People, groups and contacts.

use serde_json::json;

use super::{Operate, Operator};
use crate::{
    directory::{Directory, DirectoryError, PersonChange, QuietHoursText},
    store::{StoreError, StoredContact, StoredGroup, StoredPerson},
};

impl Operate {
    /// People in the order of their usernames, after one of them; all, or those of a group.
    pub async fn people(
        &self,
        group: Option<&str>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<StoredPerson>, StoreError> {
        self.store.list_people(group, after, limit).await
    }

    /// The person with this username.
    pub async fn person(&self, username: &str) -> Result<Option<StoredPerson>, StoreError> {
        self.store.find_person(username).await
    }

    /// Groups in the order of their names, after one of them.
    pub async fn groups(&self, after: &str, limit: i64) -> Result<Vec<StoredGroup>, StoreError> {
        self.store.list_groups(after, limit).await
    }

    /// Contacts in the order in which they were created, after one of them; all, or those that no person is linked to.
    pub async fn contacts(
        &self,
        unlinked: bool,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredContact>, StoreError> {
        self.store.list_contacts(unlinked, after, limit).await
    }

    /// Sets the quiet hours of a person, or removes them, and records that.
    ///
    /// # Errors
    /// If the person does not exist, or the hours are invalid.
    pub async fn set_quiet_hours(
        &self,
        by: &Operator,
        username: &str,
        hours: Option<QuietHoursText>,
    ) -> Result<(), DirectoryError> {
        let what = json!({"person": username, "hours": hours.as_ref().map(|of| &of.hours)});
        let change = PersonChange { quiet_hours: Some(hours), ..PersonChange::default() };
        Directory::new(self.store.clone()).change(username, &change).await?;
        Ok(self.store.record_action(&by.act("person.quiet_hours", &what, None), 1).await?)
    }
}

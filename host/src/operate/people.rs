//! People, groups and contacts.

use super::{Operate, Operator};
use crate::{
    directory::{Directory, Editor},
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

    /// The directory in the hands of an operator, who can change people, groups and contacts; each change is recorded.
    pub fn directory(&self, by: &Operator) -> Editor {
        Directory::new(self.store.clone()).by(&by.who, by.way)
    }
}

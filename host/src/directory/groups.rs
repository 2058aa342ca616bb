//! Groups, their members, and what uses them.

use std::{collections::HashSet, fmt};

use hookswitch_core::catalog::Catalog;
use serde_json::json;

use super::{Directory, DirectoryError, Editor, ValueError, checked_name};
use crate::store::{StoreError, StoredGroup};

/// Maximum number of rules that are listed.
const LISTED: usize = 10;

/// What uses a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupUse {
    /// Places of the rules that name it.
    pub rules: Vec<String>,
    /// Scripts and plugins that decided for it lately.
    pub decided_by: Vec<String>,
    /// Number of digests that wait for it.
    pub digests: usize,
}

impl GroupUse {
    /// Whether nothing is known to use it.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.decided_by.is_empty() && self.digests == 0
    }
}

/// As the end of a sentence: `named in groups.yaml and orders/routes.yaml:3; 1 digest waits for it`.
impl fmt::Display for GroupUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.rules.is_empty() {
            parts.push(format!("named in {}", some(&self.rules)));
        }
        if !self.decided_by.is_empty() {
            parts.push(format!("lately told by {}", some(&self.decided_by)));
        }
        match self.digests {
            0 => {}
            1 => parts.push("1 digest waits for it".to_owned()),
            more => parts.push(format!("{more} digests wait for it")),
        }
        f.write_str(&parts.join("; "))
    }
}

fn some(places: &[String]) -> String {
    let first = places.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    match places.len().checked_sub(LISTED) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {more} more"),
    }
}

impl Directory {
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

    /// What uses a group, by the rules as they are, if these are known, and by what was decided.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn group_use(
        &self,
        name: &str,
        rules: impl IntoIterator<Item = &Catalog>,
    ) -> Result<GroupUse, DirectoryError> {
        let mut mentions: Vec<String> =
            rules.into_iter().flat_map(|rules| rules.mentions_of_group(name)).collect();
        let mut known = HashSet::new();
        mentions.retain(|mention| known.insert(mention.clone()));
        self.groups_exist(&[name.to_owned()]).await?;
        Ok(GroupUse {
            rules: mentions,
            decided_by: self.store.rules_that_told_group(name).await?,
            digests: self.store.count_digests_for_group(name).await?,
        })
    }
}

impl Editor {
    /// Creates the groups that do not exist yet and returns their names.
    ///
    /// # Errors
    /// If a name is invalid.
    pub async fn create_groups(&self, names: &[&str]) -> Result<Vec<String>, DirectoryError> {
        for name in names {
            check_group_name(name).map_err(DirectoryError::Invalid)?;
        }
        let created = self.store.create_groups(names, None).await?;
        self.record("group.create", json!({"groups": created}), created.len()).await?;
        Ok(created)
    }

    /// Renames a group; its members, and digests that wait for it, stay with it.
    ///
    /// # Errors
    /// If it does not exist, the new name is invalid or taken, or it is not this version any more.
    pub async fn rename_group(
        &self,
        old: &str,
        new: &str,
        version: Option<&str>,
    ) -> Result<(), DirectoryError> {
        check_group_name(new)
            .map_err(|why| DirectoryError::Values(vec![ValueError { member: "name", why }]))?;
        match self.store.rename_group(old, new, version).await {
            Ok(true) => self.record("group.rename", json!({"group": old, "name": new}), 1).await,
            Ok(false) if version.is_some() => Err(DirectoryError::Changed),
            Ok(false) => Err(self.unknown_groups(vec![old.to_owned()]).await?),
            Err(StoreError::Conflict(_)) => Err(DirectoryError::GroupExists(new.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a group, but not its people.
    ///
    /// # Errors
    /// If it does not exist, or is not this version any more.
    pub async fn delete_group(&self, name: &str, version: Option<&str>) -> Result<(), DirectoryError> {
        if self.store.delete_group(name, version).await? {
            return self.record("group.delete", json!({"group": name}), 1).await;
        }
        if version.is_some() {
            return Err(DirectoryError::Changed);
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
        let added = self.store.add_members(group, usernames).await?;
        self.record("group.add_members", json!({"group": group, "people": added}), added.len()).await?;
        Ok(added)
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
        let removed = self.store.remove_members(group, usernames).await?;
        self.record("group.remove_members", json!({"group": group, "people": removed}), removed.len())
            .await?;
        Ok(removed)
    }
}

fn check_group_name(name: &str) -> Result<(), String> {
    match checked_name("the group name", name)? == name {
        true => Ok(()),
        false => Err(format!("the group name {name:?} must not begin or end with spaces")),
    }
}

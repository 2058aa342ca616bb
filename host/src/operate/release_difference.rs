//! What differs between two releases: files, line by line, and what the rules consist of.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hookswitch_core::catalog::Outline;
use serde::Serialize;
use similar::TextDiff;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::{ActivationError, Operate};
use crate::{
    releases::ReleaseError,
    store::{ReleaseFile, StoreError},
};

/// Maximum size of a file whose lines are compared, in bytes.
const COMPARED: i64 = 256 * 1024;
/// Maximum size of all lines that are shown, in bytes.
const SHOWN: usize = 512 * 1024;
/// How long the lines of one file are compared at most; what follows is then shown as changed.
const PATIENCE: Duration = Duration::from_millis(500);

/// What differs between two releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReleaseDifference {
    /// The id of the one.
    pub from: String,
    /// The id of the other.
    pub to: String,
    /// What the rules consist of: routes, templates, plugins and groups that differ. Empty if one of them does not compile.
    pub parts: Vec<PartChange>,
    /// The files that differ, by path.
    pub files: Vec<FileChange>,
}

/// A route, template, plugin or group that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartChange {
    /// `route`, `template`, `plugin` or `group`.
    pub kind: String,
    /// A route by its file and event types, a template by its file, a plugin by its id, a group by its name.
    pub name: String,
    /// How it differs.
    pub change: Change,
    /// What the route did, or how the group was described; null for templates and plugins, and for what was added.
    pub before: Option<String>,
    /// What the route does, or how the group is described; null for templates and plugins, and for what was removed.
    pub after: Option<String>,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FileChange {
    /// `rules/…` or `plugins/…`.
    pub path: String,
    /// How it differs.
    pub change: Change,
    /// The lines, as a unified diff; null for what is no text, and for what is larger than 256 KiB.
    pub diff: Option<String>,
}

/// How something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReleaseChange)]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is different.
    Changed,
}

impl Change {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
        }
    }

    fn of<T: PartialEq>(before: Option<&T>, after: Option<&T>) -> Option<Change> {
        match (before, after) {
            (None, Some(_)) => Some(Change::Added),
            (Some(_), None) => Some(Change::Removed),
            (Some(before), Some(after)) if before != after => Some(Change::Changed),
            _ => None,
        }
    }
}

impl Operate {
    /// What differs between two releases, which are named by the beginnings of their ids.
    ///
    /// # Errors
    /// If one of them is unknown.
    pub async fn diff_releases(&self, from: &str, to: &str) -> Result<ReleaseDifference, ActivationError> {
        let (from, to) = (self.found(from).await?.id, self.found(to).await?.id);
        let parts = match tokio::try_join!(self.outline(&from), self.outline(&to))? {
            (Some(before), Some(after)) => part_changes(&before, &after),
            _ => Vec::new(),
        };
        let (before, after) =
            tokio::try_join!(self.store.release_files(&from), self.store.release_files(&to))?;
        let (before, after) = (by_path(before), by_path(after));
        let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let (mut files, mut shown) = (Vec::new(), 0);
        for path in paths {
            let (was, is) = (before.get(path), after.get(path));
            let (hash_before, hash_after) = (was.map(|file| &file.sha256), is.map(|file| &file.sha256));
            let Some(change) = Change::of(hash_before, hash_after) else { continue };
            let diff = match shown < SHOWN {
                true => self.lines(path, was, is).await?,
                false => None,
            };
            shown += diff.as_ref().map_or(0, String::len);
            files.push(FileChange { path: path.clone(), change, diff });
        }
        Ok(ReleaseDifference { from, to, parts, files })
    }

    async fn outline(&self, release: &str) -> Result<Option<Outline>, StoreError> {
        let stored = self.store.release_outline(release).await?;
        let read = |text: String| serde_json::from_str(&text);
        stored.map(read).transpose().map_err(|error| StoreError::Row(format!("a release's outline: {error}")))
    }

    /// The lines that differ; `None` if one of the files is no text, or is too large.
    async fn lines(
        &self,
        path: &str,
        before: Option<&ReleaseFile>,
        after: Option<&ReleaseFile>,
    ) -> Result<Option<String>, ReleaseError> {
        let (Some(before), Some(after)) = (self.text(before).await?, self.text(after).await?) else {
            return Ok(None);
        };
        let path = path.to_owned();
        let compared = spawn_blocking(move || unified(&path, &before, &after)).await;
        compared
            .map(Some)
            .map_err(|error| ReleaseError::Io { what: "cannot compare".to_owned(), error: error.into() })
    }

    async fn text(&self, file: Option<&ReleaseFile>) -> Result<Option<String>, StoreError> {
        let Some(file) = file else { return Ok(Some(String::new())) };
        if file.size > COMPARED {
            return Ok(None);
        }
        let content = self.store.release_file(&file.sha256).await?.unwrap_or_default();
        Ok(String::from_utf8(content).ok().filter(|text| !text.contains('\0')))
    }
}

fn by_path(files: Vec<ReleaseFile>) -> BTreeMap<String, ReleaseFile> {
    files.into_iter().map(|file| (file.path.clone(), file)).collect()
}

fn unified(path: &str, before: &str, after: &str) -> String {
    let difference = TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    difference.unified_diff().header(&format!("a/{path}"), &format!("b/{path}")).to_string()
}

fn part_changes(before: &Outline, after: &Outline) -> Vec<PartChange> {
    let kinds = [
        ("route", &before.routes, &after.routes, true),
        ("template", &before.templates, &after.templates, false),
        ("plugin", &before.plugins, &after.plugins, false),
        ("group", &before.groups, &after.groups, true),
    ];
    let mut changes = Vec::new();
    for (kind, before, after, are_words) in kinds {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (was, is) = (before.get(name), after.get(name));
            let Some(change) = Change::of(was, is) else { continue };
            changes.push(PartChange {
                kind: kind.to_owned(),
                name: name.clone(),
                change,
                before: was.filter(|_| are_words).cloned(),
                after: is.filter(|_| are_words).cloned(),
            });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_go_and_change() {
        let mut before = Outline::default();
        before.routes.insert("a: x".to_owned(), "hello to Ops".to_owned());
        before.groups.insert("Ops".to_owned(), "They run it".to_owned());
        let mut after = Outline::default();
        after.routes.insert("a: x".to_owned(), "hello to Sales".to_owned());
        after.plugins.insert("stock".to_owned(), "abc".to_owned());
        let changes = part_changes(&before, &after);
        let told: Vec<_> =
            changes.iter().map(|part| (part.kind.as_str(), part.name.as_str(), part.change)).collect();
        let expected = [
            ("route", "a: x", Change::Changed),
            ("plugin", "stock", Change::Added),
            ("group", "Ops", Change::Removed),
        ];
        assert_eq!(told, expected);
        assert_eq!(changes[0].after.as_deref(), Some("hello to Sales"));
        assert_eq!(changes[1].after, None, "a hash is no word");
        assert!(part_changes(&after, &after).is_empty());
    }

    #[test]
    fn lines_are_a_unified_diff() {
        let diff = unified("rules/a.yaml", "one\ntwo\n", "one\nthree\n");
        assert_eq!(diff, "--- a/rules/a.yaml\n+++ b/rules/a.yaml\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n");
    }
}

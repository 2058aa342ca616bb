//! Importing people: from CSV, in one transaction.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::json;

use super::{
    Directory, DirectoryError, Editor, LineError, MEANT,
    csv::{PeopleFile, read_csv},
    error::LINES_SHOWN,
};
use crate::store::{ImportOptions, Imported, NewPerson, StoredPerson};

impl Editor {
    /// Adds people from CSV, and updates those whose usernames exist; all or nothing. `told` is called with the number of
    /// lines that are done.
    ///
    /// # Errors
    /// With each invalid line, or if an option needs what the file does not have.
    pub async fn import(
        &self,
        csv: &[u8],
        options: ImportOptions,
        told: &mut (dyn FnMut(usize) + Send),
    ) -> Result<Imported, DirectoryError> {
        let PeopleFile { people, mut errors, has_groups } = read_csv(csv);
        let named: BTreeSet<&str> =
            people.iter().flat_map(|(_, person)| person.groups.iter().map(String::as_str)).collect();
        let known = self.store.group_names(&Vec::from_iter(named.clone())).await?;
        let known: HashSet<&str> = known.iter().map(String::as_str).collect();
        let unknown: Vec<&str> = named.into_iter().filter(|name| !known.contains(name)).collect();
        let unknown = self.why_unknown(&unknown).await?;
        for (line, person) in &people {
            let details = person.groups.iter().filter_map(|group| unknown.get(group.as_str()));
            errors.extend(details.map(|detail| LineError { line: *line, detail: detail.clone() }));
        }
        if !errors.is_empty() {
            errors.sort_by_key(|error| error.line);
            return Err(DirectoryError::Lines(errors));
        }
        // Either would take out everybody.
        if options.exact_groups && !has_groups {
            let why =
                "the file has no column groups, so exact groups would remove its people from all groups";
            return Err(DirectoryError::Invalid(why.to_owned()));
        }
        if options.deactivate_missing && people.is_empty() {
            let why = "the file names nobody, so everybody would be deactivated";
            return Err(DirectoryError::Invalid(why.to_owned()));
        }
        let people: Vec<NewPerson> = people.into_iter().map(|(_, person)| person).collect();
        let imported = self.store.import_people(&people, options, told).await?;
        if !options.dry_run {
            let Imported { added, updated, deactivated, .. } = &imported;
            let (added, updated, deactivated) = (added.len(), updated.len(), deactivated.len());
            let what = json!({"added": added, "updated": updated, "deactivated": deactivated});
            self.record("people.import", what, added + updated + deactivated).await?;
        }
        Ok(imported)
    }
}

impl Directory {
    /// What is wrong with unknown groups, with the names that were probably meant.
    async fn why_unknown<'a>(&self, unknown: &[&'a str]) -> Result<HashMap<&'a str, String>, DirectoryError> {
        if unknown.is_empty() {
            return Ok(HashMap::new());
        }
        let known = self.store.first_groups(MEANT).await?;
        let why = |(n, name): (usize, &&'a str)| {
            // To look for a similar name takes time, and more lines are not shown.
            let known = if n < LINES_SHOWN { known.clone() } else { Vec::new() };
            let error = DirectoryError::GroupUnknown { unknown: vec![(*name).to_owned()], known };
            (*name, error.with_help())
        };
        Ok(unknown.iter().enumerate().map(why).collect())
    }
}

/// What an import changes of a person, in words.
pub fn differences(before: &StoredPerson, after: &StoredPerson) -> Vec<String> {
    let mut words = Vec::new();
    if before.name != after.name {
        words.push(format!("name {:?} to {:?}", before.name, after.name));
    }
    if before.contact != after.contact {
        words.push(format!("WhatsApp {} to {}", address(before), address(after)));
    }
    let quiet = |person: &StoredPerson| {
        person.quiet_hours.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
    };
    if before.quiet_hours != after.quiet_hours {
        words.push(format!("quiet hours {} to {}", quiet(before), quiet(after)));
    }
    if before.language != after.language {
        let language = |person: &StoredPerson| person.language.clone().unwrap_or_else(|| "none".to_owned());
        words.push(format!("language {} to {}", language(before), language(after)));
    }
    let others = |of: &StoredPerson, than: &StoredPerson| {
        let names: Vec<String> =
            of.groups.iter().filter(|name| !than.groups.contains(name)).cloned().collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    words.extend(others(after, before).map(|groups| format!("added to {groups}")));
    words.extend(others(before, after).map(|groups| format!("removed from {groups}")));
    words
}

fn address(person: &StoredPerson) -> String {
    match person.contact.as_ref().map(|contact| (&contact.wa_id, &contact.user_id)) {
        Some((Some(wa_id), _)) => format!("+{wa_id}"),
        Some((None, Some(user_id))) => user_id.clone(),
        _ => "not linked".to_owned(),
    }
}

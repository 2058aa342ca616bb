//! Whom the decisions of a replay reach: people, groups and opt-outs as they are now, or those of a file. Groups are read once.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use hookswitch_core::{
    domain::{Outcome, People, Verdict},
    plan::{asked_for_opt_outs, named},
};

use super::{judge::Judged, report::ReplayReport};
use crate::store::{Store, StoreError};

/// Members of a group that are looked at, at most.
const MEMBERS: usize = 1_000;

/// What is known of people.
pub(super) struct Audience {
    /// Where they are looked up; `None` if all are known.
    store: Option<Store>,
    people: Arc<People>,
    /// Groups that were asked for, whether or not they exist.
    groups: HashSet<String>,
}

impl Audience {
    /// Those of a database.
    pub fn of_database(store: Store) -> Audience {
        Audience { store: Some(store), people: Arc::default(), groups: HashSet::new() }
    }

    /// All that there are.
    pub fn of_all(people: People) -> Audience {
        Audience { store: None, people: Arc::new(people), groups: HashSet::new() }
    }

    /// The people whom these events are about, as far as their messages must be planned.
    pub async fn of(
        &mut self,
        judged: &[Judged],
        report: &mut ReplayReport,
    ) -> Result<Arc<People>, StoreError> {
        let Some(store) = &self.store else { return Ok(self.people.clone()) };
        let verdicts: Vec<Verdict> = judged.iter().flat_map(to_plan).collect();
        if verdicts.is_empty() {
            return Ok(self.people.clone());
        }
        let names = named(&verdicts);
        let groups = std::mem::take(&mut Arc::make_mut(&mut self.people).groups);
        let mut people = People { groups, ..People::default() };
        let new: BTreeSet<&str> =
            names.groups.iter().map(String::as_str).filter(|group| !self.groups.contains(*group)).collect();
        if !new.is_empty() {
            store.some_members(&new, MEMBERS + 1, &mut people).await?;
            for group in &new {
                let members = people.groups.get_mut(*group);
                if let Some(members) = members.filter(|members| members.len() > MEMBERS) {
                    members.truncate(MEMBERS);
                    ReplayReport::name_in(&mut report.cut_groups, group);
                }
            }
            self.groups.extend(new.into_iter().map(str::to_owned));
        }
        if !names.users.is_empty() {
            store.users(&names.users, &mut people).await?;
        }
        if !names.contacts.is_empty() {
            people.contacts = store.contacts(&names.contacts).await?;
            people.addresses = names.addresses;
        }
        let asked = asked_for_opt_outs(&verdicts, &people);
        if !asked.is_empty() {
            people.opt_outs = store.opt_outs(&asked).await?;
        }
        self.people = Arc::new(people);
        Ok(self.people.clone())
    }
}

/// The decisions whose messages are planned.
fn to_plan(judged: &Judged) -> impl Iterator<Item = Verdict> {
    let then = judged.then.iter().filter(|then| then.was_told).map(|then| Verdict {
        rule: None,
        outcome: Outcome::Notify(Box::new(then.decision.clone())),
        asked: [].into(),
    });
    let now = judged.now.iter().filter(|now| now.kept.is_none() && !now.is_duplicate);
    then.chain(now.map(|now| now.verdict.clone()))
}

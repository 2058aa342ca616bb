//! What users write, press and choose becomes events, where a rule is for them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hookswitch_core::domain::Preference;

use crate::{
    store::{Store, StoreError},
    system::{SystemEvent, answer, answer_type, new_events, preference_set, preference_type},
    whatsapp::webhooks::Inbound,
};

/// So many messages of a user become events in a [`MINUTE`]: two machines that answer each other come to an end.
const MOST: u32 = 30;
const MINUTE: Duration = Duration::from_secs(60);
/// So many users are counted at once.
const USERS: usize = 10_000;

/// Tells rules of what users do.
pub(super) struct Answers {
    /// Whether a rule is for events of this type.
    wants: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    counts: Mutex<HashMap<String, (Instant, u32)>>,
}

impl Answers {
    pub(super) fn new(wants: Arc<dyn Fn(&str) -> bool + Send + Sync>) -> Answers {
        Answers { wants, counts: Mutex::default() }
    }

    /// Appends the events. Each has Meta's id of the message, so that a repeated webhook changes nothing.
    pub(super) async fn tell(
        &self,
        store: &Store,
        inbound: &[Inbound],
        preferences: &[Preference],
    ) -> Result<(), StoreError> {
        let now = Instant::now();
        let inbound: Vec<&Inbound> = inbound
            .iter()
            .filter(|inbound| (self.wants)(answer_type(inbound)))
            .filter(|inbound| ids(inbound).next().is_some_and(|id| self.may_tell(id, now)))
            .collect();
        let preferences: Vec<&Preference> =
            preferences.iter().filter(|preference| (self.wants)(preference_type(preference))).collect();
        if inbound.is_empty() && preferences.is_empty() {
            return Ok(());
        }
        let ours: BTreeSet<&str> = inbound.iter().filter_map(|inbound| quoted(inbound)).collect();
        let answered = store.answered(&ours.into_iter().collect::<Vec<_>>()).await?;
        let of_preferences = preferences.iter().flat_map(|preference| &preference.recipients);
        let who: BTreeSet<&str> = inbound
            .iter()
            .flat_map(|inbound| ids(inbound))
            .chain(of_preferences.map(String::as_str))
            .collect();
        let people = store.writers(&who.into_iter().collect::<Vec<_>>()).await?;
        let told = inbound.iter().filter_map(|inbound| {
            let person = ids(inbound).find_map(|id| people.get(id));
            answer(inbound, person, quoted(inbound).and_then(|id| answered.get(id)))
        });
        let set = preferences.iter().filter_map(|preference| {
            let person = preference.recipients.iter().find_map(|id| people.get(id));
            preference_set(preference, person)
        });
        let events: Vec<SystemEvent> = told.chain(set).collect();
        store.append_own(&new_events(&events)).await?;
        // If it fails, the hosts find the events when they poll.
        let _ = store.notify().await;
        Ok(())
    }

    fn may_tell(&self, user: &str, now: Instant) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= USERS {
            counts.retain(|_, (since, _)| now.duration_since(*since) < MINUTE);
        }
        if counts.len() >= USERS && !counts.contains_key(user) {
            return true;
        }
        let (since, count) = counts.entry(user.to_owned()).or_insert((now, 0));
        if now.duration_since(*since) >= MINUTE {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        if *count == MOST + 1 {
            tracing::warn!(
                contact = user,
                most = MOST,
                "a user writes too often: for a minute from their first message, rules are not told of more"
            );
        }
        *count <= MOST
    }
}

fn ids(inbound: &Inbound) -> impl Iterator<Item = &str> {
    inbound.from.iter().chain(&inbound.other_wa_id).chain(&inbound.user_id).map(String::as_str)
}

fn quoted(inbound: &Inbound) -> Option<&str> {
    let reaction = inbound.content.reaction.as_ref().map(|reaction| &reaction.message_id);
    inbound.answers.as_ref().or(reaction).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_too_often_is_not_told_of_until_the_minute_is_over() {
        let answers = Answers::new(Arc::new(|_| true));
        let now = Instant::now();
        let told = |now| (0..100).filter(|_| answers.may_tell("1", now)).count();
        assert_eq!(told(now), 30);
        assert_eq!(told(now + MINUTE), 30);
        assert!(answers.may_tell("2", now), "others are");
    }
}

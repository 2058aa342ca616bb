//! Trying an event on a host: with its live rules, its sending numbers, and the people in the database.

use std::sync::Arc;

use hookswitch_core::{
    domain::{Event, Notification, People, Verdict},
    plan::{asked_for_opt_outs, named},
};
use jiff::Timestamp;
use tokio::task::{JoinError, spawn_blocking};

use super::{
    Operate, Setup,
    send::{PreparedMessage, SendError, TestMessage},
    trial::{Trial, TriedNotification, TriedWindow, is_open, planned, rehearse},
};
use crate::store::StoreError;

/// Maximum number of members of a group for whom messages are made.
const MEMBERS: usize = 1_000;
/// Maximum number of trials at once.
pub(super) const AT_ONCE: usize = 2;

/// Why an event could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The rules ended the thread that they ran on.
    #[error("the rules did not return: {0}")]
    Rules(#[from] JoinError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Setup {
    /// What the live rules make of an event at this time, for the people in the database: the first 1,000 members of each
    /// group. Nothing is sent or stored, and plugins get no network. At most two trials run at once; others wait.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn try_event(
        &self,
        event: Event,
        now: Timestamp,
        window: TriedWindow,
    ) -> Result<Trial, TrialError> {
        // The semaphore is never closed.
        let _turn = self.trials.acquire().await;
        // By the release that decides in the event's lane.
        let catalog = self.live.in_force().of_event(event.lane(), &event).clone();
        let event = Arc::new(event);
        let verdicts = {
            let (catalog, event) = (catalog.clone(), event.clone());
            spawn_blocking(move || rehearse(&catalog, &event, now)).await?
        };
        let people = self.operate.people_of(&verdicts).await?;
        let senders = self.settings.whatsapp_phone_number_id.clone();
        let (decided, mut trial) = spawn_blocking(move || {
            let decided = planned(&catalog, &senders, &people, &event, verdicts, now);
            let trial = Trial::new(&catalog, &event, &people, &decided, window, now);
            (decided, trial)
        })
        .await?;
        let planned = decided.iter().flat_map(|(_, planned)| &planned.notifications);
        let notifications: Vec<&Notification> = planned.map(|planned| &planned.notification).collect();
        let wishes = self.operate.store.wishes(&notifications).await?;
        let tried = trial.decisions.iter_mut().flat_map(|decision| &mut decision.notifications);
        for ((tried, notification), wishes) in tried.zip(notifications).zip(wishes) {
            tried.respect(notification, &wishes, now);
        }
        Ok(trial)
    }

    /// Makes a test message by the live rules without sending it, and shows it as its recipients would read it now.
    ///
    /// # Errors
    /// If it cannot be sent like this.
    pub async fn prepare_message(
        &self,
        message: TestMessage,
    ) -> Result<(PreparedMessage, Vec<TriedNotification>), SendError> {
        // The semaphore is never closed.
        let _turn = self.trials.acquire().await;
        let (catalog, senders) = (self.live.current(), &self.settings.whatsapp_phone_number_id);
        let prepared = self.operate.prepare_message(&catalog, senders, message).await?;
        let now = self.operate.now();
        let tried = |planned| TriedNotification::new(planned, is_open(&prepared.people, planned, now));
        let notifications = prepared.planned.notifications.iter().map(tried).collect();
        Ok((prepared, notifications))
    }
}

impl Operate {
    /// The people that verdicts name; of each group the first 1,000 members.
    pub(super) async fn people_of(&self, verdicts: &[Verdict]) -> Result<People, StoreError> {
        let names = named(verdicts);
        let groups = names.groups.iter().map(String::as_str).collect();
        let mut people = People::default();
        self.store.some_members(&groups, MEMBERS, &mut people).await?;
        self.store.users(&names.users, &mut people).await?;
        people.contacts = self.store.contacts(&names.contacts).await?;
        let asked = asked_for_opt_outs(verdicts, &people);
        if !asked.is_empty() {
            people.opt_outs = self.store.opt_outs(&asked).await?;
        }
        Ok(people)
    }
}

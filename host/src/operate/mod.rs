//! What operators list, look at and do, each once: for the command line, the HTTP API and the console.

mod act;
mod console;
mod contacts;
mod difference;
mod digests;
mod events;
mod export;
mod failed;
mod fix;
mod hosts;
mod jobs;
mod keys;
mod marks;
mod masked;
mod media;
mod notification;
mod numbers;
mod overview;
mod people;
mod plugins;
mod recorded_case;
mod rehearsal;
mod release_difference;
mod releases;
mod replay;
mod rules;
mod schedules;
mod send;
mod setup;
mod shadow;
mod switches;
mod template_report;
mod templates;
mod traffic;
mod trial;
mod unknown;
mod variants;
mod waiting;

use std::{sync::Arc, time::Duration};

use hookswitch_core::domain::{EventKey, NotificationId};
use jiff::Timestamp;
use tokio::sync::Notify;

pub use self::{
    act::Operator,
    difference::{DiffLine, LineChange, PartDifference, TemplateDifference, TemplateExample},
    digests::OpenDigest,
    events::Found,
    export::{ExportError, Exported},
    failed::{Choice, stored_recipient},
    fix::{FIXABLE, FixStep},
    hosts::HostState,
    jobs::run_jobs,
    keys::{KeyReport, check_key_name, check_key_source},
    marks::next_mark,
    masked::{
        events_without_personal, hide_personal, hide_recipient, history_without_personal, mask, masked,
        report_without_personal,
    },
    media::{Media, MediaError},
    notification::NotificationDetail,
    numbers::Numbers,
    plugins::ParkedEvents,
    recorded_case::{case_of_event, case_of_trial},
    rehearsal::TrialError,
    release_difference::ReleaseDifference,
    releases::{
        Activated, ActivationError, ActiveReleases, Checker, CreatedRelease, HowToActivate, NotActivated,
        ReleaseDetail, ReleaseReport,
    },
    replay::{
        EventDifference, FileReplayError, KeptReplay, NoReplay, NotCompared, Piece, Price, ReplayChanges,
        ReplayChoice, ReplayCost, ReplayDetail, ReplayDifference, ReplayError, ReplayEvent, ReplayExample,
        ReplayReport, ReplayTask, ReplayTotals, ThenNow, check_prices, replay_file, run_replays, word_diff,
    },
    rules::RuleMap,
    schedules::ScheduleState,
    send::{SendError, TestMessage},
    setup::{NewChecker, Setup},
    shadow::{CleanLimits, NewShadow, NoShadow, ShadowDetail, ShadowReport, run_shadows},
    switches::{Names, Switch, SwitchError},
    template_report::{TemplateReport, meaning_of, switch_of},
    templates::{Account, PushChoice, Pushed, TemplateList, TemplatesError, others},
    traffic::{SENT, Throughput},
    trial::{Trial, TriedDecision, TriedForm, TriedNotification, TriedWindow, planned},
    unknown::Resolution,
    variants::TemplateVariant,
    waiting::wrong_key,
};
use crate::store::{
    Action, ActionFilter, DeadLetter, DeadLetterFilter, Job, JobMessage, NotificationFilter,
    NotificationPage, Store, StoreError, UnknownNotification,
};

/// How long a page of a list is filled for at most. It may then be short, and says where to go on.
pub const LISTING: Duration = Duration::from_millis(50);
/// Of what waits for one reason, so many are counted where somebody waits for the answer.
pub const MOST_COUNTED: i64 = 2_000;
/// Events that are asked for in one statement.
const BATCH: usize = 1_000;

/// An operator's view of a database, and what an operator can do. Cheap to clone.
#[derive(Clone)]
pub struct Operate {
    store: Store,
    job_created: Arc<Notify>,
    replay_created: Arc<Notify>,
    overview: overview::Kept,
}

impl Operate {
    /// What can be done with this database.
    pub fn new(store: Store) -> Operate {
        Operate {
            store,
            job_created: Arc::default(),
            replay_created: Arc::default(),
            overview: Arc::default(),
        }
    }

    /// PostgreSQL's time.
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// A page of the notifications that a filter lets through, newest first.
    pub async fn notifications(
        &self,
        filter: &NotificationFilter,
        time: Duration,
    ) -> Result<NotificationPage, StoreError> {
        self.store.list_notifications(filter, time).await
    }

    /// Number of failed messages, counted up to `limit`, and when the oldest of them failed.
    pub async fn tally_failed(&self, limit: i64) -> Result<(i64, Option<Timestamp>), StoreError> {
        self.store.tally_dead_letters(limit).await
    }

    /// The failed messages that a filter lets through, oldest failure first, after a place.
    pub async fn failed(
        &self,
        filter: &DeadLetterFilter,
        after: Option<(Timestamp, NotificationId)>,
        limit: i64,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.store.dead_letters(filter, after, limit).await
    }

    /// The number of failed messages that a filter lets through.
    pub async fn count_failed(&self, filter: &DeadLetterFilter) -> Result<u64, StoreError> {
        self.store.count_dead_letters(filter).await
    }

    /// The messages whose delivery could not be confirmed, oldest first, after a place.
    pub async fn unknown(&self, after: i64, limit: i64) -> Result<Vec<UnknownNotification>, StoreError> {
        self.store.unknown(after, limit).await
    }

    /// What operators did, newest first.
    pub async fn actions(&self, filter: &ActionFilter) -> Result<Vec<Action>, StoreError> {
        self.store.actions(filter).await
    }

    /// Has events routed again; returns which of them will be. Each call is an action of its own.
    pub async fn rerun(&self, by: &Operator, events: &[EventKey]) -> Result<Vec<EventKey>, StoreError> {
        let ids: Vec<&str> = events.iter().map(|key| key.id.as_str()).collect();
        let mut act = by.act("events.rerun", &serde_json::json!({ "ids": ids }), None);
        let mut asked = Vec::new();
        for batch in events.chunks(BATCH) {
            asked.extend(self.store.rerun(batch, &mut act).await?);
        }
        self.store.notify().await?;
        Ok(asked)
    }

    /// A job by its id.
    pub async fn job(&self, id: i64) -> Result<Option<Job>, StoreError> {
        self.store.job(id).await
    }

    /// The messages that a job has changed, by their ids, after one of them.
    pub async fn job_messages(
        &self,
        id: i64,
        after: NotificationId,
        limit: i64,
    ) -> Result<Vec<JobMessage>, StoreError> {
        self.store.job_messages(id, after, limit).await
    }
}

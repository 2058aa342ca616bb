//! Replays that are kept: created, listed, shown.

use std::time::Duration;

use hookswitch_core::compare::ComparedMessage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    keys::Keys,
    prices::{Price, check_prices},
    report::{ReplayReport, ReplayTotals},
};
use crate::{
    operate::{
        ActivationError, Operate, Operator,
        masked::{hide_recipient, mask, with_masked_numbers},
    },
    releases::short,
    store::{NewReplay, PastFilter, ReplayState, StoreError, StoredReplay},
};

/// How long a replay belongs to the process that is at it, unless that says again that it is.
pub(in crate::operate) const HELD: Duration = Duration::from_secs(15);

/// Replays that wait for hosts or are made by them, at most.
const MOST_RUNNING: i64 = 10;
/// Types that a replay names, at most.
const TYPES: usize = 100;
/// Length of a type, at most, in bytes.
const TYPE: usize = 200;
/// One of so many events, at most.
const ONE_OF: u32 = 1_000_000;

/// Why a replay was not created.
#[derive(Debug, thiserror::Error)]
pub enum NoReplay {
    /// What is wrong with the choice of events.
    #[error("{0}")]
    Choice(String),
    /// The release.
    #[error(transparent)]
    Release(#[from] ActivationError),
    /// Too many are running.
    #[error("{MOST_RUNNING} replays are running; wait until one has ended")]
    TooMany,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which events are replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayChoice {
    /// Received since then.
    pub since: Timestamp,
    /// Received before then; null for all that were received when the replay was created.
    pub until: Option<Timestamp>,
    /// Of these types, for example `order.created` or `payment.*`; of all types if there are none.
    #[serde(default)]
    pub types: Vec<String>,
    /// One of so many, always the same ones: by a hash of the event's id.
    #[serde(default = "all")]
    pub one_of: u32,
    /// Whether plugins may ask services what they did not ask then.
    #[serde(default)]
    pub network: bool,
    /// Prices of messages.
    #[serde(default)]
    pub prices: Vec<Price>,
}

fn all() -> u32 {
    1
}

impl ReplayChoice {
    /// Checks it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.until.is_some_and(|until| until <= self.since) {
            return Err("until must be later than since".to_owned());
        }
        if self.types.iter().any(|of| of.contains('\0')) {
            return Err("a type must not contain the character U+0000".to_owned());
        }
        let is_type = |of: &String| (1..=TYPE).contains(&of.len());
        if self.types.len() > TYPES || !self.types.iter().all(is_type) {
            return Err(format!("types must be at most {TYPES}, each of 1 to {TYPE} bytes"));
        }
        if !(1..=ONE_OF).contains(&self.one_of) {
            return Err(format!("one_of must be between 1 and {ONE_OF}"));
        }
        check_prices(&self.prices)
    }

    /// The events that it lets through.
    pub(in crate::operate) fn filter(&self) -> PastFilter {
        let (prefixes, types): (Vec<&String>, Vec<&String>) =
            self.types.iter().partition(|of| of.ends_with('*'));
        PastFilter {
            types: types.into_iter().cloned().collect(),
            prefixes: prefixes.iter().map(|of| of.trim_end_matches('*').to_owned()).collect(),
            one_of: i64::from(self.one_of.max(1)),
        }
    }
}

/// A replay and its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Replay)]
pub struct KeptReplay {
    /// Its id.
    pub id: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who asked for it: the name of an API key, or the user of a command line.
    pub who: String,
    /// The release that was tried, by its short name.
    pub release: String,
    /// Which events were looked at.
    pub choice: ReplayChoice,
    /// The state: `running`, `done` or `failed`.
    pub state: String,
    /// Whether a command makes it; otherwise any host does.
    pub by_command: bool,
    /// Whether it is running and nobody is at it: a host goes on with it by itself, a command with `replay resume`.
    pub stalled: bool,
    /// How much of the log it has looked at, from 0 to 1.
    pub progress: f64,
    /// The numbers so far.
    pub totals: ReplayTotals,
    /// Why it failed; null otherwise.
    pub error: Option<String>,
    /// When it ended; null while it is running.
    pub ended_at: Option<Timestamp>,
}

/// A replay with its report.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReplayDetail {
    /// The replay.
    #[serde(flatten)]
    pub replay: KeptReplay,
    /// The report so far.
    pub report: ReplayReport,
}

impl TryFrom<StoredReplay> for KeptReplay {
    type Error = StoreError;

    fn try_from(of: StoredReplay) -> Result<Self, StoreError> {
        let (first, last, place) = of.places;
        let all = (last + 1 - first).max(1) as f64;
        let looked = (place + 1 - first).max(0) as f64;
        Ok(KeptReplay {
            stalled: of.state == "running" && !of.is_held,
            progress: if of.state == "done" { 1.0 } else { (looked / all).min(1.0) },
            release: short(&of.release).to_owned(),
            choice: read(&of.choice)?,
            totals: read(&of.totals)?,
            id: of.id,
            created_at: of.created_at,
            who: of.who,
            state: of.state,
            by_command: of.by_command,
            error: of.error,
            ended_at: of.ended_at,
        })
    }
}

/// Reads what a replay has stored.
pub(in crate::operate) fn read<T: for<'a> Deserialize<'a>>(json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Row(format!("a replay: {error}")))
}

fn write(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Statement(format!("a replay: {error}")))
}

/// What a replay has found, to be stored.
pub(in crate::operate) fn state(report: &ReplayReport, keys: &Keys) -> Result<ReplayState, StoreError> {
    Ok(ReplayState { totals: write(&report.totals)?, report: write(report)?, memory: write(keys)? })
}

impl Operate {
    /// Creates a replay of the events that are in the log now, by the release with this id, and returns its id. Any host makes
    /// it, unless a command is its `runner`.
    pub async fn create_replay(
        &self,
        by: &Operator,
        release: &str,
        choice: &ReplayChoice,
        runner: Option<Uuid>,
    ) -> Result<i64, StoreError> {
        let (first, last) = self.places(choice).await?;
        let new = NewReplay {
            who: by.name(),
            release,
            choice: &write(choice)?,
            runner,
            places: (first, last),
            found: &state(&ReplayReport::default(), &Keys::default())?,
        };
        let id = self.store.create_replay(&new, HELD).await?;
        self.replay_created.notify_one();
        Ok(id)
    }

    /// The first and the last place in the log of what was chosen.
    pub(in crate::operate) async fn places(&self, choice: &ReplayChoice) -> Result<(i64, i64), StoreError> {
        let first = self.store.first_place_since(choice.since).await?;
        let last = match choice.until {
            Some(until) => self.store.first_place_since(until).await? - 1,
            None => self.store.last_place().await?,
        };
        Ok((first, last))
    }

    /// Creates a replay that a host makes, by the release whose id begins with these digits; returns its id.
    ///
    /// # Errors
    /// If the choice or the release is not one, or too many are running.
    pub async fn ask_for_replay(
        &self,
        by: &Operator,
        digits: &str,
        choice: &ReplayChoice,
    ) -> Result<i64, NoReplay> {
        choice.check().map_err(NoReplay::Choice)?;
        let release = self.found(digits).await?.id;
        if self.store.running_replays(MOST_RUNNING).await? >= MOST_RUNNING {
            return Err(NoReplay::TooMany);
        }
        Ok(self.create_replay(by, &release, choice, None).await?)
    }

    /// Replays before one of them, the newest first.
    pub async fn replays(&self, before: Option<i64>, limit: i64) -> Result<Vec<KeptReplay>, StoreError> {
        let replays = self.store.replays(before.unwrap_or(i64::MAX), limit).await?;
        replays.into_iter().map(KeptReplay::try_from).collect()
    }

    /// A replay with its report.
    pub async fn replay(&self, id: i64) -> Result<Option<ReplayDetail>, StoreError> {
        let Some((stored, report)) = self.store.find_replay(id).await? else { return Ok(None) };
        let replay = KeptReplay::try_from(stored)?;
        let report = ReplayReport { totals: replay.totals.clone(), ..read(&report)? };
        Ok(Some(ReplayDetail { replay, report }))
    }
}

impl ReplayDetail {
    /// The same without names, numbers and texts.
    #[must_use]
    pub fn without_personal(mut self) -> ReplayDetail {
        self.report.hide_personal();
        self
    }
}

impl ReplayReport {
    /// Takes out names, numbers and texts.
    pub(in crate::operate) fn hide_personal(&mut self) {
        for example in &mut self.examples {
            [&mut example.then, &mut example.now].into_iter().flatten().for_each(hide);
        }
        let events = self.newly_failing.iter_mut().chain(&mut self.newly_silent);
        events.for_each(|event| mask(&mut event.reason));
        self.questions.clear();
    }
}

fn hide(of: &mut ComparedMessage) {
    let mut recipient = Some(std::mem::take(&mut of.recipient));
    hide_recipient(of.username.as_deref(), &mut of.name, &mut recipient);
    of.recipient = recipient.unwrap_or_default();
    of.reason = with_masked_numbers(&of.reason);
    (of.in_window, of.as_template) = (None, None);
}

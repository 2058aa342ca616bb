//! Shadows for operators: started, shown, stopped.

use std::time::Duration;

use hookswitch_core::{
    catalog::Findings,
    domain::{LANES, LaneShare},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    operate::{
        ActivationError, Checker, Operate, Operator, ReplayReport, ReplayTotals,
        masked::mask,
        replay::{EventDifference, Found, read},
    },
    releases::short,
    store::{NewShadow as Stored, ShadowEnd, StoreError, StoredShadow},
};

/// How long a shadow takes, at least and at most.
const TIMES: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(1), SignedDuration::from_hours(30 * 24));
/// Maximum number of events that are kept one by one.
pub(super) const KEPT: i64 = 1_000;
/// A shadow that no host has ended so long after its time is over all the same.
pub(super) const OVERDUE: Duration = Duration::from_secs(90);

/// What is to be tried.
#[derive(Clone, Copy, Debug)]
pub struct NewShadow<'a> {
    /// How long, from 1 second to 30 days.
    pub time: SignedDuration,
    /// The share of the lanes that is looked at; `None`: all.
    pub share: Option<LaneShare>,
    /// What is said of it.
    pub note: Option<&'a str>,
}

/// Why no shadow was started.
#[derive(Debug, thiserror::Error)]
pub enum NoShadow {
    /// The time is too short or too long.
    #[error("the time must be between 1 second and 30 days")]
    Time,
    /// No release is active.
    #[error("no release is active with which it could be compared")]
    NothingBeside,
    /// Another release decides for a share of the lanes.
    #[error("the release {} decides for a share; complete that or roll it back first", short(.0))]
    Share(String),
    /// A shadow is under way.
    #[error("a shadow is under way; stop it first")]
    UnderWay,
    /// The release.
    #[error(transparent)]
    Release(#[from] ActivationError),
}

impl From<StoreError> for NoShadow {
    fn from(error: StoreError) -> Self {
        NoShadow::Release(error.into())
    }
}

/// A release that decides beside the live one and sends nothing, and what it found in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Shadow)]
pub struct ShadowReport {
    /// Its id.
    pub id: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// Who started it: the name of an API key, or the user of a command line.
    pub who: String,
    /// What was said of it; null if nothing was.
    pub note: Option<String>,
    /// The release that is tried, by its short name.
    pub release: String,
    /// The release with which it is compared, by its short name.
    pub live: String,
    /// How many of the 64 lanes of events are looked at, the first ones.
    pub lanes: i16,
    /// When it ends by itself.
    pub until: Timestamp,
    /// Whether it has not ended and no host is at it.
    pub stalled: bool,
    /// Why a host could not go on with it, until one does; null otherwise.
    pub trouble: Option<String>,
    /// Events that were compared.
    pub compared: u64,
    /// Those for which something else is decided, without failures.
    pub differences: u64,
    /// Those for which the rules that are tried fail, and those that are live did not.
    pub failures: u64,
    /// CPU time of the rules that are live, in milliseconds per event; null until events were compared.
    pub live_ms: Option<f64>,
    /// CPU time of the rules that are tried, in milliseconds per event; null until events were compared.
    pub own_ms: Option<f64>,
    /// All numbers, as in a replay: `then` is the live release, `now` the one that is tried.
    pub totals: ReplayTotals,
    /// How it ended; null while it is under way.
    pub ended: Option<ShadowEnded>,
}

/// How a shadow ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShadowEnded {
    /// `time`, `stopped` (by an operator), `failures` (too many), `slow`, `activation` (another release went live), `error`.
    pub by: String,
    /// Why, in words; null if there is no more to say.
    pub why: Option<String>,
    /// When it ended.
    pub at: Timestamp,
}

impl ShadowEnded {
    /// How and why, in words.
    pub fn words(&self) -> String {
        let what = match self.by.as_str() {
            "time" => "its time is over",
            "stopped" => "stopped by an operator",
            "failures" => "too many failures",
            "slow" => "too slow",
            "activation" => "another release was activated",
            _ => "it could not be carried on",
        };
        self.why.as_ref().map_or_else(|| what.to_owned(), |why| format!("{what}: {why}"))
    }
}

/// A shadow with its report.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ShadowDetail {
    /// The shadow.
    #[serde(flatten)]
    pub shadow: ShadowReport,
    /// The report, as in a replay.
    pub report: ReplayReport,
    /// The first 1,000 events for which something differs, in the order of the log.
    pub events: Vec<EventDifference>,
}

impl ShadowDetail {
    /// The same without names, numbers and texts.
    #[must_use]
    pub fn without_personal(mut self) -> ShadowDetail {
        self.report.hide_personal();
        self.events.iter_mut().for_each(|of| mask(&mut of.event.reason));
        mask(&mut self.shadow.trouble);
        self
    }
}

/// Events that were compared, that differ, and that fail.
pub(super) fn numbers(totals: &ReplayTotals) -> (u64, u64, u64) {
    let compared = totals.events.saturating_sub(totals.not_compared.total());
    let differ = totals.changed + totals.other_conditions;
    (compared, differ.saturating_sub(totals.newly_failing), totals.newly_failing)
}

impl TryFrom<&StoredShadow> for ShadowReport {
    type Error = StoreError;

    fn try_from(of: &StoredShadow) -> Result<Self, StoreError> {
        let totals: ReplayTotals = read(&of.totals)?;
        let (compared, differences, failures) = numbers(&totals);
        let each = |micros: i64| (compared > 0).then(|| micros as f64 / 1_000.0 / compared as f64);
        Ok(ShadowReport {
            id: of.id,
            started_at: of.started_at,
            who: of.who.clone(),
            note: of.note.clone(),
            release: short(&of.release).to_owned(),
            live: short(&of.live).to_owned(),
            lanes: of.lanes,
            until: of.until,
            stalled: of.ended.is_none() && !of.is_held,
            trouble: of.trouble.clone().filter(|_| of.ended.is_none()),
            compared,
            differences,
            failures,
            live_ms: each(of.micros.0),
            own_ms: each(of.micros.1),
            totals,
            ended: of.ended.as_ref().map(|(by, why, at)| ShadowEnded {
                by: by.as_str().to_owned(),
                why: why.clone(),
                at: *at,
            }),
        })
    }
}

impl Operate {
    /// Checks a release, and lets it decide beside the active one about the events that are accepted from now on; nothing is sent.
    ///
    /// # Errors
    /// If it is unknown, does not compile, or its cases fail; if no release is active, another one has a share, or a shadow is
    /// under way.
    pub async fn start_shadow(
        &self,
        by: &Operator,
        digits: &str,
        new: NewShadow<'_>,
        checker: &Checker,
    ) -> Result<ShadowReport, NoShadow> {
        if !(TIMES.0..=TIMES.1).contains(&new.time) {
            return Err(NoShadow::Time);
        }
        let id = self.found(digits).await?.id;
        self.store.end_overdue_shadow(OVERDUE).await?;
        // Said before what takes a while.
        if self.last_shadow().await?.is_some_and(|last| last.ended.is_none()) {
            return Err(NoShadow::UnderWay);
        }
        let catalog = self.checked(&id, checker).await?;
        if !catalog.failed_cases.is_empty() {
            let findings = Findings { folder: short(&id).to_owned(), findings: catalog.failed_cases };
            return Err(ActivationError::CasesFail { release: id, findings }.into());
        }
        let active = self.store.last_active().await?.ok_or(NoShadow::NothingBeside)?;
        if let Some(share) = active.share {
            return Err(NoShadow::Share(share.release));
        }
        let lanes = new.share.map_or(LANES, LaneShare::lanes);
        let what = json!({
            "release": id, "live": active.release, "seconds": new.time.as_secs(), "lanes": lanes, "note": new.note,
        });
        let stored = Stored {
            who: by.name(),
            note: new.note,
            release: &id,
            live: &active.release,
            activation: active.seq,
            lanes,
            time: new.time.unsigned_abs(),
            found: &Found::default().state()?,
        };
        match self.store.create_shadow(&stored, &by.act("release.shadow", &what, None)).await {
            Ok(_) => {}
            Err(StoreError::Conflict(_)) => return Err(NoShadow::UnderWay),
            Err(error) => return Err(error.into()),
        }
        // The hosts look every few seconds, too.
        let _ = self.store.notify_of_release().await;
        self.shadow_of(Some(&id))
            .await?
            .ok_or_else(|| StoreError::Row("the shadow is gone again".to_owned()).into())
    }

    /// Stops the shadow that is under way; `None` if none is.
    pub async fn stop_shadow(&self, by: &Operator) -> Result<Option<ShadowReport>, StoreError> {
        let Some(last) = self.last_shadow().await?.filter(|last| last.ended.is_none()) else {
            return Ok(None);
        };
        let act = by.act("release.shadow_stop", &json!({ "shadow": last.id, "release": last.release }), None);
        let is_stopped =
            self.store.end_shadow(last.id, ShadowEnd::Stopped, Some(by.name()), Some(&act)).await?;
        if is_stopped { self.last_shadow().await } else { Ok(None) }
    }

    /// The shadow that is under way, or the last one, in numbers.
    pub async fn last_shadow(&self) -> Result<Option<ShadowReport>, StoreError> {
        self.shadow_of(None).await
    }

    /// The last shadow, or that of the release with this id.
    pub(in crate::operate) async fn shadow_of(
        &self,
        release: Option<&str>,
    ) -> Result<Option<ShadowReport>, StoreError> {
        self.store.last_shadow(release).await?.as_ref().map(ShadowReport::try_from).transpose()
    }

    /// The shadow that is under way, or the last one, with its report.
    pub async fn shadow(&self) -> Result<Option<ShadowDetail>, StoreError> {
        let Some(stored) = self.store.last_shadow(None).await? else { return Ok(None) };
        let shadow = ShadowReport::try_from(&stored)?;
        let report = ReplayReport { totals: shadow.totals.clone(), ..read(&stored.report)? };
        let events = self.store.shadow_differences(shadow.id, KEPT).await?;
        let events = events.iter().map(|found| read(found)).collect::<Result<_, _>>()?;
        Ok(Some(ShadowDetail { shadow, report, events }))
    }
}

//! What a replay found, within bounds: numbers, and some examples of each kind.

use std::collections::BTreeMap;

use hookswitch_core::{
    compare::{Change, ChangeKind, ComparedMessage},
    domain::EventKey,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Maximum number of names that are counted one by one; others are counted together.
const NAMES: usize = 1_000;
/// The name of the others.
const OTHERS: &str = "(others)";
/// Maximum number of examples of a kind of change.
const EXAMPLES: usize = 10;
/// Maximum number of examples of a kind of change for one rule and template.
const ALIKE: usize = 2;
/// Maximum number of events, questions and groups that are named.
const NAMED: usize = 10;

/// How many messages change, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ReplayChanges {
    /// No longer sent.
    pub gone: u64,
    /// Newly sent.
    pub new: u64,
    /// To other people.
    pub people: u64,
    /// At another time.
    pub time: u64,
    /// With other words.
    pub words: u64,
}

impl ReplayChanges {
    /// How many are of this kind.
    pub fn of(&self, kind: ChangeKind) -> u64 {
        match kind {
            ChangeKind::Gone => self.gone,
            ChangeKind::New => self.new,
            ChangeKind::People => self.people,
            ChangeKind::Time => self.time,
            ChangeKind::Words => self.words,
        }
    }

    /// Counts one.
    pub(super) fn add(&mut self, kind: ChangeKind) {
        *match kind {
            ChangeKind::Gone => &mut self.gone,
            ChangeKind::New => &mut self.new,
            ChangeKind::People => &mut self.people,
            ChangeKind::Time => &mut self.time,
            ChangeKind::Words => &mut self.words,
        } += 1;
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        ChangeKind::ALL.into_iter().map(|kind| self.of(kind)).sum()
    }

    /// Whether there are none.
    pub fn are_none(&self) -> bool {
        *self == ReplayChanges::default()
    }
}

/// How many events were not compared, by why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NotCompared {
    /// They are not routed yet.
    pub unrouted: u64,
    /// The rules ask a service what they did not ask then, or the answer was too large to be kept.
    pub asks_more: u64,
    /// Values are gone that must not stay (`sensitive`), or the event was erased.
    pub values_gone: u64,
    /// The release that decided them is not stored any more, or does not render them.
    pub release_gone: u64,
    /// Deciding them ended a host, or they cannot be read.
    pub harmful: u64,
    /// They were decided by another release than the one with which a shadow is compared.
    pub other_release: u64,
}

impl NotCompared {
    /// All of them.
    pub fn total(&self) -> u64 {
        let NotCompared { unrouted, asks_more, values_gone, release_gone, harmful, other_release } = self;
        unrouted + asks_more + values_gone + release_gone + harmful + other_release
    }
}

/// The numbers of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ReplayTotals {
    /// Events that were looked at.
    pub events: u64,
    /// Events for which something changes.
    pub changed: u64,
    /// Events that were not compared.
    pub not_compared: NotCompared,
    /// Messages that were planned then.
    pub then: u64,
    /// Messages that would be planned now.
    pub now: u64,
    /// Messages that change.
    pub changes: ReplayChanges,
    /// What is collected for digests, and changes.
    pub digest_changes: ReplayChanges,
    /// Events whose rules fail, and did not then.
    pub newly_failing: u64,
    /// Events whose rules failed then, and do not now.
    pub no_longer_failing: u64,
    /// Events of which messages came, and of which none come now.
    pub newly_silent: u64,
    /// Events of which no message came, and of which some come now.
    pub no_longer_silent: u64,
    /// Events for which only conditions differ whose effect is not known: `at_most`, `key`, `cancel`.
    pub other_conditions: u64,
}

impl ReplayTotals {
    /// Whether something changes, as far as that is known.
    pub fn has_changes(&self) -> bool {
        self.changed + self.other_conditions > 0
    }
}

/// How much of something there was then, and is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThenNow {
    /// The number for the rules that decided then.
    pub then: u64,
    /// The number for the rules that are tried.
    pub now: u64,
}

/// How long a rule took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleTime {
    /// How often it was asked.
    pub calls: u64,
    /// How long all calls took, in milliseconds.
    pub total_ms: f64,
    /// How long the longest call took, in milliseconds.
    pub longest_ms: f64,
}

/// An event that is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayEvent {
    /// The event's id.
    pub id: String,
    /// The event's source.
    pub source: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// Why, in words; null if there is no more to say.
    pub reason: Option<String>,
}

impl ReplayEvent {
    /// An event with what is said of it.
    pub fn new(key: &EventKey, kind: &str, received_at: Timestamp, reason: Option<String>) -> ReplayEvent {
        ReplayEvent {
            id: key.id.clone(),
            source: key.source.clone(),
            kind: kind.to_owned(),
            received_at,
            reason,
        }
    }
}

/// An example of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayExample {
    /// What changes.
    pub change: ChangeKind,
    /// The event.
    pub event: ReplayEvent,
    /// The message of then; null if it is newly sent.
    pub then: Option<ComparedMessage>,
    /// The message of now; null if it is no longer sent.
    pub now: Option<ComparedMessage>,
}

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ReplayReport {
    /// The numbers, which are stored beside it.
    #[serde(skip)]
    pub totals: ReplayTotals,
    /// The releases that decided then, with the number of events.
    pub releases: BTreeMap<String, u64>,
    /// Messages, by rule (`file:line`).
    pub rules: BTreeMap<String, ThenNow>,
    /// Messages, by template.
    pub templates: BTreeMap<String, ThenNow>,
    /// Messages, by Meta's category of the template.
    pub categories: BTreeMap<String, ThenNow>,
    /// Decisions that name a group, by group.
    pub groups: BTreeMap<String, ThenNow>,
    /// How long the rules take, by rule.
    pub times: BTreeMap<String, RuleTime>,
    /// Some examples of each kind of change.
    pub examples: Vec<ReplayExample>,
    /// Some events whose rules fail, and did not then.
    pub newly_failing: Vec<ReplayEvent>,
    /// Some events of which no message comes now.
    pub newly_silent: Vec<ReplayEvent>,
    /// Some questions that the rules ask, and did not ask then.
    pub questions: Vec<String>,
    /// Groups of which only the first 1,000 members were looked at.
    pub cut_groups: Vec<String>,
    /// Whether more `dedupe_key`s were new than could be remembered, so that later duplicates may be counted as sent.
    pub keys_forgotten: bool,
    /// What the messages would cost; null if no prices were given.
    pub cost: Option<ReplayCost>,
}

/// What messages cost by a table of prices, as if each were sent as a template: those of decisions that are not the same
/// then and now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayCost {
    /// The currency of the prices.
    pub currency: String,
    /// What the messages of then cost, by category.
    pub then: BTreeMap<String, f64>,
    /// What those of now cost, by category.
    pub now: BTreeMap<String, f64>,
    /// Messages for which the table has no price.
    pub without_price: u64,
}

/// The entry of a name, or that of the others.
fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    let name = if map.len() < NAMES || map.contains_key(name) { name } else { OTHERS };
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.entry(name.to_owned()).or_default()
}

impl ReplayReport {
    /// Counts messages of a decision.
    pub fn add_messages(&mut self, rule: &str, template: &str, category: &str, count: ThenNow) {
        for (map, name) in
            [(&mut self.rules, rule), (&mut self.templates, template), (&mut self.categories, category)]
        {
            let entry = entry(map, name);
            entry.then += count.then;
            entry.now += count.now;
        }
        self.totals.then += count.then;
        self.totals.now += count.now;
    }

    /// Counts decisions that name a group.
    pub fn add_group(&mut self, group: &str, count: ThenNow) {
        let entry = entry(&mut self.groups, group);
        entry.then += count.then;
        entry.now += count.now;
    }

    /// Counts an event by its release.
    pub fn add_release(&mut self, release: &str) {
        *entry(&mut self.releases, release) += 1;
    }

    /// Counts a call of a rule.
    pub fn add_time(&mut self, rule: &str, milliseconds: f64) {
        let time = entry(&mut self.times, rule);
        time.calls += 1;
        time.total_ms += milliseconds;
        time.longest_ms = time.longest_ms.max(milliseconds);
    }

    /// Counts a change, and keeps it if it is a good example.
    pub fn add_change(&mut self, change: &Change<'_>, event: impl FnOnce() -> ReplayEvent) {
        let Change { kind, then, now } = *change;
        let in_digest = [then, now].into_iter().flatten().all(|of| of.timing.in_digest);
        let changes = if in_digest { &mut self.totals.digest_changes } else { &mut self.totals.changes };
        changes.add(kind);
        let name = |of: Option<&ComparedMessage>| of.map(|of| (of.rule.clone(), of.template.clone()));
        let like = (name(then), name(now));
        let of_kind = || self.examples.iter().filter(|example| example.change == kind);
        let alike = of_kind()
            .filter(|example| (name(example.then.as_ref()), name(example.now.as_ref())) == like)
            .count();
        if alike < ALIKE && of_kind().count() < EXAMPLES {
            let (then, now) = (then.cloned(), now.cloned());
            self.examples.push(ReplayExample { change: kind, event: event(), then, now });
        }
    }

    /// Names an event in a list that has room.
    pub fn name(list: &mut Vec<ReplayEvent>, event: impl FnOnce() -> ReplayEvent) {
        if list.len() < NAMED {
            list.push(event());
        }
    }

    /// Names a question or a group in a list that has room.
    pub fn name_in(list: &mut Vec<String>, name: &str) {
        if list.len() < NAMED && !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
    }
}

//! Decisions of rules about events: one contract for routes, scripts and plugins.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{AtMost, Collect, Event};

/// A decision: which message to send to whom, and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Name of the template.
    pub template: String,
    /// Groups whose active members receive it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Usernames of people who receive it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// WhatsApp users outside the staff who receive it: E.164 numbers, `wa_id`s or Meta's user ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// Who receives it where none of these can be reached.
    #[serde(default, rename = "else", skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Box<Otherwise>>,
    /// Variables of the template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, Value>,
    /// Deduplication key: a later decision for the same template with the same key is recorded as a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_key: Option<String>,
    /// How long the key applies, at most 365 days (default 24 hours).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_for: Option<SignedDuration>,
    /// Key by which its messages are withdrawn while they wait: by a later event whose decision cancels the key, or has the
    /// same one. At most [`MOST_KEY`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Keys that it cancels: messages of earlier events with these keys that wait are withdrawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancel: Vec<String>,
    /// How many messages with the template each recipient gets within a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<AtMost>,
    /// How it is collected with others into one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collect: Option<Collect>,
    /// Earliest time to send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<SendTime>,
    /// When recipients without quiet hours of their own get it: hours of the week and their time zone, for example `MON-FRI
    /// 08:00-17:00 Africa/Harare`. Urgent messages are sent at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// Latest time to send; after it the message is recorded as expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Priority (default normal).
    #[serde(default)]
    pub priority: Priority,
    /// Mode (default: that of the template).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Language of the template, for example `pt_BR` (default: the recipient's, otherwise the template's fallback).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether it answers the message that the event is about: it goes to whoever wrote it, and quotes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reply: bool,
    /// Meta's id of that message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Name of the sending number (default: that of the template, otherwise the default number).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Reason, in the rule's own words, at most 1,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Decision {
    /// How long its deduplication key applies: 24 hours, unless it says otherwise.
    pub fn dedupe_time(&self) -> SignedDuration {
        self.dedupe_for.unwrap_or(DEDUPE_FOR)
    }

    /// All groups that it names.
    pub fn all_groups(&self) -> impl Iterator<Item = &String> {
        self.groups.iter().chain(self.otherwise.iter().flat_map(|others| &others.groups))
    }

    /// All usernames that it names.
    pub fn all_users(&self) -> impl Iterator<Item = &String> {
        self.users.iter().chain(self.otherwise.iter().flat_map(|others| &others.users))
    }

    /// All contacts that it names.
    pub fn all_contacts(&self) -> impl Iterator<Item = &String> {
        self.contacts.iter().chain(self.otherwise.iter().flat_map(|others| &others.contacts))
    }

    /// The decision for those who receive it where none of its recipients can be reached, if it names any.
    pub fn for_the_others(&self) -> Option<Decision> {
        let Otherwise { groups, users, contacts } = (**self.otherwise.as_ref()?).clone();
        Some(Decision { groups, users, contacts, otherwise: None, reply: false, ..self.clone() })
    }
}

/// Default time that a deduplication key applies.
const DEDUPE_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Characters of a key by which messages are withdrawn, at most.
pub const MOST_KEY: usize = 200;
/// Keys that a decision cancels, at most.
pub const MOST_CANCELLED: usize = 20;

/// Who receives a message where none of its recipients can be reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Otherwise {
    /// Groups whose active members receive it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Usernames of people who receive it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// WhatsApp users outside the staff who receive it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
}

/// That messages are withdrawn, and nobody is notified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cancel {
    /// Keys: messages of earlier events with these keys that wait are withdrawn.
    pub cancel: Vec<String>,
    /// Reason, in the rule's own words, at most 1,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The earliest time to send a message: `send_at` or `after`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendTime {
    /// At a point in time.
    SendAt(Timestamp),
    /// A duration after the event's `time`, at most 365 days.
    After(SignedDuration),
}

/// Priority: messages of a higher priority overtake others, however many wait. One recipient's messages of the same
/// priority keep their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Sent first, and in quiet hours too.
    Urgent,
    /// The default.
    #[default]
    Normal,
    /// Sent while nothing else waits; a tenth of the sends is reserved for the lowest priority.
    Bulk,
}

impl Priority {
    /// All priorities, the most urgent first.
    pub const ALL: [Priority; 3] = [Priority::Urgent, Priority::Normal, Priority::Bulk];

    /// The name in rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Urgent => "urgent",
            Priority::Normal => "normal",
            Priority::Bulk => "bulk",
        }
    }

    /// The stored number: 0 is the most urgent.
    pub fn rank(self) -> i16 {
        self as i16
    }

    /// The priority with this stored number.
    pub fn from_rank(rank: i16) -> Priority {
        match rank {
            ..=0 => Priority::Urgent,
            1 => Priority::Normal,
            2.. => Priority::Bulk,
        }
    }
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Free-form while the recipient's 24-hour window is open, otherwise as a Meta template.
    #[default]
    Auto,
    /// Always as a Meta template.
    Template,
    /// Always free-form.
    Text,
}

/// The kind of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// A plain YAML route.
    Route,
    /// A Rhai script.
    Script,
    /// A WebAssembly plugin.
    Plugin,
}

impl Engine {
    /// Name, as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::Route => "route",
            Engine::Script => "script",
            Engine::Plugin => "plugin",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// The place of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RuleRef {
    /// Kind of the rule.
    pub engine: Engine,
    /// File, relative to the rules folder, for example `orders/routes.yaml`.
    pub file: String,
    /// Line, from 1; 0 for a built-in rule, whose name is in `file`.
    pub line: usize,
}

/// A verdict of a rule about an event; an event without a matching route has one verdict without a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The rule that decided.
    pub rule: Option<RuleRef>,
    /// Its outcome.
    pub outcome: Outcome,
    /// The rule's questions to the host, with the answers, in order; shared by all verdicts of one call.
    pub asked: Arc<[Asked]>,
}

/// The outcome of a rule for an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Notify people.
    Notify(Box<Decision>),
    /// Withdraw messages that wait, and notify nobody.
    Cancel(Box<Cancel>),
    /// Notify nobody, for this reason.
    Skip(String),
    /// No route matches the type of the event.
    NoRoute,
    /// The rule failed; the message says what is wrong, where and what to do.
    Failed(String),
    /// A plugin failed or is stopped; the event is kept until it is re-run.
    Parked {
        /// Id of the plugin.
        plugin: String,
        /// Message of the failure, or who stopped it and why.
        why: String,
        /// Whether an operator has stopped the plugin.
        is_stopped: bool,
    },
}

/// That messages of earlier events with a key are withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdraws<'a> {
    /// The key.
    pub key: &'a str,
    /// Whether the decision has the same key, and its own message replaces them.
    pub replaces: bool,
}

impl Withdraws<'_> {
    /// Why messages are withdrawn, in words: by this event.
    pub fn by(&self, event: &Event) -> String {
        let Withdraws { key, replaces } = self;
        let event = format!("event {} ({})", event.key.id, event.kind);
        let words = match replaces {
            true => format!("replaced by {event}, which has the same key: {key}"),
            false => format!("cancelled by {event}: key {key}"),
        };
        words.replace('\0', "")
    }
}

impl Outcome {
    /// What it withdraws by key: what it cancels, and earlier messages with its own key.
    pub fn withdraws(&self) -> impl Iterator<Item = Withdraws<'_>> {
        let (cancelled, replaced) = match self {
            Outcome::Notify(decision) => (decision.cancel.as_slice(), decision.key.as_deref()),
            Outcome::Cancel(cancel) => (cancel.cancel.as_slice(), None),
            _ => (&[][..], None),
        };
        let cancelled = cancelled.iter().map(|key| Withdraws { key, replaces: false });
        cancelled.chain(replaced.map(|key| Withdraws { key, replaces: true }))
    }
}

/// The outcome of a verdict in the decision log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionOutcome {
    /// At least one recipient is notified.
    Notify,
    /// None of the recipients can be reached.
    Nobody,
    /// The rule withdrew messages that wait, and notified nobody.
    Cancel,
    /// The rule skipped the event.
    Skip,
    /// No route matches the type of the event.
    NoRoute,
    /// The deduplication key was used before.
    Duplicate,
    /// Waits to be sent in a digest.
    Collected,
    /// The rule or the template failed.
    Failed,
    /// A plugin failed or is stopped; the event is kept until the plugin is resumed.
    Parked,
}

impl DecisionOutcome {
    /// Name, as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            DecisionOutcome::Notify => "notify",
            DecisionOutcome::Nobody => "nobody",
            DecisionOutcome::Cancel => "cancel",
            DecisionOutcome::Skip => "skip",
            DecisionOutcome::NoRoute => "no_route",
            DecisionOutcome::Duplicate => "duplicate",
            DecisionOutcome::Collected => "collected",
            DecisionOutcome::Failed => "failed",
            DecisionOutcome::Parked => "parked",
        }
    }
}

impl fmt::Display for DecisionOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A question of a rule to the host, and the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Port: `now`, `config`, `lookup` or `http`.
    pub port: String,
    /// Question.
    pub question: Value,
    /// Answer.
    pub answer: Value,
}

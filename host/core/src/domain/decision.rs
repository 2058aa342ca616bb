//! What a rule decides about an event: the one contract of routes, scripts and plugins.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Collect;

/// Which message goes to whom, with what words in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The template's name.
    pub template: String,
    /// Groups whose active members get it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Usernames of people who get it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// WhatsApp users who get it though they are no staff: E.164 numbers, `wa_id`s or Meta's user ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// The template's variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, Value>,
    /// A second decision for this template with the same key is recorded as a duplicate, for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_key: Option<String>,
    /// For so long; 24 hours where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_for: Option<SignedDuration>,
    /// Told together with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collect: Option<Collect>,
    /// Not before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<SendTime>,
    /// Not after this: what has not been sent by then is recorded as expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Which messages overtake which.
    #[serde(default)]
    pub priority: Priority,
    /// Overrides the template's mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The name of the number that sends it; the template's where it is not given, and the usual one where that has
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Why, in the rule's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `send_at` or `after`: when a message may go out at the earliest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendTime {
    /// At a point in time.
    SendAt(Timestamp),
    /// So long after the event's `time`.
    After(SignedDuration),
}

/// Which messages overtake which, however many wait. One recipient's messages of the same priority keep their order;
/// those of a higher priority overtake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// First, and in quiet hours too.
    Urgent,
    /// The usual.
    #[default]
    Normal,
    /// While nothing else waits, and now and then: a tenth of the sends is for the least urgent.
    Bulk,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Priority; 3] = [Priority::Urgent, Priority::Normal, Priority::Bulk];

    /// As stored: 0 is the most urgent.
    pub fn rank(self) -> i16 {
        self as i16
    }

    /// From what was stored.
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
    /// Free-form while the recipient's 24-hour window is open, else as a Meta template.
    #[default]
    Auto,
    /// Always as a Meta template.
    Template,
    /// Always free-form.
    Text,
}

/// What kind of rule decided.
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
    /// As stored and shown.
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

/// Where the rule stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RuleRef {
    /// What kind of rule it is.
    pub engine: Engine,
    /// The file, relative to the rules folder, such as `orders/routes.yaml`.
    pub file: String,
    /// The line in it, from 1; 0 where the rule is built in, and `file` is its name.
    pub line: usize,
}

/// A rule's answer for one event; an event that no rule knows gets one without a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The rule that answered.
    pub rule: Option<RuleRef>,
    /// What it said.
    pub outcome: Outcome,
    /// What the rule asked of the world and was told, in order; shared by all verdicts of one call.
    pub asked: Arc<[Asked]>,
}

/// What came of asking a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Tell people.
    Notify(Box<Decision>),
    /// Tell nobody, and why.
    Skip(String),
    /// No route is for this type of event.
    NoRoute,
    /// The rule failed; the message says what, where and what to do.
    Failed(String),
    /// A plugin failed; the event is kept, to be decided again.
    Parked {
        /// The plugin's id.
        plugin: String,
        /// How it failed.
        why: String,
    },
}

/// What a verdict came to, as the decision log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecisionOutcome {
    /// At least one person is told.
    Notify,
    /// Nobody of those who are named can be reached.
    Nobody,
    /// The rule says that nobody is to be told.
    Skip,
    /// No route is for this type of event.
    NoRoute,
    /// The deduplication key was used before.
    Duplicate,
    /// Waits in a digest, to be told together with others.
    Collected,
    /// The rule, the template or the statement failed.
    Failed,
    /// A plugin failed; the event is kept until the plugin is resumed.
    Parked,
}

impl DecisionOutcome {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            DecisionOutcome::Notify => "notify",
            DecisionOutcome::Nobody => "nobody",
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

/// A question of a rule to the world, and the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The port: `now`, `config`, `lookup` or `http`.
    pub port: String,
    /// What was asked.
    pub question: Value,
    /// What was told.
    pub answer: Value,
}

//! Routes as written: their shape is checked, their expressions are not compiled yet.

use jiff::SignedDuration;
use serde_json::Value;

use super::source::Source;
use crate::domain::{AtMost, Collect, Mode};

/// A route as written: its shape is checked, its expressions are not compiled yet.
pub struct RouteSource {
    /// Folder of the route, whose `config.yaml` it reads.
    pub folder: String,
    /// Event types: `order.created`, `payment.*`, `*`.
    pub on: Vec<Source>,
    /// Condition, an expression.
    pub when: Option<Source>,
    /// Rule that decides.
    pub rule: RuleSource,
}

impl RouteSource {
    /// The values that it names, where it decides itself.
    pub fn lets(&self) -> Option<&LetSource> {
        match &self.rule {
            RuleSource::Plain(plain) => Some(&plain.lets),
            RuleSource::Cancel(cancel) => Some(&cancel.lets),
            RuleSource::Script(_) | RuleSource::Plugin(_) => None,
        }
    }
}

/// The rule of a route.
pub enum RuleSource {
    /// The route itself.
    Plain(Box<PlainSource>),
    /// The route itself, which only withdraws messages.
    Cancel(CancelSource),
    /// A script, by its path relative to the rules folder.
    Script(Source),
    /// A plugin, by its id.
    Plugin(Source),
}

/// A text that may also be an expression, as written.
pub enum Marked {
    /// The text itself.
    Plain(Source),
    /// An expression, without the `=` before it.
    Expression(Source),
}

impl Marked {
    /// The text, unless it is an expression.
    pub fn plain(&self) -> Option<&Source> {
        match self {
            Marked::Plain(source) => Some(source),
            Marked::Expression(_) => None,
        }
    }

    /// The expression, unless it is a plain text.
    pub fn expression(&self) -> Option<&Source> {
        match self {
            Marked::Plain(_) => None,
            Marked::Expression(source) => Some(source),
        }
    }
}

/// The values that a route names, as written.
#[derive(Default)]
pub struct LetSource {
    /// Values with a name, each for the expressions after it.
    pub values: Vec<(Source, ValueSource)>,
    /// Whether they stand before the condition, which sees them then.
    pub before_when: bool,
}

/// What a route withdraws that sends nothing, as written.
pub struct CancelSource {
    /// Values with a name.
    pub lets: LetSource,
    /// Expressions for keys.
    pub cancel: Vec<Source>,
    /// Reason for the record, in the author's words.
    pub reason: Option<String>,
}

/// Who receives a message where none of its recipients can be reached, as written.
pub struct OtherwiseSource {
    /// Names of groups.
    pub groups: Vec<Source>,
    /// Expressions for usernames.
    pub users: Vec<Source>,
    /// Expressions for contacts.
    pub contacts: Vec<Source>,
}

/// The decision of a plain route, as written.
pub struct PlainSource {
    /// Values with a name.
    pub lets: LetSource,
    /// Name of the template.
    pub template: Marked,
    /// Names of groups.
    pub groups: Vec<Marked>,
    /// Expressions for usernames.
    pub users: Vec<Source>,
    /// Expressions for contacts: phone numbers or WhatsApp user ids.
    pub contacts: Vec<Source>,
    /// Who receives it where none of these can be reached.
    pub otherwise: Option<OtherwiseSource>,
    /// Expression for the deduplication key.
    pub dedupe_key: Option<Source>,
    /// How long the key applies, at most 365 days (default 24 hours).
    pub dedupe_for: Option<SignedDuration>,
    /// Expression for the key by which its messages are withdrawn.
    pub key: Option<Source>,
    /// Expressions for keys that it cancels.
    pub cancel: Vec<Source>,
    /// How many messages with the template each recipient gets within a time.
    pub at_most: Option<AtMost>,
    /// How decisions are collected into one message.
    pub collect: Option<CollectSource>,
    /// Variables of the template.
    pub context: Vec<(String, ValueSource)>,
    /// Earliest time to send.
    pub send: Option<SendSource>,
    /// When recipients without quiet hours of their own get it.
    pub hours: Option<String>,
    /// Expression for the time after which the message is no longer sent.
    pub expires_at: Option<Source>,
    /// Priority (default normal).
    pub priority: Option<Marked>,
    /// Overrides the template's mode.
    pub mode: Option<Mode>,
    /// Language of the template.
    pub language: Option<Marked>,
    /// Whether it answers the message that the event is about.
    pub reply: bool,
    /// Name of the sending number.
    pub from: Option<String>,
    /// Reason for the record, in the author's words.
    pub reason: Option<String>,
}

impl PlainSource {
    /// All groups that it names by plain texts.
    pub fn all_groups(&self) -> impl Iterator<Item = &Source> {
        let of_else = self.otherwise.iter().flat_map(|others| &others.groups);
        self.groups.iter().filter_map(Marked::plain).chain(of_else)
    }

    /// Whether it names others than these, which only an event tells.
    pub fn names_others(&self) -> bool {
        let computed = self.groups.iter().any(|group| group.plain().is_none());
        let of_else = self.otherwise.as_ref();
        let of_else = of_else.is_some_and(|others| !(others.users.is_empty() && others.contacts.is_empty()));
        computed || of_else || !(self.users.is_empty() && self.contacts.is_empty())
    }
}

/// A variable of the template, as written.
pub enum ValueSource {
    /// A number or boolean.
    Literal(Value),
    /// An expression.
    Expression(Source),
}

/// How decisions are collected, as written.
pub enum CollectSource {
    /// By group or by person.
    Known(Collect),
    /// By a key, for which there is an expression.
    Key(SignedDuration, Source),
}

/// The earliest time to send, as written.
pub enum SendSource {
    /// An expression for a time.
    At(Source),
    /// A duration after the event's time.
    After(SignedDuration),
}

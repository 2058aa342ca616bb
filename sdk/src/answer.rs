//! The answer of a plugin.

use std::fmt::{self, Display};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// The answer of a plugin: decisions, or why nobody is notified.
///
/// ```
/// use hookswitch_sdk::{Answer, Decision};
///
/// let both = Answer::Notify(vec![Decision::new("one").user("ann"), Decision::new("two").user("bob")]);
/// assert!(matches!(both, Answer::Notify(decisions) if decisions.len() == 2));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Notifies people: 1 to 100 decisions.
    Notify(Vec<Decision>),
    /// Notifies nobody, for this reason.
    Skip(String),
}

/// Returns an answer that notifies nobody, for this reason.
///
/// ```
/// use hookswitch_sdk::{Answer, skip};
///
/// assert_eq!(skip("too small"), Answer::Skip("too small".to_owned()));
/// ```
pub fn skip(why: impl Into<String>) -> Answer {
    Answer::Skip(why.into())
}

/// Returns an answer that withdraws messages of earlier events with this key that wait, and notifies nobody.
///
/// ```
/// use hookswitch_sdk::{Answer, cancel};
///
/// assert!(matches!(cancel("visit 7"), Answer::Notify(decisions) if decisions[0].cancel == ["visit 7"]));
/// ```
pub fn cancel(key: impl Into<String>) -> Answer {
    Answer::Notify(vec![Decision { cancel: vec![key.into()], ..Decision::default() }])
}

/// A decision: which message to send to whom, and when.
///
/// ```
/// use hookswitch_sdk::Decision;
///
/// let decision = Decision::new("hanna_new_order_created")
///     .group("Sales Team")
///     .contact("+263 77 123 4567")
///     .var("order_number", "SO-7")
///     .var("amount", 12.5)
///     .dedupe_key("order-7")
///     .after("10m")
///     .urgent()
///     .because("a large order");
/// assert_eq!(decision.context["order_number"], "SO-7");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// Name of the template.
    pub template: String,
    /// Groups whose active members receive it.
    pub groups: Vec<String>,
    /// Usernames of people who receive it.
    pub users: Vec<String>,
    /// WhatsApp users outside the staff who receive it: E.164 numbers, `wa_id`s or Meta's user ids.
    pub contacts: Vec<String>,
    /// Variables of the template.
    pub context: Map<String, Value>,
    /// Deduplication key: a later decision for the same template with the same key is recorded as a duplicate.
    pub dedupe_key: Option<String>,
    /// How long the key applies: `90s`, `10m`, `2h` or `1d`, at most `365d` (default 24 hours).
    pub dedupe_for: Option<String>,
    /// How long, and with which others, it is collected into one message: `10m by group`, `1h by person`.
    pub collect: Option<String>,
    /// Earliest time to send; excludes `after`.
    pub send_at: Option<Timestamp>,
    /// Earliest time to send, as a duration after the event's time: `90s`, `10m`, `2h`, `1d`.
    pub after: Option<String>,
    /// Latest time to send; after it the message is recorded as expired.
    pub expires_at: Option<Timestamp>,
    /// Priority (default normal).
    pub priority: Option<Priority>,
    /// Mode (default: that of the template).
    pub mode: Option<Mode>,
    /// Key by which its messages are withdrawn while they wait, at most 200 characters.
    pub key: Option<String>,
    /// Keys that it cancels: messages of earlier events with these keys that wait are withdrawn.
    pub cancel: Vec<String>,
    /// How many messages with the template each recipient gets within a time: `3 per 1d`.
    pub at_most: Option<String>,
    /// When recipients without quiet hours of their own get it: `MON-FRI 08:00-17:00 Africa/Harare`.
    pub hours: Option<String>,
    /// Who receives it where none of its recipients can be reached.
    pub otherwise: Otherwise,
    /// Language of the template, for example `pt_BR` (default: the recipient's, otherwise the template's fallback).
    pub language: Option<String>,
    /// Whether it answers the message that the event is about: it goes to whoever wrote it, and quotes it.
    pub reply: bool,
    /// Name of the sending number (default: that of the template, otherwise the default number).
    pub from: Option<String>,
    /// Reason for the record, at most 1,000 characters.
    pub reason: Option<String>,
}

/// Who receives a message where none of its recipients can be reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Otherwise {
    /// Groups whose active members receive it.
    pub groups: Vec<String>,
    /// Usernames of people who receive it.
    pub users: Vec<String>,
    /// WhatsApp users outside the staff who receive it.
    pub contacts: Vec<String>,
}

pub use crate::bindings::hookswitch::plugin::types::{Mode, Priority};

impl Decision {
    /// Creates a decision for a template. Add recipients with `group`, `user` or `contact`.
    pub fn new(template: impl Into<String>) -> Decision {
        Decision { template: template.into(), ..Decision::default() }
    }

    /// Adds the active members of a group as recipients.
    pub fn group(mut self, group: impl Into<String>) -> Decision {
        self.groups.push(group.into());
        self
    }

    /// Adds a person as a recipient, by username.
    pub fn user(mut self, username: impl Into<String>) -> Decision {
        self.users.push(username.into());
        self
    }

    /// Adds a WhatsApp user outside the staff as a recipient: an E.164 number, a `wa_id` or one of Meta's user ids.
    pub fn contact(mut self, contact: impl Into<String>) -> Decision {
        self.contacts.push(contact.into());
        self
    }

    /// Sets a variable of the template. A value that JSON cannot represent becomes null.
    pub fn var(mut self, name: impl Into<String>, value: impl Serialize) -> Decision {
        self.context.insert(name.into(), serde_json::to_value(value).unwrap_or_default());
        self
    }

    /// Sets the deduplication key: only the first decision with it is sent, within 24 hours or the time set by
    /// [`Decision::dedupe_for`].
    pub fn dedupe_key(mut self, key: impl Into<String>) -> Decision {
        self.dedupe_key = Some(key.into());
        self
    }

    /// Sets the key by which its messages are withdrawn while they wait: by a later event whose decision cancels the key, or
    /// has the same one.
    pub fn key(mut self, key: impl Into<String>) -> Decision {
        self.key = Some(key.into());
        self
    }

    /// Withdraws messages of earlier events with this key that wait.
    pub fn cancel(mut self, key: impl Into<String>) -> Decision {
        self.cancel.push(key.into());
        self
    }

    /// Sets how many messages with the template each recipient gets within a time: `3 per 1d`, at most `100 per 30d`.
    pub fn at_most(mut self, count_per_time: impl Into<String>) -> Decision {
        self.at_most = Some(count_per_time.into());
        self
    }

    /// Sets when recipients without quiet hours of their own get it: `MON-FRI 08:00-17:00 Africa/Harare`. Urgent messages are
    /// sent at any time.
    pub fn hours(mut self, hours_and_zone: impl Into<String>) -> Decision {
        self.hours = Some(hours_and_zone.into());
        self
    }

    /// Sets who receives it where none of its recipients can be reached.
    pub fn otherwise(mut self, others: Otherwise) -> Decision {
        self.otherwise = others;
        self
    }

    /// Sets the language of the template, for example `pt_BR` (default: the recipient's, otherwise the template's fallback).
    pub fn language(mut self, language: impl Into<String>) -> Decision {
        self.language = Some(language.into());
        self
    }

    /// Answers the message that the event is about, an event of the source `/hookswitch/whatsapp`: it goes to whoever wrote
    /// it, and quotes it.
    pub fn reply(mut self) -> Decision {
        self.reply = true;
        self
    }

    /// Sets the name of the sending number (default: that of the template, otherwise the default number).
    pub fn from(mut self, name: impl Into<String>) -> Decision {
        self.from = Some(name.into());
        self
    }

    /// Sets how long the key applies: `90s`, `10m`, `2h` or `1d`, at most `365d` (default 24 hours).
    pub fn dedupe_for(mut self, duration: impl Into<String>) -> Decision {
        self.dedupe_for = Some(duration.into());
        self
    }

    /// Collects it with other decisions for the template into one message: `10m by group`, `1h by person`. The template
    /// sees their contexts as `items`, and their number as `count`.
    pub fn collect(mut self, duration_and_by: impl Into<String>) -> Decision {
        self.collect = Some(duration_and_by.into());
        self
    }

    /// Sets the earliest time to send.
    pub fn send_at(mut self, at: Timestamp) -> Decision {
        self.send_at = Some(at);
        self
    }

    /// Sets the earliest time to send, as a duration after the event's time: `90s`, `10m`, `2h`, `1d`, at most `365d`.
    pub fn after(mut self, duration: impl Into<String>) -> Decision {
        self.after = Some(duration.into());
        self
    }

    /// Sets the latest time to send; after it the message is recorded as expired.
    pub fn expires_at(mut self, at: Timestamp) -> Decision {
        self.expires_at = Some(at);
        self
    }

    /// Sets the priority urgent: it is sent before others, and in quiet hours too.
    pub fn urgent(mut self) -> Decision {
        self.priority = Some(Priority::Urgent);
        self
    }

    /// Sets the priority bulk: it is sent while nothing else waits; a tenth of the sends is reserved for it.
    pub fn bulk(mut self) -> Decision {
        self.priority = Some(Priority::Bulk);
        self
    }

    /// Sets the reason, which the history shows.
    pub fn because(mut self, reason: impl Into<String>) -> Decision {
        self.reason = Some(reason.into());
        self
    }
}

impl From<Decision> for Answer {
    fn from(decision: Decision) -> Answer {
        Answer::Notify(vec![decision])
    }
}

/// Why a plugin could not answer. `on_failure` in the manifest decides what happens then.
///
/// ```
/// use hookswitch_sdk::Failure;
///
/// assert_eq!(Failure::from("no stock").to_string(), "no stock");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: Into<String>> From<T> for Failure {
    fn from(message: T) -> Failure {
        Failure(message.into())
    }
}

/// The return types of a router.
///
/// ```
/// use hookswitch_sdk::{Decision, IntoAnswer, skip};
///
/// assert!(Decision::new("welcome").into_answer().is_ok());
/// assert!(Err::<Decision, _>("no name").into_answer().is_err());
/// assert!(Ok::<_, String>(skip("not today")).into_answer().is_ok());
/// ```
pub trait IntoAnswer {
    /// Converts it to an answer.
    ///
    /// # Errors
    /// If the router returned an error.
    fn into_answer(self) -> Result<Answer, Failure>;
}

impl IntoAnswer for Answer {
    fn into_answer(self) -> Result<Answer, Failure> {
        Ok(self)
    }
}

impl IntoAnswer for Decision {
    fn into_answer(self) -> Result<Answer, Failure> {
        Ok(self.into())
    }
}

impl IntoAnswer for Vec<Decision> {
    fn into_answer(self) -> Result<Answer, Failure> {
        Ok(Answer::Notify(self))
    }
}

impl<A: IntoAnswer, E: Display> IntoAnswer for Result<A, E> {
    fn into_answer(self) -> Result<Answer, Failure> {
        self.map_err(|error| Failure(error.to_string()))?.into_answer()
    }
}

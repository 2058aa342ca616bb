//! What a plugin answers.

use std::fmt::{self, Display};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// What a plugin answers: whom to tell what, or why nobody is told.
///
/// ```
/// use hookswitch_sdk::{Answer, Decision};
///
/// let both = Answer::Notify(vec![Decision::new("one").user("ann"), Decision::new("two").user("bob")]);
/// assert!(matches!(both, Answer::Notify(decisions) if decisions.len() == 2));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Tell people.
    Notify(Vec<Decision>),
    /// Tell nobody, and why.
    Skip(String),
}

/// Tells nobody, and says why.
///
/// ```
/// use hookswitch_sdk::{Answer, skip};
///
/// assert_eq!(skip("too small"), Answer::Skip("too small".to_owned()));
/// ```
pub fn skip(why: impl Into<String>) -> Answer {
    Answer::Skip(why.into())
}

/// Which message goes to whom, with what words in it.
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
    /// The template's name.
    pub template: String,
    /// Groups whose active members get it.
    pub groups: Vec<String>,
    /// Usernames.
    pub users: Vec<String>,
    /// E.164 numbers, `wa_id`s or Meta's user ids.
    pub contacts: Vec<String>,
    /// The template's variables.
    pub context: Map<String, Value>,
    /// A second decision for this template with the same key tells nobody, for a time.
    pub dedupe_key: Option<String>,
    /// For how long the key counts, such as `2h`; 24 hours by default.
    pub dedupe_for: Option<String>,
    /// For how long, and with which others, it is collected into one message: `10m by group`, `1h by person`.
    pub collect: Option<String>,
    /// Not before this.
    pub send_at: Option<Timestamp>,
    /// So long after the event's time: `90s`, `10m`, `2h`, `1d`.
    pub after: Option<String>,
    /// Not after this.
    pub expires_at: Option<Timestamp>,
    /// `urgent`, `normal` or `bulk`.
    pub priority: Option<Priority>,
    /// `auto`, `template` or `text`.
    pub mode: Option<Mode>,
    /// The name of the number that sends it.
    pub from: Option<String>,
    /// Why, in your words.
    pub reason: Option<String>,
}

pub use crate::bindings::hookswitch::plugin::types::{Mode, Priority};

impl Decision {
    /// A decision for a template; say whom it goes to.
    pub fn new(template: impl Into<String>) -> Decision {
        Decision { template: template.into(), ..Decision::default() }
    }

    /// Goes to a group.
    pub fn group(mut self, group: impl Into<String>) -> Decision {
        self.groups.push(group.into());
        self
    }

    /// Goes to a person, by username.
    pub fn user(mut self, username: impl Into<String>) -> Decision {
        self.users.push(username.into());
        self
    }

    /// Goes to a WhatsApp user who is no staff.
    pub fn contact(mut self, contact: impl Into<String>) -> Decision {
        self.contacts.push(contact.into());
        self
    }

    /// Gives a variable of the template its value. What JSON cannot hold becomes null.
    pub fn var(mut self, name: impl Into<String>, value: impl Serialize) -> Decision {
        self.context.insert(name.into(), serde_json::to_value(value).unwrap_or_default());
        self
    }

    /// Only the first decision with this key counts, for 24 hours or as long as [`Decision::dedupe_for`] says.
    pub fn dedupe_key(mut self, key: impl Into<String>) -> Decision {
        self.dedupe_key = Some(key.into());
        self
    }

    /// The number with this name sends it; without one, the template's or the usual one does.
    pub fn from(mut self, name: impl Into<String>) -> Decision {
        self.from = Some(name.into());
        self
    }

    /// For how long the key counts: `90s`, `10m`, `2h`, `1d`.
    pub fn dedupe_for(mut self, duration: impl Into<String>) -> Decision {
        self.dedupe_for = Some(duration.into());
        self
    }

    /// Told together with others of this template: `10m by group`, `1h by person`. The template sees them as `items`,
    /// and how many there are as `count`.
    pub fn collect(mut self, duration_and_by: impl Into<String>) -> Decision {
        self.collect = Some(duration_and_by.into());
        self
    }

    /// Not before this.
    pub fn send_at(mut self, at: Timestamp) -> Decision {
        self.send_at = Some(at);
        self
    }

    /// So long after the event's time: `90s`, `10m`, `2h`, `1d`.
    pub fn after(mut self, duration: impl Into<String>) -> Decision {
        self.after = Some(duration.into());
        self
    }

    /// Not after this.
    pub fn expires_at(mut self, at: Timestamp) -> Decision {
        self.expires_at = Some(at);
        self
    }

    /// Before all others.
    pub fn urgent(mut self) -> Decision {
        self.priority = Some(Priority::Urgent);
        self
    }

    /// After all others.
    pub fn bulk(mut self) -> Decision {
        self.priority = Some(Priority::Bulk);
        self
    }

    /// Why, in your words: it stands in the history.
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

/// Why a plugin could not answer. The manifest says what is done then.
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

/// What a router may give.
///
/// ```
/// use hookswitch_sdk::{Decision, IntoAnswer, skip};
///
/// assert!(Decision::new("welcome").into_answer().is_ok());
/// assert!(Err::<Decision, _>("no name").into_answer().is_err());
/// assert!(Ok::<_, String>(skip("not today")).into_answer().is_ok());
/// ```
pub trait IntoAnswer {
    /// The answer, or why there is none.
    ///
    /// # Errors
    /// Where the router failed.
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

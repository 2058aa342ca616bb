//! Routes: which events a rule handles, and what a plain route decides.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rhai::{Engine, Scope};
use serde_json::Value;

use super::{
    answer::wrong_key,
    calls::Functions,
    expression::{Expression, Unanswered},
    source::{RuleError, Source},
};
use crate::domain::{Cancel, Collect, Decision, Mode, Otherwise, Outcome, Priority, SendTime};

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

/// What a route withdraws that sends nothing, as written.
pub struct CancelSource {
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
    /// Name of the template.
    pub template: Source,
    /// Names of groups.
    pub groups: Vec<Source>,
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
    /// How decisions are collected into one message.
    pub collect: Option<Collect>,
    /// Variables of the template.
    pub context: Vec<(String, ValueSource)>,
    /// Earliest time to send.
    pub send: Option<SendSource>,
    /// Expression for the time after which the message is no longer sent.
    pub expires_at: Option<Source>,
    /// Priority (default normal).
    pub priority: Priority,
    /// Overrides the template's mode.
    pub mode: Option<Mode>,
    /// Expression for the language of the template.
    pub language: Option<Source>,
    /// Whether it answers the message that the event is about.
    pub reply: bool,
    /// Name of the sending number.
    pub from: Option<String>,
    /// Reason for the record, in the author's words.
    pub reason: Option<String>,
}

impl PlainSource {
    /// All groups that it names.
    pub fn all_groups(&self) -> impl Iterator<Item = &Source> {
        self.groups.iter().chain(self.otherwise.iter().flat_map(|others| &others.groups))
    }
}

/// A variable of the template, as written.
pub enum ValueSource {
    /// A number or boolean.
    Literal(Value),
    /// An expression.
    Expression(Source),
}

/// The earliest time to send, as written.
pub enum SendSource {
    /// An expression for a time.
    At(Source),
    /// A duration after the event's time.
    After(SignedDuration),
}

/// A compiled route that only withdraws messages.
pub struct Withdrawal {
    cancel: Vec<Expression>,
    reason: Option<String>,
}

/// Who receives a message where none of its recipients can be reached.
struct Others {
    groups: Vec<String>,
    users: Vec<Expression>,
    contacts: Vec<Expression>,
}

/// A compiled plain route.
pub struct Plain {
    template: String,
    groups: Vec<String>,
    users: Vec<Expression>,
    contacts: Vec<Expression>,
    otherwise: Option<Others>,
    dedupe_key: Option<Expression>,
    dedupe_for: Option<SignedDuration>,
    key: Option<Expression>,
    cancel: Vec<Expression>,
    collect: Option<Collect>,
    context: Vec<(String, Variable)>,
    send: Option<Send>,
    expires_at: Option<Expression>,
    priority: Priority,
    mode: Option<Mode>,
    language: Option<Expression>,
    reply: bool,
    from: Option<String>,
    reason: Option<String>,
}

enum Variable {
    Literal(Value),
    Expression(Expression),
}

enum Send {
    At(Expression),
    After(SignedDuration),
}

impl Plain {
    /// Compiles the expressions of a route; adds all of their errors to `errors`.
    pub fn compile(
        engine: &Engine,
        functions: &Functions,
        source: &PlainSource,
        errors: &mut Vec<RuleError>,
    ) -> Option<Plain> {
        let before = errors.len();
        let mut compile = |source: &Source| Expression::compile(engine, functions, source, errors);
        let context = source.context.iter().filter_map(|(name, value)| {
            let value = match value {
                ValueSource::Literal(value) => Variable::Literal(value.clone()),
                ValueSource::Expression(source) => Variable::Expression(compile(source)?),
            };
            Some((name.clone(), value))
        });
        let context = context.collect();
        let plain = Plain {
            template: source.template.text.clone(),
            groups: source.groups.iter().map(|group| group.text.clone()).collect(),
            users: source.users.iter().filter_map(&mut compile).collect(),
            contacts: source.contacts.iter().filter_map(&mut compile).collect(),
            otherwise: source.otherwise.as_ref().map(|others| Others {
                groups: others.groups.iter().map(|group| group.text.clone()).collect(),
                users: others.users.iter().filter_map(&mut compile).collect(),
                contacts: others.contacts.iter().filter_map(&mut compile).collect(),
            }),
            dedupe_key: source.dedupe_key.as_ref().and_then(&mut compile),
            dedupe_for: source.dedupe_for,
            key: source.key.as_ref().and_then(&mut compile),
            cancel: source.cancel.iter().filter_map(&mut compile).collect(),
            collect: source.collect,
            context,
            send: match &source.send {
                None => None,
                Some(SendSource::After(after)) => Some(Send::After(*after)),
                Some(SendSource::At(at)) => compile(at).map(Send::At),
            },
            expires_at: source.expires_at.as_ref().and_then(&mut compile),
            priority: source.priority,
            mode: source.mode,
            language: source.language.as_ref().and_then(&mut compile),
            reply: source.reply,
            from: source.from.clone(),
            reason: source.reason.clone(),
        };
        (errors.len() == before).then_some(plain)
    }

    fn decide(&self, engine: &Engine, scope: &mut Scope) -> Result<Decision, Unanswered> {
        let mut context = BTreeMap::new();
        for (name, variable) in &self.context {
            let value = match variable {
                Variable::Literal(value) => value.clone(),
                Variable::Expression(expression) => expression.json(engine, scope)?,
            };
            context.insert(name.clone(), value);
        }
        let time =
            |expression: &Option<Expression>, scope: &mut Scope| -> Result<Option<Timestamp>, Unanswered> {
                expression.as_ref().map_or(Ok(None), |expression| expression.time(engine, scope))
            };
        let users = words(&self.users, engine, scope)?;
        let contacts = words(&self.contacts, engine, scope)?;
        let otherwise = match &self.otherwise {
            None => None,
            Some(others) => Some(Box::new(Otherwise {
                groups: others.groups.clone(),
                users: words(&others.users, engine, scope)?,
                contacts: words(&others.contacts, engine, scope)?,
            })),
        };
        let key = match &self.key {
            None => None,
            Some(key) => keys(std::slice::from_ref(key), engine, scope)?.pop(),
        };
        let is_nobody = self.groups.is_empty() && users.is_empty() && contacts.is_empty() && !self.reply;
        let reason = match is_nobody {
            true => Some(self.nobody()),
            false => self.reason.clone(),
        };
        Ok(Decision {
            template: self.template.clone(),
            groups: self.groups.clone(),
            users,
            contacts,
            otherwise,
            context,
            dedupe_key: self.dedupe_key.as_ref().map_or(Ok(None), |key| key.word(engine, scope))?,
            dedupe_for: self.dedupe_for,
            key,
            cancel: keys(&self.cancel, engine, scope)?,
            collect: self.collect,
            send: match &self.send {
                None => None,
                Some(Send::After(after)) => Some(SendTime::After(*after)),
                Some(Send::At(at)) => at.time(engine, scope)?.map(SendTime::SendAt),
            },
            expires_at: time(&self.expires_at, scope)?,
            priority: self.priority,
            mode: self.mode,
            language: self.language.as_ref().map_or(Ok(None), |language| language.word(engine, scope))?,
            reply: self.reply,
            reply_to: None,
            from: self.from.clone(),
            reason,
        })
    }

    /// Why nobody is named, after the author's reason.
    fn nobody(&self) -> String {
        let empty: Vec<String> =
            self.users.iter().chain(&self.contacts).map(|named| format!("`{}`", named.text())).collect();
        let verb = if empty.len() == 1 { "gives" } else { "give" };
        let why = format!("{} {verb} nothing", empty.join(", "));
        self.reason.iter().cloned().chain([why]).collect::<Vec<_>>().join("; ")
    }
}

impl Withdrawal {
    /// Compiles the expressions; adds all of their errors to `errors`.
    pub fn compile(
        engine: &Engine,
        functions: &Functions,
        source: &CancelSource,
        errors: &mut Vec<RuleError>,
    ) -> Option<Withdrawal> {
        let before = errors.len();
        let compile = |source: &Source| Expression::compile(engine, functions, source, errors);
        let cancel = source.cancel.iter().filter_map(compile).collect();
        (errors.len() == before).then(|| Withdrawal { cancel, reason: source.reason.clone() })
    }

    /// The outcome for an event.
    pub fn outcome(&self, engine: &Engine, scope: &mut Scope) -> Result<Outcome, RuleError> {
        match keys(&self.cancel, engine, scope) {
            Ok(none) if none.is_empty() => {
                let texts: Vec<String> = self.cancel.iter().map(|key| format!("`{}`", key.text())).collect();
                let verb = if texts.len() == 1 { "gives" } else { "give" };
                Ok(Outcome::Skip(format!("{} {verb} nothing to cancel", texts.join(", "))))
            }
            Ok(cancel) => Ok(Outcome::Cancel(Box::new(Cancel { cancel, reason: self.reason.clone() }))),
            Err(Unanswered::Skip(why)) => Ok(Outcome::Skip(why)),
            Err(Unanswered::Failed(error)) => Err(error),
        }
    }
}

/// The keys that expressions give, each within its limit.
fn keys(expressions: &[Expression], engine: &Engine, scope: &mut Scope) -> Result<Vec<String>, Unanswered> {
    let mut keys = Vec::new();
    for expression in expressions {
        for key in expression.words(engine, scope)? {
            if let Some(why) = wrong_key(&key) {
                return Err(expression.wrong(why));
            }
            keys.push(key);
        }
    }
    Ok(keys)
}

fn words(expressions: &[Expression], engine: &Engine, scope: &mut Scope) -> Result<Vec<String>, Unanswered> {
    let mut words = Vec::new();
    for expression in expressions {
        words.extend(expression.words(engine, scope)?);
    }
    Ok(words)
}

/// Evaluates the condition of a route: `None` if it holds, or the outcome if not.
pub fn let_through(
    when: &Expression,
    engine: &Engine,
    scope: &mut Scope,
) -> Result<Option<Outcome>, RuleError> {
    match when.holds(engine, scope) {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some(Outcome::Skip(format!("`{}` is false", when.text())))),
        Err(Unanswered::Skip(why)) => Ok(Some(Outcome::Skip(why))),
        Err(Unanswered::Failed(error)) => Err(error),
    }
}

/// The outcome of a plain route for an event.
pub fn outcome(plain: &Plain, engine: &Engine, scope: &mut Scope) -> Result<Outcome, RuleError> {
    match plain.decide(engine, scope) {
        Ok(decision) => Ok(Outcome::Notify(Box::new(decision))),
        Err(Unanswered::Skip(why)) => Ok(Outcome::Skip(why)),
        Err(Unanswered::Failed(error)) => Err(error),
    }
}

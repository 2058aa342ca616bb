//! What a plain route decides.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rhai::{Engine, Scope};

use super::{
    answer,
    calls::Functions,
    expression::{Expression, Names, Unanswered},
    lets::{Lets, Variable},
    route_source::{CollectSource, Marked, PlainSource, SendSource, ValueSource},
    source::{RuleError, Source},
    withdrawal::keys,
};
use crate::domain::{AtMost, Collect, Decision, Mode, Otherwise, Outcome, Priority, SendTime};

/// Who receives a message where none of its recipients can be reached.
struct Others {
    groups: Vec<String>,
    users: Vec<Expression>,
    contacts: Vec<Expression>,
}

/// A compiled plain route.
pub struct Plain {
    lets: Lets,
    template: Setting<String>,
    groups: Vec<Setting<String>>,
    users: Vec<Expression>,
    contacts: Vec<Expression>,
    otherwise: Option<Others>,
    dedupe_key: Option<Expression>,
    dedupe_for: Option<SignedDuration>,
    key: Option<Expression>,
    cancel: Vec<Expression>,
    at_most: Option<AtMost>,
    hours: Option<String>,
    collect: Option<Collected>,
    context: Vec<(String, Variable)>,
    send: Option<Send>,
    expires_at: Option<Expression>,
    priority: Setting<Priority>,
    mode: Option<Mode>,
    language: Option<Setting<String>>,
    reply: bool,
    from: Option<String>,
    reason: Option<String>,
}

/// A value that is known, or that an expression gives.
enum Setting<T> {
    Known(T),
    Computed(Expression),
}

enum Collected {
    Known(Collect),
    Key(SignedDuration, Expression),
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
        let (lets, known) = Lets::compile(engine, functions, &source.lets, errors);
        let names = Names { known: &known, later: &[] };
        let mut compile = |source: &Source| Expression::compile(engine, functions, source, names, errors);
        let context = source.context.iter().filter_map(|(name, value)| {
            let value = match value {
                ValueSource::Literal(value) => Variable::Literal(value.clone()),
                ValueSource::Expression(source) => Variable::Expression(compile(source)?),
            };
            Some((name.clone(), value))
        });
        let context = context.collect();
        let mut text = |marked: &Marked| match marked {
            Marked::Plain(source) => Some(Setting::Known(source.text.clone())),
            Marked::Expression(source) => compile(source).map(Setting::Computed),
        };
        let template = text(&source.template);
        let groups = source.groups.iter().filter_map(&mut text).collect();
        let language = source.language.as_ref().and_then(&mut text);
        let plain = Plain {
            lets,
            groups,
            language,
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
            at_most: source.at_most.clone(),
            hours: source.hours.clone(),
            collect: match &source.collect {
                None => None,
                Some(CollectSource::Known(collect)) => Some(Collected::Known(collect.clone())),
                Some(CollectSource::Key(time, key)) => compile(key).map(|key| Collected::Key(*time, key)),
            },
            context,
            send: match &source.send {
                None => None,
                Some(SendSource::After(after)) => Some(Send::After(*after)),
                Some(SendSource::At(at)) => compile(at).map(Send::At),
            },
            expires_at: source.expires_at.as_ref().and_then(&mut compile),
            priority: match &source.priority {
                None => Setting::Known(Priority::default()),
                Some(Marked::Expression(source)) => Setting::Computed(compile(source)?),
                Some(Marked::Plain(source)) => match answer::priority(&source.text) {
                    Ok(priority) => Setting::Known(priority),
                    Err(message) => {
                        let is_expression = source.text.contains(['.', '(']);
                        let help = is_expression
                            .then(|| format!("an expression begins with `=`: `={}`", source.text));
                        errors.push(RuleError { place: source.place.clone(), message, help });
                        return None;
                    }
                },
            },
            mode: source.mode,
            template: template?,
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
        let template = match &self.template {
            Setting::Known(template) => template.clone(),
            Setting::Computed(name) => {
                let nothing = || name.wrong("expected the name of a template, got nothing".to_owned());
                name.word(engine, scope)?.ok_or_else(nothing)?
            }
        };
        let mut groups = Vec::new();
        for group in &self.groups {
            match group {
                Setting::Known(group) => groups.push(group.clone()),
                Setting::Computed(names) => groups.extend(names.words(engine, scope)?),
            }
        }
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
        let is_nobody = groups.is_empty() && users.is_empty() && contacts.is_empty() && !self.reply;
        let reason = match is_nobody {
            true => Some(self.nobody()),
            false => self.reason.clone(),
        };
        Ok(Decision {
            template,
            groups,
            users,
            contacts,
            otherwise,
            context,
            dedupe_key: self.dedupe_key.as_ref().map_or(Ok(None), |key| key.word(engine, scope))?,
            dedupe_for: self.dedupe_for,
            key,
            cancel: keys(&self.cancel, engine, scope)?,
            at_most: self.at_most.clone(),
            hours: self.hours.clone(),
            collect: match &self.collect {
                None => None,
                Some(Collected::Known(collect)) => Some(collect.clone()),
                Some(Collected::Key(time, key)) => {
                    let text = key.word(engine, scope)?.unwrap_or_default();
                    let by = answer::collect_key(&text).map_err(|why| key.wrong(why))?;
                    Some(Collect { time: *time, by })
                }
            },
            send: match &self.send {
                None => None,
                Some(Send::After(after)) => Some(SendTime::After(*after)),
                Some(Send::At(at)) => at.time(engine, scope)?.map(SendTime::SendAt),
            },
            expires_at: time(&self.expires_at, scope)?,
            priority: match &self.priority {
                Setting::Known(priority) => *priority,
                Setting::Computed(word) => match word.word(engine, scope)? {
                    Some(text) => answer::priority(&text).map_err(|why| word.wrong(why))?,
                    None => Priority::default(),
                },
            },
            mode: self.mode,
            language: match &self.language {
                None => None,
                Some(Setting::Known(language)) => Some(language.clone()),
                Some(Setting::Computed(language)) => language.word(engine, scope)?,
            },
            reply: self.reply,
            reply_to: None,
            from: self.from.clone(),
            reason,
        })
    }

    /// Why nobody is named, after the author's reason.
    fn nobody(&self) -> String {
        let groups = self.groups.iter().filter_map(|group| match group {
            Setting::Known(_) => None,
            Setting::Computed(names) => Some(names),
        });
        let named = groups.chain(&self.users).chain(&self.contacts);
        let empty: Vec<String> = named.map(|named| format!("`{}`", named.text())).collect();
        let verb = if empty.len() == 1 { "gives" } else { "give" };
        let why = format!("{} {verb} nothing", empty.join(", "));
        self.reason.iter().cloned().chain([why]).collect::<Vec<_>>().join("; ")
    }
}

fn words(expressions: &[Expression], engine: &Engine, scope: &mut Scope) -> Result<Vec<String>, Unanswered> {
    let mut words = Vec::new();
    for expression in expressions {
        words.extend(expression.words(engine, scope)?);
    }
    Ok(words)
}

/// The outcome of a plain route for an event.
pub fn outcome(
    plain: &Plain,
    when: Option<&Expression>,
    engine: &Engine,
    scope: &mut Scope,
) -> Result<Outcome, RuleError> {
    let mut decided = || -> Result<Outcome, Unanswered> {
        match plain.lets.let_through(when, engine, scope)? {
            Some(instead) => Ok(instead),
            None => plain.decide(engine, scope).map(|decision| Outcome::Notify(Box::new(decision))),
        }
    };
    match decided() {
        Ok(outcome) => Ok(outcome),
        Err(Unanswered::Skip(why)) => Ok(Outcome::Skip(why)),
        Err(Unanswered::Failed(error)) => Err(error),
    }
}

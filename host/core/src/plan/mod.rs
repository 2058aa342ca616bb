//! Plans messages: from decisions and people to rendered notifications. Pure: people and time are given.

mod compare;
mod field;
mod front;
mod header;
mod in_use;
mod languages;
mod media;
mod meta_body;
mod meta_parts;
mod meta_template;
mod names;
mod parameter;
mod parts;
mod program;
mod render;
mod resolve;
mod rows;
mod template;
#[cfg(test)]
mod tests;
mod weigh;
mod words;

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
};

use jiff::Timestamp;
use serde_json::Value;

pub use self::{
    in_use::{Addressee, InUse, MetaName, Version, Versions},
    media::{MediaKind, media_type},
    meta_parts::{MetaButton, MetaHeader},
    meta_template::{
        ExampleFile, MetaTemplate, definition, definitions, doubts, notes, version_name, version_number,
        wording,
    },
    parameter::{one_line, parameter},
    resolve::{Names, named, recipient},
    template::{Category, Template, TemplateError, TemplateSource, Templates},
};
use self::{
    render::Renderer,
    resolve::{Recipient, missing, remarks, resolve},
};
use crate::domain::{
    DIGEST_TYPE, Decision, DecisionOutcome, Digest, Event, Message, Notification, NotificationId, Outcome,
    People, SendTime, Senders, Verdict, closest,
};

/// People that `else` names, at most: they are planned at once.
const MOST_OTHERS: usize = 200;

/// The plan of a verdict: its outcome and its notifications.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Any outcome except `Duplicate` and `Collected`, which only the database can determine.
    pub outcome: DecisionOutcome,
    /// Human-readable reason.
    pub reason: Option<String>,
    /// Notifications to send, and those that will never be sent.
    pub notifications: Vec<PlannedNotification>,
}

/// A notification to send, or one that will never be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedNotification {
    /// The notification.
    pub notification: Notification,
    /// Why it will never be sent; `None` if it is to be sent.
    pub skipped: Option<String>,
}

impl Planned {
    fn without_people(outcome: DecisionOutcome, reason: Option<String>) -> Planned {
        Planned { outcome, reason: reason.map(|reason| reason.replace('\0', "")), notifications: Vec::new() }
    }
}

/// Turns verdicts into rendered messages.
#[derive(Clone, Copy)]
pub struct Planner<'a> {
    /// All templates of the rules.
    pub templates: &'a Templates,
    /// Sending numbers.
    pub senders: &'a Senders,
    /// Versions in use at Meta; `None` if rules are checked without Meta.
    pub in_use: Option<&'a InUse>,
    /// People named by the verdicts.
    pub people: &'a People,
    /// Current time.
    pub now: Timestamp,
}

/// The common parts of all messages of one decision.
struct Common<'a> {
    renderer: Renderer<'a>,
    sender: &'a str,
    send_at: Option<Timestamp>,
}

impl<'a> Planner<'a> {
    /// Plans a verdict for these people.
    pub fn plan(&self, event: &Event, verdict: &Verdict) -> Planned {
        match &verdict.outcome {
            Outcome::Notify(decision) => self
                .notify(event, decision)
                .unwrap_or_else(|why| Planned::without_people(DecisionOutcome::Failed, Some(why))),
            Outcome::Cancel(cancel) => {
                Planned::without_people(DecisionOutcome::Cancel, cancel.reason.clone())
            }
            Outcome::Skip(why) => Planned::without_people(DecisionOutcome::Skip, Some(why.clone())),
            Outcome::NoRoute => {
                let why = format!("no route matches the type {}", event.kind);
                Planned::without_people(DecisionOutcome::NoRoute, Some(why))
            }
            Outcome::Failed(why) => Planned::without_people(DecisionOutcome::Failed, Some(why.clone())),
            Outcome::Parked { why, .. } => {
                Planned::without_people(DecisionOutcome::Parked, Some(why.clone()))
            }
        }
    }

    /// Plans a verdict whose people are planned page by page later: checks it as far as possible without them. `people`
    /// must contain its existing groups.
    pub fn announce(&self, event: &Event, verdict: &Verdict) -> Planned {
        let Outcome::Notify(decision) = &verdict.outcome else { return self.plan(event, verdict) };
        let told = told(decision);
        match self.common(event, &told, None).and_then(|mut common| common.message(Addressee::default())) {
            Ok(_) => {
                let reasons: Vec<String> =
                    decision.reason.iter().cloned().chain(missing(decision, self.people)).collect();
                let reason = (!reasons.is_empty()).then(|| reasons.join("; "));
                Planned::without_people(DecisionOutcome::Notify, reason)
            }
            Err(why) => Planned::without_people(DecisionOutcome::Failed, Some(why)),
        }
    }

    /// The messages of a decision to those of its people who are known here.
    ///
    /// # Errors
    /// Why it cannot be told, in words.
    pub fn messages(&self, event: &Event, decision: &Decision) -> Result<Vec<PlannedNotification>, String> {
        let recipients = resolve(decision, self.people);
        let (told, left_out) = self.shown(event, decision, longest(&recipients))?;
        // Also of a decision without recipients: it is wrong all the same.
        self.common(event, &told, None)?;
        let mut commons: BTreeMap<&str, Common<'_>> = BTreeMap::new();
        let mut messages = Vec::with_capacity(recipients.len());
        for recipient in recipients {
            let template = self.template(&told, recipient.language.as_deref())?;
            let common = match commons.entry(&template.language) {
                Entry::Occupied(common) => common.into_mut(),
                Entry::Vacant(place) => {
                    let mut common = self.common(event, &told, recipient.language.as_deref())?;
                    if let Some(left_out) = left_out {
                        common.renderer = common.renderer.with_last_line(more(left_out));
                    }
                    place.insert(common)
                }
            };
            messages.push(self.message(decision, common, recipient)?);
        }
        Ok(messages)
    }

    fn notify(&self, event: &Event, decision: &Decision) -> Result<Planned, String> {
        let mut notifications = self.messages(event, decision)?;
        let is_reached = |planned: &PlannedNotification| planned.skipped.is_none();
        let mut remarks = remarks(decision, self.people);
        if !notifications.iter().any(is_reached)
            && let Some(others) = decision.for_the_others()
        {
            remarks.push("none of its recipients can be reached, so those of `else` get it".to_owned());
            remarks.extend(self::remarks(&others, self.people));
            let members = |group| self.people.groups.get(group).map_or(0, Vec::len);
            let count =
                others.groups.iter().map(members).sum::<usize>() + others.users.len() + others.contacts.len();
            if count > MOST_OTHERS {
                return Err(format!("`else` names more than {MOST_OTHERS} people"));
            }
            let who = |planned: &PlannedNotification| {
                let Notification { username, recipient, name, .. } = &planned.notification;
                (username.clone(), recipient.clone(), name.clone())
            };
            let mut others = self.messages(event, &others)?;
            others.retain(|other| notifications.iter().all(|planned| who(planned) != who(other)));
            notifications.extend(others);
        }
        let reached = notifications.iter().any(is_reached);
        let outcome = if reached { DecisionOutcome::Notify } else { DecisionOutcome::Nobody };
        let mut reasons: Vec<String> = decision.reason.iter().cloned().chain(remarks).collect();
        if !reached && reasons.is_empty() {
            reasons.push("none of its recipients can be reached".to_owned());
        }
        let reason = (!reasons.is_empty()).then(|| reasons.join("; ").replace('\0', ""));
        Ok(Planned { outcome, reason, notifications })
    }

    /// The decision as the template sees it, and how many items are left out of a digest that is too long.
    fn shown<'b>(
        &self,
        event: &Event,
        decision: &'b Decision,
        longest: Addressee<'_>,
    ) -> Result<(Cow<'b, Decision>, Option<u64>), String> {
        if event.kind != DIGEST_TYPE || self.common(event, decision, None)?.renderer.fits(longest) {
            return Ok((told(decision), None));
        }
        let (shorter, left_out) = self.shorter(event, decision, longest)?;
        Ok((Cow::Owned(shorter), Some(left_out)))
    }

    /// A digest with as many items as can be sent, and the number of items left out.
    fn shorter(
        &self,
        event: &Event,
        decision: &Decision,
        longest: Addressee<'_>,
    ) -> Result<(Decision, u64), String> {
        let items = decision.context.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let count = decision.context.get("count").and_then(Value::as_u64).unwrap_or(items.len() as u64);
        let with = |shown: usize| {
            let mut shorter = decision.clone();
            shorter.context.insert("items".to_owned(), items.iter().take(shown).cloned().collect());
            (shorter, count.saturating_sub(shown as u64))
        };
        // The most that fit lie in `fit..too_many`.
        let (mut fit, mut too_many) = (0, items.len());
        while fit + 1 < too_many {
            let middle = usize::midpoint(fit, too_many);
            let (shorter, left_out) = with(middle);
            let common = self.common(event, &shorter, None)?;
            match common.renderer.with_last_line(more(left_out)).fits(longest) {
                true => fit = middle,
                false => too_many = middle,
            }
        }
        Ok(with(fit))
    }

    /// The variant of the decision's template for a recipient of this language.
    fn template(&self, told: &Decision, language: Option<&str>) -> Result<&'a Template, String> {
        let name = &told.template;
        let language = told.language.as_deref().or(language);
        self.templates.for_language(name, language).ok_or_else(|| {
            let meant = closest(name, self.templates.names());
            let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
            format!("unknown template {name}{meant}")
        })
    }

    /// What the messages to all recipients of this language have in common.
    fn common<'b>(
        &self,
        event: &Event,
        told: &'b Decision,
        language: Option<&str>,
    ) -> Result<Common<'b>, String>
    where
        'a: 'b,
    {
        let template = self.template(told, language)?;
        let sender = self.senders.get(told.from.as_deref().or(template.from.as_deref()))?;
        let send_at = match &told.send {
            None => None,
            Some(SendTime::SendAt(at)) => Some(*at),
            Some(SendTime::After(time)) => Some(
                event
                    .time
                    .checked_add(*time)
                    .map_err(|_| "`after` leads to a time beyond the year 9999".to_owned())?,
            ),
        };
        let in_use = self.in_use.and_then(|in_use| in_use.current(&template.name, &template.language));
        Ok(Common {
            renderer: Renderer::new(self.templates, template, told, self.now, in_use),
            sender,
            send_at,
        })
    }

    fn message(
        &self,
        decision: &Decision,
        common: &mut Common<'_>,
        recipient: Recipient,
    ) -> Result<PlannedNotification, String> {
        let to = Addressee { name: recipient.name.as_deref(), username: recipient.username.as_deref() };
        let message = common.message(to)?;
        Ok(PlannedNotification {
            notification: Notification {
                id: NotificationId::new(self.now),
                username: recipient.username,
                name: recipient.name,
                recipient: recipient.to,
                phone_number_id: common.sender.to_owned(),
                template: decision.template.clone(),
                priority: decision.priority,
                message,
                reason: recipient.reason,
                send_at: common.send_at,
                expires_at: decision.expires_at,
                key: decision.key.clone(),
            },
            skipped: recipient.skipped,
        })
    }
}

impl Common<'_> {
    fn message(&mut self, to: Addressee<'_>) -> Result<Message, String> {
        self.renderer.render(to.name, to.username)
    }
}

/// The decision as the template sees it: a collected one becomes a digest of one, which shows what the digest will be.
fn told(decision: &Decision) -> Cow<'_, Decision> {
    match decision.collect {
        Some(_) => Cow::Owned(Digest::of_one(decision).into_decision()),
        None => Cow::Borrowed(decision),
    }
}

/// The last line of a digest that shows only some of its items.
fn more(left_out: u64) -> String {
    format!("… and {left_out} more")
}

/// The names of the recipient with the longest text.
fn longest(recipients: &[Recipient]) -> Addressee<'_> {
    let length = |name: &Option<String>| name.as_ref().map_or(0, String::len);
    let longest = recipients.iter().max_by_key(|to| length(&to.name) + length(&to.username));
    longest.map_or(Addressee::default(), |to| Addressee {
        name: to.name.as_deref(),
        username: to.username.as_deref(),
    })
}

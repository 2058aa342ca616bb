//! Plans messages: from decisions and people to rendered notifications. Pure: people and time are given.

mod authentication;
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

#[cfg(test)]
pub(crate) use self::front::{BUTTON_KEYS, KEYS as FRONT_KEYS, ROW_KEYS};
pub use self::{
    authentication::Authentication,
    in_use::{Addressee, InUse, MetaName, Version, Versions},
    media::{MediaKind, media_type},
    meta_parts::{MetaButton, MetaHeader},
    meta_template::{
        ExampleFile, MetaTemplate, definition, definitions, doubts, notes, version_name, version_number,
        wording,
    },
    parameter::{one_line, parameter},
    resolve::{Names, asked_for_opt_outs, named, recipient},
    template::{Category, Template, TemplateError, TemplateSource, Templates},
};
use self::{
    render::Renderer,
    resolve::{Recipient, missing, remarks, resolve},
};
use crate::domain::{
    DIGEST_TYPE, Decision, DecisionOutcome, Digest, Event, HIDDEN, Message, Notification, NotificationId,
    OptOut, Outcome, People, Secrets, SendTime, Senders, Verdict, closest,
};

/// The front matter and the body of a template's file.
///
/// # Errors
/// What is wrong if it has no front matter, or one that is too large.
pub fn front_matter(text: &str) -> Result<(&str, &str), String> {
    let (front, body, _) = front::split(text).map_err(|wrong| wrong.message)?;
    Ok((front, body))
}

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
    /// The values of the decision that must not stay.
    pub secrets: Secrets,
}

/// A notification to send, or one that will never be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedNotification {
    /// The notification.
    pub notification: Notification,
    /// Why it will never be sent; `None` if it is to be sent.
    pub skipped: Option<String>,
    /// The message as it is kept and shown, where it has values that must not stay.
    pub kept: Option<Box<Message>>,
}

impl Planned {
    /// A plan without notifications.
    pub fn without_people(outcome: DecisionOutcome, reason: Option<String>) -> Planned {
        let reason = reason.map(|reason| reason.replace('\0', ""));
        Planned { outcome, reason, notifications: Vec::new(), secrets: Secrets::default() }
    }

    /// The plan as it is shown: without the values that must not stay.
    pub fn into_shown(mut self) -> Planned {
        for planned in &mut self.notifications {
            if let Some(kept) = planned.kept.take() {
                planned.notification.message = Message { is_kept: false, ..*kept };
            }
        }
        self
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
    /// Renders the message as it is kept and shown, where it has values that must not stay.
    kept: Option<Renderer<'a>>,
    sender: &'a str,
    send_at: Option<Timestamp>,
}

impl<'a> Planner<'a> {
    /// Plans a verdict for these people.
    pub fn plan(&self, event: &Event, verdict: &Verdict) -> Planned {
        match &verdict.outcome {
            Outcome::Notify(decision) => {
                let secrets = self.secrets(decision);
                let planned = check_secrets(decision, &secrets).and_then(|()| self.notify(event, decision));
                let planned = planned.unwrap_or_else(|why| {
                    Planned::without_people(DecisionOutcome::Failed, Some(secrets.hide(&why)))
                });
                let reason = planned.reason.map(|reason| secrets.hide(&reason));
                Planned { reason, secrets, ..planned }
            }
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
        let secrets = self.secrets(decision);
        if !secrets.is_empty() {
            // The decision of a large one is read again later, and must have all of its values until then.
            let why = "a message with values that must not stay (`sensitive`) can go to at most 200 people";
            let planned = Planned::without_people(DecisionOutcome::Failed, Some(why.to_owned()));
            return Planned { secrets, ..planned };
        }
        let told = told(decision);
        match self.common(event, &told, None, None).and_then(|mut common| common.renderer.render(None, None))
        {
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
        let secrets = self.secrets(decision);
        let kept = (!secrets.is_empty()).then(|| self.without_secrets(&told, &secrets));
        // Also of a decision without recipients: it is wrong all the same.
        self.common(event, &told, None, None)?;
        let mut commons: BTreeMap<&str, Common<'_>> = BTreeMap::new();
        let mut messages = Vec::with_capacity(recipients.len());
        for recipient in recipients {
            let template = self.template(&told, recipient.language.as_deref())?;
            let common = match commons.entry(&template.language) {
                Entry::Occupied(common) => common.into_mut(),
                Entry::Vacant(place) => {
                    let language = recipient.language.as_deref();
                    let mut common = self.common(event, &told, kept.as_ref(), language)?;
                    if let Some(left_out) = left_out {
                        common.renderer = common.renderer.with_last_line(more(left_out));
                    }
                    place.insert(common)
                }
            };
            let why = self.why_in(template, told.language.as_deref(), recipient.language.as_deref());
            let reason = format!("{}{why}", recipient.reason);
            messages.push(self.message(decision, common, Recipient { reason, ..recipient }, &secrets)?);
        }
        Ok(messages)
    }

    /// The values of a decision that must not stay: those of the variables that a variant of its template names.
    pub fn secrets(&self, decision: &Decision) -> Secrets {
        let variants = self.templates.variants(&decision.template).iter();
        let names = variants.flat_map(|template| &template.sensitive);
        Secrets::new(names.filter_map(|name| decision.context.get(name)))
    }

    /// The decision whose messages are kept and shown.
    fn without_secrets(&self, decision: &Decision, secrets: &Secrets) -> Decision {
        let mut decision = decision.clone();
        for template in self.templates.variants(&decision.template) {
            for name in &template.sensitive {
                if let Some(value) = decision.context.get_mut(name).filter(|value| !value.is_null()) {
                    *value = HIDDEN.into();
                }
            }
        }
        decision.context.values_mut().for_each(|value| secrets.hide_in(value));
        decision
    }

    fn notify(&self, event: &Event, decision: &Decision) -> Result<Planned, String> {
        let tag = decision.at_most.as_ref().and_then(|at_most| at_most.tag.as_deref());
        if let Some(tag) = tag.filter(|tag| self.templates.with_tag(tag).is_empty()) {
            return Err(format!(
                "`at_most`: no template has the tag `{tag}`; set `tag: {tag}` in their front matter"
            ));
        }
        let mut notifications = self.messages(event, decision)?;
        let is_reached = |planned: &PlannedNotification| planned.skipped.is_none();
        let wants_it = |planned: &PlannedNotification| is_reached(planned) && self.opt_out(planned).is_none();
        let mut remarks = remarks(decision, self.people);
        if !notifications.iter().any(wants_it)
            && let Some(others) = decision.for_the_others()
        {
            // Decided here and not when it is sent: whoever comes back meanwhile does not get what others got.
            for planned in notifications.iter_mut().filter(|planned| is_reached(planned)) {
                planned.skipped = self.opt_out(planned).map(ToString::to_string);
            }
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
        Ok(Planned { outcome, reason, notifications, secrets: Secrets::default() })
    }

    /// The opt-out of a message's recipient, as far as it is known when the message is planned.
    pub fn opt_out(&self, planned: &PlannedNotification) -> Option<&OptOut> {
        let Notification { recipient, message, .. } = &planned.notification;
        let opt_out = self.people.opt_outs.get(recipient.as_ref()?)?;
        opt_out.covers(message.marketing).then_some(opt_out)
    }

    /// The decision as the template sees it, and how many items are left out of a digest that is too long.
    fn shown<'b>(
        &self,
        event: &Event,
        decision: &'b Decision,
        longest: Addressee<'_>,
    ) -> Result<(Cow<'b, Decision>, Option<u64>), String> {
        if event.kind != DIGEST_TYPE || self.common(event, decision, None, None)?.renderer.fits(longest) {
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
            let common = self.common(event, &shorter, None, None)?;
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

    /// Why a recipient gets this variant of a template, to be added to a reason; empty for a template without others.
    fn why_in(&self, template: &Template, decided: Option<&str>, reads: Option<&str>) -> String {
        if self.templates.variants(&template.name).len() < 2 {
            return String::new();
        }
        let is_fallback = |wanted: &str| {
            let root = |code: &str| code.split(['_', '-']).next().unwrap_or_default().to_lowercase();
            root(wanted) != root(&template.language)
        };
        let (wanted, why) = match (decided, reads) {
            (Some(decided), _) => (decided, format!("the rule says {decided}")),
            (None, Some(reads)) => (reads, format!("the recipient reads {reads}")),
            (None, None) => ("", "the language of the recipient is not known".to_owned()),
        };
        let fallback = if is_fallback(wanted) { ", the fallback" } else { "" };
        format!("; in {}{fallback}: {why}", template.language)
    }

    /// What the messages to all recipients of this language have in common. `kept` is the decision as it is kept.
    fn common<'b>(
        &self,
        event: &Event,
        told: &'b Decision,
        kept: Option<&'b Decision>,
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
        let in_use = self.in_use.and_then(|in_use| in_use.of(template));
        let renderer = |decision| Renderer::new(self.templates, template, decision, self.now, in_use);
        Ok(Common { renderer: renderer(told), kept: kept.map(renderer), sender, send_at })
    }

    fn message(
        &self,
        decision: &Decision,
        common: &mut Common<'_>,
        recipient: Recipient,
        secrets: &Secrets,
    ) -> Result<PlannedNotification, String> {
        let (name, username) = (recipient.name.as_deref(), recipient.username.as_deref());
        let message = common.renderer.render(name, username)?;
        let kept = common.kept.as_mut().map(|kept| {
            // A filter may take no other value.
            let kept = kept.render(name, username);
            let kept = kept.unwrap_or_else(|_| Message { body: HIDDEN.to_owned(), ..Message::default() });
            Box::new(secrets.hide_in_message(&kept))
        });
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
            kept,
        })
    }
}

/// Whether values that must not stay stand only where they can be taken out.
fn check_secrets(decision: &Decision, secrets: &Secrets) -> Result<(), String> {
    if secrets.is_empty() {
        return Ok(());
    }
    if decision.context.values().any(has_hidden) {
        return Err(
            "a value that must not stay is gone since the event was routed first, so its message cannot be made again; \
             post a new event"
                .to_owned(),
        );
    }
    if decision.collect.is_some() {
        return Err("a message with values that must not stay (`sensitive`) cannot be collected".to_owned());
    }
    let keys = [("dedupe_key", decision.dedupe_key.as_ref()), ("key", decision.key.as_ref())];
    let cancelled = decision.cancel.iter().map(|key| ("cancel", Some(key)));
    for (name, key) in keys.into_iter().chain(cancelled) {
        if key.is_some_and(|key| secrets.are_in(key)) {
            return Err(format!(
                "`{name}` has a value that must not stay (`sensitive`); use another, such as an id"
            ));
        }
    }
    Ok(())
}

/// Whether a value was hidden before.
fn has_hidden(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(HIDDEN),
        Value::Array(items) => items.iter().any(has_hidden),
        Value::Object(members) => members.values().any(has_hidden),
        _ => false,
    }
}

/// The decision as the template sees it: a collected one becomes a digest of one, which shows what the digest will be.
fn told(decision: &Decision) -> Cow<'_, Decision> {
    match &decision.collect {
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

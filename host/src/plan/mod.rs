//! Decisions → people → rendered messages. Pure: people and time are given.

mod in_use;
mod meta_body;
mod meta_template;
mod program;
mod render;
mod resolve;
mod template;
#[cfg(test)]
mod tests;
mod weigh;

use jiff::Timestamp;
use uuid::{NoContext, Uuid};

pub use self::{
    in_use::{Addressee, InUse, MetaName, Version},
    meta_template::{MetaTemplate, definition, definitions, version_name, version_number, wording},
    resolve::{Names, named, recipient},
    template::{Category, Template, TemplateError, TemplateSource, Templates},
};
use self::{render::Renderer, resolve::resolve};
use crate::domain::{
    Decision, Digest, Event, Notification, NotificationId, Outcome, People, SendTime, Senders, Verdict,
};

/// What a verdict comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// `notify`, `nobody`, `skip`, `no_route`, `failed` or `parked`.
    pub outcome: &'static str,
    /// Why, in words.
    pub reason: Option<String>,
    /// Who is told, and who would have been.
    pub notifications: Vec<PlannedNotification>,
}

/// A notification that is to be sent, or that never will be.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedNotification {
    /// It.
    pub notification: Notification,
    /// Why it will never be sent, in words.
    pub skipped: Option<String>,
}

impl Planned {
    fn without_people(outcome: &'static str, reason: Option<String>) -> Planned {
        Planned { outcome, reason: reason.map(|reason| reason.replace('\0', "")), notifications: Vec::new() }
    }
}

/// What a verdict comes to, for these people.
pub fn plan(
    templates: &Templates,
    senders: &Senders,
    event: &Event,
    verdict: &Verdict,
    people: &People,
    now: Timestamp,
) -> Planned {
    match &verdict.outcome {
        Outcome::Notify(decision) => notify(templates, senders, event, decision, people, now)
            .unwrap_or_else(|why| Planned::without_people("failed", Some(why))),
        Outcome::Skip(why) => Planned::without_people("skip", Some(why.clone())),
        Outcome::NoRoute => {
            Planned::without_people("no_route", Some(format!("no route is for the type {}", event.kind)))
        }
        Outcome::Failed(why) => Planned::without_people("failed", Some(why.clone())),
        Outcome::Parked(why) => Planned::without_people("parked", Some(why.clone())),
    }
}

fn notify(
    templates: &Templates,
    senders: &Senders,
    event: &Event,
    decision: &Decision,
    people: &People,
    now: Timestamp,
) -> Result<Planned, String> {
    let template = templates.get(&decision.template).ok_or_else(|| {
        format!("find the template {}{}", decision.template, near(templates, &decision.template))
    })?;
    let sender = senders.get(decision.from.as_deref().or(template.from.as_deref()))?;
    let send_at = match &decision.send {
        None => None,
        Some(SendTime::SendAt(at)) => Some(*at),
        Some(SendTime::After(time)) => Some(
            event
                .time
                .checked_add(*time)
                .map_err(|error| format!("add `after` to the event's time: {error}"))?,
        ),
    };
    let (recipients, remarks) = resolve(decision, people);
    // A digest of one shows what the digest will be like.
    let told = decision.collect.map(|_| Digest::of_one(decision).into_decision());
    let mut renderer = Renderer::new(templates, template, told.as_ref().unwrap_or(decision));
    let mut notifications = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let message = renderer.render(recipient.name.as_deref(), recipient.username.as_deref())?;
        notifications.push(PlannedNotification {
            notification: Notification {
                id: NotificationId(Uuid::new_v7(uuid_time(now))),
                username: recipient.username,
                name: recipient.name,
                recipient: recipient.to,
                phone_number_id: sender.to_owned(),
                template: decision.template.clone(),
                priority: decision.priority,
                message,
                reason: recipient.reason,
                send_at,
                expires_at: decision.expires_at,
            },
            skipped: recipient.skipped,
        });
    }
    let outcome = if notifications.iter().any(|n| n.skipped.is_none()) { "notify" } else { "nobody" };
    let mut reasons: Vec<String> = decision.reason.iter().cloned().chain(remarks).collect();
    if outcome == "nobody" && reasons.is_empty() {
        reasons.push("nobody whom it names can be reached".to_owned());
    }
    let reason = (!reasons.is_empty()).then(|| reasons.join("; ").replace('\0', ""));
    Ok(Planned { outcome, reason, notifications })
}

fn near(templates: &Templates, name: &str) -> String {
    let score = |known: &&str| (strsim::jaro_winkler(name, known) * 1_000.0) as u32;
    let nearest = templates.names().into_iter().max_by_key(score).filter(|known| score(known) > 850);
    nearest
        .map(|known| format!(": there is none; did you mean {known}?"))
        .unwrap_or_else(|| ": there is none".to_owned())
}

fn uuid_time(now: Timestamp) -> uuid::Timestamp {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    uuid::Timestamp::from_unix(NoContext, seconds, now.subsec_nanosecond().unsigned_abs())
}

//! What the rules make of an event, without sending.

use std::sync::Arc;

use hookswitch_core::{
    catalog::{Catalog, CatalogPorts},
    decide::{
        Ports, decide,
        plugin::{Answering, Http, HttpError, HttpRequest},
    },
    domain::{
        Asked, Cancel, Decision, Event, Face, Message, Mode, Notification, Outcome, People, Priority,
        Secrets, Senders, Verdict,
    },
    plan::{Planned, PlannedNotification, Planner},
    words::next_opening,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::masked::{decision_for_all, hide_recipient, mask, with_masked_numbers};
use crate::store::Wishes;

/// What the rules make of an event.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Trial {
    /// The type of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// The release of the rules.
    pub release: String,
    /// The decisions.
    pub decisions: Vec<TriedDecision>,
}

/// A decision about the event.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TriedDecision {
    /// `file:line` of the rule; null if no rule matches.
    pub rule: Option<String>,
    /// `route`, `script` or `plugin`.
    pub engine: Option<String>,
    /// `notify`, `nobody`, `cancel`, `skip`, `no_route`, `failed` or `parked`.
    pub outcome: String,
    /// The reason, in words.
    pub reason: Option<String>,
    /// What the rule asked, and the answers.
    #[schema(value_type = Vec<Object>)]
    pub asked: Vec<Asked>,
    /// What the rule decided; null if it decided nothing.
    #[schema(value_type = Option<Object>)]
    pub decision: Option<Tried>,
    /// The messages, and the people who cannot be reached.
    pub notifications: Vec<TriedNotification>,
}

/// What a rule decided: to send, or only to withdraw messages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Tried {
    /// To send.
    Decision(Box<Decision>),
    /// To withdraw messages by key.
    Cancel(Cancel),
}

/// A message that would be sent to somebody, or why it would not.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TriedNotification {
    /// The username; null if the recipient is not a person.
    pub username: Option<String>,
    /// The name, if known.
    pub name: Option<String>,
    /// The number or user id; null if the person cannot be reached.
    pub recipient: Option<String>,
    /// Why they are a recipient.
    pub reason: String,
    /// Why they get nothing: they cannot be reached, or have opted out; null if they can be sent to.
    pub skipped: Option<String>,
    /// The end of their quiet hours, or the beginning of the rule's hours, if it would wait for that.
    pub waits_until: Option<Timestamp>,
    /// The earliest time to send it; null if that is now.
    pub send_at: Option<Timestamp>,
    /// The latest time to send it.
    pub expires_at: Option<Timestamp>,
    /// In which form it would be sent now.
    pub form: TriedForm,
    /// How it reads in an open 24-hour window; null if it is never sent there as free-form text.
    pub in_window: Option<Face>,
    /// How it reads outside the window, as the Meta template; null if it is never sent as one.
    pub as_template: Option<Face>,
    /// The message as the rules made it; null without the scope `personal`.
    #[schema(value_type = Option<Object>)]
    pub message: Option<Message>,
}

/// The form in which a message would be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriedForm {
    /// As free-form text: the recipient's window is open.
    FreeForm,
    /// As the Meta template.
    Template,
    /// It waits until the recipient writes: it is never sent as a template, and the window is closed.
    Waits,
}

/// Whether windows are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriedWindow {
    /// As they are.
    #[default]
    AsIs,
    /// Every recipient's is open.
    Open,
    /// Every recipient's is closed.
    Closed,
}

/// Decides about an event as a rehearsal: requests of plugins are refused, and their calls are not counted.
pub fn rehearse(catalog: &Catalog, event: &Event, now: Timestamp) -> Vec<Verdict> {
    decide(&catalog.routes, event, &Rehearsing(CatalogPorts { catalog, now }))
}

/// Makes the messages of each verdict, for these people, as they are shown: without values that must not stay.
pub fn planned(
    catalog: &Catalog,
    senders: &Senders,
    people: &People,
    event: &Event,
    verdicts: Vec<Verdict>,
    now: Timestamp,
) -> Vec<(Verdict, Planned)> {
    let planner = Planner { templates: &catalog.templates, senders, in_use: None, people, now };
    let all: Vec<Planned> = verdicts.iter().map(|verdict| planner.plan(event, verdict)).collect();
    let mut secrets = Secrets::default();
    all.iter().for_each(|planned| secrets.extend(planned.secrets.clone()));
    let shown =
        |(verdict, planned): (&Verdict, Planned)| (secrets.hide_in_verdict(verdict), planned.into_shown());
    verdicts.iter().zip(all).map(shown).collect()
}

/// Ports of a rehearsal.
struct Rehearsing<'a>(CatalogPorts<'a>);

impl Ports for Rehearsing<'_> {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn config(&self, folder: &str, key: &str) -> Option<Value> {
        self.0.config(folder, key)
    }

    fn http(&self) -> Option<Arc<dyn Http>> {
        Some(Arc::new(NoNetwork))
    }

    fn is_rehearsal(&self) -> bool {
        true
    }
}

/// Refuses the requests of plugins.
struct NoNetwork;

impl Http for NoNetwork {
    fn send(&self, _: HttpRequest) -> Answering<'_> {
        Box::pin(async { Err(HttpError::Denied("no network access here".to_owned())) })
    }
}

impl Trial {
    /// What came of the verdicts about an event, for these people and windows.
    pub fn new(
        catalog: &Catalog,
        event: &Event,
        people: &People,
        decided: &[(Verdict, Planned)],
        window: TriedWindow,
        now: Timestamp,
    ) -> Trial {
        let tried = |planned: &PlannedNotification| {
            let is_open = match window {
                TriedWindow::Open => true,
                TriedWindow::Closed => false,
                TriedWindow::AsIs => is_open(people, planned, now),
            };
            TriedNotification::new(planned, is_open)
        };
        let decision = |(verdict, planned): &(Verdict, Planned)| TriedDecision {
            rule: verdict.rule.as_ref().map(|rule| format!("{}:{}", rule.file, rule.line)),
            engine: verdict.rule.as_ref().map(|rule| rule.engine.to_string()),
            outcome: planned.outcome.as_str().to_owned(),
            reason: planned.reason.clone(),
            asked: verdict.asked.to_vec(),
            decision: match &verdict.outcome {
                Outcome::Notify(decision) => Some(Tried::Decision(decision.clone())),
                Outcome::Cancel(cancel) => Some(Tried::Cancel((**cancel).clone())),
                _ => None,
            },
            notifications: planned.notifications.iter().map(tried).collect(),
        };
        Trial {
            kind: event.kind.clone(),
            release: catalog.release.clone(),
            decisions: decided.iter().map(decision).collect(),
        }
    }

    /// The same without numbers, texts, and what rules were told.
    pub fn without_personal(mut self) -> Trial {
        for decision in &mut self.decisions {
            mask(&mut decision.reason);
            decision.asked.clear();
            decision.decision = decision.decision.take().and_then(|tried| match tried {
                Tried::Decision(decision) => Some(Tried::Decision(Box::new(decision_for_all(*decision)))),
                // A key may be a number.
                Tried::Cancel(_) => None,
            });
            decision.notifications.iter_mut().for_each(TriedNotification::hide_personal);
        }
        self
    }
}

impl TriedNotification {
    /// A planned message to somebody whose window is open, or is not.
    pub fn new(planned: &PlannedNotification, is_open: bool) -> TriedNotification {
        let PlannedNotification { notification, skipped, .. } = planned;
        let message = &notification.message;
        TriedNotification {
            username: notification.username.clone(),
            name: notification.name.clone(),
            recipient: notification.recipient.clone(),
            reason: notification.reason.clone(),
            skipped: skipped.clone(),
            waits_until: None,
            send_at: notification.send_at,
            expires_at: notification.expires_at,
            form: match (message.mode, is_open) {
                (Mode::Auto | Mode::Text, true) => TriedForm::FreeForm,
                (Mode::Auto, false) | (Mode::Template, _) => TriedForm::Template,
                (Mode::Text, false) => TriedForm::Waits,
            },
            in_window: Face::in_window(message),
            as_template: Face::as_template(message),
            message: Some(message.clone()),
        }
    }

    /// Adds what the recipient wants: nothing, or nothing yet. As dispatch looks at it when the message is due.
    pub(super) fn respect(&mut self, notification: &Notification, wishes: &Wishes, now: Timestamp) {
        if self.skipped.is_some() {
            return;
        }
        self.skipped = wishes.refusal.as_ref().map(ToString::to_string);
        if self.skipped.is_some() || notification.priority == Priority::Urgent {
            return;
        }
        let due = self.send_at.map_or(now, |send_at| send_at.max(now));
        self.waits_until = match (&wishes.quiet_hours, &notification.message.hours) {
            (Some(quiet), _) => quiet.end(due),
            (None, Some(hours)) => next_opening(hours, due).filter(|opens| *opens > due),
            (None, None) => None,
        };
    }

    /// Takes the text, the numbers, and the name of somebody who is not of the staff.
    pub fn hide_personal(&mut self) {
        let TriedNotification { username, name, recipient, .. } = self;
        hide_recipient(username.as_deref(), name, recipient);
        self.reason = with_masked_numbers(&self.reason);
        mask(&mut self.skipped);
        (self.in_window, self.as_template, self.message) = (None, None, None);
    }
}

/// Whether the window of a recipient is open.
pub(super) fn is_open(people: &People, planned: &PlannedNotification, now: Timestamp) -> bool {
    let notification = &planned.notification;
    let contact = match &notification.username {
        Some(username) => {
            let members = people.groups.values().flatten().chain(people.users.values());
            let person = members.into_iter().find(|person| person.username == *username);
            person.and_then(|person| person.contact.as_ref())
        }
        None => notification.recipient.as_ref().and_then(|recipient| people.contacts.get(recipient)),
    };
    contact.and_then(|contact| contact.window_until()).is_some_and(|until| until > now)
}

//! Test messages, which take the same path as every event.

use std::collections::BTreeMap;

use hookswitch_core::{
    catalog::Catalog,
    decide::TEST_TYPE,
    domain::{Decision, DecisionOutcome, Event, EventKey, People, Senders, did_you_mean, number},
    plan::Planned,
};
use serde_json::{Value, json, value::RawValue};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Operate, Operator,
    trial::{planned, rehearse},
};
use crate::{
    intake::unfit_json,
    store::{NewEvent, StoreError},
};

/// The source of test messages.
const SOURCE: &str = "/hookswitch/send";
/// Maximum number of names to search for the one that was probably meant.
const MEANT: i64 = 1_000;

/// A test message.
#[derive(Clone, Debug, PartialEq)]
pub struct TestMessage {
    /// The name of the template.
    pub template: String,
    /// A username, a group, or a number with its country code.
    pub to: String,
    /// Values for the template.
    pub context: BTreeMap<String, Value>,
}

/// A test message that can be sent.
pub struct PreparedMessage {
    /// The event that carries it.
    pub event: Event,
    /// The messages and their recipients; of a group, the first 1,000 members.
    pub planned: Planned,
    /// The people among whom the recipients are.
    pub people: People,
}

/// Why a test message cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No template has this name.
    #[error("unknown template {name:?}")]
    TemplateUnknown {
        /// The name.
        name: String,
        /// The names of the templates.
        known: Vec<String>,
    },
    /// The template has no such variable.
    #[error("the template {template} has no variable {name:?}")]
    VariableUnknown {
        /// The template.
        template: String,
        /// The name.
        name: String,
        /// The variables of the template.
        known: Vec<String>,
    },
    /// A value that no event may contain.
    #[error("invalid value of {name}: it {why}")]
    ValueUnfit {
        /// The variable.
        name: String,
        /// What is wrong, as the rest of a sentence.
        why: String,
    },
    /// Nobody is called so.
    #[error("unknown recipient {to:?}")]
    RecipientUnknown {
        /// What was given.
        to: String,
        /// What may help.
        help: String,
    },
    /// The message cannot be made.
    #[error("{why}")]
    Refused {
        /// Why, in words.
        why: String,
        /// The variables of the template for which there is no value.
        missing: Vec<String>,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Operate {
    /// Makes a test message by these rules without sending it.
    ///
    /// # Errors
    /// If it cannot be sent like this.
    pub async fn prepare_message(
        &self,
        catalog: &Catalog,
        senders: &Senders,
        message: TestMessage,
    ) -> Result<PreparedMessage, SendError> {
        check_context(catalog, &message)?;
        let decision = self.addressed(message).await?;
        let event = self.event(&decision)?;
        let now = self.now();
        let verdicts = rehearse(catalog, &event, now);
        let people = self.people_of(&verdicts).await?;
        let planned = planned(catalog, senders, &people, &event, verdicts, now);
        let Some((_, planned)) = planned.into_iter().next() else {
            return Err(SendError::Refused {
                why: "no decision about the event".to_owned(),
                missing: Vec::new(),
            });
        };
        if planned.outcome == DecisionOutcome::Failed {
            let missing = missing(catalog, &decision);
            return Err(SendError::Refused { why: planned.reason.unwrap_or_default(), missing });
        }
        Ok(PreparedMessage { event, planned, people })
    }

    /// Sends a test message: posts its event, and records that.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn send_message(
        &self,
        by: &Operator,
        message: &PreparedMessage,
    ) -> Result<EventKey, StoreError> {
        let event = &message.event;
        let sha256: [u8; 32] = Sha256::digest(event.data.get().as_bytes()).into();
        self.store.append_events(&[NewEvent { event, sha256: &sha256, has_time: true }], false).await?;
        self.store.notify().await?;
        let act = by.act("message.send", &json!({ "event": event.key.id }), None);
        self.store.record_action(&act, 1).await?;
        Ok(event.key.clone())
    }

    /// The decision for the recipient: a person, a group, or a number.
    async fn addressed(&self, message: TestMessage) -> Result<Decision, SendError> {
        let TestMessage { template, to, context } = message;
        let reason = Some("a test message".to_owned());
        let decision = Decision { template, context, reason, ..Decision::default() };
        if !self.store.usernames(&[&to]).await?.is_empty() {
            return Ok(Decision { users: vec![to], ..decision });
        }
        if !self.store.group_names(&[&to]).await?.is_empty() {
            return Ok(Decision { groups: vec![to], ..decision });
        }
        let looks_like_a_number =
            to.chars().any(|c| c.is_ascii_digit()) && !to.chars().any(char::is_alphabetic);
        if looks_like_a_number {
            return match number(&to) {
                Ok(number) => Ok(Decision { contacts: vec![number.wa_id], ..decision }),
                Err(help) => Err(SendError::RecipientUnknown { to, help }),
            };
        }
        let mut known = self.store.first_groups(MEANT).await?;
        known.extend(self.store.list_people(None, "", MEANT).await?.into_iter().map(|it| it.username));
        let meant = did_you_mean(&to, known.iter().map(String::as_str).collect::<Vec<_>>());
        let help = format!("expected a username, a group or a number with its country code; {meant}");
        Err(SendError::RecipientUnknown { to, help })
    }

    fn event(&self, decision: &Decision) -> Result<Event, SendError> {
        let data = RawValue::from_string(json!(decision).to_string());
        let refused =
            |error: serde_json::Error| SendError::Refused { why: error.to_string(), missing: vec![] };
        Ok(Event {
            key: EventKey { id: format!("test-{}", Uuid::now_v7()), source: SOURCE.to_owned() },
            kind: TEST_TYPE.to_owned(),
            subject: None,
            time: self.now(),
            data: data.map_err(refused)?,
            extensions: None,
        })
    }
}

/// Whether the template exists, and has a variable for each value.
fn check_context(catalog: &Catalog, message: &TestMessage) -> Result<(), SendError> {
    let TestMessage { template: name, context, .. } = message;
    let Some(template) = catalog.templates.get(name) else {
        let known = catalog.templates.names().into_iter().map(str::to_owned).collect();
        return Err(SendError::TemplateUnknown { name: name.clone(), known });
    };
    for (variable, value) in context {
        if !template.variables.contains(variable) {
            let (template, known) = (name.clone(), template.variables.clone());
            return Err(SendError::VariableUnknown { template, name: variable.clone(), known });
        }
        if let Some(why) = unfit_json(&value.to_string()) {
            return Err(SendError::ValueUnfit { name: variable.clone(), why });
        }
    }
    Ok(())
}

fn missing(catalog: &Catalog, decision: &Decision) -> Vec<String> {
    let variables = catalog.templates.get(&decision.template).map(|template| template.variables.clone());
    let mut missing = variables.unwrap_or_default();
    missing.retain(|variable| !decision.context.contains_key(variable));
    missing
}
